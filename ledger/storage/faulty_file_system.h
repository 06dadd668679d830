// A disk in memory that forgets unsynced data, tears writes, flips bits and fails on command.
//
// The simulator and the crash tests run the whole node on it. It keeps what programs see apart from
// what is on the disk: bytes move over at Sync(), directory entries at SyncDir(), and Crash()
// throws away the difference, wholly or in pieces. What programs see is also the system's memory:
// DropCached() has synced bytes seen as they are on the disk. It is as unkind as POSIX allows:
// syncing a file does not sync its name, and after a failed sync a later one reports success
// without having written what the first one lost. Everything it decides comes from the seed; the
// same calls give the same trace.
//
// Every call that changes something (open that creates, append, sync, truncate, rename, remove,
// sync of a directory) is one operation, counted from 0, so that a test can crash or fail at each.
//
// Thread-safe through one mutex; deterministic only when used by one thread. Handles and locks
// point into the FaultyFileSystem and must not outlive it.
#ifndef VIGIL_LEDGER_STORAGE_FAULTY_FILE_SYSTEM_H_
#define VIGIL_LEDGER_STORAGE_FAULTY_FILE_SYSTEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger/base/mutex.h"
#include "ledger/base/random.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

enum class DiskFault {
  kNoSpace,     // Nothing written; kResourceExhausted.
  kShortWrite,  // Half of an append is written, then no space.
  kIoError,  // Nothing written; kUnavailable. A sync that fails so loses what it should have saved.
  kPowerOff,     // The call leaves a random part of its work behind; the disk is off until Crash().
  kBitFlip,      // Success, with one bit of the bytes written or read turned over.
  kMisdirected,  // Success, but an append lands on an earlier place of its file; zeros where it
                 // belonged.
  kLostWrite,    // Success, and read back until memory is dropped or the machine ends; no sync ever
                 // brings it to disk.
  kShortRead,    // Success with fewer bytes than there are.
};

// Calls that a FaultRule can wait for.
enum class DiskCall {
  kOpen,  // Of a file that is there, for reading or appending.
  kCreate,
  kWrite,
  kSync,
  kTruncate,
  kRename,  // By its new name.
  kRemove,
  kSyncDir,
  kRead,
};

// The first call of this kind after `skip` others on a path that `matches` fails as `fault` says,
// and if `always` all later ones; a fault that the call cannot have is kIoError.
struct FaultRule {
  DiskCall call = DiskCall::kWrite;
  std::function<bool(const std::string& path)> matches;  // Must not call back.
  uint64_t skip = 0;
  DiskFault fault = DiskFault::kIoError;
  bool always = false;
};

enum class CrashMode {
  kProcessOnly,   // kill -9: the system keeps unsynced bytes and names; only handles die.
  kLoseUnsynced,  // Power loss: every unsynced byte and name is gone.
  kTornPrefix,  // A random prefix of each unsynced region, and some of the unsynced names, survive.
  kTornSectors,  // Each 512-byte sector of the unsynced region survives or reads as zeros.
  kTornPages,    // The same with pages of 4096 bytes.
  kAnyLoss,      // For each file one of the four power losses above.
};

