#include "client/lib/spool.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/lib/batch_sink.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/record.h"
#include "ledger/log/merkle.h"
#include "ledger/storage/crc32c.h"

namespace vigil::client {
namespace {

constexpr absl::string_view kRecordMagic = "vigil-spool-record/1\n";
constexpr absl::string_view kHeadMagic = "vigil-spool-head/1\n";
constexpr absl::string_view kSuffix = ".record";

// Both files end with a CRC-32C over everything before it.
void AppendCrc(std::string* bytes) { ByteWriter(bytes).U32(ledger::Crc32c(AsBytes(*bytes))); }

// The contents between magic and CRC. Errors: kDataLoss.
absl::StatusOr<absl::string_view> CheckFrame(absl::string_view bytes, absl::string_view magic,
                                             const std::string& path) {
  if (!absl::StartsWith(bytes, magic) || bytes.size() < magic.size() + 4) {
    return absl::DataLossError(absl::StrCat(path, ": does not begin like a spool file"));
  }
  const absl::string_view covered = bytes.substr(0, bytes.size() - 4);
  const uint32_t stored = ByteReader(bytes.substr(covered.size())).U32();
  const uint32_t computed = ledger::Crc32c(AsBytes(covered));
  if (stored != computed) {
    return absl::DataLossError(
        absl::StrFormat("%s: checksum %08x, contents give %08x", path, stored, computed));
  }
  return covered.substr(magic.size());
}

std::string EncodeRecord(const SpooledRecord& record) {
  std::string bytes(kRecordMagic);
  bytes.reserve(record.leaf.size() + record.payload.size() + record.source_mark.size() + 64);
  ByteWriter(&bytes)
      .U64(record.sequence)
      .U32(record.event_count)
      .Prefixed(record.leaf)
      .Prefixed(record.payload)
      .Prefixed(record.source_mark);
  AppendCrc(&bytes);
  return bytes;
}

struct StreamPlace {
  uint64_t sequence = 0;
  Hash previous;
};

// The place that a record claims in its stream. Errors: kDataLoss when it has none.
absl::StatusOr<StreamPlace> PlaceOf(const ledger::RecordView& view) {
  const auto place = [](const auto& body) {
    return StreamPlace{.sequence = body.sequence, .previous = body.previous};
  };
  if (const auto* batch = std::get_if<ledger::EventBatchBody>(&view.body)) return place(*batch);
  if (const auto* beat = std::get_if<ledger::HeartbeatBody>(&view.body)) return place(*beat);
  if (const auto* gap = std::get_if<ledger::GapBody>(&view.body)) return place(*gap);
  return absl::DataLossError("a record without a place in a stream");
}

}  // namespace

std::string Spool::PathOf(uint64_t sequence) const {
  return absl::StrFormat("%s/%020d%s", folder_, sequence, kSuffix);
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(ledger::FileSystem* files, std::string folder,
                                                   const SpoolOwner& owner) {
  RETURN_IF_ERROR(files->MakeDirs(folder));
  std::unique_ptr<Spool> spool(new Spool(files, std::move(folder), owner));
  absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(absl::StrCat(spool->folder_, "/lock"));
  if (absl::IsAlreadyExists(lock.status())) {
    return Annotate(lock.status(), "the spool is in use by another process");
  }
  if (!lock.ok()) return Annotate(lock.status(), "the spool cannot be locked");
  spool->lock_ = *std::move(lock);
  RETURN_IF_ERROR(spool->LoadHead());
  RETURN_IF_ERROR(spool->LoadRecords());
  return spool;
}

absl::Status Spool::LoadHead() {
  const std::string path = absl::StrCat(folder_, "/head");
  if (!files_->Exists(path)) {
    // Written before the first record, so records without it mean that it was lost.
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(folder_));
    for (const std::string& name : names) {
      if (absl::EndsWith(name, kSuffix)) {
        return absl::DataLossError(absl::StrCat(path, ": missing, but there is ", name));
      }
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string bytes, files_->ReadAll(path));
  ASSIGN_OR_RETURN(const absl::string_view contents, CheckFrame(bytes, kHeadMagic, path));
  ByteReader reader(contents);
  SpoolOwner owner;
  owner.chain_id = reader.ReadHash();
  owner.key = reader.FixedValue<KeyId>();
  owner.identity = std::string(AsView(reader.Prefixed(256)));
  owner.stream = std::string(AsView(reader.Prefixed(256)));
  acknowledged_.sequence = reader.U64();
  acknowledged_.leaf_hash = reader.ReadHash();
  if (!reader.Finish("head").ok()) {
    return absl::DataLossError(absl::StrCat(path, ": malformed"));
  }
  if (owner != owner_) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder_, ": is the spool of ", owner.identity, ", stream ", owner.stream,
                     ", key ", owner.key.ToHex(), ", chain ", owner.chain_id.ToHex(),
                     "; give this one a folder of its own"));
  }
  has_head_file_ = true;
  head_ = acknowledged_;
  return absl::OkStatus();
}

absl::Status Spool::WriteHead(const StreamPosition& position) {
  std::string bytes(kHeadMagic);
  ByteWriter(&bytes)
      .Fixed(owner_.chain_id)
      .Fixed(owner_.key)
      .Prefixed(owner_.identity)
      .Prefixed(owner_.stream)
      .U64(position.sequence)
      .Fixed(position.leaf_hash);
  AppendCrc(&bytes);
  RETURN_IF_ERROR(files_->WriteAtomically(absl::StrCat(folder_, "/head"), AsBytes(bytes)));
  has_head_file_ = true;
  acknowledged_ = position;
  return absl::OkStatus();
}

