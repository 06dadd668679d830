// Sets of what was seen last: exact up to their capacity, whatever order times come in.
#include "detector/entities/distinct_set.h"

#include <map>

#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::detector {
namespace {

std::vector<uint8_t> Bytes(const DistinctSet& set) {
  LittleEndianWriter writer;
  set.Serialize(&writer);
  return writer.Take();
}

TEST_CASE("distinct set: counts are the true ones up to the capacity in any order of times",
          "[detector]") {
  VIGIL_TEST_SEED(seed, 31);
  SplitMix64 random(seed);
  for (int round = 0; round < 50; ++round) {
    const size_t capacity = 1 + random.Below(12);
    DistinctSet set;
    std::map<int64_t, uint64_t> all;
    for (int i = 0; i < 300; ++i) {
      const int64_t token = static_cast<int64_t>(random.Below(30));
      const uint64_t millis = 1 + random.Below(1'000);
      const bool is_new = all.count(token) == 0;
      const DistinctSet::Seen seen = set.Touch(token, millis, capacity);
      all[token] = std::max(all[token], millis);
      if (is_new) CHECK(seen != DistinctSet::Seen::kKnown);
      if (seen == DistinctSet::Seen::kNew) CHECK(is_new);
      const uint64_t after = random.Below(1'000);
      uint32_t truth = 0;
      for (const auto& [t, last] : all) truth += last > after ? 1 : 0;
      REQUIRE(set.CountAfter(after) == std::min<size_t>(truth, capacity));
      CHECK(set.complete() == (all.size() <= capacity));
    }
  }
}

TEST_CASE("distinct set: the order in which the same things came does not show in its bytes",
          "[detector]") {
  DistinctSet one;
  DistinctSet other;
  for (const int64_t token : {5, 3, 9, 7}) one.Touch(token, 100 + token, 3);
  for (const int64_t token : {9, 7, 3, 5}) other.Touch(token, 100 + token, 3);
  CHECK(Bytes(one) == Bytes(other));
  one.Touch(7, 2'000, 3);
  CHECK(Bytes(one) != Bytes(other));
}

TEST_CASE("distinct set: bytes that no set writes are refused", "[detector]") {
  const auto parses = [](const std::vector<uint8_t>& bytes, size_t capacity, uint64_t latest) {
    LittleEndianReader reader(bytes);
    DistinctSet set;
    return set.Parse(&reader, capacity, latest) && reader.AtEnd();
  };
  const auto write = [](uint8_t dropped, std::vector<std::pair<uint64_t, int64_t>> entries) {
    LittleEndianWriter writer;
    writer.U8(dropped).U16(static_cast<uint16_t>(entries.size()));
    for (const auto& [millis, token] : entries) writer.U64(millis).I64(token);
    return writer.Take();
  };
  CHECK(parses(write(1, {{1, 8}, {2, 7}}), 2, 2));
  CHECK_FALSE(parses(write(2, {{1, 8}, {2, 7}}), 2, 2));
  CHECK_FALSE(parses(write(0, {{1, 8}, {2, 7}}), 1, 2));  // Over capacity.
  CHECK_FALSE(parses(write(1, {{1, 8}}), 2, 2));          // Dropped from a set that was not full.
  CHECK_FALSE(parses(write(0, {{2, 7}, {1, 8}}), 2, 2));  // Out of order.
  CHECK_FALSE(parses(write(0, {{1, 7}, {2, 7}}), 2, 2));  // The same thing twice.
  CHECK_FALSE(parses(write(0, {{1, 8}, {3, 7}}), 2, 2));  // Later than its entity.
  std::vector<uint8_t> cut = write(0, {{1, 8}, {2, 7}});
  cut.pop_back();
  CHECK_FALSE(parses(cut, 2, 2));
}

}  // namespace
}  // namespace vigil::detector
