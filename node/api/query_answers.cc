// The answers of the Query service, each from one snapshot.
#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/api/convert.h"
#include "node/api/entity_answers.h"
#include "node/api/feed.h"
#include "node/api/query_service.h"
#include "node/driver/process_usage.h"

namespace vigil::node {
namespace {

constexpr uint32_t kPageDefault = 50;
constexpr uint32_t kPageMax = 1000;

std::string RoleText(const NodeStatus& status) {
  return status.refusing ? "refusing" : std::string(consensus::CoreRoleName(status.core.role));
}

void FillPeers(const NodeServices& services, const NodeStatus& status, v1::Status* out) {
  const auto& validators = services.genesis().validators;
  for (size_t i = 0; i < validators.size(); ++i) {
    v1::PeerStatus* peer = out->add_peers();
    peer->set_validator(validators[i].identity());
    peer->set_connected(i < status.connected.size() && status.connected[i]);
    for (const consensus::PeerProgress& progress : status.core.peers) {
      if (progress.validator.value() == i) peer->set_match_height(progress.match.value());
    }
    for (const NodeStatus::Lacking& lacking : status.lacking) {
      if (lacking.validator.value() != i) continue;
      peer->set_needs_height(lacking.height.value());
      peer->set_needs_why(lacking.why);
    }
  }
}

absl::Status FillTrained(const ledger::ChainReader& reader, const NodeStatus& status,
                         v1::Status* out) {
  for (const NodeStatus::TrainedModel& trained : status.models) {
    v1::ModelStatus* model = out->add_models();
    model->set_event_type(trained.event_type);
    model->set_period(trained.period);
    model->set_digest(BytesOf(trained.digest));
    model->set_row_count(trained.row_count);
    model->set_threshold_q8(trained.threshold_q8);
    ASSIGN_OR_RETURN(const auto active, reader.ActiveModel(trained.event_type));
    model->set_active(active.has_value() && active->digest == trained.digest);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint32_t> PageLimit(uint32_t asked) {
  if (asked > kPageMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("limit ", asked, ", at most ", kPageMax, "; use the cursor for more"));
  }
  return asked == 0 ? kPageDefault : asked;
}

absl::Status FillStatus(const NodeServices& services, v1::Status* out) {
  const NodeStatus status = services.Status();
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ASSIGN_OR_RETURN(const ledger::Tip tip, reader->GetTip());
  const ledger::Genesis& genesis = services.genesis();
  out->set_network(genesis.network);
  out->set_chain_id(BytesOf(genesis.chain_id));
  out->set_genesis_hash(BytesOf(genesis.genesis_hash));
  out->set_validator(status.validator);
  out->set_version(VIGIL_VERSION);
  out->set_mode(genesis.mode);
  out->set_role(RoleText(status));
  out->set_epoch(status.core.epoch.value());
  out->set_view(status.core.view.value());
  if (status.core.leader.has_value()) {
    out->set_leader(genesis.validators[status.core.leader->value()].identity());
  }
  out->set_committed_height(status.core.committed.height.value());
  out->set_executed_height(tip.height.value());
  out->set_indexed_height(status.indexed.value());
  out->set_detector_height(status.detector.value());
  out->set_record_count(tip.tree.size());
  out->set_event_count(tip.event_count);
  out->set_alert_count(tip.alert_count);
  out->set_alert_confirmed_count(tip.alert_confirmed_count);
  out->set_state_digest(BytesOf(tip.state_digest));
  out->set_head_hash(BytesOf(tip.block_hash));
  out->set_tree_root(BytesOf(tip.tree.Root()));
  out->set_tree_size(tip.tree.size());
  out->set_uptime_seconds(status.uptime_seconds);
  out->set_refusing_reason(status.refusing_reason);
  const ProcessUsage usage = ReadProcessUsage();
  out->set_cpu_micros(usage.cpu_micros);
  out->set_resident_bytes(usage.resident_bytes);
  out->set_final_height(status.final.value());
  v1::LogStatus* const log = out->mutable_log();
  log->set_size(status.log.size);
  log->set_final_size(status.log.final_size);
  log->set_cosigned_size(status.log.cosigned_size);
  log->set_fork_count(status.log.fork_count);
  log->set_refusing_reason(status.log.refusing_reason);
  v1::SnapshotStatus* const snapshot = out->mutable_snapshot();
  snapshot->set_height(status.snapshot.height.value());
  snapshot->set_byte_count(status.snapshot.bytes);
  snapshot->set_failure_count(status.snapshot.failure_count);
  v1::DetectorStatus* const detector = out->mutable_detector();
  detector->set_warm(status.warmth.warm);
  detector->set_phase(status.warmth.phase);
  detector->set_fetched_byte_count(status.warmth.bytes_fetched);
  detector->set_bad_answer_count(status.warmth.bad_answers);
  v1::ScrubStatus* const scrub = out->mutable_scrub();
  scrub->set_passes(status.scrub.passes);
  scrub->set_damaged(status.scrub.damaged);
  scrub->set_repaired(status.scrub.repaired);
  scrub->set_unrepaired(status.scrub.unrepaired);
  scrub->set_problem(status.scrub.problem);
  FillPeers(services, status, out);
  return FillTrained(*reader, status, out);
}

absl::Status FillBlock(const NodeServices& services, const v1::GetBlockRequest& request,
                       v1::Block* out) {
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  Height height(request.height());
  if (request.which_case() == v1::GetBlockRequest::kHash) {
    ASSIGN_OR_RETURN(const Hash hash, Hash::From(AsBytes(request.hash())));
    ASSIGN_OR_RETURN(const ledger::BlockInfo found, reader->FindBlock(hash));
    height = found.height;
  }
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader->GetBlock(height));
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, services.LoadBlock(height));
  ASSIGN_OR_RETURN(*out, ToProto(services.genesis(), *reader, info, *block, /*with_records=*/true));
  const absl::StatusOr<v1::Checkpoint> checkpoint = CheckpointOf(services);
  if (checkpoint.ok()) MarkFinal(*checkpoint, out);
  return absl::OkStatus();
}

absl::Status FillBlocks(const NodeServices& services, const v1::ListBlocksRequest& request,
                        v1::ListBlocksResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ASSIGN_OR_RETURN(const ledger::Tip tip, reader->GetTip());
  const bool up = request.ascending();
  uint64_t height = request.from_height();
  if (height == 0) height = up ? 1 : tip.height.value();
  if (!up) height = std::min(height, tip.height.value());
  const uint64_t end =
      request.to_height() != 0 ? request.to_height() : (up ? tip.height.value() : 1);
  size_t bytes = 0;
  const absl::StatusOr<v1::Checkpoint> checkpoint = CheckpointOf(services);
  const auto within = [&] {
    return height >= 1 && height <= tip.height.value() && (up ? height <= end : height >= end);
  };
  while (within() && out->blocks_size() < static_cast<int>(limit) && bytes < kPageBytesMax) {
    ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader->GetBlock(Height(height)));
    ASSIGN_OR_RETURN(const ledger::BlockPtr block, services.LoadBlock(Height(height)));
    v1::Block* const added = out->add_blocks();
    ASSIGN_OR_RETURN(*added, ToProto(services.genesis(), *reader, info, *block, false));
    if (checkpoint.ok()) MarkFinal(*checkpoint, added);
    bytes += info.frame_bytes;
    height += up ? 1 : -1;
  }
  if (within()) out->set_next_height(height);
  return absl::OkStatus();
}

