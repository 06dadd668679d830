#include "node/app/validator.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/clock.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/note.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"
#include "ledger/storage/leveldb_store.h"
#include "node/api/api_server.h"
#include "node/app/keys_dir.h"
#include "node/app/machine.h"
#include "node/app/preflight.h"
#include "node/driver/node.h"
#include "node/http/http_server.h"
#include "node/http/metrics.h"
#include "node/http/witness_client.h"
#include "node/net/descriptors.h"
#include "node/peer/grpc_transport.h"
#include "node/peer/peer_server.h"
#include "node/peer/tls.h"

namespace vigil::node {
namespace {

// Sent to the process itself when the node has died, joined or fallen behind, or its epoch has
// ended, so that Run() wakes.
constexpr int kFatalSignal = SIGUSR1;

sigset_t WaitedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, kFatalSignal);
  return signals;
}

NodeConfig NodeConfigOf(const Config& config, ValidatorIndex self) {
  NodeConfig node;
  node.data_dir = config.data_dir;
  node.guard_path = config.keys_dir + "/rollback_guard";
  node.self = self;
  node.mempool.lane_bytes_max = {config.lane_governance_bytes, config.lane_alerts_bytes,
                                 config.lane_events_bytes};
  node.block_cache_bytes_max = config.block_cache_bytes;
  node.index_keep_blocks = config.index_keep_blocks;
  node.accept_torn_tail = config.accept_torn_tail;
  node.fetch_bytes_per_second = config.fetch_bytes_per_second;
  node.learner_bytes_per_second = config.learner_bytes_per_second;
  node.scrub_bytes_per_second = config.scrub_bytes_per_second;
  node.scrub_interval_micros = static_cast<int64_t>(config.scrub_interval_hours) * 3600 * 1'000'000;
  node.payload_age_millis = ParseAgeMillis(config.retention_payload_age).value_or(0);
  node.journal_bytes_max = config.retention_journal_bytes_max;
  node.archive_dir = config.retention_archive_dir;
  node.election_timeout_ticks_min = config.election_min_millis / consensus::kTickMillis;
  node.election_delay_ticks = config.election_delay_millis / consensus::kTickMillis;
  node.election_timeout_ticks_max = config.election_max_millis / consensus::kTickMillis;
  return node;
}

uint64_t FreshSeed() {
  const std::string bytes = ledger::RandomBytes(sizeof(uint64_t));
  return ByteReader(AsBytes(bytes)).U64();
}

// Of a validator that was removed: the anchor of its last epoch's end is on disk.
void DestroyOldKeys(const std::string& keys_dir, const LogFunction& log) {
  const absl::Status destroyed = DestroyCosignerKeys(ledger::PosixFileSystem(), keys_dir);
  if (destroyed.ok()) return;
  log(LogLevel::kWarning, "cosigner-key",
      absl::StrCat("the cosigner key of an epoch that is over is not destroyed: ",
                   destroyed.message()));
}

AdminAccess AdminAccessOf(const Config& config) {
  AdminAccess access;
  access.org = config.identity.substr(0, config.identity.find('/'));
  access.clients = config.admin_clients;
  access.without_tls = config.insecure_dev;
  return access;
}

// Why a load balancer should ask another validator; empty when it need not.
std::string NotReady(const NodeStatus& status) {
  if (status.refusing) return absl::StrCat("refusing: ", status.refusing_reason);
  if (!status.core.leader.has_value()) return "no leader is known";
  const Height committed = status.core.committed.height;
  if (committed > status.executed && committed - status.executed > kExecutionLagHeightsMax) {
    return absl::StrCat("lags: executed up to ", status.executed.value(), ", committed up to ",
                        committed.value());
  }
  return "";
}

}  // namespace

namespace {

absl::Status NoValidatorYet(const std::string& identity) {
  return absl::FailedPreconditionError(
      absl::StrCat(identity,
                   " is no validator yet: it learns, has promised nothing and has "
                   "nothing to join anew; vigild start"));
}

}  // namespace

struct Validator::Parts {
  LogFunction log;
  std::optional<ValidatorKeys> keys;
  std::unique_ptr<CosignerKeyring> cosigner_keys;  // Null if it was removed.
  std::unique_ptr<GrpcTransport> transport;
  std::unique_ptr<Node> node;
  std::unique_ptr<PeerServer> peers;
  std::unique_ptr<ApiServer> api;
  std::unique_ptr<HttpServer> http;
  std::vector<std::unique_ptr<WitnessClient>> witnesses;

  // Who waits is answered; then clients first, then peers, then the node: nobody is called who has
  // gone.
  ~Parts() {
    witnesses.clear();
    if (node != nullptr) node->AnswerWaiting();
    http.reset();
    api.reset();
    if (peers != nullptr) peers->Stop();
    if (transport != nullptr) transport->Stop();
    if (node != nullptr) node->Stop();
  }
};

