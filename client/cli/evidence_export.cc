#include "client/cli/evidence_export.h"

#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/evidence_collector.h"
#include "client/cli/outside_policy.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/evidence/verify_evidence.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

using ledger::EvidenceQuestion;
using ledger::EvidenceSubject;

absl::Status WantEvent(const EvidenceExportOptions& options, EvidenceCollector* collector,
                       EvidenceQuestion* question) {
  const absl::string_view ref = options.ref;
  const size_t dot = ref.find('.');
  uint64_t record = 0;
  uint32_t item = 0;
  if (dot == absl::string_view::npos || !absl::SimpleAtoi(ref.substr(0, dot), &record) ||
      !absl::SimpleAtoi(ref.substr(dot + 1), &item)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", ref, "' where record.item belongs, as searches print it"));
  }
  question->event = {.record_index = RecordIndex(record), .item = ItemIndex(item)};
  return collector->WantEvent(record, item);
}

absl::Status WantAlert(const EvidenceExportOptions& options, EvidenceCollector* collector,
                       EvidenceQuestion* question) {
  uint64_t record = 0;
  if (!absl::SimpleAtoi(options.ref, &record)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options.ref, "' where the record index of an alert belongs"));
  }
  question->alert = RecordIndex(record);
  return collector->WantAlert(record);
}

absl::Status WantSpan(const EvidenceExportOptions& options, EvidenceCollector* collector,
                      EvidenceQuestion* question) {
  ASSIGN_OR_RETURN(v1::SearchEventsRequest request, SearchRequestOf(options.filter));
  if (options.filter.from.empty() || options.filter.to.empty()) {
    return absl::InvalidArgumentError(
        "a span needs both ends: --since TIME --until TIME, as 2026-11-20T14:00:00Z");
  }
  question->from_unix_nano = static_cast<uint64_t>(request.from_unix_nano());
  question->to_unix_nano = static_cast<uint64_t>(request.to_unix_nano());
  return collector->WantSpan(std::move(request), !options.only_matching);
}

// Where `file` is written, whether it verifies and what it shows.
absl::Status Deliver(const Session& session, const std::string& genesis, const std::string& path,
                     const std::string& file) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  if (genesis.empty()) {
    *session.err << "not verified: pass --genesis FILE, or use `vigil evidence verify`\n";
    return files->WriteAtomically(path, AsBytes(file));
  }
  ASSIGN_OR_RETURN(const ledger::Genesis parsed, ledger::ParseGenesis(genesis));
  const ledger::EvidenceReport report = ledger::VerifyEvidence(ledger::LogPolicyOf(parsed), file);
  if (!ledger::IsVerified(report.verdict)) {
    RETURN_IF_ERROR(files->WriteAtomically(path + ".refused", AsBytes(file)));
    const absl::string_view verdict = ledger::ProofVerdictName(report.verdict);
    return absl::DataLossError(absl::StrCat("what the validators gave does not verify: ", verdict,
                                            ": ", report.reason, "; kept as ", path, ".refused"));
  }
  RETURN_IF_ERROR(files->WriteAtomically(path, AsBytes(file)));
  *session.err << ForTerminal(path) << ": " << file.size() << " bytes, " << report.records.size()
               << " records, " << report.events_shown() << " events, verified under "
               << ForTerminal(session.genesis) << ", tree of " << report.head->checkpoint.size
               << " leaves\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status RunEvidenceExport(const Session& session, EvidenceSubject subject,
                               const EvidenceExportOptions& options) {
  std::string genesis;
  if (!session.genesis.empty()) {
    ASSIGN_OR_RETURN(genesis, ledger::PosixFileSystem()->ReadAll(session.genesis));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  std::vector<std::string> witnesses;
  for (const std::string& witness : options.witnesses) {
    witnesses.push_back(WitnessName(witness));
  }
  EvidenceCollector collector(client.get(), std::move(witnesses), options.wait_seconds * 1000);
  EvidenceQuestion question;
  question.subject = subject;
  switch (subject) {
    case EvidenceSubject::kEvent:
      RETURN_IF_ERROR(WantEvent(options, &collector, &question));
      break;
    case EvidenceSubject::kAlert:
      RETURN_IF_ERROR(WantAlert(options, &collector, &question));
      break;
    case EvidenceSubject::kSpan:
      RETURN_IF_ERROR(WantSpan(options, &collector, &question));
      break;
  }
  if (!collector.note().empty()) *session.err << ForTerminal(collector.note()) << '\n';
  ASSIGN_OR_RETURN(const std::string file, collector.Finish(question, genesis));
  return Deliver(session, genesis, options.file, file);
}

}  // namespace vigil::client
