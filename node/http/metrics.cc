#include "node/http/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <utility>
#include <vector>

#include "node/driver/process_usage.h"

namespace vigil::node {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  void Gauge(const std::string& name, const std::string& help, double value) {
    Add(name, help, MetricType::Gauge).gauge.value = value;
  }
  void Counter(const std::string& name, const std::string& help, double value) {
    Add(name, help, MetricType::Counter).counter.value = value;
  }
  // A further sample of the family `name` with one label.
  void Labelled(const std::string& name, const std::string& help, const std::string& label,
                const std::string& text, double value) {
    ClientMetric& metric = Add(name, help, MetricType::Gauge);
    metric.label.push_back({label, text});
    metric.gauge.value = value;
  }
  std::string Text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  ClientMetric& Add(const std::string& name, const std::string& help, MetricType type) {
    if (families_.empty() || families_.back().name != name) {
      families_.push_back({.name = name, .help = help, .type = type, .metric = {}});
    }
    return families_.back().metric.emplace_back();
  }
  std::vector<MetricFamily> families_;
};

void AddChain(const NodeServices& services, const NodeStatus& status, Families* families) {
  families->Gauge("vigil_committed_height", "Highest block known to be committed.",
                  static_cast<double>(status.core.committed.height.value()));
  families->Gauge("vigil_executed_height", "Highest block executed here.",
                  static_cast<double>(status.executed.value()));
  families->Gauge("vigil_indexed_height", "Highest block in the search index.",
                  static_cast<double>(status.indexed.value()));
  families->Gauge("vigil_detector_height", "Highest block the detector has seen.",
                  static_cast<double>(status.detector.value()));
  families->Gauge("vigil_detector_warm",
                  "1 when the detector's windows are complete, so that it alerts and judges.",
                  status.warmth.warm);
  families->Counter("vigil_detector_fetched_bytes_total",
                    "Bytes that the detector fetched from other validators to get warm.",
                    static_cast<double>(status.warmth.bytes_fetched));
  families->Counter("vigil_detector_bad_answers_total",
                    "Answers to the detector's fetches that did not hold.",
                    static_cast<double>(status.warmth.bad_answers));
  families->Gauge("vigil_final_height", "Highest block that a final checkpoint covers.",
                  static_cast<double>(status.final.value()));
  families->Gauge("vigil_snapshot_height", "Height of the newest snapshot on disk; 0: none.",
                  static_cast<double>(status.snapshot.height.value()));
  families->Gauge("vigil_snapshot_bytes", "Size of the newest snapshot on disk.",
                  static_cast<double>(status.snapshot.bytes));
  families->Counter("vigil_snapshot_failures_total",
                    "Snapshots that could not be kept for want of room on the disk.",
                    static_cast<double>(status.snapshot.failure_count));
  families->Gauge("vigil_log_size", "Leaves of the log recomputed from stored bytes.",
                  static_cast<double>(status.log.size));
  families->Gauge("vigil_cosigned_size", "Size of the newest checkpoint cosigned since the start.",
                  static_cast<double>(status.log.cosigned_size));
  families->Counter("vigil_fork_evidence_total",
                    "Checkpoints of other validators that contradict this chain.",
                    static_cast<double>(status.log.fork_count));
  families->Gauge("vigil_cosigner_key_epoch",
                  "Epoch since which this validator's cosigner key is in use.",
                  static_cast<double>(status.cosigner_key.since.value()));
  families->Gauge("vigil_cosigner_key_old",
                  "1 while the cosigner key of an epoch that is over is not destroyed.",
                  status.cosigner_key.has_old);
  families->Gauge("vigil_log_refusing", "1 when this validator cosigns nothing any more.",
                  !status.log.refusing_reason.empty());
  const absl::StatusOr<ledger::Tip> tip = services.Snapshot()->GetTip();
  if (!tip.ok()) return;
  families->Counter("vigil_records_total", "Records and seals in the log.",
                    static_cast<double>(tip->tree.size()));
  families->Counter("vigil_events_total", "Events in accepted batches.",
                    static_cast<double>(tip->event_count));
  families->Counter("vigil_alerts_total", "Alerts proposed on the chain.",
                    static_cast<double>(tip->alert_count));
  families->Counter("vigil_alerts_confirmed_total", "Alerts confirmed by a quorum.",
                    static_cast<double>(tip->alert_confirmed_count));
}