namespace {

// One client per configured witness. `own`: with which the node signs as the log. `node` must
// outlive them.
absl::StatusOr<std::vector<std::unique_ptr<WitnessClient>>> StartWitnessClients(
    const Config& config, const LogFunction& log, const ledger::NoteKey& own, Node* node) {
  std::vector<std::unique_ptr<WitnessClient>> clients;
  for (const WitnessAddress& witness : config.witnesses) {
    WitnessClient::Options options;
    ASSIGN_OR_RETURN(options.key, ledger::DecodeNoteKey(witness.vkey));
    ASSIGN_OR_RETURN(options.url, ParseWitnessUrl(witness.url, config.insecure_witness_http));
    options.own = own;
    options.seed = FreshSeed();
    WitnessClient::Ports ports;
    ports.checkpoint = [node] { return node->Checkpoint(); };
    ports.tiles = [node] { return node->tiles(); };
    ports.cosigned = [node](const WitnessedCheckpoint& witnessed) { node->OnWitnessed(witnessed); };
    ports.clock = SystemClock();
    ports.log = log;
    clients.push_back(std::make_unique<WitnessClient>(std::move(options), std::move(ports),
                                                      static_cast<uint32_t>(clients.size() + 1)));
  }
  return clients;
}

}  // namespace

// Everything that listens. Each holds on to the node, which must be there.
absl::Status Validator::StartSurfaces(const Config& config, const DescriptorShares& shares,
                                      Parts* parts) {
  const auto listener = [&](const char* name, size_t connections_max) {
    return ListenerOptions{
        .name = name, .connections_max = connections_max, .descriptor_max = shares.descriptor_max};
  };
  ASSIGN_OR_RETURN(
      parts->peers,
      PeerServer::Start(config.listen_peer, config.tls, &parts->node->genesis(), parts->node.get(),
                        listener("peer", shares.peer_connections_max), parts->node->learners()));
  ASSIGN_OR_RETURN(
      parts->api,
      ApiServer::Start(
          config.listen_api,
          config.insecure_dev ? grpc::InsecureServerCredentials() : ServerTls(config.tls),
          parts->node.get(), listener("api", shares.api_connections_max), AdminAccessOf(config)));
  if (!config.listen_http.empty()) {
    const Node* node = parts->node.get();
    const bool public_entries = config.public_entries;
    ASSIGN_OR_RETURN(parts->http,
                     HttpServer::Start(config.listen_http,
                                       {.metrics = [node] { return MetricsText(*node); },
                                        .not_ready = [node] { return NotReady(node->Status()); },
                                        .log_file =
                                            [node, public_entries](absl::string_view path) {
                                              return LogFileAnswer(*node, public_entries, path);
                                            }},
                                       listener("http", shares.http_connections_max)));
  }
  return absl::OkStatus();
}

