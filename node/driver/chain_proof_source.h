// ChainProofSource: what a node knows, as proofs are made of it (ledger/proof/proof_builder.h).
//
// One object serves one proof. It asks one snapshot of the executed chain; leaves and payloads come
// from block cache or journal, inner nodes from the tile store. A checkpoint that was final before
// the object was made is covered by its snapshot. At most kBlocksKept blocks are held at a time.
// Belongs to one thread.
//
// Where the chain has a block and this validator has not its bytes, as after joining by a snapshot,
// the error is kAborted: others can answer, and waiting here does not help.
#ifndef VIGIL_NODE_DRIVER_CHAIN_PROOF_SOURCE_H_
#define VIGIL_NODE_DRIVER_CHAIN_PROOF_SOURCE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/proof/proof_builder.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/services.h"

namespace vigil::node {

class ChainProofSource final : public ledger::ProofSource {
 public:
  // `services` must outlive the object. Errors: kUnavailable while the node keeps no log.
  static absl::StatusOr<std::unique_ptr<ChainProofSource>> Make(const NodeServices* services);

  // Where the record with this leaf hash lies. Errors: kNotFound.
  absl::StatusOr<RecordIndex> FindRecord(const Hash& leaf_hash) const;

  absl::StatusOr<BlockRange> BlockAt(Height height) const override;
  absl::StatusOr<BlockRange> BlockOf(RecordIndex index) const override;
  absl::StatusOr<std::string> Leaf(RecordIndex index) const override;
  absl::StatusOr<std::string> PrunedEventLeaves(RecordIndex index) const override;
  absl::StatusOr<std::string> Payload(RecordIndex index) const override;
  absl::StatusOr<std::vector<ledger::RecordResult>> Results(Height height) const override;
  absl::StatusOr<PublicKey> AuthorKey(const KeyId& id) const override;
  const ledger::TileSource& tiles() const override { return tiles_; }

 private:
  // Block of the record, and block whose seal covers its result.
  static constexpr size_t kBlocksKept = 2;

  // The node's tiles; one that is not there is being made again.
  class Tiles final : public ledger::TileSource {
   public:
    explicit Tiles(const ledger::TileSource* tiles) : tiles_(tiles) {}
    absl::StatusOr<std::vector<Hash>> ReadTile(const ledger::TileId& id) const override;

   private:
    const ledger::TileSource* const tiles_;
  };

  ChainProofSource(const NodeServices* services, const ledger::TileSource* tiles);
  absl::StatusOr<ledger::BlockPtr> Load(Height height) const;

  const NodeServices* const services_;
  // Owned together with whoever else asks at this height.
  const std::shared_ptr<const ledger::ChainReader> reader_;
  const Tiles tiles_;
  mutable std::map<Height, ledger::BlockPtr> blocks_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_CHAIN_PROOF_SOURCE_H_
