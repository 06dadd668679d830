#include "consensus/raft/chain_log.h"

#include <algorithm>

#include "ledger/base/check.h"

namespace vigil::consensus {

ChainLog::ChainLog(const Hash& genesis_hash) {
  entries_.push_back(Entry{ledger::BlockId{Height(0), View(0), genesis_hash}, 0});
}

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
  entries_.resize(kept.value() + 1);
}

const ledger::BlockId& ChainLog::At(Height height) const {
  VIGIL_CHECK(height <= last().height, "height ", height.value(), " above last ",
              last().height.value());
  return entries_[height.value()].block;
}

bool ChainLog::Contains(const ledger::BlockId& block) const {
  return block.height <= last().height && At(block.height) == block;
}

uint64_t ChainLog::SizeBetween(Height after, Height to) const {
  VIGIL_CHECK(after <= to && to <= last().height, "heights ", after.value(), " to ", to.value());
  return entries_[to.value()].size_up_to - entries_[after.value()].size_up_to;
}

Height ChainLog::HighestWithViewAtMost(Height limit, View view) const {
  const Height top = std::min(limit, last().height);
  // Views grow with height, so the first entry beyond `view` bounds the answer; genesis has view 0.
  const auto begin = entries_.begin() + 1;
  const auto end = begin + static_cast<std::ptrdiff_t>(top.value());
  const auto beyond = std::upper_bound(
      begin, end, view, [](View bound, const Entry& entry) { return bound < entry.block.view; });
  return Height(static_cast<uint64_t>(beyond - begin));
}

}  // namespace vigil::consensus
