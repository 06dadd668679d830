#include "node/driver/archiver.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/journal_check.h"

namespace vigil::node {
namespace {

// Between looks at whether a base frame is on disk: about one sync.
constexpr int64_t kPollMicros = 5'000;
constexpr int64_t kTellMicros = 60'000'000;

}  // namespace

Archiver::Archiver(Ports ports, Options options)
    : ports_(std::move(ports)),
      options_(std::move(options)),
      may_drop_(options_.base.has_value()),
      told_micros_(-kTellMicros) {
  MutexLock lock(&mutex_);
  state_.base = base_height();
}

Archiver::State Archiver::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

void Archiver::HoldBack(const std::string& why) {
  {
    MutexLock lock(&mutex_);
    state_.held_back = why;
  }
  const int64_t now = ports_.clock->MonotonicMicros();
  if (why.empty() || now - told_micros_ < kTellMicros) return;
  told_micros_ = now;
  (*ports_.log)(LogLevel::kWarning, "archive",
                absl::StrCat("the journal stays above retention.journal_bytes_max: ", why));
}

absl::StatusOr<Height> Archiver::AgreedSnapshot(Height executed) {
  ledger::FileSystem* const files = options_.place.files;
  const uint64_t interval = options_.place.genesis->snapshot_interval_blocks;
  ASSIGN_OR_RETURN(std::vector<Height> heights,
                   ledger::ListSnapshots(*files, options_.snapshot_directory));
  std::reverse(heights.begin(), heights.end());
  for (const Height height : heights) {
    const Height carrier(height.value() + interval);
    if (height == Height(0) || carrier > executed) continue;
    const absl::StatusOr<ledger::BlockPtr> block = ports_.chain->LoadBlock(carrier);
    RETURN_IF_ERROR(block.status());
    const std::string path = ledger::SnapshotPath(options_.snapshot_directory, height);
    const ledger::SnapshotMark agreed{.height = height,
                                      .digest = (*block)->header().snapshot_digest};
    if (agreed == sound_snapshot_ && files->Exists(path)) return height;
    const absl::StatusOr<std::unique_ptr<ledger::SnapshotFile>> file =
        ledger::SnapshotFile::Open(files, path);
    if (absl::IsNotFound(file.status())) continue;  // Replaced by a newer one meanwhile.
    absl::Status sound = file.status();
    if (sound.ok() && (*file)->manifest().mark() != agreed) {
      sound = absl::DataLossError("its digest is not the agreed one");
    }
    if (sound.ok()) sound = (*file)->CheckAll();
    if (sound.ok()) {
      sound_snapshot_ = agreed;
      return height;
    }
    // The scrub tells of it; an older one may do.
    if (!absl::IsDataLoss(sound)) return sound;
  }
  return Height(0);
}

absl::StatusOr<ArchiveLimit> Archiver::Limit() {
  ArchiveLimit limit;
  const Height executed = ports_.chain->CurrentView().tip.height;
  limit.Lower(executed, "the blocks above are not executed");
  limit.Lower(ports_.final_height(), "the blocks above are not final");
  limit.Lower(ports_.tiles_saved(), "the log's files are not on disk beyond");
  if (ports_.detector_from) {
    const std::optional<Height> from = ports_.detector_from();
    if (!from.has_value() || *from == Height(0)) {
      limit.Lower(Height(0), "the detector has not saved its windows yet");
    } else {
      limit.Lower(from->Previous(), "the detector's windows reach back to there");
    }
  }
  // It reads much, so only when the others let something go.
  if (limit.height > base_height()) {
    ASSIGN_OR_RETURN(const Height snapshot, AgreedSnapshot(executed));
    limit.Lower(snapshot, "state could not be built again above the newest agreed snapshot");
  }
  return limit;
}

// Whether anything was done.
absl::StatusOr<bool> Archiver::LookAround() {
  ASSIGN_OR_RETURN(const uint64_t bytes,
                   JournalFileBytes(*options_.place.files, options_.place.journal));
  {
    MutexLock lock(&mutex_);
    state_.journal_bytes = bytes;
  }
  if (bytes <= options_.journal_bytes_max) {
    HoldBack("");
    return false;
  }
  if (!ports_.journal->has_promises()) {
    HoldBack("this validator has not voted and cosigned yet");
    return false;
  }
  ASSIGN_OR_RETURN(const ArchiveLimit limit, Limit());
  const auto hold = [&] {
    HoldBack(absl::StrCat("blocks up to ", limit.height.value(), " could leave: ", limit.why,
                          "; and the newest segment stays"));
    return false;
  };
  if (limit.height <= base_height()) return hold();
  ArchiveSource source;
  const std::shared_ptr<const ledger::ChainReader> reader = ports_.chain->CurrentView().reader;
  source.chain = reader.get();
  source.tiles = ports_.tiles;
  ASSIGN_OR_RETURN(source.checkpoint, ports_.checkpoint());
  source.load_block = [this](Height height) { return ports_.chain->LoadBlock(height); };
  ASSIGN_OR_RETURN(
      const std::optional<ArchivedStep> step,
      ArchiveOldest(options_.place, source, {.base = options_.base, .height_max = limit.height}));
  if (!step.has_value()) return hold();
  base_written_ = ports_.journal->bases() + 1;
  ports_.journal->RenewAbove(ledger::EncodeBaseFrame(step->base));
  options_.base = step->base;
  return true;
}

absl::StatusOr<bool> Archiver::Drop() {
  const ledger::BaseFrame& base = *options_.base;
  ASSIGN_OR_RETURN(const uint64_t bytes, DropArchived(options_.place, base.base_offset));
  may_drop_ = false;
  {
    MutexLock lock(&mutex_);
    state_.archived_bytes += bytes;
    state_.base = base.block.height;
  }
  if (bytes > 0) {
    (*ports_.log)(LogLevel::kInfo, "archive",
                  absl::StrCat(bytes, " bytes of the journal are in ", options_.place.archive,
                               " now; it begins above block ", base.block.height.value()));
  }
  return true;
}

bool Archiver::Step() {
  const int64_t now = ports_.clock->MonotonicMicros();
  if (now < next_micros_ || ports_.fatal->failed()) return false;
  if (base_written_.has_value()) {
    if (ports_.journal->bases() < *base_written_) {
      next_micros_ = now + kPollMicros;
      return false;
    }
    base_written_.reset();
    may_drop_ = true;
    ports_.on_base(options_.base->block);
  }
  const absl::StatusOr<bool> worked = may_drop_ ? Drop() : LookAround();
  if (absl::IsAborted(worked.status())) {
    ports_.fatal->Fail(Annotate(worked.status(), "archive"));
    return false;
  }
  // The copy is bad or gone: the next round makes it again while the segment is here.
  if (absl::IsDataLoss(worked.status()) || absl::IsNotFound(worked.status())) may_drop_ = false;
  if (!worked.ok()) HoldBack(std::string(worked.status().message()));
  const bool more = worked.ok() && *worked;
  next_micros_ = more ? now : now + options_.pause_micros;
  return more;
}

}  // namespace vigil::node
