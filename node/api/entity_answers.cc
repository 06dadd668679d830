#include "node/api/entity_answers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/address_text.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256_bytes.h"
#include "node/api/convert.h"

namespace vigil::node {
namespace {

using detector::EntityKind;

constexpr uint32_t kTcp = 6;
constexpr uint32_t kUdp = 17;
constexpr size_t kNameBytesMax = 600;
constexpr uint64_t kMillisPerSecond = 1000;

std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

// Of a source or destination; a host's name comes first.
std::string EndpointText(const EndpointView& endpoint, bool name_first) {
  const std::string name(endpoint.hostname);
  if (name_first && !name.empty()) return absl::AsciiStrToLower(name);
  std::string text = AddressText(endpoint.ip);
  if (text.empty()) text = absl::AsciiStrToLower(name);
  return text.empty() ? absl::AsciiStrToLower(std::string(endpoint.uid)) : text;
}

std::string EndpointKey(absl::string_view text) {
  std::array<uint8_t, 16> bytes{};
  const std::string terminated(text);
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) {
    return detector::AddressKey(std::span<const uint8_t>(bytes).first(4));
  }
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
    return detector::AddressKey(bytes);
  }
  return detector::TextKey(View(text), &ledger::Sha256Bytes);
}

std::string ProtocolText(uint32_t protocol) {
  if (protocol == kTcp) return "tcp";
  return protocol == kUdp ? "udp" : absl::StrCat(protocol);
}

absl::Status AddPorts(absl::string_view text, std::vector<NamedEntity>* found) {
  std::vector<uint32_t> protocols = {kTcp, kUdp};
  const size_t slash = text.find('/');
  absl::string_view number = text;
  if (slash != absl::string_view::npos) {
    const absl::string_view name = text.substr(0, slash);
    number = text.substr(slash + 1);
    uint32_t protocol = name == "tcp" ? kTcp : kUdp;
    if (name != "tcp" && name != "udp" && (!absl::SimpleAtoi(name, &protocol) || protocol > 255)) {
      return absl::InvalidArgumentError(
          absl::StrCat("protocol '", name, "'; write tcp/22, udp/53 or a protocol number"));
    }
    protocols = {protocol};
  }
  uint32_t port = 0;
  if (!absl::SimpleAtoi(number, &port) || port < 1 || port > 65'535) {
    return absl::InvalidArgumentError(
        absl::StrCat("port '", number, "'; write a number from 1 to 65535, tcp/22 or udp/53"));
  }
  for (const uint32_t protocol : protocols) {
    found->push_back({EntityKind::kPort, detector::PortKey(protocol, port),
                      absl::StrCat(ProtocolText(protocol), "/", port)});
  }
  return absl::OkStatus();
}

absl::Status AddNamed(EntityKind kind, absl::string_view text, std::vector<NamedEntity>* found) {
  if (kind == EntityKind::kPort) return AddPorts(text, found);
  if (kind == EntityKind::kUser) {
    found->push_back(
        {kind, detector::TextKey(View(text), &ledger::Sha256Bytes), absl::AsciiStrToLower(text)});
    return absl::OkStatus();
  }
  if (kind != EntityKind::kPair) {
    found->push_back({kind, EndpointKey(text), absl::AsciiStrToLower(text)});
    return absl::OkStatus();
  }
  const size_t arrow = text.find('>');
  if (arrow == 0 || arrow == absl::string_view::npos || arrow + 1 == text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("pair '", text, "'; write pair:SOURCE>DESTINATION"));
  }
  found->push_back(
      {kind,
       detector::PairKey(EndpointKey(text.substr(0, arrow)), EndpointKey(text.substr(arrow + 1))),
       absl::AsciiStrToLower(text)});
  return absl::OkStatus();
}

std::string ConditionText(const detector::Condition& condition) {
  return absl::StrCat(std::string(detector::MeasureName(condition.measure)), " ",
                      condition.at_least, std::string(detector::SpanSuffix(condition)));
}

