#include "tests/consensus/raft/random_epochs.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/sha256.h"
#include "tests/consensus/raft/narrate.h"
#include "tests/consensus/raft/oracle.h"
#include "tests/consensus/raft/random_network.h"
#include "tests/consensus/raft/test_host.h"

namespace vigil::consensus {
namespace {

constexpr uint32_t kMachines = 9;
constexpr uint64_t kEpochsMax = 5;
constexpr uint32_t kCalmTicksMax = 1500;
constexpr uint64_t kProgressHeights = 3;

class EpochCluster {
 public:
  EpochCluster(uint32_t set_size, uint64_t seed)
      : random_(seed),
        network_(&random_),
        maker_(kRaftValidatorsMax),
        oracle_(set_size, kMachines) {
    epochs_.emplace_back();
    for (uint32_t i = 0; i < set_size; ++i) epochs_.back().members.push_back(i);
    for (uint32_t i = 0; i < kMachines; ++i) {
      hosts_.push_back(std::make_unique<TestHost>(RaftConfig()));
      epoch_of_.push_back(0);
      synced_seen_.push_back(0);
      if (i < set_size) Enter(i, 1, /*fetches=*/false);
    }
  }

  EpochsReport Run(uint32_t stormy_ticks) {
    for (uint32_t i = 0; i < stormy_ticks && oracle_.failure().empty(); ++i) RunTick();
    calm_ = true;
    network_.Heal();
    WaitForSealedEpoch();
    frozen_ = false;
    WaitForProgress();
    report_.failure = oracle_.failure();
    report_.digest = digest_;
    report_.committed = oracle_.highest_committed().value();
    report_.epochs = epochs_.size();
    return report_;
  }

 private:
  struct EpochOf {
    BlockId base;
    std::vector<uint32_t> members;  // Machines, by validator index.
  };

  uint64_t newest() const { return epochs_.size(); }
  const EpochOf& At(uint64_t epoch) const { return epochs_[epoch - 1]; }
  bool IsMember(uint32_t machine, uint64_t epoch) const {
    const std::vector<uint32_t>& members = At(epoch).members;
    return std::find(members.begin(), members.end(), machine) != members.end();
  }
  bool Runs(uint32_t machine, uint64_t epoch) const {
    return hosts_[machine]->up() && epoch_of_[machine] == epoch;
  }
  bool HasBaseOf(uint32_t machine, uint64_t epoch) const {
    const BlockId& base = At(epoch).base;
    if (base.height == Height(0)) return true;
    const std::vector<BlockId> chain = hosts_[machine]->OnDisk().chain;
    return chain.size() >= base.height.value() && chain[base.height.value() - 1] == base;
  }
  void StepTo(const std::string& what, uint32_t* calm_ticks) {
    if (++*calm_ticks > kCalmTicksMax) FailWithout(what);
    RunTick();
  }

  // ------------------------------------------------------------------------------ time and harm

  void RunTick() {
    network_.Tick();
    if (!calm_) Hurt();
    for (uint32_t i = 0; i < kMachines && oracle_.failure().empty(); ++i) {
      if (!frozen_) MoveOn(i);
      if (calm_ && !hosts_[i]->up() && IsWanted(i)) StartMachine(i);
      if (hosts_[i]->up() && (calm_ || random_.Chance(900))) StepMachine(i, Tick{});
      if (hosts_[i]->up() && random_.Chance(calm_ ? 900 : 500)) Sync(i);
      Build(i);
      if (random_.Chance(50)) Read(i);
      if (!calm_ && random_.Chance(8)) HandOver(i);
    }
    for (const RandomNetwork::Envelope& envelope : network_.TakeDue()) {
      // Hosts of different epochs refuse each other's connections.
      if (Runs(envelope.to, envelope.epoch.value())) StepMachine(envelope.to, envelope.message);
    }
    BeginEpochIfSealed();
  }

  void Hurt() {
    for (uint32_t i = 0; i < kMachines; ++i) {
      if (!hosts_[i]->up()) {
        if (IsWanted(i) && random_.Chance(60)) StartMachine(i);
      } else if (random_.Chance(6)) {
        Crash(i);
      }
    }
    if (random_.Chance(12)) network_.CutAtRandom(kMachines);
    if (random_.Chance(30)) network_.Mend();
    if (frozen_ && random_.Chance(5)) frozen_ = false;
  }

  // A member of the epoch that it last ran, and not taken out of service.
  bool IsWanted(uint32_t machine) const {
    return epoch_of_[machine] != 0 && retired_.count(machine) == 0;
  }

