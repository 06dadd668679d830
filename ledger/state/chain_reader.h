// ChainReader: questions about the executed chain, from one snapshot of the store.
//
// Everything a query, the block builder, the detector and offline tools ask. Cheap to make; holds a
// snapshot, so all its answers fit together. Thread-safe.
#ifndef VIGIL_LEDGER_STATE_CHAIN_READER_H_
#define VIGIL_LEDGER_STATE_CHAIN_READER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/result.h"
#include "ledger/log/merkle.h"
#include "ledger/state/tables.h"
#include "ledger/state/view.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// Where the chain stands after an executed block.
struct Tip {
  Height height;  // 0: only genesis.
  View view;
  Hash block_hash;  // Genesis hash at height 0.
  uint64_t time_unix_millis = 0;
  Height executed_in_header;  // E of this block's header.
  Hash state_digest;
  Hash seal_leaf;  // Leaf hash of the last seal; zero at height 0.
  uint64_t event_count = 0;
  uint64_t alert_count = 0;
  uint64_t alert_confirmed_count = 0;
  MerkleFrontier tree;  // Size = records and seals so far.
};

struct BlockInfo {
  Height height;
  View view;
  Hash hash;
  JournalPosition position;
  RecordIndex first_index;
  uint32_t record_count = 0;  // Without the seal.
  uint32_t event_count = 0;
  uint32_t frame_bytes = 0;
  uint64_t time_unix_millis = 0;
  uint64_t event_time_min = 0;  // ns; 0 when the block has no events.
  uint64_t event_time_max = 0;
  Hash state_digest;  // After this block.
  Hash seal_leaf;     // Leaf hash of this block's seal.
};

struct IdentityInfo {
  std::string identity;  // "org/name"
  std::string org;
  uint32_t roles = 0;
  PublicKey key;
  RecordIndex enrolled_at;
};

struct StreamHead {
  uint64_t sequence = 0;  // 0: no record yet.
  Hash leaf_hash;
  RecordIndex record_index;
};

// "proposed", "confirmed", "contested".
absl::string_view AlertStateName(AlertState state);

struct AlertVerdict {
  std::string validator;
  uint32_t verdict = 0;  // 1 confirm, 2 dispute.
  uint32_t score_q8 = 0;
  RecordIndex record_index;
};

struct TriageStep {
  TriageAction action = TriageAction::kAcknowledge;
  std::string by;                                // "org/name"
  std::string assignee;                          // Of kAssign.
  TriageVerdict verdict = TriageVerdict::kNone;  // Of kClose.
  RecordIndex record_index;
  Height height;
};

// What analysts did about an alert. "open", "acknowledged", "closed".
absl::string_view TriageStateName(TriageState state);
struct TriageInfo {
  TriageState state = TriageState::kOpen;
  std::string assignee;
  TriageVerdict verdict = TriageVerdict::kNone;
  std::vector<TriageStep> steps;  // In order; their number is the revision.
};

// Verdicts of closed alerts of one event type that one component raised.
struct TriageTotals {
  uint32_t event_type = 0;
  uint32_t component = 0;
  uint64_t true_positive = 0;
  uint64_t false_positive = 0;
  uint64_t expected = 0;
};

// What one validator recorded as wrong with an alert.
struct FaultInfo {
  RecordIndex alert;
  std::string validator;
  FaultRow fault;
};

struct AlertInfo {
  RecordIndex index;
  Height height;
  AlertState state = AlertState::kProposed;
  std::string proposer;
  EventRef event;
  uint32_t event_type = 0;
  uint64_t period = 0;
  Hash model_digest;
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint32_t component = 0;
  std::vector<AlertReason> reasons;
  Hash event_leaf;
  Hash values_commitment;              // Zero: none.
  std::vector<AlertVerdict> verdicts;  // The proposer's own alert counts as its first verdict.
  Height confirmed_height;             // 0: not confirmed.
  TriageInfo triage;
  // Of kRuleComponent alone.
  uint32_t rule = 0;
  Hash rules_digest;
  uint32_t entity_kind = 0;
  uint64_t observed = 0;
  // By what it is grouped with others; kind 0: by nothing.
  uint32_t anchor_kind = 0;
  EventRef anchor;
  RecordIndex incident;  // 0: in none.
};

// Confirmed alerts of one entity (ledger/state/incidents.h).
struct IncidentInfo {
  RecordIndex index;  // Of its first alert.
  IncidentRow row;
  std::vector<RecordIndex> alerts;  // Ascending; at most kIncidentAlertsMax. Empty in listings.
};

