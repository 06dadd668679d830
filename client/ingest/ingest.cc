#include "client/ingest/ingest.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ingest/checkpoint.h"
#include "client/ingest/quarantine.h"
#include "client/lib/terminal_text.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

constexpr size_t kUnknownFieldsShown = 8;

absl::Status CheckOptions(const IngestOptions& options) {
  if (options.inputs.empty()) return absl::InvalidArgumentError("no input; name files, or - ");
  if (options.state_folder.empty()) {
    return absl::InvalidArgumentError("no state folder: checkpoints and spool need a place");
  }
  return CheckBatchLimits(options.read.batch);
}

// Fills in chain and identity from the genesis file.
absl::Status ResolveStream(const IngestOptions& options, const ledger::SigningKey& key,
                           SubmitterOptions* submit) {
  ASSIGN_OR_RETURN(const std::string file,
                   ledger::PosixFileSystem()->ReadAll(options.genesis_path));
  absl::StatusOr<ledger::Genesis> genesis = ledger::ParseGenesis(file);
  if (!genesis.ok()) return Annotate(genesis.status(), options.genesis_path);
  submit->chain_id = genesis->chain_id;
  submit->policy = ledger::LogPolicyOf(*genesis);
  absl::StatusOr<std::string> identity =
      IdentityOfKey(*genesis, key.public_key(), submit->identity);
  if (!identity.ok()) {
    return Annotate(identity.status(), absl::StrCat(options.key_path, ", ", options.genesis_path));
  }
  submit->identity = *std::move(identity);
  return absl::OkStatus();
}

void AddUp(IngestReport* report) {
  report->total.input = "total";
  for (const InputReport& input : report->inputs) {
    InputReport& total = report->total;
    total.lines += input.lines;
    total.accepted += input.accepted;
    total.already_covered += input.already_covered;
    total.quarantined += input.quarantined;
    total.skipped += input.skipped;
    total.unsent += input.unsent;
    total.bytes += input.bytes;
    if (total.status.ok()) total.status = input.status;
  }
}

}  // namespace

absl::StatusOr<std::string> IdentityOfKey(const ledger::Genesis& genesis, const PublicKey& key,
                                          const std::string& claimed) {
  const std::string key_id = ledger::KeyIdOf(key).ToHex();
  for (const ledger::GenesisIdentity& identity : genesis.identities) {
    if (identity.key != key) continue;
    if (claimed.empty() || claimed == identity.identity()) return identity.identity();
    return absl::InvalidArgumentError(
        absl::StrCat("key ", key_id, " is ", identity.identity(), ", --identity says ", claimed));
  }
  for (const ledger::GenesisIdentity& identity : genesis.identities) {
    if (identity.identity() != claimed) continue;
    return absl::InvalidArgumentError(absl::StrCat("the key of ", claimed, " is ",
                                                   ledger::KeyIdOf(identity.key).ToHex(),
                                                   ", --signing-key has ", key_id));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the genesis file has no identity with the key ", key_id,
                   "; pass the sensor's own key with --signing-key, and its network's --genesis"));
}

absl::Status KeepMarks(CheckpointStore* store, const std::vector<std::string>& marks) {
  std::vector<std::string> written;
  for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
    const absl::StatusOr<Checkpoint> checkpoint = DecodeCheckpoint(*mark);
    if (!checkpoint.ok()) {
      store->NoteUnreadable(checkpoint.status());
      continue;
    }
    if (std::find(written.begin(), written.end(), checkpoint->path) != written.end()) continue;
    RETURN_IF_ERROR(store->Put(*checkpoint));
    written.push_back(checkpoint->path);
  }
  return absl::OkStatus();
}

void AssumeMarks(CheckpointStore* store, const std::vector<std::string>& marks) {
  for (const std::string& mark : marks) {
    absl::StatusOr<Checkpoint> checkpoint = DecodeCheckpoint(mark);
    if (checkpoint.ok()) store->Assume(*std::move(checkpoint));
  }
}

absl::StatusOr<IngestReport> RunIngestInto(const IngestOptions& options, CheckpointStore* store,
                                           BatchSink* sink, const Clock* clock,
                                           ledger::FileSystem* files, ProgressSink* progress) {
  RETURN_IF_ERROR(CheckOptions(options));
  IngestReport report;
  report.quarantine_path = options.quarantine_path.empty()
                               ? absl::StrCat(options.state_folder, "/quarantine.ndjson")
                               : options.quarantine_path;
  QuarantineFile quarantine(files, report.quarantine_path);
  ledger::SaltSource salts;
  const int64_t started = clock->MonotonicMicros();
  InputReader reader(options.read, {.sink = sink,
                                    .checkpoints = store,
                                    .quarantine = &quarantine,
                                    .salts = &salts,
                                    .clock = clock,
                                    .progress = progress});
  report.status = reader.ReadAll(options.inputs, &report.inputs);
  report.mapping = reader.mapping();
  report.delivery = sink->stats();
  report.unreadable_positions = store->unreadable_count();
  report.unreadable_reason = store->unreadable_reason();
  report.interrupted = reader.interrupted();
  report.elapsed_micros = clock->MonotonicMicros() - started;
  AddUp(&report);
  return report;
}

