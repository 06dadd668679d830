#include "node/api/query_service.h"

#include <utility>

#include "ledger/base/status_macros.h"
#include "node/api/convert.h"
#include "node/api/entity_answers.h"
#include "node/api/epoch_answers.h"
#include "node/api/error.h"
#include "node/api/feed.h"
#include "node/api/incident_answers.h"
#include "node/api/proof_call.h"
#include "node/api/read_call.h"
#include "node/api/rules_answers.h"

namespace vigil::node {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

absl::Status FillModels(const NodeServices& services, const v1::ListModelsRequest& request,
                        v1::ListModelsResponse* out) {
  const absl::StatusOr<uint32_t> limit = PageLimit(request.limit());
  if (!limit.ok()) return limit.status();
  const auto models = services.Snapshot()->ListModels(*limit);
  if (!models.ok()) return models.status();
  for (const ledger::ModelInfo& model : *models) *out->add_models() = ToProto(model);
  return absl::OkStatus();
}

absl::Status FillCheckpoint(const NodeServices& services, v1::Checkpoint* out) {
  absl::StatusOr<v1::Checkpoint> checkpoint = CheckpointOf(services);
  if (checkpoint.ok()) *out = *std::move(checkpoint);
  return checkpoint.status();
}

}  // namespace

grpc::ServerUnaryReactor* QueryService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::GetStatusRequest* /*request*/,
                                                  v1::Status* response) {
  return Finished(context, FillStatus(*services_, response));
}
grpc::ServerUnaryReactor* QueryService::GetBlock(grpc::CallbackServerContext* context,
                                                 const v1::GetBlockRequest* request,
                                                 v1::Block* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillBlock(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::ListBlocks(grpc::CallbackServerContext* context,
                                                   const v1::ListBlocksRequest* request,
                                                   v1::ListBlocksResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillBlocks(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetRecord(grpc::CallbackServerContext* context,
                                                  const v1::GetRecordRequest* request,
                                                  v1::Record* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillRecord(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetEvent(grpc::CallbackServerContext* context,
                                                 const v1::GetEventRequest* request,
                                                 v1::StoredEvent* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState, [=, this] {
    const ledger::EventRef ref{.record_index = RecordIndex(request->record_index()),
                               .item = ItemIndex(request->item())};
    return FillEvent(*services_, *services_->Snapshot(), ref, response);
  });
}
grpc::ServerUnaryReactor* QueryService::SearchEvents(grpc::CallbackServerContext* context,
                                                     const v1::SearchEventsRequest* request,
                                                     v1::SearchEventsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kIndex,
                    [=, this] { return FillSearch(services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::ListAlerts(grpc::CallbackServerContext* context,
                                                   const v1::ListAlertsRequest* request,
                                                   v1::ListAlertsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillAlerts(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetAlert(grpc::CallbackServerContext* context,
                                                 const v1::GetAlertRequest* request,
                                                 v1::Alert* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState, [=, this] {
    return FillAlert(*services_, *services_->Snapshot(), RecordIndex(request->record_index()),
                     response);
  });
}
grpc::ServerUnaryReactor* QueryService::GetPrecision(grpc::CallbackServerContext* context,
                                                     const v1::GetPrecisionRequest* request,
                                                     v1::Precision* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState, [=, this] {
    ASSIGN_OR_RETURN(const std::vector<ledger::TriageTotals> totals,
                     services_->Snapshot()->ListTriageTotals());
    FillPrecision(totals, response);
    return absl::OkStatus();
  });
}
grpc::ServerUnaryReactor* QueryService::GetEntity(grpc::CallbackServerContext* context,
                                                  const v1::GetEntityRequest* request,
                                                  v1::EntityReport* response) {
  return Finished(context, FillEntity(*services_, *request, response));
}
grpc::ServerUnaryReactor* QueryService::GetModelFile(grpc::CallbackServerContext* context,
                                                     const v1::GetModelFileRequest* request,
                                                     v1::ModelFile* response) {
  return Finished(context, FillModelFile(*services_, *request, response));
}
grpc::ServerUnaryReactor* QueryService::ListFaults(grpc::CallbackServerContext* context,
                                                   const v1::ListFaultsRequest* request,
                                                   v1::ListFaultsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillFaults(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetDetectorReport(
    grpc::CallbackServerContext* context, const v1::GetDetectorReportRequest* request,
    v1::DetectorReport* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillDetectorReport(*services_, response); });
}
grpc::ServerUnaryReactor* QueryService::ListIncidents(grpc::CallbackServerContext* context,
                                                      const v1::ListIncidentsRequest* request,
                                                      v1::ListIncidentsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillIncidents(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetIncident(grpc::CallbackServerContext* context,
                                                    const v1::GetIncidentRequest* request,
                                                    v1::Incident* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillIncident(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillModels(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetCheckpoint(grpc::CallbackServerContext* context,
                                                      const v1::GetCheckpointRequest* /*request*/,
                                                      v1::Checkpoint* response) {
  return Finished(context, FillCheckpoint(*services_, response));
}
grpc::ServerUnaryReactor* QueryService::GetEpochChain(grpc::CallbackServerContext* context,
                                                      const v1::GetEpochChainRequest* request,
                                                      v1::EpochChain* response) {
  return Finished(context, FillEpochChain(*services_, *request, response));
}
grpc::ServerUnaryReactor* QueryService::GetValidators(grpc::CallbackServerContext* context,
                                                      const v1::GetValidatorsRequest* request,
                                                      v1::Validators* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillValidators(*services_, response); });
}
grpc::ServerUnaryReactor* QueryService::ListEpochs(grpc::CallbackServerContext* context,
                                                   const v1::ListEpochsRequest* request,
                                                   v1::ListEpochsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillEpochs(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::ListProposals(grpc::CallbackServerContext* context,
                                                      const v1::ListProposalsRequest* request,
                                                      v1::ListProposalsResponse* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillProposals(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetRules(grpc::CallbackServerContext* context,
                                                 const v1::GetRulesRequest* request,
                                                 v1::Rules* response) {
  return AnswerRead(services_, context, request->consistency(), ReadsFrom::kState,
                    [=, this] { return FillRules(*services_, *request, response); });
}
grpc::ServerUnaryReactor* QueryService::GetProof(grpc::CallbackServerContext* context,
                                                 const v1::GetProofRequest* request,
                                                 v1::Proof* response) {
  return NewProofCall(services_, context, request, response, &proofs_waiting_);
}
grpc::ServerWriteReactor<v1::FeedItem>* QueryService::Subscribe(
    grpc::CallbackServerContext* /*context*/, const v1::SubscribeRequest* request) {
  return feeds_->Open(*request);
}

}  // namespace vigil::node
