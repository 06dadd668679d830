// Drives the detector along the chain: windows, periods, seeds, training jobs, alert candidates.
//
// Pure and steppable: no clock, thread, I/O or randomness. What it decides is a function of the
// blocks it was fed. An object belongs to one thread; Run() is pure and may run on any.
//
// Windows. Per event type the last window_rows_max events, but never one that lies more than
//   reach = kReachFactor * window_rows_max
// events of all types back: so the windows at any height are a function of the `reach` events
// before it, and a restart replays at most about twice that.
//
// Periods. Period p ends at the first height that is divisible by kPeriodHeightStep, has at least
// period_events new events since the end of period p - 1, and lies at least seed_reveals heights
// after it (so one seed at a time is awaited). The windows at that height train the models of p.
//
// What models learn from. Rows bear who reported them and which event they are, so that the share
// of one reporter can be capped; an EventMark leaves a row out, or puts it back. Thresholds move by
// at most kThresholdStepQ8 against the model that was active when the window closed.
//
// Seeds. hash("vigil/detector/v1" 00 | chain id | type u32be | schema hash | reveals of the
// seed_reveals heights after the end of the period, in order). Types with fewer than
// kColdRowsMin rows are not trained; with fewer than window_rows_min their model is cold.
//
// Entities and rules. Every event is also counted for its entities (detector/entities), and the
// rules of the network are held against them (detector/rules). Which rules a block is held against
// the host says before it feeds it: SetRules(). What is known of entities depends on all events
// before, not on the last `reach` alone, so the host stores them now and then:
// TakeEntities() gives them, and Restore() goes on from there.
//
// Checkpoints. The windows at the end of a period, as bytes (checkpoint.h). Whoever has them goes
// on from there: FromCheckpoint() without anything else, Restore() with less to replay.
//
// Life of a host: Restore() or construct; feed BeginBlock, OnEvent, EndBlock for every height from
// ReplayFrom(), with verdict OK events in (record, item) order; after each block store
// TakeEntities() if there are any, together with SerializeState(), keep what TakeCheckpoint()
// gives, and ask NextJob(); Run() it anywhere, Install() the result, put the digest on chain;
// Activate() what the chain's state says is active.
#ifndef VIGIL_DETECTOR_STREAM_DETECTOR_STREAM_H_
#define VIGIL_DETECTOR_STREAM_DETECTOR_STREAM_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "detector/entities/entity_table.h"
#include "detector/features/event_schema.h"
#include "detector/features/event_type.h"
#include "detector/features/hash.h"
#include "detector/model/drift.h"
#include "detector/model/model.h"
#include "detector/model/parameters.h"
#include "detector/rules/rule_matcher.h"
#include "detector/stream/bookkeeping.h"
#include "detector/stream/checkpoint.h"
#include "detector/stream/event_window.h"
#include "ledger/base/event_view.h"
#include "ledger/base/strong_id.h"

