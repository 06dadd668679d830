#include "ledger/proof/verify_proof.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ledger/chain/header.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

ProofReport Verify(const std::string& file) { return VerifyProof(Sample().policy(), file); }
ProofReport Verify(const ProofParts& parts) { return Verify(PutTogether(parts)); }

ProofParts EventParts() {
  return TakeApart(Sample().EventProofFile(ProofSample::kBatch, /*item=*/2));
}

// The report has this verdict and its reason holds these words.
void Expect(const ProofReport& report, ProofVerdict verdict, const std::string& words) {
  INFO(ProofVerdictName(report.verdict) << ": " << report.reason);
  CHECK(report.verdict == verdict);
  CHECK(absl::StrContains(report.reason, words));
}

std::string SealWith(const std::string& leaf, void (*change)(BlockHeader*)) {
  const Seal seal = DecodeSealLeaf(AsBytes(leaf)).value();
  BlockHeader header = seal.header;
  change(&header);
  return EncodeSealLeaf(AsBytes(EncodeHeader(header)), seal.previous_seal, seal.first,
                        seal.record_count);
}

std::string SealOver(const std::string& leaf, RecordIndex first, uint32_t record_count) {
  const Seal seal = DecodeSealLeaf(AsBytes(leaf)).value();
  return EncodeSealLeaf(seal.header_bytes, seal.previous_seal, first, record_count);
}

std::string WithoutWitnesses(ProofReport report) {
  if (report.head.has_value()) report.head->witnesses.clear();
  return OneLine(report);
}

}  // namespace

TEST_CASE("an event's proof says who reported it when and where it stands", "[proof]") {
  const ProofSample& sample = Sample();
  const ProofReport report = Verify(sample.EventProofFile(ProofSample::kBatch, /*item=*/2));
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  CHECK(report.reason.empty());
  CHECK(report.subject == ProofSubject::kEvent);
  CHECK(report.head->checkpoint.origin == sample.origin());
  CHECK(report.head->checkpoint.size == sample.leaves().size());
  CHECK(report.head->checkpoint.root == sample.chain().tip().tree.Root());
  REQUIRE(report.head->witnesses.size() == 4);
  CHECK(report.head->witnesses[3].name == sample.network().validator(3));
  CHECK(report.head->witnesses[3].unix_seconds == ProofSample::kSeconds + 3);
  CHECK(report.record->index == ProofSample::kBatch);
  CHECK(report.record->leaf_hash == LeafHash(AsBytes(sample.leaves()[0])));
  CHECK(report.record->kind == RecordKind::kEventBatch);
  CHECK(report.record->author == sample.network().key("acme/fw-1").id());
  CHECK(report.record->stream == "conn");
  CHECK(report.record->sequence == 1);
  CHECK(report.result->code == ResultCode::kOk);
  CHECK(report.result->signer == "acme/fw-1");
  CHECK(report.block->height == Height(1));
  CHECK(report.block->hash == sample.chain().blocks()[0]->hash());
  CHECK(report.block->time_unix_millis == kTestTimeMillis + 1000);
  CHECK(report.block->record_count == 3);
  CHECK(report.event->item == ItemIndex(2));
  CHECK(report.event->item_count == 5);
  CHECK(report.event->bytes == TestEvent(3));
  CHECK(report.event->Fields().time_unix_nano == kTestTimeMillis * 1'000'000 + 3);
  CHECK(report.event->Fields().source == "zeek.conn");
}

