// The scrub: rot in old segments and tiles is found and repaired, and nobody's word is taken for
// it.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_format.h"
#include "ledger/storage/journal_rewrite.h"
#include "ledger/storage/journal_scrub.h"
#include "node/driver/peer_frame.h"
#include "node/driver/scrubber.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::JournalReader;
using ledger::JournalType;
using sim::SensorStream;
using sim::SimCluster;

constexpr char kJournal[] = "/vigil/journal";

// 0: the usual interval.
sim::NetworkOptions OptionsOf(uint64_t snapshot_interval_blocks) {
  sim::NetworkOptions options{.validators = 3, .max_block_bytes = 64 * 1024};
  if (snapshot_interval_blocks > 0) options.snapshot_interval_blocks = snapshot_interval_blocks;
  return options;
}

// Three validators with some history in many segments. The victim's disk is to rot.
struct OldCluster {
  SimCluster cluster;
  SplitMix64 random;
  SensorStream stream;
  uint32_t victim = 0;

  explicit OldCluster(uint64_t seed, int batches = 150, uint64_t snapshot_interval_blocks = 0)
      : cluster(OptionsOf(snapshot_interval_blocks), seed),
        random(seed),
        stream(StreamOf(cluster)) {
    for (uint32_t i = 0; i < 3; ++i) {
      cluster.config(i).journal.segment_bytes = 16 * 1024;
      cluster.config(i).scrub_interval_micros = 5 * kSecond;
    }
    cluster.StartAll();
    // Two elections, so that there are old votes.
    const uint32_t first = WaitForLeader(&cluster);
    cluster.RunFor(kSecond);
    cluster.Crash(first, CrashMode::kProcessOnly);
    const uint32_t leader = WaitForLeader(&cluster);
    REQUIRE(cluster.Start(first).ok());
    for (int i = 0; i < batches; ++i) {
      REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(10)).error.ok());
    }
    cluster.RunFor(2 * kSecond);
    victim = (leader + 1) % 3;
  }

  Node& node() { return *cluster.node(victim); }
  NodeStatus::Scrub scrub() { return node().Status().scrub; }
  ledger::FaultyFileSystem& disk() { return cluster.disk(victim); }

  std::vector<ledger::SegmentFile> ClosedSegments() {
    auto segments = ledger::ListSegments(disk(), kJournal);
    REQUIRE(segments.ok());
    REQUIRE(segments->size() > 3);
    segments->pop_back();
    return *segments;
  }
  // Frames of the closed segments, but for the journal's first.
  std::vector<JournalReader::Frame> Frames() {
    absl::Status damage;
    const auto reader = ledger::OpenJournalForReading(&disk(), kJournal, &damage);
    REQUIRE(reader.ok());
    REQUIRE(damage.ok());
    const uint64_t end = ledger::ListSegments(disk(), kJournal)->back().start;
    std::vector<JournalReader::Frame> frames;
    REQUIRE((*reader)
                ->ForEach((*reader)->begin(),
                          [&](const JournalReader::Frame& frame) {
                            if (frame.position.offset >= end) return false;
                            if (frame.position.offset > 0) frames.push_back(frame);
                            return true;
                          })
                .ok());
    return frames;
  }
  void FlipAt(uint64_t journal_offset) {
    const auto segments = ledger::ListSegments(disk(), kJournal);
    for (size_t i = segments->size(); i-- > 0;) {
      const ledger::SegmentFile& segment = (*segments)[i];
      if (segment.start > journal_offset) continue;
      const uint64_t at = journal_offset - segment.start + ledger::kSegmentHeaderBytes;
      REQUIRE(disk().FlipBit(segment.path, at, static_cast<int>(random.Below(8))).ok());
      return;
    }
  }
  void FlipSomewhereIn(const JournalReader::Frame& frame) {
    FlipAt(frame.position.offset + random.Below(frame.next.offset - frame.position.offset));
  }
  bool JournalIsSound() {
    const auto check = ledger::CheckJournal(disk(), kJournal, std::nullopt);
    return check.ok() && check->damage.ok();
  }
  // Runs until a pass that began after this call has ended.
  void WaitForPass() {
    const uint64_t passes = scrub().passes;
    REQUIRE(cluster.RunUntil([&] { return scrub().passes >= passes + 2; }, 120 * kSecond));
  }
  JournalScan Scan() {
    absl::Status damage;
    const auto reader = ledger::OpenJournalForReading(&disk(), kJournal, &damage);
    REQUIRE(reader.ok());
    auto scan = ScanJournal(cluster.test_network().genesis(), **reader);
    INFO(scan.status());
    REQUIRE(scan.ok());
    return *std::move(scan);
  }
  // A new start takes part, and holds and serves what the others do.
  void CheckStartsWhole() {
    cluster.Crash(victim, CrashMode::kLoseUnsynced);
    REQUIRE(cluster.Start(victim).ok());
    CHECK(node().Status().refusing_reason.empty());
    Node& other = *cluster.node((victim + 1) % 3);
    REQUIRE(cluster.RunUntil([&] { return node().Status().executed >= other.Status().executed; },
                             20 * kSecond));
    for (Height height(1); height <= other.Status().executed; height = height.Next()) {
      const auto block = node().LoadBlock(height);
      CAPTURE(height.value());
      REQUIRE(block.ok());
      REQUIRE((*block)->frame() == (*other.LoadBlock(height))->frame());
    }
  }
};

