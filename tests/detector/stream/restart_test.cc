// A stream that was stopped and restored anywhere goes on exactly like one that never stopped.
#include <algorithm>
#include <map>

#include "detector/stream/detector_stream.h"
#include "tests/detector/stream/chain.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::BusyRules;
using testing::kChainId;
using testing::MakeBlock;
using testing::Sha256;
using testing::SmallParameters;
using testing::TestBlock;

constexpr uint64_t kHeights = 90;

// Trains at once, activates flows two heights later, and keeps what a host would keep on disk.
struct Host {
  DetectorStream stream{SmallParameters(), kChainId, Sha256, BusyRules()};
  std::vector<uint8_t> state;
  std::vector<uint8_t> entities;
  std::map<std::pair<EventType, uint64_t>, std::vector<uint8_t>> disk;
  ModelInfo active;
  uint64_t active_from = 0;
  std::vector<std::pair<ModelInfo, uint64_t>> activated;  // All, with their heights.
  std::vector<std::string> story;                         // One line for everything that came out.
  bool lazy = false;                                      // Leaves jobs alone.
  std::map<uint64_t, std::vector<uint8_t>> checkpoints;   // By height.
  std::map<uint64_t, Digest> window_digests;              // Likewise.
  std::map<uint64_t, RuleSet> changes;                    // Rules by their first height.

  void Tell(const std::string& what, uint64_t height, const Digest& digest, uint64_t number) {
    story.push_back(what + " " + std::to_string(height) + " " + testing::Hex(digest) + " " +
                    std::to_string(number));
  }
  void Train() {
    while (const std::optional<TrainingJob> job = stream.NextJob()) {
      const std::optional<ModelInfo> info = stream.Install(DetectorStream::Run(*job));
      REQUIRE(info.has_value());
      disk[{info->type, info->period}] = stream.FindModel(info->digest)->Serialize();
      Tell("model", info->window_end.value(), info->digest, info->period);
      CHECK(info->window_digest == window_digests[info->window_end.value()]);
      if (info->type != EventType::kFlow) continue;
      active = *info;
      active_from = info->window_end.value() + SmallParameters().seed_reveals + 2;
      stream.Activate(info->type, info->period, info->digest, Height(active_from),
                      info->threshold_q8);
      activated.emplace_back(*info, active_from);
    }
  }
  void Step(uint64_t height, uint64_t seed = 3) {
    const TestBlock block = MakeBlock(seed, height);
    const auto rules = changes.upper_bound(height);
    if (rules != changes.begin()) stream.SetRules(std::prev(rules)->second);
    const auto candidates =
        stream.OnBlock(Height(height), block.reveal, block.events, block.millis, block.marks);
    REQUIRE(candidates.has_value());
    for (const Candidate& candidate : *candidates) {
      Tell("alert", height, candidate.leaf_hash, candidate.score.score_q8);
    }
    if (stream.refilling() || stream.height() != Height(height)) return;
    if (const std::optional<PeriodCheckpoint> taken = stream.TakeCheckpoint()) {
      CHECK(taken->height == Height(height));
      CHECK(taken->digest == CheckpointDigest(taken->bytes, Sha256));
      checkpoints[height] = taken->bytes;
      window_digests[height] = taken->digest;
      CHECK_FALSE(stream.TakeCheckpoint().has_value());
    }
    for (const RuleMatch& match : stream.TakeMatches()) {
      CHECK(match.height == height);
      Tell("rule" + std::to_string(match.rule), height, Digest{}, match.item);
    }
    if (!lazy) Train();
    if (auto taken = stream.TakeEntities()) entities = *std::move(taken);
    state = stream.SerializeState();
  }
  // Loses the stream, and everything else but what lies on disk.
  void Restart(std::span<const uint8_t> checkpoint = {}) {
    auto restored = DetectorStream::Restore(SmallParameters(), kChainId, Sha256, state, checkpoint,
                                            entities, BusyRules());
    REQUIRE(restored.has_value());
    GoOnWith(std::move(*restored));
  }
  void GoOnWith(DetectorStream other) {
    stream = std::move(other);
    for (const auto& [key, bytes] : disk) {
      auto model = Model::Parse(bytes, EventSchema(key.first), Sha256);
      REQUIRE(model.has_value());
      REQUIRE(stream.AddModel(key.first, key.second, std::move(*model)));
    }
    for (const auto& [info, from] : activated) {
      stream.Activate(EventType::kFlow, info.period, info.digest, Height(from), info.threshold_q8);
    }
  }
  // Replays up to `height` and goes on to the end.
  void Finish() {
    for (uint64_t height = stream.ReplayFrom().value(); height <= kHeights; ++height) Step(height);
    if (!lazy) Train();
  }
};

