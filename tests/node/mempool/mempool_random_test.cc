// The pool under random traffic, against a chain that the test executes itself.
#include <deque>
#include <map>
#include <set>

#include "ledger/base/random.h"
#include "node/mempool/mempool.h"
#include "tests/node/mempool/pool_records.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

constexpr uint8_t kStreams = 5;
constexpr uint64_t kRecordsPerStream = 60;

// A leader whose blocks commit late or, when it is deposed, not at all.
class Leader {
 public:
  explicit Leader(uint64_t seed)
      : random_(seed), pool_(MempoolLimits(), [this](const auto& name) { return heads_[name]; }) {}

  void Run() {
    for (int step = 0; step < 20'000 && executed_.size() < kStreams * kRecordsPerStream; ++step) {
      const uint64_t what = random_.Below(100);
      if (what < 60) {
        Submit();
      } else if (what < 80) {
        Build();
      } else if (what < 97) {
        ExecuteOne();
      } else {
        Depose();
      }
      CheckWaiting();
    }
  }

  size_t executed_count() const { return executed_.size(); }
  const std::string& wrong() const { return wrong_; }

 private:
  void Submit() {
    const auto stream = static_cast<uint8_t>(1 + random_.Below(kStreams));
    const uint64_t head = heads_[NameOf(stream)].sequence;
    const uint64_t sequence = head + 1 + random_.Below(6);
    if (sequence > kRecordsPerStream) return;
    const AddOutcome outcome = pool_.Add(StreamRecord(stream, sequence), 0);
    if (outcome != AddOutcome::kAdded && outcome != AddOutcome::kDuplicate) wrong_ = "refused";
  }

  void Build() {
    const auto taken = pool_.TakeForBlock(1 + random_.Below(600), 4, 8);
    if (!taken.empty()) in_flight_.emplace_back(taken.begin(), taken.end());
    // Within the branch, every stream goes on without a gap.
    std::map<std::string, uint64_t> branch;
    for (const auto& block : in_flight_) {
      for (const auto& record : block) {
        const PoolRecord& known = records_.at(record.get());
        auto [at, is_new] = branch.emplace(known.place->name, heads_[known.place->name].sequence);
        if (known.place->sequence != ++at->second) wrong_ = "a gap along the branch";
      }
    }
  }

  void ExecuteOne() {
    if (in_flight_.empty()) return;
    std::vector<ExecutedRecord> executed;
    for (const auto& record : in_flight_.front()) {
      const PoolRecord& known = records_.at(record.get());
      if (!executed_.insert(known.leaf_hash).second) wrong_ = "executed twice";
      heads_[known.place->name] = {.sequence = known.place->sequence, .leaf_hash = known.leaf_hash};
      executed.push_back(ExecutedOk(known));
    }
    in_flight_.pop_front();
    if (!pool_.OnExecuted(executed).empty()) wrong_ = "evicted without a rival";
  }

  void Depose() {
    in_flight_.clear();
    pool_.ResetInFlight();
  }

  // What is in no block, told from what is.
  void CheckWaiting() {
    size_t under_way = 0;
    for (const auto& block : in_flight_) {
      for (const auto& record : block) under_way += record->leaf.size() + record->payload.size();
    }
    const size_t held = pool_.lane_bytes(ledger::Lane::kEvents);
    if (pool_.waiting_bytes() > held - under_way) wrong_ = "more waits than is in no block";
    if (in_flight_.empty() && pool_.waiting_bytes() != held) wrong_ = "less waits than is held";
    if (pool_.size() == in_flight_records() && pool_.waiting_bytes() != 0) wrong_ = "nothing waits";
  }

  size_t in_flight_records() const {
    size_t count = 0;
    for (const auto& block : in_flight_) count += block.size();
    return count;
  }

  // Every record there is, so that the pool's shared pointers can be told apart.
  struct Registry {
    const PoolRecord& at(const ledger::Record* record) { return known.at(record->payload); }
    std::map<std::string, PoolRecord> known;
  };

  static PoolRecord Make(Registry* registry, uint8_t stream, uint64_t sequence) {
    PoolRecord record = node::StreamRecord(stream, sequence);
    ledger::Record bytes = *record.record;
    bytes.payload = absl::StrCat(stream, "/", sequence);
    record.record = std::make_shared<const ledger::Record>(bytes);
    registry->known[bytes.payload] = record;
    return record;
  }
  PoolRecord StreamRecord(uint8_t stream, uint64_t sequence) {
    return Make(&records_, stream, sequence);
  }

  SplitMix64 random_;
  std::map<std::string, StreamHeadAt> heads_;
  Mempool pool_;
  Registry records_;
  std::deque<std::vector<std::shared_ptr<const ledger::Record>>> in_flight_;
  std::set<Hash> executed_;
  std::string wrong_;
};

TEST_CASE("mempool: random traffic over random leaders is executed once and in order",
          "[mempool]") {
  for (uint64_t i = 0; i < 20; ++i) {
    VIGIL_TEST_SEED(seed, 4000 + i);
    Leader leader(seed);
    leader.Run();
    CHECK(leader.wrong() == "");
    CHECK(leader.executed_count() == kStreams * kRecordsPerStream);
  }
}

}  // namespace
}  // namespace vigil::node
