// SimClient: a sensor in the simulator. Signs batches, submits them to some node, a window ahead,
// and sends the same bytes again, perhaps elsewhere, until it has a receipt.
//
// Remembers everything that was acknowledged: that is what the oracle holds the nodes to.
#ifndef VIGIL_TESTS_SIM_SIM_CLIENT_H_
#define VIGIL_TESTS_SIM_SIM_CLIENT_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "node/driver/submit.h"
#include "tests/sim/sim_cluster.h"
#include "tests/sim/test_network.h"

namespace vigil::sim {

struct ClientOptions {
  uint32_t batches = 20;
  uint32_t events_min = 1;
  uint32_t events_max = 20;
  uint32_t odd_permille = 0;
  uint32_t window = 4;                  // Batches under way.
  int64_t patience_micros = 3'000'000;  // Then it asks another node.
  int64_t pause_micros_max = 20'000;    // Between new batches.
};

class SimClient {
 public:
  struct Acknowledged {
    ledger::Record record;
    node::SubmitReceipt receipt;
  };

  // `cluster` must outlive the client.
  SimClient(SimCluster* cluster, uint32_t sensor, std::string stream, const ClientOptions& options,
            uint64_t seed);

  // Called after every step of the clock.
  void Poll();
  bool done() const { return made_ == batches_ && waiting_.empty(); }
  // At least `count` further batches.
  void FinishAfter(uint32_t count) { batches_ = std::max(batches_, made_ + count); }
  // Batches of one event of 18 KiB.
  void MakeLargeEvents() {
    large_ = true;
    stream_.MakeLargeEvents();
  }
  void SetPaused(bool paused) { paused_ = paused; }

  const std::string& identity() const { return identity_; }
  const std::string& stream() const { return name_; }
  // By sequence, 1 first.
  const std::map<uint64_t, Acknowledged>& acknowledged() const { return acknowledged_; }
  // Sequence of the newest receipt, and whom the client talks to.
  uint64_t last_acknowledged() const { return last_acknowledged_; }
  uint32_t favourite() const { return favourite_; }
  uint64_t retries() const { return retries_; }
  // What went wrong in a way that no retry mends; empty if nothing did.
  const std::string& failure() const { return failure_; }

 private:
  struct Waiting {
    ledger::Record record;
    int64_t next_try_micros = 0;
    bool under_way = false;
    uint64_t attempt = 0;  // Answers to earlier attempts count as well, but do not end this one.
  };
  struct Answer {
    uint64_t sequence = 0;
    uint64_t attempt = 0;
    node::SubmitOutcome outcome;
  };
  // Shared with callbacks, which may come after the client is gone.
  struct Mailbox {
    std::vector<Answer> answers;
  };

  void TakeAnswers();
  void TakeAnswer(const Answer& answer);
  void Send(uint64_t sequence, Waiting* waiting);

  SimCluster* const cluster_;
  const ClientOptions options_;
  const std::string identity_;
  const std::string name_;
  SplitMix64 random_;
  SensorStream stream_;
  uint32_t favourite_;  // The node it talks to until that one lets it down.
  uint32_t batches_;    // To make in all.
  uint32_t made_ = 0;
  bool paused_ = false;
  bool large_ = false;
  int64_t next_batch_micros_ = 0;
  std::map<uint64_t, Waiting> waiting_;  // By sequence.
  std::map<uint64_t, Acknowledged> acknowledged_;
  uint64_t last_acknowledged_ = 0;
  std::shared_ptr<Mailbox> mailbox_;
  uint64_t retries_ = 0;
  std::string failure_;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SIM_CLIENT_H_
