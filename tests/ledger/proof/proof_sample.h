// A chain with proofs to be had of it, and everything that is needed to break one thing in a proof
// and sign the rest as if nothing had happened.
#ifndef VIGIL_TESTS_LEDGER_PROOF_PROOF_SAMPLE_H_
#define VIGIL_TESTS_LEDGER_PROOF_PROOF_SAMPLE_H_

#include <string>
#include <vector>

#include "ledger/log/policy.h"
#include "ledger/log/tiles.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/extra.h"
#include "ledger/proof/proof_builder.h"
#include "ledger/proof/verify_proof.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {

// Tiles over leaves in memory, computed anew for every answer.
class MemoryTiles final : public TileSource {
 public:
  void Append(const Hash& leaf_hash) { leaves_.push_back(leaf_hash); }
  const std::vector<Hash>& leaves() const { return leaves_; }
  absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override;

 private:
  std::vector<Hash> leaves_;
};

// A proof file taken apart.
struct ProofParts {
  TlogProof file;
  ProofExtra extra;
};
ProofParts TakeApart(const std::string& text);
std::string PutTogether(const ProofParts& parts);

// The chain: a batch, a heartbeat and a batch in the first block, rejected records in the second,
// other kinds, and so many heartbeats that tiles have two levels.
class ProofSample final : public ProofSource {
 public:
  static constexpr uint64_t kSeconds = 1'800'000'000;
  static constexpr RecordIndex kBatch{0};       // acme/fw-1, five events.
  static constexpr RecordIndex kHeartbeat{1};   // acme/fw-1.
  static constexpr RecordIndex kSingle{2};      // globex/ids-1, one event.
  static constexpr RecordIndex kDuplicate{4};   // kBatch again.
  static constexpr RecordIndex kConflict{5};    // acme/fw-1, another record of sequence 2.
  static constexpr RecordIndex kLargeBatch{6};  // acme/fw-2, 300 events.

  // `detector_rules`: the rule file of genesis.
  explicit ProofSample(const std::string& detector_rules = "");

  // Goes on with a block of these records; only of a sample that is the test's own.
  void Commit(const std::vector<Record>& records, uint64_t lag = 1);
  // A block of one record, signed by `signer`; returns its index.
  RecordIndex CommitBody(const RecordBody& body, const std::string& signer);
  // The same of an alert that the chain takes.
  RecordIndex CommitAlert(const AlertBody& body, const std::string& signer);

  // Who signs a checkpoint: `witness_count` validators cosign in `epoch`, and the first one's log
  // key signs.
  struct Signers {
    uint32_t witness_count = 4;
    uint64_t epoch = 1;
    std::string origin;  // Empty: the chain's.
  };
  std::string SignHead(uint64_t size, const Hash& root, const Signers& signers) const;
  std::string SignHead(uint64_t size, const Hash& root) const { return SignHead(size, root, {}); }
  // The signed checkpoint of the first `size` leaves.
  std::string HeadAt(uint64_t size) const;
  // Of the whole chain.
  std::string Head() const { return HeadAt(leaves_.size()); }
  std::string origin() const;
  // Log and cosigner keys of all validators; three of four are a quorum.
  std::string policy_text() const;
  const Policy& policy() const { return policy_; }

  std::string EventProofFile(RecordIndex index, uint32_t item) const;
  std::string RecordProofFile(RecordIndex index) const;
  std::string BlockProofFile(uint64_t height) const;

  // Forgeries that a quorum signs. Each puts its bytes into the log of `parts`, recomputes every
  // path and signs the new head.
  // The record's leaf becomes one of `kind` with `body`, signed by `identity`.
  void ForgeRecord(ProofParts* parts, uint8_t kind, const std::string& body,
                   const std::string& identity) const;
  // The batch becomes one of this single event.
  void ForgeEvent(ProofParts* parts, const std::string& event, const std::string& identity) const;
  // The seal over the result commits to this result alone.
  void ForgeResult(ProofParts* parts, const std::string& result) const;
  // Other bytes for the seal of the record's block, for the seal over its result, or for the leaf.
  void ForgeBlockSeal(ProofParts* parts, const std::string& leaf) const;
  void ForgeCoveringSeal(ProofParts* parts, const std::string& leaf) const;
  void ForgeLeaf(ProofParts* parts, const std::string& leaf) const;

  const TestNetwork& network() const { return network_; }
  const TestChain& chain() const { return chain_; }
  const std::vector<std::string>& leaves() const { return leaves_; }

  absl::StatusOr<BlockRange> BlockAt(Height height) const override;
  absl::StatusOr<BlockRange> BlockOf(RecordIndex index) const override;
  absl::StatusOr<std::string> Leaf(RecordIndex index) const override;
  absl::StatusOr<std::string> Payload(RecordIndex index) const override;
  absl::StatusOr<std::vector<RecordResult>> Results(Height height) const override;
  absl::StatusOr<PublicKey> AuthorKey(const KeyId& id) const override;
  const TileSource& tiles() const override { return tiles_; }

 private:
  // Puts the leaves of `parts` into a copy of the log and makes all paths and the head anew.
  void Relog(ProofParts* parts) const;

  TestNetwork network_;
  TestChain chain_;
  std::vector<std::string> leaves_;
  std::vector<std::string> payloads_;  // By index; empty for what has none.
  std::vector<BlockRange> blocks_;
  MemoryTiles tiles_;
  Policy policy_;
};

// The one sample, built once.
const ProofSample& Sample();

// The verdict and all facts in one line, reason left out.
std::string OneLine(const ProofReport& report);

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_PROOF_PROOF_SAMPLE_H_
