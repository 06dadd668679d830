#include "tests/sim/sim_run.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/snapshot_file.h"
#include "tests/sim/fault_injector.h"
#include "tests/sim/index_check.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_cluster.h"
#include "tests/sim/wire_watch.h"

namespace vigil::sim {
namespace {

constexpr int64_t kReflectMicros = 5'000'000;
constexpr int64_t kHealMicrosMax = 300'000'000;
constexpr int64_t kOperatorMicros = 2'000'000;  // How often somebody looks after refusing nodes.
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
        injector_(&cluster_, &schedule_, [this](uint32_t node, const std::string& text) {
          Trace(TraceEntry::Kind::kFault, node, 0, text);
        }) {
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
    if (ok()) Fail(watch_.Check(injector_.dying(), injector_.excused()));
  }

  bool RunUntil(const std::function<bool()>& done, int64_t micros_max) {
    return cluster_.RunUntil([&] { return !ok() || done(); }, micros_max, [this] { Step(); });
  }

  // A healed cluster makes progress, and comes to rest when nothing is left to do.
  void LiveOn() {
    for (const auto& client : clients_) client->FinishAfter(kBatchesAfterwards);
    RunUntil([] { return false; }, kReflectMicros);
    if (ok()) Fail(injector_.AcceptTornTails());
    RunUntil([] { return false; }, kReflectMicros);
    const int64_t healed = cluster_.clock().MonotonicMicros() - 2 * kReflectMicros;
    const int64_t end = cluster_.clock().MonotonicMicros() + kHealMicrosMax;
    while (ok()) {
      Fail(injector_.RejoinRefusing());
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
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      if (cluster_.node(i) == nullptr) return absl::StrCat("node ", i, " is down");
    }
    const node::NodeStatus first = cluster_.node(0)->Status();
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      const node::NodeStatus status = cluster_.node(i)->Status();
      if (status.refusing) return absl::StrCat("node ", i, ": ", status.refusing_reason);
      if (status.executed != first.executed || status.core.last.height != status.executed ||
          status.indexed != status.executed ||
          (status.detector != status.executed && !LacksDetector(i, status))) {
        return absl::StrCat("node ", i, " is at ", status.executed.value(), ", its index at ",
                            status.indexed.value(), ", its detector at ", status.detector.value(),
                            ", node 0 at ", first.executed.value());
      }
    }
    const auto open = cluster_.node(0)->Snapshot()->ListAlerts(RecordIndex(0), /*ascending=*/true,
                                                               1, ledger::AlertState::kProposed);
    return open.ok() && open->empty() ? "" : "an alert is not decided";
  }

  // One that joined by a snapshot may have no windows to detect with.
  bool LacksDetector(uint32_t i, const node::NodeStatus& status) const {
    return injector_.damaged(i) && status.detector == Height(0);
  }

  void Judge() {
    std::vector<bool> damaged;
    for (uint32_t i = 0; i < cluster_.size(); ++i) damaged.push_back(injector_.damaged(i));
    Fail(CheckChains(&cluster_, clients_, damaged));
    if (ok()) Fail(CheckSnapshots(&cluster_, injector_, &result_.snapshots));
    // The model is made of events' bytes: where they are dropped there is none.
    if (ok() && schedule_.payload_age_millis == 0)
      Fail(CheckIndexes(&cluster_, damaged, schedule_.seed, &result_.queries));
    if (!ok() || !schedule_.detection) return;
    const DetectionFindings findings = CheckDetection(&cluster_, damaged);
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
    result_.counts = injector_.Counts();
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
  WireWatch wire_;
  FaultInjector injector_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  RunResult result_;
};

}  // namespace

RunResult RunSchedule(const Schedule& schedule, const Tracer& trace) {
  return ScheduleRun(schedule, trace).Run();
}

}  // namespace vigil::sim
