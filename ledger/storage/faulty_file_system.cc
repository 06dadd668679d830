#include "ledger/storage/faulty_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kPageBytes = 4096;

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status NotFound(absl::string_view path) {
  return absl::NotFoundError(absl::StrCat(path, ": No such file or directory"));
}
absl::Status NoSpace(absl::string_view kind, absl::string_view path) {
  return absl::ResourceExhaustedError(absl::StrCat(kind, " ", path, ": No space left on device"));
}
absl::Status IoError(absl::string_view kind, absl::string_view path) {
  return absl::UnavailableError(absl::StrCat(kind, " ", path, ": Input/output error"));
}

absl::string_view NameOf(DiskCall call) {
  switch (call) {
    case DiskCall::kOpen:
      return "open";
    case DiskCall::kCreate:
      return "create";
    case DiskCall::kWrite:
      return "write";
    case DiskCall::kSync:
      return "fdatasync";
    case DiskCall::kTruncate:
      return "truncate";
    case DiskCall::kRename:
      return "rename";
    case DiskCall::kRemove:
      return "remove";
    case DiskCall::kSyncDir:
      return "fsync";
    case DiskCall::kRead:
      return "read";
  }
  return "call";
}

}  // namespace

// One file. `seen` is what a read returns, `disk` what a power loss leaves.
struct FaultyFileSystem::Inode {
  std::string seen;
  std::string disk;
  // Below it `seen` and `disk` are equal, except for `lost` and what rotted on the disk alone.
  uint64_t dirty_from = 0;
  // Ranges [first, second) that a failed sync lost: seen, but no later sync writes them.
  std::vector<std::pair<uint64_t, uint64_t>> lost;
  uint64_t failed_up_to = 0;  // A failed sync leaves its pages clean: they can be dropped.
  uint64_t bytes_read = 0;

  bool dirty() const { return dirty_from < std::max(seen.size(), disk.size()); }
  void Write(uint64_t offset, ByteSpan bytes) {
    if (seen.size() < offset + bytes.size()) seen.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), seen.begin() + static_cast<ptrdiff_t>(offset));
    dirty_from = std::min(dirty_from, offset);
  }
  static void ZeroRanges(const std::vector<std::pair<uint64_t, uint64_t>>& ranges,
                         std::string* bytes) {
    for (const auto& [first, second] : ranges) {
      for (uint64_t i = first; i < std::min<uint64_t>(second, bytes->size()); ++i) (*bytes)[i] = 0;
    }
  }
  void SaveToDisk() {
    disk.resize(std::min<uint64_t>(disk.size(), dirty_from));
    disk.append(seen, disk.size(), std::string::npos);
    ZeroRanges(lost, &disk);
    dirty_from = seen.size();
  }
  // What was not synced stays in memory.
  void DropCached() {
    const uint64_t clean = std::min<uint64_t>({dirty_from, disk.size(), seen.size()});
    std::copy_n(disk.begin(), clean, seen.begin());
    for (auto [first, second] : lost) {
      ZeroRanges({{first, std::min(second, std::max(clean, failed_up_to))}}, &seen);
    }
  }
};

class FaultyFileSystem::MemoryAppendFile final : public AppendFile {
 public:
  MemoryAppendFile(FaultyFileSystem* files, std::shared_ptr<Inode> inode, std::string path,
                   uint64_t generation)
      : files_(files), inode_(std::move(inode)), path_(std::move(path)), generation_(generation) {}

  absl::Status Append(ByteSpan bytes) override {
    MutexLock lock(&files_->mutex_);
    if (generation_ != files_->generation_) return Stale();
    return files_->AppendTo(inode_.get(), path_, bytes);
  }
  absl::Status Sync() override {
    MutexLock lock(&files_->mutex_);
    if (generation_ != files_->generation_) return Stale();
    return files_->SyncInode(inode_.get(), path_);
  }
  uint64_t size() const override {
    MutexLock lock(&files_->mutex_);
    return inode_->seen.size();
  }

