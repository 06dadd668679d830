// `vigil admin validator` and `vigil validators` against a validator of the test's own: what is
// signed and for which set, what is never signed, and what people are shown.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/validator_commands.h"
#include "client/cli/validator_proposal.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/record.h"
#include "tests/client/lib/loopback.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {
namespace {

using ledger::EpochSample;
using ledger::SampleOfEpochs;

constexpr uint64_t kLast = EpochSample::kEpochs;

std::string SetText(uint64_t epoch) {
  return ledger::EncodeValidatorSet(SampleOfEpochs().set(epoch));
}

// Says what the test tells it to; at first what is true in the sample's last epoch.
class ToldValidator final : public v1::Query::Service, public v1::Ingest::Service {
 public:
  ToldValidator() {
    present.set_epoch(kLast);
    present.set_set(SetText(kLast));
    proposal.set_record_index(70);
    proposal.set_state("open");
    proposal.set_epoch(kLast);
    proposal.set_by("globex/root");
    proposal.set_reason("a second site");
    std::vector<ledger::GenesisValidator> next = SampleOfEpochs().set(kLast);
    next.pop_back();
    proposal.set_next_set(ledger::EncodeValidatorSet(next));
    receipt.set_result(v1::RESULT_OK);
    receipt.set_record_index(90);
  }

  std::vector<ledger::EpochAnchor> anchors = SampleOfEpochs().anchors();
  v1::Validators present;
  v1::Proposal proposal;
  bool knows_proposal = true;
  uint32_t epochs_per_page = 2;
  v1::Receipt receipt;
  std::vector<std::string> submitted;  // Leaves.

  std::string endpoint() const { return server_.endpoint(); }

  grpc::Status GetEpochChain(grpc::ServerContext*, const v1::GetEpochChainRequest* request,
                             v1::EpochChain* chain) override {
    const size_t first = std::min<size_t>(request->after_epoch(), anchors.size());
    chain->set_file(ledger::EncodeEpochChain(std::span(anchors).subspan(first)));
    return grpc::Status::OK;
  }
  grpc::Status GetValidators(grpc::ServerContext*, const v1::GetValidatorsRequest*,
                             v1::Validators* validators) override {
    *validators = present;
    return grpc::Status::OK;
  }
  grpc::Status ListProposals(grpc::ServerContext*, const v1::ListProposalsRequest*,
                             v1::ListProposalsResponse* page) override {
    if (knows_proposal) *page->add_proposals() = proposal;
    return grpc::Status::OK;
  }
  grpc::Status ListEpochs(grpc::ServerContext*, const v1::ListEpochsRequest* request,
                          v1::ListEpochsResponse* page) override {
    uint64_t number = std::max<uint64_t>(request->cursor(), 2);
    for (uint32_t i = 0; i < epochs_per_page && number <= kLast; ++i, ++number) {
      v1::EpochBegun* const epoch = page->add_epochs();
      epoch->set_number(number);
      epoch->set_base_height(EpochSample::FinalSize(number - 1));
      epoch->set_set(SetText(number));
    }
    if (number <= kLast) page->set_next_cursor(number);
    return grpc::Status::OK;
  }
  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest* request,
                      v1::SubmitResponse* response) override {
    submitted.push_back(request->leaf());
    *response->mutable_receipt() = receipt;
    return grpc::Status::OK;
  }

 private:
  LoopbackServer server_{
      {static_cast<v1::Query::Service*>(this), static_cast<v1::Ingest::Service*>(this)}};
};

