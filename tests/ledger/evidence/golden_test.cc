// The file that stands in tests/ledger/evidence/golden is the alert's of the sample chain; it is
// written again when the test runs with VIGIL_REGENERATE_GOLDEN=1.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"

namespace vigil::ledger {

TEST_CASE("evidence: the file of a fixed chain is what it was", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::filesystem::path folder =
      std::filesystem::path(VIGIL_SOURCE_DIR) / "tests/ledger/evidence/golden";
  if (std::getenv("VIGIL_REGENERATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "alert.evidence", std::ios::binary) << sample.AlertFile();
    std::ofstream(folder / "policy.txt", std::ios::binary) << sample.chain().policy_text();
  }
  const std::string file = ReadWholeFile(folder / "alert.evidence").value_or("");
  CHECK(file == sample.AlertFile());
  const absl::StatusOr<Policy> policy =
      ParsePolicy(ReadWholeFile(folder / "policy.txt").value_or(""));
  REQUIRE(policy.ok());
  CHECK(VerifyEvidence(*policy, file).verdict == ProofVerdict::kVerified);
}

}  // namespace vigil::ledger
