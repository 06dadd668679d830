#include "ledger/log/merkle.h"

#include "ledger/base/random.h"
#include "tests/ledger/log/merkle_reference.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

struct Leaves {
  std::vector<std::string> bytes;
  std::vector<Hash> hashes;
};

Leaves MakeLeaves(size_t count) {
  Leaves leaves;
  for (size_t i = 0; i < count; ++i) {
    leaves.bytes.push_back("leaf " + std::to_string(i));
    leaves.hashes.push_back(LeafHash(AsBytes(leaves.bytes.back())));
  }
  return leaves;
}

Hash RandomHash(SplitMix64* random) {
  Hash hash;
  for (uint8_t& byte : hash.bytes) byte = static_cast<uint8_t>(random->Next());
  return hash;
}

TEST_CASE("merkle: roots of all sizes up to 300 are those of the definition", "[log]") {
  const Leaves leaves = MakeLeaves(300);
  MerkleFrontier frontier;
  for (size_t size = 0; size <= 300; ++size) {
    const Hash expected = reference::Root(std::span(leaves.bytes).first(size));
    CHECK(MerkleRoot(std::span(leaves.hashes).first(size)) == expected);
    CHECK(frontier.Root() == expected);
    CHECK(frontier.size() == size);
    if (size < 300) frontier.Append(leaves.hashes[size]);
  }
}

TEST_CASE("merkle: every inclusion path up to 70 leaves is the definition's and verifies",
          "[log]") {
  const Leaves leaves = MakeLeaves(70);
  for (size_t size = 1; size <= 70; ++size) {
    const std::span<const Hash> hashes = std::span(leaves.hashes).first(size);
    const Hash root = MerkleRoot(hashes);
    for (size_t index = 0; index < size; ++index) {
      const std::vector<Hash> path = InclusionPath(hashes, index);
      CHECK(path == reference::Path(index, std::span(leaves.bytes).first(size)));
      CHECK(VerifyInclusion(index, size, hashes[index], path, root).ok());
    }
  }
}

TEST_CASE("merkle: every consistency path up to 70 leaves is the definition's and verifies",
          "[log]") {
  const Leaves leaves = MakeLeaves(70);
  for (size_t size = 1; size <= 70; ++size) {
    const std::span<const Hash> hashes = std::span(leaves.hashes).first(size);
    const Hash root = MerkleRoot(hashes);
    for (size_t old_size = 1; old_size <= size; ++old_size) {
      const std::vector<Hash> path = ConsistencyPath(hashes, old_size);
      CHECK(path == reference::Proof(old_size, std::span(leaves.bytes).first(size)));
      CHECK(VerifyConsistency(old_size, size, MerkleRoot(hashes.first(old_size)), root, path).ok());
    }
  }
}

TEST_CASE("merkle: a path never proves another leaf or index or size", "[log]") {
  const Leaves leaves = MakeLeaves(33);
  const Hash root = MerkleRoot(leaves.hashes);
  for (size_t index = 0; index < 33; ++index) {
    const std::vector<Hash> path = InclusionPath(leaves.hashes, index);
    for (size_t claimed = 0; claimed < 40; ++claimed) {
      for (size_t size = 28; size < 40; ++size) {
        const bool truth = claimed == index && size == 33;
        const bool slow =
            reference::AcceptsInclusion(claimed, size, leaves.hashes[index], path, root);
        // A path binds the size only as far as its shape and the root do; where the definition
        // accepts, so must we, and nowhere else.
        if (truth) CHECK(slow);
        CHECK(VerifyInclusion(claimed, size, leaves.hashes[index], path, root).ok() == slow);
      }
    }
    CHECK(
        absl::IsDataLoss(VerifyInclusion(index, 33, leaves.hashes[(index + 1) % 33], path, root)));
  }
}

