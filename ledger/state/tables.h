// The schema: every table of replicated state and every key space of the store, in one file.
//
// A state key is one byte Table | the fields of the key. Numbers are big-endian, so that keys sort
// like their numbers; text is u32 length | bytes. Values are fixed-width big-endian in the order of
// the row's fields; a list is u32 count | entries. Everything here is in the state digest: changing
// a layout changes the protocol (docs/formats.md, State tables).
//
// Table             key                                  row             written by
// ----------------  -----------------------------------  --------------  -----------
// kKey              key id (16)                          KeyRow          identity.cc
// kStreamHead       identity, stream                     StreamHeadRow   streams.cc
// kStreamReset      leaf hash of the reset (32)          IndexRow        streams.cc
// kStreamSequence   identity, stream, u64 sequence       IndexRow        streams.cc
// kStreamRecord     u64 record index                     StreamRecordRow streams.cc
// kAlert            u64 record index of the alert        AlertRow        alerts.cc
// kAlertOfEvent     u64 record, u32 item, model digest   IndexRow        alerts.cc
// kAlertInState     u8 alert state, u64 alert index      empty           alerts.cc
// kVerdict          u64 alert index, identity            VerdictRow      alerts.cc
// kAlertRule        u64 alert index                      AlertRuleRow    alerts.cc
// kModelCommitment  u64 period, u32 type, identity       CommitmentRow   models.cc
// kEpoch            u64 number, from 2                   EpochRow        governance.cc
// kProposal         u64 record index of the proposal     ProposalRow     governance.cc
// kBallot           u64 proposal index, organisation     BallotRow       governance.cc
// kApprovedSet      (none)                               ApprovedSetRow  governance.cc
// kOpenProposal     organisation, u8 subject             IndexRow        governance.cc
// kRules            u64 number, from 1                   RulesRow        rules.cc
// kActiveRules      (none)                               ActiveRulesRow  rules.cc
// kCosignerKey      identity of a validator              CosignerKeyRow  cosigner_keys.cc
// kTriage           u64 alert index                      TriageRow       triage.cc
// kTriageStep       u64 alert index, u64 revision        TriageStepRow   triage.cc
// kTriageTotals     u32 type, u32 component              TriageTotalsRow triage.cc
// kModel            u32 type, u64 period                 ModelRow        models.cc
// kActiveModel      u32 type                             ActiveModelRow  models.cc
// kFault            u64 alert index, identity            FaultRow        faults.cc
// kContestedAlert   u64 record, u32 item, model digest,  empty           alerts.cc
//                     identity of the author
// kModelAlerts      u32 type, u64 period                 ModelAlertsRow  alerts.cc
// kAlertAnchor      u64 alert index                      AlertAnchorRow  incidents.cc
// kIncident         u64 incident                         IncidentRow     incidents.cc
// kIncidentIndex    u8 1, u64 incident, u64 alert        empty           incidents.cc
//                   u8 2, u8 kind, u64 record, u32 item  IndexRow        incidents.cc
//                   u8 3, u8 closed, u64 incident        empty           incidents.cc
//
// Invariants across tables:
//   (1) A stream with head sequence n has exactly the sequences 1..n in kStreamSequence; each names
//       a row of kStreamRecord. The head's leaf hash is that of sequence n's record, or of the last
//       reset after it.
//   (2) An alert has exactly one row in kAlert and kAlertInState, the latter in the state of the
//       former; and one in kAlertOfEvent, or once it is contested in kContestedAlert instead, so
//       that somebody else may raise the event. Its verdict counts are the rows of kVerdict; while
//       it is open, those of the epoch's own validators, which one that an earlier epoch left has
//       from its next verdict on. One of component 4, and no other, has a row in kAlertRule.
//   (3) kActiveModel names the highest period of kModel for its type, and the one active before it.
//       A row of kModel restates what a quorum of kModelCommitment rows of its type and period.
//
//   (4) An alert with a row of revision n in kTriage has exactly the revisions 1..n in kTriageStep.
//       Each closed alert counts once in kTriageTotals, under its verdict.
//   (5) A row of kFault is about a contested alert, of an identity with a dispute in kVerdict, and
//   no
//       two rows of one alert say the same.
//   (6) kModelAlerts counts the rows of kAlert of a type and period, once under `raised`, and under
//       `confirmed` or `contested` while they are that.
//
//   (7) kEpoch has rows 2, 3 ... without a gap, bases ascending. kApprovedSet names a proposal that
//   is
//       approved; one that is open has a row in kOpenProposal, and no other has. Its counts are the
//       rows of kBallot. kCosignerKey has rows of the running epoch's validators alone, no two with
//       one key.
//   (8) An incident is numbered like its first alert. Its alerts are confirmed and have its number
//   in
//       kAlertAnchor; kIncidentIndex has one row of sort 1 for each, one of sort 3, and of sort 2
//       the incident that anchors and events of alerts led to last. Its counts are those of its
//       alerts and of the closed ones among them; `closed` says that both are equal.
//
//   (9) kRules has rows 1, 2 ... without a gap, first_index rising; kActiveRules names the last. Each
//       names a proposal that is activated, whose file has the row's digest. Below the first row's
//       first_index the rules of genesis count.
//
// Admission tables are those that decide whether a record may enter a block; each block keeps their
// values from before it (undo images), so that state(E) can be read up to 64 heights back.
//
// Store key spaces are one byte prefix | fields:
//
//   's' state key                         value of replicated state
//   'm' "chain"                           u16 format | chain id | genesis hash | state digest at 0
//   'm' "tip"                             Tip (ledger/state/store_codec.h)
//   'b' u64 height                        BlockInfo
//   'h' block hash                        u64 height
//   'i' u64 index of the first record     u64 height
//   'l' leaf hash of a record             u64 record index: of the OK one, else of the first
//   'r' u64 height                        u32 count | per record: prefixed result
//   'u' u64 height                        undo image: a write set that takes the block back (the
//                                         newest 64 heights only)
//   'k' u64 height                        mark: block hash (the newest 65,536 heights only)
#ifndef VIGIL_LEDGER_STATE_TABLES_H_
#define VIGIL_LEDGER_STATE_TABLES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/record.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// Stored: never renumber.
enum class Table : uint8_t {
  kKey = 1,
  kStreamHead = 2,
  kStreamReset = 3,
  kStreamSequence = 4,
  kStreamRecord = 5,
  kAlert = 6,
  kAlertOfEvent = 7,
  kAlertInState = 8,
  kVerdict = 9,
  kModelCommitment = 10,
  kModel = 11,
  kActiveModel = 12,
  kEpoch = 13,
  kProposal = 14,
  kBallot = 15,
  kApprovedSet = 16,
  kOpenProposal = 17,
  kRules = 18,
  kActiveRules = 19,
  kTriage = 20,
  kTriageStep = 21,
  kTriageTotals = 22,
  kAlertRule = 23,
  kFault = 26,
  kModelAlerts = 27,
  kContestedAlert = 28,
  kAlertAnchor = 29,
  kIncident = 30,
  kIncidentIndex = 31,
  kCosignerKey = 33,
};

