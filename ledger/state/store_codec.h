// Values of the store's own key spaces (ledger/state/tables.h): chain, tip, block info, results.
//
//   chain      u16 format = 1 | chain id | genesis hash | state digest at height 0
//   tip        u64 height | u64 view | block hash | u64 time ms | u64 E | state digest | seal leaf
//              | u64 events | u64 alerts | u64 confirmed alerts | prefixed tree edge
//   block info u64 height | u64 view | block hash | u64 journal offset | u64 first index
//              | u32 records | u32 events | u32 frame bytes | u64 time ms | u64 event time min
//              | u64 event time max | state digest
//   results    u32 count | per record: prefixed result
#ifndef VIGIL_LEDGER_STATE_STORE_CODEC_H_
#define VIGIL_LEDGER_STATE_STORE_CODEC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/result.h"
#include "ledger/state/chain_reader.h"

namespace vigil::ledger {

struct ChainRow {
  Hash chain_id;
  Hash genesis_hash;
  Hash state_digest;  // At height 0.
};

std::string EncodeChain(const ChainRow& row);
std::string EncodeTip(const Tip& tip);
std::string EncodeBlockInfo(const BlockInfo& info);
std::string EncodeResults(const std::vector<RecordResult>& results);

// Errors of all: kDataLoss.
absl::StatusOr<ChainRow> DecodeChain(absl::string_view value);
absl::StatusOr<Tip> DecodeTip(absl::string_view value);
absl::StatusOr<BlockInfo> DecodeBlockInfo(absl::string_view value);
// The encoded results as views into `value`.
absl::StatusOr<std::vector<ByteSpan>> SplitResults(absl::string_view value);
// A big-endian u64 as the whole value.
absl::StatusOr<uint64_t> DecodeNumber(absl::string_view value);

std::string EncodeNumber(uint64_t number);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_STORE_CODEC_H_