absl::Status FillRecord(const NodeServices& services, const v1::GetRecordRequest& request,
                        v1::Record* out) {
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  RecordIndex index(request.record_index());
  if (request.which_case() == v1::GetRecordRequest::kLeafHash) {
    ASSIGN_OR_RETURN(const Hash leaf_hash, Hash::From(AsBytes(request.leaf_hash())));
    ASSIGN_OR_RETURN(index, reader->FindRecord(leaf_hash));
  }
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader->BlockOfRecord(index));
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, services.LoadBlock(info.height));
  out->set_height(info.height.value());
  out->set_block_hash(BytesOf(info.hash));
  const uint64_t position = index - info.first_index;
  if (position == info.record_count) {
    ASSIGN_OR_RETURN(const ledger::BlockInfo before,
                     info.height.value() > 1
                         ? reader->GetBlock(info.height.Previous())
                         : absl::StatusOr<ledger::BlockInfo>(ledger::BlockInfo()));
    out->set_leaf(ledger::EncodeSealLeaf(block->header_bytes(), before.seal_leaf, info.first_index,
                                         info.record_count));
    v1::RecordSummary* seal = out->mutable_summary();
    seal->set_record_index(index.value());
    seal->set_kind(static_cast<uint32_t>(ledger::RecordKind::kSeal));
    seal->set_kind_name("seal");
    seal->set_leaf_hash(BytesOf(info.seal_leaf));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<ledger::RecordResult> results,
                   reader->GetResults(info.height));
  const ledger::Block::Entry& entry = block->records()[position];
  *out->mutable_summary() = Summarise(entry, results[position]);
  out->set_leaf(ToString(entry.leaf));
  out->set_payload(ToString(entry.payload));
  return absl::OkStatus();
}

