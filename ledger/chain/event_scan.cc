#include <cstddef>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/chain/message_rules.h"
#include "ledger/chain/scanner.h"

// The tables of proto/vigil/v1/event.proto, index = tag.
namespace vigil::ledger {
namespace {

using namespace internal;  // NOLINT: the vocabulary of the tables.

// EventView::class_uid() is 32 bits wide.
constexpr uint64_t kTypeUidMax = kUint32Max * 100 + 99;

EventView* View(void* out) { return static_cast<EventView*>(out); }

void StoreAttack(void* out, uint64_t, ByteSpan bytes) {
  if (View(out)->attack_count++ == 0) Store<&EventView::first_attack>(out, 0, bytes);
}

template <EndpointView EventView::*kMember>
void* EnterEndpoint(void* out, uint32_t) {
  EndpointView& endpoint = View(out)->*kMember;
  endpoint.present = true;
  return &endpoint;
}
void* EnterTraffic(void* out, uint32_t) {
  View(out)->has_traffic = true;
  return out;
}
void* EnterObservable(void* out, uint32_t index) {
  View(out)->observable_count = index + 1;
  return &View(out)->observables[index];
}
void* EnterMetric(void* out, uint32_t index) {
  View(out)->metric_count = index + 1;
  return &View(out)->metrics[index];
}
void* EnterPair(void* out, uint32_t index) {
  View(out)->unmapped_count = index + 1;
  return out;
}

constexpr FieldRule kActorFields[] = {
    {},
    Text("user", 256, Store<&EventView::user>),
    Text("user_uid", 128, Store<&EventView::user_uid>),
    Text("domain", 256, Store<&EventView::domain>),
    Text("process", 256, Store<&EventView::process>),
    Text("path", 1024, Store<&EventView::path>),
    Text("cmd_line", 4096, Store<&EventView::cmd_line>),
    Number("pid", kUint64Max, Store<&EventView::pid>),
    Text("parent", 256, Store<&EventView::parent>),
    Text("session", 128, Store<&EventView::session>),
};
constexpr MessageRules kActor = MakeRules(kActorFields);

constexpr FieldRule kEndpointFields[] = {
    {},
    IpAddress("ip", Store<&EndpointView::ip>),
    Number("port", 65535, Store<&EndpointView::port>),
    Text("hostname", 256, Store<&EndpointView::hostname>),
    Bytes("mac", 6, 6, Store<&EndpointView::mac>),
    Text("uid", 128, Store<&EndpointView::uid>),
    Text("zone", 64, Store<&EndpointView::zone>),
};
constexpr MessageRules kEndpoint = MakeRules(kEndpointFields);

constexpr FieldRule kTrafficFields[] = {
    {},
    Number("bytes_in", kUint64Max, Store<&EventView::bytes_in>),
    Number("bytes_out", kUint64Max, Store<&EventView::bytes_out>),
    Number("packets_in", kUint64Max, Store<&EventView::packets_in>),
    Number("packets_out", kUint64Max, Store<&EventView::packets_out>),
};
constexpr MessageRules kTraffic = MakeRules(kTrafficFields);

constexpr FieldRule kObservableFields[] = {
    {},
    Number("type_id", 99, Store<&EventView::Observable::type_id>),
    Required(Text("value", 1024, Store<&EventView::Observable::value>)),
};
constexpr MessageRules kObservable = MakeRules(kObservableFields);

constexpr FieldRule kMetricFields[] = {
    {},
    Required(Text("key", 64, Store<&EventView::Metric::key>)),
    Signed("value_e6", Store<&EventView::Metric::value_e6>),
};
constexpr MessageRules kMetric = MakeRules(kMetricFields);

constexpr FieldRule kPairFields[] = {
    {},
    Required(Text("key", 128)),
    Text("value", 2048),
};
constexpr MessageRules kPair = MakeRules(kPairFields);

constexpr FieldRule kFileFields[] = {
    {},
    Text("name", 256, Store<&EventView::file_name>),
    Text("path", 1024, Store<&EventView::file_path>),
    Bytes("sha256", 32, 32, Store<&EventView::file_sha256>),
    Number("size", kUint64Max, Store<&EventView::file_size>),
};
constexpr MessageRules kFile = MakeRules(kFileFields);

constexpr FieldRule kSealedGroupFields[] = {
    {},
    Required(Text("name", 64)),
    Required(Bytes("commitment", 32, 32)),
    Number("field_count", kUint32Max),
};
constexpr MessageRules kSealedGroup = MakeRules(kSealedGroupFields);

constexpr FieldRule Unmapped() {
  FieldRule rule = Repeated(Message("unmapped", &kPair, EnterPair), 32);
  rule.text_bytes_max = 8 * 1024;
  return rule;
}

constexpr FieldRule kEventFields[] = {
    {},
    Required(Number("schema", 1, Store<&EventView::schema>)),
    Required(Bytes("salt", 16, 16, Store<&EventView::salt>)),
    Required(Time("time_unix_nano", Store<&EventView::time_unix_nano>)),
    Required(Number("type_uid", kTypeUidMax, Store<&EventView::type_uid>)),
    Number("severity_id", 99, Store<&EventView::severity_id>),
    Number("status_id", 99, Store<&EventView::status_id>),
    Number("action_id", 99, Store<&EventView::action_id>),
    Number("disposition_id", 99, Store<&EventView::disposition_id>),
    Required(Text("source", 64, Store<&EventView::source>)),
    Text("source_uid", 128, Store<&EventView::source_uid>),
    Text("event_id", 64, Store<&EventView::event_id>),
    Message("actor", &kActor),
    Message("device", &kEndpoint, EnterEndpoint<&EventView::device>),
    Message("src", &kEndpoint, EnterEndpoint<&EventView::src>),
    Message("dst", &kEndpoint, EnterEndpoint<&EventView::dst>),
    Number("protocol_num", 255, Store<&EventView::protocol_num>),
    Text("app_protocol", 32, Store<&EventView::app_protocol>),
    Message("traffic", &kTraffic, EnterTraffic),
    Number("duration_ns", kUint64Max, Store<&EventView::duration_ns>),
    Text("rule_uid", 128, Store<&EventView::rule_uid>),
    Text("rule_name", 512, Store<&EventView::rule_name>),
    Repeated(Text("attacks", 16, StoreAttack), 16),
    Repeated(Message("observables", &kObservable, EnterObservable), EventView::kObservablesMax),
    Repeated(Message("metrics", &kMetric, EnterMetric), EventView::kMetricsMax),
    Unmapped(),
    Bytes("raw", 1, 8192),
    Bytes("raw_commitment", 32, 32),
    Number("raw_size", kUint32Max),
    Text("url_or_query", 2048, Store<&EventView::url_or_query>),
    Message("file", &kFile),
    Text("message", 2048, Store<&EventView::message>),
    Text("status_code", 64, Store<&EventView::status_code>),
    Number("count", kUint32Max, Store<&EventView::count>),
    Time("end_time_unix_nano", Store<&EventView::end_time_unix_nano>),
    Number("tlp", 4, Store<&EventView::tlp>),
    Text("mapping_id", 64, Store<&EventView::mapping_id>),
    Repeated(Message("sealed_groups", &kSealedGroup), 8),
};
constexpr MessageRules kEvent = MakeRules(kEventFields);
static_assert(std::size(kEventFields) == 38, "event.proto ends at tag 37");

// The elements of these two arrays count only up to metric_count and observable_count: leaving them
// as they are saves three quarters of the writes.
static_assert(std::is_trivially_copyable_v<EventView> && std::is_standard_layout_v<EventView>);
constexpr size_t kMetricsAt = offsetof(EventView, metrics);
constexpr size_t kMetricCountAt = offsetof(EventView, metric_count);
constexpr size_t kObservablesAt = offsetof(EventView, observables);
constexpr size_t kObservableCountAt = offsetof(EventView, observable_count);
static_assert(kMetricsAt < kMetricCountAt && kMetricCountAt < kObservablesAt &&
              kObservablesAt < kObservableCountAt);

void Reset(EventView* view) {
  static const EventView kEmpty;
  const auto copy = [view](size_t from, size_t to) {
    std::memcpy(reinterpret_cast<char*>(view) + from, reinterpret_cast<const char*>(&kEmpty) + from,
                to - from);
  };
  copy(0, kMetricsAt);
  copy(kMetricCountAt, kObservablesAt);
  copy(kObservableCountAt, sizeof(EventView));
}

}  // namespace

absl::Status ScanEvent(ByteSpan event, EventView* view) {
  if (event.size() > kEventBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("event: ", event.size(), " bytes, at most ", kEventBytesMax));
  }
  Reset(view);
  return ScanMessage("event", kEvent, event, view);
}

}  // namespace vigil::ledger
