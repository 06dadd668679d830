#include "ledger/chain/result.h"

#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

RecordResult SampleResult() {
  RecordResult result;
  result.index = RecordIndex(258);
  result.code = ResultCode::kConflict;
  result.signer = "a/b";
  result.effects = {{EffectType::kModelActivated, 7, "xy"}, {EffectType::kStreamReset, 1, ""}};
  return result;
}

}  // namespace

TEST_CASE("a result is laid out as documented and decodes to itself", "[chain]") {
  const std::string expected = std::string("\0\0\0\0\0\0\1\2", 8) + "\3" +
                               std::string("\0\0\0\3", 4) + "a/b" + std::string("\0\0\0\2", 4) +
                               "\4" + std::string("\0\0\0\0\0\0\0\7", 8) +
                               std::string("\0\0\0\2", 4) + "xy" + "\6" +
                               std::string("\0\0\0\0\0\0\0\1", 8) + std::string("\0\0\0\0", 4);
  CHECK(EncodeResult(SampleResult()) == expected);
  CHECK(DecodeResult(AsBytes(expected)).value() == SampleResult());
}

TEST_CASE("a result with an unknown number or a wrong length is refused", "[chain]") {
  const std::string good = EncodeResult(SampleResult());
  for (size_t cut = 0; cut < good.size(); ++cut) {
    CHECK(!DecodeResult(AsBytes(good.substr(0, cut))).ok());
  }
  CHECK(!DecodeResult(AsBytes(good + "x")).ok());
  for (const char code : {0, 10, -1}) {
    std::string bad = good;
    bad[8] = code;
    CHECK(!DecodeResult(AsBytes(bad)).ok());
  }
  for (const char type : {0, 9}) {
    std::string bad = good;
    bad[20] = type;
    CHECK(!DecodeResult(AsBytes(bad)).ok());
  }
  std::string hostile = good;
  hostile[16] = '\x7f';
  CHECK(!DecodeResult(AsBytes(hostile)).ok());
}

TEST_CASE("every result code has a name of its own", "[chain]") {
  CHECK(ResultCodeName(ResultCode::kOk) == "ok");
  CHECK(ResultCodeName(ResultCode::kAlreadyExists) == "already_exists");
  CHECK(ResultCodeName(static_cast<ResultCode>(77)) == "unknown");
}

}  // namespace vigil::ledger
