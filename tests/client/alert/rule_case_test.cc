// Rules' alerts recomputed from evidence: right ones are verified, forged ones exposed, and what a
// file leaves out accuses nobody.
#include "client/alert/rule_case.h"

#include "ledger/base/random.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/rules.h"
#include "tests/client/alert/rule_sample.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::client {
namespace {

using detector::Reach;
using ledger::AlertBody;
using ledger::AlertFault;
using Shown = RuleSample::Shown;

const Shown kAll;  // From the first block on.

// A chain that is old enough, then three failed logons in one block.
struct BruteForce {
  RuleSample sample;
  Height before;  // Old enough for everything about rule 1.
  RecordIndex batch;

  explicit BruteForce(int failed = 3) {
    before = sample.height();
    sample.Pass(8);
    batch = sample.Add(std::vector<Logon>(static_cast<size_t>(failed)));
  }
  AlertReport Judge(const AlertBody& body, const Shown& shown) {
    const AlertReport report = sample.Verify(sample.Raise(body), body.event, shown);
    UNSCOPED_INFO(AlertVerdictName(report.verdict) << ": " << report.reason);
    return report;
  }
  Shown Since(Height from) const {
    Shown shown;
    shown.from = from;
    return shown;
  }
  // Only the event's batch.
  Shown Nothing() const { return Since(sample.HeightOf(batch).Next()); }
};

void CheckForged(const AlertReport& report) {
  CHECK(report.verdict == AlertVerdict::kRuleDiffers);
  CHECK(FaultOf(report.verdict) == AlertFault::kRule);
  CHECK(report.evidence.alert->proposer == "globex/v1");
}

}  // namespace

TEST_CASE("rule alert: a right one is verified from its blocks and from the whole chain",
          "[client]") {
  BruteForce t;
  const AlertBody body = t.sample.Claim(t.batch, 2, 3);
  const RecordIndex alert = t.sample.Raise(body);
  const AlertReport span = t.sample.Verify(alert, body.event, t.Since(t.before));
  INFO(span.reason);
  CHECK(span.verdict == AlertVerdict::kVerified);
  REQUIRE(span.rule.has_value());
  CHECK(span.rule->reach == Reach::kSpan);
  CHECK(span.rule->from == t.before);
  CHECK(span.rule->judgement.observed == 3);
  CHECK(!FaultOf(span.verdict).has_value());
  // The whole chain has records that were refused.
  const AlertReport chain = t.sample.Verify(alert, body.event, kAll);
  INFO(chain.reason);
  CHECK(chain.verdict == AlertVerdict::kVerified);
  CHECK(chain.rule->reach == Reach::kChain);
  CHECK(chain.evidence.rejected.size() == 2);
  // The events alone show that the threshold was reached.
  const AlertReport own = t.sample.Verify(alert, body.event, t.Nothing());
  CHECK(own.verdict == AlertVerdict::kSupported);
  CHECK(own.rule->judgement.observed == 3);
  CHECK(!own.reason.empty());
  CHECK(!FaultOf(own.verdict).has_value());
}

TEST_CASE("rule alert: what the event contradicts is forged whatever the file shows", "[client]") {
  const auto forged = [](auto change) {
    BruteForce t;
    AlertBody body = t.sample.Claim(t.batch, 2, 3);
    change(&body);
    CheckForged(t.Judge(body, t.Nothing()));
  };
  forged([](AlertBody* body) { body->entity_kind = 5; });
  forged([](AlertBody* body) { body->event_type = 1; });
  forged([](AlertBody* body) { body->observed = 2; });
  forged([](AlertBody* body) { body->score_q8 = body->threshold_q8 = 60 * 256; });
  for (const uint32_t rule : {2u, 99u}) {  // About successes; not there.
    forged([&](AlertBody* body) {
      body->rule = rule;
      body->model_digest = ledger::RuleDigestOf(body->rules_digest, rule);
    });
  }
  RuleSample sample;
  const RecordIndex batch = sample.Add({{.status = 1}, {.source = 0}});
  for (const uint32_t item : {0u, 1u}) {  // A success; a failure of nobody known.
    const AlertBody body = sample.Claim(batch, item, 3);
    Shown own;
    own.from = sample.height().Next();
    CheckForged(sample.Verify(sample.Raise(body), body.event, own));
  }
}

