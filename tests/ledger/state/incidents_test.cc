// How confirmed alerts become incidents, and what nobody can do to them.
#include "ledger/state/incidents.h"

#include <algorithm>
#include <set>

#include "ledger/base/random.h"
#include "ledger/state/tables.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kSource = 1;
constexpr uint32_t kUser = 5;
constexpr uint32_t kConfirm = 1;
constexpr uint32_t kDispute = 2;
constexpr uint32_t kBatchEvents = 400;

// Batches of 400 events at records 0 and 1 (acme) and 2 (globex), and an active model.
struct IncidentChain {
  explicit IncidentChain(uint32_t validators = 3) : network(validators), chain(&network) {
    TestStream first(&network, "acme/fw-1", "conn");
    TestStream second(&network, "acme/fw-2", "conn");
    TestStream other(&network, "globex/ids-1", "conn");
    second.NumberEventsFrom(10'000);
    other.NumberEventsFrom(20'000);
    chain.Commit(
        {first.Batch(kBatchEvents), second.Batch(kBatchEvents), other.Batch(kBatchEvents)});
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
  }
  static EventRef At(uint64_t record, uint32_t item) {
    return {RecordIndex(record), ItemIndex(item)};
  }
  static AlertBody Body(const EventRef& event, const EventRef& anchor, uint32_t kind = kSource) {
    AlertBody body;
    body.event = event;
    body.event_type = 1;
    body.period = 1;
    body.model_digest = TestHash(1);
    body.score_q8 = 3000;
    body.threshold_q8 = 2048;
    body.component = 2;
    body.event_leaf = TestHash(0x55);
    body.anchor = anchor;
    body.anchor_kind = kind;
    return body;
  }
  // Executes a block `after` ms behind the last one.
  ExecutedBlock Commit(const std::vector<Record>& records, uint64_t after = 1000) {
    BlockHeader header = chain.NextHeader();
    header.time_unix_millis = chain.tip().time_unix_millis + after;
    absl::StatusOr<ExecutedBlock> executed = chain.Add(chain.Make(header, records));
    VIGIL_CHECK(executed.ok(), executed.status().message());
    return *std::move(executed);
  }
  RecordResult Raise(const AlertBody& body, uint32_t validator = 0) {
    return Commit({network.Sign(body, network.validator(validator))}).results.at(0);
  }
  RecordResult Attest(RecordIndex alert, uint32_t validator, uint32_t verdict,
                      uint64_t after = 1000) {
    AttestationBody body;
    body.attestations = {{alert, verdict, 3000}};
    return Commit({network.Sign(body, network.validator(validator))}, after).results.at(0);
  }
  // An alert that a second validator confirmed, in a block `after` ms behind the alert's.
  RecordIndex Confirmed(const AlertBody& body, uint64_t after = 1000) {
    const RecordResult raised = Raise(body);
    REQUIRE(raised.code == ResultCode::kOk);
    REQUIRE(Attest(raised.index, 1, kConfirm, after).code == ResultCode::kOk);
    return raised.index;
  }
  ResultCode Triage(RecordIndex alert, TriageAction action, uint64_t revision) {
    TriageBody body;
    body.alert_index = alert;
    body.action = static_cast<uint32_t>(action);
    if (action == TriageAction::kClose) body.verdict = 1;
    body.revision = revision;
    return chain.CommitOne(network.Sign(body, "acme/ann")).code;
  }
  RecordIndex IncidentOf(RecordIndex alert) {
    return chain.reader().GetAlert(alert).value().incident;
  }
  IncidentInfo Incident(RecordIndex index) { return chain.reader().GetIncident(index).value(); }
  std::vector<RecordIndex> List(std::optional<bool> closed) {
    std::vector<RecordIndex> all;
    const auto listed = chain.reader().ListIncidents(RecordIndex(UINT64_MAX), false, 1000, closed);
    for (const IncidentInfo& info : listed.value()) {
      all.push_back(info.index);
    }
    return all;
  }

  TestNetwork network;
  TestChain chain;
};

const RecordIndex kNone(0);

}  // namespace

TEST_CASE("incidents: confirmed alerts with one anchor are one incident", "[state]") {
  IncidentChain test;
  const EventRef anchor = test.At(0, 3);
  const RecordResult raised = test.Raise(test.Body(anchor, anchor));
  CHECK(test.IncidentOf(raised.index) == kNone);
  const RecordResult confirmed = test.Attest(raised.index, 1, kConfirm);
  CHECK(confirmed.effects ==
        std::vector<Effect>{{EffectType::kAlertConfirmed, raised.index.value(), ""},
                            {EffectType::kIncidentOpened, raised.index.value(), ""}});
  const uint64_t opened_millis = test.chain.tip().time_unix_millis;
  const Height opened = test.chain.tip().height;
  const RecordIndex second = test.Confirmed(test.Body(test.At(1, 7), anchor));

  const IncidentInfo info = test.Incident(raised.index);
  CHECK(info.alerts == std::vector<RecordIndex>{raised.index, second});
  CHECK(test.IncidentOf(second) == raised.index);
  CHECK(info.row.kind == kSource);
  CHECK(info.row.anchor == anchor);
  CHECK(info.row.org == "acme");
  CHECK(info.row.opened_height == opened);
  CHECK(info.row.opened_millis == opened_millis);
  CHECK(info.row.last_height == test.chain.tip().height);
  CHECK(info.row.last_millis == test.chain.tip().time_unix_millis);
  CHECK(info.row.alert_count == 2);
  CHECK(info.row.closed_count == 0);
  CHECK(info.row.score_q8_max == 3000);
  CHECK(test.List(std::nullopt) == std::vector<RecordIndex>{raised.index});
}

TEST_CASE("incidents: another anchor or kind or none is another incident or none", "[state]") {
  IncidentChain test;
  const EventRef anchor = test.At(0, 3);
  const RecordIndex first = test.Confirmed(test.Body(anchor, anchor));
  const RecordIndex user = test.Confirmed(test.Body(test.At(0, 4), anchor, kUser));
  CHECK(test.IncidentOf(user) == user);
  const RecordIndex other = test.Confirmed(test.Body(test.At(0, 5), test.At(0, 2)));
  CHECK(test.IncidentOf(other) == other);
  const RecordIndex none = test.Confirmed(test.Body(test.At(0, 6), EventRef(), 0));
  CHECK(test.IncidentOf(none) == kNone);
  CHECK(test.List(std::nullopt) == std::vector<RecordIndex>{other, user, first});
  CHECK(absl::IsNotFound(test.chain.reader().GetIncident(none).status()));

  SECTION("whose event is the anchor of others joins them under another anchor of its own") {
    const RecordIndex late = test.Confirmed(test.Body(test.At(0, 8), test.At(0, 5)));
    CHECK(test.IncidentOf(late) == other);
    const RecordIndex later = test.Confirmed(test.Body(test.At(0, 9), test.At(0, 8)));
    CHECK(test.IncidentOf(later) == other);
  }
}

TEST_CASE("incidents: an anchor is an event of the same organisation", "[state]") {
  IncidentChain test;
  CHECK(test.Raise(test.Body(test.At(2, 0), test.At(0, 0))).code == ResultCode::kInvalid);
  CHECK(test.Raise(test.Body(test.At(1, 0), test.At(0, kBatchEvents))).code ==
        ResultCode::kNotFound);
  CHECK(test.Raise(test.Body(test.At(1, 0), test.At(0, 0))).code == ResultCode::kOk);
  CHECK(test.Raise(test.Body(test.At(2, 0), test.At(2, 0))).code == ResultCode::kOk);
}

TEST_CASE("incidents: what is not confirmed is in none", "[state]") {
  IncidentChain test;
  const EventRef anchor = test.At(0, 3);
  const RecordIndex first = test.Confirmed(test.Body(anchor, anchor));
  const RecordIndex proposed = test.Raise(test.Body(test.At(0, 4), anchor)).index;
  const RecordIndex contested = test.Raise(test.Body(test.At(0, 5), anchor)).index;
  CHECK(test.Attest(contested, 1, kDispute).code == ResultCode::kOk);
  CHECK(test.Attest(contested, 2, kDispute).code == ResultCode::kOk);
  CHECK(test.IncidentOf(proposed) == kNone);
  CHECK(test.IncidentOf(contested) == kNone);
  CHECK(test.Incident(first).alerts == std::vector<RecordIndex>{first});
  // A contested alert stays what it is, whoever confirms it later.
  CHECK(test.Attest(contested, 0, kConfirm).code == ResultCode::kAlreadyExists);
  CHECK(test.Incident(first).row.alert_count == 1);

  SECTION("an event that is raised anew and confirmed is in it once") {
    const RecordResult anew = test.Raise(test.Body(test.At(0, 5), anchor), 1);
    REQUIRE(anew.code == ResultCode::kOk);
    CHECK(test.Attest(anew.index, 2, kConfirm).code == ResultCode::kOk);
    CHECK(test.Incident(first).alerts == std::vector<RecordIndex>{first, anew.index});
  }
}

TEST_CASE("incidents: silence and length end one by the blocks' time", "[state]") {
  IncidentChain test;
  const EventRef anchor = test.At(0, 0);
  const RecordIndex first = test.Confirmed(test.Body(test.At(0, 0), anchor));

  SECTION("as long as allowed is not too long") {
    const RecordIndex next =
        test.Confirmed(test.Body(test.At(0, 1), anchor), kIncidentGapMillis - 1000);
    CHECK(test.IncidentOf(next) == first);
  }
  SECTION("a millisecond longer is") {
    const RecordIndex next =
        test.Confirmed(test.Body(test.At(0, 1), anchor), kIncidentGapMillis - 999);
    CHECK(test.IncidentOf(next) == next);
    const RecordIndex after = test.Confirmed(test.Body(test.At(0, 2), anchor));
    CHECK(test.IncidentOf(after) == next);
  }
  SECTION("one that goes on for a day is another on the next") {
    uint32_t item = 1;
    const uint64_t begin = test.chain.tip().time_unix_millis;
    RecordIndex last = first;
    while (test.IncidentOf(last) == first) {
      last = test.Confirmed(test.Body(test.At(0, item++), anchor), kIncidentGapMillis - 1000);
      REQUIRE(item < 20);
    }
    CHECK(test.chain.tip().time_unix_millis - begin > kIncidentSpanMillis);
    CHECK(test.Incident(first).row.last_millis - begin <= kIncidentSpanMillis);
  }
}

TEST_CASE("incidents: a flood by one validator fills bounded incidents and nobody else's",
          "[state]") {
  IncidentChain test(1);  // Its alerts are confirmed at once: the worst case.
  const EventRef anchor = test.At(0, 0);
  const RecordIndex honest = test.Raise(test.Body(test.At(1, 0), test.At(1, 0))).index;
  std::vector<RecordIndex> alerts;
  for (uint32_t from = 0; from < kBatchEvents; from += 100) {
    std::vector<Record> records;
    for (uint32_t item = from; item < from + 100; ++item) {
      records.push_back(
          test.network.Sign(test.Body(test.At(0, item), anchor), test.network.validator(0)));
    }
    for (const RecordResult& result : test.Commit(records).results) {
      REQUIRE(result.code == ResultCode::kOk);
      alerts.push_back(result.index);
    }
  }
  const RecordIndex full = alerts.front();
  const RecordIndex rest = alerts[kIncidentAlertsMax];
  CHECK(test.Incident(full).alerts.size() == kIncidentAlertsMax);
  CHECK(test.Incident(full).row.alert_count == kIncidentAlertsMax);
  CHECK(test.Incident(rest).alerts.size() == kBatchEvents - kIncidentAlertsMax);
  CHECK(test.Incident(honest).alerts == std::vector<RecordIndex>{honest});
  CHECK(test.List(std::nullopt) == std::vector<RecordIndex>{rest, full, honest});

  SECTION("executed again it gives the same digests") {
    TestChain again(&test.network);
    for (const BlockPtr& block : test.chain.blocks()) {
      REQUIRE(again.Add(block).ok());
      CHECK(again.tip().state_digest == test.chain.reader().StateDigest(block->height()).value());
    }
  }
}

TEST_CASE("incidents: one is closed while all its alerts are", "[state]") {
  IncidentChain test;
  const EventRef anchor = test.At(0, 0);
  const RecordIndex first = test.Confirmed(test.Body(anchor, anchor));
  const RecordIndex second = test.Confirmed(test.Body(test.At(0, 1), anchor));
  const std::vector<RecordIndex> all = {first};
  const std::vector<RecordIndex> none;
  CHECK(test.List(false) == all);
  CHECK(test.Triage(first, TriageAction::kAcknowledge, 0) == ResultCode::kOk);
  CHECK(test.Triage(first, TriageAction::kClose, 1) == ResultCode::kOk);
  CHECK(test.Incident(first).row.closed_count == 1);
  CHECK(test.List(true) == none);
  CHECK(test.Triage(second, TriageAction::kClose, 0) == ResultCode::kOk);
  CHECK(test.Incident(first).row.closed());
  CHECK(test.List(true) == all);
  CHECK(test.List(false) == none);

  SECTION("a step that is refused changes nothing") {
    CHECK(test.Triage(second, TriageAction::kClose, 1) == ResultCode::kInvalid);
    CHECK(test.Triage(second, TriageAction::kReopen, 0) == ResultCode::kStale);
    CHECK(test.Incident(first).row.closed_count == 2);
  }
  SECTION("reopening one opens it") {
    CHECK(test.Triage(second, TriageAction::kReopen, 1) == ResultCode::kOk);
    CHECK(test.Incident(first).row.closed_count == 1);
    CHECK(test.List(true) == none);
    CHECK(test.List(false) == all);
  }
  SECTION("a further alert opens it") {
    test.Confirmed(test.Body(test.At(0, 2), anchor));
    CHECK(test.List(true) == none);
    CHECK(test.List(false) == all);
    CHECK(test.Incident(first).row.alert_count == 3);
  }
  SECTION("one that was closed before it was confirmed counts as closed") {
    const RecordIndex third = test.Raise(test.Body(test.At(0, 2), anchor)).index;
    CHECK(test.Triage(third, TriageAction::kClose, 0) == ResultCode::kOk);
    CHECK(test.Incident(first).row.closed_count == 2);
    CHECK(test.Attest(third, 1, kConfirm).code == ResultCode::kOk);
    CHECK(test.Incident(first).row.closed_count == 3);
    CHECK(test.List(true) == all);
  }
}

namespace {

// The rule of incidents.h, by looking through everything that was confirmed before.
class SlowIncidents {
 public:
  RecordIndex Take(RecordIndex alert, const AlertBody& body, uint64_t now) {
    RecordIndex incident = Find(body.anchor_kind, body.anchor, now);
    if (incident == kNone) incident = Find(body.anchor_kind, body.event, now);
    if (incident == kNone) incident = alert;
    taken_.push_back({alert, body.anchor_kind, body.anchor, body.event, now, incident});
    return incident;
  }
  std::vector<RecordIndex> AlertsOf(RecordIndex incident) const {
    std::vector<RecordIndex> alerts;
    for (const Taken& taken : taken_) {
      if (taken.incident == incident) alerts.push_back(taken.alert);
    }
    std::sort(alerts.begin(), alerts.end());
    return alerts;
  }
  std::set<RecordIndex> All() const {
    std::set<RecordIndex> all;
    for (const Taken& taken : taken_) all.insert(taken.incident);
    return all;
  }

