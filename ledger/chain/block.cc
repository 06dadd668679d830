#include "ledger/chain/block.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"

namespace vigil::ledger {
namespace {

constexpr uint16_t kFrameFormat = 1;
constexpr uint16_t kPrunedFrameFormat = 2;
constexpr size_t kFrameFixedBytes = 2 + kHeaderBytes + Signature::size() + 4;
constexpr size_t kFrameRecordBytes = 4 + 4;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("block: ", parts...));
}

// Reads the table of sizes, then the leaves and payloads that it describes.
absl::Status ReadRecords(ByteReader* reader, std::vector<Block::Entry>* records) {
  const uint32_t count = reader->U32();
  if (count > kBlockRecordsMax) return Invalid(count, " records, at most ", kBlockRecordsMax);
  ByteReader sizes(reader->Raw(kFrameRecordBytes * count));
  if (!reader->ok()) return Invalid("ends inside the size table of ", count, " records");
  std::vector<std::pair<uint32_t, uint32_t>> table(count);
  for (auto& [leaf_size, payload_size] : table) {
    leaf_size = sizes.U32();
    payload_size = sizes.U32();
  }
  records->resize(count);
  for (uint32_t i = 0; i < count; ++i) (*records)[i].leaf = reader->Raw(table[i].first);
  for (uint32_t i = 0; i < count; ++i) (*records)[i].payload = reader->Raw(table[i].second);
  return reader->Finish("block");
}

// Fills the leaf hashes; returns the root over them.
Hash HashLeaves(std::vector<Block::Entry>* records) {
  std::vector<Hash> leaves;
  leaves.reserve(records->size());
  for (Block::Entry& entry : *records) {
    entry.leaf_hash = LeafHash(entry.leaf);
    leaves.push_back(entry.leaf_hash);
  }
  return MerkleRoot(leaves);
}

absl::Status CheckHeights(const BlockHeader& header) {
  const uint64_t height = header.height.value();
  const uint64_t executed = header.executed_height.value();
  if (height == 0) return Invalid("height 0; the first block has height 1");
  if (executed >= height || height - executed > kExecutionLagHeightsMax) {
    return Invalid("executed height ", executed, " at height ", height,
                   "; must be below it by 1 to ", kExecutionLagHeightsMax);
  }
  if (header.view == View(0) || header.parent_view > header.view) {
    return Invalid("view ", header.view.value(), " after parent's view ",
                   header.parent_view.value(), "; must be at least 1 and not below it");
  }
  return absl::OkStatus();
}

absl::Status CheckAgainstGenesis(const Genesis& genesis, const BlockHeader& header) {
  if (header.chain_id != genesis.chain_id) {
    return Invalid("chain id ", header.chain_id.ToHex(), ", must be ", genesis.chain_id.ToHex());
  }
  const Height snapshot = genesis.SnapshotHeightAt(header.height);
  if (header.snapshot_height != snapshot) {
    return Invalid("names the snapshot of height ", header.snapshot_height.value(), ", must be ",
                   snapshot.value(), " (0: none)");
  }
  if (header.snapshot_digest.IsZero() != (snapshot == Height(0))) {
    return Invalid("snapshot digest ", header.snapshot_digest.ToHex(), " of height ",
                   snapshot.value(), ", must be zero exactly when there is none");
  }
  const bool is_first = header.height == Height(1);
  if (is_first && (header.parent_hash != genesis.genesis_hash || header.parent_view != View(0))) {
    return Invalid("first block: parent ", header.parent_hash.ToHex(), " in view ",
                   header.parent_view.value(), ", must be the genesis hash in view 0");
  }
  if (header.time_unix_millis < genesis.time_unix_millis ||
      header.time_unix_millis > kTimeUnixMillisMax) {
    return Invalid("time ", header.time_unix_millis, " ms, from ", genesis.time_unix_millis, " to ",
                   kTimeUnixMillisMax);
  }
  return absl::OkStatus();
}

