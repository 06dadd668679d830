#include "node/api/ingest_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/api/convert.h"
#include "node/api/error.h"
#include "node/api/submit_stream.h"

namespace vigil::node {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace

ServiceError CheckAckLevel(v1::AckLevel level) {
  if (level == v1::ACK_UNSPECIFIED || level == v1::ACK_COMMITTED || level == v1::ACK_FINAL) {
    return {};
  }
  ServiceError error;
  error.status = absl::StatusCode::kUnimplemented;
  error.code = "ack.not_offered";
  error.what = absl::StrCat("ack level ", v1::AckLevel_Name(level), " is not offered");
  error.remedy = level == v1::ACK_ACCEPTED
                     ? "'accepted' is said by the client's own spool; ask for 'committed'"
                     : "ask for 'committed' or 'final'";
  return error;
}

void SubmitUntil(NodeServices* services, v1::AckLevel level, ledger::Record record,
                 std::function<void(const SubmitOutcome&, v1::AckLevel)> done) {
  services->Submit(
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
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const uint64_t tag = request->tag();
  SubmitUntil(services_, request->ack(), {.leaf = request->leaf(), .payload = request->payload()},
              [reactor, response, tag](const SubmitOutcome& outcome, v1::AckLevel reached) {
                response->set_tag(tag);
                if (outcome.error.ok()) {
                  *response->mutable_receipt() = ToProto(outcome.receipt, reached);
                }
                reactor->Finish(ToGrpcStatus(outcome.error));
              });
  return reactor;
}

grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitResponse>* IngestService::SubmitStream(
    grpc::CallbackServerContext* /*context*/) {
  return NewSubmitStream(services_);
}

grpc::ServerUnaryReactor* IngestService::GetReceipt(grpc::CallbackServerContext* context,
                                                    const v1::GetReceiptRequest* request,
                                                    v1::Receipt* response) {
  const absl::StatusOr<Hash> leaf_hash = Hash::From(AsBytes(request->leaf_hash()));
  if (!leaf_hash.ok()) return Finished(context, ToGrpcStatus(leaf_hash.status()));
  const absl::StatusOr<SubmitReceipt> receipt = services_->FindReceipt(*leaf_hash);
  if (receipt.ok()) {
    const bool is_final = receipt->height <= services_->FinalHeight();
    *response = ToProto(*receipt, is_final ? v1::ACK_FINAL : v1::ACK_COMMITTED);
  }
  return Finished(context, ToGrpcStatus(receipt.status()));
}

grpc::ServerUnaryReactor* IngestService::GetStreamHead(grpc::CallbackServerContext* context,
                                                       const v1::GetStreamHeadRequest* request,
                                                       v1::StreamHead* response) {
  const absl::StatusOr<ledger::StreamHead> head =
      services_->Snapshot()->GetStreamHead(request->identity(), request->stream());
  if (head.ok() && head->sequence > 0) {
    response->set_sequence(head->sequence);
    response->set_leaf_hash(BytesOf(head->leaf_hash));
    response->set_record_index(head->record_index.value());
  }
  return Finished(context, ToGrpcStatus(head.status()));
}

}  // namespace vigil::node