TEST_CASE("merkle: each flipped bit in a proof is caught", "[log]") {
  const Leaves leaves = MakeLeaves(13);
  const Hash root = MerkleRoot(leaves.hashes);
  const Hash old_root = MerkleRoot(std::span(leaves.hashes).first(6));
  const std::vector<Hash> inclusion = InclusionPath(leaves.hashes, 9);
  const std::vector<Hash> consistency = ConsistencyPath(leaves.hashes, 6);
  REQUIRE(VerifyInclusion(9, 13, leaves.hashes[9], inclusion, root).ok());
  REQUIRE(VerifyConsistency(6, 13, old_root, root, consistency).ok());
  for (size_t bit = 0; bit < 256; ++bit) {
    const auto flip = [bit](Hash hash) {
      hash.bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      return hash;
    };
    for (size_t i = 0; i < inclusion.size(); ++i) {
      std::vector<Hash> bad = inclusion;
      bad[i] = flip(bad[i]);
      CHECK(absl::IsDataLoss(VerifyInclusion(9, 13, leaves.hashes[9], bad, root)));
    }
    for (size_t i = 0; i < consistency.size(); ++i) {
      std::vector<Hash> bad = consistency;
      bad[i] = flip(bad[i]);
      CHECK(absl::IsDataLoss(VerifyConsistency(6, 13, old_root, root, bad)));
    }
    CHECK(absl::IsDataLoss(VerifyInclusion(9, 13, leaves.hashes[9], inclusion, flip(root))));
    CHECK(absl::IsDataLoss(VerifyConsistency(6, 13, flip(old_root), root, consistency)));
    CHECK(absl::IsDataLoss(VerifyConsistency(6, 13, old_root, flip(root), consistency)));
  }
}

TEST_CASE("merkle: paths that are too short or too long are named with both numbers", "[log]") {
  const Leaves leaves = MakeLeaves(13);
  const Hash root = MerkleRoot(leaves.hashes);
  std::vector<Hash> path = InclusionPath(leaves.hashes, 9);
  path.push_back(root);
  const absl::Status longer = VerifyInclusion(9, 13, leaves.hashes[9], path, root);
  CHECK(absl::IsInvalidArgument(longer));
  CHECK(longer.message() == "inclusion path of 9 in 13 has 5 hashes, 4 belong there");
  path.resize(3);
  CHECK(absl::IsInvalidArgument(VerifyInclusion(9, 13, leaves.hashes[9], path, root)));
  CHECK(absl::IsInvalidArgument(VerifyInclusion(13, 13, leaves.hashes[9], path, root)));
  CHECK(absl::IsInvalidArgument(VerifyInclusion(0, 0, leaves.hashes[9], {}, root)));
  CHECK(absl::IsInvalidArgument(VerifyConsistency(14, 13, root, root, {})));
  CHECK(absl::IsInvalidArgument(VerifyConsistency(6, 13, root, root, {})));
}

TEST_CASE("merkle: equal sizes are consistent only with equal roots and no path", "[log]") {
  const Leaves leaves = MakeLeaves(5);
  const Hash root = MerkleRoot(leaves.hashes);
  const std::vector<Hash> extra = {root};
  CHECK(VerifyConsistency(5, 5, root, root, {}).ok());
  CHECK(absl::IsDataLoss(VerifyConsistency(5, 5, root, leaves.hashes[0], {})));
  CHECK(absl::IsInvalidArgument(VerifyConsistency(5, 5, root, root, extra)));
}

TEST_CASE("merkle: an empty old tree proves nothing", "[log]") {
  const Leaves leaves = MakeLeaves(5);
  const Hash root = MerkleRoot(leaves.hashes);
  CHECK(absl::IsInvalidArgument(VerifyConsistency(0, 5, MerkleRoot({}), root, {})));
  CHECK(absl::IsInvalidArgument(VerifyConsistency(0, 0, MerkleRoot({}), MerkleRoot({}), {})));
}

// Builds the tree's inner nodes out of thin air, so that sizes near 2^64 can be tried: the roots
// are those that the proof leads to by the slow definition.
TEST_CASE("merkle: sizes near two to the sixty-fourth need paths of the right length", "[log]") {
  VIGIL_TEST_SEED(seed, 4);
  SplitMix64 random(seed);
  const uint64_t sizes[] = {~0ULL, ~0ULL - 1, 1ULL << 63, (1ULL << 63) + 1, (1ULL << 63) - 1};
  const Hash leaf = RandomHash(&random);
  for (uint64_t size : sizes) {
    for (uint64_t index : {uint64_t{0}, size / 2, size - 2, size - 1, random.Below(size)}) {
      int accepted_shapes = 0;
      for (size_t length = 0; length <= 66; ++length) {
        std::vector<Hash> path;
        for (size_t i = 0; i < length; ++i) path.push_back(RandomHash(&random));
        const absl::Status status = VerifyInclusion(index, size, leaf, path, Hash());
        CHECK_FALSE(status.ok());
        if (absl::IsDataLoss(status)) ++accepted_shapes;
      }
      CHECK(accepted_shapes == 1);
    }
  }
}

