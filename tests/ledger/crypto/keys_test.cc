#include "ledger/crypto/keys.h"

#include <openssl/sha.h>

#include <set>
#include <utility>

#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

std::array<uint8_t, 32> Seed(absl::string_view hex) { return Hash::FromHex(hex)->bytes; }

struct Rfc8032Case {
  absl::string_view seed, key, message, signature;
};

// RFC 8032 section 7.1, tests 1 to 3.
constexpr Rfc8032Case kRfc8032Cases[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST_CASE("signing key: signs as RFC 8032 says", "[crypto]") {
  for (const Rfc8032Case& test : kRfc8032Cases) {
    const SigningKey key = SigningKey::FromSeed(Seed(test.seed));
    const std::string message = *HexDecode(test.message);
    CHECK(key.public_key().ToHex() == test.key);
    CHECK(key.Sign(AsBytes(message)).ToHex() == test.signature);
    CHECK(VerifySignature(key.public_key(), AsBytes(message), key.Sign(AsBytes(message))));
  }
}

TEST_CASE("signature: any flipped bit of signature or key or message spoils it", "[crypto]") {
  const SigningKey key = SigningKey::FromSeed(Seed(kRfc8032Cases[2].seed));
  const std::string message = "a record";
  const Signature good = key.Sign(AsBytes(message));
  REQUIRE(VerifySignature(key.public_key(), AsBytes(message), good));
  for (size_t bit = 0; bit < 8 * Signature::size(); ++bit) {
    Signature bad = good;
    bad.bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    CHECK_FALSE(VerifySignature(key.public_key(), AsBytes(message), bad));
  }
  for (size_t bit = 0; bit < 8 * PublicKey::size(); ++bit) {
    PublicKey other = key.public_key();
    other.bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    CHECK_FALSE(VerifySignature(other, AsBytes(message), good));
  }
  for (size_t bit = 0; bit < 8 * message.size(); ++bit) {
    std::string other = message;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(VerifySignature(key.public_key(), AsBytes(other), good));
  }
  CHECK_FALSE(VerifySignature(key.public_key(), AsBytes(message + " "), good));
}

TEST_CASE("signing key: fresh keys differ and verify only their own", "[crypto]") {
  const SigningKey one = SigningKey::Generate();
  const SigningKey two = SigningKey::Generate();
  CHECK(one.public_key() != two.public_key());
  CHECK(IsValidPublicKey(one.public_key()));
  CHECK_FALSE(VerifySignature(two.public_key(), AsBytes("x"), one.Sign(AsBytes("x"))));
}

TEST_CASE("signing key: moving takes the key along", "[crypto]") {
  SigningKey from = SigningKey::FromSeed(Seed(kRfc8032Cases[0].seed));
  const PublicKey public_key = from.public_key();
  SigningKey to(std::move(from));
  CHECK(to.public_key() == public_key);
  CHECK(to.Sign(ByteSpan()).ToHex() == kRfc8032Cases[0].signature);
  SigningKey assigned = SigningKey::Generate();
  assigned = std::move(to);
  CHECK(assigned.public_key() == public_key);
  CHECK(assigned.Sign(ByteSpan()).ToHex() == kRfc8032Cases[0].signature);
}

TEST_CASE("key id: is the first half of a tagged hash of the key", "[crypto]") {
  const SigningKey key = SigningKey::FromSeed(Seed(kRfc8032Cases[0].seed));
  const std::string tagged =
      std::string("vigil/key/v1") + '\0' + std::string(key.public_key().view());
  uint8_t expected[32];
  SHA256(reinterpret_cast<const uint8_t*>(tagged.data()), tagged.size(), expected);
  CHECK(key.id().ToHex() == HexEncode(ByteSpan(expected, 16)));
  CHECK(key.id() == KeyIdOf(key.public_key()));
}

TEST_CASE("enrolment: points of mixed order are refused", "[crypto]") {
  // The key of RFC 8032 test 1, then the same plus each of the seven other points whose order
  // divides 8; computed with an implementation of RFC 8032 section 6 in Python. libsodium 1.0.18
  // without the fix for CVE-2025-69277 takes one of them.
  CHECK(IsValidPublicKey(*PublicKey::FromHex(kRfc8032Cases[0].key)));
  for (absl::string_view mixed :
       {"3b5b475c4b82dd1572799fc546f4c6c03e478c6654aa4c7f945b347ea32af60d",
        "40c7570f4dd54835b9131184410ed4a0cc93e7d9ad053cbc6d07a62426999582",
        "9158312a9a8d6e3b34c891d6d61444f8b8211c5117ebad15bdb0bd68b07e0245",
        "16a567fe7d4ef5482ab4012c369bf8c5f11e8d0c2559dcda50fde59708f8aee5",
        "b2a4b8a3b47d22ea8d86603ab90b393fc1b87399ab55b3806ba4cb815cd509f2",
        "ad38a8f0b22ab7ca46ecee7bbef12b5f336c182652fac34392f859dbd9666a7d",
        "5ca7ced5657291c4cb376e2929ebbb0747dee3aee81452ea424f42974f81fdba"}) {
    INFO(mixed);
    CHECK_FALSE(IsValidPublicKey(*PublicKey::FromHex(mixed)));
  }
}

TEST_CASE("enrolment: small and malformed points are refused", "[crypto]") {
  // The fourteen encodings of points of small order listed with C2SP/CCTV ed25519.
  for (absl::string_view small :
       {"0000000000000000000000000000000000000000000000000000000000000000",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}) {
    INFO(small);
    CHECK_FALSE(IsValidPublicKey(*PublicKey::FromHex(small)));
  }
  // y = 2 has no x on the curve.
  CHECK_FALSE(IsValidPublicKey(
      *PublicKey::FromHex("0200000000000000000000000000000000000000000000000000000000000000")));
}

TEST_CASE("random bytes: have the size asked for and do not repeat", "[crypto]") {
  CHECK(RandomBytes(0).empty());
  CHECK(RandomBytes(7).size() == 7);
  CHECK(RandomBytes(16) != RandomBytes(16));
}

TEST_CASE("salt source: expands the seed with ChaCha20 and forgets the key it used", "[crypto]") {
  // Key stream of the all-zero key and nonce, RFC 8439 appendix A.1, test vector 1: its first 32
  // bytes become the next key, the salts are what follows.
  SaltSource salts(std::array<uint8_t, 32>{});
  CHECK(HexEncode(salts.Next()) == "da41597c5157488d7724e03fb8d84a37");
  CHECK(HexEncode(salts.Next()) == "6a43b8f41518a11cc387b669b2ee6586");
}

TEST_CASE("salt source: equal seeds give equal salts and none repeats", "[crypto]") {
  std::array<uint8_t, 32> seed{};
  seed[5] = 1;
  SaltSource one(seed);
  SaltSource two(seed);
  SaltSource fresh;
  std::set<std::array<uint8_t, 16>> seen;
  for (int i = 0; i < 3'000; ++i) {
    const std::array<uint8_t, 16> salt = one.Next();
    CHECK(salt == two.Next());
    CHECK(seen.insert(salt).second);
    CHECK(seen.insert(fresh.Next()).second);
  }
}

}  // namespace
}  // namespace vigil::ledger
