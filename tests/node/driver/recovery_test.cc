// What a node makes of the disk that it finds.
#include "node/driver/recovery.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "consensus/raft/codec.h"
#include "node/driver/node.h"
#include "node/driver/peer_frame.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using sim::SensorStream;
using sim::SimCluster;

constexpr char kJournal[] = "/vigil/journal";
constexpr char kGuard[] = "/vigil/rollback_guard";

// A lone validator with some history, stopped.
struct StoppedNode {
  SimCluster cluster{{.validators = 1}, /*seed=*/31};
  SensorStream stream = StreamOf(cluster);
  Height height;
  Hash state_digest;
  Hash head;

  explicit StoppedNode(CrashMode mode = CrashMode::kProcessOnly) {
    cluster.StartAll();
    for (int i = 0; i < 20; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(3)).error.ok());
    }
    const auto tip = cluster.node(0)->Snapshot()->GetTip();
    REQUIRE(tip.ok());
    height = tip->height;
    state_digest = tip->state_digest;
    cluster.RunFor(1'500'000);  // The guard follows.
    cluster.Crash(0, mode);
  }
  std::string FirstSegment() {
    const auto names = cluster.disk(0).List(kJournal);
    REQUIRE(names.ok());
    REQUIRE_FALSE(names->empty());
    return std::string(kJournal) + "/" + names->front();
  }
  NodeStatus Start() {
    const absl::Status status = cluster.Start(0);
    INFO(status);
    REQUIRE(status.ok());
    return cluster.node(0)->Status();
  }
  void CheckWhole() {
    REQUIRE(cluster.RunUntil([&] { return cluster.node(0)->Status().executed >= height; },
                             10 * kSecond));
    const auto digest = cluster.node(0)->Snapshot()->StateDigest(height);
    REQUIRE(digest.ok());
    CHECK(*digest == state_digest);
    CHECK(SubmitAndWait(&cluster, 0, stream.NextBatch(1)).error.ok());
  }
  void CheckRefuses(absl::string_view because) {
    const NodeStatus status = Start();
    CHECK(status.refusing);
    INFO(status.refusing_reason);
    CHECK(status.refusing_reason.find(std::string(because)) != std::string::npos);
    CHECK(cluster.node(0)->actors().empty());
    const OutcomeBox box = SubmitTo(cluster.node(0), stream.NextBatch(1));
    REQUIRE(box->has_value());
    CHECK((*box)->error.code == "node.refusing");
  }
};

// Journals written by hand.
struct HandMadeJournal {
  ledger::FaultyFileSystem disk{3};
  sim::TestNetwork network{{.validators = 3}};
  JournalPlace place{&disk, "/n/journal", "/n/guard", network.journal_id(0), {}};
  OpenedJournal opened;

  HandMadeJournal() {
    REQUIRE(disk.MakeDirs("/n").ok());
    REQUIRE(CreateJournal(place).ok());
    auto made = OpenJournal(place);
    REQUIRE(made.ok());
    REQUIRE(made->journal != nullptr);
    opened = *std::move(made);
  }
  ledger::BlockPtr Block(const ledger::BlockId& parent, uint64_t view, uint64_t executed) {
    ledger::BlockHeader header;
    header.height = parent.height.Next();
    header.parent_hash = parent.hash;
    header.parent_view = parent.view;
    header.view = View(view);
    header.executed_height = Height(executed);
    const auto block = ledger::Block::Make(header, {}, network.consensus_key(0));
    REQUIRE(opened.journal->Append(ledger::JournalType::kBlock, AsBytes(block->frame())).ok());
    return block;
  }
  void Commit(const ledger::BlockId& id) {
    const std::string body = consensus::EncodeRaftCommitRecord({.epoch = Epoch(1), .block = id});
    REQUIRE(opened.journal->Append(ledger::JournalType::kCommit, AsBytes(body)).ok());
  }
  absl::StatusOr<JournalScan> Scan() {
    REQUIRE(opened.journal->Sync().ok());
    return ScanJournal(network.genesis(), *opened.reader);
  }
  ledger::BlockId genesis() {
    return {.height = Height(0), .view = View(0), .hash = network.genesis().genesis_hash};
  }
};

