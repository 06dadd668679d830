#include "client/cli/verify_command.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/input_file.h"
#include "client/cli/output.h"
#include "client/cli/progress_line.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/state/ledger_places.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/overlay_file_system.h"

namespace vigil::client {
namespace {

// Of every epoch that genesis is restated with.
std::vector<ledger::GenesisValidator> AllValidators(const ledger::Genesis& genesis) {
  std::vector<ledger::GenesisValidator> all = genesis.validators;
  for (const ledger::EpochSet& past : genesis.past)
    all.insert(all.end(), past.validators.begin(), past.validators.end());
  return all;
}

// What the options say is known of the ledger from elsewhere.
absl::Status ReadPins(const VerifyLedgerOptions& options, const ledger::Genesis& genesis,
                      ledger::FileSystem* files, ledger::VerifyOptions* verify) {
  verify->height_min = Height(options.at_least);
  if (!options.tip.empty()) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(options.tip, absl::MaxSplits(':', 1));
    uint64_t height = 0;
    const absl::StatusOr<Hash> hash = Hash::FromHex(parts.second);
    if (!absl::SimpleAtoi(parts.first, &height) || height == 0 || !hash.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--tip ", options.tip, ": HEIGHT:HASH belongs there, as `vigil block get` shows them"));
    }
    verify->pin = {.height = Height(height), .block_hash = *hash};
  }
  const std::vector<ledger::GenesisValidator> all = AllValidators(genesis);
  const auto is_named = [&](const auto& one) { return one.identity() == options.validator; };
  if (!options.validator.empty() && std::ranges::none_of(all, is_named)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--validator ", options.validator,
                     " is none of genesis, nor of the epochs after it; write org/name"));
  }
  if (options.guard.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ledger::RollbackGuard guard,
                   ledger::LoadRollbackGuard(files, options.guard));
  verify->durable_offset_min = guard.durable_offset;
  return absl::OkStatus();
}

// Whose journal it is, by the id that genesis gives each validator.
absl::StatusOr<std::string> OwnerOf(const ledger::JournalId& id, const ledger::Genesis& genesis,
                                    const VerifyLedgerOptions& options) {
  for (const ledger::GenesisValidator& validator : AllValidators(genesis)) {
    if (validator.journal_id.bytes != id.bytes) continue;
    if (options.validator.empty() || options.validator == validator.identity()) {
      return validator.identity();
    }
    return absl::DataLossError(absl::StrCat("the journal in ", options.directory, " is that of ",
                                            validator.identity(), ", not of ", options.validator));
  }
  return absl::DataLossError(absl::StrCat("the journal in ", options.directory, " bears id ",
                                          id.ToHex(), ", which genesis gives to no validator"));
}

std::string HeightsText(const std::vector<ledger::HeightRange>& ranges) {
  std::vector<std::string> texts;
  for (const ledger::HeightRange& range : ranges) {
    texts.push_back(absl::StrCat(range.first.value(), " to ", range.last.value()));
  }
  return absl::StrJoin(texts, ", ");
}

absl::string_view BaseDigestText(const ledger::BaseJudgement& base) {
  if (base.digest_signed_by != Height(0)) return "a proposer above signed it";
  if (base.digest_in_snapshot) return "that of the snapshot";
  return "not compared: no header above carries it, and no snapshot was of use";
}

// What stands in for genesis, and how much of it is proven by what.
void AddBase(const ledger::VerifyReport& report, Json* json) {
  if (!report.missing.empty()) (*json)["missing_heights"] = Json(HeightsText(report.missing));
  if (!report.missing_offsets.empty()) {
    (*json)["missing_offsets"] = Json::array();
    for (const ledger::MissingOffsets& missing : report.missing_offsets) {
      (*json)["missing_offsets"].push_back(
          absl::StrCat(missing.range.begin, " to ", missing.range.end,
                       missing.files.empty() ? "" : ": ", absl::StrJoin(missing.files, ", ")));
    }
  }
  if (!report.not_executed.empty()) {
    (*json)["not_executed_heights"] = Json(
        absl::StrCat(HeightsText(report.not_executed), ": no snapshot of a height below is here"));
  }
  if (report.snapshot.has_value()) {
    const Height carrier = report.snapshot->carried_by;
    (*json)["executed_from_snapshot"] = Number(report.snapshot->height.value());
    (*json)["snapshot_proven_by"] =
        Json(carrier == Height(0)
                 ? std::string("the base frame alone, as the validator that joined wrote it")
                 : absl::StrCat("block ", carrier.value()));
  }
  if (report.base.has_value()) {
    const ledger::BaseJudgement& base = *report.base;
    (*json)["base_height"] = Number(base.frame.block.height.value());
    (*json)["base_block_hash"] = Json(base.frame.block.hash.ToHex());
    (*json)["base_in_log"] =
        Json(base.in_log ? std::string("its block, seal and root are in the log's files")
                         : absl::StrCat("not compared: ", base.not_in_log_reason));
    (*json)["base_state_digest"] = Json(BaseDigestText(base));
  }
  if (report.checkpoint.has_value()) {
    const ledger::CheckpointJudgement& checkpoint = *report.checkpoint;
    (*json)["checkpoint_size"] = Number(checkpoint.size);
    (*json)["checkpoint"] = Json(CheckpointStateName(checkpoint.state));
    (*json)["checkpoint_cosigned_by"] = Json(absl::StrJoin(checkpoint.witnesses, ", "));
  } else {
    (*json)["checkpoint"] = "none beside the journal: no quorum's word on the log was compared";
  }
}

