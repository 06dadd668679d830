// ChainReader's answers from replicated state: keys, streams, alerts, models.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

ModelInfo MakeModelInfo(uint32_t event_type, uint64_t period, const ModelStatement& statement) {
  ModelInfo info;
  info.event_type = event_type;
  info.period = period;
  info.digest = statement.digest;
  info.window_digest = statement.window_digest;
  info.window_end = statement.window_end;
  info.row_count = statement.row_count;
  info.threshold_q8 = statement.threshold_q8;
  info.event_count = statement.event_count;
  return info;
}

// The event types that have a commitment for `period`.
absl::StatusOr<std::set<uint32_t>> CommittedTypes(const StateBase& state, uint64_t period) {
  std::set<uint32_t> types;
  std::string prefix = TablePrefix(Table::kModelCommitment);
  ByteWriter(&prefix).U64(period);
  RETURN_IF_ERROR(state.Scan(prefix, [&](absl::string_view key, absl::string_view) {
    types.insert(ByteReader(key.substr(prefix.size())).U32());
    return true;
  }));
  return types;
}

// One statement of a type and period, with those who made it.
struct StatementGroup {
  ModelStatement statement;
  std::vector<std::string> committed_by;
};

// Every differing statement of a type and period, in the order of the first committer's name.
absl::StatusOr<std::vector<StatementGroup>> GroupCommitments(const StateBase& state,
                                                             uint32_t event_type, uint64_t period) {
  std::vector<StatementGroup> groups;
  absl::Status problem;
  const std::string prefix = ModelCommitmentPrefix(period, event_type);
  RETURN_IF_ERROR(state.Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<CommitmentRow> row = DecodeRow<CommitmentRow>(value);
    absl::StatusOr<std::string> identity = IdentityAtEnd(key, prefix.size());
    problem = row.ok() ? identity.status() : row.status();
    if (!problem.ok()) return false;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const StatementGroup& candidate) {
      return candidate.statement == row->statement;
    });
    if (group == groups.end()) {
      groups.push_back({.statement = row->statement, .committed_by = {}});
      group = std::prev(groups.end());
    }
    group->committed_by.push_back(*std::move(identity));
    return true;
  }));
  RETURN_IF_ERROR(problem);
  return groups;
}

