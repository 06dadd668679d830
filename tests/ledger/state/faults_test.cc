#include "ledger/state/faults.h"

#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kDispute = 2;
constexpr uint32_t kConfirm = 1;

// Five validators, a batch of three events, a model, and alerts on it.
struct FaultChain {
  FaultChain() : network(5), chain(&network) {
    TestStream stream(&network, "acme/fw-1", "conn");
    chain.Commit({stream.Batch(3)});
    ModelCommitmentBody model;
    model.event_type = 1;
    model.period = 1;
    model.window_end = Height(1);
    model.model_digest = TestHash(1);
    model.row_count = 512;
    model.threshold_q8 = 2048;
    std::vector<Record> records;
    for (const GenesisValidator& validator : network.genesis().validators) {
      records.push_back(network.Sign(model, validator.identity()));
    }
    chain.Commit(records);
  }
  RecordIndex Raise(uint32_t item, uint32_t validator = 0) {
    AlertBody body;
    body.event = {RecordIndex(0), ItemIndex(item)};
    body.event_type = 1;
    body.period = 1;
    body.model_digest = TestHash(1);
    body.score_q8 = 3000;
    body.threshold_q8 = 2048;
    body.component = 2;
    body.event_leaf = TestHash(0x55);
    return chain.CommitOne(network.Sign(body, network.validator(validator))).index;
  }
  void Judge(uint32_t validator, RecordIndex alert, uint32_t verdict, uint32_t score_q8 = 100) {
    AttestationBody body;
    body.attestations = {{.alert_index = alert, .verdict = verdict, .score_q8 = score_q8}};
    REQUIRE(chain.CommitOne(network.Sign(body, network.validator(validator))).code ==
            ResultCode::kOk);
  }
  // Contested by validators 1, 2 and 3 with a score of 100 each.
  RecordIndex RaiseContested(uint32_t item) {
    const RecordIndex alert = Raise(item);
    for (const uint32_t validator : {1u, 2u, 3u}) Judge(validator, alert, kDispute);
    REQUIRE(chain.reader().GetAlert(alert)->state == AlertState::kContested);
    return alert;
  }
  static FaultProofBody Body(RecordIndex alert, uint32_t score_q8 = 100) {
    FaultProofBody body;
    body.alert_index = alert;
    body.fault = static_cast<uint32_t>(AlertFault::kScore);
    body.score_q8 = score_q8;
    body.threshold_q8 = 2048;
    body.component = 3;
    return body;
  }
  RecordResult Accuse(uint32_t validator, const FaultProofBody& body) {
    return chain.CommitOne(network.Sign(body, network.validator(validator)));
  }

  TestNetwork network;
  TestChain chain;
};

}  // namespace

TEST_CASE("a disputer records the fault of a contested alert and nothing else changes", "[state]") {
  FaultChain test;
  const RecordIndex alert = test.RaiseContested(0);
  const AlertInfo before = test.chain.reader().GetAlert(alert).value();
  const RecordResult result = test.Accuse(2, test.Body(alert));
  REQUIRE(result.code == ResultCode::kOk);
  CHECK(result.effects ==
        std::vector<Effect>{{EffectType::kFaultRecorded, alert.value(), std::string(1, '\x01')}});
  const std::vector<FaultInfo> faults = test.chain.reader().FaultsOf(alert).value();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].validator == "acme/v2");
  CHECK(faults[0].fault.fault == AlertFault::kScore);
  CHECK(faults[0].fault.score_q8 == 100);
  CHECK(faults[0].fault.threshold_q8 == 2048);
  CHECK(faults[0].fault.component == 3);
  CHECK(faults[0].fault.record_index == result.index);
  CHECK(faults[0].fault.height == test.chain.tip().height);
  // Never punished: the alert stands as it did, and its author raises alerts as before.
  const AlertInfo after = test.chain.reader().GetAlert(alert).value();
  CHECK(after.state == before.state);
  CHECK(after.verdicts.size() == before.verdicts.size());
  CHECK(test.chain.reader().GetAlert(test.Raise(1, /*validator=*/0)).ok());
}

