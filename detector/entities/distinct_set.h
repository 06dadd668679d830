// The things that were seen last, at most `capacity` of them: how many different ones there were in
// a window, and whether one is new.
//
// Keeps the `capacity` greatest by (last time, token) of all that were ever seen, in whatever order
// their times came: what was dropped can only come back with a later time. So a count over a window
// is min(capacity, the true count). Value type; belongs to one thread.
#ifndef VIGIL_DETECTOR_ENTITIES_DISTINCT_SET_H_
#define VIGIL_DETECTOR_ENTITIES_DISTINCT_SET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "detector/features/codec.h"

namespace vigil::detector {

class DistinctSet {
 public:
  enum class Seen { kNew, kKnown, kUnknown };  // kUnknown: not here, but some were dropped.

  Seen Touch(int64_t token, uint64_t millis, size_t capacity);
  // With a last time above `after_millis`.
  uint32_t CountAfter(uint64_t after_millis) const;
  // The same of the whole past; exact while complete().
  size_t size() const { return entries_.size(); }
  bool complete() const { return !dropped_; }

  // u8 dropped | u16 entries | per entry, ascending (time, token): u64 time | i64 token.
  void Serialize(LittleEndianWriter* writer) const;
  // False for bytes that Serialize() does not make of a set of that capacity, with times up to
  // `latest_millis`.
  bool Parse(LittleEndianReader* reader, size_t capacity, uint64_t latest_millis);

 private:
  struct Entry {
    uint64_t millis = 0;
    int64_t token = 0;
    auto operator<=>(const Entry&) const = default;
  };
  bool dropped_ = false;
  std::vector<Entry> entries_;  // In no order.
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_ENTITIES_DISTINCT_SET_H_