namespace vigil::detector {

inline constexpr uint64_t kPeriodHeightStep = 4;
// Models kept per type: the active one, and others to recompute older alerts with.
inline constexpr size_t kModelsPerTypeMax = 4;
// Activations that are remembered per type, with their thresholds: those of all windows that may
// wait.
inline constexpr size_t kThresholdsKept = 8;
static_assert(kThresholdsKept > kPendingPeriodsMax);

// One event of a block. The view need only live during the call.
struct BlockEvent {
  RecordIndex record_index;
  ItemIndex item;
  Digest leaf_hash{};
  int64_t reporter = 0;  // ReporterMarkOf() whoever signed it.
  const EventView* view = nullptr;
};

// What became known of an event in a block: whether models may learn from it.
struct EventMark {
  RecordIndex record_index;
  ItemIndex item;
  bool left_out = false;
};

// A token of "org/name".
int64_t ReporterMarkOf(std::string_view identity, Hash32 hash);

// An event whose score reached the threshold of the active model: what an alert says.
struct Candidate {
  RecordIndex record_index;
  ItemIndex item;
  Digest leaf_hash{};
  EventType type = EventType::kGeneric;
  uint64_t period = 0;
  Digest model_digest{};
  uint32_t threshold_q8 = 0;
  Score score;
};

// Everything that training one model depends on.
struct TrainingJob {
  EventType type = EventType::kGeneric;
  uint64_t period = 0;
  Height window_end;
  Digest window_digest{};
  uint64_t event_count = 0;            // Of the type in the period.
  uint32_t previous_threshold_q8 = 0;  // Of the model active at window_end; 0: none.
  uint64_t previous_period = 0;        // Of that model, as is the next.
  Digest previous_digest{};
  Digest seed{};
  RawTable rows;
  Parameters parameters;
  Hash32 hash = nullptr;
};

struct TrainingResult {
  EventType type = EventType::kGeneric;
  uint64_t period = 0;
  Height window_end;
  Digest window_digest{};
  uint64_t event_count = 0;
  uint64_t previous_period = 0;  // As in the job, as is the next.
  Digest previous_digest{};
  std::optional<Model> model;  // Nothing: too few different rows.
};

// What a model commitment says, and what status displays show.
struct ModelInfo {
  EventType type = EventType::kGeneric;
  uint64_t period = 0;
  Height window_end;  // 0 for models that were added after a restart.
  Digest digest{};
  Digest window_digest{};  // Of the checkpoint at window_end; zero where that is 0.
  uint32_t row_count = 0;
  uint32_t threshold_q8 = 0;
  bool active = false;       // For the next height.
  uint64_t event_count = 0;  // Of the type in the period; 0 as window_end.
  // Of a model just trained: the features of its window that lie beyond kDriftLimitQ8 from the one
  // of the model that was active at window_end, largest first. Period 0: there was none, or it is
  // not here.
  uint64_t drift_period = 0;
  std::vector<FeatureDrift> drifted;
};

// The windows at the end of a period.
struct PeriodCheckpoint {
  uint64_t period = 0;
  Height height;
  Height previous_end;  // End of the period before; 0: there was none.
  Digest digest{};
  std::vector<uint8_t> bytes;
};

// How a type stands, for displays.
struct TypeInfo {
  EventType type = EventType::kGeneric;
  uint32_t window_rows = 0;
  uint64_t period = 0;  // Of the newest model here; 0: none, and the rest says nothing.
  bool cold = false;    // That model's.
  // Of its window against the one of the model that was active when it closed, the largest of a
  // feature: what a notice says, also below the limit. Nothing where there was none, it is not
  // here, or the model was not trained here since the start.
  std::optional<FeatureDrift> drift;
};

enum class Recomputed { kOk, kUnknownModel, kWrongType };

struct Recomputation {
  Recomputed outcome = Recomputed::kUnknownModel;
  Score score;  // Set for kOk, as is the next.
  uint32_t threshold_q8 = 0;
};

class DetectorStream {
 public:
  // `rules` here and in the next two: until SetRules() gives others. REQUIRES: IsValid(parameters).
  DetectorStream(const Parameters& parameters, const Digest& chain_id, Hash32 hash,
                 RuleSet rules = {});

  // A stream that goes on where SerializeState() was called. It still has to be fed the heights
  // from ReplayFrom() on; up to the stored height they only rebuild the windows. With the bytes of
  // a `checkpoint`, that is from the height after it.
  // `entities` are the last that TakeEntities() gave before.
  // Returns nothing for bytes that are damaged or of another chain or other parameters, for a
  // checkpoint that is newer than a window that `state` still needs, and where a stream that began
  // with a checkpoint cannot do without it yet.
  static std::optional<DetectorStream> Restore(const Parameters& parameters, const Digest& chain_id,
                                               Hash32 hash, std::span<const uint8_t> state,
                                               std::span<const uint8_t> checkpoint = {},
                                               std::span<const uint8_t> entities = {},
                                               RuleSet rules = {});
  // A stream that begins at the end of a period, whose blocks it never saw: from there on it says
  // what one says that saw all of them. The caller has held the digest against the chain.
  // Returns nothing for bytes that are no checkpoint of this chain, parameters and schemas.
  static std::optional<DetectorStream> FromCheckpoint(const Parameters& parameters,
                                                      const Digest& chain_id, Hash32 hash,
                                                      std::span<const uint8_t> checkpoint,
                                                      RuleSet rules = {});
  // What Restore() needs; a few kilobytes. REQUIRES: between blocks, not while refilling.
  std::vector<uint8_t> SerializeState() const;
  // The entities as they are, when enough events came since they were taken last; else nothing.
  // The state that is serialised next builds on them: store both together. REQUIRES: as above.
  std::optional<std::vector<uint8_t>> TakeEntities();

