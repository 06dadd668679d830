// Entity windows the slow and obvious way: every sighting is kept, every question is answered by
// going through all of them. Shares nothing with detector/entities but plain types.
#ifndef VIGIL_TESTS_DETECTOR_ENTITIES_REFERENCE_ENTITIES_H_
#define VIGIL_TESTS_DETECTOR_ENTITIES_REFERENCE_ENTITIES_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "detector/entities/entity.h"
#include "tests/detector/entities/entity_events.h"

namespace vigil::detector::testing {

struct Seen {
  uint64_t millis = 0;
  uint64_t count = 1;
  bool failed = false;
  bool logon = false;
  uint64_t bytes_out = 0;
  std::string peer;  // Empty: none.
  std::string port;
  std::string name;
};

struct ReferenceEntity {
  std::vector<Seen> all;  // As they came.

  uint64_t First() const {
    uint64_t first = all.front().millis;
    for (const Seen& seen : all) first = std::min(first, seen.millis);
    return first;
  }
  uint64_t Latest() const {
    uint64_t latest = 0;
    for (const Seen& seen : all) latest = std::max(latest, seen.millis);
    return latest;
  }
  uint64_t Total(bool failed_only) const {
    uint64_t total = 0;
    for (const Seen& seen : all) total += !failed_only || seen.failed ? seen.count : 0;
    return total;
  }
  // Different values with a last time less than `length` before the latest.
  uint32_t Distinct(std::string Seen::*field, uint64_t length, uint32_t capacity) const {
    std::map<std::string, uint64_t> last;
    for (const Seen& seen : all) {
      if (!(seen.*field).empty()) {
        last[seen.*field] = std::max(last[seen.*field], seen.millis);
      }
    }
    uint32_t count = 0;
    for (const auto& [value, millis] : last) count += millis + length > Latest() ? 1 : 0;
    return std::min(count, capacity);
  }
  WindowCounts Window(uint64_t length, const SetCapacities& capacities) const {
    const uint64_t eighth = length / 8;
    WindowCounts counts;
    for (const Seen& seen : all) {
      if (seen.millis / eighth + 8 <= Latest() / eighth) continue;
      counts.events += seen.count;
      counts.failed += seen.failed ? seen.count : 0;
      counts.logon_failures += seen.failed && seen.logon ? seen.count : 0;
      counts.bytes_out += seen.bytes_out;
    }
    counts.peers = Distinct(&Seen::peer, length, capacities.peers);
    counts.ports = Distinct(&Seen::port, length, capacities.ports);
    counts.names = Distinct(&Seen::name, length, capacities.names);
    return counts;
  }
  Rhythm Beat() const {
    std::vector<uint64_t> intervals;
    uint64_t visit = all.front().millis;
    for (const Seen& seen : all) {
      if (seen.millis < visit + 1'000) continue;
      intervals.push_back(std::min<uint64_t>(seen.millis - visit, 0xFFFFFFFF));
      visit = seen.millis;
    }
    if (intervals.size() > 16) intervals.erase(intervals.begin(), intervals.end() - 16);
    Rhythm rhythm;
    if (intervals.empty()) return rhythm;
    std::sort(intervals.begin(), intervals.end());
    const uint64_t median = intervals[intervals.size() / 2];
    rhythm.intervals = static_cast<uint32_t>(intervals.size());
    rhythm.median_millis = static_cast<uint32_t>(median);
    for (const uint64_t interval : intervals) {
      const uint64_t apart = std::max(interval, median) - std::min(interval, median);
      rhythm.regular += apart <= median / 8 ? 1 : 0;
    }
    return rhythm;
  }
  // Whether the last sighting's peer never came before.
  bool PeerIsNew() const {
    if (all.back().peer.empty()) return false;
    return std::none_of(all.begin(), all.end() - 1,
                        [&](const Seen& seen) { return seen.peer == all.back().peer; });
  }
};

// The names that stand for entities here, by kind; empty: none.
using Names = std::array<std::string, 6>;

inline std::string Ip(const std::array<uint8_t, 4>& ip) {
  std::string text;
  for (const uint8_t byte : ip) text += "." + std::to_string(byte);
  return text;
}

class ReferenceEntities {
 public:
  explicit ReferenceEntities(uint32_t half) : half_(half) {}

  Names Add(const EntityEvent& event) {
    const EventView& view = event.view;
    Seen seen;
    seen.millis = std::min(view.time_unix_nano / kNanos, event.block_millis);
    seen.count = view.count == 0 ? 1 : view.count;
    seen.failed = view.status_id == 2;
    seen.logon = view.type_uid / 100 == 3002;
    seen.bytes_out = view.bytes_out;
    Names names;
    names[0] = Ip(event.src);
    names[1] = view.dst.ip.empty() ? "" : Ip(event.dst);
    std::string user = event.user;
    for (char& c : user) c = c == 'U' ? 'u' : c;
    names[4] = user;
    names[5] = event.host;
    const std::string target = names[1].empty() ? names[5] : names[1];
    if (!target.empty()) names[2] = names[0] + ">" + target;
    if (view.dst.port != 0) names[3] = std::to_string(view.dst.port);
    const bool application = view.type_uid / 100 == 4003;
    const Names peers = {target, names[0], names[4], names[0], names[0], names[0]};
    for (size_t kind = 0; kind < 6; ++kind) {
      if (names[kind].empty()) continue;
      Seen own = seen;
      own.peer = peers[kind];
      own.port = kind == 3 ? target : names[3];
      own.name = kind == 0 && application ? event.url : "";
      Touch(kind, names[kind], own);
    }
    return names;
  }

  const ReferenceEntity* Find(size_t kind, const std::string& name) const {
    const auto found = entities_[kind].find(name);
    return found == entities_[kind].end() ? nullptr : &found->second;
  }
  size_t size(size_t kind) const { return entities_[kind].size(); }
  const std::map<std::string, ReferenceEntity>& of(size_t kind) const { return entities_[kind]; }

 private:
  // Oldest first.
  using NameList = std::vector<std::string>;

  static bool Remove(NameList* list, const std::string& name) {
    const auto found = std::find(list->begin(), list->end(), name);
    if (found == list->end()) return false;
    list->erase(found);
    return true;
  }

  void Touch(size_t kind, const std::string& name, const Seen& seen) {
    ReferenceEntity& entity = entities_[kind][name];
    entity.all.push_back(seen);
    Remove(&fresh_[kind], name);
    const bool was_kept = Remove(&kept_[kind], name);
    (was_kept || entity.all.size() >= 4 ? kept_ : fresh_)[kind].push_back(name);
    if (kept_[kind].size() > half_) {
      fresh_[kind].push_back(kept_[kind].front());
      kept_[kind].erase(kept_[kind].begin());
    }
    if (fresh_[kind].size() > half_) {
      entities_[kind].erase(fresh_[kind].front());
      fresh_[kind].erase(fresh_[kind].begin());
    }
  }

  size_t half_;
  std::array<std::map<std::string, ReferenceEntity>, 6> entities_;
  std::array<NameList, 6> fresh_;
  std::array<NameList, 6> kept_;
};

}  // namespace vigil::detector::testing

#endif  // VIGIL_TESTS_DETECTOR_ENTITIES_REFERENCE_ENTITIES_H_
