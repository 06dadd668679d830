// Node: a whole validator, put together over injected seams.
//
// Owns every actor and what they work on. Production calls Start(), which gives each actor a
// thread, and Stop(); tests and the simulator call the actors themselves (actors()). node/app gives
// it the machine's files, clock, stores and gRPC; the simulator gives it its own.
//
// Layout of the data directory:
//   LOCK             held while a node is open
//   journal/         segments (docs/formats/journal.md): the truth
//   snapshots/       the newest snapshots of executed state (docs/formats/snapshot.md)
//   checkpoints/     the newest checkpoints of the detector's windows
//                    (docs/formats/detector_model.md)
//   epochs.chain     anchors of the epochs so far (docs/formats/epoch_chain.md)
//   log/             tiles, checkpoint, evidence (docs/formats/transparency_log.md)
//   rollback_guard   journal id, view and durable offset, unless the configuration puts it
//   elsewhere and the stores that StoreFactory opens: state, index, detect; all can be rebuilt from
//   the journal
//
// A node whose journal is damaged, missing or rolled back opens all the same, but refuses: it takes
// no part in agreement and no submissions, says why in Status(), and serves what it can read.
#ifndef VIGIL_NODE_DRIVER_NODE_H_
#define VIGIL_NODE_DRIVER_NODE_H_

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "consensus/raft/raft.h"
#include "ledger/base/clock.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "node/driver/actor.h"
#include "node/driver/applier.h"
#include "node/driver/archiver.h"
#include "node/driver/chain_access.h"
#include "node/driver/checkpoint_folder.h"
#include "node/driver/cosigner_key_actor.h"
#include "node/driver/cosigner_keyring.h"
#include "node/driver/counters.h"
#include "node/driver/derived_stores.h"
#include "node/driver/detector_actor.h"
#include "node/driver/epoch_actor.h"
#include "node/driver/fetch_server.h"
#include "node/driver/final_waiters.h"
#include "node/driver/indexer.h"
#include "node/driver/join_actor.h"
#include "node/driver/journal_writer.h"
#include "node/driver/learner_desk.h"
#include "node/driver/log.h"
#include "node/driver/log_actor.h"
#include "node/driver/pruner.h"
#include "node/driver/read_waiters.h"
#include "node/driver/recovery.h"
#include "node/driver/replica.h"
#include "node/driver/scrubber.h"
#include "node/driver/services.h"
#include "node/driver/snapshot_actor.h"
#include "node/driver/transfer_desk.h"
#include "node/driver/transport.h"

namespace vigil::node {

struct NodeConfig {
  std::string data_dir;
  std::string guard_path;  // Empty: data_dir/rollback_guard.
  ValidatorIndex self;
  const ledger::SigningKey* consensus_key = nullptr;  // Must outlive the node, as must the next.
  const ledger::SigningKey* record_key = nullptr;
  const ledger::SigningKey* log_key = nullptr;
  const ledger::SigningKey* cosigner_key = nullptr;  // Null: of a validator that was removed.
  // Where `cosigner_key` is from; null: it stays the same over epochs, and is destroyed by nobody.
  CosignerKeyring* keyring = nullptr;
  Hash reveal_seed;

