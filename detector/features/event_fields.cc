#include "detector/features/event_fields.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace vigil::detector {
namespace {

constexpr FeatureKind kCounter = FeatureKind::kCounter;
constexpr FeatureKind kLinear = FeatureKind::kLinear;
constexpr FeatureKind kCategory = FeatureKind::kCategory;

using R = const EventReading&;

int64_t Number(uint64_t value) {
  return static_cast<int64_t>(std::min<uint64_t>(value, std::numeric_limits<int64_t>::max()));
}
int64_t NumberUnlessZero(uint64_t value) { return value == 0 ? kMissing : Number(value); }
int64_t Text(std::string_view text, R r) { return text.empty() ? kMissing : TokenOf(text, r.hash); }
int64_t FoldedText(std::string_view text, R r) {
  return text.empty() ? kMissing : FoldedTokenOf(text, r.hash);
}
int64_t IfAny(std::string_view text, uint64_t value) {
  return text.empty() ? kMissing : Number(value);
}
int64_t IfTraffic(R r, uint64_t value) { return r.event.has_traffic ? Number(value) : kMissing; }

// part / whole without overflow for any 64-bit operands.
int64_t Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? kMissing : Number(part / whole);
}
uint64_t Sum(uint64_t a, uint64_t b) {
  return a + std::min(b, std::numeric_limits<uint64_t>::max() - a);
}
int64_t Permille(uint64_t part, uint64_t whole) {
  if (whole == 0) return kMissing;
  while (whole > (uint64_t{1} << 53)) {
    whole >>= 1;
    part >>= 1;
  }
  return Number(part * 1000 / whole);
}
// Units per second of a duration in ns.
int64_t PerSecond(uint64_t amount, uint64_t duration_ns) {
  const uint64_t micros = duration_ns / 1000;
  if (micros == 0) return kMissing;
  constexpr uint64_t kMillion = 1'000'000;
  if (amount > std::numeric_limits<uint64_t>::max() / kMillion) return Number(amount / micros);
  return Number(amount * kMillion / micros);
}

// A port that names a service stands for itself; the ephemeral range of IANA and Linux is one.
constexpr uint32_t kEphemeralPort = 32'768;
int64_t ServicePort(uint32_t port) { return port == 0 ? kMissing : std::min(port, kEphemeralPort); }
// Clients use high ports; a low one is worth telling apart.
int64_t ClientPort(uint32_t port) {
  if (port == 0) return kMissing;
  if (port < 1024) return port;
  return port < kEphemeralPort ? 1024 : kEphemeralPort;
}

// Coarse meaning of an address (RFC 6890). Part of the protocol: never renumber.
int64_t AddressClass(std::span<const uint8_t> ip) {
  if (ip.size() == 4) {
    if (ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168)) {
      return 1;  // Private.
    }
    if (ip[0] == 127) return 2;                                                  // Loopback.
    if (ip[0] == 169 && ip[1] == 254) return 3;                                  // Link-local.
    if ((ip[0] & 0xf0) == 224) return 4;                                         // Multicast.
    if (ip[0] == 255 && ip[1] == 255 && ip[2] == 255 && ip[3] == 255) return 5;  // Broadcast.
    if (ip[0] == 100 && (ip[1] & 0xc0) == 64) return 6;  // Carrier-grade NAT.
    return ip[0] == 0 || ip[0] >= 240 ? 7 : 8;           // Reserved; public.
  }
  if (ip.size() != 16) return kMissing;
  const bool zero_prefix = std::all_of(ip.begin(), ip.end() - 1, [](uint8_t b) { return b == 0; });
  if (zero_prefix) return ip[15] == 1 ? 12 : 17;           // Loopback; unspecified.
  if ((ip[0] & 0xfe) == 0xfc) return 11;                   // Unique local.
  if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) return 13;  // Link-local.
  return ip[0] == 0xff ? 14 : 18;                          // Multicast; global.
}
// The /24 or /48 of an address.
int64_t Network(std::span<const uint8_t> ip) {
  if (ip.size() != 4 && ip.size() != 16) return kMissing;
  int64_t network = ip.size() == 16;
  for (size_t i = 0; i < (ip.size() == 4 ? 3u : 6u); ++i) network = network << 8 | ip[i];
  return network;
}
int64_t Address(std::span<const uint8_t> ip, R r) {
  return ip.empty() ? kMissing
                    : TokenOf({reinterpret_cast<const char*>(ip.data()), ip.size()}, r.hash);
}
// Who the event is about, by the best name it gives.
int64_t HostOf(const EndpointView& endpoint, R r) {
  return endpoint.hostname.empty() ? Address(endpoint.ip, r) : FoldedText(endpoint.hostname, r);
}
int64_t MetricAt(R r, size_t index) {
  if (index >= r.event.metric_count) return kMissing;
  const int64_t value = r.event.metrics[index].value_e6;
  return value >= 0 ? value : Number(~static_cast<uint64_t>(value) + 1);
}
std::string_view FolderOf(std::string_view path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}
std::string_view BaseName(std::string_view path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}
uint64_t CountOf(std::string_view text, char wanted) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), wanted));
}
std::string_view Request(R r) { return r.event.url_or_query; }
// From the path to the end of the query, or nothing.
std::string_view PathAndQuery(const UrlParts& url) {
  if (url.path.empty()) return url.query;
  if (url.query.empty()) return url.path;
  return {url.path.data(),
          static_cast<size_t>(url.query.data() + url.query.size() - url.path.data())};
}

