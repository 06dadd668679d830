#include "node/driver/detector_actor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/block.h"

namespace vigil::node {
namespace {

constexpr int64_t kErrorPauseMicros = 5'000'000;
// A peer may serve slowly on purpose (fetch.bytes_per_second).
constexpr int64_t kAnswerMicros = 30'000'000;

}  // namespace

DetectorActor::DetectorActor(const Ports& ports)
    : ports_(ports),
      fetcher_({.genesis = ports.genesis,
                .clock = ports.clock,
                .transport = ports.transport,
                .log = ports.log,
                .wake = [this] { signal()->Set(); }},
               {.self = ports.self,
                .name = "detect",
                .id_min = kDetectFetchIdMin,
                .id_max = kDetectFetchIdMax,
                .answer_micros = kAnswerMicros}) {}

absl::StatusOr<std::unique_ptr<DetectorActor>> DetectorActor::Open(const Ports& ports) {
  std::unique_ptr<DetectorActor> actor(new DetectorActor(ports));
  // The signal outlives every callback: the node answers all of them before it ends.
  WakeSignal* signal = actor->signal();
  ASSIGN_OR_RETURN(actor->driver_,
                   DetectDriver::Open(ports.genesis, ports.self, ports.record_key, ports.store,
                                      actor.get(), [signal] { signal->Set(); }));
  return actor;
}

bool DetectorActor::Step() {
  if (ports_.clock->MonotonicMicros() < resume_micros_) return false;
  if (restart_wanted_.exchange(false)) {
    // What was stored so far is on disk afterwards: a restart goes on from there or above.
    const Height from = driver_->restart_height();
    if (ports_.store->Sync().ok()) restart_height_ = from.value();
  }
  const absl::StatusOr<bool> worked = driver_->Step();
  if (worked.ok()) return *worked;
  // The ledger does not depend on the detector: it pauses and tries again, it does not stop the
  // node.
  resume_micros_ = ports_.clock->MonotonicMicros() + kErrorPauseMicros;
  Warn(absl::StrCat("pauses at height ", driver_->height().value(), ": ",
                    worked.status().message()));
  if (ledger::IsStoreDamage(worked.status()) && !damage_told_) {
    damage_told_ = true;
    ports_.on_damage(worked.status());
  }
  return false;
}

std::optional<int64_t> DetectorActor::DeadlineMicros() const {
  if (resume_micros_ > ports_.clock->MonotonicMicros()) return resume_micros_;
  const std::optional<int64_t> deadline = driver_->DeadlineMicros();
  const std::optional<int64_t> fetch = fetcher_.DeadlineMicros();
  if (!deadline.has_value() || !fetch.has_value()) return deadline.has_value() ? deadline : fetch;
  return std::min(*deadline, *fetch);
}

std::optional<Height> DetectorActor::DurableRestartHeight() {
  restart_wanted_ = true;
  signal()->Set();
  const uint64_t height = restart_height_;
  if (height == 0) return std::nullopt;
  return Height(height);
}

std::vector<NodeStatus::TrainedModel> DetectorActor::models() const {
  std::vector<NodeStatus::TrainedModel> models;
  for (const DetectDriver::TrainedModel& model : driver_->models()) {
    models.push_back({.event_type = model.event_type,
                      .period = model.period,
                      .digest = model.digest,
                      .row_count = model.row_count,
                      .threshold_q8 = model.threshold_q8});
  }
  return models;
}

NodeStatus::Detection DetectorActor::detection() const {
  const DetectDriver::Report report = driver_->report();
  NodeStatus::Detection detection{.types = {},
                                  .proposed = report.proposed,
                                  .confirmed = report.confirmed,
                                  .disputed = report.disputed,
                                  .duties = report.duties,
                                  .rules = report.rules};
  for (const detector::TypeInfo& info : report.types) {
    NodeStatus::DetectedType& type = detection.types.emplace_back();
    type.event_type = static_cast<uint32_t>(info.type);
    type.window_rows = info.window_rows;
    type.trained_period = info.period;
    type.cold = info.cold;
    if (!info.drift.has_value()) continue;
    type.drift_q8 = info.drift->psi_q8;
    type.drift_feature = detector::EventSchema(info.type).features()[info.drift->feature].name;
    type.drifts = info.drift->psi_q8 >= detector::kDriftLimitQ8;
  }
  return detection;
}

absl::StatusOr<ExecutedPtr> DetectorActor::LoadExecuted(Height height) const {
  absl::StatusOr<ExecutedPtr> executed = ports_.chain->LoadExecuted(height);
  if (executed.ok()) return executed;
  // Not the damage of the detector's own store that on_damage tells of.
  return absl::Status(executed.status().code(), executed.status().message());
}

std::shared_ptr<const ledger::ChainReader> DetectorActor::Reader() const {
  return ports_.chain->CurrentView().reader;
}

void DetectorActor::Submit(ledger::Record record, std::function<void(const Delivery&)> done) {
  ports_.submit(std::move(record), [done = std::move(done)](const SubmitOutcome& outcome) {
    Delivery delivery;
    // What is on the chain already is as good as taken.
    delivery.taken = outcome.error.ok() || outcome.error.status == absl::StatusCode::kAlreadyExists;
    delivery.retry_after_millis = outcome.error.retry_after_millis;
    delivery.what = absl::StrCat(outcome.error.code, ": ", outcome.error.what);
    done(delivery);
  });
}

void DetectorActor::DropCheckpoint(Height height) {
  const absl::Status dropped = ports_.checkpoints->Drop(height);
  if (!dropped.ok() && !absl::IsNotFound(dropped)) Warn(dropped.message());
}

absl::StatusOr<std::optional<std::string>> DetectorActor::FetchCheckpoint(Height height,
                                                                          const Check& check) {
  FetchRequest want;
  want.kind = FetchKind::kCheckpoint;
  want.first = height;
  return fetcher_.Fetch(want, detector::kCheckpointBytesMax, check);
}

absl::StatusOr<std::optional<std::string>> DetectorActor::FetchModel(const Hash& digest,
                                                                     const Check& check) {
  FetchRequest want;
  want.kind = FetchKind::kModel;
  want.digest = digest;
  return fetcher_.Fetch(want, detector::kModelBytesMax, check);
}

absl::StatusOr<ExecutedPtr> DetectorActor::FetchBlock(Height height) {
  const auto is_next = [&] {
    return !fetched_.empty() && fetched_.front()->block->height() == height;
  };
  while (!fetched_.empty() && !is_next()) fetched_.pop_front();
  if (is_next()) return fetched_.front();
  FetchRequest want;
  want.kind = FetchKind::kBlocks;
  want.first = height;
  want.count_max =
      static_cast<uint32_t>(std::min<uint64_t>(kFetchBlocksMax, ports_.chain->tip() - height + 1));
  std::deque<ExecutedPtr> blocks;
  ASSIGN_OR_RETURN(const std::optional<std::string> body,
                   fetcher_.Fetch(want, kFetchBodyBytesMax, [&](ByteSpan bytes) {
                     blocks.clear();
                     return CheckBlocks(height, bytes, &blocks);
                   }));
  if (!body.has_value()) return ExecutedPtr();
  fetched_ = std::move(blocks);
  return fetched_.front();
}

// Whether these are the blocks that were executed from height `first` on, whole.
absl::Status DetectorActor::CheckBlocks(Height first, ByteSpan body,
                                        std::deque<ExecutedPtr>* blocks) const {
  const std::string text = ToString(body);  // The frames point into it.
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> frames, DecodeFetchedBlocks(text));
  if (frames.empty()) return absl::InvalidArgumentError("no block where some were asked for");
  for (const ByteSpan frame : frames) {
    ASSIGN_OR_RETURN(ledger::BlockPtr block, ledger::Block::Decode(ToString(frame)));
    RETURN_IF_ERROR(ledger::CheckBlock(*ports_.genesis, *block));
    const Height expected = first + blocks->size();
    if (block->height() != expected) {
      return absl::InvalidArgumentError(
          absl::StrCat("block ", block->height().value(), " instead of ", expected.value()));
    }
    ASSIGN_OR_RETURN(ExecutedPtr executed, ports_.chain->Attach(std::move(block)));
    blocks->push_back(std::move(executed));
  }
  return absl::OkStatus();
}

DetectorActor::Warmth DetectorActor::warmth() const {
  const PeerFetcher::Counts counts = fetcher_.counts();
  return {.warm = driver_->warm(),
          .phase = driver_->phase(),
          .bytes = counts.bytes,
          .bad_answers = counts.bad_answers};
}

void DetectorActor::Inform(absl::string_view text) const {
  (*ports_.log)(LogLevel::kInfo, "detect", text);
}

void DetectorActor::Warn(absl::string_view text) const {
  (*ports_.log)(LogLevel::kWarning, "detect", text);
}

}  // namespace vigil::node
