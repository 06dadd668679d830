// DetectDriver: feeds the detector from executed blocks and speaks for it on the chain.
//
// Steppable: Step() takes one block, trains one model, or submits what is due. What it trains and
// which events it finds strange is a function of the chain; when it gets to it is not, and need not
// be:
//
//   proposals    the validators take turns (ProposerRank): the first proposes at once, the next one
//                kProposerPatienceHeights later if no alert stands, and so on
//   judgements   alerts of others are recomputed and confirmed or disputed, in one record per
//   executed
//                block; an alert whose model is not here yet waits; so are those that an earlier
//                epoch left open
//                an event whose alert was contested is proposed anew, by others than its author
//   accusations  where an alert was contested and this validator disputes it, what is wrong with it
//                is recorded (ledger/state/faults.h), in turns like proposals
//   commitments  every model trained is committed, and with it the windows that it is from
//
// Which rules a block's events are held against, and by which an alert of a rule is judged, is what
// the chain's state says of the event's height (ledger/state/rules.h).
//
// The windows at the ends of periods are kept as checkpoints, one in kCheckpointsPerSnapshot-th of
// a snapshot interval at most; a start goes on from the newest that fits where that is shorter than
// replaying the windows.
//
// Records go the same way in as everybody's, and are tried again when they are refused or lost.
// Belongs to one thread, but for height(), models(), warm(), phase(), ReadModel() and FindEntity().
#ifndef VIGIL_NODE_DETECT_DETECT_DRIVER_H_
#define VIGIL_NODE_DETECT_DETECT_DRIVER_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "detector/stream/detector_stream.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/rule_book.h"
#include "ledger/storage/store.h"
#include "node/detect/block_events.h"
#include "node/detect/detect_port.h"
#include "node/detect/duties.h"
#include "node/detect/entity_anchors.h"
#include "node/detect/model_store.h"

namespace vigil::node {

// Of checkpoints, bytes are kept of the first in every such part of snapshot_interval_blocks.
inline constexpr uint32_t kCheckpointsPerSnapshot = 8;
inline constexpr size_t kCheckpointsKept = 4;

class DetectDriver {
 public:
  struct TrainedModel {
    uint32_t event_type = 0;
    uint64_t period = 0;
    Hash digest;
    uint32_t row_count = 0;
    uint32_t threshold_q8 = 0;
  };

  // Goes on where `store` says, or from the first block. All must outlive the object.
  // Errors: of the store.
  static absl::StatusOr<std::unique_ptr<DetectDriver>> Open(const ledger::Genesis* genesis,
                                                            ValidatorIndex self,
                                                            const ledger::SigningKey* record_key,
                                                            ledger::Store* store, DetectPort* port,
                                                            std::function<void()> on_delivery);

  // The lowest height whose events a start on `store` reads again; 1 when nothing is stored.
  // Errors: kDataLoss when the bookkeeping is damaged; of the store.
  static absl::StatusOr<Height> StoredRestartHeight(const ledger::Genesis& genesis,
                                                    ledger::Store* store);
  // The same of what was stored last.
  Height restart_height() const;

  // Returns whether there was anything to do.
  // Errors: of store and feed; nothing was lost, the caller may go on later.
  absl::StatusOr<bool> Step();
  // When a refused record is to be tried again; nullopt: none waits for that.
  std::optional<int64_t> DeadlineMicros() const;

  // How the types stand, and what was said on the chain since the start.
  struct Report {
    std::vector<detector::TypeInfo> types;  // Names of features: their type's schema.
    uint64_t proposed = 0;
    uint64_t confirmed = 0;  // Alerts of others, as are the next.
    uint64_t disputed = 0;
    uint64_t duties = 0;  // Records still owed.
    Hash rules;           // That the last block was held against; zero: none.
  };

  // Thread-safe.
  Height height() const { return Height(height_.load()); }
  Report report() const VIGIL_EXCLUDES(models_mutex_);
  std::vector<TrainedModel> models() const VIGIL_EXCLUDES(models_mutex_);
  // Its windows are those of the chain at height(), and the next block is here.
  bool warm() const { return warm_; }
  // What is still to be done until it is warm; empty when it is.
  std::string phase() const VIGIL_EXCLUDES(models_mutex_);
  // The file of a model that is kept here. Errors: kNotFound; of the store.
  absl::StatusOr<std::string> ReadModel(const Hash& digest) const VIGIL_EXCLUDES(models_mutex_);
  // What is known of an entity (detector/entities/entity_key.h). Waits while a block is read.
  // Errors: kNotFound; kUnavailable while its windows are not complete.
  absl::StatusOr<detector::Entity> FindEntity(detector::EntityKind kind,
                                              absl::string_view key) const
      VIGIL_EXCLUDES(entities_mutex_);