Json ReportJson(const ledger::VerifyReport& report, const std::string& owner,
                const ledger::Genesis& genesis) {
  Json json;
  json["verdict"] = Json(VerdictName(report.verdict()));
  json["validator"] = Json(owner);
  json["epochs_proven"] = Number(genesis.epoch.value());
  json["committed_height"] = Number(report.committed_height.value());
  json["executed_height"] = Number(report.executed_height.value());
  json["blocks"] = Number(report.block_count);
  json["superseded_blocks"] = Number(report.superseded_count);
  json["uncommitted_blocks"] = Number(report.uncommitted_count);
  json["records"] = Number(report.record_count);
  json["events"] = Number(report.event_count);
  json["payload_bytes"] = Number(report.payload_bytes);
  if (report.pruned.payload_count > 0) {
    json["pruned_payloads"] = Number(report.pruned.payload_count);
    json["pruned_events"] = Number(report.pruned.event_count);
    json["pruned_payload_bytes"] = Number(report.pruned.payload_bytes);
    json["pruned_heights"] = Json(absl::StrCat(report.pruned.first_height.value(), " to ",
                                               report.pruned.last_height.value()));
  }
  json["signatures"] = Number(report.signature_count);
  json["store_keys_compared"] = Number(report.store_key_count);
  json["store_compared"] = report.store_compared;
  json["block_hash"] = Json(report.tip.block_hash.ToHex());
  if (report.executed_height == report.tip.height)
    json["state_digest"] = Json(report.tip.state_digest.ToHex());
  if (report.tree_known) {
    json["tree_size"] = Number(report.tip.tree.size());
    json["tree_root"] = Json(report.tip.tree.Root().ToHex());
  }
  AddBase(report, &json);
  json["end"] = report.end_pinned
                    ? "known from elsewhere"
                    : "not proven: compare height and block hash with another validator's, or pass "
                      "--tip, --at-least or --guard";
  json["signed_by"] = Json::object();
  for (const auto& [proposer, count] : report.proposed) {
    json["signed_by"][proposer] = Number(count);
  }
  json["finding_count"] = Number(report.finding_count);
  json["findings"] = Json::array();
  for (const ledger::VerifyFinding& finding : report.findings)
    json["findings"].push_back(ledger::DescribeFinding(finding));
  return json;
}

