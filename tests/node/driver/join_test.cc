// Joining by a snapshot: a fifth validator, peers that lie, crashes anywhere, and the budget.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/snapshot_file.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/peer_frame.h"
#include "node/driver/recovery.h"
#include "node/driver/snapshot_offer.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using consensus::CoreRole;
using ledger::CrashMode;
using sim::SensorStream;
using sim::SimCluster;

constexpr uint64_t kInterval = 65;
constexpr uint32_t kFifth = 4;
constexpr char kJournal[] = "/vigil/journal";

// Four validators of five with a chain that has snapshots; the fifth never ran.
struct Network {
  SimCluster cluster{
      {.validators = 5, .heartbeat_millis = 100, .snapshot_interval_blocks = kInterval},
      /*seed=*/71};
  SensorStream stream = StreamOf(cluster);
  std::vector<std::string> log;

  explicit Network(int batches = 30, uint64_t height = 2 * kInterval + 10) {
    cluster.SetLogTap([this](uint32_t, LogLevel, absl::string_view line) {
      if (!absl::StrContains(line, "digest")) log.emplace_back(line);
    });
    for (uint32_t i = 0; i < kFifth; ++i) REQUIRE(cluster.Start(i).ok());
    WaitForLeader(&cluster);
    for (int i = 0; i < batches; ++i) Submit();
    REQUIRE(cluster.RunUntil([&] { return Final(0) >= Height(height); }, 120 * kSecond));
    cluster.SetBeginning(kFifth, Beginning::kJoin);
  }
  void Submit() { REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(20)).error.ok()); }
  Height Final(uint32_t i) { return cluster.node(i)->Status().final; }
  bool IsUp() { return cluster.node(kFifth) != nullptr; }
  bool Joins() { return IsUp() && cluster.node(kFifth)->Status().join.active; }
  bool Votes() {
    const NodeStatus status = cluster.node(kFifth)->Status();
    return !status.refusing && status.core.role != CoreRole::kNonVoter;
  }
  // It follows, votes and cosigns, and its state is that of the others.
  void CheckHasJoined() {
    const bool votes = cluster.RunUntil([&] { return IsUp() && Votes(); }, 60 * kSecond);
    INFO(Tail());
    REQUIRE(votes);
    Submit();
    const Height height = cluster.node(0)->Status().executed;
    REQUIRE(cluster.RunUntil([&] { return Final(kFifth) >= height; }, 60 * kSecond));
    CHECK(*cluster.node(kFifth)->Snapshot()->StateDigest(height) ==
          *cluster.node(0)->Snapshot()->StateDigest(height));
    const NodeStatus status = cluster.node(kFifth)->Status();
    CHECK(status.log.refusing_reason.empty());
    CHECK(status.log.fork_count == 0);
    REQUIRE(cluster.RunUntil([&] { return cluster.node(kFifth)->Status().log.cosigned_size > 0; },
                             30 * kSecond));
  }
  // What was logged last, for failures.
  std::string Tail() {
    std::string text = IsUp() ? cluster.node(kFifth)->Status().refusing_reason : "down";
    if (IsUp()) {
      const NodeStatus status = cluster.node(kFifth)->Status();
      absl::StrAppend(&text, " executed ", status.executed.value(), ", last ",
                      status.core.last.height.value(), ", committed ",
                      status.core.committed.height.value(), ", view ", status.core.view.value(),
                      " ", consensus::CoreRoleName(status.core.role), ", others executed ",
                      cluster.node(0)->Status().executed.value(), " in view ",
                      cluster.node(0)->Status().core.view.value());
    }
    for (size_t i = log.size() > 20 ? log.size() - 20 : 0; i < log.size(); ++i) {
      absl::StrAppend(&text, "\n", log[i]);
    }
    return text;
  }
  bool Logged(absl::string_view text) const {
    for (const std::string& line : log) {
      if (absl::StrContains(line, text)) return true;
    }
    return false;
  }
};