struct ModelInfo {
  uint32_t event_type = 0;
  uint64_t period = 0;
  Hash digest;
  Hash window_digest;  // Of the detector's checkpoint at window_end; zero: none was stated.
  Height window_end;
  uint32_t row_count = 0;
  uint32_t threshold_q8 = 0;
  std::vector<std::string> committed_by;
  bool active = false;  // Some quorum committed exactly this digest.
  Height active_from;   // Height of the block that completed the quorum.
  uint64_t event_count = 0;
  DriftStatement drift;  // Of an active one: what a quorum said, once one did.
  Height drift_height;   // Of the block that completed that one; 0: none yet.
};

class ChainReader {
 public:
  explicit ChainReader(std::shared_ptr<const StoreReader> snapshot);

  absl::StatusOr<Tip> GetTip() const;
  // Errors of all below: kNotFound naming the thing; kDataLoss when a stored value is malformed.
  absl::StatusOr<BlockInfo> GetBlock(Height height) const;
  absl::StatusOr<BlockInfo> FindBlock(const Hash& hash) const;
  // The block that holds the record or seal at `index`.
  absl::StatusOr<BlockInfo> BlockOfRecord(RecordIndex index) const;
  // Where the record with this leaf hash lies: the OK one if there is one, else the first. Seals
  // are not found.
  absl::StatusOr<RecordIndex> FindRecord(const Hash& leaf_hash) const;
  absl::StatusOr<std::vector<RecordResult>> GetResults(Height height) const;
  // RFC 6962 root over the results of the heights (after, up_to].
  absl::StatusOr<Hash> ResultsRoot(Height after, Height up_to) const;
  absl::StatusOr<Hash> StateDigest(Height height) const;

  absl::StatusOr<IdentityInfo> FindKey(const KeyId& key) const;
  // Sequence 0 when the stream has no record.
  absl::StatusOr<StreamHead> GetStreamHead(absl::string_view identity,
                                           absl::string_view stream) const;
  absl::StatusOr<AlertInfo> GetAlert(RecordIndex index) const;
  // At most `limit` alerts from `from` on (it included; downwards unless `ascending`), in `state`
  // if given. RecordIndex(UINT64_MAX) downwards: from the newest.
  absl::StatusOr<std::vector<AlertInfo>> ListAlerts(RecordIndex from, bool ascending,
                                                    uint32_t limit,
                                                    std::optional<AlertState> state) const;
  absl::StatusOr<TriageInfo> GetTriage(RecordIndex alert) const;
  absl::StatusOr<IncidentInfo> GetIncident(RecordIndex index) const;
  // At most `limit` incidents from `from` on (it included; downwards unless `ascending`), those
  // that are closed or open if that is given.
  absl::StatusOr<std::vector<IncidentInfo>> ListIncidents(RecordIndex from, bool ascending,
                                                          uint32_t limit,
                                                          std::optional<bool> closed) const;
  // By event type, then component.
  absl::StatusOr<std::vector<TriageTotals>> ListTriageTotals() const;
  // In order of the validators' names.
  absl::StatusOr<std::vector<FaultInfo>> FaultsOf(RecordIndex alert) const;
  // The alerts with recorded faults, at most `limit`, from `from` downwards, it included.
  absl::StatusOr<std::vector<RecordIndex>> ListFaultyAlerts(RecordIndex from, uint32_t limit) const;
  // Zeros when no alert cites the model.
  absl::StatusOr<ModelAlertsRow> AlertsOfModel(uint32_t event_type, uint64_t period) const;
  // The period whose model was active before the active one of a type; 0: none.
  absl::StatusOr<uint64_t> PreviousPeriod(uint32_t event_type) const;
  // Whether an alert of this event and model is on chain.
  absl::StatusOr<std::optional<RecordIndex>> FindAlert(const EventRef& event,
                                                       const Hash& model_digest) const;
  // What validators committed, each differing statement once; newest period first, then by type.
  absl::StatusOr<std::vector<ModelInfo>> ListModels(uint32_t limit) const;
  // The active model of a type with the highest period; nullopt while there is none.
  absl::StatusOr<std::optional<ModelInfo>> ActiveModel(uint32_t event_type) const;
  // How to take the admission tables from `height` back to the height before it.
  // Errors: kNotFound more than kExecutionLagHeightsMax heights below the tip.
  absl::StatusOr<WriteSet> GetUndo(Height height) const;
  // The state behind these answers.
  const StateBase& state() const { return *state_; }

 private:
  absl::StatusOr<std::string> GetValue(absl::string_view key, absl::string_view what) const;

  // Owned together with whoever made the snapshot.
  std::shared_ptr<const StoreReader> snapshot_;
  // Owned by this reader and its copies.
  std::shared_ptr<const StateBase> state_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_CHAIN_READER_H_
