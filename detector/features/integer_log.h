// Base-2 logarithms of integers without floating point: the same bits on every machine.
#ifndef VIGIL_DETECTOR_FEATURES_INTEGER_LOG_H_
#define VIGIL_DETECTOR_FEATURES_INTEGER_LOG_H_

#include <cstdint>

namespace vigil::detector {

// log2(value) in 1/65536 bit, within 2/65536 of the true value; never falls as `value` grows.
// REQUIRES: value >= 1.
int32_t Log2Q16(uint64_t value);

// log2(value) in 1/256 bit, rounded to nearest. REQUIRES: value >= 1.
inline int32_t Log2Q8(uint64_t value) { return (Log2Q16(value) + 128) >> 8; }

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_INTEGER_LOG_H_