absl::StatusOr<IngestReport> RunIngest(const IngestOptions& options, ProgressSink* progress) {
  RETURN_IF_ERROR(CheckOptions(options));
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  ASSIGN_OR_RETURN(const ledger::SigningKey key, ledger::SigningKey::Load(options.key_path));
  SubmitterOptions submit = options.submit;
  RETURN_IF_ERROR(ResolveStream(options, key, &submit));
  submit.spool_folder = absl::StrCat(options.state_folder, "/spool");
  submit.receipts_folder = absl::StrCat(options.state_folder, "/receipts");
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Make(options.client));
  ASSIGN_OR_RETURN(
      const std::unique_ptr<CheckpointStore> store,
      CheckpointStore::Open(files, absl::StrCat(options.state_folder, "/checkpoints")));
  ASSIGN_OR_RETURN(const std::unique_ptr<Submitter> submitter,
                   Submitter::Open(submit, &key, client.get(), files, SystemClock(),
                                   [&store](const std::vector<std::string>& marks) {
                                     return KeepMarks(store.get(), marks);
                                   }));
  AssumeMarks(store.get(), submitter->PendingMarks());
  absl::StatusOr<IngestReport> report =
      RunIngestInto(options, store.get(), submitter.get(), SystemClock(), files, progress);
  if (report.ok()) report->pending = submitter->pending();
  return report;
}

absl::Status IngestVerdict(const IngestReport& report) {
  if (report.interrupted) {
    return absl::CancelledError("interrupted; the same command goes on where it stopped");
  }
  if (!report.status.ok()) return report.status;
  const InputReport& total = report.total;
  if (!total.status.ok()) {
    const bool some_read =
        total.lines > 0 || std::any_of(report.inputs.begin(), report.inputs.end(),
                                       [](const InputReport& input) { return input.status.ok(); });
    if (some_read) {
      return absl::AbortedError(
          absl::StrCat("not every input could be read to its end: ", total.status.message()));
    }
    if (absl::IsNotFound(total.status)) return total.status;
    // Whatever else is wrong with a file, it is no wrong argument and no network out of reach.
    return absl::FailedPreconditionError(total.status.message());
  }
  if (total.quarantined > 0 && total.accepted == 0 && total.already_covered == 0) {
    return absl::AbortedError(
        absl::StrCat("every line was quarantined, see ", report.quarantine_path));
  }
  return absl::OkStatus();
}

std::string FormatIngestReport(const IngestReport& report) {
  std::string text;
  for (const InputReport& input : report.inputs) {
    absl::StrAppend(&text, ForTerminal(input.input), " (", FormatName(input.format),
                    "): ", WithCommas(input.lines), " lines = ", WithCommas(input.accepted),
                    " accepted + ", WithCommas(input.already_covered), " already covered + ",
                    WithCommas(input.quarantined), " quarantined + ", WithCommas(input.skipped),
                    " header, comment or blank");
    if (input.unsent > 0) absl::StrAppend(&text, " + ", WithCommas(input.unsent), " unsent");
    if (input.unfinished) {
      absl::StrAppend(&text,
                      "; the last line has no line end yet and is left for the next run (--final "
                      "takes it as it is)");
    }
    if (!input.note.empty()) absl::StrAppend(&text, "; ", ForTerminal(input.note));
    if (!input.status.ok()) absl::StrAppend(&text, "; ", ForTerminal(input.status.message()));
    text.push_back('\n');
  }
  const MappingStats& mapping = report.mapping;
  const DeliveryStats& delivery = report.delivery;
  const uint64_t per_second =
      report.elapsed_micros <= 0
          ? 0
          : mapping.events * 1'000'000 / static_cast<uint64_t>(report.elapsed_micros);
  absl::StrAppend(&text, "events: ", WithCommas(mapping.events), " (", WithCommas(per_second),
                  "/s), ", WithCommas(mapping.specific_class_events), " of a specific class, ",
                  WithCommas(mapping.truncated_events), " truncated, ",
                  WithCommas(mapping.repaired_events), " repaired\n");
  absl::StrAppend(&text, "delivered: ", WithCommas(delivery.events_delivered), " events in ",
                  WithCommas(delivery.batches_delivered), " batches (",
                  WithCommas(delivery.duplicates), " already there), ",
                  WithCommas(delivery.retries), " retries, ", report.pending, " waiting");
  if (delivery.last_height > 0) absl::StrAppend(&text, ", up to height ", delivery.last_height);
  if (delivery.events_dropped > 0) {
    absl::StrAppend(&text, "; ", WithCommas(delivery.events_dropped),
                    " dropped, see the gap record");
  }
  text.push_back('\n');
  if (report.total.quarantined > 0) {
    absl::StrAppend(&text, "quarantined lines: ", ForTerminal(report.quarantine_path), "\n");
  }
  if (report.unreadable_positions > 0) {
    absl::StrAppend(&text, WithCommas(report.unreadable_positions),
                    " positions of delivered batches cannot be read (",
                    ForTerminal(report.unreadable_reason.message()),
                    "): what they cover may be read again; go on with the vigil that wrote them\n");
  }
  std::vector<std::pair<uint64_t, std::string>> unknown;
  for (const auto& [field, count] : mapping.unknown_fields) unknown.emplace_back(count, field);
  std::sort(unknown.rbegin(), unknown.rend());
  if (unknown.size() > kUnknownFieldsShown) unknown.resize(kUnknownFieldsShown);
  for (const auto& [count, field] : unknown) {
    absl::StrAppend(&text, "no rule for: ", ForTerminal(field), " (", WithCommas(count), ")\n");
  }
  if (!report.status.ok())
    absl::StrAppend(&text, "stopped: ", ForTerminal(report.status.message()), "\n");
  return text;
}

}  // namespace vigil::client
