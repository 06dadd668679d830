#include "detector/stream/bookkeeping.h"

#include "detector/stream/event_window.h"
#include "ledger/base/random.h"
#include "tests/detector/stream/chain.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::kChainId;
using testing::Sha256;
using testing::SmallParameters;

Bookkeeping Sample() {
  Bookkeeping b;
  b.height = 41;
  b.events = 1000;
  b.period = 3;
  b.period_end = 40;
  b.period_end_events = 980;
  b.entities_height = 20;
  b.entities_events = 500;
  b.event_counts = {12, 0, 3, 5, 0};
  b.marks = {{1, 0}, {9, 200}, {30, 700}};
  b.pending = {
      {2, 20, 500, Sha256("w"), Sha256("v"), {400, 0, 0, 100, 0}, 0b10, {Sha256("a"), Sha256("b")}},
      {3, 40, 980, Sha256("x"), Sha256("y"), {300, 2, 0, 178, 0}, 0b110, {Sha256("c")}}};
  return b;
}

std::optional<Bookkeeping> Parse(std::span<const uint8_t> bytes) {
  return ParseBookkeeping(bytes, kChainId, SmallParameters());
}
std::vector<uint8_t> Write(const Bookkeeping& b) {
  return SerializeBookkeeping(b, kChainId, SmallParameters());
}

TEST_CASE("bookkeeping: read again it is the same", "[detector]") {
  CHECK(Parse(Write(Sample())) == Sample());
  CHECK(Parse(Write(Bookkeeping{})) == Bookkeeping{});
}

TEST_CASE("bookkeeping: of another chain or other parameters is refused", "[detector]") {
  const std::vector<uint8_t> bytes = Write(Sample());
  CHECK_FALSE(ParseBookkeeping(bytes, Sha256("other"), SmallParameters()).has_value());
  Parameters parameters = SmallParameters();
  parameters.threshold_floor_q8 += 1;
  CHECK_FALSE(ParseBookkeeping(bytes, kChainId, parameters).has_value());
}

