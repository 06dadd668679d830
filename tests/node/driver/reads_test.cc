// Linearizable reads of whole nodes: what was acknowledged anywhere before a read began is in the
// state it is answered from.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/base/random.h"
#include "node/driver/read_waiters.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

struct Answer {
  ServiceError error;
  Height height;
  Height executed;  // Of the node when it answered.
};
using AnswerBox = std::shared_ptr<std::optional<Answer>>;

AnswerBox Read(Node* node, int64_t wait_micros = 5 * kSecond) {
  auto box = std::make_shared<std::optional<Answer>>();
  node->WhenCurrent(wait_micros, [box, node](const ServiceError& error, Height height) {
    CHECK_FALSE(box->has_value());  // Exactly once.
    *box = Answer{error, height, node->Snapshot()->GetTip()->height};
  });
  return box;
}

struct Cluster {
  explicit Cluster(uint64_t seed, uint32_t validators = 3)
      : cluster({.validators = validators}, seed), stream(StreamOf(cluster)) {
    cluster.StartAll();
    leader = WaitForLeader(&cluster);
  }
  uint32_t follower(uint32_t which = 0) const { return (leader + 1 + which) % cluster.size(); }
  Height Submit(uint32_t node) {
    const SubmitOutcome outcome = SubmitAndWait(&cluster, node, stream.NextBatch(3));
    REQUIRE(outcome.error.ok());
    return outcome.receipt.height;
  }
  Answer Await(const AnswerBox& box) {
    REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond));
    return **box;
  }
  void Isolate(uint32_t node, bool cut) {
    for (uint32_t other = 0; other < cluster.size(); ++other) {
      if (other == node) continue;
      cluster.network().SetCut(node, other, cut);
      cluster.network().SetCut(other, node, cut);
    }
  }

  sim::SimCluster cluster;
  sim::SensorStream stream;
  uint32_t leader = 0;
};

TEST_CASE("reads: leader and follower answer from what another one acknowledged", "[reads]") {
  Cluster reads(11);
  for (const uint32_t reader : {reads.leader, reads.follower(), reads.follower(1)}) {
    const Height acknowledged = reads.Submit(reads.follower(1));
    const Answer answer = reads.Await(Read(reads.cluster.node(reader)));
    CHECK(answer.error.ok());
    CHECK(answer.height >= acknowledged);
    CHECK(answer.executed >= answer.height);
  }
  CHECK(reads.cluster.node(reads.leader)->Status().reads_answered == 1);
}

TEST_CASE("reads: one waits until the reader has executed what it must see", "[reads]") {
  Cluster reads(12);
  const uint32_t slow = reads.follower();
  reads.cluster.SetFrozen(slow, "apply");
  const Height acknowledged = reads.Submit(reads.follower(1));
  const AnswerBox box = Read(reads.cluster.node(slow), 60 * kSecond);
  reads.cluster.RunFor(2 * kSecond);
  CHECK_FALSE(box->has_value());
  CHECK(reads.cluster.node(slow)->Snapshot()->GetTip()->height < acknowledged);
  reads.cluster.SetFrozen(slow, "");
  const Answer answer = reads.Await(box);
  CHECK(answer.error.ok());
  CHECK(answer.executed >= acknowledged);
}

TEST_CASE("reads: one that lags says so at its deadline", "[reads]") {
  Cluster reads(13);
  const uint32_t slow = reads.follower();
  reads.cluster.SetFrozen(slow, "apply");
  reads.Submit(reads.follower(1));
  const Answer answer = reads.Await(Read(reads.cluster.node(slow), kSecond));
  CHECK(answer.error.code == "read.behind");
  CHECK(reads.cluster.node(slow)->Status().reads_failed == 1);
}

TEST_CASE("reads: a leader that stood still for long does not answer from its old state",
          "[reads]") {
  Cluster reads(14);
  reads.Submit(reads.leader);
  const uint32_t old_leader = reads.leader;
  reads.cluster.SetPaused(old_leader, true);
  const auto others_lead = [&] {
    const uint32_t other = reads.follower();
    const auto status = reads.cluster.node(other)->Status().core;
    return status.leader.has_value() && status.leader->value() != old_leader;
  };
  REQUIRE(reads.cluster.RunUntil(others_lead, 20 * kSecond));
  const Height acknowledged = reads.Submit(reads.follower());
  // Nothing that the others sent has reached it when it goes on.
  REQUIRE(reads.cluster.node(old_leader)->Status().core.role == consensus::CoreRole::kLeader);
  reads.Isolate(old_leader, true);
  const AnswerBox box = Read(reads.cluster.node(old_leader), 20 * kSecond);
  reads.cluster.SetPaused(old_leader, false);
  reads.cluster.RunFor(kSecond / 5);
  CHECK_FALSE(box->has_value());
  reads.Isolate(old_leader, false);
  const Answer answer = reads.Await(box);
  CHECK(answer.error.ok());
  CHECK(answer.executed >= acknowledged);
}

