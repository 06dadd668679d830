// Learners: a newcomer follows the chain before its epoch begins, strangers and those who were
// turned away are refused, nothing that a learner says counts, and nobody can feed it another
// chain.
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/state/governance_queries.h"
#include "ledger/storage/memory_store.h"
#include "node/driver/final_blocks.h"
#include "node/driver/learner.h"
#include "node/driver/learner_desk.h"
#include "node/driver/peer_frame.h"
#include "node/driver/recovery.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::ProposalState;
using sim::SensorStream;
using sim::SimCluster;

constexpr uint32_t kNewcomer = 4;
constexpr char kData[] = "/newcomer";

// One call to a validator, in memory.
struct Stream final : public LearnerStream {
  explicit Stream(std::string who, Hash shown = Hash())
      : name(std::move(who)), certificate(shown) {}
  const std::string& identity() const override { return name; }
  Hash certificate_hash() const override { return certificate; }
  bool Send(std::string frame) override {
    if (ended.has_value()) return false;
    bytes += frame.size();
    frames.push_back(std::move(frame));
    return true;
  }
  void End(const absl::Status& why) override {
    if (!ended.has_value()) ended = why;
  }

  const std::string name;
  const Hash certificate;
  std::deque<std::string> frames;
  std::optional<absl::Status> ended;
  uint64_t bytes = 0;
  size_t asked = 0;
};

// Four validators of four organisations, and a fifth machine that genesis does not name.
struct Network {
  explicit Network(uint64_t seed = 23, uint32_t interval = 2048)
      : cluster({.validators = 4,
                 .newcomers = 1,
                 .organisations = 4,
                 .heartbeat_millis = 100,
                 .snapshot_interval_blocks = interval},
                seed) {
    cluster.SetLogTap([this](uint32_t i, LogLevel, absl::string_view line) {
      log.push_back(absl::StrCat(i, ": ", line));
    });
    for (uint32_t i = 0; i < 4; ++i) REQUIRE(cluster.Start(i).ok());
    WaitForLeader(&cluster);
    Submit();
  }
  void Submit() {
    const SubmitOutcome outcome = SubmitAndWait(&cluster, 0, stream.NextBatch(5));
    INFO(outcome.error.what);
    REQUIRE(outcome.error.ok());
  }
  const ledger::GenesisValidator& entry() { return cluster.test_network().entry(kNewcomer); }
  std::vector<ledger::GenesisValidator> Present() {
    std::vector<ledger::GenesisValidator> set;
    for (uint32_t i = 0; i < 4; ++i) set.push_back(cluster.test_network().entry(i));
    return set;
  }
  RecordIndex Propose(const std::vector<ledger::GenesisValidator>& next,
                      const std::string& reason = "a test") {
    const SubmitOutcome outcome = SubmitAndWait(
        &cluster, 0,
        cluster.test_network().Propose(0, cluster.node(0)->genesis().epoch, next, reason));
    REQUIRE(outcome.error.ok());
    REQUIRE(outcome.receipt.result == ledger::ResultCode::kOk);
    return outcome.receipt.record_index;
  }
  RecordIndex ProposeNewcomer(const std::string& reason = "a test") {
    std::vector<ledger::GenesisValidator> next = Present();
    next.push_back(entry());
    return Propose(next, reason);
  }
  // Of two organisations more: with the proposer's that is a majority against, or for.
  void Vote(RecordIndex proposal, bool approves) {
    for (const uint32_t organisation : {1u, 2u, 3u}) {
      SubmitTo(cluster.node(0), cluster.test_network().Ballot(organisation, proposal, approves));
    }
  }
  std::string Tail() const {
    std::string text;
    for (size_t i = log.size() > 30 ? log.size() - 30 : 0; i < log.size(); ++i) {
      absl::StrAppend(&text, log[i], "\n");
    }
    return text;
  }

  SimCluster cluster;
  SensorStream stream = StreamOf(cluster);
  std::vector<std::string> log;
};

// The newcomer's process: its learner, and a call to every validator that is up.
class Machine {
 public:
  explicit Machine(Network* network) : t_(*network) {}
  ~Machine() { Stop(); }

