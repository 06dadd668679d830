// Replica: the actor that owns agreement and the mempool.
//
// It hosts a consensus::Core as core.h demands: appends go to the journal writer, promises leave
// only when it reports them durable, committed blocks go to the applier once they are on disk. It
// fills the blocks that the core asks for, and hands submissions to the leader while it does not
// lead itself.
//
// Everything reaches it through Push calls (thread-safe) and the commit feed; Step() works on them
// in order. Nothing it does waits.
//
// Invariants:
//   (1) A message that promises something leaves only after what it promises is on disk.
//   (2) A block with records is built only after the leader executed its own term's first block, so
//       that every stream's head along the branch is known.
//   (3) The applier gets committed blocks once, in order of height, with their place in the
//   journal.
#ifndef VIGIL_NODE_DRIVER_REPLICA_H_
#define VIGIL_NODE_DRIVER_REPLICA_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "consensus/core/core.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "node/driver/actor.h"
#include "node/driver/applier.h"
#include "node/driver/block_builder.h"
#include "node/driver/chain_access.h"
#include "node/driver/counters.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/inbox.h"
#include "node/driver/journal_writer.h"
#include "node/driver/log.h"
#include "node/driver/peer_frame.h"
#include "node/driver/pending_submissions.h"
#include "node/driver/read_waiters.h"
#include "node/driver/snapshot_actor.h"
#include "node/driver/transfer_desk.h"
#include "node/driver/transport.h"
#include "node/mempool/mempool.h"

namespace vigil::node {

// Execution may lie this far behind the journal; beyond it no more blocks are taken from peers.
inline constexpr uint64_t kUnexecutedHeightsMax = 4096;

// A block of the journal's branch above the executed tip, as recovery found it.
struct TailBlock {
  ParentBlock block;
  ledger::JournalPosition position;
};

class Replica final : public Actor {
 public:
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    const Clock* clock = nullptr;
    Transport* transport = nullptr;
    JournalWriter* journal = nullptr;
    Applier* applier = nullptr;
    const SnapshotActor* snapshots = nullptr;
    ChainAccess* chain = nullptr;
    BlockCache* cache = nullptr;
    PendingSubmissions* pending = nullptr;
    ReadWaiters* reads = nullptr;
    TransferDesk* transfers = nullptr;
    FatalLatch* fatal = nullptr;
    NodeCounters* counters = nullptr;
    const LogFunction* log = nullptr;
    // This validator lacks what the leader's log begins above: it must join anew by a snapshot of
    // this height or above. Called once; must only wake somebody.
    std::function<void(Height)> on_behind;
  };
  struct Options {
    ValidatorIndex self;
    MempoolLimits mempool;
    size_t peer_inbox_bytes_max = 64u << 20;
    size_t submit_inbox_bytes_max = 16u << 20;  // Per lane.
    // Clients are answered that there is no leader after so long without one.
    int64_t leaderless_micros_max = 4'000'000;
  };

  // `core` starts from the branch that ends in `tail`; blocks up to `handed_to_applier` were given
  // to the applier already.
  Replica(const Ports& ports, const Options& options, std::unique_ptr<consensus::Core> core,
          std::unique_ptr<BlockBuilder> builder, const std::vector<TailBlock>& tail,
          Height handed_to_applier);

  // From other threads. False: no room now.
  [[nodiscard]] bool PushPeerMessage(consensus::PeerMessage message);
  [[nodiscard]] bool PushLocal(PoolRecord record);
  [[nodiscard]] bool PushForwarded(ValidatorIndex from, std::vector<PoolRecord> records);
  [[nodiscard]] bool PushRefused(ValidatorIndex from, ForwardRefusedFrame refused);
  // From the journal writer; never refused, since what is outstanding there is bounded.
  void PushDurable(Durable durable);
  // The journal begins above this block, which is executed, from now on: the log does, too. Never
  // refused; from the archiver, one at a time.
  void PushLogBegins(const ledger::BlockId& block);

  consensus::CoreStatus Status() const VIGIL_EXCLUDES(status_mutex_);
  // Whom this validator, which leads, cannot bring on: it has not kept the block that they need.
  struct Lacking {
    Height height;
    std::string why;
    int64_t quiet_until_micros = 0;
  };
  std::map<ValidatorIndex, Lacking> LackingPeers() const VIGIL_EXCLUDES(status_mutex_);
  // Whether no leader has been known for so long that submissions are refused.
  bool leaderless() const { return leaderless_; }
  // Digest of the core after its last step; for tests. Same thread as Step().
  Hash core_digest() const { return core_->digest(); }

