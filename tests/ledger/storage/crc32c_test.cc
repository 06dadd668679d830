#include "ledger/storage/crc32c.h"

#include <string>

#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

// Bit by bit, from the definition: reflected polynomial 0x82f63b78, all ones before and after.
uint32_t SlowCrc32c(ByteSpan bytes) {
  uint32_t crc = 0xffffffff;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

std::string Counting(int from, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(from + i * step));
  return bytes;
}

TEST_CASE("crc32c: the vectors of RFC 3720 B.4 hold in both versions", "[ledger_storage]") {
  const std::string read_pdu = *HexDecode(
      "01c00000000000000000000000000000140000000000040000000014000000182800000000000000"
      "0200000000000000");
  const struct {
    std::string bytes;
    uint32_t crc;
  } vectors[] = {
      {std::string(32, '\0'), 0x8a9136aa},
      {std::string(32, '\xff'), 0x62a8ab43},
      {Counting(0, 1), 0x46dd794e},
      {Counting(31, -1), 0x113fdb5c},
      {read_pdu, 0xd9963a56},
      {"", 0},
      {"123456789", 0xe3069283},
  };
  for (const auto& vector : vectors) {
    CAPTURE(HexEncode(AsBytes(vector.bytes)));
    CHECK(Crc32c(AsBytes(vector.bytes)) == vector.crc);
    CHECK(Crc32cExtendPortable(0, AsBytes(vector.bytes)) == vector.crc);
  }
}

TEST_CASE("crc32c: both versions agree with the definition at every length and split",
          "[ledger_storage]") {
  SplitMix64 random(TestSeed());
  CAPTURE(TestSeed());
  const std::string bytes = RandomBytes(&random, 300);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const ByteSpan all = AsBytes(bytes).first(size);
    const uint32_t expected = SlowCrc32c(all);
    const size_t split = random.Below(size + 1);
    REQUIRE(Crc32c(all) == expected);
    REQUIRE(Crc32cExtendPortable(0, all) == expected);
    REQUIRE(Crc32cExtend(Crc32c(all.first(split)), all.subspan(split)) == expected);
    REQUIRE(Crc32cExtendPortable(Crc32c(all.first(split)), all.subspan(split)) == expected);
  }
}

}  // namespace
}  // namespace vigil::ledger
