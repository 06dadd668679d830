#include "ledger/state/snapshot_loader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/executor.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

constexpr size_t kBatchBytes = 1024 * 1024;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("snapshot: ", parts...));
}

// The lowest height whose undo image is kept at `height`.
uint64_t FirstUndo(uint64_t height) {
  return height > kExecutionLagHeightsMax ? height - kExecutionLagHeightsMax + 1 : 1;
}

uint64_t FirstMark(uint64_t height) {
  return height > kMarksKeptMax ? height - kMarksKeptMax + 1 : 1;
}

}  // namespace

SnapshotLoader::SnapshotLoader(Store* store, const Genesis* genesis, SnapshotManifest manifest,
                               BlockPlaceFn place)
    : store_(store),
      genesis_(genesis),
      manifest_(std::move(manifest)),
      place_(std::move(place)),
      last_undo_(FirstUndo(manifest_.height.value()) - 1) {}

absl::StatusOr<std::unique_ptr<SnapshotLoader>> SnapshotLoader::Begin(
    Store* store, const Genesis* genesis, const SnapshotManifest& manifest, BlockPlaceFn place) {
  if (manifest.chain_id != genesis->chain_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("the snapshot is of chain ", manifest.chain_id.ToHex(),
                     ", genesis is of chain ", genesis->chain_id.ToHex()));
  }
  bool empty = true;
  RETURN_IF_ERROR(store->Scan("", "", /*reverse=*/false, [&](absl::string_view, absl::string_view) {
    empty = false;
    return false;
  }));
  if (!empty) return absl::FailedPreconditionError("the store to load a snapshot into is in use");
  return std::unique_ptr<SnapshotLoader>(
      new SnapshotLoader(store, genesis, manifest, std::move(place)));
}

absl::Status SnapshotLoader::Add(ByteSpan chunk) {
  RETURN_IF_ERROR(CheckSnapshotChunk(manifest_, next_chunk_, chunk));
  size_t used = 0;
  if (next_chunk_ == 0) RETURN_IF_ERROR(ReadHead(chunk, &used));
  ++next_chunk_;
  return entries_.Add(chunk.subspan(used), [this](absl::string_view key, absl::string_view value) {
    return OnEntry(key, value);
  });
}

absl::Status SnapshotLoader::ReadHead(ByteSpan chunk, size_t* used) {
  ASSIGN_OR_RETURN(head_, DecodeSnapshotHead(chunk, used));
  if (head_.chain_id != genesis_->chain_id || head_.genesis_hash != genesis_->genesis_hash) {
    return Invalid("its head is of chain ", head_.chain_id.ToHex(), " and genesis ",
                   head_.genesis_hash.ToHex());
  }
  if (head_.tip.height == manifest_.height) return absl::OkStatus();
  return Invalid("its head is of height ", head_.tip.height.value(), ", the manifest of ",
                 manifest_.height.value());
}

absl::Status SnapshotLoader::OnEntry(absl::string_view key, absl::string_view value) {
  if (key <= last_key_) return Invalid("key ", HexEncode(AsBytes(key)), " is out of order");
  last_key_ = std::string(key);
  ByteReader fields(key.substr(1));
  switch (static_cast<Space>(key[0])) {
    case Space::kBlock: {
      const uint64_t height = fields.U64();
      RETURN_IF_ERROR(fields.Finish("snapshot: key of a block"));
      return OnBlock(height, value);
    }
    case Space::kLeaf:
      fields.ReadHash();
      RETURN_IF_ERROR(fields.Finish("snapshot: key of a leaf"));
      break;
    case Space::kResults: {
      const uint64_t height = fields.U64();
      RETURN_IF_ERROR(fields.Finish("snapshot: key of results"));
      RETURN_IF_ERROR(OnHeightEntry(height, value, "results", &last_results_));
      break;
    }
    case Space::kUndo: {
      const uint64_t height = fields.U64();
      RETURN_IF_ERROR(fields.Finish("snapshot: key of an undo image"));
      RETURN_IF_ERROR(OnHeightEntry(height, value, "undo image", &last_undo_));
      break;
    }
    case Space::kState:
      break;
    default:
      return Invalid("key ", HexEncode(AsBytes(key.substr(0, 16))), " of no space it may hold");
  }
  batch_.Put(key, value);
  return batch_.bytes() < kBatchBytes ? absl::OkStatus() : WriteBatch();
}