  void Init() {
    REQUIRE(Node::Init(&disk(), kData, t_.entry().journal_id, "", Beginning::kJoin).ok());
  }
  void Start() {
    const auto epochs = ledger::LoadEpochChain(disk(), kData, t_.cluster.test_network().genesis());
    REQUIRE(epochs.ok());
    LearnerConfig config;
    config.data_dir = kData;
    config.entry = t_.entry();
    config.epoch_anchors = epochs->anchors;
    config.consensus_key = &t_.cluster.test_network().consensus_key(kNewcomer);
    LearnerSeams seams;
    seams.files = &disk();
    seams.clock = &t_.cluster.clock_of(kNewcomer);
    seams.transport = &wire_;
    seams.open_store = sim::StoresOn(&disk(), kData, 256u << 10);
    seams.log = [this](LogLevel, absl::string_view, absl::string_view line) {
      t_.log.push_back(absl::StrCat("newcomer: ", line));
    };
    auto opened = Learner::Open(epochs->genesis, config, seams);
    INFO(opened.status() << "\n" << t_.Tail());
    REQUIRE(opened.ok());
    learner_ = *std::move(opened);
    calls_.assign(4, nullptr);
    ++starts_;
  }
  void Stop() {
    for (uint32_t i = 0; i < calls_.size(); ++i) Hang(i);
    learner_.reset();
  }
  void Crash(CrashMode mode) {
    for (uint32_t i = 0; i < calls_.size(); ++i) Hang(i);
    disk().Crash(mode);
    learner_.reset();
  }
  // What one step of the clock lets it do. Opens itself anew when it has joined.
  void Step() {
    if (learner_ == nullptr) return;
    for (uint32_t i = 0; i < 4; ++i) Connect(i);
    for (int round = 0; round < 8; ++round) {
      for (uint32_t i = 0; i < 4; ++i) Deliver(i);
      for (Actor* actor : learner_->actors()) actor->Step();
    }
    if (!learner_->joined()) return;
    Stop();
    Start();
  }
  bool RunUntil(const std::function<bool()>& done, int64_t micros = 60 * kSecond) {
    return t_.cluster.RunUntil(done, micros, [this] { Step(); });
  }
  bool Reaches(Height height, int64_t micros = 60 * kSecond) {
    return RunUntil([&] { return learner_ != nullptr && learner_->state().height >= height; },
                    micros);
  }

  Learner* learner() { return learner_.get(); }
  ledger::FaultyFileSystem& disk() { return t_.cluster.disk(kNewcomer); }
  uint32_t starts() const { return starts_; }
  // Alters what validator `i` answers.
  std::function<void(uint32_t i, FetchAnswer* answer)> lie;

 private:
  struct Wire final : public Transport {
    explicit Wire(Machine* owner) : machine(owner) {}
    bool Send(ValidatorIndex to, OutFrame frame) override {
      if (!IsConnected(to)) return false;
      machine->out_.emplace_back(to.value(), std::move(frame.head));
      return true;
    }
    bool IsConnected(ValidatorIndex peer) const override {
      return peer.value() < machine->calls_.size() && machine->calls_[peer.value()] != nullptr;
    }
    Machine* const machine;
  };

  LearnerDesk* Desk(uint32_t i) {
    return t_.cluster.node(i) == nullptr ? nullptr : t_.cluster.node(i)->learners();
  }
  void Hang(uint32_t i) {
    if (calls_[i] != nullptr && Desk(i) != nullptr) Desk(i)->OnLearnerEnd(calls_[i].get());
    calls_[i] = nullptr;
  }
  void Connect(uint32_t i) {
    const int64_t now = t_.cluster.clock().MonotonicMicros();
    if (Desk(i) != desks_[i]) calls_[i] = nullptr;  // The validator was opened anew.
    desks_[i] = Desk(i);
    if (calls_[i] != nullptr || desks_[i] == nullptr || now < retry_micros_[i]) return;
    calls_[i] = std::make_shared<Stream>(t_.entry().identity());
    out_.emplace_back(i, learner_->Hello(ValidatorIndex(i), Hash()));
  }
  void Deliver(uint32_t i) {
    std::deque<std::pair<uint32_t, std::string>> out = std::exchange(out_, {});
    for (const auto& [to, frame] : out) {
      if (calls_[to] == nullptr || calls_[to]->ended.has_value()) continue;
      const absl::Status status = desks_[to]->OnLearnerFrame(calls_[to], frame);
      if (!status.ok()) calls_[to]->End(status);
    }
    const std::shared_ptr<Stream> call = calls_[i];
    if (call == nullptr) return;
    for (std::string& frame : std::exchange(call->frames, {})) {
      absl::StatusOr<FetchAnswer> answer = DecodeLearnerAnswer(frame);
      if (answer.ok() && lie) {
        lie(i, &*answer);
        frame = EncodeLearnerAnswer(EncodeFetchAnswer(*answer));
      }
      (void)learner_->OnFrame(ValidatorIndex(i), frame);
    }
    if (!call->ended.has_value()) return;
    learner_->OnEnd(ValidatorIndex(i), *call->ended);
    Hang(i);
    retry_micros_[i] = t_.cluster.clock().MonotonicMicros() + kSecond;
  }

