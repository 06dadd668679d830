// What ChainReader tells of incidents.
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/incidents.h"

namespace vigil::ledger {

namespace {

absl::StatusOr<IncidentInfo> WithoutAlerts(const StateBase& state, RecordIndex index) {
  ASSIGN_OR_RETURN(std::optional<IncidentRow> row, ReadRow<IncidentRow>(state, IncidentKey(index)));
  if (!row.has_value()) return absl::NotFoundError(absl::StrCat("incident ", index.value()));
  return IncidentInfo{.index = index, .row = *std::move(row), .alerts = {}};
}

}  // namespace

absl::StatusOr<IncidentInfo> ChainReader::GetIncident(RecordIndex index) const {
  ASSIGN_OR_RETURN(IncidentInfo info, WithoutAlerts(*state_, index));
  absl::Status problem;
  const std::string prefix = IncidentAlertPrefix(index);
  RETURN_IF_ERROR(state_->Scan(prefix, [&](absl::string_view key, absl::string_view) {
    ByteReader reader(key.substr(prefix.size()));
    info.alerts.push_back(RecordIndex(reader.U64()));
    problem = reader.Finish("alert of an incident");
    return problem.ok();
  }));
  if (!problem.ok()) return absl::DataLossError(problem.message());
  return info;
}

absl::StatusOr<std::vector<IncidentInfo>> ChainReader::ListIncidents(
    RecordIndex from, bool ascending, uint32_t limit, std::optional<bool> closed) const {
  std::vector<RecordIndex> indexes;
  if (limit == 0) return std::vector<IncidentInfo>();
  const std::string prefix = StoreStateKey(closed.has_value() ? IncidentInStatePrefix(*closed)
                                                              : TablePrefix(Table::kIncident));
  std::string bound = prefix;
  ByteWriter(&bound).U64(from.value());
  const std::string begin = ascending ? bound : prefix;
  const std::string end = ascending ? PrefixEnd(prefix) : bound + '\0';
  absl::Status problem;
  RETURN_IF_ERROR(snapshot_->Scan(begin, end, /*reverse=*/!ascending,
                                  [&](absl::string_view key, absl::string_view) {
                                    ByteReader reader(key.substr(prefix.size()));
                                    indexes.push_back(RecordIndex(reader.U64()));
                                    problem = reader.Finish("incident key");
                                    return problem.ok() && indexes.size() < limit;
                                  }));
  if (!problem.ok()) return absl::DataLossError(problem.message());
  std::vector<IncidentInfo> incidents;
  incidents.reserve(indexes.size());
  for (const RecordIndex index : indexes) {
    ASSIGN_OR_RETURN(IncidentInfo info, WithoutAlerts(*state_, index));
    incidents.push_back(std::move(info));
  }
  return incidents;
}

}  // namespace vigil::ledger
