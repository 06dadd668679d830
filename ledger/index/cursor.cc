#include "ledger/index/cursor.h"

#include <algorithm>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/crypto/sha256.h"

namespace vigil::ledger {
namespace {

// u8 version | u8 direction | u64be record | u32be item | 8 bytes of check, in hexadecimal.
constexpr uint8_t kVersion = 1;
constexpr size_t kCheckSize = 8;
constexpr absl::string_view kTag("vigil/search-cursor/v1\0", 23);

void AppendSorted(std::vector<std::string> values, ByteWriter* writer) {
  std::ranges::sort(values);
  writer->U32(static_cast<uint32_t>(values.size()));
  for (const std::string& value : values) writer->Prefixed(value);
}

std::string CanonicalQuery(const EventQuery& query) {
  std::string bytes;
  ByteWriter writer(&bytes);
  std::vector<uint32_t> class_uids = query.class_uids;
  std::ranges::sort(class_uids);
  writer.U32(static_cast<uint32_t>(class_uids.size()));
  for (uint32_t class_uid : class_uids) writer.U32(class_uid);
  writer.U32(query.severity_min).U64(query.from_unix_nano).U64(query.to_unix_nano);
  AppendSorted(query.sources, &writer);
  AppendSorted(query.actors, &writer);
  AppendSorted(query.addresses, &writer);
  AppendSorted(query.terms, &writer);
  return bytes;
}

}  // namespace

std::string EncodeCursor(const EventQuery& query, bool newest_first, const LogPosition& position) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U8(kVersion).U8(newest_first ? 1 : 0);
  writer.U64(position.record.value()).U32(position.item.value());
  const Hash check = Sha256({AsBytes(kTag), AsBytes(bytes), AsBytes(CanonicalQuery(query))});
  writer.Raw(check.span().first(kCheckSize));
  return HexEncode(AsBytes(bytes));
}

absl::StatusOr<LogPosition> DecodeCursor(const EventQuery& query, bool newest_first,
                                         absl::string_view cursor) {
  const absl::Status bad =
      absl::InvalidArgumentError("cursor: not one of this query and direction");
  const absl::StatusOr<std::string> bytes = HexDecode(cursor);
  if (!bytes.ok()) return bad;
  ByteReader reader(*bytes);
  reader.U16();
  LogPosition position;
  position.record = RecordIndex(reader.U64());
  position.item = ItemIndex(reader.U32());
  if (!reader.ok() || EncodeCursor(query, newest_first, position) != cursor) return bad;
  return position;
}

}  // namespace vigil::ledger
