#include "detector/stream/detector_stream.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "detector/features/codec.h"
#include "detector/features/require.h"
#include "detector/features/text_shape.h"
#include "detector/stream/stream_head.h"

namespace vigil::detector {

int64_t ReporterMarkOf(std::string_view identity, Hash32 hash) { return TokenOf(identity, hash); }

namespace {

uint8_t BitOf(EventType type) { return static_cast<uint8_t>(1u << static_cast<uint32_t>(type)); }

constexpr std::string_view kEntitiesTag = "vigil-entities";
constexpr uint16_t kEntitiesFormat = 1;
// They are stored anew after so much of the reach: less to replay than windows need anyway.
constexpr uint64_t kEntitiesPerReach = 8;
constexpr uint8_t kAllTypes = 0b111110;  // Bits 1 to 5.
static_assert(kEventTypes.size() == 5);

// Whether a stream that stood where `state` says can go on from the windows at `place`.
bool Fits(const CheckpointPlace& place, const Bookkeeping& state) {
  const bool waits = !state.pending.empty();
  if (waits && place.height > state.pending.front().window_end) return false;
  if (waits && place.height == state.pending.front().window_end &&
      (place.events != state.pending.front().events ||
       place.period != state.pending.front().period)) {
    return false;
  }
  if (place.height == state.height && place.events != state.events) return false;
  return place.height <= state.height && place.events <= state.events &&
         place.period <= state.period;
}

}  // namespace

DetectorStream::DetectorStream(const Parameters& parameters, const Digest& chain_id, Hash32 hash,
                               RuleSet rules)
    : parameters_(parameters),
      chain_id_(chain_id),
      hash_(hash),
      entities_(hash),
      rules_(std::move(rules)) {
  Require(IsValid(parameters), "detector parameters within their ranges");
  for (const EventType type : kEventTypes) types_.emplace_back(type, parameters.window_rows_max);
}

std::optional<DetectorStream> DetectorStream::Restore(const Parameters& parameters,
                                                      const Digest& chain_id, Hash32 hash,
                                                      std::span<const uint8_t> state,
                                                      std::span<const uint8_t> checkpoint,
                                                      std::span<const uint8_t> entities,
                                                      RuleSet rules) {
  std::optional<Bookkeeping> bookkeeping = ParseBookkeeping(state, chain_id, parameters);
  if (!bookkeeping) return std::nullopt;
  DetectorStream stream(parameters, chain_id, hash, std::move(rules));
  if (!checkpoint.empty()) {
    std::optional<CheckpointContents> contents =
        ParseCheckpoint(checkpoint, chain_id, parameters, hash);
    if (!contents || !Fits(contents->place, *bookkeeping)) return std::nullopt;
    if (!stream.TakeOverEntities(contents->entities, contents->place.height)) return std::nullopt;
    stream.state_ = std::move(*bookkeeping);
    stream.BeginAfter(std::move(*contents));
    return stream;
  }
  uint64_t oldest = stream.OldestEvent(bookkeeping->events);
  for (const PendingPeriod& pending : bookkeeping->pending) {
    oldest = std::min(oldest, stream.OldestEvent(pending.events));
  }
  const HeightMark mark = MarkFor(*bookkeeping, oldest);
  if (mark.events_before > oldest) return std::nullopt;
  stream.state_ = std::move(*bookkeeping);
  if (!stream.RestoreEntities(entities)) return std::nullopt;
  stream.next_height_ = mark.height;
  stream.counted_ = mark.events_before;
  if (stream.entities_from_ < mark.height) {
    stream.next_height_ = stream.entities_from_;
    stream.counted_ = stream.state_.entities_events;
  }
  return stream;
}

// From what TakeEntities() gave; where nothing was stored, they begin with the first block.
bool DetectorStream::RestoreEntities(std::span<const uint8_t> stored) {
  if (state_.entities_height == 0) return stored.empty();
  LittleEndianReader reader(stored);
  if (!ReadStreamHead(kEntitiesTag, kEntitiesFormat, chain_id_, parameters_, &reader)) return false;
  if (reader.U64() != state_.entities_height || reader.U64() != state_.entities_events) {
    return false;
  }
  return TakeOverEntities(stored.last(reader.left()), state_.entities_height);
}

bool DetectorStream::TakeOverEntities(std::span<const uint8_t> body, uint64_t height) {
  LittleEndianReader reader(body);
  if (!entities_.Parse(&reader) || !matcher_.Parse(&reader, height) || !reader.AtEnd()) {
    return false;
  }
  entities_from_ = height + 1;
  return true;
}

std::vector<uint8_t> DetectorStream::EntitiesBody() const {
  LittleEndianWriter writer;
  entities_.Serialize(&writer);
  matcher_.Serialize(&writer);
  return writer.Take();
}

std::optional<std::vector<uint8_t>> DetectorStream::TakeEntities() {
  Require(!in_block_ && !refilling(), "entities are taken between blocks");
  if (!entities_due_) return std::nullopt;
  entities_due_ = false;
  state_.entities_height = state_.height;
  state_.entities_events = state_.events;
  LittleEndianWriter writer;
  WriteStreamHead(kEntitiesTag, kEntitiesFormat, chain_id_, parameters_, &writer);
  writer.U64(state_.entities_height).U64(state_.entities_events).Raw(EntitiesBody());
  return writer.Take();
}

std::optional<DetectorStream> DetectorStream::FromCheckpoint(const Parameters& parameters,
                                                             const Digest& chain_id, Hash32 hash,
                                                             std::span<const uint8_t> checkpoint,
                                                             RuleSet rules) {
  std::optional<CheckpointContents> contents =
      ParseCheckpoint(checkpoint, chain_id, parameters, hash);
  if (!contents) return std::nullopt;
  DetectorStream stream(parameters, chain_id, hash, std::move(rules));
  if (!stream.TakeOverEntities(contents->entities, contents->place.height)) return std::nullopt;
  const Digest entities_hash = hash(SerializeEntitiesSection(contents->entities));
  stream.entities_due_ = true;
  const CheckpointPlace place = contents->place;
  Bookkeeping& state = stream.state_;
  state.height = place.height;
  state.events = place.events;
  state.period = place.period;
  state.period_end = place.height;
  state.period_end_events = place.events;
  state.marks = {{place.height + 1, place.events}};
  stream.BeginAfter(std::move(*contents));
  const uint8_t types = stream.CloseWindows(place.period, kAllTypes);
  if (types != 0) {
    state.pending.push_back({place.period,
                             place.height,
                             place.events,
                             CheckpointDigest(checkpoint, hash),
                             entities_hash,
                             place.event_counts,
                             types,
                             {}});
  }
  return stream;
}

void DetectorStream::BeginAfter(CheckpointContents contents) {
  for (size_t i = 0; i < types_.size(); ++i) types_[i].window = std::move(contents.windows[i]);
  next_height_ = contents.place.height + 1;
  counted_ = contents.place.events;
  for (const PendingPeriod& pending : state_.pending) {
    if (pending.window_end == contents.place.height) {
      CloseWindows(pending.period, pending.types_left);
    }
  }
}

std::vector<uint8_t> DetectorStream::Windows(const CheckpointPlace& place) const {
  std::vector<const EventWindow*> windows;
  for (const TypeState& state : types_) windows.push_back(&state.window);
  return SerializeWindows(place, windows, chain_id_, parameters_, hash_);
}

std::optional<PeriodCheckpoint> DetectorStream::TakeCheckpoint() {
  return std::exchange(checkpoint_, std::nullopt);
}

std::vector<uint8_t> DetectorStream::SerializeState() const {
  Require(!in_block_ && !refilling(), "state is taken between blocks");
  return SerializeBookkeeping(state_, chain_id_, parameters_);
}

void DetectorStream::SetRules(RuleSet rules) {
  Require(!in_block_, "rules change between blocks");
  rules_ = std::move(rules);
}

bool DetectorStream::BeginBlock(Height height, const Digest& reveal, uint64_t block_millis) {
  if (in_block_ || height.value() != next_height_) return false;
  in_block_ = true;
  checkpoint_.reset();
  matches_.clear();
  reveal_ = reveal;
  block_millis_ = block_millis;
  if (CountsEntities()) {
    if (matcher_.Use(rules_)) entities_.ClearMarks();
    matcher_.BeginBlock(next_height_);
  }
  if (!refilling()) PlaceMark();
  return true;
}

void DetectorStream::PlaceMark() {
  const uint64_t distance = std::max<uint64_t>(ReachOf(parameters_) / kMarksPerReach, 1);
  if (counted_ - state_.marks.back().events_before < distance) return;
  state_.marks.push_back({next_height_, counted_});
}

std::optional<Candidate> DetectorStream::OnEvent(const BlockEvent& event) {
  Require(in_block_ && event.view != nullptr, "an event of an open block");
  const EventType type = TypeOf(*event.view);
  TypeState& state = StateOf(type);
  RowBuffer buffer;
  const std::span<const int64_t> row = ReadRow(*event.view, type, hash_, &buffer);
  std::array<int64_t, kFieldsMax + kRowMarks> marked;
  int64_t* const marks = std::copy(row.begin(), row.end(), marked.begin());
  marks[kReporterMark] = event.reporter;
  marks[kEventMark] = EventMarkOf(event.record_index.value(), event.item.value());
  marks[kLeftOutMark] = 0;
  state.window.Push(counted_++, std::span(marked).first(row.size() + kRowMarks));
  if (CountsEntities()) {
    const EntityTable::Touched touched = entities_.Observe(*event.view, type, block_millis_);
    matcher_.OnEvent(*event.view, type, event.record_index.value(), event.item.value(), touched);
  }
  if (refilling()) return std::nullopt;
  ++state_.event_counts[static_cast<size_t>(type) - 1];
  const Activation* active = ActiveAt(state, next_height_);
  const KeptModel* kept = active == nullptr ? nullptr : ModelOf(state, active->digest);
  if (kept == nullptr) return std::nullopt;
  const uint32_t threshold = kept->model.threshold_q8();
  if (kept->model.ScoreRow(row).score_q8 < threshold) return std::nullopt;
  return Candidate{
      event.record_index, event.item,     event.leaf_hash, type,
      active->period,     active->digest, threshold,       kept->model.ExplainRow(row)};
}

void DetectorStream::OnMark(const EventMark& mark) {
  Require(in_block_, "a mark in an open block");
  const int64_t event = EventMarkOf(mark.record_index.value(), mark.item.value());
  for (TypeState& state : types_) state.window.LeaveOut(event, mark.left_out);
}

bool DetectorStream::EndBlock() {
  Require(in_block_, "an open block");
  in_block_ = false;
  const uint64_t height = next_height_;
  if (CountsEntities()) matches_ = matcher_.EndBlock();
  if (refilling()) {
    matches_.clear();
    for (const PendingPeriod& pending : state_.pending) {
      if (pending.window_end != height) continue;
      if (pending.events != counted_) return false;
      // What was trained before the restart is not trained again.
      CloseWindows(pending.period, pending.types_left);
      if (!Agrees(pending)) return false;
    }
    if (height == state_.height && counted_ != state_.events) return false;
    ++next_height_;
    return true;
  }
  state_.height = height;
  state_.events = counted_;
  CollectReveal();
  const uint64_t apart = std::max<uint64_t>(ReachOf(parameters_) / kEntitiesPerReach, 1);
  if (counted_ - state_.entities_events >= apart) entities_due_ = true;
  if (PeriodEndsHere()) EndPeriod();
  DropStale();
  ++next_height_;
  return true;
}

bool DetectorStream::Agrees(const PendingPeriod& pending) const {
  const Digest windows =
      hash_(Windows({pending.window_end, pending.events, pending.period, pending.event_counts}));
  if (CheckpointDigestOf(windows, pending.entities_hash, hash_) != pending.window_digest) {
    return false;
  }
  return !CountsEntities() ||
         hash_(SerializeEntitiesSection(EntitiesBody())) == pending.entities_hash;
}

std::optional<std::vector<Candidate>> DetectorStream::OnBlock(Height height, const Digest& reveal,
                                                              std::span<const BlockEvent> events,
                                                              uint64_t block_millis,
                                                              std::span<const EventMark> marks) {
  if (!BeginBlock(height, reveal, block_millis)) return std::nullopt;
  std::vector<Candidate> candidates;
  for (const BlockEvent& event : events) {
    std::optional<Candidate> candidate = OnEvent(event);
    if (candidate) candidates.push_back(std::move(*candidate));
  }
  for (const EventMark& mark : marks) OnMark(mark);
  if (!EndBlock()) return std::nullopt;
  return candidates;
}

void DetectorStream::CollectReveal() {
  for (PendingPeriod& pending : state_.pending) {
    if (pending.reveals.size() < parameters_.seed_reveals) pending.reveals.push_back(reveal_);
  }
}

bool DetectorStream::PeriodEndsHere() const {
  return state_.height % kPeriodHeightStep == 0 &&
         state_.events - state_.period_end_events >= parameters_.period_events &&
         (state_.period == 0 || state_.height - state_.period_end >= parameters_.seed_reveals);
}

void DetectorStream::EndPeriod() {
  const Height previous_end(state_.period_end);
  ++state_.period;
  state_.period_end = state_.height;
  state_.period_end_events = state_.events;
  const EventCounts counts = std::exchange(state_.event_counts, EventCounts{});
  const uint8_t types = CloseWindows(state_.period, kAllTypes);
  std::vector<uint8_t> bytes = Windows({state_.height, state_.events, state_.period, counts});
  const std::vector<uint8_t> entities = SerializeEntitiesSection(EntitiesBody());
  const Digest entities_hash = hash_(entities);
  const Digest digest = CheckpointDigestOf(hash_(bytes), entities_hash, hash_);
  bytes.insert(bytes.end(), entities.begin(), entities.end());
  checkpoint_ = {state_.period, Height(state_.height), previous_end, digest, std::move(bytes)};
  if (types == 0) return;
  if (state_.pending.size() == kPendingPeriodsMax) {
    closed_.erase(state_.pending.front().period);
    state_.pending.erase(state_.pending.begin());
  }
  state_.pending.push_back(
      {state_.period, state_.height, state_.events, digest, entities_hash, counts, types, {}});
}

uint8_t DetectorStream::CloseWindows(uint64_t period, uint8_t types) {
  uint8_t closed = 0;
  for (TypeState& state : types_) {
    state.window.DropBefore(OldestEvent(counted_));
    if ((types & BitOf(state.type)) == 0) continue;
    if (state.window.row_count() < kColdRowsMin) continue;
    closed_[period].emplace(state.type, state.window.Rows());
    closed |= BitOf(state.type);
  }
  return closed;
}

void DetectorStream::DropStale() {
  std::erase_if(state_.pending, [&](const PendingPeriod& pending) {
    const bool stale = pending.reveals.size() == parameters_.seed_reveals &&
                       pending.events < OldestEvent(state_.events);
    if (stale) closed_.erase(pending.period);
    return stale || pending.types_left == 0;
  });
  uint64_t oldest = OldestEvent(state_.events);
  if (!state_.pending.empty()) {
    oldest = std::min(oldest, OldestEvent(state_.pending.front().events));
  }
  const HeightMark first = MarkFor(state_, oldest);
  std::erase_if(state_.marks, [&](const HeightMark& mark) { return mark.height < first.height; });
}

Digest DetectorStream::SeedOf(EventType type, const PendingPeriod& pending) const {
  const auto number = static_cast<uint32_t>(type);
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/v1").Raw(chain_id_);
  for (int shift = 24; shift >= 0; shift -= 8) writer.U8(static_cast<uint8_t>(number >> shift));
  writer.Raw(EventSchema(type).HashWith(hash_));
  for (const Digest& reveal : pending.reveals) writer.Raw(reveal);
  return hash_(writer.bytes());
}

std::optional<TrainingJob> DetectorStream::NextJob() {
  if (refilling()) return std::nullopt;
  for (const PendingPeriod& pending : state_.pending) {
    const auto closed = closed_.find(pending.period);
    if (pending.reveals.size() < parameters_.seed_reveals || closed == closed_.end()) continue;
    const auto rows = closed->second.begin();
    const PastModel past = PastAt(StateOf(rows->first), pending.window_end);
    TrainingJob job{rows->first,
                    pending.period,
                    Height(pending.window_end),
                    pending.window_digest,
                    pending.event_counts[static_cast<size_t>(rows->first) - 1],
                    past.threshold_q8,
                    past.period,
                    past.digest,
                    SeedOf(rows->first, pending),
                    std::move(rows->second),
                    parameters_,
                    hash_};
    closed->second.erase(rows);
    if (closed->second.empty()) closed_.erase(closed);
    return job;
  }
  return std::nullopt;
}

TrainingResult DetectorStream::Run(const TrainingJob& job) {
  return {job.type,
          job.period,
          job.window_end,
          job.window_digest,
          job.event_count,
          job.previous_period,
          job.previous_digest,
          Model::Train(EventSchema(job.type), job.rows, job.seed, job.parameters, job.hash,
                       job.previous_threshold_q8)};
}

std::optional<ModelInfo> DetectorStream::Install(TrainingResult result) {
  for (PendingPeriod& pending : state_.pending) {
    if (pending.period == result.period) {
      pending.types_left = static_cast<uint8_t>(pending.types_left & ~BitOf(result.type));
    }
  }
  std::erase_if(state_.pending, [](const PendingPeriod& p) { return p.types_left == 0; });
  if (!result.model) return std::nullopt;
  ModelInfo info{result.type,
                 result.period,
                 result.window_end,
                 result.model->digest(),
                 result.window_digest,
                 result.model->row_count(),
                 result.model->threshold_q8(),
                 false,
                 result.event_count,
                 0,
                 {}};
  const KeptModel* const previous = ModelOf(StateOf(result.type), result.previous_digest);
  std::optional<FeatureDrift> largest;
  if (result.previous_period != 0 && previous != nullptr) {
    info.drift_period = result.previous_period;
    info.drifted = DriftBeyondLimit(previous->model, *result.model);
    const std::vector<FeatureDrift> drifts = DriftBetween(previous->model, *result.model);
    if (!drifts.empty()) largest = drifts.front();
  }
  Keep(result.type, {result.period, result.window_end.value(), result.window_digest,
                     std::move(*result.model), largest});
  return info;
}

bool DetectorStream::AddModel(EventType type, uint64_t period, Model model) {
  if (model.schema().HashWith(hash_) != EventSchema(type).HashWith(hash_)) return false;
  Keep(type, {period, 0, Digest{}, std::move(model), std::nullopt});
  return true;
}

void DetectorStream::Keep(EventType type, KeptModel kept) {
  TypeState& state = StateOf(type);
  if (ModelOf(state, kept.model.digest()) != nullptr) return;
  const auto after = std::upper_bound(
      state.models.begin(), state.models.end(), kept.period,
      [](uint64_t period, const KeptModel& other) { return period < other.period; });
  state.models.insert(after, std::move(kept));
  if (state.models.size() <= kModelsPerTypeMax) return;
  const auto is_named = [&](const KeptModel& model) {
    return std::any_of(state.activations.begin(), state.activations.end(),
                       [&](const Activation& a) { return a.digest == model.model.digest(); });
  };
  // At most kModelsPerTypeMax - 1 activations are kept, so an unnamed model is there.
  state.models.erase(std::find_if_not(state.models.begin(), state.models.end(), is_named));
}

void DetectorStream::Activate(EventType type, uint64_t period, const Digest& digest,
                              Height from_height, uint32_t threshold_q8) {
  std::vector<PastModel>& past = StateOf(type).past;
  if (past.size() == kThresholdsKept) past.erase(past.begin());
  past.push_back({from_height.value(), threshold_q8, period, digest});
  std::vector<Activation>& activations = StateOf(type).activations;
  // What another one replaces for every height to come is no longer needed.
  const uint64_t live = std::max(next_height_, state_.height + 1);
  while (activations.size() > 1 && activations[1].from_height <= live) {
    activations.erase(activations.begin());
  }
  if (activations.size() == kModelsPerTypeMax - 1) activations.erase(activations.begin());
  activations.push_back({period, digest, from_height.value()});
}

const DetectorStream::Activation* DetectorStream::ActiveAt(const TypeState& state,
                                                           uint64_t height) {
  const Activation* active = nullptr;
  for (const Activation& activation : state.activations) {
    if (activation.from_height <= height) active = &activation;
  }
  return active;
}

DetectorStream::PastModel DetectorStream::PastAt(const TypeState& state, uint64_t height) {
  PastModel last;
  for (const PastModel& past : state.past) {
    if (past.from_height <= height) last = past;
  }
  return last;
}

const DetectorStream::KeptModel* DetectorStream::ModelOf(const TypeState& state,
                                                         const Digest& digest) {
  for (const KeptModel& kept : state.models) {
    if (kept.model.digest() == digest) return &kept;
  }
  return nullptr;
}

Recomputation DetectorStream::Recompute(const EventView& event, const Digest& model_digest) const {
  const EventType type = TypeOf(event);
  const KeptModel* kept = ModelOf(StateOf(type), model_digest);
  if (kept == nullptr) {
    return {FindModel(model_digest) == nullptr ? Recomputed::kUnknownModel : Recomputed::kWrongType,
            {},
            0};
  }
  return {Recomputed::kOk, ScoreEvent(kept->model, event, hash_), kept->model.threshold_q8()};
}

const Model* DetectorStream::FindModel(const Digest& digest) const {
  for (const TypeState& state : types_) {
    const KeptModel* kept = ModelOf(state, digest);
    if (kept != nullptr) return &kept->model;
  }
  return nullptr;
}

std::vector<ModelInfo> DetectorStream::Models() const {
  std::vector<ModelInfo> infos;
  for (const TypeState& state : types_) {
    const Activation* active = ActiveAt(state, std::max(next_height_, state_.height + 1));
    for (const KeptModel& kept : state.models) {
      infos.push_back({state.type,
                       kept.period,
                       Height(kept.window_end),
                       kept.model.digest(),
                       kept.window_digest,
                       kept.model.row_count(),
                       kept.model.threshold_q8(),
                       active != nullptr && active->digest == kept.model.digest(),
                       0,
                       0,
                       {}});
    }
  }
  return infos;
}

std::vector<TypeInfo> DetectorStream::Types() const {
  std::vector<TypeInfo> infos;
  for (const TypeState& state : types_) {
    TypeInfo& info = infos.emplace_back();
    info.type = state.type;
    info.window_rows = static_cast<uint32_t>(state.window.row_count());
    if (state.models.empty()) continue;
    info.period = state.models.back().period;
    info.cold = state.models.back().model.cold();
    info.drift = state.models.back().drift;
  }
  return infos;
}

}  // namespace vigil::detector