  // One machine at a time may have forgotten what it promised, and none that two must do without.
  bool MayLoseGroup(uint32_t machine) const {
    for (const uint32_t other : forgetful_) {
      if (other != machine) return false;
    }
    for (uint64_t epoch = epoch_of_[machine]; epoch <= newest(); ++epoch) {
      if (IsMember(machine, epoch) && At(epoch).members.size() < 3) return false;
    }
    return true;
  }

  void Crash(uint32_t machine) {
    TestHost& host = *hosts_[machine];
    ++report_.crashes;
    if (MayLoseGroup(machine) && random_.Chance(300)) {
      ++report_.lost_groups;
      forgetful_.insert(machine);
      host.CrashLosingLastGroup();
    } else {
      host.Crash(random_.Below(host.unsynced_count() + 1));
    }
  }

  void StartMachine(uint32_t machine) {
    TestHost& host = *hosts_[machine];
    synced_seen_[machine] = host.SyncedRecords().size();
    oracle_.OnStart(ValidatorIndex(machine), host.OnDisk());
    reads_[machine].clear();
    last_read_[machine] = 0;
    host.Start(random_.Next());
  }

  // ------------------------------------------------------------------------------------- epochs

  RaftConfig ConfigOf(uint32_t machine, uint64_t epoch) const {
    RaftConfig config;
    config.genesis_hash = BlockMaker::GenesisHash();
    config.epoch = Epoch(epoch);
    config.epoch_base = At(epoch).base;
    config.validator_count = static_cast<uint32_t>(At(epoch).members.size());
    config.self = IndexOf(machine, epoch);
    config.election_timeout_ticks_min = 12;
    config.election_timeout_ticks_max = 24;
    config.heartbeat_ticks = 3;
    config.blocks_in_flight_max = 6;
    config.bytes_in_flight_max = 12'000;
    config.peer_messages_in_flight_max = 4;
    config.peer_bytes_in_flight_max = 6'000;
    config.message_bytes_max = 3'000;
    config.message_blocks_max = 3;
    return config;
  }

  ValidatorIndex IndexOf(uint32_t machine, uint64_t epoch) const {
    const std::vector<uint32_t>& members = At(epoch).members;
    const auto found = std::find(members.begin(), members.end(), machine);
    return ValidatorIndex(static_cast<uint32_t>(found - members.begin()));
  }

  // As soon as anybody has committed a sealing block, hosts may know of the next epoch.
  void BeginEpochIfSealed() {
    if (oracle_.sealing_blocks().size() < newest()) return;
    EpochOf next;
    next.base = oracle_.sealing_blocks().back();
    constexpr uint32_t kSizes[] = {1, 2, 3, 3, 4, 5, 7};
    const uint32_t size = kSizes[random_.Below(7)];
    std::vector<uint32_t> machines;
    for (uint32_t i = 0; i < kMachines; ++i) {
      // Nobody could tell a forgetful one of two what it must know.
      if (size >= 3 || forgetful_.count(i) == 0) machines.push_back(i);
    }
    for (uint32_t i = 0; i < size; ++i) {
      std::swap(machines[i], machines[i + random_.Below(machines.size() - i)]);
    }
    next.members.assign(machines.begin(), machines.begin() + size);
    for (const uint32_t member : next.members) retired_.erase(member);
    epochs_.push_back(next);
    oracle_.OnEpoch(next.members);
    frozen_ = !calm_ && random_.Chance(400);
  }

  // The machine's host learns of the newest epoch, or goes on without knowing.
  void MoveOn(uint32_t machine) {
    TestHost& host = *hosts_[machine];
    const uint64_t epoch = newest();
    if (epoch_of_[machine] == epoch) {
      // Late: it is fetched from whoever has it where nobody in the new set may lead.
      if (calm_ && IsStranded(epoch) && random_.Chance(20)) Enter(machine, epoch, true);
      return;
    }
    if (!IsMember(machine, epoch)) {
      if (host.up() && epoch > 1 && random_.Chance(3)) {
        host.Crash(0);
        retired_.insert(machine);
      }
      return;
    }
    const bool committed =
        host.up() && host.core().Status().committed.height >= At(epoch).base.height;
    if (committed ? random_.Chance(60) : random_.Chance(calm_ ? 60 : 15)) {
      Enter(machine, epoch,
            /*fetches=*/!committed && (calm_ ? IsStranded(epoch) : random_.Chance(500)));
    }
  }

