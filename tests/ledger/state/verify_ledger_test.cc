#include "ledger/state/verify_ledger.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/chain/header.h"
#include "ledger/log/merkle.h"
#include "ledger/state/tables.h"
#include "tests/ledger/state/random_traffic.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

// A chain of `blocks` blocks, each with a batch, some with more; journal and store agree.
struct Ledger {
  explicit Ledger(int blocks = 8) : chain(&network) {
    RandomTraffic traffic(&network, 3);
    TestStream stream(&network, "acme/fw-1", "main");
    for (int i = 0; i < blocks; ++i) {
      std::vector<Record> records = traffic.ForBlock(chain.tip());
      records.insert(records.begin(), stream.Batch(3));
      chain.Commit(records, 1 + static_cast<uint64_t>(i) % 3);
    }
  }
  VerifyReport Verify(bool with_store = true, VerifyOptions options = {}) {
    return VerifyLedger(*chain.journal(), network.genesis(), with_store ? chain.store() : nullptr,
                        options, nullptr);
  }
  std::string* Frame(uint64_t height) { return chain.journal()->body(chain.position(height)); }
  BlockInfo Info(uint64_t height) { return chain.reader().GetBlock(Height(height)).value(); }
  // Offset in the frame of the bytes of a record's leaf.
  size_t LeafOffset(uint64_t height, size_t record) {
    const Block& block = *chain.blocks()[height - 1];
    return static_cast<size_t>(block.records()[record].leaf.data() -
                               reinterpret_cast<const uint8_t*>(block.frame().data()));
  }
  size_t PayloadOffset(uint64_t height, size_t record) {
    const Block& block = *chain.blocks()[height - 1];
    return static_cast<size_t>(block.records()[record].payload.data() -
                               reinterpret_cast<const uint8_t*>(block.frame().data()));
  }

  TestNetwork network;
  TestChain chain;
};

void FlipBit(std::string* bytes, size_t offset, int bit = 0) {
  (*bytes)[offset] = static_cast<char>((*bytes)[offset] ^ (1 << bit));
}

std::string Describe(const VerifyReport& report) {
  std::string text;
  for (const VerifyFinding& finding : report.findings) text += DescribeFinding(finding) + "\n";
  return text;
}

const VerifyFinding* FindType(const VerifyReport& report, FindingType type) {
  for (const VerifyFinding& finding : report.findings) {
    if (finding.type == type) return &finding;
  }
  return nullptr;
}

// The one finding of this type, which must lie at `height`.
const VerifyFinding& Only(const VerifyReport& report, FindingType type, uint64_t height) {
  INFO(FindingTypeName(type) << " among:\n" << Describe(report));
  const VerifyFinding* finding = FindType(report, type);
  REQUIRE(finding != nullptr);
  CHECK(report.counts.at(type) == 1);
  CHECK(finding->height == Height(height));
  return *finding;
}

uint64_t CountOthers(const VerifyReport& report, std::vector<FindingType> expected) {
  uint64_t count = 0;
  for (const auto& [type, number] : report.counts) {
    if (std::find(expected.begin(), expected.end(), type) == expected.end()) count += number;
  }
  return count;
}

}  // namespace

TEST_CASE("a sound ledger verifies with and without its store", "[state]") {
  Ledger ledger(20);
  for (const bool with_store : {true, false}) {
    const VerifyReport report = ledger.Verify(with_store);
    INFO(Describe(report));
    CHECK(report.ok());
    CHECK(report.store_compared == with_store);
    CHECK(report.block_count == 20);
    CHECK(report.committed_height == Height(20));
    CHECK(report.frame_count == 40);
    CHECK(report.tip.state_digest == ledger.chain.tip().state_digest);
    CHECK(report.tip.tree.Root() == ledger.chain.tip().tree.Root());
    CHECK(report.record_count + 20 == ledger.chain.tip().tree.size());
    CHECK(report.signature_count == report.record_count + 20);
    CHECK(report.event_count >= ledger.chain.tip().event_count);
    CHECK((report.store_key_count > 100) == with_store);
  }
}

