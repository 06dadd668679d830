// Lines that an attacker, a broken disk or a broken writer could produce: each costs at most
// itself.
#include "ledger/base/limits.h"
#include "ledger/base/random.h"
#include "tests/client/ingest/ingest_test_support.h"

namespace vigil::client {
namespace {

std::string Flow(const std::string& rest) {
  return R"({"timestamp":"2021-06-06T15:59:46Z","event_type":"flow",)" + rest + "}";
}

TEST_CASE("hostile lines: numbers out of range are kept as text", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  const v1::Event event = EventOf(adapter->Adapt(
      Flow(R"("src_port":70000,"dest_port":-1,"flow":{"pkts_toserver":99999999999999999999999,)"
           R"("bytes_toserver":1.5,"bytes_toclient":18446744073709551615},"flow_id":1e400)")));
  CHECK_FALSE(event.has_src());
  CHECK_FALSE(event.has_dst());
  CHECK(Unmapped(event, "src_port") == "70000");
  CHECK(Unmapped(event, "dest_port") == "-1");
  CHECK(Unmapped(event, "flow.pkts_toserver") == "99999999999999999999999");
  CHECK(Unmapped(event, "flow.bytes_toserver") == "1.5");
  CHECK(event.traffic().bytes_in() == UINT64_MAX);
  CHECK(event.source_uid() == "1e400");
  CHECK(adapter->stats().mismatched_values == 4);
}

TEST_CASE("hostile lines: addresses that are none are kept as text", "[ingest]") {
  const v1::Event event = EventOf(
      TestAdapter(Format::kSuricata)
          ->Adapt(Flow(R"("src_ip":"1.2.3.4.5","dest_ip":"::ffff:999.1.1.1","proto":"quantum")")));
  CHECK_FALSE(event.has_src());
  CHECK(Unmapped(event, "src_ip") == "1.2.3.4.5");
  CHECK(Unmapped(event, "dest_ip") == "::ffff:999.1.1.1");
  CHECK(Unmapped(event, "proto") == "quantum");
}

TEST_CASE("hostile lines: the first of two fields of one name counts", "[ingest]") {
  const v1::Event event = EventOf(
      TestAdapter(Format::kSuricata)->Adapt(Flow(R"("src_ip":"1.2.3.4","src_ip":"5.6.7.8")")));
  CHECK(event.src().ip() == std::string("\x01\x02\x03\x04", 4));
  CHECK(Unmapped(event, "src_ip") == "5.6.7.8");
}

TEST_CASE("hostile lines: long text is cut at a character and said to be", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  std::string url;
  while (url.size() < 100'000) url += "\xE2\x82\xAC";  // Euro signs, three bytes each.
  const v1::Event event = EventOf(adapter->Adapt(
      R"({"timestamp":"2021-06-06T15:59:46Z","event_type":"http","http":{"url":")" + url + "\"}}"));
  CHECK(event.url_or_query() == url.substr(0, 2046));
  CHECK(Unmapped(event, "vigil.truncated") == "http.url");
  CHECK(adapter->stats().truncated_events == 1);
}

TEST_CASE("hostile lines: a thousand unknown fields fill the room and no more", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  std::string rest = R"("a":1)";
  for (int i = 0; i < 5000; ++i)
    rest += ",\"k" + std::to_string(i) + "\":\"" + std::string(300, 'v') + "\"";
  const AdaptedLine adapted = adapter->Adapt(Flow(rest));
  const v1::Event event = EventOf(adapted);
  CHECK(event.unmapped_size() <= 32);
  CHECK(Unmapped(event, "vigil.truncated") == "unmapped");
  CHECK(adapted.event.bytes.size() <= kEventBytesMax);
  CHECK(adapter->stats().unknown_fields.size() <= MappingStats::kUnknownFieldsMax + 1);
}

TEST_CASE("hostile lines: an event at every cap still fits", "[ingest]") {
  const std::string big(9000, 'x');
  std::string line =
      R"({"time":1714557600000000000,"type_uid":99,"source":")" + big + R"(","message":")" + big +
      R"(","url_or_query":")" + big + R"(","rule_name":")" + big + R"(","actor":{"cmd_line":")" +
      big + R"(","path":")" + big + R"("},"file":{"path":")" + big + R"("},"observables":{)";
  for (int type = 0; type < 40; ++type) {
    line += (type == 0 ? "\"" : ",\"") + std::to_string(type) + "\":\"" + big + "\"";
  }
  line += R"(},"unmapped":{)";
  for (int i = 0; i < 40; ++i)
    line += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"" + big + "\"";
  line += "}}";
  const AdaptedLine adapted = TestAdapter(Format::kVigil, "", RawMode::kKeep)->Adapt(line);
  // 32 observables of 1 KiB alone exceed the size of an event: refused with its reason, not cut.
  CHECK(adapted.verdict == AdaptedLine::Verdict::kQuarantined);
  CHECK(adapted.reason.find("event:") != std::string::npos);

