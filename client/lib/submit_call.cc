#include "client/lib/submit_call.h"

#include <chrono>
#include <utility>

namespace vigil::client {

SubmitCall::SubmitCall(v1::Ingest::Stub* stub) {
  stub->async()->SubmitStream(&context_, this);
  AddHold();
  StartRead(&incoming_);
  StartCall();
}

SubmitCall::~SubmitCall() {
  bool release = false;
  {
    MutexLock lock(&mutex_);
    if (!done_) context_.TryCancel();
    // A write under way releases the hold when it is done.
    release = held_ && !writing_;
    if (release) held_ = false;
    read_ended_ = true;
  }
  if (release) RemoveHold();
  MutexLock lock(&mutex_);
  while (!done_) changed_.Wait(&mutex_);
}

bool SubmitCall::CanWrite() const {
  MutexLock lock(&mutex_);
  return !writing_ && !read_ended_ && !done_;
}

bool SubmitCall::TryWrite(v1::SubmitRequest request) {
  {
    MutexLock lock(&mutex_);
    if (writing_ || read_ended_ || done_) return false;
    writing_ = true;
  }
  outgoing_ = std::move(request);
  StartWrite(&outgoing_);
  return true;
}

std::vector<v1::SubmitResponse> SubmitCall::TakeAnswers() {
  std::vector<v1::SubmitResponse> taken;
  bool resume = false;
  {
    MutexLock lock(&mutex_);
    taken.swap(answers_);
    resume = read_paused_ && !read_ended_;
    if (resume) read_paused_ = false;
  }
  if (resume) StartRead(&incoming_);
  return taken;
}

bool SubmitCall::ended() const {
  MutexLock lock(&mutex_);
  return done_;
}

grpc::Status SubmitCall::status() const {
  MutexLock lock(&mutex_);
  return status_;
}

void SubmitCall::Wait(int64_t millis, bool for_write) {
  MutexLock lock(&mutex_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(millis);
  while (answers_.empty() && !done_ && !(for_write && !writing_ && !read_ended_)) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero() || !changed_.WaitFor(&mutex_, left)) return;
  }
}

void SubmitCall::OnReadDone(bool ok) {
  bool release = false;
  bool read_on = false;
  {
    MutexLock lock(&mutex_);
    if (!ok) {
      read_ended_ = true;
      release = held_ && !writing_;
      if (release) held_ = false;
    } else {
      answers_.push_back(std::move(incoming_));
      read_paused_ = answers_.size() >= kAnswersMax;
      read_on = !read_paused_;
    }
    changed_.SignalAll();
  }
  if (read_on) StartRead(&incoming_);
  if (release) RemoveHold();
}

void SubmitCall::OnWriteDone(bool ok) {
  bool release = false;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    // A failed write ends the call; the pending read learns of it too, unless it is paused.
    if (!ok) read_ended_ = true;
    release = held_ && read_ended_;
    if (release) held_ = false;
    changed_.SignalAll();
  }
  if (release) RemoveHold();
}

void SubmitCall::OnDone(const grpc::Status& status) {
  MutexLock lock(&mutex_);
  done_ = true;
  status_ = status;
  changed_.SignalAll();
}

}  // namespace vigil::client
