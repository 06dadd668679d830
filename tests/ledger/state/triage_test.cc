// What analysts may do about alerts, and what they cannot do to each other.
#include "ledger/state/triage.h"

#include "ledger/state/tables.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kComponent = 3;

// A confirmed alert about an event of acme.
struct TriagedChain {
  TriagedChain() : chain(&network) {
    TestStream stream(&network, "acme/fw-1", "conn");
    chain.Commit({stream.Batch(3)});
    ModelCommitmentBody model;
    model.event_type = 1;
    model.period = 1;
    model.window_end = Height(1);
    model.model_digest = TestHash(1);
    model.threshold_q8 = 2048;
    std::vector<Record> records;
    for (const GenesisValidator& validator : network.genesis().validators) {
      records.push_back(network.Sign(model, validator.identity()));
    }
    chain.Commit(records);
    AlertBody alert;
    alert.event = {RecordIndex(0), ItemIndex(1)};
    alert.event_type = 1;
    alert.period = 1;
    alert.model_digest = TestHash(1);
    alert.score_q8 = 3000;
    alert.threshold_q8 = 2048;
    alert.component = kComponent;
    alert.event_leaf = TestHash(0x55);
    const RecordResult proposed = chain.CommitOne(network.Sign(alert, network.validator(0)));
    VIGIL_CHECK(proposed.code == ResultCode::kOk, "no alert");
    index = proposed.index;
  }
  Record Sign(const std::string& who, TriageAction action, uint64_t revision,
              TriageVerdict verdict = TriageVerdict::kNone, absl::string_view assignee = "") const {
    TriageBody body;
    body.alert_index = index;
    body.action = static_cast<uint32_t>(action);
    body.verdict = static_cast<uint32_t>(verdict);
    body.assignee = assignee;
    body.revision = revision;
    return network.Sign(body, who);
  }
  ResultCode Do(const std::string& who, TriageAction action, uint64_t revision,
                TriageVerdict verdict = TriageVerdict::kNone, absl::string_view assignee = "") {
    return chain.CommitOne(Sign(who, action, revision, verdict, assignee)).code;
  }
  TriageInfo Triage() { return chain.reader().GetAlert(index).value().triage; }
  TriageTotals Totals() {
    const std::vector<TriageTotals> all = chain.reader().ListTriageTotals().value();
    REQUIRE(all.size() == 1);
    CHECK(all[0].event_type == 1);
    CHECK(all[0].component == kComponent);
    return all[0];
  }

  TestNetwork network;
  TestChain chain;
  RecordIndex index;
};

TEST_CASE("triage: an alert is acknowledged and assigned and closed and reopened", "[state]") {
  TriagedChain test;
  CHECK(test.Triage().state == TriageState::kOpen);
  CHECK(test.Triage().steps.empty());
  const RecordResult first =
      test.chain.CommitOne(test.Sign("acme/ann", TriageAction::kAcknowledge, 0));
  REQUIRE(first.code == ResultCode::kOk);
  CHECK(first.effects == std::vector<Effect>{{EffectType::kAlertTriaged, test.index.value(),
                                              std::string(1, '\x01')}});
  CHECK(test.Triage().state == TriageState::kAcknowledged);
  REQUIRE(test.Do("acme/ann", TriageAction::kAssign, 1, TriageVerdict::kNone, "acme/amir") ==
          ResultCode::kOk);
  CHECK(test.Triage().assignee == "acme/amir");
  REQUIRE(test.Do("acme/amir", TriageAction::kClose, 2, TriageVerdict::kFalsePositive) ==
          ResultCode::kOk);
  TriageInfo info = test.Triage();
  CHECK(info.state == TriageState::kClosed);
  CHECK(info.verdict == TriageVerdict::kFalsePositive);
  CHECK(info.assignee == "acme/amir");
  CHECK(test.Totals().false_positive == 1);
  REQUIRE(test.Do("acme/ann", TriageAction::kReopen, 3) == ResultCode::kOk);
  CHECK(test.Totals().false_positive == 0);
  CHECK(test.Triage().verdict == TriageVerdict::kNone);
  REQUIRE(test.Do("acme/ann", TriageAction::kClose, 4, TriageVerdict::kTruePositive) ==
          ResultCode::kOk);
  CHECK(test.Totals().true_positive == 1);
  info = test.Triage();
  REQUIRE(info.steps.size() == 5);
  CHECK(info.steps[0].by == "acme/ann");
  CHECK(info.steps[1].assignee == "acme/amir");
  CHECK(info.steps[2].by == "acme/amir");
  CHECK(info.steps[2].verdict == TriageVerdict::kFalsePositive);
  CHECK(info.steps[4].height == test.chain.tip().height);
}

