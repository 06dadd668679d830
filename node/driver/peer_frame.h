// Peer frames: what validators say to each other (docs/formats/peer_frame.md). Pure.
//
// Decoding is strict: every byte is accounted for, counts and lengths are checked before they are
// used, and views point into the frame.
#ifndef VIGIL_NODE_DRIVER_PEER_FRAME_H_
#define VIGIL_NODE_DRIVER_PEER_FRAME_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/record.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/journal.h"

namespace vigil::node {

// On the wire: never renumber.
enum class PeerFrameType : uint8_t {
  kHello = 1,
  kConsensus = 2,
  kForward = 3,
  kForwardRefused = 4,
  kCosignature = 5,
  kFetchRequest = 6,  // fetch_frame.h
  kFetchAnswer = 7,
};

inline constexpr uint32_t kPeerProtocolVersion = 3;
// With epoch and anchors; said from the second epoch on, so that builds without epochs understand
// the others until a set changes.
inline constexpr uint32_t kPeerProtocolVersionEpochs = 4;
inline constexpr size_t kPeerFrameBytesMax = 8 * 1024 * 1024;
inline constexpr size_t kCoreHeaderBytesMax = 1024 * 1024;
inline constexpr uint32_t kFrameBlocksMax = 1024;
inline constexpr uint32_t kForwardRecordsMax = 4096;
inline constexpr size_t kRefusalTextBytesMax = 1024;
inline constexpr uint8_t kStatusCodeMax = 16;  // absl::StatusCode::kUnauthenticated

// Says who speaks: the first frame of every stream.
struct HelloFrame {
  Hash chain_id;
  ledger::JournalId journal_id;
  uint32_t protocol_version = kPeerProtocolVersion;
  ValidatorIndex validator;  // In the set of the epoch.
  Signature signature;       // By the sender's consensus key, over HelloMessage().
  // The sender's epoch, and how it came to be: the newest anchors, oldest first, for a receiver
  // that is behind. In the first epoch there are none.
  Epoch epoch{1};
  std::vector<ledger::EpochAnchor> anchors;
};
// So many of the newest anchors stand in a hello; who is behind by more epochs is told by people.
inline constexpr size_t kHelloAnchorsMax = 64;
// What a hello's signature covers: the sender, the receiver, and the certificate that the sender
// shows, so that neither another CA's certificate nor another receiver can use it.
std::string HelloMessage(const HelloFrame& hello, ValidatorIndex to, const Hash& certificate_hash);
struct ConsensusFrame {
  absl::string_view header;
  std::vector<ByteSpan> blocks;  // Block frames.
};
struct ForwardFrame {
  struct Entry {
    absl::string_view leaf;
    absl::string_view payload;
  };
  std::vector<Entry> records;
};
// The leader did not take a forwarded record. `status` is an absl::StatusCode.
struct ForwardRefusedFrame {
  Hash leaf_hash;
  uint8_t status = 0;
  uint32_t retry_after_millis = 0;
  uint64_t expected_sequence = 0;  // Stream errors: what would be accepted.
  Hash expected_previous;
  std::string code;
  std::string what;
  std::string remedy;
};

// A checkpoint that the sender signed (node/log/cosign_note.h).
struct CosignatureFrame {
  bool asks = false;  // The receiver answers with its own newest one.
  absl::string_view note;
};

std::string EncodeHello(const HelloFrame& hello);
// The head of a consensus frame that carries `block_count` blocks, which the transport appends.
std::string EncodeConsensusHead(absl::string_view header, uint32_t block_count);
std::string EncodeForward(const std::vector<std::shared_ptr<const ledger::Record>>& records);
// Texts are cut to kRefusalTextBytesMax.
std::string EncodeForwardRefused(const ForwardRefusedFrame& refused);
std::string EncodeCosignature(const CosignatureFrame& cosignature);

// Errors of all below: kInvalidArgument naming the frame and what is wrong.
absl::StatusOr<PeerFrameType> PeerFrameTypeOf(absl::string_view frame);
absl::StatusOr<HelloFrame> DecodeHello(absl::string_view frame);
absl::StatusOr<ConsensusFrame> DecodeConsensus(absl::string_view frame);
absl::StatusOr<ForwardFrame> DecodeForward(absl::string_view frame);
absl::StatusOr<ForwardRefusedFrame> DecodeForwardRefused(absl::string_view frame);
absl::StatusOr<CosignatureFrame> DecodeCosignature(absl::string_view frame);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_PEER_FRAME_H_
