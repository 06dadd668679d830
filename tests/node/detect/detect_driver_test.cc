// The detector's driver over a chain that a lone node makes, with a port of the test's own: what it
// says, when it says it, and what it remembers.
#include "node/detect/detect_driver.h"

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/chain/epoch.h"
#include "ledger/log/merkle.h"
#include "ledger/storage/memory_store.h"
#include "node/driver/chain_access.h"
#include "node/driver/node.h"
#include "tests/sim/sim_cluster.h"
#include "tests/support/catch.h"
#include "vigil/v1/record.pb.h"

namespace vigil::node {
namespace {

using ledger::AlertBody;
using ledger::AttestationBody;
using ledger::ModelCommitmentBody;
using ledger::Record;
using sim::SensorStream;
using sim::SimCluster;

constexpr int64_t kSecond = 1'000'000;
constexpr uint32_t kValidators = 3;

sim::NetworkOptions Options() {
  sim::NetworkOptions options;
  options.validators = kValidators;
  options.snapshot_interval_blocks = 65;
  options.detector.window_rows_max = 512;
  options.detector.window_rows_min = 128;
  options.detector.period_events = 512;
  options.detector.trees = 10;
  options.detector.sample_rows = 64;
  options.detector.seed_reveals = 1;
  options.detector.threshold_floor_q8 = 256;
  return options;
}

// A cluster without detectors of its own: the tests drive one, as validator 0, from node 0's chain.
class DetectTest : public DetectPort {
 public:
  DetectTest() : cluster(Options(), /*seed=*/51) {
    for (uint32_t i = 0; i < kValidators; ++i) cluster.config(i).detector_enabled = false;
    cluster.StartAll();
    REQUIRE(cluster.RunUntil([&] { return cluster.leader() != nullptr; }, 20 * kSecond));
  }

  void Open(uint32_t validator = 0) {
    driver.reset();
    self = validator;
    auto opened =
        DetectDriver::Open(&cluster.test_network().genesis(), ValidatorIndex(validator),
                           &cluster.test_network().record_key(validator), &store, this, [] {});
    REQUIRE(opened.ok());
    driver = *std::move(opened);
  }
  // Commits `batches` of 50 events.
  void Traffic(int batches, uint32_t odd_permille = 0) {
    for (int i = 0; i < batches; ++i) Commit(stream.NextBatch(50, odd_permille));
  }
  void Commit(Record record) {
    bool done = false;
    cluster.node(0)->Submit(std::move(record), [&](const SubmitOutcome& outcome) {
      INFO(outcome.error.what);
      CHECK(outcome.error.ok());
      done = true;
    });
    REQUIRE(cluster.RunUntil([&] { return done; }, 20 * kSecond));
  }
  // Steps the driver until it has nothing to do.
  void Drive() {
    for (;;) {
      const auto worked = driver->Step();
      INFO(worked.status());
      REQUIRE(worked.ok());
      if (!*worked) return;
    }
  }
  // The bodies of what the driver submitted and nobody answered yet.
  template <typename Body>
  std::vector<Body> Sent() {
    std::vector<Body> bodies;
    for (const auto& sent : submitted) {
      const auto view = ledger::DecodeRecord(AsBytes(sent.record.leaf));
      REQUIRE(view.ok());
      CHECK(ledger::VerifyRecordSignature(*view, cluster.test_network().genesis().chain_id,
                                          cluster.test_network().record_key(self).public_key()));
      if (const auto* body = std::get_if<Body>(&view->body)) bodies.push_back(*body);
    }
    return bodies;
  }
  void Answer(const Delivery& delivery) {
    std::deque<Submitted> answered;
    answered.swap(submitted);
    for (const Submitted& sent : answered) sent.done(delivery);
  }
  // Puts what was submitted on the chain and answers.
  void CommitSubmitted() {
    while (!submitted.empty()) {
      const Submitted sent = submitted.front();
      submitted.pop_front();
      Commit(sent.record);
      sent.done({.taken = true, .retry_after_millis = 0, .what = ""});
    }
  }
  // Makes a model active: all validators that it takes commit what validator 0 trained.
  void ActivateModel() {
    Traffic(14);
    cluster.RunFor(5 * kSecond);
    Drive();
    const auto commitments = Sent<ModelCommitmentBody>();
    REQUIRE_FALSE(commitments.empty());
    for (const ModelCommitmentBody& body : commitments) {
      Record second;
      second.leaf = ledger::SignRecord(body, cluster.test_network().genesis().chain_id,
                                       cluster.test_network().record_key(1));
      Commit(second);
    }
    CommitSubmitted();
    Drive();
  }

