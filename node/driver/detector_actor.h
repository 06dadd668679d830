// DetectorActor: gives node/detect its place among the actors, and its way in and out.
#ifndef VIGIL_NODE_DRIVER_DETECTOR_ACTOR_H_
#define VIGIL_NODE_DRIVER_DETECTOR_ACTOR_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "node/detect/detect_driver.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/checkpoint_folder.h"
#include "node/driver/log.h"
#include "node/driver/peer_fetcher.h"
#include "node/driver/services.h"
#include "node/driver/transport.h"

namespace vigil::node {

// Ids of the detector's requests begin here, below those of the scrubber.
inline constexpr uint32_t kDetectFetchIdMin = 0x8000'0000;
inline constexpr uint32_t kDetectFetchIdMax = 0xbfff'ffff;

class DetectorActor final : public Actor, private DetectPort {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    ValidatorIndex self;
    const ledger::SigningKey* record_key = nullptr;
    const Clock* clock = nullptr;
    ChainAccess* chain = nullptr;
    ledger::Store* store = nullptr;           // Its own.
    CheckpointFolder* checkpoints = nullptr;  // Likewise.
    const LogFunction* log = nullptr;
    Transport* transport = nullptr;
    std::function<void(ledger::Record, SubmitDone)> submit;
    // Told once that `store` is damaged on disk.
    std::function<void(const absl::Status&)> on_damage;
  };
  // Errors: of the store.
  static absl::StatusOr<std::unique_ptr<DetectorActor>> Open(const Ports& ports);

  // Thread-safe.
  Height height() const { return driver_->height(); }
  std::vector<NodeStatus::TrainedModel> models() const;
  NodeStatus::Detection detection() const;
  struct Warmth {
    bool warm = false;         // Windows are complete, and the next block is here.
    std::string phase;         // What is still to be done; empty when warm.
    uint64_t bytes = 0;        // Fetched of other validators since the start.
    uint64_t bad_answers = 0;  // Of them: what does not hold.
  };
  Warmth warmth() const;
  // The file of a model that is kept here. Errors: kNotFound; of the store.
  absl::StatusOr<std::string> ReadModel(const Hash& digest) const {
    return driver_->ReadModel(digest);
  }
  // What is known of an entity. Errors: kNotFound; kUnavailable.
  absl::StatusOr<detector::Entity> FindEntity(detector::EntityKind kind,
                                              absl::string_view key) const {
    return driver_->FindEntity(kind, key);
  }
  // Whether it was asked for from this validator. Takes the answer if so.
  bool OnAnswer(ValidatorIndex from, FetchAnswer answer) {
    return fetcher_.OnAnswer(from, std::move(answer));
  }
  // The lowest height whose events a restart reads again, whatever of the store survives; nullopt
  // until a later Step() has made sure of one. Each call asks for a newer one.
  std::optional<Height> DurableRestartHeight();

  absl::string_view name() const override { return "detect"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override;

 private:
  explicit DetectorActor(const Ports& ports);

  // DetectPort
  Height tip() const override { return ports_.chain->tip(); }
  absl::StatusOr<ExecutedPtr> LoadExecuted(Height height) const override;
  std::shared_ptr<const ledger::ChainReader> Reader() const override;
  void Submit(ledger::Record record, std::function<void(const Delivery&)> done) override;
  absl::Status SaveCheckpoint(Height height, ByteSpan bytes) override {
    return ports_.checkpoints->Save(height, bytes);
  }
  absl::StatusOr<std::string> LoadCheckpoint(Height height) const override {
    return ports_.checkpoints->Load(height);
  }
  void DropCheckpoint(Height height) override;
  absl::StatusOr<std::optional<std::string>> FetchCheckpoint(Height height,
                                                             const Check& check) override;
  absl::StatusOr<std::optional<std::string>> FetchModel(const Hash& digest,
                                                        const Check& check) override;
  absl::StatusOr<ExecutedPtr> FetchBlock(Height height) override;
  size_t FetchedBytes() const override { return fetcher_.bytes_here(); }
  absl::Status CheckBlocks(Height first, ByteSpan body, std::deque<ExecutedPtr>* blocks) const;
  int64_t NowMicros() const override { return ports_.clock->MonotonicMicros(); }
  void Inform(absl::string_view text) const override;
  void Warn(absl::string_view text) const override;

  const Ports ports_;
  PeerFetcher fetcher_;
  std::deque<ExecutedPtr> fetched_;  // Consecutive blocks of others.
  std::unique_ptr<DetectDriver> driver_;
  int64_t resume_micros_ = 0;  // After an error: not before this.
  bool damage_told_ = false;
  std::atomic<bool> restart_wanted_{false};
  std::atomic<uint64_t> restart_height_{0};  // 0: not known.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_DETECTOR_ACTOR_H_