TEST_CASE("a long chain with lagging execution verifies in bounded memory", "[state]") {
  TestNetwork network;
  TestChain chain(&network);
  RandomTraffic traffic(&network, 8);
  SplitMix64 random(8);
  for (int i = 0; i < 300; ++i) {
    chain.Commit(traffic.ForBlock(chain.tip()), random.Chance(100) ? 1 : 64);
  }
  const VerifyReport report =
      VerifyLedger(*chain.journal(), network.genesis(), chain.store(), {}, nullptr);
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.store_compared);
}

TEST_CASE("an empty journal and a store at genesis verify", "[state]") {
  TestNetwork network;
  TestChain chain(&network);
  const VerifyReport report =
      VerifyLedger(*chain.journal(), network.genesis(), chain.store(), {}, nullptr);
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.store_compared);
  CHECK(report.committed_height == Height(0));
}

TEST_CASE("verify locates a flipped bit in an event", "[state]") {
  Ledger ledger;
  // Size table of three events: count and three sizes.
  const size_t first_event = ledger.PayloadOffset(5, 0) + 16;
  SECTION("that leaves the event canonical") {
    FlipBit(ledger.Frame(5), first_event + 6);  // Inside the salt.
    const VerifyReport report = ledger.Verify();
    const VerifyFinding& finding = Only(report, FindingType::kPayloadAltered, 5);
    CHECK(finding.record == ledger.Info(5).first_index);
    CHECK(finding.position == ledger.chain.position(5));
    CHECK(report.finding_count == 1);
    CHECK(report.store_compared);
  }
  SECTION("that makes the second event malformed") {
    const size_t event_size = TestEvent(1).size();
    FlipBit(ledger.Frame(5), first_event + event_size, 7);  // Tag of its first field.
    const VerifyReport report = ledger.Verify();
    const VerifyFinding& finding = Only(report, FindingType::kEventInvalid, 5);
    CHECK(finding.record == ledger.Info(5).first_index);
    CHECK(finding.item == ItemIndex(1));
    CHECK(report.finding_count == 1);
  }
}

TEST_CASE("verify counts what was pruned and finds what was altered in what is left", "[state]") {
  Ledger ledger;
  const VerifyReport before = ledger.Verify();
  REQUIRE(before.ok());
  const auto prune = [&](uint64_t height) {
    ledger.chain.journal()->Replace(ledger.chain.position(height), JournalType::kPrunedBlock,
                                    MakePrunedFrame(*ledger.chain.blocks()[height - 1]).value());
  };
  prune(2);
  prune(5);
  const VerifyReport pruned = ledger.Verify();
  INFO(Describe(pruned));
  CHECK(pruned.ok());
  CHECK(pruned.store_compared);
  CHECK(pruned.tip.state_digest == before.tip.state_digest);
  CHECK(pruned.pruned.payload_count >= 2);
  CHECK(pruned.pruned.first_height == Height(2));
  CHECK(pruned.pruned.last_height == Height(5));
  CHECK(pruned.event_count + pruned.pruned.event_count == before.event_count);
  CHECK(pruned.payload_bytes + pruned.pruned.payload_bytes == before.payload_bytes);

  SECTION("one bit of an event's hash") {
    FlipBit(ledger.Frame(5), ledger.Frame(5)->size() - 7);
    const VerifyReport report = ledger.Verify();
    CHECK(Only(report, FindingType::kPayloadAltered, 5).position == ledger.chain.position(5));
    CHECK(report.finding_count == 1);
  }
  SECTION("a block that says it is pruned and is whole, or the other way round") {
    std::string whole = ledger.chain.blocks()[4]->frame();
    ledger.chain.journal()->Replace(ledger.chain.position(5), JournalType::kPrunedBlock, whole);
    CHECK_FALSE(ledger.Verify().ok());
    ledger.chain.journal()->Replace(ledger.chain.position(5), JournalType::kBlock,
                                    MakePrunedFrame(*ledger.chain.blocks()[4]).value());
    CHECK_FALSE(ledger.Verify().ok());
  }
}

