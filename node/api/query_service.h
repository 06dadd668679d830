// The Query service: reads from one snapshot per call. Runs on gRPC's threads.
#ifndef VIGIL_NODE_API_QUERY_SERVICE_H_
#define VIGIL_NODE_API_QUERY_SERVICE_H_

#include <atomic>

#include "ledger/base/limits.h"
#include "node/api/feed.h"
#include "node/driver/services.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::node {

class QueryService final : public v1::Query::CallbackService {
 public:
  // Both must outlive the service.
  QueryService(NodeServices* services, FeedHub* feeds) : services_(services), feeds_(feeds) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::Status* response) override;
  grpc::ServerUnaryReactor* GetBlock(grpc::CallbackServerContext* context,
                                     const v1::GetBlockRequest* request,
                                     v1::Block* response) override;
  grpc::ServerUnaryReactor* ListBlocks(grpc::CallbackServerContext* context,
                                       const v1::ListBlocksRequest* request,
                                       v1::ListBlocksResponse* response) override;
  grpc::ServerUnaryReactor* GetRecord(grpc::CallbackServerContext* context,
                                      const v1::GetRecordRequest* request,
                                      v1::Record* response) override;
  grpc::ServerUnaryReactor* GetEvent(grpc::CallbackServerContext* context,
                                     const v1::GetEventRequest* request,
                                     v1::StoredEvent* response) override;
  grpc::ServerUnaryReactor* SearchEvents(grpc::CallbackServerContext* context,
                                         const v1::SearchEventsRequest* request,
                                         v1::SearchEventsResponse* response) override;
  grpc::ServerUnaryReactor* ListAlerts(grpc::CallbackServerContext* context,
                                       const v1::ListAlertsRequest* request,
                                       v1::ListAlertsResponse* response) override;
  grpc::ServerUnaryReactor* GetAlert(grpc::CallbackServerContext* context,
                                     const v1::GetAlertRequest* request,
                                     v1::Alert* response) override;
  grpc::ServerUnaryReactor* GetModelFile(grpc::CallbackServerContext* context,
                                         const v1::GetModelFileRequest* request,
                                         v1::ModelFile* response) override;
  grpc::ServerUnaryReactor* ListFaults(grpc::CallbackServerContext* context,
                                       const v1::ListFaultsRequest* request,
                                       v1::ListFaultsResponse* response) override;
  grpc::ServerUnaryReactor* GetDetectorReport(grpc::CallbackServerContext* context,
                                              const v1::GetDetectorReportRequest* request,
                                              v1::DetectorReport* response) override;
  grpc::ServerUnaryReactor* GetPrecision(grpc::CallbackServerContext* context,
                                         const v1::GetPrecisionRequest* request,
                                         v1::Precision* response) override;
  grpc::ServerUnaryReactor* GetEntity(grpc::CallbackServerContext* context,
                                      const v1::GetEntityRequest* request,
                                      v1::EntityReport* response) override;
  grpc::ServerUnaryReactor* ListIncidents(grpc::CallbackServerContext* context,
                                          const v1::ListIncidentsRequest* request,
                                          v1::ListIncidentsResponse* response) override;
  grpc::ServerUnaryReactor* GetIncident(grpc::CallbackServerContext* context,
                                        const v1::GetIncidentRequest* request,
                                        v1::Incident* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetCheckpoint(grpc::CallbackServerContext* context,
                                          const v1::GetCheckpointRequest* request,
                                          v1::Checkpoint* response) override;
  grpc::ServerUnaryReactor* GetEpochChain(grpc::CallbackServerContext* context,
                                          const v1::GetEpochChainRequest* request,
                                          v1::EpochChain* response) override;
  grpc::ServerUnaryReactor* GetValidators(grpc::CallbackServerContext* context,
                                          const v1::GetValidatorsRequest* request,
                                          v1::Validators* response) override;
  grpc::ServerUnaryReactor* ListEpochs(grpc::CallbackServerContext* context,
                                       const v1::ListEpochsRequest* request,
                                       v1::ListEpochsResponse* response) override;
  grpc::ServerUnaryReactor* ListProposals(grpc::CallbackServerContext* context,
                                          const v1::ListProposalsRequest* request,
                                          v1::ListProposalsResponse* response) override;
  grpc::ServerUnaryReactor* GetRules(grpc::CallbackServerContext* context,
                                     const v1::GetRulesRequest* request,
                                     v1::Rules* response) override;
  grpc::ServerUnaryReactor* GetProof(grpc::CallbackServerContext* context,
                                     const v1::GetProofRequest* request,
                                     v1::Proof* response) override;
  grpc::ServerWriteReactor<v1::FeedItem>* Subscribe(grpc::CallbackServerContext* context,
                                                    const v1::SubscribeRequest* request) override;

 private:
  NodeServices* const services_;
  FeedHub* const feeds_;
  std::atomic<uint32_t> proofs_waiting_{0};
};

// A page ends early once it has so many bytes: an answer must stay below gRPC's limit, and a page
// of blocks reads their bodies from disk. Its cursor goes on after the last item.
inline constexpr size_t kPageBytesMax = 8 * 1024 * 1024;
static_assert(kPageBytesMax + kBlockBytesMax < kGrpcMessageBytesMax);

// The answers behind the handlers, free of gRPC's reactors.

// `asked`, or the default page for 0. Errors: kInvalidArgument above 1,000.
absl::StatusOr<uint32_t> PageLimit(uint32_t asked);
absl::Status FillStatus(const NodeServices& services, v1::Status* out);
absl::Status FillBlock(const NodeServices& services, const v1::GetBlockRequest& request,
                       v1::Block* out);
absl::Status FillBlocks(const NodeServices& services, const v1::ListBlocksRequest& request,
                        v1::ListBlocksResponse* out);
absl::Status FillRecord(const NodeServices& services, const v1::GetRecordRequest& request,
                        v1::Record* out);
absl::Status FillEvent(const NodeServices& services, const ledger::ChainReader& reader,
                       const ledger::EventRef& ref, v1::StoredEvent* out);
absl::Status FillAlerts(const NodeServices& services, const v1::ListAlertsRequest& request,
                        v1::ListAlertsResponse* out);
absl::Status FillFaultsOf(const ledger::ChainReader& reader, const ledger::AlertInfo& alert,
                          google::protobuf::RepeatedPtrField<v1::Fault>* out);
absl::Status FillFaults(const NodeServices& services, const v1::ListFaultsRequest& request,
                        v1::ListFaultsResponse* out);
absl::Status FillModelFile(const NodeServices& services, const v1::GetModelFileRequest& request,
                           v1::ModelFile* out);
absl::Status FillDetectorReport(const NodeServices& services, v1::DetectorReport* out);
void FillPrecision(const std::vector<ledger::TriageTotals>& totals, v1::Precision* out);
absl::Status FillAlert(const NodeServices& services, const ledger::ChainReader& reader,
                       RecordIndex index, v1::Alert* out);
absl::Status FillSearch(NodeServices* services, const v1::SearchEventsRequest& request,
                        v1::SearchEventsResponse* out);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_QUERY_SERVICE_H_
