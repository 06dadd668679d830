#include "client/ingest/targets.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/bytes.h"

namespace vigil::client {
namespace {

using v1::Actor;
using v1::Endpoint;
using v1::Event;
using v1::File;
using v1::Traffic;

// --- Text.

template <auto kField, size_t kSizeMax>
bool SetText(EventBuilder* builder, const Value& value, absl::string_view argument) {
  builder->SetText((builder->event()->*kField)(), value.text, kSizeMax, argument);
  return true;
}

template <auto kMessage, auto kField, size_t kSizeMax>
bool SetSubText(EventBuilder* builder, const Value& value, absl::string_view argument) {
  auto* const message = (builder->event()->*kMessage)();
  builder->SetText((message->*kField)(), value.text, kSizeMax, argument);
  return true;
}

// A rule that has only a name is found under both.
bool SetRule(EventBuilder* builder, const Value& value, absl::string_view argument) {
  builder->SetText(builder->event()->mutable_rule_uid(), value.text, 128, argument);
  builder->SetText(builder->event()->mutable_rule_name(), value.text, 512, argument);
  return true;
}

bool SetAppProtocol(EventBuilder* builder, const Value& value, absl::string_view argument) {
  // Suricata says "failed" when it could not tell.
  if (value.text == "failed") return true;
  std::string name = absl::AsciiStrToLower(value.text);
  if (name == "ssl") name = "tls";
  builder->SetText(builder->event()->mutable_app_protocol(), name, 32, argument);
  return true;
}

// A path gives both: itself, and its last part as the name.
bool SetFileName(EventBuilder* builder, const Value& value, absl::string_view argument) {
  v1::File* const file = builder->event()->mutable_file();
  const size_t slash = value.text.find_last_of("/\\");
  if (slash == absl::string_view::npos) {
    builder->SetText(file->mutable_name(), value.text, 256, argument);
    return true;
  }
  builder->SetText(file->mutable_path(), value.text, 1024, argument);
  builder->SetText(file->mutable_name(), value.text.substr(slash + 1), 256, argument);
  return true;
}

// --- Numbers.

template <auto kField, uint64_t kMax>
bool SetNumber(EventBuilder* builder, const Value& value, absl::string_view) {
  const std::optional<uint64_t> number = ParseUnsigned(value.text);
  if (!number || *number > kMax) return false;
  if (*number != 0) (builder->event()->*kField)(*number);
  return true;
}

template <auto kMessage, auto kField, uint64_t kMax = UINT64_MAX>
bool SetSubNumber(EventBuilder* builder, const Value& value, absl::string_view) {
  const std::optional<uint64_t> number = ParseUnsigned(value.text);
  if (!number || *number > kMax) return false;
  if (*number != 0) ((builder->event()->*kMessage)()->*kField)(*number);
  return true;
}

bool SetProtocol(EventBuilder* builder, const Value& value, absl::string_view) {
  const uint32_t number = ParseProtocol(value.text);
  if (number == 0) return false;
  builder->event()->set_protocol_num(number);
  return true;
}

bool SetClassUid(EventBuilder* builder, const Value& value, absl::string_view) {
  const std::optional<uint64_t> number = ParseUnsigned(value.text);
  if (!number || *number > UINT32_MAX) return false;
  builder->set_class_uid(static_cast<uint32_t>(*number));
  return true;
}

bool SetActivityId(EventBuilder* builder, const Value& value, absl::string_view) {
  const std::optional<uint64_t> number = ParseUnsigned(value.text);
  if (!number || *number > 99) return false;
  builder->set_activity_id(static_cast<uint32_t>(*number));
  return true;
}

bool SetTypeUid(EventBuilder* builder, const Value& value, absl::string_view) {
  const std::optional<uint64_t> number = ParseUnsigned(value.text);
  if (!number || *number / 100 > UINT32_MAX) return false;
  builder->set_class_uid(static_cast<uint32_t>(*number / 100));
  builder->set_activity_id(static_cast<uint32_t>(*number % 100));
  return true;
}

// --- Times. The argument says how they are written: "zeek", "rfc3339" or "nanos".

std::optional<uint64_t> ParseTime(absl::string_view text, absl::string_view form) {
  std::optional<uint64_t> nanos;
  if (form == "zeek") {
    nanos = ParseZeekTime(text);
  } else if (form == "nanos" && (text.size() < 5 || text[4] != '-')) {
    nanos = ParseUnsigned(text);
  } else {
    nanos = ParseRfc3339(text);
  }
  if (nanos && *nanos > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return nanos;
}

bool SetTime(EventBuilder* builder, const Value& value, absl::string_view form) {
  const std::optional<uint64_t> nanos = ParseTime(value.text, form);
  if (!nanos || *nanos == 0) return false;
  builder->event()->set_time_unix_nano(*nanos);
  return true;
}

bool SetStartTime(EventBuilder* builder, const Value& value, absl::string_view form) {
  const std::optional<uint64_t> nanos = ParseTime(value.text, form);
  if (!nanos) return false;
  builder->set_start_time(*nanos);
  return true;
}

bool SetEndTime(EventBuilder* builder, const Value& value, absl::string_view form) {
  const std::optional<uint64_t> nanos = ParseTime(value.text, form);
  if (!nanos) return false;
  builder->event()->set_end_time_unix_nano(*nanos);
  return true;
}

bool SetDuration(EventBuilder* builder, const Value& value, absl::string_view form) {
  const std::optional<int64_t> nanos = ParseScaled(value.text, form == "seconds" ? 9 : 0);
  if (!nanos || *nanos < 0) return false;
  builder->event()->set_duration_ns(static_cast<uint64_t>(*nanos));
  return true;
}

// --- Bytes.

template <auto kEndpoint>
bool SetIp(EventBuilder* builder, const Value& value, absl::string_view) {
  const IpBytes ip = ParseIp(value.text);
  if (ip.size == 0) return false;
  (builder->event()->*kEndpoint)()->set_ip(ip.bytes.data(), ip.size);
  return true;
}

// An address goes to `ip`, anything else is a host name.
template <auto kEndpoint>
bool SetHost(EventBuilder* builder, const Value& value, absl::string_view argument) {
  if (SetIp<kEndpoint>(builder, value, argument)) return true;
  return SetSubText<kEndpoint, &Endpoint::mutable_hostname, 256>(builder, value, argument);
}

template <auto kEndpoint>
bool SetMac(EventBuilder* builder, const Value& value, absl::string_view) {
  std::string mac = ParseMac(value.text);
  if (mac.empty()) return false;
  (builder->event()->*kEndpoint)()->set_mac(std::move(mac));
  return true;
}

bool SetSha256(EventBuilder* builder, const Value& value, absl::string_view) {
  absl::StatusOr<std::string> digest = HexDecode(value.text);
  if (!digest.ok() || digest->size() != 32) return false;
  builder->event()->mutable_file()->set_sha256(*std::move(digest));
  return true;
}

// --- Lists and the rest.

// OCSF observable types: 1 host name, 2 IP address.
constexpr uint32_t kHostnameType = 1;
constexpr uint32_t kIpType = 2;

bool IsHostname(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_' &&
        c != '*') {
      return false;
    }
  }
  return text.size() <= 255;
}

// The argument is the type, or "host" for an address or a host name, whichever the value is.
bool AddObservable(EventBuilder* builder, const Value& value, absl::string_view argument) {
  uint32_t type_id = 0;
  if (argument == "host") {
    if (ParseIp(value.text).size > 0) {
      type_id = kIpType;
    } else if (IsHostname(value.text)) {
      type_id = kHostnameType;
    } else {
      return false;
    }
  } else if (!absl::SimpleAtoi(argument, &type_id) || type_id > 99) {
    return false;
  }
  builder->AddObservable(type_id, value.text);
  return true;
}

bool AddMetric(EventBuilder* builder, const Value& value, absl::string_view argument) {
  const std::optional<int64_t> micros = ParseScaled(value.text, 6);
  if (!micros) return false;
  builder->AddMetric(argument, *micros);
  return true;
}

bool AddMetricIfSet(EventBuilder* builder, const Value& value, absl::string_view argument) {
  const std::optional<int64_t> micros = ParseScaled(value.text, 6);
  if (!micros) return false;
  if (*micros != 0) builder->AddMetric(argument, *micros);
  return true;
}

bool AddAttack(EventBuilder* builder, const Value& value, absl::string_view) {
  builder->AddAttack(value.text);
  return true;
}

bool AddUnmapped(EventBuilder* builder, const Value& value, absl::string_view argument) {
  builder->AddUnmapped(argument, PlainText(value));
  return true;
}

bool AddUnmappedIfSet(EventBuilder* builder, const Value& value, absl::string_view argument) {
  const absl::string_view text = PlainText(value);
  if (text != "false" && text != "0") builder->AddUnmapped(argument, text);
  return true;
}

bool Ignore(EventBuilder*, const Value&, absl::string_view) { return true; }

constexpr bool kArgument = true;
constexpr bool kRepeated = true;
constexpr bool kJoined = true;

template <auto kField, size_t kSizeMax>
constexpr Target TextTarget(absl::string_view name) {
  return {name, SetText<kField, kSizeMax>};
}
template <auto kMessage, auto kField, size_t kSizeMax>
constexpr Target TextTarget(absl::string_view name) {
  return {name, SetSubText<kMessage, kField, kSizeMax>};
}

constexpr Target kTargets[] = {
    {"time", SetTime, kArgument},
    {"start_time", SetStartTime, kArgument},
    {"end_time", SetEndTime, kArgument},
    {"duration", SetDuration, kArgument},
    {"class_uid", SetClassUid},
    {"activity_id", SetActivityId},
    {"type_uid", SetTypeUid},
    {"severity_id", SetNumber<&Event::set_severity_id, 99>},
    {"status_id", SetNumber<&Event::set_status_id, 99>},
    {"action_id", SetNumber<&Event::set_action_id, 99>},
    {"disposition_id", SetNumber<&Event::set_disposition_id, 99>},
    TextTarget<&Event::mutable_source, 64>("source"),
    TextTarget<&Event::mutable_source_uid, 128>("source_uid"),
    TextTarget<&Event::mutable_event_id, 64>("event_id"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_user, 256>("actor.user"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_user_uid, 128>("actor.user_uid"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_domain, 256>("actor.domain"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_process, 256>("actor.process"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_path, 1024>("actor.path"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_cmd_line, 4096>("actor.cmd_line"),
    {"actor.pid", SetSubNumber<&Event::mutable_actor, &Actor::set_pid>},
    TextTarget<&Event::mutable_actor, &Actor::mutable_parent, 256>("actor.parent"),
    TextTarget<&Event::mutable_actor, &Actor::mutable_session, 128>("actor.session"),
    {"device.ip", SetIp<&Event::mutable_device>},
    {"device.host", SetHost<&Event::mutable_device>},
    {"device.port", SetSubNumber<&Event::mutable_device, &Endpoint::set_port, 65535>},
    TextTarget<&Event::mutable_device, &Endpoint::mutable_hostname, 256>("device.hostname"),
    {"device.mac", SetMac<&Event::mutable_device>},
    TextTarget<&Event::mutable_device, &Endpoint::mutable_uid, 128>("device.uid"),
    TextTarget<&Event::mutable_device, &Endpoint::mutable_zone, 64>("device.zone"),
    {"src.ip", SetIp<&Event::mutable_src>},
    {"src.host", SetHost<&Event::mutable_src>},
    {"src.port", SetSubNumber<&Event::mutable_src, &Endpoint::set_port, 65535>},
    TextTarget<&Event::mutable_src, &Endpoint::mutable_hostname, 256>("src.hostname"),
    {"src.mac", SetMac<&Event::mutable_src>},
    TextTarget<&Event::mutable_src, &Endpoint::mutable_uid, 128>("src.uid"),
    TextTarget<&Event::mutable_src, &Endpoint::mutable_zone, 64>("src.zone"),
    {"dst.ip", SetIp<&Event::mutable_dst>},
    {"dst.host", SetHost<&Event::mutable_dst>},
    {"dst.port", SetSubNumber<&Event::mutable_dst, &Endpoint::set_port, 65535>},
    TextTarget<&Event::mutable_dst, &Endpoint::mutable_hostname, 256>("dst.hostname"),
    {"dst.mac", SetMac<&Event::mutable_dst>},
    TextTarget<&Event::mutable_dst, &Endpoint::mutable_uid, 128>("dst.uid"),
    TextTarget<&Event::mutable_dst, &Endpoint::mutable_zone, 64>("dst.zone"),
    {"protocol", SetProtocol},
    {"app_protocol", SetAppProtocol},
    {"traffic.bytes_in", SetSubNumber<&Event::mutable_traffic, &Traffic::set_bytes_in>},
    {"traffic.bytes_out", SetSubNumber<&Event::mutable_traffic, &Traffic::set_bytes_out>},
    {"traffic.packets_in", SetSubNumber<&Event::mutable_traffic, &Traffic::set_packets_in>},
    {"traffic.packets_out", SetSubNumber<&Event::mutable_traffic, &Traffic::set_packets_out>},
    TextTarget<&Event::mutable_rule_uid, 128>("rule_uid"),
    TextTarget<&Event::mutable_rule_name, 512>("rule_name"),
    {"rule", SetRule},
    {"attack", AddAttack, !kArgument, kRepeated},
    {"observable", AddObservable, kArgument, kRepeated},
    {"metric", AddMetric, kArgument},
    {"metric_if_set", AddMetricIfSet, kArgument},
    {"unmapped", AddUnmapped, kArgument, !kRepeated, kJoined},
    {"unmapped_if_set", AddUnmappedIfSet, kArgument, !kRepeated, kJoined},
    TextTarget<&Event::mutable_url_or_query, 2048>("url_or_query"),
    TextTarget<&Event::mutable_file, &File::mutable_name, 256>("file.name"),
    {"file.name_or_path", SetFileName},
    TextTarget<&Event::mutable_file, &File::mutable_path, 1024>("file.path"),
    {"file.sha256", SetSha256},
    {"file.size", SetSubNumber<&Event::mutable_file, &File::set_size>},
    TextTarget<&Event::mutable_message, 2048>("message"),
    TextTarget<&Event::mutable_status_code, 64>("status_code"),
    {"count", SetNumber<&Event::set_count, UINT32_MAX>},
    {"tlp", SetNumber<&Event::set_tlp, 4>},
    TextTarget<&Event::mutable_mapping_id, 64>("mapping_id"),
    {"ignore", Ignore, !kArgument, kRepeated},
};

}  // namespace

const Target* FindTarget(absl::string_view name) {
  for (const Target& target : kTargets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

absl::string_view PlainText(const Value& value) {
  absl::string_view text = value.text;
  if (value.kind != Value::Kind::kNumber) return text;
  if (text.find('.') == absl::string_view::npos) return text;
  if (text.find_first_of("eE") != absl::string_view::npos) return text;
  while (!text.empty() && text.back() == '0') text.remove_suffix(1);
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  return text;
}

}  // namespace vigil::client
