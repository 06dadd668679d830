// The Merkle tree once more, straight from the definitions and slow: what the fast one is tested
// against. It knows subtrees too (draft-ietf-plants-merkle-tree-certs), so that all the published
// vectors of transparency-dev/merkle can judge it.
#ifndef VIGIL_TESTS_LEDGER_LOG_MERKLE_REFERENCE_H_
#define VIGIL_TESTS_LEDGER_LOG_MERKLE_REFERENCE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ledger/base/bytes.h"

namespace vigil::ledger::reference {

// RFC 6962 section 2.1, over the leaves' bytes.
Hash Root(std::span<const std::string> leaves);
// PATH(m, D[n]) of section 2.1.1.
std::vector<Hash> Path(uint64_t index, std::span<const std::string> leaves);
// PROOF(m, D[n]) of section 2.1.2.
std::vector<Hash> Proof(uint64_t old_size, std::span<const std::string> leaves);

// Follow the definitions of PATH and PROOF down from the root, taking hashes off the proof's end.
bool AcceptsInclusion(uint64_t index, uint64_t size, const Hash& leaf_hash,
                      std::span<const Hash> path, const Hash& root);
// `start` is 0 for RFC 6962's consistency of the tree of the first `end` leaves with that of
// `size`.
// An empty range is in every tree, whatever `root`; RFC 6962 has no proof for it.
bool AcceptsSubtreeConsistency(uint64_t start, uint64_t end, uint64_t size,
                               const Hash& subtree_root, const Hash& root,
                               std::span<const Hash> path);
// Whether [start, end) is a subtree: start is a multiple of the least power of two >= end - start.
bool IsSubtree(uint64_t start, uint64_t end);

}  // namespace vigil::ledger::reference

#endif  // VIGIL_TESTS_LEDGER_LOG_MERKLE_REFERENCE_H_