TEST_CASE("a fault needs an alert that is contested and an own dispute that says the same",
          "[state]") {
  FaultChain test;
  CHECK(test.Accuse(1, test.Body(RecordIndex(3))).code == ResultCode::kNotFound);
  const RecordIndex open = test.Raise(1);
  test.Judge(1, open, kDispute);
  CHECK(test.Accuse(1, test.Body(open)).code ==
        ResultCode::kInvalid);  // One dispute is not enough.
  const RecordIndex confirmed = test.Raise(2);
  test.Judge(1, confirmed, kConfirm);
  test.Judge(2, confirmed, kConfirm);
  test.Judge(3, confirmed, kDispute);
  CHECK(test.Accuse(3, test.Body(confirmed)).code == ResultCode::kInvalid);
  const RecordIndex alert = test.RaiseContested(0);
  CHECK(test.Accuse(0, test.Body(alert)).code == ResultCode::kInvalid);       // Its own author.
  CHECK(test.Accuse(4, test.Body(alert)).code == ResultCode::kInvalid);       // Said nothing.
  CHECK(test.Accuse(1, test.Body(alert, 101)).code == ResultCode::kInvalid);  // Disputed with 100.
  test.Judge(4, alert, kConfirm);
  CHECK(test.Accuse(4, test.Body(alert)).code == ResultCode::kInvalid);
  CHECK(test.chain.reader().FaultsOf(alert)->empty());
  CHECK(test.chain.CommitOne(test.network.Sign(test.Body(alert), "acme/fw-1")).code ==
        ResultCode::kPermissionDenied);
}

TEST_CASE("a fault is recorded once and a liar's words beside it are his by name", "[state]") {
  FaultChain test;
  const RecordIndex alert = test.RaiseContested(0);
  REQUIRE(test.Accuse(1, test.Body(alert)).code == ResultCode::kOk);
  CHECK(test.Accuse(2, test.Body(alert)).code == ResultCode::kAlreadyExists);
  FaultProofBody other = test.Body(alert);
  other.component = 1;
  CHECK(test.Accuse(1, other).code == ResultCode::kAlreadyExists);
  CHECK(test.Accuse(2, other).code == ResultCode::kOk);
  CHECK(test.Accuse(3, other).code == ResultCode::kAlreadyExists);
  const std::vector<FaultInfo> faults = test.chain.reader().FaultsOf(alert).value();
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].validator == "acme/v2");
  CHECK(faults[0].fault.component == 1);
  CHECK(faults[1].validator == "globex/v1");
  CHECK(faults[1].fault.component == 3);
}

TEST_CASE("a fault that stands is not admitted again", "[state]") {
  FaultChain test;
  const RecordIndex alert = test.RaiseContested(0);
  const auto admissible = [&](uint32_t validator) {
    const Record record = test.network.Sign(test.Body(alert), test.network.validator(validator));
    const RecordView view = DecodeRecord(AsBytes(record.leaf)).value();
    const ChainReader reader = test.chain.reader();
    const auto state = StateAt(reader, test.chain.tip().height).value();
    return CheckAdmissible(test.network.genesis(), *state, view, LeafHash(AsBytes(record.leaf)));
  };
  CHECK(admissible(1).ok());
  REQUIRE(test.Accuse(1, test.Body(alert)).code == ResultCode::kOk);
  CHECK(absl::IsAlreadyExists(admissible(1)));
  CHECK(absl::IsAlreadyExists(admissible(2)));
}

TEST_CASE("alerts with faults are listed from the newest down", "[state]") {
  FaultChain test;
  std::vector<RecordIndex> alerts;
  for (uint32_t item = 0; item < 3; ++item) {
    alerts.push_back(test.RaiseContested(item));
    REQUIRE(test.Accuse(1, test.Body(alerts.back())).code == ResultCode::kOk);
  }
  const ChainReader reader = test.chain.reader();
  const auto list = [&](uint64_t from, uint32_t limit) {
    return reader.ListFaultyAlerts(RecordIndex(from), limit).value();
  };
  CHECK(list(UINT64_MAX, 10) == std::vector<RecordIndex>{alerts[2], alerts[1], alerts[0]});
  CHECK(list(UINT64_MAX, 2) == std::vector<RecordIndex>{alerts[2], alerts[1]});
  CHECK(list(alerts[1].value(), 10) == std::vector<RecordIndex>{alerts[1], alerts[0]});
  CHECK(list(alerts[1].value() - 1, 10) == std::vector<RecordIndex>{alerts[0]});
  CHECK(list(UINT64_MAX, 0).empty());
  CHECK(list(0, 10).empty());
}

TEST_CASE("alerts are counted under their model and as they were settled", "[state]") {
  FaultChain test;
  CHECK(test.chain.reader().AlertsOfModel(1, 1)->raised == 0);
  test.RaiseContested(0);
  const RecordIndex confirmed = test.Raise(1);
  test.Judge(1, confirmed, kConfirm);
  test.Judge(2, confirmed, kConfirm);
  test.Judge(3, confirmed, kConfirm);  // Late: counted once.
  test.Raise(2);
  const ModelAlertsRow counts = test.chain.reader().AlertsOfModel(1, 1).value();
  CHECK(counts.raised == 3);
  CHECK(counts.confirmed == 1);
  CHECK(counts.contested == 1);
  CHECK(test.chain.reader().AlertsOfModel(2, 1)->raised == 0);
  CHECK(test.chain.reader().PreviousPeriod(1).value() == 0);
}

}  // namespace vigil::ledger
