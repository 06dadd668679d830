// LogActor: the actor that keeps the transparency log behind execution and cosigns it
// (protocol.md, Checkpoints).
//
// Follows the commit feed by height. For every executed block it reads the block's bytes from the
// journal again, recomputes all leaf hashes and the seal, and lets its own tree grow by them; only
// where that tree is the executed one does it sign. Drives node/log: tiles and checkpoint go to
// <data>/log, the guard to the journal, notes to the other validators.
//
// The log can be made again from the journal. Damage in its files sends it back to the start; a
// tree that is still not the executed one means that memory or disk lie: it then signs nothing any
// more and says so, while agreement goes on. A failed write stops the node.
//
// Invariant: nothing is signed whose guard is not on disk, and nothing after refusing() was set.
#ifndef VIGIL_NODE_DRIVER_LOG_ACTOR_H_
#define VIGIL_NODE_DRIVER_LOG_ACTOR_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/counters.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/final_waiters.h"
#include "node/driver/inbox.h"
#include "node/driver/log.h"
#include "node/driver/peer_frame.h"
#include "node/driver/transport.h"
#include "node/log/cosigner.h"
#include "node/log/outside_lines.h"
#include "node/log/tile_store.h"
#include "node/log/witnessed_notes.h"

namespace vigil::node {

class LogActor final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    ValidatorIndex self;
    const ledger::SigningKey* log_key = nullptr;
    const ledger::SigningKey* cosigner_key = nullptr;
    const Clock* clock = nullptr;
    ledger::FileSystem* files = nullptr;
    Transport* transport = nullptr;
    ChainAccess* chain = nullptr;
    FatalLatch* fatal = nullptr;
    NodeCounters* counters = nullptr;
    FinalWaiters* waiters = nullptr;
    const LogFunction* log = nullptr;
    // Has a guard written and synced; OnGuarded() says when. One at a time.
    std::function<void(std::string)> save_guard;
    // Whether this validator takes part in votes.
    std::function<bool()> may_vote;
    // How far it knows the chain to be committed.
    std::function<Height()> committed;
  };
  struct Options {
    std::string directory;
    CosignGuard guard;  // The last one in the journal.
    Height floor;       // Above that guard's floor: to be written before anything is signed.
    // It joined and remembers no guard: its floor is what is committed when it may vote (C5).
    bool floor_at_vote = false;
    uint64_t seed = 0;
  };
  struct State {
    uint64_t tree_size = 0;
    uint64_t cosigned_size = 0;  // Of the newest own cosignature since the start.
    uint64_t final_size = 0;
    Height saved;             // Up to this block the files are on disk for good.
    uint64_t fork_count = 0;  // Notes of others that are not on our chain; also of earlier starts.
    std::string refusing;     // Why nothing is signed any more; empty: nothing is wrong.
  };

  // Errors: of the disk.
  static absl::StatusOr<std::unique_ptr<LogActor>> Open(const Ports& ports, const Options& options);

  // A frame of a peer; checks its signatures on the calling thread. Thread-safe, as are the next.
  // Errors: kInvalidArgument and kPermissionDenied as CheckSignedCheckpoint(); kResourceExhausted.
  absl::Status OnCosignature(ValidatorIndex from, const CosignatureFrame& frame);
  void OnGuarded();
  // Has what the files hold now synced, so that State::saved grows.
  void WantSaved();
  // A verified cosignature of a witness outside the network: it stands on the served checkpoint
  // while that has its size. Never waited for.
  void OnWitnessed(const WitnessedCheckpoint& witnessed) VIGIL_EXCLUDES(mutex_);
  State state() const VIGIL_EXCLUDES(mutex_);
  // The newest final checkpoint, a signed note, with what witnesses outside have added. Errors:
  // kNotFound while there is none.
  absl::StatusOr<std::string> checkpoint() const VIGIL_EXCLUDES(mutex_);
  // The newest final checkpoint that all these witnesses outside cosigned, by key name. Errors: as
  // WitnessedNotes::CosignedBy().
  absl::StatusOr<std::string> checkpoint_by(std::span<const std::string> witnesses) const
      VIGIL_EXCLUDES(mutex_);
  const TileStore& tiles() const { return *tiles_; }

  // Remembers how far the files are, so that the next start goes on there. For a clean stop, when
  // Step() is not called any more.
  void Close();

  absl::string_view name() const override { return "log"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override;

 private:
  struct Note {
    SignedCheckpoint checkpoint;
    bool asks = false;
  };

  LogActor(const Ports& ports, const Options& options);
  absl::Status Load();

  Instant Now() const;
  absl::Status SaveIfWanted();
  void LetVote();
  bool TakeInputs(const Instant& now);
  // log_follow.cc: the tree.
  absl::StatusOr<bool> Follow(const Instant& now);
  absl::Status Resume(const Instant& now);
  absl::Status AddBlock(Height height, const Instant& now);
  absl::Status AppendLeaves(const ledger::Block& block);
  absl::Status Compare(const BlockEnd& end, const Instant& now);
  absl::Status StartAgain(absl::string_view why);
  // Blocks below what the journal holds are needed.
  void RefuseFor(absl::string_view why, const absl::Status& missing);
  absl::Status RestoreFinal();
  absl::Status FinalAt(const BlockEnd& end);

  absl::Status Perform(const Instant& now);
  void Send(const CosignFrame& frame);
  absl::Status Keep(const ForkEvidence& evidence);
  absl::Status PublishFinal(const Instant& now);
  void Refuse(std::string why);
  void ShareState();
  void Say(LogLevel level, absl::string_view text) const { (*ports_.log)(level, "log", text); }

  const Ports ports_;
  const Options options_;
  const ledger::LogKeys keys_;
  std::unique_ptr<TileStore> tiles_;
  std::unique_ptr<Cosigner> cosigner_;
  Inbox<Note> inbox_;
  std::atomic<bool> guarded_{false};
  std::atomic<bool> saved_wanted_{false};
  std::atomic<bool> outside_is_new_{false};  // A line that the files have not.

  Height next_;                       // To be added to the tree.
  Hash previous_seal_;                // Leaf hash of the seal before it.
  bool resumes_ = false;              // The block where the tiles end is not taken in yet.
  bool made_here_ = false;            // The whole tree was made from the journal by this actor.
  std::vector<BlockEnd> unverified_;  // Since the last one that was held against execution.
  std::optional<Cosigned> loaded_;    // A final checkpoint of an earlier start, not yet held
                                      // against the tree.
  bool floor_is_open_ = false;        // The guard's floor is kFloorUntilVoter.
  bool writing_floor_ = false;
  bool may_vote_ = false;
  bool final_is_new_ = false;  // It is not in the files yet.
  int64_t final_written_micros_ = 0;
  uint64_t final_written_size_ = 0;
  uint64_t evidence_files_ = 0;
  std::string refusing_;

  mutable Mutex mutex_;
  State shared_ VIGIL_GUARDED_BY(mutex_);
  OutsideLines outside_ VIGIL_GUARDED_BY(mutex_);
  WitnessedNotes notes_ VIGIL_GUARDED_BY(mutex_);
  std::string validators_note_ VIGIL_GUARDED_BY(mutex_);  // What checkpoint_ is without outside_.
  uint64_t validators_note_size_ VIGIL_GUARDED_BY(mutex_) = 0;
  std::string checkpoint_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_LOG_ACTOR_H_
