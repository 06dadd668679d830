// How many validators must agree, by mode and size of the set (consensus.md, table of modes;
// detector.md section 5).
#ifndef VIGIL_LEDGER_STATE_QUORUM_H_
#define VIGIL_LEDGER_STATE_QUORUM_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// f: how many validators may be faulty. raft: (n-1)/2; bft: (n-1)/3.
uint32_t FaultyMax(const Genesis& genesis);
// Validators that must commit the same model. raft: n/2 + 1; bft: 2n/3 + 1.
uint32_t ModelQuorum(const Genesis& genesis);
// k confirmations make an alert CONFIRMED, the proposer's own counted. raft: n/2 + 1; bft: 2f + 1,
// so that f + 1 <= k <= n - f.
uint32_t ConfirmQuorum(const Genesis& genesis);
// Whether what `identity` said in the record at `said` counts for what is open now: it is one of
// the present validators, and said so under the keys that it has now. The set of an epoch is judged
// by its own members alone, so nobody's voice outlives their place in it
// (ledger/state/governance.h).
bool Counts(const Genesis& genesis, const StateView& view, absl::string_view identity,
            RecordIndex said);

// Disputes that make an alert CONTESTED: f + 1, so at least one honest validator disputes.
uint32_t DisputeQuorum(const Genesis& genesis);

// What the present validators have said of an alert, as far as it counts.
struct Voices {
  uint32_t confirm = 0;
  uint32_t dispute = 0;
};
Voices VoicesOn(const Genesis& genesis, const StateView& view, RecordIndex alert);
// Whether an open alert with these voices would be decided.
bool Decide(const Genesis& genesis, const Voices& voices);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_QUORUM_H_
