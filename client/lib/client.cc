#include "client/lib/client.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

constexpr absl::string_view kDetailUrl = "vigil.v1.ErrorDetail";
constexpr absl::string_view kUnreachableUrl = "vigil.client.unreachable";
// Rounds over all endpoints before Subscribe gives up on a network that does not answer.
constexpr int kSubscribeRoundsMax = 10;
// How long a network that has answered may be away as a whole, as it is when each of its validators
// opens itself anew for another epoch; and when to look again.
constexpr uint32_t kAwayMillisMax = 5'000;
constexpr uint32_t kAwayLookMillis = 100;
// How often a call that is under way looks whether to stop.
constexpr std::chrono::milliseconds kStopLook(100);

absl::StatusOr<std::string> ReadPem(absl::string_view what, const std::string& path) {
  if (path.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no ", what, ": name a context file that has it with --context, pass it, or ",
                     "--insecure for validators that speak without TLS on loopback"));
  }
  std::ifstream file(path);
  if (!file.good()) {
    return absl::NotFoundError(absl::StrCat("the ", what, " cannot be read: '", path, "'"));
  }
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Judged by the address alone: "127.example.com" is a name that anyone may point anywhere.
bool IsLoopback(absl::string_view endpoint) {
  const std::string host(endpoint.substr(0, endpoint.rfind(':')));
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "localhost" || host == "[::1]";
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const ClientOptions& options) {
  if (options.insecure) {
    for (const std::string& endpoint : options.endpoints) {
      if (!IsLoopback(endpoint)) {
        return absl::InvalidArgumentError(
            absl::StrCat("insecure is for loopback only, and ", endpoint, " is not"));
      }
    }
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions ssl;
  ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadPem("CA certificate (--ca)", options.ca));
  ASSIGN_OR_RETURN(ssl.pem_cert_chain,
                   ReadPem("client certificate (--certificate)", options.certificate));
  ASSIGN_OR_RETURN(ssl.pem_private_key, ReadPem("client certificate's key (--key)", options.key));
  return grpc::SslCredentials(ssl);
}

// What to look at when gRPC says no more than the code.
absl::string_view Hint(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
      return "check address and port, and that both sides use TLS or neither (--insecure)";
    case absl::StatusCode::kDeadlineExceeded:
      return "it did not answer in time";
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return "check the client certificate";
    case absl::StatusCode::kUnimplemented:
      return "it may be another port than the one for clients";
    default:
      return "its log may say more";
  }
}

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kGrpcMessageBytesMax);
  arguments.SetMaxSendMessageSize(kGrpcMessageBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Also the time that a handshake may take, on a machine that is busy.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return arguments;
}

// When to ask the same validator again, as it said; 0: not.
uint32_t RetryDelay(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return 0;
  const std::optional<v1::ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->retry_after_millis() : 0;
}

}  // namespace

std::optional<v1::ErrorDetail> DetailOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kDetailUrl);
  v1::ErrorDetail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

absl::Status UnreachableError(absl::string_view message) {
  absl::Status status = absl::UnavailableError(message);
  status.SetPayload(kUnreachableUrl, absl::Cord());
  return status;
}

bool IsUnreachable(const absl::Status& status) {
  return status.GetPayload(kUnreachableUrl).has_value();
}

absl::Status FromGrpc(const grpc::Status& status, const std::string& endpoint) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const std::string what =
      status.error_message().empty()
          ? absl::StrCat(absl::StatusCodeToString(code), ", without a reason; ", Hint(code))
          : status.error_message();
  const std::string message = endpoint.empty() ? what : absl::StrCat(endpoint, ": ", what);
  absl::Status converted = code == absl::StatusCode::kUnavailable ? UnreachableError(message)
                                                                  : absl::Status(code, message);
  if (!status.error_details().empty()) {
    converted.SetPayload(kDetailUrl, absl::Cord(status.error_details()));
  }
  return converted;
}