TEST_CASE("reads: without a quorum they fail and say what to do", "[reads]") {
  Cluster reads(15);
  reads.Submit(reads.leader);
  reads.Isolate(reads.leader, true);
  Node* const node = reads.cluster.node(reads.leader);
  SECTION("at their deadline") {
    const Answer answer = reads.Await(Read(node, kSecond));
    CHECK(answer.error.code == "read.unconfirmed");
    CHECK(answer.error.status == absl::StatusCode::kDeadlineExceeded);
  }
  SECTION("as soon as no leader is known for long") {
    const Answer answer = reads.Await(Read(node, 60 * kSecond));
    CHECK(answer.error.code == "read.no_leader");
    CHECK(answer.error.status == absl::StatusCode::kUnavailable);
    CHECK(answer.error.retry_after_millis > 0);
  }
}

TEST_CASE("reads: a node that stops answers everybody", "[reads]") {
  Cluster reads(16);
  Node* const node = reads.cluster.node(reads.leader);
  reads.Isolate(reads.leader, true);
  const AnswerBox before = Read(node);
  node->AnswerWaiting();
  REQUIRE(before->has_value());
  CHECK((*before)->error.code == "node.stopping");
  const AnswerBox after = Read(node);
  REQUIRE(after->has_value());
  CHECK((*after)->error.code == "node.stopping");
}

// Submits and reads at random validators while links, processes and clocks misbehave.
class RandomReads {
 public:
  explicit RandomReads(uint64_t seed) : reads_(seed), random_(seed + 1) {}

  void Run(int64_t micros) {
    const auto step = [this] {
      TakeAcknowledgement();
      const int64_t now = reads_.cluster.clock().MonotonicMicros();
      if (now < next_micros_) return;
      next_micros_ = now + 20'000 + static_cast<int64_t>(random_.Below(60'000));
      Hurt();
      Submit();
      for (uint32_t i = 0; i < reads_.cluster.size(); ++i) Begin(i);
    };
    reads_.cluster.RunFor(micros, step);
  }
  uint64_t answered() const { return *answered_; }
  uint64_t failed() const { return *failed_; }

 private:
  void Hurt() {
    const auto victim = static_cast<uint32_t>(random_.Below(reads_.cluster.size()));
    if (random_.Chance(30)) reads_.cluster.SetPaused(victim, true);
    if (random_.Chance(60)) {
      for (uint32_t i = 0; i < reads_.cluster.size(); ++i) reads_.cluster.SetPaused(i, false);
    }
    if (random_.Chance(30)) reads_.Isolate(victim, true);
    if (random_.Chance(60)) reads_.cluster.network().MendAll();
    if (random_.Chance(20)) {
      reads_.cluster.Crash(victim, ledger::CrashMode::kLoseUnsynced);
      REQUIRE(reads_.cluster.Start(victim).ok());
    }
  }

  void Submit() {
    if (under_way_ == nullptr) {
      record_ = reads_.stream.NextBatch(1);
    } else if (!random_.Chance(100)) {
      return;
    }
    const auto node = static_cast<uint32_t>(random_.Below(reads_.cluster.size()));
    under_way_ = SubmitTo(reads_.cluster.node(node), record_);
  }

  void TakeAcknowledgement() {
    if (under_way_ == nullptr || !under_way_->has_value()) return;
    const SubmitOutcome outcome = **under_way_;
    under_way_->reset();
    if (!outcome.error.ok()) return;
    acknowledged_ = std::max(acknowledged_, outcome.receipt.height);
    under_way_ = nullptr;
  }

  void Begin(uint32_t i) {
    Node* const node = reads_.cluster.node(i);
    const auto answered = answered_;
    const auto failed = failed_;
    node->WhenCurrent(2 * kSecond, [node, answered, failed, must_see = acknowledged_](
                                       const ServiceError& error, Height) {
      ++(error.ok() ? *answered : *failed);
      if (error.ok()) CHECK(node->Snapshot()->GetTip()->height >= must_see);
    });
  }

  Cluster reads_;
  SplitMix64 random_;
  int64_t next_micros_ = 0;
  ledger::Record record_;
  OutcomeBox under_way_;
  Height acknowledged_;
  std::shared_ptr<uint64_t> answered_ = std::make_shared<uint64_t>(0);
  std::shared_ptr<uint64_t> failed_ = std::make_shared<uint64_t>(0);
};