TEST_CASE("triage: only analysts of the organisation that reported the event", "[state]") {
  TriagedChain test;
  for (const char* who : {"acme/root", "acme/eve", "acme/fw-1", "acme/v0", "globex/gina"}) {
    INFO(who);
    CHECK(test.Do(who, TriageAction::kAcknowledge, 0) == ResultCode::kPermissionDenied);
  }
  for (const char* assignee : {"globex/gina", "acme/root", "acme/nobody", "ann"}) {
    INFO(assignee);
    CHECK(test.Do("acme/ann", TriageAction::kAssign, 0, TriageVerdict::kNone, assignee) ==
          ResultCode::kInvalid);
  }
  CHECK(test.Triage().steps.empty());
  CHECK(test.chain.reader().ListTriageTotals()->empty());
}

TEST_CASE("triage: what was not seen is not overwritten", "[state]") {
  TriagedChain test;
  const Record early = test.Sign("acme/amir", TriageAction::kClose, 0, TriageVerdict::kExpected);
  REQUIRE(test.Do("acme/ann", TriageAction::kClose, 0, TriageVerdict::kTruePositive) ==
          ResultCode::kOk);
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(early.leaf));
  REQUIRE(view.ok());
  CHECK(absl::IsAlreadyExists(
      CheckAdmissible(test.network.genesis(), test.chain.reader().state(), *view, Hash())));
  CHECK(test.chain.CommitOne(early).code == ResultCode::kStale);
  CHECK(test.Do("acme/ann", TriageAction::kReopen, 7) == ResultCode::kStale);
  CHECK(test.Triage().verdict == TriageVerdict::kTruePositive);
  CHECK(test.Totals().expected == 0);
}

TEST_CASE("triage: steps that cannot follow are refused", "[state]") {
  TriagedChain test;
  CHECK(test.Do("acme/ann", TriageAction::kReopen, 0) == ResultCode::kInvalid);
  REQUIRE(test.Do("acme/ann", TriageAction::kAssign, 0, TriageVerdict::kNone, "acme/ann") ==
          ResultCode::kOk);
  CHECK(test.Do("acme/ann", TriageAction::kAcknowledge, 1) == ResultCode::kInvalid);
  REQUIRE(test.Do("acme/ann", TriageAction::kClose, 1, TriageVerdict::kExpected) ==
          ResultCode::kOk);
  CHECK(test.Do("acme/ann", TriageAction::kClose, 2, TriageVerdict::kExpected) ==
        ResultCode::kInvalid);
  CHECK(test.Do("acme/ann", TriageAction::kAssign, 2, TriageVerdict::kNone, "acme/amir") ==
        ResultCode::kInvalid);
  CHECK(test.Totals().expected == 1);
  TriageBody body;
  body.alert_index = RecordIndex(0);  // A batch.
  body.action = 1;
  CHECK(test.chain.CommitOne(test.network.Sign(body, "acme/ann")).code == ResultCode::kNotFound);
}

TEST_CASE("triage: one alert takes a bounded number of steps", "[state]") {
  TriagedChain test;
  uint64_t revision = 0;
  std::vector<Record> records;
  while (revision < kTriageStepsMax) {
    const bool close = revision % 2 == 0;
    records.push_back(test.Sign("acme/ann", close ? TriageAction::kClose : TriageAction::kReopen,
                                revision, close ? TriageVerdict::kExpected : TriageVerdict::kNone));
    ++revision;
  }
  test.chain.Commit(records);
  CHECK(test.Triage().steps.size() == kTriageStepsMax);
  CHECK(test.Do("acme/ann", TriageAction::kClose, revision, TriageVerdict::kExpected) ==
        ResultCode::kInvalid);
}

}  // namespace
}  // namespace vigil::ledger