// Alters answers of one validator on their way: a peer that lies.
struct Liar {
  std::function<bool(FetchAnswer* answer)> alter;  // False: leaves it.
  uint64_t lies = 0;

  std::string Alter(absl::string_view frame) {
    absl::StatusOr<FetchAnswer> answer = DecodeFetchAnswer(frame);
    if (!answer.ok() || !alter(&*answer)) return std::string(frame);
    ++lies;
    return EncodeFetchAnswer(*answer);
  }
};

TEST_CASE("join: a fifth validator joins by a snapshot and votes and cosigns", "[join]") {
  Network t;
  REQUIRE(t.cluster.Start(kFifth).ok());
  CHECK(t.Joins());
  CHECK(t.cluster.node(kFifth)->Status().refusing);
  SensorStream other = StreamOf(t.cluster, /*sensor=*/1);
  CHECK((*SubmitTo(t.cluster.node(kFifth), other.NextBatch(1)))->error.code == "node.refusing");
  t.CheckHasJoined();
  CHECK(t.Logged("joins by the snapshot of height"));
  const NodeStatus status = t.cluster.node(kFifth)->Status();
  CHECK_FALSE(status.join.active);
  CHECK(status.indexed == status.executed);

  // Blocks below are named, but their bytes are not here; those above are.
  const Node& fifth = *t.cluster.node(kFifth);
  const auto below = fifth.LoadBlock(Height(3));
  CHECK(absl::IsNotFound(below.status()));
  CHECK(absl::StrContains(below.status().message(), "joined by a snapshot"));
  CHECK(fifth.Snapshot()->GetBlock(Height(3)).ok());
  CHECK(fifth.LoadBlock(status.executed).ok());
  // The log is whole: its oldest leaves were fetched and checked.
  const uint64_t size = status.log.final_size;
  const auto root = ledger::RootFromTiles(*fifth.tiles(), size);
  INFO(root.status());
  REQUIRE(root.ok());
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(0)->Status().log.final_size >= size; },
                             10 * kSecond));
  CHECK(*root == *ledger::RootFromTiles(*t.cluster.node(0)->tiles(), size));

  // It goes on after a crash, also one that takes its state.
  t.cluster.Crash(kFifth, CrashMode::kLoseUnsynced);
  REQUIRE(t.cluster.Start(kFifth).ok());
  CHECK_FALSE(t.Joins());
  t.CheckHasJoined();
  // And it counts for a quorum.
  t.cluster.Crash(0, CrashMode::kLoseUnsynced);
  t.cluster.Crash(1, CrashMode::kLoseUnsynced);
  CHECK(SubmitAndWait(&t.cluster, kFifth, t.stream.NextBatch(3)).error.ok());
}

TEST_CASE("join: where nobody has a snapshot it follows from the first block", "[join]") {
  Network t(/*batches=*/5, /*height=*/10);
  REQUIRE(t.cluster.Start(kFifth).ok());
  t.CheckHasJoined();
  CHECK(t.Logged("follows from the first block"));
  CHECK(t.cluster.node(kFifth)->LoadBlock(Height(1)).ok());
}

TEST_CASE("join: with too few validators that answer it waits", "[join]") {
  Network t;
  for (uint32_t i = 0; i < kFifth; ++i) t.cluster.Crash(i, CrashMode::kProcessOnly);
  REQUIRE(t.cluster.Start(kFifth).ok());
  t.cluster.RunFor(20 * kSecond);
  CHECK(t.Joins());
  for (uint32_t i = 0; i < kFifth; ++i) REQUIRE(t.cluster.Start(i).ok());
  t.CheckHasJoined();
}

