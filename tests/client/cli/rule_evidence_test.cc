// Evidence of a rule's alert as it is asked of a validator, and what it proves offline.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "client/alert/alert_case_report.h"
#include "client/cli/evidence_collector.h"
#include "ledger/state/governance_queries.h"
#include "ledger/state/rules.h"
#include "tests/client/alert/rule_sample.h"
#include "tests/client/lib/loopback.h"
#include "tests/support/catch.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {
namespace {

// Answers from a chain in memory, about one alert.
class ChainValidator final : public v1::Query::Service {
 public:
  ChainValidator(const ledger::ProofSample* chain, const ledger::AlertBody& alert)
      : chain_(chain), alert_(alert) {}

  std::unique_ptr<Client> Connect() const { return ConnectTo({server_.endpoint()}); }

  grpc::Status GetAlert(grpc::ServerContext*, const v1::GetAlertRequest* request,
                        v1::Alert* response) override {
    response->set_record_index(request->record_index());
    response->set_component(ledger::kRuleComponent);
    v1::StoredEvent* const event = response->mutable_event();
    event->set_record_index(alert_.event.record_index.value());
    event->set_item(alert_.event.item.value());
    event->set_height(chain_->BlockOf(alert_.event.record_index)->height.value());
    const std::string payload = chain_->Payload(alert_.event.record_index).value();
    event->set_event(
        ToString(ledger::SplitPayload(AsBytes(payload)).value()[alert_.event.item.value()]));
    return grpc::Status::OK;
  }
  grpc::Status GetModelFile(grpc::ServerContext*, const v1::GetModelFileRequest* request,
                            v1::ModelFile* response) override {
    if (request->digest() != alert_.rules_digest.view()) {
      return {grpc::StatusCode::NOT_FOUND, "no such file"};
    }
    const auto info = RulesWith(request->digest());
    response->set_file(info.file);
    return grpc::Status::OK;
  }
  grpc::Status GetRules(grpc::ServerContext*, const v1::GetRulesRequest* request,
                        v1::Rules* response) override {
    response->set_file(RulesWith(request->digest()).file);
    const ledger::ChainReader reader = chain_->chain().reader();
    const ledger::StateBase& state = reader.state();
    const uint64_t newest = ledger::NewestRulesNumber(state).value();
    for (uint64_t number = newest + 1; number-- > 0;) {
      const auto info = ledger::RulesNumbered(chain_->network().genesis(), state, number).value();
      v1::RulesBegun* const begun = response->add_history();
      begun->set_digest(ToString(info.row.digest.span()));
      begun->set_from_height(info.row.active_from.value());
      if (number != 0) begun->set_proposal_index(info.row.proposal.value());
    }
    return grpc::Status::OK;
  }
  grpc::Status ListProposals(grpc::ServerContext*, const v1::ListProposalsRequest* request,
                             v1::ListProposalsResponse* response) override {
    const ledger::ChainReader reader = chain_->chain().reader();
    const auto info = ledger::GetProposal(reader, RecordIndex(request->proposal_index())).value();
    v1::Proposal* const proposal = response->add_proposals();
    proposal->set_record_index(info.index.value());
    for (const ledger::BallotInfo& ballot : info.ballots) {
      proposal->add_ballots()->set_record_index(ballot.row.record_index.value());
    }
    return grpc::Status::OK;
  }
  grpc::Status GetBlock(grpc::ServerContext*, const v1::GetBlockRequest* request,
                        v1::Block* response) override {
    const auto info = chain_->chain().reader().GetBlock(Height(request->height()));
    response->set_height(request->height());
    response->set_time_unix_millis(static_cast<int64_t>(info->time_unix_millis));
    response->set_record_count(info->record_count);
    response->set_bytes(info->frame_bytes);
    for (uint32_t i = 0; i < info->record_count; ++i) {
      response->add_records()->set_record_index((info->first_index + i).value());
    }
    return grpc::Status::OK;
  }
  grpc::Status GetRecord(grpc::ServerContext*, const v1::GetRecordRequest* request,
                         v1::Record* response) override {
    const RecordIndex index(request->record_index());
    response->mutable_summary()->set_record_index(index.value());
    response->set_leaf(chain_->Leaf(index).value());
    const auto block = chain_->BlockOf(index);
    const auto results = chain_->chain().reader().GetResults(block->height);
    // What the chain refused has no payload there.
    if (results->at(index - block->first).code == ledger::ResultCode::kOk) {
      response->set_payload(chain_->Payload(index).value());
    }
    return grpc::Status::OK;
  }
  grpc::Status GetProof(grpc::ServerContext*, const v1::GetProofRequest* request,
                        v1::Proof* response) override {
    response->set_file(ledger::BuildRecordProof(*chain_, chain_->Head(),
                                                RecordIndex(request->record().record_index()))
                           .value());
    return grpc::Status::OK;
  }