TEST_CASE("verify locates a flipped bit in a leaf", "[state]") {
  Ledger ledger;
  const size_t records = ledger.chain.blocks()[3]->records().size();
  REQUIRE(records > 1);
  FlipBit(ledger.Frame(4), ledger.LeafOffset(4, records - 1) + 20);
  const VerifyReport report = ledger.Verify();
  const VerifyFinding& finding = Only(report, FindingType::kLeafAltered, 4);
  CHECK(finding.record == ledger.Info(4).first_index + (records - 1));
  CHECK(finding.position == ledger.chain.position(4));
  Only(report, FindingType::kNotExecuted, 4);
  CHECK(report.finding_count == 2);
  CHECK(report.block_count == 7);
  CHECK(!report.store_compared);
}

TEST_CASE("verify locates a flipped bit in a header", "[state]") {
  Ledger ledger;
  FlipBit(ledger.Frame(4), 2 + kHeaderBytes - 9);  // In the time.
  const VerifyReport report = ledger.Verify();
  Only(report, FindingType::kBlockMissing, 4);
  CHECK(Only(report, FindingType::kBlockAltered, 4).position == ledger.chain.position(4));
  Only(report, FindingType::kNotExecuted, 5);
  CHECK(report.finding_count == 3);
}

TEST_CASE("verify locates a flipped bit in a proposer's signature and goes on", "[state]") {
  Ledger ledger;
  FlipBit(ledger.Frame(4), 2 + kHeaderBytes + 5);
  const VerifyReport report = ledger.Verify();
  CHECK(Only(report, FindingType::kBlockAltered, 4).position == ledger.chain.position(4));
  CHECK(report.finding_count == 1);
  CHECK(report.store_compared);
}

TEST_CASE("no bit of a block can flip unnoticed", "[state]") {
  VIGIL_TEST_SEED(seed, 77);
  SplitMix64 random(seed);
  Ledger ledger(4);
  const std::string sound = *ledger.Frame(3);
  for (size_t offset = 0; offset < sound.size(); offset += 1 + random.Below(9)) {
    *ledger.Frame(3) = sound;
    FlipBit(ledger.Frame(3), offset, static_cast<int>(random.Below(8)));
    const bool with_store = random.Chance(500);
    const VerifyReport report = ledger.Verify(with_store);
    INFO("offset " << offset << " of " << sound.size() << "\n" << Describe(report));
    REQUIRE(!report.ok());
    const bool located = std::any_of(
        report.findings.begin(), report.findings.end(), [&](const VerifyFinding& finding) {
          return finding.height == Height(3) || finding.position == ledger.chain.position(3);
        });
    REQUIRE(located);
  }
}

TEST_CASE("no value of the store can change unnoticed", "[state]") {
  VIGIL_TEST_SEED(seed, 78);
  SplitMix64 random(seed);
  Ledger ledger(6);
  std::vector<std::pair<std::string, std::string>> entries;
  REQUIRE(ledger.chain.store()
              ->Scan("", "", false,
                     [&](absl::string_view key, absl::string_view value) {
                       entries.emplace_back(std::string(key), std::string(value));
                       return true;
                     })
              .ok());
  REQUIRE(entries.size() > 60);
  for (const auto& [key, value] : entries) {
    for (const bool deletes : {false, true}) {
      StoreBatch damage;
      StoreBatch repair;
      repair.Put(key, value);
      std::string altered = value;
      if (deletes) {
        damage.Delete(key);
      } else if (value.empty()) {
        damage.Put(key, "x");
      } else {
        FlipBit(&altered, random.Below(value.size()), static_cast<int>(random.Below(8)));
        damage.Put(key, altered);
      }
      REQUIRE(ledger.chain.store()->Write(damage).ok());
      const VerifyReport report = ledger.Verify();
      REQUIRE(ledger.chain.store()->Write(repair).ok());
      INFO("key " << HexEncode(AsBytes(key)) << (deletes ? " deleted" : " altered") << "\n"
                  << Describe(report));
      REQUIRE(!report.ok());
      const std::string shown = HexEncode(AsBytes(key.substr(0, 48)));
      const bool is_tip = key == StoreTipKey();
      const bool named = std::any_of(report.findings.begin(), report.findings.end(),
                                     [&](const VerifyFinding& finding) {
                                       return finding.what.find(shown) != std::string::npos;
                                     });
      // A damaged tip may hide up to which height the store can be compared at all.
      REQUIRE((named || is_tip));
    }
  }
  CHECK(ledger.Verify().ok());
}

