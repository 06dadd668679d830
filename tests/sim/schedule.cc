#include "tests/sim/schedule.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"

namespace vigil::sim {
namespace {

using ledger::CrashMode;
using ledger::DiskCall;
using ledger::DiskFault;

constexpr absl::string_view kFirstLine = "vigil-sim schedule 1";
constexpr size_t kEventsMax = 100'000;
constexpr int64_t kOrganisationsMax = 7;
constexpr int64_t kMicrosMax = int64_t{24} * 3600 * 1'000'000;

// Which fields an event of a kind has, by their keys in the text.
struct KindText {
  absl::string_view name;
  std::vector<absl::string_view> keys;
};
const KindText& TextOf(FaultKind kind) {
  static const std::vector<KindText> kKinds = {
      {"crash", {"node", "mode", "for"}},
      {"power-loss", {"mode", "for"}},
      {"tear-write", {"node", "skip", "mode", "for"}},
      {"disk-fault", {"node", "call", "place", "fault", "skip", "mode", "for"}},
      {"disk-full", {"node", "for"}},
      {"bit-flip", {"node", "place", "at_permille", "bit"}},
      {"loss", {"permille", "for"}},
      {"repeat", {"permille", "for"}},
      {"replay", {"permille", "for"}},
      {"delay", {"micros", "for"}},
      {"reorder", {"for"}},
      {"cut", {"node", "to", "for"}},
      {"pause", {"node", "for"}},
      {"stall", {"node", "actor", "for"}},
      {"skew", {"node", "millis"}},
      {"slow", {"node", "micros", "for"}},
      {"rejoin", {"node"}},
      {"change-set", {"node", "change", "against"}},
  };
  return kKinds[static_cast<size_t>(kind)];
}

template <typename T>
using Names = std::vector<std::pair<T, absl::string_view>>;

const Names<CrashMode>& ModeNames() {
  static const Names<CrashMode> kNames = {
      {CrashMode::kProcessOnly, "kill"},       {CrashMode::kLoseUnsynced, "lose-unsynced"},
      {CrashMode::kTornPrefix, "torn-prefix"}, {CrashMode::kTornSectors, "torn-sectors"},
      {CrashMode::kTornPages, "torn-pages"},   {CrashMode::kAnyLoss, "any-loss"},
  };
  return kNames;
}
const Names<DiskCall>& CallNames() {
  static const Names<DiskCall> kNames = {
      {DiskCall::kOpen, "open"},         {DiskCall::kCreate, "create"},
      {DiskCall::kWrite, "write"},       {DiskCall::kSync, "sync"},
      {DiskCall::kTruncate, "truncate"}, {DiskCall::kRename, "rename"},
      {DiskCall::kRemove, "remove"},     {DiskCall::kSyncDir, "sync-dir"},
      {DiskCall::kRead, "read"},
  };
  return kNames;
}
const Names<DiskFault>& DiskFaultNames() {
  static const Names<DiskFault> kNames = {
      {DiskFault::kNoSpace, "no-space"},     {DiskFault::kShortWrite, "short-write"},
      {DiskFault::kIoError, "io-error"},     {DiskFault::kPowerOff, "power-off"},
      {DiskFault::kBitFlip, "bit-flip"},     {DiskFault::kMisdirected, "misdirected"},
      {DiskFault::kLostWrite, "lost-write"}, {DiskFault::kShortRead, "short-read"},
  };
  return kNames;
}

template <typename T>
absl::string_view NameOf(const Names<T>& names, T value) {
  for (const auto& [other, name] : names) {
    if (other == value) return name;
  }
  return "?";
}
template <typename T>
absl::Status FindName(const Names<T>& names, absl::string_view text, T* value) {
  std::vector<absl::string_view> known;
  for (const auto& [other, name] : names) {
    if (name == text) {
      *value = other;
      return absl::OkStatus();
    }
    known.push_back(name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is none of ", absl::StrJoin(known, ", ")));
}

absl::Status ParseNumber(absl::string_view text, int64_t min, int64_t max, int64_t* value) {
  if (absl::SimpleAtoi(text, value) && *value >= min && *value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no whole number from ", min, " to ", max));
}
template <typename T>
absl::Status ParseInto(absl::string_view text, int64_t min, int64_t max, T* value) {
  int64_t number = 0;
  RETURN_IF_ERROR(ParseNumber(text, min, max, &number));
  *value = static_cast<T>(number);
  return absl::OkStatus();
}

std::string ValueOf(const FaultEvent& event, absl::string_view key) {
  if (key == "node") return absl::StrCat(event.node);
  if (key == "to") return absl::StrCat(event.to);
  if (key == "for") return absl::StrCat(event.for_micros);
  if (key == "at_permille") return absl::StrCat(event.at_permille);
  if (key == "mode") return std::string(NameOf(ModeNames(), event.mode));
  if (key == "call") return std::string(NameOf(CallNames(), event.call));
  if (key == "fault") return std::string(NameOf(DiskFaultNames(), event.fault));
  if (key == "place" || key == "actor" || key == "change") return event.place;
  return absl::StrCat(event.amount);
}

absl::Status SetValue(absl::string_view key, absl::string_view text, FaultEvent* event) {
  if (key == "node") return ParseInto(text, 0, kValidatorsMax - 1, &event->node);
  if (key == "to") return ParseInto(text, 0, kValidatorsMax - 1, &event->to);
  if (key == "for") return ParseInto(text, 0, kMicrosMax, &event->for_micros);
  if (key == "at_permille") return ParseInto(text, 0, 999, &event->at_permille);
  if (key == "mode") return FindName(ModeNames(), text, &event->mode);
  if (key == "call") return FindName(CallNames(), text, &event->call);
  if (key == "fault") return FindName(DiskFaultNames(), text, &event->fault);
  if (key == "permille") return ParseInto(text, 0, 1000, &event->amount);
  if (key == "micros") return ParseInto(text, 0, kMicrosMax, &event->amount);
  if (key == "millis") return ParseInto(text, -kMicrosMax, kMicrosMax, &event->amount);
  if (key == "skip") return ParseInto(text, 0, 1'000'000, &event->amount);
  if (key == "bit") return ParseInto(text, 0, 7, &event->amount);
  if (key == "against") return ParseInto(text, 0, kOrganisationsMax, &event->amount);
  if (key == "change" && text != "add" && text != "remove" && text != "replace") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is none of add, remove, replace"));
  }
  if (text.empty()) return absl::InvalidArgumentError("empty");
  event->place = std::string(text);
  return absl::OkStatus();
}

// The settings by name: how each is written and read.
struct Setting {
  absl::string_view name;
  std::function<int64_t(const Schedule&)> get;
  std::function<void(Schedule*, int64_t)> set;
  int64_t min;
  int64_t max;
};

#define VIGIL_SIM_SETTING(name, field, min, max)                                                \
  Setting {                                                                                     \
    name, [](const Schedule& s) { return static_cast<int64_t>(s.field); },                      \
        [](Schedule* s, int64_t v) { s->field = static_cast<decltype(s->field)>(v); }, min, max \
  }

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> kSettings = {
      VIGIL_SIM_SETTING("seed", seed, 0, INT64_MAX),
      VIGIL_SIM_SETTING("validators", network.validators, 1, 31),
      VIGIL_SIM_SETTING("sensors", network.sensors, 1, 100),
      VIGIL_SIM_SETTING("max_block_bytes", network.max_block_bytes, 65'536, 4 << 20),
      VIGIL_SIM_SETTING("snapshot_interval_blocks", network.snapshot_interval_blocks, 65, 1 << 20),
      VIGIL_SIM_SETTING("clients", clients, 1, 100),
      VIGIL_SIM_SETTING("batches", client.batches, 1, 100'000),
      VIGIL_SIM_SETTING("events_min", client.events_min, 1, 1'000),
      VIGIL_SIM_SETTING("events_max", client.events_max, 1, 1'000),
      VIGIL_SIM_SETTING("odd_permille", client.odd_permille, 0, 1'000),
      VIGIL_SIM_SETTING("window", client.window, 1, 1'000),
      VIGIL_SIM_SETTING("patience_micros", client.patience_micros, 1'000, kMicrosMax),
      VIGIL_SIM_SETTING("pause_micros_max", client.pause_micros_max, 0, kMicrosMax),
      VIGIL_SIM_SETTING("fault_micros", fault_micros, 0, kMicrosMax),
      VIGIL_SIM_SETTING("hurried", hurried, 0, 1),
      VIGIL_SIM_SETTING("detection", detection, 0, 1),
      VIGIL_SIM_SETTING("segment_bytes", segment_bytes, 4'096, 1 << 30),
      VIGIL_SIM_SETTING("write_buffer_bytes", write_buffer_bytes, 65'536, 1 << 30),
      VIGIL_SIM_SETTING("reveal_length", network.reveal_length, 1, 100'000),
      VIGIL_SIM_SETTING("payload_age_millis", payload_age_millis, 0, kMicrosMax),
      VIGIL_SIM_SETTING("scrub_interval_micros", scrub_interval_micros, 1'000, kMicrosMax),
      VIGIL_SIM_SETTING("index_keep_blocks", index_keep_blocks, 0, 1'000'000),
      VIGIL_SIM_SETTING("blocks_in_flight_max", blocks_in_flight_max, 1, 64),
      VIGIL_SIM_SETTING("large_events", large_events, 0, 1),
      VIGIL_SIM_SETTING("spares", network.newcomers, 0, 20),
      VIGIL_SIM_SETTING("organisations", network.organisations, 1, kOrganisationsMax),
      VIGIL_SIM_SETTING("cosigner_keys", network.renew_cosigner_keys, 0, 1),
  };
  return kSettings;
}

#undef VIGIL_SIM_SETTING

absl::StatusOr<FaultEvent> ParseFaultEvent(const std::vector<absl::string_view>& words) {
  if (words.size() < 3) return absl::InvalidArgumentError("\"at MICROS KIND\" belongs here");
  FaultEvent event;
  RETURN_IF_ERROR(ParseInto(words[1], 0, kMicrosMax, &event.at_micros));
  Names<FaultKind> kinds;
  for (int i = 0; i < kFaultKindCount; ++i) {
    kinds.emplace_back(static_cast<FaultKind>(i), FaultKindName(static_cast<FaultKind>(i)));
  }
  RETURN_IF_ERROR(FindName(kinds, words[2], &event.kind));
  const std::vector<absl::string_view>& keys = TextOf(event.kind).keys;
  if (words.size() != keys.size() + 3) {
    return absl::InvalidArgumentError(absl::StrCat(words[2], " has ", absl::StrJoin(keys, ", ")));
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    absl::string_view word = words[i + 3];
    if (!absl::ConsumePrefix(&word, keys[i]) || !absl::ConsumePrefix(&word, "=")) {
      return absl::InvalidArgumentError(
          absl::StrCat(words[2], ": ", keys[i], "= belongs where ", words[i + 3], " stands"));
    }
    RETURN_IF_ERROR(SetValue(keys[i], word, &event));
  }
  return event;
}

absl::Status ParseLine(absl::string_view line, Schedule* schedule) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words[0] == "at") {
    ASSIGN_OR_RETURN(FaultEvent event, ParseFaultEvent(words));
    if (schedule->events.size() >= kEventsMax) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kEventsMax, " events"));
    }
    schedule->events.push_back(std::move(event));
    return absl::OkStatus();
  }
  for (const Setting& setting : Settings()) {
    if (setting.name != words[0] || words.size() != 2) continue;
    int64_t value = 0;
    RETURN_IF_ERROR(ParseNumber(words[1], setting.min, setting.max, &value));
    setting.set(schedule, value);
    if (setting.name == "detection" && value == 1) UseSmallDetector(schedule);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", words[0], "\" is no setting with a value"));
}

}  // namespace

absl::string_view FaultKindName(FaultKind kind) { return TextOf(kind).name; }

absl::string_view DiskCallName(DiskCall call) { return NameOf(CallNames(), call); }

absl::string_view DiskFaultName(DiskFault fault) { return NameOf(DiskFaultNames(), fault); }

void UseSmallDetector(Schedule* schedule) {
  schedule->detection = true;
  ledger::DetectorParameters& detector = schedule->network.detector;
  detector.window_rows_max = 512;
  detector.window_rows_min = 128;
  detector.period_events = 512;
  detector.trees = 10;
  detector.sample_rows = 64;
  detector.seed_reveals = 2;
  detector.threshold_floor_q8 = 256;
}

std::string WriteFaultEvent(const FaultEvent& event) {
  const KindText& text = TextOf(event.kind);
  std::string line = absl::StrCat("at ", event.at_micros, " ", text.name);
  for (const absl::string_view key : text.keys) {
    absl::StrAppend(&line, " ", key, "=", ValueOf(event, key));
  }
  return line;
}

std::string WriteSchedule(const Schedule& schedule) {
  std::string text = absl::StrCat(kFirstLine, "\n");
  for (const Setting& setting : Settings()) {
    absl::StrAppend(&text, setting.name, " ", setting.get(schedule), "\n");
  }
  for (const FaultEvent& event : schedule.events) {
    absl::StrAppend(&text, WriteFaultEvent(event), "\n");
  }
  return text;
}

absl::StatusOr<Schedule> ParseSchedule(absl::string_view text) {
  Schedule schedule;
  int number = 0;
  bool begun = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    absl::Status status;
    if (begun) {
      status = ParseLine(line, &schedule);
    } else if (line != kFirstLine) {
      status = absl::InvalidArgumentError(absl::StrCat("\"", kFirstLine, "\" belongs here"));
    }
    begun = true;
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", status.message()));
    }
  }
  if (!begun) return absl::InvalidArgumentError("line 1: empty; a schedule belongs here");
  if (schedule.client.events_min > schedule.client.events_max) {
    return absl::InvalidArgumentError("events_min is above events_max");
  }
  for (const FaultEvent& event : schedule.events) {
    const uint32_t machines = schedule.network.validators + schedule.network.newcomers;
    if (event.node >= machines || event.to >= machines) {
      return absl::InvalidArgumentError(
          absl::StrCat(WriteFaultEvent(event), ": there are ", schedule.network.validators,
                       " validators and ", schedule.network.newcomers, " spares"));
    }
  }
  std::ranges::stable_sort(schedule.events, {}, &FaultEvent::at_micros);
  return schedule;
}

}  // namespace vigil::sim
