// The rules of a chain as detectors read them, each file parsed once.
//
// Belongs to one thread.
#ifndef VIGIL_LEDGER_STATE_RULE_BOOK_H_
#define VIGIL_LEDGER_STATE_RULE_BOOK_H_

#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/rules.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// Owned by the book and whoever was given it; never changes.
using RuleSetPtr = std::shared_ptr<const detector::RuleSet>;

class RuleBook {
 public:
  // `genesis` must outlive the book, and be that of every state that is asked.
  explicit RuleBook(const Genesis* genesis) : genesis_(genesis) {}

  // What the events of the block at `height` are held against. `state` is of that block or a later
  // one. Errors of both: kFailedPrecondition: this version does not know such rules; those of the
  // state.
  absl::StatusOr<RuleSetPtr> At(const StateBase& state, Height height);
  // Errors: also kNotFound: rules with this digest were never the network's.
  absl::StatusOr<RuleSetPtr> WithDigest(const StateBase& state, const Hash& digest);

 private:
  absl::StatusOr<RuleSetPtr> Parsed(const StateBase& state, uint64_t number);

  const Genesis* const genesis_;
  std::map<uint64_t, RuleSetPtr> parsed_;  // By number; a number's rules never change.
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_RULE_BOOK_H_
