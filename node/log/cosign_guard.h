// The cosigner's guard: what this validator has cosigned, as the journal remembers it
// (docs/formats/transparency_log.md). On disk before a signature leaves.
#ifndef VIGIL_NODE_LOG_COSIGN_GUARD_H_
#define VIGIL_NODE_LOG_COSIGN_GUARD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::node {

// A floor without a known end: what was signed before a restore. It comes down to what is committed
// once the validator votes again (protocol.md, C5). Stored: never changes.
inline constexpr Height kFloorUntilVoter{UINT64_MAX};

struct CosignGuard {
  uint64_t size = 0;  // Nothing smaller is ever cosigned again, and at this size only `root`.
  Hash root;          // Zero while size is 0.
  Height floor;       // Nothing at or below this height is cosigned: what was may be forgotten.

  bool operator==(const CosignGuard&) const = default;
};

std::string EncodeCosignGuard(const CosignGuard& guard);
// Errors: kDataLoss when `bytes` are not what EncodeCosignGuard() makes.
absl::StatusOr<CosignGuard> DecodeCosignGuard(absl::string_view bytes);

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_COSIGN_GUARD_H_
