// Priority of election (protocol.md, R2): whoever has the smaller delay leads in most elections,
// and nobody waits for one that is not there.
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "tests/consensus/raft/test_host.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

// A cluster whose messages arrive at once and whose disks sync at once.
class Election {
 public:
  // Validator i has the delay `delays[i]`.
  Election(const std::vector<uint32_t>& delays, uint64_t seed) {
    for (uint32_t i = 0; i < delays.size(); ++i) {
      RaftConfig config;
      config.genesis_hash = BlockMaker::GenesisHash();
      config.validator_count = static_cast<uint32_t>(delays.size());
      config.self = ValidatorIndex(i);
      config.election_delay_ticks = delays[i];
      hosts_.push_back(std::make_unique<TestHost>(config));
      hosts_.back()->Start(seed * 100 + i);
    }
  }

  void Crash(uint32_t node) { hosts_[node]->Crash(0); }

  // Ticks everybody until somebody leads; how many ticks that took goes to `ticks`.
  uint32_t Leader(uint32_t* ticks) {
    for (*ticks = 0; *ticks < 2000; ++*ticks) {
      for (uint32_t i = 0; i < hosts_.size(); ++i) Step(i, Tick{});
      DeliverAll();
      for (uint32_t i = 0; i < hosts_.size(); ++i) {
        if (hosts_[i]->up() && hosts_[i]->core().Status().role == CoreRole::kLeader) return i;
      }
    }
    FAIL("nobody leads");
    return 0;
  }

 private:
  void Step(uint32_t node, const Input& input) {
    if (!hosts_[node]->up()) return;
    Send(node, hosts_[node]->Step(input).send_now);
    while (hosts_[node]->has_unsynced()) {
      Send(node, hosts_[node]->TakeSynced());
      Send(node, hosts_[node]->Step(DurableUpTo{hosts_[node]->sequence()}).send_now);
    }
  }
  void Send(uint32_t from, const std::vector<Message>& messages) {
    for (const Message& message : messages) {
      queue_.push_back({message.to, PeerMessage{ValidatorIndex(from), message.header,
                                                hosts_[from]->Bodies(message)}});
    }
  }
  void DeliverAll() {
    while (!queue_.empty()) {
      const auto [to, message] = queue_.front();
      queue_.pop_front();
      Step(to.value(), message);
    }
  }

  std::vector<std::unique_ptr<TestHost>> hosts_;
  std::deque<std::pair<ValidatorIndex, PeerMessage>> queue_;
};

struct Outcome {
  std::vector<uint32_t> won;
  uint32_t ticks_median = 0;
};
constexpr uint32_t kElections = 101;

Outcome Elect(const std::vector<uint32_t>& delays, std::optional<uint32_t> down = std::nullopt) {
  Outcome outcome;
  outcome.won.resize(delays.size());
  std::vector<uint32_t> ticks(kElections);
  for (uint64_t seed = 1; seed <= kElections; ++seed) {
    Election election(delays, seed);
    if (down.has_value()) election.Crash(*down);
    ++outcome.won[election.Leader(&ticks[seed - 1])];
  }
  std::sort(ticks.begin(), ticks.end());
  outcome.ticks_median = ticks[kElections / 2];
  return outcome;
}

TEST_CASE("raft priority: without delays everybody leads now and then", "[consensus]") {
  for (const uint32_t won : Elect({0, 0, 0}).won) CHECK(won > kElections / 6);
}

TEST_CASE("raft priority: the smaller the delay the more often one leads", "[consensus]") {
  const Outcome outcome = Elect({60, 0, 30});
  INFO(outcome.won[0] << ", " << outcome.won[1] << ", " << outcome.won[2]);
  CHECK(outcome.won[1] > kElections / 2);
  CHECK(outcome.won[1] > outcome.won[2]);
  CHECK(outcome.won[2] > outcome.won[0]);
}

TEST_CASE("raft priority: a preferred validator that is down blocks nobody", "[consensus]") {
  const Outcome all = Elect({30, 0, 30});
  const Outcome without = Elect({30, 0, 30}, /*down=*/1);
  CHECK(without.won[1] == 0);
  CHECK(without.won[0] + without.won[2] == kElections);
  // It costs the delay of the next one and no round of elections more.
  CHECK(without.ticks_median <= all.ticks_median + 30 + 10);
}

}  // namespace
}  // namespace vigil::consensus
