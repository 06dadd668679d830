// The spool: signed records on disk until the chain has them, and where their stream stands.
//
// A record is synced here before it is first sent, and sent again as the very same bytes after a
// crash; so a sequence number never gets two contents. Files of the folder:
//   <20 digits>.record   one signed record: leaf, payload, source mark (docs/formats, Spool)
//   head                 whose spool it is, and the last record that was acknowledged
//   lock                 held while open
// A file is written under another name and renamed, so it is whole or not there. Belongs to one
// thread. After an error of a write the spool must be opened again: what is on disk is unknown.
#ifndef VIGIL_CLIENT_LIB_SPOOL_H_
#define VIGIL_CLIENT_LIB_SPOOL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/storage/file.h"

namespace vigil::client {

// Whose records a spool holds; opening it for anyone else is refused.
struct SpoolOwner {
  Hash chain_id;
  KeyId key;
  std::string identity;  // "org/name"
  std::string stream;
  bool operator==(const SpoolOwner&) const = default;
};

// A position in a stream: the last record before it. Sequence 0, zero hash: its beginning.
struct StreamPosition {
  uint64_t sequence = 0;
  Hash leaf_hash;
  bool operator==(const StreamPosition&) const = default;
};

struct SpooledRecord {
  uint64_t sequence = 0;
  std::string leaf;
  std::string payload;
  Hash leaf_hash;
  uint32_t event_count = 0;
  std::string source_mark;
};

class Spool {
 public:
  // Errors: kAlreadyExists: another process holds it; kFailedPrecondition: it belongs to another
  // chain, identity, stream or key; kDataLoss naming the file that is damaged or missing.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(ledger::FileSystem* files, std::string folder,
                                                     const SpoolOwner& owner);

  // True until a record was signed or a position adopted here.
  bool is_fresh() const { return head_.sequence == 0; }
  // The last record signed; the next one continues it.
  const StreamPosition& head() const { return head_; }
  // The last record acknowledged.
  const StreamPosition& acknowledged() const { return acknowledged_; }
  // Goes on from `position` instead of head(), as after a stream reset.
  // Errors: kFailedPrecondition while records wait, or when that would use a sequence twice.
  absl::Status Adopt(const StreamPosition& position);

  // Makes `record` durable behind the others. REQUIRES: its sequence is head().sequence + 1.
  // Errors: kInvalidArgument when its source mark is beyond kSourceMarkBytesMax: nothing was
  // written.
  absl::Status Append(SpooledRecord record);
  // Records not acknowledged, oldest first.
  size_t size() const { return entries_.size(); }
  uint64_t bytes() const { return bytes_; }
  // The record at `index` of them. Errors: kDataLoss when its file is damaged.
  absl::StatusOr<std::shared_ptr<const SpooledRecord>> Get(size_t index);
  // Its source mark, without reading it.
  const std::string& source_mark(size_t index) const { return entries_[index].source_mark; }
  // Forgets the oldest `count` records: the chain has them.
  absl::Status Acknowledge(size_t count);

 private:
  // The newest records stay in memory up to this size, so that sending them reads nothing.
  static constexpr size_t kCacheBytesMax = 16 * 1024 * 1024;

  struct Entry {
    uint64_t sequence = 0;
    uint64_t file_bytes = 0;
    Hash leaf_hash;
    std::string source_mark;
    // Shared with whoever sends it at the moment.
    std::shared_ptr<const SpooledRecord> cached;
  };

  Spool(ledger::FileSystem* files, std::string folder, const SpoolOwner& owner)
      : files_(files), folder_(std::move(folder)), owner_(owner) {}

  std::string PathOf(uint64_t sequence) const;
  absl::Status LoadHead();
  absl::Status WriteHead(const StreamPosition& position);
  absl::Status LoadRecords();
  absl::StatusOr<SpooledRecord> ReadRecord(const std::string& path) const;
  absl::Status CheckContinues(const SpooledRecord& record) const;
  void AddEntry(SpooledRecord record, uint64_t file_bytes);

  ledger::FileSystem* const files_;
  const std::string folder_;
  const SpoolOwner owner_;
  // Owned by this object alone; the type is that of FileSystem::Lock.
  std::shared_ptr<void> lock_;
  bool has_head_file_ = false;
  StreamPosition head_;
  StreamPosition acknowledged_;
  std::deque<Entry> entries_;
  uint64_t bytes_ = 0;
  size_t cached_bytes_ = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_SPOOL_H_
