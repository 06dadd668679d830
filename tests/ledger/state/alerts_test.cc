#include "ledger/state/alerts.h"

#include "ledger/crypto/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

// One batch of three events at record 0 and an active model of period 1, digest 1.
struct AlertChain {
  explicit AlertChain(uint32_t validators = 3) : network(validators), chain(&network) {
    TestStream stream(&network, "acme/fw-1", "conn");
    chain.Commit({stream.Batch(3)});
    Activate(1);
  }
  void Activate(uint64_t period) {
    ModelCommitmentBody body;
    body.event_type = 1;
    body.period = period;
    body.window_end = Height(1);
    body.model_digest = TestHash(static_cast<uint8_t>(period));
    body.row_count = 512;
    body.threshold_q8 = 2048;
    std::vector<Record> records;
    for (const GenesisValidator& validator : network.genesis().validators) {
      records.push_back(network.Sign(body, validator.identity()));
    }
    chain.Commit(records);
  }
  AlertBody Body(uint32_t item = 0, uint64_t period = 1) const {
    AlertBody body;
    body.event = {RecordIndex(0), ItemIndex(item)};
    body.event_type = 1;
    body.period = period;
    body.model_digest = TestHash(static_cast<uint8_t>(period));
    body.score_q8 = 3000;
    body.threshold_q8 = 2048;
    body.component = 2;
    body.reasons = {{4, 700}, {2, 30}};
    body.event_leaf = TestHash(0x55);
    return body;
  }
  RecordResult Propose(uint32_t validator, const AlertBody& body) {
    return chain.CommitOne(network.Sign(body, network.validator(validator)));
  }
  RecordResult Attest(uint32_t validator, const std::vector<Attestation>& attestations) {
    AttestationBody body;
    body.attestations = attestations;
    return chain.CommitOne(network.Sign(body, network.validator(validator)));
  }
  AlertInfo Alert(RecordIndex index) { return chain.reader().GetAlert(index).value(); }

  TestNetwork network;
  TestChain chain;
};

constexpr uint32_t kConfirm = 1;
constexpr uint32_t kDispute = 2;

}  // namespace

TEST_CASE("a majority of confirmations confirms an alert", "[state]") {
  AlertChain test;
  const RecordResult proposed = test.Propose(0, test.Body(1));
  REQUIRE(proposed.code == ResultCode::kOk);
  const RecordIndex alert = proposed.index;
  CHECK(proposed.effects == std::vector<Effect>{{EffectType::kAlertProposed, alert.value(), ""}});
  CHECK(test.Alert(alert).state == AlertState::kProposed);
  const RecordResult attested = test.Attest(1, {{alert, kConfirm, 2990}});
  REQUIRE(attested.code == ResultCode::kOk);
  CHECK(attested.effects == std::vector<Effect>{{EffectType::kAlertConfirmed, alert.value(), ""}});

  const AlertInfo info = test.Alert(alert);
  CHECK(info.state == AlertState::kConfirmed);
  CHECK(info.confirmed_height == test.chain.tip().height);
  CHECK(info.height.Next() == info.confirmed_height);
  CHECK(info.proposer == "acme/v0");
  CHECK(info.event == EventRef{RecordIndex(0), ItemIndex(1)});
  CHECK(info.score_q8 == 3000);
  CHECK(info.component == 2);
  CHECK(info.reasons == std::vector<AlertReason>{{4, 700}, {2, 30}});
  CHECK(info.event_leaf == TestHash(0x55));
  REQUIRE(info.verdicts.size() == 2);
  CHECK(info.verdicts[0].validator == "acme/v0");
  CHECK(info.verdicts[0].record_index == alert);
  CHECK(info.verdicts[1].validator == "globex/v1");
  CHECK(info.verdicts[1].score_q8 == 2990);
  CHECK(test.chain.tip().alert_count == 1);
  CHECK(test.chain.tip().alert_confirmed_count == 1);

  SECTION("a late confirmation is kept and confirms nothing twice") {
    const RecordResult late = test.Attest(2, {{alert, kConfirm, 2995}});
    CHECK(late.code == ResultCode::kOk);
    CHECK(late.effects.empty());
    CHECK(test.Alert(alert).confirmed_height == info.confirmed_height);
    CHECK(test.chain.tip().alert_confirmed_count == 1);
  }
  SECTION("a late dispute is kept and changes nothing") {
    CHECK(test.Attest(2, {{alert, kDispute, 0}}).code == ResultCode::kOk);
    CHECK(test.Alert(alert).state == AlertState::kConfirmed);
    CHECK(test.Alert(alert).verdicts.size() == 3);
  }
}