// An admin of acme at the command line.
struct Admin {
  Admin() {
    const auto& network = SampleOfEpochs().network();
    std::ofstream(folder / "genesis.json") << ledger::WriteGenesis(network.genesis());
    REQUIRE(network.key("acme/root").Save(folder / "root.key", "root").ok());
    session.client = PlainOptions({validator.endpoint()}, /*timeout_millis=*/2000);
    session.genesis = folder / "genesis.json";
    session.signing_key = folder / "root.key";
    session.out = &out;
    session.err = &err;
  }
  absl::Status Remove(const std::string& identity) {
    return RunValidatorProposal(session, {.change = SetChange::kRemove,
                                          .file = "",
                                          .address = "",
                                          .identity = identity,
                                          .reason = "its site closes",
                                          .yes = true,
                                          .trust = true});
  }
  absl::Status Vote(ledger::BallotChoice choice = ledger::BallotChoice::kApprove) {
    return RunValidatorBallot(session,
                              {.proposal = 70, .choice = choice, .yes = true, .trust = true});
  }
  // The one record that was sent. Points into `validator`.
  ledger::RecordView Sent() const {
    REQUIRE(validator.submitted.size() == 1);
    const auto view = ledger::DecodeRecord(AsBytes(validator.submitted[0]));
    REQUIRE(view.ok());
    return *view;
  }

  const testing::TempFolder folder;
  ToldValidator validator;
  std::ostringstream out;
  std::ostringstream err;
  Session session;
};

// Nothing was sent, and why.
void Refused(const Admin& admin, const absl::Status& status, absl::StatusCode code,
             const std::string& words) {
  INFO(status);
  CHECK(status.code() == code);
  CHECK(absl::StrContains(status.message(), words));
  CHECK(admin.validator.submitted.empty());
}

TEST_CASE("validator commands: a proposal is made of the set that is proven", "[cli]") {
  Admin admin;
  REQUIRE(admin.Remove("acme/n4").ok());
  const auto body = std::get<ledger::ProposalBody>(admin.Sent().body);
  CHECK(body.epoch == kLast);
  std::vector<ledger::GenesisValidator> next = SampleOfEpochs().set(kLast);
  next.pop_back();
  CHECK(ledger::DecodeValidatorSet(body.next_set).value() == next);
  CHECK(body.addresses.empty());
  CHECK(body.reason == "its site closes");
  CHECK_THAT(admin.err.str(), Catch::Contains("epoch 4 of 4 validators would be followed by 3") &&
                                  Catch::Contains("- acme/n4 consensus "));
  CHECK(admin.out.str() == "proposal 90 by acme/root, committed\n");
}

TEST_CASE("validator commands: nothing is signed for a set that is not the proven one", "[cli]") {
  Admin admin;
  ToldValidator& validator = admin.validator;
  SECTION("an epoch that has begun and has no anchor yet") {
    validator.present.set_epoch(kLast + 1);
    Refused(admin, admin.Remove("acme/n4"), absl::StatusCode::kAborted, "not final yet");
  }
  SECTION("another set") {
    validator.present.set_set(SetText(2));
    Refused(admin, admin.Remove("acme/n4"), absl::StatusCode::kDataLoss, "proven from genesis");
  }
  SECTION("an epoch that is over") {
    validator.present.set_epoch(kLast - 1);
    validator.present.set_set(SetText(kLast));
    Refused(admin, admin.Remove("acme/n4"), absl::StatusCode::kDataLoss, "proven from genesis");
  }
  SECTION("anchors that a minority signed") {
    const auto& sample = SampleOfEpochs();
    validator.anchors = {sample.MakeAnchor({sample.leaves().begin(), sample.leaves().begin() + 4},
                                           sample.leaves()[4], 1, sample.set(2), 2)};
    Refused(admin, admin.Remove("acme/n4"), absl::StatusCode::kDataLoss, "of 3");
  }
  SECTION("a set that a quorum signed and execution would never have let in") {
    const auto& sample = SampleOfEpochs();
    std::vector<ledger::GenesisValidator> strangers = sample.set(2);
    for (ledger::GenesisValidator& one : strangers) one.journal_id.bytes[0] ^= 1;
    ledger::BlockHeader header = sample.HeaderAt(5);
    header.next_validator_set_hash = ledger::HashValidatorSet(strangers);
    validator.anchors = {sample.MakeAnchor({sample.leaves().begin(), sample.leaves().begin() + 4},
                                           EpochSample::SealOf(header), 1, strangers)};
    validator.present.set_epoch(2);
    validator.present.set_set(ledger::EncodeValidatorSet(strangers));
    Refused(admin, admin.Remove("acme/n4"), absl::StatusCode::kDataLoss, "is or was in use");
  }
  SECTION("of which the same holds for ballots") {
    validator.present.set_set(SetText(2));
    Refused(admin, admin.Vote(), absl::StatusCode::kDataLoss, "proven from genesis");
  }
}