TEST_CASE("verify finds keys that the store has too many", "[state]") {
  Ledger ledger(4);
  const std::string number = std::string(7, '\0') + '\1';
  for (const std::string& key :
       {StoreStateKey(AlertKey(RecordIndex(777))), StoreNumberKey(Space::kBlock, 99),
        StoreNumberKey(Space::kResults, 99), StoreNumberKey(Space::kUndo, 99),
        StoreNumberKey(Space::kMark, 99), StoreHashKey(Space::kBlockHash, TestHash(1)),
        StoreHashKey(Space::kLeaf, TestHash(1)), StoreNumberKey(Space::kFirstIndex, 777)}) {
    StoreBatch damage;
    damage.Put(key, number);
    REQUIRE(ledger.chain.store()->Write(damage).ok());
    const VerifyReport report = ledger.Verify();
    INFO(HexEncode(AsBytes(key)) << "\n" << Describe(report));
    CHECK(report.finding_count == 1);
    CHECK(FindType(report, FindingType::kStoreExtra) != nullptr);
    StoreBatch repair;
    repair.Delete(key);
    REQUIRE(ledger.chain.store()->Write(repair).ok());
  }
}

TEST_CASE("verify says which block is missing and goes on behind it", "[state]") {
  Ledger ledger;
  ledger.chain.journal()->Remove(ledger.chain.position(4));
  for (const bool with_store : {true, false}) {
    const VerifyReport report = ledger.Verify(with_store);
    const VerifyFinding& finding = Only(report, FindingType::kBlockMissing, 4);
    CHECK(finding.last_height == Height(4));
    Only(report, FindingType::kNotExecuted, 5);
    CHECK(report.finding_count == 2);
    CHECK(report.block_count == 7);
  }
}

TEST_CASE("verify names a range of missing blocks once", "[state]") {
  Ledger ledger;
  for (const uint64_t height : {3, 4, 5}) {
    ledger.chain.journal()->Remove(ledger.chain.position(height));
  }
  const VerifyReport report = ledger.Verify(false);
  const VerifyFinding& finding = Only(report, FindingType::kBlockMissing, 3);
  CHECK(finding.last_height == Height(5));
}

TEST_CASE("verify finds blocks that were swapped", "[state]") {
  Ledger ledger;
  std::swap(*ledger.Frame(3), *ledger.Frame(4));
  const VerifyReport alone = ledger.Verify(false);
  CHECK(Only(alone, FindingType::kBlockOutOfOrder, 4).position == ledger.chain.position(3));
  CHECK(alone.finding_count == 1);
  const VerifyReport report = ledger.Verify();
  Only(report, FindingType::kBlockOutOfOrder, 4);
  CHECK(report.counts.at(FindingType::kStoreDiffers) == 2);
  CHECK(report.finding_count == 3);
}

TEST_CASE("verify locates a record that its author did not sign", "[state]") {
  Ledger ledger;
  TestStream stream(&ledger.network, "globex/ids-1", "forged");
  Record good = stream.Batch(1);
  Record forged = good;
  forged.leaf.back() = static_cast<char>(forged.leaf.back() ^ 1);
  stream.Seek(1, LeafHash(AsBytes(forged.leaf)));
  const ExecutedBlock executed = ledger.chain.Commit({forged, stream.Batch(1)});
  const VerifyReport report = ledger.Verify();
  const VerifyFinding& finding = Only(report, FindingType::kRecordSignature, 9);
  CHECK(finding.record == executed.first_index);
  CHECK(finding.position == ledger.chain.position(9));
  CHECK(report.finding_count == 1);
  CHECK(report.store_compared);
}

TEST_CASE("verify locates a record by a key that nobody enrolled", "[state]") {
  Ledger ledger;
  HeartbeatBody body;
  body.stream = "conn";
  body.sequence = 1;
  std::array<uint8_t, 32> seed;
  seed.fill(0xEE);
  const Record record = {
      SignRecord(body, ledger.network.genesis().chain_id, SigningKey::FromSeed(seed)), ""};
  CHECK(!ledger.chain.Add(ledger.chain.Next({record})).ok());
  const VerifyReport report = ledger.Verify(false);
  const VerifyFinding& finding = Only(report, FindingType::kRecordKeyUnknown, 9);
  CHECK(finding.record == RecordIndex(ledger.chain.tip().tree.size()));
  Only(report, FindingType::kNotExecuted, 9);
}

