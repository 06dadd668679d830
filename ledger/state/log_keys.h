// Who signs and who cosigns the checkpoints of a network, as genesis and later epochs name them.
// Pure.
//
// Every validator of an epoch signs as the log, under the log's origin, and cosigns under
// "<origin>/v/<org>/<validator>/<epoch>" (ledger.md section 1).
#ifndef VIGIL_LEDGER_STATE_LOG_KEYS_H_
#define VIGIL_LEDGER_STATE_LOG_KEYS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/chain/genesis.h"
#include "ledger/log/note.h"
#include "ledger/log/policy.h"

namespace vigil::ledger {

struct LogKeys {
  std::string origin;
  std::vector<NoteKey> logs;       // Type 01, one per validator, in the order of genesis.
  std::vector<NoteKey> cosigners;  // Type 04, likewise.
  uint32_t quorum = 0;             // Cosignatures of distinct validators that make it final.
};

// Of the epoch that `genesis` is restated for.
LogKeys LogKeysOf(const Genesis& genesis);

// The same for offline verifiers (C2SP tlog-policy): any validator's log key, and a quorum of
// the witnesses "org/name".
Policy LogPolicyOf(const Genesis& genesis);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_LOG_KEYS_H_