// The models of one type and period, with what is active among them.
absl::Status AppendModels(const StateBase& state, uint32_t event_type, uint64_t period,
                          std::vector<ModelInfo>* models) {
  ASSIGN_OR_RETURN(std::vector<StatementGroup> groups, GroupCommitments(state, event_type, period));
  ASSIGN_OR_RETURN(const std::optional<ModelRow> active,
                   ReadRow<ModelRow>(state, ModelKey(event_type, period)));
  for (StatementGroup& group : groups) {
    ModelInfo info = MakeModelInfo(event_type, period, group.statement);
    info.committed_by = std::move(group.committed_by);
    if (active.has_value() && active->statement == group.statement) {
      info.active = true;
      info.active_from = active->active_from;
      info.drift = active->drift;
      info.drift_height = active->drift_height;
    }
    models->push_back(std::move(info));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view AlertStateName(AlertState state) {
  switch (state) {
    case AlertState::kProposed:
      return "proposed";
    case AlertState::kConfirmed:
      return "confirmed";
    case AlertState::kContested:
      return "contested";
  }
  return "unknown";
}

absl::StatusOr<IdentityInfo> ChainReader::FindKey(const KeyId& key) const {
  ASSIGN_OR_RETURN(std::optional<KeyRow> row, ReadRow<KeyRow>(*state_, KeyKey(key)));
  if (!row.has_value()) return absl::NotFoundError(absl::StrCat("key ", key.ToHex()));
  return IdentityInfo{.identity = std::move(row->identity),
                      .org = std::move(row->org),
                      .roles = row->roles,
                      .key = row->key,
                      .enrolled_at = row->enrolled_at};
}

absl::StatusOr<StreamHead> ChainReader::GetStreamHead(absl::string_view identity,
                                                      absl::string_view stream) const {
  ASSIGN_OR_RETURN(const std::optional<StreamHeadRow> row,
                   ReadRow<StreamHeadRow>(*state_, StreamHeadKey(identity, stream)));
  if (!row.has_value()) return StreamHead{};
  return StreamHead{
      .sequence = row->sequence, .leaf_hash = row->leaf_hash, .record_index = row->record_index};
}

absl::string_view TriageStateName(TriageState state) {
  switch (state) {
    case TriageState::kOpen:
      return "open";
    case TriageState::kAcknowledged:
      return "acknowledged";
    case TriageState::kClosed:
      return "closed";
  }
  return "?";
}

absl::StatusOr<TriageInfo> ChainReader::GetTriage(RecordIndex alert) const {
  TriageInfo info;
  ASSIGN_OR_RETURN(std::optional<TriageRow> row, ReadRow<TriageRow>(*state_, TriageKey(alert)));
  if (!row.has_value()) return info;
  info.state = row->state;
  info.assignee = std::move(row->assignee);
  info.verdict = row->verdict;
  absl::Status problem;
  RETURN_IF_ERROR(
      state_->Scan(TriageStepPrefix(alert), [&](absl::string_view, absl::string_view value) {
        absl::StatusOr<TriageStepRow> step = DecodeRow<TriageStepRow>(value);
        problem = step.status();
        if (!problem.ok()) return false;
        info.steps.push_back({.action = step->action,
                              .by = std::move(step->by),
                              .assignee = std::move(step->assignee),
                              .verdict = step->verdict,
                              .record_index = step->record_index,
                              .height = step->height});
        return true;
      }));
  RETURN_IF_ERROR(problem);
  return info;
}

absl::StatusOr<std::vector<TriageTotals>> ChainReader::ListTriageTotals() const {
  std::vector<TriageTotals> all;
  absl::Status problem;
  const std::string prefix = TablePrefix(Table::kTriageTotals);
  RETURN_IF_ERROR(state_->Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    ByteReader reader(key.substr(prefix.size()));
    TriageTotals totals;
    totals.event_type = reader.U32();
    totals.component = reader.U32();
    problem = reader.Finish("triage totals key");
    const absl::StatusOr<TriageTotalsRow> row = DecodeRow<TriageTotalsRow>(value);
    if (!row.ok()) problem = row.status();
    if (!problem.ok()) return false;
    totals.true_positive = row->true_positive;
    totals.false_positive = row->false_positive;
    totals.expected = row->expected;
    all.push_back(totals);
    return true;
  }));
  if (!problem.ok()) return absl::DataLossError(problem.message());
  return all;
}

