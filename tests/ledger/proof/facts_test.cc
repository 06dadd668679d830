#include "ledger/proof/facts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

std::string Names(const std::vector<ProofFact>& facts) {
  std::string names;
  for (const auto& [name, value] : facts) absl::StrAppend(&names, name, " ");
  return names;
}

}  // namespace

TEST_CASE("facts come in the order in which they are proven", "[proof]") {
  const ProofReport report =
      VerifyProof(Sample().policy(), Sample().EventProofFile(ProofSample::kBatch, 0));
  const std::vector<ProofFact> facts = ProofFacts(report);
  CHECK(Names(facts) ==
        "origin tree_size root witness witness witness witness subject index leaf_hash kind author "
        "author_key stream sequence block_height block_hash block_epoch block_time_unix_ms "
        "block_proposer block_first block_records result signer item item_count event_leaf_hash "
        "event_bytes event_time_unix_ns event_type_uid event_source ");
  CHECK(facts[3].second == absl::StrCat("acme/v0 ", ProofSample::kSeconds));
  CHECK(facts.back().second == "zeek.conn");
}

TEST_CASE("what was not proven is no fact", "[proof]") {
  CHECK(ProofFacts(ProofReport()).empty());
  ProofReport report;
  report.head = ProvenHead{};
  CHECK(Names(ProofFacts(report)) == "origin tree_size root ");
}

TEST_CASE("text of others cannot steer a terminal", "[proof]") {
  ProofReport report;
  report.result = RecordResult{.index = RecordIndex(0),
                               .code = ResultCode::kOk,
                               .signer = "a\\b \n\x1b[2J\xc3\xa4\x7f",
                               .effects = {}};
  CHECK(ProofFacts(report)[1].second == "a\\x5cb\\x20\\x0a\\x1b[2J\\xc3\\xa4\\x7f");
}

}  // namespace vigil::ledger
