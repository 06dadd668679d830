// What GetProof answers, free of gRPC's reactors.
#ifndef VIGIL_NODE_API_PROOF_ANSWERS_H_
#define VIGIL_NODE_API_PROOF_ANSWERS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

inline constexpr uint32_t kProofWaitMillisMax = 60'000;
inline constexpr size_t kProofNoteBytesMax = 64 * 1024;  // Of a checkpoint in a request.
inline constexpr int kProofWitnessesMax = 16;
inline constexpr size_t kProofWitnessBytesMax = 1024;  // Of a name.

// Errors: kInvalidArgument naming the field and its limit.
absl::Status CheckProofRequest(const v1::GetProofRequest& request);

// The signed note under which the proof is to be made.
// Errors: kUnavailable while there is none; kFailedPrecondition when the one in the request is of
// another log or does not match this validator's.
absl::StatusOr<std::string> ProofHead(const NodeServices& services,
                                      const v1::GetProofRequest& request);

// Errors: kUnavailable when `head` does not reach far enough and a later one will; kAborted when
// only other validators have what it takes; others as
// ledger/proof/proof_builder.h; kFailedPrecondition as ProofHead().
absl::Status FillProof(const NodeServices& services, const v1::GetProofRequest& request,
                       const std::string& head, v1::Proof* out);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_PROOF_ANSWERS_H_