TEST_CASE("recovery: the scan keeps the last cosigner's guard and refuses one that goes back",
          "[recovery]") {
  HandMadeJournal t;
  const auto append = [&](uint64_t size, uint8_t root) {
    CosignGuard guard{.size = size, .root = Hash(), .floor = Height(3)};
    guard.root.bytes.fill(root);
    REQUIRE(
        t.opened.journal->Append(ledger::JournalType::kCosigned, AsBytes(EncodeCosignGuard(guard)))
            .ok());
    return guard;
  };
  append(5, 1);
  const CosignGuard last = append(9, 2);
  append(9, 2);  // The same again is lawful.
  const auto scan = t.Scan();
  REQUIRE(scan.ok());
  CHECK(scan->cosigned == last);
  bool goes_back = false;
  SECTION("a smaller size") {
    append(8, 3);
    goes_back = true;
  }
  SECTION("another root at the size") {
    append(9, 3);
    goes_back = true;
  }
  CHECK(absl::IsDataLoss(t.Scan().status()) == goes_back);
}

TEST_CASE("recovery: the scan follows the branch through blocks that were replaced", "[recovery]") {
  HandMadeJournal t;
  const auto one = t.Block(t.genesis(), 1, 0);
  const auto two = t.Block(one->id(), 1, 0);
  t.Block(two->id(), 1, 0);
  const auto other_two = t.Block(one->id(), 2, 0);
  const auto other_three = t.Block(other_two->id(), 2, 1);
  const auto scan = t.Scan();
  INFO(scan.status());
  REQUIRE(scan.ok());
  REQUIRE(scan->chain.size() == 3);
  CHECK(scan->chain[0].id == one->id());
  CHECK(scan->chain[1].id == other_two->id());
  CHECK(scan->chain[2].id == other_three->id());
  for (size_t i = 0; i < 3; ++i) {
    const auto frame = t.opened.reader->Read(scan->positions[i]);
    REQUIRE(frame.ok());
    CHECK((*ledger::Block::Decode(frame->body))->id() == scan->chain[i].id);
    CHECK(scan->sizes[i] == frame->body.size());
  }
  // The proposer of block 3 had executed block 1: it is committed, though no mark says so.
  CHECK(scan->committed == Height(1));
}

TEST_CASE("recovery: commit marks count and must be of the branch", "[recovery]") {
  HandMadeJournal t;
  const auto one = t.Block(t.genesis(), 1, 0);
  const auto two = t.Block(one->id(), 1, 0);
  t.Commit(two->id());
  CHECK(t.Scan()->committed == Height(2));

  SECTION("a block that replaces a committed one is a contradiction") {
    t.Block(one->id(), 2, 0);
    CHECK(absl::IsDataLoss(t.Scan().status()));
  }
  SECTION("so is a mark for a block that is not there") {
    ledger::BlockId unknown = two->id();
    unknown.hash.bytes[0] ^= 1;
    t.Commit(unknown);
    CHECK(absl::IsDataLoss(t.Scan().status()));
  }
  SECTION("and a block that leaves a hole or follows nothing") {
    ledger::BlockId stranger = two->id();
    SECTION("hole") { stranger.height = Height(5); }
    SECTION("another parent") { stranger.hash.bytes[0] ^= 1; }
    t.Block(stranger, 2, 0);
    CHECK(absl::IsDataLoss(t.Scan().status()));
  }
}

TEST_CASE("recovery: the scan tells of the newest epoch that a block or a vote names",
          "[recovery]") {
  HandMadeJournal t;
  t.Block(t.genesis(), 1, 0);
  const auto vote_in = [&](uint64_t epoch) {
    const std::string vote = consensus::EncodeRaftVoteRecord(
        {.epoch = Epoch(epoch), .term = View(4), .voted_for = ValidatorIndex(2), .may_vote = true});
    REQUIRE(t.opened.journal->Append(ledger::JournalType::kVote, AsBytes(vote)).ok());
    const auto scan = t.Scan();
    REQUIRE(scan.ok());
    return scan->epoch_max;
  };
  CHECK(vote_in(1) == Epoch(1));
  CHECK(vote_in(2) == Epoch(2));
}

