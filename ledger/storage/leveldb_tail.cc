#include "ledger/storage/leveldb_tail.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/leveldb_format.h"

namespace vigil::ledger {
namespace {

absl::Status Lost(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(path, ": ", what));
}

// The number of "000012.log"; nullopt for another kind of file.
std::optional<uint64_t> LogNumber(absl::string_view name) {
  uint64_t number = 0;
  if (!absl::ConsumeSuffix(&name, ".log") || !absl::SimpleAtoi(name, &number)) return std::nullopt;
  return number;
}

// Without CURRENT, LevelDB would begin anew and delete every table it finds.
absl::Status CheckThatNothingIsThere(const std::string& directory,
                                     const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (absl::EndsWith(name, ".ldb") || absl::EndsWith(name, ".log")) {
      return Lost(absl::StrCat(directory, "/CURRENT"),
                  absl::StrCat("missing, though ", name, " is there"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ManifestPath(const FileSystem& files, const std::string& directory) {
  const std::string current_path = absl::StrCat(directory, "/CURRENT");
  ASSIGN_OR_RETURN(const std::string current, files.ReadAll(current_path));
  absl::string_view name = current;
  if (!absl::ConsumeSuffix(&name, "\n") || !absl::StartsWith(name, "MANIFEST-") ||
      absl::StrContains(name, '/')) {
    return Lost(current_path, "damaged: it does not name a manifest");
  }
  const std::string path = absl::StrCat(directory, "/", name);
  if (!files.Exists(path)) return Lost(path, "missing, though CURRENT names it");
  return path;
}

absl::StatusOr<LevelDbManifest> CutManifest(FileSystem* files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, files->ReadAll(path));
  LevelDbManifest manifest;
  absl::Status edit_status;
  const uint64_t sound_bytes = ScanLevelDbLog(AsBytes(bytes), [&](ByteSpan record) {
    edit_status = ApplyLevelDbEdit(record, &manifest);
    return edit_status.ok();
  });
  if (!edit_status.ok()) return Annotate(edit_status, path);
  if (sound_bytes == 0) return Lost(path, "damaged from its first record on");
  if (sound_bytes < bytes.size()) RETURN_IF_ERROR(files->Truncate(path, sound_bytes));
  return manifest;
}

// Follows the batches through the live logs in order.
class LogCutter {
 public:
  LogCutter(FileSystem* files, const LevelDbManifest& manifest)
      : files_(files), sequence_max_(manifest.last_sequence + 1) {}

  absl::Status Cut(const std::string& path) {
    ASSIGN_OR_RETURN(const std::string bytes, files_->ReadAll(path));
    uint64_t sound_bytes = 0;
    if (!broken_) {
      sound_bytes =
          ScanLevelDbLog(AsBytes(bytes), [&](ByteSpan record) { return Continues(record); });
    }
    if (sound_bytes == bytes.size()) return absl::OkStatus();
    broken_ = true;
    return files_->Truncate(path, sound_bytes);
  }

 private:
  // Whether the batch in `record` comes right after the one before it.
  bool Continues(ByteSpan record) {
    const absl::StatusOr<LevelDbBatchHeader> batch = ParseLevelDbBatch(record);
    if (!batch.ok()) return false;
    const bool follows =
        sequence_.has_value() ? batch->sequence == *sequence_ : batch->sequence <= sequence_max_;
    if (follows) sequence_ = batch->sequence + batch->count;
    return follows;
  }

  FileSystem* const files_;
  const uint64_t sequence_max_;       // The first live batch may not be later than this.
  std::optional<uint64_t> sequence_;  // Of the batch that must come next.
  bool broken_ = false;               // Whatever follows is behind a hole.
};

}  // namespace

absl::Status CutLevelDbTails(FileSystem* files, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(directory));
  if (!files->Exists(absl::StrCat(directory, "/CURRENT"))) {
    return CheckThatNothingIsThere(directory, names);
  }
  ASSIGN_OR_RETURN(const std::string manifest_path, ManifestPath(*files, directory));
  ASSIGN_OR_RETURN(const LevelDbManifest manifest, CutManifest(files, manifest_path));
  std::map<uint64_t, std::string> live_logs;  // By number, the order they were written in.
  for (const std::string& name : names) {
    const std::optional<uint64_t> number = LogNumber(name);
    if (number.has_value() && *number >= manifest.log_number) {
      live_logs[*number] = absl::StrCat(directory, "/", name);
    }
  }
  if (manifest.log_number != 0 && !live_logs.contains(manifest.log_number)) {
    return Lost(
        absl::StrCat(directory, "/", absl::Dec(manifest.log_number, absl::kZeroPad6), ".log"),
        absl::StrCat("missing, though ", manifest_path, " needs it"));
  }
  LogCutter cutter(files, manifest);
  for (const auto& [number, path] : live_logs) RETURN_IF_ERROR(cutter.Cut(path));
  return absl::OkStatus();
}

}  // namespace vigil::ledger
