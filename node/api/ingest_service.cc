#include "node/api/ingest_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"
#include "node/api/convert.h"
#include "node/api/error.h"
#include "node/api/read_call.h"
#include "node/api/submit_stream.h"

namespace vigil::node {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// One Submit call. Owned by itself until OnDone, and by the submission until it is answered, so
// that a late answer never meets a dead object.
class SubmitReactor final : public grpc::ServerUnaryReactor,
                            public std::enable_shared_from_this<SubmitReactor> {
 public:
  SubmitReactor(NodeServices* services, v1::SubmitResponse* response)
      : services_(services), response_(response) {}

  void Begin(const v1::SubmitRequest& request) {
    self_ = shared_from_this();
    const SubmitTicket ticket = SubmitUntil(
        services_, request.ack(), {.leaf = request.leaf(), .payload = request.payload()},
        [call = self_, tag = request.tag()](const SubmitOutcome& outcome, v1::AckLevel reached) {
          call->Answer(tag, outcome, reached);
        });
    bool withdraw = false;
    {
      MutexLock lock(&mutex_);
      ticket_ = ticket;
      withdraw = cancelled_;
    }
    if (withdraw) services_->Withdraw(ticket);
  }

  void OnCancel() override {
    SubmitTicket ticket;
    {
      MutexLock lock(&mutex_);
      cancelled_ = true;
      ticket = ticket_;
      if (!finished_) {
        finished_ = true;
        Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the caller waits no longer"));
      }
    }
    services_->Withdraw(ticket);
  }

  void OnDone() override { self_.reset(); }

 private:
  void Answer(uint64_t tag, const SubmitOutcome& outcome, v1::AckLevel reached)
      VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    response_->set_tag(tag);
    if (outcome.error.ok()) *response_->mutable_receipt() = ToProto(outcome.receipt, reached);
    Finish(ToGrpcStatus(outcome.error));
  }

  NodeServices* const services_;
  v1::SubmitResponse* const response_;  // gRPC's; not used once finished.
  std::shared_ptr<SubmitReactor> self_;
  Mutex mutex_;
  SubmitTicket ticket_ VIGIL_GUARDED_BY(mutex_);
  bool cancelled_ VIGIL_GUARDED_BY(mutex_) = false;
  bool finished_ VIGIL_GUARDED_BY(mutex_) = false;
};

absl::Status FillReceipt(const NodeServices& services, const v1::GetReceiptRequest& request,
                         v1::Receipt* out) {
  ASSIGN_OR_RETURN(const Hash leaf_hash, Hash::From(AsBytes(request.leaf_hash())));
  ASSIGN_OR_RETURN(const SubmitReceipt receipt, services.FindReceipt(leaf_hash));
  const bool is_final = receipt.height <= services.FinalHeight();
  *out = ToProto(receipt, is_final ? v1::ACK_FINAL : v1::ACK_COMMITTED);
  return absl::OkStatus();
}

absl::Status FillStreamHead(const NodeServices& services, const v1::GetStreamHeadRequest& request,
                            v1::StreamHead* out) {
  ASSIGN_OR_RETURN(const ledger::StreamHead head,
                   services.Snapshot()->GetStreamHead(request.identity(), request.stream()));
  if (head.sequence == 0) return absl::OkStatus();
  out->set_sequence(head.sequence);
  out->set_leaf_hash(BytesOf(head.leaf_hash));
  out->set_record_index(head.record_index.value());
  return absl::OkStatus();
}

}  // namespace

ServiceError CheckAckLevel(v1::AckLevel level) {
  if (level == v1::ACK_UNSPECIFIED || level == v1::ACK_COMMITTED || level == v1::ACK_FINAL) {
    return {};
  }
  return MakeError(absl::StatusCode::kUnimplemented, "ack.not_offered",
                   absl::StrCat("ack level ", v1::AckLevel_Name(level), " is not offered"),
                   level == v1::ACK_ACCEPTED
                       ? "'accepted' is said by the client's own spool; ask for 'committed'"
                       : "ask for 'committed' or 'final'");
}

SubmitTicket SubmitUntil(NodeServices* services, v1::AckLevel level, ledger::Record record,
                         std::function<void(const SubmitOutcome&, v1::AckLevel)> done) {
  return services->Submit(
      std::move(record), [services, level, done = std::move(done)](const SubmitOutcome& outcome) {
        if (!outcome.error.ok() || level != v1::ACK_FINAL) return done(outcome, v1::ACK_COMMITTED);
        services->WhenFinal(outcome.receipt.height, [outcome, done](const ServiceError& error) {
          SubmitOutcome reached = outcome;
          reached.error = error;
          done(reached, v1::ACK_FINAL);
        });
      });
}

grpc::ServerUnaryReactor* IngestService::Submit(grpc::CallbackServerContext* context,
                                                const v1::SubmitRequest* request,
                                                v1::SubmitResponse* response) {
  const ServiceError refused = CheckAckLevel(request->ack());
  if (!refused.ok()) return Finished(context, ToGrpcStatus(refused));
  const auto call = std::make_shared<SubmitReactor>(services_, response);
  call->Begin(*request);
  return call.get();
}

grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitResponse>* IngestService::SubmitStream(
    grpc::CallbackServerContext* /*context*/) {
  return NewSubmitStream(services_);
}

grpc::ServerUnaryReactor* IngestService::GetReceipt(grpc::CallbackServerContext* context,
                                                    const v1::GetReceiptRequest* request,
                                                    v1::Receipt* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillReceipt(*services_, *request, response); });
}

grpc::ServerUnaryReactor* IngestService::GetStreamHead(grpc::CallbackServerContext* context,
                                                       const v1::GetStreamHeadRequest* request,
                                                       v1::StreamHead* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillStreamHead(*services_, *request, response); });
}

}  // namespace vigil::node