TEST_CASE("verify finds a header that disagrees about state", "[state]") {
  Ledger ledger;
  for (const bool about_results : {false, true}) {
    BlockHeader header = ledger.chain.NextHeader();
    (about_results ? header.results_root : header.state_digest) = TestHash(0xAB);
    const BlockPtr block = ledger.chain.Make(header, {});
    const JournalPosition position =
        ledger.chain.journal()->Append(JournalType::kBlock, block->frame());
    const JournalPosition mark = ledger.chain.journal()->AppendCommit(*block);
    const VerifyReport report = ledger.Verify();
    const VerifyFinding& finding = Only(report, FindingType::kStateDivergence, 9);
    CHECK(finding.position == position);
    CHECK(finding.what.find(TestHash(0xAB).ToHex()) != std::string::npos);
    CHECK(report.finding_count == 1);
    CHECK(report.store_compared);  // The store ends below it.
    ledger.chain.journal()->Remove(position);
    ledger.chain.journal()->Remove(mark);
  }
}

TEST_CASE("verify finds a header that breaks a rule by itself or against its parent", "[state]") {
  Ledger ledger;
  BlockHeader header = ledger.chain.NextHeader();
  FindingType expected = FindingType::kBlockLink;
  SECTION("time goes back") { header.time_unix_millis = kTestTimeMillis + 1; }
  SECTION("executed height goes back") {
    header.executed_height = Height(1);
    header.state_digest = ledger.Info(1).state_digest;
  }
  SECTION("the parent's view is another") {
    header.view = View(9);
    header.parent_view = View(8);
  }
  SECTION("an epoch that does not exist") {
    header.epoch = Epoch(2);
    expected = FindingType::kBlockInvalid;
  }
  const BlockPtr block = ledger.chain.Make(header, {});
  const JournalPosition position =
      ledger.chain.journal()->Append(JournalType::kBlock, block->frame());
  ledger.chain.journal()->AppendCommit(*block);
  const VerifyReport report = ledger.Verify(false);
  CHECK(Only(report, expected, 9).position == position);
  CHECK(CountOthers(report, {expected, FindingType::kStateDivergence, FindingType::kBlockLink}) ==
        0);
}

TEST_CASE("verify finds payload bytes beside a record that has none", "[state]") {
  Ledger ledger;
  TestStream stream(&ledger.network, "globex/ids-1", "alive");
  Record heartbeat = stream.Heartbeat();
  heartbeat.payload = "smuggled";
  ledger.chain.Commit({stream.Gap(1), heartbeat});
  const VerifyReport report = ledger.Verify();
  CHECK(Only(report, FindingType::kPayloadAltered, 9).record ==
        ledger.Info(9).first_index + uint64_t{1});
}

TEST_CASE("superseded and uncommitted blocks are counted and no fault", "[state]") {
  TestNetwork network;
  TestChain chain(&network);
  const BlockPtr loser = chain.Next({});  // View 1.
  chain.journal()->Append(JournalType::kBlock, loser->frame());
  BlockHeader header = chain.NextHeader();
  header.view = View(2);
  header.proposer = ValidatorIndex(1);
  REQUIRE(chain.Add(chain.Make(header, {})).ok());
  const BlockPtr tail = chain.Next({});
  chain.journal()->Append(JournalType::kBlock, tail->frame());
  const VerifyReport report =
      VerifyLedger(*chain.journal(), network.genesis(), chain.store(), {}, nullptr);
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.superseded_count == 1);
  CHECK(report.uncommitted_count == 1);
  CHECK(report.committed_height == Height(1));
}

