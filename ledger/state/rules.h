// Module rules: which rules the detectors hold against which events.
//
// A network begins with the rule file of its genesis, or none. A proposal for another one
// (governance.h) that a majority approves, in a block at height h, replaces it from height h + 1
// on: events of that block and later ones are matched by the new rules, events before by the ones
// before, whenever their alerts come. So what an event is held against is a function of its place,
// and an alert that cites other rules is refused (alerts.h).
#ifndef VIGIL_LEDGER_STATE_RULES_H_
#define VIGIL_LEDGER_STATE_RULES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/record_context.h"
#include "ledger/state/tables.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// SHA-256("vigil/detector/rules/v1" 00 | file); zero for an empty one.
Hash RulesDigestOf(absl::string_view rule_file);
// Whether detectors can take the file as their rules.
// Errors: kInvalidArgument with line, rule and remedy.
absl::Status CheckRuleFile(absl::string_view rule_file);

// Digest of the rules that hold for the blocks after the view's; zero: none.
Hash NewestRules(const Genesis& genesis, const StateView& view);
// Digest of the rules that the events of batch `record` are held against; zero: none.
Hash RulesOfRecord(const Genesis& genesis, const StateView& view, RecordIndex record);
// The file of the approved `proposal` replaces what there was, from the next block on.
void ActivateRules(const RecordContext& context, RecordIndex proposal, absl::string_view rule_file);

// Rules that a network had at some height, with their file.
struct RulesInfo {
  uint64_t number = 0;  // 0: of genesis.
  RulesRow row;         // Of genesis: active from 1, without a proposal.
  std::string file;     // Empty: none.
};
// Queries of one snapshot. Errors of all: kDataLoss; those of the state.
absl::StatusOr<uint64_t> NewestRulesNumber(const StateBase& state);
// REQUIRES: a number up to the newest.
absl::StatusOr<RulesInfo> RulesNumbered(const Genesis& genesis, const StateBase& state,
                                        uint64_t number);
// Number of those that the events of the block at `height` are held against. `state` is of that
// block or a later one.
absl::StatusOr<uint64_t> RulesNumberAt(const StateBase& state, Height height);
// Number of the last ones with this digest. Errors: kNotFound.
absl::StatusOr<uint64_t> RulesNumberOf(const Genesis& genesis, const StateBase& state,
                                       const Hash& digest);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_RULES_H_