absl::StatusOr<AlertInfo> ChainReader::GetAlert(RecordIndex index) const {
  ASSIGN_OR_RETURN(std::optional<AlertRow> row, ReadRow<AlertRow>(*state_, AlertKey(index)));
  if (!row.has_value()) return absl::NotFoundError(absl::StrCat("alert ", index.value()));
  AlertInfo info;
  info.index = index;
  info.height = row->height;
  info.state = row->state;
  info.proposer = std::move(row->proposer);
  info.event = row->event;
  info.event_type = row->event_type;
  info.period = row->period;
  info.model_digest = row->model_digest;
  info.score_q8 = row->score_q8;
  info.threshold_q8 = row->threshold_q8;
  info.component = row->component;
  info.reasons = std::move(row->reasons);
  info.event_leaf = row->event_leaf;
  info.values_commitment = row->values_commitment;
  info.confirmed_height = row->confirmed_height;
  if (info.component == kRuleComponent) {
    ASSIGN_OR_RETURN(const std::optional<AlertRuleRow> rule,
                     ReadRow<AlertRuleRow>(*state_, AlertRuleKey(index)));
    if (!rule.has_value()) {
      return absl::DataLossError(absl::StrCat("alert ", index.value(), " of a rule without it"));
    }
    info.rule = rule->rule;
    info.rules_digest = rule->rules_digest;
    info.entity_kind = rule->entity_kind;
    info.observed = rule->observed;
  }
  ASSIGN_OR_RETURN(const std::optional<AlertAnchorRow> anchor,
                   ReadRow<AlertAnchorRow>(*state_, AlertAnchorKey(index)));
  if (anchor.has_value()) {
    info.anchor_kind = anchor->kind;
    info.anchor = anchor->anchor;
    info.incident = anchor->incident;
  }
  ASSIGN_OR_RETURN(info.triage, GetTriage(index));
  absl::Status problem;
  const std::string prefix = VerdictPrefix(index);
  RETURN_IF_ERROR(state_->Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<VerdictRow> verdict = DecodeRow<VerdictRow>(value);
    absl::StatusOr<std::string> identity = IdentityAtEnd(key, prefix.size());
    problem = verdict.ok() ? identity.status() : verdict.status();
    if (!problem.ok()) return false;
    info.verdicts.push_back({.validator = *std::move(identity),
                             .verdict = static_cast<uint32_t>(verdict->verdict),
                             .score_q8 = verdict->score_q8,
                             .record_index = verdict->record_index});
    return true;
  }));
  RETURN_IF_ERROR(problem);
  std::stable_sort(
      info.verdicts.begin(), info.verdicts.end(),
      [](const AlertVerdict& a, const AlertVerdict& b) { return a.record_index < b.record_index; });
  return info;
}

absl::StatusOr<std::vector<AlertInfo>> ChainReader::ListAlerts(
    RecordIndex from, bool ascending, uint32_t limit, std::optional<AlertState> state) const {
  std::vector<RecordIndex> indexes;
  const std::string prefix =
      StoreStateKey(state.has_value() ? AlertInStateKey(*state, RecordIndex(0)).substr(0, 2)
                                      : TablePrefix(Table::kAlert));
  std::string bound = prefix;
  ByteWriter(&bound).U64(from.value());
  const std::string begin = ascending ? bound : prefix;
  const std::string end = ascending ? PrefixEnd(prefix) : bound + '\0';
  absl::Status problem;
  if (limit == 0) return std::vector<AlertInfo>();
  RETURN_IF_ERROR(snapshot_->Scan(begin, end, /*reverse=*/!ascending,
                                  [&](absl::string_view key, absl::string_view) {
                                    ByteReader reader(key.substr(prefix.size()));
                                    indexes.push_back(RecordIndex(reader.U64()));
                                    problem = reader.Finish("alert key");
                                    return problem.ok() && indexes.size() < limit;
                                  }));
  if (!problem.ok()) return absl::DataLossError(problem.message());
  std::vector<AlertInfo> alerts;
  alerts.reserve(indexes.size());
  for (const RecordIndex index : indexes) {
    ASSIGN_OR_RETURN(AlertInfo info, GetAlert(index));
    alerts.push_back(std::move(info));
  }
  return alerts;
}

absl::StatusOr<std::vector<FaultInfo>> ChainReader::FaultsOf(RecordIndex alert) const {
  std::vector<FaultInfo> faults;
  absl::Status problem;
  const std::string prefix = FaultPrefix(alert);
  RETURN_IF_ERROR(state_->Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<FaultRow> row = DecodeRow<FaultRow>(value);
    absl::StatusOr<std::string> identity = IdentityAtEnd(key, prefix.size());
    problem = row.ok() ? identity.status() : row.status();
    if (!problem.ok()) return false;
    faults.push_back({.alert = alert, .validator = *std::move(identity), .fault = *row});
    return true;
  }));
  RETURN_IF_ERROR(problem);
  return faults;
}

