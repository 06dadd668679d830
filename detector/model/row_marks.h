// What a window of the chain knows of a row besides its fields. Three more columns, behind them;
// tables of others have none.
#ifndef VIGIL_DETECTOR_MODEL_ROW_MARKS_H_
#define VIGIL_DETECTOR_MODEL_ROW_MARKS_H_

#include <cstddef>
#include <cstdint>

namespace vigil::detector {

inline constexpr size_t kReporterMark = 0;  // Who reported the event: a token of the sensor's name.
inline constexpr size_t kEventMark = 1;     // Which event: EventMarkOf().
inline constexpr size_t kLeftOutMark =
    2;  // 1: known to be an attack, no model learns from it. Else 0.
inline constexpr size_t kRowMarks = 3;

// Different for every event, ascending in chain order. REQUIRES: item < 2^14, record < 2^49.
inline int64_t EventMarkOf(uint64_t record, uint32_t item) {
  return static_cast<int64_t>(record << 14 | item);
}

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_ROW_MARKS_H_
