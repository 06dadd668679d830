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
                                                            SubmitDone done, SubmitTicket* ticket) {
  MutexLock lock(&mutex_);
  if (closed_) return Registered::kClosed;
  const auto found = waiting_.find(leaf_hash);
  if (found != waiting_.end()) {
    if (found->second.callers.size() >= kCallersPerRecordMax) return Registered::kFull;
    *ticket = {.leaf_hash = leaf_hash, .number = ++last_ticket_};
    found->second.callers.emplace_back(ticket->number, std::move(done));
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
  *ticket = {.leaf_hash = leaf_hash, .number = ++last_ticket_};
  waiting.callers.emplace_back(ticket->number, std::move(done));
  count_ = waiting_.size();
  return Registered::kNew;
}

bool PendingSubmissions::Join(const Hash& leaf_hash, const SubmitDone& done, SubmitTicket* ticket) {
  if (empty()) return false;
  MutexLock lock(&mutex_);
  const auto found = waiting_.find(leaf_hash);
  if (found == waiting_.end() || found->second.callers.size() >= kCallersPerRecordMax) return false;
  *ticket = {.leaf_hash = leaf_hash, .number = ++last_ticket_};
  found->second.callers.emplace_back(ticket->number, done);
  return true;
}

void PendingSubmissions::Erase(absl::flat_hash_map<Hash, Waiting>::iterator found) {
  lane_bytes_[static_cast<size_t>(found->second.lane)] -= found->second.bytes;
  waiting_.erase(found);
  count_ = waiting_.size();
}

void PendingSubmissions::Withdraw(const SubmitTicket& ticket) {
  if (ticket.number == 0) return;
  // Destroyed after the lock is gone: what a callback owns may call back.
  std::vector<std::pair<uint64_t, SubmitDone>> dropped;
  MutexLock lock(&mutex_);
  const auto found = waiting_.find(ticket.leaf_hash);
  if (found == waiting_.end()) return;
  auto& callers = found->second.callers;
  const auto caller = std::find_if(callers.begin(), callers.end(),
                                   [&](const auto& one) { return one.first == ticket.number; });
  if (caller == callers.end()) return;
  dropped.push_back(std::move(*caller));
  callers.erase(caller);
  if (callers.empty()) Erase(found);
}

void PendingSubmissions::Answer(const Hash& leaf_hash, const SubmitOutcome& outcome) {
  if (empty()) return;
  std::vector<std::pair<uint64_t, SubmitDone>> callers;
  {
    MutexLock lock(&mutex_);
    const auto found = waiting_.find(leaf_hash);
    if (found == waiting_.end()) return;
    callers = std::move(found->second.callers);
    Erase(found);
  }
  for (const auto& [number, done] : callers) done(outcome);
}

void PendingSubmissions::Close(const SubmitOutcome& outcome) {
  {
    MutexLock lock(&mutex_);
    closed_ = true;
  }
  AnswerAll(outcome);
}

void PendingSubmissions::AnswerAll(const SubmitOutcome& outcome) {
  if (empty()) return;
  // In the order of the leaf hashes, so that a simulated node does the same every time.
  std::vector<std::pair<Hash, Waiting>> all;
  {
    MutexLock lock(&mutex_);
    for (auto& [leaf_hash, waiting] : waiting_) all.emplace_back(leaf_hash, std::move(waiting));
    waiting_.clear();
    lane_bytes_ = {};
    count_ = 0;
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [leaf_hash, waiting] : all) {
    for (const auto& [number, done] : waiting.callers) done(outcome);
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