TEST_CASE("every accepted record and every block of a chain has a proof that verifies", "[proof]") {
  const ProofSample& sample = Sample();
  uint64_t verified = 0;
  uint64_t waiting = 0;
  for (uint64_t i = 0; i < sample.leaves().size(); ++i) {
    const RecordIndex index(i);
    const ProofSource::BlockRange block = sample.BlockOf(index).value();
    if (index == block.seal_index()) {
      CHECK(Verify(sample.BlockProofFile(block.height.value())).verdict == ProofVerdict::kVerified);
      ++verified;
      continue;
    }
    const absl::StatusOr<std::string> file = BuildRecordProof(sample, sample.Head(), index);
    if (absl::IsUnavailable(file.status())) {
      ++waiting;
      continue;
    }
    REQUIRE(file.ok());
    const ProofReport report = Verify(*file);
    const bool ok =
        sample.Results(block.height).value()[i - block.first.value()].code == ResultCode::kOk;
    CHECK(report.verdict == (ok ? ProofVerdict::kVerified : ProofVerdict::kNotIncluded));
    CHECK(report.record->index == index);
    verified += ok ? 1 : 0;
  }
  // Those of the blocks whose results no header commits to yet.
  const Height executed = sample.chain().blocks().back()->header().executed_height;
  uint64_t uncommitted = 0;
  for (Height at = executed.Next(); at <= sample.chain().tip().height; ++at) {
    uncommitted += sample.BlockAt(at)->record_count;
  }
  CHECK(waiting == uncommitted);
  CHECK(verified > 250);
}

TEST_CASE("every event of a batch has a proof at every size of the log", "[proof]") {
  const ProofSample& sample = Sample();
  for (uint32_t item : {0u, 1u, 127u, 128u, 255u, 256u, 298u, 299u}) {
    const ProofReport report = Verify(sample.EventProofFile(ProofSample::kLargeBatch, item));
    CHECK(report.verdict == ProofVerdict::kVerified);
    CHECK(report.event->bytes == TestEvent(item + 1));
  }
  uint64_t proofs = 0;
  for (uint64_t size = 1; size <= sample.leaves().size(); ++size) {
    const absl::StatusOr<std::string> file = BuildEventProof(
        sample, sample.HeadAt(size), ProofSample::kBatch, ItemIndex(4), EventBytes::kInclude);
    if (absl::IsUnavailable(file.status())) continue;
    REQUIRE(file.ok());
    CHECK(Verify(*file).verdict == ProofVerdict::kVerified);
    ++proofs;
  }
  // Block 2 is the first that commits to the results of block 1, and ends with leaf 7.
  CHECK(proofs == sample.leaves().size() - 7);
}

TEST_CASE("an event that is withheld is proven to be there", "[proof]") {
  const absl::StatusOr<std::string> file = BuildEventProof(
      Sample(), Sample().Head(), ProofSample::kBatch, ItemIndex(2), EventBytes::kWithhold);
  const ProofReport report = Verify(file.value());
  Expect(report, ProofVerdict::kPayloadMissing, "event 2 of record 0");
  CHECK(report.event->leaf_hash == LeafHash(AsBytes(TestEvent(3))));
  CHECK(report.event->bytes.empty());
  CHECK(report.result->code == ResultCode::kOk);
}

TEST_CASE("step 1: what is no proof file is malformed", "[proof]") {
  const std::string good = Sample().EventProofFile(ProofSample::kBatch, 2);
  Expect(Verify(std::string()), ProofVerdict::kMalformed, "line 1");
  Expect(Verify(good + "x"), ProofVerdict::kMalformed, "");
  Expect(Verify(std::string((4 << 20) + 1, 'x')), ProofVerdict::kMalformed, "at most");
  // Larger than any extra may be.
  Expect(Verify(absl::StrReplaceAll(
             good, {{"extra ", absl::StrCat("extra ", std::string(3 << 20, 'A'))}})),
         ProofVerdict::kMalformed, "extra data of");
  const std::string lines = absl::StrReplaceAll(good, {{"\nindex 0\n", "\nindex 00\n"}});
  Expect(Verify(lines), ProofVerdict::kMalformed, "line 3");
}

