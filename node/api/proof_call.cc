#include "node/api/proof_call.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "node/api/error.h"
#include "node/api/proof_answers.h"

namespace vigil::node {
namespace {

// Final checkpoints are at least 200 ms apart while blocks come.
constexpr auto kLookAgain = std::chrono::milliseconds(50);

class ProofCall final : public grpc::ServerUnaryReactor {
 public:
  ProofCall(NodeServices* services, grpc::CallbackServerContext* context,
            const v1::GetProofRequest* request, v1::Proof* response, std::atomic<uint32_t>* waiting)
      : services_(services),
        context_(context),
        request_(request),
        response_(response),
        waiting_(waiting),
        until_(std::chrono::system_clock::now() +
               std::chrono::milliseconds(request->wait_millis())) {}

  void Begin() {
    const absl::Status status = CheckProofRequest(*request_);
    if (!status.ok()) return Finish(ToGrpcStatus(status));
    if (request_->wait_millis() > 0) counted_ = waiting_->fetch_add(1) < kProofsWaitingMax;
    if (request_->wait_millis() > 0 && !counted_) waiting_->fetch_sub(1);
    Try();
  }

  void OnDone() override {
    if (counted_) waiting_->fetch_sub(1);
    delete this;
  }

 private:
  void Try() {
    if (context_->IsCancelled()) return Finish(grpc::Status::CANCELLED);
    const absl::StatusOr<std::string> head = ProofHead(*services_, *request_);
    if (!head.ok()) {
      status_ = head.status();
    } else if (*head != tried_) {
      tried_ = *head;
      status_ = FillProof(*services_, *request_, *head, response_);
    }
    if (absl::IsAborted(status_)) {
      return Finish(ToGrpcStatus(absl::UnavailableError(status_.message())));
    }
    if (!absl::IsUnavailable(status_) || request_->wait_millis() == 0) {
      return Finish(ToGrpcStatus(status_));
    }
    if (!counted_) return Finish(ToGrpcStatus(TooMany()));
    const auto now = std::chrono::system_clock::now();
    if (now >= until_) {
      return Finish(ToGrpcStatus(absl::DeadlineExceededError(
          absl::StrCat("waited ", request_->wait_millis(), " ms: ", status_.message()))));
    }
    // A fresh one: the one before may be calling this very function.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::min(until_, now + kLookAgain), [this](bool /*rang*/) { Try(); });
  }

  static ServiceError TooMany() {
    return MakeError(absl::StatusCode::kResourceExhausted, "proof.too_many_waiting",
                     absl::StrCat(kProofsWaitingMax, " calls wait for proofs here already"),
                     "ask again later, or another validator", 1000);
  }

  NodeServices* const services_;
  grpc::CallbackServerContext* const context_;
  const v1::GetProofRequest* const request_;  // gRPC's, until the call is done; as the next.
  v1::Proof* const response_;
  std::atomic<uint32_t>* const waiting_;
  const std::chrono::system_clock::time_point until_;
  bool counted_ = false;
  std::string tried_;  // The head that was tried last.
  absl::Status status_;
  std::unique_ptr<grpc::Alarm> alarm_;
};

}  // namespace

grpc::ServerUnaryReactor* NewProofCall(NodeServices* services, grpc::CallbackServerContext* context,
                                       const v1::GetProofRequest* request, v1::Proof* response,
                                       std::atomic<uint32_t>* waiting) {
  auto* call = new ProofCall(services, context, request, response, waiting);
  call->Begin();
  return call;
}

}  // namespace vigil::node
