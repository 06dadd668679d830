#include "ledger/proof/proof_builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/consistency.h"
#include "ledger/proof/extra.h"

namespace vigil::ledger {
namespace {

using BlockRange = ProofSource::BlockRange;

absl::Status NotYet(absl::string_view what, uint64_t number, const Checkpoint& head) {
  return absl::UnavailableError(absl::StrCat(what, " ", number, " is not below the checkpoint of ",
                                             head.size, " leaves yet; ask again after the next"));
}

// The path of the leaf at `index` to the root of `head`.
absl::StatusOr<std::vector<Hash>> PathTo(const ProofSource& source, const Checkpoint& head,
                                         RecordIndex index, absl::string_view leaf) {
  ASSIGN_OR_RETURN(std::vector<Hash> path,
                   InclusionFromTiles(source.tiles(), index.value(), head.size));
  const absl::Status status =
      VerifyInclusion(index.value(), head.size, LeafHash(AsBytes(leaf)), path, head.root);
  if (!status.ok()) {
    return absl::DataLossError(absl::StrCat("leaf ", index.value(),
                                            ", tiles and checkpoint do not "
                                            "fit together: ",
                                            status.message()));
  }
  return path;
}

absl::StatusOr<SealProof> ProveSeal(const ProofSource& source, const Checkpoint& head,
                                    const BlockRange& block) {
  SealProof seal{.index = block.seal_index(), .leaf = "", .path = {}};
  if (seal.index.value() >= head.size) return NotYet("block", block.height.value(), head);
  ASSIGN_OR_RETURN(seal.leaf, source.Leaf(seal.index));
  ASSIGN_OR_RETURN(seal.path, PathTo(source, head, seal.index, seal.leaf));
  return seal;
}

// The first block above `height` whose header commits to the results of `height`, and up to which
// height the block before it committed.
struct Covering {
  BlockRange block;
  BlockHeader header;
  Height after;
};
absl::StatusOr<Covering> FindCovering(const ProofSource& source, const Checkpoint& head,
                                      Height height) {
  Height after;
  for (Height at = height; at.value() <= height.value() + kExecutionLagHeightsMax; ++at) {
    absl::StatusOr<BlockRange> block = source.BlockAt(at);
    if (absl::IsNotFound(block.status()) ||
        (block.ok() && block->seal_index().value() >= head.size)) {
      return NotYet("the result of a record in block", height.value(), head);
    }
    if (!block.ok()) return block.status();
    ASSIGN_OR_RETURN(const std::string leaf, source.Leaf(block->seal_index()));
    ASSIGN_OR_RETURN(const Seal seal, DecodeSealLeaf(AsBytes(leaf)));
    if (seal.header.executed_height >= height) {
      return Covering{.block = *block, .header = seal.header, .after = after};
    }
    after = seal.header.executed_height;
  }
  return absl::DataLossError(absl::StrCat("no header within ", kExecutionLagHeightsMax,
                                          " heights commits to the results of ", height.value()));
}

// The result of the record at `index`, which is in the block at `height`.
absl::StatusOr<ResultProof> ProveResult(const ProofSource& source, const Checkpoint& head,
                                        RecordIndex index, Height height) {
  ASSIGN_OR_RETURN(const Covering covering, FindCovering(source, head, height));
  ResultProof proof;
  ASSIGN_OR_RETURN(proof.seal, ProveSeal(source, head, covering.block));
  std::vector<Hash> leaves;
  for (Height at = covering.after.Next(); at <= covering.header.executed_height; ++at) {
    ASSIGN_OR_RETURN(const std::vector<RecordResult> results, source.Results(at));
    for (const RecordResult& result : results) {
      const std::string bytes = EncodeResult(result);
      if (result.index == index) {
        proof.bytes = bytes;
        proof.position = static_cast<uint32_t>(leaves.size());
      }
      leaves.push_back(LeafHash(AsBytes(bytes)));
    }
  }
  if (proof.bytes.empty() || proof.bytes.size() > kProofResultBytesMax ||
      MerkleRoot(leaves) != covering.header.results_root) {
    return absl::DataLossError(absl::StrCat("results of the heights ", covering.after.value() + 1,
                                            " to ", covering.header.executed_height.value(),
                                            " are not those of the header"));
  }
  proof.count = static_cast<uint32_t>(leaves.size());
  proof.path = InclusionPath(leaves, proof.position);
  return proof;
}

// The event leaves of a batch, and the bytes of one of them if they are wanted and still there.
struct BatchEvents {
  std::vector<Hash> leaves;
  std::string bytes;
};

absl::StatusOr<BatchEvents> ReadEvents(const ProofSource& source, RecordIndex index, ItemIndex item,
                                       EventBytes bytes) {
  BatchEvents read;
  ASSIGN_OR_RETURN(const std::string pruned, source.PrunedEventLeaves(index));
  if (!pruned.empty()) {
    ByteReader reader(pruned);
    while (reader.ok() && reader.remaining() > 0) read.leaves.push_back(reader.ReadHash());
    return read;
  }
  ASSIGN_OR_RETURN(const std::string payload, source.Payload(index));
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, SplitPayload(AsBytes(payload)));
  for (const ByteSpan event : events) read.leaves.push_back(LeafHash(event));
  if (bytes == EventBytes::kInclude && item.value() < events.size()) {
    read.bytes = ToString(events[item.value()]);
  }
  return read;
}

absl::StatusOr<EventProof> ProveEvent(const ProofSource& source, const RecordView& record,
                                      RecordIndex index, ItemIndex item, EventBytes bytes) {
  if (record.kind != RecordKind::kEventBatch) {
    return absl::NotFoundError(absl::StrCat("record ", index.value(), " is of kind ",
                                            KindOf(record.kind).name, ", which has no events"));
  }
  const auto& batch = std::get<EventBatchBody>(record.body);
  if (item.value() >= batch.item_count) {
    return absl::NotFoundError(absl::StrCat("event ", item.value(), " of ", batch.item_count,
                                            " in record ", index.value()));
  }
  ASSIGN_OR_RETURN(BatchEvents events, ReadEvents(source, index, item, bytes));
  if (events.leaves.size() != batch.item_count || MerkleRoot(events.leaves) != batch.items_root) {
    return absl::DataLossError(
        absl::StrCat("payload of record ", index.value(), " is not what the batch commits to"));
  }
  EventProof proof;
  proof.item = item;
  proof.leaf_hash = events.leaves[item.value()];
  proof.path = InclusionPath(events.leaves, item.value());
  proof.bytes = std::move(events.bytes);
  return proof;
}

// The proof of the record at `index` as far as events and records share it.
absl::StatusOr<ProofExtra> ProveRecord(const ProofSource& source, const Checkpoint& head,
                                       RecordIndex index) {
  ASSIGN_OR_RETURN(const BlockRange block, source.BlockOf(index));
  if (index == block.seal_index()) {
    return absl::NotFoundError(absl::StrCat("index ", index.value(), " is the seal of block ",
                                            block.height.value(), ", not a record"));
  }
  ProofExtra extra;
  ASSIGN_OR_RETURN(extra.block, ProveSeal(source, head, block));
  ASSIGN_OR_RETURN(extra.leaf, source.Leaf(index));
  ASSIGN_OR_RETURN(const RecordView record, DecodeRecord(AsBytes(extra.leaf)));
  ASSIGN_OR_RETURN(extra.author_key, source.AuthorKey(record.author));
  ASSIGN_OR_RETURN(extra.result, ProveResult(source, head, index, block.height));
  return extra;
}

absl::StatusOr<std::string> Write(const ProofSource& source, const Checkpoint& head,
                                  absl::string_view checkpoint, RecordIndex index,
                                  const ProofExtra& extra) {
  TlogProof file;
  ASSIGN_OR_RETURN(file.path, PathTo(source, head, index, extra.leaf));
  file.extra = EncodeProofExtra(extra);
  file.index = index.value();
  file.checkpoint = std::string(checkpoint);
  return EncodeTlogProof(file);
}

}  // namespace