  Network& t_;
  Wire wire_{this};
  std::unique_ptr<Learner> learner_;
  std::vector<std::shared_ptr<Stream>> calls_;
  LearnerDesk* desks_[4] = {};
  int64_t retry_micros_[4] = {};
  std::deque<std::pair<uint32_t, std::string>> out_;
  uint32_t starts_ = 0;
};

NewcomerStanding StandingAt(Network* t, uint32_t i) {
  const auto standings = t->cluster.node(i)->Newcomers();
  REQUIRE(standings.ok());
  REQUIRE(standings->size() == 1);
  return standings->front();
}

// By hand: the hello of the newcomer's keys, or of others, on a stream of one's own.
std::string HelloOf(Network* t, const ledger::SigningKey& key, const std::string& to,
                    const std::string& identity, const Hash& certificate = Hash()) {
  LearnerHello hello;
  hello.chain_id = t->cluster.test_network().genesis().chain_id;
  hello.journal_id = t->entry().journal_id;
  hello.signature = key.Sign(AsBytes(LearnerHelloMessage(hello, identity, to, certificate)));
  return EncodeLearnerHello(hello);
}

// The newcomer is a validator now, on the folder that it learned into.
bool GoesOnAsValidator(Network* t) {
  NodeConfig& config = t->cluster.config(kNewcomer);
  config.data_dir = kData;
  (void)t->cluster.Start(kNewcomer);  // Finds that the folder was made.
  const absl::Status started = t->cluster.Start(kNewcomer);
  INFO(started);
  REQUIRE(started.ok());
  CHECK_FALSE(t->cluster.node(kNewcomer)->Status().join.active);
  return t->cluster.RunUntil(
      [&] {
        return t->cluster.node(kNewcomer) != nullptr &&
               !t->cluster.node(kNewcomer)->Status().refusing &&
               t->cluster.node(kNewcomer)->Status().core.role != consensus::CoreRole::kNonVoter &&
               t->cluster.node(kNewcomer)->Status().log.cosigned_size > 0;
      },
      60 * kSecond);
}

TEST_CASE("learner: it has caught up before the ballot that decides and goes on as a voter",
          "[learner]") {
  const bool by_snapshot = GENERATE(false, true);
  Network t(/*seed=*/23, by_snapshot ? 65 : 2048);
  if (by_snapshot) {
    REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(0)->Status().final >= Height(140); },
                               60 * kSecond));
  }
  const RecordIndex proposal = t.ProposeNewcomer();
  Machine machine(&t);
  CHECK_FALSE(StandingAt(&t, 0).learns);
  machine.Init();
  machine.Start();
  t.Submit();
  const Height height = t.cluster.node(0)->Status().executed;
  const bool reached = machine.Reaches(height);
  INFO(t.Tail());
  REQUIRE(reached);
  CHECK(machine.starts() == 2);
  // Every validator sees how far it is, as soon as it asks again.
  REQUIRE(machine.RunUntil([&] {
    for (uint32_t i = 0; i < 4; ++i) {
      const auto standing = StandingAt(&t, i);
      if (!standing.caught_up || standing.height < height) return false;
    }
    return true;
  }));
  // And none of them counts it.
  for (uint32_t i = 0; i < 4; ++i) CHECK(t.cluster.node(i)->genesis().validators.size() == 4);

  t.Vote(proposal, /*approves=*/true);
  const bool ended = machine.RunUntil([&] { return machine.learner()->epoch_ended(); });
  INFO(t.Tail());
  REQUIRE(ended);
  const Height learned = machine.learner()->state().height;
  machine.Stop();
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(0)->genesis().epoch == Epoch(2); },
                             30 * kSecond));
  const Height base = t.cluster.node(0)->genesis().epoch_base;
  CHECK(learned.value() + 50 > base.value());
  const bool votes = GoesOnAsValidator(&t);
  INFO(t.Tail());
  REQUIRE(votes);
  t.Submit();
  const Height top = t.cluster.node(0)->Status().executed;
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(kNewcomer)->Status().final >= top; },
                             30 * kSecond));
  CHECK(*t.cluster.node(kNewcomer)->Snapshot()->StateDigest(top) ==
        *t.cluster.node(0)->Snapshot()->StateDigest(top));
}

