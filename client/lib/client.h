// Client: calls to a network's validators, trying the next one when one cannot be reached.
//
// Thread-safe. Errors carry the validator's ErrorDetail (DetailOf) and name the endpoint.
#ifndef VIGIL_CLIENT_LIB_CLIENT_H_
#define VIGIL_CLIENT_LIB_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/result.h"
#include "vigil/v1/api.grpc.pb.h"
#include "vigil/v1/learners.grpc.pb.h"

namespace vigil::client {

struct ClientOptions {
  std::vector<std::string> endpoints;  // "host:port", tried in order from the one that worked last.
  std::string ca;                      // PEM files.
  std::string certificate;
  std::string key;
  bool insecure = false;             // No TLS; loopback endpoints only.
  uint32_t timeout_millis = 10'000;  // Per call and endpoint.
  // Of queries that do not say it themselves.
  v1::Consistency consistency = v1::CONSISTENCY_UNSPECIFIED;
  // Once it is set calls end with kCancelled. May be nullptr; else it must outlive the client.
  const std::atomic<bool>* stop = nullptr;
};

// The validator's own words about an error, if it sent any.
std::optional<v1::ErrorDetail> DetailOf(const absl::Status& status);
// kUnavailable because of the network; a file may be unavailable, too.
absl::Status UnreachableError(absl::string_view message);
bool IsUnreachable(const absl::Status& status);
// A gRPC status as absl::Status, kUnavailable as UnreachableError(); `endpoint` goes into the
// message, and where gRPC has no text the name of the code and what to look at.
absl::Status FromGrpc(const grpc::Status& status, const std::string& endpoint);
// What the chain said of one's own signed record. That its very bytes were there already is no
// refusal: a call that is repeated ends so.
ledger::ResultCode ResultOf(const v1::Receipt& receipt);

class Client {
 public:
  // Does not connect yet.
  // Errors: kInvalidArgument: no endpoint, insecure beyond loopback; kNotFound: a PEM file.
  static absl::StatusOr<std::unique_ptr<Client>> Make(const ClientOptions& options);

  size_t endpoint_count() const { return nodes_.size(); }
  const std::string& endpoint(size_t i) const { return nodes_[i].endpoint; }
  v1::Ingest::Stub* ingest(size_t i) const { return nodes_[i].ingest.get(); }
  v1::Query::Stub* query(size_t i) const { return nodes_[i].query.get(); }

  absl::StatusOr<v1::Status> GetStatus();
  // Of one endpoint, without trying others.
  absl::StatusOr<v1::Status> GetStatusOf(size_t i);
  absl::StatusOr<v1::Block> GetBlock(const v1::GetBlockRequest& request);
  absl::StatusOr<v1::ListBlocksResponse> ListBlocks(const v1::ListBlocksRequest& request);
  absl::StatusOr<v1::Record> GetRecord(const v1::GetRecordRequest& request);
  absl::StatusOr<v1::StoredEvent> GetEvent(const v1::GetEventRequest& request);
  absl::StatusOr<v1::SearchEventsResponse> SearchEvents(const v1::SearchEventsRequest& request);
  absl::StatusOr<v1::ListAlertsResponse> ListAlerts(const v1::ListAlertsRequest& request);
  absl::StatusOr<v1::Alert> GetAlert(const v1::GetAlertRequest& request);
  absl::StatusOr<v1::Precision> GetPrecision(const v1::GetPrecisionRequest& request);
  absl::StatusOr<v1::ListIncidentsResponse> ListIncidents(const v1::ListIncidentsRequest& request);
  absl::StatusOr<v1::Incident> GetIncident(const v1::GetIncidentRequest& request);
  absl::StatusOr<v1::ListFaultsResponse> ListFaults(const v1::ListFaultsRequest& request);
  absl::StatusOr<v1::DetectorReport> GetDetectorReport(const v1::GetDetectorReportRequest& request);
  // Of the first endpoint that keeps it. Errors: kNotFound: none of those that answered does.
  absl::StatusOr<v1::ModelFile> GetModelFile(const v1::GetModelFileRequest& request);
  absl::StatusOr<v1::ListModelsResponse> ListModels(const v1::ListModelsRequest& request);
  absl::StatusOr<v1::EntityReport> GetEntity(const v1::GetEntityRequest& request);
  absl::StatusOr<v1::Checkpoint> GetCheckpoint();
  absl::StatusOr<v1::EpochChain> GetEpochChain(const v1::GetEpochChainRequest& request);
  absl::StatusOr<v1::Validators> GetValidators(const v1::GetValidatorsRequest& request);
  absl::StatusOr<v1::ListEpochsResponse> ListEpochs(const v1::ListEpochsRequest& request);
  absl::StatusOr<v1::ListProposalsResponse> ListProposals(const v1::ListProposalsRequest& request);
  // As the first endpoint that answers sees them. Errors: kUnimplemented: it is too old to know.
  absl::StatusOr<v1::ListNewcomersResponse> ListNewcomers();
  absl::StatusOr<v1::Rules> GetRules(const v1::GetRulesRequest& request);
  // The answer as it came, which CheckProof() judges; `answered`, unless it is nullptr, becomes the
  // number of the endpoint that gave it.
  absl::StatusOr<v1::Proof> GetProof(const v1::GetProofRequest& request, size_t* answered);
  // Asks validators in turn until one leads, which hands over to `to` ("org/name"; empty: whoever
  // is furthest). Errors: as the validators say.
  absl::StatusOr<v1::TransferLeadershipResponse> TransferLeadership(const std::string& to);
  absl::StatusOr<v1::StreamHead> GetStreamHead(const std::string& identity,
                                               const std::string& stream);
  absl::StatusOr<v1::Receipt> GetReceipt(const std::string& leaf_hash);
  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request);