absl::StatusOr<std::string> BuildEventProof(const ProofSource& source, absl::string_view checkpoint,
                                            RecordIndex index, ItemIndex item, EventBytes bytes) {
  ASSIGN_OR_RETURN(const SignedCheckpoint head, DecodeSignedCheckpoint(checkpoint));
  ASSIGN_OR_RETURN(ProofExtra extra, ProveRecord(source, head.checkpoint, index));
  extra.subject = ProofSubject::kEvent;
  ASSIGN_OR_RETURN(const RecordView record, DecodeRecord(AsBytes(extra.leaf)));
  ASSIGN_OR_RETURN(extra.event, ProveEvent(source, record, index, item, bytes));
  return Write(source, head.checkpoint, checkpoint, index, extra);
}

absl::StatusOr<std::string> BuildRecordProof(const ProofSource& source,
                                             absl::string_view checkpoint, RecordIndex index) {
  ASSIGN_OR_RETURN(const SignedCheckpoint head, DecodeSignedCheckpoint(checkpoint));
  ASSIGN_OR_RETURN(ProofExtra extra, ProveRecord(source, head.checkpoint, index));
  extra.subject = ProofSubject::kRecord;
  return Write(source, head.checkpoint, checkpoint, index, extra);
}

absl::StatusOr<std::string> BuildBlockProof(const ProofSource& source, absl::string_view checkpoint,
                                            Height height) {
  ASSIGN_OR_RETURN(const SignedCheckpoint head, DecodeSignedCheckpoint(checkpoint));
  ASSIGN_OR_RETURN(const BlockRange block, source.BlockAt(height));
  ASSIGN_OR_RETURN(SealProof seal, ProveSeal(source, head.checkpoint, block));
  ProofExtra extra;
  extra.subject = ProofSubject::kBlock;
  extra.leaf = std::move(seal.leaf);
  return Write(source, head.checkpoint, checkpoint, seal.index, extra);
}

absl::StatusOr<std::string> BuildConsistencyProof(const TileSource& tiles, absl::string_view older,
                                                  absl::string_view newer) {
  ASSIGN_OR_RETURN(const SignedCheckpoint from, DecodeSignedCheckpoint(older));
  ASSIGN_OR_RETURN(const SignedCheckpoint to, DecodeSignedCheckpoint(newer));
  const Checkpoint& first = from.checkpoint;
  const Checkpoint& second = to.checkpoint;
  if (first.origin != second.origin) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoints of two logs, ", first.origin, " and ", second.origin));
  }
  ConsistencyProof proof;
  ASSIGN_OR_RETURN(proof.path, ConsistencyFromTiles(tiles, first.size, second.size));
  const absl::Status status =
      VerifyConsistency(first.size, second.size, first.root, second.root, proof.path);
  if (!status.ok()) {
    return absl::DataLossError(
        absl::StrCat("tiles and checkpoints do not fit together: ", status.message()));
  }
  proof.checkpoints = {.first = std::string(older), .second = std::string(newer)};
  return EncodeConsistencyProof(proof);
}

}  // namespace vigil::ledger
