#include "tests/ledger/log/merkle_reference.h"

#include <openssl/sha.h>

#include <optional>
#include <utility>

namespace vigil::ledger::reference {
namespace {

Hash OneShot(const std::string& bytes) {
  Hash hash;
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), hash.bytes.data());
  return hash;
}

Hash Node(const Hash& left, const Hash& right) {
  return OneShot('\x01' + ToString(left.span()) + ToString(right.span()));
}

// The largest power of two smaller than n. REQUIRES: n > 1.
uint64_t K(uint64_t n) {
  uint64_t k = 1;
  while (k < n - k) k *= 2;
  return k;
}

std::optional<Hash> RootFromPath(uint64_t m, uint64_t n, const Hash& leaf_hash,
                                 std::span<const Hash> path) {
  if (n == 1) return path.empty() ? std::optional<Hash>(leaf_hash) : std::nullopt;
  if (path.empty()) return std::nullopt;
  const uint64_t k = K(n);
  const std::span<const Hash> inner_path = path.first(path.size() - 1);
  if (m < k) {
    const std::optional<Hash> left = RootFromPath(m, k, leaf_hash, inner_path);
    return left ? std::optional<Hash>(Node(*left, path.back())) : std::nullopt;
  }
  const std::optional<Hash> right = RootFromPath(m - k, n - k, leaf_hash, inner_path);
  return right ? std::optional<Hash>(Node(path.back(), *right)) : std::nullopt;
}

struct Roots {
  Hash subtree;
  Hash tree;
};

// `known`: the proof need not tell the hash of [start, end), because it is the verifier's own.
std::optional<Roots> RootsFromProof(uint64_t start, uint64_t end, uint64_t n, bool known,
                                    const Hash& own, std::span<const Hash> proof) {
  if (start == 0 && end == n) {
    if (proof.size() != (known ? 0 : 1)) return std::nullopt;
    const Hash hash = known ? own : proof[0];
    return Roots{hash, hash};
  }
  if (proof.empty()) return std::nullopt;
  const Hash& last = proof.back();
  const std::span<const Hash> rest = proof.first(proof.size() - 1);
  const uint64_t k = K(n);
  if (end <= k) {
    const std::optional<Roots> left = RootsFromProof(start, end, k, known, own, rest);
    return left ? std::optional<Roots>(Roots{left->subtree, Node(left->tree, last)}) : std::nullopt;
  }
  if (start >= k) {
    const std::optional<Roots> right = RootsFromProof(start - k, end - k, n - k, known, own, rest);
    return right ? std::optional<Roots>(Roots{right->subtree, Node(last, right->tree)})
                 : std::nullopt;
  }
  const std::optional<Roots> right = RootsFromProof(0, end - k, n - k, false, own, rest);
  return right ? std::optional<Roots>(Roots{Node(last, right->subtree), Node(last, right->tree)})
               : std::nullopt;
}

// SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2.
std::vector<Hash> Subproof(uint64_t m, std::span<const std::string> leaves, bool b) {
  const uint64_t n = leaves.size();
  if (m == n) return b ? std::vector<Hash>() : std::vector<Hash>{Root(leaves)};
  const uint64_t k = K(n);
  std::vector<Hash> proof =
      m <= k ? Subproof(m, leaves.first(k), b) : Subproof(m - k, leaves.subspan(k), false);
  proof.push_back(m <= k ? Root(leaves.subspan(k)) : Root(leaves.first(k)));
  return proof;
}

}  // namespace

Hash Root(std::span<const std::string> leaves) {
  if (leaves.empty()) return OneShot("");
  if (leaves.size() == 1) return OneShot('\x00' + leaves[0]);
  const uint64_t k = K(leaves.size());
  return Node(Root(leaves.first(k)), Root(leaves.subspan(k)));
}

std::vector<Hash> Path(uint64_t index, std::span<const std::string> leaves) {
  if (leaves.size() == 1) return {};
  const uint64_t k = K(leaves.size());
  std::vector<Hash> path =
      index < k ? Path(index, leaves.first(k)) : Path(index - k, leaves.subspan(k));
  path.push_back(index < k ? Root(leaves.subspan(k)) : Root(leaves.first(k)));
  return path;
}

std::vector<Hash> Proof(uint64_t old_size, std::span<const std::string> leaves) {
  return Subproof(old_size, leaves, true);
}

bool AcceptsInclusion(uint64_t index, uint64_t size, const Hash& leaf_hash,
                      std::span<const Hash> path, const Hash& root) {
  if (index >= size) return false;
  return RootFromPath(index, size, leaf_hash, path) == root;
}

bool AcceptsSubtreeConsistency(uint64_t start, uint64_t end, uint64_t size,
                               const Hash& subtree_root, const Hash& root,
                               std::span<const Hash> path) {
  if (end > size) return false;
  if (start == end) return path.empty() && subtree_root == OneShot("");
  if (!IsSubtree(start, end)) return false;
  const std::optional<Roots> roots = RootsFromProof(start, end, size, true, subtree_root, path);
  return roots && roots->subtree == subtree_root && roots->tree == root;
}

bool IsSubtree(uint64_t start, uint64_t end) {
  if (start >= end) return false;
  uint64_t power = 1;
  while (power != 0 && power < end - start) power *= 2;
  return power == 0 ? start == 0 : start % power == 0;
}

}  // namespace vigil::ledger::reference
