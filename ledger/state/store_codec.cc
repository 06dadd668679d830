#include "ledger/state/store_codec.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {

namespace {

constexpr uint16_t kStoreFormat = 2;
// 8 bytes of size and at most 64 hashes.
constexpr size_t kTreeEdgeBytesMax = 8 + 64 * 32;
constexpr size_t kResultBytesMax = 1024 * 1024;

absl::Status FinishValue(const ByteReader& reader, absl::string_view what) {
  const absl::Status finished = reader.Finish(what);
  if (finished.ok()) return finished;
  return absl::DataLossError(absl::StrCat("store value: ", finished.message()));
}

}  // namespace

std::string EncodeChain(const ChainRow& row) {
  std::string bytes;
  ByteWriter(&bytes)
      .U16(kStoreFormat)
      .Fixed(row.chain_id)
      .Fixed(row.genesis_hash)
      .Fixed(row.state_digest);
  return bytes;
}

std::string EncodeTip(const Tip& tip) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(tip.height.value()).U64(tip.view.value()).Fixed(tip.block_hash);
  writer.U64(tip.time_unix_millis).U64(tip.executed_in_header.value());
  writer.Fixed(tip.state_digest).Fixed(tip.seal_leaf);
  writer.U64(tip.event_count).U64(tip.alert_count).U64(tip.alert_confirmed_count);
  writer.Prefixed(tip.tree.Encode());
  return bytes;
}

std::string EncodeBlockInfo(const BlockInfo& info) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(info.height.value()).U64(info.view.value()).Fixed(info.hash);
  writer.U64(info.position.offset).U64(info.first_index.value());
  writer.U32(info.record_count).U32(info.event_count).U32(info.frame_bytes);
  writer.U64(info.time_unix_millis).U64(info.event_time_min).U64(info.event_time_max);
  writer.Fixed(info.state_digest).Fixed(info.seal_leaf);
  return bytes;
}

std::string EncodeResults(const std::vector<RecordResult>& results) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U32(static_cast<uint32_t>(results.size()));
  for (const RecordResult& result : results) writer.Prefixed(EncodeResult(result));
  return bytes;
}

absl::StatusOr<ChainRow> DecodeChain(absl::string_view value) {
  ByteReader reader(value);
  const uint16_t format = reader.U16();
  ChainRow row;
  row.chain_id = reader.ReadHash();
  row.genesis_hash = reader.ReadHash();
  row.state_digest = reader.ReadHash();
  RETURN_IF_ERROR(FinishValue(reader, "chain"));
  if (format != kStoreFormat) {
    return absl::DataLossError(
        absl::StrCat("store value: chain: format ", format, ", must be ", kStoreFormat));
  }
  return row;
}

absl::StatusOr<Tip> DecodeTip(absl::string_view value) {
  ByteReader reader(value);
  Tip tip;
  tip.height = Height(reader.U64());
  tip.view = View(reader.U64());
  tip.block_hash = reader.ReadHash();
  tip.time_unix_millis = reader.U64();
  tip.executed_in_header = Height(reader.U64());
  tip.state_digest = reader.ReadHash();
  tip.seal_leaf = reader.ReadHash();
  tip.event_count = reader.U64();
  tip.alert_count = reader.U64();
  tip.alert_confirmed_count = reader.U64();
  const ByteSpan edge = reader.Prefixed(kTreeEdgeBytesMax);
  RETURN_IF_ERROR(FinishValue(reader, "tip"));
  absl::StatusOr<MerkleFrontier> tree = MerkleFrontier::Decode(edge);
  if (!tree.ok()) {
    return absl::DataLossError(absl::StrCat("store value: tip: ", tree.status().message()));
  }
  tip.tree = *std::move(tree);
  return tip;
}

absl::StatusOr<BlockInfo> DecodeBlockInfo(absl::string_view value) {
  ByteReader reader(value);
  BlockInfo info;
  info.height = Height(reader.U64());
  info.view = View(reader.U64());
  info.hash = reader.ReadHash();
  info.position.offset = reader.U64();
  info.first_index = RecordIndex(reader.U64());
  info.record_count = reader.U32();
  info.event_count = reader.U32();
  info.frame_bytes = reader.U32();
  info.time_unix_millis = reader.U64();
  info.event_time_min = reader.U64();
  info.event_time_max = reader.U64();
  info.state_digest = reader.ReadHash();
  info.seal_leaf = reader.ReadHash();
  RETURN_IF_ERROR(FinishValue(reader, "block info"));
  return info;
}

absl::StatusOr<std::vector<ByteSpan>> SplitResults(absl::string_view value) {
  ByteReader reader(value);
  const uint32_t count = reader.U32();
  if (count > kBlockRecordsMax) {
    return absl::DataLossError(
        absl::StrCat("store value: ", count, " results, at most ", kBlockRecordsMax));
  }
  std::vector<ByteSpan> results;
  results.reserve(count);
  for (uint32_t i = 0; i < count; ++i) results.push_back(reader.Prefixed(kResultBytesMax));
  RETURN_IF_ERROR(FinishValue(reader, "results"));
  return results;
}

absl::StatusOr<uint64_t> DecodeNumber(absl::string_view value) {
  ByteReader reader(value);
  const uint64_t number = reader.U64();
  RETURN_IF_ERROR(FinishValue(reader, "number"));
  return number;
}

std::string EncodeNumber(uint64_t number) {
  std::string bytes;
  ByteWriter(&bytes).U64(number);
  return bytes;
}

}  // namespace vigil::ledger