TEST_CASE("reads: none is stale while validators stop and are cut off and crash", "[reads]") {
  VIGIL_TEST_SEED(seed, 500);
  const uint64_t count = std::getenv("VIGIL_TEST_SEED") != nullptr ? 1 : 6;
  uint64_t answered = 0, failed = 0;
  for (uint64_t i = seed; i < seed + count; ++i) {
    INFO("replay with VIGIL_TEST_SEED=" << i);
    RandomReads run(i);
    run.Run(20 * kSecond);
    answered += run.answered();
    failed += run.failed();
  }
  INFO(answered << " answered, " << failed << " failed");
  CHECK(answered > count * 100);
  CHECK(failed > 0);
}

// ------------------------------------------------------------------------------- the waiting room

struct Waiting {
  NodeCounters counters;
  ReadWaiters waiters{&counters};
  std::vector<std::pair<std::string, uint64_t>> answers;  // Code and height.
  void Wait(int64_t until_micros) {
    waiters.Wait(until_micros, [this](const ServiceError& error, Height height) {
      answers.emplace_back(error.code, height.value());
    });
  }
  using Answers = std::vector<std::pair<std::string, uint64_t>>;
};

TEST_CASE("read waiters: who comes during a round shares the next", "[reads]") {
  Waiting room;
  room.Wait(100);
  room.Wait(100);
  REQUIRE(room.waiters.WantsRound());
  room.waiters.Begin(1);
  CHECK_FALSE(room.waiters.WantsRound());
  room.Wait(100);
  CHECK(room.waiters.WantsRound());
  room.waiters.Advance(Height(9));
  room.waiters.OnReady(1, Height(9));
  CHECK(room.answers == Waiting::Answers{{"", 9}, {"", 9}});
  room.waiters.Begin(2);
  room.waiters.OnReady(2, Height(11));
  CHECK(room.answers.size() == 2);
  room.waiters.Advance(Height(10));
  CHECK(room.answers.size() == 2);
  room.waiters.Advance(Height(12));
  CHECK(room.answers.back() == std::pair<std::string, uint64_t>("", 11));
  CHECK(room.waiters.size() == 0);
}

TEST_CASE("read waiters: a lost round is begun again and its id is over", "[reads]") {
  Waiting room;
  room.Wait(100);
  room.waiters.Begin(1);
  room.waiters.OnReady(1, Height(0));
  CHECK(room.waiters.WantsRound());
  room.waiters.Begin(2);
  room.waiters.OnReady(1, Height(5));
  CHECK(room.answers.empty());
  room.waiters.Advance(Height(6));
  room.waiters.OnReady(2, Height(6));
  CHECK(room.answers == Waiting::Answers{{"", 6}});
}

TEST_CASE("read waiters: rounds and callers are bounded", "[reads]") {
  Waiting room;
  for (uint64_t id = 1; id <= kReadRoundsMax; ++id) {
    room.Wait(100);
    REQUIRE(room.waiters.WantsRound());
    room.waiters.Begin(id);
  }
  room.Wait(100);
  CHECK_FALSE(room.waiters.WantsRound());
  while (room.waiters.size() < kReadWaitersMax) room.Wait(100);
  CHECK(room.answers.empty());
  room.Wait(100);
  CHECK(room.answers == Waiting::Answers{{"read.full", 0}});
  CHECK(room.counters.reads_failed == 1);
}

TEST_CASE("read waiters: everybody is answered at his deadline wherever he waits", "[reads]") {
  Waiting room;
  room.Wait(10);
  room.waiters.Begin(1);
  room.waiters.OnReady(1, Height(5));  // Not executed so far.
  room.Wait(20);
  room.waiters.Begin(2);
  room.Wait(30);
  room.waiters.Expire(9, /*leaderless=*/false);
  CHECK(room.answers.empty());
  room.waiters.Expire(10, false);
  CHECK(room.answers == Waiting::Answers{{"read.behind", 0}});
  room.waiters.Expire(20, false);
  CHECK(room.answers.back().first == "read.unconfirmed");
  CHECK(room.answers.size() == 2);
  room.waiters.Expire(21, /*leaderless=*/true);
  CHECK(room.answers.back().first == "read.no_leader");
  CHECK(room.waiters.size() == 0);
  room.waiters.OnReady(2, Height(7));
  CHECK(room.answers.size() == 3);
}

}  // namespace
}  // namespace vigil::node