 private:
  absl::Status Stale() const {
    return absl::UnavailableError(absl::StrCat(path_, ": handle from before the crash"));
  }

  FaultyFileSystem* const files_;
  const std::shared_ptr<Inode> inode_;  // Shared with the names and other handles of the file.
  const std::string path_;
  const uint64_t generation_;
};

class FaultyFileSystem::MemoryReadFile final : public ReadFile {
 public:
  MemoryReadFile(const FaultyFileSystem* files, std::shared_ptr<Inode> inode, std::string path,
                 uint64_t generation)
      : files_(files), inode_(std::move(inode)), path_(std::move(path)), generation_(generation) {}

  absl::StatusOr<std::string> Read(uint64_t offset, size_t size) const override {
    MutexLock lock(&files_->mutex_);
    RETURN_IF_ERROR(files_->CheckPower(path_));
    if (generation_ != files_->generation_) {
      return absl::UnavailableError(absl::StrCat(path_, ": handle from before the crash"));
    }
    std::string bytes;
    if (offset < inode_->seen.size()) bytes = inode_->seen.substr(offset, size);
    RETURN_IF_ERROR(files_->FailRead(path_, offset, &bytes));
    inode_->bytes_read += bytes.size();
    return bytes;
  }

 private:
  const FaultyFileSystem* const files_;
  const std::shared_ptr<Inode> inode_;  // Shared with the names and other handles of the file.
  const std::string path_;
  const uint64_t generation_;
};

struct FaultyFileSystem::HeldLock {
  FaultyFileSystem* files;
  std::string path;
  uint64_t generation;
  ~HeldLock() {
    MutexLock lock(&files->mutex_);
    if (generation == files->generation_) files->locked_.erase(path);
  }
};

FaultyFileSystem::FaultyFileSystem(uint64_t seed)
    : random_(seed), trace_digest_(0xcbf29ce484222325ULL), directories_{"/", "."} {}

FaultyFileSystem::~FaultyFileSystem() = default;

// --- Faults.

void FaultyFileSystem::CrashAt(uint64_t operation) {
  MutexLock lock(&mutex_);
  crash_at_ = operation;
}

void FaultyFileSystem::FailAt(uint64_t operation, DiskFault fault) {
  MutexLock lock(&mutex_);
  fail_at_[operation] = fault;
}

void FaultyFileSystem::FailWhen(FaultRule rule) {
  MutexLock lock(&mutex_);
  rule_ = std::move(rule);
  fired_.clear();
}

void FaultyFileSystem::Disarm() {
  MutexLock lock(&mutex_);
  crash_at_.reset();
  fail_at_.clear();
  misdirected_.clear();
  rule_.reset();
}

void FaultyFileSystem::SetFull(bool full) {
  MutexLock lock(&mutex_);
  full_ = full;
}

uint64_t FaultyFileSystem::refused_for_space() const {
  MutexLock lock(&mutex_);
  return refused_for_space_;
}

std::string FaultyFileSystem::fired() const {
  MutexLock lock(&mutex_);
  return fired_;
}

std::optional<DiskFault> FaultyFileSystem::Fire(DiskCall call, const std::string& path,
                                                uint64_t offset) const {
  if (!rule_.has_value() || rule_->call != call || !rule_->matches(path)) return std::nullopt;
  if (rule_->skip > 0) {
    --rule_->skip;
    return std::nullopt;
  }
  const DiskFault fault = rule_->fault;
  if (!rule_->always) rule_.reset();
  fired_ = absl::StrCat(NameOf(call), " ", path, " at ", offset);
  return fault;
}

absl::Status FaultyFileSystem::FailOpen(const std::string& path) const {
  if (!Fire(DiskCall::kOpen, path, 0).has_value()) return absl::OkStatus();
  return IoError(NameOf(DiskCall::kOpen), path);
}