TEST_CASE("one more dispute than may be faulty contests an alert", "[state]") {
  AlertChain test;
  const RecordIndex alert = test.Propose(0, test.Body()).index;
  CHECK(test.Attest(1, {{alert, kDispute, 10}}).effects.empty());
  CHECK(test.Alert(alert).state == AlertState::kProposed);
  const RecordResult second = test.Attest(2, {{alert, kDispute, 12}});
  CHECK(second.effects == std::vector<Effect>{{EffectType::kAlertContested, alert.value(), ""}});
  CHECK(test.Alert(alert).state == AlertState::kContested);
  CHECK(test.Alert(alert).confirmed_height == Height(0));
  CHECK(test.chain.tip().alert_confirmed_count == 0);
}

TEST_CASE("a network of one validator confirms its own alerts at once", "[state]") {
  AlertChain test(1);
  const RecordResult proposed = test.Propose(0, test.Body());
  CHECK(proposed.effects.size() == 2);
  CHECK(test.Alert(proposed.index).state == AlertState::kConfirmed);
}

TEST_CASE("an alert needs a model that is or just was active", "[state]") {
  AlertChain test;
  AlertBody body = test.Body();
  body.event_type = 2;
  CHECK(test.Propose(0, body).code == ResultCode::kNotFound);
  CHECK(test.Propose(0, test.Body(0, 2)).code == ResultCode::kNotFound);
  body = test.Body();
  body.model_digest = TestHash(0x99);
  CHECK(test.Propose(0, body).code == ResultCode::kInvalid);
  body = test.Body();
  body.threshold_q8 = 2047;
  CHECK(test.Propose(0, body).code == ResultCode::kInvalid);
  body = test.Body();
  body.score_q8 = 2047;
  CHECK(test.Propose(0, body).code == ResultCode::kInvalid);
  test.Activate(2);
  CHECK(test.Propose(0, test.Body(0, 1)).code == ResultCode::kOk);
  CHECK(test.Propose(0, test.Body(0, 2)).code == ResultCode::kOk);
  test.Activate(3);
  CHECK(test.Propose(0, test.Body(1, 1)).code == ResultCode::kStale);
  CHECK(test.Propose(0, test.Body(1, 2)).code == ResultCode::kOk);
  test.Activate(9);
  CHECK(test.Propose(0, test.Body(2, 2)).code == ResultCode::kStale);
  CHECK(test.Propose(0, test.Body(2, 3)).code == ResultCode::kOk);
  CHECK(test.Propose(0, test.Body(2, 5)).code == ResultCode::kStale);
}

TEST_CASE("an alert needs an event of an OK batch", "[state]") {
  AlertChain test;
  CHECK(test.Propose(0, test.Body(2)).code == ResultCode::kOk);
  CHECK(test.Propose(0, test.Body(3)).code == ResultCode::kNotFound);
  AlertBody body = test.Body();
  body.event.record_index = RecordIndex(1);  // The seal.
  CHECK(test.Propose(0, body).code == ResultCode::kNotFound);
  TestStream gapped(&test.network, "acme/fw-2", "conn");
  gapped.Batch(1);
  const RecordResult rejected = test.chain.CommitOne(gapped.Batch(1));
  REQUIRE(rejected.code == ResultCode::kGapped);
  body.event.record_index = rejected.index;
  CHECK(test.Propose(0, body).code == ResultCode::kNotFound);
  TestStream silent(&test.network, "acme/fw-2", "alive");
  body.event.record_index = test.chain.CommitOne(silent.Heartbeat()).index;
  CHECK(test.Propose(0, body).code == ResultCode::kNotFound);
}

