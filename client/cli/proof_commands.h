// `vigil proof event | record | block | consistency`: proof files from a validator.
#ifndef VIGIL_CLIENT_CLI_PROOF_COMMANDS_H_
#define VIGIL_CLIENT_CLI_PROOF_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

enum class ProofOf { kEvent, kRecord, kBlock, kConsistency };

struct ProofOptions {
  // Event: "record.item"; record: index; either with the record's leaf hash for its index. Block:
  // height. Consistency: file of an older checkpoint.
  std::string ref;
  std::string file;                    // Where the proof goes; empty: standard output.
  std::string under;                   // File of the checkpoint to use; empty: the newest.
  std::vector<std::string> witnesses;  // Key names of outside witnesses that must have cosigned.
  bool withhold = false;               // Without the event's bytes.
  uint32_t wait_seconds = 10;          // Until a checkpoint reaches far enough.
};

// Errors: kInvalidArgument naming the option; of the files.
absl::StatusOr<v1::GetProofRequest> ProofRequestOf(ProofOf what, const ProofOptions& options);

// Asks for the proof, checks it when a genesis file is at hand, and writes it.
// Errors: as the service; kDataLoss naming the validator when what it gave does not verify: nothing
// is written then but FILE.refused, as evidence, when there is a file.
absl::Status RunProof(const Session& session, ProofOf what, const ProofOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_PROOF_COMMANDS_H_