absl::StatusOr<std::vector<RecordIndex>> ChainReader::ListFaultyAlerts(RecordIndex from,
                                                                       uint32_t limit) const {
  std::vector<RecordIndex> alerts;
  if (limit == 0) return alerts;
  absl::Status problem;
  const std::string prefix = StoreStateKey(TablePrefix(Table::kFault));
  std::string bound = prefix;
  ByteWriter(&bound).U64(from.value());
  const std::string end = from.value() == UINT64_MAX ? PrefixEnd(prefix) : PrefixEnd(bound);
  RETURN_IF_ERROR(
      snapshot_->Scan(prefix, end, /*reverse=*/true, [&](absl::string_view key, absl::string_view) {
        ByteReader reader(key.substr(prefix.size()));
        const RecordIndex alert(reader.U64());
        if (!reader.ok()) problem = absl::DataLossError("fault key");
        if (problem.ok() && (alerts.empty() || alerts.back() != alert)) alerts.push_back(alert);
        return problem.ok() && alerts.size() < limit;
      }));
  RETURN_IF_ERROR(problem);
  return alerts;
}

absl::StatusOr<ModelAlertsRow> ChainReader::AlertsOfModel(uint32_t event_type,
                                                          uint64_t period) const {
  ASSIGN_OR_RETURN(const std::optional<ModelAlertsRow> row,
                   ReadRow<ModelAlertsRow>(*state_, ModelAlertsKey(event_type, period)));
  return row.value_or(ModelAlertsRow());
}

absl::StatusOr<uint64_t> ChainReader::PreviousPeriod(uint32_t event_type) const {
  ASSIGN_OR_RETURN(const std::optional<ActiveModelRow> active,
                   ReadRow<ActiveModelRow>(*state_, ActiveModelKey(event_type)));
  return active.has_value() ? active->previous_period : 0;
}

absl::StatusOr<std::optional<RecordIndex>> ChainReader::FindAlert(const EventRef& event,
                                                                  const Hash& model_digest) const {
  ASSIGN_OR_RETURN(const std::optional<IndexRow> row,
                   ReadRow<IndexRow>(*state_, AlertOfEventKey(event, model_digest)));
  if (!row.has_value()) return std::optional<RecordIndex>();
  return std::optional<RecordIndex>(row->index);
}

absl::StatusOr<std::vector<ModelInfo>> ChainReader::ListModels(uint32_t limit) const {
  std::vector<ModelInfo> models;
  const std::string prefix = StoreStateKey(TablePrefix(Table::kModelCommitment));
  std::string end = PrefixEnd(prefix);
  while (models.size() < limit) {
    // The newest period below `end`; then its types in ascending order.
    std::optional<uint64_t> period;
    absl::Status problem;
    RETURN_IF_ERROR(snapshot_->Scan(prefix, end, /*reverse=*/true,
                                    [&](absl::string_view key, absl::string_view) {
                                      ByteReader reader(key.substr(prefix.size()));
                                      period = reader.U64();
                                      if (!reader.ok()) {
                                        problem = absl::DataLossError("model commitment key");
                                      }
                                      return false;
                                    }));
    RETURN_IF_ERROR(problem);
    if (!period.has_value()) break;
    ASSIGN_OR_RETURN(const std::set<uint32_t> types, CommittedTypes(*state_, *period));
    for (const uint32_t event_type : types) {
      RETURN_IF_ERROR(AppendModels(*state_, event_type, *period, &models));
    }
    end = prefix;
    ByteWriter(&end).U64(*period);
  }
  if (models.size() > limit) models.resize(limit);
  return models;
}

absl::StatusOr<std::optional<ModelInfo>> ChainReader::ActiveModel(uint32_t event_type) const {
  ASSIGN_OR_RETURN(const std::optional<ActiveModelRow> active,
                   ReadRow<ActiveModelRow>(*state_, ActiveModelKey(event_type)));
  if (!active.has_value()) return std::optional<ModelInfo>();
  std::vector<ModelInfo> models;
  RETURN_IF_ERROR(AppendModels(*state_, event_type, active->period, &models));
  for (ModelInfo& model : models) {
    if (model.active) return std::optional<ModelInfo>(std::move(model));
  }
  return absl::DataLossError(absl::StrCat("active model of type ", event_type, " and period ",
                                          active->period, ": no commitment states it"));
}

}  // namespace vigil::ledger
