// Epochs through whole nodes: the set of validators changes while the network runs, crashes come at
// the worst moments, laggards and those who are removed are told, newcomers join.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/state/verify_ledger.h"
#include "node/driver/peer_frame.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using sim::SensorStream;
using sim::SimCluster;

// Validators 0 to `validators` - 1, and one more with keys that genesis does not name.
struct Network {
  explicit Network(uint32_t validators, uint64_t seed = 5)
      : cluster({.validators = validators, .newcomers = 1, .heartbeat_millis = 200}, seed) {
    cluster.SetLogTap([this](uint32_t i, LogLevel, absl::string_view line) {
      log.push_back(absl::StrCat(i, ": ", line));
    });
    for (uint32_t i = 0; i < validators; ++i) REQUIRE(cluster.Start(i).ok());
    WaitForLeader(&cluster);
  }
  Epoch EpochOf(uint32_t i) {
    return cluster.node(i) == nullptr ? Epoch(0) : cluster.node(i)->genesis().epoch;
  }
  // Proposes through node `at`, which may be down or change its epoch before it answers.
  void Propose(uint32_t at, const std::vector<uint32_t>& next) {
    SubmitTo(cluster.node(at), cluster.test_network().ProposeSet(EpochOf(at), next));
  }
  bool AllIn(Epoch epoch, const std::vector<uint32_t>& members, int64_t micros = 60 * kSecond) {
    return cluster.RunUntil(
        [&] {
          for (const uint32_t i : members) {
            if (EpochOf(i) != epoch) return false;
          }
          return true;
        },
        micros);
  }
  // Until an answer comes; the stream's records are sent again as clients do.
  bool Ingest(uint32_t at) {
    const ledger::Record record = stream.NextBatch(3);
    for (int attempt = 0; attempt < 50; ++attempt) {
      if (cluster.node(at) == nullptr) {
        cluster.RunFor(kSecond / 2);
        continue;
      }
      const OutcomeBox box = SubmitTo(cluster.node(at), record);
      cluster.RunUntil([&] { return box->has_value(); }, 10 * kSecond);
      if (box->has_value() && (*box)->error.ok()) return true;
      cluster.RunFor(kSecond / 5);
    }
    return false;
  }
  bool FinalBeyond(uint32_t at, Height height) {
    return cluster.RunUntil(
        [&] { return cluster.node(at) != nullptr && cluster.node(at)->Status().final > height; },
        60 * kSecond);
  }
  std::string Tail() const {
    std::string text;
    for (size_t i = log.size() > 30 ? log.size() - 30 : 0; i < log.size(); ++i) {
      absl::StrAppend(&text, log[i], "\n");
    }
    return text;
  }
  bool Logged(absl::string_view part) const {
    for (const std::string& line : log) {
      if (absl::StrContains(line, part)) return true;
    }
    return false;
  }

  SimCluster cluster;
  SensorStream stream = StreamOf(cluster);
  std::vector<std::string> log;
};

TEST_CASE("epochs: a validator is added and another removed while events come", "[epochs]") {
  Network t(3);
  REQUIRE(t.Ingest(0));
  t.Propose(0, {0, 1, 2, 3});
  const bool second = t.AllIn(Epoch(2), {0, 1, 2});
  INFO(t.Tail());
  REQUIRE(second);
  const Height base = t.cluster.node(0)->genesis().epoch_base;
  CHECK(t.cluster.node(1)->genesis().epoch_base == base);
  REQUIRE(t.Ingest(1));
  REQUIRE(t.FinalBeyond(0, base));

  // The newcomer knows genesis and the epoch chain, and joins.
  t.cluster.SetBeginning(3, Beginning::kJoin);
  REQUIRE(t.cluster.CopyEpochs(0, 3).ok());
  REQUIRE(t.cluster.Start(3).ok());
  const bool votes = t.cluster.RunUntil(
      [&] {
        return t.cluster.node(3) != nullptr && !t.cluster.node(3)->Status().refusing &&
               t.cluster.node(3)->Status().core.role != consensus::CoreRole::kNonVoter;
      },
      60 * kSecond);
  INFO(t.Tail());
  REQUIRE(votes);
  REQUIRE(t.Ingest(3));

  // Validator 2 goes; the others need it no longer.
  t.Propose(3, {0, 1, 3});
  const bool third = t.cluster.RunUntil(
      [&] { return t.EpochOf(0) == Epoch(3) && t.EpochOf(1) == Epoch(3); }, 60 * kSecond);
  INFO(t.Tail());
  REQUIRE(third);
}