TEST_CASE("restart: at every height the story goes on the same", "[detector]") {
  Host whole;
  whole.Finish();
  REQUIRE(std::count_if(whole.story.begin(), whole.story.end(),
                        [](const std::string& line) { return line.starts_with("model"); }) > 8);
  REQUIRE(std::count_if(whole.story.begin(), whole.story.end(),
                        [](const std::string& line) { return line.starts_with("alert"); }) > 0);
  for (uint64_t stop = 1; stop < kHeights; stop += 3) {
    CAPTURE(stop);
    Host host;
    for (uint64_t height = 1; height <= stop; ++height) host.Step(height);
    const std::vector<uint8_t> before = host.state;
    host.Restart();
    for (uint64_t height = host.stream.ReplayFrom().value(); height <= stop; ++height) {
      host.Step(height);
    }
    CHECK_FALSE(host.stream.refilling());
    CHECK(host.stream.SerializeState() == before);
    host.Finish();
    CHECK(host.story == whole.story);
    CHECK(host.state == whole.state);
  }
}

TEST_CASE("restart: with any checkpoint that is not too new the story goes on the same",
          "[detector]") {
  Host whole;
  whole.Finish();
  size_t shorter = 0;
  for (uint64_t stop = 1; stop < kHeights; stop += 7) {
    CAPTURE(stop);
    Host before;
    for (uint64_t height = 1; height <= stop; ++height) before.Step(height);
    for (const auto& [at, bytes] : before.checkpoints) {
      CAPTURE(at);
      Host host = before;
      const auto by_marks = DetectorStream::Restore(SmallParameters(), kChainId, Sha256,
                                                    before.state, {}, before.entities, BusyRules());
      host.Restart(bytes);
      CHECK(host.stream.ReplayFrom() == Height(at + 1));
      if (host.stream.ReplayFrom() > by_marks->ReplayFrom()) ++shorter;
      for (uint64_t height = at + 1; height <= stop; ++height) host.Step(height);
      CHECK_FALSE(host.stream.refilling());
      CHECK(host.stream.SerializeState() == before.state);
      host.Finish();
      CHECK(host.story == whole.story);
      CHECK(host.checkpoints == whole.checkpoints);
    }
  }
  CHECK(shorter > 10);
}

TEST_CASE("restart: a stream that begins with a checkpoint says the same from there on",
          "[detector]") {
  Host whole;
  whole.Finish();
  REQUIRE(whole.checkpoints.size() >= 6);
  for (const auto& [at, bytes] : whole.checkpoints) {
    CAPTURE(at);
    // What the chain says was active then, and the models that others serve.
    Host host;
    for (uint64_t height = 1; height <= at; ++height) host.Step(height);
    host.story.clear();
    auto begun =
        DetectorStream::FromCheckpoint(SmallParameters(), kChainId, Sha256, bytes, BusyRules());
    REQUIRE(begun.has_value());
    CHECK(begun->height() == Height(at));
    CHECK_FALSE(begun->refilling());
    host.GoOnWith(std::move(*begun));
    host.state = host.stream.SerializeState();

    // It can be stopped at once, but then needs the checkpoint again.
    if (!host.stream.Models().empty()) {
      CHECK_FALSE(DetectorStream::Restore(SmallParameters(), kChainId, Sha256, host.state, {}, {},
                                          BusyRules()));
      host.Restart(bytes);
    }
    host.Finish();
    std::vector<std::string> rest;
    for (const std::string& line : whole.story) {
      if (std::stoull(line.substr(line.find(' '))) > at ||
          line.starts_with("model " + std::to_string(at) + " ")) {
        rest.push_back(line);
      }
    }
    CHECK(host.story == rest);
    CHECK(host.checkpoints == whole.checkpoints);
  }
}

TEST_CASE("restart: a checkpoint newer than a window that still waits is refused", "[detector]") {
  Host host;
  host.lazy = true;
  for (uint64_t height = 1; host.checkpoints.size() < 2; ++height) host.Step(height);
  const std::vector<uint8_t>& newest = host.checkpoints.rbegin()->second;
  REQUIRE(ParseBookkeeping(host.state, kChainId, SmallParameters())->pending.size() == 2);
  CHECK_FALSE(DetectorStream::Restore(SmallParameters(), kChainId, Sha256, host.state, newest, {},
                                      BusyRules()));
  CHECK(DetectorStream::Restore(SmallParameters(), kChainId, Sha256, host.state,
                                host.checkpoints.begin()->second, {}, BusyRules()));
}