  // The blocks that are fed from now on are held against these rules (rule_matcher.h says what a
  // change means). REQUIRES: between blocks.
  void SetRules(RuleSet rules);
  const RuleSet& rules() const { return rules_; }

  // The height that must be fed next. After Restore() it lies at most about 2 * reach events back.
  Height ReplayFrom() const { return Height(next_height_); }
  // The lowest height that a Restore() of the present state may ask for.
  Height RestartFrom() const { return Height(RestartHeight(state_)); }
  // Last height whose consequences are known.
  Height height() const { return Height(state_.height); }
  // Whether the heights fed only rebuild windows.
  bool refilling() const { return next_height_ <= state_.height; }

  // Opens a block. `reveal` is the preimage in its header, `block_millis` its time. Returns false,
  // and does nothing, when `height` is not ReplayFrom().
  [[nodiscard]] bool BeginBlock(Height height, const Digest& reveal, uint64_t block_millis);
  // Takes the next event of the open block; scores it if a model is active for its type and this
  // height and is known here. REQUIRES: a block is open; event.view is set.
  std::optional<Candidate> OnEvent(const BlockEvent& event);
  // Takes what became known in the open block, of any event up to now.
  void OnMark(const EventMark& mark);
  // Closes the block. Returns false when a replay did not show as many events as the stored state
  // had counted: the state belongs to other blocks, and the stream must be thrown away.
  [[nodiscard]] bool EndBlock();
  // The calls above for a whole block. Nothing where one of them returns false.
  std::optional<std::vector<Candidate>> OnBlock(Height height, const Digest& reveal,
                                                std::span<const BlockEvent> events,
                                                uint64_t block_millis,
                                                std::span<const EventMark> marks = {});
  // What rules matched in the last block, once; nothing of blocks that were only replayed.
  std::vector<RuleMatch> TakeMatches() { return std::exchange(matches_, {}); }

  // The checkpoint of the period that ended with the last block, once; else nothing.
  std::optional<PeriodCheckpoint> TakeCheckpoint();

  // The next model to train, oldest period first; nothing while there is none, or while refilling.
  // Each job is given out once per run of the host.
  std::optional<TrainingJob> NextJob();
  // Trains. Pure; takes tens of milliseconds.
  static TrainingResult Run(const TrainingJob& job);
  // Takes a trained model; returns what to commit on chain, nothing if there is no model.
  std::optional<ModelInfo> Install(TrainingResult result);
  // Takes a model that the host kept over a restart.
  // Returns false when its schema is not that of `type`.
  bool AddModel(EventType type, uint64_t period, Model model);

  // From `from_height` on, events of `type` are scored by the model `digest`, until another takes
  // over at a later height. The model may come later; until then the type is not scored. Calls
  // come in ascending from_height per type; after Restore() the host repeats the latest
  // kThresholdsKept. `threshold_q8` is what the chain says of the model.
  void Activate(EventType type, uint64_t period, const Digest& digest, Height from_height,
                uint32_t threshold_q8);

  // Scores an event again, to attest or dispute somebody's alert.
  Recomputation Recompute(const EventView& event, const Digest& model_digest) const;
  // The entities after the block before ReplayFrom(), and what of rules is remembered. While
  // refilling, those of a later block.
  const EntityTable& entities() const { return entities_; }
  const RuleMatcher& matcher() const { return matcher_; }
  // Nullptr when the model is not known here. Valid until the next non-const call.
  const Model* FindModel(const Digest& digest) const;
  // All models, by type and period.
  std::vector<ModelInfo> Models() const;
  // All types, in order.
  std::vector<TypeInfo> Types() const;