  MempoolLimits mempool;
  // What clients of this node may have under way: governance, alerts, events.
  std::array<size_t, ledger::kLaneCount> pending_bytes_max = {2u << 20, 8u << 20, 48u << 20};
  size_t peer_inbox_bytes_max = 64u << 20;
  size_t submit_inbox_bytes_max = 16u << 20;
  size_t journal_inbox_bytes_max = 32u << 20;
  size_t block_cache_bytes_max = 64u << 20;
  size_t recent_bytes_max = 32u << 20;
  uint64_t index_keep_blocks = 0;  // Newest blocks whose events stay searchable; 0: all.
  ledger::JournalOptions journal;
  // Payloads older than this are dropped (node/driver/pruner.h); 0: never.
  uint64_t payload_age_millis = 0;
  // Above this size the journal's oldest segments move to `archive_dir` (node/driver/archiver.h);
  // 0: never. `genesis_file` is then the bytes of genesis.json.
  uint64_t journal_bytes_max = 0;
  std::string archive_dir;
  std::string genesis_file;
  // Why this validator takes no part although its journal is sound: it is none any more. It then
  // opens in the last epoch that it was in, and serves what it can read.
  std::string removed;
  // The anchors by which genesis was restated; nothing: the node reads them from its folder.
  std::optional<std::vector<ledger::EpochAnchor>> epoch_anchors;
  bool detector_enabled = true;
  // An operator's word that a torn end of the journal is what power loss left of a write, not
  // damage to what was synced. Needed when so many validators lost power at once that no quorum may
  // vote.
  bool accept_torn_tail = false;
  // Fewer blocks in flight make larger blocks under load.
  uint32_t blocks_in_flight_max = 4;
  uint32_t election_timeout_ticks_min = 50;
  uint32_t election_timeout_ticks_max = 100;
  // Waits so much longer before it campaigns: whoever should lead has the smallest (R2).
  uint32_t election_delay_ticks = 0;
  uint32_t heartbeat_ticks = 10;
  // What is read from this disk for validators that join, at most.
  uint64_t fetch_bytes_per_second = 16u << 20;
  // The same for newcomers that learn before they are validators, all together.
  uint64_t learner_bytes_per_second = 4u << 20;
  // What the scrub reads again of what was written long ago, at most; 0: it does not run.
  uint64_t scrub_bytes_per_second = 1u << 20;
  int64_t scrub_interval_micros = int64_t{24} * 3600 * 1'000'000;  // Between passes' beginnings.
};

// All pointers must outlive the node.
struct NodeSeams {
  ledger::FileSystem* files = nullptr;
  const Clock* clock = nullptr;
  Transport* transport = nullptr;
  StoreFactory open_store;
  uint64_t start_seed = 0;  // Different at every start (consensus/raft/raft.h).
  LogFunction log;          // May be empty.
  // Called once when the node has died, on the thread that found out; must only wake somebody, who
  // then stops the process with an error.
  std::function<void(const absl::Status&)> on_fatal;
  // Called once when a validator that joins has what it needs, on the thread that found out; must
  // only wake somebody, who then destroys the node and opens it anew.
  std::function<void()> on_joined;
  // Called once when this validator lacks what the leader's log begins above, on the thread that
  // found out; must only wake somebody, who then destroys the node, calls Node::Rejoin() and opens
  // it anew. Empty: it stays as it is, and the log says what to do.
  std::function<void()> on_behind;
  // Called once when the epoch has ended and its anchor is on disk, on the thread that found out;
  // must only wake somebody, who then destroys the node and opens it anew with genesis restated
  // (ledger::LoadEpochs). Empty: it goes on answering in the epoch that is over.
  std::function<void()> on_epoch_ended;
};

class Node final : public NodeServices, public FrameReceiver {
 public:
  // Makes the directory of a validator that never ran, with the empty journal `journal_id`. An
  // empty `guard_path` means data_dir/rollback_guard. Errors: kAlreadyExists when this validator
  // ran before; disk errors.
  static absl::Status Init(ledger::FileSystem* files, const std::string& data_dir,
                           const ledger::JournalId& journal_id, const std::string& guard_path = "",
                           Beginning beginning = Beginning::kNewNetwork);
  // Makes the journal of validator `self` anew, so that it joins: the old one is kept below
  // data_dir, in the folder that is returned (empty: there was none), and what the guard tells of
  // its votes stays. Can be repeated after a crash.
  // Errors: kFailedPrecondition when the journal is sound and not `even_if_sound`, or there is
  // nobody to join; kAlreadyExists when a process has it open; disk errors.
  static absl::StatusOr<std::string> Rejoin(ledger::FileSystem* files,
                                            const ledger::Genesis& genesis, ValidatorIndex self,
                                            const std::string& data_dir,
                                            const std::string& guard_path, bool even_if_sound);
  // Recovers and opens in the epoch that `genesis` is restated for. A damaged journal is not an
  // error: see Status().refusing. Errors: kFailedPrecondition when the directory is not
  // initialised, is of another chain, or keys are not those of genesis; kAlreadyExists when another
  // process has it open; disk errors.
  static absl::StatusOr<std::unique_ptr<Node>> Open(const ledger::Genesis& genesis,
                                                    const NodeConfig& config,
                                                    const NodeSeams& seams);
  ~Node() override;

