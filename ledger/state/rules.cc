#include "ledger/state/rules.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::ledger {
namespace {

static_assert(kRuleFileBytesMax == detector::kRuleFileBytesMax);

uint64_t NewestNumber(const StateView& view) {
  return ReadRow<ActiveRulesRow>(view, ActiveRulesKey()).value_or(ActiveRulesRow()).number;
}

// Our own tables: a number up to the newest has a row.
RulesRow RowOf(const StateView& view, uint64_t number) {
  const std::optional<RulesRow> row = ReadRow<RulesRow>(view, RulesKey(number));
  if (!row.has_value()) {
    view.Fail(absl::DataLossError(absl::StrCat("state: rules ", number, " are not there")));
  }
  return row.value_or(RulesRow());
}

absl::StatusOr<RulesRow> RowOf(const StateBase& state, uint64_t number) {
  ASSIGN_OR_RETURN(const std::optional<RulesRow> row, ReadRow<RulesRow>(state, RulesKey(number)));
  if (row.has_value()) return *row;
  return absl::DataLossError(absl::StrCat("state: rules ", number, " are not there"));
}

}  // namespace

Hash RulesDigestOf(absl::string_view rule_file) {
  return rule_file.empty() ? Hash() : Sha256({AsBytes(kRulesTag), AsBytes(rule_file)});
}

absl::Status CheckRuleFile(absl::string_view rule_file) {
  if (rule_file.empty()) return absl::InvalidArgumentError("rules: the file is empty");
  std::string problem;
  const std::string_view file(rule_file.data(), rule_file.size());
  if (detector::ParseRules(file, &Sha256Bytes, &problem).has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("rules: ", problem));
}

Hash NewestRules(const Genesis& genesis, const StateView& view) {
  const uint64_t number = NewestNumber(view);
  return number == 0 ? genesis.rules_digest : RowOf(view, number).digest;
}

// From the newest down: alerts are mostly about events of late.
Hash RulesOfRecord(const Genesis& genesis, const StateView& view, RecordIndex record) {
  for (uint64_t number = NewestNumber(view); number > 0; --number) {
    const RulesRow row = RowOf(view, number);
    if (record >= row.first_index) return row.digest;
  }
  return genesis.rules_digest;
}

void ActivateRules(const RecordContext& context, RecordIndex proposal,
                   absl::string_view rule_file) {
  const uint64_t number = NewestNumber(*context.view) + 1;
  const RulesRow row{.active_from = context.height.Next(),
                     .first_index = RecordIndex(context.seal.value() + 1),
                     .proposal = proposal,
                     .digest = RulesDigestOf(rule_file)};
  WriteRow(context.view, RulesKey(number), row);
  WriteRow(context.view, ActiveRulesKey(), ActiveRulesRow{.number = number});
  context.Emit(EffectType::kRulesActivated, proposal.value(), ToString(row.digest.span()));
}

absl::StatusOr<uint64_t> NewestRulesNumber(const StateBase& state) {
  ASSIGN_OR_RETURN(const std::optional<ActiveRulesRow> active,
                   ReadRow<ActiveRulesRow>(state, ActiveRulesKey()));
  return active.has_value() ? active->number : 0;
}

absl::StatusOr<RulesInfo> RulesNumbered(const Genesis& genesis, const StateBase& state,
                                        uint64_t number) {
  if (number == 0) {
    return RulesInfo{.number = 0,
                     .row = {.active_from = Height(1),
                             .first_index = RecordIndex(0),
                             .proposal = RecordIndex(0),
                             .digest = genesis.rules_digest},
                     .file = genesis.detector_rules};
  }
  ASSIGN_OR_RETURN(const RulesRow row, RowOf(state, number));
  ASSIGN_OR_RETURN(std::optional<ProposalRow> proposal,
                   ReadRow<ProposalRow>(state, ProposalKey(row.proposal)));
  if (!proposal.has_value() || RulesDigestOf(proposal->rules) != row.digest) {
    return absl::DataLossError(
        absl::StrCat("state: the file of rules ", number, " is not that of their proposal"));
  }
  return RulesInfo{.number = number, .row = row, .file = std::move(proposal->rules)};
}

absl::StatusOr<uint64_t> RulesNumberAt(const StateBase& state, Height height) {
  ASSIGN_OR_RETURN(uint64_t number, NewestRulesNumber(state));
  for (; number > 0; --number) {
    ASSIGN_OR_RETURN(const RulesRow row, RowOf(state, number));
    if (height >= row.active_from) break;
  }
  return number;
}

absl::StatusOr<uint64_t> RulesNumberOf(const Genesis& genesis, const StateBase& state,
                                       const Hash& digest) {
  ASSIGN_OR_RETURN(uint64_t number, NewestRulesNumber(state));
  for (; number > 0; --number) {
    ASSIGN_OR_RETURN(const RulesRow row, RowOf(state, number));
    if (row.digest == digest) return number;
  }
  if (digest == genesis.rules_digest) return uint64_t{0};
  return absl::NotFoundError(
      absl::StrCat("rules ", digest.ToHex(), " were never those of this network"));
}

}  // namespace vigil::ledger