  // DetectPort
  Height tip() const override { return cluster_node().Status().executed; }
  absl::StatusOr<std::shared_ptr<const ledger::ExecutedBlock>> LoadExecuted(
      Height height) const override {
    if (height <= here_above) return absl::NotFoundError("not here");
    ++reads[height];
    auto executed = std::make_shared<ledger::ExecutedBlock>();
    auto block = cluster_node().LoadBlock(height);
    if (!block.ok()) return block.status();
    executed->block = *block;
    executed->results = *cluster_node().Snapshot()->GetResults(height);
    return executed;
  }
  std::shared_ptr<const ledger::ChainReader> Reader() const override {
    return cluster_node().Snapshot();
  }
  void Submit(Record record, std::function<void(const Delivery&)> done) override {
    submitted.push_back({std::move(record), std::move(done)});
  }
  absl::Status SaveCheckpoint(Height height, ByteSpan bytes) override {
    files[height] = ToString(bytes);
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> LoadCheckpoint(Height height) const override {
    ++loaded;
    const auto file = files.find(height);
    if (file == files.end()) return absl::NotFoundError("no file");
    return file->second;
  }
  void DropCheckpoint(Height height) override { files.erase(height); }
  absl::StatusOr<std::optional<std::string>> FetchCheckpoint(Height height,
                                                             const Check& check) override {
    return Served(served_checkpoints.find(height), served_checkpoints.end(), check);
  }
  absl::StatusOr<std::optional<std::string>> FetchModel(const Hash& digest,
                                                        const Check& check) override {
    return Served(served_models.find(digest), served_models.end(), check);
  }
  absl::StatusOr<ExecutedPtr> FetchBlock(Height height) override {
    ++fetched_blocks;
    if (!serves_blocks) return absl::NotFoundError("nobody");
    const Height above = std::exchange(here_above, Height(0));
    auto executed = LoadExecuted(height);
    here_above = above;
    return executed;
  }
  size_t FetchedBytes() const override { return 0; }
  int64_t NowMicros() const override { return cluster.clock().MonotonicMicros(); }
  void Inform(absl::string_view text) const override { news.push_back(std::string(text)); }
  void Warn(absl::string_view text) const override { warnings.push_back(std::string(text)); }

  struct Submitted {
    Record record;
    std::function<void(const Delivery&)> done;
  };
  mutable SimCluster cluster;
  ledger::MemoryStore store;
  SensorStream stream{&cluster.test_network().genesis(), &cluster.test_network().sensor_key(0),
                      "conn", 3};
  std::unique_ptr<DetectDriver> driver;
  uint32_t self = 0;
  std::deque<Submitted> submitted;
  mutable std::vector<std::string> warnings;
  mutable std::vector<std::string> news;
  Height here_above;  // Blocks up to there are not here.
  std::map<Height, std::string> served_checkpoints;
  std::map<Hash, std::string> served_models;
  bool serves_blocks = true;
  int fetched_blocks = 0;
  std::map<Height, std::string> files;
  mutable int loaded = 0;
  mutable std::map<Height, int> reads;  // Of blocks.

 private:
  template <typename Iterator>
  static absl::StatusOr<std::optional<std::string>> Served(Iterator item, Iterator end,
                                                           const Check& check) {
    if (item == end || !check(AsBytes(item->second)).ok()) return absl::NotFoundError("nobody");
    return std::optional<std::string>(item->second);
  }
  const Node& cluster_node() const { return *cluster.node(0); }
};

TEST_CASE("detect driver: commits each model once and says the same as another validator",
          "[detect]") {
  DetectTest t;
  t.Open();
  t.Traffic(25);
  t.cluster.RunFor(5 * kSecond);
  t.Drive();
  const auto first = t.Sent<ModelCommitmentBody>();
  REQUIRE(first.size() >= 2);
  CHECK(first[0].period == 1);
  CHECK(first[1].period == 2);
  CHECK_FALSE(t.driver->models().empty());
  t.CommitSubmitted();
  t.Drive();
  CHECK(t.submitted.empty());

  ledger::MemoryStore other_store;
  auto other = DetectDriver::Open(&t.cluster.test_network().genesis(), ValidatorIndex(1),
                                  &t.cluster.test_network().record_key(1), &other_store, &t, [] {});
  REQUIRE(other.ok());
  t.driver = *std::move(other);
  t.self = 1;
  t.Drive();
  const auto second = t.Sent<ModelCommitmentBody>();
  REQUIRE(second.size() == first.size());
  for (size_t i = 0; i < first.size(); ++i) {
    CHECK(second[i].model_digest == first[i].model_digest);
    CHECK(second[i].window_end == first[i].window_end);
    CHECK(second[i].window_digest == first[i].window_digest);
    CHECK_FALSE(second[i].window_digest.IsZero());
    CHECK(second[i].threshold_q8 == first[i].threshold_q8);
  }
}

TEST_CASE("detect driver: a refused record is tried again after the delay", "[detect]") {
  DetectTest t;
  t.Open();
  t.Traffic(14);
  t.cluster.RunFor(5 * kSecond);
  t.Drive();
  REQUIRE(t.submitted.size() == 1);
  const std::string leaf = t.submitted[0].record.leaf;
  t.Answer({.taken = false, .retry_after_millis = 400, .what = "lane.full"});
  t.Drive();
  CHECK(t.submitted.empty());
  REQUIRE(t.driver->DeadlineMicros().has_value());
  CHECK(*t.driver->DeadlineMicros() == t.NowMicros() + 400'000);
  t.cluster.RunFor(401'000);
  t.Drive();
  REQUIRE(t.submitted.size() == 1);
  CHECK(t.submitted[0].record.leaf == leaf);

  SECTION("however often") {
    for (int i = 0; i < 150; ++i) {
      t.Answer({.taken = false, .retry_after_millis = 1, .what = "lane.full"});
      t.Drive();
      t.cluster.RunFor(20'000);
      t.Drive();
      REQUIRE(t.submitted.size() == 1);
    }
  }
  SECTION("and given up when it is refused for good") {
    t.Answer({.taken = false, .retry_after_millis = 0, .what = "access.denied"});
    t.cluster.RunFor(5 * kSecond);
    t.Drive();
    CHECK(t.submitted.empty());
    CHECK_FALSE(t.warnings.empty());
  }
}

TEST_CASE("detect driver: proposes strange events in its turn and nothing that stands already",
          "[detect]") {
  DetectTest t;
  t.Open();
  t.ActivateModel();
  t.Traffic(4, /*odd_permille=*/40);
  t.Drive();
  const Height height = t.driver->height();
  const auto at_once = t.Sent<AlertBody>();
  // Whose turn it is not waits; some turns are later, none is lost.
  t.cluster.RunFor(static_cast<int64_t>(kValidators * kProposerPatienceHeights + 1) * kSecond);
  t.Drive();
  const auto all = t.Sent<AlertBody>();
  REQUIRE(all.size() > at_once.size());
  for (const AlertBody& alert : all) {
    CHECK(alert.score_q8 >= alert.threshold_q8);
    const auto info = t.Reader()->BlockOfRecord(alert.event.record_index);
    REQUIRE(info.ok());
    const uint32_t rank = ProposerRank(info->hash, alert.event, ValidatorIndex(0), kValidators);
    const bool sent_at_once =
        std::any_of(at_once.begin(), at_once.end(),
                    [&](const AlertBody& early) { return early.event == alert.event; });
    CHECK(sent_at_once == (info->height + rank * kProposerPatienceHeights <= height));
  }
  t.CommitSubmitted();
  t.Drive();
  t.cluster.RunFor(5 * kSecond);
  t.Drive();
  CHECK(t.Sent<AlertBody>().empty());

  SECTION("a validator that comes later finds every alert there and proposes none") {
    ledger::MemoryStore other_store;
    auto other =
        DetectDriver::Open(&t.cluster.test_network().genesis(), ValidatorIndex(2),
                           &t.cluster.test_network().record_key(2), &other_store, &t, [] {});
    REQUIRE(other.ok());
    t.driver = *std::move(other);
    t.self = 2;
    t.Drive();
    CHECK(t.Sent<AlertBody>().empty());
    // But judges all of them, in one record per block that it takes in.
    size_t judged = 0;
    for (const AttestationBody& body : t.Sent<AttestationBody>()) {
      judged += body.attestations.size();
      for (const ledger::Attestation& verdict : body.attestations) CHECK(verdict.verdict == 1);
    }
    CHECK(judged == all.size());
  }
}

TEST_CASE("detect driver: disputes an alert that says anything but what the model says",
          "[detect]") {
  DetectTest t;
  t.Open();
  t.ActivateModel();
  t.Traffic(4, /*odd_permille=*/40);
  t.cluster.RunFor(20 * kSecond);
  t.Drive();
  auto honest = t.Sent<AlertBody>();
  REQUIRE(honest.size() >= 5);
  t.submitted.clear();  // They get lost; validator 1 proposes them, four of them wrong.
  honest.resize(5);
  honest[0].score_q8 += 1;
  honest[1].component = honest[1].component == 1 ? 3 : 1;
  honest[2].event_leaf.bytes[0] ^= 1;
  REQUIRE_FALSE(honest[3].reasons.empty());
  honest[3].reasons[0].bits_q8 += 1;
  std::map<ledger::EventRef, uint32_t> expected;
  for (size_t i = 0; i < honest.size(); ++i) expected[honest[i].event] = i < 4 ? 2 : 1;
  for (const AlertBody& body : honest) {
    Record record;
    record.leaf = ledger::SignRecord(body, t.cluster.test_network().genesis().chain_id,
                                     t.cluster.test_network().record_key(1));
    t.Commit(record);
  }
  t.Drive();
  size_t seen = 0;
  for (int rounds = 0; rounds < 10 && seen < 5; ++rounds) {
    for (const AttestationBody& body : t.Sent<AttestationBody>()) {
      for (const ledger::Attestation& verdict : body.attestations) {
        const auto alert = t.Reader()->GetAlert(verdict.alert_index);
        REQUIRE(alert.ok());
        CHECK(verdict.verdict == expected[alert->event]);
        ++seen;
      }
    }
    t.CommitSubmitted();
    t.Drive();
  }
  CHECK(seen == 5);
}

TEST_CASE("detect driver: judges what an earlier epoch left open unless its word counts still",
          "[detect]") {
  // Of two validators one dispute is enough, so that what was said already has to be said again.
  const bool has_new_keys = GENERATE(false, true);
  const bool is_smaller = has_new_keys ? false : GENERATE(false, true);
  DetectTest t;
  t.Open();
  t.ActivateModel();
  t.Traffic(4, /*odd_permille=*/40);
  t.cluster.RunFor(20 * kSecond);
  t.Drive();
  const auto strange = t.Sent<AlertBody>();
  REQUIRE_FALSE(strange.empty());
  t.submitted.clear();  // They get lost; validator 1 raises the first, this one disputes it.
  const auto commit = [&](const ledger::RecordBody& body, uint32_t validator) {
    Record record;
    record.leaf = ledger::SignRecord(body, t.cluster.test_network().genesis().chain_id,
                                     t.cluster.test_network().record_key(validator));
    t.Commit(record);
  };
  commit(strange[0], 1);
  const auto alert = t.Reader()->FindAlert(strange[0].event, strange[0].model_digest);
  REQUIRE(alert.ok());
  REQUIRE(alert->has_value());
  AttestationBody dispute;
  dispute.attestations = {{**alert, 2, 0}};
  commit(dispute, 0);
  t.Drive();
  CHECK(t.Sent<AttestationBody>().empty());

  const ledger::Genesis& first = t.cluster.test_network().genesis();
  std::vector<ledger::GenesisValidator> next = first.validators;
  if (has_new_keys) {
    next[0].record_key = ledger::SigningKey::FromSeed(std::array<uint8_t, 32>{7}).public_key();
  }
  if (is_smaller) next.pop_back();
  const ledger::Genesis second = ledger::WithNextEpoch(first, t.tip(), next, {});
  auto again = DetectDriver::Open(&second, ValidatorIndex(0),
                                  &t.cluster.test_network().record_key(0), &t.store, &t, [] {});
  REQUIRE(again.ok());
  t.driver = *std::move(again);
  t.submitted.clear();
  t.Drive();
  std::vector<RecordIndex> judged;
  for (const AttestationBody& body : t.Sent<AttestationBody>()) {
    CHECK(body.epoch == (is_smaller ? 2 : 0));
    for (const ledger::Attestation& verdict : body.attestations) {
      judged.push_back(verdict.alert_index);
      if (is_smaller) CHECK(verdict.verdict == 2);
    }
  }
  const bool speaks = has_new_keys || is_smaller;
  CHECK(judged == (speaks ? std::vector<RecordIndex>{**alert} : std::vector<RecordIndex>{}));
}

TEST_CASE("detect driver: records what is wrong with an alert once others contest it too",
          "[detect]") {
  DetectTest t;
  t.Open();
  t.ActivateModel();
  t.Traffic(4, /*odd_permille=*/40);
  t.cluster.RunFor(20 * kSecond);
  t.Drive();
  const auto honest = t.Sent<AlertBody>();
  REQUIRE(honest.size() >= 2);
  t.submitted.clear();
  AlertBody forged = honest[0];
  forged.score_q8 += 7;
  AlertBody other_event = honest[1];
  other_event.event_leaf.bytes[5] ^= 1;
  const auto commit_as = [&](const ledger::RecordBody& body, uint32_t validator) {
    Record record;
    record.leaf = ledger::SignRecord(body, t.cluster.test_network().genesis().chain_id,
                                     t.cluster.test_network().record_key(validator));
    t.Commit(record);
  };
  commit_as(forged, 1);
  commit_as(other_event, 1);
  t.Drive();
  t.CommitSubmitted();  // Validator 0 disputes; one dispute of three is not enough.
  t.Drive();
  CHECK(t.Sent<ledger::FaultProofBody>().empty());
  ledger::AttestationBody second;
  std::map<uint64_t, uint32_t> right;  // Score by alert.
  for (const AlertBody& body : {forged, other_event}) {
    const auto alert = t.Reader()->FindAlert(body.event, body.model_digest).value();
    REQUIRE(alert.has_value());
    const uint32_t score = body.event == forged.event ? honest[0].score_q8 : honest[1].score_q8;
    right[alert->value()] = score;
    second.attestations.push_back({.alert_index = *alert, .verdict = 2, .score_q8 = score});
  }
  std::sort(second.attestations.begin(), second.attestations.end(),
            [](const auto& a, const auto& b) { return a.alert_index < b.alert_index; });
  commit_as(second, 2);
  t.cluster.RunFor(40 * kSecond);  // Whoever is first in turn, it is our turn by then.
  t.Drive();
  const auto faults = t.Sent<ledger::FaultProofBody>();
  REQUIRE(faults.size() == 2);
  for (const ledger::FaultProofBody& fault : faults) {
    const auto alert = t.Reader()->GetAlert(fault.alert_index).value();
    const bool is_forged = alert.event == forged.event;
    CHECK(fault.fault == (is_forged ? 1u : 4u));
    CHECK(fault.score_q8 == right[fault.alert_index.value()]);
    CHECK(fault.threshold_q8 == alert.threshold_q8);
  }
  t.CommitSubmitted();
  t.Drive();
  CHECK(t.submitted.empty());
  for (const ledger::FaultProofBody& fault : faults) {
    const auto known = t.Reader()->FaultsOf(fault.alert_index).value();
    REQUIRE(known.size() == 1);
    CHECK(known[0].fault.score_q8 == fault.score_q8);
  }
  CHECK(t.driver->report().disputed == 2);
  // A restart owes nothing more, and another validator does not say the same again.
  t.Open();
  t.Drive();
  CHECK(t.Sent<ledger::FaultProofBody>().empty());
}

TEST_CASE("detect driver: goes on after a restart with what it owes and says nothing twice",
          "[detect]") {
  DetectTest t;
  t.Open();
  t.ActivateModel();
  t.Traffic(4, /*odd_permille=*/40);
  t.cluster.RunFor(20 * kSecond);
  t.Drive();
  // But for the anchor of an alert, which is of what this process has seen (entity_anchors.h).
  const auto bodies = [&t] {
    std::vector<std::string> all;
    for (const auto& sent : t.submitted) {
      const ledger::RecordView record = ledger::DecodeRecord(AsBytes(sent.record.leaf)).value();
      std::string body = ToString(record.body_bytes);
      if (record.kind == ledger::RecordKind::kAlert) {
        v1::AlertBody alert;
        REQUIRE(alert.ParseFromString(body));
        alert.clear_anchor_record();
        alert.clear_anchor_item();
        alert.clear_anchor_kind();
        body = alert.SerializeAsString();
      }
      all.push_back(HexEncode(AsBytes(body)));
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  const std::vector<std::string> made = bodies();
  REQUIRE_FALSE(made.empty());

  SECTION("records that were lost with the process are made again and say the same") {
    t.submitted.clear();
    t.Open();
    CHECK_FALSE(t.driver->models().empty());
    t.Drive();
    CHECK(bodies() == made);
    CHECK(t.warnings.empty());
  }
  SECTION("records that reached the chain are not") {
    std::deque<DetectTest::Submitted> sent;
    sent.swap(t.submitted);
    for (const auto& one : sent) t.Commit(one.record);  // The answer never came.
    t.Open();
    t.Drive();
    CHECK(t.submitted.empty());
  }
  SECTION("with its store lost it finds the same again") {
    t.CommitSubmitted();
    t.Drive();
    ledger::StoreBatch wipe;
    REQUIRE(t.store
                .Scan("", "", false,
                      [&](absl::string_view key, absl::string_view) {
                        wipe.Delete(key);
                        return true;
                      })
                .ok());
    REQUIRE(t.store.Write(wipe).ok());
    t.Open();
    t.Drive();
    CHECK(t.submitted.empty());
    CHECK_FALSE(t.driver->models().empty());
  }
  SECTION("with a damaged store it starts afresh and says so") {
    t.submitted.clear();
    ledger::StoreBatch damage;
    damage.Put("state", "nonsense");
    REQUIRE(t.store.Write(damage).ok());
    t.Open();
    CHECK_FALSE(t.warnings.empty());
    t.Drive();
    CHECK(t.submitted.size() == made.size());
  }
}

TEST_CASE("detect driver: a restart goes on from the newest checkpoint that fits", "[detect]") {
  DetectTest t;
  t.Open();
  t.Traffic(40);
  t.cluster.RunFor(5 * kSecond);
  t.Drive();
  t.CommitSubmitted();
  t.Drive();
  REQUIRE(t.files.size() >= 2);
  CHECK(t.files.size() <= kCheckpointsKept);
  const Height newest = t.files.rbegin()->first;
  const std::vector<DetectDriver::TrainedModel> before = t.driver->models();
  const auto lowest_read = [&] {
    t.reads.clear();
    t.Open();
    t.Traffic(30);
    t.Drive();
    REQUIRE_FALSE(t.reads.empty());
    return t.reads.begin()->first;
  };

  SECTION("and reads no block below it") {
    CHECK(lowest_read() > newest);
    CHECK(t.warnings.empty());
  }
  SECTION("or from an older one, when it is damaged or lost") {
    if (GENERATE(false, true)) {
      t.files[newest][100] ^= 1;
    } else {
      t.files.erase(newest);
    }
    const Height older = t.files.begin()->first;
    const Height lowest = lowest_read();
    CHECK(lowest > older);
    CHECK(lowest <= newest);
  }
  SECTION("or replays blocks, when there is none") {
    t.files.clear();
    CHECK(lowest_read() == Height(1));
  }
  // Whatever it went on from, what it says afterwards is what one says that saw everything.
  const auto said = t.Sent<ModelCommitmentBody>();
  REQUIRE_FALSE(said.empty());
  ledger::MemoryStore other_store;
  t.submitted.clear();
  auto other = DetectDriver::Open(&t.cluster.test_network().genesis(), ValidatorIndex(1),
                                  &t.cluster.test_network().record_key(1), &other_store, &t, [] {});
  REQUIRE(other.ok());
  t.driver = *std::move(other);
  t.self = 1;
  t.Drive();
  const auto fresh = t.Sent<ModelCommitmentBody>();
  for (const ModelCommitmentBody& body : said) {
    const auto same = std::find_if(fresh.begin(), fresh.end(), [&](const auto& candidate) {
      return candidate.period == body.period && candidate.event_type == body.event_type;
    });
    REQUIRE(same != fresh.end());
    CHECK(same->model_digest == body.model_digest);
    CHECK(same->window_digest == body.window_digest);
  }
}

// A driver with nothing in its store on a chain whose older blocks are not here.
struct ColdTest : DetectTest {
  ColdTest() {
    Open();
    for (int i = 0; i < 3; ++i) ActivateModel();
    REQUIRE(files.size() >= 2);
    served_checkpoints = std::exchange(files, {});
    const auto models = Reader()->ListModels(100);
    REQUIRE(models.ok());
    for (const ledger::ModelInfo& model : *models) {
      CHECK(model.active);
      if (auto bytes = driver->ReadModel(model.digest); bytes.ok()) {
        served_models[model.digest] = *bytes;
      }
    }
    REQUIRE(served_models.size() >= 2);
    driver.reset();
    ledger::StoreBatch wipe;
    CHECK(store
              .Scan("", "", false,
                    [&](absl::string_view key, absl::string_view) {
                      wipe.Delete(key);
                      return true;
                    })
              .ok());
    REQUIRE(store.Write(wipe).ok());
    warnings.clear();
    submitted.clear();  // What it said while it was warm.
    news.clear();
    here_above = tip();
  }
};

TEST_CASE("detect driver: where blocks are not here it goes on from what others keep", "[detect]") {
  ColdTest t;
  SECTION("checkpoint, models and blocks") {
    t.Open();
    t.Drive();
    CHECK(t.driver->warm());
    CHECK(t.driver->phase().empty());
    CHECK(t.warnings.empty());
    REQUIRE(t.news.size() == 2);
    CHECK(t.files.size() == 1);
    CHECK_FALSE(t.driver->models().empty());
    CHECK(t.driver->height() == t.tip());
  }
  SECTION("a model that nobody has costs its alerts and not the windows") {
    t.served_models.clear();
    t.Open();
    t.Drive();
    CHECK(t.driver->warm());
    CHECK(t.warnings.size() == 1);
  }
  SECTION("an altered model is none") {
    for (auto& [digest, bytes] : t.served_models)
      bytes.back() = static_cast<char>(bytes.back() ^ 1);
    t.Open();
    t.Drive();
    CHECK(t.driver->warm());
    CHECK(t.warnings.size() == 1);
  }
  SECTION("an older checkpoint where the newest is altered") {
    const Height newest = t.served_checkpoints.rbegin()->first;
    t.served_checkpoints[newest][200] ^= 1;
    t.Open();
    t.Drive();
    CHECK(t.driver->warm());
    CHECK(t.files.rbegin()->first < t.tip());
    CHECK(t.fetched_blocks > 0);
  }
  SECTION("nothing where all are altered, until there is another") {
    for (auto& [height, bytes] : t.served_checkpoints) bytes[200] ^= 1;
    t.Open();
    t.Drive();
    CHECK_FALSE(t.driver->warm());
    CHECK(t.driver->phase().find("waits") == 0);
    CHECK(t.fetched_blocks == 0);
    CHECK(t.submitted.empty());
    for (auto& [height, bytes] : t.served_checkpoints) bytes[200] ^= 1;
    t.Traffic(20);
    t.Drive();
    CHECK(t.driver->warm());
  }
}

}  // namespace
}  // namespace vigil::node
