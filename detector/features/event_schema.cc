#include "detector/features/event_schema.h"

#include <utility>
#include <vector>

#include "detector/features/event_fields.h"

namespace vigil::detector {
namespace {

using Group = std::span<const FieldReader>;

struct TypeTable {
  TypeTable(EventType type, const std::vector<Group>& groups,
            std::vector<CombinationSpec> combinations)
      : readers(Join(groups)),
        schema(static_cast<uint32_t>(type), FieldsOf(readers), std::move(combinations)) {}

  static std::vector<FieldReader> Join(const std::vector<Group>& groups) {
    std::vector<FieldReader> joined;
    for (const Group& group : groups) joined.insert(joined.end(), group.begin(), group.end());
    return joined;
  }
  static std::vector<FieldSpec> FieldsOf(const std::vector<FieldReader>& readers) {
    std::vector<FieldSpec> fields;
    for (const FieldReader& reader : readers) fields.push_back({reader.name, reader.kind});
    return fields;
  }

  std::vector<FieldReader> readers;
  Schema schema;
};

TypeTable MakeFlow() {
  return TypeTable(
      EventType::kFlow, {EnvelopeFields(), EndpointFields(), TrafficFields()},
      {{"dst_port+protocol_num", {"dst_port", "protocol_num"}},
       {"app_protocol+dst_port", {"app_protocol", "dst_port"}},
       {"app_protocol+status_code", {"app_protocol", "status_code"}},
       {"protocol_num+status_code", {"protocol_num", "status_code"}},
       {"address_classes", {"src_address_class", "dst_address_class"}},
       {"protocol_num+app_protocol+status_code", {"protocol_num", "app_protocol", "status_code"}}});
}

TypeTable MakeAuth() {
  return TypeTable(EventType::kAuth,
                   {EnvelopeFields(), EndpointFields(), ActorFields(), DetailFields()},
                   {{"user+src_host", {"user", "src_host"}},
                    {"user+device", {"user", "device"}},
                    {"user+status_id", {"user", "status_id"}},
                    {"src_host+status_id", {"src_host", "status_id"}},
                    {"event_id+status_code", {"event_id", "status_code"}},
                    {"user+src_host+device", {"user", "src_host", "device"}}});
}

TypeTable MakeProcess() {
  return TypeTable(EventType::kProcess, {EnvelopeFields(), ActorFields(), DetailFields()},
                   {{"parent+process", {"parent", "process"}},
                    {"user+process", {"user", "process"}},
                    {"device+process", {"device", "process"}},
                    {"process+process_folder", {"process", "process_folder"}},
                    {"event_id+process", {"event_id", "process"}}});
}

TypeTable MakeApplication() {
  return TypeTable(
      EventType::kApplication,
      {EnvelopeFields(), EndpointFields(), TrafficFields(), RequestFields()},
      {{"app_protocol+dst_port", {"app_protocol", "dst_port"}},
       {"type_uid+dst_port", {"type_uid", "dst_port"}},
       {"type_uid+status_code", {"type_uid", "status_code"}},
       {"type_uid+path_extension", {"type_uid", "path_extension"}},
       {"address_classes", {"src_address_class", "dst_address_class"}},
       {"type_uid+app_protocol+status_code", {"type_uid", "app_protocol", "status_code"}}});
}

TypeTable MakeGeneric() {
  return TypeTable(
      EventType::kGeneric,
      {EnvelopeFields(), EndpointFields(), TrafficFields(), ActorFields(), DetailFields()},
      {{"source+type_uid", {"source", "type_uid"}},
       {"source+event_id", {"source", "event_id"}},
       {"type_uid+severity_id", {"type_uid", "severity_id"}},
       {"event_id+status_id", {"event_id", "status_id"}},
       {"event_id+user", {"event_id", "user"}},
       {"event_id+process", {"event_id", "process"}},
       {"event_id+device", {"event_id", "device"}},
       {"rule_uid+dst_port", {"rule_uid", "dst_port"}}});
}

const TypeTable& TableOf(EventType type) {
  static const TypeTable flow = MakeFlow();
  static const TypeTable auth = MakeAuth();
  static const TypeTable process = MakeProcess();
  static const TypeTable application = MakeApplication();
  static const TypeTable generic = MakeGeneric();
  switch (type) {
    case EventType::kFlow:
      return flow;
    case EventType::kAuth:
      return auth;
    case EventType::kProcess:
      return process;
    case EventType::kApplication:
      return application;
    case EventType::kGeneric:
      break;
  }
  return generic;
}

}  // namespace

const Schema& EventSchema(EventType type) { return TableOf(type).schema; }

std::span<const int64_t> ReadRow(const EventView& event, EventType type, Hash32 hash,
                                 RowBuffer* row) {
  const std::vector<FieldReader>& readers = TableOf(type).readers;
  const EventReading reading(event, hash);
  for (size_t i = 0; i < readers.size(); ++i) (*row)[i] = readers[i].read(reading);
  return std::span<const int64_t>(row->data(), readers.size());
}

}  // namespace vigil::detector
