// Validators with some history whose rollback guards lie beside their data folders.
#ifndef VIGIL_TESTS_NODE_KEEP_KEEP_SUPPORT_H_
#define VIGIL_TESTS_NODE_KEEP_KEEP_SUPPORT_H_

#include <string>
#include <vector>

#include "ledger/storage/leveldb_store.h"
#include "node/driver/node.h"
#include "node/keep/backup.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {

inline constexpr char kData[] = "/vigil";
inline constexpr char kGuard[] = "/keys/rollback_guard";
inline constexpr char kBackup[] = "/backup";
inline constexpr char kRestored[] = "/restored";

struct KeptCluster {
  sim::SimCluster cluster;
  sim::SensorStream stream = StreamOf(cluster);

  explicit KeptCluster(uint32_t validators, uint64_t seed = 77)
      : KeptCluster(sim::NetworkOptions{.validators = validators}, seed, 16 * 1024) {}
  KeptCluster(const sim::NetworkOptions& options, uint64_t seed, uint64_t segment_bytes)
      : cluster(options, seed) {
    for (uint32_t i = 0; i < options.validators; ++i) {
      REQUIRE(cluster.disk(i).MakeDirs("/keys").ok());
      cluster.config(i).guard_path = kGuard;
      cluster.config(i).journal.segment_bytes = segment_bytes;
    }
    cluster.StartAll();
  }
  void Submit(int batches) {
    for (int i = 0; i < batches; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(5)).error.ok());
    }
  }
  ledger::FaultyFileSystem* disk(uint32_t i = 0) { return &cluster.disk(i); }
  const ledger::Genesis& genesis() const { return cluster.test_network().genesis(); }

  absl::StatusOr<BackupManifest> Backup(uint32_t i = 0, const std::string& target = kBackup) {
    return BackupData(disk(i), {.data_dir = kData, .target = target, .genesis = &genesis()},
                      nullptr);
  }
  absl::StatusOr<BackupManifest> Restore(uint32_t i = 0, const std::string& backup = kBackup) {
    return RestoreData(
        disk(i),
        {.backup = backup, .data_dir = kRestored, .guard_path = kGuard, .genesis = &genesis()},
        nullptr);
  }
  // Starts validator `i` on what was restored.
  absl::Status StartRestored(uint32_t i = 0) {
    cluster.config(i).data_dir = kRestored;
    return cluster.Start(i);
  }
};

// Small buffers write more tables.
inline StoreFactory StoresIn(ledger::FaultyFileSystem* disk, const std::string& data_dir) {
  return sim::StoresOn(disk, data_dir, /*write_buffer_bytes=*/64u << 10);
}

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_KEEP_KEEP_SUPPORT_H_