constexpr FieldReader kEnvelope[] = {
    {"type_uid", kCategory, [](R r) { return Number(r.event.type_uid); }},
    {"source", kCategory, [](R r) { return Text(r.event.source, r); }},
    {"severity_id", kCategory, [](R r) { return Number(r.event.severity_id); }},
    {"status_id", kCategory, [](R r) { return Number(r.event.status_id); }},
    {"action_id", kCategory, [](R r) { return Number(r.event.action_id); }},
    {"disposition_id", kCategory, [](R r) { return Number(r.event.disposition_id); }},
    {"status_code", kCategory, [](R r) { return Text(r.event.status_code, r); }},
    {"event_count", kCounter, [](R r) { return Number(std::max<uint32_t>(r.event.count, 1)); }},
};

constexpr FieldReader kEndpoint[] = {
    {"protocol_num", kCategory, [](R r) { return NumberUnlessZero(r.event.protocol_num); }},
    {"app_protocol", kCategory, [](R r) { return FoldedText(r.event.app_protocol, r); }},
    {"dst_port", kCategory, [](R r) { return ServicePort(r.event.dst.port); }},
    {"src_port_class", kCategory, [](R r) { return ClientPort(r.event.src.port); }},
    {"src_address_class", kCategory, [](R r) { return AddressClass(r.event.src.ip); }},
    {"dst_address_class", kCategory, [](R r) { return AddressClass(r.event.dst.ip); }},
    {"dst_network", kCategory, [](R r) { return Network(r.event.dst.ip); }},
};

constexpr FieldReader kTraffic[] = {
    {"bytes_out", kCounter, [](R r) { return IfTraffic(r, r.event.bytes_out); }},
    {"bytes_in", kCounter, [](R r) { return IfTraffic(r, r.event.bytes_in); }},
    {"packets_out", kCounter, [](R r) { return IfTraffic(r, r.event.packets_out); }},
    {"packets_in", kCounter, [](R r) { return IfTraffic(r, r.event.packets_in); }},
    {"duration_micros", kCounter, [](R r) { return NumberUnlessZero(r.event.duration_ns / 1000); }},
    {"bytes_per_packet_out", kCounter,
     [](R r) { return Ratio(r.event.bytes_out, r.event.packets_out); }},
    {"bytes_per_packet_in", kCounter,
     [](R r) { return Ratio(r.event.bytes_in, r.event.packets_in); }},
    {"out_share_permille", kLinear,
     [](R r) { return Permille(r.event.bytes_out, Sum(r.event.bytes_out, r.event.bytes_in)); }},
    {"bytes_out_per_second", kCounter,
     [](R r) {
       return r.event.has_traffic ? PerSecond(r.event.bytes_out, r.event.duration_ns) : kMissing;
     }},
    {"bytes_in_per_second", kCounter,
     [](R r) {
       return r.event.has_traffic ? PerSecond(r.event.bytes_in, r.event.duration_ns) : kMissing;
     }},
};

constexpr FieldReader kRequest[] = {
    {"request_length", kCounter, [](R r) { return IfAny(Request(r), Request(r).size()); }},
    {"name_length", kCounter, [](R r) { return IfAny(r.url.host, r.host.length); }},
    {"name_labels", kLinear, [](R r) { return IfAny(r.url.host, r.name.label_count); }},
    {"name_label_longest", kCounter, [](R r) { return IfAny(r.url.host, r.name.label_longest); }},
    {"name_digit_permille", kLinear, [](R r) { return IfAny(r.url.host, r.host.digit_permille); }},
    {"name_symbol_permille", kLinear,
     [](R r) { return IfAny(r.url.host, r.host.symbol_permille); }},
    {"name_distinct", kLinear, [](R r) { return IfAny(r.url.host, r.host.distinct); }},
    {"name_entropy_q8", kLinear, [](R r) { return IfAny(r.url.host, r.host.entropy_q8); }},
    {"name_suffix", kCategory, [](R r) { return FoldedText(r.name.last_label, r); }},
    {"name_domain", kCategory, [](R r) { return FoldedText(r.name.last_two_labels, r); }},
    {"path_length", kCounter, [](R r) { return IfAny(r.url.path, r.url.path.size()); }},
    {"path_depth", kLinear, [](R r) { return IfAny(r.url.path, CountOf(r.url.path, '/')); }},
    {"path_extension", kCategory, [](R r) { return FoldedText(ExtensionOf(r.url.path), r); }},
    {"query_length", kCounter, [](R r) { return IfAny(r.url.query, r.url.query.size()); }},
    {"query_parameters", kLinear,
     [](R r) { return IfAny(r.url.query, CountOf(r.url.query, '&') + 1); }},
    {"escapes", kCounter,
     [](R r) { return IfAny(PathAndQuery(r.url), CountOf(PathAndQuery(r.url), '%')); }},
    {"request_symbol_permille", kLinear,
     [](R r) { return IfAny(PathAndQuery(r.url), r.request.symbol_permille); }},
    {"request_entropy_q8", kLinear,
     [](R r) { return IfAny(PathAndQuery(r.url), r.request.entropy_q8); }},
};

