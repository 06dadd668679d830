// What this process has used of the machine.
#ifndef VIGIL_NODE_DRIVER_PROCESS_USAGE_H_
#define VIGIL_NODE_DRIVER_PROCESS_USAGE_H_

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace vigil::node {

struct ProcessUsage {
  uint64_t cpu_micros = 0;      // User and system, since the process began.
  uint64_t resident_bytes = 0;  // Now.
};

inline ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage times{};
  getrusage(RUSAGE_SELF, &times);
  const auto micros = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
  };
  usage.cpu_micros = micros(times.ru_utime) + micros(times.ru_stime);
  std::ifstream statm("/proc/self/statm");
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  if (statm >> total_pages >> resident_pages) {
    usage.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return usage;
}

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_PROCESS_USAGE_H_
