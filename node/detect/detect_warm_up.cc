// Getting warm where blocks are not here: after joining by a snapshot, or with payloads pruned and
// the detector's store lost.
//
// State names the digest of every window that a quorum committed. The newest checkpoint that some
// validator keeps is fetched and held against it, then the models that were active, each against
// the digest that the chain gives it; what follows is replayed, from other validators where it is
// not here. Who serves any of it need not be believed.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/detect/detect_convert.h"
#include "node/detect/detect_driver.h"

namespace vigil::node {
namespace {

using detector::DetectorStream;
using detector::EventType;
using ledger::ExecutedBlock;
using ledger::ModelInfo;

constexpr uint32_t kModelsListedMax = 1024;
// After so many heights the chain is asked again what it confirmed, and the others what they keep.
constexpr uint64_t kLookAgainHeights = 16;
// Models per type that alerts may still cite: the active one and the one before.
constexpr size_t kModelsOfTypeMax = 2;

bool IsConfirmed(const ModelInfo& model) { return model.active && !model.window_digest.IsZero(); }

}  // namespace

bool DetectDriver::IsFile(Height end, Height previous_end) const {
  const uint64_t step = std::max(genesis_->snapshot_interval_blocks / kCheckpointsPerSnapshot, 1u);
  return end.value() / step != previous_end.value() / step;
}

// Takes the next block. False: it is not here, and cannot be got yet.
absl::StatusOr<bool> DetectDriver::TakeNext(Height height) {
  absl::StatusOr<ExecutedPtr> executed = port_->LoadExecuted(height);
  const bool is_missing =
      executed.ok() ? (*executed)->block->pruned() : absl::IsNotFound(executed.status());
  if (!is_missing) {
    RETURN_IF_ERROR(executed.status());
    cold_ = false;
    RETURN_IF_ERROR(TakeBlock(**executed));
    return true;
  }
  cold_ = true;
  ASSIGN_OR_RETURN(const bool confirmed, LookForCheckpoints());
  if (adopting_ != nullptr) return FetchModel();
  if (!candidates_.empty()) return FetchCheckpoint();
  // One will come that is served: nobody reads a long chain again for the windows at its end.
  waits_ = confirmed && height == Height(1);
  if (waits_) return false;
  ASSIGN_OR_RETURN(const ExecutedPtr fetched, port_->FetchBlock(height));
  if (fetched == nullptr) return false;
  RETURN_IF_ERROR(TakeBlock(*fetched));
  return true;
}

// Lists the checkpoints above the stream that may be had, newest first. Returns whether the chain
// confirmed any.
absl::StatusOr<bool> DetectDriver::LookForCheckpoints() {
  const bool is_due = looked_at_ == Height(0) || port_->tip() >= looked_at_ + kLookAgainHeights;
  if (!is_due || adopting_ != nullptr || !candidates_.empty()) return confirmed_;
  looked_at_ = port_->tip();
  ASSIGN_OR_RETURN(const std::vector<ModelInfo> models,
                   port_->Reader()->ListModels(kModelsListedMax));
  std::map<uint64_t, CheckpointMark> marks;  // By period.
  for (const ModelInfo& model : models) {
    if (!IsConfirmed(model)) continue;
    marks[model.period] = {.height = model.window_end, .digest = model.window_digest};
  }
  confirmed_ = !marks.empty();
  for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
    if (mark->second.height <= stream_->height()) break;
    const auto previous = marks.find(mark->first - 1);
    if (previous != marks.end() && !IsFile(mark->second.height, previous->second.height)) continue;
    candidates_.push_back(mark->second);
  }
  return confirmed_;
}

absl::StatusOr<bool> DetectDriver::FetchCheckpoint() {
  const CheckpointMark mark = candidates_.front();
  const auto check = [&](ByteSpan bytes) {
    const Hash digest = AsHash(detector::CheckpointDigest(bytes, &ledger::Sha256Bytes));
    if (digest == mark.digest) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint ", mark.height.value(), " with digest ", digest.ToHex(),
                     ", a quorum stands behind ", mark.digest.ToHex()));
  };
  absl::StatusOr<std::optional<std::string>> bytes = port_->FetchCheckpoint(mark.height, check);
  if (absl::IsNotFound(bytes.status())) {
    candidates_.erase(candidates_.begin());
    return true;
  }
  RETURN_IF_ERROR(bytes.status());
  if (!bytes->has_value()) return false;
  std::optional<DetectorStream> stream =
      DetectorStream::FromCheckpoint(ParametersOf(genesis_->detector), genesis_->chain_id.bytes,
                                     &ledger::Sha256Bytes, AsBytes(**bytes));
  candidates_.erase(candidates_.begin());
  if (!stream.has_value() || stream->height() != mark.height) {
    port_->Warn(absl::StrCat("checkpoint ", mark.height.value(),
                             " is what a quorum committed, but cannot be read here: other "
                             "validators run another version"));
    return true;
  }
  adopting_ = std::make_unique<DetectorStream>(*std::move(stream));
  adopting_mark_ = mark;
  candidates_.clear();  // The others are older.
  adopting_bytes_ = **std::move(bytes);
  RETURN_IF_ERROR(ListModelsToFetch());
  return true;
}

