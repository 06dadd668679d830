// Entities by name, and what rules' alerts say over the API.
#include "node/api/entity_answers.h"

#include "ledger/crypto/sha256.h"
#include "tests/node/api/api_fixture.h"

namespace vigil::node {
namespace {

using detector::EntityKind;

std::vector<std::string> NamesOf(absl::string_view text) {
  std::vector<std::string> names;
  const auto parsed = ParseEntityName(text);
  if (!parsed.ok()) return {std::string(parsed.status().message())};
  for (const NamedEntity& entity : *parsed) {
    CHECK(detector::IsEntityKey(entity.kind, entity.key));
    names.push_back(
        absl::StrCat(std::string(detector::EntityKindName(entity.kind)), " ", entity.name));
  }
  return names;
}
using Names = std::vector<std::string>;

TEST_CASE("entity: a name may mean several kinds and KIND:NAME one", "[api]") {
  CHECK(NamesOf("10.0.0.5") ==
        Names{"source 10.0.0.5", "destination 10.0.0.5", "user 10.0.0.5", "host 10.0.0.5"});
  CHECK(NamesOf("user:Root") == Names{"user root"});
  CHECK(NamesOf("host:WEB-1") == Names{"host web-1"});
  CHECK(NamesOf("source:2001:db8::1") == Names{"source 2001:db8::1"});
  CHECK(NamesOf("2001:db8::1").size() == 4);
  CHECK(NamesOf("pair:10.0.0.5>web-1") == Names{"pair 10.0.0.5>web-1"});
  CHECK(NamesOf("port:tcp/22") == Names{"port tcp/22"});
  CHECK(NamesOf("port:53") == Names{"port tcp/53", "port udp/53"});
  CHECK(NamesOf("port:47/1") == Names{"port 47/1"});
}

TEST_CASE("entity: what is no name is refused with what was expected", "[api]") {
  CHECK(absl::IsInvalidArgument(ParseEntityName("").status()));
  CHECK(absl::IsInvalidArgument(ParseEntityName("source:").status()));
  CHECK(absl::IsInvalidArgument(ParseEntityName(std::string("a\0b", 3)).status()));
  CHECK(absl::IsInvalidArgument(ParseEntityName(std::string(601, 'x')).status()));
  CHECK(NamesOf("pair:10.0.0.5") == Names{"pair '10.0.0.5'; write pair:SOURCE>DESTINATION"});
  CHECK(NamesOf("port:icmp/1")[0].find("protocol 'icmp'") == 0);
  CHECK(NamesOf("port:0")[0].find("port '0'") == 0);
  CHECK(NamesOf("port:tcp/65536")[0].find("port '65536'") == 0);
}

TEST_CASE("entity: the text of an event's entity leads back to its key", "[api]") {
  EventView event;
  const std::array<uint8_t, 4> src = {10, 0, 0, 5};
  std::array<uint8_t, 16> dst{};
  dst[0] = 0x20;
  dst[15] = 9;
  event.src.ip = src;
  event.dst.ip = dst;
  event.dst.port = 22;
  event.protocol_num = 6;
  event.user = "Root";
  event.device.hostname = "Gate";
  const auto hash = [](std::span<const uint8_t> bytes) { return ledger::Sha256(bytes).bytes; };
  const detector::EntityKeys keys = detector::KeysOf(event, hash);
  for (const EntityKind kind : detector::kEntityKinds) {
    const std::string text =
        absl::StrCat(std::string(detector::EntityKindName(kind)), ":", EntityText(kind, event));
    INFO(text);
    const auto parsed = ParseEntityName(text);
    REQUIRE(parsed.ok());
    REQUIRE(parsed->size() == 1);
    CHECK(parsed->front().key == keys[detector::IndexOf(kind)]);
  }
}

TEST_CASE("api: an entity is shown with its windows and the alerts of rules", "[api]") {
  Fixture f(/*validators=*/1, /*election_ticks_max=*/20, /*block_bytes_max=*/256 * 1024,
            sim::kOddRules);
  sim::SensorStream stream = f.Stream();
  REQUIRE(f.Submit(stream.NextBatch(50, /*odd_permille=*/1000)).ok());
  v1::ListAlertsResponse alerts;
  for (int round = 0; round < 5'000 && alerts.alerts().empty(); ++round) {
    // Every further block gives the detector its turn.
    REQUIRE(f.Submit(stream.NextBatch(1)).ok());
    const auto answer = f.client()->ListAlerts({});
    REQUIRE(answer.ok());
    alerts = *answer;
  }
  REQUIRE_FALSE(alerts.alerts().empty());
  CHECK(alerts.alerts(0).state() == "confirmed");
  const v1::Alert& alert = alerts.alerts(0);
  CHECK(alert.component() == ledger::kRuleComponent);
  CHECK(alert.rule().name() == "odd");
  CHECK(alert.rule().title() == "Odd events");
  CHECK(alert.rule().technique() == "T1048");
  CHECK(alert.rule().condition() == "events 1 in 2s");
  CHECK(alert.rule().observed() == 1);
  CHECK(alert.rule().entity_kind() == "pair");
  const std::string pair = alert.rule().entity();
  CHECK(pair.find(">45.33.") != std::string::npos);

  v1::GetEntityRequest request;
  request.set_name(absl::StrCat("pair:", pair));
  const auto report = f.client()->GetEntity(request);
  INFO(report.status());
  REQUIRE(report.ok());
  REQUIRE(report->entities_size() == 1);
  const v1::EntityProfile& entity = report->entities(0);
  CHECK(entity.kind() == "pair");
  CHECK(entity.name() == pair);
  CHECK(entity.event_count() >= 1);
  CHECK(entity.windows_size() == 3);
  CHECK(entity.windows(2).seconds() == 3600);
  CHECK(entity.windows(2).event_count() == entity.event_count());
  REQUIRE(entity.matches_size() == 1);
  CHECK(entity.matches(0).rule_name() == "odd");
  CHECK(entity.matches(0).alert_record_index() == alert.record_index());
  CHECK(entity.matches(0).alert_state() == "confirmed");

  request.set_name("198.51.100.77");
  const auto nobody = f.client()->GetEntity(request);
  REQUIRE(nobody.ok());
  CHECK(nobody->entities().empty());
  request.set_name("port:none");
  CHECK(absl::IsInvalidArgument(f.client()->GetEntity(request).status()));
}

}  // namespace
}  // namespace vigil::node
