#include <algorithm>

#include "detector/model/model.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Sha256;
using testing::SmallRows;
using testing::SmallSchema;

std::vector<uint8_t> SmallModel() {
  Parameters parameters;
  parameters.trees = 10;
  parameters.sample_rows = 32;
  const auto model =
      Model::Train(SmallSchema(), SmallRows(1, 200), Sha256("seed"), parameters, Sha256);
  REQUIRE(model.has_value());
  return model->Serialize();
}

std::optional<Model> Parse(std::span<const uint8_t> bytes) {
  return Model::Parse(bytes, SmallSchema(), Sha256);
}

TEST_CASE("model file: read again it is the same model", "[detector]") {
  const RawTable rows = SmallRows(1, 2000);
  const auto model = Model::Train(SmallSchema(), rows, Sha256("seed"), Parameters{}, Sha256);
  REQUIRE(model.has_value());
  const std::vector<uint8_t> bytes = model->Serialize();
  const std::optional<Model> read = Parse(bytes);
  REQUIRE(read.has_value());
  CHECK(read->Serialize() == bytes);
  CHECK(read->digest() == model->digest());
  CHECK(read->seed() == model->seed());
  CHECK(read->threshold_q8() == model->threshold_q8());
  CHECK(read->row_count() == model->row_count());
  const RawTable probes = SmallRows(9, 300);
  for (int i = 0; i < 300; ++i) {
    CHECK(read->ExplainRow({probes.row(i).data(), 6}) ==
          model->ExplainRow({probes.row(i).data(), 6}));
  }
}

TEST_CASE("model file: every truncation and every extension is refused", "[detector]") {
  std::vector<uint8_t> bytes = SmallModel();
  REQUIRE(Parse(bytes).has_value());
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (Parse(std::span<const uint8_t>(bytes).first(size)))
      FAIL("accepted " << size << " of " << bytes.size());
  }
  bytes.push_back(0);
  CHECK_FALSE(Parse(bytes).has_value());
}

TEST_CASE("model file: damaged bytes are refused or are another well-formed model", "[detector]") {
  const uint64_t seed = testing::TestSeed(41);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const std::vector<uint8_t> bytes = SmallModel();
  const RawTable probes = SmallRows(9, 4);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    for (uint64_t i = 0, changes = 1 + random.Below(3); i < changes; ++i) {
      uint8_t& byte = hostile[random.Below(hostile.size())];
      byte = random.Chance(500) ? static_cast<uint8_t>(random.Next())
                                : byte ^ static_cast<uint8_t>(1 << random.Below(8));
    }
    const std::optional<Model> model = Parse(hostile);
    refused += !model;
    if (!model) continue;
    for (int i = 0; i < 4; ++i) model->ExplainRow({probes.row(i).data(), 6});
    if (model->Serialize() != hostile) FAIL("two files of one model");
  }
  CHECK(refused > 1000);
}

TEST_CASE("model file: each head field is checked", "[detector]") {
  const std::vector<uint8_t> bytes = SmallModel();
  // Magic 0-11, format 12, profile 14, type 18, schema hash 22, row count 86, held-out 90.
  for (const size_t at : {0, 11, 12, 13, 14, 18, 22, 53}) {
    std::vector<uint8_t> hostile = bytes;
    hostile[at] ^= 1;
    CAPTURE(at);
    CHECK_FALSE(Parse(hostile).has_value());
  }
  std::vector<uint8_t> hostile = bytes;
  std::copy_n(bytes.begin() + 86, 4, hostile.begin() + 90);  // As many held out as there are.
  CHECK_FALSE(Parse(hostile).has_value());
}

TEST_CASE("model file: is refused for another schema", "[detector]") {
  const std::vector<uint8_t> bytes = SmallModel();
  const Schema other(0,
                     {{"bytes", FeatureKind::kCounter},
                      {"packets", FeatureKind::kCounter},
                      {"share", FeatureKind::kLinear},
                      {"port", FeatureKind::kCategory},
                      {"state", FeatureKind::kCategory},
                      {"renamed", FeatureKind::kCounter}},
                     {{"port+state", {"port", "state"}}});
  CHECK_FALSE(Model::Parse(bytes, other, Sha256).has_value());
}

TEST_CASE("model file: a component of the wrong number or size is refused", "[detector]") {
  const std::vector<uint8_t> bytes = SmallModel();
  // The last component is u8 3 | u32 size | calibration; find it from the end.
  size_t at = bytes.size() - 5;
  const auto size_at = [&](size_t i) {
    return bytes[i + 1] | bytes[i + 2] << 8 | bytes[i + 3] << 16 | bytes[i + 4] << 24;
  };
  while (bytes[at] != 3 || static_cast<size_t>(size_at(at)) != bytes.size() - at - 5) --at;
  for (const uint8_t id : {0, 1, 2, 4}) {
    std::vector<uint8_t> hostile = bytes;
    hostile[at] = id;
    CHECK_FALSE(Parse(hostile).has_value());
  }
  for (const uint8_t size_byte : {1, 2, 3, 4}) {
    std::vector<uint8_t> hostile = bytes;
    hostile[at + size_byte] ^= 0x80;
    CHECK_FALSE(Parse(hostile).has_value());
  }
}

TEST_CASE("model file: an oversized input is refused unread", "[detector]") {
  std::vector<uint8_t> bytes = SmallModel();
  bytes.resize(kModelBytesMax + 1);
  CHECK_FALSE(Parse(bytes).has_value());
}

}  // namespace
}  // namespace vigil::detector
