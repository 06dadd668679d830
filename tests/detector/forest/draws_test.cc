#include "detector/forest/draws.h"

#include <algorithm>
#include <set>

#include "detector/features/codec.h"
#include "tests/detector/support/sha256.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Sha256;

TEST_CASE("draws: are the blocks of their definition", "[detector]") {
  const Digest seed = Sha256("seed");
  CounterDraws draws(seed, DrawPurpose::kTree, 9, Sha256);
  for (uint64_t block = 0; block < 3; ++block) {
    LittleEndianWriter writer;
    writer.Tag("vigil/detector/draw/v1").Raw(seed).U32(1).U32(9).U64(block);
    const Digest digest = Sha256(writer.bytes());
    LittleEndianReader reader(digest);
    for (int i = 0; i < 8; ++i) CHECK(draws.Next() == reader.U32());
  }
}

TEST_CASE("draws: streams of another seed or purpose or index differ", "[detector]") {
  const auto first = [](const char* seed, DrawPurpose purpose, uint32_t index) {
    return CounterDraws(Sha256(seed), purpose, index, Sha256).Next();
  };
  std::set<uint32_t> seen = {first("a", DrawPurpose::kTree, 0), first("b", DrawPurpose::kTree, 0),
                             first("a", DrawPurpose::kHeldOut, 0),
                             first("a", DrawPurpose::kTree, 1)};
  CHECK(seen.size() == 4);
}

TEST_CASE("draws: biased draws are thrown away", "[detector]") {
  // A hash whose draws are all ones, then zeros: the first must be rejected for bound 3.
  static int calls = 0;
  calls = 0;
  const Hash32 fake = [](std::span<const uint8_t>) {
    Digest digest{};
    if (calls++ == 0) digest.fill(0xff);
    return digest;
  };
  CounterDraws draws(Digest{}, DrawPurpose::kTree, 0, fake);
  CHECK(draws.Below(3) == 0);  // 2^32 - 1 is a multiple of 3, so 0xffffffff itself is one too many.
  CHECK(calls == 2);
  calls = 0;
  CounterDraws kept(Digest{}, DrawPurpose::kTree, 0, fake);
  CHECK(kept.Below(1u << 16) == 0xffff);
  CHECK(calls == 1);
}

TEST_CASE("draws: every residue of a small bound comes about equally often", "[detector]") {
  CounterDraws draws(Sha256("even"), DrawPurpose::kTree, 0, Sha256);
  int counts[7] = {};
  for (int i = 0; i < 70'000; ++i) ++counts[draws.Below(7)];
  for (const int count : counts) CHECK(std::abs(count - 10'000) < 500);  // Five sigma.
}

TEST_CASE("draws: a sample has different numbers below the total", "[detector]") {
  CounterDraws draws(Sha256("sample"), DrawPurpose::kTree, 0, Sha256);
  const std::vector<uint32_t> sample = draws.Sample(100, 120);
  CHECK(std::set<uint32_t>(sample.begin(), sample.end()).size() == 100);
  CHECK(*std::max_element(sample.begin(), sample.end()) < 120);
  CHECK(draws.Sample(5, 5).size() == 5);
  CHECK(draws.Sample(0, 0).empty());
}

}  // namespace
}  // namespace vigil::detector
