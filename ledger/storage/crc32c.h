// CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4), with the CPU's instruction where it has
// one.
//
// Finds accidents on disk, not attackers. Pure; thread-safe.
#ifndef VIGIL_LEDGER_STORAGE_CRC32C_H_
#define VIGIL_LEDGER_STORAGE_CRC32C_H_

#include <cstdint>

#include "ledger/base/bytes.h"

namespace vigil::ledger {

// The CRC of `a` followed by `b` is Crc32cExtend(Crc32c(a), b).
uint32_t Crc32cExtend(uint32_t crc, ByteSpan bytes);
inline uint32_t Crc32c(ByteSpan bytes) { return Crc32cExtend(0, bytes); }

// The table-driven version, for CPUs without the instruction.
uint32_t Crc32cExtendPortable(uint32_t crc, ByteSpan bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_CRC32C_H_
