// Each lie of a validator is caught by the client library, by `vigil verify` and by the Go
// verifier, which is left out with a word where there is no go.
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/lib/checked_proof.h"
#include "client/lib/receipt_verifier.h"
#include "ledger/log/merkle.h"
#include "ledger/proof/fork_evidence.h"
#include "ledger/proof/two_notes.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/client/malicious/malicious_validator.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

const ledger::ProofSample& Chain() { return ledger::Sample(); }

// What a program says, with its exit code in front.
std::string Run(const std::string& command) {
  FILE* const pipe = popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string said;
  char buffer[4096];
  for (size_t read = 0; (read = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    said.append(buffer, read);
  }
  const int status = pclose(pipe);
  return absl::StrCat(WIFEXITED(status) ? WEXITSTATUS(status) : -1, " ", said);
}

std::unique_ptr<Client> ClientOf(const MaliciousValidator& validator) {
  return ConnectTo({validator.endpoint()});
}

v1::GetProofRequest OfEvent(RecordIndex index, uint32_t item) {
  v1::GetProofRequest request;
  request.mutable_event()->mutable_batch()->set_record_index(index.value());
  request.mutable_event()->set_item(item);
  return request;
}

// The Go verifier, built once; empty where there is no go.
const std::string& GoVerifier(const testing::TempFolder& folder) {
  static const std::string program = [&] {
    if (Run("go version").rfind("0 ", 0) != 0) return std::string();
    const std::string path = folder.path() + "/vigil-verify";
    const std::string built = Run(
        absl::StrCat("cd ", VIGIL_SOURCE_DIR, "/client/verify-go && GOFLAGS=-mod=mod GOPROXY=off ",
                     "GOTOOLCHAIN=local CGO_ENABLED=0 GOCACHE=", VIGIL_BINARY_DIR,
                     "/tests/go-cache go build -o ", path, " ."));
    INFO(built);
    REQUIRE(built.rfind("0 ", 0) == 0);
    return path;
  }();
  return program;
}

TEST_CASE("malicious validator: each lie is caught by library and program and second verifier") {
  static const testing::TempFolder folder;
  MaliciousValidator validator;
  const auto client = ClientOf(validator);
  std::ofstream(folder.path() + "/policy.txt") << Chain().policy_text();
  const RecordIndex late = ledger::ProofSample::kLargeBatch;
  const v1::GetProofRequest request = OfEvent(late, 7);
  const std::string go = GoVerifier(folder);
  if (go.empty()) WARN("no go on this machine: its verifier is left out");
  const auto judge = [&](Lie lie, const std::string& verdict, const std::string& word) {
    validator.Tell(lie);
    const auto proof = client->GetProof(request, nullptr);
    INFO(proof.status().message());
    REQUIRE(proof.ok());
    const auto checked = CheckProof(Chain().policy(), request, proof->file());
    CHECK(checked.ok() == word.empty());
    if (!word.empty()) {
      CHECK(absl::IsDataLoss(checked.status()));
      CHECK(std::string(checked.status().message()).find(word) != std::string::npos);
    }
    std::ofstream(folder.path() + "/proof", std::ios::binary) << proof->file();
    const std::string arguments =
        absl::StrCat(" ", folder.path(), "/proof --policy ", folder.path(), "/policy.txt");
    for (const std::string& program : {absl::StrCat(VIGIL_PROGRAM, " verify"), go}) {
      if (program.empty()) continue;
      const std::string said = Run(program + arguments);
      INFO(program << ": " << said);
      CHECK(said.rfind(verdict == "VERIFIED" ? "0 " : "6 ", 0) == 0);
      CHECK(said.find(verdict) != std::string::npos);
    }
  };
  judge(Lie::kNone, "VERIFIED", "");
  judge(Lie::kAlteredPayload, "PAYLOAD_MISMATCH", "PAYLOAD_MISMATCH");
  judge(Lie::kOldHead, "NOT_INCLUDED", "NOT_INCLUDED");
  judge(Lie::kMixedProof, "NOT_INCLUDED", "NOT_INCLUDED");
  judge(Lie::kForkedHead, "QUORUM_SHORT", "QUORUM_SHORT");
  // A right proof of something else is caught by whoever knows what was asked for.
  validator.Tell(Lie::kOtherRecord);
  v1::GetProofRequest record;
  record.mutable_record()->set_record_index(1);
  const auto other = client->GetProof(record, nullptr);
  REQUIRE(other.ok());
  CHECK(absl::IsDataLoss(CheckProof(Chain().policy(), record, other->file()).status()));
}

// The verifier of receipts of a sensor that had two records acknowledged.
struct Receipts {
  MaliciousValidator validator;
  std::unique_ptr<Client> client = ClientOf(validator);
  ledger::FaultyFileSystem disk{1};
  std::unique_ptr<ReceiptVerifier> verifier = Make();

  std::unique_ptr<ReceiptVerifier> Make() {
    ReceiptVerifier::Options options;
    options.policy = Chain().policy();
    options.folder = "/receipts";
    options.retry_millis = 1;
    options.give_up_millis = 200;
    return std::make_unique<ReceiptVerifier>(options, client.get(), &disk, SystemClock());
  }
  static ReceiptClaim ClaimOf(uint64_t sequence, RecordIndex index, uint64_t height) {
    ReceiptClaim claim;
    claim.sequence = sequence;
    claim.leaf_hash = ledger::LeafHash(AsBytes(Chain().leaves()[index.value()]));
    claim.receipt.set_record_index(index.value());
    claim.receipt.set_height(height);
    return claim;
  }
  // Until `claim` is proven, or what ends it.
  absl::Status Prove(const ReceiptClaim& claim) {
    while (verifier->proven_sequence() < claim.sequence) {
      const absl::Status status = verifier->Step(claim);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  std::string Evidence() const { return disk.ReadAll("/receipts/refused-1").value_or(""); }
};

const ReceiptClaim kFirst = Receipts::ClaimOf(1, ledger::ProofSample::kBatch, 1);
const ReceiptClaim kSecond = Receipts::ClaimOf(2, ledger::ProofSample::kHeartbeat, 1);

TEST_CASE("receipts: what is in the log is proven and the newest checkpoint is kept") {
  Receipts receipts;
  receipts.validator.ShowUpTo(MaliciousValidator::kEarly);
  REQUIRE(receipts.Prove(kFirst).ok());
  CHECK(receipts.disk.ReadAll("/receipts/checkpoint").value() ==
        Chain().HeadAt(MaliciousValidator::kEarly));
  receipts.validator.ShowUpTo(0);
  REQUIRE(receipts.Prove(kSecond).ok());
  CHECK(receipts.disk.ReadAll("/receipts/checkpoint").value() == Chain().Head());
  // A validator that lags is no liar, and does not take the checkpoint back.
  receipts.validator.ShowUpTo(MaliciousValidator::kEarly);
  receipts.verifier = receipts.Make();
  REQUIRE(receipts.Prove(kSecond).ok());
  CHECK(receipts.disk.ReadAll("/receipts/checkpoint").value() == Chain().Head());
}

TEST_CASE("receipts: each lie ends in an error that names the validator and keeps the evidence") {
  for (const Lie lie : {Lie::kOldHead, Lie::kForkedHead, Lie::kMixedProof, Lie::kOtherRecord}) {
    Receipts receipts;
    receipts.validator.Tell(lie);
    const absl::Status status =
        receipts.Prove(Receipts::ClaimOf(1, ledger::ProofSample::kLargeBatch, 3));
    INFO(status.message());
    CHECK(absl::IsDataLoss(status));
    CHECK(std::string(status.message()).find(receipts.validator.endpoint()) != std::string::npos);
    CHECK(std::string(status.message()).find("/receipts/refused-1") != std::string::npos);
    CHECK(receipts.Evidence().rfind("c2sp.org/tlog-proof@v1\n", 0) == 0);
    CHECK(receipts.verifier->proven_sequence() == 0);
  }
}

TEST_CASE("receipts: an acknowledgement of another place than the proven one is a lie") {
  Receipts receipts;
  ReceiptClaim claim = kFirst;
  claim.receipt.set_record_index(3);
  CHECK(absl::IsDataLoss(receipts.Prove(claim)));
  claim = kFirst;
  claim.receipt.set_block_hash(std::string(32, 'x'));
  CHECK(absl::IsDataLoss(Receipts().Prove(claim)));
  // The chain did not accept this one, whatever the receipt says.
  const absl::Status refused =
      Receipts().Prove(Receipts::ClaimOf(1, ledger::ProofSample::kConflict, 2));
  CHECK(absl::IsDataLoss(refused));
  CHECK(std::string(refused.message()).find("did not accept") != std::string::npos);
}

TEST_CASE("receipts: a fork that a whole quorum signs is caught by the checkpoint seen before") {
  Receipts receipts;
  REQUIRE(receipts.Prove(kFirst).ok());
  receipts.validator.Tell(Lie::kColludingFork);
  SECTION("with evidence that convicts whoever signed both") {
    const absl::Status status = receipts.Prove(kSecond);
    INFO(status.message());
    CHECK(absl::IsDataLoss(status));
    const auto notes = ledger::DecodeForkEvidence(receipts.Evidence());
    REQUIRE(notes.ok());
    const auto fork = ledger::CheckForkEvidence(Chain().policy(), notes->first, notes->second);
    REQUIRE(fork.ok());
    CHECK(fork->culprits.size() >= 4);
    // So does the program.
    const testing::TempFolder folder;
    std::ofstream(folder / "policy.txt") << Chain().policy_text();
    std::ofstream(folder / "fork", std::ios::binary) << receipts.Evidence();
    const std::string said = Run(absl::StrCat(VIGIL_PROGRAM, " verify ", folder / "fork",
                                              " --policy ", folder / "policy.txt"));
    INFO(said);
    CHECK(said.rfind("0 ", 0) == 0);
    CHECK(said.find("signed_both: " + fork->culprits.front()) != std::string::npos);
    CHECK(said.find("\nVERIFIED\n") != std::string::npos);
    std::ofstream(folder / "fork", std::ios::binary)
        << ledger::EncodeForkEvidence({.first = notes->first, .second = notes->first});
    CHECK(Run(absl::StrCat(VIGIL_PROGRAM, " verify ", folder / "fork", " --policy ",
                           folder / "policy.txt"))
              .rfind("6 MALFORMED", 0) == 0);
  }
  SECTION("of an earlier run, too") {
    receipts.verifier = receipts.Make();
    CHECK(absl::IsDataLoss(receipts.Prove(kSecond)));
  }
  SECTION("and not without one") {
    CHECK(receipts.disk.Remove("/receipts/checkpoint").ok());
    receipts.verifier = receipts.Make();
    CHECK(receipts.Prove(kSecond).ok());
  }
  SECTION("also of another size") {
    Receipts early;
    early.validator.Tell(Lie::kColludingFork);
    REQUIRE(early.Prove(kFirst).ok());
    early.validator.Tell(Lie::kNone);
    early.validator.ShowUpTo(200);
    const absl::Status status = early.Prove(kSecond);
    INFO(status.message());
    CHECK(absl::IsDataLoss(status));
    const auto notes = ledger::DecodeTwoNotes(early.Evidence());
    REQUIRE(notes.ok());
    CHECK(notes->second == Chain().HeadAt(200));
    CHECK(early.verifier->proven_sequence() == 1);
  }
}

std::string FirstEnd() {
  return ledger::EncodeEpochChain({&ledger::SampleOfEpochs().anchors()[0], 1});
}

TEST_CASE("receipts: a later epoch is learned from its anchors and kept") {
  Receipts receipts;
  receipts.validator.SignIn(2);
  receipts.validator.ShowEpochs(FirstEnd());
  REQUIRE(receipts.Prove(kFirst).ok());
  CHECK(receipts.validator.asked_for_epochs() == 1);
  CHECK(receipts.disk.ReadAll("/receipts/epochs").value() == FirstEnd());
  // Another run has it from the disk, and its checkpoint holds under it.
  receipts.verifier = receipts.Make();
  REQUIRE(receipts.Prove(kSecond).ok());
  CHECK(receipts.validator.asked_for_epochs() == 1);

  SECTION("then the set that was replaced cannot sign on") {
    receipts.validator.SignIn(1);
    receipts.verifier = receipts.Make();
    const absl::Status status = receipts.Prove(kSecond);
    INFO(status.message());
    CHECK(absl::IsDataLoss(status));
    CHECK(std::string(status.message()).find("KEY_REVOKED") != std::string::npos);
  }
  SECTION("a file that was damaged is asked for anew") {
    REQUIRE(receipts.disk.WriteAtomically("/receipts/epochs", AsBytes("damaged")).ok());
    receipts.verifier = receipts.Make();
    REQUIRE(receipts.Prove(kSecond).ok());
    CHECK(receipts.validator.asked_for_epochs() == 2);
    CHECK(receipts.disk.ReadAll("/receipts/epochs").value() == FirstEnd());
  }
}

TEST_CASE("receipts: an epoch that nobody shows the beginning of proves nothing and is no lie") {
  Receipts receipts;
  receipts.validator.SignIn(2);
  const absl::Status status = receipts.Prove(kFirst);
  INFO(status.message());
  CHECK(IsUnreachable(status));
  CHECK(std::string(status.message()).find("whose beginning it does not show") !=
        std::string::npos);
  CHECK(receipts.verifier->proven_sequence() == 0);
}

TEST_CASE("receipts: an epoch chain that no quorum signed is a lie and kept as evidence") {
  const ledger::EpochSample& sample = ledger::SampleOfEpochs();
  const std::vector<std::string> before(sample.leaves().begin(), sample.leaves().begin() + 4);
  const ledger::EpochAnchor minority =
      sample.MakeAnchor(before, sample.leaves()[4], 1, sample.set(2), 2);
  for (const std::string& file : {std::string("x"), ledger::EncodeEpochChain({&minority, 1}),
                                  ledger::EncodeEpochChain({&sample.anchors()[1], 1})}) {
    Receipts receipts;
    receipts.validator.SignIn(2);
    receipts.validator.ShowEpochs(file);
    const absl::Status status = receipts.Prove(kFirst);
    INFO(status.message());
    CHECK(absl::IsDataLoss(status));
    CHECK(receipts.Evidence() == file);
    CHECK(!receipts.disk.Exists("/receipts/epochs"));
  }
}

TEST_CASE("receipts: what a validator acknowledged and nobody proves is not taken as delivered") {
  Receipts receipts;
  receipts.validator.Tell(Lie::kNothing);
  const absl::Status status = receipts.Prove(kFirst);
  INFO(status.message());
  CHECK(IsUnreachable(status));
  CHECK(std::string(status.message())
            .find(receipts.validator.endpoint() + " acknowledged record 1") != std::string::npos);
  CHECK(receipts.verifier->proven_sequence() == 0);
}

}  // namespace
}  // namespace vigil::client
