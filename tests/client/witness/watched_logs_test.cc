#include "client/witness/watched_logs.h"

#include "absl/strings/str_cat.h"
#include "tests/client/witness/test_log.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

std::string Vkey(const std::string& name, uint8_t seed, ledger::NoteKeyType type) {
  return ledger::EncodeNoteKey({.name = name, .type = type, .key = TestKey(seed).public_key()});
}
std::string LogLine(const std::string& origin, uint8_t seed) {
  return absl::StrCat("log ", Vkey(origin, seed, ledger::NoteKeyType::kEd25519), "\n");
}
std::string WitnessLine(const std::string& name, uint8_t seed) {
  return absl::StrCat("witness ", name, " ",
                      Vkey(name + ".example", seed, ledger::NoteKeyType::kCosignatureV1), "\n");
}

const ledger::NoteKey& Self() {
  static const ledger::NoteKey* const self = new ledger::NoteKey(TestWitnessKey().note);
  return *self;
}

absl::StatusOr<std::vector<ledger::WitnessLog>> Watch(std::vector<PolicyFile> files) {
  return WatchedLogs(files, Self());
}

TEST_CASE("watched logs: keys with one name are one log and its quorum comes first") {
  const auto logs = Watch(
      {{"a.txt", LogLine("o/1", 1) + LogLine("o/1", 2) + WitnessLine("v1", 3) + "quorum v1\n"}});
  REQUIRE(logs.ok());
  REQUIRE(logs->size() == 1);
  CHECK(logs->front().origin == "o/1");
  CHECK(logs->front().keys.size() == 2);
  REQUIRE(logs->front().required_quorum.has_value());
  CHECK(logs->front().required_quorum->quorum == "v1");
}

TEST_CASE("watched logs: a quorum of none asks for nobody") {
  const auto logs = Watch({{"a.txt", LogLine("o/1", 1) + "quorum none\n"},
                           {"b.txt", LogLine("o/2", 2) + WitnessLine("v1", 3) + "quorum v1\n"}});
  REQUIRE(logs.ok());
  REQUIRE(logs->size() == 2);
  CHECK_FALSE((*logs)[0].required_quorum.has_value());
  CHECK((*logs)[1].required_quorum.has_value());
}

TEST_CASE("watched logs: a bad policy names file and line") {
  const auto logs = Watch({{"a.txt", LogLine("o/1", 1) + "nonsense\nquorum none\n"}});
  CHECK(absl::IsInvalidArgument(logs.status()));
  CHECK_THAT(std::string(logs.status().message()), Catch::Contains("a.txt: policy: line 2"));
}

TEST_CASE("watched logs: a policy without a log is refused") {
  const auto logs = Watch({{"a.txt", "quorum none\n"}});
  CHECK_THAT(std::string(logs.status().message()), Catch::Contains("a.txt: no log line"));
}

TEST_CASE("watched logs: an origin that two files name is refused") {
  const auto logs = Watch({{"a.txt", LogLine("o/1", 1) + "quorum none\n"},
                           {"b.txt", LogLine("o/1", 2) + "quorum none\n"}});
  CHECK(absl::IsInvalidArgument(logs.status()));
  CHECK_THAT(std::string(logs.status().message()), Catch::Contains("b.txt: origin o/1"));
}

TEST_CASE("watched logs: a quorum that waits for the witness itself is refused") {
  const std::string text = LogLine("o/1", 1) + WitnessLine("me", 9);
  CHECK(absl::IsInvalidArgument(Watch({{"a.txt", text + "quorum me\n"}}).status()));
  CHECK(Watch({{"a.txt", text + "quorum none\n"}}).ok());
}

}  // namespace
}  // namespace vigil::client
