#include "client/cli/witness_command.h"

#include <pthread.h>

#include <csignal>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/witness/watched_logs.h"
#include "client/witness/witness.h"
#include "client/witness/witness_key.h"
#include "client/witness/witness_server.h"
#include "client/witness/witness_state.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

absl::StatusOr<std::vector<ledger::WitnessLog>> ReadPolicies(const std::vector<std::string>& paths,
                                                             const ledger::NoteKey& self) {
  std::vector<PolicyFile> files;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(std::string text, ledger::PosixFileSystem()->ReadAll(path));
    files.push_back({.path = path, .text = std::move(text)});
  }
  return WatchedLogs(files, self);
}

// A function that prints "<time> <line>"; requests are decided on several threads.
WitnessLogFunction LinesTo(std::ostream* out) {
  auto mutex = std::make_shared<Mutex>();  // Shared by every copy of the function.
  return [out, mutex](absl::string_view line) {
    MutexLock lock(mutex.get());
    *out << TimeText(SystemClock()->UnixMillis()) << ' ' << ForTerminal(line) << std::endl;
  };
}

}  // namespace

absl::Status RunWitnessInit(const Session& session, const WitnessOptions& options) {
  ASSIGN_OR_RETURN(const ledger::NoteKey key,
                   InitWitness(ledger::PosixFileSystem(), options.directory, options.name));
  const std::string vkey = ledger::EncodeNoteKey(key);
  if (session.format == OutputFormat::kTable) {
    *session.out << vkey << '\n';
  } else {
    Json json;
    json["vkey"] = vkey;
    session.PrintJson(json);
  }
  *session.err << "made " << options.directory
               << "; give the vkey to the log's operators; next: vigil witness run --dir "
               << options.directory << " --log POLICY_FILE\n";
  return absl::OkStatus();
}

absl::Status RunWitness(const Session& session, const WitnessOptions& options) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  // Before any thread starts, so that all of them leave the signals to this one.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  ASSIGN_OR_RETURN(WitnessKey key, LoadWitnessKey(*files, options.directory));
  ASSIGN_OR_RETURN(std::vector<ledger::WitnessLog> logs, ReadPolicies(options.policies, key.note));
  std::vector<std::string> origins;
  for (const ledger::WitnessLog& log : logs) origins.push_back(log.origin);
  ASSIGN_OR_RETURN(std::unique_ptr<WitnessFolder> folder,
                   WitnessFolder::Open(files, options.directory, origins));
  const WitnessLogFunction log = LinesTo(session.err);
  Witness witness(std::move(key), std::move(folder), std::move(logs), SystemClock(), log);
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<WitnessServer> server,
                     WitnessServer::Start(options.listen, &witness));
    for (const std::string& origin : origins) log(absl::StrCat("watches ", origin));
    log(absl::StrCat(witness.key().name, " serves on ", options.listen));
    int signal = 0;
    while (sigwait(&signals, &signal) != 0) {
    }
    log("signal received, shutting down");
  }
  return absl::OkStatus();
}

absl::Status RunWitnessShow(const Session& session, const WitnessOptions& options) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  ASSIGN_OR_RETURN(const ledger::NoteKey key, LoadWitnessVkey(*files, options.directory));
  ASSIGN_OR_RETURN(const std::vector<ListedOrigin> origins, ListOrigins(files, options.directory));
  if (session.format == OutputFormat::kTable) {
    *session.out << ledger::EncodeNoteKey(key) << "\n\n";
    Table table({"ORIGIN", "SIZE", "ROOT"});
    for (const ListedOrigin& one : origins)
      table.Add({ForTerminal(one.origin), absl::StrCat(one.state.size), one.state.root.ToHex()});
    table.Print(*session.out);
    return absl::OkStatus();
  }
  Json json;
  json["vkey"] = ledger::EncodeNoteKey(key);
  json["origins"] = Json::array();
  for (const ListedOrigin& one : origins) {
    Json entry;
    entry["origin"] = one.origin;
    entry["size"] = Number(one.state.size);
    entry["root"] = one.state.root.ToHex();
    json["origins"].push_back(std::move(entry));
  }
  session.PrintJson(json);
  return absl::OkStatus();
}

}  // namespace vigil::client
