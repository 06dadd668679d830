#include "ledger/state/rule_book.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::ledger {
namespace {

// Alerts are mostly about events of late.
constexpr size_t kParsedMax = 8;

}  // namespace

absl::StatusOr<RuleSetPtr> RuleBook::Parsed(const StateBase& state, uint64_t number) {
  const auto known = parsed_.find(number);
  if (known != parsed_.end()) return known->second;
  ASSIGN_OR_RETURN(const RulesInfo info, RulesNumbered(*genesis_, state, number));
  std::string problem;
  std::optional<detector::RuleSet> rules =
      detector::ParseRules(std::string_view(info.file), &Sha256Bytes, &problem);
  if (!rules.has_value()) {
    const std::string where =
        number == 0 ? std::string("genesis: parameters.detector.rules: ")
                    : absl::StrCat("rules of proposal ", info.row.proposal.value(), ": ");
    return absl::FailedPreconditionError(absl::StrCat(
        where, problem, "; the network needs a version that knows these rules, or others"));
  }
  if (parsed_.size() == kParsedMax) parsed_.erase(parsed_.begin());
  const auto parsed = std::make_shared<const detector::RuleSet>(*std::move(rules));
  parsed_[number] = parsed;
  return parsed;
}

absl::StatusOr<RuleSetPtr> RuleBook::At(const StateBase& state, Height height) {
  ASSIGN_OR_RETURN(const uint64_t number, RulesNumberAt(state, height));
  return Parsed(state, number);
}

absl::StatusOr<RuleSetPtr> RuleBook::WithDigest(const StateBase& state, const Hash& digest) {
  ASSIGN_OR_RETURN(const uint64_t number, RulesNumberOf(*genesis_, state, digest));
  return Parsed(state, number);
}

}  // namespace vigil::ledger
