// Rules of the detectors over the API: what is active, what was, what is proposed; and alerts of
// rules that were replaced.
#include "ledger/state/rules.h"

#include "absl/strings/match.h"
#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

std::string DigestOf(absl::string_view file) {
  return ToString(ledger::RulesDigestOf(file).span());
}

struct RulesApi {
  Fixture f{/*validators=*/1, /*election_ticks_max=*/20, /*block_bytes_max=*/256 * 1024,
            sim::kOddRules};
  sim::SensorStream stream = f.Stream();

  absl::StatusOr<v1::Receipt> Propose(const std::string& file, const Hash& replaced) {
    return f.Submit(f.network().ProposeRules(0, Epoch(1), file, replaced));
  }
  v1::Rules Rules(const std::string& digest = "") {
    v1::GetRulesRequest request;
    request.set_digest(digest);
    const auto rules = f.client()->GetRules(request);
    INFO(rules.status());
    REQUIRE(rules.ok());
    return *rules;
  }
  // The newest alert of a rule of the file with this digest, once there is one.
  v1::Alert AlertUnder(const std::string& digest) {
    for (int round = 0; round < 5'000; ++round) {
      REQUIRE(f.Submit(stream.NextBatch(1)).ok());  // Gives the detector its turn.
      const auto answer = f.client()->ListAlerts({});
      REQUIRE(answer.ok());
      for (const v1::Alert& alert : answer->alerts()) {
        if (alert.rule().rules_digest() == digest) return alert;
      }
    }
    FAIL("no alert came");
    return {};
  }
};

TEST_CASE("api: the active rules are those of genesis until others are approved", "[api]") {
  RulesApi t;
  const std::string first = DigestOf(sim::kOddRules);
  v1::Rules rules = t.Rules();
  CHECK(rules.rules().digest() == first);
  CHECK(rules.rules().version() == 1);
  CHECK(rules.rules().rule_count() == 2);
  CHECK(rules.rules().from_height() == 1);
  CHECK_FALSE(rules.rules().has_proposal_index());
  CHECK(rules.file() == sim::kOddRules);
  CHECK(rules.history_size() == 1);
  CHECK(rules.open().empty());

  const auto made = t.Propose(sim::kOddRulesToo, t.f.genesis().rules_digest);
  REQUIRE(made.ok());
  const std::string second = DigestOf(sim::kOddRulesToo);
  rules = t.Rules();
  CHECK(rules.rules().digest() == second);
  CHECK(rules.rules().version() == 2);
  CHECK(rules.rules().from_height() == made->height() + 1);
  CHECK(rules.rules().proposal_index() == made->record_index());
  CHECK(rules.file() == sim::kOddRulesToo);
  REQUIRE(rules.history_size() == 2);
  CHECK(rules.history(0).digest() == second);
  CHECK(rules.history(1).digest() == first);
  // What was active is there still, by its digest.
  CHECK(t.Rules(first).file() == sim::kOddRules);
  CHECK(t.Rules(first).rules().from_height() == 1);
  for (const absl::string_view file : {sim::kOddRules, sim::kOddRulesToo}) {
    v1::GetModelFileRequest request;
    request.set_digest(DigestOf(file));
    CHECK(t.f.client()->GetModelFile(request)->file() == file);
  }
  v1::GetRulesRequest request;
  request.set_digest(DigestOf("vigil-rules 1\nversion 7\n"));
  CHECK(absl::IsNotFound(t.f.client()->GetRules(request).status()));
  request.set_digest("short");
  CHECK(absl::IsInvalidArgument(t.f.client()->GetRules(request).status()));

  v1::ListProposalsRequest proposals;
  proposals.set_subject("rules");
  auto listed = t.f.client()->ListProposals(proposals);
  REQUIRE(listed.ok());
  REQUIRE(listed->proposals_size() == 1);
  CHECK(listed->proposals(0).state() == "activated");
  CHECK(listed->proposals(0).subject() == "rules");
  CHECK(listed->proposals(0).rules_digest() == second);
  CHECK(listed->proposals(0).replaced_rules() == first);
  CHECK(listed->proposals(0).rules().empty());
  proposals.set_proposal_index(made->record_index());
  CHECK(t.f.client()->ListProposals(proposals)->proposals(0).rules() == sim::kOddRulesToo);
  proposals.clear_proposal_index();
  proposals.set_subject("validators");
  CHECK(t.f.client()->ListProposals(proposals)->proposals().empty());
  proposals.set_subject("weather");
  CHECK(absl::IsInvalidArgument(t.f.client()->ListProposals(proposals).status()));
}

