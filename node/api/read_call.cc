#include "node/api/read_call.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/api/error.h"

namespace vigil::node {
namespace {

// The index is moments behind execution.
constexpr auto kLookAgain = std::chrono::milliseconds(5);

std::chrono::system_clock::time_point WaitsUntil(std::chrono::system_clock::time_point deadline) {
  const auto now = std::chrono::system_clock::now();
  const std::chrono::system_clock::duration most = std::chrono::milliseconds(kReadWaitMillisMax);
  const auto left = deadline - now;
  return now + std::min(most, left - left / 10);
}

class ReadCall final : public grpc::ServerUnaryReactor {
 public:
  ReadCall(NodeServices* services, grpc::CallbackServerContext* context, ReadsFrom from,
           std::function<absl::Status()> fill)
      : services_(services),
        context_(context),
        from_(from),
        fill_(std::move(fill)),
        until_(WaitsUntil(context->deadline())) {}

  void Begin() {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        until_ - std::chrono::system_clock::now());
    services_->WhenCurrent(left.count(), [this](const ServiceError& error, Height height) {
      error_ = error;
      height_ = height;
      // Whoever says so is an actor, which must not be held up by a query.
      After(std::chrono::milliseconds(0));
    });
  }

  void OnDone() override { delete this; }

 private:
  void After(std::chrono::milliseconds delay) {
    // A fresh one: the one before may be calling this very object.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + delay, [this](bool /*rang*/) { Answer(); });
  }

  void Answer() {
    if (context_->IsCancelled()) return Finish(grpc::Status::CANCELLED);
    if (!error_.ok()) return Finish(ToGrpcStatus(error_));
    if (from_ == ReadsFrom::kIndex && services_->index().complete_height() < height_) {
      if (std::chrono::system_clock::now() < until_) return After(kLookAgain);
      return Finish(ToGrpcStatus(absl::DeadlineExceededError(
          absl::StrCat("the search must see height ", height_.value(), ", the index has reached ",
                       services_->index().complete_height().value()))));
    }
    Finish(ToGrpcStatus(fill_()));
  }

  NodeServices* const services_;
  grpc::CallbackServerContext* const context_;
  const ReadsFrom from_;
  const std::function<absl::Status()> fill_;
  const std::chrono::system_clock::time_point until_;
  ServiceError error_;
  Height height_;
  std::unique_ptr<grpc::Alarm> alarm_;
};

}  // namespace

grpc::ServerUnaryReactor* AnswerRead(NodeServices* services, grpc::CallbackServerContext* context,
                                     v1::Consistency consistency, ReadsFrom from,
                                     std::function<absl::Status()> fill) {
  if (consistency == v1::CONSISTENCY_LINEARIZABLE) {
    auto* call = new ReadCall(services, context, from, std::move(fill));
    call->Begin();
    return call;
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (consistency != v1::CONSISTENCY_UNSPECIFIED && consistency != v1::CONSISTENCY_LOCAL) {
    reactor->Finish(ToGrpcStatus(absl::InvalidArgumentError(absl::StrCat(
        "consistency ", static_cast<int>(consistency), "; known: 1 local, 2 linearizable"))));
  } else {
    reactor->Finish(ToGrpcStatus(fill()));
  }
  return reactor;
}

}  // namespace vigil::node
