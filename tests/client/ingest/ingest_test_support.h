// What the ingest tests share: events as readable messages, and the recorded logs when they are
// here.
#ifndef VIGIL_TESTS_CLIENT_INGEST_INGEST_TEST_SUPPORT_H_
#define VIGIL_TESTS_CLIENT_INGEST_INGEST_TEST_SUPPORT_H_

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/ingest/adapter.h"
#include "google/protobuf/text_format.h"
#include "ledger/chain/scanner.h"
#include "tests/support/catch.h"

namespace vigil::client {

inline ledger::SaltSource* TestSalts() {
  static ledger::SaltSource salts(std::array<uint8_t, 32>{7});
  return &salts;
}

inline std::unique_ptr<Adapter> TestAdapter(Format format, const std::string& file_name = "",
                                            RawMode raw_mode = RawMode::kNone) {
  return MakeAdapter(format, {.file_name = file_name, .raw_mode = raw_mode}, TestSalts());
}

// The event of `adapted`, which must be one and pass the scanner; without schema and salt.
inline v1::Event EventOf(const AdaptedLine& adapted) {
  INFO(adapted.reason);
  REQUIRE(adapted.verdict == AdaptedLine::Verdict::kEvent);
  EventView view;
  REQUIRE(ledger::ScanEvent(AsBytes(adapted.event.bytes), &view).ok());
  v1::Event event;
  REQUIRE(event.ParseFromString(adapted.event.bytes));
  CHECK(event.schema() == 1);
  CHECK(event.salt().size() == 16);
  CHECK(event.time_unix_nano() == adapted.event.time_unix_nano);
  event.clear_schema();
  event.clear_salt();
  return event;
}

// The event as text, for comparison with `expected` in the same form.
inline void CheckEvent(const v1::Event& event, const std::string& expected) {
  v1::Event wanted;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(expected, &wanted));
  CHECK(event.DebugString() == wanted.DebugString());
}

// The value of an unmapped pair; "(absent)" when there is none.
inline std::string Unmapped(const v1::Event& event, const std::string& key) {
  for (const v1::Pair& pair : event.unmapped()) {
    if (pair.key() == key) return pair.value();
  }
  return "(absent)";
}

// Recorded logs under the shared folder; empty, with a warning, when it is not there.
inline std::vector<std::string> RecordedLogs(const std::string& folder) {
  const char* const given = std::getenv("VIGIL_SHARED_DIR");
  const std::string shared =
      given != nullptr ? given : std::string(VIGIL_SOURCE_DIR) + "/../shared";
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(shared + "/data/" + folder, error), end;
       !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".gz") paths.push_back(at->path().string());
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) WARN("no recorded logs in " << shared << "/data/" << folder);
  return paths;
}

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_INGEST_INGEST_TEST_SUPPORT_H_