// Whether `state_key` is of a table that decides admission.
bool IsAdmissionKey(absl::string_view state_key);

// Stored: never renumber.
enum class AlertState : uint8_t { kProposed = 1, kConfirmed = 2, kContested = 3 };
// Stored: never renumber. Same numbers as vigil.v1.Attestation.verdict.
enum class Verdict : uint8_t { kConfirm = 1, kDispute = 2 };

struct KeyRow {
  static constexpr absl::string_view kName = "key";
  std::string identity;  // "org/name"
  std::string org;
  uint32_t roles = 0;  // Bits of Role.
  PublicKey key;
  RecordIndex enrolled_at;  // 0 for keys of genesis.

  void Encode(ByteWriter* writer) const;
  static KeyRow Decode(ByteReader* reader);
};

struct StreamHeadRow {
  static constexpr absl::string_view kName = "stream head";
  uint64_t sequence = 0;
  Hash leaf_hash;            // What the next record must name as its previous.
  RecordIndex record_index;  // Of the record or reset with this leaf hash.

  void Encode(ByteWriter* writer) const;
  static StreamHeadRow Decode(ByteReader* reader);
};

struct IndexRow {
  static constexpr absl::string_view kName = "record index";
  RecordIndex index;

  void Encode(ByteWriter* writer) const;
  static IndexRow Decode(ByteReader* reader);
};

