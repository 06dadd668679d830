// Linearizable reads without a log entry (ReadIndex): docs/protocol.md, R25.
#include <algorithm>
#include <utility>

#include "consensus/raft/raft_core.h"

namespace vigil::consensus {

void RaftCore::OnReadRequest(uint64_t read_id) {
  if (role_ == CoreRole::kLeader) {
    TakeRead(config_.self, RaftRead{session_, read_id});
    return;
  }
  const bool knows_leader = role_ == CoreRole::kFollower && HearsFromLeader();
  if (!knows_leader || asked_reads_.size() >= config_.reads_outstanding_max) {
    output_.reads_ready.push_back(ReadReady{read_id, Height(0)});
    return;
  }
  asked_reads_.push_back(AskedRead{read_id, term_, 0});
  RaftMessage message = Speak();
  message.body = RaftRead{session_, read_id};
  output_.send_now.push_back(To(*term_leader_, message));
}

void RaftCore::OnRead(const Incoming& in, const RaftRead& read) {
  if (role_ == CoreRole::kLeader && in.term == term_) {
    TakeRead(in.from, read);
  } else {
    AnswerRead(in.from, read, Height(0));
  }
}

void RaftCore::OnReadReply(const RaftReadReply& reply) {
  // An earlier start of this validator may have used the same id.
  if (reply.session != session_) return;
  const auto asked = std::find_if(asked_reads_.begin(), asked_reads_.end(),
                                  [&](const AskedRead& a) { return a.read_id == reply.read_id; });
  if (asked == asked_reads_.end()) return;  // Given up already: another read was asked since.
  asked_reads_.erase(asked);
  output_.reads_ready.push_back(ReadReady{reply.read_id, reply.height});
}

void RaftCore::TakeRead(ValidatorIndex reader, const RaftRead& read) {
  const auto of_reader = std::count_if(led_reads_.begin(), led_reads_.end(),
                                       [&](const LedRead& led) { return led.reader == reader; });
  if (of_reader >= static_cast<std::ptrdiff_t>(config_.reads_outstanding_max)) {
    AnswerRead(reader, read, Height(0));
    return;
  }
  led_reads_.push_back(LedRead{reader, read, round_, Height(0), 0});
}

void RaftCore::AnswerRead(ValidatorIndex reader, const RaftRead& read, Height height) {
  if (reader == config_.self) {
    output_.reads_ready.push_back(ReadReady{read.read_id, height});
    return;
  }
  RaftMessage message = Speak();
  message.body = RaftReadReply{read.session, read.read_id, height};
  output_.send_now.push_back(To(reader, message));
}

// Whether a quorum of voters followed this leader after it had sent `round`.
bool RaftCore::IsConfirmedAfter(uint64_t round) const {
  uint32_t followed = 1;
  for (const ValidatorIndex other : OtherValidators()) {
    const Peer& peer = peers_[other.value()];
    if (peer.voter && peer.acked_round > round) ++followed;
  }
  return followed >= quorum();
}

// After every step of a leader.
void RaftCore::ServeReads() {
  if (led_reads_.empty()) return;
  // What earlier leaders committed is known to be committed only below a block of the own term.
  if (log_.At(committed_).view == term_) {
    for (LedRead& read : led_reads_) {
      if (read.index == Height(0)) read.index = committed_;
    }
  }
  while (!led_reads_.empty()) {
    const LedRead& first = led_reads_.front();
    if (first.index == Height(0) || !IsConfirmedAfter(first.after_round)) break;
    AnswerRead(first.reader, first.read, first.index);
    led_reads_.pop_front();
  }
  if (led_reads_.empty() || led_reads_.back().after_round <= broadcast_round_) return;
  // One round at a time: whoever comes while it is under way shares the next.
  const bool under_way = led_reads_.front().after_round <= broadcast_round_;
  if (!under_way || IsConfirmedAfter(broadcast_round_)) SendHeartbeats();
}

// Nobody waits for what cannot be answered any more: a read whose leader is lost is asked again,
// and so is one that had no index before the epoch ended (E7).
void RaftCore::GiveUpReads() {
  const auto expired = [this](const auto& read) {
    return read.ticks >= config_.election_timeout_ticks_min;
  };
  const bool leads = role_ == CoreRole::kLeader;
  const bool ended = EpochIsCommitted();
  const auto given_up = [&](const LedRead& led) {
    return !leads || expired(led) || (ended && led.index == Height(0));
  };
  for (const LedRead& led : led_reads_) {
    if (given_up(led)) AnswerRead(led.reader, led.read, Height(0));
  }
  std::erase_if(led_reads_, given_up);
  const bool follows = role_ == CoreRole::kFollower && HearsFromLeader();
  const auto lost = [&](const AskedRead& asked) {
    return !follows || asked.term != term_ || expired(asked);
  };
  for (const AskedRead& asked : asked_reads_) {
    if (lost(asked)) output_.reads_ready.push_back(ReadReady{asked.read_id, Height(0)});
  }
  std::erase_if(asked_reads_, lost);
}

void RaftCore::AgeReads() {
  for (LedRead& led : led_reads_) ++led.ticks;
  for (AskedRead& asked : asked_reads_) ++asked.ticks;
}

void RaftCore::AppendReadsTo(ByteWriter* out) const {
  out->U64(broadcast_round_).U64(led_reads_.size()).U64(asked_reads_.size());
  for (const LedRead& led : led_reads_) {
    out->U32(led.reader.value()).U64(led.read.session).U64(led.read.read_id);
    out->U64(led.after_round).U64(led.index.value()).U32(led.ticks);
  }
  for (const AskedRead& asked : asked_reads_) {
    out->U64(asked.read_id).U64(asked.term.value()).U32(asked.ticks);
  }
}

}  // namespace vigil::consensus