Validator::Validator(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Validator::~Validator() = default;

void Validator::BlockSignals() {
  const sigset_t signals = WaitedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

absl::StatusOr<std::unique_ptr<Validator>> Validator::Start(const LoadedConfig& loaded,
                                                            const LogFunction& log) {
  const Config& config = loaded.config;
  ASSIGN_OR_RETURN(Preflight preflight,
                   CheckEverything(loaded, SystemClock()->UnixMillis() / 1000));
  if (preflight.newcomer.has_value()) return NoValidatorYet(config.identity);
  for (const std::string& warning : preflight.warnings) log(LogLevel::kWarning, "app", warning);
  ASSIGN_OR_RETURN(const DescriptorShares shares, PrepareDescriptors(log));
  const ledger::Genesis& genesis = preflight.genesis;
  const ValidatorIndex self = preflight.self;
  auto parts = std::make_unique<Parts>();
  parts->log = log;
  parts->keys = std::move(preflight.keys);
  parts->cosigner_keys = std::move(preflight.cosigner_keys);
  if (!preflight.removed.empty()) DestroyOldKeys(config.keys_dir, log);

  GrpcTransportOptions transport;
  transport.validators = preflight.validators;
  transport.self = self;
  transport.tls = config.tls;
  transport.log = log;
  parts->transport = std::make_unique<GrpcTransport>(transport);

  NodeConfig node_config = NodeConfigOf(config, self);
  node_config.consensus_key = &parts->keys->consensus;
  node_config.record_key = &parts->keys->record;
  node_config.log_key = &parts->keys->log;
  node_config.keyring = parts->cosigner_keys.get();
  if (node_config.keyring != nullptr) node_config.cosigner_key = &node_config.keyring->in_use();
  node_config.reveal_seed = parts->keys->reveal_seed;
  node_config.genesis_file = std::move(preflight.genesis_file);
  node_config.epoch_anchors = std::move(preflight.epoch_anchors);
  node_config.removed = preflight.removed;
  NodeSeams seams;
  seams.files = ledger::PosixFileSystem();
  seams.clock = SystemClock();
  seams.transport = parts->transport.get();
  seams.open_store = StoresIn(config.data_dir, config.store_cache_bytes, shares.store_files_max);
  seams.start_seed = FreshSeed();
  seams.log = log;
  seams.on_fatal = [](const absl::Status& /*error*/) { kill(getpid(), kFatalSignal); };
  seams.on_joined = [] { kill(getpid(), kFatalSignal); };
  seams.on_behind = [] { kill(getpid(), kFatalSignal); };
  seams.on_epoch_ended = [] { kill(getpid(), kFatalSignal); };
  ASSIGN_OR_RETURN(parts->node, Node::Open(genesis, node_config, seams));

  RETURN_IF_ERROR(StartSurfaces(config, shares, parts.get()));
  parts->node->Start();
  if (preflight.removed.empty()) {
    parts->transport->Start(
        [node = parts->node.get()](ValidatorIndex to, const Hash& certificate_hash) {
          return node->Hello(to, certificate_hash);
        });
  }
  ASSIGN_OR_RETURN(
      parts->witnesses,
      StartWitnessClients(config, log, ledger::LogKeysOf(genesis).logs.at(self.value()),
                          parts->node.get()));
  if (config.insecure_dev)
    log(LogLevel::kWarning, "api",
        "insecure_dev: clients are served WITHOUT TLS on " + config.listen_api);
  log(LogLevel::kInfo, "app",
      absl::StrCat(config.identity, " of ", genesis.network, " serves clients on ",
                   config.listen_api, ", validators on ", config.listen_peer,
                   config.listen_http.empty() ? "" : ", metrics on " + config.listen_http));
  return std::unique_ptr<Validator>(new Validator(std::move(parts)));
}

absl::Status Validator::Run() {
  const sigset_t signals = WaitedSignals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  if (signal == kFatalSignal) {
    const absl::Status fatal = parts_->node->fatal();
    if (!fatal.ok()) return absl::Status(fatal.code(), parts_->node->Status().refusing_reason);
    if (joined() || behind() || epoch_ended()) return absl::OkStatus();
  }
  parts_->log(LogLevel::kInfo, "app", "signal received, shutting down");
  parts_->node->HandOver();
  return absl::OkStatus();
}

bool Validator::joined() const { return parts_->node->joined(); }
bool Validator::behind() const { return parts_->node->behind(); }
bool Validator::epoch_ended() const { return parts_->node->epoch_ended(); }

namespace {

// So does the entry of a newcomer.
absl::Status PutEntry(const Config& config, const std::string& from) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  ASSIGN_OR_RETURN(const std::string json, files->ReadAll(from));
  RETURN_IF_ERROR(Annotate(ledger::ParseValidatorEntry(json).status(), from));
  RETURN_IF_ERROR(files->MakeDirs(config.data_dir));
  return files->WriteAtomically(NewcomerPath(config.data_dir), AsBytes(json));
}

// The chain lies in the data folder before anything asks whose keys are whose.
absl::Status PutEpochChain(const Config& config, const std::string& from) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  ASSIGN_OR_RETURN(const std::string genesis_file, files->ReadAll(config.genesis));
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, ledger::ParseGenesis(genesis_file));
  ASSIGN_OR_RETURN(const std::string chain, files->ReadAll(from));
  RETURN_IF_ERROR(Annotate(ledger::WalkEpochChain(genesis, AsBytes(chain)).status(), from));
  RETURN_IF_ERROR(files->MakeDirs(config.data_dir));
  return files->WriteAtomically(ledger::EpochChainPath(config.data_dir), AsBytes(chain));
}

}  // namespace

absl::Status InitValidator(const LoadedConfig& loaded, bool new_network, const std::string& epochs,
                           const std::string& entry) {
  if (!entry.empty() && new_network) {
    return absl::InvalidArgumentError(
        "--entry is for a newcomer of a network that runs: leave --new-network out");
  }
  if (!entry.empty()) RETURN_IF_ERROR(PutEntry(loaded.config, entry));
  if (!epochs.empty()) RETURN_IF_ERROR(PutEpochChain(loaded.config, epochs));
  ASSIGN_OR_RETURN(const Preflight preflight,
                   CheckEverything(loaded, SystemClock()->UnixMillis() / 1000));
  if (!new_network && preflight.genesis.validators.size() < 2) {
    return absl::FailedPreconditionError(
        "a network of one validator has nobody to join: vigild init --new-network");
  }
  return Node::Init(ledger::PosixFileSystem(), loaded.config.data_dir,
                    preflight.newcomer.has_value()
                        ? preflight.newcomer->journal_id
                        : preflight.genesis.validators[preflight.self.value()].journal_id,
                    loaded.config.keys_dir + "/rollback_guard",
                    new_network ? Beginning::kNewNetwork : Beginning::kJoin);
}

absl::StatusOr<std::string> RejoinValidator(const LoadedConfig& loaded, bool even_if_sound) {
  ASSIGN_OR_RETURN(const Preflight preflight,
                   CheckEverything(loaded, SystemClock()->UnixMillis() / 1000));
  if (preflight.newcomer.has_value()) return NoValidatorYet(loaded.config.identity);
  return Node::Rejoin(ledger::PosixFileSystem(), preflight.genesis, preflight.self,
                      loaded.config.data_dir, loaded.config.keys_dir + "/rollback_guard",
                      even_if_sound);
}

}  // namespace vigil::node