TEST_CASE("learner: whom no open proposal names is refused", "[learner]") {
  Network t;
  LearnerDesk& desk = *t.cluster.node(0)->learners();
  const std::string to = t.cluster.test_network().entry(0).identity();
  const std::string own = t.entry().identity();
  const ledger::SigningKey& key = t.cluster.test_network().consensus_key(kNewcomer);
  const auto hello = [&](const std::string& who, const std::string& frame, Hash shown = Hash()) {
    const auto stream = std::make_shared<Stream>(who, shown);
    const absl::Status status = desk.OnLearnerFrame(stream, frame);
    // Nothing is read for it, whatever it was told.
    CHECK(desk.OnLearnerFrame(stream, EncodeLearnerRequest(Height(0), "")).ok() == status.ok());
    desk.OnLearnerEnd(stream.get());
    return status;
  };
  CHECK(absl::IsNotFound(hello(own, HelloOf(&t, key, to, own))));
  t.ProposeNewcomer();
  CHECK(hello(own, HelloOf(&t, key, to, own)).ok());

  // Another's keys, another's certificate, words for another validator, words over another
  // connection.
  const ledger::SigningKey& other = t.cluster.test_network().consensus_key(0);
  CHECK(absl::IsUnauthenticated(hello(own, HelloOf(&t, other, to, own))));
  CHECK(absl::IsNotFound(hello("org-1/v9", HelloOf(&t, key, to, own))));
  CHECK(absl::IsNotFound(hello(to, HelloOf(&t, key, to, to))));
  const std::string second = t.cluster.test_network().entry(1).identity();
  CHECK(absl::IsUnauthenticated(hello(own, HelloOf(&t, key, second, own))));
  Hash shown;
  shown.bytes[0] = 1;
  CHECK(absl::IsUnauthenticated(hello(own, HelloOf(&t, key, to, own), shown)));
  CHECK(hello(own, HelloOf(&t, key, to, own, shown), shown).ok());
  CHECK(desk.counts().refused >= 6);
}

TEST_CASE("learner: a rejected proposal ends its learning and its keys are refused from then on",
          "[learner]") {
  Network t;
  const RecordIndex proposal = t.ProposeNewcomer();
  Machine machine(&t);
  machine.Init();
  machine.Start();
  REQUIRE(machine.Reaches(t.cluster.node(0)->Status().final));
  CHECK(machine.learner()->turned_away().ok());

  t.Vote(proposal, /*approves=*/false);
  const bool away = machine.RunUntil([&] { return !machine.learner()->turned_away().ok(); });
  INFO(t.Tail());
  REQUIRE(away);
  const std::string why(machine.learner()->turned_away().message());
  CHECK(absl::StrContains(why, absl::StrCat("proposal ", proposal.value())));
  CHECK(absl::StrContains(why, "rejected"));
  CHECK(absl::StrContains(why, "remove its data folder"));
  const Height height = machine.learner()->state().height;
  t.Submit();
  t.cluster.RunFor(5 * kSecond, [&] { machine.Step(); });
  CHECK(machine.learner()->state().height == height);
  CHECK(t.cluster.node(0)->Newcomers()->empty());

  LearnerDesk& desk = *t.cluster.node(0)->learners();
  const auto stream = std::make_shared<Stream>(t.entry().identity());
  const ledger::SigningKey& key = t.cluster.test_network().consensus_key(kNewcomer);
  CHECK(absl::IsPermissionDenied(desk.OnLearnerFrame(
      stream,
      HelloOf(&t, key, t.cluster.test_network().entry(0).identity(), t.entry().identity()))));
  // What it kept lets it act as nobody.
  machine.Stop();
  NodeConfig config = t.cluster.config(kNewcomer);
  config.data_dir = kData;
  config.self = ValidatorIndex(0);
  NodeSeams seams;
  seams.files = &machine.disk();
  seams.clock = &t.cluster.clock_of(kNewcomer);
  seams.transport = t.cluster.network().transport(kNewcomer);
  seams.open_store = sim::StoresOn(&machine.disk(), kData, 256u << 10);
  CHECK(absl::IsFailedPrecondition(
      Node::Open(t.cluster.test_network().genesis(), config, seams).status()));

  // A later proposal lets it in again, on what it has.
  t.ProposeNewcomer("once more");
  machine.Start();
  REQUIRE(machine.Reaches(Height(height.value() + 1)));
}