// A record that took a sequence number.
struct StreamRecordRow {
  static constexpr absl::string_view kName = "stream record";
  Hash leaf_hash;
  uint32_t item_count = 0;  // 0 for heartbeats and gaps.
  Hash items_root;          // Zero for heartbeats and gaps.
  std::string org;          // Organisation of the author.

  void Encode(ByteWriter* writer) const;
  static StreamRecordRow Decode(ByteReader* reader);
};

struct AlertRow {
  static constexpr absl::string_view kName = "alert";
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
  Hash values_commitment;
  uint32_t confirm_count = 0;
  uint32_t dispute_count = 0;
  Height confirmed_height;  // 0: not confirmed.

  void Encode(ByteWriter* writer) const;
  static AlertRow Decode(ByteReader* reader);
};

// What a rule's alert says beyond AlertRow.
struct AlertRuleRow {
  static constexpr absl::string_view kName = "alert rule";
  uint32_t rule = 0;
  Hash rules_digest;
  uint32_t entity_kind = 0;
  uint64_t observed = 0;

  void Encode(ByteWriter* writer) const;
  static AlertRuleRow Decode(ByteReader* reader);
};

struct VerdictRow {
  static constexpr absl::string_view kName = "verdict";
  Verdict verdict = Verdict::kConfirm;
  uint32_t score_q8 = 0;
  RecordIndex record_index;

  void Encode(ByteWriter* writer) const;
  static VerdictRow Decode(ByteReader* reader);
};

// What an alert says of its entity, and where that led.
struct AlertAnchorRow {
  static constexpr absl::string_view kName = "alert anchor";
  uint32_t kind = 0;
  EventRef anchor;
  RecordIndex incident;  // 0: none, or none yet.

  void Encode(ByteWriter* writer) const;
  static AlertAnchorRow Decode(ByteReader* reader);
};

// Confirmed alerts of one entity, close to each other in time.
struct IncidentRow {
  static constexpr absl::string_view kName = "incident";
  uint32_t kind = 0;
  EventRef anchor;  // Of the first alert.
  std::string org;  // Whose sensors reported the events.
  Height opened_height;
  uint64_t opened_millis = 0;
  Height last_height;  // When the newest alert was confirmed.
  uint64_t last_millis = 0;
  uint32_t alert_count = 0;
  uint32_t closed_count = 0;
  uint32_t score_q8_max = 0;

  bool closed() const { return closed_count == alert_count; }
  void Encode(ByteWriter* writer) const;
  static IncidentRow Decode(ByteReader* reader);
};

// What one validator says is wrong with an alert that it disputes.
struct FaultRow {
  static constexpr absl::string_view kName = "fault";
  AlertFault fault = AlertFault::kScore;
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint32_t component = 0;
  RecordIndex record_index;
  Height height;

  // Whether both say the same, whoever says it and when.
  bool SaysSame(const FaultRow& other) const {
    return fault == other.fault && score_q8 == other.score_q8 &&
           threshold_q8 == other.threshold_q8 && component == other.component;
  }
  void Encode(ByteWriter* writer) const;
  static FaultRow Decode(ByteReader* reader);
};

// Alerts that cite one model.
struct ModelAlertsRow {
  static constexpr absl::string_view kName = "model alerts";
  uint64_t raised = 0;
  uint64_t confirmed = 0;
  uint64_t contested = 0;

  void Encode(ByteWriter* writer) const;
  static ModelAlertsRow Decode(ByteReader* reader);
};

