// What many runs came to: figures added up, as text.
#ifndef VIGIL_TESTS_SIM_REPORT_H_
#define VIGIL_TESTS_SIM_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/sim_run.h"

namespace vigil::sim {

// One line about one run. `real_seconds` is what it took; 0: not known.
std::string RunLine(const std::string& name, const Schedule& schedule, const RunResult& result,
                    double real_seconds);

class Report {
 public:
  void Add(const std::string& name, const RunResult& result, double real_seconds);
  uint64_t runs() const { return runs_; }
  uint64_t failures() const { return failures_.size(); }
  // Totals, the table of faults and the failures, as Markdown.
  std::string Text() const;

 private:
  uint64_t runs_ = 0;
  double real_seconds_ = 0;
  int64_t micros_ = 0;
  int64_t rest_micros_max_ = 0;
  int64_t memory_bytes_max_ = 0;
  uint64_t blocks_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t retries_ = 0;
  uint64_t alerts_ = 0;
  uint64_t queries_ = 0;
  std::map<std::string, uint64_t> counts_;
  std::vector<std::string> failures_;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_REPORT_H_
