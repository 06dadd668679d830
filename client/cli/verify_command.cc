#include "client/cli/verify_command.h"

#include <unistd.h>

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/output.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/leveldb_store.h"

namespace vigil::client {
namespace {

// Repaints one line on a terminal, at most ten times a second.
class ProgressLine {
 public:
  explicit ProgressLine(std::ostream* err) : err_(err), shown_(isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() {
    if (painted_) *err_ << "\r\033[K" << std::flush;
  }
  void Show(const ledger::VerifyProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    painted_ = true;
    *err_ << "\r\033[K" << progress.phase << " " << progress.done;
    if (progress.total > 0)
      *err_ << " of " << progress.total
            << absl::StrFormat(" (%d %%)", static_cast<int>(100 * progress.done / progress.total));
    *err_ << std::flush;
  }

 private:
  std::ostream* const err_;
  const bool shown_;
  bool painted_ = false;
  std::chrono::steady_clock::time_point last_;
};

Json ReportJson(const ledger::VerifyReport& report) {
  Json json;
  json["verdict"] = report.ok() ? "VERIFIED" : "DAMAGED";
  json["committed_height"] = Number(report.committed_height.value());
  json["executed_height"] = Number(report.tip.height.value());
  json["blocks"] = Number(report.block_count);
  json["superseded_blocks"] = Number(report.superseded_count);
  json["uncommitted_blocks"] = Number(report.uncommitted_count);
  json["records"] = Number(report.record_count);
  json["events"] = Number(report.event_count);
  json["payload_bytes"] = Number(report.payload_bytes);
  json["signatures"] = Number(report.signature_count);
  json["store_keys_compared"] = Number(report.store_key_count);
  json["store_compared"] = report.store_compared;
  json["block_hash"] = Json(report.tip.block_hash.ToHex());
  json["state_digest"] = Json(report.tip.state_digest.ToHex());
  json["tree_size"] = Number(report.tip.tree.size());
  json["tree_root"] = Json(report.tip.tree.Root().ToHex());
  json["finding_count"] = Number(report.finding_count);
  json["findings"] = Json::array();
  for (const ledger::VerifyFinding& finding : report.findings)
    json["findings"].push_back(ledger::DescribeFinding(finding));
  return json;
}

void PrintReport(const Session& session, const ledger::VerifyReport& report) {
  const Json json = ReportJson(report);
  if (session.format != OutputFormat::kTable) {
    session.PrintJson(json);
    return;
  }
  Facts facts;
  for (const auto& [name, value] : json.items()) {
    if (name != "findings")
      facts.Add(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  facts.Print(*session.out);
  for (const ledger::VerifyFinding& finding : report.findings)
    *session.out << "  " << ForTerminal(ledger::DescribeFinding(finding)) << '\n';
}

}  // namespace

absl::Status RunVerifyLedger(const Session& session, const VerifyLedgerOptions& options) {
  ledger::FileSystem* files = ledger::PosixFileSystem();
  const std::string genesis_path = options.genesis.empty() ? session.genesis : options.genesis;
  if (genesis_path.empty())
    return absl::InvalidArgumentError(
        "no genesis: pass --genesis FILE; it must be the file you trust, not one from the folder "
        "that is judged");
  ASSIGN_OR_RETURN(const std::string genesis_bytes, files->ReadAll(genesis_path));
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, ledger::ParseGenesis(genesis_bytes));
  if (!files->Exists(options.directory + "/journal")) {
    return absl::NotFoundError(
        absl::StrCat(options.directory, " holds no journal/; name the data folder of a validator"));
  }
  absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(options.directory + "/LOCK");
  if (!lock.ok())
    return Annotate(
        lock.status(),
        absl::StrCat(options.directory, " is in use; stop the validator first, or verify a copy"));

  ledger::VerifyOptions verify;
  verify.stop_at_first = options.stop_at_first;
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const ledger::JournalReader> journal,
      ledger::OpenJournalForReading(files, options.directory + "/journal", &verify.journal_damage));
  std::unique_ptr<ledger::Store> store;
  if (!options.journal_only && files->Exists(options.directory + "/state")) {
    ASSIGN_OR_RETURN(store, ledger::OpenLevelDbStore(files, options.directory + "/state",
                                                     ledger::LevelDbOptions()));
  }
  ledger::VerifyReport report;
  {
    ProgressLine line(session.err);
    report =
        ledger::VerifyLedger(*journal, genesis, store.get(), verify,
                             [&](const ledger::VerifyProgress& progress) { line.Show(progress); });
  }
  PrintReport(session, report);
  if (report.ok()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(report.finding_count, " findings in ", options.directory));
}

}  // namespace vigil::client