void AddScrub(const NodeStatus::Scrub& scrub, Families* families) {
  families->Counter("vigil_scrub_passes_total", "Times that everything old was read again.",
                    static_cast<double>(scrub.passes));
  families->Counter("vigil_scrub_bytes_total", "Bytes that were read again.",
                    static_cast<double>(scrub.bytes));
  families->Counter("vigil_scrub_damage_total", "Damaged places that the scrub found.",
                    static_cast<double>(scrub.damaged));
  families->Counter("vigil_scrub_repaired_total", "Damaged places that the scrub repaired.",
                    static_cast<double>(scrub.repaired));
  families->Counter("vigil_scrub_bad_answers_total",
                    "Blocks of other validators that were not the ones asked for.",
                    static_cast<double>(scrub.bad_answers));
  families->Gauge("vigil_scrub_unrepaired", "Damaged places that are not repaired.",
                  static_cast<double>(scrub.unrepaired));
}

void AddArchive(const NodeStatus::Archive& archive, Families* families) {
  families->Gauge("vigil_journal_limit_bytes",
                  "Above this size the journal's oldest segments are archived; 0: never.",
                  static_cast<double>(archive.limit_bytes));
  families->Gauge("vigil_journal_bytes", "Size of the journal's files; 0 while they have no limit.",
                  static_cast<double>(archive.journal_bytes));
  families->Counter("vigil_archived_bytes_total",
                    "Bytes that moved from the journal to its archive since the start.",
                    static_cast<double>(archive.archived_bytes));
  families->Gauge("vigil_archive_held_back",
                  "1: the journal is above its limit and nothing more may leave, or the archive "
                  "cannot be written; the log says why.",
                  archive.held_back.empty() ? 0 : 1);
}

void AddJoin(const NodeStatus::Join& join, Families* families) {
  families->Gauge("vigil_join_active", "1 while the validator joins by a snapshot.", join.active);
  families->Gauge("vigil_join_snapshot_height", "Height of the snapshot it joins by.",
                  static_cast<double>(join.height.value()));
  families->Gauge("vigil_join_chunks", "Chunks of the snapshot.",
                  static_cast<double>(join.chunk_count));
  families->Gauge("vigil_join_chunks_kept", "Chunks of the snapshot that are here.",
                  static_cast<double>(join.chunks_kept));
  families->Counter("vigil_join_bytes_total", "Bytes fetched for joining.",
                    static_cast<double>(join.bytes_fetched));
  families->Counter("vigil_join_bad_answers_total",
                    "Answers of other validators that did not hold, while joining.",
                    static_cast<double>(join.bad_answers));
}

}  // namespace

void AddLearners(const NodeServices& services, Families* families) {
  const absl::StatusOr<std::vector<NewcomerStanding>> newcomers = services.Newcomers();
  if (!newcomers.ok()) return;
  const auto add = [&](const std::string& name, const std::string& help, const auto& value) {
    for (const NewcomerStanding& one : *newcomers) {
      families->Labelled(
          name, help, "newcomer",
          one.newcomer.entry.identity() + "#" + std::to_string(one.newcomer.proposal.value()),
          static_cast<double>(value(one)));
    }
  };
  add("vigil_newcomer_learns", "1 while a machine that a proposal names learns from this one.",
      [](const NewcomerStanding& one) { return one.learns ? 1 : 0; });
  add("vigil_newcomer_height", "Height that it says it has executed; 0: none.",
      [](const NewcomerStanding& one) { return one.height.value(); });
  add("vigil_newcomer_behind_blocks", "How far that is behind what is final here.",
      [](const NewcomerStanding& one) { return one.behind; });
}

