#include "tests/sim/sim_run.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/governance_queries.h"
#include "ledger/state/snapshot_file.h"
#include "tests/sim/fault_injector.h"
#include "tests/sim/index_check.h"
#include "tests/sim/oracle.h"
#include "tests/sim/set_changes.h"
#include "tests/sim/set_watch.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_cluster.h"
#include "tests/sim/wire_watch.h"

namespace vigil::sim {
namespace {

constexpr int64_t kReflectMicros = 5'000'000;
constexpr int64_t kHealMicrosMax = 300'000'000;
constexpr int64_t kOperatorMicros = 2'000'000;  // How often somebody looks after refusing nodes.
constexpr int kTornTailRounds = 5;              // How many times less often after torn tails.
constexpr uint32_t kBatchesAfterwards = 3;      // Of each client, to see progress.

// Every snapshot on every disk is sound, and those of a height are the same. Counts them.
std::string CheckSnapshots(SimCluster* cluster, const FaultInjector& injector, uint64_t* count) {
  const std::string folder = "/vigil/snapshots";
  std::map<Height, Hash> digests;
  for (uint32_t i = 0; i < cluster->size(); ++i) {
    const auto heights = ledger::ListSnapshots(cluster->disk(i), folder);
    if (!heights.ok()) return absl::StrCat("snapshots of ", i, ": ", heights.status().ToString());
    for (const Height height : *heights) {
      const auto file =
          ledger::SnapshotFile::Open(&cluster->disk(i), ledger::SnapshotPath(folder, height));
      const absl::Status sound = file.ok() ? (*file)->CheckAll() : file.status();
      if (!sound.ok() && injector.damaged(i)) continue;  // It knows, and serves none of it.
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

class ScheduleRun {
 public:
  ScheduleRun(const Schedule& schedule, const Tracer& trace)
      : schedule_(schedule),
        trace_(trace),
        cluster_(schedule.network, schedule.seed),
        watch_(&cluster_),
        sets_(FirstSet()),
        // One validator alone sends no block to anybody.
        wire_(schedule.network.validators > 1 ? &sets_ : nullptr),
        injector_(&cluster_, &schedule_, NoteFault()),
        changes_(&cluster_, &injector_, &sets_, schedule.seed ^ 0x73657473, NoteFault()) {
    injector_.SetChangeHandler([this](const FaultEvent& event) { changes_.Propose(event); });
    if (schedule.network.validators > 1) {
      watch_.SetOnExecuted([this](Height height, const Hash& block, uint64_t size) {
        return sets_.OnExecuted(height.value(), block, size);
      });
    }
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      node::NodeConfig& config = cluster_.config(i);
      config.journal.segment_bytes = schedule.segment_bytes;
      config.payload_age_millis = static_cast<uint64_t>(schedule.payload_age_millis);
      config.scrub_interval_micros = schedule.scrub_interval_micros;
      config.index_keep_blocks = schedule.index_keep_blocks;
      config.blocks_in_flight_max = schedule.blocks_in_flight_max;
    }
    cluster_.SetWriteBufferBytes(schedule.write_buffer_bytes);
    cluster_.network().SetObserver(
        [this](uint32_t from, uint32_t to, absl::string_view frame) { OnFrame(from, to, frame); });
    if (trace_) {
      cluster_.SetLogTap([this](uint32_t node, node::LogLevel level, absl::string_view text) {
        if (level == node::LogLevel::kDebug) return;
        Trace(TraceEntry::Kind::kLog, node, 0, std::string(text));
      });
    }
    SplitMix64 random(schedule.seed ^ 0x52756e);
    for (uint32_t i = 0; i < schedule.clients; ++i) {
      clients_.push_back(std::make_unique<SimClient>(&cluster_, i % schedule.network.sensors,
                                                     absl::StrCat("stream-", i), schedule.client,
                                                     random.Next()));
      if (schedule.large_events) clients_.back()->MakeLargeEvents();
    }
  }

  RunResult Run() {
    cluster_.StartAll();
    cluster_.SetHurried(schedule_.hurried);
    RunUntil([] { return false; }, schedule_.fault_micros);
    if (ok()) Fail(injector_.Heal());
    if (ok()) LiveOn();
    if (ok()) Judge();
    if (!ok()) Trace(TraceEntry::Kind::kWrong, FaultInjector::kAll, 0, result_.wrong);
    Finish();
    return result_;
  }

 private:
  SetWatch::Set FirstSet() const {
    SetWatch::Set set;
    for (uint32_t i = 0; i < schedule_.network.validators; ++i) {
      set.members.push_back(cluster_.test_network().entry(i));
      set.nodes.push_back(i);
    }
    return set;
  }
  FaultInjector::NoteFunction NoteFault() {
    return [this](uint32_t node, const std::string& text) {
      Trace(TraceEntry::Kind::kFault, node, 0, text);
    };
  }

  bool ok() const { return result_.wrong.empty(); }
  void Fail(const std::string& wrong) {
    if (ok()) result_.wrong = wrong;
  }

  void Trace(TraceEntry::Kind kind, uint32_t node, uint32_t to, std::string text) {
    if (!trace_) return;
    trace_({.kind = kind,
            .micros = cluster_.clock().MonotonicMicros(),
            .node = node,
            .concerns_all = node == FaultInjector::kAll,
            .to = to,
            .text = std::move(text)});
  }

  void OnFrame(uint32_t from, uint32_t to, absl::string_view frame) {
    if (trace_) Trace(TraceEntry::Kind::kFrame, from, to, DescribeFrame(frame));
    Fail(wire_.OnFrame(from, to, frame));
  }

  void Step() {
    for (const auto& client : clients_) {
      const size_t before = client->acknowledged().size();
      client->Poll();
      if (trace_ && client->acknowledged().size() > before) {
        Trace(TraceEntry::Kind::kAnswer, client->favourite(), 0,
              absl::StrCat("acknowledges ", client->identity(), "/", client->stream(), " ",
                           client->last_acknowledged()));
      }
      Fail(client->failure());
    }
    if (ok()) Fail(injector_.Step());
    if (ok() && HasSpares()) changes_.Step();
    if (ok()) Fail(watch_.Check(injector_.dying(), injector_.excused()));
  }

  bool RunUntil(const std::function<bool()>& done, int64_t micros_max) {
    return cluster_.RunUntil([&] { return !ok() || done(); }, micros_max, [this] { Step(); });
  }

  bool HasSpares() const { return schedule_.network.newcomers > 0; }

  // The set of the newest epoch that a node knows.
  std::vector<uint32_t> Members() const {
    const std::optional<SetChanges::Present> present = changes_.FindPresent();
    return present.has_value() ? present->set.nodes : sets_.set().nodes;
  }

  // A healed cluster makes progress, and comes to rest when nothing is left to do.
  void LiveOn() {
    for (const auto& client : clients_) client->FinishAfter(kBatchesAfterwards);
    RunUntil([] { return false; }, kReflectMicros);
    if (ok()) Fail(injector_.AcceptTornTails(Members()));
    RunUntil([] { return false; }, kReflectMicros);
    const int64_t healed = cluster_.clock().MonotonicMicros() - 2 * kReflectMicros;
    const int64_t end = cluster_.clock().MonotonicMicros() + kHealMicrosMax;
    for (int round = 1; ok(); ++round) {
      Fail(injector_.RejoinRefusing());
      // The set may have changed since.
      if (ok() && HasSpares() && round % kTornTailRounds == 0) {
        Fail(injector_.AcceptTornTails(Members()));
      }
      if (RunUntil([&] { return WhyNotAtRest().empty(); }, kOperatorMicros)) {
        result_.rest_micros = cluster_.clock().MonotonicMicros() - healed;
        return;
      }
      if (ok() && cluster_.clock().MonotonicMicros() >= end) {
        Fail(absl::StrCat("the healed cluster does not come to rest: ", WhyNotAtRest()));
      }
    }
  }

  // All nodes executed the same height, and nothing is under way: empty; else what is.
  std::string WhyNotAtRest() {
    for (const auto& client : clients_) {
      if (!client->done()) return absl::StrCat(client->stream(), " waits for answers");
    }
    if (!changes_.done()) return "an organisation waits for an answer";
    const std::vector<uint32_t> members = Members();
    for (const uint32_t i : members) {
      if (cluster_.node(i) == nullptr) return absl::StrCat("node ", i, " is down");
    }
    const node::Node& first_node = *cluster_.node(members.front());
    const node::NodeStatus first = first_node.Status();
    for (const uint32_t i : members) {
      const node::NodeStatus status = cluster_.node(i)->Status();
      if (status.refusing) return absl::StrCat("node ", i, ": ", status.refusing_reason);
      if (status.cosigner_key.has_old)
        return absl::StrCat("node ", i, " has not destroyed the cosigner key of an epoch before");
      if (cluster_.node(i)->genesis().epoch != first_node.genesis().epoch) {
        return absl::StrCat("node ", i, " is in epoch ", cluster_.node(i)->genesis().epoch.value());
      }
      if (status.executed != first.executed || status.core.last.height != status.executed ||
          status.indexed != status.executed ||
          (status.detector != status.executed && !LacksDetector(i, status))) {
        return absl::StrCat("node ", i, " is at ", status.executed.value(), ", its index at ",
                            status.indexed.value(), ", its detector at ", status.detector.value(),
                            ", node ", members.front(), " at ", first.executed.value());
      }
    }
    if (const std::string wrong = WhySetsNotAtRest(first_node); !wrong.empty()) return wrong;
    const auto open = first_node.Snapshot()->ListAlerts(RecordIndex(0), /*ascending=*/true, 1,
                                                        ledger::AlertState::kProposed);
    return open.ok() && open->empty() ? "" : "an alert is not decided";
  }

  // Every change that was approved is done, and who is no validator any more was told, unless
  // somebody else bears its name.
  std::string WhySetsNotAtRest(const node::Node& member) const {
    if (!HasSpares()) return "";
    const auto approved = ledger::ApprovedProposal(*member.Snapshot());
    if (!approved.ok()) return approved.status().ToString();
    if (approved->has_value()) return "a set is approved, and its epoch has not begun";
    if (sets_.epoch() != member.genesis().epoch.value()) {
      return absl::StrCat("blocks are of epoch ", sets_.epoch(), ", and nodes are in epoch ",
                          member.genesis().epoch.value());
    }
    for (const uint32_t i : sets_.everybody()) {
      if (!sets_.WasUntil(i).has_value() || sets_.IsReplaced(i)) continue;
      if (!cluster_.IsRemoved(i))
        return absl::StrCat("node ", i, " is not told that it was removed");
    }
    return "";
  }

  // Whoever takes part, or was told that it does not any more, has no key of an epoch that is over.
  std::string JudgeKeys() {
    if (!schedule_.network.renew_cosigner_keys) return "";
    for (const uint32_t i : sets_.everybody()) {
      if (sets_.WasUntil(i).has_value() && !cluster_.IsRemoved(i)) continue;
      const std::string files = cluster_.KeyFiles(i);
      for (const ledger::KeySeed& seed : cluster_.CosignerSeeds(i)) {
        if (!sets_.IsOver(ledger::SigningKey::FromSeed(seed).public_key())) continue;
        if (absl::StrContains(files, HexEncode(seed))) {
          return absl::StrCat("node ", i, " still has a cosigner key of an epoch that is over");
        }
        ++result_.counts["cosigner keys destroyed"];
      }
    }
    return "";
  }

  // Those that are no validators any more have no block of a later epoch. They are then taken away.
  std::string JudgeFormer() {
    for (const uint32_t i : sets_.everybody()) {
      const std::optional<uint64_t> until = sets_.WasUntil(i);
      if (!until.has_value() || cluster_.node(i) == nullptr) continue;
      const uint64_t executed = cluster_.node(i)->Status().executed.value();
      if (executed > *until) {
        return absl::StrCat("node ", i, " was a validator up to block ", *until, ", and executed ",
                            executed);
      }
      if (cluster_.IsRemoved(i)) ++result_.counts["removed validators told"];
      cluster_.Crash(i, ledger::CrashMode::kProcessOnly);
    }
    return "";
  }

  // One that joined by a snapshot may have no windows to detect with.
  bool LacksDetector(uint32_t i, const node::NodeStatus& status) const {
    return (injector_.damaged(i) || injector_.newcomer(i)) && status.detector == Height(0);
  }

  void Judge() {
    if (schedule_.network.validators > 1) Fail(sets_.Finish(watch_.highest().value()));
    if (ok()) Fail(JudgeKeys());
    if (ok()) Fail(JudgeFormer());
    if (!ok()) return;
    std::vector<bool> damaged;
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      damaged.push_back(injector_.damaged(i) || injector_.newcomer(i));
    }
    Fail(CheckChains(&cluster_, clients_, damaged));
    if (ok()) Fail(CheckSnapshots(&cluster_, injector_, &result_.snapshots));
    // The model is made of events' bytes: where they are dropped there is none.
    if (ok() && schedule_.payload_age_millis == 0)
      Fail(CheckIndexes(&cluster_, damaged, schedule_.seed, &result_.queries));
    if (!ok() || !schedule_.detection) return;
    const DetectionFindings findings = CheckDetection(&cluster_, sets_.smallest() / 2 + 1, damaged);
    Fail(findings.wrong);
    result_.models = findings.active_models;
    result_.alerts = findings.alerts;
  }

  void Finish() {
    std::string bytes;
    ByteWriter writer(&bytes);
    writer.Fixed(cluster_.Digest());
    for (const auto& client : clients_) {
      result_.acknowledged += client->acknowledged().size();
      result_.retries += client->retries();
      for (const auto& [sequence, acknowledged] : client->acknowledged()) {
        writer.U64(sequence).U64(acknowledged.receipt.record_index.value());
      }
    }
    writer.Prefixed(AsBytes(result_.wrong));
    result_.digest = ledger::Sha256(AsBytes(bytes));
    result_.micros = cluster_.clock().MonotonicMicros();
    result_.height = watch_.highest().value();
    result_.counts.merge(injector_.Counts());
    result_.counts.merge(changes_.Counts());
    result_.counts["epochs begun"] = sets_.epoch() - 1;
    result_.counts["votes"] = wire_.votes();
    result_.counts["terms with a leader"] = wire_.leaders();
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      if (cluster_.node(i) == nullptr) continue;
      result_.elections = std::max(result_.elections, cluster_.node(i)->Status().core.view.value());
    }
  }

  const Schedule schedule_;
  const Tracer trace_;
  SimCluster cluster_;
  AgreementWatch watch_;
  SetWatch sets_;
  WireWatch wire_;
  FaultInjector injector_;
  SetChanges changes_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  RunResult result_;
};

}  // namespace

RunResult RunSchedule(const Schedule& schedule, const Tracer& trace) {
  return ScheduleRun(schedule, trace).Run();
}

}  // namespace vigil::sim