 private:
  // Answers that came in, from any thread. Shared with the callbacks of submitted records, which
  // may outlive the driver.
  struct Mailbox {
    Mutex mutex;
    std::vector<std::pair<uint64_t, Delivery>> deliveries VIGIL_GUARDED_BY(mutex);
  };
  // Calls `visit` with each attempt that a record was for; `drop` the duties when it returns true.
  struct UnderWay {
    std::optional<ProposeKey> proposal;
    std::vector<RecordIndex> judgements;
    std::optional<CommitKey> commitment;
    std::optional<RecordIndex> accusation;
    uint32_t disputes = 0;  // Of the judgements.
  };

  DetectDriver(const ledger::Genesis* genesis, ValidatorIndex self,
               const ledger::SigningKey* record_key, ledger::Store* store, DetectPort* port,
               std::function<void()> on_delivery);
  std::unique_ptr<detector::DetectorStream> NewStream() const;
  // From here on `stream` is what it goes on with.
  void Replace(std::unique_ptr<detector::DetectorStream> stream) VIGIL_EXCLUDES(entities_mutex_);

  // detect_checkpoint.cc: what a start goes on from.
  absl::Status Restore();
  std::unique_ptr<detector::DetectorStream> RestoreStream(const ModelStore::Contents& contents);
  void KeepCheckpoint();

  // detect_warm_up.cc: what other validators have.
  struct CheckpointMark {
    Height height;
    Hash digest;
  };
  // Whether the bytes of the checkpoint at the end of a period are kept.
  bool IsFile(Height end, Height previous_end) const;
  absl::StatusOr<bool> TakeNext(Height height);
  absl::StatusOr<bool> LookForCheckpoints();
  absl::StatusOr<bool> FetchCheckpoint();
  absl::Status ListModelsToFetch();
  absl::StatusOr<bool> FetchModel();
  absl::Status Adopt();
  void DropCheckpoints();
  void ForgetWarmUp();
  std::string Phase() const;
  void PublishWarmth() VIGIL_EXCLUDES(models_mutex_);

  // detect_driver.cc: along the chain.
  absl::Status StartAfresh(absl::string_view why);
  absl::Status ActivateFromState();
  absl::Status OweOpenAlerts();
  absl::Status UseRulesOf(Height height);
  absl::Status TakeBlock(const ledger::ExecutedBlock& executed);
  void TakeCandidates(const ledger::ExecutedBlock& executed,
                      const std::vector<detector::Candidate>& candidates);
  void TakeMatches(const ledger::ExecutedBlock& executed,
                   const std::vector<detector::RuleMatch>& matches);
  using Thresholds = std::map<std::pair<uint32_t, uint64_t>, uint32_t>;  // By type and period.
  void TakeResults(const ledger::ExecutedBlock& executed, const Thresholds& thresholds);
  void Activate(uint32_t event_type, uint64_t period, const Hash& digest, Height from,
                uint32_t threshold_q8);
  // detect_anchor.cc: by what alerts of one entity are found to belong together.
  void NoteStrange(const ledger::ExecutedBlock& executed, const std::vector<BlockEventView>& events,
                   const std::vector<detector::Candidate>& candidates,
                   const std::vector<detector::RuleMatch>& matches);
  void SetAnchor(const ledger::ExecutedBlock& executed, const BlockEventView& event,
                 ledger::AlertBody* alert) const;
  // Whether the alert has the anchor that its event asks for, and that one names the same entity;
  // nothing where its bytes are not here.
  absl::StatusOr<std::optional<bool>> AgreesWithAnchor(const ledger::ChainReader& reader,
                                                       const ledger::AlertInfo& alert,
                                                       const ledger::ExecutedBlock& executed,
                                                       const BlockEventView& event);
  // detect_marks.cc: what blocks tell of events that came before.
  absl::StatusOr<std::vector<detector::EventMark>> MarksOf(
      const ledger::ExecutedBlock& executed) const;
  static absl::StatusOr<std::map<std::pair<uint32_t, uint64_t>, uint32_t>> ThresholdsIn(
      const ledger::ExecutedBlock& executed);
  absl::StatusOr<bool> TrainOne();
  absl::Status Save(const std::vector<ModelStore::Model>& models);
  void PublishModels() VIGIL_EXCLUDES(models_mutex_);

