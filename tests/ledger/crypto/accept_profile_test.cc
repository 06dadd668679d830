// The golden accept profile: which Ed25519 signatures this system takes, edge cases included.
//
// Block validity depends on it, so it is pinned to tables that were derived without libsodium: each
// vector was classified in Python with the arithmetic of RFC 8032 section 6, and accepted iff
//   (1) S is below the group order,
//   (2) the encodings of the key A and of R are canonical,
//   (3) neither A nor R is of small order,
//   (4) S*B = R + k*A without multiplying by the cofactor.
// Points of mixed order pass when (4) holds; enrolment refuses such keys (keys_test.cc).
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "ledger/crypto/keys.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"
#include "tests/support/vectors.h"

namespace vigil::ledger {
namespace {

using nlohmann::json;

// Numbers of the accepted ones of the 914 vectors of C2SP/CCTV ed25519.
constexpr int kCctvAccepted[] = {7,   29,  50,  117, 139, 161, 182, 249, 305, 411, 425,
                                 438, 465, 473, 481, 489, 497, 511, 525, 538, 565, 573,
                                 581, 589, 597, 611, 625, 638, 665, 673, 681, 689, 697,
                                 711, 725, 738, 765, 773, 781, 789, 797, 832, 899};
constexpr size_t kCctvCount = 914;

// The ten cases of Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs", by index.
struct SpeccheckCase {
  bool accepted;
  absl::string_view reason;
};
constexpr SpeccheckCase kSpeccheck[] = {
    {false, "A and R of small order"},
    {false, "A of small order"},
    {false, "R of small order"},
    {true, "A and R of mixed order, and the equation holds without the cofactor"},
    {false, "the equation holds only with the cofactor"},
    {false, "the equation holds only with the cofactor, and k is computed in another way"},
    {false, "S is not below the group order"},
    {false, "S is not below the group order by far"},
    {false, "R is not canonical, and the equation does not hold"},
    {false, "R is not canonical"},
};

std::optional<json> ReadVectors(const std::string& path) {
  const std::optional<std::string> text = ReadSharedFile("vectors/" + path);
  if (!text.has_value()) {
    WARN("skipped: " << SharedPath("vectors/" + path).string() << " is not there");
    return std::nullopt;
  }
  json parsed = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
}

std::string Bytes(const json& hex) { return *HexDecode(hex.get<std::string>()); }

bool Accepts(const std::string& key, const std::string& message, const std::string& signature) {
  const absl::StatusOr<PublicKey> parsed_key = PublicKey::From(AsBytes(key));
  const absl::StatusOr<Signature> parsed = Signature::From(AsBytes(signature));
  return parsed_key.ok() && parsed.ok() && VerifySignature(*parsed_key, AsBytes(message), *parsed);
}

TEST_CASE("accept profile: the CCTV vectors are taken exactly as the table says",
          "[crypto][vectors]") {
  const std::optional<json> vectors = ReadVectors("cctv-ed25519/ed25519vectors.json");
  if (!vectors.has_value()) return;
  REQUIRE(vectors->size() == kCctvCount);
  for (const json& test : *vectors) {
    const int number = test["number"].get<int>();
    const bool expected = std::ranges::binary_search(kCctvAccepted, number);
    INFO("vector " << number << " flags " << test["flags"].dump());
    CHECK(Accepts(Bytes(test["key"]), test["msg"].get<std::string>(), Bytes(test["sig"])) ==
          expected);
  }
  CountVectors("cctv-ed25519", "verifications", vectors->size());
}

TEST_CASE("accept profile: the table follows from the flags of the CCTV vectors",
          "[crypto][vectors]") {
  const std::optional<json> vectors = ReadVectors("cctv-ed25519/ed25519vectors.json");
  if (!vectors.has_value()) return;
  const std::set<std::string> refused = {"low_order_A", "low_order_R", "non_canonical_A",
                                         "non_canonical_R", "low_order_residue"};
  for (const json& test : *vectors) {
    bool accepted = true;
    if (test["flags"].is_array()) {
      for (const json& flag : test["flags"]) {
        accepted = accepted && !refused.contains(flag.get<std::string>());
      }
    }
    const int number = test["number"].get<int>();
    INFO("vector " << number);
    CHECK(std::ranges::binary_search(kCctvAccepted, number) == accepted);
  }
}

TEST_CASE("accept profile: the speccheck cases are taken exactly as the table says",
          "[crypto][vectors]") {
  const std::optional<json> vectors = ReadVectors("ed25519-speccheck/cases.json");
  if (!vectors.has_value()) return;
  REQUIRE(vectors->size() == std::size(kSpeccheck));
  for (size_t i = 0; i < vectors->size(); ++i) {
    const json& test = (*vectors)[i];
    INFO("case " << i << ": " << std::string(kSpeccheck[i].reason));
    CHECK(Accepts(Bytes(test["pub_key"]), Bytes(test["message"]), Bytes(test["signature"])) ==
          kSpeccheck[i].accepted);
  }
  CountVectors("ed25519-speccheck", "verifications", vectors->size());
}

TEST_CASE("accept profile: Wycheproof has no vector on which we differ", "[crypto][vectors]") {
  const std::optional<json> vectors = ReadVectors("wycheproof/ed25519_test.json");
  if (!vectors.has_value()) return;
  size_t count = 0;
  for (const json& group : (*vectors)["testGroups"]) {
    const std::string key = Bytes(group["publicKey"]["pk"]);
    for (const json& test : group["tests"]) {
      ++count;
      INFO("test " << test["tcId"].dump() << " " << test["comment"].dump());
      const std::string result = test["result"].get<std::string>();
      REQUIRE((result == "valid" || result == "invalid"));
      CHECK(Accepts(key, Bytes(test["msg"]), Bytes(test["sig"])) == (result == "valid"));
    }
  }
  CHECK(count == 151);
  CountVectors("wycheproof", "ed25519", count);
}

}  // namespace
}  // namespace vigil::ledger