TEST_CASE("learner: a proposal that lapses ends it too", "[learner]") {
  Network t;
  t.ProposeNewcomer();
  Machine machine(&t);
  machine.Init();
  machine.Start();
  REQUIRE(machine.Reaches(t.cluster.node(0)->Status().final));
  // Another organisation's proposal is approved first.
  std::vector<ledger::GenesisValidator> smaller = t.Present();
  smaller.pop_back();
  const SubmitOutcome other =
      SubmitAndWait(&t.cluster, 0, t.cluster.test_network().Propose(1, Epoch(1), smaller, "fewer"));
  REQUIRE(other.error.ok());
  for (const uint32_t organisation : {0u, 2u}) {
    SubmitTo(t.cluster.node(0), t.cluster.test_network().Ballot(
                                    organisation, other.receipt.record_index, /*approves=*/true));
  }
  // The epoch ends without it: it opens anew, as a newcomer still, and nobody knows it.
  const bool ended = machine.RunUntil([&] { return machine.learner()->epoch_ended(); });
  INFO(t.Tail());
  REQUIRE(ended);
  machine.Stop();
  machine.Start();
  const bool told = machine.RunUntil([&] { return !machine.learner()->state().refusal.empty(); });
  INFO(t.Tail());
  REQUIRE(told);
  CHECK(absl::StrContains(machine.learner()->state().refusal, "no open proposal"));
  CHECK(machine.learner()->state().let_in == 0);
}

TEST_CASE("learner: nothing that it says counts in agreement", "[learner]") {
  Network t;
  // Under a name of the present set, with other keys: its certificate passes for the validator's.
  std::vector<ledger::GenesisValidator> next = t.Present();
  ledger::GenesisValidator replaced = t.entry();
  replaced.org = next[3].org;
  replaced.name = next[3].name;
  next[3] = replaced;
  t.Propose(next);
  t.cluster.Crash(3, CrashMode::kLoseUnsynced);
  Node& node = *t.cluster.node(0);
  const std::string identity = replaced.identity();
  const ledger::SigningKey& key = t.cluster.test_network().consensus_key(kNewcomer);

  // It learns.
  LearnerDesk& desk = *node.learners();
  const auto stream = std::make_shared<Stream>(identity);
  REQUIRE(desk.OnLearnerFrame(stream,
                              HelloOf(&t, key, node.genesis().validators[0].identity(), identity))
              .ok());
  // There, frames of agreement are none.
  const uint64_t refused = desk.counts().refused;
  for (const std::string& frame :
       {EncodeConsensusHead("a vote", 0), EncodeCosignature({.asks = true, .note = "a note"}),
        EncodeForward({})}) {
    CHECK_FALSE(desk.OnLearnerFrame(stream, frame).ok());
  }
  CHECK(desk.counts().refused == refused + 3);

  // On a validator's stream its hello is not the validator's, and without one nothing is heard.
  HelloFrame hello;
  hello.chain_id = node.genesis().chain_id;
  hello.validator = ValidatorIndex(3);
  for (const bool own_journal : {true, false}) {
    hello.journal_id = own_journal ? replaced.journal_id : node.genesis().validators[3].journal_id;
    hello.signature = key.Sign(AsBytes(HelloMessage(hello, ValidatorIndex(0), Hash())));
    PeerStream peer{.from = ValidatorIndex(3), .certificate_hash = Hash()};
    CHECK_FALSE(node.OnFrame(&peer, EncodeHello(hello)).ok());
    CHECK_FALSE(peer.greeted);
    CHECK_FALSE(node.OnFrame(&peer, EncodeConsensusHead("a vote", 0)).ok());
    CHECK_FALSE(node.OnFrame(&peer, EncodeCosignature({.asks = true, .note = "a note"})).ok());
  }
  // With half of the set left, nothing is committed, however many learn.
  t.cluster.Crash(2, CrashMode::kLoseUnsynced);
  const Height committed = t.cluster.node(0)->Status().core.committed.height;
  const OutcomeBox box = SubmitTo(t.cluster.node(0), t.stream.NextBatch(1));
  t.cluster.RunFor(10 * kSecond);
  CHECK((!box->has_value() || !(*box)->error.ok()));
  CHECK(t.cluster.node(0)->Status().core.committed.height.value() <= committed.value() + 8);
  CHECK(t.cluster.node(0)->Status().log.fork_count == 0);
}