TEST_CASE("scrub: a sound disk is read again and nothing is changed", "[scrub]") {
  OldCluster t(41);
  t.WaitForPass();
  CHECK(t.scrub().bytes > 0);
  CHECK(t.scrub().damaged == 0);
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.JournalIsSound());
}

TEST_CASE("scrub: flipped bits in old segments and tiles are all found and repaired", "[scrub]") {
  for (uint64_t round = 0; round < 3; ++round) {
    VIGIL_TEST_SEED(seed, 50 + round);
    OldCluster t(seed);
    const JournalScan before = t.Scan();
    uint64_t flips = 0;
    for (const JournalReader::Frame& frame : t.Frames()) {
      // Blocks here and there, of the rest every second one: votes, commit marks, guards.
      if (!t.random.Chance(frame.type == JournalType::kBlock ? 200 : 500)) continue;
      t.FlipSomewhereIn(frame);
      ++flips;
    }
    for (const ledger::SegmentFile& segment : t.ClosedSegments()) {
      if (!t.random.Chance(300)) continue;
      REQUIRE(t.disk().FlipBit(segment.path, t.random.Below(40), 3).ok());
    }
    REQUIRE(flips > 20);
    for (const char* name : {"tile/0/000", "tile/entries/000"}) {
      const std::string path = absl::StrCat("/vigil/log/", name);
      REQUIRE(t.disk().FlipBit(path, t.random.Below(*t.disk().Size(path)), 1).ok());
      CHECK_FALSE(t.node().ReadLogFile(name).ok());
    }
    REQUIRE_FALSE(t.JournalIsSound());
    t.WaitForPass();
    const NodeStatus::Scrub scrub = t.scrub();
    INFO(scrub.problem);
    CHECK(scrub.damaged > 10);
    CHECK(scrub.repaired == scrub.damaged);
    CHECK(scrub.unrepaired == 0);
    CHECK(scrub.problem.empty());
    CHECK(t.JournalIsSound());
    Node& other = *t.cluster.node((t.victim + 1) % 3);
    for (const char* name : {"tile/0/000", "tile/entries/000"}) {
      REQUIRE(t.node().ReadLogFile(name).ok());
      CHECK(*t.node().ReadLogFile(name) == *other.ReadLogFile(name));
    }
    // What it promised stands.
    const JournalScan after = t.Scan();
    CHECK(after.vote == before.vote);
    CHECK(after.cosigned.size >= before.cosigned.size);
    CHECK(after.chain.size() >= before.chain.size());
    t.CheckStartsWhole();
  }
}

