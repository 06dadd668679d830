// Taking over a leader's blocks: docs/protocol.md, R10 to R13, R16, R19, R21.
#include <algorithm>
#include <utility>

#include "consensus/raft/raft_core.h"

namespace vigil::consensus {

using ledger::BlockHeader;

void RaftCore::OnAppend(const Incoming& in, const RaftAppend& append) {
  RaftAppendReply refusal;
  if (in.term < term_) {
    refusal.result = RaftAppendResult::kStaleTerm;
    Reply(in.from, append, refusal);
    return;
  }
  // protocol.md, R19: the first leader of a term stands.
  if (in.term == term_ && term_leader_.has_value() && term_leader_ != in.from) {
    ReportTwoLeaders(term_, term_leader_, in.from);
    if (role_ == CoreRole::kLeader) BecomeFollower(term_, std::nullopt);
    refusal.result = RaftAppendResult::kOtherLeader;
    Reply(in.from, append, refusal);
    return;
  }

  // protocol.md, R10.
  if (in.term > term_ || role_ != CoreRole::kFollower) BecomeFollower(in.term, in.from);
  term_leader_ = in.from;
  leader_silent_ticks_ = 0;
  election_ticks_ = 0;
  PeerOf(in.from).silent_ticks = 0;
  if (!ChainsFrom(in, append) || !KeepsToEpoch(in, append)) {
    ++messages_dropped_;
    return;
  }
  if (!PreviousIsKnown(in, append)) return;
  if (!TakeBlocks(in)) {
    refusal.result = RaftAppendResult::kOtherLeader;
    Reply(in.from, append, refusal);
    return;
  }

  const Height matched = append.previous.height + append.block_count;
  CommitUpTo(std::min(append.committed, matched));
  RejoinIfCaughtUp(in, append, matched);
  AcknowledgeMatch(in, append, matched);
}

// protocol.md, R31. Said to the host once: it takes the log away from this core.
void RaftCore::OnNeedsSnapshot(const Incoming& in, const RaftNeedsSnapshot& needs) {
  const bool from_leader = in.term == term_ && term_leader_ == in.from;
  if (!from_leader || role_ != CoreRole::kFollower || snapshot_asked_) return;
  if (needs.height <= committed_) return;
  snapshot_asked_ = true;
  output_.asks.push_back(AskInstallSnapshot{in.from, needs.height});
}

// protocol.md, R10: the blocks form a chain on `previous` that this leader may send.
bool RaftCore::ChainsFrom(const Incoming& in, const RaftAppend& append) const {
  if (append.block_count != in.blocks->size()) return false;
  if (append.previous.view > in.term) return false;
  BlockId previous = append.previous;
  std::optional<ValidatorIndex> previous_proposer;
  for (const BlockPtr& block : *in.blocks) {
    const BlockHeader& header = block->header();
    const bool linked = header.height == previous.height.Next() &&
                        header.parent_hash == previous.hash && header.parent_view == previous.view;
    const bool in_order =
        header.view > View(0) && header.view >= previous.view && header.view <= in.term;
    if (!linked || !in_order) return false;
    if (header.view == in.term && header.proposer != in.from) return false;
    const bool same_view = previous_proposer.has_value() && header.view == previous.view;
    if (same_view && header.proposer != *previous_proposer) return false;
    previous = block->id();
    previous_proposer = header.proposer;
  }
  return true;
}

// protocol.md, R11.
bool RaftCore::PreviousIsKnown(const Incoming& in, const RaftAppend& append) {
  const BlockId& previous = append.previous;
  if (log_.Contains(previous)) return true;
  // Below the own base nothing can be compared; the leader is told from where on it can.
  const bool below_base = previous.height < log_.base().height;
  if (previous.height <= committed_ && !below_base) {
    ReportCommittedConflict(in.from, previous);
    return false;
  }
  const Height below =
      below_base ? committed_ : std::min(log_.last().height, previous.height.Previous());
  const Height hint = std::max(log_.HighestWithViewAtMost(below, previous.view), committed_);
  RaftAppendReply reply;
  reply.result = RaftAppendResult::kMismatch;
  reply.rejected = previous.height;
  reply.hint_height = hint;
  reply.hint_view = log_.At(hint).view;
  Reply(in.from, append, reply);
  return false;
}

// protocol.md, R12. Returns false when the leader contradicts itself or what is committed.
bool RaftCore::TakeBlocks(const Incoming& in) {
  for (const BlockPtr& block : *in.blocks) {
    if (block->height() <= log_.last().height) {
      const BlockId mine = log_.At(block->height());
      if (mine == block->id()) continue;
      if (mine.height <= committed_) {
        ReportCommittedConflict(in.from, block->id());
        return false;
      }
      // Views of an older epoch are not comparable with this one's, nor its validators (E5).
      const bool of_this_epoch = mine.height > config_.epoch_base.height;
      if (of_this_epoch && mine.view == block->id().view) ReportTwoBlocks(block);
      // A leader's own log only grows, so of two blocks of this very term the first stands.
      if (of_this_epoch && mine.view == term_) return false;
      TruncateAbove(mine.height.Previous());
    }
    AppendBlock(block);
  }
  return true;
}

void RaftCore::TruncateAbove(Height kept) {
  log_.TruncateAbove(kept, committed_);
  durability_.TruncatedAbove(kept);
  ForgetSealingAbove(kept);
  recent_headers_.erase(recent_headers_.upper_bound(kept), recent_headers_.end());
}

// protocol.md, R13: what is acknowledged is on this disk when the acknowledgement leaves.
void RaftCore::AcknowledgeMatch(const Incoming& in, const RaftAppend& append, Height matched) {
  RaftAppendReply reply;
  reply.result = RaftAppendResult::kMatched;
  reply.match = syncs_this_step() ? matched : std::min(matched, durability_.height());
  Reply(in.from, append, reply);
}

void RaftCore::Reply(ValidatorIndex to, const RaftAppend& append, RaftAppendReply reply) {
  reply.round = append.round;
  reply.session = session_;
  reply.voter = MayLead();
  RaftMessage message = Speak();
  message.body = reply;
  const bool promises = reply.result == RaftAppendResult::kMatched && syncs_this_step();
  (promises ? output_.send_when_durable : output_.send_now).push_back(To(to, message));
}

// protocol.md, R21.
void RaftCore::RejoinIfCaughtUp(const Incoming& in, const RaftAppend& append, Height matched) {
  if (may_vote_) return;
  if (append.session != session_ || !append.confirmed) return;
  if (append.committed == Height(0) || append.committed > matched) return;
  if (append.committed < log_.base().height) return;
  const Height witness = WitnessOfCommit(append.committed, matched);
  if (witness > durability_.height()) return;
  if (log_.At(witness).view != term_) return;
  may_vote_ = true;
  // The vote of this term may have been given away; the one safe use of it is the leader it has.
  if (!voted_for_.has_value()) voted_for_ = in.from;
  hard_state_changed_ = true;
}

// protocol.md, R16, E3.
void RaftCore::CommitUpTo(Height height) {
  height = std::min(height, CommitLimit());
  if (height <= committed_) return;
  while (committed_ < height) {
    ++committed_;
    output_.committed.push_back(Committed{log_.At(committed_), ""});
  }
  committed_changed_ = true;
}

}  // namespace vigil::consensus
