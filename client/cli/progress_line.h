// How far a long command is, on one line of a terminal; silent where standard error is none.
#ifndef VIGIL_CLIENT_CLI_PROGRESS_LINE_H_
#define VIGIL_CLIENT_CLI_PROGRESS_LINE_H_

#include <chrono>
#include <cstdint>
#include <ostream>

#include "absl/strings/string_view.h"

namespace vigil::client {

// Repaints at most ten times a second; the line is gone when the object is.
class ProgressLine {
 public:
  explicit ProgressLine(std::ostream* err);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  // "phase done of total (12 %)"; without a total when that is 0.
  void Show(absl::string_view phase, uint64_t done, uint64_t total);
  // "phase [######....] 60 %", for work of which only the share is of interest.
  void ShowBar(absl::string_view phase, uint64_t done, uint64_t total);

 private:
  bool IsDue();

  std::ostream* const err_;
  const bool shown_;
  bool painted_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_PROGRESS_LINE_H_