// The epoch that the header names, and that its proposer signed it.
absl::Status CheckProposer(const Genesis& genesis, const Block& block) {
  ASSIGN_OR_RETURN(const HeaderEpoch epoch, FindHeaderEpoch(genesis, block.header()));
  const uint32_t proposer = block.header().proposer.value();
  if (proposer >= epoch.validators->size()) {
    return Invalid("proposer ", proposer, " of ", epoch.validators->size(), " validators");
  }
  const std::string message = ProposalSigningMessage(block.hash());
  if (!VerifySignature((*epoch.validators)[proposer].consensus_key, AsBytes(message),
                       block.signature())) {
    return Invalid("signature is not that of proposer ", proposer);
  }
  return absl::OkStatus();
}

// What a batch commits to can be computed from the hashes of its events.
absl::Status CheckPrunedEntry(const Block::Entry& entry) {
  ASSIGN_OR_RETURN(const RecordView record, DecodeRecord(entry.leaf));
  const auto* const batch = std::get_if<EventBatchBody>(&record.body);
  if (batch != nullptr) return CheckEventLeaves(*batch, entry.event_leaves);
  if (entry.event_leaves.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("event hashes of ", entry.event_leaves.size(),
                                                 " bytes beside a record of kind ",
                                                 KindOf(record.kind).name));
}

