#include "tests/consensus/raft/random_cluster.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/crypto/sha256.h"
#include "tests/consensus/raft/narrate.h"
#include "tests/consensus/raft/oracle.h"
#include "tests/consensus/raft/random_network.h"
#include "tests/consensus/raft/test_host.h"

namespace vigil::consensus {
namespace {

constexpr uint32_t kCalmTicksMax = 1500;
constexpr uint64_t kProgressHeights = 3;

RaftConfig ConfigOf(uint32_t validator_count, ValidatorIndex self) {
  RaftConfig config;
  config.genesis_hash = BlockMaker::GenesisHash();
  config.self = self;
  config.validator_count = validator_count;
  config.election_timeout_ticks_min = 12;
  config.election_timeout_ticks_max = 24;
  config.heartbeat_ticks = 3;
  // Small enough that every limit is met.
  config.blocks_in_flight_max = 6;
  config.bytes_in_flight_max = 12'000;
  config.peer_messages_in_flight_max = 4;
  config.peer_bytes_in_flight_max = 6'000;
  config.message_bytes_max = 3'000;
  config.message_blocks_max = 3;
  return config;
}

class RandomCluster {
 public:
  RandomCluster(uint32_t validator_count, uint64_t seed)
      : count_(validator_count),
        random_(seed),
        network_(&random_),
        maker_(validator_count),
        oracle_(validator_count),
        archived_(validator_count),
        clock_rate_(validator_count, 950) {
    for (uint32_t i = 0; i < count_; ++i) {
      hosts_.push_back(std::make_unique<TestHost>(ConfigOf(count_, ValidatorIndex(i))));
      synced_seen_.push_back(0);
      StartNode(ValidatorIndex(i));
    }
  }

  ClusterReport Run(uint32_t stormy_ticks) {
    for (uint32_t i = 0; i < stormy_ticks && oracle_.failure().empty(); ++i)
      RunTick(/*stormy=*/true);
    Heal();
    const Height goal = oracle_.highest_committed() + kProgressHeights;
    uint32_t calm_ticks = 0;
    while (oracle_.failure().empty() && !EveryoneCommitted(goal)) {
      if (++calm_ticks > kCalmTicksMax) {
        FailWithoutProgress();
        break;
      }
      RunTick(/*stormy=*/false);
    }
    for (uint32_t i = 0; i < count_ && oracle_.failure().empty(); ++i) {
      Sync(ValidatorIndex(i));
      oracle_.OnFinalChain(ValidatorIndex(i), Recover(ValidatorIndex(i)), goal);
    }
    report_.failure = oracle_.failure();
    report_.digest = digest_;
    report_.committed = oracle_.highest_committed().value();
    report_.terms_led = oracle_.leaders();
    return report_;
  }

 private:
  void RunTick(bool stormy) {
    network_.Tick();
    if (stormy) Hurt();
    for (uint32_t i = 0; i < count_; ++i) {
      const ValidatorIndex node(i);
      if (hosts_[i]->up() && (!stormy || random_.Chance(clock_rate_[i]))) StepNode(node, Tick{});
      if (hosts_[i]->up() && random_.Chance(stormy ? 500 : 900)) Sync(node);
      Build(node, stormy);
      if (random_.Chance(80)) Read(node);
      if (stormy && random_.Chance(8)) HandOver(node);
      if (stormy && random_.Chance(8)) Archive(node);
      if (behind_.erase(i) > 0) Rejoin(node);
    }
    DeliverDue();
  }

  void Hurt() {
    for (uint32_t i = 0; i < count_; ++i) {
      const ValidatorIndex node(i);
      if (!hosts_[i]->up()) {
        if (random_.Chance(60)) StartNode(node);
      } else if (random_.Chance(6)) {
        CrashNode(node);
      }
    }
    if (random_.Chance(12)) network_.CutAtRandom(count_);
    if (random_.Chance(30)) network_.Mend();
    // Clocks that run slow, or nearly stand still.
    if (random_.Chance(20)) {
      constexpr uint64_t kRates[] = {100, 500, 950, 1000};
      clock_rate_[random_.Below(count_)] = kRates[random_.Below(4)];
    }
  }

  // One validator at a time may have forgotten what it promised: more is beyond any protocol.
  bool MayLoseGroup(ValidatorIndex node) const {
    if (count_ < 3) return false;
    for (uint32_t i = 0; i < count_; ++i) {
      if (i == node.value()) continue;
      if (forgetful_.count(i) > 0 || Lacks(ValidatorIndex(i), Archived())) return false;
    }
    return true;
  }

  // Above which block the log of whoever leads begins at worst.
  Height Archived() const { return *std::max_element(archived_.begin(), archived_.end()); }

  bool Lacks(ValidatorIndex node, Height base) const { return Recover(node).committed < base; }

