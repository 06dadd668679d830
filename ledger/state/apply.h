// Apply: the only place where records have meaning.
//
//   Apply(state, block) -> results, writes
//
// Pure: no clock, randomness, thread or floating point. Every validator that applies the same
// blocks gets the same results, write sets and digests (promises 1 and 4 of the design).
#ifndef VIGIL_LEDGER_STATE_APPLY_H_
#define VIGIL_LEDGER_STATE_APPLY_H_

#include <vector>

#include "absl/status/statusor.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/result.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

struct ApplyContext {
  const Genesis* genesis;  // Restated for the block's epoch.
  Height height;
  RecordIndex first_index;  // Of the block's first record.
};

// What a block's OK event batches hold together.
struct EventTotals {
  uint32_t event_count = 0;
  uint64_t time_min = 0;  // ns; 0 when there is no event.
  uint64_t time_max = 0;
};

// Executes the records of `block` in order on `view`. A signer without the role that the kind asks
// for gets PERMISSION_DENIED. After the last record of a sealing block the epoch ends
// (ledger/state/governance.h). Signatures are not checked again: whoever admitted the record did,
// and VerifyLedger() does. `totals` is filled when given.
//
// Errors:
//   kInvalidArgument: a record's key is not enrolled, so the block is inadmissible.
//   kDataLoss:        the view met a disk error or an undecodable value, or a record that
//   CheckBlock
//                     must have refused.
absl::StatusOr<std::vector<RecordResult>> ApplyBlock(const ApplyContext& context,
                                                     const Block& block, StateView* view,
                                                     EventTotals* totals = nullptr);

// Writes what genesis says (identities and roles) into an empty view.
void ApplyGenesis(const Genesis& genesis, StateView* view);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_APPLY_H_