class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(uint64_t seed);
  ~FaultyFileSystem() override;

  // --- Faults.

  // Operation number `operation` does not complete: it leaves a random part of its work behind, and
  // it and every later call fail with kUnavailable until Crash().
  void CrashAt(uint64_t operation);
  // Operation number `operation` fails once.
  void FailAt(uint64_t operation, DiskFault fault);
  // Arms a rule, in place of the one before.
  void FailWhen(FaultRule rule);
  // Drops everything armed that has not happened.
  void Disarm();
  // A full disk: until it is called with false, nothing is created or appended (kNoSpace). Space
  // that was allocated can still be synced; names can be changed and removed.
  void SetFull(bool full);
  // Calls that found the disk full.
  uint64_t refused_for_space() const;
  // The call that the rule of FailWhen() made fail, as "write /d/f at 17"; empty while it has not.
  std::string fired() const;
  // The next append to `path` lands at `offset` of that file instead, over what is there; where it
  // belonged are zeros. It reports success.
  void MisdirectNextAppend(const std::string& path, uint64_t offset);
  // Ends the running process, and with it every handle and lock, as `mode` says. Afterwards the
  // disk works again and serves the restarted one. Pending CrashAt, FailAt, FailWhen and
  // misdirections are dropped.
  void Crash(CrashMode mode);
  // Flips bit `bit` (0 to 7) of the byte at `offset`, both seen and on disk.
  // Errors: kNotFound; kOutOfRange when the file is shorter.
  absl::Status FlipBit(const std::string& path, uint64_t offset, int bit);
  // The same on disk alone: it is seen once memory is dropped, or after a power loss.
  absl::Status RotOnDisk(const std::string& path, uint64_t offset, int bit);
  // Replaces bytes at `offset`, extending the file when needed; seen and on disk. kNotFound.
  absl::Status Overwrite(const std::string& path, uint64_t offset, ByteSpan bytes);

  // --- What happened.

  uint64_t operation_count() const;
  // True from the operation of CrashAt() until Crash().
  bool is_off() const;
  // Bytes that were read of the file with this name; 0 when there is none.
  uint64_t bytes_read(const std::string& path) const;
  // A hash over every operation: kind, path, offset, size and contents.
  uint64_t trace_digest() const;

  // --- FileSystem.

  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadFile>> OpenRead(const std::string& path) const override;
  absl::Status WriteAtomically(const std::string& path, ByteSpan bytes) override;
  absl::StatusOr<std::string> ReadAll(const std::string& path) const override;
  // Two operations, as of any file: there is nobody else on this disk.
  absl::Status WriteSecret(const std::string& path, ByteSpan bytes) override;
  absl::StatusOr<std::string> ReadSecret(const std::string& path) const override;
  // Two operations: the zeros, which a power loss may throw away in part, and their sync.
  absl::Status Wipe(const std::string& path) override;
  absl::StatusOr<uint64_t> Size(const std::string& path) const override;
  absl::Status Truncate(const std::string& path, uint64_t size) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status MakeDirs(const std::string& path) override;
  absl::Status RemoveDir(const std::string& path) override;
  absl::Status SyncDir(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override;
  bool Exists(const std::string& path) const override;
  absl::Status DropCached(const std::string& path) const override;
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override;

 private:
  struct Inode;
  class MemoryAppendFile;
  class MemoryReadFile;
  struct HeldLock;
  // A change of one name, seen but not yet on disk; replayed in order.
  struct EntryChange {
    std::string from;              // Name to drop; empty: none.
    std::string to;                // Name to set; empty: none.
    std::shared_ptr<Inode> inode;  // What `to` names.
  };
  enum class Outcome {
    kProceed,
    kTornByCrash,
    kNoSpace,
    kShortWrite,
    kIoError,
    kBitFlip,
    kMisdirected,
    kLostWrite,
  };
  using Entries = std::map<std::string, std::shared_ptr<Inode>>;

  // Counts an operation and says what is to become of it; kUnavailable while the disk is off.
  absl::StatusOr<Outcome> Begin(DiskCall call, const std::string& path, uint64_t offset,
                                ByteSpan bytes) VIGIL_REQUIRES(mutex_);
  // The fault of the armed rule, if this is its call.
  std::optional<DiskFault> Fire(DiskCall call, const std::string& path, uint64_t offset) const
      VIGIL_REQUIRES(mutex_);
  // Faults of reading: `bytes` is what was read at `offset`.
  absl::Status FailRead(const std::string& path, uint64_t offset, std::string* bytes) const
      VIGIL_REQUIRES(mutex_);
  absl::Status FailOpen(const std::string& path) const VIGIL_REQUIRES(mutex_);
  // Runs an operation on names: `change` is seen at once and on disk after SyncDir.
  absl::Status ChangeEntry(DiskCall call, const std::string& path, EntryChange change)
      VIGIL_REQUIRES(mutex_);
  absl::Status CheckPower(const std::string& path) const VIGIL_REQUIRES(mutex_);
  absl::StatusOr<std::shared_ptr<Inode>> Find(const std::string& path) const VIGIL_REQUIRES(mutex_);
  absl::Status AppendTo(Inode* inode, const std::string& path, ByteSpan bytes)
      VIGIL_REQUIRES(mutex_);
  absl::Status SyncInode(Inode* inode, const std::string& path) VIGIL_REQUIRES(mutex_);
  static void Apply(const EntryChange& change, Entries* entries);
  void TearFile(CrashMode mode, Inode* inode) VIGIL_REQUIRES(mutex_);
  void MixIntoTrace(ByteSpan bytes) VIGIL_REQUIRES(mutex_);

  mutable Mutex mutex_;
  // Reading is const, and may fail as a rule says.
  mutable SplitMix64 random_ VIGIL_GUARDED_BY(mutex_);
  mutable std::optional<FaultRule> rule_ VIGIL_GUARDED_BY(mutex_);
  mutable std::string fired_ VIGIL_GUARDED_BY(mutex_);
  uint64_t generation_ VIGIL_GUARDED_BY(mutex_) = 0;  // Handles of an earlier one are dead.
  bool off_ VIGIL_GUARDED_BY(mutex_) = false;
  uint64_t operation_count_ VIGIL_GUARDED_BY(mutex_) = 0;
  uint64_t trace_digest_ VIGIL_GUARDED_BY(mutex_);
  std::optional<uint64_t> crash_at_ VIGIL_GUARDED_BY(mutex_);
  std::map<uint64_t, DiskFault> fail_at_ VIGIL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> misdirected_ VIGIL_GUARDED_BY(mutex_);
  bool full_ VIGIL_GUARDED_BY(mutex_) = false;
  uint64_t refused_for_space_ VIGIL_GUARDED_BY(mutex_) = 0;
  Entries seen_ VIGIL_GUARDED_BY(mutex_);
  Entries on_disk_ VIGIL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<EntryChange>> unsynced_ VIGIL_GUARDED_BY(mutex_);  // By folder.
  std::set<std::string> directories_ VIGIL_GUARDED_BY(mutex_);
  std::set<std::string> locked_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_FAULTY_FILE_SYSTEM_H_