TEST_CASE("epochs: who is removed is told and serves what it has", "[epochs]") {
  Network t(4);
  REQUIRE(t.Ingest(0));
  t.Propose(0, {0, 1, 2});
  const bool second = t.AllIn(Epoch(2), {0, 1, 2});
  INFO(t.Tail());
  REQUIRE(second);
  const Height base = t.cluster.node(0)->genesis().epoch_base;
  const bool told = t.cluster.RunUntil(
      [&] { return t.cluster.node(3) != nullptr && t.cluster.node(3)->Status().refusing; },
      30 * kSecond);
  INFO(t.Tail());
  REQUIRE(told);
  const NodeStatus status = t.cluster.node(3)->Status();
  CHECK(absl::StrContains(status.refusing_reason, "no validator since epoch 2"));
  CHECK(status.executed == base);
  CHECK(t.cluster.node(3)->LoadBlock(base).ok());
  SensorStream other = StreamOf(t.cluster, /*sensor=*/1);
  CHECK((*SubmitTo(t.cluster.node(3), other.NextBatch(1)))->error.code == "node.refusing");
  // The others go on without it.
  REQUIRE(t.Ingest(1));
  REQUIRE(t.FinalBeyond(0, base));
}

TEST_CASE("epochs: a validator that slept through changes catches up from the anchors alone",
          "[epochs]") {
  Network t(5);
  REQUIRE(t.Ingest(0));
  t.cluster.Crash(1, CrashMode::kLoseUnsynced);
  for (const uint64_t epoch : {2, 3}) {
    t.Propose(0, epoch == 2 ? std::vector<uint32_t>{0, 1, 2, 3} : std::vector<uint32_t>{0, 1, 2});
    const bool there = t.AllIn(Epoch(epoch), {0, 2});
    INFO(t.Tail());
    REQUIRE(there);
    REQUIRE(t.Ingest(0));
  }
  REQUIRE(t.cluster.Start(1).ok());
  CHECK(t.EpochOf(1) == Epoch(1));
  const bool there = t.AllIn(Epoch(3), {1});
  INFO(t.Tail());
  REQUIRE(there);
  const Height height = t.cluster.node(0)->Status().executed;
  REQUIRE(t.FinalBeyond(1, height));
  CHECK(*t.cluster.node(1)->Snapshot()->StateDigest(height) ==
        *t.cluster.node(0)->Snapshot()->StateDigest(height));
}

