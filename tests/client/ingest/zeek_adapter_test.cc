#include "client/ingest/json_adapter.h"
#include "tests/client/ingest/ingest_test_support.h"

namespace vigil::client {
namespace {

// Feeds the header of a TSV log with tabs written as '|'.
void FeedHeader(Adapter* adapter, const std::string& path, const std::string& fields,
                const std::string& types) {
  const auto feed = [&](std::string line) {
    std::replace(line.begin(), line.end(), '|', '\t');
    const AdaptedLine adapted = adapter->Adapt(line);
    INFO(line << adapted.reason);
    CHECK(adapted.verdict == AdaptedLine::Verdict::kSkipped);
  };
  feed("#separator \\x09");
  feed("#set_separator|,");
  feed("#empty_field|(empty)");
  feed("#unset_field|-");
  feed("#path|" + path);
  feed("#open|2024-01-01-00-00-00");
  feed("#fields|" + fields);
  feed("#types|" + types);
}

AdaptedLine Row(Adapter* adapter, std::string line) {
  std::replace(line.begin(), line.end(), '|', '\t');
  return adapter->Adapt(line);
}

constexpr char kConnFields[] =
    "ts|uid|id.orig_h|id.orig_p|id.resp_h|id.resp_p|proto|service|duration|orig_bytes|resp_bytes|"
    "conn_state|local_orig|missed_bytes|history|orig_pkts|orig_ip_bytes|resp_pkts|tunnel_parents";
constexpr char kConnTypes[] =
    "time|string|addr|port|addr|port|enum|string|interval|count|count|string|bool|count|string|"
    "count|count|count|set[string]";
constexpr char kConnEvent[] = R"(
  time_unix_nano: 1601998366785668000 type_uid: 400106 severity_id: 1 status_id: 1
  source: "zeek.conn" source_uid: "CNgrt0" mapping_id: "zeek.conn/1"
  src { ip: "\012\000\002\017" port: 49158 } dst { ip: "\303q\350I" port: 80 }
  protocol_num: 6 app_protocol: "tls"
  traffic { bytes_in: 179 bytes_out: 97 packets_in: 5 packets_out: 6 }
  duration_ns: 1872000 status_code: "SF"
  metrics { key: "orig_ip_bytes" value_e6: 309000000 }
  unmapped { key: "local_orig" value: "true" }
  unmapped { key: "history" value: "ShADadfF" })";

TEST_CASE("zeek: a conn row becomes network activity with traffic and state", "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekTsv);
  FeedHeader(adapter.get(), "conn", kConnFields, kConnTypes);
  CheckEvent(EventOf(Row(adapter.get(),
                         "1601998366.785668|CNgrt0|10.0.2.15|49158|195.113.232.73|80|tcp|ssl|"
                         "0.001872|97|179|SF|T|0|ShADadfF|6|309|5|(empty)")),
             kConnEvent);
}

TEST_CASE("zeek: the same conn record as JSON becomes the same event", "[ingest]") {
  const std::string flat =
      R"({"ts":1601998366.785668,"uid":"CNgrt0","id.orig_h":"10.0.2.15","id.orig_p":49158,)"
      R"("id.resp_h":"195.113.232.73","id.resp_p":80,"proto":"tcp","service":"ssl",)"
      R"("duration":0.001872,"orig_bytes":97,"resp_bytes":179,"conn_state":"SF","local_orig":true,)"
      R"("missed_bytes":0,"history":"ShADadfF","orig_pkts":6,"orig_ip_bytes":309,"resp_pkts":5,)"
      R"("tunnel_parents":[]})";
  CheckEvent(EventOf(TestAdapter(Format::kZeekJson, "conn.log")->Adapt(flat)), kConnEvent);
  SECTION("also when only its fields tell which log it is") {
    CheckEvent(EventOf(TestAdapter(Format::kZeekJson, "")->Adapt(flat)), kConnEvent);
  }
  SECTION("and when its times are ISO 8601 and its addresses nested") {
    std::string nested = flat;
    nested.replace(nested.find("1601998366.785668"), 17, "\"2020-10-06T15:32:46.785668Z\"");
    nested.replace(nested.find("\"id.orig_h\""), 11, "\"id\":{\"orig_h\"");
    nested.replace(nested.find("\"id.orig_p\""), 11, "\"orig_p\"");
    nested.replace(nested.find("\"id.resp_h\""), 11, "\"resp_h\"");
    nested.replace(nested.find("\"id.resp_p\":80"), 14, "\"resp_p\":80}");
    CheckEvent(EventOf(TestAdapter(Format::kZeekJson, "conn.log")->Adapt(nested)), kConnEvent);
  }
}

TEST_CASE("zeek: connection states decide activity and status", "[ingest]") {
  // From the table of conn_state in Zeek's base/protocols/conn/main.zeek.
  struct Expected {
    const char* state;
    uint64_t type_uid;
    uint32_t status_id;
  };
  const auto adapter = TestAdapter(Format::kZeekJson);
  for (const Expected& expected : {Expected{"S0", 400104, 2},
                                   {"S1", 400101, 1},
                                   {"SF", 400106, 1},
                                   {"REJ", 400105, 2},
                                   {"RSTO", 400103, 1},
                                   {"RSTOS0", 400103, 2},
                                   {"OTH", 400106, 0}}) {
    const v1::Event event = EventOf(adapter->Adapt(
        std::string(R"({"_path":"conn","ts":1.5,"conn_state":")") + expected.state + "\"}"));
    INFO(expected.state);
    CHECK(event.type_uid() == expected.type_uid);
    CHECK(event.status_id() == expected.status_id);
    CHECK(event.status_code() == expected.state);
  }
}

TEST_CASE("zeek: a dns row keeps query and type and code and answers", "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekTsv);
  FeedHeader(adapter.get(), "dns",
             "ts|uid|id.orig_h|id.orig_p|id.resp_h|id.resp_p|proto|trans_id|rtt|query|qclass|"
             "qclass_name|qtype|qtype_name|rcode|rcode_name|AA|RD|Z|answers|TTLs|rejected",
             "time|string|addr|port|addr|port|enum|count|interval|string|count|string|count|string|"
             "count|string|bool|bool|count|vector[string]|vector[interval]|bool");
  CheckEvent(
      EventOf(Row(adapter.get(),
                  "1521911720.865716|CqKst5|10.47.1.100|41772|2001:db8::53|53|udp|36329|0.000870|"
                  "ise.wrccdc.org|1|C_INTERNET|1|A|0|NOERROR|F|T|0|ise.wrccdc.cpp.edu,134.71.3.16,"
                  "TXT 9 v=spf1 a|2230.000000,41830.500000|F")),
      R"(time_unix_nano: 1521911720865716000 type_uid: 400302 severity_id: 1 status_id: 1
         source: "zeek.dns" source_uid: "CqKst5" event_id: "A" mapping_id: "zeek.dns/1"
         src { ip: "\012/\001d" port: 41772 }
         dst { ip: " \001\r\270\000\000\000\000\000\000\000\000\000\000\000S" port: 53 }
         protocol_num: 17 app_protocol: "dns" duration_ns: 870000
         url_or_query: "ise.wrccdc.org" status_code: "NOERROR"
         observables { type_id: 1 value: "ise.wrccdc.cpp.edu" }
         observables { type_id: 2 value: "134.71.3.16" }
         unmapped { key: "trans_id" value: "36329" } unmapped { key: "qclass" value: "1" }
         unmapped { key: "RD" value: "true" }
         unmapped { key: "answers" value: "TXT 9 v=spf1 a" }
         unmapped { key: "TTLs" value: "2230,41830.5" })");
}

TEST_CASE("zeek: http ssl ssh notice and weird have classes of their own", "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekJson);
  CheckEvent(
      EventOf(adapter->Adapt(
          R"({"_path":"http","ts":2.5,"method":"POST","host":"h.example","uri":"/a?b","status_code":503,)"
          R"("user_agent":"curl","request_body_len":12,"response_body_len":0,"username":"eve",)"
          R"("password":"secret","tags":[],"resp_mime_types":["text/plain","x/y"]})")),
      R"(time_unix_nano: 2500000000 type_uid: 400206 severity_id: 1 status_id: 2 source: "zeek.http"
         event_id: "POST" actor { user: "eve" } dst { hostname: "h.example" } app_protocol: "http"
         observables { type_id: 16 value: "curl" }
         metrics { key: "request_body_len" value_e6: 12000000 }
         metrics { key: "response_body_len" }
         unmapped { key: "resp_mime_types" value: "text/plain,x/y" }
         url_or_query: "/a?b" status_code: "503" mapping_id: "zeek.http/1")");
  CheckEvent(
      EventOf(adapter->Adapt(
          R"({"_path":"ssl","ts":2.5,"version":"TLSv12","server_name":"s.example","established":false,)"
          R"("ja3":"6734f3","resumed":true,"cert_chain_fps":["aa","bb"]})")),
      R"(time_unix_nano: 2500000000 type_uid: 400106 severity_id: 1 status_id: 2 source: "zeek.ssl"
         event_id: "TLSv12" app_protocol: "tls" observables { type_id: 30 value: "6734f3" }
         observables { type_id: 30 value: "aa" } observables { type_id: 30 value: "bb" }
         unmapped { key: "resumed" value: "true" } url_or_query: "s.example"
         mapping_id: "zeek.ssl/1")");
  CheckEvent(
      EventOf(adapter->Adapt(
          R"({"_path":"ssh","ts":2.5,"auth_success":false,"auth_attempts":3,"client":"x"})")),
      R"(time_unix_nano: 2500000000 type_uid: 400704 severity_id: 1 status_id: 2
                source: "zeek.ssh" app_protocol: "ssh"
                metrics { key: "auth_attempts" value_e6: 3000000 }
                unmapped { key: "client" value: "x" } mapping_id: "zeek.ssh/1")");
  CheckEvent(
      EventOf(adapter->Adapt(
          R"({"_path":"notice","ts":2.5,"note":"Scan::Port_Scan","msg":"m","src":"1.2.3.4","p":22,"n":7,)"
          R"("actions":["Notice::ACTION_LOG","Notice::ACTION_ALARM"]})")),
      R"(time_unix_nano: 2500000000 type_uid: 200401 severity_id: 4 source: "zeek.notice"
         src { ip: "\001\002\003\004" } dst { port: 22 } rule_uid: "Scan::Port_Scan"
         rule_name: "Scan::Port_Scan" metrics { key: "n" value_e6: 7000000 }
         unmapped { key: "actions" value: "Notice::ACTION_LOG,Notice::ACTION_ALARM" } message: "m"
         mapping_id: "zeek.notice/1")");
  CheckEvent(EventOf(adapter->Adapt(
                 R"({"_path":"weird","ts":2.5,"name":"data_after_reset","addl":"x","notice":false,)"
                 R"("peer":"zeek"})")),
             R"(time_unix_nano: 2500000000 type_uid: 400199 severity_id: 2 source: "zeek.weird"
                rule_uid: "data_after_reset" rule_name: "data_after_reset"
                unmapped { key: "peer" value: "zeek" } message: "x" mapping_id: "zeek.weird/1")");
}

TEST_CASE("zeek: a log without a table becomes a base event with the common fields", "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekJson, "x509.log");
  CheckEvent(EventOf(adapter->Adapt(
                 R"({"ts":2.5,"id.orig_h":"1.2.3.4","certificate":{"serial":"0A","flags":[1,2]},)"
                 R"("san.dns":[],"basic_constraints.ca":false})")),
             R"(time_unix_nano: 2500000000 type_uid: 99 severity_id: 1 source: "zeek.x509"
                src { ip: "\001\002\003\004" } unmapped { key: "certificate.serial" value: "0A" }
                unmapped { key: "certificate.flags" value: "1,2" }
                unmapped { key: "basic_constraints.ca" value: "false" }
                mapping_id: "zeek.generic/1")");
  CHECK(adapter->stats().events == 1);
  CHECK(adapter->stats().specific_class_events == 0);
  CHECK(adapter->stats().unknown_fields.at("certificate.serial") == 1);
}

TEST_CASE("zeek: escaped bytes come back unless they are no text", "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekTsv);
  FeedHeader(adapter.get(), "weird", "ts|name|addl|peer", "time|string|string|string");
  const v1::Event event =
      EventOf(Row(adapter.get(), "1.5|\\x2d|a\\x09b\\\\c\\xc3\\xa9|\\xff\\xfe"));
  CHECK(event.rule_uid() == "-");
  CHECK(event.message() == "a\tb\\c\xC3\xA9");
  CHECK(Unmapped(event, "peer") == "\\xff\\xfe");
}

TEST_CASE("zeek: rows are quarantined without a header or with another number of columns",
          "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekTsv);
  CHECK(Row(adapter.get(), "1.5|x").reason == "no #fields header before the first row");
  FeedHeader(adapter.get(), "weird", "ts|name|addl", "time|string|string");
  CHECK(Row(adapter.get(), "1.5|x").reason == "2 columns, the header names 3");
  CHECK(Row(adapter.get(), "1.5|x|y|z").reason == "4 columns, the header names 3");
  CHECK(Row(adapter.get(), "never|x|y").reason == "no usable time");
  CHECK(Row(adapter.get(), "1.5|x|y").verdict == AdaptedLine::Verdict::kEvent);
  SECTION("a new header in the middle counts from there on") {
    FeedHeader(adapter.get(), "weird", "ts|name", "time|string");
    CHECK(EventOf(Row(adapter.get(), "1.5|x")).rule_uid() == "x");
  }
  SECTION("and types that do not match the fields spoil the header") {
    Row(adapter.get(), "#types|time|string");
    CHECK(Row(adapter.get(), "1.5|x|y").reason == "header names 3 fields and 2 types");
  }
}

TEST_CASE("zeek: other separators and unset marks are obeyed", "[ingest]") {
  const auto adapter = TestAdapter(Format::kZeekTsv);
  for (const char* line :
       {"#separator \\x3b", "#set_separator;+", "#empty_field;EMPTY", "#unset_field;NONE",
        "#path;dns", "#fields;ts;query;answers;AA", "#types;time;string;vector[string];bool"}) {
    CHECK(adapter->Adapt(line).verdict == AdaptedLine::Verdict::kSkipped);
  }
  const v1::Event event = EventOf(adapter->Adapt("1.5;NONE;1.2.3.4+5.6.7.8+EMPTY;NONE"));
  CHECK(event.url_or_query().empty());
  CHECK(event.observables_size() == 2);
  CHECK(Unmapped(event, "AA") == "(absent)");
  CHECK(adapter->Adapt("#separator \\x09\\x09").verdict == AdaptedLine::Verdict::kQuarantined);
  CHECK(adapter->Adapt("#separator \\xff").verdict == AdaptedLine::Verdict::kQuarantined);
}

TEST_CASE("zeek: a new adapter with the old one's state goes on in the middle", "[ingest]") {
  const auto first = TestAdapter(Format::kZeekTsv);
  FeedHeader(first.get(), "weird", "ts|name", "time|string");
  const auto second = TestAdapter(Format::kZeekTsv);
  REQUIRE(second->RestoreState(first->state()).ok());
  CHECK(second->state() == first->state());
  CHECK(EventOf(Row(second.get(), "1.5|x")).source() == "zeek.weird");
  CHECK_FALSE(second->RestoreState("1.5\tx").ok());
  CHECK_FALSE(TestAdapter(Format::kSuricata)->RestoreState("x").ok());
}

TEST_CASE("zeek: file names and fields tell which log it is", "[ingest]") {
  CHECK(ZeekLogOfFileName("conn.log.gz") == "conn");
  CHECK(ZeekLogOfFileName("conn.2024-01-01-00-00-00.log") == "conn");
  CHECK(ZeekLogOfFileName("dns.json.gz") == "dns");
  CHECK(ZeekLogOfFileName("ocsp.log") == "ocsp");
  CHECK(ZeekLogOfFileName("today.json").empty());
  CHECK(ZeekLogOfFileName("My File.log").empty());
  CHECK(ZeekLogOfFileName("").empty());
  const std::vector<std::string> none = {"ts", "uid"};
  CHECK(GuessZeekLog(none).empty());
}

}  // namespace
}  // namespace vigil::client