TEST_CASE("scrub: votes and guards in a damaged place are written again before it becomes a hole",
          "[scrub]") {
  OldCluster t(60);
  const JournalScan before = t.Scan();
  bool damaged_vote = false;
  for (const JournalReader::Frame& frame : t.Frames()) {
    if (frame.type == JournalType::kBlock) continue;
    damaged_vote = damaged_vote || frame.type == JournalType::kVote;
    t.FlipSomewhereIn(frame);
  }
  REQUIRE(damaged_vote);
  t.WaitForPass();
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.JournalIsSound());
  const JournalScan after = t.Scan();
  CHECK(after.vote == before.vote);
  CHECK(after.cosigned.size >= before.cosigned.size);
  t.CheckStartsWhole();
}

TEST_CASE("scrub: what another validator sends is taken only if it is the block itself",
          "[scrub]") {
  OldCluster t(70, /*batches=*/60);
  const Height height(20);
  const ledger::BlockPtr block = *t.node().LoadBlock(height);
  const ledger::BlockPtr other_block = *t.node().LoadBlock(Height(21));
  const auto info = t.node().Snapshot()->GetBlock(height);
  REQUIRE(info.ok());
  REQUIRE_FALSE(block->records().empty());
  for (uint32_t i = 0; i < 3; ++i) t.cluster.SetFrozen(i, "fetch");  // Nobody answers but us.
  std::vector<std::string> lies;
  lies.push_back(EncodeFetchedBlocks({other_block}));
  lies.push_back(EncodeFetchedBlocks({block, block}));
  lies.push_back("no blocks");
  lies.push_back(EncodeFetchedBlocks({}));
  const std::string truth = EncodeFetchedBlocks({block});
  std::string altered = truth;
  altered.back() = static_cast<char>(altered.back() ^ 1);  // In the payload, which no hash covers.
  lies.push_back(altered);
  altered = truth;
  const size_t signature = altered.find(std::string(block->signature().view()));
  REQUIRE(signature != std::string::npos);
  altered[signature + 3] = static_cast<char>(altered[signature + 3] ^ 1);
  lies.push_back(altered);

  // Another block of that height and size, well made and signed by its proposer.
  std::vector<ledger::Record> records;
  std::vector<const ledger::Record*> pointers;
  for (const ledger::Block::Entry& entry : block->records()) {
    records.push_back({.leaf = ToString(entry.leaf), .payload = ToString(entry.payload)});
  }
  for (const ledger::Record& record : records) pointers.push_back(&record);
  ledger::BlockHeader header = block->header();
  ++header.time_unix_millis;
  const ledger::BlockPtr twin = ledger::Block::Make(
      header, pointers, t.cluster.test_network().consensus_key(header.proposer.value()));
  REQUIRE(twin->frame().size() == block->frame().size());
  REQUIRE(CheckBlock(t.cluster.test_network().genesis(), *twin).ok());
  lies.push_back(EncodeFetchedBlocks({twin}));

  std::string body;  // What every request is answered with.
  std::vector<std::pair<ValidatorIndex, std::string>> answers;
  t.cluster.network().SetTap([&](uint32_t from, absl::string_view frame) {
    const auto request = DecodeFetchRequest(frame);
    if (from != t.victim || !request.ok() || body.empty()) return;
    CHECK(request->first == height);
    for (uint32_t peer = 0; peer < 3; ++peer) {
      FetchAnswer answer;
      answer.id = request->id;
      answer.body = body;
      answers.emplace_back(ValidatorIndex(peer), EncodeFetchAnswer(answer));
    }
  });
  const auto answer_all = [&] {
    for (const auto& [peer, frame] : std::exchange(answers, {})) {
      PeerStream stream;
      stream.from = peer;
      stream.greeted = true;
      (void)t.node().OnFrame(&stream, frame);
    }
  };
  t.FlipAt(info->position.offset + ledger::kFrameHeaderBytes + 200);
  for (const std::string& lie : lies) {
    CAPTURE(&lie - lies.data());
    body = lie;
    const NodeStatus::Scrub before = t.scrub();
    REQUIRE(t.cluster.RunUntil([&] { return t.scrub().passes >= before.passes + 2; }, 120 * kSecond,
                               answer_all));
    CHECK(t.scrub().bad_answers > before.bad_answers);
    CHECK(t.scrub().unrepaired == 1);
    CHECK(t.scrub().damaged == 1);  // In however many passes.
    CHECK(absl::StrContains(t.scrub().problem, "vigild rejoin"));
    CHECK(t.scrub().repaired == 0);
    CHECK_FALSE(t.JournalIsSound());
  }
  body = truth;
  const uint64_t passes = t.scrub().passes;
  REQUIRE(t.cluster.RunUntil([&] { return t.scrub().passes >= passes + 2; }, 120 * kSecond,
                             answer_all));
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.scrub().problem.empty());
  CHECK(t.scrub().repaired == 1);
  t.cluster.network().SetTap(nullptr);
  for (uint32_t i = 0; i < 3; ++i) t.cluster.SetFrozen(i, "");
  CHECK(t.JournalIsSound());
  t.CheckStartsWhole();
}

