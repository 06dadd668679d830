#include "ledger/base/strong_id.h"

#include <sstream>
#include <type_traits>

#include "ledger/base/clock.h"
#include "tests/support/catch.h"

namespace vigil {
namespace {

static_assert(!std::is_convertible_v<uint64_t, Height>, "a number is not a height");
static_assert(!std::is_convertible_v<Height, uint64_t>, "a height is not a number");
static_assert(!std::is_convertible_v<Height, RecordIndex>, "a height is not a record index");
static_assert(!std::is_constructible_v<Height, View>, "a view makes no height");
static_assert(sizeof(ItemIndex) == sizeof(uint32_t));

TEST_CASE("strong id: starts at nought and moves by distances", "[base]") {
  CHECK(Height().value() == 0);
  CHECK(Height(4).Next() == Height(5));
  CHECK(Height(4).Previous() == Height(3));
  CHECK(Height(4) + 3 == Height(7));
  CHECK(Height(4) - 3 == Height(1));
  CHECK(Height(9) - Height(4) == 5);
  Height height(1);
  CHECK(++height == Height(2));
  CHECK(height == Height(2));
}

TEST_CASE("strong id: is ordered and printed as its number", "[base]") {
  CHECK(Height(2) < Height(10));
  CHECK(RecordIndex(7) >= RecordIndex(7));
  std::ostringstream out;
  out << Height(12) << ' ' << StrongId<struct ByteTag, uint8_t>(65);
  CHECK(out.str() == "12 65");
}

TEST_CASE("manual clock: moves only when told and keeps wall and monotonic time apart", "[base]") {
  ManualClock clock(/*unix_millis=*/1'000);
  CHECK(clock.UnixMillis() == 1'000);
  CHECK(clock.MonotonicMicros() == 0);
  clock.AdvanceMicros(2'500);
  CHECK(clock.UnixMillis() == 1'002);
  CHECK(clock.MonotonicMicros() == 2'500);
  clock.JumpWallMillis(-500);
  CHECK(clock.UnixMillis() == 502);
  CHECK(clock.MonotonicMicros() == 2'500);
}

}  // namespace
}  // namespace vigil
