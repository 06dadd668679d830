#include "node/app/learner.h"

#include <signal.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/clock.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"
#include "node/app/machine.h"
#include "node/app/preflight.h"
#include "node/driver/learner.h"
#include "node/http/http_server.h"
#include "node/peer/learner_transport.h"

namespace vigil::node {
namespace {

// Sent to the process itself when the learner must be looked at.
constexpr int kChangeSignal = SIGUSR1;

// What one that asks too late must not find: a signal for nobody.
void Forget(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  const timespec now = {};
  while (sigtimedwait(&set, nullptr, &now) == signal) {
  }
}

std::string MetricsOf(const Learner& learner) {
  const Learner::State state = learner.state();
  std::string text;
  const auto add = [&](absl::string_view name, absl::string_view type, absl::string_view help,
                       uint64_t value) {
    absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name,
                    " ", value, "\n");
  };
  add("vigil_learning", "gauge", "1: this machine is no validator yet, and learns.", 1);
  add("vigil_executed_height", "gauge", "Highest block executed here.", state.height.value());
  add("vigil_learning_final_height", "gauge", "Highest block that some validator said is final.",
      state.final.value());
  add("vigil_learning_let_in", "gauge", "Validators that let this machine learn.", state.let_in);
  add("vigil_learning_bad_answers_total", "counter",
      "Answers of validators that did not hold, since the start.", state.bad_answers);
  add("vigil_join_snapshot_height", "gauge", "Snapshot that it takes; 0: none.",
      state.join.height.value());
  add("vigil_join_chunks", "gauge", "Its chunks.", state.join.chunk_count);
  add("vigil_join_chunks_kept", "gauge", "Those of them that are here.", state.join.chunks_kept);
  return text;
}

std::string NotReady(const Learner& learner) {
  const Learner::State state = learner.state();
  return absl::StrCat("learning: ", state.phase, ", executed up to ", state.height.value(),
                      ", let in by ", state.let_in, " validators",
                      state.refusal.empty() ? "" : "; refused: ", state.refusal);
}

// The order of the members is that in which they must end, from below.
struct Parts {
  std::unique_ptr<LearnerTransport> transport;
  std::unique_ptr<Learner> learner;
  std::unique_ptr<HttpServer> http;

  ~Parts() {
    http.reset();
    if (transport != nullptr) transport->Stop();
    if (learner != nullptr) learner->Stop();
  }
};

absl::Status Open(const Config& config, Preflight preflight, const DescriptorShares& shares,
                  const LogFunction& log, const ledger::SigningKey* key, Parts* parts) {
  parts->transport =
      std::make_unique<LearnerTransport>(std::move(preflight.validators), config.tls);
  LearnerConfig learner;
  learner.data_dir = config.data_dir;
  learner.guard_path = config.keys_dir + "/rollback_guard";
  learner.entry = *std::move(preflight.newcomer);
  learner.consensus_key = key;
  learner.epoch_anchors = std::move(preflight.epoch_anchors);
  learner.block_cache_bytes_max = config.block_cache_bytes;
  LearnerSeams seams;
  seams.files = ledger::PosixFileSystem();
  seams.clock = SystemClock();
  seams.transport = parts->transport.get();
  seams.open_store = StoresIn(config.data_dir, config.store_cache_bytes, shares.store_files_max);
  seams.log = log;
  seams.on_change = [] { kill(getpid(), kChangeSignal); };
  ASSIGN_OR_RETURN(parts->learner, Learner::Open(preflight.genesis, learner, seams));
  if (!config.listen_http.empty()) {
    const Learner* const shown = parts->learner.get();
    ASSIGN_OR_RETURN(parts->http,
                     HttpServer::Start(config.listen_http,
                                       {.metrics = [shown] { return MetricsOf(*shown); },
                                        .not_ready = [shown] { return NotReady(*shown); },
                                        .log_file = nullptr},
                                       {.name = "http",
                                        .connections_max = shares.http_connections_max,
                                        .descriptor_max = shares.descriptor_max}));
  }
  parts->learner->Start();
  parts->transport->Start(parts->learner.get());
  return absl::OkStatus();
}

// Waits until the learner is to be opened anew, as what it is then. True: a signal ends the
// process.
absl::StatusOr<bool> Await(const Learner& learner) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGTERM, SIGINT, kChangeSignal}) sigaddset(&signals, one);
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != kChangeSignal) return true;
    RETURN_IF_ERROR(learner.fatal());
    if (learner.joined() || learner.epoch_ended()) return false;
    RETURN_IF_ERROR(learner.turned_away());
  }
}

}  // namespace

absl::StatusOr<LearnerEnd> RunLearner(const LoadedConfig& loaded, const LogFunction& log) {
  const Config& config = loaded.config;
  for (;;) {
    ASSIGN_OR_RETURN(Preflight preflight,
                     CheckEverything(loaded, SystemClock()->UnixMillis() / 1000));
    if (!preflight.newcomer.has_value()) return LearnerEnd::kIsValidator;
    for (const std::string& warning : preflight.warnings) log(LogLevel::kWarning, "app", warning);
    ASSIGN_OR_RETURN(const DescriptorShares shares, PrepareDescriptors(log));
    const ledger::SigningKey key = std::move(preflight.keys.consensus);
    bool stopped = false;
    {
      Parts parts;
      RETURN_IF_ERROR(Open(config, std::move(preflight), shares, log, &key, &parts));
      ASSIGN_OR_RETURN(stopped, Await(*parts.learner));
    }
    Forget(kChangeSignal);
    if (!stopped) continue;
    log(LogLevel::kInfo, "app", "signal received, shutting down");
    return LearnerEnd::kStopped;
  }
}

}  // namespace vigil::node
