// Fetch frames: what a validator asks of another's disk, and the answers (docs/formats/
// peer_frame.md). Pure.
//
// Decoding is as strict as that of the other peer frames.
#ifndef VIGIL_NODE_DRIVER_FETCH_FRAME_H_
#define VIGIL_NODE_DRIVER_FETCH_FRAME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"

namespace vigil::node {

// On the wire: never renumber.
enum class FetchKind : uint8_t {
  kBlocks = 1,       // Executed blocks from a height on.
  kLogFile = 2,      // Part of the checkpoint, a tile or an entry bundle.
  kOffers = 3,       // Which snapshots there are, with proof (snapshot_offer.h).
  kManifest = 4,     // Part of a snapshot's manifest.
  kChunks = 5,       // Chunks of a snapshot.
  kCheckpoint = 6,   // Part of a checkpoint of the detector.
  kModel = 7,        // Part of a model file.
  kKeptBlock = 8,    // An executed block as it is kept there: whole, or without its payloads.
  kFinalBlocks = 9,  // Blocks from a height on, with proof that a quorum stands behind them.
};

inline constexpr uint32_t kFetchBlocksMax = 256;
inline constexpr uint32_t kFetchChunksMax = 16;
inline constexpr size_t kFetchPathBytesMax = 128;
// An answer holds no more than this, but for a single larger block.
inline constexpr size_t kFetchAnswerBytesMax = 1024 * 1024;
// One block, and the proof that may go with it.
inline constexpr size_t kFetchBodyBytesMax = kBlockBytesMax + 24 * 1024;

struct FetchRequest {
  uint32_t id = 0;  // The asker's; the answer repeats it.
  FetchKind kind = FetchKind::kBlocks;
  Height first;  // kBlocks, kFinalBlocks: the first; kKeptBlock: its; kManifest and kChunks: the
                 // snapshot's; kCheckpoint: its.
  uint32_t count_max = 1;    // Blocks: 1 to kFetchBlocksMax; kChunks: 1 to kFetchChunksMax.
  uint32_t first_chunk = 0;  // kChunks.
  std::string path;          // kLogFile: "checkpoint", or as the log's files are named.
  Hash digest;               // kModel.
  uint64_t offset = 0;       // Of files and manifests: where in it the answer begins.
};

// `body` is empty when `status` is not OK; the message is then at most kRefusalTextBytesMax.
struct FetchAnswer {
  uint32_t id = 0;
  absl::Status status;
  uint32_t retry_after_millis = 0;  // With kResourceExhausted.
  std::string body;
};

// The body of an answer about a file.
struct FilePart {
  uint64_t file_bytes = 0;
  std::string bytes;
};

std::string EncodeFetchRequest(const FetchRequest& request);
std::string EncodeFetchAnswer(const FetchAnswer& answer);
std::string EncodeFetchedBlocks(const std::vector<ledger::BlockPtr>& blocks);
std::string EncodeFilePart(uint64_t file_bytes, absl::string_view part);

// Errors of all below: kInvalidArgument naming the frame and what is wrong.
absl::StatusOr<FetchRequest> DecodeFetchRequest(absl::string_view frame);
absl::StatusOr<FetchAnswer> DecodeFetchAnswer(absl::string_view frame);
// Frames of blocks, which point into `body`.
absl::StatusOr<std::vector<ByteSpan>> DecodeFetchedBlocks(absl::string_view body);
absl::StatusOr<FilePart> DecodeFilePart(absl::string_view body);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_FETCH_FRAME_H_