// `rules`: those that the detector held the last block against, `rules_digest` theirs.
absl::Status FillMatches(const ledger::ChainReader& reader, const detector::RuleSet* rules,
                         const Hash& rules_digest, const detector::Entity& entity,
                         v1::EntityProfile* out) {
  for (const detector::RuleMark& mark : entity.marks()) {
    v1::EntityMatch* const match = out->add_matches();
    match->set_rule(mark.rule);
    const detector::Rule* const rule = rules == nullptr ? nullptr : rules->Find(mark.rule);
    if (rule != nullptr) {
      match->set_rule_name(rule->name);
      match->set_technique(rule->technique);
    }
    match->set_time_unix_millis(mark.millis);
    match->set_record_index(mark.record_index);
    match->set_item(mark.item);
    const ledger::EventRef event{.record_index = RecordIndex(mark.record_index),
                                 .item = ItemIndex(mark.item)};
    const Hash digest = ledger::RuleDigestOf(rules_digest, mark.rule);
    ASSIGN_OR_RETURN(const std::optional<RecordIndex> alert, reader.FindAlert(event, digest));
    if (!alert.has_value()) continue;
    ASSIGN_OR_RETURN(const ledger::AlertInfo info, reader.GetAlert(*alert));
    match->set_alert_record_index(alert->value());
    match->set_alert_state(std::string(ledger::AlertStateName(info.state)));
  }
  return absl::OkStatus();
}

void FillProfile(const detector::Entity& entity, v1::EntityProfile* out) {
  out->set_first_seen_unix_millis(entity.first_millis());
  out->set_last_seen_unix_millis(entity.latest_millis());
  out->set_event_count(entity.events());
  out->set_failed_count(entity.failed());
  out->set_bytes_out(entity.bytes_out());
  out->set_peer_count(static_cast<uint32_t>(entity.known_peers()));
  const detector::Rhythm rhythm = entity.rhythm();
  out->set_interval_seconds(static_cast<uint32_t>(rhythm.median_millis / kMillisPerSecond));
  out->set_interval_regular_count(rhythm.regular);
  out->set_interval_count(rhythm.intervals);
  for (const detector::Span span : detector::kSpans) {
    const detector::WindowCounts counts = entity.Window(span);
    v1::EntityWindow* const window = out->add_windows();
    window->set_seconds(static_cast<uint32_t>(detector::MillisOf(span) / kMillisPerSecond));
    window->set_event_count(counts.events);
    window->set_failed_count(counts.failed);
    window->set_logon_failure_count(counts.logon_failures);
    window->set_bytes_out(counts.bytes_out);
    window->set_peer_count(counts.peers);
    window->set_port_count(counts.ports);
    window->set_name_count(counts.names);
  }
}

}  // namespace

absl::StatusOr<ledger::RuleSetPtr> RulesWith(ledger::RuleBook* book,
                                             const ledger::ChainReader& reader,
                                             const Hash& digest) {
  absl::StatusOr<ledger::RuleSetPtr> rules = book->WithDigest(reader.state(), digest);
  if (absl::IsNotFound(rules.status()) || absl::IsFailedPrecondition(rules.status())) {
    return ledger::RuleSetPtr();
  }
  return rules;
}

absl::StatusOr<std::vector<NamedEntity>> ParseEntityName(absl::string_view text) {
  constexpr absl::string_view kExpected =
      "name an address, host or user, or write KIND:NAME with source, destination, pair, port, "
      "user or host as the kind";
  if (text.empty() || text.size() > kNameBytesMax || text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("entity name of ", text.size(), " bytes; ", kExpected));
  }
  std::vector<NamedEntity> found;
  const size_t colon = text.find(':');
  const std::optional<EntityKind> kind =
      colon == absl::string_view::npos ? std::nullopt
                                       : detector::FindEntityKind(View(text.substr(0, colon)));
  if (kind.has_value()) {
    const absl::string_view name = text.substr(colon + 1);
    if (name.empty()) return absl::InvalidArgumentError(absl::StrCat("'", text, "'; ", kExpected));
    RETURN_IF_ERROR(AddNamed(*kind, name, &found));
    return found;
  }
  for (const EntityKind each :
       {EntityKind::kSource, EntityKind::kDestination, EntityKind::kUser, EntityKind::kHost}) {
    RETURN_IF_ERROR(AddNamed(each, text, &found));
  }
  return found;
}