TEST_CASE("steps 2 and 3: a checkpoint that no listed log signed proves nothing", "[proof]") {
  ProofParts parts = EventParts();
  SECTION("a changed root") {
    SignedNote note = DecodeNote(parts.file.checkpoint).value();
    Checkpoint checkpoint = DecodeCheckpoint(note.text).value();
    checkpoint.root.bytes[0] ^= 1;
    note.text = EncodeCheckpoint(checkpoint);
    parts.file.checkpoint = EncodeNote(note);
    Expect(Verify(parts), ProofVerdict::kQuorumShort, "bad signature");
  }
  SECTION("another log") {
    const Checkpoint checkpoint = DecodeSignedCheckpoint(parts.file.checkpoint)->checkpoint;
    ProofSample::Signers signers;
    signers.origin = CheckpointOrigin("other", TestHash(1));
    parts.file.checkpoint = Sample().SignHead(checkpoint.size, checkpoint.root, signers);
    Expect(Verify(parts), ProofVerdict::kQuorumShort, "no listed log");
  }
  SECTION("no line of the log's own key") {
    SignedNote note = DecodeNote(parts.file.checkpoint).value();
    note.signatures.erase(note.signatures.begin());
    parts.file.checkpoint = EncodeNote(note);
    Expect(Verify(parts), ProofVerdict::kQuorumShort, "no listed log");
  }
  const ProofReport report = Verify(parts);
  CHECK(!report.head.has_value());
  CHECK(!report.subject.has_value());
}

TEST_CASE("step 4: a checkpoint needs the policy's quorum in an epoch of the policy", "[proof]") {
  ProofParts parts = EventParts();
  const Checkpoint checkpoint = DecodeSignedCheckpoint(parts.file.checkpoint)->checkpoint;
  const auto resign = [&](uint32_t witnesses, uint64_t epoch) {
    ProofSample::Signers signers;
    signers.witness_count = witnesses;
    signers.epoch = epoch;
    parts.file.checkpoint = Sample().SignHead(checkpoint.size, checkpoint.root, signers);
    return Verify(parts);
  };
  CHECK(resign(3, 1).verdict == ProofVerdict::kVerified);
  Expect(resign(2, 1), ProofVerdict::kQuorumShort, "2 of 3");
  Expect(resign(0, 1), ProofVerdict::kQuorumShort, "0 of 3");
  Expect(resign(4, 2), ProofVerdict::kUnknownEpoch, "epoch 2, the policy lists 1");
  // One key's lines count once.
  SignedNote note = DecodeNote(Sample().SignHead(checkpoint.size, checkpoint.root,
                                                 {.witness_count = 2, .epoch = 1, .origin = ""}))
                        .value();
  note.signatures.push_back(note.signatures.back());
  parts.file.checkpoint = EncodeNote(note);
  Expect(Verify(parts), ProofVerdict::kQuorumShort, "2 of 3");
}

TEST_CASE("step 5: the origin must name a chain", "[proof]") {
  ProofParts parts = EventParts();
  const Checkpoint checkpoint = DecodeSignedCheckpoint(parts.file.checkpoint)->checkpoint;
  for (const std::string& origin :
       {std::string("example.com/log"), std::string("log"), "test/" + std::string(64, 'A'),
        "test/" + std::string(62, 'a')}) {
    ProofSample::Signers signers;
    signers.origin = origin;
    parts.file.checkpoint = Sample().SignHead(checkpoint.size, checkpoint.root, signers);
    const NoteKey key{origin, NoteKeyType::kEd25519, Sample().network().key("log/0").public_key()};
    const Policy policy =
        ParsePolicy(absl::StrCat("log ", EncodeNoteKey(key), "\nquorum none\n")).value();
    Expect(VerifyProof(policy, PutTogether(parts)), ProofVerdict::kMalformed, "no Vigil chain");
  }
}

TEST_CASE("step 6: the extra must be there and well-formed", "[proof]") {
  ProofParts parts = EventParts();
  parts.file.extra.clear();
  Expect(Verify(EncodeTlogProof(parts.file)), ProofVerdict::kMalformed, "no extra line");
  parts.file.extra = "vigil/proof/v2";
  Expect(Verify(EncodeTlogProof(parts.file)), ProofVerdict::kMalformed, "vigil/proof/v1");
  parts.file.extra = EncodeProofExtra(parts.extra) + "x";
  Expect(Verify(EncodeTlogProof(parts.file)), ProofVerdict::kMalformed, "1 bytes left over");
}

