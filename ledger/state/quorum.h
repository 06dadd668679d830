// How many validators must agree, by mode and size of the set (consensus.md, table of modes;
// detector.md section 5).
#ifndef VIGIL_LEDGER_STATE_QUORUM_H_
#define VIGIL_LEDGER_STATE_QUORUM_H_

#include <cstdint>

#include "ledger/chain/genesis.h"

namespace vigil::ledger {

// f: how many validators may be faulty. raft: (n-1)/2; bft: (n-1)/3.
uint32_t FaultyMax(const Genesis& genesis);
// Validators that must commit the same model. raft: n/2 + 1; bft: 2n/3 + 1.
uint32_t ModelQuorum(const Genesis& genesis);
// k confirmations make an alert CONFIRMED, the proposer's own counted. raft: n/2 + 1; bft: 2f + 1,
// so that f + 1 <= k <= n - f.
uint32_t ConfirmQuorum(const Genesis& genesis);
// Disputes that make an alert CONTESTED: f + 1, so at least one honest validator disputes.
uint32_t DisputeQuorum(const Genesis& genesis);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_QUORUM_H_
