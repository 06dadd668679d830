#include "client/lib/checked_proof.h"

#include "ledger/log/merkle.h"
#include "ledger/proof/proof_builder.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

using ledger::ProofSample;
using ledger::ProofVerdict;

const ProofSample& Sample() { return ledger::Sample(); }

v1::GetProofRequest OfRecord(uint64_t index) {
  v1::GetProofRequest request;
  request.mutable_record()->set_record_index(index);
  return request;
}
v1::GetProofRequest OfEvent(uint64_t index, uint32_t item) {
  v1::GetProofRequest request;
  request.mutable_event()->mutable_batch()->set_record_index(index);
  request.mutable_event()->set_item(item);
  return request;
}
absl::StatusOr<CheckedProof> Check(const v1::GetProofRequest& request, const std::string& file) {
  return CheckProof(Sample().policy(), request, file);
}
std::string WhyNot(const v1::GetProofRequest& request, const std::string& file) {
  const auto checked = Check(request, file);
  if (checked.ok()) return "it holds";
  CHECK(absl::IsDataLoss(checked.status()));
  return std::string(checked.status().message());
}
std::string Consistency(uint64_t older, uint64_t newer) {
  return ledger::BuildConsistencyProof(Sample().tiles(), Sample().HeadAt(older),
                                       Sample().HeadAt(newer))
      .value();
}

TEST_CASE("checked proof: a right one of what was asked for holds") {
  CHECK(Check(OfEvent(0, 2), Sample().EventProofFile(ProofSample::kBatch, 2)).ok());
  CHECK(Check(OfRecord(1), Sample().RecordProofFile(ProofSample::kHeartbeat)).ok());
  v1::GetProofRequest block;
  block.set_block_height(2);
  CHECK(Check(block, Sample().BlockProofFile(2)).ok());
  v1::GetProofRequest consistency;
  consistency.set_older_checkpoint(Sample().HeadAt(8));
  const auto grown = Check(consistency, Consistency(8, 20));
  REQUIRE(grown.ok());
  CHECK(grown->head.size == 20);
  v1::GetProofRequest by_leaf = OfRecord(0);
  by_leaf.mutable_record()->set_leaf_hash(
      std::string(ledger::LeafHash(AsBytes(Sample().leaves()[1])).view()));
  CHECK(Check(by_leaf, Sample().RecordProofFile(ProofSample::kHeartbeat)).ok());
}

TEST_CASE("checked proof: that the chain refused a record is shown and told apart") {
  const auto checked = Check(OfRecord(ProofSample::kConflict.value()),
                             Sample().RecordProofFile(ProofSample::kConflict));
  REQUIRE(checked.ok());
  CHECK(checked->report.verdict == ProofVerdict::kNotIncluded);
  CHECK(checked->report.result->code != ledger::ResultCode::kOk);
}

TEST_CASE("checked proof: a right proof of another thing answers nothing") {
  const std::string event = Sample().EventProofFile(ProofSample::kBatch, 2);
  CHECK(WhyNot(OfEvent(0, 1), event).find("shows event 2") != std::string::npos);
  CHECK(WhyNot(OfEvent(6, 2), event).find("shows record 0") != std::string::npos);
  CHECK(WhyNot(OfRecord(0), event).find("another kind") != std::string::npos);
  v1::GetProofRequest by_leaf = OfRecord(0);
  by_leaf.mutable_record()->set_leaf_hash(std::string(32, 'x'));
  CHECK(WhyNot(by_leaf, Sample().RecordProofFile(ProofSample::kBatch)).find("with leaf") !=
        std::string::npos);
  v1::GetProofRequest block;
  block.set_block_height(3);
  CHECK(WhyNot(block, Sample().BlockProofFile(2)).find("shows block 2") != std::string::npos);
  v1::GetProofRequest consistency;
  consistency.set_older_checkpoint(Sample().HeadAt(9));
  CHECK(WhyNot(consistency, Consistency(8, 20)).find("not the one that was given") !=
        std::string::npos);
}

TEST_CASE("checked proof: another checkpoint than the one asked for answers nothing") {
  v1::GetProofRequest request = OfRecord(1);
  request.set_under_checkpoint(Sample().HeadAt(8));
  CHECK(WhyNot(request, Sample().RecordProofFile(ProofSample::kHeartbeat))
            .find("another checkpoint") != std::string::npos);
  CHECK(
      Check(request, ledger::BuildRecordProof(Sample(), Sample().HeadAt(8), RecordIndex(1)).value())
          .ok());
  request = OfRecord(1);
  request.add_witnessed_by("witness.example");
  CHECK(WhyNot(request, Sample().RecordProofFile(ProofSample::kHeartbeat))
            .find("no line of witness.example") != std::string::npos);
}

TEST_CASE("checked proof: altered and withheld events and short quorums are told by verdict") {
  ledger::ProofParts parts = ledger::TakeApart(Sample().EventProofFile(ProofSample::kBatch, 2));
  parts.extra.event.bytes[20] ^= 1;
  CHECK(WhyNot(OfEvent(0, 2), ledger::PutTogether(parts)).starts_with("PAYLOAD_MISMATCH"));
  parts.extra.event.bytes.clear();
  // No lie: all that it shows is proven.
  const auto missing = Check(OfEvent(0, 2), ledger::PutTogether(parts));
  REQUIRE(missing.ok());
  CHECK(missing->report.verdict == ProofVerdict::kPayloadMissing);
  v1::GetProofRequest withheld = OfEvent(0, 2);
  withheld.mutable_event()->set_withhold(true);
  CHECK(Check(withheld, ledger::PutTogether(parts)).ok());
  const auto head = ledger::DecodeSignedCheckpoint(parts.file.checkpoint)->checkpoint;
  parts.file.checkpoint =
      Sample().SignHead(head.size, head.root, {.witness_count = 2, .epoch = 1, .origin = ""});
  CHECK(WhyNot(withheld, ledger::PutTogether(parts)).starts_with("QUORUM_SHORT"));
}

}  // namespace
}  // namespace vigil::client
