// What a start goes on from: bookkeeping, models, and the newest checkpoint that fits.
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/detect/detect_convert.h"
#include "node/detect/detect_driver.h"

namespace vigil::node {

using detector::DetectorStream;

absl::Status DetectDriver::Restore() {
  absl::StatusOr<ModelStore::Contents> contents = store_.Load();
  if (absl::IsDataLoss(contents.status())) return StartAfresh(contents.status().message());
  RETURN_IF_ERROR(contents.status());
  if (contents->state.empty()) {
    Replace(NewStream());
    return absl::OkStatus();
  }
  checkpoints_ = contents->checkpoints;
  std::unique_ptr<DetectorStream> restored = RestoreStream(*contents);
  if (restored == nullptr) return StartAfresh("its bookkeeping is damaged, or of another version");
  Replace(std::move(restored));
  for (const ModelStore::Model& stored : contents->models) {
    const auto& [type, period] = stored.key;
    std::optional<detector::Model> model = detector::Model::Parse(
        AsBytes(stored.bytes), detector::EventSchema(type), &ledger::Sha256Bytes);
    if (!model.has_value()) return StartAfresh("a stored model is damaged");
    if (!stream_->AddModel(type, period, *std::move(model))) {
      return StartAfresh("a stored model is of another schema");
    }
  }
  duties_ = std::move(contents->duties);
  height_ = stream_->height().value();
  PublishModels();
  return absl::OkStatus();
}

// Nullptr: neither by a replay nor with a checkpoint.
std::unique_ptr<DetectorStream> DetectDriver::RestoreStream(const ModelStore::Contents& contents) {
  const detector::Parameters parameters = ParametersOf(genesis_->detector);
  const auto restore = [&](ByteSpan checkpoint) {
    return DetectorStream::Restore(parameters, genesis_->chain_id.bytes, &ledger::Sha256Bytes,
                                   AsBytes(contents.state), checkpoint, AsBytes(contents.entities));
  };
  std::optional<DetectorStream> best = restore({});
  for (auto kept = checkpoints_.rbegin(); kept != checkpoints_.rend(); ++kept) {
    const auto& [height, digest] = *kept;
    if (best.has_value() && height.Next() <= best->ReplayFrom()) break;
    const absl::StatusOr<std::string> bytes = port_->LoadCheckpoint(height);
    if (!bytes.ok()) continue;
    if (AsHash(detector::CheckpointDigest(AsBytes(*bytes), &ledger::Sha256Bytes)) != digest) {
      port_->Warn(absl::StrCat("checkpoint ", height.value(), " is damaged on disk"));
      continue;
    }
    std::optional<DetectorStream> stream = restore(AsBytes(*bytes));
    if (!stream.has_value()) continue;
    best = std::move(stream);
    break;
  }
  return best.has_value() ? std::make_unique<DetectorStream>(*std::move(best)) : nullptr;
}

void DetectDriver::KeepCheckpoint() {
  const std::optional<detector::PeriodCheckpoint> taken = stream_->TakeCheckpoint();
  if (!taken.has_value()) return;
  // The same ones on every validator, so that whoever asks for one finds it with any of them.
  if (!IsFile(taken->height, taken->previous_end)) return;
  const absl::Status saved = port_->SaveCheckpoint(taken->height, taken->bytes);
  if (!saved.ok()) {
    port_->Warn(
        absl::StrCat("checkpoint ", taken->height.value(), " is not kept: ", saved.message()));
    return;
  }
  checkpoints_[taken->height] = AsHash(taken->digest);
  while (checkpoints_.size() > kCheckpointsKept) {
    port_->DropCheckpoint(checkpoints_.begin()->first);
    checkpoints_.erase(checkpoints_.begin());
  }
}

}  // namespace vigil::node