TEST_CASE("step 7: a leaf that is not in the tree is not included", "[proof]") {
  ProofParts parts = EventParts();
  SECTION("another leaf") { parts.extra.leaf = Sample().leaves()[1]; }
  SECTION("another index") { parts.file.index = 1; }
  SECTION("a changed path") { parts.file.path[3].bytes[7] ^= 1; }
  SECTION("a path that is too short") { parts.file.path.pop_back(); }
  SECTION("a path that is too long") { parts.file.path.push_back(Hash()); }
  SECTION("the path of another size") {
    const uint64_t size = Sample().leaves().size() - 1;
    parts.file.path = InclusionFromTiles(Sample().tiles(), 0, size).value();
  }
  SECTION("the head of another size") {
    parts.file.checkpoint = Sample().HeadAt(Sample().leaves().size() - 1);
  }
  const ProofReport report = Verify(parts);
  Expect(report, ProofVerdict::kNotIncluded, "record at index");
  CHECK(report.head.has_value());
  CHECK(!report.record.has_value());
}

TEST_CASE("step 8: the leaf must be a record of an admitted kind", "[proof]") {
  ProofParts parts = EventParts();
  const std::string body = ToString(DecodeRecord(AsBytes(parts.extra.leaf))->body_bytes);
  SECTION("bytes behind the body") {
    Sample().ForgeRecord(&parts, 1, body + "\x01", "acme/fw-1");
    Expect(Verify(parts), ProofVerdict::kMalformed, "event_batch");
  }
  SECTION("an unknown kind") {
    Sample().ForgeRecord(&parts, 77, body, "acme/fw-1");
    Expect(Verify(parts), ProofVerdict::kMalformed, "kind 77");
  }
  SECTION("a seal") {
    const std::string seal = parts.extra.block.leaf;
    Sample().ForgeLeaf(&parts, seal);
    Expect(Verify(parts), ProofVerdict::kMalformed, "record");
  }
  SECTION("an event of a record without events") {
    ProofParts other = TakeApart(Sample().RecordProofFile(ProofSample::kHeartbeat));
    other.extra.subject = ProofSubject::kEvent;
    other.extra.event = parts.extra.event;
    Expect(Verify(other), ProofVerdict::kMalformed, "heartbeat, which has no events");
  }
}

TEST_CASE("step 8 of a block: the leaf must be the seal of this chain", "[proof]") {
  ProofParts parts = TakeApart(Sample().BlockProofFile(2));
  SECTION("it is") {
    const ProofReport report = Verify(parts);
    REQUIRE(report.verdict == ProofVerdict::kVerified);
    CHECK(report.subject == ProofSubject::kBlock);
    CHECK(report.block->height == Height(2));
    CHECK(report.block->first == RecordIndex(4));
    CHECK(!report.record.has_value());
  }
  SECTION("a record instead") {
    parts.extra.leaf = Sample().leaves()[1];
    Sample().ForgeLeaf(&parts, parts.extra.leaf);
    Expect(Verify(parts), ProofVerdict::kMalformed, "seal");
  }
  SECTION("another chain") {
    Sample().ForgeLeaf(&parts, SealWith(parts.extra.leaf, [](BlockHeader* header) {
      header->chain_id = TestHash(7);
    }));
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "is of chain 0707");
  }
  SECTION("another epoch") {
    Sample().ForgeLeaf(
        &parts, SealWith(parts.extra.leaf, [](BlockHeader* header) { header->epoch = Epoch(2); }));
    Expect(Verify(parts), ProofVerdict::kUnknownEpoch, "epoch 2");
  }
  SECTION("another place") {
    Sample().ForgeLeaf(&parts, SealOver(parts.extra.leaf, RecordIndex(4), 2));
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "end elsewhere");
  }
}

