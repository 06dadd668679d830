// Decides offline what a proof file proves (docs/formats/proof.md, Verification).
//
// Pure: a policy and a file in, a report out. There is no way to check an inclusion without a head
// that the policy is satisfied with. Every byte is hashed into the tree before it is interpreted.
#ifndef VIGIL_LEDGER_PROOF_VERIFY_PROOF_H_
#define VIGIL_LEDGER_PROOF_VERIFY_PROOF_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/event_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/kinds.h"
#include "ledger/chain/result.h"
#include "ledger/proof/extra.h"
#include "ledger/proof/head.h"
#include "ledger/proof/policy_chain.h"
#include "ledger/proof/verdict.h"

namespace vigil::ledger {

// A block of the chain.
struct ProvenBlock {
  Height height;
  Hash hash;
  Epoch epoch;
  uint64_t time_unix_millis = 0;
  ValidatorIndex proposer;
  RecordIndex first;  // Of its records; of its seal when it has none.
  uint32_t record_count = 0;
  bool operator==(const ProvenBlock&) const = default;
};

// A record that the key's owner signed and the log holds.
struct ProvenRecord {
  RecordIndex index;
  Hash leaf_hash;
  RecordKind kind = RecordKind::kEventBatch;
  KeyId author;
  PublicKey author_key;
  std::string stream;     // Empty for kinds without streams.
  uint64_t sequence = 0;  // 0 for kinds without streams.
  bool operator==(const ProvenRecord&) const = default;
};

// An event of the batch that the record is.
struct ProvenEvent {
  ItemIndex item;
  uint32_t item_count = 0;
  Hash leaf_hash;
  std::string bytes;  // Empty with kPayloadMissing.
  bool operator==(const ProvenEvent&) const = default;

  // The fields of `bytes`, with views into it. REQUIRES: bytes is not empty.
  EventView Fields() const;
};

// What was found. Parts are there as far as the checks came, whatever the verdict: what is there is
// proven. A record without `result` is one that nobody said was accepted.
struct ProofReport {
  ProofVerdict verdict = ProofVerdict::kMalformed;
  std::string reason;  // Empty when verified.
  std::optional<ProofSubject> subject;
  std::optional<ProvenHead> head;
  std::optional<ProvenRecord> record;
  std::optional<ProvenBlock> block;    // That holds the record; the subject itself.
  std::optional<RecordResult> result;  // With the signer's identity.
  std::optional<ProvenEvent> event;
  bool operator==(const ProofReport&) const = default;
};

ProofReport VerifyProof(const PolicyChain& policies, absl::string_view file_bytes);

// A signed checkpoint that CheckHead() let pass under a policy.
struct CheckedHead {
  std::string note;
  ProvenHead head;
};
// The same, without checking the signatures of `known` again for a file that has it, byte for byte.
// REQUIRES: `known` passed under this policy.
ProofReport VerifyProof(const PolicyChain& policies, const CheckedHead& known,
                        absl::string_view file_bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_VERIFY_PROOF_H_
