// Between the detector's types, which know nothing of the ledger, and the ledger's. Pure.
#ifndef VIGIL_NODE_DETECT_DETECT_CONVERT_H_
#define VIGIL_NODE_DETECT_DETECT_CONVERT_H_

#include <cstdint>
#include <span>

#include "detector/features/hash.h"
#include "detector/model/parameters.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/sha256.h"

namespace vigil::node {

inline detector::Digest HashBytes(std::span<const uint8_t> bytes) {
  return ledger::Sha256(bytes).bytes;
}

inline Hash AsHash(const detector::Digest& digest) {
  Hash hash;
  hash.bytes = digest;
  return hash;
}

detector::Parameters ParametersOf(const ledger::DetectorParameters& governed);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_DETECT_CONVERT_H_
