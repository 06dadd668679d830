// TraceWriter: a run as text for people, and its last part as a Mermaid sequence diagram.
#ifndef VIGIL_TESTS_SIM_TRACE_WRITER_H_
#define VIGIL_TESTS_SIM_TRACE_WRITER_H_

#include <cstdint>
#include <deque>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "tests/sim/sim_run.h"

namespace vigil::sim {

class TraceWriter {
 public:
  // Either path may be empty. What is there is replaced.
  TraceWriter(const std::string& trace_path, const std::string& mermaid_path);

  void Add(const TraceEntry& entry);
  // Writes the diagram. When a promise was broken its last lines are what came before; else the
  // end of the faults.
  void Finish();
  // False when a file could not be written.
  bool ok() const { return ok_; }

  static constexpr size_t kDiagramEntriesMax = 100;

 private:
  const std::string trace_path_;
  const std::string mermaid_path_;
  std::ofstream trace_;
  std::deque<TraceEntry> last_;
  std::map<std::pair<uint32_t, uint32_t>, std::string> said_;  // By sender and receiver.
  bool frozen_ = false;  // The diagram shows what came before.
  bool ok_ = true;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_TRACE_WRITER_H_
