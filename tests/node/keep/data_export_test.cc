// The export holds every event once, in order, as its author signed it.
#include "node/keep/data_export.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "node/keep/reindex.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;

constexpr char kFile[] = "/out/events.ndjson";

TEST_CASE("data export: every event of the chain is a line", "[keep]") {
  KeptCluster kept(1);
  REQUIRE(kept.disk()->MakeDirs("/out").ok());
  const ledger::Record twice = kept.stream.NextBatch(4);
  REQUIRE(SubmitAndWait(&kept.cluster, 0, twice).error.ok());
  kept.Submit(10);
  kept.cluster.RunFor(3 * kSecond);
  kept.cluster.Crash(0, CrashMode::kProcessOnly);
  const ExportRequest request{.data_dir = kData, .file = kFile, .genesis = &kept.genesis()};
  const auto report = ExportEvents(kept.disk(), request, nullptr);
  INFO(report.status());
  REQUIRE(report.ok());
  CHECK(report->events == 54);
  std::istringstream lines(kept.disk()->ReadAll(kFile).value());
  uint64_t count = 0;
  std::pair<uint64_t, uint64_t> last;
  for (std::string line; std::getline(lines, line); ++count) {
    const nlohmann::json json = nlohmann::json::parse(line);
    const std::pair<uint64_t, uint64_t> at{std::stoull(json.at("record").get<std::string>()),
                                           json.at("item").get<uint64_t>()};
    CHECK((count == 0 || at > last));
    last = at;
    CHECK(json.at("author") == "acme/s0");
    CHECK(json.at("stream") == "conn");
    CHECK(json.at("result") == "ok");
    CHECK(json.at("leaf_hash").get<std::string>().size() == 64);
    CHECK(json.at("event").at("source").is_string());
  }
  CHECK(count == report->events);
  CHECK(absl::IsAlreadyExists(ExportEvents(kept.disk(), request, nullptr).status()));
}

TEST_CASE("data export: an interrupted one leaves no file of that name", "[keep]") {
  KeptCluster kept(1);
  REQUIRE(kept.disk()->MakeDirs("/out").ok());
  kept.Submit(6);
  kept.cluster.RunFor(3 * kSecond);
  kept.cluster.Crash(0, CrashMode::kProcessOnly);
  // So that the state is on disk, which crashes again.
  REQUIRE(Reindex(kept.disk(),
                  {.data_dir = kData,
                   .genesis = &kept.genesis(),
                   .open_store = StoresIn(kept.disk(), kData)},
                  nullptr)
              .ok());
  const std::string whole = [&] {
    REQUIRE(ExportEvents(kept.disk(),
                         {.data_dir = kData, .file = "/out/whole", .genesis = &kept.genesis()},
                         nullptr)
                .ok());
    return kept.disk()->ReadAll("/out/whole").value();
  }();
  for (uint64_t step = 0;; ++step) {
    const std::string file = absl::StrCat(kFile, step);
    kept.disk()->CrashAt(kept.disk()->operation_count() + step);
    const auto report = ExportEvents(
        kept.disk(), {.data_dir = kData, .file = file, .genesis = &kept.genesis()}, nullptr);
    const bool off = kept.disk()->is_off();
    kept.disk()->Crash(CrashMode::kAnyLoss);
    if (kept.disk()->Exists(file)) CHECK(kept.disk()->ReadAll(file).value() == whole);
    if (off) {
      CHECK_FALSE(report.ok());
      continue;
    }
    INFO(report.status());
    CHECK(report.ok());
    CHECK(kept.disk()->Exists(file));
    break;
  }
}

}  // namespace
}  // namespace vigil::node
