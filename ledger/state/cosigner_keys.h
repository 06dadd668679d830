// Module cosigner keys: what the validators of an epoch shall cosign with in the next one.
//
// A cosigner key is an epoch's own. While an epoch runs each of its validators may announce its
// next key; the last one that it announced before a set was approved stands in that set, if it
// stays. Whoever announced none keeps its key. Several may follow each other because a file may be
// lost before it is needed; each has the next number, so that none can be played back.
//
// Only validators of the epoch have a key with the role that these records ask for.
//
//   cosigner key: for another epoch, with another number than the next  STALE
//                   one, or after the approval of a set
//                 that is or was anybody's, or another validator's next CONFLICT
//                 that is no key, or not proven to be the author's      INVALID
#ifndef VIGIL_LEDGER_STATE_COSIGNER_KEYS_H_
#define VIGIL_LEDGER_STATE_COSIGNER_KEYS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

ResultCode ApplyCosignerKey(const RecordContext& context, const CosignerKeyBody& body);

// Why the body cannot take effect in the state of `view`, nor in any later one of this epoch.
// Errors: kAlreadyExists: the number is taken, or epoch or key
// are; kInvalidArgument: the key or its proof.
absl::Status CheckCosignerKeyAdmissible(const Genesis& genesis, const StateView& view,
                                        const KeyRow& signer, const CosignerKeyBody& body);

// What is announced for the next epoch.
AnnouncedKeys AnnouncedIn(const StateView& view);

// Whether the validators of `genesis`' epoch should announce their next keys now: while a set is
// proposed and none approved; where one organisation decides alone, so that a set is approved with
// the proposal, at any time. Nobody writes records while nothing happens.
// Errors: those of the state.
absl::StatusOr<bool> WantsCosignerKeys(const Genesis& genesis, const StateBase& state);

// With the epoch that they were announced in.
void ForgetAnnouncedKeys(StateView* view);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_COSIGNER_KEYS_H_
