// Every maximum that more than one folder must know. Units are last in the name; bytes if none.
//
// The limits on the wire are part of the protocol (docs/formats.md): never change one alone.
#ifndef VIGIL_LEDGER_BASE_LIMITS_H_
#define VIGIL_LEDGER_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace vigil {

inline constexpr size_t kRecordLeafBytesMax = 32 * 1024;
inline constexpr size_t kEventBytesMax = 24 * 1024;
inline constexpr uint32_t kBatchItemsMax = 10'000;
// Events of one batch with their size table.
inline constexpr size_t kPayloadBytesMax = 1024 * 1024;
// Upper bound of the governed parameter max_block_bytes; a block frame never exceeds it.
inline constexpr size_t kBlockBytesMax = 4 * 1024 * 1024;
inline constexpr uint32_t kBlockRecordsMax = 16'384;
// No legal message can meet the gRPC limit.
inline constexpr size_t kGrpcMessageBytesMax = 16 * 1024 * 1024;
static_assert(kGrpcMessageBytesMax >= 2 * kBlockBytesMax);
// K of the design: how far execution may lag behind agreement.
inline constexpr uint64_t kExecutionLagHeightsMax = 64;
inline constexpr uint32_t kValidatorsMax = 31;
inline constexpr size_t kNameBytesMax = 64;
inline constexpr size_t kGenesisBytesMax = 4 * 1024 * 1024;

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_LIMITS_H_
