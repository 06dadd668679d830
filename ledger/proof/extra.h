// The extra line of a proof file: what turns "this leaf is in the tree" into "this event was
// reported by this sensor and accepted in this block" (docs/formats/proof.md, Extra).
//
// Pure layout. Nothing here is checked against anything: VerifyProof() does that.
#ifndef VIGIL_LEDGER_PROOF_EXTRA_H_
#define VIGIL_LEDGER_PROOF_EXTRA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::ledger {

inline constexpr size_t kProofResultBytesMax = 1 << 20;

// What a proof is about. Stored: never renumber.
enum class ProofSubject : uint8_t { kEvent = 1, kRecord = 2, kBlock = 3 };

// "event", "record", "block".
absl::string_view ProofSubjectName(ProofSubject subject);

// A seal and its path to the root of the checkpoint.
struct SealProof {
  RecordIndex index;
  std::string leaf;
  std::vector<Hash> path;
  bool operator==(const SealProof&) const = default;
};

// A record's result and its path to the results root in the header of `seal`.
struct ResultProof {
  std::string bytes;
  uint32_t position = 0;  // Among the results that the root covers.
  uint32_t count = 0;     // How many it covers.
  std::vector<Hash> path;
  SealProof seal;
  bool operator==(const ResultProof&) const = default;
};

// An event and its path to the items root of its batch.
struct EventProof {
  ItemIndex item;
  Hash leaf_hash;
  std::vector<Hash> path;
  std::string bytes;  // Empty: withheld or erased.
  bool operator==(const EventProof&) const = default;
};

struct ProofExtra {
  ProofSubject subject = ProofSubject::kRecord;
  std::string leaf;  // The leaf at the proof's index; a seal when the subject is a block.
  // Events and records only:
  PublicKey author_key;
  SealProof block;  // Closes the block that holds the record.
  ResultProof result;
  // Events only:
  EventProof event;
  bool operator==(const ProofExtra&) const = default;
};

// REQUIRES: every part within its limit.
std::string EncodeProofExtra(const ProofExtra& extra);
// Errors: kInvalidArgument naming the part on anything that EncodeProofExtra() would not make.
absl::StatusOr<ProofExtra> DecodeProofExtra(ByteSpan bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_EXTRA_H_
