#include "client/ingest/mapping_tables.h"

namespace vigil::client {
namespace {

constexpr FieldRule kEventRules[] = {
    {"time", "time:nanos"},
    {"end_time", "end_time:nanos"},
    {"duration_ns", "duration:nanos"},
    {"type_uid", "type_uid"},
    {"class_uid", "class_uid"},
    {"activity_id", "activity_id"},
    {"severity_id", "severity_id"},
    {"status_id", "status_id"},
    {"action_id", "action_id"},
    {"disposition_id", "disposition_id"},
    {"source", "source"},
    {"source_uid", "source_uid"},
    {"event_id", "event_id"},
    {"actor.user", "actor.user"},
    {"actor.user_uid", "actor.user_uid"},
    {"actor.domain", "actor.domain"},
    {"actor.process", "actor.process"},
    {"actor.path", "actor.path"},
    {"actor.cmd_line", "actor.cmd_line"},
    {"actor.pid", "actor.pid"},
    {"actor.parent", "actor.parent"},
    {"actor.session", "actor.session"},
    {"device.ip", "device.ip"},
    {"device.port", "device.port"},
    {"device.hostname", "device.hostname"},
    {"device.mac", "device.mac"},
    {"device.uid", "device.uid"},
    {"device.zone", "device.zone"},
    {"src.ip", "src.ip"},
    {"src.port", "src.port"},
    {"src.hostname", "src.hostname"},
    {"src.mac", "src.mac"},
    {"src.uid", "src.uid"},
    {"src.zone", "src.zone"},
    {"dst.ip", "dst.ip"},
    {"dst.port", "dst.port"},
    {"dst.hostname", "dst.hostname"},
    {"dst.mac", "dst.mac"},
    {"dst.uid", "dst.uid"},
    {"dst.zone", "dst.zone"},
    {"protocol", "protocol"},
    {"app_protocol", "app_protocol"},
    {"traffic.bytes_in", "traffic.bytes_in"},
    {"traffic.bytes_out", "traffic.bytes_out"},
    {"traffic.packets_in", "traffic.packets_in"},
    {"traffic.packets_out", "traffic.packets_out"},
    {"rule_uid", "rule_uid"},
    {"rule_name", "rule_name"},
    {"attacks", "attack"},
    {"observables.*", "observable"},
    {"metrics.*", "metric"},
    {"unmapped.*", "unmapped"},
    {"url_or_query", "url_or_query"},
    {"file.name", "file.name"},
    {"file.path", "file.path"},
    {"file.sha256", "file.sha256"},
    {"file.size", "file.size"},
    {"message", "message"},
    {"status_code", "status_code"},
    {"count", "count"},
    {"tlp", "tlp"},
    {"mapping_id", "mapping_id"},
};

constexpr LogMapping kLogs[] = {
    {.log = "event", .activity_id = kActivityOther, .severity_id = 0, .rules = kEventRules},
};

}  // namespace

const MappingFamily& VigilFamily() {
  static constexpr MappingFamily kFamily = {.name = "vigil", .logs = kLogs, .strict = true};
  return kFamily;
}

}  // namespace vigil::client