  void Enter(uint32_t machine, uint64_t epoch, bool fetches) {
    TestHost& host = *hosts_[machine];
    host.EndEpoch(ConfigOf(machine, epoch), random_.Below(host.unsynced_count() + 1));
    epoch_of_[machine] = epoch;
    if (fetches && !HasBaseOf(machine, epoch)) Fetch(machine, epoch);
    ++(HasBaseOf(machine, epoch) ? report_.entered_with_base : report_.entered_without);
    StartMachine(machine);
  }

  // No member that may vote has the block that the epoch stands on, so that nobody can lead.
  bool IsStranded(uint64_t epoch) const {
    const std::vector<uint32_t>& members = At(epoch).members;
    return std::none_of(members.begin(), members.end(), [&](uint32_t member) {
      return Runs(member, epoch) && HasBaseOf(member, epoch) &&
             hosts_[member]->core().Status().role != CoreRole::kNonVoter;
    });
  }

  void Fetch(uint32_t machine, uint64_t epoch) {
    const BlockId& base = At(epoch).base;
    for (uint32_t other = 0; other < kMachines; ++other) {
      if (other == machine || !HasBaseOf(other, epoch)) continue;
      std::vector<BlockPtr> chain;
      for (const BlockId& block : hosts_[other]->OnDisk().chain) {
        if (block.height <= base.height) chain.push_back(hosts_[other]->Body(block.hash));
      }
      hosts_[machine]->Graft(chain);
      ++report_.fetched;
      return;
    }
  }

  // A sealed epoch that no host has ended goes on, until everybody has committed its sealing block.
  void WaitForSealedEpoch() {
    if (newest() < 2 || !frozen_) return;
    const uint64_t epoch = newest() - 1;
    for (const uint32_t member : At(epoch).members) {
      if (epoch_of_[member] != epoch || retired_.count(member) > 0) return;
      if (!HasBaseOf(member, epoch)) return;
    }
    ++report_.sealed_waits;
    uint32_t calm_ticks = 0;
    const auto everyone = [&] {
      return std::all_of(At(epoch).members.begin(), At(epoch).members.end(), [&](uint32_t member) {
        return Runs(member, epoch) &&
               hosts_[member]->core().Status().committed == At(newest()).base;
      });
    };
    while (oracle_.failure().empty() && !everyone()) StepTo("the sealing block", &calm_ticks);
  }

  void WaitForProgress() {
    const Height goal = oracle_.highest_committed() + kProgressHeights;
    uint32_t calm_ticks = 0;
    const auto everyone = [&] {
      return std::all_of(At(newest()).members.begin(), At(newest()).members.end(),
                         [&](uint32_t member) {
                           return Runs(member, newest()) &&
                                  hosts_[member]->core().Status().committed.height >= goal;
                         });
    };
    while (oracle_.failure().empty() && !everyone()) StepTo("progress", &calm_ticks);
    for (const uint32_t member : At(newest()).members) {
      if (!oracle_.failure().empty()) return;
      Sync(member);
      oracle_.OnFinalChain(ValidatorIndex(member), hosts_[member]->OnDisk(), goal);
    }
  }

  void FailWithout(const std::string& what) {
    std::string text = absl::StrCat("the healed cluster comes not to ", what, ", committed ",
                                    oracle_.highest_committed().value());
    for (const uint32_t member : At(newest()).members) absl::StrAppend(&text, ", member ", member);
    for (uint32_t i = 0; i < kMachines; ++i) {
      if (epoch_of_[i] == 0) continue;
      absl::StrAppend(&text, "; ", i, ": ",
                      hosts_[i]->up() ? DescribeStatus(hosts_[i]->core().Status()) : "down");
    }
    oracle_.Fail(text);
  }

  // -------------------------------------------------------------------------------------- steps

  void Build(uint32_t machine) {
    TestHost& host = *hosts_[machine];
    if (!host.up() || !host.ask().has_value()) return;
    const AskBuild ask = *host.ask();
    if (!random_.Chance(ask.empty ? 800 : calm_ ? 600 : 400)) return;
    const bool seals = !ask.closing && !calm_ && newest() < kEpochsMax && random_.Chance(25);
    report_.seals_built += seals;
    report_.closings_built += ask.closing;
    const uint32_t size = ask.empty ? 0 : static_cast<uint32_t>(random_.Below(3000));
    StepMachine(machine, BlockBuilt{maker_.MakeIn(host.config().epoch, seals || ask.closing,
                                                  ask.parent, ask.view, host.config().self, size)});
  }

  void HandOver(uint32_t machine) {
    if (!hosts_[machine]->up()) return;
    const uint32_t count = hosts_[machine]->config().validator_count;
    StepMachine(machine, Transfer{ValidatorIndex(static_cast<uint32_t>(random_.Below(count)))});
  }