absl::Status FaultyFileSystem::FailRead(const std::string& path, uint64_t offset,
                                        std::string* bytes) const {
  const std::optional<DiskFault> fault = Fire(DiskCall::kRead, path, offset);
  if (!fault.has_value()) return absl::OkStatus();
  if (*fault == DiskFault::kShortRead) {
    bytes->resize(random_.Below(bytes->size() + 1));
    return absl::OkStatus();
  }
  if (*fault != DiskFault::kBitFlip) return IoError(NameOf(DiskCall::kRead), path);
  if (bytes->empty()) return absl::OkStatus();
  char& byte = (*bytes)[random_.Below(bytes->size())];
  byte = static_cast<char>(byte ^ (1 << random_.Below(8)));
  return absl::OkStatus();
}

void FaultyFileSystem::MisdirectNextAppend(const std::string& path, uint64_t offset) {
  MutexLock lock(&mutex_);
  misdirected_[path] = offset;
}

void FaultyFileSystem::Crash(CrashMode mode) {
  MutexLock lock(&mutex_);
  ++generation_;
  off_ = false;
  crash_at_.reset();
  fail_at_.clear();
  misdirected_.clear();
  rule_.reset();
  locked_.clear();
  if (mode == CrashMode::kProcessOnly) return;
  for (auto& [directory, changes] : unsynced_) {
    if (mode == CrashMode::kLoseUnsynced) break;
    // A file system with a journal of its own keeps their order; POSIX does not ask for it.
    const bool in_order = random_.Chance(500);
    const size_t kept = random_.Below(changes.size() + 1);
    for (size_t i = 0; i < changes.size(); ++i) {
      if (in_order ? i < kept : random_.Chance(500)) Apply(changes[i], &on_disk_);
    }
  }
  unsynced_.clear();
  seen_ = on_disk_;
  for (auto& [path, inode] : seen_) {
    // A removed directory is back when a name in it is.
    for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
      directories_.insert(path.substr(0, end));
    }
    TearFile(mode, inode.get());
  }
}

void FaultyFileSystem::TearFile(CrashMode mode, Inode* inode) {
  if (mode == CrashMode::kAnyLoss) {
    constexpr CrashMode kLosses[] = {CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
                                     CrashMode::kTornSectors, CrashMode::kTornPages};
    mode = kLosses[random_.Below(4)];
  }
  std::string& disk = inode->disk;
  const std::string& seen = inode->seen;
  if (inode->dirty() && mode != CrashMode::kLoseUnsynced) {
    const uint64_t from = inode->dirty_from;
    uint64_t size = seen.size();
    // The new size may have reached the disk before the bytes did, or not at all.
    if (mode == CrashMode::kTornPrefix || random_.Chance(500)) {
      size = from + random_.Below(size - std::min<uint64_t>(size, from) + 1);
    }
    const uint64_t page = mode == CrashMode::kTornPrefix    ? seen.size() + 1
                          : mode == CrashMode::kTornSectors ? kSectorBytes
                                                            : kPageBytes;
    // Write-back may have hardly begun, or missed a page here and there.
    constexpr uint32_t kSurvivalPermille[] = {300, 900, 990};
    const uint32_t survival = kSurvivalPermille[random_.Below(3)];
    disk.resize(std::max<uint64_t>(disk.size(), size));
    for (uint64_t start = from - from % page; start < size; start += page) {
      if (mode != CrashMode::kTornPrefix && !random_.Chance(survival)) continue;
      for (uint64_t i = std::max(start, from); i < std::min(start + page, size); ++i) {
        disk[i] = seen[i];
      }
    }
    Inode::ZeroRanges(inode->lost, &disk);
  }
  inode->seen = disk;
  inode->dirty_from = disk.size();
  inode->lost.clear();
}

