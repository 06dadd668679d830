#include "tests/client/ingest/ingest_test_support.h"

namespace vigil::client {
namespace {

// What stands before the part that tells event types apart.
std::string Eve(const std::string& type, const std::string& rest) {
  return R"({"timestamp":"2021-06-06T15:59:46.457984+0200","flow_id":1374195536821504,)"
         R"("pcap_cnt":313,"event_type":")" +
         type +
         R"(","src_ip":"10.0.0.1","src_port":51698,"dest_ip":"10.0.0.2","dest_port":445,)"
         R"("proto":"TCP")" +
         (rest.empty() ? "" : "," + rest) + R"(,"host":"sensor.example"})";
}

// The same part of the event.
std::string Common(const std::string& source, const std::string& rest) {
  return R"(time_unix_nano: 1622987986457984000 source: "suricata.)" + source +
         R"(" mapping_id: "suricata.)" + source +
         R"(/1" source_uid: "1374195536821504" device { hostname: "sensor.example" }
            src { ip: "\012\000\000\001" port: 51698 } dst { ip: "\012\000\000\002" port: 445 }
            protocol_num: 6 )" +
         rest;
}

TEST_CASE("suricata: an alert is a finding whose severity is turned round", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  CheckEvent(
      EventOf(adapter->Adapt(Eve(
          "alert",
          R"("alert":{"action":"blocked","gid":1,"signature_id":2403388,"rev":66418,"signature":)"
          R"("ET CINS","category":"Misc Attack","severity":1,"metadata":{"created_at":["2013_10_08"],)"
          R"("mitre_technique_id":["T1110","T1021.002"],"tag":["a","b"]}},)"
          R"("flow":{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":60,"bytes_toclient":0,)"
          R"("start":"2021-06-06T15:59:46.457984+0200"})"))),
      Common(
          "alert",
          R"(type_uid: 200401 severity_id: 4 action_id: 2 disposition_id: 2 event_id: "Misc Attack"
                traffic { bytes_out: 60 packets_out: 1 } rule_uid: "2403388" rule_name: "ET CINS"
                attacks: "T1110" attacks: "T1021.002"
                unmapped { key: "alert.gid" value: "1" } unmapped { key: "alert.rev" value: "66418" }
                unmapped { key: "alert.metadata.tag" value: "a,b" }
                unmapped { key: "flow.start" value: "2021-06-06T15:59:46.457984+0200" })"));
  for (const auto& [suricata, ocsf] :
       {std::pair("1", 4u), {"2", 3u}, {"3", 2u}, {"4", 1u}, {"255", 1u}}) {
    const v1::Event event = EventOf(
        adapter->Adapt(Eve("alert", std::string(R"("alert":{"severity":)") + suricata + "}")));
    CHECK(event.severity_id() == ocsf);
  }
}