// Stored: never renumber. An alert without a row is open.
enum class TriageState : uint8_t { kOpen = 0, kAcknowledged = 1, kClosed = 2 };
// Steps that one alert may take.
inline constexpr uint64_t kTriageStepsMax = 1000;

// Where analysts stand with an alert.
struct TriageRow {
  static constexpr absl::string_view kName = "triage";
  uint64_t revision = 0;  // Triage records so far.
  TriageState state = TriageState::kOpen;
  std::string assignee;  // Empty: nobody.
  TriageVerdict verdict = TriageVerdict::kNone;

  void Encode(ByteWriter* writer) const;
  static TriageRow Decode(ByteReader* reader);
};

struct TriageStepRow {
  static constexpr absl::string_view kName = "triage step";
  TriageAction action = TriageAction::kAcknowledge;
  std::string by;
  std::string assignee;
  TriageVerdict verdict = TriageVerdict::kNone;
  RecordIndex record_index;
  Height height;

  void Encode(ByteWriter* writer) const;
  static TriageStepRow Decode(ByteReader* reader);
};

// Alerts that are closed, by their verdicts.
struct TriageTotalsRow {
  static constexpr absl::string_view kName = "triage totals";
  uint64_t true_positive = 0;
  uint64_t false_positive = 0;
  uint64_t expected = 0;

  uint64_t& Of(TriageVerdict verdict);
  void Encode(ByteWriter* writer) const;
  static TriageTotalsRow Decode(ByteReader* reader);
};

// What a model commitment says; a quorum must say exactly the same.
struct ModelStatement {
  Height window_end;
  Hash digest;
  uint32_t row_count = 0;
  Hash window_digest;
  uint32_t threshold_q8 = 0;
  uint64_t event_count = 0;
  bool operator==(const ModelStatement&) const = default;

  void Encode(ByteWriter* writer) const;
  static ModelStatement Decode(ByteReader* reader);
};

// How a window lies to the one of an earlier model of its type.
struct DriftStatement {
  uint64_t period = 0;  // Of that model; 0: nothing is said.
  std::vector<DriftedFeature> drifted;
  bool operator==(const DriftStatement&) const = default;

  void Encode(ByteWriter* writer) const;
  static DriftStatement Decode(ByteReader* reader);
};

struct CommitmentRow {
  static constexpr absl::string_view kName = "model commitment";
  ModelStatement statement;
  DriftStatement drift;
  RecordIndex record_index;

  void Encode(ByteWriter* writer) const;
  static CommitmentRow Decode(ByteReader* reader);
};

struct ModelRow {
  static constexpr absl::string_view kName = "model";
  ModelStatement statement;
  Height active_from;    // Height of the block that completed the quorum.
  DriftStatement drift;  // What a quorum said of it, once one did.
  Height drift_height;   // Of the block that completed that one; 0: none yet.

  void Encode(ByteWriter* writer) const;
  static ModelRow Decode(ByteReader* reader);
};

struct ActiveModelRow {
  static constexpr absl::string_view kName = "active model";
  uint64_t period = 0;
  uint64_t previous_period = 0;  // 0: none was active before.

  void Encode(ByteWriter* writer) const;
  static ActiveModelRow Decode(ByteReader* reader);
};

// An epoch from the second on.
struct EpochRow {
  static constexpr absl::string_view kName = "epoch";
  Height base;           // Its first block is above.
  RecordIndex proposal;  // That named its set.
  std::string set;       // EncodeValidatorSet()
  std::string addresses;

  void Encode(ByteWriter* writer) const;
  static EpochRow Decode(ByteReader* reader);
};

// Stored: never renumber.
enum class ProposalState : uint8_t {
  kOpen = 1,
  kApproved = 2,
  kRejected = 3,
  kLapsed = 4,     // Another set, or other rules, began first.
  kSealed = 5,     // Its set began.
  kActivated = 6,  // Its rules became the network's.
};
// "open", "approved", "rejected", "lapsed", "sealed", "activated".
absl::string_view ProposalStateName(ProposalState state);

