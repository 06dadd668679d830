#include "node/app/validator.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/clock.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/note.h"
#include "ledger/storage/file.h"
#include "ledger/storage/leveldb_store.h"
#include "node/api/api_server.h"
#include "node/app/keys_dir.h"
#include "node/driver/node.h"
#include "node/http/http_server.h"
#include "node/http/metrics.h"
#include "node/http/witness_client.h"
#include "node/peer/grpc_transport.h"
#include "node/peer/peer_server.h"
#include "node/peer/tls.h"

namespace vigil::node {
namespace {

// Sent to the process itself when the node has died, so that Run() wakes.
constexpr int kFatalSignal = SIGUSR1;

sigset_t WaitedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, kFatalSignal);
  return signals;
}

absl::StatusOr<ledger::Genesis> ReadGenesis(const Config& config) {
  ASSIGN_OR_RETURN(const std::string bytes, ledger::PosixFileSystem()->ReadAll(config.genesis));
  absl::StatusOr<ledger::Genesis> genesis = ledger::ParseGenesis(bytes);
  if (!genesis.ok()) return Annotate(genesis.status(), config.genesis);
  return genesis;
}

absl::StatusOr<ValidatorIndex> FindSelf(const Config& config, const ledger::Genesis& genesis) {
  const std::optional<ValidatorIndex> self = genesis.FindValidator(config.identity);
  if (self.has_value()) return *self;
  return absl::InvalidArgumentError(
      absl::StrCat("identity '", config.identity, "' is no validator of network ", genesis.network,
                   "; genesis names ", genesis.validators.front().identity(), " and ",
                   genesis.validators.size() - 1, " more"));
}

// The validators in the order of genesis, with the addresses of the configuration.
absl::StatusOr<std::vector<PeerAddress>> OrderPeers(const Config& config,
                                                    const ledger::Genesis& genesis) {
  std::vector<PeerAddress> ordered;
  for (const ledger::GenesisValidator& validator : genesis.validators)
    ordered.push_back({.identity = validator.identity(), .address = ""});
  for (const PeerAddress& peer : config.peers) {
    const std::optional<ValidatorIndex> index = genesis.FindValidator(peer.identity);
    if (!index.has_value())
      return absl::InvalidArgumentError(absl::StrCat(
          "peers: '", peer.identity, "' is no validator of network ", genesis.network));
    ordered[index->value()].address = peer.address;
  }
  for (const PeerAddress& peer : ordered) {
    if (peer.address.empty() && peer.identity != config.identity) {
      return absl::InvalidArgumentError(
          absl::StrCat("peers: no address for ", peer.identity, "; add a [[peers]] table for it"));
    }
  }
  return ordered;
}

NodeConfig NodeConfigOf(const Config& config, ValidatorIndex self) {
  NodeConfig node;
  node.data_dir = config.data_dir;
  node.guard_path = config.keys_dir + "/rollback_guard";
  node.self = self;
  node.mempool.lane_bytes_max = {config.lane_governance_bytes, config.lane_alerts_bytes,
                                 config.lane_events_bytes};
  node.block_cache_bytes_max = config.block_cache_bytes;
  node.accept_torn_tail = config.accept_torn_tail;
  node.election_timeout_ticks_min = config.election_min_millis / consensus::kTickMillis;
  node.election_timeout_ticks_max = config.election_max_millis / consensus::kTickMillis;
  return node;
}

uint64_t FreshSeed() {
  const std::string bytes = ledger::RandomBytes(sizeof(uint64_t));
  return ByteReader(AsBytes(bytes)).U64();
}

StoreFactory StoresIn(const std::string& data_dir, size_t cache_bytes) {
  return [data_dir, cache_bytes](absl::string_view name,
                                 bool wipe) -> absl::StatusOr<std::unique_ptr<ledger::Store>> {
    const std::string directory = absl::StrCat(data_dir, "/", name);
    ledger::FileSystem* files = ledger::PosixFileSystem();
    if (wipe) RETURN_IF_ERROR(ledger::RemoveLevelDbStore(files, directory));
    return ledger::OpenLevelDbStore(files, directory, {.cache_bytes = cache_bytes});
  };
}

}  // namespace

