#include "client/table/separation.h"

#include <algorithm>

namespace vigil::client {

Separation Separate(std::vector<ScoredRow> rows) {
  std::ranges::sort(rows, std::ranges::greater(), &ScoredRow::score_q8);
  const auto attacks = static_cast<double>(std::ranges::count(rows, true, &ScoredRow::is_attack));
  const double others = static_cast<double>(rows.size()) - attacks;
  Separation result;
  result.roc.push_back({0, 0});
  double hits = 0, alarms = 0;
  for (size_t i = 0; i < rows.size();) {
    const double hits_before = hits, alarms_before = alarms;
    const uint32_t score = rows[i].score_q8;
    for (; i < rows.size() && rows[i].score_q8 == score; ++i) {
      (rows[i].is_attack ? hits : alarms) += 1;
    }
    result.auc += (alarms - alarms_before) / others * (hits + hits_before) / 2 / attacks;
    result.average_precision += (hits - hits_before) / attacks * hits / (hits + alarms);
    const double limit = 0.01 * others;
    if (alarms_before <= limit) {
      const double share =
          alarms > limit ? (limit - alarms_before) / (alarms - alarms_before) : 1.0;
      result.tpr_at_1_percent = (hits_before + (hits - hits_before) * share) / attacks;
    }
    result.roc.push_back({alarms / others, hits / attacks});
    result.precision_recall.push_back({hits / attacks, hits / (hits + alarms)});
  }
  return result;
}

}  // namespace vigil::client