void PrintReport(const Session& session, const ledger::VerifyReport& report, const Json& json) {
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

// Null: the folder belongs to no running validator, but cannot be locked against one that starts.
absl::StatusOr<std::shared_ptr<void>> LockData(const Session& session, ledger::FileSystem* files,
                                               const std::string& directory) {
  absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(directory + "/LOCK");
  if (absl::IsAlreadyExists(lock.status()))
    return Annotate(
        lock.status(),
        absl::StrCat(directory, " is in use; stop the validator first, or verify a copy"));
  if (lock.ok()) return lock;
  // A folder that nobody here can write is one that no validator can start on.
  *session.err << "note: not locked against a validator that starts: "
               << ForTerminal(lock.status().message()) << '\n';
  return std::shared_ptr<void>();
}

absl::StatusOr<std::unique_ptr<ledger::Store>> OpenState(ledger::FileSystem* overlay,
                                                         const std::string& directory) {
  if (overlay->Exists(directory + "/state")) {
    return ledger::OpenLevelDbStore(overlay, directory + "/state", ledger::LevelDbOptions());
  }
  return absl::DataLossError(absl::StrCat(directory,
                                          " holds no state/ to compare with what execution gives; "
                                          "pass --journal-only to judge the journal alone"));
}

absl::StatusOr<ledger::Genesis> ReadGenesis(const Session& session, ledger::FileSystem* files,
                                            const std::string& named) {
  const std::string path = named.empty() ? session.genesis : named;
  if (path.empty())
    return absl::InvalidArgumentError(
        "no genesis: pass --genesis FILE; it must be the file you trust, not one from the folder "
        "that is judged");
  ASSIGN_OR_RETURN(const std::string bytes, files->ReadAll(path));
  return ledger::ParseGenesis(bytes);
}

// Genesis as far as the epoch chain leads: the one that is named, else that of the data folder.
absl::StatusOr<ledger::Genesis> RestateGenesis(ledger::FileSystem* files,
                                               const ledger::Genesis& genesis,
                                               const VerifyLedgerOptions& options) {
  absl::StatusOr<ledger::Genesis> restated = genesis;
  if (options.epochs.empty()) {
    restated = ledger::LoadEpochs(*files, options.directory, genesis);
  } else {
    ASSIGN_OR_RETURN(const std::optional<std::string> file,
                     ReadInput(options.epochs, ledger::kEpochChainBytesMax));
    restated = file.has_value() ? ledger::WalkEpochChain(genesis, AsBytes(*file))
                                : absl::InvalidArgumentError("an epoch chain is not that large");
    if (!restated.ok()) restated = Annotate(restated.status(), options.epochs);
  }
  if (restated.ok()) return restated;
  // Whatever it is, the ledger is not what the genesis file leads to.
  return absl::DataLossError(restated.status().message());
}

// Where to read, and what lies beside it.
absl::StatusOr<ledger::LedgerPlaces> PlacesOf(ledger::FileSystem* files,
                                              const VerifyLedgerOptions& options,
                                              ledger::VerifyOptions* verify) {
  ledger::LedgerPlaces places;
  if (ledger::IsArchive(*files, options.directory)) {
    places.archives.push_back(options.directory);
  } else if (files->Exists(options.directory + "/journal")) {
    places.data_directory = options.directory;
    verify->files = files;
    verify->log_directory = options.directory + "/log";
    verify->snapshot_directory = options.directory + "/snapshots";
  } else {
    return absl::NotFoundError(
        absl::StrCat(options.directory,
                     " holds no journal/ and no archive's MANIFEST; name the data folder of a "
                     "validator, or an archive"));
  }
  places.archives.insert(places.archives.end(), options.archives.begin(), options.archives.end());
  return places;
}

// What the verdict means for the exit code.
absl::Status StatusOf(const ledger::VerifyReport& report, const std::string& directory) {
  if (!report.ok()) {
    return absl::DataLossError(absl::StrCat(report.finding_count, " findings in ", directory));
  }
  if (report.verdict() == ledger::VerifyVerdict::kVerified) return absl::OkStatus();
  const std::string what =
      report.missing.empty() ? "parts of the journal without blocks"
                             : absl::StrCat("the blocks of heights ", HeightsText(report.missing));
  return absl::AbortedError(absl::StrCat(
      "what is in ", directory, " is sound; ", what,
      " are not in it: bring in what was archived with --archive DIR, or verify the folder of a "
      "validator that has them, too"));
}

}  // namespace

absl::Status RunVerifyLedger(const Session& session, const VerifyLedgerOptions& options) {
  ledger::FileSystem* files = ledger::PosixFileSystem();
  ASSIGN_OR_RETURN(const ledger::Genesis pinned, ReadGenesis(session, files, options.genesis));
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, RestateGenesis(files, pinned, options));
  ledger::VerifyOptions verify;
  verify.stop_at_first = options.stop_at_first;
  ASSIGN_OR_RETURN(const ledger::LedgerPlaces places, PlacesOf(files, options, &verify));
  const bool has_data = !places.data_directory.empty();
  std::shared_ptr<void> lock;
  if (has_data) {
    ASSIGN_OR_RETURN(lock, LockData(session, files, options.directory));
  }
  RETURN_IF_ERROR(ReadPins(options, genesis, files, &verify));
  ASSIGN_OR_RETURN(const ledger::OpenedLedger opened,
                   ledger::OpenLedger(files, genesis, places, &verify));
  ASSIGN_OR_RETURN(const std::string owner, OwnerOf(opened.journal_id, genesis, options));
  // LevelDB writes when it opens a database; what is judged stays as it was found.
  ledger::OverlayFileSystem overlay(files);
  std::unique_ptr<ledger::Store> store;
  if (has_data && !options.journal_only) {
    ASSIGN_OR_RETURN(store, OpenState(&overlay, options.directory));
  }
  ledger::VerifyReport report;
  {
    ProgressLine line(session.err);
    report = ledger::VerifyLedger(*opened.journal, genesis, store.get(), verify,
                                  [&](const ledger::VerifyProgress& progress) {
                                    line.Show(progress.phase, progress.done, progress.total);
                                  });
  }
  PrintReport(session, report, ReportJson(report, owner, genesis));
  return StatusOf(report, options.directory);
}

}  // namespace vigil::client
