// What proofs cost when the log is long: their size, and the time to make and to verify one.
//
//   build/.../tests/ledger_proof_test "[cost]"        VIGIL_PROOF_LEAVES=1000000 by default
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ledger/log/merkle.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

// The hashes of every level, each made once.
class LongTiles final : public TileSource {
 public:
  explicit LongTiles(std::vector<Hash> leaves) {
    levels_.push_back(std::move(leaves));
    while (levels_.back().size() >= kTileWidth) {
      const std::vector<Hash>& below = levels_.back();
      std::vector<Hash> level;
      for (size_t at = 0; at + kTileWidth <= below.size(); at += kTileWidth) {
        level.push_back(MerkleRoot(std::span(below).subspan(at, kTileWidth)));
      }
      levels_.push_back(std::move(level));
    }
  }
  absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override {
    const std::vector<Hash>& level = levels_.at(id.level);
    const size_t begin = id.index * kTileWidth;
    if (begin + id.width > level.size()) return absl::NotFoundError("no such tile");
    return std::vector<Hash>(level.begin() + static_cast<ptrdiff_t>(begin),
                             level.begin() + static_cast<ptrdiff_t>(begin + id.width));
  }

 private:
  std::vector<std::vector<Hash>> levels_;
};

// The sample chain with a log that goes on behind it.
class LongChain final : public ProofSource {
 public:
  explicit LongChain(uint64_t size) : size_(size), tiles_(Leaves(size)) {}

  std::string Head() const { return Sample().SignHead(size_, *RootFromTiles(tiles_, size_)); }

  absl::StatusOr<BlockRange> BlockAt(Height height) const override {
    return Sample().BlockAt(height);
  }
  absl::StatusOr<BlockRange> BlockOf(RecordIndex index) const override {
    return Sample().BlockOf(index);
  }
  absl::StatusOr<std::string> Leaf(RecordIndex index) const override {
    return Sample().Leaf(index);
  }
  absl::StatusOr<std::string> Payload(RecordIndex index) const override {
    return Sample().Payload(index);
  }
  absl::StatusOr<std::vector<RecordResult>> Results(Height height) const override {
    return Sample().Results(height);
  }
  absl::StatusOr<PublicKey> AuthorKey(const KeyId& id) const override {
    return Sample().AuthorKey(id);
  }
  const TileSource& tiles() const override { return tiles_; }

 private:
  static std::vector<Hash> Leaves(uint64_t size) {
    std::vector<Hash> leaves;
    leaves.reserve(size);
    for (const std::string& leaf : Sample().leaves()) leaves.push_back(LeafHash(AsBytes(leaf)));
    while (leaves.size() < size) leaves.push_back(LeafHash(AsBytes(std::to_string(leaves.size()))));
    return leaves;
  }

  const uint64_t size_;
  const LongTiles tiles_;
};

// Microseconds of one call, the mean over `rounds`.
template <typename Function>
double Micros(int rounds, Function function) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) function();
  const std::chrono::duration<double, std::micro> all = std::chrono::steady_clock::now() - begin;
  return all.count() / rounds;
}

TEST_CASE("proof cost: size and time of proofs in a long log", "[.][!benchmark][cost]") {
  const char* const leaves = std::getenv("VIGIL_PROOF_LEAVES");
  const uint64_t size = leaves == nullptr ? 1'000'000 : std::strtoull(leaves, nullptr, 10);
  REQUIRE(size > Sample().leaves().size());
  const LongChain chain(size);
  const std::string head = chain.Head();
  const RecordIndex index = ProofSample::kLargeBatch;
  const auto event = [&] {
    return BuildEventProof(chain, head, index, ItemIndex(7), EventBytes::kInclude);
  };
  const auto record = [&] { return BuildRecordProof(chain, head, index); };
  const auto block = [&] { return BuildBlockProof(chain, head, Height(2)); };
  const auto report = [&](const char* what, auto make) {
    const absl::StatusOr<std::string> file = make();
    REQUIRE(file.ok());
    REQUIRE(IsVerified(VerifyProof(Sample().policy(), *file).verdict));
    const double made = Micros(200, [&] { REQUIRE(make().ok()); });
    const double verified = Micros(200, [&] { (void)VerifyProof(Sample().policy(), *file); });
    std::printf("%llu leaves, %s: %zu bytes, made in %.0f us, verified in %.0f us\n",
                static_cast<unsigned long long>(size), what, file->size(), made, verified);
  };
  report("event of a batch of 300", event);
  report("record", record);
  report("block", block);
}

}  // namespace
}  // namespace vigil::ledger
