// The RFC 6962 Merkle tree: leaf SHA-256(00 | bytes), node SHA-256(01 | left | right), empty root
// SHA-256(""). Pure functions and one value type; no I/O.
#ifndef VIGIL_LEDGER_LOG_MERKLE_H_
#define VIGIL_LEDGER_LOG_MERKLE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger {

Hash LeafHash(ByteSpan leaf);
Hash NodeHash(const Hash& left, const Hash& right);
// Root of the tree over `leaves` (leaf hashes), RFC 6962 section 2.1.
Hash MerkleRoot(std::span<const Hash> leaves);
// The same from the roots of complete subtrees that follow each other, each smaller than the one
// before: a tree's right edge. Of none: the empty root.
Hash EdgeRoot(std::span<const Hash> edge);

// The leaves [begin, end) of a tree.
struct LeafRange {
  uint64_t begin = 0;
  uint64_t end = 0;

  bool operator==(const LeafRange&) const = default;
};

// Which roots a path is made of, in its order: what RFC 6962 sections 2.1.1 and 2.1.2 say before
// anything is hashed. REQUIRES: index < size; 0 < old_size <= size.
std::vector<LeafRange> InclusionRanges(uint64_t index, uint64_t size);
std::vector<LeafRange> ConsistencyRanges(uint64_t old_size, uint64_t size);

// Path from leaf `index` to the root of the tree over `leaves`, RFC 6962 section 2.1.1.
// REQUIRES: index < leaves.size().
std::vector<Hash> InclusionPath(std::span<const Hash> leaves, uint64_t index);
// Proof that the tree of the first `old_size` leaves is a prefix, RFC 6962 section 2.1.2; empty
// when it is the whole tree. REQUIRES: 0 < old_size <= leaves.size().
std::vector<Hash> ConsistencyPath(std::span<const Hash> leaves, uint64_t old_size);

// Both accept exactly what RFC 9162 sections 2.1.3.2 and 2.1.4.2 accept; besides, two trees of one
// size are consistent iff their roots are equal and the path is empty. Nothing is said about an
// empty old tree: whoever has no earlier checkpoint has nothing to compare.
// Errors: kInvalidArgument naming both numbers when the shape is wrong, kDataLoss when the path
// does not lead to `root`.
absl::Status VerifyInclusion(uint64_t index, uint64_t size, const Hash& leaf_hash,
                             std::span<const Hash> path, const Hash& root);
absl::Status VerifyConsistency(uint64_t old_size, uint64_t new_size, const Hash& old_root,
                               const Hash& new_root, std::span<const Hash> path);

// A growing tree, kept as its right edge: one root per set bit of size, largest subtree first.
// Appending costs amortised two hashes; nothing below the edge is kept.
class MerkleFrontier {
 public:
  MerkleFrontier() = default;

  void Append(const Hash& leaf_hash);
  uint64_t size() const { return size_; }
  Hash Root() const;
  const std::vector<Hash>& edge() const { return edge_; }

  // u64be size, then the edge's hashes (docs/formats.md, Tree edge).
  std::string Encode() const;
  // Errors: kInvalidArgument when the number of hashes is not the number of set bits of size.
  static absl::StatusOr<MerkleFrontier> Decode(ByteSpan bytes);

 private:
  uint64_t size_ = 0;
  std::vector<Hash> edge_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_MERKLE_H_