// What a proposal changes. Stored: never renumber.
enum class ProposalSubject : uint8_t { kValidators = 1, kRules = 2 };
// "validators", "rules".
absl::string_view ProposalSubjectName(ProposalSubject subject);

struct ProposalRow {
  static constexpr absl::string_view kName = "proposal";
  ProposalState state = ProposalState::kOpen;
  uint64_t epoch = 0;  // That is to end.
  std::string org;
  std::string by;
  std::string next_set;  // EncodeValidatorSet(); empty: it is for rules.
  std::string addresses;
  std::string reason;
  uint32_t approve_count = 0;
  uint32_t reject_count = 0;
  Height height;
  Height closed_height;  // 0: open.
  std::string rules;     // The rule file; empty: it is for a set.
  Hash replaced_rules;   // Zero: there were none.

  ProposalSubject subject() const {
    return rules.empty() ? ProposalSubject::kValidators : ProposalSubject::kRules;
  }
  void Encode(ByteWriter* writer) const;
  static ProposalRow Decode(ByteReader* reader);
};

struct BallotRow {
  static constexpr absl::string_view kName = "ballot";
  BallotChoice choice = BallotChoice::kApprove;
  std::string by;
  RecordIndex record_index;
  Height height;

  void Encode(ByteWriter* writer) const;
  static BallotRow Decode(ByteReader* reader);
};

// What a validator announced last for the next epoch.
struct CosignerKeyRow {
  static constexpr absl::string_view kName = "cosigner key";
  uint32_t number = 0;  // Of its announcements in this epoch, from 1.
  PublicKey key;
  RecordIndex record_index;

  void Encode(ByteWriter* writer) const;
  static CosignerKeyRow Decode(ByteReader* reader);
};

// The set that the next sealing block names.
struct ApprovedSetRow {
  static constexpr absl::string_view kName = "approved set";
  RecordIndex proposal;
  Height height;    // Of the block that completed the majority.
  std::string set;  // The proposal's, with the cosigner keys announced before the approval.

  void Encode(ByteWriter* writer) const;
  static ApprovedSetRow Decode(ByteReader* reader);
};

// Rules that replaced those of genesis, or others. Their file is the proposal's.
struct RulesRow {
  static constexpr absl::string_view kName = "rules";
  Height active_from;       // They are held against the events of blocks from this one on.
  RecordIndex first_index;  // No record below is of such a block.
  RecordIndex proposal;
  Hash digest;

  void Encode(ByteWriter* writer) const;
  static RulesRow Decode(ByteReader* reader);
};

struct ActiveRulesRow {
  static constexpr absl::string_view kName = "active rules";
  uint64_t number = 0;  // Of the newest row of kRules.

  void Encode(ByteWriter* writer) const;
  static ActiveRulesRow Decode(ByteReader* reader);
};

// State keys.
std::string RulesKey(uint64_t number);
std::string ActiveRulesKey();
std::string EpochKey(Epoch number);
std::string ProposalKey(RecordIndex proposal);
std::string BallotPrefix(RecordIndex proposal);
std::string BallotKey(RecordIndex proposal, absl::string_view org);
std::string ApprovedSetKey();
std::string CosignerKeyKey(absl::string_view identity);
std::string OpenProposalKey(absl::string_view org, ProposalSubject subject);
std::string KeyKey(const KeyId& key);
std::string StreamHeadKey(absl::string_view identity, absl::string_view stream);
std::string StreamResetKey(const Hash& leaf_hash);
std::string StreamSequenceKey(absl::string_view identity, absl::string_view stream,
                              uint64_t sequence);
std::string StreamRecordKey(RecordIndex index);
std::string AlertKey(RecordIndex alert);
std::string AlertOfEventKey(const EventRef& event, const Hash& model_digest);
std::string ContestedAlertKey(const EventRef& event, const Hash& model_digest,
                              absl::string_view author);