  // Production: one thread per actor.
  void Start();
  // Before a stop that is meant: a leader hands over to whoever is furthest and waits until that
  // one leads, so that the network need not wait for an election timeout; a few of these at most.
  // Others return at once. Not while stepping.
  void HandOver();
  // Answers everybody who waits, ends the threads, and remembers how far the log's files are.
  // Nothing is called afterwards.
  void Stop();
  // For stepping: the actors in a fixed order; empty while refusing.
  const std::vector<Actor*>& actors() const { return actors_; }

  // Lets newcomers of open proposals learn; null while it refuses or joins.
  LearnerDesk* learners() { return learners_.get(); }

  // First frame of a stream to the peer `to`, on a connection with the certificate of this hash.
  std::string Hello(ValidatorIndex to, const Hash& certificate_hash) const;
  // What killed the node; OK while it lives.
  absl::Status fatal() const { return fatal_.status(); }
  // It joined and is to be opened anew.
  bool joined() const { return joined_; }
  // It must join anew: the leader's log begins above what it has.
  bool behind() const { return behind_; }
  // The epoch that it was opened in is over: it is to be opened anew.
  bool epoch_ended() const { return epochs_ != nullptr && epochs_->ended(); }
  const NodeCounters& counters() const { return counters_; }
  // Records for which somebody waits.
  size_t waiting_submissions() const { return pending_.size(); }
  // Linearizable reads that wait.
  size_t waiting_reads() const { return reads_.size(); }
  // Of the core; for tests that compare runs. Zero while refusing.
  Hash core_digest() const;

  // A verified cosignature of a witness outside the network, for the served checkpoint.
  // Thread-safe.
  void OnWitnessed(const WitnessedCheckpoint& witnessed);

  // NodeServices
  const ledger::Genesis& genesis() const override { return genesis_; }
  SubmitTicket Submit(ledger::Record record, SubmitDone done) override;
  void Withdraw(const SubmitTicket& ticket) override;
  void AnswerWaiting() override;
  absl::StatusOr<SubmitReceipt> FindReceipt(const Hash& leaf_hash) const override;
  std::shared_ptr<const ledger::ChainReader> Snapshot() const override;
  absl::StatusOr<ledger::BlockPtr> LoadBlock(Height height) const override;
  absl::StatusOr<std::string> ReadModel(const Hash& digest) const override;
  const ledger::EventIndex& index() const override { return *index_; }
  void RebuildIndex() override;
  NodeStatus Status() const override;
  absl::StatusOr<detector::Entity> FindEntity(detector::EntityKind kind,
                                              absl::string_view key) const override;
  uint64_t AddHeightListener(std::function<void(Height)> listener) override;
  void RemoveHeightListener(uint64_t token) override;
  Height FinalHeight() const override { return waiters_.height(); }
  void WhenFinal(Height height, FinalDone done) override;
  void WhenCurrent(int64_t wait_micros, ReadDone done) override;
  void TransferLeadership(std::optional<ValidatorIndex> to, TransferDone done) override;
  absl::StatusOr<std::string> Checkpoint() const override;
  absl::StatusOr<std::string> CheckpointWitnessedBy(
      std::span<const std::string> witnesses) const override;
  absl::StatusOr<std::string> ReadLogFile(absl::string_view path) const override;
  const ledger::TileSource* tiles() const override;
  std::string EpochChain() const override;
  absl::StatusOr<std::vector<NewcomerStanding>> Newcomers() const override;

  // FrameReceiver
  absl::Status OnFrame(PeerStream* stream, std::string frame) override;

 private:
  Node(const ledger::Genesis& genesis, const NodeConfig& config, const NodeSeams& seams);

