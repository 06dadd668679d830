// Schedules as text, how they are drawn, and how they are made shorter.
#include "tests/sim/schedule.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "ledger/log/merkle.h"
#include "tests/sim/minimizer.h"
#include "tests/sim/plain_hash.h"
#include "tests/sim/swarm.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::sim {
namespace {

TEST_CASE("schedule: what is written is read back", "[sim][schedule]") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Schedule drawn = DrawSchedule(seed, {});
    const absl::StatusOr<Schedule> read = ParseSchedule(WriteSchedule(drawn));
    INFO("seed " << seed);
    REQUIRE(read.ok());
    CHECK(WriteSchedule(*read) == WriteSchedule(drawn));
    CHECK(read->events == drawn.events);
    CHECK(read->network.detector == drawn.network.detector);
  }
}

TEST_CASE("schedule: the swarm draws every kind of fault and the same for a seed",
          "[sim][schedule]") {
  std::set<FaultKind> kinds;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Schedule drawn = DrawSchedule(seed, {});
    CHECK(WriteSchedule(drawn) == WriteSchedule(DrawSchedule(seed, {})));
    CHECK(std::ranges::is_sorted(drawn.events, {}, &FaultEvent::at_micros));
    for (const FaultEvent& event : drawn.events) kinds.insert(event.kind);
  }
  CHECK(kinds.size() == kFaultKindCount);
  CHECK(WriteSchedule(DrawSchedule(1, {})) != WriteSchedule(DrawSchedule(2, {})));
}

TEST_CASE("schedule: bad text is refused with its line and what belongs there", "[sim][schedule]") {
  const std::string head = "vigil-sim schedule 1\n";
  const auto message = [&](const std::string& text) {
    return std::string(ParseSchedule(text).status().message());
  };
  CHECK(absl::StrContains(message(""), "line 1"));
  CHECK(absl::StrContains(message("vigil-sim schedule 2\n"), "line 1"));
  CHECK(absl::StrContains(message(head + "colour 3\n"), "line 2: \"colour\""));
  CHECK(absl::StrContains(message(head + "validators 99\n"), "from 1 to 31"));
  CHECK(absl::StrContains(message(head + "at 1 dance node=1\n"), "none of crash"));
  CHECK(absl::StrContains(message(head + "at 1 crash node=0 mode=kill\n"),
                          "crash has node, mode, for"));
  CHECK(absl::StrContains(message(head + "at 1 crash node=0 mode=soft for=1\n"), "none of kill"));
  CHECK(absl::StrContains(message(head + "at -1 reorder for=1\n"), "no whole number"));
  CHECK(
      absl::StrContains(message(head + "validators 3\nat 1 pause node=3 for=1\n"), "3 validators"));
  CHECK(ParseSchedule(head + "# a word\n\nat 1 reorder for=1 # another\n").ok());
}

TEST_CASE("oracle: its own hashes are those of the standards", "[sim]") {
  // FIPS 180-4's examples (NIST, SHA256.pdf), and RFC 6962's hash of the empty tree.
  CHECK(PlainSha256("abc").ToHex() ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(PlainSha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").ToHex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(PlainTreeHash({}).ToHex() ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::vector<Hash> leaves;
  for (int i = 0; i < 70; ++i) {
    const std::string leaf(static_cast<size_t>(i), 'x');
    leaves.push_back(PlainLeafHash(leaf));
    CHECK(leaves.back() == ledger::LeafHash(AsBytes(leaf)));
    CHECK(PlainTreeHash(leaves) == ledger::MerkleRoot(leaves));
  }
}

TEST_CASE("minimizer: keeps only the events that a failure needs", "[sim][schedule]") {
  VIGIL_TEST_SEED(seed, 7);
  Schedule schedule = DrawSchedule(seed, {.validators = 3, .detection = false, .fault_micros = {}});
  FaultEvent needed;
  needed.kind = FaultKind::kSkew;
  for (const int64_t amount : {111, 222}) {
    needed.amount = amount;
    needed.at_micros = amount * 10'000;
    schedule.events.push_back(needed);
  }
  std::ranges::stable_sort(schedule.events, {}, &FaultEvent::at_micros);
  const auto judge = [](const Schedule& candidate) -> std::string {
    int found = 0;
    for (const FaultEvent& event : candidate.events) {
      found += event.kind == FaultKind::kSkew && (event.amount == 111 || event.amount == 222);
    }
    return found == 2 ? "both are there, number " + std::to_string(candidate.events.size()) : "";
  };
  const Minimized minimized = Minimize(schedule, judge(schedule), judge, 500);
  REQUIRE(minimized.schedule.events.size() == 2);
  CHECK(minimized.schedule.events[0].amount == 111);
  CHECK(minimized.schedule.clients == 1);
  CHECK(minimized.runs <= 500);
  CHECK(Minimize(schedule, judge(schedule), judge, 3).runs == 3);
}

TEST_CASE("minimizer: another failure is not taken for the same", "[sim][schedule]") {
  CHECK(FailureClass("node 1 died at 17") == FailureClass("node 2 died at 3"));
  CHECK(FailureClass("node 1 died at 17") != FailureClass("node 1 lies at 17"));
}

}  // namespace
}  // namespace vigil::sim