TEST_CASE("rule alert: an invented count is exposed by the blocks of its window", "[client]") {
  BruteForce t(/*failed=*/2);
  const AlertBody body = t.sample.Claim(t.batch, 1, 3);
  const AlertReport report = t.Judge(body, t.Since(t.before));
  CheckForged(report);
  CHECK(report.rule->judgement.observed == 2);
  CHECK(t.sample.Verify(report.evidence.alert->record, body.event, kAll).verdict ==
        AlertVerdict::kRuleDiffers);
  // Without them others that count may lie before.
  const AlertReport own = t.sample.Verify(report.evidence.alert->record, body.event, t.Nothing());
  CHECK(own.verdict == AlertVerdict::kNotRederivable);
  CHECK(!FaultOf(own.verdict).has_value());

  BruteForce more(/*failed=*/4);
  CheckForged(more.Judge(more.sample.Claim(more.batch, 2, 4), more.Since(more.before)));
}

TEST_CASE("rule alert: events outside of the window or of others do not count", "[client]") {
  RuleSample sample;
  const Height before = sample.height();
  sample.Pass(8);
  sample.Add({{}, {}});
  sample.Pass(2);
  const RecordIndex late = sample.Add({{}, {.source = 2}, {.millis_before = 3'000}});
  Shown shown;
  shown.from = before;
  const AlertBody body = sample.Claim(late, 0, 3);
  const AlertReport report = sample.Verify(sample.Raise(body), body.event, shown);
  CheckForged(report);
  CHECK(report.rule->judgement.observed == 1);
}

TEST_CASE("rule alert: a second one within the quiet time is exposed by the chain", "[client]") {
  BruteForce t(/*failed=*/4);
  const AlertBody body = t.sample.Claim(t.batch, 3, 4);
  const RecordIndex alert = t.sample.Raise(body);
  const AlertReport span = t.sample.Verify(alert, body.event, t.Since(t.before));
  CHECK(span.verdict == AlertVerdict::kSupported);
  CHECK(span.reason.find("quiet") != std::string::npos);
  CheckForged(t.sample.Verify(alert, body.event, kAll));
}

TEST_CASE("rule alert: another rule file is neither believed by the chain nor from a file",
          "[client]") {
  BruteForce t;
  std::string lenient = SampleRules();
  lenient.replace(lenient.find("logon_failures 3"), 16, "logon_failures 1");
  const Hash digest = ledger::Sha256({AsBytes(ledger::kRulesTag), AsBytes(lenient)});
  AlertBody body = t.sample.Claim(t.batch, 0, 1);
  body.rules_digest = digest;
  body.model_digest = ledger::RuleDigestOf(digest, 1);
  Shown shown;
  shown.rules = lenient;
  const RecordIndex refused = t.sample.Commit(body, "globex/v1");
  CHECK(t.sample.Verify(refused, body.event, shown).verdict == AlertVerdict::kEvidenceRefused);
  // Of an alert that the chain did take.
  const AlertBody right = t.sample.Claim(t.batch, 2, 3);
  const RecordIndex alert = t.sample.Raise(right);
  CHECK(t.sample.Verify(alert, right.event, shown).verdict == AlertVerdict::kModelDiffers);
  shown.rules.clear();
  CHECK(t.sample.Verify(alert, right.event, shown).verdict == AlertVerdict::kModelUnknown);
  shown = kAll;
  shown.without = {t.batch};
  CHECK(t.sample.Verify(alert, right.event, shown).verdict == AlertVerdict::kNotRederivable);
}

TEST_CASE("rule alert: leaving something out of its blocks accuses nobody", "[client]") {
  RuleSample sample;
  const Height before = sample.height();
  sample.Pass(7);
  const RecordIndex first = sample.Add({{}}, {sample.Refused()});
  const RecordIndex second = sample.Add({{.millis_before = 500}});
  const RecordIndex third = sample.Add({{.millis_before = 1'000}});
  const AlertBody body = sample.Claim(third, 0, 3);
  const RecordIndex alert = sample.Raise(body);
  Shown shown;
  shown.from = before;
  CHECK(sample.Verify(alert, body.event, shown).verdict == AlertVerdict::kVerified);
  for (const RecordIndex out : {first, second}) {
    Shown less = shown;
    less.left_out = {out};
    CHECK(sample.Verify(alert, body.event, less).verdict == AlertVerdict::kNotRederivable);
    less.left_out.clear();
    less.without = {out};
    CHECK(sample.Verify(alert, body.event, less).verdict == AlertVerdict::kNotRederivable);
  }
  // The record that the chain refused has no events, but a block without it is not whole.
  Shown less = shown;
  less.left_out = {RecordIndex(first.value() - 1)};
  const AlertReport report = sample.Verify(alert, body.event, less);
  CHECK(report.verdict == AlertVerdict::kSupported);
  CHECK(report.rule->reach == Reach::kCited);
}

TEST_CASE("rule alert: who is new is told from the first block on alone", "[client]") {
  RuleSample sample;
  sample.Add({{.source = 7, .status = 1, .host = "a"}});
  const Height before = sample.height();
  sample.Pass(3);
  const RecordIndex batch = sample.Add({{.source = 7, .status = 1, .host = "b"}});
  const AlertBody body = sample.Claim(batch, 0, 4, /*rule=*/2);
  const RecordIndex alert = sample.Raise(body);
  const AlertReport chain = sample.Verify(alert, body.event, kAll);
  INFO(chain.reason);
  CHECK(chain.verdict == AlertVerdict::kVerified);
  Shown span;
  span.from = before;
  const AlertReport part = sample.Verify(alert, body.event, span);
  CHECK(part.verdict == AlertVerdict::kNotRederivable);
  Shown own;
  own.from = sample.height().Next();
  CHECK(sample.Verify(alert, body.event, own).reason.find("first block") != std::string::npos);
  CHECK(NeedOfRule(SampleRules(), 1)->everything == 7'000);
  CHECK(!NeedOfRule(SampleRules(), 2)->everything.has_value());
  CHECK(!NeedOfRule(SampleRules(), 4).has_value());
}

namespace {

// SampleRules() as another file: the same rules, of another version.
std::string LaterRules() {
  std::string rules = SampleRules();
  rules.replace(rules.find("version 1"), 9, "version 2");
  return rules;
}

// Three failed logons, matched under the first rules; then other rules; then three more, within the
// quiet time of the first match.
struct Changed {
  RuleSample sample;
  Height before;
  RecordIndex early;
  RecordIndex ballot;
  RecordIndex late;

  Changed() {
    before = sample.height();
    sample.Pass(8);
    const RecordIndex proposal =
        sample.ProposeRules(LaterRules(), sample.chain().network().genesis().rules_digest);
    early = sample.Add(std::vector<Logon>(3));
    ballot = sample.ApproveRules(proposal);
    late = sample.Add(std::vector<Logon>(3));
  }
  // Under the later rules.
  AlertBody LateClaim() const {
    AlertBody body = sample.Claim(late, 2, 3);
    body.rules_digest = ledger::RulesDigestOf(LaterRules());
    body.model_digest = ledger::RuleDigestOf(body.rules_digest, 1);
    return body;
  }
  Shown ShownSince(Height from) const {
    Shown shown;
    shown.from = from;
    shown.rules = LaterRules();
    return shown;
  }
};

}  // namespace

TEST_CASE("rule alert: one of earlier rules is verified after they were replaced", "[client]") {
  Changed t;
  const AlertBody body = t.sample.Claim(t.early, 2, 3);
  const RecordIndex alert = t.sample.Raise(body);
  CHECK(t.sample.HeightOf(alert) > t.sample.HeightOf(t.ballot));
  Shown shown;
  shown.from = t.before;
  for (const Shown& each : {kAll, shown}) {
    const AlertReport report = t.sample.Verify(alert, body.event, each);
    INFO(report.reason);
    CHECK(report.verdict == AlertVerdict::kVerified);
    CHECK_FALSE(report.evidence.alert->activated_by.has_value());
    // The later rules are none of its business.
    Shown other = each;
    other.rules = LaterRules();
    CHECK(t.sample.Verify(alert, body.event, other).verdict == AlertVerdict::kModelDiffers);
  }
}

TEST_CASE("rule alert: one of later rules is judged from where they began", "[client]") {
  Changed t;
  const AlertBody body = t.LateClaim();
  const RecordIndex alert = t.sample.Raise(body);
  for (const Height from : {Height(1), t.before}) {
    const AlertReport report = t.sample.Verify(alert, body.event, t.ShownSince(from));
    INFO(report.reason);
    CHECK(report.verdict == AlertVerdict::kVerified);
    CHECK(report.evidence.alert->activated_by == t.ballot);
    CHECK(report.evidence.alert->rules_from == t.sample.HeightOf(t.ballot).Next());
    Shown other = t.ShownSince(from);
    other.rules = SampleRules();
    CHECK(t.sample.Verify(alert, body.event, other).verdict == AlertVerdict::kModelDiffers);
  }
  // Whoever leaves out what made them the network's accuses nobody: its block is not whole.
  for (const Height from : {Height(1), t.before}) {
    Shown less = t.ShownSince(from);
    less.left_out = {t.ballot};
    const AlertReport report = t.sample.Verify(alert, body.event, less);
    CHECK(report.verdict == AlertVerdict::kSupported);
    CHECK(report.evidence.alert->rules_from == Height(0));
  }
  // A lie about them is one as before.
  AlertBody lie = t.LateClaim();
  lie.event.item = ItemIndex(1);
  lie.event_leaf = t.sample.Claim(t.late, 1, 3).event_leaf;
  const RecordIndex forged = t.sample.Raise(lie);
  CheckForged(t.sample.Verify(forged, lie.event, t.ShownSince(Height(1))));
}

TEST_CASE("rule alert: the chain takes none that cites rules of another time", "[client]") {
  Changed t;
  AlertBody too_early = t.LateClaim();
  too_early.event = t.sample.Claim(t.early, 2, 3).event;
  too_early.event_leaf = t.sample.Claim(t.early, 2, 3).event_leaf;
  AlertBody too_late = t.sample.Claim(t.late, 2, 3);
  for (const AlertBody& body : {too_early, too_late}) {
    const RecordIndex refused = t.sample.Commit(body, "globex/v1");
    for (const std::string& rules : {SampleRules(), LaterRules()}) {
      Shown shown;
      shown.rules = rules;
      CHECK(t.sample.Verify(refused, body.event, shown).verdict == AlertVerdict::kEvidenceRefused);
    }
  }
}

TEST_CASE("rule alert: no byte of the evidence can be changed", "[client]") {
  BruteForce t(/*failed=*/2);
  const AlertBody body = t.sample.Claim(t.batch, 1, 3);
  const RecordIndex alert = t.sample.Raise(body);
  const std::string right = t.sample.File(alert, body.event, t.Since(t.before));
  CHECK(VerifyAlert(t.sample.chain().policy(), right).verdict == AlertVerdict::kRuleDiffers);
  // Behind the checkpoint, which has more signatures than it needs.
  const size_t begin = right.find("c2sp.org/tlog-proof@v1");
  REQUIRE(begin != std::string::npos);
  VIGIL_TEST_SEED(seed, 20261128);
  SplitMix64 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string changed = right;
    const size_t at = begin + random.Below(right.size() - begin);
    changed[at] = static_cast<char>(changed[at] ^ (1 << random.Below(8)));
    const AlertReport report = VerifyAlert(t.sample.chain().policy(), changed);
    INFO("byte " << at << " of " << right.size() << ": " << AlertVerdictName(report.verdict));
    const bool refused = report.verdict == AlertVerdict::kEvidenceRefused ||
                         report.verdict == AlertVerdict::kModelDiffers;
    CHECK(refused);
  }
}

TEST_CASE("rule alert: a fault proof on the chain names what the file recomputes", "[client]") {
  BruteForce t(/*failed=*/2);
  const AlertBody body = t.sample.Claim(t.batch, 1, 3);
  const RecordIndex alert = t.sample.Raise(body);
  Shown shown = t.Since(t.before);
  for (const char* validator : {"acme/v0", "acme/v2"}) {
    ledger::AttestationBody attestation;
    attestation.attestations = {{.alert_index = alert, .verdict = 2, .score_q8 = 0}};
    shown.others.push_back(t.sample.Commit(attestation, validator));
  }
  ledger::FaultProofBody fault;
  fault.alert_index = alert;
  fault.fault = static_cast<uint32_t>(AlertFault::kRule);
  shown.others.push_back(t.sample.Commit(fault, "acme/v2"));
  const AlertReport report = t.sample.Verify(alert, body.event, shown);
  INFO(report.reason);
  CheckForged(report);
  CHECK(report.evidence.alert->contested_by == shown.others[1]);
  REQUIRE(report.evidence.alert->faults.size() == 1);
  CHECK(report.evidence.alert->faults[0].fault == AlertFault::kRule);
  CHECK(report.evidence.alert->faults[0].validator == "acme/v2");
}

}  // namespace vigil::client
