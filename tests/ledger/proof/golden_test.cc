#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ledger/proof/consistency.h"
#include "ledger/proof/verify_proof.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"

namespace vigil::ledger {
namespace {

std::filesystem::path GoldenPath(const std::string& name) {
  return std::filesystem::path(VIGIL_SOURCE_DIR) / "tests/ledger/proof/golden" / name;
}

// The file as it lies there, which is `made` again when the environment says so.
std::string Golden(const std::string& name, const std::string& made) {
  if (std::getenv("VIGIL_REGENERATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(GoldenPath(name).parent_path());
    std::ofstream(GoldenPath(name), std::ios::binary) << made;
  }
  return ReadWholeFile(GoldenPath(name)).value_or("");
}

}  // namespace

TEST_CASE("proof files of a fixed chain are what they were", "[proof]") {
  const ProofSample& sample = Sample();
  const std::string policy = Golden("policy.txt", sample.policy_text());
  const std::string event =
      Golden("event.tlog-proof", sample.EventProofFile(ProofSample::kBatch, 2));
  const std::string record =
      Golden("record.tlog-proof", sample.RecordProofFile(ProofSample::kHeartbeat));
  const std::string block = Golden("block.tlog-proof", sample.BlockProofFile(3));
  const std::string consistency =
      Golden("consistency.txt",
             BuildConsistencyProof(sample.tiles(), sample.HeadAt(100), sample.Head()).value());
  CHECK(policy == sample.policy_text());
  CHECK(event == sample.EventProofFile(ProofSample::kBatch, 2));
  CHECK(record == sample.RecordProofFile(ProofSample::kHeartbeat));
  CHECK(block == sample.BlockProofFile(3));
  const Policy trusted = ParsePolicy(policy).value();
  CHECK(VerifyProof(trusted, event).verdict == ProofVerdict::kVerified);
  CHECK(VerifyProof(trusted, record).verdict == ProofVerdict::kVerified);
  CHECK(VerifyProof(trusted, block).verdict == ProofVerdict::kVerified);
  CHECK(VerifyConsistencyProof(trusted, consistency).verdict == ProofVerdict::kVerified);
}

}  // namespace vigil::ledger