TEST_CASE("join: a crash at any operation of the disk costs no safety and no sound chunk",
          "[join]") {
  // Each round goes on where the last one was cut off, and gets a few operations further.
  Network t;
  uint64_t crashes = 0;
  uint64_t chunks = 0;
  ledger::FaultyFileSystem& disk = t.cluster.disk(kFifth);
  REQUIRE(t.cluster.Start(kFifth).ok());
  t.cluster.Crash(kFifth, CrashMode::kLoseUnsynced);
  while (crashes < 400) {
    disk.CrashAt(disk.operation_count() + 3 * crashes);
    if (t.cluster.Start(kFifth).ok()) {
      const auto dead = [&] {
        return !t.IsUp() || !t.cluster.node(kFifth)->fatal().ok() || !t.Joins();
      };
      t.cluster.RunUntil(dead, 20 * kSecond);
      if (t.IsUp() && t.Joins()) {
        const uint64_t kept = t.cluster.node(kFifth)->Status().join.chunks_kept;
        CHECK(kept >= chunks);
        chunks = kept;
      }
    }
    ++crashes;
    if (t.IsUp()) {
      if (t.cluster.node(kFifth)->fatal().ok() && !t.Joins()) break;
      CHECK_FALSE(t.Votes());
      t.cluster.Crash(kFifth, CrashMode::kLoseUnsynced);
    } else {
      disk.Crash(CrashMode::kLoseUnsynced);
    }
  }
  INFO(crashes << " crashes");
  CHECK(crashes > 5);
  disk.CrashAt(UINT64_MAX);
  if (t.IsUp()) t.cluster.Crash(kFifth, CrashMode::kLoseUnsynced);
  const absl::Status started = t.cluster.Start(kFifth);
  INFO(started);
  REQUIRE(started.ok());
  t.CheckHasJoined();
}

TEST_CASE("join: what one validator lies about is counted and fetched from another", "[join]") {
  Network t;
  Liar liar;
  std::set<uint32_t> liars = {1};
  std::set<uint32_t> asked_for_log;  // Ids of the fifth's requests.
  t.cluster.network().SetTap([&](uint32_t from, absl::string_view frame) {
    const auto request = DecodeFetchRequest(frame);
    if (from != kFifth || !request.ok() || request->kind != FetchKind::kLogFile) return;
    asked_for_log.insert(request->id);
  });
  SECTION("a leaf of the log") {
    liars = {0, 1, 2};
    liar.alter = [&](FetchAnswer* answer) {
      if (answer->body.empty() || !asked_for_log.contains(answer->id)) return false;
      answer->body[answer->body.size() / 2] ^= 1;
      return true;
    };
  }
  SECTION("a chunk of another content") {
    liar.alter = [](FetchAnswer* answer) {
      if (answer->body.size() < 9000 || answer->body.size() % 65536 == 0) return false;
      answer->body[answer->body.size() / 2] ^= 1;
      return true;
    };
  }
  SECTION("nothing at all") {
    liar.alter = [](FetchAnswer* answer) {
      answer->body.clear();
      return true;
    };
  }
  SECTION("everything") {
    liar.alter = [](FetchAnswer* answer) {
      if (answer->body.empty()) return false;
      answer->body[answer->body.size() / 3] ^= 0x40;
      return true;
    };
  }
  t.cluster.network().SetAlter([&](uint32_t from, absl::string_view frame) {
    return liars.contains(from) ? liar.Alter(frame) : std::string(frame);
  });
  REQUIRE(t.cluster.Start(kFifth).ok());
  uint64_t bad = 0;
  REQUIRE(t.cluster.RunUntil(
      [&] {
        if (t.Joins()) bad = std::max(bad, t.cluster.node(kFifth)->Status().join.bad_answers);
        return t.IsUp() && !t.Joins();
      },
      120 * kSecond));
  CHECK(liar.lies > 0);
  CHECK(bad > 0);
  CHECK(t.Logged("answered what does not hold"));
  t.CheckHasJoined();
}

