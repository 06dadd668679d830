#include "detector/stream/detector_stream.h"

#include <algorithm>
#include <deque>
#include <map>

#include "tests/detector/stream/chain.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::kChainId;
using testing::MakeBlock;
using testing::Sha256;
using testing::SmallParameters;
using testing::TestBlock;

// The whole history, and the rules of the header applied to it directly.
struct SlowChain {
  struct Row {
    EventType type;
    std::vector<int64_t> cells;  // Fields, reporter, event, whether it is left out.
  };
  struct Mark {
    uint64_t height;
    int64_t event;
    bool left_out;
  };
  std::vector<Row> events;
  std::vector<Mark> marks;
  std::vector<Digest> reveals;         // Of heights 1, 2 ...
  std::vector<uint64_t> events_at{0};  // Events up to height.

  void Add(const TestBlock& block) {
    RowBuffer buffer;
    for (const BlockEvent& event : block.events) {
      const EventType type = TypeOf(*event.view);
      const auto row = ReadRow(*event.view, type, Sha256, &buffer);
      events.push_back({type, {row.begin(), row.end()}});
      events.back().cells.push_back(event.reporter);
      events.back().cells.push_back(
          static_cast<int64_t>(event.record_index.value() * 16'384 + event.item.value()));
      events.back().cells.push_back(0);
    }
    for (const EventMark& mark : block.marks) {
      const auto event =
          static_cast<int64_t>(mark.record_index.value() * 16'384 + mark.item.value());
      marks.push_back({events_at.size(), event, mark.left_out});
    }
    reveals.push_back(block.reveal);
    events_at.push_back(events.size());
  }
  std::vector<std::vector<int64_t>> Window(EventType type, uint64_t height,
                                           const Parameters& p) const {
    const uint64_t end = events_at[height], reach = 16 * p.window_rows_max;
    std::deque<std::vector<int64_t>> rows;
    for (uint64_t i = end > reach ? end - reach : 0; i < end; ++i) {
      if (events[i].type == type) rows.push_back(events[i].cells);
      if (rows.size() > p.window_rows_max) rows.pop_front();
    }
    for (std::vector<int64_t>& row : rows) {
      for (const Mark& mark : marks) {  // The last one up to then counts.
        if (mark.height > height || mark.event != row[row.size() - 2]) continue;
        row.back() = mark.left_out ? 1 : 0;
      }
    }
    return {rows.begin(), rows.end()};
  }
  // Events of the type above height `after` up to `end`.
  uint64_t CountIn(EventType type, uint64_t after, uint64_t end) const {
    uint64_t count = 0;
    for (uint64_t i = events_at[after]; i < events_at[end]; ++i) count += events[i].type == type;
    return count;
  }
  Digest Seed(EventType type, uint64_t window_end, const Parameters& p) const {
    std::vector<uint8_t> message;
    for (const char c : std::string("vigil/detector/v1")) message.push_back(c);
    message.push_back(0);
    message.insert(message.end(), kChainId.begin(), kChainId.end());
    message.insert(message.end(), {0, 0, 0, static_cast<uint8_t>(type)});
    const Digest schema = EventSchema(type).HashWith(Sha256);
    message.insert(message.end(), schema.begin(), schema.end());
    for (uint32_t i = 0; i < p.seed_reveals; ++i) {
      const Digest& reveal = reveals[window_end + i];  // Index 0 is height 1.
      message.insert(message.end(), reveal.begin(), reveal.end());
    }
    return Sha256(message);
  }
  // Heights that end periods, in order.
  std::vector<uint64_t> PeriodEnds(const Parameters& p) const {
    std::vector<uint64_t> ends;
    uint64_t last_events = 0;
    for (uint64_t height = 4; height < events_at.size(); height += 4) {
      if (!ends.empty() && height < ends.back() + p.seed_reveals) continue;
      if (events_at[height] - last_events < p.period_events) continue;
      ends.push_back(height);
      last_events = events_at[height];
    }
    return ends;
  }
};

void CheckJobs(const Parameters& parameters, uint64_t heights, uint64_t events_max) {
  DetectorStream stream(parameters, kChainId, Sha256);
  SlowChain slow;
  std::map<std::pair<uint64_t, EventType>, bool> jobs;
  for (uint64_t height = 1; height <= heights; ++height) {
    const TestBlock block = MakeBlock(1, height, events_max);
    slow.Add(block);
    REQUIRE(stream.OnBlock(Height(height), block.reveal, block.events, block.millis, block.marks)
                .has_value());
    while (const std::optional<TrainingJob> job = stream.NextJob()) {
      const std::vector<uint64_t> ends = slow.PeriodEnds(parameters);
      REQUIRE(job->period <= ends.size());
      CHECK(job->window_end.value() == ends[job->period - 1]);
      CHECK(height == job->window_end.value() + parameters.seed_reveals);
      CHECK(job->seed == slow.Seed(job->type, job->window_end.value(), parameters));
      const auto window = slow.Window(job->type, job->window_end.value(), parameters);
      REQUIRE(job->rows.rows() == static_cast<int>(window.size()));
      CHECK(job->event_count == slow.CountIn(job->type,
                                             job->period == 1 ? 0 : ends[job->period - 2],
                                             job->window_end.value()));
      for (size_t i = 0; i < window.size(); ++i) {
        if (!std::equal(window[i].begin(), window[i].end(), job->rows.row(i).data())) {
          FAIL("row " << i << " of period " << job->period);
        }
      }
      CHECK(jobs.emplace(std::pair(job->period, job->type), true).second);
    }
  }
  // Every type with enough rows at every period end was given out.
  size_t want = 0;
  for (const uint64_t end : slow.PeriodEnds(parameters)) {
    if (end + parameters.seed_reveals > heights) continue;
    for (const EventType type : kEventTypes) {
      want += slow.Window(type, end, parameters).size() >= 64;
    }
  }
  CHECK(jobs.size() == want);
  CHECK(want > 6);
}

TEST_CASE("stream: windows and seeds and periods are those of the rules", "[detector]") {
  CheckJobs(SmallParameters(), 150, 60);
}

TEST_CASE("stream: a period waits for the seed of the one before", "[detector]") {
  Parameters parameters = SmallParameters();
  parameters.seed_reveals = 7;  // More than a step, and events enough for a period every step.
  CheckJobs(parameters, 60, 200);
}

TEST_CASE("stream: a rare type forgets what lies beyond the reach", "[detector]") {
  Parameters parameters = SmallParameters();
  parameters.seed_reveals = 7;
  parameters.period_events = 2000;
  CheckJobs(parameters, 120, 300);  // About 15,000 events; the reach is 8,192.
}

// Feeds `block`; what must hold is checked by the caller.
std::vector<Candidate> Feed(DetectorStream* stream, uint64_t height, const TestBlock& block) {
  const auto candidates =
      stream->OnBlock(Height(height), block.reveal, block.events, block.millis, block.marks);
  REQUIRE(candidates.has_value());
  return *candidates;
}

// Feeds ordinary blocks until the first model of flows is installed; returns it and the height.
struct Trained {
  ModelInfo info;
  uint64_t height = 0;
};
Trained TrainFlow(DetectorStream* stream) {
  for (uint64_t height = stream->ReplayFrom().value();; ++height) {
    REQUIRE(height < 200);
    CHECK(Feed(stream, height, MakeBlock(1, height)).empty());
    Trained trained;
    while (const std::optional<TrainingJob> job = stream->NextJob()) {
      const std::optional<ModelInfo> info = stream->Install(DetectorStream::Run(*job));
      REQUIRE(info.has_value());
      if (info->type == EventType::kFlow) trained = {*info, height};
    }
    if (trained.height != 0) return trained;
  }
}

TestBlock BlockWithAnomaly() {
  uint64_t height = 77'777;
  while (MakeBlock(1, height).events.size() < 30) ++height;
  TestBlock block = MakeBlock(1, height);
  auto owned = std::make_unique<testing::OwnedEvent>();
  SplitMix64 random(5);
  testing::FillEvent(&random, 0, owned.get());
  owned->view.bytes_out = 40'000'000'000;
  owned->view.dst.port = 31'337;
  owned->view.status_code = "REJ";
  block.events.push_back({RecordIndex(777), ItemIndex(3), Sha256("leaf"), 0, &owned->view});
  block.owned.push_back(std::move(owned));
  return block;
}

TEST_CASE("stream: an anomaly becomes a candidate once a model is active", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  const Trained trained = TrainFlow(&stream);
  const TestBlock block = BlockWithAnomaly();
  const auto is_planted = [](const Candidate& c) { return c.record_index == RecordIndex(777); };
  uint64_t height = trained.height;
  CHECK(Feed(&stream, ++height, block).empty());  // Trained, not active.
  stream.Activate(EventType::kFlow, trained.info.period, trained.info.digest, Height(height + 2),
                  trained.info.threshold_q8);
  CHECK(Feed(&stream, ++height, block).empty());  // Active from the next height on.
  const std::vector<Candidate> candidates = Feed(&stream, ++height, block);
  const auto planted = std::find_if(candidates.begin(), candidates.end(), is_planted);
  REQUIRE(planted != candidates.end());
  CHECK(planted->item == ItemIndex(3));
  CHECK(planted->leaf_hash == Sha256("leaf"));
  CHECK(planted->type == EventType::kFlow);
  CHECK(planted->period == trained.info.period);
  CHECK(planted->model_digest == trained.info.digest);
  CHECK(planted->threshold_q8 == trained.info.threshold_q8);
  CHECK(planted->score.score_q8 >= planted->threshold_q8);
  CHECK(!planted->score.reasons.empty());
  for (const Candidate& candidate : candidates) {
    CHECK(candidate.type == EventType::kFlow);  // Nothing is active for the other types.
    CHECK(candidate.score.score_q8 >= candidate.threshold_q8);
  }
  CHECK(candidates.size() < block.events.size());
  const Recomputation again = stream.Recompute(*block.events.back().view, trained.info.digest);
  CHECK(again.outcome == Recomputed::kOk);
  CHECK(again.score == planted->score);
  CHECK(again.threshold_q8 == planted->threshold_q8);
}

TEST_CASE("stream: a model that is active but unknown here alerts on nothing", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  const Trained trained = TrainFlow(&stream);
  stream.Activate(EventType::kFlow, 1, Sha256("not ours"), Height(1), 1);
  CHECK(Feed(&stream, trained.height + 1, BlockWithAnomaly()).empty());
}

TEST_CASE("stream: recomputing refuses an unknown model and one of another type", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  const Trained trained = TrainFlow(&stream);
  EventView event;
  event.type_uid = 400'201;
  CHECK(stream.Recompute(event, trained.info.digest).outcome == Recomputed::kWrongType);
  CHECK(stream.Recompute(event, Sha256("none")).outcome == Recomputed::kUnknownModel);
}

TEST_CASE("stream: heights come one by one", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  CHECK(stream.ReplayFrom() == Height(1));
  CHECK_FALSE(stream.BeginBlock(Height(2), Digest{}, 0));
  CHECK_FALSE(stream.BeginBlock(Height(0), Digest{}, 0));
  REQUIRE(stream.BeginBlock(Height(1), Digest{}, 0));
  CHECK_FALSE(stream.BeginBlock(Height(1), Digest{}, 0));  // Already open.
  CHECK(stream.EndBlock());
  CHECK_FALSE(stream.BeginBlock(Height(1), Digest{}, 0));
  CHECK(stream.height() == Height(1));
}

TEST_CASE("stream: few models are kept and the active one among them", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  std::optional<Digest> first;
  uint64_t trained = 0;
  for (uint64_t height = 1; height <= 250; ++height) {
    Feed(&stream, height, MakeBlock(1, height));
    while (const std::optional<TrainingJob> job = stream.NextJob()) {
      const std::optional<ModelInfo> info = stream.Install(DetectorStream::Run(*job));
      REQUIRE(info.has_value());
      trained += info->type == EventType::kFlow;
      if (info->type != EventType::kFlow || first) continue;
      first = info->digest;
      stream.Activate(EventType::kFlow, info->period, *first, Height(height + 1), 2000);
    }
  }
  REQUIRE(trained > kModelsPerTypeMax + 2);
  const std::vector<ModelInfo> models = stream.Models();
  CHECK(std::count_if(models.begin(), models.end(), [](const ModelInfo& m) {
          return m.type == EventType::kFlow;
        }) == static_cast<int>(kModelsPerTypeMax));
  CHECK(stream.FindModel(*first) != nullptr);
  CHECK(std::count_if(models.begin(), models.end(),
                      [&](const ModelInfo& m) { return m.active && m.digest == *first; }) == 1);
}

TEST_CASE("stream: a later activation takes over at its height", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  const Trained trained = TrainFlow(&stream);
  const TestBlock block = BlockWithAnomaly();
  uint64_t height = trained.height;
  stream.Activate(EventType::kFlow, 1, trained.info.digest, Height(height + 1), 2000);
  stream.Activate(EventType::kFlow, 2, Sha256("next"), Height(height + 2), 2000);
  CHECK(!Feed(&stream, ++height, block).empty());
  CHECK(Feed(&stream, ++height, block).empty());  // "next" is not known here.
}

TEST_CASE("stream: a model is only taken for its own type", "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  const Trained trained = TrainFlow(&stream);
  const std::vector<uint8_t> bytes = stream.FindModel(trained.info.digest)->Serialize();
  DetectorStream other(SmallParameters(), kChainId, Sha256);
  std::optional<Model> model = Model::Parse(bytes, EventSchema(EventType::kFlow), Sha256);
  REQUIRE(model.has_value());
  CHECK_FALSE(other.AddModel(EventType::kAuth, 1, *model));
  CHECK(other.AddModel(EventType::kFlow, 1, *model));
  CHECK(other.FindModel(trained.info.digest) != nullptr);
}

TEST_CASE("stream: a host that never trains costs a bounded replay", "[detector]") {
  Parameters parameters = SmallParameters();
  parameters.period_events = GENERATE(256, 10'000);  // Shorter and longer than the reach.
  DetectorStream stream(parameters, kChainId, Sha256);
  uint64_t events = 0;
  std::vector<uint8_t> entities;
  std::vector<uint64_t> events_before{0};
  for (uint64_t height = 1; height <= 400; ++height) {
    const TestBlock block = MakeBlock(2, height, 300);
    events_before.push_back(events);
    events += block.events.size();
    Feed(&stream, height, block);
    if (auto taken = stream.TakeEntities()) entities = *std::move(taken);
  }
  REQUIRE(events > 40'000);
  const std::vector<uint8_t> state = stream.SerializeState();
  CHECK(state.size() < 16 * 1024);
  auto restored = DetectorStream::Restore(parameters, kChainId, Sha256, state, {}, entities);
  REQUIRE(restored.has_value());
  const uint64_t replayed = events - events_before[restored->ReplayFrom().value()];
  CHECK(replayed >= 8'192);
  CHECK(replayed < 2 * 8'192 + 2 * 300);
}

TEST_CASE("stream: drift is told against the model that was active when the window closed",
          "[detector]") {
  DetectorStream stream(SmallParameters(), kChainId, Sha256);
  std::map<uint64_t, std::vector<uint8_t>> files;  // Of flows, by period.
  size_t compared = 0;
  for (uint64_t height = 1; height <= 90; ++height) {
    const TestBlock block = MakeBlock(5, height);
    REQUIRE(stream.OnBlock(Height(height), block.reveal, block.events, block.millis, block.marks)
                .has_value());
    while (const std::optional<TrainingJob> job = stream.NextJob()) {
      const std::optional<ModelInfo> info = stream.Install(DetectorStream::Run(*job));
      REQUIRE(info.has_value());
      if (info->type != EventType::kFlow) continue;
      files[info->period] = stream.FindModel(info->digest)->Serialize();
      const std::optional<FeatureDrift> told = stream.Types().front().drift;
      CHECK(told.has_value() == (job->previous_period != 0));
      // Only every other model becomes active, so it is not the one before.
      if (info->period % 2 == 1) {
        stream.Activate(info->type, info->period, info->digest, Height(height + 1),
                        info->threshold_q8);
      }
      if (!told.has_value() || job->previous_period + 1 == info->period) continue;
      const auto model = [&](uint64_t period) {
        return Model::Parse(files.at(period), EventSchema(EventType::kFlow), Sha256);
      };
      const auto with = [&](uint64_t period) {
        return DriftBetween(*model(period), *model(info->period)).front();
      };
      const FeatureDrift right = with(job->previous_period);
      CHECK(told->feature == right.feature);
      CHECK(told->psi_q8 == right.psi_q8);
      const FeatureDrift wrong = with(info->period - 1);
      if (wrong.feature != right.feature || wrong.psi_q8 != right.psi_q8) ++compared;
    }
  }
  CHECK(compared > 0);
}

}  // namespace
}  // namespace vigil::detector
