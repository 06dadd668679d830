#include "tests/sim/sim_run.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ledger/state/snapshot_file.h"

namespace vigil::sim {
namespace {

using ledger::CrashMode;

constexpr int64_t kReflectMicros = 5'000'000;
constexpr int64_t kHealMicrosMax = 120'000'000;

// Breaks things as the seed says, and mends them.
class Chaos {
 public:
  Chaos(SimCluster* cluster, const RunOptions& options, uint64_t seed)
      : cluster_(cluster),
        options_(options),
        random_(seed),
        down_(cluster->size(), false),
        dying_(cluster->size(), false) {}

  // After a step of the clock. Returns what is wrong.
  std::string Step() {
    for (uint32_t i = 0; i < cluster_->size(); ++i) {
      if (dying_[i] && !cluster_->node(i)->fatal().ok()) Crash(i);
    }
    const int64_t now = cluster_->clock().MonotonicMicros();
    if (now < next_micros_) return "";
    next_micros_ = now + 50'000 + static_cast<int64_t>(random_.Below(600'000));
    switch (random_.Below(6)) {
      case 0:
        if (options_.crashes) CrashOne();
        return "";
      case 1:
        if (!options_.crashes) return "";
        return random_.Chance(300) ? LosePower() : FailOneDisk();
      case 2:
      case 3:
        return RestartOne();
      case 4:
        if (options_.partitions) Partition();
        return "";
      default:
        if (options_.pauses) PauseOne();
        return "";
    }
  }

  std::string Heal() {
    cluster_->network().MendAll();
    NetworkFaults calm;
    cluster_->network().SetFaults(calm);
    cluster_->SetHurried(false);
    for (uint32_t i = 0; i < cluster_->size(); ++i) {
      cluster_->SetPaused(i, false);
      if (dying_[i]) Crash(i);
      if (!down_[i]) continue;
      const absl::Status status = cluster_->Start(i);
      if (!status.ok()) return absl::StrCat("restart of ", i, ": ", status.ToString());
      down_[i] = false;
    }
    return "";
  }

  uint64_t crashes() const { return crashes_; }
  const std::vector<bool>& dying() const { return dying_; }

 private:
  void Crash(uint32_t i) {
    static constexpr CrashMode kModes[] = {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced,
                                           CrashMode::kTornPrefix,  CrashMode::kTornSectors,
                                           CrashMode::kTornPages,   CrashMode::kAnyLoss};
    cluster_->Crash(i, kModes[random_.Below(std::size(kModes))]);
    dying_[i] = false;
    down_[i] = true;
    ++crashes_;
  }

  // A node that is up, if one more may go down.
  std::optional<uint32_t> Victim() {
    uint32_t down = 0;
    for (uint32_t i = 0; i < cluster_->size(); ++i) down += down_[i] || dying_[i] ? 1 : 0;
    const uint32_t down_max = cluster_->size() == 1 ? 1 : (cluster_->size() - 1) / 2;
    const auto victim = static_cast<uint32_t>(random_.Below(cluster_->size()));
    if (down >= down_max || down_[victim] || dying_[victim]) return std::nullopt;
    return victim;
  }

  void CrashOne() {
    const std::optional<uint32_t> victim = Victim();
    if (victim.has_value()) Crash(*victim);
  }

  std::string FailOneDisk() {
    const std::optional<uint32_t> victim = Victim();
    if (!victim.has_value()) return "";
    dying_[*victim] = true;
    cluster_->FailDiskSoon(*victim);
    return "";
  }

