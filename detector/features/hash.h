// The one cryptographic function the detector needs, handed in by the caller.
//
// The core links neither Abseil nor OpenSSL, so that it cross-compiles anywhere; whoever uses it
// passes SHA-256 (FIPS 180-4) as a plain function.
#ifndef VIGIL_DETECTOR_FEATURES_HASH_H_
#define VIGIL_DETECTOR_FEATURES_HASH_H_

#include <array>
#include <cstdint>
#include <span>

namespace vigil::detector {

using Digest = std::array<uint8_t, 32>;

// SHA-256 of `bytes`. Must be pure and callable from any thread.
using Hash32 = Digest (*)(std::span<const uint8_t> bytes);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_HASH_H_