ledger::ResultCode ResultOf(const v1::Receipt& receipt) {
  const auto code = static_cast<ledger::ResultCode>(receipt.result());
  return code == ledger::ResultCode::kDuplicate ? ledger::ResultCode::kOk : code;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Make(const ClientOptions& options) {
  if (options.endpoints.empty()) {
    return absl::InvalidArgumentError(
        "no endpoint: pass --endpoints host:port,host:port, set VIGIL_ENDPOINTS, or name a context "
        "file");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                   Credentials(options));
  std::unique_ptr<Client> client(new Client);
  client->timeout_millis_ = options.timeout_millis;
  client->consistency_ = options.consistency;
  client->stop_ = options.stop;
  for (const std::string& endpoint : options.endpoints) {
    const auto channel = grpc::CreateCustomChannel(endpoint, credentials, ChannelArguments());
    client->nodes_.push_back({.endpoint = endpoint,
                              .ingest = v1::Ingest::NewStub(channel),
                              .query = v1::Query::NewStub(channel),
                              .admin = v1::Admin::NewStub(channel),
                              .learners = v1::Learners::NewStub(channel)});
  }
  return client;
}

void Client::Pause(uint32_t millis) const {
  Mutex mutex;
  CondVar never;
  MutexLock lock(&mutex);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(millis);
  for (auto now = std::chrono::steady_clock::now(); now < until && !stopped();
       now = std::chrono::steady_clock::now()) {
    never.WaitFor(&mutex, std::min<std::chrono::steady_clock::duration>(until - now, kStopLook));
  }
}

grpc::Status Client::Await(
    grpc::ClientContext* context,
    const std::function<void(std::function<void(grpc::Status)>)>& start) const {
  struct Outcome {
    Mutex mutex;
    CondVar changed;
    bool done VIGIL_GUARDED_BY(mutex) = false;
    grpc::Status status VIGIL_GUARDED_BY(mutex);
  };
  // Shared with the callback, which is still leaving when the caller goes on.
  const auto outcome = std::make_shared<Outcome>();
  start([outcome](const grpc::Status& status) {
    MutexLock lock(&outcome->mutex);
    outcome->done = true;
    outcome->status = status;
    outcome->changed.SignalAll();
  });
  bool cancelled = false;
  MutexLock lock(&outcome->mutex);
  while (!outcome->done) {
    outcome->changed.WaitFor(&outcome->mutex, kStopLook);
    if (cancelled || !stopped()) continue;
    cancelled = true;
    context->TryCancel();
  }
  // Its server stopped, or opens itself anew: nobody here gave the call up.
  if (!cancelled && outcome->status.error_code() == grpc::StatusCode::CANCELLED)
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "it ended the call, as one does that stops");
  return outcome->status;
}

template <typename Response, typename CallFunction>
absl::StatusOr<Response> Client::Call(CallFunction call, uint32_t extra_millis, size_t* answered) {
  absl::Status last;
  const size_t first = preferred_;
  uint32_t patience_millis = timeout_millis_;
  uint32_t away_millis = answered_ ? std::min(timeout_millis_, kAwayMillisMax) : 0;
  for (size_t turn = 0;;) {
    if (stopped()) return absl::CancelledError("interrupted");
    const size_t i = (first + turn) % nodes_.size();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(timeout_millis_) +
                         std::chrono::milliseconds(extra_millis));
    Response response;
    last = FromGrpc(call(nodes_[i], &context, &response), nodes_[i].endpoint);
    if (last.ok()) {
      preferred_ = i;
      answered_ = true;
      if (answered != nullptr) *answered = i;
      return response;
    }
    const uint32_t delay_millis = RetryDelay(last);
    if (delay_millis > 0 && delay_millis <= patience_millis) {
      patience_millis -= delay_millis;
      Pause(delay_millis);
      continue;
    }
    // Another round must not wait for the same silence again, and who says why not is there.
    if (absl::IsDeadlineExceeded(last) || DetailOf(last).has_value()) away_millis = 0;
    if (!absl::IsUnavailable(last) && !absl::IsDeadlineExceeded(last)) return last;
    if (++turn % nodes_.size() != 0) continue;
    if (away_millis < kAwayLookMillis) return last;
    away_millis -= kAwayLookMillis;
    Pause(kAwayLookMillis);
  }
}

