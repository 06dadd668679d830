// Verification of a journal whose older segments lie in archives.
#include "ledger/state/ledger_places.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/log/merkle.h"
#include "ledger/state/archive_manifest.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_format.h"
#include "ledger/storage/journal_reader.h"
#include "tests/ledger/state/chain_folder.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr char kJournal[] = "/d/journal";
constexpr char kArchive[] = "/a";
constexpr char kSecond[] = "/b";

// A validator's folder with a journal of several segments, and archives of the first ones.
struct Archived : ChainFolder {
  explicit Archived(int blocks = 2 * kInterval + 10) : ChainFolder(blocks) {
    id = network.genesis().validators[0].journal_id;
    REQUIRE(Journal::Create(&files, kJournal, id).ok());
    const auto journal = Open();
    const auto state = ChainState::Open(&store, &network.genesis()).value();
    for (const BlockPtr& block : chain.blocks()) {
      const auto position = journal->Append(JournalType::kBlock, AsBytes(block->frame()));
      REQUIRE(position.ok());
      positions.push_back(*position);
      std::string mark;
      ByteWriter(&mark)
          .U64(1)
          .U64(block->header().view.value())
          .U64(block->height().value())
          .Fixed(block->hash());
      REQUIRE(journal->Append(JournalType::kCommit, AsBytes(mark)).ok());
      REQUIRE(journal->Sync().ok());
      if (block->header().snapshot_height != Height(0)) {
        state->KnowSnapshot(
            {.height = block->header().snapshot_height, .digest = block->header().snapshot_digest});
      }
      REQUIRE(state->Execute(block, *position).ok());
    }
    segments = ListSegments(files, kJournal).value();
    REQUIRE(segments.size() >= 4);
  }

  std::unique_ptr<Journal> Open() {
    JournalOpenReport report;
    return Journal::Open(&files, kJournal, id, 0, {.segment_bytes = 16 * 1024}, &report).value();
  }
  uint64_t EndOf(size_t segment) const { return segments[segment + 1].start; }
  // Heights of the blocks in a segment.
  HeightRange HeightsOf(size_t segment) const {
    HeightRange range;
    for (size_t i = 0; i < positions.size(); ++i) {
      if (positions[i].offset < segments[segment].start || positions[i].offset >= EndOf(segment)) {
        continue;
      }
      if (range.first == Height(0)) range.first = Height(i + 1);
      range.last = Height(i + 1);
    }
    return range;
  }

  ArchiveManifest ManifestOf(const std::string& directory, size_t begin, size_t end) const {
    ArchiveManifest manifest;
    manifest.network = network.genesis().network;
    manifest.genesis_hash = network.genesis().genesis_hash;
    manifest.validator = network.validator(0);
    manifest.journal_id = id;
    for (size_t i = begin; i < end; ++i) {
      const std::string name = SegmentName(segments[i].start);
      const HeightRange heights = HeightsOf(i);
      REQUIRE(heights.first > Height(0));
      manifest.segments.push_back({.file = DigestFile(files, directory + "/" + name).value(),
                                   .end = EndOf(i),
                                   .first = heights.first,
                                   .last = heights.last,
                                   .tree_size = roots[heights.last.value() - 1].size()});
      manifest.segments.back().file.name = name;
    }
    manifest.checkpoint = SignedCheckpointOf(leaves.size(), chain.tip().tree.Root());
    std::vector<Hash> hashes;
    for (const std::string& leaf : leaves) hashes.push_back(LeafHash(AsBytes(leaf)));
    manifest.consistency = ConsistencyPath(hashes, manifest.segments.back().tree_size);
    return manifest;
  }
  void PutManifest(const std::string& directory, const ArchiveManifest& manifest) {
    WriteFile(&files, absl::StrCat(directory, "/", kArchiveManifestName),
              EncodeArchiveManifest(manifest));
  }
  // Copies segments into an archive.
  void Archive(const std::string& directory, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const std::string name = SegmentName(segments[i].start);
      WriteFile(&files, directory + "/" + name, files.ReadAll(segments[i].path).value());
    }
    PutManifest(directory, ManifestOf(directory, begin, end));
  }
  // Writes the base that stands for the first `count` segments, and removes them.
  void Drop(size_t count) {
    BaseFrame base = bases[HeightsOf(count - 1).last.value() - 1];
    base.base_offset = segments[count].start;
    {
      const auto journal = Open();
      REQUIRE(journal->Append(JournalType::kBase, AsBytes(EncodeBaseFrame(base))).ok());
      REQUIRE(journal->Sync().ok());
    }
    for (size_t i = 0; i < count; ++i) REQUIRE(files.Remove(segments[i].path).ok());
  }

  absl::StatusOr<VerifyReport> TryVerify(bool data, std::vector<std::string> archives) {
    VerifyOptions options;
    if (data) {
      options.files = &files;
      options.log_directory = kLog;
      options.snapshot_directory = kSnapshots;
    }
    const absl::StatusOr<OpenedLedger> opened =
        OpenLedger(&files, network.genesis(),
                   {.data_directory = data ? "/d" : "", .archives = std::move(archives)}, &options);
    if (!opened.ok()) return opened.status();
    CHECK(opened->journal_id == id);
    return VerifyLedger(*opened->journal, network.genesis(), data ? &store : nullptr, options,
                        nullptr);
  }
  VerifyReport Verify(bool data, std::vector<std::string> archives) {
    absl::StatusOr<VerifyReport> report = TryVerify(data, std::move(archives));
    INFO(report.status());
    REQUIRE(report.ok());
    return *std::move(report);
  }

  JournalId id;
  MemoryStore store;
  std::vector<JournalPosition> positions;
  std::vector<SegmentFile> segments;
};

}  // namespace