  absl::Status Recover();
  absl::Status LockDirectory();
  absl::StatusOr<std::unique_ptr<ledger::Store>> OpenStore(absl::string_view name);
  absl::Status OpenIndex();
  absl::Status OpenDetector();
  absl::Status OpenDetectorOnStore();
  void OpenPruner(const JournalPlace& place, Height base);
  NodeStatus::Archive ArchiveStatus() const;
  NodeStatus::CosignerKey CosignerKeyStatus() const;
  void OpenArchiver(const JournalPlace& place, const std::optional<ledger::BaseFrame>& base);
  // `floor`: what was cosigned up to there may be forgotten.
  absl::Status OpenLog(const JournalScan& scan, Height floor);
  absl::StatusOr<std::vector<ledger::EpochAnchor>> ReadAnchors() const;
  absl::Status OpenEpochs();
  absl::Status CheckMayTakePart(const ledger::Tip& tip, const JournalScan& scan) const;
  void OpenCosignerKeys();
  void OpenFetchServer();
  FetchServer::Ports FetchPorts();
  void OpenLearnerDesk();
  void OpenScrubber();
  absl::StatusOr<std::string> ReadNewestLogFile(absl::string_view path) const;
  absl::Status OpenJoin(OpenedJournal journal);
  void OnBehind(Height base);
  void Halt();
  void Refuse(const absl::Status& why);
  std::string FatalReason() const;
  void LogRecovered(const OpenedJournal& journal, const JournalScan& scan,
                    const consensus::Recovered& recovered, Height executed) const;
  // Builds the actors that take part in agreement.
  void Participate(OpenedJournal journal, const JournalScan& scan, OpenedState state);
  void OpenSnapshots(const OpenedState& state);
  std::string SnapshotDirectory() const { return config_.data_dir + "/snapshots"; }
  SubmitTicket SubmitAdmitted(PoolRecord record, SubmitDone done);
  void CountRefused(const SubmitDone& done, ServiceError error);

  void TellOfBadFrame(ValidatorIndex from, const absl::Status& status);
  absl::Status HandleFrame(PeerStream* stream, PeerFrameType type, absl::string_view frame);
  absl::Status OnHello(PeerStream* stream, absl::string_view frame);
  absl::Status OnConsensus(ValidatorIndex from, absl::string_view frame);
  absl::Status OnForward(ValidatorIndex from, absl::string_view frame);
  absl::Status OnForwardRefused(ValidatorIndex from, absl::string_view frame);
  absl::Status FollowEpoch(const HelloFrame& hello, const ledger::GenesisValidator& sender);
  absl::Status OnCosignature(ValidatorIndex from, absl::string_view frame);
  absl::Status OnFetchRequest(ValidatorIndex from, absl::string_view frame);
  absl::Status OnFetchAnswer(ValidatorIndex from, absl::string_view frame);

  const ledger::Genesis genesis_;
  const NodeConfig config_;
  const NodeSeams seams_;
  const LogFunction log_;
  const int64_t started_micros_;
  DerivedStores stores_;
  bool starts_anew_ = false;
  std::atomic<bool> joined_{false};
  std::atomic<bool> behind_{false};
  absl::Status refusing_;  // Why it refuses; set while opening.
  FatalLatch fatal_;
  NodeCounters counters_;
  std::shared_ptr<void> lock_;  // Of the data directory; shared with the file system.

  BlockCache cache_;
  PendingSubmissions pending_;
  FinalWaiters waiters_;
  ReadWaiters reads_{&counters_};
  TransferDesk transfers_;
  RevealChain reveals_;
  std::unique_ptr<ledger::Store> state_store_;
  std::unique_ptr<ledger::Store> index_store_;
  std::unique_ptr<ledger::Store> detector_store_;
  CheckpointFolder checkpoints_;
  std::unique_ptr<ledger::EventIndex> index_;
  std::shared_ptr<const ledger::JournalReader> journal_reader_;  // Null: none can be read.
  Mutex rewriting_;  // Held while a segment of the journal is replaced.
  std::unique_ptr<ChainAccess> chain_;
  std::unique_ptr<JournalWriter> journal_;
  std::unique_ptr<SnapshotActor> snapshots_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<Indexer> indexer_;
  std::unique_ptr<LogActor> log_actor_;
  std::unique_ptr<EpochActor> epochs_;
  std::unique_ptr<CosignerKeyActor> cosigner_keys_;  // Null when there is no keyring.
  std::unique_ptr<FetchServer> fetch_server_;
  std::unique_ptr<LearnerDesk> learners_;
  // The scrubber's; shared with the journal and whoever reads blocks.
  std::unique_ptr<Scrubber> scrubber_;       // Null when it does not run.
  std::unique_ptr<JoinActor> join_;          // Null but for a validator that joins; then alone.
  std::unique_ptr<DetectorActor> detector_;  // Null when it is not enabled.
  std::unique_ptr<Pruner> pruner_;           // Null when nothing is pruned.
  std::unique_ptr<Archiver> archiver_;       // Null when the journal has no limit.
  std::vector<Actor*> actors_;
  // When a peer's bad frames were last told in the log.
  std::array<std::atomic<int64_t>, kValidatorsMax> told_micros_{};
  ThreadRunner threads_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_NODE_H_
