// Handing leadership over: docs/protocol.md, R26.
#include "consensus/raft/raft_core.h"

namespace vigil::consensus {

void RaftCore::OnTransfer(ValidatorIndex to) {
  if (role_ != CoreRole::kLeader || to == config_.self || to.value() >= config_.validator_count) {
    return;
  }
  // One that is not heard, or may not be elected, would only cost the time until it is given up.
  const Peer& peer = PeerOf(to);
  if (!peer.voter || peer.silent_ticks >= config_.election_timeout_ticks_min) return;
  transfer_ = LeadershipTransfer{to, 0, false};
  if (asked_on_.has_value()) {
    asked_on_ = std::nullopt;
    output_.asks.push_back(AskCancelBuild{});
  }
  SendBlocks(to);
}

// Every tick of a leader: a target that does not take over is given up, and blocks are built again.
void RaftCore::OnTransferTick() {
  if (!transfer_.has_value()) return;
  if (++transfer_->ticks >= config_.election_timeout_ticks_min) transfer_.reset();
}

// After every step of a leader; with each heartbeat again, since messages are lost.
void RaftCore::TellTransferTarget() {
  if (!transfer_.has_value()) return;
  const Peer& peer = PeerOf(transfer_->to);
  if (!peer.voter) {
    transfer_.reset();
    return;
  }
  const bool caught_up = peer.flow.match() == log_.last().height;
  if (!caught_up || transfer_->told) return;
  transfer_->told = true;
  RaftMessage message = Speak();
  message.body = RaftTimeoutNow{};
  output_.send_now.push_back(To(transfer_->to, message));
}

void RaftCore::OnTimeoutNow(const Incoming& in) {
  // One that comes late, of an earlier term or leader, must not disturb the present one.
  const bool from_leader = in.term == term_ && term_leader_ == in.from && HearsFromLeader();
  if (!from_leader || role_ != CoreRole::kFollower || !MayLead()) return;
  StartCampaign(/*by_transfer=*/true);
}

}  // namespace vigil::consensus