TEST_CASE("archive: with all of it a ledger verifies as if nothing had been archived",
          "[archive]") {
  Archived archived;
  const Height top = archived.chain.tip().height;
  const std::string bytes = archived.files.ReadAll(archived.segments[2].path).value();
  archived.Archive(kArchive, 0, 3);
  archived.Drop(3);
  std::vector<std::string> archives = {kArchive};
  SECTION("in one place") {}
  SECTION("where the data folder has some of it left") {
    WriteFile(&archived.files, archived.segments[2].path, bytes);
  }
  SECTION("in several places") {
    Archived other;
    other.Archive(kArchive, 0, 1);
    other.Archive(kSecond, 1, 3);
    other.Drop(3);
    const VerifyReport report = other.Verify(true, {kSecond, kArchive});
    INFO(Describe(report));
    CHECK(report.verdict() == VerifyVerdict::kVerified);
  }
  SECTION("twice") { archives.emplace_back(kArchive); }
  const VerifyReport report = archived.Verify(true, archives);
  INFO(Describe(report));
  CHECK(report.verdict() == VerifyVerdict::kVerified);
  CHECK(report.missing.empty());
  CHECK(report.missing_offsets.empty());
  CHECK(report.not_executed.empty());
  CHECK(report.block_count == top.value());
  CHECK(report.executed_height == top);
  CHECK(report.store_compared);
  CHECK(report.checkpoint->state == CheckpointJudgement::State::kMatches);
  CHECK(report.tip.state_digest == archived.chain.tip().state_digest);
}

TEST_CASE("archive: without it the data folder verifies from its base", "[archive]") {
  Archived archived;
  const Height base = archived.HeightsOf(2).last;
  archived.Archive(kArchive, 0, 3);
  archived.Drop(3);
  const VerifyReport report = archived.Verify(true, {});
  INFO(Describe(report));
  CHECK(report.verdict() == VerifyVerdict::kVerifiedFromBase);
  REQUIRE(report.missing.size() == 1);
  CHECK(report.missing[0] == HeightRange{.first = Height(1), .last = base});
  REQUIRE(report.missing_offsets.size() == 1);
  CHECK(report.missing_offsets[0].range ==
        OffsetRange{.begin = 0, .end = archived.segments[3].start});
  CHECK(report.base->in_log);
  CHECK(report.executed_height == archived.chain.tip().height);
  CHECK(report.store_compared);
}