 private:
  struct Taken {
    RecordIndex alert;
    uint32_t kind = 0;
    EventRef anchor;
    EventRef event;
    uint64_t at = 0;
    RecordIndex incident;
  };
  RecordIndex Find(uint32_t kind, const EventRef& event, uint64_t now) const {
    const auto last = std::find_if(taken_.rbegin(), taken_.rend(), [&](const Taken& taken) {
      return taken.kind == kind && (taken.anchor == event || taken.event == event);
    });
    if (last == taken_.rend()) return kNone;
    uint64_t opened = UINT64_MAX;
    uint64_t newest = 0;
    size_t count = 0;
    for (const Taken& taken : taken_) {
      if (taken.incident != last->incident) continue;
      opened = std::min(opened, taken.at);
      newest = std::max(newest, taken.at);
      ++count;
    }
    const bool open = count < kIncidentAlertsMax && now - newest <= kIncidentGapMillis &&
                      now - opened <= kIncidentSpanMillis;
    return open ? last->incident : kNone;
  }
  std::vector<Taken> taken_;
};

void CheckPages(const ChainReader& reader, const std::set<RecordIndex>& all, bool ascending) {
  std::vector<RecordIndex> seen;
  RecordIndex from(ascending ? 0 : UINT64_MAX);
  for (;;) {
    const std::vector<IncidentInfo> page = reader.ListIncidents(from, ascending, 4, {}).value();
    const size_t shown = std::min<size_t>(page.size(), 3);
    for (size_t i = 0; i < shown; ++i) seen.push_back(page[i].index);
    if (page.size() < 4) break;
    from = page[3].index;
  }
  std::vector<RecordIndex> expected(all.begin(), all.end());
  if (!ascending) std::reverse(expected.begin(), expected.end());
  CHECK(seen == expected);
}

}  // namespace

TEST_CASE("incidents: random alerts are grouped as a slow model groups them", "[state]") {
  const uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u);
  CAPTURE(seed);
  SplitMix64 random(seed);
  IncidentChain test;
  SlowIncidents slow;
  std::vector<std::pair<RecordIndex, AlertBody>> waiting;
  std::set<EventRef> raised;
  for (int step = 0; step < 150; ++step) {
    const EventRef event = test.At(random.Below(3), static_cast<uint32_t>(random.Below(60)));
    if (random.Chance(600) && raised.insert(event).second) {
      // Anchors of few events, so that groups meet.
      const EventRef anchor(event.record_index,
                            ItemIndex(static_cast<uint32_t>(
                                random.Below(std::min<uint64_t>(event.item.value() + 1, 4)))));
      const AlertBody body = test.Body(event, anchor, random.Chance(800) ? kSource : kUser);
      const RecordResult result = test.Raise(body, static_cast<uint32_t>(random.Below(2)));
      REQUIRE(result.code == ResultCode::kOk);
      waiting.emplace_back(result.index, body);
    } else if (!waiting.empty()) {
      const size_t place = random.Below(waiting.size());
      const auto [alert, body] = waiting[place];
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(place));
      const uint64_t after = random.Chance(900) ? 60'000 : random.Below(5 * kIncidentGapMillis);
      test.Attest(alert, 2, kConfirm, after);
      const RecordIndex expected = slow.Take(alert, body, test.chain.tip().time_unix_millis);
      REQUIRE(test.IncidentOf(alert) == expected);
    }
  }
  REQUIRE(slow.All().size() > 3);
  for (const RecordIndex incident : slow.All()) {
    CHECK(test.Incident(incident).alerts == slow.AlertsOf(incident));
  }
  CheckPages(test.chain.reader(), slow.All(), /*ascending=*/true);
  CheckPages(test.chain.reader(), slow.All(), /*ascending=*/false);
}

}  // namespace vigil::ledger