TEST_CASE("join: an offer proves itself or is refused", "[join]") {
  Network t;
  Node& node = *t.cluster.node(0);
  const ledger::Genesis& genesis = node.genesis();
  const ledger::LogKeys keys = ledger::LogKeysOf(genesis);
  const auto make = [&](uint64_t height) {
    return MakeOffer(
        genesis, *node.Snapshot(), *node.tiles(), *node.Checkpoint(),
        [&](Height carrier) { return node.LoadBlock(carrier); }, Height(height));
  };
  const auto offer = make(kInterval);
  REQUIRE(offer.ok());
  REQUIRE(CheckOffer(genesis, keys, *offer).ok());
  CHECK_FALSE(make(2 * kInterval).ok());  // No header carries its digest yet.
  const auto decoded = DecodeOffer(EncodeOffer(*offer));
  REQUIRE(decoded.ok());
  CHECK(EncodeOffer(*decoded) == EncodeOffer(*offer));
  const auto refused = [&](const std::function<void(SnapshotOffer*)>& change) {
    SnapshotOffer changed = *offer;
    change(&changed);
    return !CheckOffer(genesis, keys, changed).ok();
  };
  CHECK(refused([](SnapshotOffer* o) { o->mark.digest.bytes[0] ^= 1; }));
  CHECK(refused([](SnapshotOffer* o) { o->mark.height = Height(2 * kInterval); }));
  CHECK(refused([](SnapshotOffer* o) { o->seal_leaf[100] ^= 1; }));
  CHECK(refused([](SnapshotOffer* o) { o->seal_index += 1; }));
  CHECK(refused([](SnapshotOffer* o) { o->path[0].bytes[0] ^= 1; }));
  CHECK(refused([](SnapshotOffer* o) { o->path.pop_back(); }));
  CHECK(refused([](SnapshotOffer* o) { o->checkpoint.clear(); }));
  // A digest that only a header without a quorum carries.
  CHECK(refused([](SnapshotOffer* o) {
    const size_t last_line = o->checkpoint.rfind("\xe2\x80\x94", o->checkpoint.size() - 2);
    o->checkpoint.resize(last_line);
  }));
  const std::string bytes = EncodeOffers({*offer});
  for (size_t size = 0; size < bytes.size(); size += 7) {
    CHECK_FALSE(DecodeOffers(bytes.substr(0, size)).ok());
  }
  std::string many;
  ByteWriter(&many).U32(kSnapshotOffersMax + 1);
  CHECK_FALSE(DecodeOffers(many).ok());
}

TEST_CASE("join: serving stays within the budget and the others go on", "[join]") {
  Network t;
  constexpr uint64_t kRate = 64 * 1024;
  for (uint32_t i = 0; i < kFifth; ++i) {
    t.cluster.Crash(i, CrashMode::kProcessOnly);
    t.cluster.config(i).fetch_bytes_per_second = kRate;
    REQUIRE(t.cluster.Start(i).ok());
  }
  WaitForLeader(&t.cluster);
  std::map<uint32_t, uint64_t> before;
  for (uint32_t i = 0; i < kFifth; ++i) before[i] = t.cluster.node(i)->counters().fetch_bytes;
  const int64_t begin = t.cluster.clock().MonotonicMicros();
  REQUIRE(t.cluster.Start(kFifth).ok());
  REQUIRE(t.cluster.RunUntil([&] { return t.IsUp() && !t.Joins(); }, 600 * kSecond));
  const auto seconds =
      static_cast<uint64_t>((t.cluster.clock().MonotonicMicros() - begin) / kSecond);
  for (uint32_t i = 0; i < kFifth; ++i) {
    const uint64_t served = t.cluster.node(i)->counters().fetch_bytes - before[i];
    CHECK(served <= kRate * (seconds + 2) + kFetchBodyBytesMax);
  }
  t.CheckHasJoined();
}

