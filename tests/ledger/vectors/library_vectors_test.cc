// Published vectors of primitives that the product does not use yet, against the pinned libsodium:
// whoever builds on one of them starts from known behaviour. The vectors of what the product does
// use are in the tests of ledger/crypto and ledger/log.
#include <sodium.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_split.h"
#include "ledger/base/bytes.h"
#include "tests/ledger/vectors/oprf_reference.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"
#include "tests/support/vectors.h"

namespace vigil::ledger {
namespace {

using nlohmann::json;
using oprf::Mode;
using oprf::Suite;

std::optional<json> ReadVectors(const std::string& path) {
  REQUIRE(sodium_init() >= 0);
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
const uint8_t* In(const std::string& bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}
uint8_t* Out(std::string& bytes) { return reinterpret_cast<uint8_t*>(bytes.data()); }

// Calls `check` for every case of one Wycheproof file, with its group.
void ForEachCase(const std::string& name,
                 const std::function<void(const json& group, const json& test)>& check) {
  const std::optional<json> vectors = ReadVectors("wycheproof/" + name + "_test.json");
  if (!vectors.has_value()) return;
  size_t count = 0;
  for (const json& group : (*vectors)["testGroups"]) {
    for (const json& test : group["tests"]) {
      INFO(name << " " << test["tcId"].dump() << " " << test["comment"].dump());
      check(group, test);
      ++count;
    }
  }
  CHECK(count == (*vectors)["numberOfTests"].get<size_t>());
  CountVectors("wycheproof", name, count);
}

bool IsValid(const json& test) { return test["result"].get<std::string>() == "valid"; }

std::string HmacSha256(const std::string& key, const std::string& message) {
  crypto_auth_hmacsha256_state state;
  std::string tag(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_init(&state, In(key), key.size());
  crypto_auth_hmacsha256_update(&state, In(message), message.size());
  crypto_auth_hmacsha256_final(&state, Out(tag));
  return tag;
}

std::string HmacSha512(const std::string& key, const std::string& message) {
  crypto_auth_hmacsha512_state state;
  std::string tag(crypto_auth_hmacsha512_BYTES, '\0');
  crypto_auth_hmacsha512_init(&state, In(key), key.size());
  crypto_auth_hmacsha512_update(&state, In(message), message.size());
  crypto_auth_hmacsha512_final(&state, Out(tag));
  return tag;
}

using Hmac = std::string (*)(const std::string&, const std::string&);

// RFC 5869; empty when more is asked than 255 blocks.
std::string Hkdf(Hmac hmac, const json& test) {
  std::string salt = Bytes(test["salt"]);
  const std::string block = hmac("", "");
  if (salt.empty()) salt = std::string(block.size(), '\0');
  const auto size = test["size"].get<size_t>();
  if (size > 255 * block.size()) return "";
  const std::string key = hmac(salt, Bytes(test["ikm"]));
  std::string last;
  std::string out;
  for (int i = 1; out.size() < size; ++i) {
    last = hmac(key, last + Bytes(test["info"]) + static_cast<char>(i));
    out += last;
  }
  return out.substr(0, size);
}

TEST_CASE("wycheproof: HMAC tags are those published", "[vectors]") {
  for (const auto& [name, hmac] : {std::pair<const char*, Hmac>{"hmac_sha256", HmacSha256},
                                   std::pair<const char*, Hmac>{"hmac_sha512", HmacSha512}}) {
    ForEachCase(name, [hmac = hmac](const json& group, const json& test) {
      const std::string tag = hmac(Bytes(test["key"]), Bytes(test["msg"]));
      CHECK((tag.substr(0, group["tagSize"].get<size_t>() / 8) == Bytes(test["tag"])) ==
            IsValid(test));
    });
  }
}

TEST_CASE("wycheproof: HKDF over the HMACs gives what is published", "[vectors]") {
  for (const auto& [name, hmac] : {std::pair<const char*, Hmac>{"hkdf_sha256", HmacSha256},
                                   std::pair<const char*, Hmac>{"hkdf_sha512", HmacSha512}}) {
    ForEachCase(name, [hmac = hmac](const json&, const json& test) {
      const std::string out = Hkdf(hmac, test);
      CHECK((!out.empty() && out == Bytes(test["okm"])) == IsValid(test));
    });
  }
}

TEST_CASE("wycheproof: X25519 secrets are those published and a zero one is refused", "[vectors]") {
  ForEachCase("x25519", [](const json&, const json& test) {
    const std::string expected = Bytes(test["shared"]);
    std::string shared(32, '\0');
    const bool taken =
        crypto_scalarmult(Out(shared), In(Bytes(test["private"])), In(Bytes(test["public"]))) == 0;
    CHECK(taken == (expected != std::string(32, '\0')));
    if (taken) CHECK(shared == expected);
    if (IsValid(test)) CHECK(taken);
  });
}

using Open = int (*)(unsigned char*, unsigned long long*, unsigned char*, const unsigned char*,
                     unsigned long long, const unsigned char*, unsigned long long,
                     const unsigned char*, const unsigned char*);

TEST_CASE("wycheproof: sealed messages open exactly when valid", "[vectors]") {
  struct Cipher {
    const char* name;
    Open open;
    size_t nonce_size;
  };
  for (const Cipher& cipher :
       {Cipher{"chacha20_poly1305", crypto_aead_chacha20poly1305_ietf_decrypt,
               crypto_aead_chacha20poly1305_ietf_NPUBBYTES},
        Cipher{"xchacha20_poly1305", crypto_aead_xchacha20poly1305_ietf_decrypt,
               crypto_aead_xchacha20poly1305_ietf_NPUBBYTES}}) {
    ForEachCase(cipher.name, [&cipher](const json&, const json& test) {
      const std::string nonce = Bytes(test["iv"]);
      const std::string key = Bytes(test["key"]);
      const std::string data = Bytes(test["aad"]);
      const std::string sealed = Bytes(test["ct"]) + Bytes(test["tag"]);
      // The library takes nonces of its one size; a caller holds them in a type of that size.
      bool opened = nonce.size() == cipher.nonce_size && key.size() == 32;
      std::string message(sealed.size(), '\0');
      unsigned long long size = 0;
      opened = opened && cipher.open(Out(message), &size, nullptr, In(sealed), sealed.size(),
                                     In(data), data.size(), In(nonce), In(key)) == 0;
      CHECK(opened == IsValid(test));
      if (opened) CHECK(message.substr(0, size) == Bytes(test["msg"]));
    });
  }
}

TEST_CASE("ristretto255: bad encodings are refused and uniform bytes map as published",
          "[vectors]") {
  const std::optional<json> vectors = ReadVectors("ristretto255-encodings/vectors.json");
  if (!vectors.has_value()) return;
  for (const json& bad : (*vectors)["bad_encodings"]) {
    INFO(bad.dump());
    CHECK(crypto_core_ristretto255_is_valid_point(In(Bytes(bad))) == 0);
  }
  for (const json& test : (*vectors)["from_uniform_bytes"]) {
    std::string element(32, '\0');
    crypto_core_ristretto255_from_hash(Out(element), In(Bytes(test["in"])));
    CHECK(element == Bytes(test["out"]));
  }
  CountVectors("ristretto255-encodings", "bad encodings", (*vectors)["bad_encodings"].size());
  CountVectors("ristretto255-encodings", "from uniform bytes",
               (*vectors)["from_uniform_bytes"].size());
}

std::vector<std::string> List(const json& hexes) {
  std::vector<std::string> out;
  for (absl::string_view hex : absl::StrSplit(hexes.get<std::string>(), ',')) {
    out.push_back(*HexDecode(hex));
  }
  return out;
}

// One vector of RFC 9497, appendix A.1: client, server and proof.
void CheckOprf(const Suite& suite, Mode mode, const std::string& key, const json& test) {
  const std::vector<std::string> inputs = List(test["Input"]);
  const std::vector<std::string> blinds = List(test["Blind"]);
  const std::vector<std::string> blinded = List(test["BlindedElement"]);
  const std::vector<std::string> evaluated = List(test["EvaluationElement"]);
  const std::vector<std::string> outputs = List(test["Output"]);
  const std::string info = test.contains("Info") ? Bytes(test["Info"]) : std::string();
  const bool partial = mode == Mode::kPartial;
  const std::string used = partial ? suite.TweakedKey(key, info) : key;
  for (size_t i = 0; i < inputs.size(); ++i) {
    CHECK(Suite::Multiply(blinds[i], suite.HashToGroup(inputs[i])) == blinded[i]);
    CHECK(Suite::Multiply(partial ? Suite::Invert(used) : used, blinded[i]) == evaluated[i]);
    const std::string element = Suite::Multiply(Suite::Invert(blinds[i]), evaluated[i]);
    CHECK(suite.Finalize(inputs[i], info, element) == outputs[i]);
  }
  if (mode == Mode::kOprf) return;
  const std::string proof = Bytes(test["Proof"]["proof"]);
  const std::vector<std::string>& from = partial ? evaluated : blinded;
  const std::vector<std::string>& to = partial ? blinded : evaluated;
  CHECK(suite.Prove(used, from, to, Bytes(test["Proof"]["r"])) == proof);
  CHECK(suite.Verifies(Suite::PublicOf(used), from, to, proof));
  for (size_t i = 0; i < proof.size(); ++i) {
    std::string bad = proof;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK_FALSE(suite.Verifies(Suite::PublicOf(used), from, to, bad));
  }
}

TEST_CASE("RFC 9497: the ristretto255 OPRFs are those of appendix A", "[vectors]") {
  const std::optional<json> vectors = ReadVectors("voprf-rfc9497/allVectors.json");
  if (!vectors.has_value()) return;
  size_t other = 0;
  for (const json& group : *vectors) {
    if (group["identifier"] != "ristretto255-SHA512") {
      other += group["vectors"].size();
      continue;
    }
    const auto mode = static_cast<Mode>(group["mode"].get<int>());
    const Suite suite(mode);
    const std::string key = suite.DeriveKey(Bytes(group["seed"]), Bytes(group["keyInfo"]));
    CHECK(key == Bytes(group["skSm"]));
    if (mode != Mode::kOprf) CHECK(Suite::PublicOf(key) == Bytes(group["pkSm"]));
    for (const json& test : group["vectors"]) {
      INFO("mode " << group["mode"].dump() << " input " << test["Input"].dump());
      CheckOprf(suite, mode, key, test);
    }
    CountVectors("voprf-rfc9497", "ristretto255-SHA512 mode " + group["mode"].dump(),
                 group["vectors"].size());
  }
  // Of curves that the library does not have and nothing here uses.
  CountVectors("voprf-rfc9497", "not checked: P-256 P-384 P-521 decaf448", other);
}

}  // namespace
}  // namespace vigil::ledger