struct Validator::Parts {
  LogFunction log;
  std::optional<ValidatorKeys> keys;
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

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttp(const Config& config, const Node* node) {
  const bool public_entries = config.public_entries;
  HttpHandlers handlers;
  handlers.metrics = [node] { return MetricsText(*node); };
  handlers.not_ready = [node] {
    const NodeStatus status = node->Status();
    if (status.refusing) return "refusing: " + status.refusing_reason;
    return std::string(status.core.leader.has_value() ? "" : "no leader is known");
  };
  handlers.log_file = [node, public_entries](absl::string_view path) {
    return LogFileAnswer(*node, public_entries, path);
  };
  return HttpServer::Start(config.listen_http, std::move(handlers));
}

// One client per configured witness. `node` must outlive them.
absl::StatusOr<std::vector<std::unique_ptr<WitnessClient>>> StartWitnessClients(
    const Config& config, const LogFunction& log, Node* node) {
  std::vector<std::unique_ptr<WitnessClient>> clients;
  for (const WitnessAddress& witness : config.witnesses) {
    WitnessClient::Options options;
    ASSIGN_OR_RETURN(options.key, ledger::DecodeNoteKey(witness.vkey));
    ASSIGN_OR_RETURN(options.url, ParseWitnessUrl(witness.url, config.insecure_witness_http));
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

Validator::Validator(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Validator::~Validator() = default;

void Validator::BlockSignals() {
  const sigset_t signals = WaitedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

absl::StatusOr<std::unique_ptr<Validator>> Validator::Start(const Config& config,
                                                            const LogFunction& log) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, ReadGenesis(config));
  ASSIGN_OR_RETURN(const ValidatorIndex self, FindSelf(config, genesis));
  auto parts = std::make_unique<Parts>();
  parts->log = log;
  ASSIGN_OR_RETURN(parts->keys, LoadValidatorKeys(ledger::PosixFileSystem(), config.keys_dir,
                                                  genesis.validators[self.value()]));

  GrpcTransportOptions transport;
  ASSIGN_OR_RETURN(transport.validators, OrderPeers(config, genesis));
  transport.self = self;
  transport.tls = config.tls;
  parts->transport = std::make_unique<GrpcTransport>(transport);

  NodeConfig node_config = NodeConfigOf(config, self);
  node_config.consensus_key = &parts->keys->consensus;
  node_config.record_key = &parts->keys->record;
  node_config.log_key = &parts->keys->log;
  node_config.cosigner_key = &parts->keys->cosigner;
  node_config.reveal_seed = parts->keys->reveal_seed;
  NodeSeams seams;
  seams.files = ledger::PosixFileSystem();
  seams.clock = SystemClock();
  seams.transport = parts->transport.get();
  seams.open_store = StoresIn(config.data_dir, config.store_cache_bytes);
  seams.start_seed = FreshSeed();
  seams.log = log;
  seams.on_fatal = [](const absl::Status& /*error*/) { kill(getpid(), kFatalSignal); };
  ASSIGN_OR_RETURN(parts->node, Node::Open(genesis, node_config, seams));

  ASSIGN_OR_RETURN(parts->peers, PeerServer::Start(config.listen_peer, config.tls,
                                                   &parts->node->genesis(), parts->node.get()));
  ASSIGN_OR_RETURN(parts->api,
                   ApiServer::Start(config.listen_api,
                                    config.insecure_dev ? grpc::InsecureServerCredentials()
                                                        : ServerTls(config.tls),
                                    parts->node.get()));
  if (!config.listen_http.empty()) {
    ASSIGN_OR_RETURN(parts->http, StartHttp(config, parts->node.get()));
  }
  parts->node->Start();
  parts->transport->Start(parts->node->Hello());
  ASSIGN_OR_RETURN(parts->witnesses, StartWitnessClients(config, log, parts->node.get()));
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
    if (!fatal.ok()) return fatal;
  }
  parts_->log(LogLevel::kInfo, "app", "signal received, shutting down");
  return absl::OkStatus();
}

absl::Status InitValidator(const Config& config) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, ReadGenesis(config));
  ASSIGN_OR_RETURN(const ValidatorIndex self, FindSelf(config, genesis));
  RETURN_IF_ERROR(LoadValidatorKeys(ledger::PosixFileSystem(), config.keys_dir,
                                    genesis.validators[self.value()])
                      .status());
  return Node::Init(ledger::PosixFileSystem(), config.data_dir,
                    genesis.validators[self.value()].journal_id,
                    config.keys_dir + "/rollback_guard");
}

}  // namespace vigil::node