 private:
  ledger::RulesInfo RulesWith(const std::string& digest) const {
    const ledger::ChainReader reader = chain_->chain().reader();
    const ledger::Genesis& genesis = chain_->network().genesis();
    const uint64_t number =
        ledger::RulesNumberOf(genesis, reader.state(), Hash::From(AsBytes(digest)).value()).value();
    return ledger::RulesNumbered(genesis, reader.state(), number).value();
  }

  const ledger::ProofSample* const chain_;
  const ledger::AlertBody alert_;
  LoopbackServer server_{{this}};
};

AlertReport Judge(RuleSample* sample, const ledger::AlertBody& body) {
  const RecordIndex alert = sample->Raise(body);
  sample->Pass(4);
  ChainValidator validator(&sample->chain(), body);
  const std::unique_ptr<Client> client = validator.Connect();
  EvidenceCollector collector(client.get(), {}, 0);
  const absl::Status wanted = collector.WantAlert(alert.value());
  INFO(wanted);
  REQUIRE(wanted.ok());
  CHECK(collector.note().empty());
  ledger::EvidenceQuestion question;
  question.subject = ledger::EvidenceSubject::kAlert;
  question.alert = alert;
  static std::string file;  // The report points into it.
  absl::StatusOr<std::string> made = collector.Finish(question, "");
  INFO(made.status());
  REQUIRE(made.ok());
  file = *std::move(made);
  return VerifyAlert(sample->chain().policy(), file);
}

}  // namespace

TEST_CASE("rule evidence: as many blocks are asked for as the rule takes") {
  RuleSample sample;
  const Height before = sample.height();
  sample.Pass(7);
  sample.Add({{}}, {sample.Refused()});
  sample.Add({{.millis_before = 500}});
  const RecordIndex third = sample.Add({{.millis_before = 1'000}, {.source = 2}});
  const AlertReport right = Judge(&sample, sample.Claim(third, 0, 3));
  INFO(right.reason);
  CHECK(right.verdict == AlertVerdict::kVerified);
  REQUIRE(right.rule.has_value());
  CHECK(right.rule->reach == detector::Reach::kSpan);
  CHECK(right.rule->from == before);
  const AlertReport wrong = Judge(&sample, sample.Claim(third, 1, 3));
  CHECK(wrong.verdict == AlertVerdict::kRuleDiffers);
}

TEST_CASE("rule evidence: of a rule about what is new every block is asked for") {
  RuleSample sample;
  sample.Add({{.source = 7, .status = 1, .host = "a"}});
  sample.Pass(3);
  const RecordIndex batch = sample.Add({{.source = 7, .status = 1, .host = "b"}});
  const AlertReport report = Judge(&sample, sample.Claim(batch, 0, 4, /*rule=*/2));
  INFO(report.reason);
  CHECK(report.verdict == AlertVerdict::kVerified);
  REQUIRE(report.rule.has_value());
  CHECK(report.rule->reach == detector::Reach::kChain);
}

TEST_CASE("rule evidence: of replaced rules it shows who made them the network's") {
  RuleSample sample;
  sample.Pass(8);
  std::string later = SampleRules();
  later.replace(later.find("version 1"), 9, "version 2");
  const RecordIndex proposal =
      sample.ProposeRules(later, sample.chain().network().genesis().rules_digest);
  const RecordIndex ballot = sample.ApproveRules(proposal);
  sample.Pass(10);
  const RecordIndex batch = sample.Add(std::vector<Logon>(3));
  ledger::AlertBody body = sample.Claim(batch, 2, 3);
  body.rules_digest = ledger::RulesDigestOf(later);
  body.model_digest = ledger::RuleDigestOf(body.rules_digest, 1);
  const AlertReport report = Judge(&sample, body);
  INFO(report.reason);
  CHECK(report.verdict == AlertVerdict::kVerified);
  REQUIRE(report.evidence.alert.has_value());
  CHECK(report.evidence.alert->activated_by == ballot);
  const ledger::ShownRecord* const shown = ledger::FindShown(report.evidence.records, proposal);
  REQUIRE(shown != nullptr);
  const ledger::RecordView view = shown->Body();
  CHECK(std::get<ledger::ProposalBody>(view.body).rules == later);
}

}  // namespace vigil::client
