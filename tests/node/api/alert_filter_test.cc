// Filters of alert lists against a slow model of them, and incidents over the API.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "tests/node/api/api_fixture.h"
#include "vigil/v1/event.pb.h"

namespace vigil::node {
namespace {

// Two rules that match, of a pair and of a source, beside models.
constexpr char kRules[] =
    "vigil-rules 1\nversion 1\n"
    "rule 1 odd\n  title Odd events\n  technique T1048\n  score 9\n  entity pair\n"
    "  when to public\n  at-least events 1 in 2s\n  quiet 1h\n"
    "rule 3 odder\n  title Odd again\n  technique T1071\n  score 8\n  entity source\n"
    "  when to public\n  at-least events 2 in 1h\n  quiet 1h\n";

ledger::DetectorParameters SmallDetector() {
  ledger::DetectorParameters detector;
  detector.window_rows_max = 512;
  detector.window_rows_min = 128;
  detector.period_events = 512;
  detector.trees = 10;
  detector.sample_rows = 64;
  detector.seed_reveals = 1;
  return detector;
}

std::string Ip(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    if (!text.empty()) text += '.';
    text += absl::StrCat(static_cast<int>(static_cast<uint8_t>(c)));
  }
  return text;
}

// What a filter by entity may say of an event, read from its protobuf alone.
std::set<std::string> NamesOf(const v1::Alert& alert) {
  v1::Event event;
  REQUIRE(event.ParseFromString(alert.event().event()));
  const std::string src = Ip(event.src().ip());
  const std::string dst = Ip(event.dst().ip());
  REQUIRE(event.src().ip().size() == 4);
  REQUIRE(event.dst().ip().size() == 4);
  return {src,
          dst,
          absl::StrCat("source:", src),
          absl::StrCat("destination:", dst),
          absl::StrCat("pair:", src, ">", dst),
          absl::StrCat("port:", event.dst().port())};
}

std::string ComponentOf(const v1::Alert& alert) {
  static const std::map<uint32_t, std::string> kNames = {
      {1, "forest"}, {2, "loda"}, {3, "surprisal"}, {4, "rule"}};
  return kNames.at(alert.component());
}

std::vector<uint64_t> Expected(const std::vector<v1::Alert>& all,
                               const v1::ListAlertsRequest& request) {
  std::vector<uint64_t> found;
  for (const v1::Alert& alert : all) {
    if (!request.state().empty() && alert.state() != request.state()) continue;
    if (request.rule() != 0 && alert.rule().number() != request.rule()) continue;
    if (!request.component().empty() && ComponentOf(alert) != request.component()) continue;
    if (!request.entity().empty() && !NamesOf(alert).contains(request.entity())) continue;
    found.push_back(alert.record_index());
  }
  std::sort(found.begin(), found.end());
  if (!request.ascending()) std::reverse(found.begin(), found.end());
  return found;
}

struct AlertChain {
  Fixture fixture{/*validators=*/1, /*election_ticks_max=*/20, /*block_bytes_max=*/256 * 1024,
                  kRules, SmallDetector()};
  sim::SensorStream stream = fixture.Stream();