TEST_CASE("restart: a replay that leads to another window than was committed is noticed",
          "[detector]") {
  Host host;
  host.lazy = true;
  uint64_t height = 1;
  while (host.checkpoints.empty()) host.Step(height++);
  const uint64_t end = height - 1;
  auto changed = ParseBookkeeping(host.state, kChainId, SmallParameters());
  REQUIRE(changed->pending.size() == 1);
  changed->pending[0].window_digest[0] ^= 1;
  host.state = SerializeBookkeeping(*changed, kChainId, SmallParameters());
  host.Restart();
  bool noticed = false;
  for (uint64_t again = 1; again <= end && !noticed; ++again) {
    const TestBlock block = MakeBlock(3, again);
    noticed =
        !host.stream.OnBlock(Height(again), block.reveal, block.events, block.millis, block.marks)
             .has_value();
    if (noticed) CHECK(again == end);
  }
  CHECK(noticed);
}

TEST_CASE("restart: a period that was not trained yet is trained afterwards", "[detector]") {
  Host whole;
  whole.Finish();
  Host host;
  host.lazy = true;
  // Stops as soon as a window has closed, long before anything was trained.
  uint64_t height = 1;
  while (ParseBookkeeping(host.stream.SerializeState(), kChainId, SmallParameters())
             ->pending.empty()) {
    host.Step(height++);
  }
  host.Restart();
  host.lazy = false;
  host.Finish();
  CHECK(host.story == whole.story);
}

TEST_CASE("restart: a job that was given out and lost is given out again", "[detector]") {
  Host host;
  host.lazy = true;
  std::optional<TrainingJob> lost;
  for (uint64_t height = 1; !lost; ++height) {
    host.Step(height);
    lost = host.stream.NextJob();
  }
  const uint64_t stop = host.stream.height().value();
  host.state = host.stream.SerializeState();
  host.Restart();
  for (uint64_t height = host.stream.ReplayFrom().value(); height <= stop; ++height) {
    CHECK_FALSE(host.stream.NextJob().has_value());  // Not while refilling.
    host.Step(height);
  }
  const std::optional<TrainingJob> again = host.stream.NextJob();
  REQUIRE(again.has_value());
  CHECK(again->seed == lost->seed);
  CHECK(again->rows == lost->rows);
  CHECK(again->period == lost->period);
}

TEST_CASE("restart: what was trained before is not trained again", "[detector]") {
  Host host;
  host.lazy = true;
  std::vector<EventType> types;
  for (uint64_t height = 1; types.empty(); ++height) {
    host.Step(height);
    while (const std::optional<TrainingJob> job = host.stream.NextJob()) {
      types.push_back(job->type);
      if (types.size() == 1) host.stream.Install(DetectorStream::Run(*job));
    }
  }
  REQUIRE(types.size() >= 2);
  const uint64_t stop = host.stream.height().value();
  host.state = host.stream.SerializeState();
  host.Restart();
  for (uint64_t height = host.stream.ReplayFrom().value(); height <= stop; ++height) {
    host.Step(height);
  }
  for (size_t i = 1; i < types.size(); ++i) {
    const std::optional<TrainingJob> job = host.stream.NextJob();
    REQUIRE(job.has_value());
    CHECK(job->type == types[i]);
  }
  CHECK_FALSE(host.stream.NextJob().has_value());
}

