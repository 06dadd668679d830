#include "node/driver/journal_writer.h"

#include <vector>

#include "ledger/storage/faulty_file_system.h"
#include "node/driver/recovery.h"
#include "tests/sim/test_network.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using consensus::JournalAppend;

constexpr char kDirectory[] = "/n/journal";
constexpr char kGuard[] = "/n/guard";

struct WriterTest {
  ledger::FaultyFileSystem disk{5};
  ManualClock clock;
  FatalLatch fatal{[](const absl::Status&) {}};
  NodeCounters counters;
  std::vector<Durable> durable;
  int guarded = 0;
  sim::TestNetwork network{{.validators = 1}};
  JournalPlace place{&disk, kDirectory, kGuard, network.journal_id(0), {}};
  std::unique_ptr<JournalWriter> writer;

  WriterTest() {
    REQUIRE(disk.MakeDirs("/n").ok());
    REQUIRE(CreateJournal(place).ok());
    Open();
  }
  void Open(size_t inbox_bytes_max = 1u << 20) {
    writer.reset();
    auto opened = OpenJournal(place);
    REQUIRE(opened.ok());
    INFO(opened->damage);
    REQUIRE(opened->journal != nullptr);
    writer = std::make_unique<JournalWriter>(
        JournalWriter::Ports{.files = &disk,
                             .clock = &clock,
                             .fatal = &fatal,
                             .counters = &counters,
                             .on_durable = [this](Durable d) { durable.push_back(std::move(d)); },
                             .on_guarded = [this] { ++guarded; }},
        std::move(opened->journal), kGuard, opened->guard, inbox_bytes_max);
  }
  static JournalJob Job(uint64_t sequence, std::string body, bool must_sync = true,
                        uint64_t view = 1) {
    JournalJob job;
    job.sequence = sequence;
    job.append.push_back({JournalAppend::Kind::kVote, nullptr, std::move(body)});
    job.must_sync = must_sync;
    job.epoch = Epoch(1);
    job.view = View(view);
    return job;
  }
  void Push(JournalJob job) { REQUIRE(writer->Push(&job)); }
};

TEST_CASE("journal writer: everything that waits shares one sync", "[journal_writer]") {
  WriterTest t;
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) t.Push(t.Job(sequence, "vote"));
  CHECK(t.durable.empty());
  CHECK(t.writer->Step());
  REQUIRE(t.durable.size() == 1);
  CHECK(t.durable[0].sequence == 5);
  CHECK(t.counters.journal_syncs == 1);
  CHECK_FALSE(t.writer->Step());
}

TEST_CASE("journal writer: says where blocks lie", "[journal_writer]") {
  WriterTest t;
  ledger::BlockHeader header;
  header.height = Height(1);
  header.view = View(1);
  const auto block = ledger::Block::Make(header, {}, t.network.consensus_key(0));
  JournalJob job = t.Job(1, "vote");
  job.append.push_back({JournalAppend::Kind::kBlock, block, ""});
  t.Push(std::move(job));
  t.writer->Step();
  REQUIRE(t.durable.size() == 1);
  REQUIRE(t.durable[0].blocks.size() == 1);
  CHECK(t.durable[0].blocks[0].first == block->id());
  t.writer.reset();
  auto opened = OpenJournal(t.place);
  REQUIRE(opened.ok());
  const auto frame = opened->reader->Read(t.durable[0].blocks[0].second);
  REQUIRE(frame.ok());
  CHECK(frame->body == block->frame());
}

TEST_CASE("journal writer: nothing is durable that a crash could take", "[journal_writer]") {
  // Crash at every operation of the disk in turn; what was reported must be there afterwards.
  for (uint64_t operation = 0;; ++operation) {
    WriterTest t;
    t.disk.CrashAt(t.disk.operation_count() + operation);
    for (uint64_t sequence = 1; sequence <= 4 && !t.fatal.failed(); ++sequence) {
      t.Push(t.Job(sequence, std::string(1, static_cast<char>('0' + sequence)), true, sequence));
      t.writer->Step();
    }
    const bool crashed = t.disk.is_off();
    t.writer.reset();
    t.disk.Crash(ledger::CrashMode::kLoseUnsynced);
    auto opened = OpenJournal(t.place);
    REQUIRE(opened.ok());
    INFO("operation " << operation << ": " << opened->damage);
    REQUIRE(opened->journal != nullptr);
    std::string votes;
    REQUIRE(opened->reader
                ->ForEach(opened->reader->begin(),
                          [&](const auto& frame) {
                            votes += frame.body;
                            return true;
                          })
                .ok());
    const uint64_t promised = t.durable.empty() ? 0 : t.durable.back().sequence;
    CHECK(votes.size() >= promised);
    CHECK(votes == std::string("1234").substr(0, votes.size()));
    if (!crashed) {
      CHECK(promised == 4);
      break;
    }
  }
}