TEST_CASE("recovery: a vote of an epoch that the epoch chain does not reach is no crash",
          "[recovery]") {
  StoppedNode t;
  {
    const JournalPlace place{
        &t.cluster.disk(0), kJournal, kGuard, t.cluster.test_network().journal_id(0), {}};
    auto opened = OpenJournal(place);
    REQUIRE(opened.ok());
    REQUIRE(opened->journal != nullptr);
    const std::string vote = consensus::EncodeRaftVoteRecord(
        {.epoch = Epoch(2), .term = View(4), .voted_for = ValidatorIndex(0), .may_vote = true});
    REQUIRE(opened->journal->Append(ledger::JournalType::kVote, AsBytes(vote)).ok());
    REQUIRE(opened->journal->Sync().ok());
  }
  t.CheckRefuses(
      "holds blocks or votes of epoch 2, its epoch chain reaches 1: the file "
      "epochs.chain is lost or old");
}

TEST_CASE("recovery: the core is told everything that a restart must not forget", "[recovery]") {
  HandMadeJournal t;
  const auto one = t.Block(t.genesis(), 1, 0);
  const std::string vote = consensus::EncodeRaftVoteRecord(
      {.epoch = Epoch(1), .term = View(4), .voted_for = ValidatorIndex(2), .may_vote = false});
  REQUIRE(t.opened.journal->Append(ledger::JournalType::kVote, AsBytes("old")).ok());
  REQUIRE(t.opened.journal->Append(ledger::JournalType::kVote, AsBytes(vote)).ok());
  const auto scan = t.Scan();
  REQUIRE(scan.ok());
  t.opened.guard.view = 9;
  t.opened.last_group_ambiguous = true;
  const auto recover = [&](bool accept) {
    return RecoveredFrom(*scan, t.opened, Height(1), accept);
  };
  const consensus::Recovered cautious = recover(false);
  CHECK(cautious.vote == vote);
  CHECK(cautious.view_min == View(9));
  CHECK(cautious.chain == std::vector<ledger::BlockId>{one->id()});
  CHECK(cautious.chain_sizes == std::vector<uint32_t>{static_cast<uint32_t>(one->frame().size())});
  CHECK(cautious.committed == Height(1));
  CHECK_FALSE(cautious.may_vote);

  // The operator's word makes it a voter again, and changes nothing about its vote.
  const consensus::Recovered trusting = recover(true);
  CHECK(trusting.may_vote);
  const auto record = consensus::DecodeRaftVoteRecord(trusting.vote);
  REQUIRE(record.ok());
  CHECK(record->may_vote);
  CHECK(record->term == View(4));
  CHECK(record->voted_for == ValidatorIndex(2));
}

TEST_CASE("recovery: a node goes on where it was after every kind of crash", "[recovery]") {
  for (const CrashMode mode :
       {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
        CrashMode::kTornSectors, CrashMode::kTornPages}) {
    StoppedNode t(mode);
    CHECK_FALSE(t.Start().refusing);
    t.CheckWhole();
  }
}

TEST_CASE("recovery: damaged state is rebuilt from the journal", "[recovery]") {
  StoppedNode t;
  const auto names = t.cluster.disk(0).List("/vigil/state");
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    if (name == "LOCK") continue;
    const std::string path = "/vigil/state/" + name;
    const auto size = t.cluster.disk(0).Size(path);
    for (uint64_t offset = 0; size.ok() && offset < *size; offset += 97) {
      REQUIRE(t.cluster.disk(0).FlipBit(path, offset, 3).ok());
    }
  }
  CHECK_FALSE(t.Start().refusing);
  t.CheckWhole();
}

TEST_CASE("recovery: a running node builds its search index anew when asked", "[recovery]") {
  StoppedNode t;
  CHECK_FALSE(t.Start().refusing);
  t.CheckWhole();
  Node* node = t.cluster.node(0);
  const auto indexed = [&] { return node->index().complete_height() == node->Status().executed; };
  REQUIRE(t.cluster.RunUntil(indexed, 10 * kSecond));
  const Height first = node->index().first_height();
  node->RebuildIndex();
  for (Actor* actor : node->actors()) {
    if (actor->name() == "index") CHECK(actor->Step());
  }
  CHECK_FALSE(indexed());
  REQUIRE(t.cluster.RunUntil(indexed, 10 * kSecond));
  CHECK(node->index().first_height() == first);
}

