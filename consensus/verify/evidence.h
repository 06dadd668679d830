// Portable evidence against a proposer: two headers it signed that exclude each other.
//
//   evidence = header (kHeaderBytes) | signature (64) | header | signature
//
// Pure, thread-safe.
#ifndef VIGIL_CONSENSUS_VERIFY_EVIDENCE_H_
#define VIGIL_CONSENSUS_VERIFY_EVIDENCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/header.h"

namespace vigil::consensus {

struct SignedHeader {
  std::string header_bytes;
  Signature signature;
};

std::string EncodeTwoHeaders(const SignedHeader& first, const SignedHeader& second);

// The validator that signed two different headers of one epoch, view and height.
// Errors:
//   kInvalidArgument: malformed, the headers are equal, or they do not exclude each other.
//   kUnauthenticated: one of the signatures is not the proposer's.
absl::StatusOr<ValidatorIndex> VerifyTwoHeaders(const ledger::Genesis& genesis,
                                                absl::string_view evidence);

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_VERIFY_EVIDENCE_H_
