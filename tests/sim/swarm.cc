#include "tests/sim/swarm.h"

#include <algorithm>
#include <array>

#include "ledger/base/check.h"
#include "ledger/base/random.h"

namespace vigil::sim {
namespace {

using ledger::CrashMode;
using ledger::DiskCall;
using ledger::DiskFault;

constexpr int64_t kSecond = 1'000'000;

class Swarm {
 public:
  Swarm(uint64_t seed, const SwarmLimits& limits)
      : random_(seed ^ 0x737761726d), set_random_(seed ^ 0x736574) {
    schedule_.seed = seed;
    DrawSettings(limits);
    // A single validator cannot get company (docs/decisions/0009-changing-validators.md).
    change_sets_ =
        limits.set_changes.value_or(set_random_.Chance(400)) && schedule_.network.validators > 1;
  }

  Schedule Draw() {
    for (int i = 0; i < kFaultKindCount; ++i) {
      const auto kind = static_cast<FaultKind>(i);
      if (kind == FaultKind::kChangeSet) continue;  // Drawn by itself.
      // Half of all kinds, each with its own mean distance from 0.3 to 10 seconds.
      if (!random_.Chance(500)) continue;
      const int64_t mean = Between(300'000, 300'000 + kSecond * Between(0, 10));
      for (int64_t at = Between(0, 2 * mean); at < schedule_.fault_micros;
           at += 1 + Between(0, 2 * mean)) {
        AddEvent(kind, at);
      }
    }
    // Slow journals at a majority, and power gone before they have written: what was promised
    // without being on disk is then gone everywhere.
    if (random_.Chance(500)) AddSlowDisks();
    if (change_sets_) AddSetChanges();
    // As it would be read from a file: nothing counts that the text does not say.
    absl::StatusOr<Schedule> schedule = ParseSchedule(WriteSchedule(schedule_));
    VIGIL_CHECK(schedule.ok(), schedule.status().message());
    return *std::move(schedule);
  }

 private:
  int64_t Between(int64_t min, int64_t max) {
    return min + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(max - min) + 1));
  }
  uint32_t Node() { return static_cast<uint32_t>(random_.Below(schedule_.network.validators)); }
  template <typename T, size_t N>
  T OneOf(const std::array<T, N>& values) {
    return values[random_.Below(N)];
  }

