#include "consensus/raft/durability.h"

#include <algorithm>

#include "ledger/base/check.h"

namespace vigil::consensus {

void Durability::Appended(uint64_t sequence, Height height) {
  if (!pending_.empty() && pending_.back().sequence == sequence) {
    pending_.back().height = height;
    return;
  }
  VIGIL_CHECK(pending_.empty() || pending_.back().sequence < sequence, "sequence ", sequence);
  pending_.push_back(Pending{sequence, height});
}

void Durability::TruncatedAbove(Height kept) {
  height_ = std::min(height_, kept);
  for (Pending& pending : pending_) pending.height = std::min(pending.height, kept);
}

void Durability::DurableUpTo(uint64_t sequence) {
  while (!pending_.empty() && pending_.front().sequence <= sequence) {
    height_ = std::max(height_, pending_.front().height);
    pending_.pop_front();
  }
}

void Durability::AppendTo(ByteWriter* out) const {
  out->U64(height_.value()).U64(pending_.size());
  for (const Pending& pending : pending_) {
    out->U64(pending.sequence).U64(pending.height.value());
  }
}

}  // namespace vigil::consensus