absl::Status FillEvent(const NodeServices& services, const ledger::ChainReader& reader,
                       const ledger::EventRef& ref, v1::StoredEvent* out) {
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader.BlockOfRecord(ref.record_index));
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, services.LoadBlock(info.height));
  ASSIGN_OR_RETURN(*out, EventAt(reader, info, *block, ref));
  return absl::OkStatus();
}

absl::Status FillAlert(const NodeServices& services, const ledger::ChainReader& reader,
                       RecordIndex index, v1::Alert* out) {
  ASSIGN_OR_RETURN(const ledger::AlertInfo alert, reader.GetAlert(index));
  *out = ToProto(alert);
  RETURN_IF_ERROR(FillFaultsOf(reader, alert, out->mutable_faults()));
  RETURN_IF_ERROR(FillEvent(services, reader, alert.event, out->mutable_event()));
  ledger::RuleBook book(&services.genesis());
  return FillRule(&book, reader, alert, out->event().event(), out);
}

namespace {

constexpr int kAlertPagesMax = 20;  // Of the chain, looked at for one page of an answer.
// The same where events must be read to know: so many alerts at most.
constexpr uint32_t kAlertEventsMax = 2000;

// What ListAlertsRequest asks for.
struct AlertFilter {
  std::optional<ledger::AlertState> state;
  std::string triage;
  std::string assignee;
  uint32_t rule = 0;
  uint32_t component = 0;             // 0: any.
  std::vector<NamedEntity> entities;  // Any of them; empty: whoever.

  bool Takes(const ledger::AlertInfo& alert) const {
    return (triage.empty() || ledger::TriageStateName(alert.triage.state) == triage) &&
           (assignee.empty() || alert.triage.assignee == assignee) &&
           (rule == 0 || alert.rule == rule) && (component == 0 || alert.component == component);
  }
  // Of what only the event says.
  bool TakesEvent(absl::string_view event) const {
    return entities.empty() || NamesAny(event, entities);
  }
};

// 0 for an unknown name.
uint32_t ComponentOf(absl::string_view name) {
  constexpr std::array<absl::string_view, 4> kNames = {"forest", "loda", "surprisal", "rule"};
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? 0 : static_cast<uint32_t>(found - kNames.begin()) + 1;
}

absl::StatusOr<AlertFilter> FilterOf(const v1::ListAlertsRequest& request) {
  AlertFilter filter;
  for (const auto known : {ledger::AlertState::kProposed, ledger::AlertState::kConfirmed,
                           ledger::AlertState::kContested}) {
    if (request.state() == ledger::AlertStateName(known)) filter.state = known;
  }
  if (!request.state().empty() && !filter.state.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("alert state '", request.state(), "'; known: proposed, confirmed, contested"));
  }
  for (const auto known : {ledger::TriageState::kOpen, ledger::TriageState::kAcknowledged,
                           ledger::TriageState::kClosed}) {
    if (request.triage() == ledger::TriageStateName(known)) filter.triage = request.triage();
  }
  if (filter.triage != request.triage()) {
    return absl::InvalidArgumentError(
        absl::StrCat("triage '", request.triage(), "'; known: open, acknowledged, closed"));
  }
  filter.assignee = request.assignee();
  filter.rule = request.rule();
  filter.component = ComponentOf(request.component());
  if (filter.component == 0 && !request.component().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("component '", request.component(),
                                                   "'; known: forest, loda, surprisal, rule"));
  }
  if (!request.entity().empty()) {
    ASSIGN_OR_RETURN(filter.entities, ParseEntityName(request.entity()));
  }
  return filter;
}