absl::Status FaultyFileSystem::FlipBit(const std::string& path, uint64_t offset, int bit) {
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  if (offset >= inode->seen.size()) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": offset ", offset, " of ", inode->seen.size()));
  }
  for (std::string* bytes : {&inode->seen, &inode->disk}) {
    if (offset < bytes->size()) (*bytes)[offset] = static_cast<char>((*bytes)[offset] ^ (1 << bit));
  }
  return absl::OkStatus();
}

absl::Status FaultyFileSystem::RotOnDisk(const std::string& path, uint64_t offset, int bit) {
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  if (offset >= inode->disk.size()) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": offset ", offset, " of ", inode->disk.size(), " on disk"));
  }
  inode->disk[offset] = static_cast<char>(inode->disk[offset] ^ (1 << bit));
  return absl::OkStatus();
}

absl::Status FaultyFileSystem::Overwrite(const std::string& path, uint64_t offset, ByteSpan bytes) {
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  inode->Write(offset, bytes);
  inode->SaveToDisk();
  return absl::OkStatus();
}

// --- What happened.

uint64_t FaultyFileSystem::operation_count() const {
  MutexLock lock(&mutex_);
  return operation_count_;
}

uint64_t FaultyFileSystem::bytes_read(const std::string& path) const {
  MutexLock lock(&mutex_);
  const auto found = seen_.find(path);
  return found == seen_.end() ? 0 : found->second->bytes_read;
}

bool FaultyFileSystem::is_off() const {
  MutexLock lock(&mutex_);
  return off_;
}

uint64_t FaultyFileSystem::trace_digest() const {
  MutexLock lock(&mutex_);
  return trace_digest_;
}

// FNV-1a (Fowler, Noll and Vo), eight bytes at a step: quick, and nobody attacks a trace.
void FaultyFileSystem::MixIntoTrace(ByteSpan bytes) {
  constexpr uint64_t kPrime = 0x100000001b3ULL;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    trace_digest_ = (trace_digest_ ^ word) * kPrime;
    trace_digest_ ^= trace_digest_ >> 29;
  }
  for (; i < bytes.size(); ++i) trace_digest_ = (trace_digest_ ^ bytes[i]) * kPrime;
}

absl::StatusOr<FaultyFileSystem::Outcome> FaultyFileSystem::Begin(DiskCall call,
                                                                  const std::string& path,
                                                                  uint64_t offset, ByteSpan bytes) {
  RETURN_IF_ERROR(CheckPower(path));
  const uint64_t operation = operation_count_++;
  MixIntoTrace(
      AsBytes(absl::StrCat(NameOf(call), " ", path, " ", offset, " ", bytes.size(), "\n")));
  MixIntoTrace(bytes);
  if (crash_at_.has_value() && operation >= *crash_at_) {
    off_ = true;
    return Outcome::kTornByCrash;
  }
  std::optional<DiskFault> fault = Fire(call, path, offset);
  if (const auto found = fail_at_.find(operation); found != fail_at_.end()) fault = found->second;
  const bool writes = call == DiskCall::kWrite;
  if (full_ && (writes || call == DiskCall::kCreate)) {
    ++refused_for_space_;
    return Outcome::kNoSpace;
  }
  if (!fault.has_value()) return Outcome::kProceed;
  switch (*fault) {
    case DiskFault::kNoSpace:
      return Outcome::kNoSpace;
    case DiskFault::kShortWrite:
      return Outcome::kShortWrite;
    case DiskFault::kPowerOff:
      off_ = true;
      return Outcome::kTornByCrash;
    case DiskFault::kBitFlip:
      return writes ? Outcome::kBitFlip : Outcome::kIoError;
    case DiskFault::kMisdirected:
      return writes ? Outcome::kMisdirected : Outcome::kIoError;
    case DiskFault::kLostWrite:
      return writes ? Outcome::kLostWrite : Outcome::kIoError;
    case DiskFault::kIoError:
    case DiskFault::kShortRead:
      break;
  }
  return Outcome::kIoError;
}