TEST_CASE("an event of the same block can be alerted on after it and not before", "[state]") {
  AlertChain test;
  TestStream stream(&test.network, "acme/fw-2", "conn");
  AlertBody body = test.Body();
  body.event.record_index = RecordIndex(test.chain.tip().tree.size() + 1);
  const Record alert = test.network.Sign(body, "acme/v0");
  AlertBody later = body;
  later.score_q8 = 5000;
  const ExecutedBlock block =
      test.chain.Commit({alert, stream.Batch(1), test.network.Sign(later, "acme/v0")});
  CHECK(block.results[0].code == ResultCode::kNotFound);
  CHECK(block.results[2].code == ResultCode::kOk);
}

TEST_CASE("there is one alert per event and model", "[state]") {
  AlertChain test;
  const RecordIndex alert = test.Propose(0, test.Body()).index;
  CHECK(test.Propose(0, test.Body()).code == ResultCode::kAlreadyExists);
  CHECK(test.Propose(1, test.Body()).code == ResultCode::kAlreadyExists);
  CHECK(test.chain.reader().FindAlert(test.Body().event, TestHash(1)).value() == alert);
  CHECK(!test.chain.reader().FindAlert(test.Body(1).event, TestHash(1)).value().has_value());
  CHECK(test.chain.tip().alert_count == 1);
}

TEST_CASE("a verdict counts once per validator and the proposer has had its own", "[state]") {
  AlertChain test(5);
  const RecordIndex alert = test.Propose(0, test.Body()).index;
  CHECK(test.Attest(0, {{alert, kConfirm, 1}}).code == ResultCode::kAlreadyExists);
  CHECK(test.Attest(1, {{alert, kConfirm, 1}}).code == ResultCode::kOk);
  CHECK(test.Attest(1, {{alert, kConfirm, 1}}).code == ResultCode::kAlreadyExists);
  CHECK(test.Attest(1, {{alert, kDispute, 1}}).code == ResultCode::kAlreadyExists);
  CHECK(test.Alert(alert).state == AlertState::kProposed);
  CHECK(test.Alert(alert).verdicts.size() == 2);
}

TEST_CASE("entries of an attestation that cannot count are passed over", "[state]") {
  AlertChain test;
  const RecordIndex first = test.Propose(0, test.Body(0)).index;
  const RecordIndex second = test.Propose(0, test.Body(1)).index;
  const RecordIndex nothing(0);
  CHECK(test.Attest(1, {{nothing, kConfirm, 1}}).code == ResultCode::kNotFound);
  const RecordResult mixed = test.Attest(
      1, {{nothing, kConfirm, 1}, {first, kConfirm, 1}, {RecordIndex(999), kDispute, 1}});
  CHECK(mixed.code == ResultCode::kOk);
  CHECK(mixed.effects.size() == 1);
  CHECK(test.Attest(1, {{nothing, kConfirm, 1}, {first, kConfirm, 1}}).code ==
        ResultCode::kAlreadyExists);
  CHECK(test.Attest(1, {{first, kConfirm, 1}, {second, kConfirm, 1}}).code == ResultCode::kOk);
  CHECK(test.Alert(second).state == AlertState::kConfirmed);
}

TEST_CASE("only validators alert and attest", "[state]") {
  AlertChain test;
  CHECK(test.chain.CommitOne(test.network.Sign(test.Body(), "acme/fw-1")).code ==
        ResultCode::kPermissionDenied);
  AttestationBody body;
  body.attestations = {{RecordIndex(0), kConfirm, 1}};
  CHECK(test.chain.CommitOne(test.network.Sign(body, "acme/root")).code ==
        ResultCode::kPermissionDenied);
}

