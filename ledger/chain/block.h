// A block: header, the proposer's signature, records, payloads. One immutable frame of bytes, the
// same on the wire and in the journal (docs/formats.md, Block frame).
//
//   u16 format | header | signature (64) | u32 record count
//   | per record: u32 leaf size, u32 payload size | leaves | payloads
//
// A pruned block, which only ever lies in a journal, has format 2 and the hashes of a batch's event
// leaves, 32 bytes each, where format 1 has its payload. Everything that is hashed and signed is
// there; events can still be proven by whoever has their bytes.
//
// Shared between threads by std::shared_ptr<const Block>: the replica, the journal writer, the
// applier, senders and subscribers own it together, and the last one frees it.
#ifndef VIGIL_LEDGER_CHAIN_BLOCK_H_
#define VIGIL_LEDGER_CHAIN_BLOCK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/header.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/keys.h"

namespace vigil::ledger {

// Names a block: where it stands, who could have proposed it, what it is.
struct BlockId {
  Height height;
  View view;
  Hash hash;
  auto operator<=>(const BlockId&) const = default;
};

class Block {
 public:
  struct Entry {
    ByteSpan leaf;
    ByteSpan payload;       // Empty in a pruned block.
    ByteSpan event_leaves;  // Of a pruned block's batches: the event leaf hashes, back to back.
    Hash leaf_hash;
  };

  // Parses a frame and recomputes leaf hashes, body root and block hash. Does not check
  // signatures, record bodies or payloads.
  // Errors: kInvalidArgument on malformed bytes, kDataLoss when the body root differs.
  static absl::StatusOr<std::shared_ptr<const Block>> Decode(std::string frame);

  // The same for a frame that MakePrunedFrame() made.
  static absl::StatusOr<std::shared_ptr<const Block>> DecodePruned(std::string frame);

  // Puts a block together and signs it; fills header.body_root.
  // REQUIRES: the frame stays below kBlockBytesMax.
  static std::shared_ptr<const Block> Make(BlockHeader header,
                                           const std::vector<const Record*>& records,
                                           const SigningKey& consensus_key);

  const BlockHeader& header() const { return header_; }
  ByteSpan header_bytes() const { return header_bytes_; }
  const Signature& signature() const { return signature_; }
  const Hash& hash() const { return id_.hash; }
  const BlockId& id() const { return id_; }
  Height height() const { return id_.height; }
  const std::vector<Entry>& records() const { return records_; }
  const std::string& frame() const { return frame_; }
  // Whether its payloads are gone: nobody may be sent it as a block.
  bool pruned() const { return pruned_; }

  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  Block() = default;
  static absl::StatusOr<std::shared_ptr<const Block>> DecodeAs(uint16_t format, std::string frame);
  std::string frame_;
  bool pruned_ = false;
  BlockHeader header_;
  ByteSpan header_bytes_;
  Signature signature_;
  BlockId id_;
  std::vector<Entry> records_;
};

using BlockPtr = std::shared_ptr<const Block>;

// The stateless checks of a block that came from outside: chain id, proposer in the set and its
// signature, format of every record, payloads against their commitments, events canonical, sizes,
// and E < height <= E + 64. Linear in the block's bytes; runs on any thread.
// Errors: kInvalidArgument or kDataLoss naming the record and what differs.
struct Genesis;
absl::Status CheckBlock(const Genesis& genesis, const Block& block);
// The same for a pruned block: its event leaf hashes must be what each batch commits to. CheckBlock
// refuses one.
absl::Status CheckPrunedBlock(const Genesis& genesis, const Block& block);

// Size of the block's frame with its payloads, also when it is pruned.
size_t WholeFrameBytes(const Block& block);

// The frame of `block` without its payloads. Errors: kInvalidArgument when a payload does not split
// into events. REQUIRES: !block.pruned().
absl::StatusOr<std::string> MakePrunedFrame(const Block& block);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_BLOCK_H_
