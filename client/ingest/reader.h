// Reads inputs line by line into batches: adapters, quarantine, checkpoints and accounting.
//
// Every line of an input is accounted for exactly once:
//   lines = accepted + already covered + quarantined + skipped + unsent
// `skipped` are blank, comment and header lines; `unsent` stays 0 unless handing over failed. A
// last line that its writer has not ended yet is not counted before it is whole. Belongs to one
// thread.
#ifndef VIGIL_CLIENT_INGEST_READER_H_
#define VIGIL_CLIENT_INGEST_READER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/ingest/adapter.h"
#include "client/ingest/checkpoint.h"
#include "client/ingest/line_source.h"
#include "client/ingest/progress.h"
#include "client/ingest/quarantine.h"
#include "client/lib/batch_builder.h"
#include "client/lib/batch_sink.h"
#include "ledger/base/clock.h"
#include "ledger/crypto/keys.h"

namespace vigil::client {

// The account of one input.
struct InputReport {
  std::string input;
  Format format = Format::kAuto;
  uint64_t lines = 0;
  uint64_t accepted = 0;
  uint64_t already_covered = 0;
  uint64_t quarantined = 0;
  uint64_t skipped = 0;
  uint64_t unsent = 0;
  uint64_t bytes = 0;  // Read now, decompressed.
  // The last line has no line end yet: it is left for the next run and counted by none of the
  // above.
  bool unfinished = false;
  std::string note;     // What people should know: rotated, read anew ...
  absl::Status status;  // Why it could not be read to its end.
};

struct ReadOptions {
  Format format = Format::kAuto;
  RawMode raw_mode = RawMode::kCommit;
  BatchLimits batch;
  // Nobody writes to the inputs any more: a last line without line end is whole.
  bool final_lines = false;
  // A file that was cut is read as a new one instead of being refused.
  bool reingest = false;
  // Set from a signal handler: reading ends after the present line, waiting at once. May be
  // nullptr.
  const std::atomic<bool>* stop = nullptr;
};

// What a reader works with. All must outlive it.
struct ReadSeams {
  BatchSink* sink = nullptr;
  CheckpointStore* checkpoints = nullptr;
  QuarantineFile* quarantine = nullptr;
  ledger::SaltSource* salts = nullptr;
  const Clock* clock = nullptr;
  ProgressSink* progress = nullptr;
};

class InputReader {
 public:
  // REQUIRES: CheckBatchLimits(options.batch).ok().
  InputReader(const ReadOptions& options, const ReadSeams& seams);
  ~InputReader();

  // Reads `inputs` (paths, "-" for standard input) one after the other, adds their reports to
  // `reports`, and waits until everything was delivered. An input that cannot be read is reported
  // and the next one read.
  // Errors: of the sink, the checkpoints or the quarantine; the reports are complete up to there.
  absl::Status ReadAll(const std::vector<std::string>& inputs, std::vector<InputReport>* reports);

  // Sums over all adapters.
  const MappingStats& mapping() const { return mapping_; }
  bool interrupted() const;

 private:
  struct Input;

  // Whether there is a next run that goes on behind what this one reads.
  static bool KeepsPlace(const Input& input);
  absl::Status ReadInput(const std::string& path, std::vector<InputReport>* reports);
  // Opens `input->path` and goes to where its checkpoint ends. `*rotated` is set to the checkpoint
  // of a file that has been replaced under this name.
  absl::Status OpenInput(Input* input, const Checkpoint** rotated);
  absl::StatusOr<Resumption> TryResume(Input* input, const Checkpoint& checkpoint);
  // Whether the file of `checkpoint`, which ends before it, may be read as a new one.
  // Errors: kFailedPrecondition: it is the old one, cut.
  absl::Status CheckCut(const Checkpoint& checkpoint) const;
  // `checkpoint` under the name that rotation gave its file; nullopt when there is no such file.
  std::optional<Checkpoint> FindMoved(const Checkpoint& checkpoint) const;
  // Reads what was added to the file that `checkpoint` describes before it was renamed.
  absl::Status ReadPredecessor(const Checkpoint& checkpoint, std::vector<InputReport>* reports,
                               std::string* note);
  absl::Status ReadLines(Input* input);
  absl::Status StartAdapter(Input* input);
  absl::Status WaitForInput(Input* input);
  absl::Status TakeLine(Input* input, const SourceLine& line);
  // Whether the last line, which has no line end, is to be left for the next run unless it stands
  // for itself.
  bool MayBeUnfinished(const Input& input, const SourceLine& line) const;
  absl::Status TakeEvent(Input* input, EncodedEvent event);
  absl::Status Quarantine(Input* input, const SourceLine& line, absl::string_view reason);
  absl::Status CutBatch(Input* input);
  absl::Status FinishInput(Input* input);
  Checkpoint Position(const Input& input) const;
  absl::Status KeepTrailing();
  void ShowProgress(bool done);

  const ReadOptions options_;
  const ReadSeams seams_;
  BatchBuilder builder_;
  MappingStats mapping_;
  IngestProgress shown_;
  int64_t started_micros_ = 0;
  int64_t shown_at_micros_ = 0;
  // Ends of inputs behind which nothing was left to deliver; kept after the last delivery.
  std::vector<Checkpoint> trailing_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_READER_H_
