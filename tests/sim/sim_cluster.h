// SimCluster: whole nodes on one thread, with virtual time, a network and disks that fail.
//
// Each node is the production Node over a FaultyFileSystem, LevelDB on that disk, the cluster's
// clock (with its own wall-clock skew) and a MemoryNetwork. One seed decides everything: the order
// in which actors run, delays, losses, elections. The same seed and the same calls give the same
// run.
#ifndef VIGIL_TESTS_SIM_SIM_CLUSTER_H_
#define VIGIL_TESTS_SIM_SIM_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ledger/base/clock.h"
#include "ledger/base/random.h"
#include "ledger/storage/faulty_file_system.h"
#include "node/driver/actor.h"
#include "node/driver/log.h"
#include "node/driver/node.h"
#include "tests/sim/memory_network.h"
#include "tests/sim/test_network.h"

namespace vigil::sim {

// The cluster's monotonic clock with a wall clock of its own.
class SkewedClock final : public Clock {
 public:
  explicit SkewedClock(const Clock* base) : base_(base) {}
  int64_t UnixMillis() const override { return base_->UnixMillis() + skew_millis_; }
  int64_t MonotonicMicros() const override { return base_->MonotonicMicros(); }
  void SetSkewMillis(int64_t millis) { skew_millis_ = millis; }

 private:
  const Clock* const base_;
  int64_t skew_millis_ = 0;
};

// A node's stores below `data_dir` of a disk, such that the same operations give the same files.
node::StoreFactory StoresOn(ledger::FaultyFileSystem* disk, const std::string& data_dir,
                            size_t write_buffer_bytes);

class SimCluster {
 public:
  SimCluster(const NetworkOptions& options, uint64_t seed);
  ~SimCluster();

  uint32_t size() const { return static_cast<uint32_t>(members_.size()); }
  const TestNetwork& test_network() const { return test_network_; }
  MemoryNetwork& network() { return network_; }
  const ManualClock& clock() const { return clock_; }
  SplitMix64& random() { return random_; }

  // nullptr while it is down.
  node::Node* node(uint32_t i) { return members_[i]->node.get(); }
  ledger::FaultyFileSystem& disk(uint32_t i) { return members_[i]->disk; }
  SkewedClock& clock_of(uint32_t i) { return members_[i]->clock; }
  // Changes what the next start of node `i` is configured with.
  node::NodeConfig& config(uint32_t i) { return members_[i]->config; }

  // What the folder of node `i` is made for, at its first start.
  void SetBeginning(uint32_t i, node::Beginning beginning) { members_[i]->beginning = beginning; }
  // Node::Rejoin() for a node that is down.
  absl::StatusOr<std::string> Rejoin(uint32_t i, bool even_if_sound = false);
  // What nodes write to their logs. Called with the number of the node.
  using LogTap = std::function<void(uint32_t, node::LogLevel, absl::string_view)>;
  void SetLogTap(LogTap tap) { log_tap_ = std::move(tap); }
  // Of LevelDB, from the next start of a node on: smaller ones write more tables.
  void SetWriteBufferBytes(size_t bytes) { write_buffer_bytes_ = bytes; }

  // Initialises and starts every node that genesis names.
  void StartAll();
  absl::Status Start(uint32_t i);
  // The number of the node with these keys. It has all of a validator but the name, which another
  // may bear as well when its keys were replaced.
  uint32_t NodeOf(const ledger::GenesisValidator& validator) const;
  // Node `i` is up and says that it is no validator any more.
  bool IsRemoved(uint32_t i) const {
    return members_[i]->node != nullptr && !members_[i]->config.removed.empty();
  }
  // Gives node `i`, which is down, the epoch chain that node `from` has.
  absl::Status CopyEpochs(uint32_t from, uint32_t i);
  // The process ends as `mode` says.
  void Crash(uint32_t i, ledger::CrashMode mode);
  // The disk of node `i` stops in the middle of one of its next operations: the node finds out and
  // dies, and somebody must Crash() it.
  void FailDiskSoon(uint32_t i);
  // Actors do not always come to rest before the clock moves on, so that a crash meets work half
  // done.
  void SetHurried(bool hurried) { hurried_ = hurried; }
  // A paused node keeps its state and gets no time (SIGSTOP).
  void SetPaused(uint32_t i, bool paused) { members_[i]->paused = paused; }

  // Gives one actor of node `i`, by name, no time, until it is called with an empty name.
  void SetFrozen(uint32_t i, std::string actor) { members_[i]->frozen = std::move(actor); }

  // What the cosigner keys that node `i` ever had are made of, and all that its key folder holds.
  std::vector<ledger::KeySeed> CosignerSeeds(uint32_t i) const;
  std::string KeyFiles(uint32_t i) const;

  // Moves virtual time on. `each_step` is called after every step of the clock.
  void RunFor(int64_t micros, const std::function<void()>& each_step = nullptr);
  // Runs until `done` or for `micros_max`. Returns whether it was done.
  bool RunUntil(const std::function<bool()>& done, int64_t micros_max,
                const std::function<void()>& each_step = nullptr);
  // The node that leads in the highest view; nullptr when none does.
  node::Node* leader();

  // Over everything that nodes decided and disks saw.
  Hash Digest();

 private:
  struct Member {
    Member(uint64_t disk_seed, const Clock* base) : disk(disk_seed), clock(base) {}
    ledger::FaultyFileSystem disk;
    SkewedClock clock;
    node::NodeConfig config;
    bool initialised = false;
    node::Beginning beginning = node::Beginning::kNewNetwork;
    bool paused = false;
    bool joined = false;       // To be opened anew.
    bool behind = false;       // To join anew.
    bool epoch_ended = false;  // To be opened in the next epoch.
    std::string frozen;        // Name of an actor.
    uint64_t starts = 0;
    bool keys_made = false;
    uint64_t keys_generated = 0;
    std::unique_ptr<node::CosignerKeyring> keyring;
    std::unique_ptr<node::Node> node;
  };

  struct Standing {
    ledger::Genesis genesis;
    ValidatorIndex self;
    std::string removed;  // Empty: it is of the last epoch that it knows.
  };
  absl::StatusOr<Standing> StandingOf(uint32_t i);
  absl::Status OpenKeyring(uint32_t i, const Standing& standing);
  MemoryNetwork::Seat SeatOf(const Standing& standing) const;
  void Greet();
  void StepOnce();
  void ReopenJoined();

  const uint64_t seed_;
  LogTap log_tap_;
  size_t write_buffer_bytes_ = 256u << 10;
  ManualClock clock_;
  SplitMix64 random_;
  bool hurried_ = false;
  int64_t greet_micros_ = 0;
  const TestNetwork test_network_;
  MemoryNetwork network_;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SIM_CLUSTER_H_
