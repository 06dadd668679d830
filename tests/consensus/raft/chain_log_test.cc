#include "consensus/raft/chain_log.h"

#include "tests/consensus/raft/test_host.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

BlockId Id(uint64_t height, uint64_t view) {
  Hash hash;
  hash.bytes[0] = static_cast<uint8_t>(height);
  hash.bytes[1] = static_cast<uint8_t>(view);
  return BlockId{Height(height), View(view), hash};
}

// Views 1 1 2 4 4 at heights 1 to 5; sizes 10, 20, 30, 40, 50.
ChainLog SmallLog() {
  ChainLog log({Height(0), View(0), BlockMaker::GenesisHash()});
  uint64_t height = 0;
  for (const uint64_t view : {1, 1, 2, 4, 4}) {
    ++height;
    log.Append(Id(height, view), height * 10);
  }
  return log;
}

TEST_CASE("chain log: genesis is its height 0", "[consensus]") {
  const ChainLog log({Height(0), View(0), BlockMaker::GenesisHash()});
  CHECK(log.last() == BlockId{Height(0), View(0), BlockMaker::GenesisHash()});
  CHECK(log.Contains(log.last()));
  CHECK(log.HighestWithViewAtMost(Height(9), View(9)) == Height(0));
}

TEST_CASE("chain log: sizes are those of the heights above the first", "[consensus]") {
  const ChainLog log = SmallLog();
  CHECK(log.SizeBetween(Height(0), Height(5)) == 150);
  CHECK(log.SizeBetween(Height(2), Height(4)) == 70);
  CHECK(log.SizeBetween(Height(3), Height(3)) == 0);
}

TEST_CASE("chain log: the highest block of a view or an earlier one is what a scan finds",
          "[consensus]") {
  const ChainLog log = SmallLog();
  for (uint64_t limit = 0; limit <= 7; ++limit) {
    for (uint64_t view = 0; view <= 5; ++view) {
      Height expected(0);
      for (uint64_t height = 0; height <= limit && height <= 5; ++height) {
        if (log.At(Height(height)).view <= View(view)) expected = Height(height);
      }
      INFO("limit " << limit << ", view " << view);
      CHECK(log.HighestWithViewAtMost(Height(limit), View(view)) == expected);
    }
  }
}

TEST_CASE("chain log: one above a base answers for what is above it", "[consensus]") {
  ChainLog log(Id(100, 3));
  CHECK(log.last() == Id(100, 3));
  CHECK(log.base() == Id(100, 3));
  log.Append(Id(101, 3), 10);
  log.Append(Id(102, 5), 20);
  CHECK(log.At(Height(100)) == Id(100, 3));
  CHECK(log.At(Height(102)) == Id(102, 5));
  CHECK(log.Contains(Id(101, 3)));
  CHECK_FALSE(log.Contains(Id(50, 1)));
  CHECK_FALSE(log.Contains(Id(103, 5)));
  CHECK(log.SizeBetween(Height(100), Height(102)) == 30);
  CHECK(log.SizeBetween(Height(101), Height(102)) == 20);
  CHECK(log.HighestWithViewAtMost(Height(102), View(4)) == Height(101));
  CHECK(log.HighestWithViewAtMost(Height(500), View(9)) == Height(102));
  // What lies below the base is not known: the base at worst.
  CHECK(log.HighestWithViewAtMost(Height(40), View(9)) == Height(100));
  CHECK(log.HighestWithViewAtMost(Height(102), View(1)) == Height(100));
  log.TruncateAbove(Height(100), /*committed=*/Height(100));
  CHECK(log.last() == Id(100, 3));
  CHECK(log.total_size() == 0);
}

TEST_CASE("chain log: truncation forgets what is above and contains what is below", "[consensus]") {
  ChainLog log = SmallLog();
  log.TruncateAbove(Height(3), /*committed=*/Height(3));
  CHECK(log.last() == Id(3, 2));
  CHECK(log.total_size() == 60);
  CHECK(log.Contains(Id(3, 2)));
  CHECK_FALSE(log.Contains(Id(4, 4)));
  CHECK_FALSE(log.Contains(Id(3, 1)));
  log.Append(Id(4, 5), 1);
  CHECK(log.total_size() == 61);
}

}  // namespace
}  // namespace vigil::consensus