TEST_CASE("suricata: a flow has volume end and length", "[ingest]") {
  CheckEvent(
      EventOf(
          TestAdapter(Format::kSuricata)
              ->Adapt(Eve(
                  "flow",
                  R"("app_proto":"failed","flow":{"pkts_toserver":12,"pkts_toclient":3,)"
                  R"("bytes_toserver":4056,"bytes_toclient":99,)"
                  R"("start":"2021-06-06T16:38:55.855844+0200",)"
                  R"("end":"2021-06-06T16:38:56.963027+0200","age":1,"state":"closed",)"
                  R"("reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","syn":true})"))),
      Common("flow",
             R"(type_uid: 400102 severity_id: 1
                traffic { bytes_in: 99 bytes_out: 4056 packets_in: 3 packets_out: 12 }
                duration_ns: 1107183000 end_time_unix_nano: 1622990336963027000
                unmapped { key: "flow.reason" value: "timeout" }
                unmapped { key: "tcp.tcp_flags" value: "1b" } status_code: "closed")"));
}

TEST_CASE("suricata: dns queries and answers of old and new layouts", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  CheckEvent(
      EventOf(adapter->Adapt(Eve(
          "dns", R"("dns":{"type":"query","id":2,"rrname":"x.example","rrtype":"A","tx_id":0})"))),
      Common("dns", R"(type_uid: 400301 severity_id: 1 event_id: "A" app_protocol: "dns"
                              unmapped { key: "dns.id" value: "2" } url_or_query: "x.example")"));
  CheckEvent(
      EventOf(adapter->Adapt(Eve(
          "dns",
          R"("dns":{"version":2,"type":"answer","id":2,"flags":"8180","qr":true,"rrname":"x.example",)"
          R"("rrtype":"A","rcode":"NOERROR","answers":[{"rrname":"x.example","rrtype":"CNAME","ttl":9,)"
          R"("rdata":"y.example"},{"rrname":"y.example","rrtype":"A","ttl":9,"rdata":"9.9.9.9"}],)"
          R"("grouped":{"A":["9.9.9.9"],"CNAME":["y.example"]}})"))),
      Common("dns",
             R"(type_uid: 400302 severity_id: 1 status_id: 1 event_id: "A" app_protocol: "dns"
                       observables { type_id: 1 value: "y.example" }
                       observables { type_id: 2 value: "9.9.9.9" }
                       unmapped { key: "dns.id" value: "2" } unmapped { key: "dns.flags" value: "8180" }
                       url_or_query: "x.example" status_code: "NOERROR")"));
  const v1::Event newest = EventOf(adapter->Adapt(
      Eve("dns", R"("dns":{"type":"request","queries":[{"rrname":"z.example","rrtype":"MX"}]})")));
  CHECK(newest.url_or_query() == "z.example");
  CHECK(newest.event_id() == "MX");
  CHECK(newest.type_uid() == 400301);
}

TEST_CASE("suricata: http tls ssh files and anomalies have classes of their own", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  CheckEvent(EventOf(adapter->Adapt(Eve(
                 "http", R"("http":{"hostname":"h.example","url":"/a","http_user_agent":"curl",)"
                         R"("http_method":"GET","status":404,"length":47})"))),
             R"(time_unix_nano: 1622987986457984000 type_uid: 400203 severity_id: 1 status_id: 2
                source: "suricata.http" source_uid: "1374195536821504" event_id: "GET"
                device { hostname: "sensor.example" } src { ip: "\012\000\000\001" port: 51698 }
                dst { ip: "\012\000\000\002" port: 445 hostname: "h.example" } protocol_num: 6
                app_protocol: "http" observables { type_id: 16 value: "curl" }
                metrics { key: "http.length" value_e6: 47000000 } url_or_query: "/a"
                status_code: "404" mapping_id: "suricata.http/1")");
  CheckEvent(
      EventOf(adapter->Adapt(
          Eve("tls", R"("tls":{"sni":"s.example","version":"TLS 1.2","fingerprint":"2d:d1",)"
                     R"("ja3":{"hash":"b720","string":"770,51"}})"))),
      Common("tls", R"(type_uid: 400106 severity_id: 1 event_id: "TLS 1.2" app_protocol: "tls"
                              observables { type_id: 30 value: "2d:d1" }
                              observables { type_id: 30 value: "b720" } url_or_query: "s.example")"));
  CheckEvent(
      EventOf(adapter->Adapt(Eve("ssh", R"("ssh":{"client":{"software_version":"OpenSSH_9"}})"))),
      Common("ssh",
             R"(type_uid: 400706 severity_id: 1 app_protocol: "ssh"
                unmapped { key: "ssh.client.software_version" value: "OpenSSH_9" })"));
  CheckEvent(
      EventOf(adapter->Adapt(Eve(
          "fileinfo",
          R"("app_proto":"http","fileinfo":{"filename":"/tmp/x.exe","size":47,"state":"CLOSED",)"
          R"("md5":"d41d8cd98f00b204e9800998ecf8427e","stored":false,"sid":[],"sha256":)"
          R"("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"})"))),
      Common("fileinfo",
             R"(type_uid: 100199 severity_id: 1 app_protocol: "http"
                observables { type_id: 8 value: "d41d8cd98f00b204e9800998ecf8427e" }
                file { name: "x.exe" path: "/tmp/x.exe" size: 47 sha256:
                  "\343\260\304B\230\374\034\024\232\373\364\310\231o\271$\'\256A\344d\233\223L\244\225\231\033xR\270U" }
                status_code: "CLOSED")"));
  CheckEvent(EventOf(adapter->Adapt(Eve(
                 "anomaly",
                 R"("anomaly":{"app_proto":"http","type":"applayer","event":"E1","layer":"l"})"))),
             Common("anomaly", R"(type_uid: 400199 severity_id: 2 event_id: "applayer"
                                  app_protocol: "http" rule_uid: "E1" rule_name: "E1"
                                  unmapped { key: "anomaly.layer" value: "l" })"));
}

TEST_CASE("suricata: an event type without a table becomes a base event", "[ingest]") {
  const v1::Event event =
      EventOf(TestAdapter(Format::kSuricata)
                  ->Adapt(Eve("stats", R"("stats":{"uptime":7,"a":{"b":1.50}})")));
  CHECK(event.type_uid() == 99);
  CHECK(event.source() == "suricata.stats");
  CHECK(event.mapping_id() == "suricata.generic/1");
  CHECK(Unmapped(event, "stats.uptime") == "7");
  CHECK(Unmapped(event, "stats.a.b") == "1.5");
}

TEST_CASE("suricata: a line without type or time is quarantined", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  CHECK(adapter->Adapt(R"({"timestamp":"2021-06-06T15:59:46Z"})").reason == "no event_type");
  CHECK(adapter->Adapt(R"({"event_type":"flow"})").reason == "no usable time");
  CHECK(adapter->Adapt(R"({"event_type":"flow","timestamp":"then"})").reason == "no usable time");
  CHECK(adapter->Adapt("  ").verdict == AdaptedLine::Verdict::kSkipped);
}

}  // namespace
}  // namespace vigil::client
