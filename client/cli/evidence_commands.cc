#include "client/cli/evidence_commands.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/evidence_page.h"
#include "client/cli/input_file.h"
#include "client/cli/trust.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/evidence/evidence_facts.h"
#include "ledger/evidence/verify_evidence.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

struct Judged {
  std::string bytes;
  std::string policy_text;
  ledger::EvidenceReport report;  // Views into `bytes`.
};

absl::Status Judge(const EvidenceOptions& options, Judged* out) {
  ASSIGN_OR_RETURN(InputPolicy policy, ReadPolicy(options.policy));
  out->policy_text = std::move(policy.text);
  ASSIGN_OR_RETURN(std::optional<std::string> bytes,
                   ReadInput(options.file, ledger::kEvidenceBytesMax));
  if (!bytes.has_value()) {
    out->report.verdict = ledger::ProofVerdict::kMalformed;
    out->report.reason = absl::StrCat("evidence: more than ", ledger::kEvidenceBytesMax, " bytes");
    return absl::OkStatus();
  }
  out->bytes = *std::move(bytes);
  ASSIGN_OR_RETURN(const ledger::PolicyChain policies, ReadEpochs(policy.policy, options.epochs));
  out->report = ledger::VerifyEvidence(policies, out->bytes);
  return absl::OkStatus();
}

absl::Status VerdictOf(const EvidenceOptions& options, const ledger::EvidenceReport& report) {
  if (ledger::IsVerified(report.verdict)) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(options.file, ": ", ledger::ProofVerdictName(report.verdict)));
}

void Print(const Session& session, const ledger::EvidenceReport& report) {
  const std::string verdict(ledger::ProofVerdictName(report.verdict));
  const std::vector<ledger::ProofFact> facts = ledger::EvidenceFacts(report);
  if (session.format == OutputFormat::kTable) {
    for (const auto& [name, value] : facts) *session.out << name << ": " << value << '\n';
    *session.out << verdict;
    if (!report.reason.empty()) *session.out << ": " << ForTerminal(report.reason);
    *session.out << '\n';
    return;
  }
  Json json;
  json["verdict"] = verdict;
  if (!report.reason.empty()) json["reason"] = report.reason;
  json["facts"] = Json::array();
  for (const auto& [name, value] : facts)
    json["facts"].push_back({{"name", name}, {"value", value}});
  session.PrintJson(json);
}

// Each record's proof as a file that stock tools read.
absl::Status Extract(const Session& session, const std::string& folder, const Judged& judged) {
  ASSIGN_OR_RETURN(const ledger::Evidence evidence, ledger::DecodeEvidence(judged.bytes));
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  RETURN_IF_ERROR(files->MakeDirs(folder));
  for (size_t i = 0; i < evidence.parts.size(); ++i) {
    const uint64_t index = judged.report.records[i].index().value();
    const std::string path = absl::StrCat(folder, "/record-", index, ".tlog-proof");
    RETURN_IF_ERROR(
        files->WriteAtomically(path, AsBytes(ledger::WholeProof(evidence, evidence.parts[i]))));
  }
  *session.err << evidence.parts.size() << " proof files in " << ForTerminal(folder) << '\n';
  return absl::OkStatus();
}

}  // namespace

absl::Status RunEvidenceVerify(const Session& session, const EvidenceOptions& options) {
  Judged judged;
  RETURN_IF_ERROR(Judge(options, &judged));
  Print(session, judged.report);
  RETURN_IF_ERROR(VerdictOf(options, judged.report));
  return options.extract.empty() ? absl::OkStatus() : Extract(session, options.extract, judged);
}

absl::Status RunEvidencePage(const Session& session, const EvidenceOptions& options) {
  Judged judged;
  RETURN_IF_ERROR(Judge(options, &judged));
  if (!judged.report.reason.empty())
    *session.err << ForTerminal(judged.report.reason) << "; no page is made of it\n";
  RETURN_IF_ERROR(VerdictOf(options, judged.report));
  const std::string page = EvidencePage(judged.report, judged.bytes, judged.policy_text);
  if (options.page.empty()) {
    *session.out << page;
    return absl::OkStatus();
  }
  return ledger::PosixFileSystem()->WriteAtomically(options.page, AsBytes(page));
}

}  // namespace vigil::client
