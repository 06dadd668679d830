#include "tests/consensus/raft/random_network.h"

namespace vigil::consensus {

void RandomNetwork::CutAtRandom(uint32_t machine_count) {
  for (uint32_t a = 0; a < machine_count; ++a) {
    for (uint32_t b = 0; b < machine_count; ++b) {
      if (a != b && random_->Chance(350)) cut_.insert({a, b});
    }
  }
}

void RandomNetwork::Heal() {
  Mend();
  calm_ = true;
}

void RandomNetwork::Send(uint32_t from, uint32_t to, Epoch epoch, const PeerMessage& message) {
  if (cut_.count({from, to}) > 0) return;
  if (!calm_ && random_->Chance(40)) return;
  const int copies = !calm_ && random_->Chance(40) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    uint64_t delay = random_->Below(calm_ ? 2 : 6);
    // Some come so late that they tell of another age.
    if (!calm_ && random_->Chance(15)) delay = random_->Below(200);
    under_way_.push_back(Envelope{now_ + delay, to, epoch, message});
  }
}

std::vector<RandomNetwork::Envelope> RandomNetwork::TakeDue() {
  std::vector<Envelope> due, later;
  for (Envelope& envelope : under_way_) {
    (envelope.due <= now_ ? due : later).push_back(std::move(envelope));
  }
  under_way_ = std::move(later);
  for (size_t left = due.size(); left > 1; --left) {
    std::swap(due[random_->Below(left)], due[left - 1]);
  }
  return due;
}

}  // namespace vigil::consensus
