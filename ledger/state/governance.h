// Module governance: who shall be the validators of the next epoch, and by which rules detectors go.
//
// A proposal names the whole next set, or holds a whole rule file; the organisations that have a
// validator in the present set have a ballot each, the proposer's counts as given. A majority of
// them approves or rejects. The first block whose E covers the approval of a set seals the epoch
// (ledger/chain/epoch.h); rules count from the block after their approval on (rules.h).
//
//   proposal: of an organisation without a validator                PERMISSION_DENIED
//             for another epoch than the present one, or rules      STALE
//               that replace others than the newest
//             while a set is approved, or the organisation's last   CONFLICT
//               one of the same subject is still open
//             of what is no set, or one that may not follow         INVALID
//               (CheckNextSet); of what is no rule file, or the
//               one that it replaces
//   ballot:   names no proposal                                     NOT_FOUND
//             of an organisation without a validator                PERMISSION_DENIED
//             the proposal is not open                              STALE
//             the organisation has voted                            CONFLICT
//
// When an epoch ends its open proposals lapse: they were made for another set. When rules are
// replaced, those for rules lapse: they were made for others. The set that begins is the approved
// one with the cosigner keys that its staying validators announced before the approval
// (ledger/state/cosigner_keys.h).
#ifndef VIGIL_LEDGER_STATE_GOVERNANCE_H_
#define VIGIL_LEDGER_STATE_GOVERNANCE_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

ResultCode ApplyProposal(const RecordContext& context, const ProposalBody& body);
ResultCode ApplyBallot(const RecordContext& context, const BallotBody& body);

// Why the body cannot take effect in the state of `view`, nor in any later one of this epoch.
// Errors: kPermissionDenied: the signer's organisation has no validator; kAlreadyExists: its
// proposal is open, it has voted, or the epoch or proposal is over; kInvalidArgument: the set, or
// the rules.
absl::Status CheckProposalAdmissible(const Genesis& genesis, const StateView& view,
                                     const KeyRow& signer, const ProposalBody& body);
absl::Status CheckBallotAdmissible(const Genesis& genesis, const StateView& view,
                                   const KeyRow& signer, const BallotBody& body);

// What a sealing block of `genesis`' epoch does to the state, after its records: the approved set
// becomes that of the next epoch, keys of leaving validators are no longer enrolled and those of
// new ones are, from the record index `seal` on.
// REQUIRES: a set is approved.
void ApplyEpochEnd(const Genesis& genesis, Height height, RecordIndex seal, StateView* view);

// What a header of `genesis`' epoch at `height` with E = `executed` must name as its next validator
// set: another one than its own once a set was approved at or below E. `state` is of any height
// from that of the header's parent on. Errors: those of the state.
absl::StatusOr<Hash> NextSetHash(const Genesis& genesis, const StateBase& state, Height height,
                                 Height executed);

// `genesis`, of any epoch up to the state's, restated for the epoch that the next block after
// `state` belongs to.
// Errors: those of the state; kDataLoss when it tells of another past than `genesis`.
absl::StatusOr<Genesis> AtState(const Genesis& genesis, const StateBase& state);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_GOVERNANCE_H_
