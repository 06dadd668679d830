// One run of the simulator: clients and faults for a while, then everything is healed and the
// cluster must come to rest with nothing lost.
#ifndef VIGIL_TESTS_SIM_SIM_RUN_H_
#define VIGIL_TESTS_SIM_SIM_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "ledger/base/bytes.h"
#include "tests/sim/schedule.h"

namespace vigil::sim {

struct RunResult {
  std::string wrong;         // Empty: everything held.
  Hash digest;               // Over everything that nodes decided, disks saw and clients heard.
  int64_t micros = 0;        // Of virtual time.
  int64_t rest_micros = 0;   // From healing until everything was at rest.
  int64_t memory_bytes = 0;  // Largest that the process was; only of a run in its own process.
  uint64_t height = 0;
  uint64_t acknowledged = 0;
  uint64_t retries = 0;
  uint64_t elections = 0;                  // Highest view.
  uint64_t models = 0;                     // Active ones, by type and period.
  uint64_t alerts = 0;                     // All of them confirmed.
  uint64_t snapshots = 0;                  // On all disks, one digest for each height.
  uint64_t queries = 0;                    // Asked of the indexes.
  std::map<std::string, uint64_t> counts;  // Of faults that happened, and what they came to.
};

// Something that happened in a run.
struct TraceEntry {
  enum class Kind { kFault, kLog, kFrame, kAnswer, kWrong };
  Kind kind = Kind::kFault;
  int64_t micros = 0;
  uint32_t node = 0;          // Of a log line or a fault, or the sender.
  bool concerns_all = false;  // A fault of no single node.
  uint32_t to = 0;
  std::string text;
};
using Tracer = std::function<void(const TraceEntry&)>;

// Every promise is checked while it runs and at its end. The same schedule gives the same result;
// `trace` may be empty and changes nothing.
RunResult RunSchedule(const Schedule& schedule, const Tracer& trace = nullptr);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SIM_RUN_H_
