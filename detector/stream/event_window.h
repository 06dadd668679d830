// The most recent rows of one event type, bounded twice: in their number, and in how many events of
// all types they may reach back.
//
// Rows are kept as read, eight bytes a field, not as event bytes: reading costs more than storing,
// and a row is read for scoring anyway. Belongs to one thread.
#ifndef VIGIL_DETECTOR_STREAM_EVENT_WINDOW_H_
#define VIGIL_DETECTOR_STREAM_EVENT_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "detector/features/event_schema.h"
#include "detector/features/schema.h"
#include "detector/model/parameters.h"
#include "detector/model/row_marks.h"

namespace vigil::detector {

// Windows reach back over so many events of all types, in units of their largest row count.
inline constexpr uint64_t kReachFactor = 16;
inline uint64_t ReachOf(const Parameters& parameters) {
  return kReachFactor * parameters.window_rows_max;
}
// The number of the oldest event that windows may hold after `events` events.
inline uint64_t OldestEvent(const Parameters& parameters, uint64_t events) {
  const uint64_t reach = ReachOf(parameters);
  return events > reach ? events - reach : 0;
}

// Cells of a row of the chain's windows: fields and marks.
inline size_t WindowWidth(EventType type) { return EventSchema(type).field_count() + kRowMarks; }

class EventWindow {
 public:
  // `field_count`: cells of a row.
  EventWindow(size_t field_count, size_t rows_max)
      : field_count_(field_count), rows_max_(rows_max) {}

  // Appends the row of event number `sequence`; the oldest row gives way when rows_max are there.
  // REQUIRES: sequence rises from call to call; row has field_count values.
  void Push(uint64_t sequence, std::span<const int64_t> row);
  // Forgets rows of events before number `sequence`.
  void DropBefore(uint64_t sequence);

  size_t row_count() const { return sequences_.size() - first_; }
  // Event numbers and cells of the rows, oldest first. Valid until the next change.
  std::span<const uint64_t> sequences() const {
    return std::span<const uint64_t>(sequences_).subspan(first_);
  }
  std::span<const int64_t> cells() const {
    return std::span<const int64_t>(cells_).subspan(first_ * field_count_);
  }
  // Sets the mark of the row with this event mark, if it is here. Needs marked rows: the last
  // kRowMarks cells of each are those of row_marks.h.
  void LeaveOut(int64_t event, bool left_out);
  // A copy, oldest row first.
  RawTable Rows() const;

 private:
  void DropFirst(size_t rows);

  size_t field_count_;
  size_t rows_max_;
  size_t first_ = 0;  // Rows before it are forgotten and wait to be freed.
  std::vector<uint64_t> sequences_;
  std::vector<int64_t> cells_;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_STREAM_EVENT_WINDOW_H_
