// A small seeded generator for jitter and tests; the same numbers on every compiler and CPU.
//
// Not for keys or salts: those come from ledger/crypto. Header-only, free of Abseil.
#ifndef VIGIL_LEDGER_BASE_RANDOM_H_
#define VIGIL_LEDGER_BASE_RANDOM_H_

#include <cstdint>

namespace vigil {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
// 2014).
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), without bias. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    const uint64_t reject_under = (0 - bound) % bound;
    for (;;) {
      const uint64_t drawn = Next();
      if (drawn >= reject_under) return drawn % bound;
    }
  }

  // True with probability `permille` / 1000.
  bool Chance(uint32_t permille) { return Below(1000) < permille; }

 private:
  uint64_t state_;
};

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_RANDOM_H_