TEST_CASE("merkle: random mutations are judged as by the definition", "[log]") {
  VIGIL_TEST_SEED(seed, 5);
  SplitMix64 random(seed);
  const Leaves leaves = MakeLeaves(140);
  const auto mutate = [&](std::vector<Hash>* path) {
    switch (random.Below(6)) {
      case 0:
        path->insert(path->begin() + random.Below(path->size() + 1), RandomHash(&random));
        break;
      case 1:
        if (!path->empty()) path->erase(path->begin() + random.Below(path->size()));
        break;
      case 2:
        if (path->size() > 1) std::swap(path->front(), path->back());
        break;
      case 3:
        path->insert(path->begin(), leaves.hashes[random.Below(140)]);
        break;
      default:
        break;
    }
  };
  int accepted = 0;
  for (int round = 0; round < 6'000; ++round) {
    const uint64_t size = 1 + random.Below(140);
    const uint64_t old_size = 1 + random.Below(size);
    const std::span<const Hash> hashes = std::span(leaves.hashes).first(size);
    const Hash root = MerkleRoot(hashes);
    const Hash old_root = MerkleRoot(hashes.first(old_size));
    std::vector<Hash> inclusion = InclusionPath(hashes, old_size - 1);
    std::vector<Hash> consistency = ConsistencyPath(hashes, old_size);
    mutate(&inclusion);
    mutate(&consistency);
    const uint64_t claimed_size = random.Chance(800) ? size : random.Below(300);
    const uint64_t claimed_old = random.Chance(800) ? old_size : random.Below(300);
    const bool inclusion_ok =
        VerifyInclusion(claimed_old - 1, claimed_size, hashes[old_size - 1], inclusion, root).ok();
    const bool consistency_ok =
        VerifyConsistency(claimed_old, claimed_size, old_root, root, consistency).ok();
    CHECK(inclusion_ok == reference::AcceptsInclusion(claimed_old - 1, claimed_size,
                                                      hashes[old_size - 1], inclusion, root));
    CHECK(consistency_ok == reference::AcceptsSubtreeConsistency(0, claimed_old, claimed_size,
                                                                 old_root, root, consistency));
    accepted += (inclusion_ok ? 1 : 0) + (consistency_ok ? 1 : 0);
  }
  CHECK(accepted > 1'000);
}

TEST_CASE("frontier: is encoded as size and edge and goes on after decoding", "[log]") {
  const Leaves leaves = MakeLeaves(100);
  MerkleFrontier frontier;
  for (size_t size = 0; size < 100; ++size) {
    const std::string bytes = frontier.Encode();
    CHECK(bytes.size() == 8 + 32 * frontier.edge().size());
    absl::StatusOr<MerkleFrontier> decoded = MerkleFrontier::Decode(AsBytes(bytes));
    REQUIRE(decoded.ok());
    CHECK(decoded->Root() == frontier.Root());
    frontier.Append(leaves.hashes[size]);
    decoded->Append(leaves.hashes[size]);
    CHECK(decoded->Encode() == frontier.Encode());
  }
}

TEST_CASE("frontier: an edge that does not fit its size is refused", "[log]") {
  const Leaves leaves = MakeLeaves(11);
  MerkleFrontier frontier;
  for (const Hash& leaf : leaves.hashes) frontier.Append(leaf);
  const std::string bytes = frontier.Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(absl::IsInvalidArgument(MerkleFrontier::Decode(AsBytes(bytes.substr(0, size))).status()));
  }
  CHECK(absl::IsInvalidArgument(MerkleFrontier::Decode(AsBytes(bytes + "x")).status()));
  std::string hostile(8, '\xff');
  CHECK(absl::IsInvalidArgument(MerkleFrontier::Decode(AsBytes(hostile)).status()));
  hostile += std::string(63 * 32, 'h');
  CHECK(absl::IsInvalidArgument(MerkleFrontier::Decode(AsBytes(hostile)).status()));
}

}  // namespace
}  // namespace vigil::ledger
