// How well scores separate attacks from the rest. Floating point: nothing here is decided on.
#ifndef VIGIL_CLIENT_TABLE_SEPARATION_H_
#define VIGIL_CLIENT_TABLE_SEPARATION_H_

#include <cstdint>
#include <vector>

namespace vigil::client {

struct ScoredRow {
  uint32_t score_q8 = 0;
  bool is_attack = false;
};

// A point of a curve, both in [0, 1].
struct CurvePoint {
  double x = 0;
  double y = 0;
};

struct Separation {
  double auc = 0;                // Area under the ROC curve; ties count half.
  double average_precision = 0;  // Sum over the scores of precision times gained recall.
  double tpr_at_1_percent = 0;  // True positive rate at 1 % false positives, between scores linear.
  std::vector<CurvePoint> roc;  // (false positive rate, true positive rate), from (0, 0) to (1, 1).
  std::vector<CurvePoint> precision_recall;  // (recall, precision), by falling score.
};

// REQUIRES: at least one attack and one other row.
Separation Separate(std::vector<ScoredRow> rows);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_SEPARATION_H_
