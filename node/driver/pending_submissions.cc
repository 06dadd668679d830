#include "node/driver/pending_submissions.h"

#include <algorithm>
#include <utility>

namespace vigil::node {
namespace {

// Callers that may wait for one and the same record; more are told to slow down.
constexpr size_t kCallersPerRecordMax = 64;
// What a waiting caller costs besides the record.
constexpr size_t kWaitingBytes = 256;

}  // namespace

PendingSubmissions::Registered PendingSubmissions::Register(const Hash& leaf_hash,
                                                            ledger::Lane lane, size_t bytes,
                                                            SubmitDone done) {
  MutexLock lock(&mutex_);
  if (closed_) return Registered::kClosed;
  const auto found = waiting_.find(leaf_hash);
  if (found != waiting_.end()) {
    if (found->second.callers.size() >= kCallersPerRecordMax) return Registered::kFull;
    found->second.callers.push_back(std::move(done));
    return Registered::kJoined;
  }
  size_t& used = lane_bytes_[static_cast<size_t>(lane)];
  if (used + bytes + kWaitingBytes > lane_bytes_max_[static_cast<size_t>(lane)]) {
    return Registered::kFull;
  }
  used += bytes + kWaitingBytes;
  Waiting& waiting = waiting_[leaf_hash];
  waiting.lane = lane;
  waiting.bytes = bytes + kWaitingBytes;
  waiting.callers.push_back(std::move(done));
  count_ = waiting_.size();
  return Registered::kNew;
}

bool PendingSubmissions::Join(const Hash& leaf_hash, const SubmitDone& done) {
  if (empty()) return false;
  MutexLock lock(&mutex_);
  const auto found = waiting_.find(leaf_hash);
  if (found == waiting_.end() || found->second.callers.size() >= kCallersPerRecordMax) return false;
  found->second.callers.push_back(done);
  return true;
}

void PendingSubmissions::Answer(const Hash& leaf_hash, const SubmitOutcome& outcome) {
  if (empty()) return;
  std::vector<SubmitDone> callers;
  {
    MutexLock lock(&mutex_);
    const auto found = waiting_.find(leaf_hash);
    if (found == waiting_.end()) return;
    lane_bytes_[static_cast<size_t>(found->second.lane)] -= found->second.bytes;
    callers = std::move(found->second.callers);
    waiting_.erase(found);
    count_ = waiting_.size();
  }
  for (const SubmitDone& done : callers) done(outcome);
}

void PendingSubmissions::Close(const SubmitOutcome& outcome) {
  // In the order of the leaf hashes, so that a simulated node stops the same way every time.
  std::vector<std::pair<Hash, std::vector<SubmitDone>>> callers;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    for (auto& [leaf_hash, waiting] : waiting_) {
      callers.emplace_back(leaf_hash, std::move(waiting.callers));
    }
    waiting_.clear();
    lane_bytes_ = {};
    count_ = 0;
  }
  std::sort(callers.begin(), callers.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [leaf_hash, waiting] : callers) {
    for (const SubmitDone& done : waiting) done(outcome);
  }
}

bool PendingSubmissions::Contains(const Hash& leaf_hash) const {
  MutexLock lock(&mutex_);
  return waiting_.contains(leaf_hash);
}

size_t PendingSubmissions::lane_bytes(ledger::Lane lane) const {
  MutexLock lock(&mutex_);
  return lane_bytes_[static_cast<size_t>(lane)];
}

}  // namespace vigil::node