// Adds what `filter` takes of one page of the chain; returns where to go on, 0: at the end.
absl::StatusOr<uint64_t> AddAlerts(const NodeServices& services, const ledger::ChainReader& reader,
                                   ledger::RuleBook* book, const AlertFilter& filter, uint64_t from,
                                   bool ascending, uint32_t limit, size_t* bytes,
                                   v1::ListAlertsResponse* out) {
  ASSIGN_OR_RETURN(std::vector<ledger::AlertInfo> alerts,
                   reader.ListAlerts(RecordIndex(from), ascending, limit + 1, filter.state));
  uint64_t next = 0;
  if (alerts.size() > limit) {
    next = alerts[limit].index.value();
    alerts.resize(limit);
  }
  for (const ledger::AlertInfo& alert : alerts) {
    if (*bytes >= kPageBytesMax || static_cast<uint32_t>(out->alerts_size()) == limit) {
      return alert.index.value();
    }
    if (!filter.Takes(alert)) continue;
    v1::StoredEvent event;
    RETURN_IF_ERROR(FillEvent(services, reader, alert.event, &event));
    if (!filter.TakesEvent(event.event())) continue;
    v1::Alert* proto = out->add_alerts();
    *proto = ToProto(alert);
    proto->mutable_triage()->clear_steps();
    proto->mutable_event()->Swap(&event);
    RETURN_IF_ERROR(FillRule(book, reader, alert, proto->event().event(), proto));
    *bytes += proto->ByteSizeLong();
  }
  return next;
}

}  // namespace

absl::Status FillAlerts(const NodeServices& services, const v1::ListAlertsRequest& request,
                        v1::ListAlertsResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  ASSIGN_OR_RETURN(const AlertFilter filter, FilterOf(request));
  ledger::RuleBook book(&services.genesis());
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  uint64_t from = request.cursor();
  if (from == 0 && !request.ascending()) from = UINT64_MAX;
  size_t bytes = 0;
  int pages = kAlertPagesMax;
  if (!filter.entities.empty()) {
    pages = std::clamp(static_cast<int>(kAlertEventsMax / limit), 1, kAlertPagesMax);
  }
  for (int page = 0; page < pages; ++page) {
    ASSIGN_OR_RETURN(from, AddAlerts(services, *reader, &book, filter, from, request.ascending(),
                                     limit, &bytes, out));
    const bool full = bytes >= kPageBytesMax || static_cast<uint32_t>(out->alerts_size()) == limit;
    if (from == 0 || full) break;
  }
  out->set_next_cursor(from);
  return absl::OkStatus();
}

void FillPrecision(const std::vector<ledger::TriageTotals>& totals, v1::Precision* out) {
  for (const ledger::TriageTotals& row : totals) {
    v1::PrecisionRow* const added = out->add_rows();
    added->set_event_type(row.event_type);
    added->set_component(row.component);
    added->set_true_positive(row.true_positive);
    added->set_false_positive(row.false_positive);
    added->set_expected(row.expected);
  }
}

}  // namespace vigil::node
