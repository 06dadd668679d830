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
  if (level == v1::ACK_UNSPECIFIED || level == v1::ACK_COMMITTED) return {};
  ServiceError error;
  error.status = absl::StatusCode::kUnimplemented;
  error.code = level == v1::ACK_FINAL ? "ack.final_not_offered" : "ack.not_offered";
  error.what =
      absl::StrCat("ack level ", v1::AckLevel_Name(level), " is not offered by this validator");
  error.remedy = level == v1::ACK_ACCEPTED
                     ? "'accepted' is said by the client's own spool; ask for 'committed'"
                     : "ask for 'committed'";
  return error;
}

grpc::ServerUnaryReactor* IngestService::Submit(grpc::CallbackServerContext* context,
                                                const v1::SubmitRequest* request,
                                                v1::SubmitResponse* response) {
  const ServiceError refused = CheckAckLevel(request->ack());
  if (!refused.ok()) return Finished(context, ToGrpcStatus(refused));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const uint64_t tag = request->tag();
  services_->Submit({.leaf = request->leaf(), .payload = request->payload()},
                    [reactor, response, tag](const SubmitOutcome& outcome) {
                      response->set_tag(tag);
                      if (outcome.error.ok())
                        *response->mutable_receipt() = ToProto(outcome.receipt);
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
  if (receipt.ok()) *response = ToProto(*receipt);
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