TEST_CASE("recovery: old segments of the search index go and a rebuild does not bring them back",
          "[recovery]") {
  SimCluster cluster({.validators = 1}, /*seed=*/77);
  cluster.config(0).index_keep_blocks = 4;
  cluster.config(0).detector_enabled = false;
  cluster.StartAll();
  SensorStream stream = StreamOf(cluster);
  REQUIRE(cluster.RunUntil([&] { return cluster.leader() != nullptr; }, 20 * kSecond));
  for (int i = 0; i < 70; ++i) {
    REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(2'000)).error.ok());
  }
  Node* node = cluster.node(0);
  const auto indexed = [&] { return node->index().complete_height() == node->Status().executed; };
  REQUIRE(cluster.RunUntil(indexed, 10 * kSecond));
  // 140,000 events: two segments are full, and the newest four blocks need only what follows.
  const Height first = node->index().first_height();
  CHECK(first > Height(32));
  CHECK(first <= node->Status().executed.Previous().Previous());
  node->RebuildIndex();
  for (Actor* actor : node->actors()) {
    if (actor->name() == "index") CHECK(actor->Step());
  }
  REQUIRE(cluster.RunUntil(indexed, 10 * kSecond));
  CHECK(node->index().first_height().value() + 4 > node->Status().executed.value());
}

// LevelDB makes tables of its log when it opens; the middle of a table is data.
void DamageTables(SimCluster* cluster, const std::string& directory) {
  const auto names = cluster->disk(0).List(directory);
  REQUIRE(names.ok());
  int damaged = 0;
  for (const std::string& name : *names) {
    if (name.find(".ldb") == std::string::npos) continue;
    const std::string path = directory + "/" + name;
    REQUIRE(cluster->disk(0).FlipBit(path, *cluster->disk(0).Size(path) / 3, 3).ok());
    ++damaged;
  }
  REQUIRE(damaged > 0);
}

TEST_CASE("recovery: a damaged table is met while running and the next start builds it anew",
          "[recovery]") {
  StoppedNode t;
  CHECK_FALSE(t.Start().refusing);
  t.CheckWhole();
  t.cluster.Crash(0, CrashMode::kProcessOnly);
  for (const std::string name : {"state", "detect"}) {
    CAPTURE(name);
    DamageTables(&t.cluster, "/vigil/" + name);
    // Whether this start meets the damage depends on what it has to read.
    const absl::Status first = t.cluster.Start(0);
    INFO(first);
    REQUIRE(first.ok());
    t.cluster.RunFor(5 * kSecond);
    const bool died = !t.cluster.node(0)->fatal().ok();
    const bool marked = t.cluster.disk(0).Exists("/vigil/" + name + ".rebuild");
    if (died) CHECK(marked);
    t.cluster.Crash(0, CrashMode::kProcessOnly);
    CHECK_FALSE(t.Start().refusing);
    CHECK_FALSE(t.cluster.disk(0).Exists("/vigil/" + name + ".rebuild"));
    t.CheckWhole();
    t.cluster.Crash(0, CrashMode::kProcessOnly);
  }
}

TEST_CASE("recovery: a marked store starts empty and the mark goes", "[recovery]") {
  StoppedNode t;
  for (const std::string name : {"state", "detect", "index"}) {
    REQUIRE(t.cluster.disk(0).WriteAtomically("/vigil/" + name + ".rebuild", AsBytes("x")).ok());
  }
  CHECK_FALSE(t.Start().refusing);
  t.CheckWhole();
  for (const std::string name : {"state", "detect", "index"}) {
    CHECK_FALSE(t.cluster.disk(0).Exists("/vigil/" + name + ".rebuild"));
  }
}

TEST_CASE("recovery: lost stores are rebuilt from the journal", "[recovery]") {
  StoppedNode t;
  for (const std::string name : {"state", "index", "detect"}) {
    const std::string directory = "/vigil/" + name;
    const auto files = t.cluster.disk(0).List(directory);
    REQUIRE(files.ok());
    for (const std::string& file : *files) {
      REQUIRE(t.cluster.disk(0).Remove(directory + "/" + file).ok());
    }
  }
  CHECK_FALSE(t.Start().refusing);
  t.CheckWhole();
  REQUIRE(t.cluster.RunUntil(
      [&] {
        const NodeStatus status = t.cluster.node(0)->Status();
        return status.indexed == status.executed && status.detector == status.executed;
      },
      10 * kSecond));
}

TEST_CASE("recovery: a flipped bit in the journal is not repaired silently", "[recovery]") {
  StoppedNode t;
  const std::string segment = t.FirstSegment();
  REQUIRE(t.cluster.disk(0).FlipBit(segment, 3000, 2).ok());
  t.CheckRefuses(segment.substr(segment.rfind('/') + 1));
}

TEST_CASE("recovery: a node that refuses still serves what it can read", "[recovery]") {
  StoppedNode t;
  const std::string segment = t.FirstSegment();
  const auto size = t.cluster.disk(0).Size(segment);
  REQUIRE(size.ok());
  REQUIRE(t.cluster.disk(0).FlipBit(segment, *size / 2, 2).ok());
  t.CheckRefuses("must not vote");
  Node& node = *t.cluster.node(0);
  CHECK(node.Status().executed >= t.height);
  CHECK(node.LoadBlock(Height(1)).ok());
  CHECK_FALSE(node.LoadBlock(t.height).ok());
  CHECK(node.Snapshot()->StateDigest(t.height).ok());
}

TEST_CASE("recovery: a journal that was rolled back is noticed", "[recovery]") {
  StoppedNode t;
  const std::string segment = t.FirstSegment();
  const auto size = t.cluster.disk(0).Size(segment);
  REQUIRE(size.ok());
  REQUIRE(t.cluster.disk(0).Truncate(segment, *size / 2).ok());
  t.CheckRefuses("must not vote");
}

TEST_CASE("recovery: a missing journal or guard is noticed", "[recovery]") {
  SECTION("journal") {
    StoppedNode t;
    const auto names = t.cluster.disk(0).List(kJournal);
    REQUIRE(names.ok());
    for (const std::string& name : *names) {
      REQUIRE(t.cluster.disk(0).Remove(std::string(kJournal) + "/" + name).ok());
    }
    t.CheckRefuses("must not vote");
  }
  SECTION("guard") {
    StoppedNode t;
    REQUIRE(t.cluster.disk(0).Remove(kGuard).ok());
    t.CheckRefuses("must not vote");
  }
  SECTION("damaged guard") {
    StoppedNode t;
    REQUIRE(t.cluster.disk(0).FlipBit(kGuard, 20, 1).ok());
    t.CheckRefuses("must not vote");
  }
}

TEST_CASE("recovery: the directory of another validator is noticed", "[recovery]") {
  StoppedNode t;
  const SimCluster other({.validators = 3}, 1);
  ledger::RollbackGuard guard;
  guard.journal_id = other.test_network().journal_id(1);
  REQUIRE(ledger::SaveRollbackGuard(&t.cluster.disk(0), kGuard, guard).ok());
  t.CheckRefuses("genesis names");
}

TEST_CASE("recovery: a directory that was never initialised is an error that says what to do",
          "[recovery]") {
  ledger::FaultyFileSystem disk(1);
  ManualClock clock;
  const sim::TestNetwork network({.validators = 1});
  sim::MemoryNetwork wires(1, 1, &clock);
  NodeConfig config;
  config.data_dir = "/none";
  config.consensus_key = &network.consensus_key(0);
  config.record_key = &network.record_key(0);
  config.log_key = &network.log_key(0);
  config.cosigner_key = &network.cosigner_key(0);
  config.reveal_seed = network.reveal_seed(0);
  NodeSeams seams;
  seams.files = &disk;
  seams.clock = &clock;
  seams.transport = wires.transport(0);
  const auto opened = Node::Open(network.genesis(), config, seams);
  CHECK(absl::IsFailedPrecondition(opened.status()));
  CHECK(opened.status().message().find("vigild init") != absl::string_view::npos);

  SECTION("keys that are not this validator's are refused") {
    config.consensus_key = &network.record_key(0);
    CHECK(absl::IsFailedPrecondition(Node::Open(network.genesis(), config, seams).status()));
    config.consensus_key = &network.consensus_key(0);
    config.reveal_seed = Hash();
    CHECK(absl::IsFailedPrecondition(Node::Open(network.genesis(), config, seams).status()));
  }
}

TEST_CASE("recovery: a validator is initialised once", "[recovery]") {
  StoppedNode t;
  CHECK(absl::IsAlreadyExists(
      Node::Init(&t.cluster.disk(0), "/vigil", t.cluster.test_network().journal_id(0))));
  // Not even when somebody removed the journal to make it work.
  const auto names = t.cluster.disk(0).List(kJournal);
  for (const std::string& name : *names) {
    REQUIRE(t.cluster.disk(0).Remove(std::string(kJournal) + "/" + name).ok());
  }
  CHECK(absl::IsAlreadyExists(
      Node::Init(&t.cluster.disk(0), "/vigil", t.cluster.test_network().journal_id(0))));
}

TEST_CASE("recovery: a directory is open once", "[recovery]") {
  SimCluster cluster({.validators = 1}, 41);
  cluster.StartAll();
  CHECK(absl::IsAlreadyExists(cluster.disk(0).Lock("/vigil/LOCK").status()));
}

TEST_CASE("recovery: a disk that cannot be read just now is no damage", "[recovery]") {
  for (const absl::string_view part : {"/journal/", "/rollback_guard"}) {
    CAPTURE(part);
    StoppedNode t;
    t.cluster.disk(0).FailWhen({.call = ledger::DiskCall::kRead,
                                .matches =
                                    [part](const std::string& path) {
                                      return path.find(std::string(part)) != std::string::npos;
                                    },
                                .fault = ledger::DiskFault::kIoError});
    const absl::Status status = t.cluster.Start(0);
    INFO(status);
    CHECK(absl::IsUnavailable(status));
    CHECK(absl::StrContains(status.message(), "vigild start"));
    CHECK_FALSE(absl::StrContains(status.message(), "rejoin"));
    t.cluster.Crash(0, CrashMode::kProcessOnly);
    CHECK_FALSE(t.Start().refusing);
    t.CheckWhole();
  }
}

TEST_CASE("recovery: a journal is not given up because it could not be read just now",
          "[recovery]") {
  SimCluster cluster({.validators = 3}, /*seed=*/33);
  cluster.StartAll();
  WaitForLeader(&cluster);
  cluster.RunFor(2 * kSecond);
  cluster.Crash(0, CrashMode::kProcessOnly);
  cluster.disk(0).FailWhen(
      {.call = ledger::DiskCall::kRead,
       .matches = [](const std::string& path) { return absl::EndsWith(path, ".journal"); },
       .fault = ledger::DiskFault::kIoError});
  CHECK(absl::IsUnavailable(cluster.Rejoin(0).status()));
  CHECK(absl::IsFailedPrecondition(cluster.Rejoin(0).status()));  // It is sound.
}

// Frames but for hellos and answers to fetches: what a validator says in its own name.
uint64_t CountPromises(SimCluster* cluster, uint32_t node, int64_t micros) {
  uint64_t count = 0;
  cluster->network().SetTap([&](uint32_t from, absl::string_view frame) {
    const auto type = PeerFrameTypeOf(frame);
    if (from == node && type.ok() && *type != PeerFrameType::kFetchAnswer) ++count;
  });
  cluster->RunFor(micros);
  cluster->network().SetTap(nullptr);
  return count;
}

TEST_CASE("recovery: after a failed sync nothing is signed whatever comes before the next start",
          "[recovery]") {
  for (const char* file : {".journal", "rollback_guard.tmp", "checkpoint.tmp"}) {
    const auto call =
        file[0] == 'c' ? ledger::DiskCall::kWrite : ledger::DiskCall::kSync;  // Never synced.
    CAPTURE(file);
    SimCluster cluster({.validators = 3}, /*seed=*/34);
    cluster.StartAll();
    const uint32_t leader = WaitForLeader(&cluster);
    SensorStream stream = StreamOf(cluster);
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(3)).error.ok());
    REQUIRE(CountPromises(&cluster, leader, kSecond) > 0);
    cluster.disk(leader).FailWhen(
        {.call = call,
         .matches = [file](const std::string& path) { return absl::EndsWith(path, file); },
         .fault = ledger::DiskFault::kIoError});
    const ledger::Record record = stream.NextBatch(3);
    SubmitTo(cluster.node(leader), record);
    REQUIRE(cluster.RunUntil([&] { return !cluster.node(leader)->fatal().ok(); }, 10 * kSecond));
    // The others elect, ask it for votes, send blocks and checkpoints; the disk works again.
    const uint32_t other = (leader + 1) % 3;
    REQUIRE(cluster.RunUntil([&] { return cluster.leader() != nullptr; }, 20 * kSecond));
    SubmitTo(cluster.node(other), record);
    CHECK(CountPromises(&cluster, leader, 10 * kSecond) == 0);
    const NodeStatus status = cluster.node(leader)->Status();
    CHECK(status.refusing);
    CHECK(absl::StrContains(status.refusing_reason, "signs nothing any more"));
    CHECK(absl::StrContains(status.refusing_reason, ": vigild start"));
    const OutcomeBox box = SubmitTo(cluster.node(leader), stream.NextBatch(1));
    REQUIRE(box->has_value());
    CHECK((*box)->error.code == "node.refusing");
    cluster.Crash(leader, CrashMode::kLoseUnsynced);
    REQUIRE(cluster.Start(leader).ok());
    CHECK(CountPromises(&cluster, leader, 10 * kSecond) > 0);
    CHECK_FALSE(cluster.node(leader)->Status().refusing);
  }
}

