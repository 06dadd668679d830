#include "ledger/proof/proof_builder.h"

#include "absl/strings/match.h"
#include "ledger/chain/payload.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

// The sample's answers with one of them replaced.
class LyingSource final : public ProofSource {
 public:
  std::string leaf_at_1;
  std::string payload;
  std::string pruned_leaves;
  bool lie_about_results = false;
  MemoryTiles other_tiles;

  absl::StatusOr<BlockRange> BlockAt(Height height) const override {
    return Sample().BlockAt(height);
  }
  absl::StatusOr<BlockRange> BlockOf(RecordIndex index) const override {
    return Sample().BlockOf(index);
  }
  absl::StatusOr<std::string> Leaf(RecordIndex index) const override {
    if (index == RecordIndex(1) && !leaf_at_1.empty()) return leaf_at_1;
    return Sample().Leaf(index);
  }
  absl::StatusOr<std::string> PrunedEventLeaves(RecordIndex index) const override {
    (void)index;
    return pruned_leaves;
  }
  absl::StatusOr<std::string> Payload(RecordIndex index) const override {
    if (!payload.empty()) return payload;
    return Sample().Payload(index);
  }
  absl::StatusOr<std::vector<RecordResult>> Results(Height height) const override {
    absl::StatusOr<std::vector<RecordResult>> results = Sample().Results(height);
    if (lie_about_results) results->at(0).signer = "globex/root";
    return results;
  }
  absl::StatusOr<PublicKey> AuthorKey(const KeyId& id) const override {
    return Sample().AuthorKey(id);
  }
  const TileSource& tiles() const override {
    return other_tiles.leaves().empty() ? Sample().tiles() : other_tiles;
  }
};

absl::Status EventStatus(RecordIndex index, uint32_t item, const std::string& head) {
  return BuildEventProof(Sample(), head, index, ItemIndex(item), EventBytes::kInclude).status();
}

}  // namespace

TEST_CASE("what is not there has no proof", "[proof]") {
  const std::string head = Sample().Head();
  CHECK(absl::IsNotFound(EventStatus(RecordIndex(100'000), 0, head)));
  CHECK(absl::IsNotFound(EventStatus(ProofSample::kHeartbeat, 0, head)));
  const absl::Status item = EventStatus(ProofSample::kBatch, 5, head);
  CHECK(absl::IsNotFound(item));
  CHECK(absl::StrContains(item.message(), "event 5 of 5 in record 0"));
  CHECK(absl::IsNotFound(BuildRecordProof(Sample(), head, RecordIndex(3)).status()));
  CHECK(absl::IsNotFound(BuildBlockProof(Sample(), head, Height(0)).status()));
  CHECK(absl::IsNotFound(BuildBlockProof(Sample(), head, Height(1000)).status()));
}

TEST_CASE("what the checkpoint does not reach yet is to be asked for again", "[proof]") {
  CHECK(absl::IsUnavailable(EventStatus(ProofSample::kBatch, 0, Sample().HeadAt(3))));
  // The block is there, the seal that commits to its results is leaf 7.
  CHECK(absl::IsUnavailable(EventStatus(ProofSample::kBatch, 0, Sample().HeadAt(4))));
  CHECK(absl::IsUnavailable(EventStatus(ProofSample::kBatch, 0, Sample().HeadAt(7))));
  CHECK(EventStatus(ProofSample::kBatch, 0, Sample().HeadAt(8)).ok());
  CHECK(absl::IsUnavailable(BuildBlockProof(Sample(), Sample().HeadAt(7), Height(2)).status()));
  CHECK(BuildBlockProof(Sample(), Sample().HeadAt(8), Height(2)).ok());
  const uint64_t last = Sample().chain().tip().height.value();
  const ProofSource::BlockRange block = Sample().BlockAt(Height(last)).value();
  REQUIRE(block.record_count > 0);
  CHECK(absl::IsUnavailable(BuildRecordProof(Sample(), Sample().Head(), block.first).status()));
}

TEST_CASE("parts that do not fit together never become a proof", "[proof]") {
  LyingSource source;
  const std::string head = Sample().Head();
  const auto build = [&] {
    return BuildEventProof(source, head, ProofSample::kBatch, ItemIndex(0), EventBytes::kInclude)
        .status();
  };
  REQUIRE(build().ok());
  SECTION("results that are not the header's") {
    source.lie_about_results = true;
    CHECK(absl::IsDataLoss(build()));
  }
  SECTION("a payload that is not the batch's") {
    source.payload = Sample().Payload(ProofSample::kLargeBatch).value();
    CHECK(absl::IsDataLoss(build()));
  }
  SECTION("tiles of another tree") {
    source.other_tiles.Append(TestHash(5));
    CHECK(!build().ok());
    while (source.other_tiles.leaves().size() < Sample().leaves().size()) {
      source.other_tiles.Append(TestHash(5));
    }
    CHECK(absl::IsDataLoss(build()));
  }
  SECTION("a record that is not the tree's") {
    source.leaf_at_1 = Sample().leaves()[0];
    CHECK(absl::IsDataLoss(BuildRecordProof(source, head, ProofSample::kHeartbeat).status()));
  }
  SECTION("no checkpoint") {
    CHECK(absl::IsInvalidArgument(BuildRecordProof(source, "x", ProofSample::kBatch).status()));
  }
}

TEST_CASE("an event whose payload was pruned is proven without its bytes", "[proof]") {
  LyingSource source;
  const std::string payload = Sample().Payload(ProofSample::kBatch).value();
  const std::vector<ByteSpan> events = SplitPayload(AsBytes(payload)).value();
  ByteWriter writer(&source.pruned_leaves);
  for (const ByteSpan event : events) writer.Fixed(LeafHash(event));
  source.payload = "gone";
  const auto proof = BuildEventProof(source, Sample().Head(), ProofSample::kBatch, ItemIndex(2),
                                     EventBytes::kInclude);
  INFO(proof.status());
  REQUIRE(proof.ok());
  // Exactly what anybody gets who withholds the bytes.
  CHECK(*proof == BuildEventProof(Sample(), Sample().Head(), ProofSample::kBatch, ItemIndex(2),
                                  EventBytes::kWithhold)
                      .value());
  source.pruned_leaves[5] = static_cast<char>(source.pruned_leaves[5] ^ 1);
  CHECK(absl::IsDataLoss(BuildEventProof(source, Sample().Head(), ProofSample::kBatch, ItemIndex(2),
                                         EventBytes::kInclude)
                             .status()));
}

TEST_CASE("proof sizes are as documented", "[proof]") {
  // 10^8 leaves have paths of 27 hashes; in this log they have 9.
  const std::string event = Sample().EventProofFile(ProofSample::kBatch, 0);
  const std::string record = Sample().RecordProofFile(ProofSample::kBatch);
  const std::string block = Sample().BlockProofFile(1);
  WARN("event " << event.size() << ", record " << record.size() << ", block " << block.size()
                << " bytes in a log of " << Sample().leaves().size() << " leaves");
  CHECK(event.size() < 8192);
  CHECK(record.size() < event.size());
  CHECK(block.size() < record.size());
}

}  // namespace vigil::ledger
