// Schedule: everything that decides a run of the simulator, as text that can be kept and shortened.
//
// A schedule has settings (how many validators, what load, from which seed the network and the
// actors draw their order) and a list of fault events in order of time. The same schedule gives the
// same run. docs/testing.md tells the format.
#ifndef VIGIL_TESTS_SIM_SCHEDULE_H_
#define VIGIL_TESTS_SIM_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/test_network.h"

namespace vigil::sim {

enum class FaultKind {
  kCrash,      // The process of `node` ends as `mode` says; started again after `for`.
  kPowerLoss,  // The same for all nodes at one moment.
  kTearWrite,  // The disk of `node` stops in the middle of its operation after `skip` others.
  kDiskFault,  // A call of `node` on files of `place` fails as `fault` says, after `skip` others.
  kDiskFull,   // The disk of `node` has no room for `for`.
  kBitFlip,    // Bit `bit` of a byte at rest turns over: file and offset follow from `at_permille`.
  kLoss,       // A part of all frames is lost.
  kRepeat,     // A part of all frames comes twice.
  kReplay,     // A part of all frames is followed by an older one of the same link.
  kDelay,      // Frames take up to `micros`.
  kReorder,    // Frames of one link overtake each other.
  kCut,        // Nothing comes from `node` to `to`.
  kPause,      // The process of `node` gets no time (SIGSTOP).
  kStall,      // One actor of `node` gets no time: `actor`.
  kSkew,       // The wall clock of `node` is wrong by `millis`.
  kSlow,       // Every frame from and to `node` takes `micros` longer.
  kRejoin,     // The operator has `node` join anew (vigild rejoin).
  kChangeSet,  // An organisation proposes another set of validators; `amount` others are against
               // it.
};
inline constexpr int kFaultKindCount = static_cast<int>(FaultKind::kChangeSet) + 1;
absl::string_view FaultKindName(FaultKind kind);
absl::string_view DiskCallName(ledger::DiskCall call);
absl::string_view DiskFaultName(ledger::DiskFault fault);

struct FaultEvent {
  int64_t at_micros = 0;  // From the beginning of the run.
  FaultKind kind = FaultKind::kCrash;
  uint32_t node = 0;
  uint32_t to = 0;
  int64_t for_micros = 0;  // How long it lasts, or how long the process stays down.
  int64_t amount = 0;      // permille, micros, millis, skip, bit: as the kind says.
  uint32_t at_permille = 0;
  ledger::CrashMode mode = ledger::CrashMode::kProcessOnly;
  ledger::DiskCall call = ledger::DiskCall::kWrite;
  ledger::DiskFault fault = ledger::DiskFault::kIoError;
  std::string place;  // Part of a path, the name of an actor, or how the set is changed.

  bool operator==(const FaultEvent&) const = default;
};

struct Schedule {
  uint64_t seed = 1;
  NetworkOptions network;
  ClientOptions client;
  uint32_t clients = 4;
  int64_t fault_micros = 20'000'000;         // Length of the first phase.
  bool hurried = false;                      // Actors do not always come to rest between steps.
  bool detection = false;                    // Small windows, and events that stand out.
  uint32_t segment_bytes = 8u << 20;         // Of the journal.
  uint32_t write_buffer_bytes = 256u << 10;  // Of LevelDB.
  int64_t payload_age_millis = 0;            // Of every validator's configuration, as are:
  int64_t scrub_interval_micros = 86'400'000'000;
  uint32_t index_keep_blocks = 0;
  uint32_t blocks_in_flight_max = 4;
  bool large_events = false;       // 18 KiB each, one in a batch.
  std::vector<FaultEvent> events;  // By time.
};

// What a detector needs to have something to find in a short run.
void UseSmallDetector(Schedule* schedule);

std::string WriteFaultEvent(const FaultEvent& event);
std::string WriteSchedule(const Schedule& schedule);
// Errors: kInvalidArgument naming the line, and what belongs there.
absl::StatusOr<Schedule> ParseSchedule(absl::string_view text);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SCHEDULE_H_