TEST_CASE("recovery: damaged state that the log meets ends the node and is built anew",
          "[recovery]") {
  int met_by_running = 0;
  for (uint64_t part = 1; part < 10; ++part) {
    CAPTURE(part);
    StoppedNode t;
    CHECK_FALSE(t.Start().refusing);
    t.CheckWhole();
    t.cluster.Crash(0, CrashMode::kProcessOnly);
    // The log begins anew and reads the whole history from state, whose tables are damaged.
    const auto names = t.cluster.disk(0).List("/vigil/state");
    REQUIRE(names.ok());
    for (const std::string& name : *names) {
      if (!absl::EndsWith(name, ".ldb")) continue;
      const std::string path = "/vigil/state/" + name;
      const uint64_t offset = *t.cluster.disk(0).Size(path) * part / 10;
      REQUIRE(t.cluster.disk(0).FlipBit(path, offset, 3).ok());
    }
    REQUIRE(t.cluster.disk(0).WriteAtomically("/vigil/log/progress", AsBytes("x")).ok());
    if (t.cluster.Start(0).ok()) {
      t.cluster.RunFor(5 * kSecond);
      CHECK(t.cluster.node(0)->Status().log.refusing_reason.empty());
      met_by_running += t.cluster.node(0)->fatal().ok() ? 0 : 1;
    }
    t.cluster.Crash(0, CrashMode::kProcessOnly);
    CHECK_FALSE(t.Start().refusing);
    t.cluster.RunFor(5 * kSecond);
    CHECK(t.cluster.node(0)->Status().log.refusing_reason.empty());
  }
  CHECK(met_by_running > 0);
}

