// Leading: building, replicating, counting: docs/protocol.md, R6 to R9, R14, R15, R17, R21.
#include <algorithm>
#include <functional>

#include "consensus/raft/raft_core.h"
#include "ledger/base/check.h"

namespace vigil::consensus {

using ledger::BlockHeader;

// protocol.md, R6.
void RaftCore::BecomeLeader() {
  role_ = CoreRole::kLeader;
  term_leader_ = config_.self;
  transfer_.reset();
  for (const ValidatorIndex other : OtherValidators()) {
    Peer& peer = PeerOf(other);
    peer = Peer();
    peer.flow.Reset(log_.last().height, log_.base().height);
  }
  SendHeartbeats();
}

// protocol.md, R17.
void RaftCore::OnLeaderTick() {
  if (!HearsQuorum()) {
    BecomeFollower(term_, std::nullopt);
    return;
  }
  OnTransferTick();
  if (++heartbeat_ticks_ < config_.heartbeat_ticks) return;
  SendHeartbeats();
}

void RaftCore::SendHeartbeats() {
  heartbeat_ticks_ = 0;
  broadcast_round_ = round_;
  if (transfer_.has_value()) transfer_->told = false;
  for (const ValidatorIndex other : OtherValidators()) SendHeartbeat(other);
}

bool RaftCore::HearsQuorum() const {
  uint32_t heard = 1;
  for (const ValidatorIndex other : OtherValidators()) {
    const Peer& peer = peers_[other.value()];
    // Who voted for this leader before it has the epoch's base is about to get it (E5).
    const bool lacks_base = peer.flow.match() < config_.epoch_base.height;
    const bool counts = peer.voter || (votes_[other.value()] && lacks_base);
    if (counts && peer.silent_ticks < config_.election_timeout_ticks_min) ++heard;
  }
  return heard >= quorum();
}

// protocol.md, R7.
void RaftCore::AskForBlock() {
  // Whoever is to lead must catch up with a log that stands still (R26).
  if (asked_on_.has_value() || transfer_.has_value()) return;
  const BlockId& last = log_.last();
  const bool term_starts = last.view < term_;
  // protocol.md, E1.
  if (sealing_.has_value() && !term_starts) return;
  const bool window_is_full =
      last.height - committed_ >= config_.blocks_in_flight_max ||
      log_.SizeBetween(committed_, last.height) >= config_.bytes_in_flight_max;
  // The empty block of a new term is exempt: without it nothing before it could be committed.
  if (!term_starts && window_is_full) return;
  asked_on_ = last;
  AskBuild ask;
  ask.parent = last;
  ask.view = term_;
  ask.empty = term_starts;
  ask.closing = sealing_.has_value();
  output_.asks.push_back(ask);
}

// protocol.md, R8.
void RaftCore::OnBlockBuilt(const BlockPtr& block) {
  const BlockHeader& header = block->header();
  const bool wanted = role_ == CoreRole::kLeader && asked_on_.has_value() && header.view == term_ &&
                      header.parent_hash == asked_on_->hash;
  if (!wanted) return;
  VIGIL_CHECK(header.height == asked_on_->height.Next() && header.parent_view == asked_on_->view &&
                  header.epoch == config_.epoch && header.proposer == config_.self,
              "the host built a block ", header.height.value(), " by validator ",
              header.proposer.value(), " on ", asked_on_->height.value());
  VIGIL_CHECK(!sealing_.has_value() || IsClosing(*block, *sealing_), "the host built a block ",
              header.height.value(), " that does not close the epoch sealed at ",
              sealing_->height.value());
  asked_on_ = std::nullopt;
  AppendBlock(block);
  for (const ValidatorIndex other : OtherValidators()) SendBlocks(other);
}

// protocol.md, R9. Returns whether anything was sent.
bool RaftCore::SendBlocks(ValidatorIndex to) {
  bool sent = false;
  Peer& peer = PeerOf(to);
  while (const std::optional<SendRange> range = peer.flow.NextSend(log_, config_)) {
    SendAppend(to, range->first.Previous(), range->last);
    if (!peer.flow.replicating()) peer.probe_round = round_;
    sent = true;
  }
  return sent;
}

// protocol.md, R17.
void RaftCore::SendHeartbeat(ValidatorIndex to) {
  const Height previous = PeerOf(to).flow.previous();
  SendAppend(to, previous, previous);
}

void RaftCore::SendAppend(ValidatorIndex to, Height previous, Height last) {
  const Peer& peer = PeerOf(to);
  RaftAppend append;
  append.round = ++round_;
  append.session = peer.session;
  append.confirmed = peer.session != 0 && ConfirmedRound() > peer.hello_round;
  append.previous = log_.At(previous);
  append.committed = committed_;
  append.block_count = static_cast<uint32_t>(last - previous);
  RaftMessage message = Speak();
  message.body = append;
  Message out = To(to, message);
  for (Height height = previous.Next(); height <= last; ++height) {
    out.bodies.push_back(log_.At(height));
  }
  output_.send_now.push_back(std::move(out));
}

// protocol.md, R14.
void RaftCore::OnAppendReply(const Incoming& in, const RaftAppendReply& reply) {
  if (in.term > term_) {
    BecomeFollower(in.term, std::nullopt);
    return;
  }
  if (role_ != CoreRole::kLeader || in.term < term_) return;
  // It answers a message of an earlier term; the round may even be that of an earlier start.
  if (reply.result == RaftAppendResult::kStaleTerm) return;
  if (reply.round > round_ || reply.match > log_.last().height) {
    ++messages_dropped_;
    return;
  }
  if (reply.result == RaftAppendResult::kOtherLeader) {
    BecomeFollower(term_, std::nullopt);
    return;
  }
  Peer& peer = PeerOf(in.from);
  peer.silent_ticks = 0;
  if (!IsOfThisStart(in.from, reply)) return;
  peer.acked_round = std::max(peer.acked_round, reply.round);

  if (reply.result == RaftAppendResult::kMatched) {
    peer.flow.OnMatched(reply.match, /*before_probe=*/reply.round < peer.probe_round);
    CommitByCounting();
  } else if (reply.result == RaftAppendResult::kMismatch) {
    // Its log begins above what this leader guessed (R23): guess anew, from the own last block.
    if (reply.hint_height >= reply.rejected && reply.rejected < log_.last().height &&
        reply.rejected == peer.flow.previous()) {
      peer.flow.Reset(log_.last().height, log_.base().height);
      SendHeartbeat(in.from);
      return;
    }
    const Height meeting = log_.HighestWithViewAtMost(reply.hint_height, reply.hint_view);
    peer.flow.OnMismatch(reply.rejected, meeting);
    // It lacks what this log begins above: nothing to send until it has a snapshot (R23, R31).
    if (reply.rejected <= log_.base().height) {
      if (reply.hint_height < log_.base().height) TellNeedsSnapshot(in.from);
      return;
    }
  }
  SendBlocks(in.from);
}

// protocol.md, R31.
void RaftCore::TellNeedsSnapshot(ValidatorIndex to) {
  RaftMessage message = Speak();
  message.body = RaftNeedsSnapshot{log_.base().height};
  output_.send_now.push_back(To(to, message));
}

// protocol.md, R21: whether the reply is that of the follower's start that this leader counts.
// A start seen for the first time is counted from the next message on.
bool RaftCore::IsOfThisStart(ValidatorIndex from, const RaftAppendReply& reply) {
  Peer& peer = PeerOf(from);
  if (reply.round <= peer.fence_round) return false;
  peer.voter = reply.voter;
  if (reply.session == peer.session) return true;
  const bool first_known = peer.session == 0;
  peer.session = reply.session;
  peer.hello_round = round_;
  if (first_known) return true;
  // It restarted: what its earlier start acknowledged is not counted any more.
  peer.fence_round = round_;
  peer.acked_round = 0;
  peer.flow.Reset(log_.last().height, log_.base().height);
  SendHeartbeat(from);
  return false;
}

// The highest round that a quorum of voters answered.
uint64_t RaftCore::ConfirmedRound() const {
  std::vector<uint64_t> rounds = {round_};
  for (const ValidatorIndex other : OtherValidators()) {
    const Peer& peer = peers_[other.value()];
    rounds.push_back(peer.voter ? peer.acked_round : 0);
  }
  std::sort(rounds.begin(), rounds.end(), std::greater<>());
  return rounds[quorum() - 1];
}

// protocol.md, R15.
void RaftCore::CommitByCounting() {
  std::vector<Height> matches = {durability_.height()};
  for (const ValidatorIndex other : OtherValidators()) {
    const Peer& peer = peers_[other.value()];
    matches.push_back(peer.voter ? peer.flow.match() : Height(0));
  }
  std::sort(matches.begin(), matches.end(), std::greater<>());
  const Height counted = matches[quorum() - 1];
  // Blocks of earlier terms are committed only below one of this term (Raft, figure 8).
  if (counted <= committed_ || log_.At(counted).view != term_) return;
  // protocol.md, E3: a closing block stands for what lies up to the sealing block.
  if (committed_ == CommitLimit()) return;
  CommitUpTo(counted);
  AnnounceCommit();
}

// protocol.md, R16: followers learn of a commit at once, with the next blocks or without.
void RaftCore::AnnounceCommit() {
  for (const ValidatorIndex other : OtherValidators()) {
    if (!SendBlocks(other) && PeerOf(other).flow.replicating()) SendHeartbeat(other);
  }
}

}  // namespace vigil::consensus
