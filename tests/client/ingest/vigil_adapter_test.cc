#include "ledger/crypto/sha256.h"
#include "tests/client/ingest/ingest_test_support.h"

namespace vigil::client {
namespace {

constexpr char kFull[] =
    R"({"time":"2024-05-01T10:00:00.5Z","type_uid":300201,"severity_id":3,"status_id":2,"action_id":2,)"
    R"("disposition_id":2,"source":"app.login","source_uid":"s1","event_id":"4625",)"
    R"("actor":{"user":"eve","user_uid":"S-1-5","domain":"d","process":"sshd","path":"/usr/sbin/sshd",)"
    R"("cmd_line":"sshd -D","pid":77,"parent":"init","session":"9"},)"
    R"("device":{"ip":"10.0.0.9","hostname":"h","mac":"24:4b:fe:1c:48:a4","uid":"u","zone":"z"},)"
    R"("src":{"ip":"2001:db8::1","port":65535},"dst":{"hostname":"x.example"},"protocol":"tcp",)"
    R"("app_protocol":"ssh","traffic":{"bytes_in":1,"bytes_out":2,"packets_in":3,"packets_out":4},)"
    R"("duration_ns":5,"rule_uid":"r","rule_name":"rn","attacks":["T1110"],)"
    R"("observables":{"2":["1.2.3.4","5.6.7.8"],"8":["aa"]},"metrics":{"rtt.ms":1.5},)"
    R"("unmapped":{"a.b":"c"},"url_or_query":"/q","file":{"name":"n","path":"/n","size":9},)"
    R"("message":"m","status_code":"c","count":3,"end_time":1714557601000000000,"tlp":3,)"
    R"("mapping_id":"app/2"})";

TEST_CASE("vigil format: every field of an event can be written", "[ingest]") {
  CheckEvent(EventOf(TestAdapter(Format::kVigil)->Adapt(kFull)),
             R"(time_unix_nano: 1714557600500000000 type_uid: 300201 severity_id: 3 status_id: 2
                action_id: 2 disposition_id: 2 source: "app.login" source_uid: "s1" event_id: "4625"
                actor { user: "eve" user_uid: "S-1-5" domain: "d" process: "sshd"
                        path: "/usr/sbin/sshd" cmd_line: "sshd -D" pid: 77 parent: "init"
                        session: "9" }
                device { ip: "\012\000\000\011" hostname: "h" mac: "$K\376\034H\244" uid: "u" zone: "z" }
                src { ip: " \001\r\270\000\000\000\000\000\000\000\000\000\000\000\001" port: 65535 }
                dst { hostname: "x.example" } protocol_num: 6 app_protocol: "ssh"
                traffic { bytes_in: 1 bytes_out: 2 packets_in: 3 packets_out: 4 } duration_ns: 5
                rule_uid: "r" rule_name: "rn" attacks: "T1110"
                observables { type_id: 2 value: "1.2.3.4" }
                observables { type_id: 2 value: "5.6.7.8" } observables { type_id: 8 value: "aa" }
                metrics { key: "rtt.ms" value_e6: 1500000 } unmapped { key: "a.b" value: "c" }
                url_or_query: "/q" file { name: "n" path: "/n" size: 9 } message: "m"
                status_code: "c" count: 3 end_time_unix_nano: 1714557601000000000 tlp: 3
                mapping_id: "app/2")");
}

TEST_CASE("vigil format: times are RFC 3339 or nanoseconds", "[ingest]") {
  const auto adapter = TestAdapter(Format::kVigil);
  for (const char* time : {R"("2024-05-01T10:00:00Z")", R"("1714557600000000000")",
                           "1714557600000000000", R"("2024-05-01T12:00:00+02:00")"}) {
    INFO(time);
    CHECK(EventOf(adapter->Adapt(
                      std::string(R"({"source":"s","class_uid":1001,"activity_id":1,"time":)") +
                      time + "}"))
              .time_unix_nano() == 1'714'557'600'000'000'000);
  }
}

TEST_CASE("vigil format: what is unknown or does not fit quarantines the line", "[ingest]") {
  const auto adapter = TestAdapter(Format::kVigil);
  const auto reason = [&](const std::string& rest) {
    const AdaptedLine adapted =
        adapter->Adapt(R"({"time":1714557600000000000,"source":"s","type_uid":99)" + rest + "}");
    CHECK(adapted.verdict == AdaptedLine::Verdict::kQuarantined);
    return adapted.reason;
  };
  CHECK(reason(R"(,"srcc":{"ip":"1.2.3.4"})") == "srcc.ip: unknown field");
  CHECK(reason(R"(,"src":{"ip":"1.2.3.4.5"})") == "src.ip: value does not fit");
  CHECK(reason(R"(,"src":{"port":65536})") == "src.port: value does not fit");
  CHECK(reason(R"(,"severity_id":100)") == "severity_id: value does not fit");
  CHECK(reason(R"(,"tlp":5)") == "tlp: value does not fit");
  CHECK(reason(R"(,"metrics":{"x":"fast"})") == "metrics.x: value does not fit");
  CHECK(reason(R"(,"observables":{"100":["x"]})") == "observables.100: value does not fit");
  CHECK(reason(R"(,"message":[{"a":1}])") == "message: a list or object where a value belongs");
  CHECK(adapter->Adapt(R"({"time":1714557600000000000,"type_uid":99})").verdict ==
        AdaptedLine::Verdict::kQuarantined);  // No source.
  CHECK(adapter->Adapt(R"({"source":"s","type_uid":99})").reason == "no usable time");
  CHECK(reason(R"(,"message":["a"])") == "message: a list where one value belongs");
  CHECK(reason(R"(,"src":[{"ip":"1.2.3.4"}])") == "src: a list or object where a value belongs");
  CHECK(reason(R"(,"message":"a","message":"b")") == "message: the field comes twice");
  CHECK(reason(R"(,"src":{"ip":"1.2.3.4"},"src":{"ip":"1.2.3.5"})") ==
        "src.ip: the field comes twice");
  CHECK(reason(R"(,"attacks":["T1"],"attacks":["T2"])") == "attacks: the field comes twice");
  CHECK(reason(R"(,"metrics":{"x":1,"x":2})") == "metrics.x: the field comes twice");
  CHECK(adapter->Adapt(R"({"time":[1],"source":"s","type_uid":99})").reason ==
        "time: a list where one value belongs");
  CHECK(adapter->Adapt(R"({"time":1714557600000000000,"source":"s"})").reason ==
        "no class_uid or type_uid");
  EventOf(adapter->Adapt(R"({"time":1714557600000000000,"source":"s","class_uid":0})"));
}

TEST_CASE("vigil format: the raw line is kept committed to or left out", "[ingest]") {
  const v1::Event none = EventOf(TestAdapter(Format::kVigil, "", RawMode::kNone)->Adapt(kFull));
  CHECK(none.raw_size() == 0);
  const v1::Event kept = EventOf(TestAdapter(Format::kVigil, "", RawMode::kKeep)->Adapt(kFull));
  CHECK(kept.raw() == kFull);
  CHECK(kept.raw_commitment().empty());

  const AdaptedLine adapted = TestAdapter(Format::kVigil, "", RawMode::kCommit)->Adapt(kFull);
  v1::Event committed;
  REQUIRE(committed.ParseFromString(adapted.event.bytes));
  CHECK(committed.raw_size() == sizeof(kFull) - 1);
  CHECK(committed.raw().empty());
  CHECK(committed.raw_commitment() == ledger::Sha256(AsBytes(committed.salt() + kFull)).view());
}

TEST_CASE("format detection: the first line that decides wins", "[ingest]") {
  const auto is = [](const std::string& head, Format format) {
    const auto detected = DetectFormat(head);
    return detected.ok() && *detected == format;
  };
  CHECK(is(kFull, Format::kVigil));
  CHECK(is(R"({"timestamp":"t","event_type":"flow"})", Format::kSuricata));
  CHECK(is(R"({"ts":1.5,"uid":"C"})", Format::kZeekJson));
  CHECK(is("\t#separator \\x09\n#fields\tts", Format::kZeekTsv));
  CHECK(is("garbage\n{\"a\":\n{\"ts\":1}", Format::kZeekJson));
  CHECK(absl::IsInvalidArgument(DetectFormat("").status()));
  CHECK(absl::IsInvalidArgument(DetectFormat("{\"a\":1}\nplain text\n[1,2]").status()));
  CHECK(ParseFormat("zeek-tsv").value() == Format::kZeekTsv);
  CHECK(absl::IsInvalidArgument(ParseFormat("zeek").status()));
}

}  // namespace
}  // namespace vigil::client