TEST_CASE("recovery: state beyond a journal that is sound in itself names the command that works",
          "[recovery]") {
  SimCluster cluster({.validators = 3}, /*seed=*/35);
  for (uint32_t i = 0; i < 3; ++i) cluster.config(i).journal.segment_bytes = 4096;
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(5)).error.ok());
  }
  const uint32_t victim = (leader + 1) % 3;
  cluster.RunFor(kSecond);
  cluster.Crash(victim, CrashMode::kProcessOnly);
  // The newest segments are gone, and the guard is as old as what is left.
  ledger::FaultyFileSystem& disk = cluster.disk(victim);
  auto names = *disk.List(kJournal);
  names.erase(
      std::remove_if(names.begin(), names.end(),
                     [](const std::string& name) { return !absl::EndsWith(name, ".journal"); }),
      names.end());
  REQUIRE(names.size() > 4);
  for (size_t i = names.size() / 2; i < names.size(); ++i) {
    REQUIRE(disk.Remove(std::string(kJournal) + "/" + names[i]).ok());
  }
  auto guard = ledger::LoadRollbackGuard(&disk, kGuard);
  REQUIRE(guard.ok());
  guard->durable_offset = 1;
  REQUIRE(ledger::SaveRollbackGuard(&disk, kGuard, *guard).ok());
  REQUIRE(cluster.Start(victim).ok());
  const std::string reason = cluster.node(victim)->Status().refusing_reason;
  INFO(reason);
  CHECK(absl::StrContains(reason, "the journal ends at"));
  CHECK(absl::StrContains(reason, ": vigild rejoin --even-if-sound"));
  cluster.Crash(victim, CrashMode::kProcessOnly);
  CHECK(absl::IsFailedPrecondition(cluster.Rejoin(victim).status()));
  REQUIRE(cluster.Rejoin(victim, /*even_if_sound=*/true).ok());
  REQUIRE(cluster.Start(victim).ok());
  const Height height = cluster.node(leader)->Status().executed;
  CHECK(cluster.RunUntil([&] { return cluster.node(victim)->Status().executed >= height; },
                         60 * kSecond));
}

}  // namespace
}  // namespace vigil::node