TEST_CASE("api: a rule file that is none is refused with line and rule and remedy", "[api]") {
  RulesApi t;
  std::string wrong = sim::kOddRulesToo;
  wrong.replace(wrong.find("score 11"), 8, "score 99");
  const auto refused = t.Propose(wrong, t.f.genesis().rules_digest);
  REQUIRE(absl::IsInvalidArgument(refused.status()));
  CHECK(absl::StrContains(refused.status().message(), "rule 3: a score is 1 to 64 bits"));
  CHECK(t.Rules().rules().version() == 1);
  // Against others than those that are active.
  const auto stale = t.Propose(sim::kOddRulesToo, Hash());
  REQUIRE(stale.ok());
  CHECK(stale->result() == v1::RESULT_STALE);
  CHECK(t.Rules().rules().version() == 1);
}

TEST_CASE("api: alerts are named by the rules that they cite also when these were replaced",
          "[api]") {
  RulesApi t;
  REQUIRE(t.f.Submit(t.stream.NextBatch(50, /*odd_permille=*/1000)).ok());
  const v1::Alert early = t.AlertUnder(DigestOf(sim::kOddRules));
  CHECK(early.rule().name() == "odd");
  REQUIRE(t.Propose(sim::kOddRulesToo, t.f.genesis().rules_digest).ok());
  REQUIRE(t.f.Submit(t.stream.NextBatch(50, /*odd_permille=*/1000)).ok());
  const v1::Alert late = t.AlertUnder(DigestOf(sim::kOddRulesToo));
  v1::GetAlertRequest request;
  request.set_record_index(early.record_index());
  const auto again = t.f.client()->GetAlert(request);
  REQUIRE(again.ok());
  CHECK(again->rule().name() == "odd");
  CHECK(again->rule().condition() == "events 1 in 2s");
  request.set_record_index(late.record_index());
  const auto other = t.f.client()->GetAlert(request);
  REQUIRE(other.ok());
  CHECK(other->rule().name() == (other->rule().number() == 3 ? "odd-too" : "odd"));
  CHECK(other->rule().condition() ==
        (other->rule().number() == 3 ? "events 1 in 2s" : "events 2 in 2s"));
  // The entity's marks are of the new rules alone, and lead to their alerts.
  v1::GetEntityRequest entity;
  entity.set_name("pair:" + other->rule().entity());
  const auto report = t.f.client()->GetEntity(entity);
  REQUIRE(report.ok());
  REQUIRE(report->entities_size() == 1);
  bool leads = false;
  for (const v1::EntityMatch& match : report->entities(0).matches()) {
    CHECK_FALSE(match.rule_name().empty());
    leads |= match.alert_state() != "" && match.alert_record_index() == late.record_index();
  }
  CHECK(leads);

  const auto status = t.f.client()->GetDetectorReport({});
  REQUIRE(status.ok());
  CHECK(status->rules().digest() == DigestOf(sim::kOddRulesToo));
  CHECK(status->rules().version() == 2);
  CHECK(status->matched_rules() == DigestOf(sim::kOddRulesToo));
  CHECK(status->rules_proposals().empty());
}

}  // namespace
}  // namespace vigil::node