TEST_CASE("epochs: a leader that falls at the sealing block leaves no fork", "[epochs]") {
  const uint64_t seed = TestSeed(11);
  SplitMix64 random(seed);
  for (int round = 0; round < 6; ++round) {
    Network t(3, seed + static_cast<uint64_t>(round));
    REQUIRE(t.Ingest(0));
    const uint32_t leader = WaitForLeader(&t.cluster);
    t.Propose(leader, {0, 1, 2, 3});
    // Somewhere between the approval and the next epoch.
    const Height height = t.cluster.node(leader)->Status().executed;
    t.cluster.RunUntil(
        [&] {
          return t.cluster.node(leader) == nullptr ||
                 t.cluster.node(leader)->Status().core.sealing.has_value() ||
                 t.EpochOf(leader) == Epoch(2);
        },
        20 * kSecond);
    t.cluster.RunFor(static_cast<int64_t>(random.Below(40'000)));
    t.cluster.Crash(leader, random.Chance(500) ? CrashMode::kLoseUnsynced : CrashMode::kAnyLoss);
    t.cluster.RunFor(static_cast<int64_t>(random.Below(3 * kSecond)));
    REQUIRE(t.cluster.Start(leader).ok());
    const bool second = t.AllIn(Epoch(2), {0, 1, 2});
    INFO("round " << round << ", leader " << leader << " fell above height " << height.value()
                  << "\n"
                  << t.Tail());
    REQUIRE(second);
    const ledger::Genesis& genesis = t.cluster.node(0)->genesis();
    for (uint32_t i = 1; i < 3; ++i) {
      CHECK(t.cluster.node(i)->genesis().epoch_base_hash == genesis.epoch_base_hash);
    }
    REQUIRE(t.Ingest(1));
    const Height top = t.cluster.node(1)->Status().executed;
    for (const uint32_t i : {0u, 2u}) {
      REQUIRE(t.FinalBeyond(i, top));
      CHECK(*t.cluster.node(i)->Snapshot()->StateDigest(top) ==
            *t.cluster.node(1)->Snapshot()->StateDigest(top));
    }
  }
}

TEST_CASE("epochs: crashes of everybody at any time end in one epoch chain", "[epochs]") {
  const uint64_t seed = TestSeed(12);
  SplitMix64 random(seed);
  Network t(3, seed);
  REQUIRE(t.Ingest(0));
  t.Propose(0, {0, 1, 2, 3});
  for (int crash = 0; crash < 30; ++crash) {
    t.cluster.RunFor(static_cast<int64_t>(random.Below(150'000)));
    const auto victim = static_cast<uint32_t>(random.Below(3));
    if (t.cluster.node(victim) == nullptr) continue;
    t.cluster.Crash(victim, random.Chance(500) ? CrashMode::kLoseUnsynced : CrashMode::kAnyLoss);
    const absl::Status started = t.cluster.Start(victim);
    INFO(started);
    REQUIRE(started.ok());
  }
  if (t.EpochOf(0) == Epoch(1)) t.Propose(0, {0, 1, 2, 3});
  const bool second = t.AllIn(Epoch(2), {0, 1, 2}, 120 * kSecond);
  INFO(t.Tail());
  REQUIRE(second);
  CHECK(t.cluster.node(0)->EpochChain().size() > 100);
  const auto walked = ledger::WalkEpochChain(t.cluster.test_network().genesis(),
                                             AsBytes(t.cluster.node(0)->EpochChain()));
  REQUIRE(walked.ok());
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(t.cluster.node(i)->genesis().epoch_base_hash == walked->epoch_base_hash);
  }
  REQUIRE(t.Ingest(0));
}

TEST_CASE("epochs: an approval that is executed again in the next epoch calls for no blocks",
          "[epochs]") {
  Network t(3);
  REQUIRE(t.Ingest(0));
  t.Propose(0, {0, 1, 2, 3});
  REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
  REQUIRE(t.Ingest(1));
  // Power loss leaves the journals and takes the state that was made of them.
  for (uint32_t i = 0; i < 3; ++i) t.cluster.Crash(i, CrashMode::kLoseUnsynced);
  for (uint32_t i = 0; i < 3; ++i) REQUIRE(t.cluster.Start(i).ok());
  REQUIRE(t.Ingest(0));
  const Height before = t.cluster.node(0)->Status().executed;
  t.cluster.RunFor(5 * kSecond);
  const Height after = t.cluster.node(0)->Status().executed;
  INFO("from height " << before.value() << " to " << after.value() << "\n" << t.Tail());
  // Heartbeats alone: five a second.
  CHECK(after - before <= 30);
}

TEST_CASE("epochs: a hello of another epoch opens no stream and ends no epoch by its word alone",
          "[epochs]") {
  Network t(3);
  REQUIRE(t.Ingest(0));
  Hash certificate;
  certificate.bytes.fill(7);
  const auto hello_to = [&](uint32_t to) {
    return t.cluster.node(1)->Hello(ValidatorIndex(to), certificate);
  };
  const auto say = [&](uint32_t to, const std::string& hello) {
    PeerStream stream{.from = ValidatorIndex(1), .certificate_hash = certificate};
    const absl::Status status = t.cluster.node(to)->OnFrame(&stream, hello);
    CHECK(stream.greeted == status.ok());
    return status;
  };
  const std::string old = hello_to(0);
  CHECK(say(0, old).ok());
  t.cluster.Crash(2, CrashMode::kLoseUnsynced);
  t.Propose(0, {0, 1, 2, 3});
  const bool second = t.AllIn(Epoch(2), {0, 1});
  INFO(t.Tail());
  REQUIRE(second);
  CHECK(say(0, hello_to(0)).ok());
  CHECK(absl::StrContains(say(0, old).message(), "the other epoch is over"));

  // Who slept is told by anchors, and by nothing less.
  REQUIRE(t.cluster.Start(2).ok());
  Node& sleeper = *t.cluster.node(2);
  REQUIRE(sleeper.genesis().epoch == Epoch(1));
  const HelloFrame hello = *DecodeHello(hello_to(2));
  REQUIRE(hello.anchors.size() == 1);
  const auto refused = [&](const std::function<void(HelloFrame*)>& spoil) {
    HelloFrame bad = hello;
    spoil(&bad);
    return !say(2, EncodeHello(bad)).ok() && !sleeper.epoch_ended();
  };
  CHECK(refused([](HelloFrame* bad) { bad->anchors.clear(); }));
  CHECK(refused([](HelloFrame* bad) { bad->anchors[0].seal_leaf.pop_back(); }));
  CHECK(refused([](HelloFrame* bad) { bad->anchors[0].next_set[60] ^= 1; }));
  CHECK(refused([](HelloFrame* bad) { bad->anchors[0].path.clear(); }));
  CHECK(refused([](HelloFrame* bad) {
    std::string& note = bad->anchors[0].checkpoint;  // Its text alone.
    note.resize(note.find("\n\n") + 2);
  }));
  CHECK(absl::StrContains(say(2, EncodeHello(hello)).message(), "this validator is in epoch 1"));
  CHECK(sleeper.epoch_ended());
  const bool there = t.AllIn(Epoch(2), {2});
  INFO(t.Tail());
  REQUIRE(there);
}

TEST_CASE("epochs: anchors that prove nothing are refused", "[epochs]") {
  Network t(3);
  REQUIRE(t.Ingest(0));
  t.Propose(0, {0, 1, 2, 3});
  REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
  const std::vector<ledger::EpochAnchor> good =
      *ledger::DecodeEpochChain(AsBytes(t.cluster.node(0)->EpochChain()));
  REQUIRE(good.size() == 1);
  const ledger::Genesis& genesis = t.cluster.test_network().genesis();
  REQUIRE(ledger::VerifyEpochAnchor(genesis, good[0]).ok());
  const auto refused = [&](const std::function<void(ledger::EpochAnchor*)>& spoil) {
    ledger::EpochAnchor bad = good[0];
    spoil(&bad);
    return !ledger::VerifyEpochAnchor(genesis, bad).ok();
  };
  // Every byte of what is proven; addresses are hints.
  for (size_t i = 0; i < good[0].seal_leaf.size(); ++i) {
    CHECK(refused([&](ledger::EpochAnchor* bad) { bad->seal_leaf[i] ^= 1; }));
  }
  for (size_t i = 0; i < good[0].next_set.size(); ++i) {
    CHECK(refused([&](ledger::EpochAnchor* bad) { bad->next_set[i] ^= 1; }));
  }
  CHECK(refused([](ledger::EpochAnchor* bad) { bad->path.pop_back(); }));
  CHECK(refused([](ledger::EpochAnchor* bad) { bad->path[0].bytes[0] ^= 1; }));
  // One cosignature is no quorum of three.
  CHECK(refused([](ledger::EpochAnchor* bad) {
    std::string& note = bad->checkpoint;
    size_t lines = 0;
    for (size_t at = note.find("\xE2\x80\x94"); at != std::string::npos;
         at = note.find("\xE2\x80\x94", at + 1)) {
      if (++lines == 3) {
        note.resize(at);
        break;
      }
    }
  }));
  // The second epoch's own set cannot be talked into the first's anchor.
  CHECK(!ledger::VerifyEpochAnchor(t.cluster.node(0)->genesis(), good[0]).ok());
}

}  // namespace
}  // namespace vigil::node