TEST_CASE("step 9: the author must have signed the record for this chain", "[proof]") {
  ProofParts parts = EventParts();
  SECTION("another key in the file") {
    parts.extra.author_key = Sample().network().key("acme/fw-2").public_key();
    Expect(Verify(parts), ProofVerdict::kMalformed, "the author's key in the file");
  }
  SECTION("another key's signature") {
    const std::string body = ToString(DecodeRecord(AsBytes(parts.extra.leaf))->body_bytes);
    const PublicKey key = parts.extra.author_key;
    Sample().ForgeRecord(&parts, 1, body, "acme/fw-2");
    parts.extra.author_key = key;
    Expect(Verify(parts), ProofVerdict::kMalformed, "not signed by key");
  }
  SECTION("a signature for another chain") {
    const RecordView record = DecodeRecord(AsBytes(parts.extra.leaf)).value();
    const std::string leaf =
        SignRecord(record.body, TestHash(3), Sample().network().key("acme/fw-1"));
    Sample().ForgeLeaf(&parts, leaf);
    Expect(Verify(parts), ProofVerdict::kMalformed, "for this chain");
  }
  CHECK(!Verify(parts).record.has_value());
}

TEST_CASE("step 10: the block must hold the record", "[proof]") {
  ProofParts parts = EventParts();
  SealProof* const seal = &parts.extra.block;
  SECTION("a seal that is not in the tree") {
    seal->path[0].bytes[0] ^= 1;
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "seal of the block at index 3");
  }
  SECTION("the seal of a fork") {
    seal->leaf = SealWith(seal->leaf, [](BlockHeader* header) { header->time_unix_millis += 1; });
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "seal of the block at index 3");
  }
  SECTION("a seal with the path of another snapshot") {
    seal->path = InclusionFromTiles(Sample().tiles(), 3, Sample().leaves().size() - 1).value();
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "seal of the block at index 3");
  }
  SECTION("the seal of another block") {
    *seal = parts.extra.result.seal;
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "record 0 is not in block 2");
  }
  SECTION("a seal of another chain") {
    Sample().ForgeBlockSeal(
        &parts, SealWith(seal->leaf, [](BlockHeader* header) { header->chain_id.bytes[0] ^= 1; }));
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "seal of the block at index 3 is of chain");
  }
  SECTION("a seal of an epoch that the policy does not know") {
    Sample().ForgeBlockSeal(
        &parts, SealWith(seal->leaf, [](BlockHeader* header) { header->epoch = Epoch(0); }));
    Expect(Verify(parts), ProofVerdict::kUnknownEpoch, "epoch 0");
  }
  SECTION("a seal whose records end elsewhere") {
    Sample().ForgeBlockSeal(&parts, SealOver(seal->leaf, RecordIndex(UINT64_MAX), 4));
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "end elsewhere");
  }
  SECTION("a seal over fewer records") {
    Sample().ForgeBlockSeal(&parts, SealOver(seal->leaf, RecordIndex(1), 2));
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "record 0 is not in block 1");
  }
  SECTION("a record in its place") {
    std::string leaf(400, '\1');
    Sample().ForgeBlockSeal(&parts, leaf);
    Expect(Verify(parts), ProofVerdict::kMalformed, "seal");
  }
  CHECK(!Verify(parts).block.has_value());
}

TEST_CASE("step 11: a later block must commit to the results of the record's block", "[proof]") {
  ProofParts parts = EventParts();
  SealProof* const seal = &parts.extra.result.seal;
  SECTION("a seal that is not in the tree") {
    seal->path.back().bytes[0] ^= 1;
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "seal over the result at index 7");
  }
  SECTION("the block's own seal") {
    *seal = parts.extra.block;
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "up to height 0");
  }
  SECTION("a seal of another chain") {
    Sample().ForgeCoveringSeal(
        &parts, SealWith(seal->leaf, [](BlockHeader* header) { header->chain_id = TestHash(1); }));
    Expect(Verify(parts), ProofVerdict::kNotIncluded,
           "seal over the result at index 7 is of chain");
  }
  SECTION("a seal of an unknown epoch") {
    Sample().ForgeCoveringSeal(
        &parts, SealWith(seal->leaf, [](BlockHeader* header) { header->epoch = Epoch(9); }));
    Expect(Verify(parts), ProofVerdict::kUnknownEpoch, "epoch 9");
  }
  SECTION("a block that is not later") {
    Sample().ForgeCoveringSeal(
        &parts, SealWith(seal->leaf, [](BlockHeader* header) { header->height = Height(1); }));
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "block 1 commits");
  }
  SECTION("no seal") {
    Sample().ForgeCoveringSeal(&parts, std::string(400, '\2'));
    Expect(Verify(parts), ProofVerdict::kMalformed, "seal");
  }
  CHECK(!Verify(parts).result.has_value());
}