  // A read must see whatever was committed anywhere before it began, in a later epoch too.
  void Read(uint32_t machine) {
    if (!hosts_[machine]->up()) return;
    const uint64_t read_id = ++last_read_[machine];
    reads_[machine][read_id] = oracle_.highest_committed();
    StepMachine(machine, ReadRequest{read_id});
  }

  void OnReadReady(uint32_t machine, const ReadReady& ready) {
    const auto read = reads_[machine].find(ready.read_id);
    if (read == reads_[machine].end()) {
      oracle_.Fail(absl::StrCat("read ", ready.read_id, " answered twice, or never asked"));
      return;
    }
    if (ready.height > Height(0)) {
      ++report_.reads_answered;
      if (ready.height < read->second) {
        oracle_.Fail(absl::StrCat("stale read of ", machine, ": height ", ready.height.value(),
                                  ", committed before it began ", read->second.value()));
      }
      if (ready.height > oracle_.highest_committed()) {
        oracle_.Fail("a read from what is not committed");
      }
    }
    reads_[machine].erase(read);
  }

  void Sync(uint32_t machine) {
    TestHost& host = *hosts_[machine];
    if (!host.has_unsynced()) return;
    const std::vector<Message> promises = host.TakeSynced();
    const std::vector<JournalAppend> records = host.SyncedRecords();
    const auto fresh = records.begin() + static_cast<std::ptrdiff_t>(synced_seen_[machine]);
    oracle_.OnSynced(ValidatorIndex(machine), {fresh, records.end()});
    synced_seen_[machine] = records.size();
    const bool promises_first = random_.Chance(500);
    if (promises_first) Send(machine, promises);
    StepMachine(machine, DurableUpTo{host.sequence()});
    if (!promises_first) Send(machine, promises);
  }

  void StepMachine(uint32_t machine, const Input& input) {
    TestHost& host = *hosts_[machine];
    const ValidatorIndex node(machine);
    const Output output = host.Step(input);
    for (const JournalAppend& record : output.append) oracle_.OnAppended(node, record);
    Send(machine, output.send_now);
    for (const Committed& committed : output.committed) {
      oracle_.OnCommitted(node, committed.block);
    }
    for (const ReadReady& ready : output.reads_ready) OnReadReady(machine, ready);
    if (!output.fault_proofs.empty()) oracle_.Fail(output.fault_proofs.front().what);
    const CoreStatus status = host.core().Status();
    oracle_.OnStatus(node, status);
    if (status.messages_dropped > 0) oracle_.Fail("an honest message was dropped as malformed");
    if (status.sealing.has_value() && status.committed.height > status.sealing->height) {
      oracle_.Fail("committed above the sealing block");
    }
    if (status.role != CoreRole::kNonVoter && !host.has_unsynced()) forgetful_.erase(machine);
    const Hash core_digest = host.core().digest();
    digest_ = ledger::Sha256({digest_.span(), core_digest.span()});
  }

  void Send(uint32_t machine, const std::vector<Message>& messages) {
    const TestHost& host = *hosts_[machine];
    const std::vector<uint32_t>& members = At(epoch_of_[machine]).members;
    for (Message message : messages) {
      const PeerMessage out{host.config().self, message.header, host.Bodies(message)};
      message.to = ValidatorIndex(members[message.to.value()]);
      oracle_.OnSent(ValidatorIndex(machine), message);
      network_.Send(machine, message.to.value(), host.config().epoch, out);
    }
  }

  SplitMix64 random_;
  RandomNetwork network_;
  BlockMaker maker_;
  Oracle oracle_;
  std::vector<EpochOf> epochs_;  // Epoch 1 first.
  std::vector<std::unique_ptr<TestHost>> hosts_;
  std::vector<uint64_t> epoch_of_;   // Of the last core; 0: it never had one.
  std::vector<size_t> synced_seen_;  // Records that the oracle knows to be on disk.
  std::map<uint32_t, std::map<uint64_t, Height>> reads_;
  std::map<uint32_t, uint64_t> last_read_;
  std::set<uint32_t> forgetful_;  // Lost a group and does not vote yet.
  std::set<uint32_t> retired_;    // Its host took it out of service.
  bool frozen_ = false;           // No host ends a core.
  bool calm_ = false;
  Hash digest_;
  EpochsReport report_;
};

}  // namespace

EpochsReport RunRandomEpochs(uint32_t set_size, uint64_t seed, uint32_t stormy_ticks) {
  return EpochCluster(set_size, seed).Run(stormy_ticks);
}

}  // namespace vigil::consensus