absl::StatusOr<SpooledRecord> Spool::ReadRecord(const std::string& path) const {
  ASSIGN_OR_RETURN(const std::string bytes, files_->ReadAll(path));
  ASSIGN_OR_RETURN(const absl::string_view contents, CheckFrame(bytes, kRecordMagic, path));
  ByteReader reader(contents);
  SpooledRecord record;
  record.sequence = reader.U64();
  record.event_count = reader.U32();
  record.leaf = ToString(reader.Prefixed(kRecordLeafBytesMax));
  record.payload = ToString(reader.Prefixed(kPayloadBytesMax));
  record.source_mark = ToString(reader.Prefixed(kSourceMarkBytesMax));
  if (!reader.Finish("record").ok()) {
    return absl::DataLossError(absl::StrCat(path, ": malformed"));
  }
  record.leaf_hash = ledger::LeafHash(AsBytes(record.leaf));
  return record;
}

// A gap, a foreign record or a second content for a sequence must never be sent.
absl::Status Spool::CheckContinues(const SpooledRecord& record) const {
  ASSIGN_OR_RETURN(const ledger::RecordView view, ledger::DecodeRecord(AsBytes(record.leaf)));
  ASSIGN_OR_RETURN(const StreamPlace place, PlaceOf(view));
  if (view.author != owner_.key || place.sequence != record.sequence ||
      place.sequence != head_.sequence + 1 || place.previous != head_.leaf_hash) {
    return absl::DataLossError(
        absl::StrCat("record ", record.sequence, " does not continue sequence ", head_.sequence));
  }
  return absl::OkStatus();
}

absl::Status Spool::LoadRecords() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(folder_));
  for (const std::string& name : names) {
    uint64_t sequence = 0;
    if (!absl::EndsWith(name, kSuffix) || name.size() != 20 + kSuffix.size() ||
        !absl::SimpleAtoi(name.substr(0, 20), &sequence)) {
      continue;
    }
    const std::string path = PathOf(sequence);
    if (sequence <= acknowledged_.sequence) {
      // Acknowledged already; its removal did not reach the disk.
      RETURN_IF_ERROR(files_->Remove(path));
      continue;
    }
    ASSIGN_OR_RETURN(SpooledRecord record, ReadRecord(path));
    const absl::Status continues = CheckContinues(record);
    if (!continues.ok()) {
      return absl::DataLossError(absl::StrCat(path, ": ", continues.message()));
    }
    ASSIGN_OR_RETURN(const uint64_t file_bytes, files_->Size(path));
    AddEntry(std::move(record), file_bytes);
  }
  return absl::OkStatus();
}

void Spool::AddEntry(SpooledRecord record, uint64_t file_bytes) {
  head_ = {.sequence = record.sequence, .leaf_hash = record.leaf_hash};
  bytes_ += file_bytes;
  Entry entry{.sequence = record.sequence,
              .file_bytes = file_bytes,
              .leaf_hash = record.leaf_hash,
              .source_mark = record.source_mark,
              .cached = nullptr};
  if (cached_bytes_ + file_bytes <= kCacheBytesMax) {
    cached_bytes_ += file_bytes;
    entry.cached = std::make_shared<const SpooledRecord>(std::move(record));
  }
  entries_.push_back(std::move(entry));
}

absl::Status Spool::Adopt(const StreamPosition& position) {
  if (!entries_.empty() || position.sequence < head_.sequence) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder_, ": cannot go on from sequence ", position.sequence, ": ",
                     entries_.size(), " records wait, and ", head_.sequence, " were signed"));
  }
  RETURN_IF_ERROR(WriteHead(position));
  head_ = position;
  return absl::OkStatus();
}

absl::Status Spool::Append(SpooledRecord record) {
  VIGIL_CHECK(record.sequence == head_.sequence + 1, "record ", record.sequence, " after ",
              head_.sequence);
  if (record.source_mark.size() > kSourceMarkBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("source mark of ", record.source_mark.size(),
                                                   " bytes, at most ", kSourceMarkBytesMax));
  }
  if (!has_head_file_) RETURN_IF_ERROR(WriteHead(head_));
  record.leaf_hash = ledger::LeafHash(AsBytes(record.leaf));
  const std::string bytes = EncodeRecord(record);
  RETURN_IF_ERROR(files_->WriteAtomically(PathOf(record.sequence), AsBytes(bytes)));
  AddEntry(std::move(record), bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const SpooledRecord>> Spool::Get(size_t index) {
  VIGIL_CHECK(index < entries_.size(), "record ", index, " of ", entries_.size());
  const Entry& entry = entries_[index];
  if (entry.cached != nullptr) return entry.cached;
  const std::string path = PathOf(entry.sequence);
  ASSIGN_OR_RETURN(SpooledRecord record, ReadRecord(path));
  if (record.leaf_hash != entry.leaf_hash) {
    return absl::DataLossError(absl::StrCat(path, ": changed since it was written"));
  }
  return std::make_shared<const SpooledRecord>(std::move(record));
}

absl::Status Spool::Acknowledge(size_t count) {
  VIGIL_CHECK(count <= entries_.size(), count, " of ", entries_.size());
  if (count == 0) return absl::OkStatus();
  const Entry& last = entries_[count - 1];
  // First the head, then the files: a crash between leaves files that the head says are done.
  RETURN_IF_ERROR(WriteHead({.sequence = last.sequence, .leaf_hash = last.leaf_hash}));
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = entries_.front();
    RETURN_IF_ERROR(files_->Remove(PathOf(entry.sequence)));
    bytes_ -= entry.file_bytes;
    if (entry.cached != nullptr) cached_bytes_ -= entry.file_bytes;
    entries_.pop_front();
  }
  return absl::OkStatus();
}

}  // namespace vigil::client