// Flips bits in frames of a pruned segment, where they lie in the file, and says in how many.
uint64_t RotPruned(OldCluster* t, const ledger::SegmentFile& segment, uint64_t end,
                   uint32_t permille) {
  const ledger::JournalId id{
      t->cluster.test_network().genesis().validators[t->victim].journal_id.bytes};
  const auto scrub = ledger::SegmentScrub::Open(&t->disk(), segment, end, id);
  REQUIRE(scrub.ok());
  std::vector<std::pair<uint64_t, uint64_t>> places;
  uint64_t at = ledger::kSegmentHeaderBytes;
  while (!(*scrub)->done()) {
    const auto item = (*scrub)->Next();
    REQUIRE(item.ok());
    REQUIRE(item->is_sound);
    const uint64_t bytes =
        ledger::kFrameHeaderBytes + item->frame.body.size() + ledger::kFrameTrailerBytes;
    const bool pruned =
        item->frame.type == JournalType::kPrunedBlock || item->frame.type == JournalType::kSkip;
    if (pruned && t->random.Chance(permille)) places.emplace_back(at, bytes);
    at += bytes;
  }
  for (const auto& [place, bytes] : places) {
    REQUIRE(t->disk().FlipBit(segment.path, place + t->random.Below(bytes), 3).ok());
  }
  return places.size();
}

// Old segments of the victim, or of all, without their payloads.
struct PrunedCluster : OldCluster {
  std::vector<ledger::SegmentFile> pruned;
  std::vector<uint64_t> ends;

  PrunedCluster(uint64_t seed, bool all) : OldCluster(seed) {
    for (uint32_t i = 0; i < 3; ++i) {
      if (!all && i != victim) continue;
      cluster.Crash(i, CrashMode::kProcessOnly);
      cluster.config(i).payload_age_millis = 500;
      cluster.config(i).detector_enabled = false;  // It would read the payloads again.
      REQUIRE(cluster.Start(i).ok());
    }
    const uint32_t leader = WaitForLeader(&cluster);
    // Age is what the chain's own times say.
    cluster.RunFor(2 * kSecond);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(10)).error.ok());
    }
    cluster.RunFor(70 * kSecond);  // One round of pruning and a little more.
    const auto segments = ledger::ListSegments(disk(), kJournal);
    REQUIRE(segments.ok());
    for (size_t i = 1; i + 1 < segments->size(); ++i) {
      if (!*ledger::IsCompacted(disk(), (*segments)[i])) continue;
      pruned.push_back((*segments)[i]);
      ends.push_back((*segments)[i + 1].start);
    }
    REQUIRE(pruned.size() > 3);
  }
};

