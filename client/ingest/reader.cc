#include "client/ingest/reader.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"

namespace vigil::client {
namespace {

constexpr int kIdleMillis = 100;
constexpr int64_t kProgressMicros = 200'000;
constexpr size_t kDetectBytes = 64 * 1024;
// Lines between two looks at the clock.
constexpr uint64_t kLinesPerLook = 256;
constexpr size_t kSiblingsMax = 1000;

std::string Absolute(const std::string& path) {
  if (path == "-") return path;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

void AddStats(const MappingStats& more, MappingStats* sum) {
  sum->events += more.events;
  sum->specific_class_events += more.specific_class_events;
  sum->truncated_events += more.truncated_events;
  sum->repaired_events += more.repaired_events;
  sum->mismatched_values += more.mismatched_values;
  for (const auto& [field, count] : more.unknown_fields) {
    if (sum->unknown_fields.size() < MappingStats::kUnknownFieldsMax ||
        sum->unknown_fields.contains(field)) {
      sum->unknown_fields[field] += count;
    } else {
      sum->unknown_fields["..."] += count;
    }
  }
}

}  // namespace

// One input while it is read.
struct InputReader::Input {
  std::string path;
  InputReport report;
  std::unique_ptr<LineSource> source;
  std::unique_ptr<Adapter> adapter;
  std::string head;  // First bytes of the stream.
  std::string tail;  // Last bytes of the last line taken over; empty: none was, since resuming.
  // How far everything before has been added to the builder, quarantined or skipped.
  Checkpoint at;
  bool resumed = false;
  uint64_t begun_at = 0;  // Offset where reading began now.
};

InputReader::InputReader(const ReadOptions& options, const ReadSeams& seams)
    : options_(options),
      seams_(seams),
      builder_(options.batch, seams.clock),
      started_micros_(seams.clock->MonotonicMicros()) {}

InputReader::~InputReader() = default;

bool InputReader::KeepsPlace(const Input& input) {
  return input.source->is_regular_file() && input.path != "-";
}

bool InputReader::interrupted() const { return options_.stop != nullptr && *options_.stop; }

absl::Status InputReader::ReadAll(const std::vector<std::string>& inputs,
                                  std::vector<InputReport>* reports) {
  std::vector<std::string> paths;
  for (const std::string& input : inputs) {
    std::string path = Absolute(input);
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
      paths.push_back(std::move(path));
    }
  }
  shown_.input_count = paths.size();
  for (const std::string& path : paths) {
    if (interrupted()) break;
    ++shown_.input_number;
    RETURN_IF_ERROR(ReadInput(path, reports));
  }
  RETURN_IF_ERROR(seams_.quarantine->Sync());
  RETURN_IF_ERROR(seams_.sink->Flush());
  RETURN_IF_ERROR(KeepTrailing());
  ShowProgress(/*done=*/true);
  return absl::OkStatus();
}

absl::Status InputReader::ReadInput(const std::string& path, std::vector<InputReport>* reports) {
  Input input;
  input.path = path;
  input.report.input = path;
  input.report.format = options_.format;
  shown_.input = path;
  const Checkpoint* rotated = nullptr;
  input.report.status = OpenInput(&input, &rotated);
  if (input.report.status.ok() && rotated != nullptr) {
    const Checkpoint predecessor = *rotated;
    RETURN_IF_ERROR(ReadPredecessor(predecessor, reports, &input.report.note));
    shown_.input = path;
    // A position in the new file would replace the one that leads to the rest of the old.
    if (interrupted()) return absl::OkStatus();
  }
  absl::Status handed_over;
  if (input.report.status.ok()) {
    handed_over = ReadLines(&input);
    if (handed_over.ok()) handed_over = FinishInput(&input);
  }
  if (input.adapter != nullptr) AddStats(input.adapter->stats(), &mapping_);
  input.report.unsent += builder_.size();
  reports->push_back(std::move(input.report));
  return handed_over;
}

// --- Where to begin.

absl::StatusOr<Resumption> InputReader::TryResume(Input* input, const Checkpoint& checkpoint) {
  ASSIGN_OR_RETURN(input->head, input->source->Peek(kDetectBytes));
  ASSIGN_OR_RETURN(const Resumption resumption, ResumeAt(input->source.get(), checkpoint));
  if (resumption != Resumption::kGoesOn) {
    ASSIGN_OR_RETURN(input->source, LineSource::Open(input->path, options_.stop));
    return resumption;
  }
  input->at = checkpoint;
  input->at.path = input->path;
  input->resumed = true;
  input->report.already_covered = checkpoint.line;
  input->report.lines = checkpoint.line;
  input->begun_at = checkpoint.offset;
  return resumption;
}

absl::Status InputReader::OpenInput(Input* input, const Checkpoint** rotated) {
  ASSIGN_OR_RETURN(input->source, LineSource::Open(input->path, options_.stop));
  bool resumed = false;
  if (KeepsPlace(*input)) {
    // Relatives first learn of the inode; a copy, since reading may change the store.
    const FileIdentity identity = input->source->identity();
    const Checkpoint* const own = seams_.checkpoints->Find(input->path);
    if (own != nullptr) {
      ASSIGN_OR_RETURN(const Resumption resumption, TryResume(input, *own));
      resumed = resumption == Resumption::kGoesOn;
      if (!resumed) *rotated = own;
      if (resumption == Resumption::kCut) RETURN_IF_ERROR(CheckCut(*own));
    }
    for (const Checkpoint& relative : seams_.checkpoints->Relatives(input->path, identity)) {
      if (resumed) break;
      ASSIGN_OR_RETURN(const Resumption resumption, TryResume(input, relative));
      resumed = resumption == Resumption::kGoesOn;
      if (resumed) input->report.note = absl::StrCat("known as ", relative.path);
    }
  }
  input->at.path = input->path;
  if (!resumed) {
    ASSIGN_OR_RETURN(input->head, input->source->Peek(kDetectBytes));
  }
  return StartAdapter(input);
}

absl::Status InputReader::StartAdapter(Input* input) {
  Format format = options_.format;
  if (format == Format::kAuto && input->resumed && !input->at.format.empty()) {
    ASSIGN_OR_RETURN(format, ParseFormat(input->at.format));
  }
  if (format == Format::kAuto) {
    if (input->head.empty()) return absl::OkStatus();  // Nothing to read.
    absl::StatusOr<Format> detected = DetectFormat(input->head);
    // Of damaged data there may be too little to tell anything from.
    if (!detected.ok()) RETURN_IF_ERROR(input->source->failure());
    if (!detected.ok()) return Annotate(detected.status(), input->path);
    format = *detected;
  }
  input->report.format = format;
  const size_t slash = input->path.rfind('/');
  const AdapterOptions options{
      .file_name = slash == std::string::npos ? input->path : input->path.substr(slash + 1),
      .raw_mode = options_.raw_mode};
  input->adapter = MakeAdapter(format, options, seams_.salts);
  const bool same_format = input->at.format == FormatName(format);
  input->at.format = std::string(FormatName(format));
  if (!input->resumed || !same_format) return absl::OkStatus();
  return Annotate(input->adapter->RestoreState(input->at.adapter_state), input->path);
}

absl::Status InputReader::CheckCut(const Checkpoint& checkpoint) const {
  // Where the old file has gone elsewhere, a new one that begins alike has come.
  if (options_.reingest || FindMoved(checkpoint).has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(checkpoint.path, ": was cut: it begins as when ", checkpoint.line, " lines (",
                   checkpoint.offset,
                   " bytes) were taken from it, and ends before that. To read what is left "
                   "once more, as new events, give --reingest"));
}

std::optional<Checkpoint> InputReader::FindMoved(const Checkpoint& checkpoint) const {
  namespace fs = std::filesystem;
  std::vector<std::string> siblings;
  std::error_code error;
  for (fs::directory_iterator at(fs::path(checkpoint.path).parent_path(), error), end;
       !error && at != end && siblings.size() < kSiblingsMax; at.increment(error)) {
    const std::string path = at->path().string();
    if (path == checkpoint.path || !InOneSeries(path, checkpoint.path)) continue;
    if (at->is_regular_file(error)) siblings.push_back(path);
  }
  std::sort(siblings.begin(), siblings.end());
  for (const std::string& sibling : siblings) {
    absl::StatusOr<std::unique_ptr<LineSource>> source = LineSource::Open(sibling, options_.stop);
    if (!source.ok()) continue;
    const absl::StatusOr<Resumption> resumption = ResumeAt(source->get(), checkpoint);
    if (!resumption.ok() || *resumption != Resumption::kGoesOn) continue;
    Checkpoint moved = checkpoint;
    moved.path = sibling;
    moved.identity = (*source)->identity();
    return moved;
  }
  return std::nullopt;
}

absl::Status InputReader::ReadPredecessor(const Checkpoint& checkpoint,
                                          std::vector<InputReport>* reports, std::string* note) {
  const std::optional<Checkpoint> moved = FindMoved(checkpoint);
  if (!moved) {
    *note = absl::StrCat("replaced; what was added to the old file behind line ", checkpoint.line,
                         " was not found");
    return absl::OkStatus();
  }
  // From now on it is known under its new name, whatever becomes of the old one; unless it is known
  // already, from a run that did not come to its end.
  if (seams_.checkpoints->Find(moved->path) == nullptr) {
    RETURN_IF_ERROR(seams_.checkpoints->Put(*moved));
  }
  *note = absl::StrCat("rotated to ", moved->path);
  return ReadInput(moved->path, reports);
}

// --- Lines.

absl::Status InputReader::WaitForInput(Input* input) {
  while (!input->source->WaitReadable(kIdleMillis)) {
    if (interrupted()) return absl::OkStatus();
    if (builder_.IsDue()) RETURN_IF_ERROR(CutBatch(input));
    RETURN_IF_ERROR(seams_.sink->Poll());
    ShowProgress(/*done=*/false);
  }
  return absl::OkStatus();
}

absl::Status InputReader::ReadLines(Input* input) {
  if (input->adapter == nullptr) return absl::OkStatus();
  SourceLine line;
  while (!interrupted()) {
    RETURN_IF_ERROR(WaitForInput(input));
    if (interrupted()) break;
    const absl::StatusOr<bool> more = input->source->Next(&line);
    if (!more.ok()) {
      if (!interrupted()) input->report.status = more.status();
      break;
    }
    if (!*more) break;
    if (line.broken && interrupted()) break;  // By us: the rest of it is there the next time.
    RETURN_IF_ERROR(TakeLine(input, line));
    if (input->report.lines % kLinesPerLook == 0) {
      if (builder_.IsDue()) RETURN_IF_ERROR(CutBatch(input));
      ShowProgress(/*done=*/false);
    }
  }
  input->report.bytes = input->source->offset() - input->begun_at;
  return absl::OkStatus();
}

bool InputReader::MayBeUnfinished(const Input& input, const SourceLine& line) const {
  return !line.terminated && !options_.final_lines && KeepsPlace(input) && !input.source->is_gzip();
}

absl::Status InputReader::TakeLine(Input* input, const SourceLine& line) {
  Checkpoint& at = input->at;
  const bool may_grow = MayBeUnfinished(*input, line);
  const bool seen_before = at.pending_size == line.size && line.size > 0;
  // A cut row looks like a whole one; a cut JSON object does not.
  if (may_grow && !seen_before && input->report.format == Format::kZeekTsv) {
    input->report.unfinished = true;
    return absl::OkStatus();
  }
  const bool continues = std::exchange(at.unterminated, false);
  if (continues && line.text.empty() && line.terminated) {
    at.offset = input->source->offset();  // The line end of the last line taken over.
    return absl::OkStatus();
  }
  ++input->report.lines;
  if (!line.terminated && seen_before) {
    ++input->report.already_covered;  // Quarantined when it was last seen, and no longer since.
    return absl::OkStatus();
  }
  at.pending_size = 0;
  AdaptedLine adapted;
  adapted.verdict = AdaptedLine::Verdict::kQuarantined;
  if (line.too_long) {
    adapted.reason = absl::StrCat("line of ", line.size, " bytes, at most ", kLineBytesMax);
  } else if (line.broken) {
    adapted.reason = "the stream breaks off inside the line";
  } else if (continues) {
    adapted.reason = "goes on with a line that was taken over without its end";
  } else {
    adapted = input->adapter->Adapt(line.text);
  }
  if (may_grow && adapted.verdict == AdaptedLine::Verdict::kQuarantined) {
    --input->report.lines;
    at.unterminated = continues;
    input->report.unfinished = true;
    return absl::OkStatus();
  }
  switch (adapted.verdict) {
    case AdaptedLine::Verdict::kSkipped:
      ++input->report.skipped;
      break;
    case AdaptedLine::Verdict::kQuarantined:
      RETURN_IF_ERROR(Quarantine(input, line, adapted.reason));
      // Should somebody write to it after all, it is looked at again.
      if (!line.terminated && input->source->is_regular_file()) {
        at.pending_size = line.size;
        return absl::OkStatus();
      }
      break;
    case AdaptedLine::Verdict::kEvent:
      RETURN_IF_ERROR(TakeEvent(input, std::move(adapted.event)));
      break;
  }
  ++at.line;
  at.offset = input->source->offset();
  at.unterminated = !line.terminated;
  const absl::string_view tail = input->source->tail();
  input->tail.assign(tail.data(), tail.size());
  return absl::OkStatus();
}

absl::Status InputReader::TakeEvent(Input* input, EncodedEvent event) {
  // The batch so far ends before this line, and so does its mark.
  if (!builder_.Fits(event.bytes.size())) {
    const absl::Status cut = CutBatch(input);
    if (!cut.ok()) {
      ++input->report.unsent;
      return cut;
    }
  }
  builder_.Add(std::move(event));
  ++shown_.events;
  return absl::OkStatus();
}

absl::Status InputReader::Quarantine(Input* input, const SourceLine& line,
                                     absl::string_view reason) {
  ++input->report.quarantined;
  ++shown_.quarantined;
  return seams_.quarantine->Add(input->path, input->at.line + 1, reason, line.size, line.text);
}

// --- Handing over.

Checkpoint InputReader::Position(const Input& input) const {
  Checkpoint position = input.at;
  position.identity = input.source->identity();
  const size_t head_size = static_cast<size_t>(
      std::min<uint64_t>(std::min(input.head.size(), LineSource::kHeadBytesMax), input.at.offset));
  position.head_size = head_size;
  const absl::string_view head = absl::string_view(input.head).substr(0, head_size);
  position.head_hash = ledger::Sha256(AsBytes(head));
  position.start_hashes = StartHashes(head);
  if (!input.tail.empty()) {
    position.tail_size = input.tail.size();
    position.tail_hash = ledger::Sha256(AsBytes(input.tail));
  }
  position.adapter_state = input.adapter->state();
  return position;
}

absl::Status InputReader::CutBatch(Input* input) {
  RETURN_IF_ERROR(seams_.quarantine->Sync());
  const bool keeps_place = KeepsPlace(*input);
  const Checkpoint position = Position(*input);
  const size_t size = builder_.size();
  EventBatch batch = builder_.Take(keeps_place ? EncodeCheckpoint(position) : std::string());
  const absl::Status submitted = seams_.sink->Submit(std::move(batch));
  if (!submitted.ok()) {
    input->report.unsent += size;
    return submitted;
  }
  if (keeps_place) seams_.checkpoints->Assume(position);
  input->report.accepted += size;
  ShowProgress(/*done=*/false);
  return absl::OkStatus();
}

absl::Status InputReader::FinishInput(Input* input) {
  if (input->adapter == nullptr) return absl::OkStatus();
  if (!builder_.empty()) return CutBatch(input);
  if (!KeepsPlace(*input)) return absl::OkStatus();
  Checkpoint position = Position(*input);
  seams_.checkpoints->Assume(position);
  trailing_.push_back(std::move(position));
  return absl::OkStatus();
}

absl::Status InputReader::KeepTrailing() {
  for (const Checkpoint& checkpoint : trailing_) {
    RETURN_IF_ERROR(seams_.checkpoints->Put(checkpoint));
  }
  trailing_.clear();
  return absl::OkStatus();
}

void InputReader::ShowProgress(bool done) {
  const int64_t now = seams_.clock->MonotonicMicros();
  if (!done && now - shown_at_micros_ < kProgressMicros) return;
  shown_at_micros_ = now;
  shown_.delivered = seams_.sink->stats().events_delivered;
  shown_.elapsed_micros = now - started_micros_;
  shown_.done = done;
  seams_.progress->OnProgress(shown_);
}

}  // namespace vigil::client
