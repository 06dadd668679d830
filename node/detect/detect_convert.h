// Between the detector's types, which know nothing of the ledger, and the ledger's. Pure.
#ifndef VIGIL_NODE_DETECT_DETECT_CONVERT_H_
#define VIGIL_NODE_DETECT_DETECT_CONVERT_H_

#include <cstdint>
#include <span>

#include "detector/features/hash.h"
#include "detector/model/parameters.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::node {

inline Hash AsHash(const detector::Digest& digest) {
  Hash hash;
  hash.bytes = digest;
  return hash;
}

detector::Parameters ParametersOf(const ledger::DetectorParameters& governed);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_DETECT_CONVERT_H_
