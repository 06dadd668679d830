// Block headers and seals: fixed-width big-endian bytes (docs/formats.md, Header and Seal).
#ifndef VIGIL_LEDGER_CHAIN_HEADER_H_
#define VIGIL_LEDGER_CHAIN_HEADER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::ledger {

// In the order of the encoding; the encoding starts with u16 format = 1.
struct BlockHeader {
  Hash chain_id;
  Epoch epoch{1};
  View view;  // Raft term or Simplex view.
  Height height;
  Hash parent_hash;  // Genesis hash at height 1.
  View parent_view;
  Hash body_root;          // RFC 6962 root over the record leaves.
  Height executed_height;  // E: below `height`, at most 64 behind.
  Hash state_digest;       // At E.
  Hash results_root;       // Over the results of the heights (parent's E, E].
  Height snapshot_height;  // 0: none.
  Hash snapshot_digest;
  Hash validator_set_hash;
  Hash next_validator_set_hash;
  Hash reveal;  // Zero once the proposer's reveal chain is used up.
  uint64_t time_unix_millis = 0;
  ValidatorIndex proposer;

  bool operator==(const BlockHeader&) const = default;
};

inline constexpr size_t kHeaderBytes =
    2 + 32 + 8 + 8 + 8 + 32 + 8 + 32 + 8 + 32 + 32 + 8 + 32 + 32 + 32 + 32 + 8 + 4;

// Largest time of a block: whole nanoseconds of it still fit in an int64.
inline constexpr uint64_t kTimeUnixMillisMax = 9'223'372'036'854;

std::string EncodeHeader(const BlockHeader& header);
// Errors: kInvalidArgument on a wrong size or format.
absl::StatusOr<BlockHeader> DecodeHeader(ByteSpan bytes);
// SHA-256("vigil/header/v1" 00 | header bytes): the block hash.
Hash HeaderHash(ByteSpan header_bytes);
// What a proposer signs: "vigil/proposal/v1" 00 | block hash.
std::string ProposalSigningMessage(const Hash& block_hash);

// Record leaf of the seal that closes a block: 01 | 25 | u32be length | header bytes | leaf hash of
// the previous seal (zero at height 1) | u64 first record index | u32 record count without the
// seal.
std::string EncodeSealLeaf(ByteSpan header_bytes, const Hash& previous_seal, RecordIndex first,
                           uint32_t record_count);

// Size of every seal leaf.
inline constexpr size_t kSealLeafBytes = 1 + 1 + 4 + kHeaderBytes + 32 + 8 + 4;

// A seal leaf taken apart. `header_bytes` points into the decoded bytes.
struct Seal {
  BlockHeader header;
  ByteSpan header_bytes;
  Hash previous_seal;
  RecordIndex first;
  uint32_t record_count = 0;
};
// Errors: kInvalidArgument when `leaf` is not one that EncodeSealLeaf() makes.
absl::StatusOr<Seal> DecodeSealLeaf(ByteSpan leaf);

// The value that `reveal` is the preimage of in its reveal chain, disclosed just before it (the
// anchor comes before the first): SHA-256("vigil/reveal/v1" 00 | reveal).
Hash RevealParent(const Hash& reveal);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_HEADER_H_
