// Admission: what is decided about a record before it is handed on.
//
// Pure functions of the record and one snapshot of executed state; they run on the caller's thread,
// many at a time. The state machine judges again: admission only keeps out what can never be
// accepted, and answers at once what is already there.
#ifndef VIGIL_NODE_DRIVER_ADMISSION_H_
#define VIGIL_NODE_DRIVER_ADMISSION_H_

#include <optional>

#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/submit.h"
#include "node/mempool/mempool.h"

namespace vigil::node {

// Exactly one of the three holds: refused, already on the chain, or ready for the mempool.
struct Admission {
  ServiceError error;
  std::optional<SubmitReceipt> known;
  PoolRecord pooled;
};

// Everything: size, form, payload, key, role, signature, place in its stream.
Admission AdmitSubmission(const ledger::Genesis& genesis, const ledger::ChainReader& reader,
                          const MempoolLimits& limits, ledger::Record record);

// What the leader checks of a record that a peer forwards: size, form, payload and that the key is
// known. The peer admitted it and is trusted with the signature (raft mode).
Admission AdmitForwarded(const ledger::Genesis& genesis, const ledger::ChainReader& reader,
                         ledger::Record record);

// Where a record is. `result` is what execution said of it there.
// Errors: kNotFound; disk errors.
absl::StatusOr<SubmitReceipt> FindReceipt(const ledger::ChainReader& reader, const Hash& leaf_hash);

// The place that a record of a stream claims; nullopt for other kinds.
std::optional<StreamPlace> PlaceOf(const ledger::RecordView& view, absl::string_view identity);
// The stream that a reset resets; empty for other kinds.
std::string ResetOf(const ledger::RecordView& view);

// Errors that both admission and the replica give.
ServiceError LaneFullError(ledger::Lane lane);
// `taken`: the record was handed on before the leader was lost.
ServiceError NoLeaderError(bool taken);
ServiceError StreamConflictError(uint64_t sequence, const StreamHeadAt& head);
ServiceError StreamGapError(uint64_t sequence, const StreamHeadAt& head);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_ADMISSION_H_