TEST_CASE("restart: a window that closed long ago is rebuilt whole", "[detector]") {
  // Dense blocks: the window of the waiting period reaches back beyond that of today.
  Parameters parameters = SmallParameters();
  parameters.period_events = 2'500;
  DetectorStream stream(parameters, kChainId, Sha256);
  uint64_t height = 0;
  std::vector<uint8_t> entities;
  std::optional<Bookkeeping> b;
  do {
    const TestBlock block = MakeBlock(6, ++height, 300);
    REQUIRE(stream.OnBlock(Height(height), block.reveal, block.events, block.millis, block.marks)
                .has_value());
    if (auto taken = stream.TakeEntities()) entities = *std::move(taken);
    b = ParseBookkeeping(stream.SerializeState(), kChainId, parameters);
    REQUIRE(b.has_value());
    REQUIRE(height < 300);
  } while (b->pending.empty() || b->pending[0].events < 12'000 ||
           b->events < b->pending[0].events + 5'000);
  auto restored =
      DetectorStream::Restore(parameters, kChainId, Sha256, stream.SerializeState(), {}, entities);
  REQUIRE(restored.has_value());
  REQUIRE(restored->ReplayFrom() > Height(1));
  for (uint64_t again = restored->ReplayFrom().value(); again <= height; ++again) {
    const TestBlock block = MakeBlock(6, again, 300);
    REQUIRE(restored->OnBlock(Height(again), block.reveal, block.events, block.millis, block.marks)
                .has_value());
  }
  int jobs = 0;
  for (;; ++jobs) {
    const std::optional<TrainingJob> want = stream.NextJob(), got = restored->NextJob();
    REQUIRE(want.has_value() == got.has_value());
    if (!want) break;
    CHECK(got->period == want->period);
    CHECK(got->seed == want->seed);
    REQUIRE(got->rows.rows() == want->rows.rows());
    CHECK(got->rows == want->rows);
  }
  CHECK(jobs >= 6);
}

TEST_CASE("restart: a replay of other blocks is noticed", "[detector]") {
  Host host;
  for (uint64_t height = 1; height <= 30; ++height) host.Step(height);
  host.Restart();
  bool noticed = false;
  for (uint64_t height = host.stream.ReplayFrom().value(); height <= 30; ++height) {
    const TestBlock block = MakeBlock(4, height);
    noticed =
        !host.stream.OnBlock(Height(height), block.reveal, block.events, block.millis, block.marks)
             .has_value();
    if (noticed) break;
  }
  CHECK(noticed);
}

TEST_CASE("restart: the entities that were stored are needed and must be whole", "[detector]") {
  Host host;
  for (uint64_t height = 1; host.entities.empty(); ++height) host.Step(height);
  const uint64_t stored_at = host.stream.height().value();
  for (uint64_t height = stored_at + 1; height <= stored_at + 3; ++height) host.Step(height);
  const auto restore = [&](const std::vector<uint8_t>& entities) {
    return DetectorStream::Restore(SmallParameters(), kChainId, Sha256, host.state, {}, entities,
                                   BusyRules());
  };
  CHECK(restore(host.entities).has_value());
  CHECK_FALSE(restore({}).has_value());
  for (const size_t at : {size_t{0}, size_t{17}, host.entities.size() - 60}) {
    std::vector<uint8_t> damaged = host.entities;
    damaged[at] ^= 0x40;
    INFO(at);
    auto restored = restore(damaged);
    if (!restored.has_value()) continue;
    CHECK(at > 100);
  }
  std::vector<uint8_t> cut = host.entities;
  cut.pop_back();
  CHECK_FALSE(restore(cut).has_value());
  // Of another time than the state says.
  Host later = host;
  for (uint64_t height = stored_at + 4; later.entities == host.entities; ++height) {
    later.Step(height);
  }
  CHECK_FALSE(restore(later.entities).has_value());
}

TEST_CASE("restart: entities and matches are those of a stream that never stopped", "[detector]") {
  Host whole;
  whole.Finish();
  size_t rules = 0;
  for (const std::string& line : whole.story) rules += line.starts_with("rule") ? 1 : 0;
  CHECK(rules > 20);
  const auto bytes_of = [](const DetectorStream& stream) {
    LittleEndianWriter writer;
    stream.entities().Serialize(&writer);
    stream.matcher().Serialize(&writer);
    return writer.Take();
  };
  for (const auto& [at, bytes] : whole.checkpoints) {
    CAPTURE(at);
    auto begun =
        DetectorStream::FromCheckpoint(SmallParameters(), kChainId, Sha256, bytes, BusyRules());
    REQUIRE(begun.has_value());
    for (uint64_t height = at + 1; height <= kHeights; ++height) {
      const TestBlock block = MakeBlock(3, height);
      REQUIRE(begun->OnBlock(Height(height), block.reveal, block.events, block.millis).has_value());
    }
    CHECK(bytes_of(*begun) == bytes_of(whole.stream));
  }
}

// Another file than BusyRules(), with other rules: 1 later, 2 gone, 3 new.
RuleSet OtherRules() {
  std::string error;
  std::optional<RuleSet> rules = ParseRules(
      "vigil-rules 1\nversion 2\n"
      "rule 1 busy\ntitle t\ntechnique T1046\nscore 9\nentity source\n"
      "at-least events 20 in 60s\nquiet 60s\n"
      "rule 3 failing\ntitle t\ntechnique T1110\nscore 9\nentity destination\n"
      "at-least events 5 in 2s\nquiet 2s\n",
      [](std::span<const uint8_t> bytes) { return Sha256(bytes); }, &error);
  REQUIRE(rules.has_value());
  return *std::move(rules);
}

std::vector<uint8_t> RuleBytes(const DetectorStream& stream) {
  LittleEndianWriter writer;
  stream.entities().Serialize(&writer);
  stream.matcher().Serialize(&writer);
  return writer.Take();
}

// There and back again, so that the first file has two spans.
Host ChangingHost() {
  Host host;
  host.changes = {{1, BusyRules()}, {31, OtherRules()}, {64, BusyRules()}};
  return host;
}

TEST_CASE("restart: across changes of rules the story goes on the same", "[detector]") {
  Host whole = ChangingHost();
  whole.Finish();
  const auto told = [&](const std::string& rule) {
    return std::count_if(whole.story.begin(), whole.story.end(),
                         [&](const std::string& line) { return line.starts_with(rule); });
  };
  REQUIRE(told("rule2 ") > 5);
  REQUIRE(told("rule3 ") > 5);
  for (const std::string& line : whole.story) {
    const uint64_t height = std::stoull(line.substr(line.find(' ')));
    const bool other = height >= 31 && height < 64;
    if (line.starts_with("rule2 ")) CHECK_FALSE(other);
    if (line.starts_with("rule3 ")) CHECK(other);
  }
  for (uint64_t stop = 1; stop < kHeights; stop += stop % 5 == 0 ? 1 : 2) {
    CAPTURE(stop);
    Host host = ChangingHost();
    for (uint64_t height = 1; height <= stop; ++height) host.Step(height);
    host.Restart();
    host.Finish();
    CHECK(host.story == whole.story);
    CHECK(host.state == whole.state);
    CHECK(RuleBytes(host.stream) == RuleBytes(whole.stream));
  }
}

TEST_CASE("restart: a stream that begins with a checkpoint goes through a change like the others",
          "[detector]") {
  Host whole = ChangingHost();
  whole.Finish();
  size_t before = 0;
  for (const auto& [at, bytes] : whole.checkpoints) {
    CAPTURE(at);
    before += at < 31 ? 1 : 0;
    auto begun = DetectorStream::FromCheckpoint(SmallParameters(), kChainId, Sha256, bytes);
    REQUIRE(begun.has_value());
    Host host = ChangingHost();
    for (uint64_t height = 1; height <= at; ++height) host.Step(height);
    host.GoOnWith(std::move(*begun));
    host.Finish();
    CHECK(host.checkpoints == whole.checkpoints);
    CHECK(RuleBytes(host.stream) == RuleBytes(whole.stream));
  }
  CHECK(before > 0);
}

TEST_CASE("restart: a change that comes a block early or late makes another checkpoint",
          "[detector]") {
  Host whole = ChangingHost();
  whole.Finish();
  for (const uint64_t height : {uint64_t{30}, uint64_t{32}}) {
    Host host;
    host.changes = {{1, BusyRules()}, {height, OtherRules()}, {64, BusyRules()}};
    host.lazy = true;
    host.Finish();
    CHECK(host.checkpoints.begin()->second == whole.checkpoints.begin()->second);
    CHECK(host.checkpoints.rbegin()->second != whole.checkpoints.rbegin()->second);
  }
}

TEST_CASE("restart: entities that differ from those of a committed period are noticed",
          "[detector]") {
  Host host;
  host.lazy = true;
  uint64_t height = 1;
  while (host.checkpoints.empty()) host.Step(height++);
  auto changed = ParseBookkeeping(host.state, kChainId, SmallParameters());
  REQUIRE(changed->pending.size() == 1);
  // Consistent in itself, but of other entities than the blocks show.
  const std::vector<uint8_t>& bytes = host.checkpoints.begin()->second;
  const auto contents = ParseCheckpoint(bytes, kChainId, SmallParameters(), Sha256);
  REQUIRE(contents.has_value());
  const size_t before = bytes.size() - contents->entities.size() - 10;
  changed->pending[0].entities_hash[3] ^= 1;
  changed->pending[0].window_digest =
      CheckpointDigestOf(Sha256(std::span<const uint8_t>(bytes).first(before)),
                         changed->pending[0].entities_hash, Sha256);
  host.state = SerializeBookkeeping(*changed, kChainId, SmallParameters());
  host.Restart();
  bool noticed = false;
  for (uint64_t again = 1; again < height && !noticed; ++again) {
    const TestBlock block = MakeBlock(3, again);
    noticed =
        !host.stream.OnBlock(Height(again), block.reveal, block.events, block.millis).has_value();
  }
  CHECK(noticed);
}

}  // namespace
}  // namespace vigil::detector
