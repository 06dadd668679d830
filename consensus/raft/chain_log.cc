#include "consensus/raft/chain_log.h"

#include <algorithm>

#include "ledger/base/check.h"

namespace vigil::consensus {

ChainLog::ChainLog(const ledger::BlockId& base) { entries_.push_back(Entry{base, 0}); }

void ChainLog::Append(const ledger::BlockId& block, uint64_t size) {
  VIGIL_CHECK(block.height == last().height.Next(), "block ", block.height.value(), " above ",
              last().height.value());
  VIGIL_CHECK(block.view >= last().view, "view ", block.view.value(), " above view ",
              last().view.value());
  entries_.push_back(Entry{block, total_size() + size});
}

void ChainLog::TruncateAbove(Height kept, Height committed) {
  VIGIL_CHECK(kept >= committed, "truncation to ", kept.value(), " below committed ",
              committed.value());
  VIGIL_CHECK(kept <= last().height, "truncation to ", kept.value(), " above last ",
              last().height.value());
  entries_.resize(kept - base().height + 1);
}

void ChainLog::BeginAt(Height base_height) {
  VIGIL_CHECK(base().height <= base_height && base_height <= last().height, "base ",
              base_height.value(), " outside of ", base().height.value(), " to ",
              last().height.value());
  const auto dropped = static_cast<std::ptrdiff_t>(base_height - base().height);
  entries_.erase(entries_.begin(), entries_.begin() + dropped);
}

const ledger::BlockId& ChainLog::At(Height height) const {
  VIGIL_CHECK(base().height <= height && height <= last().height, "height ", height.value(),
              " outside of ", base().height.value(), " to ", last().height.value());
  return entries_[height - base().height].block;
}

bool ChainLog::Contains(const ledger::BlockId& block) const {
  return base().height <= block.height && block.height <= last().height &&
         At(block.height) == block;
}

uint64_t ChainLog::SizeBetween(Height after, Height to) const {
  VIGIL_CHECK(base().height <= after && after <= to && to <= last().height, "heights ",
              after.value(), " to ", to.value(), " of a log from ", base().height.value());
  return entries_[to - base().height].size_up_to - entries_[after - base().height].size_up_to;
}

Height ChainLog::HighestWithViewAtMost(Height limit, View view) const {
  const Height top = std::clamp(limit, base().height, last().height);
  // Views grow with height, so the first entry beyond `view` bounds the answer.
  const auto begin = entries_.begin() + 1;
  const auto end = begin + static_cast<std::ptrdiff_t>(top - base().height);
  const auto beyond = std::upper_bound(
      begin, end, view, [](View bound, const Entry& entry) { return bound < entry.block.view; });
  return Height(base().height.value() + static_cast<uint64_t>(beyond - begin));
}

}  // namespace vigil::consensus
