// Whole nodes with a thread per actor; meant to run under ThreadSanitizer, too.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/memory_store.h"
#include "node/driver/node.h"
#include "tests/sim/memory_network.h"
#include "tests/sim/test_network.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::ResultCode;

constexpr uint32_t kNodes = 3;
constexpr uint32_t kClients = 3;
constexpr uint32_t kBatchesPerClient = 40;

// Three nodes in one process on the machine's clock. Stores in memory: LevelDB is not instrumented.
class ThreadedCluster {
 public:
  ThreadedCluster() : network_({.validators = kNodes}), wires_(kNodes, 1, SystemClock()) {
    for (uint32_t i = 0; i < kNodes; ++i) {
      disks_.push_back(std::make_unique<ledger::FaultyFileSystem>(i));
      Open(i);
    }
    for (const auto& node : nodes_) node->Start();
    postman_ = std::thread([this] {
      WakeSignal pause;
      while (!stopping_) {
        if (wires_.Deliver() == 0) pause.WaitFor(std::chrono::microseconds(200));
      }
    });
  }
  ~ThreadedCluster() {
    for (const auto& node : nodes_) node->Stop();
    stopping_ = true;
    postman_.join();
  }
  Node& node(uint32_t i) { return *nodes_[i]; }
  const sim::TestNetwork& network() const { return network_; }

 private:
  void Open(uint32_t i) {
    REQUIRE(Node::Init(disks_[i].get(), "/n", network_.journal_id(i)).ok());
    NodeConfig config;
    config.data_dir = "/n";
    config.self = ValidatorIndex(i);
    config.consensus_key = &network_.consensus_key(i);
    config.record_key = &network_.record_key(i);
    config.log_key = &network_.log_key(i);
    config.cosigner_key = &network_.cosigner_key(i);
    config.reveal_seed = network_.reveal_seed(i);
    NodeSeams seams;
    seams.files = disks_[i].get();
    seams.clock = SystemClock();
    seams.transport = wires_.transport(i);
    seams.open_store = [](absl::string_view,
                          bool) -> absl::StatusOr<std::unique_ptr<ledger::Store>> {
      return std::make_unique<ledger::MemoryStore>();
    };
    seams.start_seed = i + 1;
    auto opened = Node::Open(network_.genesis(), config, seams);
    INFO(opened.status());
    REQUIRE(opened.ok());
    nodes_.push_back(*std::move(opened));
    wires_.Attach(i, nodes_[i].get(), nodes_[i]->Hello());
  }

  const sim::TestNetwork network_;
  sim::MemoryNetwork wires_;
  std::vector<std::unique_ptr<ledger::FaultyFileSystem>> disks_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::atomic<bool> stopping_{false};
  std::thread postman_;
};

// Waits for the answer to one submission, again and again until it is final.
SubmitReceipt SubmitUntilTaken(Node* node, const ledger::Record& record) {
  for (;;) {
    Mutex mutex;
    CondVar answered;
    std::optional<SubmitOutcome> outcome;
    node->Submit(record, [&](const SubmitOutcome& got) {
      MutexLock lock(&mutex);
      outcome = got;
      answered.SignalOne();
    });
    MutexLock lock(&mutex);
    while (!outcome.has_value()) answered.Wait(&mutex);
    if (outcome->error.ok()) return outcome->receipt;
    VIGIL_CHECK(outcome->error.retry_after_millis > 0, outcome->error.what);
  }
}

TEST_CASE("threads: clients of three nodes commit everything while others read", "[threads]") {
  ThreadedCluster cluster;
  std::atomic<bool> reading{true};
  std::atomic<uint64_t> heard{0};
  const uint64_t token = cluster.node(0).AddHeightListener([&](Height) { ++heard; });
  std::thread reader([&] {
    while (reading) {
      for (uint32_t i = 0; i < kNodes; ++i) {
        const NodeStatus status = cluster.node(i).Status();
        if (status.executed > Height(0)) {
          VIGIL_CHECK(cluster.node(i).LoadBlock(status.executed).ok(), "block is gone");
          VIGIL_CHECK(cluster.node(i).Snapshot()->GetTip()->height >= status.executed, "went back");
        }
      }
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> clients;
  std::atomic<uint32_t> taken{0};
  for (uint32_t c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      sim::SensorStream stream(&cluster.network().genesis(), &cluster.network().sensor_key(c),
                               absl::StrCat("stream", c), c);
      for (uint32_t i = 0; i < kBatchesPerClient; ++i) {
        const SubmitReceipt receipt =
            SubmitUntilTaken(&cluster.node((c + i / 10) % kNodes), stream.NextBatch(5));
        if (receipt.result == ResultCode::kOk) ++taken;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  reading = false;
  reader.join();
  cluster.node(0).RemoveHeightListener(token);
  CHECK(taken == kClients * kBatchesPerClient);
  CHECK(heard > 0);
  for (uint32_t i = 0; i < kNodes; ++i) CHECK(cluster.node(i).fatal().ok());
}

TEST_CASE("threads: nodes stop while clients still submit", "[threads]") {
  ThreadedCluster cluster;
  std::atomic<uint32_t> answered{0};
  std::vector<std::thread> clients;
  for (uint32_t c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      sim::SensorStream stream(&cluster.network().genesis(), &cluster.network().sensor_key(c),
                               "stream", c);
      for (uint32_t i = 0; i < 50; ++i) {
        cluster.node(c % kNodes).Submit(stream.NextBatch(2), [&](const SubmitOutcome&) {
          ++answered;
        });
      }
    });
  }
  for (uint32_t i = 0; i < kNodes; ++i) cluster.node(i).Stop();
  for (std::thread& client : clients) client.join();
  CHECK(answered == kClients * 50);
}

}  // namespace
}  // namespace vigil::node