TEST_CASE("learner: a validator that lies cannot feed it another chain", "[learner]") {
  Network t;
  Network other(/*seed=*/99);  // The same keys, another history.
  for (int i = 0; i < 5; ++i) {
    t.Submit();
    other.Submit();
  }
  const auto body = [](Network* from, Network* proof_of, uint64_t first, uint64_t last) {
    const Node& node = *from->cluster.node(1);
    std::vector<ledger::BlockPtr> blocks;
    for (uint64_t h = first; h <= last; ++h) blocks.push_back(*node.LoadBlock(Height(h)));
    const Node& prover = *proof_of->cluster.node(1);
    const auto proof = ProveFinal(prover.genesis(), *prover.Snapshot(), *prover.tiles(),
                                  *prover.Checkpoint(), Height(last));
    REQUIRE(proof.ok());
    return EncodeFinalBlocks(*proof, blocks);
  };
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(1)->FinalHeight() >= Height(6); },
                             10 * kSecond));
  REQUIRE(other.cluster.RunUntil([&] { return other.cluster.node(1)->FinalHeight() >= Height(6); },
                                 10 * kSecond));
  const ledger::Genesis& genesis = t.cluster.test_network().genesis();
  const ledger::LogKeys keys = ledger::LogKeysOf(genesis);

  SECTION("blocks and proof are judged alone") {
    const ledger::Tip tip = [&] {
      ledger::MemoryStore empty;
      return (*ledger::ChainState::Open(&empty, &genesis))->tip();
    }();
    CHECK(CheckFinalBlocks(genesis, keys, tip, body(&t, &t, 1, 5)).ok());
    // A chain of good blocks that no quorum cosigned as this log.
    const absl::Status foreign =
        CheckFinalBlocks(genesis, keys, tip, body(&other, &t, 1, 5)).status();
    CHECK(absl::StrContains(foreign.message(), "a quorum cosigned another log"));
    // From the middle, and with every byte changed somewhere.
    CHECK_FALSE(CheckFinalBlocks(genesis, keys, tip, body(&t, &t, 2, 5)).ok());
    const std::string good = body(&t, &t, 1, 4);
    const uint64_t seed = TestSeed(5);
    SplitMix64 random(seed);
    for (int i = 0; i < 300; ++i) {
      std::string bad = good;
      bad[random.Below(bad.size())] ^= static_cast<char>(1u << random.Below(8));
      const auto blocks = CheckFinalBlocks(genesis, keys, tip, bad);
      // Whatever is taken is the chain: a cosignature too many may be spoilt.
      if (blocks.ok())
        CHECK(blocks->back()->hash() == t.cluster.node(1)->LoadBlock(Height(4)).value()->hash());
      CHECK_FALSE(
          CheckFinalBlocks(genesis, keys, tip, good.substr(0, random.Below(good.size()))).ok());
    }
  }
  SECTION("it passes the liar over and goes on with the others") {
    t.ProposeNewcomer();
    Machine machine(&t);
    machine.Init();
    machine.Start();
    uint64_t lies = 0;
    machine.lie = [&](uint32_t i, FetchAnswer* answer) {
      const bool follows = machine.learner()->state().phase == "follows";
      if (i != 1 || !follows || !answer->status.ok()) return;
      ++lies;
      answer->body = body(&other, &t, 1, 5);
    };
    for (int i = 0; i < 5; ++i) t.Submit();
    const Height height = t.cluster.node(0)->Status().executed;
    const bool reached = machine.Reaches(height);
    INFO(t.Tail());
    REQUIRE(reached);
    CHECK(lies > 0);
    CHECK(machine.learner()->state().bad_answers == lies);
    CHECK(machine.learner()->fatal().ok());
  }
}

