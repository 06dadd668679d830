#include "detector/features/category_column.h"

#include <algorithm>
#include <utility>

#include "detector/features/integer_log.h"
#include "detector/features/numeric_column.h"

namespace vigil::detector {

CategoryColumn::CategoryColumn(std::vector<CategoryKey> keys, int width)
    : width_(width), total_(static_cast<uint32_t>(keys.size())) {
  std::sort(keys.begin(), keys.end());
  std::vector<std::pair<uint32_t, uint32_t>> counted;  // (count, first position), ascending keys.
  for (size_t i = 0; i < keys.size();) {
    size_t end = i + 1;
    while (end < keys.size() && keys[end] == keys[i]) ++end;
    counted.emplace_back(static_cast<uint32_t>(end - i), static_cast<uint32_t>(i));
    i = end;
  }
  if (counted.size() > kEntriesMax) {
    std::stable_sort(counted.begin(), counted.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    rest_count_ = counted[kEntriesMax].first;
    counted.resize(kEntriesMax);
    std::sort(counted.begin(), counted.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
  }
  for (const auto& [count, position] : counted) {
    keys_.push_back(keys[position]);
    counts_.push_back(count);
  }
  FillCosts();
}

int32_t CategoryColumn::CostQ8(uint32_t count) const {
  return Log2Q8(uint64_t{total_} + 2) - Log2Q8(uint64_t{count} + 1);
}

void CategoryColumn::FillCosts() {
  costs_q8_.clear();
  for (const uint32_t count : counts_) costs_q8_.push_back(CostQ8(count));
  rest_cost_q8_ = CostQ8(rest_count_);
}

int32_t CategoryColumn::SurprisalQ8(const CategoryKey& key) const {
  const auto it = std::lower_bound(keys_.begin(), keys_.end(), key);
  if (it == keys_.end() || *it != key) return rest_cost_q8_;
  return costs_q8_[it - keys_.begin()];
}

uint32_t CategoryColumn::CountOf(const CategoryKey& key) const {
  const auto it = std::lower_bound(keys_.begin(), keys_.end(), key);
  return it == keys_.end() || *it != key ? 0 : counts_[it - keys_.begin()];
}

void CategoryColumn::Write(LittleEndianWriter* writer) const {
  writer->U32(total_).U32(rest_count_).U16(static_cast<uint16_t>(keys_.size()));
  for (size_t i = 0; i < keys_.size(); ++i) {
    for (int part = 0; part < width_; ++part) writer->U64(keys_[i][part]);
    writer->U32(counts_[i]);
  }
}

std::optional<CategoryColumn> CategoryColumn::Read(LittleEndianReader* reader, int width) {
  CategoryColumn column;
  column.width_ = width;
  column.total_ = reader->U32();
  column.rest_count_ = reader->U32();
  const size_t count = reader->U16();
  if (column.total_ > kRowsCountMax || count > kEntriesMax ||
      !reader->CanHold(count, static_cast<size_t>(8 * width + 4))) {
    return std::nullopt;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    CategoryKey key{};
    for (int part = 0; part < width; ++part) key[part] = reader->U64();
    const uint32_t times = reader->U32();
    // What is kept came at least as often as what was left out.
    if (times == 0 || times < column.rest_count_ || (i > 0 && key <= column.keys_.back())) {
      return std::nullopt;
    }
    sum += times;
    column.keys_.push_back(key);
    column.counts_.push_back(times);
  }
  const bool overflowed = column.rest_count_ > 0;
  const bool sums = overflowed ? count == kEntriesMax && sum + column.rest_count_ <= column.total_
                               : sum == column.total_;
  if (!reader->ok() || !sums) return std::nullopt;
  column.FillCosts();
  return column;
}

}  // namespace vigil::detector