TEST_CASE("journal writer: a failed write or sync is final", "[journal_writer]") {
  int failures = 0;
  for (uint64_t operation = 0; operation < 3; ++operation) {
    for (const auto fault : {ledger::DiskFault::kNoSpace, ledger::DiskFault::kShortWrite,
                             ledger::DiskFault::kIoError}) {
      WriterTest t;
      t.disk.FailAt(t.disk.operation_count() + operation, fault);
      t.Push(t.Job(1, "vote"));
      t.writer->Step();
      if (!t.fatal.failed()) continue;
      ++failures;
      CHECK(t.durable.empty());
      t.Push(t.Job(2, "vote"));  // The disk would work again: it is not tried.
      CHECK_FALSE(t.writer->Step());
      CHECK(t.durable.empty());
      CHECK_FALSE(t.fatal.status().ok());
    }
  }
  CHECK(failures >= 4);
}

TEST_CASE("journal writer: the guard follows the view at once and the offset every second",
          "[journal_writer]") {
  WriterTest t;
  t.Push(t.Job(1, "vote", true, /*view=*/3));
  t.writer->Step();
  auto guard = ledger::LoadRollbackGuard(&t.disk, kGuard);
  REQUIRE(guard.ok());
  CHECK(guard->view == 3);
  const uint64_t offset = guard->durable_offset;
  t.Push(t.Job(2, std::string(1000, 'x'), true, /*view=*/3));
  t.writer->Step();
  CHECK(ledger::LoadRollbackGuard(&t.disk, kGuard)->durable_offset == offset);
  REQUIRE(t.writer->DeadlineMicros().has_value());
  t.clock.AdvanceMicros(*t.writer->DeadlineMicros() - t.clock.MonotonicMicros());
  t.writer->Step();
  CHECK(ledger::LoadRollbackGuard(&t.disk, kGuard)->durable_offset >= offset + 1000);
}

TEST_CASE("journal writer: refuses what has no room and takes a giant alone", "[journal_writer]") {
  WriterTest t;
  t.Open(/*inbox_bytes_max=*/1000);
  JournalJob giant = t.Job(1, std::string(5000, 'x'));
  REQUIRE(t.writer->Push(&giant));
  t.writer->Step();
  JournalJob small = t.Job(2, std::string(600, 'x'));
  REQUIRE(t.writer->Push(&small));
  JournalJob next = t.Job(3, std::string(600, 'x'));
  CHECK_FALSE(t.writer->Push(&next));
  CHECK(next.append.size() == 1);  // Left as it was.
  t.writer->Step();
  CHECK(t.writer->Push(&next));
}

TEST_CASE("journal writer: a cosigner's guard is said to be on disk only when it is",
          "[journal_writer]") {
  const CosignGuard guard{.size = 7, .root = Hash(), .floor = Height(0)};
  for (uint64_t operation = 0;; ++operation) {
    WriterTest t;
    t.disk.CrashAt(t.disk.operation_count() + operation);
    t.writer->PushGuard(EncodeCosignGuard(guard));
    t.writer->Step();
    const bool crashed = t.disk.is_off();
    t.writer.reset();
    t.disk.Crash(ledger::CrashMode::kLoseUnsynced);
    auto opened = OpenJournal(t.place);
    REQUIRE(opened.ok());
    REQUIRE(opened->reader != nullptr);
    const auto scan = ScanJournal(t.network.genesis(), *opened->reader);
    REQUIRE(scan.ok());
    INFO("operation " << operation);
    if (t.guarded > 0) CHECK(scan->cosigned == guard);
    if (crashed) continue;
    CHECK(t.guarded == 1);
    CHECK(t.counters.journal_syncs == 1);
    break;
  }
}

TEST_CASE("journal writer: a guard shares the sync of what waits beside it", "[journal_writer]") {
  WriterTest t;
  t.Push(t.Job(1, "vote", /*must_sync=*/false));
  t.writer->PushGuard(EncodeCosignGuard({.size = 7, .root = Hash(), .floor = Height(0)}));
  t.writer->Step();
  CHECK(t.counters.journal_syncs == 1);
  CHECK(t.durable.size() == 1);
  CHECK(t.guarded == 1);
}

}  // namespace
}  // namespace vigil::node
