// Adapter speed on recorded logs; run by hand: client_ingest_test "[.speed]".
#include <cstdio>
#include <ctime>

#include "client/ingest/line_source.h"
#include "tests/client/ingest/ingest_test_support.h"

namespace vigil::client {
namespace {

void Measure(const std::string& folder, const std::string& name, RawMode raw_mode) {
  for (const std::string& path : RecordedLogs(folder)) {
    if (path.find(name) == std::string::npos) continue;
    auto source = LineSource::Open(path);
    REQUIRE(source.ok());
    const Format format = DetectFormat((*source)->Peek(64 * 1024).value()).value();
    std::vector<std::string> lines;
    SourceLine line;
    while ((*source)->Next(&line).value()) lines.emplace_back(line.text);
    const auto adapter =
        TestAdapter(format, std::filesystem::path(path).filename().string(), raw_mode);
    uint64_t events = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
    // CPU seconds, so that other work on the machine does not count.
    const std::clock_t from = std::clock();
    double seconds = 0;
    do {
      for (const std::string& text : lines) {
        const AdaptedLine adapted = adapter->Adapt(text);
        bytes_in += text.size();
        bytes_out += adapted.event.bytes.size();
        events += adapted.verdict == AdaptedLine::Verdict::kEvent ? 1 : 0;
      }
      seconds = static_cast<double>(std::clock() - from) / CLOCKS_PER_SEC;
    } while (seconds < 1.0);
    std::printf("%-10s %-40s raw %d: %8.0f events/s, %5.0f B in, %4.0f B out\n",
                std::string(FormatName(format)).c_str(),
                std::filesystem::path(path).filename().c_str(), static_cast<int>(raw_mode),
                static_cast<double>(events) / seconds,
                static_cast<double>(bytes_in) / static_cast<double>(events),
                static_cast<double>(bytes_out) / static_cast<double>(events));
  }
}

TEST_CASE("adapter speed: events per second on one core", "[.speed]") {
  for (const RawMode raw_mode : {RawMode::kNone, RawMode::kCommit}) {
    Measure("zeek_brim/tsv", "/dns.", raw_mode);
    Measure("zeek_brim/json", "/dns.", raw_mode);
    Measure("zeek_brim/tsv", "/ssl.", raw_mode);
    Measure("zeek_slips", "test9-mixed-zeek-dir/conn.", raw_mode);
    Measure("suricata_slips", "suricata", raw_mode);
  }
}

}  // namespace
}  // namespace vigil::client
