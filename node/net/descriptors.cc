#include "node/net/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace vigil::node {
namespace {

// More brings nothing, and a limit may be "unlimited".
constexpr uint64_t kLimitMax = 1 << 20;
// LevelDB takes no smaller number.
constexpr int kStoreFilesMin = 74;

size_t Part(uint64_t limit, uint64_t divisor, size_t max) {
  return std::min<size_t>(limit / divisor, max);
}

}  // namespace

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kDescriptorsMin;
  const rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  return std::min<uint64_t>(limit.rlim_cur, kLimitMax);
}

DescriptorShares ShareDescriptors(uint64_t limit) {
  return {.api_connections_max = Part(limit, 4, 1024),
          .peer_connections_max = Part(limit, 8, 256),
          .http_connections_max = Part(limit, 16, 40),
          .store_files_max = std::max(kStoreFilesMin, static_cast<int>(Part(limit, 12, 500))),
          .descriptor_max = static_cast<int>(limit - limit / 8)};
}

}  // namespace vigil::node
