// Counts published vectors that a test has judged, for tests/ledger/vectors/table.py.
#ifndef VIGIL_TESTS_SUPPORT_VECTORS_H_
#define VIGIL_TESTS_SUPPORT_VECTORS_H_

#include <cstddef>
#include <iostream>

#include "absl/strings/string_view.h"

namespace vigil {

// One line on stdout: `count` cases of `what`, from the folder `vectors/<folder>` beside the
// checkout, were judged by this test. Called once each case has been.
inline void CountVectors(absl::string_view folder, absl::string_view what, size_t count) {
  if (count > 0) std::cout << "vectors\t" << folder << '\t' << what << '\t' << count << std::endl;
}

}  // namespace vigil

#endif  // VIGIL_TESTS_SUPPORT_VECTORS_H_
