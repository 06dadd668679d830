// The journal: one append-only, segmented file of everything a validator promised.
//
// Block bodies, terms and votes, and commit marks are written once, in order.
// docs/formats/journal.md draws the bytes and says what opening decides; consensus.md section 2 of
// the design gives the reasons. Each frame header carries its own CRC32C over (journal id, offset,
// length, type, synced-up-to offset), so a length is never trusted before its CRC, and damage
// before the last synced group cannot pass for a torn tail.
//
// A Journal belongs to one thread; JournalReader is thread-safe and sees what was synced.
//
// Invariants:
//   (1) Offsets only grow; a position names one frame for good.
//   (2) After a failed write or sync every later call fails with the first error.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

using JournalId = FixedBytes<struct JournalIdTag, 16>;

// Stored: never renumber.
enum class JournalType : uint8_t {
  kBlock = 1,        // Block frame (ledger/chain/block.h).
  kVote = 2,         // Consensus hard state: term or view, and what was voted for.
  kCommit = 3,       // Commit mark or certificate.
  kCosigned = 4,     // Cosigner's guard: size and root.
  kPrunedBlock = 5,  // A block without its payloads, where a kBlock was.
  kHole = 6,  // Offsets without a frame: what lay there was damaged and is not needed any more.
  kBase = 7,  // Above which block the journal goes on, when not above genesis.
  kSkip = 8,  // Offsets that take no bytes, in a compacted segment. Readers pass over it.
};

// Where a frame is: offset in the journal as a whole, counted over all segments.
struct JournalPosition {
  uint64_t offset = 0;
  bool operator==(const JournalPosition&) const = default;
};

struct JournalOptions {
  uint64_t segment_bytes = 64 * 1024 * 1024;  // A new segment starts beyond this.
  uint32_t frame_bytes_max = 8 * 1024 * 1024;
};

// What opening found.
struct JournalOpenReport {
  uint64_t durable_offset = 0;        // End of the readable journal.
  uint64_t cut_bytes = 0;             // Unsynced tail that was torn and has been cut.
  bool last_group_ambiguous = false;  // The tail was damaged: votes may be lost, so do not vote
                                      // until caught up with a quorum.
};

// Reads frames that are on disk. Thread-safe; outlives the Journal.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  struct Frame {
    JournalType type;
    JournalPosition position;
    JournalPosition next;
    uint64_t synced_up_to = 0;  // The journal was durable up to here when this was appended.
    std::string body;
  };
  // Errors: kOutOfRange before begin() or past the end; kDataLoss naming segment and offset when a
  // CRC differs.
  virtual absl::StatusOr<Frame> Read(JournalPosition position) const = 0;
  // Calls `visit` for each frame from `from` to the end until it returns false or an error arises.
  virtual absl::Status ForEach(JournalPosition from,
                               const std::function<bool(const Frame&)>& visit) const = 0;
  // The file of the segment that starts at `segment_start` was replaced by one with the same
  // frames at the same offsets, but for what was pruned: from now on that one is read.
  virtual void Refresh(uint64_t segment_start) const { (void)segment_start; }
  // The segments that start below `before`, where one starts, are being removed: from now on the
  // journal begins there. Reads that are under way end well.
  virtual void Forget(uint64_t before) const { (void)before; }
  // The last base frame that is on disk; nullopt: there is none.
  virtual std::optional<JournalPosition> newest_base() const { return std::nullopt; }
  virtual JournalPosition begin() const = 0;  // First frame that is still kept.
  virtual JournalPosition end() const = 0;
};

class Journal {
 public:
  // Creates the directory and an empty journal, durably. Errors: kAlreadyExists.
  static absl::Status Create(FileSystem* files, const std::string& directory, const JournalId& id);
  // Opens, checks every frame header and body, cuts only a torn unsynced tail.
  // Errors: kDataLoss naming segment and offset when the synced region is damaged, or the journal
  // is missing, bears another id or ends before `durable_offset_min` (rollback guard): never
  // repaired. kAlreadyExists when another process or object has it open.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      FileSystem* files, const std::string& directory, const JournalId& id,
      uint64_t durable_offset_min, const JournalOptions& options, JournalOpenReport* report);
  virtual ~Journal() = default;

  // Adds a frame to the current group; on disk, and seen by readers, only after Sync().
  // Errors: kInvalidArgument when the body exceeds frame_bytes_max (refused, not latched).
  virtual absl::StatusOr<JournalPosition> Append(JournalType type, ByteSpan body) = 0;
  // One write and one fdatasync for the whole group; nothing when it is empty.
  virtual absl::Status Sync() = 0;
  // The next group begins a new segment, however short the present one is.
  virtual void CloseSegment() = 0;
  virtual uint64_t durable_offset() const = 0;
  virtual std::shared_ptr<const JournalReader> reader() const = 0;  // Shared with query threads.
};

// Opens a journal for reading only, for example that of a stopped node; takes whatever prefix is
// sound and says in `damage` what it met after it: OK nothing, kAborted an unfinished write or a
// damaged last group, kDataLoss damage to what was durable; whose journal it is goes to `id`, if
// given. Changes nothing.
// Errors: kNotFound when there is no segment; kDataLoss when not even the first header is sound.
absl::StatusOr<std::shared_ptr<const JournalReader>> OpenJournalForReading(
    FileSystem* files, const std::string& directory, absl::Status* damage, JournalId* id = nullptr);

// The rollback guard beside the keys: journal id, epoch, view and durable offset, replaced
// atomically. A journal that ends before its guard was rolled back or copied: refuse to vote.
struct RollbackGuard {
  JournalId journal_id;
  uint64_t epoch = 0;
  uint64_t view = 0;
  uint64_t durable_offset = 0;
  bool operator==(const RollbackGuard&) const = default;
};
absl::Status SaveRollbackGuard(FileSystem* files, const std::string& path,
                               const RollbackGuard& guard);
// Errors: kNotFound; kDataLoss when its checksum differs.
absl::StatusOr<RollbackGuard> LoadRollbackGuard(FileSystem* files, const std::string& path);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_H_