// Of each type, those of periods before the checkpoint's that alerts may cite: what is active now,
// what was before, and what was active at the checkpoint. Later ones are trained here.
absl::Status DetectDriver::ListModelsToFetch() {
  ASSIGN_OR_RETURN(std::vector<ModelInfo> models, port_->Reader()->ListModels(kModelsListedMax));
  std::erase_if(models, [](const ModelInfo& model) { return !model.active; });
  std::sort(models.begin(), models.end(),
            [](const ModelInfo& a, const ModelInfo& b) { return a.active_from > b.active_from; });
  uint64_t period = 0;
  for (const ModelInfo& model : models) {
    if (model.window_end == adopting_mark_.height) period = model.period;
  }
  models_to_fetch_.clear();
  std::map<uint32_t, size_t> seen;
  std::set<uint32_t> has_active;
  for (const ModelInfo& model : models) {
    const bool is_recent = seen[model.event_type]++ < kModelsOfTypeMax;
    const bool was_active =
        model.active_from <= adopting_mark_.height && has_active.insert(model.event_type).second;
    if ((is_recent || was_active) && model.period < period) models_to_fetch_.push_back(model);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DetectDriver::FetchModel() {
  if (models_to_fetch_.empty()) {
    RETURN_IF_ERROR(Adopt());
    return true;
  }
  const ModelInfo wanted = models_to_fetch_.front();
  const auto type = static_cast<EventType>(wanted.event_type);
  std::optional<detector::Model> model;
  const auto check = [&](ByteSpan bytes) {
    model = detector::Model::Parse(bytes, detector::EventSchema(type), &ledger::Sha256Bytes);
    if (model.has_value() && AsHash(model->digest()) == wanted.digest) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("bytes that are not the model ", wanted.digest.ToHex()));
  };
  std::optional<std::string> bytes;
  if (const detector::Model* const own = stream_->FindModel(wanted.digest.bytes)) {
    bytes = ToString(own->Serialize());
    RETURN_IF_ERROR(check(AsBytes(*bytes)));
  } else {
    absl::StatusOr<std::optional<std::string>> fetched = port_->FetchModel(wanted.digest, check);
    if (absl::IsNotFound(fetched.status())) {
      models_to_fetch_.pop_front();
      port_->Warn(absl::StrCat("no validator has the model of event type ", wanted.event_type,
                               ", period ", wanted.period,
                               "; its alerts are not judged here, and events of that type not "
                               "scored before the next model"));
      return true;
    }
    RETURN_IF_ERROR(fetched.status());
    bytes = *std::move(fetched);
  }
  if (!bytes.has_value()) return false;
  models_to_fetch_.pop_front();
  if (adopting_->AddModel(type, wanted.period, *std::move(model))) {
    adopted_models_.push_back({.key = {type, wanted.period}, .bytes = *std::move(bytes)});
  }
  return true;
}

// From here on the stream is the one that begins with the checkpoint.
absl::Status DetectDriver::Adopt() {
  DropCheckpoints();
  const absl::Status saved = port_->SaveCheckpoint(adopting_mark_.height, AsBytes(adopting_bytes_));
  if (saved.ok()) {
    checkpoints_[adopting_mark_.height] = adopting_mark_.digest;
  } else {
    port_->Warn(
        absl::StrCat("checkpoint ", adopting_mark_.height.value(),
                     " is not kept, and fetched again by the next start: ", saved.message()));
  }
  Replace(std::move(adopting_));
  adopting_bytes_.clear();
  active_from_.clear();
  height_ = stream_->height().value();
  RETURN_IF_ERROR(ActivateFromState());
  port_->Inform(absl::StrCat("goes on from the checkpoint of height ",
                             adopting_mark_.height.value(), ", ", adopting_mark_.digest.ToHex(),
                             ", with ", adopted_models_.size(), " models of others"));
  PublishModels();
  return Save(std::exchange(adopted_models_, {}));
}

void DetectDriver::DropCheckpoints() {
  for (const auto& [height, digest] : std::exchange(checkpoints_, {})) {
    port_->DropCheckpoint(height);
  }
}

void DetectDriver::ForgetWarmUp() {
  candidates_.clear();
  adopting_.reset();
  adopting_bytes_.clear();
  models_to_fetch_.clear();
  adopted_models_.clear();
  looked_at_ = Height(0);
  confirmed_ = false;
  waits_ = false;
}

std::string DetectDriver::Phase() const {
  const std::string bytes = absl::StrCat(port_->FetchedBytes(), " bytes are here");
  if (cold_ && adopting_ != nullptr) {
    return absl::StrCat("fetches ", models_to_fetch_.size(),
                        " models for the checkpoint of height ", adopting_mark_.height.value(),
                        ", ", bytes);
  }
  if (cold_ && !candidates_.empty()) {
    return absl::StrCat("fetches the checkpoint of height ", candidates_.front().height.value(),
                        ", ", bytes);
  }
  if (cold_ && waits_) {
    return "waits for the next checkpoint that a quorum commits and a validator keeps";
  }
  if (cold_) {
    return absl::StrCat("reads blocks of other validators, at height ",
                        stream_->ReplayFrom().value());
  }
  return absl::StrCat("rebuilds its windows, at height ", stream_->ReplayFrom().value(), " of ",
                      stream_->height().value());
}

void DetectDriver::PublishWarmth() {
  const bool is_warm = !cold_ && !stream_->refilling();
  const bool is_news = is_warm && !warm_;
  warm_ = is_warm;
  std::string phase = is_warm ? "" : Phase();
  {
    MutexLock lock(&models_mutex_);
    phase_ = std::move(phase);
  }
  if (is_news) {
    port_->Inform(absl::StrCat("is warm: its windows are those of the chain at height ",
                               stream_->height().value()));
  }
}

}  // namespace vigil::node
