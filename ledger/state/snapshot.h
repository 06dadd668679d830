// Snapshots: what a validator at height S needs to go on at S + 1, as one sequence of bytes.
//
// The bytes are a function of the chain alone, so every validator makes the same ones; the digest
// is the RFC 6962 root over their chunks of 64 KiB, so that each chunk can be judged alone
// (docs/formats/snapshot.md). Pure functions and value types; no I/O.
#ifndef VIGIL_LEDGER_STATE_SNAPSHOT_H_
#define VIGIL_LEDGER_STATE_SNAPSHOT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/state/chain_reader.h"

namespace vigil::ledger {

// All chunks but the last have this size. Stored: never change.
inline constexpr size_t kSnapshotChunkBytes = 65'536;
// 64 GiB; the list of chunk hashes stays below 32 MiB.
inline constexpr uint32_t kSnapshotChunksMax = 1u << 20;
// Of one key and one value: results and undo images of the largest block stay below.
inline constexpr size_t kSnapshotKeyBytesMax = 64 * 1024;
inline constexpr size_t kSnapshotValueBytesMax = 64 * 1024 * 1024;

// Which snapshot, and what it must be.
struct SnapshotMark {
  Height height;
  Hash digest;
  bool operator==(const SnapshotMark&) const = default;
};

// What is needed to judge the chunks of a snapshot one by one.
struct SnapshotManifest {
  Hash chain_id;
  Height height;
  uint64_t bytes = 0;        // Of all chunks together.
  std::vector<Hash> chunks;  // SHA-256(00 | chunk), in order; at least one.
  Hash digest;               // RFC 6962 root over `chunks`.

  SnapshotMark mark() const { return {.height = height, .digest = digest}; }
  // REQUIRES: index < chunks.size().
  size_t ChunkBytes(uint32_t index) const;
  bool operator==(const SnapshotManifest&) const = default;
};

// Bytes of a manifest behind its chunk hashes.
inline constexpr size_t kSnapshotFooterBytes = 18 + 32 + 8 + 8 + 32;
inline constexpr size_t kSnapshotManifestBytesMax =
    size_t{32} * kSnapshotChunksMax + kSnapshotFooterBytes;

// Number of chunks that `bytes` make.
uint64_t SnapshotChunkCount(uint64_t bytes);

std::string EncodeSnapshotManifest(const SnapshotManifest& manifest);
// Errors: kInvalidArgument when it is malformed, too large, or its digest is not the root over its
// hashes.
absl::StatusOr<SnapshotManifest> DecodeSnapshotManifest(ByteSpan bytes);
// How long the snapshot is whose manifest ends in `footer`.
// Errors: kInvalidArgument when `footer` is not one.
absl::StatusOr<uint64_t> SnapshotBytesOfFooter(ByteSpan footer);

// Whether `chunk` stands at `index` of the snapshot.
// Errors: kInvalidArgument naming the chunk and both sizes or hashes.
absl::Status CheckSnapshotChunk(const SnapshotManifest& manifest, uint32_t index, ByteSpan chunk);

// What a snapshot begins with.
struct SnapshotHead {
  Hash chain_id;
  Hash genesis_hash;
  Tip tip;  // After the block at the snapshot's height.
};

std::string EncodeSnapshotHead(const SnapshotHead& head);
// The head at the start of `first_chunk`; `used` gets its size when given.
// Errors: kInvalidArgument when it is malformed.
absl::StatusOr<SnapshotHead> DecodeSnapshotHead(ByteSpan first_chunk, size_t* used = nullptr);

// u32 key size | key | u32 value size | value.
void AppendSnapshotEntry(absl::string_view key, absl::string_view value, std::string* out);

// Cuts entries out of the bytes behind the head, which come in pieces. Holds at most one entry and
// one piece. Belongs to one thread.
class SnapshotEntries {
 public:
  using Visitor = std::function<absl::Status(absl::string_view key, absl::string_view value)>;

  // Calls `visit` for each entry that is complete.
  // Errors: kInvalidArgument on a size over its maximum; those of `visit`.
  absl::Status Add(ByteSpan piece, const Visitor& visit);
  // Errors: kInvalidArgument when bytes are left over.
  absl::Status Finish() const;

 private:
  std::string rest_;
};

// The value of a block's entry in a snapshot: where its bytes lie is left out.
std::string SnapshotBlockValue(const BlockInfo& info);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_SNAPSHOT_H_