TEST_CASE("archive: alone it verifies up to its end", "[archive]") {
  Archived archived;
  archived.Archive(kArchive, 0, 3);
  CHECK(IsArchive(archived.files, kArchive));
  CHECK_FALSE(IsArchive(archived.files, "/d"));
  const VerifyReport report = archived.Verify(false, {kArchive});
  INFO(Describe(report));
  CHECK(report.verdict() == VerifyVerdict::kVerified);
  CHECK(report.committed_height == archived.HeightsOf(2).last);
  CHECK(report.executed_height == report.committed_height);
  REQUIRE(report.checkpoint.has_value());
  CHECK(report.checkpoint->state == CheckpointJudgement::State::kContinues);

  ArchiveManifest manifest = archived.ManifestOf(kArchive, 0, 3);
  const auto refuses = [&](FindingType type) {
    archived.PutManifest(kArchive, manifest);
    const VerifyReport refused = archived.Verify(false, {kArchive});
    INFO(Describe(refused));
    CHECK(refused.counts.contains(type));
    manifest = archived.ManifestOf(kArchive, 0, 3);
  };
  manifest.consistency[0] = TestHash(1);
  refuses(FindingType::kCheckpointDiffers);
  manifest.checkpoint = archived.SignedCheckpointOf(archived.leaves.size(), TestHash(2));
  refuses(FindingType::kCheckpointDiffers);
  manifest.checkpoint =
      archived.SignedCheckpointOf(archived.leaves.size(), archived.chain.tip().tree.Root(), 1);
  refuses(FindingType::kCheckpointDiffers);
  --manifest.segments[1].tree_size;
  refuses(FindingType::kArchiveDiffers);
  manifest.segments[1].file.sha256 = TestHash(3);
  refuses(FindingType::kArchiveDiffers);
  manifest.segments[2].last = manifest.segments[2].last + 1;
  refuses(FindingType::kBlockMissing);

  manifest.genesis_hash = TestHash(4);
  archived.PutManifest(kArchive, manifest);
  CHECK(absl::IsDataLoss(archived.TryVerify(false, {kArchive}).status()));
  manifest = archived.ManifestOf(kArchive, 0, 3);
  manifest.journal_id.bytes[0] ^= 1;
  archived.PutManifest(kArchive, manifest);
  CHECK(absl::IsDataLoss(archived.TryVerify(true, {kArchive}).status()));
}

TEST_CASE("archive: of a part that is not there height and offset and file are named",
          "[archive]") {
  Archived archived;
  const std::string lost = absl::StrCat(kArchive, "/", SegmentName(archived.segments[1].start));
  archived.Archive(kArchive, 0, 3);
  const HeightRange heights = archived.HeightsOf(1);
  const OffsetRange offsets{.begin = archived.segments[1].start, .end = archived.EndOf(1)};
  REQUIRE(archived.files.Remove(lost).ok());
  const bool with_data = GENERATE(true, false);
  if (with_data) archived.Drop(3);
  const VerifyReport report = archived.Verify(with_data, {kArchive});
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.verdict() == VerifyVerdict::kVerifiedPartly);
  REQUIRE(report.missing.size() == 1);
  CHECK(report.missing[0] == heights);
  REQUIRE(report.missing_offsets.size() == 1);
  CHECK(report.missing_offsets[0] == MissingOffsets{.range = offsets, .files = {lost}});
  const uint64_t lost_blocks = heights.last.value() - heights.first.value() + 1;
  CHECK(report.block_count + lost_blocks == report.committed_height.value());
  // The first segment was executed; with the folder's snapshots what follows the gap, too.
  CHECK((report.executed_height == report.committed_height) == with_data);
  CHECK(report.store_compared == with_data);
  if (with_data) {
    CHECK(report.checkpoint->state == CheckpointJudgement::State::kMatches);
    CHECK(report.snapshot->height == Height(kInterval));
  } else {
    CHECK(report.checkpoint->state == CheckpointJudgement::State::kNotCompared);
    REQUIRE(report.not_executed.size() == 1);
    CHECK(report.not_executed[0].first == heights.last.Next());
  }
}

TEST_CASE("archive: what its last segment held is named as well", "[archive]") {
  Archived archived;
  archived.Archive(kArchive, 0, 3);
  REQUIRE(
      archived.files.Remove(absl::StrCat(kArchive, "/", SegmentName(archived.segments[2].start)))
          .ok());
  const VerifyReport report = archived.Verify(false, {kArchive});
  INFO(Describe(report));
  CHECK(report.verdict() == VerifyVerdict::kVerifiedPartly);
  REQUIRE(report.missing.size() == 1);
  CHECK(report.missing[0] == archived.HeightsOf(2));
  CHECK(report.executed_height == archived.HeightsOf(1).last);
}

