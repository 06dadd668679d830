#include "node/api/rules_answers.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256_bytes.h"
#include "ledger/state/governance_queries.h"
#include "ledger/state/rules.h"
#include "node/api/convert.h"
#include "node/api/epoch_answers.h"

namespace vigil::node {
namespace {

constexpr uint64_t kHistoryMax = 1000;
// One per organisation with a validator.
constexpr uint32_t kOpenMax = 64;

// Version and count stay 0 where the file is of another version than this program.
void FillBegun(const ledger::RulesInfo& info, v1::RulesBegun* out) {
  if (!info.row.digest.IsZero()) out->set_digest(BytesOf(info.row.digest));
  out->set_from_height(info.row.active_from.value());
  if (info.number != 0) out->set_proposal_index(info.row.proposal.value());
  std::string problem;
  const std::optional<detector::RuleSet> rules =
      detector::ParseRules(std::string_view(info.file), &ledger::Sha256Bytes, &problem);
  if (!rules.has_value()) return;
  out->set_version(rules->version);
  out->set_rule_count(static_cast<uint32_t>(rules->rules.size()));
}

absl::StatusOr<std::vector<ledger::ProposalInfo>> OpenForRules(const ledger::ChainReader& reader) {
  return ledger::ListProposals(reader, RecordIndex(std::numeric_limits<uint64_t>::max()), kOpenMax,
                               /*open_only=*/true, ledger::ProposalSubject::kRules);
}

absl::StatusOr<uint64_t> NumberAskedFor(const ledger::Genesis& genesis,
                                        const ledger::StateBase& state, const std::string& digest) {
  if (digest.empty()) return ledger::NewestRulesNumber(state);
  const absl::StatusOr<Hash> wanted = Hash::From(AsBytes(digest));
  if (!wanted.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("digest of ", digest.size(), " bytes, 32 belong there"));
  }
  return ledger::RulesNumberOf(genesis, state, *wanted);
}

}  // namespace

absl::Status FillRules(const NodeServices& services, const v1::GetRulesRequest& request,
                       v1::Rules* out) {
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  const ledger::StateBase& state = reader->state();
  const ledger::Genesis& genesis = services.genesis();
  ASSIGN_OR_RETURN(const uint64_t number, NumberAskedFor(genesis, state, request.digest()));
  ASSIGN_OR_RETURN(const uint64_t newest, ledger::NewestRulesNumber(state));
  ASSIGN_OR_RETURN(const ledger::RulesInfo asked, ledger::RulesNumbered(genesis, state, number));
  FillBegun(asked, out->mutable_rules());
  out->set_file(asked.file);
  for (uint64_t back = 0; back <= newest && back < kHistoryMax; ++back) {
    ASSIGN_OR_RETURN(const ledger::RulesInfo info,
                     ledger::RulesNumbered(genesis, state, newest - back));
    FillBegun(info, out->add_history());
  }
  ASSIGN_OR_RETURN(const std::vector<ledger::ProposalInfo> open, OpenForRules(*reader));
  for (const ledger::ProposalInfo& info : open) {
    FillProposal(info, out->add_open());
    out->mutable_open(out->open_size() - 1)->clear_rules();
  }
  return absl::OkStatus();
}

absl::Status FillRulesStatus(const NodeServices& services, const ledger::ChainReader& reader,
                             v1::DetectorReport* out) {
  ASSIGN_OR_RETURN(const uint64_t newest, ledger::NewestRulesNumber(reader.state()));
  ASSIGN_OR_RETURN(const ledger::RulesInfo info,
                   ledger::RulesNumbered(services.genesis(), reader.state(), newest));
  FillBegun(info, out->mutable_rules());
  ASSIGN_OR_RETURN(const std::vector<ledger::ProposalInfo> open, OpenForRules(reader));
  for (const ledger::ProposalInfo& proposal : open) {
    out->add_rules_proposals(proposal.index.value());
  }
  return absl::OkStatus();
}

}  // namespace vigil::node
