#include "ledger/state/snapshot.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/tags.h"
#include "ledger/log/merkle.h"
#include "ledger/state/store_codec.h"

namespace vigil::ledger {

namespace {

constexpr uint16_t kSnapshotFormat = 1;
constexpr size_t kTipBytesMax = 8 * 1024;
static_assert(2 + 32 + 32 + 4 + kTipBytesMax < kSnapshotChunkBytes);
static_assert(kSnapshotTag.size() == 18);

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("snapshot: ", parts...));
}

absl::Status CheckBytes(uint64_t bytes) {
  constexpr uint64_t kBytesMax = uint64_t{kSnapshotChunksMax} * kSnapshotChunkBytes;
  if (bytes > 0 && bytes <= kBytesMax) return absl::OkStatus();
  return Invalid(bytes, " bytes, from 1 to ", kBytesMax);
}

// What the footer says besides the chunk hashes.
absl::StatusOr<SnapshotManifest> DecodeFooter(ByteSpan footer) {
  ByteReader reader(footer);
  const ByteSpan tag = reader.Raw(kSnapshotTag.size());
  SnapshotManifest manifest;
  manifest.chain_id = reader.ReadHash();
  manifest.height = Height(reader.U64());
  manifest.bytes = reader.U64();
  manifest.digest = reader.ReadHash();
  RETURN_IF_ERROR(reader.Finish("snapshot footer"));
  if (AsView(tag) != kSnapshotTag) return Invalid("the footer is not of a snapshot of format 1");
  RETURN_IF_ERROR(CheckBytes(manifest.bytes));
  return manifest;
}

}  // namespace

uint64_t SnapshotChunkCount(uint64_t bytes) {
  return bytes / kSnapshotChunkBytes + (bytes % kSnapshotChunkBytes == 0 ? 0 : 1);
}

size_t SnapshotManifest::ChunkBytes(uint32_t index) const {
  VIGIL_CHECK(index < chunks.size(), "chunk ", index, " of ", chunks.size());
  const uint64_t begin = uint64_t{index} * kSnapshotChunkBytes;
  return static_cast<size_t>(std::min<uint64_t>(kSnapshotChunkBytes, bytes - begin));
}

std::string EncodeSnapshotManifest(const SnapshotManifest& manifest) {
  std::string encoded;
  ByteWriter writer(&encoded);
  for (const Hash& hash : manifest.chunks) writer.Fixed(hash);
  writer.Raw(kSnapshotTag).Fixed(manifest.chain_id).U64(manifest.height.value());
  writer.U64(manifest.bytes).Fixed(manifest.digest);
  return encoded;
}

absl::StatusOr<uint64_t> SnapshotBytesOfFooter(ByteSpan footer) {
  ASSIGN_OR_RETURN(const SnapshotManifest manifest, DecodeFooter(footer));
  return manifest.bytes;
}

absl::StatusOr<SnapshotManifest> DecodeSnapshotManifest(ByteSpan bytes) {
  if (bytes.size() < kSnapshotFooterBytes || bytes.size() > kSnapshotManifestBytesMax) {
    return Invalid("manifest of ", bytes.size(), " bytes, from ", kSnapshotFooterBytes, " to ",
                   kSnapshotManifestBytesMax);
  }
  const size_t hashes = bytes.size() - kSnapshotFooterBytes;
  ASSIGN_OR_RETURN(SnapshotManifest manifest, DecodeFooter(bytes.subspan(hashes)));
  const uint64_t count = SnapshotChunkCount(manifest.bytes);
  if (hashes != count * Hash::size()) {
    return Invalid("manifest with ", hashes, " bytes of chunk hashes, must be ",
                   count * Hash::size());
  }
  ByteReader reader(bytes.first(hashes));
  manifest.chunks.reserve(count);
  for (uint64_t i = 0; i < count; ++i) manifest.chunks.push_back(reader.ReadHash());
  const Hash root = MerkleRoot(manifest.chunks);
  if (root != manifest.digest) {
    return Invalid("the root over the chunk hashes is ", root.ToHex(), ", the manifest says ",
                   manifest.digest.ToHex());
  }
  return manifest;
}

absl::Status CheckSnapshotChunk(const SnapshotManifest& manifest, uint32_t index, ByteSpan chunk) {
  if (index >= manifest.chunks.size()) {
    return Invalid("chunk ", index, " of ", manifest.chunks.size());
  }
  if (chunk.size() != manifest.ChunkBytes(index)) {
    return Invalid("chunk ", index, " has ", chunk.size(), " bytes, must have ",
                   manifest.ChunkBytes(index));
  }
  const Hash hash = LeafHash(chunk);
  if (hash != manifest.chunks[index]) {
    return Invalid("chunk ", index, " has hash ", hash.ToHex(), ", must have ",
                   manifest.chunks[index].ToHex());
  }
  return absl::OkStatus();
}

std::string EncodeSnapshotHead(const SnapshotHead& head) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U16(kSnapshotFormat).Fixed(head.chain_id).Fixed(head.genesis_hash);
  writer.Prefixed(EncodeTip(head.tip));
  return bytes;
}

absl::StatusOr<SnapshotHead> DecodeSnapshotHead(ByteSpan first_chunk, size_t* used) {
  ByteReader reader(first_chunk);
  const uint16_t format = reader.U16();
  SnapshotHead head;
  head.chain_id = reader.ReadHash();
  head.genesis_hash = reader.ReadHash();
  const ByteSpan tip = reader.Prefixed(kTipBytesMax);
  if (!reader.ok()) return Invalid("the head is malformed");
  if (format != kSnapshotFormat) {
    return Invalid("format ", format, ", must be ", kSnapshotFormat);
  }
  absl::StatusOr<Tip> decoded = DecodeTip(AsView(tip));
  if (!decoded.ok()) return Invalid("head: ", decoded.status().message());
  head.tip = *std::move(decoded);
  if (used != nullptr) *used = first_chunk.size() - reader.remaining();
  return head;
}

void AppendSnapshotEntry(absl::string_view key, absl::string_view value, std::string* out) {
  ByteWriter(out).Prefixed(key).Prefixed(value);
}

absl::Status SnapshotEntries::Add(ByteSpan piece, const Visitor& visit) {
  rest_.append(AsView(piece).data(), piece.size());
  size_t done = 0;
  while (true) {
    const ByteSpan left = AsBytes(rest_).subspan(done);
    ByteReader sizes(left);
    const uint32_t key_size = sizes.U32();
    if (sizes.ok() && key_size > kSnapshotKeyBytesMax) {
      return Invalid("key of ", key_size, " bytes, at most ", kSnapshotKeyBytesMax);
    }
    const ByteSpan key = sizes.Raw(key_size);
    const uint32_t value_size = sizes.U32();
    if (sizes.ok() && value_size > kSnapshotValueBytesMax) {
      return Invalid("value of ", value_size, " bytes, at most ", kSnapshotValueBytesMax);
    }
    const ByteSpan value = sizes.Raw(value_size);
    if (!sizes.ok()) break;
    RETURN_IF_ERROR(visit(AsView(key), AsView(value)));
    done += left.size() - sizes.remaining();
  }
  rest_.erase(0, done);
  return absl::OkStatus();
}

absl::Status SnapshotEntries::Finish() const {
  if (rest_.empty()) return absl::OkStatus();
  return Invalid(rest_.size(), " bytes after the last entry");
}

std::string SnapshotBlockValue(const BlockInfo& info) {
  BlockInfo common = info;
  common.position = JournalPosition{};
  common.frame_bytes = 0;
  return EncodeBlockInfo(common);
}

}  // namespace vigil::ledger