TEST_CASE("a block that raft replaced and came back to is no fault", "[state]") {
  TestNetwork network;
  TestChain chain(&network);
  // Raft, figure 8: a block of view 1, replaced in view 2, comes back under a child of view 3.
  const BlockPtr first = chain.Next({});
  BlockHeader header = chain.NextHeader();
  header.view = View(2);
  header.time_unix_millis += 7;
  chain.journal()->Append(JournalType::kBlock, first->frame());
  chain.journal()->Append(JournalType::kBlock, chain.Make(header, {})->frame());
  const JournalPosition last = chain.journal()->Append(JournalType::kBlock, first->frame());
  REQUIRE(chain.state()->Execute(first, last).ok());
  header = chain.NextHeader();
  header.view = View(3);
  REQUIRE(chain.Add(chain.Make(header, {})).ok());
  const VerifyReport report =
      VerifyLedger(*chain.journal(), network.genesis(), chain.store(), {}, nullptr);
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.superseded_count == 1);
}

TEST_CASE("a second block of the committed view or after the commit is a conflict", "[state]") {
  TestNetwork network;
  TestChain chain(&network);
  BlockHeader header = chain.NextHeader();
  header.time_unix_millis += 5;
  const bool after_commit = GENERATE(false, true);
  JournalPosition position;
  if (after_commit) chain.Commit({});
  header.view = View(after_commit ? 3 : 1);
  position = chain.journal()->Append(JournalType::kBlock, chain.Make(header, {})->frame());
  if (!after_commit) chain.Commit({});
  const VerifyReport report =
      VerifyLedger(*chain.journal(), network.genesis(), chain.store(), {}, nullptr);
  CHECK(Only(report, FindingType::kBlockConflict, 1).position == position);
  CHECK(report.finding_count == 1);
}

TEST_CASE("verify looks behind a damaged frame where the store knows the way", "[state]") {
  Ledger ledger;
  ledger.chain.journal()->Break(ledger.chain.position(4));
  const VerifyReport report = ledger.Verify();
  INFO(Describe(report));
  const VerifyFinding* damaged = FindType(report, FindingType::kJournalDamaged);
  REQUIRE(damaged != nullptr);
  CHECK(damaged->position == ledger.chain.position(4));
  Only(report, FindingType::kBlockMissing, 4);
  CHECK(report.block_count == 7);
  const VerifyReport alone = ledger.Verify(false);
  CHECK(FindType(alone, FindingType::kJournalDamaged) != nullptr);
  CHECK(alone.block_count == 3);
}

TEST_CASE("what opening the journal met is part of the report", "[state]") {
  Ledger ledger;
  VerifyOptions options;
  options.journal_damage = absl::DataLossError("segment 2: offset 77");
  const VerifyReport report = ledger.Verify(true, options);
  CHECK(report.finding_count == 1);
  CHECK(report.findings[0].type == FindingType::kJournalDamaged);
  CHECK(report.findings[0].what.find("offset 77") != std::string::npos);
}

TEST_CASE("a ledger cut at its end is found by what is known from elsewhere", "[state]") {
  Ledger ledger;
  const Height top = ledger.chain.tip().height;
  const Hash hash = ledger.chain.tip().block_hash;
  VerifyOptions options;
  CHECK_FALSE(ledger.Verify(false, options).end_pinned);
  SECTION("a block") {
    options.pin = {.height = top, .block_hash = hash};
    CHECK(ledger.Verify(false, options).ok());
    CHECK(ledger.Verify(false, options).end_pinned);
    options.pin->height = top.Next();
    Only(ledger.Verify(false, options), FindingType::kEndMissing, top.value());
    options.pin = {.height = top, .block_hash = ledger.chain.blocks()[0]->hash()};
    Only(ledger.Verify(false, options), FindingType::kPinDiffers, top.value());
  }
  SECTION("a height") {
    options.height_min = top;
    CHECK(ledger.Verify(false, options).ok());
    options.height_min = top.Next();
    Only(ledger.Verify(false, options), FindingType::kEndMissing, top.value());
  }
  SECTION("what the guard says") {
    options.durable_offset_min = ledger.chain.journal()->end().offset;
    CHECK(ledger.Verify(false, options).ok());
    ++options.durable_offset_min;
    Only(ledger.Verify(false, options), FindingType::kEndMissing, top.value());
  }
}

TEST_CASE("verify says how many blocks each validator signed", "[state]") {
  Ledger ledger;
  const VerifyReport report = ledger.Verify(false);
  CHECK(report.proposed.at("acme/v0") == report.block_count);
}