constexpr FieldReader kActor[] = {
    {"user", kCategory, [](R r) { return FoldedText(r.event.user, r); }},
    {"user_domain", kCategory, [](R r) { return FoldedText(r.event.domain, r); }},
    {"process", kCategory,
     [](R r) {
       return FoldedText(
           r.event.process.empty() ? BaseName(r.event.path) : BaseName(r.event.process), r);
     }},
    {"process_folder", kCategory, [](R r) { return FoldedText(FolderOf(r.event.path), r); }},
    {"parent", kCategory, [](R r) { return FoldedText(BaseName(r.event.parent), r); }},
    {"user_length", kCounter, [](R r) { return IfAny(r.event.user, r.event.user.size()); }},
    {"command_length", kCounter, [](R r) { return IfAny(r.event.cmd_line, r.command.length); }},
    {"command_words", kCounter, [](R r) { return IfAny(r.event.cmd_line, r.command.word_count); }},
    {"command_word_longest", kCounter,
     [](R r) { return IfAny(r.event.cmd_line, r.command.word_longest); }},
    {"command_symbol_permille", kLinear,
     [](R r) { return IfAny(r.event.cmd_line, r.command.symbol_permille); }},
    {"command_uppercase_permille", kLinear,
     [](R r) { return IfAny(r.event.cmd_line, r.command.uppercase_permille); }},
    {"command_entropy_q8", kLinear,
     [](R r) { return IfAny(r.event.cmd_line, r.command.entropy_q8); }},
};

constexpr FieldReader kDetail[] = {
    {"event_id", kCategory, [](R r) { return Text(r.event.event_id, r); }},
    {"device", kCategory, [](R r) { return HostOf(r.event.device, r); }},
    {"src_host", kCategory, [](R r) { return HostOf(r.event.src, r); }},
    {"rule_uid", kCategory, [](R r) { return Text(r.event.rule_uid, r); }},
    {"attack", kCategory, [](R r) { return Text(r.event.first_attack, r); }},
    {"file_extension", kCategory,
     [](R r) {
       return FoldedText(
           ExtensionOf(r.event.file_name.empty() ? r.event.file_path : r.event.file_name), r);
     }},
    {"file_size", kCounter, [](R r) { return NumberUnlessZero(r.event.file_size); }},
    {"message_length", kCounter, [](R r) { return IfAny(r.event.message, r.message.length); }},
    {"message_words", kCounter, [](R r) { return IfAny(r.event.message, r.message.word_count); }},
    {"message_digit_permille", kLinear,
     [](R r) { return IfAny(r.event.message, r.message.digit_permille); }},
    {"message_entropy_q8", kLinear,
     [](R r) { return IfAny(r.event.message, r.message.entropy_q8); }},
    {"attack_count", kLinear, [](R r) { return Number(r.event.attack_count); }},
    {"observable_count", kLinear, [](R r) { return Number(r.event.observable_count); }},
    {"unmapped_count", kLinear, [](R r) { return Number(r.event.unmapped_count); }},
    {"metric_count", kLinear, [](R r) { return Number(r.event.metric_count); }},
    {"metric_0", kCounter, [](R r) { return MetricAt(r, 0); }},
    {"metric_1", kCounter, [](R r) { return MetricAt(r, 1); }},
    {"metric_2", kCounter, [](R r) { return MetricAt(r, 2); }},
    {"metric_3", kCounter, [](R r) { return MetricAt(r, 3); }},
};

}  // namespace

EventReading::EventReading(const EventView& event_in, Hash32 hash_in)
    : event(event_in),
      hash(hash_in),
      url(SplitUrl(event_in.url_or_query)),
      name(ShapeOfName(url.host)),
      host(ShapeOf(url.host)),
      request(ShapeOf(PathAndQuery(url))),
      command(ShapeOf(event_in.cmd_line)),
      message(ShapeOf(event_in.message)) {}

std::span<const FieldReader> EnvelopeFields() { return kEnvelope; }
std::span<const FieldReader> EndpointFields() { return kEndpoint; }
std::span<const FieldReader> TrafficFields() { return kTraffic; }
std::span<const FieldReader> RequestFields() { return kRequest; }
std::span<const FieldReader> ActorFields() { return kActor; }
std::span<const FieldReader> DetailFields() { return kDetail; }

}  // namespace vigil::detector
