#include "client/witness/witness.h"

#include <atomic>
#include <set>
#include <thread>

#include "ledger/base/random.h"
#include "ledger/log/policy.h"
#include "tests/client/witness/test_log.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::client {
namespace {

struct Setup {
  explicit Setup(std::vector<ledger::WitnessLog> logs) {
    REQUIRE(WitnessFolder::Init(&files, "w").ok());
    auto opened = OpenTestWitness(&files, std::move(logs), &clock, [this](absl::string_view line) {
      MutexLock lock(&mutex);
      lines.emplace_back(line);
    });
    REQUIRE(opened.ok());
    witness = *std::move(opened);
  }

  ledger::FaultyFileSystem files{7};
  ManualClock clock;
  Mutex mutex;
  std::vector<std::string> lines VIGIL_GUARDED_BY(mutex);
  std::unique_ptr<Witness> witness;
};

TEST_CASE("witness: a growing log is cosigned with the clock's time and once more at one size") {
  const TestLog log;
  Setup setup({log.Watched()});
  WitnessAnswer answer = setup.witness->AddCheckpoint(log.Body(0, 5));
  REQUIRE(answer.http_status == 200);
  auto time = VerifyCosignature(answer.body, log.CheckpointText(5));
  REQUIRE(time.ok());
  CHECK(*time == 1'700'000'000);

  setup.clock.AdvanceMicros(60'000'000);
  answer = setup.witness->AddCheckpoint(log.Body(5, 5));
  REQUIRE(answer.http_status == 200);
  CHECK(VerifyCosignature(answer.body, log.CheckpointText(5)).value() == 1'700'000'060);
  CHECK(setup.witness->AddCheckpoint(log.Body(5, 9)).http_status == 200);
}

TEST_CASE("witness: the quorum of a policy must have cosigned first") {
  const TestLog log;
  const ledger::SigningKey validator = TestKey(2);
  const ledger::NoteKey cosigner = {.name = log.origin() + "/v/1/1",
                                    .type = ledger::NoteKeyType::kCosignatureV1,
                                    .key = validator.public_key()};
  ledger::WitnessLog watched = log.Watched();
  watched.required_quorum =
      ledger::Policy{.logs = {{.key = log.key(), .url = ""}},
                     .witnesses = {{.name = "v1", .key = cosigner, .url = ""}},
                     .groups = {},
                     .quorum = "v1"};
  Setup setup({watched});
  WitnessAnswer answer = setup.witness->AddCheckpoint(log.Body(0, 5));
  CHECK(answer.http_status == 403);
  CHECK_THAT(answer.body, Catch::Contains("quorum"));

  ledger::AddCheckpoint request = log.Request(0, 5);
  ledger::SignedNote note = log.Note(5);
  note.signatures.push_back(ledger::CosignNote(validator, cosigner.name, note.text, 1));
  request.checkpoint = ledger::EncodeNote(note);
  answer = setup.witness->AddCheckpoint(ledger::EncodeAddCheckpoint(request));
  CHECK(answer.http_status == 200);
  CHECK(VerifyCosignature(answer.body, note.text).ok());
}

TEST_CASE("witness: origins are kept apart") {
  const TestLog one("log.example/one");
  const TestLog two("log.example/two");
  Setup setup({one.Watched(), two.Watched()});
  CHECK(setup.witness->AddCheckpoint(one.Body(0, 8)).http_status == 200);
  CHECK(setup.witness->AddCheckpoint(two.Body(0, 3)).http_status == 200);
  CHECK(setup.witness->AddCheckpoint(one.Body(8, 9)).http_status == 200);
  const WitnessAnswer health = setup.witness->Health();
  CHECK(health.http_status == 200);
  CHECK_THAT(health.body, Catch::Contains("log.example/one 9\nlog.example/two 3\n"));
}

TEST_CASE("witness: a state that is damaged or gone while it runs answers 500") {
  const TestLog log;
  Setup setup({log.Watched()});
  REQUIRE(setup.witness->AddCheckpoint(log.Body(0, 5)).http_status == 200);
  const auto names = setup.files.List("w/state");
  REQUIRE(names.ok());
  const std::string path = "w/state/" + names->front();

  SECTION("damaged") { REQUIRE(setup.files.FlipBit(path, 40, 1).ok()); }
  SECTION("gone") { REQUIRE(setup.files.Remove(path).ok()); }
  SECTION("back to an earlier one") {
    REQUIRE(
        OriginState(&setup.files, path, log.origin()).Write({.size = 4, .root = log.Root(4)}).ok());
  }
  for (const uint64_t old_size : {0, 4, 5}) {
    const WitnessAnswer answer = setup.witness->AddCheckpoint(log.Body(old_size, 9));
    CHECK(answer.http_status == 500);
    CHECK_THAT(answer.body, !Catch::Contains("w/state"));
  }
  CHECK(setup.witness->Health().http_status == 503);
  MutexLock lock(&setup.mutex);
  CHECK_THAT(setup.lines.back(), Catch::Contains("w/state"));
}

TEST_CASE("witness: every decision is one line that names origin and both sizes") {
  const TestLog log;
  Setup setup({log.Watched()});
  setup.witness->AddCheckpoint(log.Body(0, 5));
  setup.witness->AddCheckpoint(log.Body(0, 7));
  setup.witness->AddCheckpoint("nonsense");
  MutexLock lock(&setup.mutex);
  REQUIRE(setup.lines.size() == 3);
  CHECK(setup.lines[0] == "200 log.example/one at 5 from 0");
  CHECK(setup.lines[1] == "409 log.example/one at 7 from 0: 5");
  CHECK_THAT(setup.lines[2], Catch::StartsWith("400: add-checkpoint: line 1"));
}

// Each thread asks for cosignatures of random sizes from the size it believes in. Were the lock per
// origin missing, a smaller size could be written after a larger one had been answered.
TEST_CASE("witness: concurrent requests never roll back") {
  VIGIL_TEST_SEED(seed, 11);
  constexpr uint64_t kLeaves = 200;
  constexpr int kThreads = 8;
  const TestLog log("log.example/one", kLeaves);
  const TestLog fork("log.example/one", kLeaves, "fork ");
  Setup setup({log.Watched()});
  std::atomic<uint64_t> finished_size{0};  // The largest size that some answer has left for.
  std::atomic<int> rolled_back{0};
  std::atomic<int> log_cosigned{0};
  std::atomic<int> fork_cosigned{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      SplitMix64 random(seed + static_cast<uint64_t>(t));
      // Half the threads serve the fork: whoever is first decides, the others get nothing.
      const TestLog& mine = t % 2 == 0 ? log : fork;
      uint64_t old_size = 0;
      for (int i = 0; i < 60; ++i) {
        const uint64_t before = finished_size.load();
        const uint64_t size =
            old_size + random.Below(std::min<uint64_t>(8, kLeaves - old_size) + 1);
        const WitnessAnswer answer = setup.witness->AddCheckpoint(mine.Body(old_size, size));
        if (answer.http_status == 409 && answer.content_type == ledger::kWitnessSizeType) {
          const auto told = ledger::DecodeWitnessSize(answer.body);
          if (told.ok()) old_size = *told;
          if (old_size < before) ++rolled_back;
          continue;
        }
        if (answer.http_status != 200) continue;
        if (size < before) ++rolled_back;
        if (size > 0) ++(t % 2 == 0 ? log_cosigned : fork_cosigned);
        old_size = size;
        uint64_t seen = finished_size.load();
        while (seen < size && !finished_size.compare_exchange_weak(seen, size)) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(rolled_back == 0);
  CHECK(log_cosigned + fork_cosigned > 0);
  CHECK((log_cosigned == 0 || fork_cosigned == 0));
}

}  // namespace
}  // namespace vigil::client