TEST_CASE("scrub: pruned segments are repaired from whoever has the blocks whole or pruned",
          "[scrub]") {
  const bool all = GENERATE(false, true);
  VIGIL_TEST_SEED(seed, 95 + (all ? 1 : 0));
  PrunedCluster t(seed, all);
  std::vector<std::string> before;
  uint64_t flips = 0;
  for (size_t i = 0; i < t.pruned.size(); ++i) {
    before.push_back(*t.disk().ReadAll(t.pruned[i].path));
    flips += RotPruned(&t, t.pruned[i], t.ends[i], 300);
  }
  REQUIRE(flips > 5);
  REQUIRE(t.disk().FlipBit(t.pruned[1].path, 20, 2).ok());  // Its header.
  REQUIRE_FALSE(t.JournalIsSound());
  t.WaitForPass();
  INFO(t.scrub().problem);
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.scrub().damaged > 3);
  CHECK(t.scrub().repaired == t.scrub().damaged);
  CHECK(t.scrub().bad_answers == 0);
  CHECK(t.JournalIsSound());
  // As pruning had left them: no payload came back.
  for (size_t i = 0; i < t.pruned.size(); ++i) {
    CAPTURE(t.pruned[i].path);
    CHECK(*ledger::IsCompacted(t.disk(), t.pruned[i]));
    CHECK(*t.disk().Size(t.pruned[i].path) == before[i].size());
  }
  Node& other = *t.cluster.node((t.victim + 1) % 3);
  const Height executed = t.node().Status().executed;
  for (Height height(1); height <= executed; height = height.Next()) {
    const auto block = t.node().LoadBlock(height);
    CAPTURE(height.value());
    REQUIRE(block.ok());
    const auto info = other.Snapshot()->GetBlock(height);
    REQUIRE(info.ok());
    REQUIRE((*block)->hash() == info->hash);
  }
  t.cluster.Crash(t.victim, CrashMode::kLoseUnsynced);
  REQUIRE(t.cluster.Start(t.victim).ok());
  CHECK(t.node().Status().refusing_reason.empty());
}

TEST_CASE("scrub: what is sent for a pruned block is taken only if its hashes are the author's",
          "[scrub]") {
  PrunedCluster t(/*seed=*/98, /*all=*/true);
  REQUIRE(RotPruned(&t, t.pruned[2], t.ends[2], 1000) > 1);
  // The last bytes of a pruned block are a leaf hash of an event, which the block's own hash does
  // not cover.
  uint64_t lies = 0;
  bool lie = true;
  t.cluster.network().SetAlter([&](uint32_t from, absl::string_view frame) {
    absl::StatusOr<FetchAnswer> answer = DecodeFetchAnswer(frame);
    if (!lie || from == t.victim || !answer.ok() || answer->body.size() < 2) {
      return std::string(frame);
    }
    if (answer->id < kScrubFetchIdMin) return std::string(frame);
    ++lies;
    answer->body.back() = static_cast<char>(answer->body.back() ^ 1);
    return EncodeFetchAnswer(*answer);
  });
  t.WaitForPass();
  CHECK(lies > 0);
  CHECK(t.scrub().bad_answers > 0);
  CHECK(t.scrub().repaired == 0);
  CHECK(t.scrub().unrepaired > 0);
  CHECK_FALSE(t.JournalIsSound());
  lie = false;
  t.WaitForPass();
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.JournalIsSound());
}