bool NamesAny(absl::string_view event, const std::vector<NamedEntity>& entities) {
  EventView view;
  if (event.empty() || !ledger::ScanEvent(AsBytes(event), &view).ok()) return false;
  const detector::EntityKeys keys = detector::KeysOf(view, &ledger::Sha256Bytes);
  return std::any_of(entities.begin(), entities.end(), [&](const NamedEntity& entity) {
    return !entity.key.empty() && keys[detector::IndexOf(entity.kind)] == entity.key;
  });
}

std::string EntityText(EntityKind kind, const EventView& event) {
  const std::string source = EndpointText(event.src, /*name_first=*/false);
  const std::string destination = EndpointText(event.dst, /*name_first=*/false);
  const std::string host = EndpointText(event.device, /*name_first=*/true);
  const std::string& target = destination.empty() ? host : destination;
  switch (kind) {
    case EntityKind::kSource:
      return source;
    case EntityKind::kDestination:
      return destination;
    case EntityKind::kPair:
      return source.empty() || target.empty() ? "" : absl::StrCat(source, ">", target);
    case EntityKind::kPort:
      return event.dst.port == 0
                 ? ""
                 : absl::StrCat(ProtocolText(event.protocol_num), "/", event.dst.port);
    case EntityKind::kUser:
      return absl::AsciiStrToLower(std::string(event.user.empty() ? event.user_uid : event.user));
    case EntityKind::kHost:
      break;
  }
  return host;
}

absl::Status FillRule(ledger::RuleBook* book, const ledger::ChainReader& reader,
                      const ledger::AlertInfo& alert, absl::string_view event, v1::Alert* out) {
  if (alert.component != ledger::kRuleComponent) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ledger::RuleSetPtr rules, RulesWith(book, reader, alert.rules_digest));
  v1::AlertRule* const rule = out->mutable_rule();
  rule->set_number(alert.rule);
  rule->set_rules_digest(BytesOf(alert.rules_digest));
  rule->set_observed(alert.observed);
  const detector::Rule* const known = rules == nullptr ? nullptr : rules->Find(alert.rule);
  if (known != nullptr) {
    rule->set_name(known->name);
    rule->set_title(known->title);
    rule->set_technique(known->technique);
    rule->set_condition(ConditionText(known->conditions.front()));
  }
  const std::optional<EntityKind> kind = detector::EntityKindOf(alert.entity_kind);
  if (!kind.has_value()) return absl::OkStatus();
  rule->set_entity_kind(std::string(detector::EntityKindName(*kind)));
  EventView view;
  if (!event.empty() && ledger::ScanEvent(AsBytes(event), &view).ok()) {
    rule->set_entity(EntityText(*kind, view));
  }
  return absl::OkStatus();
}

absl::Status FillEntity(const NodeServices& services, const v1::GetEntityRequest& request,
                        v1::EntityReport* out) {
  ASSIGN_OR_RETURN(const std::vector<NamedEntity> named, ParseEntityName(request.name()));
  const NodeStatus status = services.Status();
  const Hash& held = status.detection.rules;
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ledger::RuleBook book(&services.genesis());
  ASSIGN_OR_RETURN(const ledger::RuleSetPtr rules, RulesWith(&book, *reader, held));
  out->set_height(status.detector.value());
  for (const NamedEntity& asked : named) {
    const absl::StatusOr<detector::Entity> entity = services.FindEntity(asked.kind, asked.key);
    if (absl::IsNotFound(entity.status())) continue;
    RETURN_IF_ERROR(entity.status());
    v1::EntityProfile* const profile = out->add_entities();
    profile->set_kind(std::string(detector::EntityKindName(asked.kind)));
    profile->set_name(asked.name);
    FillProfile(*entity, profile);
    RETURN_IF_ERROR(FillMatches(*reader, rules.get(), held, *entity, profile));
  }
  return absl::OkStatus();
}

}  // namespace vigil::node
