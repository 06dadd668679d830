#include "ledger/state/snapshot_builder.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

constexpr size_t kPieceBytes = 1024 * 1024;

// In the order of their prefixes. What is missing can be derived (blocks by hash and by first
// record, marks, tip) or is of this validator alone.
constexpr std::array<Space, 5> kSpaces = {Space::kBlock, Space::kLeaf, Space::kResults,
                                          Space::kState, Space::kUndo};

}  // namespace

SnapshotBuilder::SnapshotBuilder(std::shared_ptr<const StoreReader> reader, SnapshotHead head)
    : reader_(std::move(reader)),
      head_(std::move(head)),
      from_(SpacePrefix(kSpaces[0])),
      pending_(EncodeSnapshotHead(head_)) {
  manifest_.chain_id = head_.chain_id;
  manifest_.height = head_.tip.height;
}

absl::StatusOr<std::unique_ptr<SnapshotBuilder>> SnapshotBuilder::Begin(
    std::shared_ptr<const StoreReader> reader, const Genesis& genesis) {
  ASSIGN_OR_RETURN(Tip tip, ChainReader(reader).GetTip());
  if (tip.height == Height(0)) {
    return absl::FailedPreconditionError("snapshot: there is no block yet");
  }
  return std::unique_ptr<SnapshotBuilder>(new SnapshotBuilder(
      std::move(reader),
      {.chain_id = genesis.chain_id, .genesis_hash = genesis.genesis_hash, .tip = std::move(tip)}));
}

absl::Status SnapshotBuilder::AddEntry(absl::string_view key, absl::string_view value) {
  if (key.size() > kSnapshotKeyBytesMax || value.size() > kSnapshotValueBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("snapshot: entry with a key of ", key.size(), " and a value of ", value.size(),
                     " bytes, at most ", kSnapshotKeyBytesMax, " and ", kSnapshotValueBytesMax));
  }
  if (kSpaces[space_] != Space::kBlock) {
    AppendSnapshotEntry(key, value, &pending_);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const BlockInfo info, DecodeBlockInfo(value));
  AppendSnapshotEntry(key, SnapshotBlockValue(info), &pending_);
  return absl::OkStatus();
}

absl::Status SnapshotBuilder::GiveChunk(ByteSpan chunk, const ChunkSink& sink) {
  if (manifest_.chunks.size() == kSnapshotChunksMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("snapshot at height ", manifest_.height.value(), ": more than ",
                     kSnapshotChunksMax, " chunks of ", kSnapshotChunkBytes, " bytes"));
  }
  manifest_.chunks.push_back(LeafHash(chunk));
  manifest_.bytes += chunk.size();
  return sink(chunk);
}

absl::StatusOr<bool> SnapshotBuilder::Step(const ChunkSink& sink) {
  VIGIL_CHECK(space_ < kSpaces.size(), "the snapshot is complete");
  absl::Status added;
  bool more = false;  // In this key space.
  RETURN_IF_ERROR(reader_->Scan(from_, PrefixEnd(SpacePrefix(kSpaces[space_])), /*reverse=*/false,
                                [&](absl::string_view key, absl::string_view value) {
                                  if (pending_.size() >= kPieceBytes) {
                                    from_ = std::string(key);
                                    more = true;
                                    return false;
                                  }
                                  added = AddEntry(key, value);
                                  return added.ok();
                                }));
  RETURN_IF_ERROR(added);
  if (!more && ++space_ < kSpaces.size()) from_ = SpacePrefix(kSpaces[space_]);
  const bool done = space_ == kSpaces.size();
  size_t given = 0;
  while (pending_.size() - given >= kSnapshotChunkBytes || (done && given < pending_.size())) {
    const ByteSpan left = AsBytes(pending_).subspan(given);
    const ByteSpan chunk = left.first(std::min(left.size(), kSnapshotChunkBytes));
    RETURN_IF_ERROR(GiveChunk(chunk, sink));
    given += chunk.size();
  }
  pending_.erase(0, given);
  if (done) manifest_.digest = MerkleRoot(manifest_.chunks);
  return !done;
}

absl::StatusOr<SnapshotMark> ComputeSnapshotMark(std::shared_ptr<const StoreReader> reader,
                                                 const Genesis& genesis) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotBuilder> builder,
                   SnapshotBuilder::Begin(std::move(reader), genesis));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, builder->Step([](ByteSpan) { return absl::OkStatus(); }));
    if (!more) return builder->manifest().mark();
  }
}

}  // namespace vigil::ledger
