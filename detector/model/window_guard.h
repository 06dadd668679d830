// What keeps a flood from becoming normal.
#ifndef VIGIL_DETECTOR_MODEL_WINDOW_GUARD_H_
#define VIGIL_DETECTOR_MODEL_WINDOW_GUARD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "detector/features/hash.h"
#include "detector/features/schema.h"

namespace vigil::detector {

// Positions of the rows to keep, ascending: of each set of equal rows the first `identical_max`.
// REQUIRES: identical_max > 0.
std::vector<uint32_t> CapIdenticalRows(const FeatureMatrix& rows, uint32_t identical_max);

// A row as the cap on shares sees it.
struct ReportedRow {
  int64_t reporter = 0;
  int64_t event = 0;
};

// Positions of the rows to keep, ascending. Of R reporters none has more than the share s of the
// rows that are kept, s = 1/2 for two or three and 2/R for more, so twice an even share: each keeps
// at most c rows, for the largest c that this allows, or the smallest that leaves `rows_min` rows
// if that is more. Whoever has more keeps those with the lowest hash("vigil/detector/share/v1" 00 |
// seed | event, i64), so whoever floods a window cannot choose which: the seed came later. A
// reporter that is alone keeps all.
std::vector<uint32_t> CapShare(const std::vector<ReportedRow>& rows, uint32_t rows_min,
                               const Digest& seed, Hash32 hash);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_WINDOW_GUARD_H_