absl::StatusOr<v1::Status> Client::GetStatus() {
  const v1::GetStatusRequest request;
  return Call<v1::Status>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::Status* out) {
        return Await(context, [&](auto done) {
          node.query->async()->GetStatus(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::Status> Client::GetStatusOf(size_t i) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(timeout_millis_));
  v1::Status status;
  RETURN_IF_ERROR(FromGrpc(nodes_[i].query->GetStatus(&context, {}, &status), nodes_[i].endpoint));
  return status;
}

absl::StatusOr<v1::ModelFile> Client::GetModelFile(const v1::GetModelFileRequest& request) {
  absl::Status status = absl::NotFoundError("no validator was asked");
  for (const NodeStubs& node : nodes_) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(timeout_millis_));
    v1::ModelFile file;
    const absl::Status answered =
        FromGrpc(node.query->GetModelFile(&context, request, &file), node.endpoint);
    if (answered.ok()) return file;
    // That one is down says less than that another does not keep it.
    if (!absl::IsNotFound(status) || &node == &nodes_.front() || absl::IsNotFound(answered)) {
      status = answered;
    }
  }
  return status;
}

// One unary method of the Query service.
#define VIGIL_QUERY(Method, Request, Response)                                        \
  absl::StatusOr<v1::Response> Client::Method(const v1::Request& asked) {             \
    const v1::Request request = Asked(asked);                                         \
    return Call<v1::Response>(                                                        \
        [&](const NodeStubs& node, grpc::ClientContext* context, v1::Response* out) { \
          return Await(context, [&](auto done) {                                      \
            node.query->async()->Method(context, &request, out, std::move(done));     \
          });                                                                         \
        });                                                                           \
  }
VIGIL_QUERY(GetBlock, GetBlockRequest, Block)
VIGIL_QUERY(ListBlocks, ListBlocksRequest, ListBlocksResponse)
VIGIL_QUERY(GetRecord, GetRecordRequest, Record)
VIGIL_QUERY(GetEvent, GetEventRequest, StoredEvent)
VIGIL_QUERY(SearchEvents, SearchEventsRequest, SearchEventsResponse)
VIGIL_QUERY(ListAlerts, ListAlertsRequest, ListAlertsResponse)
VIGIL_QUERY(GetAlert, GetAlertRequest, Alert)
VIGIL_QUERY(GetPrecision, GetPrecisionRequest, Precision)
VIGIL_QUERY(ListIncidents, ListIncidentsRequest, ListIncidentsResponse)
VIGIL_QUERY(GetIncident, GetIncidentRequest, Incident)
VIGIL_QUERY(ListFaults, ListFaultsRequest, ListFaultsResponse)
VIGIL_QUERY(GetDetectorReport, GetDetectorReportRequest, DetectorReport)
VIGIL_QUERY(ListModels, ListModelsRequest, ListModelsResponse)
VIGIL_QUERY(GetValidators, GetValidatorsRequest, Validators)
VIGIL_QUERY(ListEpochs, ListEpochsRequest, ListEpochsResponse)
VIGIL_QUERY(ListProposals, ListProposalsRequest, ListProposalsResponse)
VIGIL_QUERY(GetRules, GetRulesRequest, Rules)
#undef VIGIL_QUERY

