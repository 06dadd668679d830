#include "client/cli/render.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "ledger/base/address_text.h"

namespace vigil::client {
namespace {

constexpr size_t kReasonsShown = 3;

void Set(Json* json, const char* name, const std::string& text) {
  if (!text.empty()) (*json)[name] = text;
}
void Set(Json* json, const char* name, uint64_t value) {
  if (value != 0) (*json)[name] = Number(value);
}
void SetHex(Json* json, const char* name, const std::string& bytes) {
  if (!bytes.empty()) (*json)[name] = Hex(bytes);
}

Json EndpointJson(const v1::Endpoint& endpoint) {
  Json json = Json::object();
  Set(&json, "ip", AddressText(AsBytes(endpoint.ip())));
  if (endpoint.port() != 0) json["port"] = endpoint.port();
  Set(&json, "hostname", endpoint.hostname());
  SetHex(&json, "mac", endpoint.mac());
  Set(&json, "uid", endpoint.uid());
  Set(&json, "zone", endpoint.zone());
  return json;
}

Json ActorJson(const v1::Actor& actor) {
  Json json = Json::object();
  Set(&json, "user", actor.user());
  Set(&json, "user_uid", actor.user_uid());
  Set(&json, "domain", actor.domain());
  Set(&json, "process", actor.process());
  Set(&json, "path", actor.path());
  Set(&json, "cmd_line", actor.cmd_line());
  Set(&json, "pid", actor.pid());
  Set(&json, "parent", actor.parent());
  Set(&json, "session", actor.session());
  return json;
}

void AddLists(const v1::Event& event, Json* json) {
  for (const std::string& attack : event.attacks()) (*json)["attacks"].push_back(attack);
  for (const v1::Observable& observable : event.observables()) {
    (*json)["observables"].push_back(
        {{"type_id", observable.type_id()}, {"value", observable.value()}});
  }
  for (const v1::Metric& metric : event.metrics()) {
    (*json)["metrics"].push_back(
        {{"key", metric.key()}, {"value_e6", absl::StrCat(metric.value_e6())}});
  }
  for (const v1::Pair& pair : event.unmapped()) (*json)["unmapped"][pair.key()] = pair.value();
}

std::string EndpointText(const v1::Endpoint& endpoint) {
  std::string text = AddressText(AsBytes(endpoint.ip()));
  if (text.empty()) text = endpoint.hostname();
  if (endpoint.port() != 0) absl::StrAppend(&text, ":", endpoint.port());
  return text;
}

Json SummaryOf(const v1::RecordSummary& summary) {
  Json json;
  json["record_index"] = Number(summary.record_index());
  json["kind"] = summary.kind_name();
  json["author"] = summary.author();
  json["result"] = ResultName(summary.result());
  json["leaf_hash"] = Hex(summary.leaf_hash());
  json["item_count"] = summary.item_count();
  json["payload_bytes"] = summary.payload_bytes();
  return json;
}

// "T1110 logon-brute-force of source 10.0.0.5".
std::string RuleLine(const v1::AlertRule& rule) {
  const std::string name = rule.name().empty() ? absl::StrCat("rule ", rule.number()) : rule.name();
  return absl::StrCat(rule.technique(), rule.technique().empty() ? "" : " ", name, " of ",
                      rule.entity_kind(), rule.entity().empty() ? "" : " ", rule.entity());
}

}  // namespace

std::string ResultName(v1::ResultCode code) {
  return std::string(absl::StripPrefix(v1::ResultCode_Name(code), "RESULT_"));
}

absl::string_view EventTypeName(uint32_t event_type) {
  static constexpr absl::string_view kNames[] = {"?",       "flow",        "auth",
                                                 "process", "application", "generic"};
  return kNames[event_type < std::size(kNames) ? event_type : 0];
}

std::string EventRefText(const v1::StoredEvent& event) {
  return absl::StrCat(event.record_index(), ".", event.item());
}

std::string StoredEventLine(const v1::StoredEvent& stored) {
  if (stored.pruned()) return "(payload pruned by this validator)";
  v1::Event event;
  event.ParseFromString(stored.event());
  return EventLine(event);
}

Json EventJson(const v1::Event& event) {
  Json json;
  json["time"] = TimeText(static_cast<int64_t>(event.time_unix_nano() / 1'000'000));
  json["time_unix_nano"] = Number(event.time_unix_nano());
  json["class_uid"] = event.type_uid() / 100;
  json["type_uid"] = Number(event.type_uid());
  json["severity_id"] = event.severity_id();
  Set(&json, "status_id", event.status_id());
  Set(&json, "action_id", event.action_id());
  Set(&json, "disposition_id", event.disposition_id());
  Set(&json, "source", event.source());
  Set(&json, "source_uid", event.source_uid());
  Set(&json, "event_id", event.event_id());
  if (event.has_actor()) json["actor"] = ActorJson(event.actor());
  if (event.has_device()) json["device"] = EndpointJson(event.device());
  if (event.has_src()) json["src"] = EndpointJson(event.src());
  if (event.has_dst()) json["dst"] = EndpointJson(event.dst());
  if (event.protocol_num() != 0) json["protocol_num"] = event.protocol_num();
  Set(&json, "app_protocol", event.app_protocol());
  if (event.has_traffic()) {
    json["traffic"] = {{"bytes_in", Number(event.traffic().bytes_in())},
                       {"bytes_out", Number(event.traffic().bytes_out())},
                       {"packets_in", Number(event.traffic().packets_in())},
                       {"packets_out", Number(event.traffic().packets_out())}};
  }
  Set(&json, "duration_ns", event.duration_ns());
  Set(&json, "rule_uid", event.rule_uid());
  Set(&json, "rule_name", event.rule_name());
  Set(&json, "url_or_query", event.url_or_query());
  if (event.has_file()) {
    Json file = Json::object();
    Set(&file, "name", event.file().name());
    Set(&file, "path", event.file().path());
    SetHex(&file, "sha256", event.file().sha256());
    Set(&file, "size", event.file().size());
    json["file"] = file;
  }
  Set(&json, "message", event.message());
  Set(&json, "status_code", event.status_code());
  Set(&json, "count", event.count());
  Set(&json, "end_time_unix_nano", event.end_time_unix_nano());
  Set(&json, "tlp", event.tlp());
  Set(&json, "mapping_id", event.mapping_id());
  Set(&json, "raw", event.raw());
  SetHex(&json, "raw_commitment", event.raw_commitment());
  Set(&json, "raw_size", event.raw_size());
  AddLists(event, &json);
  return json;
}

std::string EventLine(const v1::Event& event) {
  std::vector<std::string> parts;
  if (event.has_src() || event.has_dst())
    parts.push_back(absl::StrCat(EndpointText(event.src()), " -> ", EndpointText(event.dst())));
  for (const std::string* text :
       {&event.app_protocol(), &event.actor().user(), &event.actor().process(), &event.rule_name(),
        &event.url_or_query(), &event.status_code(), &event.message()}) {
    if (!text->empty()) parts.push_back(text->substr(0, 60));
  }
  if (event.has_traffic())
    parts.push_back(
        absl::StrCat(event.traffic().bytes_out(), " B out, ", event.traffic().bytes_in(), " B in"));
  return ForTerminal(absl::StrJoin(parts, "  "));
}

std::string ReasonsLine(const v1::Alert& alert) {
  if (alert.has_rule()) return RuleLine(alert.rule());
  std::vector<std::string> parts;
  for (int i = 0; i < std::min<int>(alert.reasons_size(), kReasonsShown); ++i) {
    parts.push_back(
        absl::StrCat(alert.reasons(i).name(), " +", BitsText(alert.reasons(i).bits_q8())));
  }
  return absl::StrJoin(parts, ", ");
}

Json ToJson(const v1::RecordSummary& summary) { return SummaryOf(summary); }

Json ToJson(const v1::Record& record) {
  Json json = SummaryOf(record.summary());
  json["height"] = Number(record.height());
  json["block_hash"] = Hex(record.block_hash());
  json["leaf"] = Hex(record.leaf());
  json["payload"] = Hex(record.payload());
  return json;
}

Json ToJson(const v1::StoredEvent& stored) {
  Json json;
  json["ref"] = EventRefText(stored);
  json["height"] = Number(stored.height());
  json["author"] = stored.author();
  json["stream"] = stored.stream();
  if (stored.pruned()) {
    json["pruned"] = true;
    return json;
  }
  v1::Event event;
  if (event.ParseFromString(stored.event())) json["event"] = EventJson(event);
  return json;
}

Json ToJson(const v1::Block& block) {
  Json json;
  json["height"] = Number(block.height());
  json["hash"] = Hex(block.hash());
  json["parent_hash"] = Hex(block.parent_hash());
  json["proposer"] = block.proposer();
  json["epoch"] = Number(block.epoch());
  json["view"] = Number(block.view());
  json["time"] = TimeText(block.time_unix_millis());
  json["first_record_index"] = Number(block.first_record_index());
  json["record_count"] = block.record_count();
  json["event_count"] = block.event_count();
  json["bytes"] = block.bytes();
  json["body_root"] = Hex(block.body_root());
  json["executed_height"] = Number(block.executed_height());
  json["state_digest"] = Hex(block.state_digest());
  json["results_root"] = Hex(block.results_root());
  json["header"] = Hex(block.header());
  json["signature"] = Hex(block.signature());
  json["final"] = block.final();
  for (const std::string& validator : block.cosigners()) json["cosigners"].push_back(validator);
  for (const v1::RecordSummary& record : block.records())
    json["records"].push_back(SummaryOf(record));
  return json;
}

absl::string_view ComponentName(uint32_t component) {
  static constexpr absl::string_view kComponents[] = {"?", "forest", "loda", "surprisal", "rule"};
  return kComponents[component < std::size(kComponents) ? component : 0];
}

Json ToJson(const v1::Triage& triage) {
  Json json;
  json["state"] = triage.state();
  json["assignee"] = triage.assignee();
  json["verdict"] = triage.verdict();
  json["revision"] = Number(triage.revision());
  json["steps"] = Json::array();
  for (const v1::TriageStep& step : triage.steps()) {
    json["steps"].push_back({{"action", step.action()},
                             {"by", step.by()},
                             {"assignee", step.assignee()},
                             {"verdict", step.verdict()},
                             {"record_index", Number(step.record_index())},
                             {"height", Number(step.height())}});
  }
  return json;
}

Json ToJson(const v1::AlertRule& rule) {
  Json json;
  json["number"] = rule.number();
  json["name"] = rule.name();
  json["title"] = rule.title();
  json["technique"] = rule.technique();
  json["rules_digest"] = Hex(rule.rules_digest());
  json["condition"] = rule.condition();
  json["observed"] = Number(rule.observed());
  json["entity_kind"] = rule.entity_kind();
  json["entity"] = rule.entity();
  return json;
}

Json ToJson(const v1::EntityProfile& entity) {
  Json json;
  json["kind"] = entity.kind();
  json["name"] = entity.name();
  json["first_seen"] = TimeText(static_cast<int64_t>(entity.first_seen_unix_millis()));
  json["last_seen"] = TimeText(static_cast<int64_t>(entity.last_seen_unix_millis()));
  json["event_count"] = Number(entity.event_count());
  json["failed_count"] = Number(entity.failed_count());
  json["bytes_out"] = Number(entity.bytes_out());
  json["peer_count"] = entity.peer_count();
  json["interval_seconds"] = entity.interval_seconds();
  json["interval_regular_count"] = entity.interval_regular_count();
  json["interval_count"] = entity.interval_count();
  json["windows"] = Json::array();
  for (const v1::EntityWindow& window : entity.windows()) {
    json["windows"].push_back({{"seconds", window.seconds()},
                               {"event_count", Number(window.event_count())},
                               {"failed_count", Number(window.failed_count())},
                               {"logon_failure_count", Number(window.logon_failure_count())},
                               {"bytes_out", Number(window.bytes_out())},
                               {"peer_count", window.peer_count()},
                               {"port_count", window.port_count()},
                               {"name_count", window.name_count()}});
  }
  json["matches"] = Json::array();
  for (const v1::EntityMatch& match : entity.matches()) {
    Json one{{"rule", match.rule()},
             {"rule_name", match.rule_name()},
             {"technique", match.technique()},
             {"time", TimeText(static_cast<int64_t>(match.time_unix_millis()))},
             {"event", absl::StrCat(match.record_index(), ".", match.item())}};
    if (!match.alert_state().empty()) {
      one["alert_record_index"] = Number(match.alert_record_index());
      one["alert_state"] = match.alert_state();
    }
    json["matches"].push_back(std::move(one));
  }
  return json;
}

Json ToJson(const v1::Alert& alert) {
  Json json;
  json["record_index"] = Number(alert.record_index());
  json["height"] = Number(alert.height());
  json["state"] = alert.state();
  json["proposer"] = alert.proposer();
  json["event_type"] = EventTypeName(alert.event_type());
  json["period"] = Number(alert.period());
  json["model_digest"] = Hex(alert.model_digest());
  json["score_bits"] = BitsText(alert.score_q8());
  json["threshold_bits"] = BitsText(alert.threshold_q8());
  json["component"] = ComponentName(alert.component());
  json["reasons"] = Json::array();
  for (const v1::AlertFeature& reason : alert.reasons()) {
    json["reasons"].push_back({{"feature", reason.name()}, {"bits", BitsText(reason.bits_q8())}});
  }
  if (alert.has_rule()) json["rule"] = ToJson(alert.rule());
  json["verdicts"] = Json::array();
  for (const v1::AlertVerdict& verdict : alert.verdicts()) {
    json["verdicts"].push_back({{"validator", verdict.validator()},
                                {"confirms", verdict.confirms()},
                                {"score_bits", BitsText(verdict.score_q8())},
                                {"record_index", Number(verdict.record_index())}});
  }
  json["confirmed_height"] = Number(alert.confirmed_height());
  json["triage"] = ToJson(alert.triage());
  if (alert.incident() != 0) json["incident"] = Number(alert.incident());
  if (alert.has_anchor()) {
    json["anchor"] = {
        {"event", absl::StrCat(alert.anchor().record_index(), ".", alert.anchor().item())},
        {"kind", alert.anchor().kind()}};
  }
  json["event"] = ToJson(alert.event());
  return json;
}

std::string DriftNoticeText(uint64_t since_period,
                            const google::protobuf::RepeatedPtrField<v1::FeatureDrift>& drifted) {
  if (since_period == 0) return "-";
  if (drifted.empty()) return absl::StrCat("none since period ", since_period);
  std::string text =
      absl::StrCat(BitsText(drifted[0].psi_q8()), " since period ", since_period, " in ");
  for (int i = 0; i < drifted.size(); ++i) {
    const std::string& name = drifted[i].name();
    absl::StrAppend(&text, i == 0 ? "" : ", ",
                    name.empty() ? absl::StrCat("feature ", drifted[i].feature()) : name);
  }
  return text;
}

Json DriftNoticeJson(uint64_t since_period,
                     const google::protobuf::RepeatedPtrField<v1::FeatureDrift>& drifted) {
  Json json;
  json["agreed"] = since_period != 0;
  json["since_period"] = Number(since_period);
  json["features"] = Json::array();
  for (const v1::FeatureDrift& feature : drifted) {
    json["features"].push_back({{"feature", feature.feature()},
                                {"name", feature.name()},
                                {"index", BitsText(feature.psi_q8())}});
  }
  return json;
}

Json ToJson(const v1::Model& model) {
  Json json;
  json["event_type"] = EventTypeName(model.event_type());
  json["period"] = Number(model.period());
  json["digest"] = Hex(model.digest());
  json["window_end"] = Number(model.window_end());
  json["window_digest"] = Hex(model.window_digest());
  json["row_count"] = model.row_count();
  json["threshold_bits"] = BitsText(model.threshold_q8());
  json["active"] = model.active();
  json["active_from_height"] = Number(model.active_from_height());
  json["committed_by"] = Json::array();
  for (const std::string& validator : model.committed_by())
    json["committed_by"].push_back(validator);
  json["drift_notice"] = DriftNoticeJson(model.drift_period(), model.drifted());
  json["drift_notice"]["height"] = Number(model.drift_height());
  return json;
}

Json ToJson(const v1::Receipt& receipt) {
  Json json;
  json["leaf_hash"] = Hex(receipt.leaf_hash());
  json["record_index"] = Number(receipt.record_index());
  json["height"] = Number(receipt.height());
  json["block_hash"] = Hex(receipt.block_hash());
  json["result"] = ResultName(receipt.result());
  json["reached"] = receipt.reached() == v1::ACK_FINAL ? "final" : "committed";
  return json;
}

Json ToJson(const v1::Checkpoint& checkpoint) {
  Json json;
  json["height"] = Number(checkpoint.height());
  json["size"] = Number(checkpoint.size());
  json["cosigners"] = Json::array();
  for (const std::string& validator : checkpoint.cosigners()) {
    json["cosigners"].push_back(validator);
  }
  json["note"] = checkpoint.note();
  return json;
}

Json ToJson(const v1::Status& status) {
  Json json;
  json["network"] = status.network();
  json["chain_id"] = Hex(status.chain_id());
  json["genesis_hash"] = Hex(status.genesis_hash());
  json["validator"] = status.validator();
  json["version"] = status.version();
  json["mode"] = status.mode();
  json["role"] = status.role();
  if (!status.refusing_reason().empty()) json["refusing_reason"] = status.refusing_reason();
  json["epoch"] = Number(status.epoch());
  json["view"] = Number(status.view());
  json["leader"] = status.leader();
  json["committed_height"] = Number(status.committed_height());
  json["executed_height"] = Number(status.executed_height());
  json["indexed_height"] = Number(status.indexed_height());
  json["detector_height"] = Number(status.detector_height());
  json["record_count"] = Number(status.record_count());
  json["event_count"] = Number(status.event_count());
  json["alert_count"] = Number(status.alert_count());
  json["alert_confirmed_count"] = Number(status.alert_confirmed_count());
  json["state_digest"] = Hex(status.state_digest());
  json["head_hash"] = Hex(status.head_hash());
  json["tree_root"] = Hex(status.tree_root());
  json["tree_size"] = Number(status.tree_size());
  json["final_height"] = Number(status.final_height());
  json["log"] = {{"size", Number(status.log().size())},
                 {"final_size", Number(status.log().final_size())},
                 {"cosigned_size", Number(status.log().cosigned_size())},
                 {"fork_count", Number(status.log().fork_count())}};
  json["scrub"] = {{"passes", Number(status.scrub().passes())},
                   {"damaged", Number(status.scrub().damaged())},
                   {"repaired", Number(status.scrub().repaired())},
                   {"unrepaired", Number(status.scrub().unrepaired())}};
  if (!status.scrub().problem().empty()) json["scrub"]["problem"] = status.scrub().problem();
  if (!status.log().refusing_reason().empty()) {
    json["log"]["refusing_reason"] = status.log().refusing_reason();
  }
  json["detector"] = {{"warm", status.detector().warm()}};
  if (!status.detector().warm()) json["detector"]["phase"] = status.detector().phase();
  json["snapshot"] = {{"height", Number(status.snapshot().height())},
                      {"bytes", Number(status.snapshot().byte_count())},
                      {"failure_count", Number(status.snapshot().failure_count())}};
  json["uptime_seconds"] = Number(status.uptime_seconds());
  for (const v1::PeerStatus& peer : status.peers()) {
    Json one = {{"validator", peer.validator()},
                {"connected", peer.connected()},
                {"match_height", Number(peer.match_height())}};
    if (peer.needs_height() > 0) {
      one["needs_height"] = Number(peer.needs_height());
      one["needs_why"] = peer.needs_why();
    }
    json["peers"].push_back(std::move(one));
  }
  json["models"] = Json::array();
  for (const v1::ModelStatus& model : status.models()) {
    json["models"].push_back({{"event_type", EventTypeName(model.event_type())},
                              {"period", Number(model.period())},
                              {"digest", Hex(model.digest())},
                              {"active", model.active()},
                              {"row_count", model.row_count()},
                              {"threshold_bits", BitsText(model.threshold_q8())}});
  }
  return json;
}

}  // namespace vigil::client