absl::Status SnapshotLoader::OnBlock(uint64_t height, absl::string_view value) {
  absl::StatusOr<BlockInfo> decoded = DecodeBlockInfo(value);
  if (!decoded.ok()) return Invalid(decoded.status().message());
  const BlockInfo& info = *decoded;
  const uint64_t first =
      height == 1 ? 0 : last_block_.first_index.value() + last_block_.record_count + 1;
  if (height != last_block_.height.value() + 1 || info.height.value() != height ||
      info.first_index.value() != first || SnapshotBlockValue(info) != value) {
    return Invalid("the entry of block ", height, " does not continue block ",
                   last_block_.height.value());
  }
  last_block_ = info;
  BlockInfo placed = info;
  ASSIGN_OR_RETURN(const BlockPlace place, place_(info));
  placed.position = place.position;
  placed.frame_bytes = place.frame_bytes;
  batch_.Put(StoreNumberKey(Space::kBlock, height), EncodeBlockInfo(placed));
  batch_.Put(StoreHashKey(Space::kBlockHash, info.hash), EncodeNumber(height));
  batch_.Put(StoreNumberKey(Space::kFirstIndex, first), EncodeNumber(height));
  if (height >= FirstMark(manifest_.height.value())) {
    batch_.Put(StoreNumberKey(Space::kMark, height), info.hash.view());
  }
  return batch_.bytes() < kBatchBytes ? absl::OkStatus() : WriteBatch();
}

absl::Status SnapshotLoader::OnHeightEntry(uint64_t height, absl::string_view value,
                                           absl::string_view what, uint64_t* last) {
  if (height != *last + 1) return Invalid(what, " of height ", height, " after ", *last);
  *last = height;
  if (what != "results") return DecodeWriteSet(AsBytes(value)).status();
  const absl::StatusOr<std::vector<ByteSpan>> results = SplitResults(value);
  return results.ok() ? absl::OkStatus() : Invalid(results.status().message());
}

absl::Status SnapshotLoader::CheckComplete() const {
  RETURN_IF_ERROR(entries_.Finish());
  const Tip& tip = head_.tip;
  const uint64_t height = tip.height.value();
  if (next_chunk_ != manifest_.chunks.size()) {
    return Invalid(next_chunk_, " of ", manifest_.chunks.size(), " chunks");
  }
  if (last_block_.height != tip.height || last_results_ != height || last_undo_ != height) {
    return Invalid("blocks up to ", last_block_.height.value(), ", results up to ", last_results_,
                   ", undo images up to ", last_undo_, ", must be ", height);
  }
  const uint64_t leaves = last_block_.first_index.value() + last_block_.record_count + 1;
  if (last_block_.hash != tip.block_hash || last_block_.seal_leaf != tip.seal_leaf ||
      last_block_.state_digest != tip.state_digest || leaves != tip.tree.size()) {
    return Invalid("its head differs from the entry of block ", height);
  }
  return absl::OkStatus();
}

absl::Status SnapshotLoader::WriteBatch() {
  RETURN_IF_ERROR(store_->Write(batch_));
  batch_ = StoreBatch();
  return absl::OkStatus();
}

absl::StatusOr<Tip> SnapshotLoader::Finish() {
  RETURN_IF_ERROR(CheckComplete());
  // The names of chain and tip come last: without them the store is not one.
  const GenesisOutcome genesis = ExecuteGenesis(*genesis_);
  batch_.Put(StoreChainKey(), EncodeChain({.chain_id = genesis_->chain_id,
                                           .genesis_hash = genesis_->genesis_hash,
                                           .state_digest = genesis.tip.state_digest}));
  batch_.Put(StoreTipKey(), EncodeTip(head_.tip));
  RETURN_IF_ERROR(WriteBatch());
  RETURN_IF_ERROR(store_->Sync());
  return head_.tip;
}

absl::StatusOr<Tip> LoadSnapshot(const SnapshotFile& file, Store* store, const Genesis* genesis,
                                 BlockPlaceFn place) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotLoader> loader,
                   SnapshotLoader::Begin(store, genesis, file.manifest(), std::move(place)));
  for (uint32_t i = 0; i < file.manifest().chunks.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string chunk, file.ReadChunk(i));
    RETURN_IF_ERROR(loader->Add(AsBytes(chunk)));
  }
  return loader->Finish();
}

}  // namespace vigil::ledger
