// Pre-vote, campaigns and votes: docs/protocol.md, R2 to R6.
#include <algorithm>

#include "consensus/raft/raft_core.h"
#include "ledger/base/check.h"
#include "ledger/base/random.h"

namespace vigil::consensus {

// protocol.md, R2.
void RaftCore::RestartElectionTimer() {
  const uint64_t spread =
      config_.election_timeout_ticks_max - config_.election_timeout_ticks_min + 1;
  // A generator per draw: the number of draws is all that must be kept to replay the next one.
  SplitMix64 mixed(session_ + config_.self.value());
  SplitMix64 jitter(mixed.Next() + jitter_draws_++);
  election_timeout_ = config_.election_timeout_ticks_min + config_.election_delay_ticks +
                      static_cast<uint32_t>(jitter.Below(spread));
  election_ticks_ = 0;
}

// protocol.md, R3: the lease that a heard leader has on this validator's vote.
bool RaftCore::HearsFromLeader() const {
  if (role_ == CoreRole::kLeader) return true;
  return term_leader_.has_value() && leader_silent_ticks_ < config_.election_timeout_ticks_min;
}

// protocol.md, R5, E5: whoever campaigns in this epoch has its base, so that a log without it is
// behind, whatever its last block's term.
bool RaftCore::IsUpToDate(const RaftVote& vote) const {
  if (!HasEpochBase()) return true;
  const BlockId& last = log_.last();
  if (vote.last_view != last.view) return vote.last_view > last.view;
  return vote.last_height >= last.height;
}

// protocol.md, R18.
void RaftCore::BecomeFollower(View term, std::optional<ValidatorIndex> leader) {
  VIGIL_CHECK(term >= term_, "term ", term.value(), " after ", term_.value());
  if (term > term_) {
    term_ = term;
    voted_for_ = std::nullopt;
    term_leader_ = std::nullopt;
    hard_state_changed_ = true;
  }
  if (leader.has_value()) term_leader_ = leader;
  // Nobody owes a lease to a leader that stepped down.
  if (role_ == CoreRole::kLeader) leader_silent_ticks_ = config_.election_timeout_ticks_min;
  if (asked_on_.has_value()) {
    asked_on_ = std::nullopt;
    output_.asks.push_back(AskCancelBuild{});
  }
  role_ = CoreRole::kFollower;
  transfer_.reset();
  own_vote_sequence_ = 0;
  std::fill(votes_.begin(), votes_.end(), false);
  RestartElectionTimer();
}

// protocol.md, R3.
void RaftCore::StartPreVote() {
  role_ = CoreRole::kPreCandidate;
  own_vote_sequence_ = 0;
  std::fill(votes_.begin(), votes_.end(), false);
  RestartElectionTimer();
  RaftMessage message = Speak();
  message.body = RaftVote{true, term_.Next(), log_.last().height, log_.last().view};
  for (const ValidatorIndex other : OtherValidators()) {
    output_.send_now.push_back(To(other, message));
  }
  CountVote(config_.self);
}

// protocol.md, R4, R26.
void RaftCore::StartCampaign(bool by_transfer) {
  role_ = CoreRole::kCandidate;
  term_ = term_.Next();
  voted_for_ = config_.self;
  term_leader_ = std::nullopt;
  hard_state_changed_ = true;
  own_vote_sequence_ = next_sequence();
  std::fill(votes_.begin(), votes_.end(), false);
  RestartElectionTimer();
  RaftMessage message = Speak();
  message.body = RaftVote{false, term_, log_.last().height, log_.last().view, by_transfer};
  // A request tells how far the own log goes: after a crash it must not have told of blocks that
  // are gone. So requests wait for the disk too.
  for (const ValidatorIndex other : OtherValidators()) {
    output_.send_when_durable.push_back(To(other, message));
  }
}

// protocol.md, R3.
void RaftCore::OnPreVote(const Incoming& in, const RaftVote& vote) {
  const bool granted = may_vote_ && vote.campaign > term_ && !HearsFromLeader() && IsUpToDate(vote);
  RaftMessage reply = Speak();
  reply.body = RaftVoteReply{true, vote.campaign, granted};
  output_.send_now.push_back(To(in.from, reply));
}

// protocol.md, R5.
void RaftCore::OnVote(const Incoming& in, const RaftVote& vote) {
  if (vote.campaign != in.term) {
    ++messages_dropped_;
    return;
  }
  if (vote.campaign > term_) {
    // The leader itself wants a campaign by transfer (R26).
    if (HearsFromLeader() && !vote.by_transfer) return;
    BecomeFollower(vote.campaign, std::nullopt);
  }
  const bool free_to_vote = !voted_for_.has_value() || voted_for_ == in.from;
  const bool other_leads = term_leader_.has_value() && term_leader_ != in.from;
  const bool granted =
      may_vote_ && vote.campaign == term_ && free_to_vote && !other_leads && IsUpToDate(vote);
  RaftMessage reply = Speak();
  reply.body = RaftVoteReply{false, vote.campaign, granted};
  if (!granted) {
    output_.send_now.push_back(To(in.from, reply));
    return;
  }
  if (!voted_for_.has_value()) {
    // Whoever was about to campaign gives the other one a chance first.
    BecomeFollower(term_, std::nullopt);
    voted_for_ = in.from;
    hard_state_changed_ = true;
  }
  if (hard_state_changed_) {
    output_.send_when_durable.push_back(To(in.from, reply));
  } else if (hard_state_sequence_ <= durable_sequence_) {
    output_.send_now.push_back(To(in.from, reply));
  }
  // Otherwise the vote is being written, and the first reply leaves with it.
}

void RaftCore::OnVoteReply(const Incoming& in, const RaftVoteReply& reply) {
  if (in.term > term_) {
    // A granted pre-vote comes from a term below the campaign's; anything higher is news.
    BecomeFollower(in.term, std::nullopt);
    return;
  }
  if (!reply.granted) return;
  const bool counts = reply.pre ? role_ == CoreRole::kPreCandidate && reply.campaign == term_.Next()
                                : role_ == CoreRole::kCandidate && reply.campaign == term_;
  if (counts) CountVote(in.from);
}

// protocol.md, R3, R6.
void RaftCore::CountVote(ValidatorIndex voter) {
  votes_[voter.value()] = true;
  const auto granted = std::count(votes_.begin(), votes_.end(), true);
  if (granted < static_cast<std::ptrdiff_t>(quorum())) return;
  if (role_ == CoreRole::kPreCandidate) {
    StartCampaign(/*by_transfer=*/false);
  } else {
    BecomeLeader();
  }
}

}  // namespace vigil::consensus