  std::string fewer = line;
  fewer.replace(fewer.find("\"observables\":{"),
                fewer.find("},\"unmapped\"") - fewer.find("\"observables\":{"),
                "\"observables\":{\"1\":\"x\"");
  fewer.resize(8000);  // Cut inside: must be refused as JSON.
  CHECK(TestAdapter(Format::kVigil)->Adapt(fewer).verdict == AdaptedLine::Verdict::kQuarantined);
}

TEST_CASE("hostile lines: the raw line gives way when the event grows too large", "[ingest]") {
  std::string line = R"({"time":1714557600000000000,"type_uid":99,"source":"s","message":")" +
                     std::string(2000, 'm') + R"(","actor":{"cmd_line":")" +
                     std::string(4000, 'c') + R"("},"observables":{)";
  for (int type = 0; type < 9; ++type) {
    line +=
        (type == 0 ? "\"" : ",\"") + std::to_string(type) + "\":\"" + std::string(20, 'o') + "\"";
  }
  line += R"(},"unmapped":{"a":")" + std::string(1500, 'u') + R"("}})";
  REQUIRE(line.size() <= 8192);
  CHECK(EventOf(TestAdapter(Format::kVigil, "", RawMode::kKeep)->Adapt(line)).raw() == line);
}

TEST_CASE("hostile lines: deep nesting is text or quarantined and never a crash", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  for (const int depth : {9, 100, 1000, 10'000}) {
    std::string objects = "1";
    std::string lists = "1";
    for (int i = 0; i < depth; ++i) {
      objects = "{\"a\":" + objects + "}";
      lists = "[" + lists + "]";
    }
    for (const std::string& nested : {objects, lists}) {
      const AdaptedLine adapted = adapter->Adapt(Flow("\"x\":" + nested));
      CHECK(adapted.verdict != AdaptedLine::Verdict::kSkipped);
      if (adapted.verdict == AdaptedLine::Verdict::kEvent) EventOf(adapted);
    }
    CHECK(adapter->Adapt(std::string(depth, '[')).verdict == AdaptedLine::Verdict::kQuarantined);
    CHECK(adapter->Adapt(Flow("\"x\":" + std::string(depth, '{'))).verdict ==
          AdaptedLine::Verdict::kQuarantined);
  }
}

TEST_CASE("hostile lines: text that is not UTF-8 is repaired and said to be", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  const v1::Event event = EventOf(adapter->Adapt(
      Flow("\"app_proto\":\"a\xFF\xC3z\",\"x\":\"\\ud800-\\udc00-\\ud83d\\ude00\"")));
  CHECK(event.app_protocol() == "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  CHECK(Unmapped(event, "x") == "\xEF\xBF\xBD-\xEF\xBF\xBD-\xF0\x9F\x98\x80");
  CHECK(Unmapped(event, "vigil.repaired") == "utf-8");
  CHECK(adapter->stats().repaired_events == 1);

  const auto tsv = TestAdapter(Format::kZeekTsv);
  tsv->Adapt("#separator \\x09");
  tsv->Adapt("#path\tweird");
  tsv->Adapt("#fields\tts\tname");
  const v1::Event row = EventOf(tsv->Adapt("1.5\ta\xFF"));
  CHECK(row.rule_uid() == "a\xEF\xBF\xBD");
  CHECK(Unmapped(row, "vigil.repaired") == "utf-8");
}

TEST_CASE("hostile lines: NUL bytes are text in rows and no JSON in objects", "[ingest]") {
  const auto adapter = TestAdapter(Format::kSuricata);
  std::string line = Flow(R"("app_proto":"aXb")");
  line[line.find('X')] = '\0';
  CHECK(adapter->Adapt(line).verdict == AdaptedLine::Verdict::kQuarantined);
  const v1::Event escaped = EventOf(adapter->Adapt(Flow("\"app_proto\":\"a\\u0000b\"")));
  CHECK(escaped.app_protocol() == std::string("a\0b", 3));
  CHECK(adapter->Adapt(std::string(100, '\0')).verdict == AdaptedLine::Verdict::kQuarantined);

  const auto tsv = TestAdapter(Format::kZeekTsv);
  tsv->Adapt("#separator \\x09");
  tsv->Adapt("#path\tweird");
  tsv->Adapt("#fields\tts\tname");
  CHECK(EventOf(tsv->Adapt(std::string("1.5\ta\0b", 7))).rule_uid() == std::string("a\0b", 3));
}

TEST_CASE("hostile lines: what is not one JSON object is quarantined", "[ingest]") {
  for (const Format format : {Format::kSuricata, Format::kZeekJson, Format::kVigil}) {
    const auto adapter = TestAdapter(format);
    const std::string good = R"({"time":1714557600000000000,"type_uid":99,"source":"s","ts":1.5,)"
                             R"("timestamp":"2021-06-06T15:59:46Z","event_type":"x"})";
    for (const std::string& line : {std::string("{"),
                                    std::string("}"),
                                    std::string("[]"),
                                    std::string("null"),
                                    std::string("1"),
                                    std::string("\"x\""),
                                    std::string("{\"a\":}"),
                                    std::string("{\"a\" 1}"),
                                    std::string("{a:1}"),
                                    std::string("{\"ts\":01.5}"),
                                    std::string("{\"ts\":1.5,}"),
                                    std::string("{\"ts\":1.5x}"),
                                    std::string("{\"ts\":1.5,\"a\":tru}"),
                                    std::string("{\"ts\":1.5,\"a\":nul}"),
                                    std::string("{\"ts\":1.5,\"a\":+1}"),
                                    good + good,
                                    good + "x",
                                    good + " {}",
                                    good.substr(0, good.size() - 1),
                                    std::string("\xEF\xBB\xBF") + "{"}) {
      INFO(line);
      CHECK(adapter->Adapt(line).verdict == AdaptedLine::Verdict::kQuarantined);
    }
  }
}

TEST_CASE("hostile lines: flipped and cut lines never break an adapter", "[ingest]") {
  uint64_t seed = 20240501;
  if (const char* given = std::getenv("VIGIL_TEST_SEED")) seed = std::strtoull(given, nullptr, 10);
  INFO("VIGIL_TEST_SEED=" << seed);
  SplitMix64 random(seed);
  const std::string lines[] = {
      Flow(
          R"("src_ip":"1.2.3.4","flow":{"pkts_toserver":12},"dns":{"answers":[{"rdata":"1.2.3.4"}]})"),
      R"({"_path":"conn","ts":1.5,"uid":"C","id.orig_h":"1.2.3.4","answers":["a","b"],"x":null})",
      "1.5\tx\t1.2.3.4,5.6.7.8\tT"};
  const auto tsv = TestAdapter(Format::kZeekTsv);
  tsv->Adapt("#separator \\x09");
  tsv->Adapt("#fields\tts\tname\tanswers\tAA");
  tsv->Adapt("#types\ttime\tstring\tset[addr]\tbool");
  const std::unique_ptr<Adapter> json[] = {
      TestAdapter(Format::kSuricata), TestAdapter(Format::kZeekJson), TestAdapter(Format::kVigil)};
  for (int round = 0; round < 20'000; ++round) {
    std::string line = lines[random.Below(3)];
    for (uint64_t flips = random.Below(4); flips > 0 && !line.empty(); --flips) {
      line[random.Below(line.size())] = static_cast<char>(random.Below(256));
    }
    if (random.Chance(300)) line.resize(random.Below(line.size() + 1));
    for (Adapter* const adapter : {tsv.get(), json[0].get(), json[1].get(), json[2].get()}) {
      const AdaptedLine adapted = adapter->Adapt(line);
      if (adapted.verdict != AdaptedLine::Verdict::kEvent) continue;
      EventView view;
      if (!ledger::ScanEvent(AsBytes(adapted.event.bytes), &view).ok()) FAIL(line);
    }
  }
  SUCCEED();
}

}  // namespace
}  // namespace vigil::client
