#include "consensus/raft/peer_flow.h"

#include <algorithm>

namespace vigil::consensus {

void PeerFlow::ForgetInFlight() {
  in_flight_.clear();
  bytes_in_flight_ = 0;
}

void PeerFlow::Reset(Height last, Height base) {
  base_ = base;
  match_ = Height(0);
  next_ = last.Next();
  replicating_ = false;
  probe_outstanding_ = false;
  ForgetInFlight();
}

// protocol.md, R31.
void PeerFlow::RaiseBase(Height last, Height base) {
  if (next_ > base) {
    base_ = base;
  } else {
    Reset(last, base);
  }
}

// protocol.md, R9.
std::optional<SendRange> PeerFlow::NextSend(const ChainLog& log, const RaftConfig& config) {
  const Height last = log.last().height;
  if (next_ > last) return std::nullopt;
  if (!replicating_) {
    if (probe_outstanding_) return std::nullopt;
    probe_outstanding_ = true;
    probe_size_ = log.SizeBetween(next_.Previous(), next_);
    return SendRange{next_, next_};
  }
  if (in_flight_.size() >= config.peer_messages_in_flight_max) return std::nullopt;

  const Height first = next_;
  uint64_t size = 0;
  while (next_ <= last && next_ - first < config.message_blocks_max) {
    const uint64_t grown = size + log.SizeBetween(next_.Previous(), next_);
    const bool fits_message = size == 0 || grown <= config.message_bytes_max;
    const bool fits_budget = (in_flight_.empty() && size == 0) ||
                             bytes_in_flight_ + grown <= config.peer_bytes_in_flight_max;
    if (!fits_message || !fits_budget) break;
    size = grown;
    ++next_;
  }
  if (next_ == first) return std::nullopt;
  in_flight_.push_back(InFlight{next_.Previous(), size});
  bytes_in_flight_ += size;
  return SendRange{first, next_.Previous()};
}

// protocol.md, R14.
bool PeerFlow::OnMatched(Height match, bool before_probe) {
  const bool grew = match > match_;
  match_ = std::max(match_, match);
  if (!replicating_) {
    // A probe that is still on its way, from a point proven by now, is the first message in flight.
    const bool probe_in_flight = probe_outstanding_ && before_probe && match_ == next_.Previous();
    replicating_ = true;
    probe_outstanding_ = false;
    next_ = std::max(match_, base_).Next();
    if (probe_in_flight) {
      in_flight_.push_back(InFlight{next_, probe_size_});
      bytes_in_flight_ += probe_size_;
      ++next_;
    }
    return grew;
  }
  next_ = std::max(next_, match_.Next());
  while (!in_flight_.empty() && in_flight_.front().last <= match_) {
    bytes_in_flight_ -= in_flight_.front().size;
    in_flight_.pop_front();
  }
  return grew;
}

// protocol.md, R14.
bool PeerFlow::OnMismatch(Height rejected, Height meeting) {
  if (rejected <= match_) return false;
  if (replicating_) {
    // Something sent was lost: start again above what is proven.
    if (rejected >= next_) return false;
    replicating_ = false;
    probe_outstanding_ = false;
    next_ = std::max(match_, base_).Next();
    ForgetInFlight();
    return true;
  }
  if (rejected != next_.Previous()) return false;
  probe_outstanding_ = false;
  next_ = std::max(std::max(match_, base_).Next(), std::min(rejected, meeting.Next()));
  return true;
}

void PeerFlow::AppendTo(ByteWriter* out) const {
  out->U64(base_.value())
      .U64(match_.value())
      .U64(next_.value())
      .U8(replicating_)
      .U8(probe_outstanding_)
      .U64(probe_size_);
  out->U64(in_flight_.size());
  for (const InFlight& message : in_flight_) out->U64(message.last.value()).U64(message.size);
}

}  // namespace vigil::consensus