TEST_CASE("bookkeeping: damaged bytes are refused or mean the same bytes again", "[detector]") {
  const uint64_t seed = testing::TestSeed(51);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const std::vector<uint8_t> bytes = Write(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (Parse(std::span<const uint8_t>(bytes).first(size)))
      FAIL("accepted " << size << " of " << bytes.size());
  }
  for (int round = 0; round < 5000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    hostile[random.Below(hostile.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    const std::optional<Bookkeeping> b = Parse(hostile);
    if (b && Write(*b) != hostile) FAIL("two encodings of one");
  }
}

TEST_CASE("bookkeeping: contradictions are refused", "[detector]") {
  const auto refused = [](auto change) {
    Bookkeeping b = Sample();
    change(&b);
    return !Parse(Write(b)).has_value();
  };
  CHECK(refused([](Bookkeeping* b) { b->period_end = 42; }));
  CHECK(refused([](Bookkeeping* b) { b->period_end_events = 1001; }));
  CHECK(refused([](Bookkeeping* b) { b->event_counts[2] = 4; }));
  CHECK(refused([](Bookkeeping* b) { b->period = 0; }));
  CHECK(refused([](Bookkeeping* b) { b->entities_height = 42; }));
  CHECK(refused([](Bookkeeping* b) { b->entities_height = 0; }));
  CHECK(refused([](Bookkeeping* b) { b->entities_events = 1001; }));
  CHECK(refused([](Bookkeeping* b) { b->marks.clear(); }));
  CHECK(refused([](Bookkeeping* b) { b->marks[1].height = 30; }));
  CHECK(refused([](Bookkeeping* b) { b->marks[2].height = 43; }));
  CHECK(refused([](Bookkeeping* b) { b->marks[2].events_before = 1001; }));
  CHECK(refused([](Bookkeeping* b) { b->marks[0].height = 0; }));
  CHECK(refused([](Bookkeeping* b) { b->pending[0].types_left = 0; }));
  CHECK(refused([](Bookkeeping* b) { b->pending[0].types_left = 1; }));
  CHECK(refused([](Bookkeeping* b) { b->pending[0].reveals.pop_back(); }));
  CHECK(refused([](Bookkeeping* b) { b->pending[1].reveals.push_back({}); }));
  CHECK(refused([](Bookkeeping* b) { b->pending[1].period = 4; }));
  CHECK(refused([](Bookkeeping* b) { b->pending[1].window_end = 20; }));
  CHECK(refused([](Bookkeeping* b) { b->pending[1].events = 1001; }));
}

TEST_CASE("bookkeeping: a replay starts at the latest mark that shows every event", "[detector]") {
  const Bookkeeping b = Sample();
  CHECK(MarkFor(b, 0) == HeightMark{1, 0});
  CHECK(MarkFor(b, 199) == HeightMark{1, 0});
  CHECK(MarkFor(b, 200) == HeightMark{9, 200});
  CHECK(MarkFor(b, 9999) == HeightMark{30, 700});
}

TEST_CASE("event window: an event is left out and put back by its mark", "[detector]") {
  const size_t width = WindowWidth(EventType::kAuth);
  EventWindow window(width, 6);
  std::vector<int64_t> row(width, 3);
  for (uint64_t i = 0; i < 9; ++i) {  // The first three give way.
    row[width - kRowMarks + kEventMark] = EventMarkOf(100 + i, static_cast<uint32_t>(i));
    row[width - 1] = 0;
    window.Push(i, row);
  }
  const auto left_out = [&] {
    std::vector<int64_t> marks;
    const RawTable rows = window.Rows();
    for (Eigen::Index i = 0; i < rows.rows(); ++i) marks.push_back(rows(i, rows.cols() - 1));
    return marks;
  };
  window.LeaveOut(EventMarkOf(103, 3), true);
  window.LeaveOut(EventMarkOf(108, 8), true);
  window.LeaveOut(EventMarkOf(105, 5), true);
  CHECK(left_out() == std::vector<int64_t>{1, 0, 1, 0, 0, 1});
  window.LeaveOut(EventMarkOf(105, 5), false);
  window.LeaveOut(EventMarkOf(105, 6), true);  // Is not there, as are the next.
  window.LeaveOut(EventMarkOf(102, 2), true);
  window.LeaveOut(EventMarkOf(999, 0), true);
  CHECK(left_out() == std::vector<int64_t>{1, 0, 0, 0, 0, 1});
  EventWindow empty(width, 6);
  empty.LeaveOut(EventMarkOf(1, 1), true);
  CHECK(empty.row_count() == 0);
}

TEST_CASE("event window: holds the last rows within its two bounds", "[detector]") {
  const uint64_t seed = testing::TestSeed(52);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  EventWindow window(2, 10);
  std::vector<std::pair<uint64_t, int64_t>> slow;
  uint64_t sequence = 0;
  for (int step = 0; step < 3000; ++step) {
    if (random.Chance(900)) {
      sequence += 1 + random.Below(3);
      const auto value = static_cast<int64_t>(random.Below(1000));
      window.Push(sequence, std::array<int64_t, 2>{value, -value});
      slow.emplace_back(sequence, value);
      if (slow.size() > 10) slow.erase(slow.begin());
    } else {
      const uint64_t oldest = sequence > 12 ? sequence - random.Below(12) : 0;
      window.DropBefore(oldest);
      std::erase_if(slow, [&](const auto& row) { return row.first < oldest; });
    }
    const RawTable rows = window.Rows();
    REQUIRE(rows.rows() == static_cast<int>(slow.size()));
    for (int i = 0; i < rows.rows(); ++i) {
      REQUIRE(rows(i, 0) == slow[i].second);
      REQUIRE(rows(i, 1) == -slow[i].second);
    }
  }
}

TEST_CASE("bookkeeping: a restart may have to read from the older of marks and stored entities",
          "[detector]") {
  Bookkeeping b = Sample();
  CHECK(RestartHeight(b) == 1);
  b.marks = {{30, 700}};
  CHECK(RestartHeight(b) == 21);
  b.marks = {{9, 200}};
  CHECK(RestartHeight(b) == 9);
  b.entities_height = b.entities_events = 0;
  CHECK(RestartHeight(b) == 1);
}

}  // namespace
}  // namespace vigil::detector