absl::Status FaultyFileSystem::CheckPower(const std::string& path) const {
  if (!off_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": the disk is off"));
}

absl::Status FaultyFileSystem::AppendTo(Inode* inode, const std::string& path, ByteSpan bytes) {
  const uint64_t end = inode->seen.size();
  ASSIGN_OR_RETURN(const Outcome outcome, Begin(DiskCall::kWrite, path, end, bytes));
  switch (outcome) {
    case Outcome::kProceed:
      break;
    case Outcome::kBitFlip: {
      std::string flipped = ToString(bytes);
      if (!flipped.empty()) {
        char& byte = flipped[random_.Below(flipped.size())];
        byte = static_cast<char>(byte ^ (1 << random_.Below(8)));
      }
      inode->Write(end, AsBytes(flipped));
      return absl::OkStatus();
    }
    case Outcome::kMisdirected:
      misdirected_[path] = random_.Below(end / kSectorBytes + 1) * kSectorBytes;
      break;
    case Outcome::kLostWrite:
      inode->Write(end, bytes);
      inode->lost.emplace_back(end, end + bytes.size());
      return absl::OkStatus();
    case Outcome::kTornByCrash:
      inode->Write(end, bytes.first(random_.Below(bytes.size() + 1)));
      return CheckPower(path);
    case Outcome::kShortWrite:
      inode->Write(end, bytes.first(bytes.size() / 2));
      return NoSpace("write", path);
    case Outcome::kNoSpace:
      return NoSpace("write", path);
    case Outcome::kIoError:
      return IoError("write", path);
  }
  if (const auto found = misdirected_.find(path); found != misdirected_.end()) {
    inode->Write(end, AsBytes(std::string(bytes.size(), '\0')));
    inode->Write(found->second, bytes);
    misdirected_.erase(found);
  } else {
    inode->Write(end, bytes);
  }
  return absl::OkStatus();
}

absl::Status FaultyFileSystem::SyncInode(Inode* inode, const std::string& path) {
  ASSIGN_OR_RETURN(const Outcome outcome, Begin(DiskCall::kSync, path, inode->seen.size(), {}));
  switch (outcome) {
    case Outcome::kProceed:
      inode->SaveToDisk();
      return absl::OkStatus();
    case Outcome::kTornByCrash:
      if (random_.Chance(300)) inode->SaveToDisk();  // Done, but nobody was told.
      return CheckPower(path);
    case Outcome::kShortWrite:
    case Outcome::kNoSpace:
      return NoSpace("fdatasync", path);
    case Outcome::kIoError:
    case Outcome::kBitFlip:
    case Outcome::kMisdirected:
    case Outcome::kLostWrite:
      break;
  }
  if (inode->dirty_from < inode->seen.size()) {
    inode->lost.emplace_back(inode->dirty_from, inode->seen.size());
    inode->failed_up_to = inode->seen.size();
  }
  return IoError("fdatasync", path);
}

// --- Names.

void FaultyFileSystem::Apply(const EntryChange& change, Entries* entries) {
  if (!change.from.empty()) entries->erase(change.from);
  if (!change.to.empty()) (*entries)[change.to] = change.inode;
}

absl::Status FaultyFileSystem::ChangeEntry(DiskCall call, const std::string& path,
                                           EntryChange change) {
  const absl::string_view kind = NameOf(call);
  ASSIGN_OR_RETURN(const Outcome outcome, Begin(call, path, 0, {}));
  if (outcome == Outcome::kIoError) return IoError(kind, path);
  if (outcome == Outcome::kNoSpace || outcome == Outcome::kShortWrite) return NoSpace(kind, path);
  if (outcome == Outcome::kProceed || random_.Chance(500)) {
    Apply(change, &seen_);
    unsynced_[ParentOf(path)].push_back(std::move(change));
  }
  return CheckPower(path);
}