TEST_CASE("alerts are listed by state and in pages in both directions", "[state]") {
  AlertChain test;
  std::vector<RecordIndex> alerts;
  for (const uint32_t item : {0u, 1u, 2u}) {
    alerts.push_back(test.Propose(0, test.Body(item)).index);
  }
  test.Attest(1, {{alerts[1], kConfirm, 1}});
  const ChainReader reader = test.chain.reader();
  const auto list = [&](RecordIndex from, bool ascending, uint32_t limit,
                        std::optional<AlertState> state) {
    std::vector<RecordIndex> indexes;
    const std::vector<AlertInfo> found = reader.ListAlerts(from, ascending, limit, state).value();
    for (const AlertInfo& info : found) {
      indexes.push_back(info.index);
    }
    return indexes;
  };
  using Indexes = std::vector<RecordIndex>;
  const RecordIndex newest(UINT64_MAX);
  CHECK(list(newest, false, 10, std::nullopt) == Indexes{alerts[2], alerts[1], alerts[0]});
  CHECK(list(newest, false, 2, std::nullopt) == Indexes{alerts[2], alerts[1]});
  CHECK(list(alerts[1], false, 10, std::nullopt) == Indexes{alerts[1], alerts[0]});
  CHECK(list(alerts[1], true, 10, std::nullopt) == Indexes{alerts[1], alerts[2]});
  CHECK(list(RecordIndex(0), true, 1, std::nullopt) == Indexes{alerts[0]});
  CHECK(list(newest, false, 10, AlertState::kProposed) == Indexes{alerts[2], alerts[0]});
  CHECK(list(newest, false, 10, AlertState::kConfirmed) == Indexes{alerts[1]});
  CHECK(list(newest, false, 10, AlertState::kContested).empty());
  CHECK(list(newest, false, 0, std::nullopt).empty());
  CHECK(absl::IsNotFound(reader.GetAlert(RecordIndex(0)).status()));
}

TEST_CASE("an alert of a rule cites the rules of the network", "[state]") {
  const std::string rules = "the rule file";
  TestNetwork network(3, 2048, rules);
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(3)});
  const Hash digest = network.genesis().rules_digest;
  std::string tagged("vigil/detector/rules/v1\0", 24);
  CHECK(digest == Sha256(AsBytes(tagged + rules)));
  AlertBody body;
  body.event = {RecordIndex(0), ItemIndex(1)};
  body.event_type = 1;
  body.model_digest = RuleDigestOf(digest, 7);
  body.score_q8 = body.threshold_q8 = 2560;
  body.component = kRuleComponent;
  body.event_leaf = TestHash(0x55);
  body.rule = 7;
  body.rules_digest = digest;
  body.entity_kind = 2;
  body.observed = 12;
  const auto propose = [&](const AlertBody& alert) {
    return chain.CommitOne(network.Sign(alert, network.validator(0)));
  };
  SECTION("and is confirmed like any other") {
    const RecordResult proposed = propose(body);
    REQUIRE(proposed.code == ResultCode::kOk);
    AttestationBody attestation;
    attestation.attestations = {{proposed.index, kConfirm, 2560}};
    chain.CommitOne(network.Sign(attestation, network.validator(1)));
    const AlertInfo info = chain.reader().GetAlert(proposed.index).value();
    CHECK(info.state == AlertState::kConfirmed);
    CHECK(info.rule == 7);
    CHECK(info.rules_digest == digest);
    CHECK(info.entity_kind == 2);
    CHECK(info.observed == 12);
    CHECK(propose(body).code == ResultCode::kAlreadyExists);
    // Another rule on the same event is another alert.
    body.rule = 8;
    body.model_digest = RuleDigestOf(digest, 8);
    CHECK(propose(body).code == ResultCode::kOk);
  }
  SECTION("not those of another") {
    body.rules_digest = TestHash(1);
    body.model_digest = RuleDigestOf(TestHash(1), 7);
    CHECK(propose(body).code == ResultCode::kNotFound);
  }
  SECTION("with the digest of the rule that it names") {
    body.rule = 8;
    CHECK(propose(body).code == ResultCode::kInvalid);
  }
  SECTION("with a threshold that is its score") {
    body.score_q8 += 1;
    CHECK(propose(body).code == ResultCode::kInvalid);
  }
  SECTION("and an event that is there") {
    body.event.item = ItemIndex(3);
    CHECK(propose(body).code == ResultCode::kNotFound);
  }
}

TEST_CASE("a network without rules takes no alert of one", "[state]") {
  AlertChain test;
  AlertBody body = test.Body();
  body.period = 0;
  body.reasons.clear();
  body.component = kRuleComponent;
  body.threshold_q8 = body.score_q8;
  body.rule = 1;
  body.rules_digest = TestHash(9);
  body.model_digest = RuleDigestOf(TestHash(9), 1);
  body.entity_kind = 1;
  body.observed = 1;
  CHECK(test.Propose(0, body).code == ResultCode::kNotFound);
}

}  // namespace vigil::ledger