absl::StatusOr<v1::ListNewcomersResponse> Client::ListNewcomers() {
  const v1::ListNewcomersRequest request;
  return Call<v1::ListNewcomersResponse>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::ListNewcomersResponse* out) {
        return Await(context, [&](auto done) {
          node.learners->async()->ListNewcomers(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::EntityReport> Client::GetEntity(const v1::GetEntityRequest& request) {
  return Call<v1::EntityReport>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::EntityReport* out) {
        return Await(context, [&](auto done) {
          node.query->async()->GetEntity(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::EpochChain> Client::GetEpochChain(const v1::GetEpochChainRequest& request) {
  return Call<v1::EpochChain>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::EpochChain* out) {
        return Await(context, [&](auto done) {
          node.query->async()->GetEpochChain(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::Checkpoint> Client::GetCheckpoint() {
  const v1::GetCheckpointRequest request;
  return Call<v1::Checkpoint>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::Checkpoint* out) {
        return Await(context, [&](auto done) {
          node.query->async()->GetCheckpoint(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::Proof> Client::GetProof(const v1::GetProofRequest& request, size_t* answered) {
  return Call<v1::Proof>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::Proof* out) {
        return Await(context, [&](auto done) {
          node.query->async()->GetProof(context, &request, out, std::move(done));
        });
      },
      request.wait_millis(), answered);
}

absl::StatusOr<v1::TransferLeadershipResponse> Client::TransferLeadership(const std::string& to) {
  v1::TransferLeadershipRequest request;
  request.set_to(to);
  return Call<v1::TransferLeadershipResponse>([&](const NodeStubs& node,
                                                  grpc::ClientContext* context,
                                                  v1::TransferLeadershipResponse* out) {
    return Await(context, [&](auto done) {
      node.admin->async()->TransferLeadership(context, &request, out, std::move(done));
    });
  });
}

absl::StatusOr<v1::StreamHead> Client::GetStreamHead(const std::string& identity,
                                                     const std::string& stream) {
  v1::GetStreamHeadRequest request;
  request.set_identity(identity);
  request.set_stream(stream);
  request.set_consistency(consistency_);
  return Call<v1::StreamHead>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::StreamHead* out) {
        return Await(context, [&](auto done) {
          node.ingest->async()->GetStreamHead(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::Receipt> Client::GetReceipt(const std::string& leaf_hash) {
  v1::GetReceiptRequest request;
  request.set_leaf_hash(leaf_hash);
  request.set_consistency(consistency_);
  return Call<v1::Receipt>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::Receipt* out) {
        return Await(context, [&](auto done) {
          node.ingest->async()->GetReceipt(context, &request, out, std::move(done));
        });
      });
}

absl::StatusOr<v1::SubmitResponse> Client::Submit(const v1::SubmitRequest& request) {
  return Call<v1::SubmitResponse>(
      [&](const NodeStubs& node, grpc::ClientContext* context, v1::SubmitResponse* out) {
        return Await(context, [&](auto done) {
          node.ingest->async()->Submit(context, &request, out, std::move(done));
        });
      });
}

absl::Status Client::Subscribe(v1::SubscribeRequest request,
                               const std::function<bool(const v1::FeedItem&)>& visit) {
  absl::Status last;
  uint64_t seen_at_height = 0;  // Items of height from_height() that `visit` has had.
  for (int silent = 0; silent < kSubscribeRoundsMax * static_cast<int>(nodes_.size()); ++silent) {
    const NodeStubs& node = nodes_[preferred_ % nodes_.size()];
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::FeedItem>> reader =
        node.query->Subscribe(&context, request);
    v1::FeedItem item;
    // A feed that is resumed starts again with the first item of its height.
    uint64_t skip = seen_at_height;
    while (reader->Read(&item)) {
      silent = 0;
      if (item.cursor_height() != request.from_height()) {
        request.set_from_height(item.cursor_height());
        seen_at_height = skip = 0;
      }
      if (skip > 0) {
        --skip;
        continue;
      }
      ++seen_at_height;
      if (visit(item)) continue;
      context.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
    last = FromGrpc(reader->Finish(), node.endpoint);
    if (!last.ok() && !absl::IsUnavailable(last)) return last;
    preferred_ = (preferred_ + 1) % nodes_.size();
  }
  return last;
}

void Client::WaitForBlock(int64_t millis) {
  const NodeStubs& node = nodes_[preferred_ % nodes_.size()];
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(millis));
  context.set_wait_for_ready(true);
  v1::SubscribeRequest request;
  request.set_kind(v1::FEED_BLOCKS);
  const std::unique_ptr<grpc::ClientReader<v1::FeedItem>> reader =
      node.query->Subscribe(&context, request);
  v1::FeedItem item;
  if (reader->Read(&item)) context.TryCancel();
  reader->Finish();
}

}  // namespace vigil::client
