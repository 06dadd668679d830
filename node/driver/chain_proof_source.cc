#include "node/driver/chain_proof_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"

namespace vigil::node {
namespace {

ledger::ProofSource::BlockRange RangeOf(const ledger::BlockInfo& info) {
  return {.height = info.height, .first = info.first_index, .record_count = info.record_count};
}

}  // namespace

absl::StatusOr<std::vector<Hash>> ChainProofSource::Tiles::ReadTile(
    const ledger::TileId& id) const {
  absl::StatusOr<std::vector<Hash>> tile = tiles_->ReadTile(id);
  if (!absl::IsNotFound(tile.status())) return tile;
  // Whatever lies below a final checkpoint was there when that was published.
  return absl::UnavailableError(absl::StrCat(
      ledger::TilePath(id), " is not there: this validator makes its log's files again"));
}

ChainProofSource::ChainProofSource(const NodeServices* services, const ledger::TileSource* tiles)
    : services_(services), reader_(services->Snapshot()), tiles_(tiles) {}

absl::StatusOr<std::unique_ptr<ChainProofSource>> ChainProofSource::Make(
    const NodeServices* services) {
  const ledger::TileSource* tiles = services->tiles();
  if (tiles == nullptr) return absl::UnavailableError("this validator refuses and keeps no log");
  return std::unique_ptr<ChainProofSource>(new ChainProofSource(services, tiles));
}

absl::StatusOr<RecordIndex> ChainProofSource::FindRecord(const Hash& leaf_hash) const {
  return reader_->FindRecord(leaf_hash);
}

absl::StatusOr<ledger::ProofSource::BlockRange> ChainProofSource::BlockAt(Height height) const {
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader_->GetBlock(height));
  return RangeOf(info);
}

absl::StatusOr<ledger::ProofSource::BlockRange> ChainProofSource::BlockOf(RecordIndex index) const {
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader_->BlockOfRecord(index));
  return RangeOf(info);
}

absl::StatusOr<ledger::BlockPtr> ChainProofSource::Load(Height height) const {
  const auto kept = blocks_.find(height);
  if (kept != blocks_.end()) return kept->second;
  absl::StatusOr<ledger::BlockPtr> loaded = services_->LoadBlock(height);
  // The chain has the block, so others have its bytes.
  if (absl::IsNotFound(loaded.status())) return absl::AbortedError(loaded.status().message());
  if (!loaded.ok()) return loaded.status();
  ledger::BlockPtr block = *std::move(loaded);
  if (blocks_.size() == kBlocksKept) blocks_.erase(std::prev(blocks_.end()));
  blocks_.emplace(height, block);
  return block;
}

absl::StatusOr<std::string> ChainProofSource::Leaf(RecordIndex index) const {
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader_->BlockOfRecord(index));
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, Load(info.height));
  const uint64_t position = index - info.first_index;
  if (position < block->records().size()) return ToString(block->records()[position].leaf);
  Hash previous_seal;
  if (info.height > Height(1)) {
    ASSIGN_OR_RETURN(const ledger::BlockInfo before, reader_->GetBlock(info.height.Previous()));
    previous_seal = before.seal_leaf;
  }
  return ledger::EncodeSealLeaf(block->header_bytes(), previous_seal, info.first_index,
                                info.record_count);
}

absl::StatusOr<std::string> ChainProofSource::PrunedEventLeaves(RecordIndex index) const {
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader_->BlockOfRecord(index));
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, Load(info.height));
  const uint64_t position = index - info.first_index;
  if (position >= block->records().size()) return std::string();
  return ToString(block->records()[position].event_leaves);
}

absl::StatusOr<std::string> ChainProofSource::Payload(RecordIndex index) const {
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader_->BlockOfRecord(index));
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, Load(info.height));
  const uint64_t position = index - info.first_index;
  if (position < block->records().size()) return ToString(block->records()[position].payload);
  return absl::NotFoundError(absl::StrCat("index ", index.value(), " is a seal without payload"));
}

absl::StatusOr<std::vector<ledger::RecordResult>> ChainProofSource::Results(Height height) const {
  return reader_->GetResults(height);
}

absl::StatusOr<PublicKey> ChainProofSource::AuthorKey(const KeyId& id) const {
  ASSIGN_OR_RETURN(const ledger::IdentityInfo info, reader_->FindKey(id));
  return info.key;
}

}  // namespace vigil::node