TEST_CASE("scrub: rot in what is synced of the newest segment is found and repaired", "[scrub]") {
  OldCluster t(99);
  const auto segments = ledger::ListSegments(t.disk(), kJournal);
  REQUIRE(segments.ok());
  ledger::SegmentFile open = segments->back();
  // Some blocks, far from being a segment.
  for (int i = 0; i < 8; ++i) {
    REQUIRE(SubmitAndWait(&t.cluster, (t.victim + 2) % 3, t.stream.NextBatch(10)).error.ok());
    const auto now = ledger::ListSegments(t.disk(), kJournal);
    if (now->back().start != open.start) open = now->back();
  }
  REQUIRE(SubmitAndWait(&t.cluster, (t.victim + 2) % 3, t.stream.NextBatch(10)).error.ok());
  t.cluster.RunFor(kSecond);
  open = ledger::ListSegments(t.disk(), kJournal)->back();
  const uint64_t size = *t.disk().Size(open.path);
  REQUIRE(size > 400);
  // Memory still has it right: whoever does not ask the disk sees nothing.
  REQUIRE(t.disk().RotOnDisk(open.path, 40 + t.random.Below(size - 100), 4).ok());
  REQUIRE(t.JournalIsSound());
  REQUIRE(t.cluster.RunUntil([&] { return t.scrub().repaired > 0; }, 120 * kSecond));
  t.WaitForPass();
  INFO(t.scrub().problem);
  CHECK(t.scrub().damaged == 1);
  CHECK(t.scrub().repaired == 1);
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.node().fatal().ok());
  CHECK(ledger::ListSegments(t.disk(), kJournal)->back().start > open.start);
  CHECK(t.JournalIsSound());
  t.CheckStartsWhole();
}

TEST_CASE("scrub: what is not synced yet of the newest segment is no damage", "[scrub]") {
  OldCluster t(100, /*batches=*/20);
  t.cluster.Crash(t.victim, CrashMode::kProcessOnly);
  t.cluster.config(t.victim).scrub_interval_micros = 1;  // Pass after pass.
  REQUIRE(t.cluster.Start(t.victim).ok());
  const uint32_t leader = WaitForLeader(&t.cluster);
  for (int i = 0; i < 60; ++i) {
    REQUIRE(SubmitAndWait(&t.cluster, leader, t.stream.NextBatch(10)).error.ok());
  }
  CHECK(t.scrub().passes > 10);
  CHECK(t.scrub().damaged == 0);
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.node().fatal().ok());
}

TEST_CASE("scrub: a segment that cannot be read is told of once in a pass and passed over",
          "[scrub]") {
  OldCluster t(42);
  const std::string path = t.ClosedSegments()[1].path;
  uint64_t told = 0;
  t.cluster.SetLogTap([&](uint32_t, LogLevel, absl::string_view text) {
    if (absl::StrContains(text, path) && absl::StrContains(text, "not repaired")) ++told;
  });
  t.disk().FailWhen({.call = ledger::DiskCall::kRead,
                     .matches = [path](const std::string& read) { return read == path; },
                     .skip = 0,
                     .fault = ledger::DiskFault::kIoError,
                     .always = true});
  const uint64_t passes = t.scrub().passes;
  t.WaitForPass();
  REQUIRE(t.node().fatal().ok());
  CHECK(told >= 1);
  CHECK(told <= t.scrub().passes - passes + 1);
  CHECK(t.scrub().unrepaired == 1);
  CHECK(absl::StrContains(t.scrub().problem, path));
  t.disk().Disarm();
  t.WaitForPass();
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.scrub().problem.empty());
  CHECK(t.JournalIsSound());
}