TEST_CASE("learner: it resumes after crashes anywhere", "[learner]") {
  const uint64_t seed = TestSeed(31);
  SplitMix64 random(seed);
  Network t(seed, /*interval=*/65);
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(0)->Status().final >= Height(140); },
                             60 * kSecond));
  const RecordIndex proposal = t.ProposeNewcomer();
  Machine machine(&t);
  machine.Init();
  machine.Start();
  for (int crash = 0; crash < 25; ++crash) {
    if (random.Chance(400)) {
      machine.disk().CrashAt(machine.disk().operation_count() + random.Below(60));
    }
    t.cluster.RunFor(static_cast<int64_t>(random.Below(400'000)), [&] { machine.Step(); });
    machine.Crash(random.Chance(500) ? CrashMode::kLoseUnsynced : CrashMode::kAnyLoss);
    machine.Start();
    if (crash % 5 == 0) t.Submit();
  }
  const Height height = t.cluster.node(0)->Status().executed;
  const bool reached = machine.Reaches(height);
  INFO(t.Tail());
  REQUIRE(reached);
  CHECK(machine.learner()->state().bad_answers == 0);
  t.Vote(proposal, /*approves=*/true);
  REQUIRE(machine.RunUntil([&] { return machine.learner()->epoch_ended(); }));
  machine.Crash(CrashMode::kLoseUnsynced);
  const bool votes = GoesOnAsValidator(&t);
  INFO(t.Tail());
  CHECK(votes);
}

TEST_CASE("learner: a flood of requests stays in its allowance and slows nobody", "[learner]") {
  Network t;
  constexpr uint64_t kRate = 256 * 1024;
  t.cluster.Crash(3, CrashMode::kLoseUnsynced);
  t.cluster.config(3).learner_bytes_per_second = kRate;
  REQUIRE(t.cluster.Start(3).ok());
  t.stream.MakeLargeEvents();
  for (int i = 0; i < 20; ++i) t.Submit();
  t.ProposeNewcomer();
  const Height height = t.cluster.node(0)->Status().executed;
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(3)->Status().final >= height; },
                             30 * kSecond));
  LearnerDesk& desk = *t.cluster.node(3)->learners();
  const std::string identity = t.entry().identity();
  const std::string hello = HelloOf(&t, t.cluster.test_network().consensus_key(kNewcomer),
                                    t.cluster.test_network().entry(3).identity(), identity);
  FetchRequest request;
  request.kind = FetchKind::kFinalBlocks;
  request.first = Height(1);
  request.count_max = kFetchBlocksMax;
  // As many requests at any time as are taken.
  const auto stream = std::make_shared<Stream>(identity);
  REQUIRE(desk.OnLearnerFrame(stream, hello).ok());
  const auto ask = [&](Stream* of, const std::shared_ptr<LearnerStream>& on) {
    ++request.id;
    ++of->asked;
    return desk.OnLearnerFrame(on, EncodeLearnerRequest(Height(0), EncodeFetchRequest(request)));
  };
  const int64_t begin = t.cluster.clock().MonotonicMicros();
  t.cluster.RunFor(10 * kSecond, [&] {
    while (stream->asked < stream->frames.size() - 1 + kFetchWaitingMax) {
      REQUIRE(ask(stream.get(), stream).ok());
    }
  });
  const uint64_t seconds =
      static_cast<uint64_t>(t.cluster.clock().MonotonicMicros() - begin) / kSecond;
  CHECK(stream->bytes > kRate);
  CHECK(stream->bytes <= kRate * (seconds + 2) + kFetchBodyBytesMax);

  // One more ends the stream, and another stream of the same keys stands no better.
  CHECK(absl::IsResourceExhausted(ask(stream.get(), stream)));
  CHECK_FALSE(ask(stream.get(), stream).ok());
  const auto second = std::make_shared<Stream>(identity);
  REQUIRE(desk.OnLearnerFrame(second, hello).ok());
  size_t taken = 0;
  while (taken < kFetchWaitingMax && ask(second.get(), second).ok()) ++taken;
  CHECK(taken < kFetchWaitingMax);
  // The network commits as before.
  t.Submit();
}

}  // namespace
}  // namespace vigil::node