absl::Status CheckEntry(const Block::Entry& entry) {
  ASSIGN_OR_RETURN(const RecordView record, DecodeRecord(entry.leaf));
  if (KindOf(record.kind).has_payload) {
    return CheckPayload(std::get<EventBatchBody>(record.body), entry.payload, /*views=*/nullptr);
  }
  if (!entry.payload.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("payload of ", entry.payload.size(),
                                                   " bytes beside a record of kind ",
                                                   KindOf(record.kind).name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Block>> Block::Decode(std::string frame) {
  return DecodeAs(kFrameFormat, std::move(frame));
}

absl::StatusOr<std::shared_ptr<const Block>> Block::DecodePruned(std::string frame) {
  return DecodeAs(kPrunedFrameFormat, std::move(frame));
}

absl::StatusOr<std::shared_ptr<const Block>> Block::DecodeAs(uint16_t wanted, std::string frame) {
  if (frame.size() > kBlockBytesMax) {
    return Invalid(frame.size(), " bytes, at most ", kBlockBytesMax);
  }
  std::shared_ptr<Block> block(new Block);
  block->frame_ = std::move(frame);
  ByteReader reader(block->frame_);
  const uint16_t format = reader.U16();
  block->header_bytes_ = reader.Raw(kHeaderBytes);
  block->signature_ = reader.FixedValue<Signature>();
  if (!reader.ok()) return Invalid(block->frame_.size(), " bytes, at least ", kFrameFixedBytes);
  if (format != wanted) return Invalid("format ", format, ", must be ", wanted);
  ASSIGN_OR_RETURN(block->header_, DecodeHeader(block->header_bytes_));
  RETURN_IF_ERROR(ReadRecords(&reader, &block->records_));
  block->pruned_ = wanted == kPrunedFrameFormat;
  if (block->pruned_) {
    for (Entry& entry : block->records_) entry.event_leaves = std::exchange(entry.payload, {});
  }
  const Hash body_root = HashLeaves(&block->records_);
  if (body_root != block->header_.body_root) {
    return absl::DataLossError(absl::StrCat("block at ", block->header_.height.value(),
                                            ": body root ", body_root.ToHex(), ", header says ",
                                            block->header_.body_root.ToHex()));
  }
  block->id_ = {block->header_.height, block->header_.view, HeaderHash(block->header_bytes_)};
  return block;
}

BlockPtr Block::Make(BlockHeader header, const std::vector<const Record*>& records,
                     const SigningKey& consensus_key) {
  std::vector<Hash> leaves;
  leaves.reserve(records.size());
  size_t size = kFrameFixedBytes + kFrameRecordBytes * records.size();
  for (const Record* record : records) {
    leaves.push_back(LeafHash(AsBytes(record->leaf)));
    size += record->leaf.size() + record->payload.size();
  }
  VIGIL_CHECK(size <= kBlockBytesMax, "block of ", size, " bytes, at most ", kBlockBytesMax);
  header.body_root = MerkleRoot(leaves);
  const std::string header_bytes = EncodeHeader(header);
  const Hash hash = HeaderHash(AsBytes(header_bytes));

  std::string frame;
  frame.reserve(size);
  ByteWriter writer(&frame);
  writer.U16(kFrameFormat).Raw(header_bytes);
  writer.Fixed(consensus_key.Sign(AsBytes(ProposalSigningMessage(hash))));
  writer.U32(static_cast<uint32_t>(records.size()));
  for (const Record* record : records) {
    writer.U32(static_cast<uint32_t>(record->leaf.size()));
    writer.U32(static_cast<uint32_t>(record->payload.size()));
  }
  for (const Record* record : records) writer.Raw(record->leaf);
  for (const Record* record : records) writer.Raw(record->payload);
  absl::StatusOr<BlockPtr> block = Decode(std::move(frame));
  VIGIL_CHECK(block.ok(), block.status().message());
  return *std::move(block);
}

namespace {

absl::Status CheckAnyBlock(const Genesis& genesis, const Block& block) {
  if (block.frame().size() > genesis.max_block_bytes) {
    return Invalid(block.frame().size(), " bytes, at most ", genesis.max_block_bytes);
  }
  RETURN_IF_ERROR(CheckAgainstGenesis(genesis, block.header()));
  RETURN_IF_ERROR(CheckHeights(block.header()));
  RETURN_IF_ERROR(CheckProposer(genesis, block));
  for (size_t i = 0; i < block.records().size(); ++i) {
    const Block::Entry& entry = block.records()[i];
    const absl::Status status = block.pruned() ? CheckPrunedEntry(entry) : CheckEntry(entry);
    if (!status.ok()) {
      return Annotate(status, absl::StrCat("block at ", block.height().value(), ": record ", i));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBlock(const Genesis& genesis, const Block& block) {
  if (block.pruned()) return Invalid("its payloads were pruned");
  return CheckAnyBlock(genesis, block);
}

absl::Status CheckPrunedBlock(const Genesis& genesis, const Block& block) {
  if (!block.pruned()) return Invalid("it is whole, not pruned");
  return CheckAnyBlock(genesis, block);
}

size_t WholeFrameBytes(const Block& block) {
  size_t bytes = block.frame().size();
  for (const Block::Entry& entry : block.records()) {
    if (entry.event_leaves.empty()) continue;
    const absl::StatusOr<RecordView> record = DecodeRecord(entry.leaf);
    const auto* const batch = record.ok() ? std::get_if<EventBatchBody>(&record->body) : nullptr;
    if (batch != nullptr) bytes += batch->payload_bytes - entry.event_leaves.size();
  }
  return bytes;
}

absl::StatusOr<std::string> MakePrunedFrame(const Block& block) {
  VIGIL_CHECK(!block.pruned(), "block ", block.height().value(), " is pruned already");
  std::vector<std::string> leaves(block.records().size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    const ByteSpan payload = block.records()[i].payload;
    if (payload.empty()) continue;
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, SplitPayload(payload));
    ByteWriter writer(&leaves[i]);
    for (const ByteSpan event : events) writer.Fixed(LeafHash(event));
  }
  std::string frame;
  ByteWriter writer(&frame);
  writer.U16(kPrunedFrameFormat).Raw(block.header_bytes()).Fixed(block.signature());
  writer.U32(static_cast<uint32_t>(leaves.size()));
  for (size_t i = 0; i < leaves.size(); ++i) {
    writer.U32(static_cast<uint32_t>(block.records()[i].leaf.size()));
    writer.U32(static_cast<uint32_t>(leaves[i].size()));
  }
  for (const Block::Entry& entry : block.records()) writer.Raw(entry.leaf);
  for (const std::string& hashes : leaves) writer.Raw(hashes);
  return frame;
}

}  // namespace vigil::ledger
