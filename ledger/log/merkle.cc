#include "ledger/log/merkle.h"

#include <array>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"

namespace vigil::ledger {
namespace {

constexpr uint8_t kLeafPrefix = 0;
constexpr uint8_t kNodePrefix = 1;

// k of RFC 6962 section 2.1: the largest power of two below `size`. REQUIRES: size > 1.
uint64_t SplitPoint(uint64_t size) { return std::bit_floor(size - 1); }

absl::Status WrongLength(absl::string_view what, uint64_t first, uint64_t second, size_t got,
                         size_t want) {
  return absl::InvalidArgumentError(absl::StrCat(what, " of ", first, " in ", second, " has ", got,
                                                 " hashes, ", want, " belong there"));
}

absl::Status WrongRoot(absl::string_view what, uint64_t first, uint64_t second) {
  return absl::DataLossError(
      absl::StrCat(what, " of ", first, " in ", second, " leads to another root"));
}

// The roots of `ranges` in the tree over `leaves`.
std::vector<Hash> RangeRoots(std::span<const Hash> leaves, const std::vector<LeafRange>& ranges) {
  std::vector<Hash> roots;
  for (const LeafRange& range : ranges) {
    roots.push_back(MerkleRoot(leaves.subspan(range.begin, range.end - range.begin)));
  }
  return roots;
}

// How many hashes RFC 6962 puts into the audit path of `index` in a tree of `size` leaves: one per
// level up to the one where the paths of `index` and of the last leaf join, and above it one per
// set bit, where a complete left subtree stands.
size_t InclusionPathSize(uint64_t index, uint64_t size) {
  const int joint = std::bit_width(index ^ (size - 1));
  const uint64_t above = joint == 64 ? 0 : index >> joint;
  return static_cast<size_t>(joint + std::popcount(above));
}

// The same for consistency. The proof walks up from the largest complete subtree at the right edge
// of the old tree, and starts with its hash unless that subtree is the whole old tree.
size_t ConsistencyPathSize(uint64_t old_size, uint64_t new_size) {
  if (old_size == new_size) return 0;
  const int level = std::countr_zero(old_size);
  const size_t walked = InclusionPathSize((old_size - 1) >> level, ((new_size - 1) >> level) + 1);
  return walked + (std::has_single_bit(old_size) ? 0 : 1);
}

}  // namespace

Hash LeafHash(ByteSpan leaf) { return Sha256({ByteSpan(&kLeafPrefix, 1), leaf}); }

Hash NodeHash(const Hash& left, const Hash& right) {
  std::array<uint8_t, 1 + 2 * Hash::size()> node;
  node[0] = kNodePrefix;
  std::memcpy(node.data() + 1, left.bytes.data(), Hash::size());
  std::memcpy(node.data() + 1 + Hash::size(), right.bytes.data(), Hash::size());
  return Sha256(ByteSpan(node));
}

Hash MerkleRoot(std::span<const Hash> leaves) {
  MerkleFrontier frontier;
  for (const Hash& leaf : leaves) frontier.Append(leaf);
  return frontier.Root();
}

Hash EdgeRoot(std::span<const Hash> edge) {
  if (edge.empty()) return Sha256(ByteSpan());
  Hash root = edge.back();
  for (size_t i = edge.size() - 1; i > 0; --i) root = NodeHash(edge[i - 1], root);
  return root;
}

// Both walk from the root down to where the path begins, and turn round what they met.
std::vector<LeafRange> InclusionRanges(uint64_t index, uint64_t size) {
  VIGIL_CHECK(index < size, "leaf ", index, " of ", size);
  std::vector<LeafRange> from_top;
  LeafRange tree{.begin = 0, .end = size};
  while (tree.end - tree.begin > 1) {
    const uint64_t split = tree.begin + SplitPoint(tree.end - tree.begin);
    if (index < split) {
      from_top.push_back({.begin = split, .end = tree.end});
      tree.end = split;
    } else {
      from_top.push_back({.begin = tree.begin, .end = split});
      tree.begin = split;
    }
  }
  return std::vector<LeafRange>(from_top.rbegin(), from_top.rend());
}

std::vector<LeafRange> ConsistencyRanges(uint64_t old_size, uint64_t size) {
  VIGIL_CHECK(old_size > 0 && old_size <= size, old_size, " of ", size);
  std::vector<LeafRange> from_top;
  LeafRange tree{.begin = 0, .end = size};
  while (tree.end != old_size) {
    const uint64_t split = tree.begin + SplitPoint(tree.end - tree.begin);
    if (old_size <= split) {
      from_top.push_back({.begin = split, .end = tree.end});
      tree.end = split;
    } else {
      from_top.push_back({.begin = tree.begin, .end = split});
      tree.begin = split;
    }
  }
  // The verifier knows the root of the whole old tree, but of no part of it: flag b of SUBPROOF.
  if (tree.begin != 0) from_top.push_back(tree);
  return std::vector<LeafRange>(from_top.rbegin(), from_top.rend());
}

std::vector<Hash> InclusionPath(std::span<const Hash> leaves, uint64_t index) {
  return RangeRoots(leaves, InclusionRanges(index, leaves.size()));
}

std::vector<Hash> ConsistencyPath(std::span<const Hash> leaves, uint64_t old_size) {
  return RangeRoots(leaves, ConsistencyRanges(old_size, leaves.size()));
}

absl::Status VerifyInclusion(uint64_t index, uint64_t size, const Hash& leaf_hash,
                             std::span<const Hash> path, const Hash& root) {
  if (index >= size) {
    return absl::InvalidArgumentError(absl::StrCat("leaf ", index, " of ", size));
  }
  const size_t want = InclusionPathSize(index, size);
  if (path.size() != want) {
    return WrongLength("inclusion path", index, size, path.size(), want);
  }
  // RFC 9162 section 2.1.3.2, names as there.
  uint64_t fn = index;
  uint64_t sn = size - 1;
  Hash r = leaf_hash;
  for (const Hash& p : path) {
    if ((fn & 1) != 0 || fn == sn) {
      r = NodeHash(p, r);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = NodeHash(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  VIGIL_CHECK(sn == 0, "inclusion path of ", path.size(), " hashes stops below the root");
  return r == root ? absl::OkStatus() : WrongRoot("inclusion path", index, size);
}

absl::Status VerifyConsistency(uint64_t old_size, uint64_t new_size, const Hash& old_root,
                               const Hash& new_root, std::span<const Hash> path) {
  if (old_size == 0 || old_size > new_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("consistency of ", old_size, " leaves with ", new_size));
  }
  const size_t want = ConsistencyPathSize(old_size, new_size);
  if (path.size() != want) {
    return WrongLength("consistency path", old_size, new_size, path.size(), want);
  }
  if (old_size == new_size) {
    return old_root == new_root ? absl::OkStatus()
                                : WrongRoot("consistency path", old_size, new_size);
  }
  // RFC 9162 section 2.1.4.2, names as there.
  uint64_t fn = (old_size - 1) >> std::countr_zero(old_size);
  uint64_t sn = (new_size - 1) >> std::countr_zero(old_size);
  const bool starts_with_old_root = std::has_single_bit(old_size);
  Hash fr = starts_with_old_root ? old_root : path.front();
  Hash sr = fr;
  for (const Hash& c : path.subspan(starts_with_old_root ? 0 : 1)) {
    if ((fn & 1) != 0 || fn == sn) {
      fr = NodeHash(c, fr);
      sr = NodeHash(c, sr);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = NodeHash(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  VIGIL_CHECK(sn == 0, "consistency path of ", path.size(), " hashes stops below the root");
  return fr == old_root && sr == new_root ? absl::OkStatus()
                                          : WrongRoot("consistency path", old_size, new_size);
}

void MerkleFrontier::Append(const Hash& leaf_hash) {
  Hash subtree = leaf_hash;
  for (uint64_t rest = size_; (rest & 1) != 0; rest >>= 1) {
    subtree = NodeHash(edge_.back(), subtree);
    edge_.pop_back();
  }
  edge_.push_back(subtree);
  ++size_;
}

Hash MerkleFrontier::Root() const { return EdgeRoot(edge_); }

std::string MerkleFrontier::Encode() const {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(size_);
  for (const Hash& hash : edge_) writer.Fixed(hash);
  return bytes;
}

absl::StatusOr<MerkleFrontier> MerkleFrontier::Decode(ByteSpan bytes) {
  ByteReader reader(bytes);
  MerkleFrontier frontier;
  frontier.size_ = reader.U64();
  const int edge_size = std::popcount(frontier.size_);
  for (int i = 0; i < edge_size; ++i) frontier.edge_.push_back(reader.ReadHash());
  RETURN_IF_ERROR(reader.Finish(absl::StrCat("tree edge of size ", frontier.size_)));
  return frontier;
}

}  // namespace vigil::ledger