  void Traffic(int batches, uint32_t odd_permille) {
    for (int i = 0; i < batches; ++i) {
      REQUIRE(fixture.Submit(stream.NextBatch(50, odd_permille)).ok());
    }
  }
  std::vector<v1::Alert> All() {
    v1::ListAlertsRequest request;
    request.set_limit(1000);
    const auto answer = fixture.client()->ListAlerts(request);
    REQUIRE(answer.ok());
    CHECK(answer->next_cursor() == 0);
    return {answer->alerts().begin(), answer->alerts().end()};
  }
  // Until both rules and a model raised alerts, and nothing more is owed.
  std::vector<v1::Alert> Raise() {
    for (int round = 0; round < 500; ++round) {
      Traffic(2, /*odd_permille=*/round < 16 ? 0 : 60);
      std::set<uint32_t> kinds;
      for (const v1::Alert& alert : All()) kinds.insert(alert.rule().number());
      if (kinds == std::set<uint32_t>{0, 1, 3} && All().size() > 20) break;
    }
    for (int round = 0; round < 5'000; ++round) {
      const NodeStatus status = fixture.node()->Status();
      if (status.detector == status.executed && status.detection.duties == 0) break;
      Traffic(1, 0);
    }
    return All();
  }
  std::vector<uint64_t> Pages(v1::ListAlertsRequest request, int traffic_between) {
    std::vector<uint64_t> found;
    for (;;) {
      const auto page = fixture.client()->ListAlerts(request);
      INFO(page.status());
      REQUIRE(page.ok());
      REQUIRE(page->alerts_size() <= static_cast<int>(request.limit()));
      for (const v1::Alert& alert : page->alerts()) found.push_back(alert.record_index());
      if (page->next_cursor() == 0) return found;
      request.set_cursor(page->next_cursor());
      Traffic(traffic_between, /*odd_permille=*/200);
    }
  }
};

TEST_CASE("alert filters: pages are what a slow model takes of the whole list", "[api]") {
  AlertChain t;
  const std::vector<v1::Alert> all = t.Raise();
  REQUIRE(all.size() > 20);
  const uint64_t seed = GENERATE(1u, 2u);
  CAPTURE(seed);
  SplitMix64 random(seed);
  size_t not_empty = 0;
  for (int round = 0; round < 60; ++round) {
    v1::ListAlertsRequest request;
    if (random.Chance(200)) request.set_state("confirmed");
    const std::vector<uint32_t> rules = {0, 0, 1, 3, 9};
    request.set_rule(rules[random.Below(rules.size())]);
    const std::vector<std::string> components = {"", "", "", "rule", "forest", "loda", "surprisal"};
    request.set_component(components[random.Below(components.size())]);
    if (random.Chance(600)) {
      const std::set<std::string> names = NamesOf(all[random.Below(all.size())]);
      auto name = names.begin();
      std::advance(name, static_cast<std::ptrdiff_t>(random.Below(names.size())));
      request.set_entity(random.Chance(900) ? *name : "source:198.51.100.77");
    }
    request.set_ascending(random.Chance(500));
    request.set_limit(static_cast<uint32_t>(1 + random.Below(7)));
    CAPTURE(request.ShortDebugString());
    const std::vector<uint64_t> expected = Expected(all, request);
    CHECK(t.Pages(request, /*traffic_between=*/0) == expected);
    if (!expected.empty()) ++not_empty;
  }
  CHECK(not_empty > 15);
}

TEST_CASE("alert filters: a cursor goes on where it was while alerts come", "[api]") {
  AlertChain t;
  const std::vector<v1::Alert> all = t.Raise();
  v1::ListAlertsRequest request;
  request.set_limit(3);
  request.set_component("rule");
  const std::vector<uint64_t> expected = Expected(all, request);
  REQUIRE(expected.size() > 6);
  CHECK(t.Pages(request, /*traffic_between=*/2) == expected);
  CHECK(t.All().size() > all.size());
}

TEST_CASE("alert filters: what is unknown is refused with what is known", "[api]") {
  AlertChain t;
  v1::ListAlertsRequest request;
  request.set_component("woods");
  const auto component = t.fixture.client()->ListAlerts(request);
  CHECK(absl::IsInvalidArgument(component.status()));
  CHECK(component.status().message().find("known: forest, loda, surprisal, rule") !=
        absl::string_view::npos);
  request.set_component("rule");
  request.set_entity("port:none");
  CHECK(absl::IsInvalidArgument(t.fixture.client()->ListAlerts(request).status()));
}

TEST_CASE("incidents: the API lists them and tells what each is of", "[api]") {
  AlertChain t;
  t.Raise();
  std::map<uint64_t, std::vector<uint64_t>> expected;  // Alerts by incident.
  std::map<uint64_t, std::string> sources;
  const std::vector<v1::Alert> all = t.All();
  for (auto alert = all.rbegin(); alert != all.rend(); ++alert) {
    if (alert->incident() == 0) continue;
    CHECK(alert->state() == "confirmed");
    CHECK(alert->anchor().kind() == "source");
    expected[alert->incident()].push_back(alert->record_index());
    v1::Event event;
    REQUIRE(event.ParseFromString(alert->event().event()));
    sources[alert->incident()] = Ip(event.src().ip());
  }
  REQUIRE(expected.size() > 2);
  v1::ListIncidentsRequest request;
  request.set_limit(2);
  std::vector<v1::Incident> listed;
  do {
    const auto page = t.fixture.client()->ListIncidents(request);
    REQUIRE(page.ok());
    for (const v1::Incident& incident : page->incidents()) listed.push_back(incident);
    request.set_cursor(page->next_cursor());
  } while (request.cursor() != 0);
  CHECK(listed.size() == expected.size());
  uint64_t before = UINT64_MAX;
  for (const v1::Incident& incident : listed) {
    CAPTURE(incident.ShortDebugString());
    CHECK(incident.number() < before);
    before = incident.number();
    CHECK(incident.state() == "open");
    CHECK(incident.org() == "acme");
    CHECK(incident.entity() == sources[incident.number()]);
    CHECK(incident.alert_count() == expected[incident.number()].size());
    REQUIRE(incident.alerts_size() == 1);
    CHECK(incident.alerts(0).record_index() == incident.number());
    v1::GetIncidentRequest one;
    one.set_number(incident.number());
    const auto whole = t.fixture.client()->GetIncident(one);
    REQUIRE(whole.ok());
    std::vector<uint64_t> alerts;
    uint32_t most = 0;
    for (const v1::IncidentAlert& alert : whole->alerts()) {
      alerts.push_back(alert.record_index());
      most = std::max(most, alert.score_q8());
      CHECK((alert.component() == 4) == !alert.rule_name().empty());
      CHECK(alert.triage().state() == "open");
    }
    CHECK(alerts == expected[incident.number()]);
    CHECK(whole->score_q8_max() == most);
  }
  request.set_state("closed");
  CHECK(t.fixture.client()->ListIncidents(request)->incidents().empty());
  request.set_state("shut");
  CHECK(absl::IsInvalidArgument(t.fixture.client()->ListIncidents(request).status()));
  v1::GetIncidentRequest none;
  none.set_number(1);
  CHECK(absl::IsNotFound(t.fixture.client()->GetIncident(none).status()));
}

}  // namespace
}  // namespace vigil::node
