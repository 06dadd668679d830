#include "ledger/base/bytes.h"

#include <set>

#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil {
namespace {

Hash Filled(uint8_t byte) {
  Hash hash;
  hash.bytes.fill(byte);
  return hash;
}

TEST_CASE("hex: encodes lower-case and decodes both cases", "[base]") {
  CHECK(HexEncode(AsBytes(absl::string_view("\x00\x7f\xff\xa5", 4))) == "007fffa5");
  CHECK(*HexDecode("007fffA5") == std::string("\x00\x7f\xff\xa5", 4));
  CHECK(HexDecode("")->empty());
}

TEST_CASE("hex: refuses odd lengths and every character that is not a digit", "[base]") {
  CHECK(absl::IsInvalidArgument(HexDecode("0").status()));
  CHECK(absl::IsInvalidArgument(HexDecode("000").status()));
  const std::string digits = "0123456789abcdefABCDEF";
  for (int c = 0; c < 256; ++c) {
    const std::string text = std::string(1, static_cast<char>(c)) + "0";
    const std::string swapped = std::string("0") + static_cast<char>(c);
    const bool is_digit = digits.find(static_cast<char>(c)) != std::string::npos;
    CHECK(HexDecode(text).ok() == is_digit);
    CHECK(HexDecode(swapped).ok() == is_digit);
  }
}

TEST_CASE("fixed bytes: only the exact size is taken", "[base]") {
  const std::string raw(32, 'x');
  CHECK(Hash::From(AsBytes(raw))->view() == raw);
  CHECK(absl::IsInvalidArgument(Hash::From(AsBytes(raw.substr(1))).status()));
  CHECK(absl::IsInvalidArgument(Hash::From(AsBytes(raw + "x")).status()));
  CHECK(absl::IsInvalidArgument(Hash::From(ByteSpan()).status()));
  CHECK(Hash::FromHex(std::string(64, 'f'))->ToHex() == std::string(64, 'f'));
  CHECK_FALSE(Hash::FromHex(std::string(62, 'f')).ok());
  CHECK_FALSE(Hash::FromHex(std::string(64, 'g')).ok());
}

TEST_CASE("fixed bytes: order is lexicographic and unsigned", "[base]") {
  Hash low = Filled(0x00);
  Hash high = Filled(0x00);
  low.bytes[31] = 0xff;
  high.bytes[0] = 0x80;
  CHECK(low < high);
  CHECK(Filled(0x7f) < Filled(0x80));
  CHECK(std::set<Hash>{Filled(1), Filled(1), Filled(2)}.size() == 2);
  CHECK(Hash().IsZero());
  CHECK_FALSE(low.IsZero());
}

TEST_CASE("byte writer: numbers are fixed-width and big-endian", "[base]") {
  std::string out;
  ByteWriter(&out).U8(0x01).U16(0x0203).U32(0x04050607).U64(0x08090a0b0c0d0e0f).I64(-2);
  CHECK(HexEncode(AsBytes(out)) == "0102030405060708090a0b0c0d0e0ffffffffffffffffe");
}

TEST_CASE("byte writer: a prefixed string carries its length in four bytes", "[base]") {
  std::string out;
  ByteWriter(&out).Prefixed("abc").Prefixed(ByteSpan());
  CHECK(HexEncode(AsBytes(out)) == "0000000361626300000000");
}

TEST_CASE("byte reader: reads back what the writer wrote", "[base]") {
  VIGIL_TEST_SEED(seed, 1);
  SplitMix64 random(seed);
  for (int round = 0; round < 200; ++round) {
    const uint64_t number = random.Next();
    const std::string text(random.Below(40), static_cast<char>(random.Next()));
    const Hash hash = Filled(static_cast<uint8_t>(number));
    std::string out;
    ByteWriter writer(&out);
    writer.U8(number & 0xff).U16(number & 0xffff).U32(number & 0xffffffff).U64(number);
    writer.I64(static_cast<int64_t>(number)).Prefixed(text).Fixed(hash).Raw(text);

    ByteReader reader(out);
    CHECK(reader.U8() == (number & 0xff));
    CHECK(reader.U16() == (number & 0xffff));
    CHECK(reader.U32() == (number & 0xffffffff));
    CHECK(reader.U64() == number);
    CHECK(reader.I64() == static_cast<int64_t>(number));
    CHECK(AsView(reader.Prefixed(40)) == text);
    CHECK(reader.ReadHash() == hash);
    CHECK(reader.remaining() == text.size());
    CHECK(AsView(reader.Raw(text.size())) == text);
    CHECK(reader.Finish("test").ok());
  }
}

TEST_CASE("byte reader: every cut of the input is noticed", "[base]") {
  std::string out;
  ByteWriter(&out).U8(1).U16(2).U32(3).U64(4).Prefixed("hello").Fixed(Filled(9));
  for (size_t size = 0; size < out.size(); ++size) {
    const std::string cut = out.substr(0, size);
    ByteReader reader(cut);
    reader.U8();
    reader.U16();
    reader.U32();
    reader.U64();
    reader.Prefixed(100);
    reader.ReadHash();
    CHECK_FALSE(reader.ok());
    CHECK(absl::IsInvalidArgument(reader.Finish("test")));
  }
}

TEST_CASE("byte reader: after one read past the end nothing more is given", "[base]") {
  const std::string input("\x01\x02\x03", 3);
  ByteReader reader(input);
  CHECK(reader.U64() == 0);
  CHECK(reader.U8() == 0);
  CHECK(reader.Raw(1).empty());
  CHECK_FALSE(reader.ok());
}

TEST_CASE("byte reader: bytes left over are an error that says how many", "[base]") {
  const std::string input("\x01\x02\x03", 3);
  ByteReader reader(input);
  reader.U8();
  const absl::Status status = reader.Finish("thing");
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("thing: 2 bytes left over") != std::string::npos);
}

TEST_CASE("byte reader: a hostile length allocates nothing and fails", "[base]") {
  std::string out;
  ByteWriter(&out).U32(0xffffffff).Raw("abc");
  ByteReader huge(out);
  CHECK(huge.Prefixed(0xffffffff).empty());
  CHECK_FALSE(huge.ok());

  std::string over;
  ByteWriter(&over).Prefixed("abcd");
  ByteReader capped(over);
  CHECK(capped.Prefixed(3).empty());
  CHECK_FALSE(capped.ok());
  ByteReader exact(over);
  CHECK(AsView(exact.Prefixed(4)) == "abcd");
  CHECK(exact.ok());
}

}  // namespace
}  // namespace vigil
