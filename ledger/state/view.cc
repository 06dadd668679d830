#include "ledger/state/view.h"

#include "absl/strings/match.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"

namespace vigil::ledger {

namespace {

constexpr uint8_t kOpDelete = 0;
constexpr uint8_t kOpPut = 1;
constexpr size_t kFieldBytesMax = 1024 * 1024;

}  // namespace

std::string EncodeWriteSet(const WriteSet& writes) {
  std::string bytes;
  ByteWriter writer(&bytes);
  for (const auto& [key, value] : writes) {
    writer.Prefixed(key).U8(value.has_value() ? kOpPut : kOpDelete);
    writer.Prefixed(value.has_value() ? absl::string_view(*value) : absl::string_view());
  }
  return bytes;
}

absl::StatusOr<WriteSet> DecodeWriteSet(ByteSpan bytes) {
  ByteReader reader(bytes);
  WriteSet writes;
  while (reader.ok() && reader.remaining() > 0) {
    std::string key = ToString(reader.Prefixed(kFieldBytesMax));
    const uint8_t op = reader.U8();
    std::string value = ToString(reader.Prefixed(kFieldBytesMax));
    if (!reader.ok()) break;
    if (op > kOpPut || (op == kOpDelete && !value.empty())) {
      return absl::InvalidArgumentError(absl::StrCat("write set: operation ", op));
    }
    if (!writes.empty() && key <= writes.rbegin()->first) {
      return absl::InvalidArgumentError("write set: keys do not ascend");
    }
    std::optional<std::string> stored;
    if (op == kOpPut) stored = std::move(value);
    writes.emplace_hint(writes.end(), std::move(key), std::move(stored));
  }
  RETURN_IF_ERROR(reader.Finish("write set"));
  return writes;
}

Hash WriteSetHash(const WriteSet& writes) {
  return Sha256({AsBytes(kWriteSetTag), AsBytes(EncodeWriteSet(writes))});
}

Hash NextStateDigest(const Hash& previous, const WriteSet& writes) {
  return Sha256({AsBytes(kStateTag), previous.span(), WriteSetHash(writes).span()});
}

absl::Status ScanOverlay(const WriteSet& writes, const StateBase& base, absl::string_view prefix,
                         const StateVisitor& visit) {
  auto written = writes.lower_bound(std::string(prefix));
  const auto in_prefix = [&] {
    return written != writes.end() && absl::StartsWith(written->first, prefix);
  };
  bool wanted = true;
  // Visits the overlay's keys below `limit`; all that are left when `limit` is null.
  const auto visit_written_below = [&](const absl::string_view* limit) {
    while (wanted && in_prefix() && (limit == nullptr || written->first < *limit)) {
      if (written->second.has_value()) wanted = visit(written->first, *written->second);
      ++written;
    }
  };
  RETURN_IF_ERROR(base.Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    visit_written_below(&key);
    if (!wanted) return false;
    if (in_prefix() && written->first == key) {
      if (written->second.has_value()) wanted = visit(key, *written->second);
      ++written;
    } else {
      wanted = visit(key, value);
    }
    return wanted;
  }));
  visit_written_below(nullptr);
  return absl::OkStatus();
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

std::optional<std::string> StateView::Get(absl::string_view key) const {
  const auto written = writes_.find(std::string(key));
  if (written != writes_.end()) return written->second;
  absl::StatusOr<std::optional<std::string>> value = base_->Get(key);
  if (!value.ok()) {
    Fail(value.status());
    return std::nullopt;
  }
  return *std::move(value);
}

void StateView::Put(absl::string_view key, absl::string_view value) {
  writes_[std::string(key)] = std::string(value);
}

void StateView::Delete(absl::string_view key) { writes_[std::string(key)] = std::nullopt; }

void StateView::Scan(absl::string_view prefix, const StateVisitor& visit) const {
  Fail(ScanOverlay(writes_, *base_, prefix, visit));
}

void StateView::Fail(const absl::Status& status) const {
  if (status_.ok()) status_ = status;
}

}  // namespace vigil::ledger