  // Calls `visit` for each item until it returns false, resuming after the last cursor on another
  // validator when one goes away. Ends with OK (visit said so) or an error no validator can mend.
  absl::Status Subscribe(v1::SubscribeRequest request,
                         const std::function<bool(const v1::FeedItem&)>& visit);

  // Waits until a validator executes a further block, at most `millis`.
  void WaitForBlock(int64_t millis);

 private:
  struct NodeStubs {
    std::string endpoint;
    std::unique_ptr<v1::Ingest::Stub> ingest;
    std::unique_ptr<v1::Query::Stub> query;
    std::unique_ptr<v1::Admin::Stub> admin;
    std::unique_ptr<v1::Learners::Stub> learners;
  };
  Client() = default;

  // Runs `call` on endpoints in turn until one answers with anything but UNAVAILABLE or
  // DEADLINE_EXCEEDED. One that says RESOURCE_EXHAUSTED and when to come back is asked again,
  // within the timeout: repeating a call is safe, since a submission is known by its bytes. Once
  // anybody has answered this client, a round that finds nobody is repeated for some seconds. Each
  // endpoint has `extra_millis` more than the timeout; `answered` becomes who gave the answer.
  template <typename Response, typename CallFunction>
  absl::StatusOr<Response> Call(CallFunction call, uint32_t extra_millis = 0,
                                size_t* answered = nullptr);
  // Starts a call and waits for its end, or cancels it and says kCancelled once it is to stop.
  grpc::Status Await(grpc::ClientContext* context,
                     const std::function<void(std::function<void(grpc::Status)>)>& start) const;
  // Ends early once it is to stop.
  void Pause(uint32_t millis) const;
  bool stopped() const { return stop_ != nullptr && *stop_; }

  // `request` with the consistency that was chosen for this client, unless it has its own.
  template <typename Request>
  Request Asked(Request request) const {
    if (request.consistency() == v1::CONSISTENCY_UNSPECIFIED) {
      request.set_consistency(consistency_);
    }
    return request;
  }

  std::vector<NodeStubs> nodes_;
  v1::Consistency consistency_ = v1::CONSISTENCY_UNSPECIFIED;
  uint32_t timeout_millis_ = 0;
  const std::atomic<bool>* stop_ = nullptr;
  std::atomic<size_t> preferred_{0};
  std::atomic<bool> answered_{false};  // By anybody, once.
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_CLIENT_H_