std::string AlertInStateKey(AlertState state, RecordIndex alert);
std::string AlertRuleKey(RecordIndex alert);
std::string AlertAnchorKey(RecordIndex alert);
std::string IncidentKey(RecordIndex incident);
std::string IncidentAlertPrefix(RecordIndex incident);
std::string IncidentAlertKey(RecordIndex incident, RecordIndex alert);
std::string IncidentOfEventKey(uint32_t kind, const EventRef& event);
std::string IncidentInStatePrefix(bool closed);
std::string IncidentInStateKey(bool closed, RecordIndex incident);
std::string VerdictPrefix(RecordIndex alert);
std::string VerdictKey(RecordIndex alert, absl::string_view identity);
std::string TriageKey(RecordIndex alert);
std::string TriageStepPrefix(RecordIndex alert);
std::string TriageStepKey(RecordIndex alert, uint64_t revision);
std::string TriageTotalsKey(uint32_t event_type, uint32_t component);
std::string ModelCommitmentPrefix(uint64_t period, uint32_t event_type);
std::string ModelCommitmentKey(uint64_t period, uint32_t event_type, absl::string_view identity);
std::string ModelKey(uint32_t event_type, uint64_t period);
std::string ActiveModelKey(uint32_t event_type);
std::string FaultPrefix(RecordIndex alert);
std::string FaultKey(RecordIndex alert, absl::string_view identity);
std::string ModelAlertsKey(uint32_t event_type, uint64_t period);
// The single byte that all keys of `table` begin with.
std::string TablePrefix(Table table);

// The identity at the end of a key that begins with `prefix_size` bytes of other fields.
// Errors: kDataLoss.
absl::StatusOr<std::string> IdentityAtEnd(absl::string_view key, size_t prefix_size);

template <typename Row>
std::string EncodeRow(const Row& row) {
  std::string bytes;
  ByteWriter writer(&bytes);
  row.Encode(&writer);
  return bytes;
}

// Errors: kDataLoss naming the table: our own value does not decode.
template <typename Row>
absl::StatusOr<Row> DecodeRow(absl::string_view value) {
  ByteReader reader(value);
  Row row = Row::Decode(&reader);
  const absl::Status finished = reader.Finish(Row::kName);
  if (!finished.ok()) {
    return absl::DataLossError(
        absl::StrCat("state value of table ", Row::kName, ": ", finished.message()));
  }
  return row;
}

// nullopt when the key is not there; an undecodable value is kept in the view's status.
template <typename Row>
std::optional<Row> ReadRow(const StateView& view, absl::string_view key) {
  const std::optional<std::string> value = view.Get(key);
  if (!value.has_value()) return std::nullopt;
  absl::StatusOr<Row> row = DecodeRow<Row>(*value);
  if (!row.ok()) {
    view.Fail(row.status());
    return std::nullopt;
  }
  return *std::move(row);
}

template <typename Row>
absl::StatusOr<std::optional<Row>> ReadRow(const StateBase& state, absl::string_view key) {
  absl::StatusOr<std::optional<std::string>> value = state.Get(key);
  if (!value.ok()) return value.status();
  if (!value->has_value()) return std::optional<Row>();
  absl::StatusOr<Row> row = DecodeRow<Row>(**value);
  if (!row.ok()) return row.status();
  return std::optional<Row>(*std::move(row));
}

template <typename Row>
void WriteRow(StateView* view, absl::string_view key, const Row& row) {
  view->Put(key, EncodeRow(row));
}

// Store keys. Stored: never change a prefix.
enum class Space : char {
  kState = 's',
  kMeta = 'm',
  kBlock = 'b',
  kBlockHash = 'h',
  kFirstIndex = 'i',
  kLeaf = 'l',
  kResults = 'r',
  kUndo = 'u',
  kMark = 'k',
};
std::string SpacePrefix(Space space);
std::string StoreStateKey(absl::string_view state_key);
std::string StoreChainKey();
std::string StoreTipKey();
std::string StoreNumberKey(Space space, uint64_t number);
std::string StoreHashKey(Space space, const Hash& hash);

inline constexpr uint64_t kMarksKeptMax = 65'536;

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_TABLES_H_