TEST_CASE("join: a journal whose first segments are missing is no journal that joined", "[join]") {
  ledger::FaultyFileSystem disk(9);
  const sim::TestNetwork network({.validators = 3});
  JournalPlace place{&disk, "/n/journal", "/n/guard", network.journal_id(0), {}};
  place.options.segment_bytes = 2000;
  REQUIRE(disk.MakeDirs("/n").ok());
  const bool joined = GENERATE(true, false);
  REQUIRE(CreateJournal(place, joined ? Beginning::kJoin : Beginning::kNewNetwork).ok());
  {
    auto opened = OpenJournal(place);
    REQUIRE(opened.ok());
    ledger::BlockId parent{Height(0), View(0), network.genesis().genesis_hash};
    if (joined) {
      ledger::BaseFrame base;
      base.block = {.height = Height(100), .view = View(1), .hash = Hash()};
      base.block.hash.bytes.fill(7);
      parent = base.block;
      const std::string body = ledger::EncodeBaseFrame(base);
      REQUIRE(opened->journal->Append(ledger::JournalType::kBase, AsBytes(body)).ok());
      REQUIRE(opened->journal->Sync().ok());
    }
    for (int i = 0; i < 20; ++i) {
      ledger::BlockHeader header;
      header.height = parent.height.Next();
      header.parent_hash = parent.hash;
      header.parent_view = parent.view;
      header.view = View(1);
      const auto block = ledger::Block::Make(header, {}, network.consensus_key(0));
      parent = block->id();
      REQUIRE(opened->journal->Append(ledger::JournalType::kBlock, AsBytes(block->frame())).ok());
      REQUIRE(opened->journal->Sync().ok());
    }
    const auto whole = ScanJournal(network.genesis(), *opened->reader);
    REQUIRE(whole.ok());
    CHECK(whole->base.id.height == Height(joined ? 100 : 0));
    CHECK(whole->last_height() == parent.height);
    CHECK(whole->Find(parent.height)->id == parent);
    CHECK(whole->Find(parent.height.Next()) == nullptr);
    if (joined) CHECK(whole->Find(Height(50)) == nullptr);
  }
  const auto names = disk.List("/n/journal");
  REQUIRE(names->size() > 2);
  REQUIRE(disk.Remove(absl::StrCat("/n/journal/", (*names)[0])).ok());
  const auto opened = OpenJournal(place);
  REQUIRE(opened.ok());
  const auto scan = ScanJournal(network.genesis(), *opened->reader);
  CHECK(absl::IsDataLoss(scan.status()));
  CHECK(absl::StrContains(scan.status().message(), "missing"));
}

TEST_CASE("join: a base frame counts only at the beginning", "[join]") {
  ledger::FaultyFileSystem disk(9);
  const sim::TestNetwork network({.validators = 3});
  const JournalPlace place{&disk, "/n/journal", "/n/guard", network.journal_id(0), {}};
  REQUIRE(disk.MakeDirs("/n").ok());
  ledger::BaseFrame base;
  base.block = {.height = Height(100), .view = View(1), .hash = Hash()};
  const std::string body = ledger::EncodeBaseFrame(base);
  const auto decoded = ledger::DecodeBaseFrame(body);
  REQUIRE(decoded.ok());
  CHECK(ledger::EncodeBaseFrame(*decoded) == body);
  CHECK_FALSE(ledger::DecodeBaseFrame(body.substr(1)).ok());
  CHECK_FALSE(ledger::DecodeBaseFrame(body + "x").ok());
  const bool joins = GENERATE(true, false);
  REQUIRE(CreateJournal(place, joins ? Beginning::kJoin : Beginning::kNewNetwork).ok());
  auto opened = OpenJournal(place);
  REQUIRE(opened.ok());
  const auto append = [&] {
    REQUIRE(opened->journal->Append(ledger::JournalType::kBase, AsBytes(body)).ok());
    REQUIRE(opened->journal->Sync().ok());
    return ScanJournal(network.genesis(), *opened->reader).status();
  };
  // One that votes from the start never joined.
  CHECK(append().ok() == joins);
  CHECK(absl::IsDataLoss(append()));
}

}  // namespace
}  // namespace vigil::node
