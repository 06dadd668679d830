// SHA-256 and RFC 6962 trees for the oracle, written from the standards and shared with nobody.
#ifndef VIGIL_TESTS_SIM_PLAIN_HASH_H_
#define VIGIL_TESTS_SIM_PLAIN_HASH_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::sim {

// FIPS 180-4, section 6.2.
Hash PlainSha256(absl::string_view bytes);
// RFC 6962, section 2.1: the hash of a leaf, and of a tree over hashes of leaves.
Hash PlainLeafHash(absl::string_view leaf);
Hash PlainTreeHash(const std::vector<Hash>& leaves);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_PLAIN_HASH_H_