 private:
  struct Activation {
    uint64_t period = 0;
    Digest digest{};
    uint64_t from_height = 0;
  };
  struct PastModel {
    uint64_t from_height = 0;
    uint32_t threshold_q8 = 0;
    uint64_t period = 0;
    Digest digest{};
  };
  struct KeptModel {
    uint64_t period = 0;
    uint64_t window_end = 0;
    Digest window_digest{};
    Model model;
    std::optional<FeatureDrift> drift;  // As in TypeInfo.
  };
  struct TypeState {
    explicit TypeState(EventType type_in, size_t rows_max)
        : type(type_in), window(WindowWidth(type_in), rows_max) {}
    EventType type;
    EventWindow window;
    std::vector<Activation> activations;  // Ascending from_height.
    std::vector<KeptModel> models;        // Ascending period.
    std::vector<PastModel> past;          // Ascending from_height, at most kThresholdsKept.
  };

  TypeState& StateOf(EventType type) { return types_[static_cast<size_t>(type) - 1]; }
  const TypeState& StateOf(EventType type) const { return types_[static_cast<size_t>(type) - 1]; }
  // The number of the oldest event that the windows after `events` events may hold.
  uint64_t OldestEvent(uint64_t events) const { return detector::OldestEvent(parameters_, events); }

  static const Activation* ActiveAt(const TypeState& state, uint64_t height);
  // The model that was active for `height`; period 0: none.
  static PastModel PastAt(const TypeState& state, uint64_t height);
  static const KeptModel* ModelOf(const TypeState& state, const Digest& digest);
  void Keep(EventType type, KeptModel kept);
  // Takes over windows; the next height is the one after.
  void BeginAfter(CheckpointContents contents);
  // Takes over entities and what is remembered of matches, up to `height`. False for bytes that are
  // none of this version.
  bool TakeOverEntities(std::span<const uint8_t> body, uint64_t height);
  bool RestoreEntities(std::span<const uint8_t> stored);
  std::vector<uint8_t> EntitiesBody() const;
  // Of the windows as they are. REQUIRES: CloseWindows() went before.
  std::vector<uint8_t> Windows(const CheckpointPlace& place) const;
  // Whether a replay shows the windows, and the entities if it counts them, that `pending` says.
  bool Agrees(const PendingPeriod& pending) const;
  bool CountsEntities() const { return next_height_ >= entities_from_; }
  void CollectReveal();
  bool PeriodEndsHere() const;
  void EndPeriod();
  // Copies those windows of `types` (bits) that can train; returns their bits.
  uint8_t CloseWindows(uint64_t period, uint8_t types);
  // Forgets periods too old to be worth training, and marks that nothing needs.
  void DropStale();
  void PlaceMark();
  Digest SeedOf(EventType type, const PendingPeriod& pending) const;

  Parameters parameters_;
  Digest chain_id_;
  Hash32 hash_;
  Bookkeeping state_;
  std::vector<TypeState> types_;  // In the order of kEventTypes.
  // Closed windows that wait for their seed or for NextJob(), by period.
  std::map<uint64_t, std::map<EventType, RawTable>> closed_;
  std::optional<PeriodCheckpoint> checkpoint_;  // Not taken yet.
  EntityTable entities_;
  RuleSet rules_;  // Of the blocks to come.
  RuleMatcher matcher_;
  std::vector<RuleMatch> matches_;  // Of the last block, not taken yet.
  uint64_t entities_from_ = 1;      // They know every event below this height, and none above.
  bool entities_due_ = false;
  uint64_t next_height_ = 1;
  uint64_t counted_ = 0;  // Number of the next event; state_.events between blocks when live.
  bool in_block_ = false;
  Digest reveal_{};
  uint64_t block_millis_ = 0;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_STREAM_DETECTOR_STREAM_H_
