// Crashes and disk errors at every file operation of a witness's life. Whatever happens, a
// cosignature that left is never followed by one of a smaller size, or of another root.
#include <set>

#include "client/witness/witness.h"
#include "tests/client/witness/test_log.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::client {
namespace {

using ledger::CrashMode;
using ledger::DiskFault;

constexpr uint64_t kSizes[] = {3, 3, 7, 12, 12, 20};
// More than a life has; each run ends when its operation number is not reached any more.
constexpr uint64_t kOperationsMax = 200;

// What left the witness, as its clients saw it.
class Promises {
 public:
  // Checks that an answer keeps what was promised before, and remembers it.
  void Take(const WitnessAnswer& answer, const TestLog& log, uint64_t size) {
    if (answer.http_status != 200) return;
    REQUIRE(VerifyCosignature(answer.body, log.CheckpointText(size)).ok());
    REQUIRE(size >= size_);
    if (size > size_) root_ = log.Root(size);
    REQUIRE(log.Root(size) == root_);
    size_ = size;
  }
  uint64_t size() const { return size_; }

 private:
  uint64_t size_ = 0;
  Hash root_ = ledger::MerkleRoot({});
};

// Asks for `size` as a client does: from the size it is told.
WitnessAnswer Ask(Witness* witness, const TestLog& log, uint64_t old_size, uint64_t size) {
  WitnessAnswer answer = witness->AddCheckpoint(log.Body(old_size, size));
  if (answer.http_status != 409 || answer.content_type != ledger::kWitnessSizeType) return answer;
  const auto told = ledger::DecodeWitnessSize(answer.body);
  REQUIRE(told.ok());
  if (*told > size) return answer;
  return witness->AddCheckpoint(log.Body(*told, size));
}

// One life: opens the folder and asks for growing sizes until the disk is off.
void Live(ledger::FaultyFileSystem* files, const TestLog& log, const Clock* clock,
          Promises* promises) {
  auto witness = OpenTestWitness(files, {log.Watched()}, clock);
  if (!witness.ok()) return;
  uint64_t old_size = 0;
  for (const uint64_t size : kSizes) {
    const WitnessAnswer answer = Ask(witness->get(), log, old_size, size);
    promises->Take(answer, log, size);
    if (answer.http_status == 200) old_size = size;
  }
}

// After a restart: nothing smaller and nothing else is cosigned, and the right log goes on.
void Interrogate(ledger::FaultyFileSystem* files, const TestLog& log, const TestLog& fork,
                 const Clock* clock, Promises* promises) {
  auto witness = OpenTestWitness(files, {log.Watched()}, clock);
  REQUIRE(witness.ok());
  for (uint64_t size = 0; size <= 20; ++size) {
    for (const uint64_t old_size : std::set<uint64_t>{0, promises->size(), size}) {
      if (old_size > size) continue;
      promises->Take((*witness)->AddCheckpoint(fork.Body(old_size, size)), fork, size);
      if (size < promises->size())
        promises->Take((*witness)->AddCheckpoint(log.Body(old_size, size)), log, size);
    }
  }
}

TEST_CASE("witness: a crash at any file operation rolls nothing back") {
  VIGIL_TEST_SEED(seed, 21);
  const CrashMode mode = GENERATE(CrashMode::kProcessOnly, CrashMode::kLoseUnsynced,
                                  CrashMode::kTornPrefix, CrashMode::kAnyLoss);
  const TestLog log;
  const TestLog fork("log.example/one", 64, "fork ");
  const ManualClock clock;
  bool reached = true;
  for (uint64_t operation = 0; reached; ++operation) {
    REQUIRE(operation < kOperationsMax);
    ledger::FaultyFileSystem files(seed + operation);
    REQUIRE(WitnessFolder::Init(&files, "w").ok());
    Promises promises;
    files.CrashAt(files.operation_count() + operation);
    Live(&files, log, &clock, &promises);
    reached = files.is_off();
    files.Crash(mode);
    // The fork may be first only where nothing had left; then the log's own sizes are refused.
    if (promises.size() > 0) Interrogate(&files, log, fork, &clock, &promises);
    Live(&files, log, &clock, &promises);
    CHECK(promises.size() == 20);
    Interrogate(&files, log, fork, &clock, &promises);
  }
}

// A failed sync that is followed by a power loss: what could be read before is not there after.
TEST_CASE("witness: a disk error at any file operation answers 500 and signs nothing") {
  VIGIL_TEST_SEED(seed, 22);
  const DiskFault fault =
      GENERATE(DiskFault::kNoSpace, DiskFault::kShortWrite, DiskFault::kIoError);
  const CrashMode mode =
      GENERATE(CrashMode::kProcessOnly, CrashMode::kLoseUnsynced, CrashMode::kAnyLoss);
  const TestLog log;
  const TestLog fork("log.example/one", 64, "fork ");
  const ManualClock clock;
  uint64_t operations = 0;
  {
    ledger::FaultyFileSystem files(seed);
    REQUIRE(WitnessFolder::Init(&files, "w").ok());
    REQUIRE(OpenTestWitness(&files, {log.Watched()}, &clock).ok());
    const uint64_t before = files.operation_count();
    Promises promises;
    Live(&files, log, &clock, &promises);
    operations = files.operation_count() - before;
    REQUIRE(promises.size() == 20);
  }
  int refused = 0;
  for (uint64_t operation = 0; operation < operations; ++operation) {
    ledger::FaultyFileSystem files(seed + operation);
    REQUIRE(WitnessFolder::Init(&files, "w").ok());
    REQUIRE(OpenTestWitness(&files, {log.Watched()}, &clock).ok());
    files.FailAt(files.operation_count() + operation, fault);
    Promises promises;
    auto witness = OpenTestWitness(&files, {log.Watched()}, &clock);
    uint64_t old_size = 0;
    for (size_t i = 0; witness.ok() && i < std::size(kSizes); ++i) {
      const WitnessAnswer answer = Ask(witness->get(), log, old_size, kSizes[i]);
      promises.Take(answer, log, kSizes[i]);
      if (answer.http_status == 200) {
        old_size = kSizes[i];
        continue;
      }
      REQUIRE(answer.http_status == 500);
      CHECK_FALSE(ledger::DecodeNoteSignatures(answer.body).ok());
      ++refused;
      // The same request again is safe once the disk works: it is written again before it is
      // signed.
      promises.Take(Ask(witness->get(), log, old_size, kSizes[i]), log, kSizes[i]);
      CHECK(promises.size() == kSizes[i]);
      old_size = kSizes[i];
      if (operation % 2 == 0) break;
    }
    if (witness.ok()) witness->reset();
    files.Crash(mode);
    if (promises.size() > 0) Interrogate(&files, log, fork, &clock, &promises);
    Live(&files, log, &clock, &promises);
    CHECK(promises.size() == 20);
  }
  CHECK(refused > 0);
}

}  // namespace
}  // namespace vigil::client