TEST_CASE("archive: no bit of a segment can flip unnoticed", "[archive]") {
  VIGIL_TEST_SEED(seed, 80);
  SplitMix64 random(seed);
  Archived archived(40);
  archived.Archive(kArchive, 0, 2);
  archived.Drop(2);
  const std::string path = absl::StrCat(kArchive, "/", SegmentName(archived.segments[1].start));
  const std::string sound = archived.files.ReadAll(path).value();
  for (int round = 0; round < 60; ++round) {
    std::string altered = sound;
    const size_t at = random.Below(sound.size());
    altered[at] = static_cast<char>(altered[at] ^ (1 << random.Below(8)));
    WriteFile(&archived.files, path, altered);
    const VerifyReport report = archived.Verify(true, {kArchive});
    INFO("byte " << at << "\n" << Describe(report));
    // The file by its digest, the frame by its checksum.
    CHECK(report.counts.contains(FindingType::kArchiveDiffers));
    REQUIRE(report.counts.contains(FindingType::kJournalDamaged));
    const auto damaged = std::find_if(
        report.findings.begin(), report.findings.end(),
        [](const VerifyFinding& finding) { return finding.type == FindingType::kJournalDamaged; });
    CHECK(absl::StrContains(damaged->what, path));
    REQUIRE(damaged->position.has_value());
    const uint64_t offset =
        archived.segments[1].start + (at < kSegmentHeaderBytes ? 0 : at - kSegmentHeaderBytes);
    CHECK(damaged->position->offset <= offset);
    CHECK(damaged->position->offset + 16 * 1024 > offset);
  }
}

TEST_CASE("archive: a segment that was cut or altered with care is found", "[archive]") {
  Archived archived;
  archived.Archive(kArchive, 0, 3);
  archived.Drop(3);
  const std::string path = absl::StrCat(kArchive, "/", SegmentName(archived.segments[1].start));
  const std::string sound = archived.files.ReadAll(path).value();
  const uint64_t start = archived.segments[1].start;
  const uint64_t height = archived.HeightsOf(1).first.value() + 1;
  const JournalPosition position = archived.positions[height - 1];
  std::string altered;
  SECTION("cut between frames") {
    altered = sound.substr(0, kSegmentHeaderBytes + position.offset - start);
  }
  SECTION("with checksums that were repaired") {
    altered = sound.substr(0, kSegmentHeaderBytes + position.offset - start);
    const auto reader = std::make_shared<SegmentedReader>(
        &archived.files, CheckSegments(archived.files, {{.start = start, .path = path}},
                                       archived.id, archived.EndOf(1))
                             .value());
    REQUIRE(reader
                ->ForEach(position,
                          [&](const JournalReader::Frame& frame) {
                            std::string body = frame.body;
                            if (frame.position == position) body.back() ^= 1;
                            AppendFrame(archived.id,
                                        {.type = frame.type,
                                         .offset = frame.position.offset,
                                         .synced_up_to = frame.synced_up_to},
                                        AsBytes(body), &altered);
                            return true;
                          })
                .ok());
    REQUIRE(altered.size() == sound.size());
  }
  WriteFile(&archived.files, path, altered);
  CHECK(archived.Verify(true, {kArchive}).counts.contains(FindingType::kArchiveDiffers));
  // Even if the manifest was altered, too.
  archived.PutManifest(kArchive, archived.ManifestOf(kArchive, 0, 3));
  const VerifyReport report = archived.Verify(true, {kArchive});
  INFO(Describe(report));
  CHECK_FALSE(report.counts.contains(FindingType::kArchiveDiffers));
  REQUIRE_FALSE(report.ok());
  const bool located = std::any_of(
      report.findings.begin(), report.findings.end(), [&](const VerifyFinding& finding) {
        return finding.position == position || finding.height == Height(height);
      });
  CHECK(located);
}

}  // namespace vigil::ledger