TEST_CASE("step 12: only a record that the chain accepted is verified", "[proof]") {
  ProofParts parts = EventParts();
  RecordResult result = DecodeResult(AsBytes(parts.extra.result.bytes)).value();
  SECTION("a changed result") {
    result.signer = "globex/root";
    parts.extra.result.bytes = EncodeResult(result);
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "is not what block 2 commits to");
  }
  SECTION("a changed path") {
    parts.extra.result.path[0].bytes[31] ^= 1;
    Expect(Verify(parts), ProofVerdict::kNotIncluded, "is not what block 2 commits to");
  }
  SECTION("another record's result") {
    const ProofParts other = TakeApart(Sample().RecordProofFile(ProofSample::kHeartbeat));
    parts.extra.result = other.extra.result;
    Expect(Verify(parts), ProofVerdict::kNotIncluded,
           "result in the file is of record 1, not of 0");
  }
  SECTION("bytes that are no result") {
    Sample().ForgeResult(&parts, parts.extra.result.bytes + "x");
    Expect(Verify(parts), ProofVerdict::kMalformed, "result");
  }
  SECTION("any other code") {
    for (int code = 2; code <= 9; ++code) {
      result.code = static_cast<ResultCode>(code);
      Sample().ForgeResult(&parts, EncodeResult(result));
      Expect(Verify(parts), ProofVerdict::kNotIncluded, "the chain did not accept it");
      CHECK(Verify(parts).result->code == result.code);
    }
  }
}

TEST_CASE("step 12: a duplicate and a conflict are in the log and not verified", "[proof]") {
  const ProofReport duplicate = Verify(Sample().RecordProofFile(ProofSample::kDuplicate));
  Expect(duplicate, ProofVerdict::kNotIncluded,
         "record 4 is in the log, but its result is DUPLICATE");
  CHECK(duplicate.record->leaf_hash == LeafHash(AsBytes(Sample().leaves()[0])));
  const ProofReport conflict = Verify(Sample().EventProofFile(ProofSample::kConflict, 0));
  Expect(conflict, ProofVerdict::kNotIncluded, "its result is CONFLICT");
  CHECK(!conflict.event.has_value());
}

TEST_CASE("step 13: the event must be the one that the batch commits to", "[proof]") {
  ProofParts parts = EventParts();
  EventProof* const event = &parts.extra.event;
  SECTION("other bytes") {
    event->bytes = TestEvent(4);
    Expect(Verify(parts), ProofVerdict::kPayloadMismatch, "the bytes of event 2");
  }
  SECTION("another event of the batch under this item") {
    event->bytes = TestEvent(4);
    event->leaf_hash = LeafHash(AsBytes(event->bytes));
    Expect(Verify(parts), ProofVerdict::kPayloadMismatch, "event 2 of record 0 is not what");
  }
  SECTION("another item") {
    event->item = ItemIndex(3);
    Expect(Verify(parts), ProofVerdict::kPayloadMismatch, "event 3 of record 0 is not what");
  }
  SECTION("an item beyond the batch") {
    event->item = ItemIndex(5);
    Expect(Verify(parts), ProofVerdict::kPayloadMismatch, "leaf 5 of 5");
  }
  SECTION("a changed path") {
    event->path[1].bytes[9] ^= 4;
    Expect(Verify(parts), ProofVerdict::kPayloadMismatch, "another root");
  }
  CHECK(!Verify(parts).event.has_value());
}

