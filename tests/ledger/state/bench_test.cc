#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>

#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/state/snapshot_loader.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

// CPU time of the whole process, so that a busy machine does not change the figures.
double MicrosNow() { return static_cast<double>(std::clock()) * 1e6 / CLOCKS_PER_SEC; }

// Executes `block_count` blocks of `batches` batches with `events` events each.
void Measure(const char* name, Store* store, int block_count, int batches, uint32_t events) {
  TestNetwork network;
  TestChain chain(&network, store);
  TestStream stream(&network, "acme/fw-1", "conn");
  double micros = 0;
  for (int i = 0; i < block_count; ++i) {
    std::vector<Record> records;
    for (int j = 0; j < batches; ++j) records.push_back(stream.Batch(events));
    const BlockPtr block = chain.Next(records);
    const JournalPosition position = chain.journal()->Append(JournalType::kBlock, block->frame());
    chain.journal()->AppendCommit(*block);
    const double start = MicrosNow();
    REQUIRE(chain.state()->Execute(block, position).ok());
    micros += (MicrosNow() - start);
  }
  std::cout << name << ": " << block_count << " blocks of " << batches << " batches of " << events
            << " events: " << micros / block_count << " us per block, "
            << micros / block_count / batches << " us per batch\n";
  const double start = MicrosNow();
  const VerifyReport report = VerifyLedger(*chain.journal(), network.genesis(), store, {}, nullptr);
  REQUIRE(report.ok());
  const double seconds = (MicrosNow() - start) / 1e6;
  std::cout << name << ": verify " << report.event_count << " events, " << report.record_count
            << " records, " << report.store_key_count << " store keys in " << seconds << " s\n";
}

// A snapshot of `record_count` one-event records: made from LevelDB, loaded into LevelDB, and what
// executing the same blocks again costs.
void MeasureSnapshot(const std::string& folder, int record_count) {
  constexpr int kBatches = 500;
  TestNetwork network;
  const auto disk = OpenLevelDbStore(PosixFileSystem(), folder + "/a", {}).value();
  TestChain chain(&network, disk.get());
  TestStream stream(&network, "acme/fw-1", "conn");
  double execute = 0;
  for (int i = 0; i < record_count / kBatches; ++i) {
    std::vector<Record> records;
    for (int j = 0; j < kBatches; ++j) records.push_back(stream.Batch(1));
    const BlockPtr block = chain.Next(records);
    const double start = MicrosNow();
    REQUIRE(chain.Add(block).ok());
    execute += MicrosNow() - start;
  }
  double start = MicrosNow();
  const auto builder = SnapshotBuilder::Begin(disk->Snapshot(), network.genesis()).value();
  const std::string path = SnapshotPath(folder, chain.tip().height);
  const auto writer = SnapshotFileWriter::Create(PosixFileSystem(), path).value();
  while (builder->Step([&](ByteSpan chunk) { return writer->Append(chunk); }).value()) continue;
  REQUIRE(writer->Finish(builder->manifest()).ok());
  const double make = MicrosNow() - start;
  const auto file = SnapshotFile::Open(PosixFileSystem(), path).value();
  const auto loaded = OpenLevelDbStore(PosixFileSystem(), folder + "/b", {}).value();
  start = MicrosNow();
  REQUIRE(LoadSnapshot(*file, loaded.get(), &network.genesis(), [](const BlockInfo&) {
            return absl::StatusOr<BlockPlace>(BlockPlace{});
          }).ok());
  const double load = MicrosNow() - start;
  const double megabytes = static_cast<double>(file->manifest().bytes) / 1e6;
  std::cout << "snapshot of " << record_count << " records: " << megabytes << " MB, made in "
            << make / 1e6 << " s (" << megabytes * 1e6 / make << " MB/s), loaded in " << load / 1e6
            << " s; executing the blocks took " << execute / 1e6 << " s of CPU\n";
}

}  // namespace

TEST_CASE("snapshot cost", "[!benchmark]") {
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("vigil-bench-" + std::to_string(::getpid())))
          .string();
  for (const int record_count : {50'000, 500'000}) {
    std::filesystem::remove_all(folder);
    REQUIRE(PosixFileSystem()->MakeDirs(folder).ok());
    MeasureSnapshot(folder, record_count);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("apply cost", "[!benchmark]") {
  struct Shape {
    int blocks, batches;
    uint32_t events;
  };
  for (const Shape& shape : {Shape{300, 1, 1000}, Shape{100, 8, 1000}, Shape{100, 500, 1}}) {
    MemoryStore memory;
    Measure("memory", &memory, shape.blocks, shape.batches, shape.events);
    const std::string path =
        (std::filesystem::temp_directory_path() / ("vigil-bench-" + std::to_string(::getpid())))
            .string();
    std::filesystem::remove_all(path);
    {
      auto disk = OpenLevelDbStore(PosixFileSystem(), path, {});
      REQUIRE(disk.ok());
      Measure("leveldb", disk->get(), shape.blocks, shape.batches, shape.events);
    }
    std::filesystem::remove_all(path);
  }
}

}  // namespace vigil::ledger