  // detect_submit.cc: what is said on the chain.
  bool TakeDeliveries();
  void Settle(const UnderWay& sent, const Delivery& delivery);
  absl::StatusOr<bool> SubmitDue();
  absl::StatusOr<bool> Propose(const ledger::ChainReader& reader);
  absl::StatusOr<bool> Judge(const ledger::ChainReader& reader);
  std::optional<ledger::AlertVerdict> OwnVerdict(const ledger::ChainReader& reader,
                                                 const ledger::AlertInfo& alert) const;
  bool IsToBeSaidAgain(const ledger::ChainReader& reader, const ledger::AlertInfo& alert) const;
  absl::StatusOr<bool> Commit(const ledger::ChainReader& reader);
  // detect_accuse.cc: what is wrong with contested alerts.
  void TakeContested(const ledger::ExecutedBlock& executed, RecordIndex alert);
  absl::Status ProposeAnew(const ledger::ChainReader& reader, const ledger::AlertInfo& alert,
                           Height due);
  absl::StatusOr<bool> Accuse(const ledger::ChainReader& reader);
  absl::StatusOr<std::optional<ledger::FaultProofBody>> FaultOf(
      const ledger::ChainReader& reader, const ledger::AlertInfo& alert) const;
  // `other_event`: the alert was raised over other bytes than the event has. Nothing: no fault, or
  // what tells is not here any more.
  std::optional<ledger::FaultRow> ModelFaultOf(const ledger::AlertInfo& alert,
                                               const EventView& event, bool other_event) const;
  absl::StatusOr<std::optional<ledger::FaultRow>> RuleFaultOf(const ledger::AlertInfo& alert,
                                                              Height event_height,
                                                              bool other_event) const;
  void Count(const UnderWay& sent);
  // Tells of a type whose events have changed.
  void NoteDrift(const detector::ModelInfo& trained) const;
  void PublishReport() VIGIL_EXCLUDES(models_mutex_);
  absl::StatusOr<ExecutedPtr> LoadReadable(Height height) const;
  absl::StatusOr<std::optional<ledger::AlertBody>> MakeAlert(const ProposeKey& key,
                                                             const ProposeDuty& duty) const;
  absl::StatusOr<std::optional<ledger::AlertBody>> MakeRuleAlert(const ProposeKey& key,
                                                                 const ProposeDuty& duty,
                                                                 const BlockEventView& event) const;
  // Whether the alert says what its rule's match does, by the rules of the event's height; nothing
  // while that is not known here.
  absl::StatusOr<std::optional<bool>> AgreesWithRule(const ledger::AlertInfo& alert,
                                                     Height event_height) const;
  // Nothing while the alert's model, or what its anchor says, is not here.
  absl::StatusOr<std::optional<ledger::Attestation>> Verdict(const ledger::ChainReader& reader,
                                                             const ledger::AlertInfo& alert);
  void Send(const ledger::RecordBody& body, UnderWay under_way);
  bool MayTry(const Attempt& attempt) const;

  const ledger::Genesis* const genesis_;
  mutable ledger::RuleBook rules_;  // Remembers what it read.
  const ValidatorIndex self_;
  const std::string identity_;
  const ledger::SigningKey* const record_key_;
  DetectPort* const port_;
  const std::function<void()> on_delivery_;
  ModelStore store_;
  ModelStore::Checkpoints checkpoints_;  // Whose bytes are kept.
  // Changed under entities_mutex_ where that concerns entities.
  std::unique_ptr<detector::DetectorStream> stream_;
  mutable Mutex entities_mutex_;
  Duties duties_;
  EntityAnchors anchors_;
  bool activated_ = false;                  // The chain's active models are known to stream_.
  std::map<uint32_t, Height> active_from_;  // Last activation per type.
  Height judged_at_;                        // Executed height of the last attestation record.

  // The next block is not here. What is being got instead:
  bool cold_ = false;
  bool waits_ = false;
  bool confirmed_ = false;  // The chain confirmed a checkpoint when it was looked at last.
  Height looked_at_;
  std::vector<CheckpointMark> candidates_;  // Newest first.
  std::unique_ptr<detector::DetectorStream> adopting_;
  CheckpointMark adopting_mark_;
  std::string adopting_bytes_;
  std::deque<ledger::ModelInfo> models_to_fetch_;
  std::vector<ModelStore::Model> adopted_models_;

  uint64_t next_ticket_ = 1;
  std::map<uint64_t, UnderWay> under_way_;
  std::shared_ptr<Mailbox> mailbox_;

  std::atomic<uint64_t> height_{0};
  std::atomic<bool> warm_{false};
  mutable Mutex models_mutex_;
  std::map<Hash, ModelKey> stored_models_ VIGIL_GUARDED_BY(models_mutex_);
  std::string phase_ VIGIL_GUARDED_BY(models_mutex_);
  std::vector<TrainedModel> models_ VIGIL_GUARDED_BY(models_mutex_);
  Report report_ VIGIL_GUARDED_BY(models_mutex_);
  Report counted_;  // Its counts, on the detector's own thread.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_DETECT_DRIVER_H_
