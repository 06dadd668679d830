#include "consensus/raft/durability.h"

#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

TEST_CASE("durability: a height counts once its output is on disk", "[consensus]") {
  Durability durability(Height(2));
  durability.Appended(/*sequence=*/1, Height(3));
  durability.Appended(/*sequence=*/1, Height(4));
  durability.Appended(/*sequence=*/3, Height(5));
  CHECK(durability.height() == Height(2));
  durability.DurableUpTo(1);
  CHECK(durability.height() == Height(4));
  durability.DurableUpTo(2);
  CHECK(durability.height() == Height(4));
  durability.DurableUpTo(3);
  CHECK(durability.height() == Height(5));
}

TEST_CASE("durability: a late sync of truncated blocks does not vouch for their successors",
          "[consensus]") {
  Durability durability(Height(4));
  durability.Appended(/*sequence=*/1, Height(7));
  durability.TruncatedAbove(Height(5));
  durability.Appended(/*sequence=*/2, Height(6));
  durability.DurableUpTo(1);
  CHECK(durability.height() == Height(5));
  durability.DurableUpTo(2);
  CHECK(durability.height() == Height(6));
}

TEST_CASE("durability: truncation below what is on disk lowers it", "[consensus]") {
  Durability durability(Height(7));
  durability.TruncatedAbove(Height(5));
  CHECK(durability.height() == Height(5));
}

}  // namespace
}  // namespace vigil::consensus