  // The journal's beginning moves to an archive. Whoever lacks it is as good as failed until it has
  // joined anew, so that at most one may, and only while nobody else has forgotten anything.
  void Archive(ValidatorIndex node) {
    TestHost& host = *hosts_[node.value()];
    if (!host.up()) return;
    const Recovered own = Recover(node);
    const Height committed = std::min(own.committed, host.core().Status().committed.height);
    const Height base = std::max(own.base.height, archived_[node.value()]);
    if (committed <= base) return;
    const Height height = base.Next() + random_.Below(committed - base);
    const Height worst = std::max(height, Archived());
    std::optional<uint32_t> lacking;
    for (uint32_t i = 0; i < count_; ++i) {
      if (i == node.value() || !Lacks(ValidatorIndex(i), worst)) continue;
      if (lacking.has_value() || count_ < 3) return;
      lacking = i;
    }
    for (const uint32_t forgetful : forgetful_) {
      if (lacking.has_value() && forgetful != *lacking) return;
    }
    if (lacking.has_value() && Lacks(node, worst)) return;
    ++report_.archived;
    archived_[node.value()] = height;
    StepNode(node, LogBegins{own.chain[height - own.base.height - 1]});
  }

  void Rejoin(ValidatorIndex node) {
    TestHost& host = *hosts_[node.value()];
    if (!host.up()) return;
    ++report_.rejoined;
    forgetful_.insert(node.value());
    const BlockId base = RandomBase(node);
    archived_[node.value()] = Height(0);
    host.CrashLosingAll(base, /*keeps_guard=*/true);
    StartNode(node);
  }

  void CrashNode(ValidatorIndex node) {
    TestHost& host = *hosts_[node.value()];
    ++report_.crashes;
    behind_.erase(node.value());
    archived_[node.value()] =
        Height(0);  // Its next start finds everything: nothing was dropped yet.
    if (MayLoseGroup(node) && random_.Chance(150)) {
      ++report_.lost_journals;
      forgetful_.insert(node.value());
      const BlockId base = RandomBase(node);
      host.CrashLosingAll(base, /*keeps_guard=*/random_.Chance(500));
    } else if (MayLoseGroup(node) && random_.Chance(300)) {
      ++report_.lost_groups;
      forgetful_.insert(node.value());
      host.CrashLosingLastGroup();
    } else {
      host.Crash(random_.Below(host.unsynced_count() + 1));
    }
  }

  Recovered Recover(ValidatorIndex node) const {
    const TestHost& host = *hosts_[node.value()];
    return RecoverFrom(host.SyncedRecords(), host.base());
  }

  // A committed block that every other disk reaches, and above which each of them has every block,
  // so that whoever leads can serve everybody.
  BlockId RandomBase(ValidatorIndex node) {
    Height bottom;
    Height top = oracle_.highest_committed();
    for (uint32_t i = 0; i < count_; ++i) {
      if (i == node.value()) continue;
      const Recovered other = Recover(ValidatorIndex(i));
      bottom = std::max({bottom, other.base.height, archived_[i]});
      top = std::min(top, other.committed);
    }
    top = std::max(top, bottom);
    const Height height = bottom + random_.Below(top - bottom + 1);
    for (uint32_t i = 0; i < count_; ++i) {
      if (i == node.value()) continue;
      const Recovered other = Recover(ValidatorIndex(i));
      if (other.base.height == height) return other.base;
      if (other.base.height < height && other.committed >= height) {
        return other.chain[height - other.base.height - 1];
      }
    }
    return BlockId{};
  }

  void StartNode(ValidatorIndex node) {
    TestHost& host = *hosts_[node.value()];
    synced_seen_[node.value()] = host.SyncedRecords().size();
    oracle_.OnStart(node, Recover(node));
    // Ids begin anew at every start, so that answers to an earlier one's bear the same.
    reads_[node.value()].clear();
    last_read_[node.value()] = 0;
    host.Start(random_.Next());
  }

  void Heal() {
    network_.Heal();
    for (uint32_t i = 0; i < count_; ++i) {
      if (!hosts_[i]->up()) StartNode(ValidatorIndex(i));
    }
  }

  bool EveryoneCommitted(Height goal) const {
    for (const auto& host : hosts_) {
      if (host->core().Status().committed.height < goal) return false;
    }
    return true;
  }

  void FailWithoutProgress() {
    std::string what = absl::StrCat("no progress after the storm, everyone should pass ",
                                    oracle_.highest_committed().value());
    for (uint32_t i = 0; i < count_; ++i) {
      absl::StrAppend(&what, "; ", i, ": base ", hosts_[i]->base().height.value(), ", ",
                      DescribeStatus(hosts_[i]->core().Status()));
    }
    oracle_.Fail(what);
  }

  void Build(ValidatorIndex node, bool stormy) {
    TestHost& host = *hosts_[node.value()];
    if (!host.up() || !host.ask().has_value()) return;
    const AskBuild ask = *host.ask();
    if (!random_.Chance(ask.empty ? 800 : stormy ? 400 : 600)) return;
    const uint32_t size = ask.empty ? 0 : static_cast<uint32_t>(random_.Below(3000));
    StepNode(node, BlockBuilt{maker_.Make(ask.parent, ask.view, node, size)});
  }