  // Everything that was not synced anywhere is gone everywhere.
  std::string LosePower() {
    for (uint32_t i = 0; i < cluster_->size(); ++i) {
      if (!down_[i]) Crash(i);
    }
    while (std::count(down_.begin(), down_.end(), true) > 0) {
      std::string wrong = RestartOne();
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  std::string RestartOne() {
    for (uint32_t i = 0; i < cluster_->size(); ++i) {
      if (!down_[i]) continue;
      const absl::Status status = cluster_->Start(i);
      if (!status.ok()) return absl::StrCat("restart of ", i, ": ", status.ToString());
      if (cluster_->node(i)->Status().refusing) {
        return absl::StrCat("node ", i, " refuses: ", cluster_->node(i)->Status().refusing_reason);
      }
      down_[i] = false;
      return "";
    }
    return "";
  }

  void Partition() {
    cluster_->network().MendAll();
    if (random_.Chance(300)) return;
    const uint64_t side = random_.Next();
    const bool one_way = random_.Chance(300);
    for (uint32_t a = 0; a < cluster_->size(); ++a) {
      for (uint32_t b = 0; b < cluster_->size(); ++b) {
        const bool apart = ((side >> a) & 1) != ((side >> b) & 1);
        if (apart && (!one_way || ((side >> a) & 1))) cluster_->network().SetCut(a, b, true);
      }
    }
  }

  void PauseOne() {
    for (uint32_t i = 0; i < cluster_->size(); ++i) cluster_->SetPaused(i, false);
    if (random_.Chance(500)) return;
    cluster_->SetPaused(static_cast<uint32_t>(random_.Below(cluster_->size())), true);
  }

  SimCluster* const cluster_;
  const RunOptions& options_;
  SplitMix64 random_;
  std::vector<bool> down_;
  std::vector<bool> dying_;  // Its disk has failed or is about to.
  int64_t next_micros_ = 500'000;
  uint64_t crashes_ = 0;
};

NetworkFaults FaultsOf(const RunOptions& options) {
  NetworkFaults faults;
  faults.reorder = options.reorder;
  if (options.lose_frames) {
    faults.loss_permille = 30;
    faults.repeat_permille = 20;
    faults.delay_micros_max = 20'000;
  }
  return faults;
}

// Every alert was judged by as many as it takes.
bool AlertsSettled(const node::Node& node) {
  const auto open = node.Snapshot()->ListAlerts(RecordIndex(0), /*ascending=*/true, 1,
                                                ledger::AlertState::kProposed);
  return open.ok() && open->empty();
}

// After a power loss that tore the journals of too many, nobody may vote: the operator, who knows
// that the disks are honest, says so.
std::string OperatorDecides(SimCluster* cluster) {
  const auto non_voters = [&] {
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->size(); ++i) {
      if (cluster->node(i)->Status().core.role == consensus::CoreRole::kNonVoter) ++count;
    }
    return count;
  };
  const uint32_t quorum = cluster->size() / 2 + 1;
  for (uint32_t i = 0; i < cluster->size() && cluster->size() - non_voters() < quorum; ++i) {
    if (cluster->node(i)->Status().core.role != consensus::CoreRole::kNonVoter) continue;
    cluster->Crash(i, CrashMode::kProcessOnly);
    cluster->config(i).accept_torn_tail = true;
    const absl::Status status = cluster->Start(i);
    cluster->config(i).accept_torn_tail = false;
    if (!status.ok()) return absl::StrCat("restart of ", i, ": ", status.ToString());
  }
  return "";
}

// All nodes executed the same height, and nothing is under way.
bool AtRest(SimCluster* cluster, const std::vector<std::unique_ptr<SimClient>>& clients) {
  if (!AlertsSettled(*cluster->node(0))) return false;
  for (const auto& client : clients) {
    if (!client->done()) return false;
  }
  for (uint32_t i = 0; i < cluster->size(); ++i) {
    const node::NodeStatus status = cluster->node(i)->Status();
    const node::NodeStatus first = cluster->node(0)->Status();
    if (status.executed != first.executed || status.core.last.height != status.executed ||
        status.indexed != status.executed || status.detector != status.executed) {
      return false;
    }
  }
  return true;
}

// Every snapshot on every disk is sound, and those of a height are the same. Counts them.
std::string CheckSnapshots(SimCluster* cluster, uint64_t* count) {
  const std::string folder = "/vigil/snapshots";
  std::map<Height, Hash> digests;
  for (uint32_t i = 0; i < cluster->size(); ++i) {
    const auto heights = ledger::ListSnapshots(cluster->disk(i), folder);
    if (!heights.ok()) return absl::StrCat("snapshots of ", i, ": ", heights.status().ToString());
    for (const Height height : *heights) {
      const auto file =
          ledger::SnapshotFile::Open(&cluster->disk(i), ledger::SnapshotPath(folder, height));
      const absl::Status sound = file.ok() ? (*file)->CheckAll() : file.status();
      if (!sound.ok()) return absl::StrCat("snapshot of ", i, ": ", sound.ToString());
      const Hash& digest = digests.emplace(height, (*file)->manifest().digest).first->second;
      if (digest != (*file)->manifest().digest) {
        return absl::StrCat("node ", i, " has another snapshot of height ", height.value());
      }
      ++*count;
    }
  }
  return "";
}

}  // namespace

RunResult Run(const RunOptions& options, uint64_t seed) {
  SimCluster cluster(options.network, seed);
  cluster.network().SetFaults(FaultsOf(options));
  SplitMix64 random(seed ^ 0x52756e);
  if (options.clock_skew) {
    for (uint32_t i = 0; i < cluster.size(); ++i) {
      cluster.clock_of(i).SetSkewMillis(static_cast<int64_t>(random.Below(20'000)) - 10'000);
    }
  }
  cluster.StartAll();
  cluster.SetHurried(options.crashes);
  std::vector<std::unique_ptr<SimClient>> clients;
  for (uint32_t i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<SimClient>(&cluster, i % options.network.sensors,
                                                  absl::StrCat("stream-", i), options.client,
                                                  random.Next()));
  }
  AgreementWatch watch(&cluster);
  Chaos chaos(&cluster, options, random.Next());
  RunResult result;
  const auto failed = [&] { return !result.wrong.empty(); };
  const auto step = [&] {
    for (const auto& client : clients) client->Poll();
    if (result.wrong.empty()) result.wrong = watch.Check(chaos.dying());
  };
  cluster.RunUntil(failed, options.fault_micros, [&] {
    step();
    if (result.wrong.empty()) result.wrong = chaos.Step();
  });
  if (result.wrong.empty()) result.wrong = chaos.Heal();
  if (result.wrong.empty()) {
    cluster.RunFor(kReflectMicros, step);
    result.wrong = OperatorDecides(&cluster);
  }
  const bool rested =
      cluster.RunUntil([&] { return failed() || AtRest(&cluster, clients); }, kHealMicrosMax, step);
  if (result.wrong.empty() && !rested) result.wrong = "the healed cluster does not come to rest";
  if (result.wrong.empty()) result.wrong = CheckChains(&cluster, clients);
  if (result.wrong.empty()) result.wrong = CheckSnapshots(&cluster, &result.snapshots);

  if (result.wrong.empty() && options.detection) {
    const DetectionFindings findings = CheckDetection(&cluster);
    result.wrong = findings.wrong;
    result.models = findings.active_models;
    result.alerts = findings.alerts;
  }
  result.digest = cluster.Digest();
  result.height = watch.highest().value();
  result.crashes = chaos.crashes();
  for (const auto& client : clients) {
    result.acknowledged += client->acknowledged().size();
    result.retries += client->retries();
  }
  for (uint32_t i = 0; i < cluster.size(); ++i) {
    if (cluster.node(i) == nullptr) continue;
    result.elections = std::max(result.elections, cluster.node(i)->Status().core.view.value());
  }
  return result;
}

}  // namespace vigil::sim