TEST_CASE("scrub: a damaged snapshot is removed and offered to nobody", "[scrub]") {
  OldCluster t(75, /*batches=*/150, /*snapshot_interval_blocks=*/65);
  const auto heights = ledger::ListSnapshots(t.disk(), "/vigil/snapshots");
  REQUIRE(heights.ok());
  REQUIRE(heights->size() == 2);
  const std::string damaged = ledger::SnapshotPath("/vigil/snapshots", heights->front());
  const std::string sound = ledger::SnapshotPath("/vigil/snapshots", heights->back());
  REQUIRE(t.disk().FlipBit(damaged, *t.disk().Size(damaged) - 5, 2).ok());
  t.WaitForPass();
  CHECK_FALSE(t.disk().Exists(damaged));
  CHECK(t.disk().Exists(sound));
  CHECK(t.scrub().damaged == 1);
  CHECK(t.scrub().repaired == 1);
  CHECK(t.scrub().unrepaired == 0);
  CHECK(t.node().fatal().ok());
  t.CheckStartsWhole();
}

TEST_CASE("scrub: a crash at any moment of a repair leaves the old segment or the new one",
          "[scrub]") {
  int repaired = 0;
  for (uint64_t skip = 0; skip < 6; ++skip) {
    VIGIL_TEST_SEED(seed, 80 + skip);
    OldCluster t(seed, /*batches=*/40);
    const std::vector<JournalReader::Frame> frames = t.Frames();
    t.FlipSomewhereIn(frames[frames.size() / 2]);
    const auto call = std::vector<ledger::DiskCall>{
        ledger::DiskCall::kCreate, ledger::DiskCall::kWrite,   ledger::DiskCall::kSync,
        ledger::DiskCall::kRename, ledger::DiskCall::kSyncDir, ledger::DiskCall::kSync}[skip];
    const bool power = skip != 5;
    t.disk().FailWhen(
        {.call = call,
         .matches =
             [call](const std::string& path) {
               if (call == ledger::DiskCall::kSyncDir) return path == kJournal;
               if (call == ledger::DiskCall::kRename) {
                 return absl::EndsWith(path, ".journal");
               }
               return absl::EndsWith(path, ".repair");
             },
         .fault = power ? ledger::DiskFault::kPowerOff : ledger::DiskFault::kIoError});
    REQUIRE(t.cluster.RunUntil([&] { return !t.node().fatal().ok(); }, 60 * kSecond));
    CHECK_FALSE(t.disk().fired().empty());
    t.cluster.Crash(t.victim, CrashMode::kLoseUnsynced);
    const auto check = ledger::CheckJournal(t.disk(), kJournal, std::nullopt);
    REQUIRE(check.ok());
    const bool damaged = absl::IsDataLoss(check->damage);
    repaired += damaged ? 0 : 1;
    REQUIRE(t.cluster.Start(t.victim).ok());
    CHECK(t.node().Status().refusing == damaged);
  }
  CHECK(repaired < 6);
}

TEST_CASE("scrub: reads no more than it is allowed to", "[scrub]") {
  OldCluster t(90, /*batches=*/60);
  t.cluster.Crash(t.victim, CrashMode::kProcessOnly);
  t.cluster.config(t.victim).scrub_bytes_per_second = 8 * 1024;
  t.cluster.config(t.victim).scrub_interval_micros = 1;
  REQUIRE(t.cluster.Start(t.victim).ok());
  const int64_t begin = t.cluster.clock().MonotonicMicros();
  for (int i = 0; i < 20; ++i) {
    t.cluster.RunFor(kSecond);
    const int64_t seconds = (t.cluster.clock().MonotonicMicros() - begin) / kSecond;
    CHECK(t.scrub().bytes <= static_cast<uint64_t>(seconds + 1) * 8 * 1024 + 96 * 1024);
  }
  CHECK(t.scrub().bytes > 100 * 1024);
  t.cluster.Crash(t.victim, CrashMode::kProcessOnly);
  t.cluster.config(t.victim).scrub_bytes_per_second = 0;
  REQUIRE(t.cluster.Start(t.victim).ok());
  t.cluster.RunFor(10 * kSecond);
  CHECK(t.scrub().bytes == 0);
}

}  // namespace
}  // namespace vigil::node
