// JoinActor: brings a validator with an empty journal to a snapshot that a quorum stands behind.
//
// It asks the others which snapshots they have, takes the highest whose offer proves itself
// (snapshot_offer.h), fetches manifest and chunks, each checked alone against the proven digest,
// and the leaves of the log up to there, checked against the snapshot's tree; then it writes the
// journal's base frame. Only that frame makes the folder one that joined: until then every step can
// be repeated, and what was fetched and is sound is not fetched again. When enough others say that
// they have no snapshot, the validator follows from the first block instead.
//
// One request is under way at a time. A peer that answers what does not hold is counted, told in
// the log, and not asked again before all others failed too; one that is silent or has not what it
// is asked for is passed over.
//
// Step() belongs to one thread at a time; OnAnswer() and state() are thread-safe.
#ifndef VIGIL_NODE_DRIVER_JOIN_ACTOR_H_
#define VIGIL_NODE_DRIVER_JOIN_ACTOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "node/driver/actor.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/inbox.h"
#include "node/driver/join_store.h"
#include "node/driver/log.h"
#include "node/driver/transport.h"
#include "node/log/tile_store.h"

namespace vigil::node {

class JoinActor final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    ValidatorIndex self;
    const Clock* clock = nullptr;
    ledger::FileSystem* files = nullptr;
    Transport* transport = nullptr;
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
    // The folder is ready: the node is to be opened anew. Must only wake somebody.
    std::function<void()> on_ready;
  };
  struct Options {
    std::string data_dir;
  };
  struct State {
    absl::string_view phase;  // "asks", "manifest", "chunks", "log", "ready".
    Height height;            // Of the snapshot; 0: none is chosen.
    uint64_t chunk_count = 0;
    uint64_t chunks_kept = 0;    // Also those of earlier starts.
    uint64_t bytes_fetched = 0;  // Since the start.
    uint64_t bad_answers = 0;    // Likewise; what peers said that does not hold.
  };

  // `journal` is that of a validator that joins, without a block. Errors: of the disk.
  static absl::StatusOr<std::unique_ptr<JoinActor>> Open(const Ports& ports, const Options& options,
                                                         std::unique_ptr<ledger::Journal> journal);

  // Errors: kInvalidArgument when it answers nothing that was asked; kResourceExhausted.
  absl::Status OnAnswer(ValidatorIndex from, FetchAnswer answer) VIGIL_EXCLUDES(mutex_);
  State state() const VIGIL_EXCLUDES(mutex_);

  absl::string_view name() const override { return "join"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override;

 private:
  struct Answer {
    ValidatorIndex from;
    FetchAnswer answer;
  };
  // The request under way.
  struct Asked {
    uint32_t id = 0;
    ValidatorIndex peer;
    int64_t until_micros = 0;
  };
  enum class Phase { kAsk, kManifest, kChunks, kLog, kReady };

  JoinActor(const Ports& ports, const Options& options, std::unique_ptr<ledger::Journal> journal);

  int64_t Now() const { return ports_.clock->MonotonicMicros(); }
  std::string Snapshots() const { return options_.data_dir + "/snapshots"; }
  void Say(LogLevel level, absl::string_view text) const { (*ports_.log)(level, "join", text); }

  absl::Status Work(bool* worked);
  absl::Status Take(const Answer& answer);
  absl::Status OnBody(ValidatorIndex from, const FetchAnswer& answer);
  bool AskNext();
  bool Ask(ValidatorIndex peer, FetchRequest request);
  FetchRequest NextRequest() const;
  std::optional<ValidatorIndex> PickPeer();

  // Phase kAsk.
  absl::Status OnOffers(ValidatorIndex from, absl::string_view body);
  absl::Status Decide();
  absl::Status Choose(const SnapshotOffer& offer);
  bool HasSnapshot() const;
  absl::Status FollowFromGenesis();
  // The others.
  absl::Status OnManifest(absl::string_view body);
  absl::Status OnChunks(absl::string_view body);
  absl::Status FinishChunks();
  absl::Status BeginLog();
  absl::Status OnLogFile(absl::string_view body);
  absl::Status AddBundle();
  absl::Status FinishLog();
  absl::Status WriteBase();
  absl::Status BeReady();
  absl::Status AskAgain(absl::string_view why);
  void Blame(ValidatorIndex peer, const absl::Status& what);
  void ShareState() VIGIL_EXCLUDES(mutex_);

  const Ports ports_;
  const Options options_;
  const ledger::LogKeys keys_;
  std::unique_ptr<ledger::Journal> journal_;
  std::unique_ptr<JoinStore> store_;
  Inbox<Answer> inbox_;

  Phase phase_ = Phase::kAsk;
  uint32_t last_id_;
  std::optional<Asked> asked_;
  int64_t resume_micros_ = 0;  // Nothing is asked before.
  size_t turn_ = 0;
  std::optional<ValidatorIndex> last_peer_;  // That was picked.

  // kAsk: who has answered, and what they offer.
  std::set<ValidatorIndex> answered_;
  std::vector<std::pair<ValidatorIndex, SnapshotOffer>> offers_;
  // Later: who offers the goal, and who of them is not asked for now.
  std::optional<SnapshotOffer> goal_offer_;
  std::set<ValidatorIndex> sources_;
  std::set<ValidatorIndex> passed_over_;
  std::string manifest_;  // Its first bytes.

  // kLog.
  ledger::Tip tip_;
  std::unique_ptr<TileStore> tiles_;
  std::string bundle_;  // The first bytes of the bundle under way.
  uint64_t saved_leaves_ = 0;
  bool log_is_of_one_ = true;  // All leaves came from last_peer_.

  mutable Mutex mutex_;
  State shared_ VIGIL_GUARDED_BY(mutex_);
  uint32_t shared_last_id_ VIGIL_GUARDED_BY(mutex_);
  std::optional<std::pair<ValidatorIndex, uint32_t>> expected_ VIGIL_GUARDED_BY(mutex_);
  State counts_;  // bytes_fetched and bad_answers.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_JOIN_ACTOR_H_
