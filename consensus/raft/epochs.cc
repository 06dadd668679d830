// The end of an epoch and the beginning of the next: docs/protocol.md, E1 to E7.
#include "ledger/chain/epoch.h"

#include <algorithm>
#include <optional>

#include "consensus/raft/raft_core.h"
#include "ledger/base/check.h"

namespace vigil::consensus {

using ledger::BlockHeader;

// protocol.md, E5. What the log begins above is committed, so that it lies on the branch of every
// block committed before.
bool RaftCore::HasEpochBase() const {
  return log_.base().height > config_.epoch_base.height || config_.epoch == Epoch(1) ||
         log_.Contains(config_.epoch_base);
}

// protocol.md, E5. Whether it may lead and its acknowledgements count.
bool RaftCore::MayLead() const { return may_vote_ && HasEpochBase(); }

void RaftCore::RecoverEpoch(const Recovered& recovered) {
  VIGIL_CHECK((config_.epoch == Epoch(1)) == (config_.epoch_base.height == Height(0)), "epoch ",
              config_.epoch.value(), " above block ", config_.epoch_base.height.value());
  VIGIL_CHECK(HasEpochBase() || committed_ < config_.epoch_base.height, "committed ",
              committed_.value(), " on another branch than the epoch's base ",
              config_.epoch_base.height.value());
  if (recovered.sealing > Height(0)) {
    sealing_ = Sealing{recovered.sealing, recovered.sealing_set, recovered.sealing_next_set};
    VIGIL_CHECK(sealing_->set != sealing_->next_set, "sealing block ", sealing_->height.value(),
                " names one set");
    VIGIL_CHECK(sealing_->height > config_.epoch_base.height &&
                    sealing_->height >= log_.base().height && sealing_->height >= committed_ &&
                    sealing_->height <= log_.last().height,
                "sealing block ", sealing_->height.value(), " of a log to ",
                log_.last().height.value(), ", committed ", committed_.value());
  }
  // Handed to the host with the first output.
  if (HasEpochBase()) CommitUpTo(config_.epoch_base.height);
}

std::optional<RaftCore::Sealing> RaftCore::SealingOf(const BlockHeader& header) const {
  if (header.epoch != config_.epoch || !ledger::Seals(header)) return std::nullopt;
  return Sealing{header.height, header.validator_set_hash, header.next_validator_set_hash};
}

// protocol.md, E1.
bool RaftCore::IsClosing(const ledger::Block& block, const Sealing& sealing) {
  const BlockHeader& header = block.header();
  return block.records().empty() && header.validator_set_hash == sealing.set &&
         header.next_validator_set_hash == sealing.next_set;
}

// protocol.md, E1, E5. After every block that is appended.
void RaftCore::NoteEpochOf(const BlockPtr& block) {
  if (!sealing_.has_value()) sealing_ = SealingOf(block->header());
  if (block->id() == config_.epoch_base) CommitUpTo(config_.epoch_base.height);
}

// protocol.md, E2. Judges the blocks as they would stand behind `previous`; where that is not in
// the own log, nothing is taken (R11).
bool RaftCore::KeepsToEpoch(const Incoming& in, const RaftAppend& append) const {
  const BlockId& previous = append.previous;
  const BlockId& base = config_.epoch_base;
  const bool known = log_.Contains(previous);
  const bool has_base = HasEpochBase();
  // A branch without the base must not grow past it.
  if (!has_base && previous.height >= base.height && previous != base &&
      (known || previous.height == base.height)) {
    return false;
  }
  std::optional<Sealing> sealing;
  if (sealing_.has_value() && known && previous.height >= sealing_->height) sealing = sealing_;
  for (const BlockPtr& block : *in.blocks) {
    const BlockHeader& header = block->header();
    const bool in_epoch =
        header.height > base.height ? header.epoch == config_.epoch : header.epoch < config_.epoch;
    if (!in_epoch) return false;
    // With the base, this is a conflict with what is committed here (R19).
    if (!has_base && header.height == base.height && block->id() != base) return false;
    if (sealing.has_value() && !IsClosing(*block, *sealing)) return false;
    if (!sealing.has_value()) sealing = SealingOf(header);
  }
  return true;
}

// protocol.md, E4.
void RaftCore::ForgetSealingAbove(Height kept) {
  if (sealing_.has_value() && sealing_->height > kept) sealing_.reset();
}

// protocol.md, E3.
Height RaftCore::CommitLimit() const {
  return sealing_.has_value() ? sealing_->height : log_.last().height;
}

// The sealing block is committed: the next epoch may have begun.
bool RaftCore::EpochIsCommitted() const {
  return sealing_.has_value() && committed_ == sealing_->height;
}

// protocol.md, R21. The block that shows, by its term, that the told commit covers whatever was
// committed before: the told block itself, or the closing block that stands for it (E3).
Height RaftCore::WitnessOfCommit(Height committed, Height matched) const {
  const bool closed = sealing_.has_value() && committed == sealing_->height;
  return closed ? matched : committed;
}

}  // namespace vigil::consensus
