#include "detector/forest/calibration.h"

#include <algorithm>
#include <cmath>

#include "ledger/base/random.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

std::vector<uint8_t> BytesOf(const Calibration& calibration) {
  LittleEndianWriter writer;
  calibration.Write(&writer);
  return writer.Take();
}

TEST_CASE("calibration: bits are minus log2 of the share at least as strange", "[detector]") {
  const uint64_t seed = testing::TestSeed(11);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  std::vector<int64_t> raws;
  for (int i = 0; i < 3000; ++i) {
    raws.push_back(static_cast<int64_t>(random.Below(1'000'000)) - 500'000);
  }
  const Calibration calibration(raws, 1000);
  for (int i = 0; i < 500; ++i) {
    const int64_t raw = raws[random.Below(raws.size())];
    const auto as_strange =
        std::count_if(raws.begin(), raws.end(), [&](int64_t r) { return r >= raw; });
    const double bits = std::log2(3002.0 / (static_cast<double>(as_strange) + 1));
    // Between knots at most 1/16 bit, and at the very top a whole rank, is interpolated.
    CHECK(std::abs(calibration.BitsQ8(raw) / 256.0 - bits) < 0.1);
  }
}

TEST_CASE("calibration: never falls and goes on beyond the strangest row", "[detector]") {
  std::vector<int64_t> raws;
  for (int64_t i = 0; i < 1000; ++i) raws.push_back(i * i);
  const Calibration calibration(raws, 1000);
  uint32_t before = 0;
  for (int64_t raw = -10; raw < 3'000'000; raw += 7) {
    const uint32_t bits = calibration.BitsQ8(raw);
    if (bits < before) FAIL("falls at " << raw);
    before = bits;
  }
  const uint32_t top = calibration.BitsQ8(998'001);
  CHECK(calibration.BitsQ8(-kRawMax + 1) == 0);
  CHECK(calibration.BitsQ8(1'200'000) > top);
  CHECK(calibration.BitsQ8(2'400'000) > calibration.BitsQ8(1'200'000));
  CHECK(calibration.BitsQ8(kRawMax - 1) == kScoreMaxQ8);
}

TEST_CASE("calibration: equal scores fall back to the given slope", "[detector]") {
  const Calibration calibration(std::vector<int64_t>(50, 700), 10);
  CHECK(calibration.BitsQ8(699) == 0);
  const uint32_t at = calibration.BitsQ8(700);
  CHECK(at < 16);
  CHECK(calibration.BitsQ8(710) == at + 256);
  CHECK(calibration.BitsQ8(720) == at + 512);
}

TEST_CASE("calibration: the order of the scores does not matter", "[detector]") {
  std::vector<int64_t> raws;
  for (int64_t i = 0; i < 500; ++i) raws.push_back(i * 7919 % 501);
  const std::vector<uint8_t> bytes = BytesOf(Calibration(raws, 5));
  std::reverse(raws.begin(), raws.end());
  CHECK(BytesOf(Calibration(raws, 5)) == bytes);
}

TEST_CASE("calibration: damaged bytes are refused or mean the same bytes again", "[detector]") {
  const uint64_t seed = testing::TestSeed(12);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  std::vector<int64_t> raws;
  for (int64_t i = 0; i < 300; ++i) raws.push_back(i * i);
  const std::vector<uint8_t> bytes = BytesOf(Calibration(raws, 9));
  for (size_t size = 0; size < bytes.size(); ++size) {
    LittleEndianReader reader(std::span<const uint8_t>(bytes).first(size));
    CHECK_FALSE(Calibration::Read(&reader).has_value());
  }
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    hostile[random.Below(hostile.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    LittleEndianReader reader(hostile);
    const std::optional<Calibration> read = Calibration::Read(&reader);
    if (!read) continue;
    CHECK(read->BitsQ8(kRawMax - 1) <= kScoreMaxQ8);
    if (reader.AtEnd() && BytesOf(*read) != hostile) FAIL("two encodings of one");
  }
}

TEST_CASE("calibration: a falling table is refused", "[detector]") {
  const auto read = [](int64_t raw, uint16_t bits, int64_t per_bit) {
    LittleEndianWriter writer;
    writer.I64(per_bit).U16(2).I64(10).U16(100).I64(raw).U16(bits);
    LittleEndianReader reader(writer.bytes());
    return Calibration::Read(&reader).has_value();
  };
  CHECK(read(11, 101, 1));
  CHECK_FALSE(read(10, 101, 1));
  CHECK_FALSE(read(11, 100, 1));
  CHECK_FALSE(read(kRawMax, 101, 1));
  CHECK_FALSE(read(11, 25 * 256 + 1, 1));
  CHECK_FALSE(read(11, 101, 0));
}

}  // namespace
}  // namespace vigil::detector
