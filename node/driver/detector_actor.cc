#include "node/driver/detector_actor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

constexpr int64_t kErrorPauseMicros = 5'000'000;

}  // namespace

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
  const std::optional<int64_t> deadline = driver_->DeadlineMicros();
  if (resume_micros_ > ports_.clock->MonotonicMicros()) return resume_micros_;
  return deadline;
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

void DetectorActor::Warn(absl::string_view text) const {
  (*ports_.log)(LogLevel::kWarning, "detect", text);
}

}  // namespace vigil::node
