// Deterministic draws from a seed, by hashing a counter.
#ifndef VIGIL_DETECTOR_FOREST_DRAWS_H_
#define VIGIL_DETECTOR_FOREST_DRAWS_H_

#include <cstdint>
#include <vector>

#include "detector/features/hash.h"

namespace vigil::detector {

// What a stream of draws is for; streams of different purposes are independent.
// Part of the protocol: never renumber.
enum class DrawPurpose : uint32_t {
  kTree = 1,        // One stream per tree of the forest; index = tree.
  kHeldOut = 2,     // Which rows the trees never see; index 0.
  kProjection = 3,  // One stream per projection of LODA; index = projection.
};

// Block i of a stream is hash("vigil/detector/draw/v1" 00 | seed | purpose u32 | index u32 | i
// u64), little-endian, read as eight u32.
class CounterDraws {
 public:
  CounterDraws(const Digest& seed, DrawPurpose purpose, uint32_t index, Hash32 hash);

  uint32_t Next();
  // Uniform in [0, bound), without bias: draws at or above the largest multiple of `bound` are
  // thrown away. REQUIRES: bound > 0.
  uint32_t Below(uint32_t bound);
  // `count` different numbers below `total` in the order drawn (the first steps of a Fisher-Yates
  // shuffle). REQUIRES: count <= total.
  std::vector<uint32_t> Sample(uint32_t count, uint32_t total);

 private:
  Hash32 hash_;
  std::vector<uint8_t> message_;  // The hashed bytes; the counter is the last eight.
  uint64_t counter_ = 0;
  Digest block_{};
  size_t used_ = sizeof(Digest);
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FOREST_DRAWS_H_