std::string MetricsText(const NodeServices& services) {
  const NodeStatus status = services.Status();
  Families families;
  AddChain(services, status, &families);
  families.Gauge("vigil_epoch", "Epoch of the validator set that runs here.",
                 static_cast<double>(services.genesis().epoch.value()));
  families.Gauge("vigil_view", "Raft term or Simplex view.",
                 static_cast<double>(status.core.view.value()));
  families.Gauge("vigil_is_leader", "1 on the validator that leads.",
                 status.core.role == consensus::CoreRole::kLeader);
  families.Gauge("vigil_refusing", "1 while the node refuses to vote.", status.refusing);
  families.Counter("vigil_uptime_seconds", "Seconds since start.",
                   static_cast<double>(status.uptime_seconds));
  AddLearners(services, &families);
  const ProcessUsage usage = ReadProcessUsage();
  families.Gauge("vigil_resident_bytes", "Resident memory of the process.",
                 static_cast<double>(usage.resident_bytes));
  families.Counter("vigil_cpu_seconds_total", "CPU time of the process, user and system.",
                   static_cast<double>(usage.cpu_micros) / 1e6);
  const auto& validators = services.genesis().validators;
  for (size_t i = 0; i < status.connected.size() && i < validators.size(); ++i) {
    families.Labelled("vigil_peer_connected", "1 while a stream to the validator is open.",
                      "validator", validators[i].identity(), status.connected[i]);
  }
  for (const consensus::PeerProgress& peer : status.core.peers) {
    if (peer.validator.value() >= validators.size()) continue;
    families.Labelled("vigil_peer_match_height",
                      "What the leader knows the validator to have on disk; on the leader only.",
                      "validator", validators[peer.validator.value()].identity(),
                      static_cast<double>(peer.match.value()));
  }
  for (const NodeStatus::Lacking& lacking : status.lacking) {
    if (lacking.validator.value() >= validators.size()) continue;
    families.Labelled("vigil_peer_needs_height",
                      "Block that the validator needs and this one, which leads, has not kept; no "
                      "sample: it needs none.",
                      "validator", validators[lacking.validator.value()].identity(),
                      static_cast<double>(lacking.height.value()));
  }
  families.Counter("vigil_frames_invalid_total",
                   "Frames of peers that were malformed or came without a good hello.",
                   static_cast<double>(status.frames_invalid));
  families.Counter("vigil_pruned_bytes_total", "Bytes that pruning freed since the start.",
                   static_cast<double>(status.pruned_bytes));
  AddArchive(status.archive, &families);
  families.Counter("vigil_linearizable_reads_total", "Linearizable reads that were answered.",
                   static_cast<double>(status.reads_answered));
  families.Counter("vigil_linearizable_reads_failed_total",
                   "Linearizable reads that were not: no leader, too late, or too many.",
                   static_cast<double>(status.reads_failed));
  families.Counter("vigil_frames_dropped_total", "Frames of peers for which there was no room.",
                   static_cast<double>(status.frames_dropped));
  families.Counter("vigil_fetch_answers_total", "Requests of other validators for stored data.",
                   static_cast<double>(status.fetch.answered));
  families.Counter("vigil_fetch_refused_total",
                   "Such requests for which too many of that validator were waiting.",
                   static_cast<double>(status.fetch.refused));
  families.Counter("vigil_fetch_bytes_total", "Bytes of the answers.",
                   static_cast<double>(status.fetch.bytes));
  AddScrub(status.scrub, &families);
  AddJoin(status.join, &families);
  for (const NodeStatus::TrainedModel& model : status.models) {
    families.Labelled("vigil_model_period", "Period of the model trained last, by event type.",
                      "event_type", std::to_string(model.event_type),
                      static_cast<double>(model.period));
  }
  return families.Text();
}

}  // namespace vigil::node
