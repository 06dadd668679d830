// EventView: what the strict scanner saw in one event, as views into its bytes.
//
// The detector and the index read events through this alone. Header-only and free of Abseil. A
// view is valid as long as the bytes that were scanned.
#ifndef VIGIL_LEDGER_BASE_EVENT_VIEW_H_
#define VIGIL_LEDGER_BASE_EVENT_VIEW_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace vigil {

// Field comments: proto/vigil/v1/event.proto. Absent text is empty, absent numbers are 0.
struct EndpointView {
  std::span<const uint8_t> ip;  // 0, 4 or 16 bytes.
  uint32_t port = 0;
  std::string_view hostname;
  std::span<const uint8_t> mac;
  std::string_view uid;
  std::string_view zone;
  bool present = false;
};

struct EventView {
  static constexpr size_t kMetricsMax = 32;
  static constexpr size_t kObservablesMax = 32;

  struct Metric {
    std::string_view key;
    int64_t value_e6 = 0;
  };
  struct Observable {
    uint32_t type_id = 0;
    std::string_view value;
  };

  uint32_t schema = 0;
  std::span<const uint8_t> salt;
  uint64_t time_unix_nano = 0;
  uint64_t type_uid = 0;
  uint32_t severity_id = 0;
  uint32_t status_id = 0;
  uint32_t action_id = 0;
  uint32_t disposition_id = 0;
  std::string_view source;
  std::string_view source_uid;
  std::string_view event_id;

  std::string_view user;
  std::string_view user_uid;
  std::string_view domain;
  std::string_view process;
  std::string_view path;
  std::string_view cmd_line;
  uint64_t pid = 0;
  std::string_view parent;
  std::string_view session;

  EndpointView device;
  EndpointView src;
  EndpointView dst;
  uint32_t protocol_num = 0;
  std::string_view app_protocol;

  bool has_traffic = false;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t packets_in = 0;
  uint64_t packets_out = 0;
  uint64_t duration_ns = 0;

  std::string_view rule_uid;
  std::string_view rule_name;
  std::string_view first_attack;
  uint32_t attack_count = 0;
  std::array<Metric, kMetricsMax> metrics;
  uint32_t metric_count = 0;
  std::array<Observable, kObservablesMax> observables;
  uint32_t observable_count = 0;
  uint32_t unmapped_count = 0;

  std::string_view url_or_query;
  std::string_view file_name;
  std::string_view file_path;
  std::span<const uint8_t> file_sha256;
  uint64_t file_size = 0;
  std::string_view message;
  std::string_view status_code;
  uint32_t count = 0;  // 0 means 1.
  uint64_t end_time_unix_nano = 0;
  uint32_t tlp = 0;
  std::string_view mapping_id;

  // OCSF class_uid, for example 4001 network activity, 4003 DNS, 2004 detection finding.
  uint32_t class_uid() const { return static_cast<uint32_t>(type_uid / 100); }
};

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_EVENT_VIEW_H_
