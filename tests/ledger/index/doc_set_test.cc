#include "ledger/index/doc_set.h"

#include <set>

#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

TEST_CASE("doc set: finds the neighbours that an ordered set finds", "[index]") {
  VIGIL_TEST_SEED(seed, 20);
  SplitMix64 random(seed);
  for (uint32_t count : {0u, 1u, 3u, 100u, 30'000u}) {
    DocSet docs;
    std::set<uint32_t> expected;
    for (uint32_t i = 0; i < count; ++i) {
      const auto doc = static_cast<uint32_t>(random.Below(kSegmentEvents));
      docs.Add(doc);
      expected.insert(doc);
    }
    CHECK(docs.IsEmpty() == expected.empty());
    for (int i = 0; i < 3'000; ++i) {
      const uint32_t doc = i < 2 ? (i == 0 ? 0 : kSegmentEvents - 1)
                                 : static_cast<uint32_t>(random.Below(kSegmentEvents));
      const auto after = expected.lower_bound(doc);
      const auto before = expected.upper_bound(doc);
      CHECK(docs.Contains(doc) == expected.contains(doc));
      CHECK(docs.AtOrAfter(doc) ==
            (after == expected.end() ? std::nullopt : std::optional<uint32_t>(*after)));
      CHECK(docs.AtOrBefore(doc) == (before == expected.begin()
                                         ? std::nullopt
                                         : std::optional<uint32_t>(*std::prev(before))));
    }
  }
}

TEST_CASE("doc set: the first n are n", "[index]") {
  for (uint32_t count : {0u, 1u, 63u, 64u, 65u, 1'000u, kSegmentEvents - 1, kSegmentEvents}) {
    DocSet docs;
    docs.AddFirst(count);
    CHECK(docs.AtOrBefore(kSegmentEvents - 1) ==
          (count == 0 ? std::nullopt : std::optional<uint32_t>(count - 1)));
    CHECK(docs.AtOrAfter(0) == (count == 0 ? std::nullopt : std::optional<uint32_t>(0)));
  }
}

TEST_CASE("doc set: an intersection holds what both hold", "[index]") {
  DocSet threes;
  DocSet fives;
  for (uint32_t doc = 0; doc < kSegmentEvents; doc += 3) threes.Add(doc);
  for (uint32_t doc = 0; doc < kSegmentEvents; doc += 5) fives.Add(doc);
  threes.IntersectWith(fives);
  for (uint32_t doc = 0; doc < kSegmentEvents; ++doc) {
    REQUIRE(threes.Contains(doc) == (doc % 15 == 0));
  }
}

}  // namespace
}  // namespace vigil::ledger