TEST_CASE("verify finds commit marks that name another block", "[state]") {
  Ledger ledger;
  const JournalPosition mark{ledger.chain.position(4).offset + 1000};
  std::string* const body = ledger.chain.journal()->body(mark);
  SECTION("another hash") {
    FlipBit(body, 30);
    const VerifyReport report = ledger.Verify();
    Only(report, FindingType::kMarkConflict, 4);
    CHECK(report.finding_count == 1);
  }
  SECTION("another hash at the end of the chain") {
    const JournalPosition last{ledger.chain.position(8).offset + 1000};
    FlipBit(ledger.chain.journal()->body(last), 30);
    const VerifyReport report = ledger.Verify();
    Only(report, FindingType::kMarkConflict, 8);
    CHECK(report.finding_count == 1);
    CHECK(report.store_compared);
  }
  SECTION("a height beyond everything") {
    (*body)[16] = '\x7f';
    const VerifyReport report = ledger.Verify();
    const VerifyFinding* missing = FindType(report, FindingType::kBlockMissing);
    INFO(Describe(report));
    REQUIRE(missing != nullptr);
    CHECK(missing->height == Height(9));
    CHECK(report.block_count == 8);
  }
  SECTION("a mark cut short") {
    body->pop_back();
    const VerifyReport report = ledger.Verify();
    const VerifyFinding* finding = FindType(report, FindingType::kFrameMalformed);
    REQUIRE(finding != nullptr);
    CHECK(finding->position == mark);
    CHECK(report.finding_count == 1);
  }
}

TEST_CASE("verify says when the store goes on where the journal ends", "[state]") {
  Ledger ledger;
  const JournalPosition last = ledger.chain.position(8);
  ledger.chain.journal()->Remove(last);
  ledger.chain.journal()->Remove({last.offset + 1000});
  const VerifyReport report = ledger.Verify();
  Only(report, FindingType::kStoreAhead, 8);
  CHECK(report.block_count == 7);
  CHECK(!report.store_compared);
}

TEST_CASE("verify takes what the store applied as committed where a mark is missing", "[state]") {
  Ledger ledger;
  ledger.chain.journal()->Remove({ledger.chain.position(8).offset + 1000});
  const VerifyReport report = ledger.Verify();
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.committed_height == Height(8));
  CHECK(ledger.Verify(false).committed_height == Height(7));
  CHECK(ledger.Verify(false).uncommitted_count == 1);
}

TEST_CASE("verify stops at the first finding only when told and keeps as many as told", "[state]") {
  Ledger ledger;
  for (const uint64_t height : {2, 4, 6}) {
    FlipBit(ledger.Frame(height), 2 + kHeaderBytes + 5);
  }
  VerifyOptions options;
  CHECK(ledger.Verify(true, options).finding_count == 3);
  options.findings_max = 1;
  const VerifyReport counted = ledger.Verify(true, options);
  CHECK(counted.findings.size() == 1);
  CHECK(counted.finding_count == 3);
  options.stop_at_first = true;
  const VerifyReport stopped = ledger.Verify(true, options);
  CHECK(stopped.finding_count == 1);
  CHECK(stopped.stopped_early);
  CHECK(stopped.block_count == 2);
}

TEST_CASE("verify tells how far it is", "[state]") {
  Ledger ledger;
  std::map<std::string, uint64_t> last;
  VerifyLedger(*ledger.chain.journal(), ledger.network.genesis(), ledger.chain.store(), {},
               [&](const VerifyProgress& progress) {
                 uint64_t& done = last[std::string(progress.phase)];
                 CHECK(progress.done >= done);
                 done = progress.done;
               });
  CHECK(last["journal"] == ledger.chain.journal()->end().offset);
  CHECK(last["blocks"] == 8);
}

TEST_CASE("a ledger of another network is not this one", "[state]") {
  Ledger ledger;
  const TestNetwork other(5);
  const VerifyReport report =
      VerifyLedger(*ledger.chain.journal(), other.genesis(), ledger.chain.store(), {}, nullptr);
  CHECK(!report.ok());
  CHECK(report.counts.contains(FindingType::kBlockLink));
}

}  // namespace vigil::ledger
