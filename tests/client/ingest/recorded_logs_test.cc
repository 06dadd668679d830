// Real logs of Suricata and Zeek, read whole. The TSV and the JSON files of one folder hold the
// same events, written by two different writers, so each checks the other.
#include <map>

#include "client/ingest/line_source.h"
#include "client/ingest/value_parsers.h"
#include "tests/client/ingest/ingest_test_support.h"

namespace vigil::client {
namespace {

struct FileResult {
  Format format = Format::kAuto;
  uint64_t lines = 0;
  uint64_t skipped = 0;
  uint64_t quarantined = 0;
  MappingStats stats;
  std::vector<v1::Event> events;
  std::map<std::string, uint64_t> reasons;
};

FileResult ReadLog(const std::string& path, bool keep_events) {
  FileResult result;
  auto source = LineSource::Open(path);
  REQUIRE(source.ok());
  const auto head = (*source)->Peek(64 * 1024);
  REQUIRE(head.ok());
  const auto format = DetectFormat(*head);
  INFO(path);
  REQUIRE(format.ok());
  result.format = *format;
  const auto adapter = TestAdapter(*format, std::filesystem::path(path).filename().string());
  SourceLine line;
  for (;;) {
    const auto more = (*source)->Next(&line);
    REQUIRE(more.ok());
    if (!*more) break;
    ++result.lines;
    const AdaptedLine adapted = adapter->Adapt(line.text);
    switch (adapted.verdict) {
      case AdaptedLine::Verdict::kSkipped:
        ++result.skipped;
        break;
      case AdaptedLine::Verdict::kQuarantined:
        ++result.quarantined;
        ++result.reasons[adapted.reason];
        break;
      case AdaptedLine::Verdict::kEvent: {
        EventView view;
        if (!ledger::ScanEvent(AsBytes(adapted.event.bytes), &view).ok()) FAIL(line.text);
        if (!keep_events) break;
        v1::Event event;
        REQUIRE(event.ParseFromString(adapted.event.bytes));
        event.clear_salt();
        result.events.push_back(std::move(event));
        break;
      }
    }
  }
  result.stats = adapter->stats();
  return result;
}

void CheckFolder(const std::string& folder, uint64_t events_least, uint64_t specific_percent,
                 uint64_t quarantined_expected = 0) {
  uint64_t events = 0;
  uint64_t specific = 0;
  uint64_t quarantined = 0;
  for (const std::string& path : RecordedLogs(folder)) {
    const FileResult result = ReadLog(path, /*keep_events=*/false);
    INFO(path);
    CHECK(result.lines == result.stats.events + result.quarantined + result.skipped);
    for (const auto& [reason, count] : result.reasons)
      WARN(path << ": " << count << " x " << reason);
    quarantined += result.quarantined;
    CHECK(result.stats.repaired_events == 0);
    events += result.stats.events;
    specific += result.stats.specific_class_events;
    std::string unknown;
    for (const auto& [field, count] : result.stats.unknown_fields) {
      unknown += " " + field + ":" + std::to_string(count);
    }
    if (result.stats.specific_class_events > 0 && !unknown.empty()) {
      WARN(path << ": no rule for" << unknown);
    }
    if (result.stats.truncated_events > 0 || result.stats.mismatched_values > 0) {
      WARN(path << ": " << result.stats.truncated_events << " truncated, "
                << result.stats.mismatched_values << " mismatched");
    }
  }
  if (events == 0) return;
  CHECK(events >= events_least);
  CHECK(specific * 100 >= events * specific_percent);
  CHECK(quarantined == quarantined_expected);
  WARN(folder << ": " << events << " events, " << specific << " of a specific class");
}

TEST_CASE("recorded logs: every Suricata line becomes an event or is quarantined", "[ingest]") {
  CheckFolder("suricata_slips", 5000, 100);
}

TEST_CASE("recorded logs: every Zeek line of the mixed folders becomes an event or is quarantined",
          "[ingest]") {
  // One row of test10's notice.log was cut by hand to 23 of 26 columns. Certificates, PE headers
  // and reports of Zeek about itself are base events.
  CheckFolder("zeek_slips", 2500, 94, /*quarantined_expected=*/1);
}

TEST_CASE("recorded logs: every Zeek TSV line becomes an event or is quarantined", "[ingest]") {
  CheckFolder("zeek_brim/tsv", 130'000, 100);
}

TEST_CASE("recorded logs: every Zeek JSON line becomes an event or is quarantined", "[ingest]") {
  CheckFolder("zeek_brim/json", 130'000, 100);
}

// Intervals are doubles in JSON and microseconds in TSV. Further times are seconds in TSV and RFC
// 3339 in JSON, and are kept as they are written.
void DropNotation(v1::Event* event) {
  event->set_duration_ns(0);
  for (v1::Pair& pair : *event->mutable_unmapped()) {
    const bool is_time =
        pair.key().rfind("times.", 0) == 0 || pair.key() == "from" || pair.key() == "till";
    if (is_time) pair.set_value(std::to_string(ParseZeekTime(pair.value()).value()));
  }
}

TEST_CASE("recorded logs: Zeek TSV and JSON of the same log give the same events", "[ingest]") {
  for (const std::string& tsv_path : RecordedLogs("zeek_brim/tsv")) {
    std::string json_path = tsv_path;
    json_path.replace(json_path.find("/tsv/"), 5, "/json/");
    json_path.replace(json_path.find(".log.gz"), 7, ".json.gz");
    FileResult tsv = ReadLog(tsv_path, /*keep_events=*/true);
    FileResult json = ReadLog(json_path, /*keep_events=*/true);
    INFO(tsv_path);
    REQUIRE(tsv.format == Format::kZeekTsv);
    REQUIRE(json.format == Format::kZeekJson);
    REQUIRE(tsv.events.size() == json.events.size());
    uint64_t differing = 0;
    for (size_t i = 0; i < tsv.events.size(); ++i) {
      const int64_t apart = static_cast<int64_t>(tsv.events[i].duration_ns()) -
                            static_cast<int64_t>(json.events[i].duration_ns());
      if (std::abs(apart) > 1000) ++differing;
      DropNotation(&tsv.events[i]);
      DropNotation(&json.events[i]);
      if (tsv.events[i].SerializeAsString() == json.events[i].SerializeAsString()) continue;
      if (differing++ < 3) {
        UNSCOPED_INFO(tsv.events[i].DebugString() << "\n---\n" << json.events[i].DebugString());
      }
    }
    CHECK(differing == 0);
  }
}

}  // namespace
}  // namespace vigil::client