  void HandOver(ValidatorIndex node) {
    if (!hosts_[node.value()]->up()) return;
    StepNode(node, Transfer{ValidatorIndex(static_cast<uint32_t>(random_.Below(count_)))});
    if (hosts_[node.value()]->core().Status().transfer_to.has_value()) ++report_.transfers;
  }

  // A read must see whatever was committed anywhere before it began.
  void Read(ValidatorIndex node) {
    if (!hosts_[node.value()]->up()) return;
    std::map<uint64_t, Height>& begun = reads_[node.value()];
    const uint64_t read_id = ++last_read_[node.value()];
    begun[read_id] = oracle_.highest_committed();
    StepNode(node, ReadRequest{read_id});
  }

  void OnReadReady(ValidatorIndex node, const ReadReady& ready) {
    std::map<uint64_t, Height>& begun = reads_[node.value()];
    const auto read = begun.find(ready.read_id);
    if (read == begun.end()) {
      oracle_.Fail(absl::StrCat("read ", ready.read_id, " answered twice, or never asked"));
      return;
    }
    if (ready.height == Height(0)) {
      ++report_.reads_lost;
    } else {
      ++report_.reads_answered;
      if (ready.height < read->second) {
        oracle_.Fail(absl::StrCat("stale read ", ready.read_id, " of ", node.value(), ": height ",
                                  ready.height.value(), ", committed before it began ",
                                  read->second.value()));
      }
      if (ready.height > oracle_.highest_committed()) {
        oracle_.Fail("a read from what is not committed");
      }
    }
    begun.erase(read);
  }

  void DeliverDue() {
    for (const RandomNetwork::Envelope& envelope : network_.TakeDue()) {
      if (hosts_[envelope.to]->up()) StepNode(ValidatorIndex(envelope.to), envelope.message);
    }
  }

  void Sync(ValidatorIndex node) {
    TestHost& host = *hosts_[node.value()];
    if (!host.has_unsynced()) return;
    const std::vector<Message> promises = host.TakeSynced();
    const std::vector<JournalAppend> records = host.SyncedRecords();
    const auto fresh = records.begin() + static_cast<std::ptrdiff_t>(synced_seen_[node.value()]);
    oracle_.OnSynced(node, {fresh, records.end()});
    synced_seen_[node.value()] = records.size();
    // The two may reach the core and the network in either order.
    const bool promises_first = random_.Chance(500);
    if (promises_first) Send(node, promises);
    StepNode(node, DurableUpTo{host.sequence()});
    if (!promises_first) Send(node, promises);
  }

  void StepNode(ValidatorIndex node, const Input& input) {
    TestHost& host = *hosts_[node.value()];
    const Output output = host.Step(input);
    for (const JournalAppend& record : output.append) oracle_.OnAppended(node, record);
    Send(node, output.send_now);
    for (const Committed& committed : output.committed) {
      oracle_.OnCommitted(node, committed.block);
    }
    for (const ReadReady& ready : output.reads_ready) OnReadReady(node, ready);
    for (const Ask& ask : output.asks) {
      if (std::holds_alternative<AskInstallSnapshot>(ask)) behind_.insert(node.value());
    }
    if (!output.fault_proofs.empty()) oracle_.Fail(output.fault_proofs.front().what);
    const CoreStatus status = host.core().Status();
    oracle_.OnStatus(node, status);
    if (status.messages_dropped > 0) oracle_.Fail("an honest message was dropped as malformed");
    // It remembers again once that it votes again is on disk.
    if (status.role != CoreRole::kNonVoter && !host.has_unsynced()) forgetful_.erase(node.value());
    const Hash core_digest = host.core().digest();
    digest_ = ledger::Sha256({digest_.span(), core_digest.span()});
  }

  void Send(ValidatorIndex from, const std::vector<Message>& messages) {
    for (const Message& message : messages) {
      oracle_.OnSent(from, message);
      network_.Send(from.value(), message.to.value(), Epoch(1),
                    PeerMessage{from, message.header, hosts_[from.value()]->Bodies(message)});
    }
  }

  const uint32_t count_;
  SplitMix64 random_;
  RandomNetwork network_;
  BlockMaker maker_;
  Oracle oracle_;
  std::vector<std::unique_ptr<TestHost>> hosts_;
  std::vector<size_t> synced_seen_;  // Records that the oracle knows to be on disk.
  std::map<uint32_t, std::map<uint64_t, Height>> reads_;  // Committed when it began, by id.
  std::map<uint32_t, uint64_t> last_read_;
  std::vector<Height> archived_;      // Above which block the running core was told to begin.
  std::set<uint32_t> behind_;         // Told to join anew.
  std::vector<uint64_t> clock_rate_;  // Ticks of 1,000, while it storms.
  std::set<uint32_t> forgetful_;      // Lost a group and does not vote yet.
  Hash digest_;
  ClusterReport report_;
};

}  // namespace

ClusterReport RunRandomCluster(uint32_t validator_count, uint64_t seed, uint32_t stormy_ticks) {
  return RandomCluster(validator_count, seed).Run(stormy_ticks);
}

}  // namespace vigil::consensus
