// One SubmitStream call under way: gRPC's callbacks on one side, the owner's thread on the other.
//
// The owner alone calls the methods; gRPC's threads only fill what they read from. Destroying it
// cancels the call and waits for its end.
#ifndef VIGIL_CLIENT_LIB_SUBMIT_CALL_H_
#define VIGIL_CLIENT_LIB_SUBMIT_CALL_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <vector>

#include "ledger/base/mutex.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {

class SubmitCall final : public grpc::ClientBidiReactor<v1::SubmitRequest, v1::SubmitResponse> {
 public:
  // Answers held for the owner; beyond that nothing more is read from the validator.
  static constexpr size_t kAnswersMax = 1024;

  // Starts the call. `stub` must outlive it.
  explicit SubmitCall(v1::Ingest::Stub* stub);
  ~SubmitCall() override;
  SubmitCall(const SubmitCall&) = delete;
  SubmitCall& operator=(const SubmitCall&) = delete;

  // Whether the request before has been sent and the call has not ended.
  bool CanWrite() const VIGIL_EXCLUDES(mutex_);
  // Starts to send `request`; false unless CanWrite().
  bool TryWrite(v1::SubmitRequest request) VIGIL_EXCLUDES(mutex_);
  // The answers so far, in order.
  std::vector<v1::SubmitResponse> TakeAnswers() VIGIL_EXCLUDES(mutex_);
  // True once the call has ended: status() says how.
  bool ended() const VIGIL_EXCLUDES(mutex_);
  grpc::Status status() const VIGIL_EXCLUDES(mutex_);
  // Waits until there are answers, or room to write when `for_write`, or the end.
  void Wait(int64_t millis, bool for_write) VIGIL_EXCLUDES(mutex_);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  grpc::ClientContext context_;
  v1::SubmitRequest outgoing_;   // gRPC's while `writing_`.
  v1::SubmitResponse incoming_;  // gRPC's while a read is under way.
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<v1::SubmitResponse> answers_ VIGIL_GUARDED_BY(mutex_);
  bool writing_ VIGIL_GUARDED_BY(mutex_) = false;
  bool read_paused_ VIGIL_GUARDED_BY(mutex_) = false;
  bool read_ended_ VIGIL_GUARDED_BY(mutex_) = false;
  bool held_ VIGIL_GUARDED_BY(mutex_) = true;  // Keeps the call open for writes from outside.
  bool done_ VIGIL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_SUBMIT_CALL_H_