TEST_CASE("step 13: bytes that are no canonical event are malformed", "[proof]") {
  ProofParts parts = EventParts();
  Sample().ForgeEvent(&parts, TestEvent(1) + "\x01", "acme/fw-1");
  Expect(Verify(parts), ProofVerdict::kMalformed, "event");
  Sample().ForgeEvent(&parts, TestEvent(1), "acme/fw-1");
  CHECK(Verify(parts).verdict == ProofVerdict::kVerified);
}

TEST_CASE("a proof that is cut anywhere is malformed", "[proof]") {
  const std::string file = Sample().EventProofFile(ProofSample::kBatch, 2);
  for (size_t size = 0; size < file.size(); ++size) {
    // A cut behind a whole signature line leaves a note with fewer signatures.
    const ProofVerdict verdict = Verify(file.substr(0, size)).verdict;
    if (size > 0 && file[size - 1] == '\n' && verdict != ProofVerdict::kMalformed) {
      CHECK((verdict == ProofVerdict::kQuorumShort || verdict == ProofVerdict::kVerified));
      continue;
    }
    CHECK(verdict == ProofVerdict::kMalformed);
  }
}

TEST_CASE("one flipped bit anywhere never verifies other facts", "[proof]") {
  const std::string files[] = {Sample().EventProofFile(ProofSample::kBatch, 2),
                               Sample().RecordProofFile(ProofSample::kHeartbeat),
                               Sample().BlockProofFile(3)};
  for (const std::string& file : files) {
    const std::string expected = WithoutWitnesses(Verify(file));
    for (size_t at = 0; at < file.size(); ++at) {
      std::string flipped = file;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
      const ProofReport report = Verify(flipped);
      if (report.verdict != ProofVerdict::kVerified) continue;
      // A cosigner whose line was renamed is a stranger and counts no more; three are enough.
      INFO("byte " << at);
      CHECK(WithoutWitnesses(report) == expected);
      CHECK(report.head->witnesses.size() >= 3);
    }
  }
}

TEST_CASE("one flipped bit anywhere in the extra never verifies other facts", "[proof]") {
  for (const ProofParts& parts :
       {EventParts(), TakeApart(Sample().RecordProofFile(ProofSample::kHeartbeat))}) {
    const std::string extra = EncodeProofExtra(parts.extra);
    const std::string expected = OneLine(Verify(parts));
    TlogProof file = parts.file;
    for (size_t at = 0; at < extra.size(); ++at) {
      file.extra = extra;
      file.extra[at] = static_cast<char>(file.extra[at] ^ (1 << (at % 8)));
      const ProofReport report = Verify(EncodeTlogProof(file));
      INFO("byte " << at);
      if (report.verdict == ProofVerdict::kVerified) CHECK(OneLine(report) == expected);
    }
  }
}

TEST_CASE("verdicts have stable numbers and names and exit codes", "[proof]") {
  const std::pair<int, const char*> kVerdicts[] = {
      {1, "VERIFIED"},     {2, "VERIFIED_ERASED"}, {3, "PAYLOAD_MISSING"}, {4, "PAYLOAD_MISMATCH"},
      {5, "NOT_INCLUDED"}, {6, "QUORUM_SHORT"},    {7, "KEY_REVOKED"},     {8, "UNKNOWN_EPOCH"},
      {9, "MALFORMED"},    {10, "NOT_CONSISTENT"}};
  for (const auto& [number, name] : kVerdicts) {
    const ProofVerdict verdict = static_cast<ProofVerdict>(number);
    CHECK(ProofVerdictName(verdict) == name);
    CHECK(ProofExitCode(verdict) == (number <= 2 ? 0 : 6));
  }
  CHECK(ProofVerdictName(static_cast<ProofVerdict>(11)) == "UNKNOWN");
}

}  // namespace vigil::ledger
