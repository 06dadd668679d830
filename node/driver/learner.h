// Learner: a machine that a proposal names as a validator, before its epoch begins
// (docs/protocol.md, Learners).
//
// It takes a snapshot and then what is final from the present validators, holds every byte against
// what a quorum of them cosigned, keeps it in the journal and executes it. It has no part of
// agreement: no core, no cosigner, no mempool, and signs nothing but who it is. Its folder is that
// of a validator that joins, so that Node::Open() goes on from it once the set names its keys.
//
// Layout of the data directory: as Node's; index, tiles above the snapshot and the detector's store
// come when it is a validator.
//
// Production calls Start() and Stop(); tests step the actors.
#ifndef VIGIL_NODE_DRIVER_LEARNER_H_
#define VIGIL_NODE_DRIVER_LEARNER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/file.h"
#include "node/driver/actor.h"
#include "node/driver/applier.h"
#include "node/driver/chain_access.h"
#include "node/driver/counters.h"
#include "node/driver/derived_stores.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/follow_actor.h"
#include "node/driver/join_actor.h"
#include "node/driver/log.h"
#include "node/driver/recovery.h"
#include "node/driver/snapshot_actor.h"
#include "node/driver/transport.h"

namespace vigil::node {

struct LearnerConfig {
  std::string data_dir;
  std::string guard_path;                             // Empty: data_dir/rollback_guard.
  ledger::GenesisValidator entry;                     // As proposals name it.
  const ledger::SigningKey* consensus_key = nullptr;  // Must outlive the learner.
  std::vector<ledger::EpochAnchor> epoch_anchors;     // By which genesis was restated.
  size_t block_cache_bytes_max = 64u << 20;
};

// All pointers must outlive the learner.
struct LearnerSeams {
  ledger::FileSystem* files = nullptr;
  const Clock* clock = nullptr;
  Transport* transport = nullptr;  // Carries learner frames to the present validators.
  StoreFactory open_store;
  LogFunction log;  // May be empty.
  // Called when something happened for which whoever runs the learner must look at it again
  // (joined(), epoch_ended(), turned_away(), fatal()). Must only wake somebody.
  std::function<void()> on_change;
};

// What the transport of a learner tells it. Thread-safe.
class LearnerClient {
 public:
  virtual ~LearnerClient() = default;
  // First frame of a stream to `to`, over a connection whose certificate has this hash.
  virtual std::string Hello(ValidatorIndex to, const Hash& certificate_hash) const = 0;
  // Errors: of no use; the stream may go on.
  virtual absl::Status OnFrame(ValidatorIndex from, absl::string_view frame) = 0;
  virtual void OnEnd(ValidatorIndex from, const absl::Status& why) = 0;
};

class Learner final : public LearnerClient {
 public:
  struct State {
    absl::string_view phase;  // As JoinActor's, or "follows".
    Height height;            // Executed.
    Height final;             // The highest that a validator said is final there.
    uint64_t bad_answers = 0;
    uint32_t let_in = 0;    // Validators that let it in now.
    std::string refusal;    // What the last one said that did not; empty: none.
    JoinActor::State join;  // While it takes a snapshot.
  };

  // Opens the folder for the epoch that `genesis` is restated for, the newest that is known.
  // Errors: kFailedPrecondition when the folder is not initialised or its journal cannot be used,
  // with the remedy; kAlreadyExists when another process has it open; disk errors.
  static absl::StatusOr<std::unique_ptr<Learner>> Open(const ledger::Genesis& genesis,
                                                       const LearnerConfig& config,
                                                       const LearnerSeams& seams);
  ~Learner() override;
  void Start();
  void Stop();
  const std::vector<Actor*>& actors() const { return actors_; }

  // It has a snapshot, or knows that there is none: it is to be opened anew.
  bool joined() const { return joined_; }
  // An anchor of a later epoch is on disk: it is to be opened anew, as what it is then.
  bool epoch_ended() const { return ended_; }
  // More than half of the validators say that a decision of the chain turned it away: why. It does
  // not change its mind. OK while that is not so.
  absl::Status turned_away() const VIGIL_EXCLUDES(mutex_);
  absl::Status fatal() const { return fatal_.status(); }
  State state() const VIGIL_EXCLUDES(mutex_);

  // LearnerClient
  std::string Hello(ValidatorIndex to, const Hash& certificate_hash) const override;
  absl::Status OnFrame(ValidatorIndex from, absl::string_view frame) override;
  void OnEnd(ValidatorIndex from, const absl::Status& why) override;

 private:
  // Wraps the fetch requests of its actors.
  class Requests final : public Transport {
   public:
    explicit Requests(Learner* learner) : learner_(learner) {}
    bool Send(ValidatorIndex to, OutFrame frame) override;
    bool IsConnected(ValidatorIndex peer) const override;

   private:
    Learner* const learner_;
  };

  Learner(const ledger::Genesis& genesis, const LearnerConfig& config, const LearnerSeams& seams);
  absl::Status Recover();
  absl::Status OpenJoin(OpenedJournal journal);
  absl::Status OpenFollow(OpenedJournal journal, const JournalScan& scan, OpenedState state);
  absl::Status OnWelcome(ValidatorIndex from, absl::string_view frame) VIGIL_EXCLUDES(mutex_);
  absl::Status KeepAnchors(const std::vector<ledger::EpochAnchor>& anchors) VIGIL_EXCLUDES(mutex_);
  absl::Status OnAnswer(ValidatorIndex from, FetchAnswer answer);
  void TellOfRefusal(ValidatorIndex from, const absl::Status& why) VIGIL_EXCLUDES(mutex_);
  Height Executed() const { return chain_ == nullptr ? Height(0) : chain_->tip(); }

  const ledger::Genesis genesis_;
  const LearnerConfig config_;
  const LearnerSeams seams_;
  const LogFunction log_;
  const ValidatorIndex self_;  // Behind the set, or whose keys it replaces: never asked.
  DerivedStores stores_;
  FatalLatch fatal_;
  NodeCounters counters_;
  Requests requests_{this};
  std::shared_ptr<void> lock_;  // Of the data directory; shared with the file system.
  std::atomic<bool> joined_{false};
  std::atomic<bool> ended_{false};

  BlockCache cache_;
  PendingSubmissions pending_{{0, 0, 0}};  // Of nobody.
  std::unique_ptr<ledger::Store> state_store_;
  std::unique_ptr<ChainAccess> chain_;
  std::unique_ptr<SnapshotActor> snapshots_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<FollowActor> follow_;
  std::unique_ptr<JoinActor> join_;
  std::vector<Actor*> actors_;

  mutable Mutex mutex_;
  std::vector<ledger::EpochAnchor> anchors_ VIGIL_GUARDED_BY(mutex_);
  ledger::Genesis newest_ VIGIL_GUARDED_BY(mutex_);
  Height final_ VIGIL_GUARDED_BY(mutex_);
  // Who lets it in, and who does not, with why.
  std::map<ValidatorIndex, absl::Status> heard_ VIGIL_GUARDED_BY(mutex_);
  std::map<ValidatorIndex, uint32_t> asked_ids_ VIGIL_GUARDED_BY(mutex_);  // The newest requests.
  std::map<ValidatorIndex, int64_t> told_micros_ VIGIL_GUARDED_BY(mutex_);
  std::string refusal_ VIGIL_GUARDED_BY(mutex_);
  ThreadRunner threads_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_LEARNER_H_
