#include "ledger/proof/fork_evidence.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/log/note.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/extra.h"
#include "ledger/proof/head.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kHeading = "vigil.dev/fork-evidence@v1\n\n";

bool HasSigned(const NoteKey& key, const SignedNote& note) {
  return std::any_of(note.signatures.begin(), note.signatures.end(), [&](const auto& signature) {
    return VerifyNoteSignature(key, note.text, signature).ok();
  });
}

bool HasQuorum(const PolicyChain& policies, const SignedNote& note) {
  ProvenHead head;
  return !CheckHead(policies, EncodeNote(note), &head).has_value();
}

// Of all epochs, logs first, each key once.
std::vector<NoteKey> KeysOf(const PolicyChain& policies) {
  std::vector<NoteKey> keys;
  const auto add = [&keys](const NoteKey& key) {
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  };
  for (const PolicyEpoch& epoch : policies.epochs()) {
    for (const PolicyLog& log : epoch.policy.logs) add(log.key);
  }
  for (const PolicyEpoch& epoch : policies.epochs()) {
    for (const PolicyWitness& witness : epoch.policy.witnesses) add(witness.key);
  }
  return keys;
}

// Names the keys of the policy that signed both, or one against the quorum on the other. REQUIRES:
// the two contradict each other.
absl::StatusOr<ForkEvidence> Convict(const PolicyChain& policies, const SignedCheckpoint& a,
                                     const SignedCheckpoint& b) {
  ForkEvidence evidence{
      .first = a.checkpoint, .second = b.checkpoint, .culprits = {}, .against_quorum = {}};
  const bool quorum_a = HasQuorum(policies, a.note);
  const bool quorum_b = HasQuorum(policies, b.note);
  const auto judge = [&](const NoteKey& key) {
    const bool in_a = HasSigned(key, a.note);
    const bool in_b = HasSigned(key, b.note);
    if (in_a && in_b) {
      evidence.culprits.push_back(EncodeNoteKey(key));
    } else if ((in_a && quorum_b && !quorum_a) || (in_b && quorum_a && !quorum_b)) {
      evidence.against_quorum.push_back(EncodeNoteKey(key));
    }
  };
  for (const NoteKey& key : KeysOf(policies)) judge(key);
  if (!evidence.culprits.empty() || !evidence.against_quorum.empty()) return evidence;
  return absl::NotFoundError(
      absl::StrCat("two histories of ", a.checkpoint.origin,
                   ", but no key of the policy signed both, or one against its quorum"));
}

absl::Status NoContradiction(absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("no contradiction: ", why));
}

absl::Status CheckOneOrigin(const Checkpoint& a, const Checkpoint& b) {
  if (a.origin == b.origin) return absl::OkStatus();
  return NoContradiction(absl::StrCat("checkpoints of two logs, ", a.origin, " and ", b.origin));
}

// A proof file as far as it speaks of its leaf.
struct ShownLeaf {
  SignedCheckpoint signed_checkpoint;
  uint64_t index = 0;
  Hash leaf_hash;
};

absl::StatusOr<ShownLeaf> ReadShownLeaf(absl::string_view file) {
  ASSIGN_OR_RETURN(const TlogProof proof, DecodeTlogProof(file));
  ASSIGN_OR_RETURN(const ProofExtra extra, DecodeProofExtra(AsBytes(proof.extra)));
  ASSIGN_OR_RETURN(SignedCheckpoint head, DecodeSignedCheckpoint(proof.checkpoint));
  const Hash leaf_hash = LeafHash(AsBytes(extra.leaf));
  const absl::Status status = VerifyInclusion(proof.index, head.checkpoint.size, leaf_hash,
                                              proof.path, head.checkpoint.root);
  if (!status.ok())
    return NoContradiction(absl::StrCat("a file shows nothing: ", status.message()));
  return ShownLeaf{
      .signed_checkpoint = std::move(head), .index = proof.index, .leaf_hash = leaf_hash};
}

}  // namespace

absl::StatusOr<ForkEvidence> CheckForkEvidence(const PolicyChain& policies,
                                               absl::string_view note_a, absl::string_view note_b) {
  ASSIGN_OR_RETURN(const SignedCheckpoint a, DecodeSignedCheckpoint(note_a));
  ASSIGN_OR_RETURN(const SignedCheckpoint b, DecodeSignedCheckpoint(note_b));
  RETURN_IF_ERROR(CheckOneOrigin(a.checkpoint, b.checkpoint));
  if (a.checkpoint.size != b.checkpoint.size) {
    return NoContradiction(
        absl::StrCat("sizes ", a.checkpoint.size, " and ", b.checkpoint.size,
                     "; two proof files of one index show whether the histories differ"));
  }
  if (a.checkpoint.root == b.checkpoint.root) return NoContradiction("one and the same root");
  return Convict(policies, a, b);
}

absl::StatusOr<ForkEvidence> CheckForkProofs(const PolicyChain& policies, absl::string_view file_a,
                                             absl::string_view file_b) {
  ASSIGN_OR_RETURN(const ShownLeaf a, ReadShownLeaf(file_a));
  ASSIGN_OR_RETURN(const ShownLeaf b, ReadShownLeaf(file_b));
  RETURN_IF_ERROR(CheckOneOrigin(a.signed_checkpoint.checkpoint, b.signed_checkpoint.checkpoint));
  if (a.index != b.index) {
    return NoContradiction(absl::StrCat("leaves ", a.index, " and ", b.index));
  }
  if (a.leaf_hash == b.leaf_hash) return NoContradiction("one and the same leaf");
  return Convict(policies, a.signed_checkpoint, b.signed_checkpoint);
}

std::string EncodeForkEvidence(const TwoNotes& notes) {
  return absl::StrCat(kHeading, EncodeTwoNotes(notes));
}

absl::StatusOr<TwoNotes> DecodeForkEvidence(absl::string_view text) {
  if (text.size() > kForkEvidenceBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("fork evidence of ", text.size(), " bytes, at most ", kForkEvidenceBytesMax));
  }
  if (!absl::ConsumePrefix(&text, kHeading)) {
    return absl::InvalidArgumentError("fork evidence: does not begin with its heading");
  }
  absl::StatusOr<TwoNotes> notes = DecodeTwoNotes(text);
  if (!notes.ok()) return Annotate(notes.status(), "fork evidence");
  return notes;
}

}  // namespace vigil::ledger
