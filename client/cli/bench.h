// `vigil bench`: offers load and measures what a client sees.
//
// Open loop with --rate: submissions start on a schedule, and latency counts from the scheduled
// time, so a stalled network shows; what could not even wait for a caller counts as not offered,
// and a refusal for want of room is a result like another ("answer" and "no_room" times count from
// the sending). Without a rate, every caller submits again as soon as it was answered.
#ifndef VIGIL_CLIENT_CLI_BENCH_H_
#define VIGIL_CLIENT_CLI_BENCH_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct BenchOptions {
  static constexpr uint64_t kRateMax = 10'000'000;

  uint32_t callers = 16;       // Submissions under way at once, each on its own stream; 1 to 4096.
  uint32_t batch = 1;          // Events of a submission, 1 to 10,000.
  uint32_t event_bytes = 256;  // Size of an event, 128 to 8,192.
  uint32_t seconds = 10;
  uint64_t rate = 0;  // Events per second to offer, at most kRateMax; 0: as fast as answers come.
  std::string ack = "committed";  // committed, final
  bool spread = false;            // Submit to all validators in turn, not only to the leader.
};

absl::Status RunBench(const Session& session, const BenchOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_BENCH_H_