absl::StatusOr<std::shared_ptr<FaultyFileSystem::Inode>> FaultyFileSystem::Find(
    const std::string& path) const {
  const auto found = seen_.find(path);
  if (found == seen_.end()) return NotFound(path);
  return found->second;
}

absl::StatusOr<std::unique_ptr<AppendFile>> FaultyFileSystem::OpenAppend(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  if (!directories_.contains(ParentOf(path))) return NotFound(path);
  if (!seen_.contains(path)) {
    RETURN_IF_ERROR(ChangeEntry(DiskCall::kCreate, path,
                                {.from = "", .to = path, .inode = std::make_shared<Inode>()}));
  } else {
    RETURN_IF_ERROR(FailOpen(path));
  }
  const std::shared_ptr<Inode>& inode = seen_.at(path);
  // As PosixFileSystem: clean pages are dropped, so what a failed sync lost is seen to be lost.
  Inode::ZeroRanges(inode->lost, &inode->seen);
  return std::make_unique<MemoryAppendFile>(this, inode, path, generation_);
}

absl::StatusOr<std::unique_ptr<ReadFile>> FaultyFileSystem::OpenRead(
    const std::string& path) const {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  ASSIGN_OR_RETURN(std::shared_ptr<Inode> inode, Find(path));
  RETURN_IF_ERROR(FailOpen(path));
  return std::make_unique<MemoryReadFile>(this, std::move(inode), path, generation_);
}

absl::Status FaultyFileSystem::WriteAtomically(const std::string& path, ByteSpan bytes) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  if (Exists(temporary)) RETURN_IF_ERROR(Remove(temporary));
  ASSIGN_OR_RETURN(const std::unique_ptr<AppendFile> file, OpenAppend(temporary));
  RETURN_IF_ERROR(file->Append(bytes));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(Rename(temporary, path));
  return SyncDir(ParentOf(path));
}

absl::StatusOr<std::string> FaultyFileSystem::ReadAll(const std::string& path) const {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  RETURN_IF_ERROR(FailOpen(path));
  std::string bytes = inode->seen;
  RETURN_IF_ERROR(FailRead(path, 0, &bytes));
  inode->bytes_read += bytes.size();
  return bytes;
}

absl::Status FaultyFileSystem::WriteSecret(const std::string& path, ByteSpan bytes) {
  if (Exists(path)) return absl::AlreadyExistsError(absl::StrCat("open ", path, ": File exists"));
  ASSIGN_OR_RETURN(const std::unique_ptr<AppendFile> file, OpenAppend(path));
  RETURN_IF_ERROR(file->Append(bytes));
  return file->Sync();
}

absl::StatusOr<std::string> FaultyFileSystem::ReadSecret(const std::string& path) const {
  return ReadAll(path);
}

absl::Status FaultyFileSystem::Wipe(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  const std::string zeros(inode->seen.size(), '\0');
  ASSIGN_OR_RETURN(const Outcome outcome, Begin(DiskCall::kWrite, path, 0, AsBytes(zeros)));
  switch (outcome) {
    case Outcome::kTornByCrash:
      inode->Write(0, AsBytes(zeros).first(random_.Below(zeros.size() + 1)));
      return CheckPower(path);
    case Outcome::kNoSpace:
    case Outcome::kShortWrite:
      return NoSpace("write", path);
    case Outcome::kIoError:
      return IoError("write", path);
    case Outcome::kLostWrite:
      inode->lost.emplace_back(0, zeros.size());
      break;
    case Outcome::kProceed:
    case Outcome::kBitFlip:
    case Outcome::kMisdirected:
      break;
  }
  inode->Write(0, AsBytes(zeros));
  return SyncInode(inode.get(), path);
}

absl::StatusOr<uint64_t> FaultyFileSystem::Size(const std::string& path) const {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  return inode->seen.size();
}