  void DrawSettings(const SwarmLimits& limits) {
    constexpr std::array<uint32_t, 10> kValidators = {1, 3, 3, 3, 3, 4, 5, 5, 5, 7};
    schedule_.network.validators = limits.validators.value_or(OneOf(kValidators));
    schedule_.network.snapshot_interval_blocks = random_.Chance(700) ? 65 : 2048;
    schedule_.network.max_block_bytes = random_.Chance(500) ? 65'536 : 262'144;
    schedule_.clients = static_cast<uint32_t>(Between(1, 6));
    schedule_.client.batches = static_cast<uint32_t>(Between(20, 150));
    schedule_.client.events_max = static_cast<uint32_t>(Between(1, 40));
    schedule_.client.window = static_cast<uint32_t>(Between(1, 12));
    schedule_.fault_micros = limits.fault_micros.value_or(Between(8 * kSecond, 30 * kSecond));
    // Spread over the whole storm.
    schedule_.client.pause_micros_max =
        2 * schedule_.fault_micros / schedule_.client.batches / Between(1, 4);
    schedule_.client.patience_micros = Between(kSecond, 4 * kSecond);
    schedule_.hurried = random_.Chance(500);
    schedule_.segment_bytes = random_.Chance(600) ? 16'384 : 1 << 20;
    schedule_.write_buffer_bytes = random_.Chance(500) ? 65'536 : 262'144;
    if (random_.Chance(300)) schedule_.network.reveal_length = 1 + random_.Below(200);
    if (random_.Chance(300)) schedule_.payload_age_millis = Between(1'000, 10'000);
    if (random_.Chance(500)) schedule_.scrub_interval_micros = Between(100'000, 5 * kSecond);
    if (random_.Chance(200)) schedule_.index_keep_blocks = static_cast<uint32_t>(Between(1, 200));
    schedule_.blocks_in_flight_max = static_cast<uint32_t>(Between(1, 8));
    schedule_.large_events = random_.Chance(100);
    if (limits.detection.value_or(random_.Chance(200))) {
      UseSmallDetector(&schedule_);
      schedule_.client.odd_permille = 10;
      schedule_.client.events_max = std::max(schedule_.client.events_max, 20u);
      schedule_.client.batches = 100;
    }
  }

  CrashMode Mode() {
    return OneOf(std::array{CrashMode::kProcessOnly, CrashMode::kLoseUnsynced,
                            CrashMode::kTornPrefix, CrashMode::kTornSectors, CrashMode::kTornPages,
                            CrashMode::kAnyLoss});
  }

  void AddEvent(FaultKind kind, int64_t at) {
    FaultEvent event;
    event.at_micros = at;
    event.kind = kind;
    event.node = Node();
    event.mode = Mode();
    event.for_micros = Between(10'000, random_.Chance(200) ? 8 * kSecond : 2 * kSecond);
    switch (kind) {
      case FaultKind::kCut:
        return AddPartition(event);
      case FaultKind::kDiskFault:
        return AddDiskFault(event);
      case FaultKind::kTearWrite:
        event.amount = Between(0, 12);
        break;
      case FaultKind::kBitFlip:
        event.place = Place();
        event.at_permille = static_cast<uint32_t>(random_.Below(1000));
        event.amount = Between(0, 7);
        break;
      case FaultKind::kLoss:
        event.amount = Between(1, random_.Chance(200) ? 600 : 100);
        break;
      case FaultKind::kRepeat:
      case FaultKind::kReplay:
        event.amount = Between(1, 200);
        break;
      case FaultKind::kDelay:
        event.amount = Between(5'000, random_.Chance(200) ? 2 * kSecond : 100'000);
        break;
      case FaultKind::kSlow:
        event.amount = Between(5'000, 500'000);
        break;
      case FaultKind::kStall:
        event.place = OneOf(std::array{"journal", "apply", "index", "detect", "log", "snapshot",
                                       "replica", "fetch"});
        break;
      case FaultKind::kSkew:
        event.amount =
            random_.Chance(200) ? Between(-86'400'000, 86'400'000) : Between(-60'000, 60'000);
        break;
      case FaultKind::kRejoin:
        if (random_.Chance(500)) return;
        break;
      case FaultKind::kCrash:
      case FaultKind::kPowerLoss:
      case FaultKind::kDiskFull:
      case FaultKind::kReorder:
      case FaultKind::kPause:
      case FaultKind::kChangeSet:
        break;
    }
    schedule_.events.push_back(std::move(event));
  }

  std::string Place() {
    return OneOf(std::array{"journal/", "journal/", "journal/", "state/", "index/", "detect/",
                            "log/", "snapshots/", "rollback_guard"});
  }

  void AddDiskFault(FaultEvent event) {
    struct Lawful {
      DiskCall call;
      DiskFault fault;
    };
    event.place = Place();
    const Lawful drawn = OneOf(std::array<Lawful, 13>{{{DiskCall::kWrite, DiskFault::kNoSpace},
                                                       {DiskCall::kWrite, DiskFault::kIoError},
                                                       {DiskCall::kWrite, DiskFault::kShortWrite},
                                                       {DiskCall::kWrite, DiskFault::kBitFlip},
                                                       {DiskCall::kWrite, DiskFault::kMisdirected},
                                                       {DiskCall::kSync, DiskFault::kIoError},
                                                       {DiskCall::kSync, DiskFault::kNoSpace},
                                                       {DiskCall::kSync, DiskFault::kPowerOff},
                                                       {DiskCall::kRename, DiskFault::kIoError},
                                                       {DiskCall::kCreate, DiskFault::kNoSpace},
                                                       {DiskCall::kSyncDir, DiskFault::kIoError},
                                                       {DiskCall::kRead, DiskFault::kIoError},
                                                       {DiskCall::kRead, DiskFault::kShortRead}}});
    event.call = drawn.call;
    event.fault = drawn.fault;
    // The journal is written all the time, the rest now and then.
    event.amount = Between(0, event.place == "journal/" ? 10 : 2);
    schedule_.events.push_back(std::move(event));
  }

  // Two sides; sometimes only one of them hears nothing.
  void AddPartition(FaultEvent event) {
    const uint64_t side = random_.Next();
    const bool one_way = random_.Chance(300);
    for (uint32_t a = 0; a < schedule_.network.validators; ++a) {
      for (uint32_t b = 0; b < schedule_.network.validators; ++b) {
        const bool apart = ((side >> a) & 1) != ((side >> b) & 1);
        if (!apart || (one_way && ((side >> a) & 1) == 0)) continue;
        event.node = a;
        event.to = b;
        schedule_.events.push_back(event);
      }
    }
  }

  void AddSlowDisks() {
    const uint32_t validators = schedule_.network.validators;
    const int64_t mean = Between(kSecond, 6 * kSecond);
    for (int64_t at = Between(0, 2 * mean); at < schedule_.fault_micros;
         at += 1 + Between(0, 2 * mean)) {
      FaultEvent stall;
      stall.at_micros = at;
      stall.kind = FaultKind::kStall;
      stall.place = "journal";
      stall.for_micros = Between(20'000, 800'000);
      FaultEvent crash;
      crash.at_micros = at + stall.for_micros * Between(200, 950) / 1000;
      crash.kind = FaultKind::kCrash;
      const uint32_t first = Node();
      // From a bare majority to all. The others may be away for longer than an election takes.
      const auto slow = static_cast<uint32_t>(Between(validators / 2 + 1, validators));
      const bool others_too = random_.Chance(600);
      for (uint32_t i = 0; i < validators; ++i) {
        stall.node = crash.node = (first + i) % validators;
        if (i < slow) schedule_.events.push_back(stall);
        if (i >= slow && !others_too) continue;
        crash.mode = i >= slow             ? CrashMode::kProcessOnly
                     : random_.Chance(700) ? CrashMode::kLoseUnsynced
                                           : Mode();
        crash.for_micros = i < slow ? Between(10'000, kSecond) : Between(2 * kSecond, 6 * kSecond);
        schedule_.events.push_back(crash);
      }
    }
  }

  // The set of validators changes again and again; some of what else happens comes close behind,
  // and some of it meets the newcomers. Drawn from numbers of its own, so that a seed's other
  // events are those that it would have without.
  void AddSetChanges() {
    const auto between = [&](int64_t min, int64_t max) {
      return min + static_cast<int64_t>(set_random_.Below(static_cast<uint64_t>(max - min) + 1));
    };
    const uint32_t validators = schedule_.network.validators;
    schedule_.network.newcomers = static_cast<uint32_t>(between(1, 4));
    schedule_.network.organisations = static_cast<uint32_t>(between(1, 4));
    const uint32_t machines = validators + schedule_.network.newcomers;
    for (FaultEvent& event : schedule_.events) {
      if (!set_random_.Chance(150)) continue;
      const auto newcomer = static_cast<uint32_t>(between(validators, machines - 1));
      (event.kind == FaultKind::kCut ? event.to : event.node) = newcomer;
    }
    constexpr std::array kChanges = {"add", "add", "remove", "replace"};
    const int64_t mean = between(kSecond, 5 * kSecond);
    for (int64_t at = between(0, mean); at < schedule_.fault_micros;
         at += 1 + between(mean / 2, 3 * mean / 2)) {
      FaultEvent change;
      change.at_micros = at;
      change.kind = FaultKind::kChangeSet;
      change.node = static_cast<uint32_t>(between(0, machines - 1));
      change.place = kChanges[set_random_.Below(kChanges.size())];
      change.amount = set_random_.Chance(150) ? between(1, 2) : 0;
      schedule_.events.push_back(change);
      if (set_random_.Chance(400)) AddCrashBehind(at + between(0, 3 * kSecond), machines);
    }
    schedule_.network.renew_cosigner_keys = set_random_.Chance(800);
  }

  // While an epoch may be ending.
  void AddCrashBehind(int64_t at, uint32_t machines) {
    constexpr std::array kModes = {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced,
                                   CrashMode::kAnyLoss};
    FaultEvent crash;
    crash.at_micros = at;
    crash.kind = set_random_.Chance(200) ? FaultKind::kPowerLoss : FaultKind::kCrash;
    crash.node = static_cast<uint32_t>(set_random_.Below(machines));
    crash.mode = kModes[set_random_.Below(kModes.size())];
    crash.for_micros = 10'000 + static_cast<int64_t>(set_random_.Below(3 * kSecond));
    schedule_.events.push_back(crash);
  }

  SplitMix64 random_;
  SplitMix64 set_random_;
  bool change_sets_ = false;
  Schedule schedule_;
};

}  // namespace

Schedule DrawSchedule(uint64_t seed, const SwarmLimits& limits) {
  return Swarm(seed, limits).Draw();
}

}  // namespace vigil::sim
