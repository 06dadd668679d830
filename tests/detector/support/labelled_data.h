// Labelled public data sets as raw tables, and the figures they are judged by. Tests only: floating
// point is fine here.
#ifndef VIGIL_TESTS_DETECTOR_SUPPORT_LABELLED_DATA_H_
#define VIGIL_TESTS_DETECTOR_SUPPORT_LABELLED_DATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "detector/features/schema.h"

namespace vigil::detector::testing {

struct LabelledTable {
  RawTable rows;
  std::vector<bool> is_attack;
};

// The folder of shared data sets: $VIGIL_SHARED_DIR, else ../shared beside the repository.
std::string SharedFolder();

// NSL-KDD (Tavallaee et al., CISDA 2009): 41 columns as declared by its field list, rates in
// hundredths, and three combinations of protocol, service and flag.
Schema NslKddSchema();
// Nothing when the file is not there. `name` as in the set, "KDDTrain+.txt.gz".
std::optional<LabelledTable> LoadNslKdd(const std::string& name);

// KDD Cup 1999 http and smtp subsets (ADBench): three columns, stored there as log(x + 0.1).
Schema KddServiceSchema();
std::optional<LabelledTable> LoadKddService(const std::string& name);

struct Quality {
  double auc = 0;                  // Area under the ROC curve, ties counted half.
  double average_precision = 0;    // Sum over thresholds of precision times gained recall.
  double recall_at_1_percent = 0;  // True positive rate at 1 % false positives, interpolated.
};
Quality Judge(const std::vector<uint32_t>& scores, const std::vector<bool>& is_attack);

}  // namespace vigil::detector::testing

#endif  // VIGIL_TESTS_DETECTOR_SUPPORT_LABELLED_DATA_H_
