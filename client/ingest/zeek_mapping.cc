#include "client/ingest/mapping_tables.h"

namespace vigil::client {
namespace {

constexpr FieldRule kCommonRules[] = {
    {"ts", "time:zeek"},
    {"uid", "source_uid"},
    {"id.orig_h", "src.ip"},
    {"id.orig_p", "src.port"},
    {"id.resp_h", "dst.ip"},
    {"id.resp_p", "dst.port"},
    {"proto", "protocol"},
    {"_path", "ignore"},
    {"_write_ts", "ignore"},
    {"_system_name", "device.hostname"},
    {"fuid", "unmapped"},
    {"peer", "unmapped"},
    {"remote_location.country_code", "unmapped"},
    {"remote_location.region", "unmapped"},
    {"remote_location.city", "unmapped"},
    {"remote_location.latitude", "unmapped"},
    {"remote_location.longitude", "unmapped"},
};

constexpr FieldRule kConnRules[] = {
    {"service", "app_protocol"},
    {"duration", "duration:seconds"},
    {"orig_bytes", "traffic.bytes_out"},
    {"resp_bytes", "traffic.bytes_in"},
    {"orig_pkts", "traffic.packets_out"},
    {"resp_pkts", "traffic.packets_in"},
    {"conn_state", "status_code"},
    {"orig_ip_bytes", "metric:orig_ip_bytes"},
    {"resp_ip_bytes", "metric:resp_ip_bytes"},
    {"missed_bytes", "metric_if_set:missed_bytes"},
    {"orig_l2_addr", "src.mac"},
    {"resp_l2_addr", "dst.mac"},
    {"history", "unmapped"},
    {"local_orig", "unmapped_if_set"},
    {"local_resp", "unmapped_if_set"},
    {"tunnel_parents", "unmapped"},
    {"vlan", "unmapped"},
    {"inner_vlan", "unmapped"},
    {"community_id", "unmapped"},
    {"ip_proto", "protocol"},
};
// conn_state as in base/protocols/conn/main.zeek: what became of the connection.
constexpr Condition kConnConditions[] = {
    {"conn_state", "S0", Trait::kActivity, 4},   {"conn_state", "S0", Trait::kStatus, 2},
    {"conn_state", "S1", Trait::kActivity, 1},   {"conn_state", "S1", Trait::kStatus, 1},
    {"conn_state", "S2", Trait::kStatus, 1},     {"conn_state", "S3", Trait::kStatus, 1},
    {"conn_state", "SF", Trait::kStatus, 1},     {"conn_state", "REJ", Trait::kActivity, 5},
    {"conn_state", "REJ", Trait::kStatus, 2},    {"conn_state", "RSTO", Trait::kActivity, 3},
    {"conn_state", "RSTO", Trait::kStatus, 1},   {"conn_state", "RSTR", Trait::kActivity, 3},
    {"conn_state", "RSTR", Trait::kStatus, 1},   {"conn_state", "RSTOS0", Trait::kActivity, 3},
    {"conn_state", "RSTOS0", Trait::kStatus, 2}, {"conn_state", "RSTRH", Trait::kActivity, 3},
    {"conn_state", "RSTRH", Trait::kStatus, 2},  {"conn_state", "SH", Trait::kActivity, 4},
    {"conn_state", "SH", Trait::kStatus, 2},     {"conn_state", "SHR", Trait::kActivity, 4},
    {"conn_state", "SHR", Trait::kStatus, 2},
};

constexpr FieldRule kDnsRules[] = {
    {"query", "url_or_query"},
    {"qtype_name", "event_id"},
    {"qtype", "ignore"},
    {"rcode_name", "status_code"},
    {"rcode", "ignore"},
    {"rtt", "duration:seconds"},
    {"answers", "observable:host"},
    {"TTLs", "unmapped"},
    {"trans_id", "unmapped"},
    {"qclass", "unmapped"},
    {"qclass_name", "ignore"},
    {"AA", "unmapped_if_set"},
    {"TC", "unmapped_if_set"},
    {"RD", "unmapped_if_set"},
    {"RA", "unmapped_if_set"},
    {"Z", "unmapped_if_set"},
    {"rejected", "unmapped_if_set"},
};
constexpr Condition kDnsConditions[] = {
    {"rcode", "*", Trait::kActivity, 2},
    {"rcode", "0", Trait::kStatus, 1},
    {"rcode", "*", Trait::kStatus, 2},
};

constexpr FieldRule kHttpRules[] = {
    {"method", "event_id"},
    {"host", "dst.hostname"},
    {"uri", "url_or_query"},
    {"status_code", "status_code"},
    {"user_agent", "observable:16"},
    {"username", "actor.user"},
    {"password", "ignore"},
    {"request_body_len", "metric:request_body_len"},
    {"response_body_len", "metric:response_body_len"},
    {"resp_filenames", "file.name_or_path"},
    {"orig_filenames", "unmapped"},
    {"trans_depth", "unmapped"},
    {"referrer", "unmapped"},
    {"version", "unmapped"},
    {"origin", "unmapped"},
    {"status_msg", "unmapped"},
    {"info_code", "unmapped"},
    {"info_msg", "unmapped"},
    {"tags", "unmapped"},
    {"proxied", "unmapped"},
    {"orig_fuids", "unmapped"},
    {"orig_mime_types", "unmapped"},
    {"resp_fuids", "unmapped"},
    {"resp_mime_types", "unmapped"},
};
constexpr Condition kHttpConditions[] = {
    {"method", "CONNECT", Trait::kActivity, 1}, {"method", "DELETE", Trait::kActivity, 2},
    {"method", "GET", Trait::kActivity, 3},     {"method", "HEAD", Trait::kActivity, 4},
    {"method", "OPTIONS", Trait::kActivity, 5}, {"method", "POST", Trait::kActivity, 6},
    {"method", "PUT", Trait::kActivity, 7},     {"method", "TRACE", Trait::kActivity, 8},
    {"status_code", "4*", Trait::kStatus, 2},   {"status_code", "5*", Trait::kStatus, 2},
    {"status_code", "*", Trait::kStatus, 1},
};

constexpr FieldRule kSslRules[] = {
    {"version", "event_id"},
    {"server_name", "url_or_query"},
    {"validation_status", "status_code"},
    {"established", "ignore"},
    {"cert_chain_fps", "observable:30"},
    {"client_cert_chain_fps", "observable:30"},
    {"ja3", "observable:30"},
    {"ja3s", "observable:30"},
    {"cipher", "unmapped"},
    {"curve", "unmapped"},
    {"resumed", "unmapped_if_set"},
    {"last_alert", "unmapped"},
    {"next_protocol", "unmapped"},
    {"ssl_history", "unmapped"},
    {"cert_chain_fuids", "unmapped"},
    {"client_cert_chain_fuids", "unmapped"},
    {"subject", "unmapped"},
    {"issuer", "unmapped"},
    {"client_subject", "unmapped"},
    {"client_issuer", "unmapped"},
    {"sni_matches_cert", "unmapped"},
};
constexpr Condition kSslConditions[] = {
    {"established", "true", Trait::kStatus, 1},
    {"established", "false", Trait::kStatus, 2},
};

constexpr FieldRule kSshRules[] = {
    {"auth_success", "ignore"},       {"auth_attempts", "metric:auth_attempts"},
    {"host_key", "observable:30"},    {"hassh", "observable:30"},
    {"hasshServer", "observable:30"}, {"version", "unmapped"},
    {"direction", "unmapped"},        {"client", "unmapped"},
    {"server", "unmapped"},           {"cipher_alg", "unmapped"},
    {"mac_alg", "unmapped"},          {"compression_alg", "unmapped"},
    {"kex_alg", "unmapped"},          {"host_key_alg", "unmapped"},
};
constexpr Condition kSshConditions[] = {
    {"auth_success", "true", Trait::kStatus, 1},
    {"auth_success", "false", Trait::kStatus, 2},
    {"auth_success", "false", Trait::kActivity, 4},
};

constexpr FieldRule kNoticeRules[] = {
    {"note", "rule"},
    {"msg", "message"},
    {"src", "src.ip"},
    {"dst", "dst.ip"},
    {"p", "dst.port"},
    {"n", "metric:n"},
    {"sub", "unmapped"},
    {"actions", "unmapped"},
    {"peer_descr", "unmapped"},
    {"email_dest", "unmapped"},
    {"suppress_for", "unmapped"},
    {"dropped", "unmapped_if_set"},
    {"file_mime_type", "unmapped"},
    {"file_desc", "unmapped"},
};
// A notice that people are to be called for weighs more.
constexpr Condition kNoticeConditions[] = {
    {"actions", "Notice::ACTION_ALARM", Trait::kSeverity, 4},
    {"actions", "Notice::ACTION_EMAIL", Trait::kSeverity, 4},
    {"actions", "Notice::ACTION_PAGE", Trait::kSeverity, 4},
};

constexpr FieldRule kWeirdRules[] = {
    {"name", "rule"},
    {"addl", "message"},
    {"notice", "unmapped_if_set"},
    {"source", "unmapped"},
};

constexpr FieldRule kDhcpRules[] = {
    {"uids", "source_uid"},
    {"client_addr", "src.ip"},
    {"server_addr", "dst.ip"},
    {"mac", "src.mac"},
    {"host_name", "src.hostname"},
    {"msg_types", "event_id"},
    {"assigned_addr", "observable:2"},
    {"duration", "duration:seconds"},
    {"lease_time", "metric:lease_time"},
    {"client_message", "message"},
    {"server_message", "message"},
    {"client_fqdn", "unmapped"},
    {"domain", "unmapped"},
    {"requested_addr", "unmapped"},
};
constexpr Condition kDhcpConditions[] = {
    {"msg_types", "DISCOVER", Trait::kActivity, 1}, {"msg_types", "OFFER", Trait::kActivity, 2},
    {"msg_types", "REQUEST", Trait::kActivity, 3},  {"msg_types", "DECLINE", Trait::kActivity, 4},
    {"msg_types", "ACK", Trait::kActivity, 5},      {"msg_types", "NAK", Trait::kActivity, 6},
    {"msg_types", "RELEASE", Trait::kActivity, 7},  {"msg_types", "INFORM", Trait::kActivity, 8},
};

constexpr FieldRule kRdpRules[] = {
    {"cookie", "actor.user"},
    {"result", "status_code"},
    {"security_protocol", "event_id"},
    {"client_name", "src.hostname"},
    {"client_channels", "unmapped"},
    {"keyboard_layout", "unmapped"},
    {"client_build", "unmapped"},
    {"client_dig_product_id", "unmapped"},
    {"desktop_width", "unmapped"},
    {"desktop_height", "unmapped"},
    {"requested_color_depth", "unmapped"},
    {"cert_type", "unmapped"},
    {"cert_count", "unmapped_if_set"},
    {"cert_permanent", "unmapped_if_set"},
    {"encryption_level", "unmapped"},
    {"encryption_method", "unmapped"},
};

constexpr FieldRule kSmbFilesRules[] = {
    {"action", "event_id"},         {"path", "file.path"},         {"name", "file.name"},
    {"size", "file.size"},          {"prev_name", "unmapped"},     {"times.modified", "unmapped"},
    {"times.accessed", "unmapped"}, {"times.created", "unmapped"}, {"times.changed", "unmapped"},
};
constexpr Condition kSmbFilesConditions[] = {
    {"action", "SMB::FILE_OPEN", Trait::kActivity, 2},
};
constexpr FieldRule kSmbMappingRules[] = {
    {"path", "file.path"},
    {"share_type", "event_id"},
    {"service", "unmapped"},
    {"native_file_system", "unmapped"},
};

constexpr FieldRule kFtpRules[] = {
    {"user", "actor.user"},
    {"password", "ignore"},
    {"command", "event_id"},
    {"arg", "url_or_query"},
    {"reply_code", "status_code"},
    {"reply_msg", "message"},
    {"file_size", "file.size"},
    {"mime_type", "unmapped"},
    {"data_channel.passive", "unmapped_if_set"},
    {"data_channel.orig_h", "unmapped"},
    {"data_channel.resp_h", "unmapped"},
    {"data_channel.resp_p", "unmapped"},
};
constexpr Condition kFtpConditions[] = {
    {"command", "STOR", Trait::kActivity, 1}, {"command", "RETR", Trait::kActivity, 2},
    {"command", "DELE", Trait::kActivity, 4}, {"command", "RNTO", Trait::kActivity, 5},
    {"command", "LIST", Trait::kActivity, 6}, {"command", "NLST", Trait::kActivity, 6},
    {"reply_code", "4*", Trait::kStatus, 2},  {"reply_code", "5*", Trait::kStatus, 2},
    {"reply_code", "*", Trait::kStatus, 1},
};

constexpr FieldRule kSmtpRules[] = {
    {"helo", "src.hostname"},
    {"mailfrom", "observable:5"},
    {"rcptto", "observable:5"},
    {"subject", "message"},
    {"user_agent", "observable:16"},
    {"x_originating_ip", "observable:2"},
    {"msg_id", "unmapped"},
    {"trans_depth", "unmapped"},
    {"date", "unmapped"},
    {"from", "unmapped"},
    {"to", "unmapped"},
    {"cc", "unmapped"},
    {"reply_to", "unmapped"},
    {"in_reply_to", "unmapped"},
    {"first_received", "unmapped"},
    {"second_received", "unmapped"},
    {"last_reply", "unmapped"},
    {"path", "unmapped"},
    {"tls", "unmapped_if_set"},
    {"fuids", "unmapped"},
    {"is_webmail", "unmapped_if_set"},
};

constexpr FieldRule kFilesRules[] = {
    {"fuid", "source_uid"},
    {"uid", "unmapped"},
    {"tx_hosts", "src.ip"},
    {"rx_hosts", "dst.ip"},
    {"source", "app_protocol"},
    {"filename", "file.name_or_path"},
    {"total_bytes", "file.size"},
    {"sha256", "file.sha256"},
    {"md5", "observable:8"},
    {"sha1", "observable:8"},
    {"duration", "duration:seconds"},
    {"seen_bytes", "metric:seen_bytes"},
    {"missing_bytes", "metric_if_set:missing_bytes"},
    {"overflow_bytes", "metric_if_set:overflow_bytes"},
    {"mime_type", "unmapped"},
    {"conn_uids", "unmapped"},
    {"depth", "unmapped_if_set"},
    {"analyzers", "unmapped"},
    {"local_orig", "unmapped_if_set"},
    {"is_orig", "unmapped_if_set"},
    {"timedout", "unmapped_if_set"},
    {"parent_fuid", "unmapped"},
    {"extracted", "unmapped"},
    {"extracted_cutoff", "unmapped_if_set"},
    {"extracted_size", "unmapped"},
};

constexpr FieldRule kKerberosRules[] = {
    {"request_type", "event_id"},
    {"client", "actor.user"},
    {"error_msg", "status_code"},
    {"success", "ignore"},
    {"service", "unmapped"},
    {"from", "unmapped"},
    {"till", "unmapped"},
    {"cipher", "unmapped"},
    {"forwardable", "unmapped_if_set"},
    {"renewable", "unmapped_if_set"},
    {"client_cert_subject", "unmapped"},
    {"client_cert_fuid", "unmapped"},
    {"server_cert_subject", "unmapped"},
    {"server_cert_fuid", "unmapped"},
};
constexpr Condition kKerberosConditions[] = {
    {"request_type", "AS", Trait::kActivity, 3},
    {"request_type", "TGS", Trait::kActivity, 4},
    {"success", "true", Trait::kStatus, 1},
    {"success", "false", Trait::kStatus, 2},
};
constexpr FieldRule kNtlmRules[] = {
    {"username", "actor.user"},
    {"hostname", "src.hostname"},
    {"domainname", "actor.domain"},
    {"server_nb_computer_name", "dst.hostname"},
    {"server_dns_computer_name", "unmapped"},
    {"server_tree_name", "unmapped"},
    {"success", "ignore"},
};
constexpr Condition kNtlmConditions[] = {
    {"success", "true", Trait::kStatus, 1},
    {"success", "false", Trait::kStatus, 2},
};
constexpr FieldRule kRadiusRules[] = {
    {"username", "actor.user"},    {"mac", "src.mac"},           {"framed_addr", "observable:2"},
    {"result", "status_code"},     {"reply_msg", "message"},     {"ttl", "duration:seconds"},
    {"tunnel_client", "unmapped"}, {"connect_info", "unmapped"},
};
constexpr Condition kRadiusConditions[] = {
    {"result", "success", Trait::kStatus, 1},
    {"result", "failed", Trait::kStatus, 2},
};

constexpr FieldRule kSoftwareRules[] = {
    {"host", "device.ip"},           {"host_p", "device.port"},     {"software_type", "event_id"},
    {"unparsed_version", "message"}, {"name", "unmapped"},          {"url", "unmapped"},
    {"version.major", "unmapped"},   {"version.minor", "unmapped"}, {"version.minor2", "unmapped"},
    {"version.minor3", "unmapped"},  {"version.addl", "unmapped"},
};
constexpr FieldRule kDceRpcRules[] = {
    {"operation", "event_id"},
    {"rtt", "duration:seconds"},
    {"named_pipe", "unmapped"},
    {"endpoint", "unmapped"},
};
constexpr FieldRule kModbusRules[] = {
    {"func", "event_id"}, {"exception", "status_code"}, {"tid", "unmapped"},
    {"unit", "unmapped"}, {"pdu_type", "unmapped"},
};
constexpr FieldRule kSyslogRules[] = {
    {"message", "message"},
    {"facility", "unmapped"},
    {"severity", "unmapped"},
};
// RFC 5424, 6.2.1: inverted too, 0 is an emergency.
constexpr Condition kSyslogConditions[] = {
    {"severity", "EMERG", Trait::kSeverity, 6},   {"severity", "ALERT", Trait::kSeverity, 5},
    {"severity", "CRIT", Trait::kSeverity, 5},    {"severity", "ERR", Trait::kSeverity, 4},
    {"severity", "WARNING", Trait::kSeverity, 3}, {"severity", "NOTICE", Trait::kSeverity, 2},
};
constexpr FieldRule kTunnelRules[] = {{"tunnel_type", "event_id"}, {"action", "unmapped"}};
constexpr Condition kTunnelConditions[] = {
    {"action", "Tunnel::DISCOVER", Trait::kActivity, 1},
    {"action", "Tunnel::CLOSE", Trait::kActivity, 2},
};
constexpr FieldRule kQuicRules[] = {
    {"version", "event_id"},
    {"server_name", "url_or_query"},
    {"client_protocol", "unmapped"},
    {"history", "unmapped"},
    {"client_initial_dcid", "unmapped"},
    {"client_scid", "unmapped"},
    {"server_scid", "unmapped"},
};
constexpr FieldRule kArpRules[] = {
    {"operation", "event_id"}, {"src_mac", "src.mac"}, {"dst_mac", "dst.mac"},
    {"orig_h", "src.ip"},      {"resp_h", "dst.ip"},   {"orig_hw", "unmapped"},
    {"resp_hw", "unmapped"},
};

constexpr LogMapping Network(absl::string_view name) {
  return {.log = name, .class_uid = 4001, .activity_id = 6, .app_protocol = name};
}

constexpr LogMapping kLogs[] = {
    {.log = "conn",
     .class_uid = 4001,
     .activity_id = 6,
     .rules = kConnRules,
     .conditions = kConnConditions},
    {.log = "dns",
     .class_uid = 4003,
     .activity_id = 1,
     .app_protocol = "dns",
     .rules = kDnsRules,
     .conditions = kDnsConditions},
    {.log = "http",
     .class_uid = 4002,
     .app_protocol = "http",
     .rules = kHttpRules,
     .conditions = kHttpConditions},
    {.log = "ssl",
     .class_uid = 4001,
     .activity_id = 6,
     .app_protocol = "tls",
     .rules = kSslRules,
     .conditions = kSslConditions},
    {.log = "ssh",
     .class_uid = 4007,
     .activity_id = 1,
     .app_protocol = "ssh",
     .rules = kSshRules,
     .conditions = kSshConditions},
    {.log = "notice",
     .class_uid = 2004,
     .activity_id = 1,
     .severity_id = 3,
     .rules = kNoticeRules,
     .conditions = kNoticeConditions},
    {.log = "weird", .class_uid = 4001, .severity_id = 2, .rules = kWeirdRules},
    {.log = "dhcp",
     .class_uid = 4004,
     .app_protocol = "dhcp",
     .rules = kDhcpRules,
     .conditions = kDhcpConditions},
    {.log = "rdp", .class_uid = 4005, .activity_id = 6, .app_protocol = "rdp", .rules = kRdpRules},
    {.log = "smb_files",
     .class_uid = 4006,
     .app_protocol = "smb",
     .rules = kSmbFilesRules,
     .conditions = kSmbFilesConditions},
    {.log = "smb_mapping", .class_uid = 4006, .app_protocol = "smb", .rules = kSmbMappingRules},
    {.log = "ftp",
     .class_uid = 4008,
     .app_protocol = "ftp",
     .rules = kFtpRules,
     .conditions = kFtpConditions},
    {.log = "smtp",
     .class_uid = 4009,
     .activity_id = 1,
     .app_protocol = "smtp",
     .rules = kSmtpRules},
    {.log = "files", .class_uid = 1001, .rules = kFilesRules},
    {.log = "kerberos",
     .class_uid = 3002,
     .app_protocol = "kerberos",
     .rules = kKerberosRules,
     .conditions = kKerberosConditions},
    {.log = "ntlm",
     .class_uid = 3002,
     .activity_id = 1,
     .app_protocol = "ntlm",
     .rules = kNtlmRules,
     .conditions = kNtlmConditions},
    {.log = "radius",
     .class_uid = 3002,
     .activity_id = 1,
     .app_protocol = "radius",
     .rules = kRadiusRules,
     .conditions = kRadiusConditions},
    {.log = "software", .class_uid = 5020, .activity_id = 1, .rules = kSoftwareRules},
    {.log = "dce_rpc",
     .class_uid = 4001,
     .activity_id = 6,
     .app_protocol = "dce_rpc",
     .rules = kDceRpcRules},
    {.log = "modbus",
     .class_uid = 4001,
     .activity_id = 6,
     .app_protocol = "modbus",
     .rules = kModbusRules},
    {.log = "syslog",
     .class_uid = 4001,
     .activity_id = 6,
     .app_protocol = "syslog",
     .rules = kSyslogRules,
     .conditions = kSyslogConditions},
    {.log = "tunnel", .class_uid = 4014, .rules = kTunnelRules, .conditions = kTunnelConditions},
    {.log = "quic",
     .class_uid = 4001,
     .activity_id = 6,
     .app_protocol = "quic",
     .rules = kQuicRules},
    {.log = "arp", .class_uid = 4001, .activity_id = 6, .app_protocol = "arp", .rules = kArpRules},
    Network("dnp3"),
    Network("irc"),
    Network("ldap"),
    Network("mqtt_connect"),
    Network("mqtt_publish"),
    Network("mysql"),
    Network("rfb"),
    Network("sip"),
    Network("snmp"),
    Network("socks"),
};

}  // namespace

const MappingFamily& ZeekFamily() {
  static constexpr MappingFamily kFamily = {
      .name = "zeek", .logs = kLogs, .common_rules = kCommonRules};
  return kFamily;
}

}  // namespace vigil::client