TEST_CASE("validator commands: what is incomplete or not confirmed is not signed", "[cli]") {
  Admin admin;
  ValidatorProposalOptions options;
  options.change = SetChange::kRemove;
  options.identity = "acme/n4";
  options.trust = true;
  SECTION("no reason") {
    Refused(admin, RunValidatorProposal(admin.session, options), absl::StatusCode::kInvalidArgument,
            "--reason");
  }
  options.reason = "its site closes";
  SECTION("an entry that is too large for one") {
    options.change = SetChange::kAdd;
    options.file = admin.folder / "entry.json";
    std::ofstream(options.file) << std::string(65'537, ' ');
    Refused(admin, RunValidatorProposal(admin.session, options), absl::StatusCode::kInvalidArgument,
            "too large");
  }
  SECTION("any answer but yes") {
    for (const char* answer : {"no\n", "y\n", "YES\n", "\n", ""}) {
      INFO(answer);
      std::istringstream typed{std::string(answer)};
      std::streambuf* const before = std::cin.rdbuf(typed.rdbuf());
      const absl::Status status = RunValidatorProposal(admin.session, options);
      std::cin.rdbuf(before);
      std::cin.clear();
      Refused(admin, status, absl::StatusCode::kCancelled, "not signed");
    }
  }
  SECTION("yes is signed") {
    std::istringstream typed("yes\n");
    std::streambuf* const before = std::cin.rdbuf(typed.rdbuf());
    const absl::Status status = RunValidatorProposal(admin.session, options);
    std::cin.rdbuf(before);
    CHECK(status.ok());
    CHECK(admin.validator.submitted.size() == 1);
  }
  SECTION("the key of somebody who is no admin") {
    REQUIRE(SampleOfEpochs().network().key("acme/ann").Save(admin.folder / "ann.key", "ann").ok());
    admin.session.signing_key = admin.folder / "ann.key";
    Refused(admin, RunValidatorProposal(admin.session, options),
            absl::StatusCode::kPermissionDenied, "no admin");
  }
}

TEST_CASE("validator commands: a ballot is for the proposal that was asked for while it is open",
          "[cli]") {
  Admin admin;
  ToldValidator& validator = admin.validator;
  SECTION("approved") {
    REQUIRE(admin.Vote().ok());
    const auto body = std::get<ledger::BallotBody>(admin.Sent().body);
    CHECK(body.proposal_index == RecordIndex(70));
    CHECK(body.choice == static_cast<uint32_t>(ledger::BallotChoice::kApprove));
    CHECK_THAT(admin.err.str(), Catch::Contains("- acme/n4 consensus "));
    CHECK(admin.out.str() == "approved: proposal 70 by acme/root, committed\n");
  }
  SECTION("rejected") {
    REQUIRE(admin.Vote(ledger::BallotChoice::kReject).ok());
    const auto body = std::get<ledger::BallotBody>(admin.Sent().body);
    CHECK(body.choice == static_cast<uint32_t>(ledger::BallotChoice::kReject));
    CHECK(admin.out.str() == "rejected: proposal 70 by acme/root, committed\n");
  }
  SECTION("another proposal in the answer") {
    validator.proposal.set_record_index(71);
    Refused(admin, admin.Vote(), absl::StatusCode::kDataLoss, "without the proposal");
  }
  SECTION("none in the answer") {
    validator.knows_proposal = false;
    Refused(admin, admin.Vote(), absl::StatusCode::kDataLoss, "without the proposal");
  }
  SECTION("one that is over") {
    for (const char* state : {"approved", "rejected", "lapsed", "sealed", ""}) {
      validator.proposal.set_state(state);
      Refused(admin, admin.Vote(), absl::StatusCode::kAborted, "proposal 70 is");
    }
  }
  SECTION("a set that cannot be shown") {
    validator.proposal.set_next_set("no set");
    Refused(admin, admin.Vote(), absl::StatusCode::kDataLoss, "validator set");
  }
}

TEST_CASE("validator commands: what the chain refused is said and is no success", "[cli]") {
  const std::pair<v1::ResultCode, absl::StatusCode> cases[] = {
      {v1::RESULT_NOT_FOUND, absl::StatusCode::kNotFound},
      {v1::RESULT_PERMISSION_DENIED, absl::StatusCode::kPermissionDenied},
      {v1::RESULT_STALE, absl::StatusCode::kAborted},
      {v1::RESULT_CONFLICT, absl::StatusCode::kAborted},
      {v1::RESULT_INVALID, absl::StatusCode::kFailedPrecondition},
  };
  for (const auto& [result, code] : cases) {
    Admin admin;
    admin.validator.receipt.set_result(result);
    INFO(result);
    CHECK(admin.Vote().code() == code);
    CHECK(admin.Remove("acme/n4").code() == code);
    CHECK(admin.out.str().empty());
  }
}

TEST_CASE("validator commands: a proposal is compared with the set of its own epoch alone",
          "[cli]") {
  Admin admin;
  ToldValidator& validator = admin.validator;
  REQUIRE(RunProposalShow(admin.session, 70).ok());
  CHECK_THAT(admin.out.str(), Catch::Contains("70, open") && Catch::Contains("a second site") &&
                                  Catch::Contains("\n- acme/n4 consensus "));
  admin.out.str("");
  SECTION("of an earlier epoch") { validator.proposal.set_epoch(kLast - 1); }
  SECTION("that is malformed") { validator.proposal.set_next_set("no set"); }
  SECTION("where the present one is malformed") { validator.present.set_set("no set"); }
  SECTION("in an answer without any") {
    validator.knows_proposal = false;
    CHECK(absl::IsDataLoss(RunProposalShow(admin.session, 70)));
    return;
  }
  REQUIRE(RunProposalShow(admin.session, 70).ok());
  CHECK(!absl::StrContains(admin.out.str(), "- acme/n4"));
}

TEST_CASE("validator commands: the present set is shown with what is open and approved", "[cli]") {
  Admin admin;
  for (const ledger::GenesisValidator& one : SampleOfEpochs().set(kLast)) {
    v1::ValidatorInfo* const info = admin.validator.present.add_validators();
    info->set_identity(one.identity());
    info->set_connected(one.name != "v2");
  }
  admin.validator.proposal.set_reason("a\x1b[31m second site");
  REQUIRE(RunValidators(admin.session).ok());
  const std::string open = admin.out.str();
  CHECK_THAT(open, Catch::StartsWith("epoch 4 above height 0\n") &&
                       Catch::Contains("open: proposal 70 by globex/root") &&
                       Catch::Contains("a?[31m second site"));
  CHECK(!absl::StrContains(open, "approved:"));
  *admin.validator.present.mutable_approved() = admin.validator.proposal;
  admin.validator.knows_proposal = false;
  admin.out.str("");
  REQUIRE(RunValidators(admin.session).ok());
  CHECK_THAT(admin.out.str(),
             Catch::Contains("approved: the set of proposal 70 begins with the next epoch: "
                             "globex/v1 acme/v2 globex/v3\n"));
  CHECK(!absl::StrContains(admin.out.str(), "open:"));
}

TEST_CASE("validator commands: every epoch is listed over all pages", "[cli]") {
  Admin admin;
  admin.validator.epochs_per_page = 1;
  REQUIRE(RunValidatorEpochs(admin.session).ok());
  for (uint64_t epoch = 2; epoch <= kLast; ++epoch) {
    CHECK_THAT(admin.out.str(), Catch::Contains(absl::StrCat("\n", epoch, " ")));
  }
}

}  // namespace
}  // namespace vigil::client
