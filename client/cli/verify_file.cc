#include "client/cli/verify_file.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/input_file.h"
#include "client/cli/trust.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/consistency.h"
#include "ledger/proof/facts.h"
#include "ledger/proof/fork_evidence.h"
#include "ledger/proof/verify_proof.h"

namespace vigil::client {
namespace {

constexpr absl::string_view kConsistencyLine = "vigil.dev/consistency-proof@v1\n";
constexpr absl::string_view kForkLine = "vigil.dev/fork-evidence@v1\n";
constexpr size_t kFileBytesMax = ledger::kTlogProofBytesMax;
static_assert(kFileBytesMax >= ledger::kConsistencyBytesMax);

// What one kind of file or the other says.
struct Finding {
  ledger::ProofVerdict verdict = ledger::ProofVerdict::kMalformed;
  std::string reason;
  std::vector<ledger::ProofFact> facts;
};

void AddHead(absl::string_view which, const std::optional<ledger::ProvenHead>& head,
             std::vector<ledger::ProofFact>* facts) {
  if (!head.has_value()) return;
  ledger::ProofReport report;
  report.head = head;
  for (auto& [name, value] : ledger::ProofFacts(report))
    facts->emplace_back(absl::StrCat(which, name), std::move(value));
}

Finding ForkFinding(const absl::StatusOr<ledger::ForkEvidence>& fork) {
  Finding finding;
  finding.reason = std::string(fork.status().message());
  if (!fork.ok()) {
    if (absl::IsNotFound(fork.status())) finding.verdict = ledger::ProofVerdict::kQuorumShort;
    return finding;
  }
  finding.verdict = ledger::ProofVerdict::kVerified;
  const auto add = [&finding](absl::string_view name, std::string value) {
    finding.facts.emplace_back(name, std::move(value));
  };
  add("origin", fork->first.origin);
  for (const ledger::Checkpoint* side : {&fork->first, &fork->second}) {
    add("tree_size", absl::StrCat(side->size));
    add("root", side->root.ToHex());
  }
  for (const std::string& vkey : fork->culprits) add("signed_both", vkey);
  for (const std::string& vkey : fork->against_quorum) add("against_quorum", vkey);
  return finding;
}

Finding JudgeForkFile(const ledger::PolicyChain& policies, const std::string& bytes) {
  const absl::StatusOr<ledger::TwoNotes> notes = ledger::DecodeForkEvidence(bytes);
  if (!notes.ok()) return ForkFinding(notes.status());
  return ForkFinding(ledger::CheckForkEvidence(policies, notes->first, notes->second));
}

Finding JudgeFile(const ledger::PolicyChain& policies, const std::string& bytes) {
  Finding finding;
  if (absl::StartsWith(bytes, kConsistencyLine)) {
    ledger::ConsistencyReport report = ledger::VerifyConsistencyProof(policies, bytes);
    finding.verdict = report.verdict;
    finding.reason = std::move(report.reason);
    AddHead("older_", report.older, &finding.facts);
    AddHead("newer_", report.newer, &finding.facts);
    return finding;
  }
  if (absl::StartsWith(bytes, kForkLine)) return JudgeForkFile(policies, bytes);
  const ledger::ProofReport report = ledger::VerifyProof(policies, bytes);
  finding.verdict = report.verdict;
  finding.reason = report.reason;
  finding.facts = ledger::ProofFacts(report);
  return finding;
}

void Print(const Session& session, const Finding& finding, absl::string_view verdict) {
  if (session.format == OutputFormat::kTable) {
    for (const auto& [name, value] : finding.facts)
      *session.out << name << ": " << ForTerminal(value) << '\n';
    *session.out << verdict;
    if (!finding.reason.empty()) *session.out << ": " << ForTerminal(finding.reason);
    *session.out << '\n';
    return;
  }
  Json json;
  json["verdict"] = std::string(verdict);
  if (!finding.reason.empty()) json["reason"] = finding.reason;
  json["facts"] = Json::array();
  for (const auto& [name, value] : finding.facts)
    json["facts"].push_back({{"name", name}, {"value", value}});
  session.PrintJson(json);
}

}  // namespace

absl::Status RunVerifyFile(const Session& session, const VerifyFileOptions& options) {
  if (options.file.empty() || options.policy.empty()) {
    return absl::InvalidArgumentError(
        "verify what? vigil verify FILE --policy POLICY, or vigil verify ledger DIRECTORY; "
        "`vigil log policy --genesis FILE` prints the policy of a network");
  }
  ASSIGN_OR_RETURN(const InputPolicy policy, ReadPolicy(options.policy));
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, ReadInput(options.file, kFileBytesMax));
  std::optional<std::string> other("");
  if (!options.other.empty()) {
    ASSIGN_OR_RETURN(other, ReadInput(options.other, kFileBytesMax));
  }
  ASSIGN_OR_RETURN(const ledger::PolicyChain policies, ReadEpochs(policy.policy, options.epochs));
  Finding finding;  // MALFORMED.
  if (!bytes.has_value() || !other.has_value()) {
    finding.reason = absl::StrCat("a proof has at most ", kFileBytesMax, " bytes");
  } else {
    finding = options.other.empty()
                  ? JudgeFile(policies, *bytes)
                  : ForkFinding(ledger::CheckForkProofs(policies, *bytes, *other));
  }
  const absl::string_view verdict = ledger::ProofVerdictName(finding.verdict);
  Print(session, finding, verdict);
  if (ledger::IsVerified(finding.verdict)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(options.file, ": ", verdict));
}

}  // namespace vigil::client