  absl::string_view name() const override { return "replica"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override {
    return std::min(next_tick_micros_, build_at_micros_);
  }

 private:
  struct Forwarded {
    ValidatorIndex from;
    std::vector<PoolRecord> records;
  };
  struct Refused {
    ValidatorIndex from;
    ForwardRefusedFrame frame;
  };
  using Item = std::variant<Durable, consensus::LogBegins, consensus::PeerMessage, PoolRecord,
                            Forwarded, Refused>;
  enum InboxLane : size_t { kControl = 0, kPeers = 1, kUrgent = 2, kEvents = 3 };

  // A block that is appended and not yet executed.
  struct KnownBlock {
    ParentBlock block;
    std::optional<ledger::JournalPosition> position;  // Once it is on disk.
    ledger::BlockPtr bytes;                           // Until it is on disk.
  };
  // Waits for everything up to `sequence` to be on disk.
  struct Promise {
    uint64_t sequence = 0;
    std::vector<consensus::Message> messages;
  };
  struct CommittedBlock {
    uint64_t sequence = 0;  // The certificate is on disk when this is.
    ledger::BlockId block;
  };

  // replica.cc: hosting the core.
  void Feed(const consensus::Input& input);
  void Perform(consensus::Output output);
  void KeepAppended(const consensus::Output& output);
  void OnAsk(const consensus::Ask& ask);
  void OnItem(Item item);
  void OnDurable(const Durable& durable);
  void OnPeerMessage(consensus::PeerMessage message);
  void ReleasePromises();
  void HandOverCommitted();
  void FlushJournal();
  // A follower needs a block that cannot be given from here, until it has it from elsewhere.
  void TellLacking(ValidatorIndex to, Height height, absl::string_view why);
  void ForgetLacking();
  void Send(const consensus::Message& message);
  absl::StatusOr<ledger::BlockPtr> FindBody(const ledger::BlockId& id) const;
  bool RunTicks();
  void Fail(const absl::Status& status, absl::string_view what);
  bool DrainFeed();
  void FollowLeadership();
  bool BeginRead();
  void CheckLeader(int64_t now_micros);
  void PublishStatus() VIGIL_EXCLUDES(status_mutex_);

  // replica_transfer.cc: handing leadership over.
  std::string NameOf(std::optional<ValidatorIndex> validator) const;
  std::optional<ValidatorIndex> BestSuccessor() const;
  void BeginTransfer(const TransferDesk::Question& question);
  bool FollowTransfer();

  // replica_build.cc: what goes into blocks.
  bool TryBuild();
  bool HeartbeatDue() const;
  // Until when what waits had better gather for the block behind `parent`.
  int64_t GathersUntil(const ledger::BlockId& parent) const;
  std::optional<ParentBlock> FindParent(const ledger::BlockId& id) const;
  void OnLocal(PoolRecord record);
  void OnForwarded(Forwarded forwarded);
  void OnRefused(const Refused& refused);
  void OnExecuted(const ledger::ExecutedBlock& executed);
  void AnswerEvicted(const std::vector<EvictedRecord>& evicted);
  void AnswerPassed(const PoolRecord& record);
  void Refuse(const Hash& leaf_hash, ServiceError error);
  void RefuseForwarded(ValidatorIndex from, const Hash& leaf_hash, const ServiceError& error);
  ServiceError ErrorOf(AddOutcome outcome, const PoolRecord& record) const;
  StreamHeadAt ExecutedHead(const std::string& stream) const;
  void Forward();
  bool Leads() const { return status_.role == consensus::CoreRole::kLeader; }

  const Ports ports_;
  const Options options_;
  const std::unique_ptr<consensus::Core> core_;
  const std::unique_ptr<BlockBuilder> builder_;
  Mempool mempool_;
  Inbox<Item> inbox_;

  consensus::CoreStatus status_;  // After the last step of the core.
  ChainAccess::View view_;        // Executed state that this replica works with.
  Height executed_;               // Blocks of the feed that were taken in.
  int64_t next_tick_micros_;
  int64_t next_sweep_micros_;
  int64_t leader_seen_micros_;
  std::atomic<bool> leaderless_{false};
  int64_t last_block_micros_;  // When a block was appended last.
  size_t last_block_records_ = 0;
  int64_t build_at_micros_ = INT64_MAX;  // When what gathers makes a block at the latest.

  // Outputs on their way.
  std::deque<JournalJob> journal_backlog_;
  uint64_t issued_sequence_ = 0;  // Last one given to the journal.
  uint64_t durable_sequence_ = 0;
  std::deque<Promise> promises_;
  std::map<ValidatorIndex, Lacking> lacking_;
  std::deque<CommittedBlock> committed_;
  std::map<ledger::BlockId, KnownBlock> known_;
  Height handed_to_applier_;

  // Building and leading.
  bool seal_due_ = false;  // A next set is approved: the epoch is to end without waiting for more.
  std::optional<consensus::AskBuild> wanted_;
  View build_view_;       // The view in which this node last began to lead.
  Height first_of_view_;  // Height of that view's first block; 0: not built yet.
  bool was_leader_ = false;
  bool was_non_voter_ = false;
  std::optional<ValidatorIndex> logged_leader_;
  std::optional<ValidatorIndex> forward_leader_;
  View forward_view_;
  int64_t forward_again_micros_ = 0;  // The transport had no room: not before this.

  std::optional<ValidatorIndex> transfer_to_;  // Whoever asked for it waits.
  int64_t transfer_until_micros_ = 0;

  uint64_t last_read_id_ = 0;
  int64_t read_again_micros_ = 0;  // The core could not answer one: no round before this.

  mutable Mutex status_mutex_;
  consensus::CoreStatus shared_status_ VIGIL_GUARDED_BY(status_mutex_);
  std::map<ValidatorIndex, Lacking> shared_lacking_ VIGIL_GUARDED_BY(status_mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_REPLICA_H_