absl::Status FaultyFileSystem::Truncate(const std::string& path, uint64_t size) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  ASSIGN_OR_RETURN(const Outcome outcome, Begin(DiskCall::kTruncate, path, size, {}));
  if (outcome == Outcome::kIoError) return IoError("truncate", path);
  if (outcome == Outcome::kNoSpace || outcome == Outcome::kShortWrite) {
    return NoSpace("truncate", path);
  }
  if (outcome == Outcome::kProceed || random_.Chance(500)) {
    inode->seen.resize(size);
    for (auto& [first, second] : inode->lost) second = std::min(second, size);
    inode->dirty_from = std::min(inode->dirty_from, size);
    inode->SaveToDisk();
  }
  return CheckPower(path);
}

absl::Status FaultyFileSystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(from));
  ASSIGN_OR_RETURN(std::shared_ptr<Inode> inode, Find(from));
  if (!directories_.contains(ParentOf(to))) return NotFound(to);
  return ChangeEntry(DiskCall::kRename, to, {.from = from, .to = to, .inode = std::move(inode)});
}

absl::Status FaultyFileSystem::Remove(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  RETURN_IF_ERROR(Find(path).status());
  return ChangeEntry(DiskCall::kRemove, path, {.from = path, .to = "", .inode = nullptr});
}

absl::Status FaultyFileSystem::MakeDirs(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    directories_.insert(path.substr(0, end));
    if (end == std::string::npos) return absl::OkStatus();
  }
}

absl::Status FaultyFileSystem::RemoveDir(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  if (!directories_.contains(path)) return NotFound(path);
  const std::string inside = path + "/";
  const auto entry = seen_.lower_bound(inside);
  const auto folder = directories_.lower_bound(inside);
  if ((entry != seen_.end() && absl::StartsWith(entry->first, inside)) ||
      (folder != directories_.end() && absl::StartsWith(*folder, inside))) {
    return absl::UnavailableError(absl::StrCat("rmdir ", path, ": not empty"));
  }
  directories_.erase(path);
  return absl::OkStatus();
}

absl::Status FaultyFileSystem::SyncDir(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  if (!directories_.contains(path)) return NotFound(path);
  ASSIGN_OR_RETURN(const Outcome outcome, Begin(DiskCall::kSyncDir, path, 0, {}));
  if (outcome == Outcome::kIoError) return IoError("fsync", path);
  if (outcome == Outcome::kNoSpace || outcome == Outcome::kShortWrite) {
    return NoSpace("fsync", path);
  }
  if (outcome == Outcome::kProceed || random_.Chance(300)) {
    for (const EntryChange& change : unsynced_[path]) Apply(change, &on_disk_);
    unsynced_.erase(path);
  }
  return CheckPower(path);
}

absl::StatusOr<std::vector<std::string>> FaultyFileSystem::List(const std::string& path) const {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  if (!directories_.contains(path)) return NotFound(path);
  std::set<std::string> names;
  for (const auto& [entry, inode] : seen_) {
    if (ParentOf(entry) == path) names.insert(entry.substr(entry.find_last_of('/') + 1));
  }
  for (const std::string& entry : directories_) {
    if (entry != path && entry != "/" && ParentOf(entry) == path) {
      names.insert(entry.substr(entry.find_last_of('/') + 1));
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

bool FaultyFileSystem::Exists(const std::string& path) const {
  MutexLock lock(&mutex_);
  return seen_.contains(path) || directories_.contains(path);
}

absl::Status FaultyFileSystem::DropCached(const std::string& path) const {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
  inode->DropCached();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<void>> FaultyFileSystem::Lock(const std::string& path) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckPower(path));
  if (!locked_.insert(path).second) {
    return absl::AlreadyExistsError(absl::StrCat("flock ", path, ": another holds the lock"));
  }
  // Owned by the caller alone; dying releases the lock.
  return std::shared_ptr<void>(new HeldLock{this, path, generation_},
                               [](HeldLock* held) { delete held; });
}

}  // namespace vigil::ledger
