#include <openssl/sha.h>

#include <ctime>
#include <thread>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/crypto/sha256.h"
#include "ledger/crypto/short_hash.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

std::string RandomText(SplitMix64* random, size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random->Next());
  return text;
}

TEST_CASE("sha-256: gives the digests of the FIPS 180 examples", "[crypto]") {
  // NIST, "Cryptographic Standards and Guidelines: Example Values", SHA-256, and the CAVP short
  // message of length 0.
  CHECK(Sha256(ByteSpan()).ToHex() ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256(AsBytes("abc")).ToHex() ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Sha256(AsBytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).ToHex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(Sha256(AsBytes("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"))
            .ToHex() == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(Sha256(AsBytes(std::string(1'000'000, 'a'))).ToHex() ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha-256: parts hash like the whole at every split", "[crypto]") {
  VIGIL_TEST_SEED(seed, 2);
  SplitMix64 random(seed);
  const std::string text = RandomText(&random, 200);
  const Hash whole = Sha256(AsBytes(text));
  for (size_t split = 0; split <= text.size(); ++split) {
    const ByteSpan bytes = AsBytes(text);
    CHECK(Sha256({bytes.first(split), bytes.subspan(split)}) == whole);
    Sha256Stream stream;
    CHECK(stream.Update(bytes.first(split)).Update(bytes.subspan(split)).Finish() == whole);
  }
  CHECK(Sha256({}) == Sha256(ByteSpan()));
}

TEST_CASE("sha-256: equals the one-shot function of OpenSSL at every small size", "[crypto]") {
  VIGIL_TEST_SEED(seed, 3);
  SplitMix64 random(seed);
  for (size_t size = 0; size < 300; ++size) {
    const std::string text = RandomText(&random, size);
    Hash expected;
    SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), expected.bytes.data());
    CHECK(Sha256(AsBytes(text)) == expected);
  }
}

TEST_CASE("sha-256 stream: starts afresh and minds its own business", "[crypto]") {
  Sha256Stream stream;
  stream.Update(AsBytes("ab"));
  Sha256Stream other;
  other.Update(AsBytes("xyz"));
  CHECK(Sha256(AsBytes("abc")).ToHex().substr(0, 8) == "ba7816bf");
  stream.Update(AsBytes("c"));
  CHECK(stream.Finish() == Sha256(AsBytes("abc")));
  CHECK(stream.Finish() == Sha256(ByteSpan()));
  CHECK(stream.Update(AsBytes("abc")).Finish() == Sha256(AsBytes("abc")));
}

TEST_CASE("sha-256: threads do not disturb each other", "[crypto]") {
  std::vector<std::thread> threads;
  std::vector<Hash> last(4);
  for (size_t i = 0; i < last.size(); ++i) {
    threads.emplace_back([i, &last] {
      Hash hash;
      hash.bytes[0] = static_cast<uint8_t>(i);
      for (int round = 0; round < 2'000; ++round) hash = Sha256(hash.span());
      last[i] = hash;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < last.size(); ++i) {
    Hash hash;
    hash.bytes[0] = static_cast<uint8_t>(i);
    for (int round = 0; round < 2'000; ++round) {
      Hash next;
      SHA256(hash.bytes.data(), Hash::size(), next.bytes.data());
      hash = next;
    }
    CHECK(last[i] == hash);
  }
}

TEST_CASE("short hash: gives the published SipHash-2-4 values", "[crypto]") {
  // Aumasson and Bernstein's vectors_sip64: key 00 01 .. 0f and message 00 01 .. of each size. The
  // last is the worked example in appendix A of their paper.
  ShortHashKey key;
  for (uint8_t i = 0; i < 16; ++i) key.bytes[i] = i;
  std::string message;
  std::vector<uint64_t> hashes;
  for (int size = 0; size <= 15; ++size) {
    hashes.push_back(ShortHash(key, AsBytes(message)));
    message.push_back(static_cast<char>(size));
  }
  CHECK(hashes[0] == 0x726fdb47dd0e0e31ULL);
  CHECK(hashes[1] == 0x74f839c593dc67fdULL);
  CHECK(hashes[2] == 0x0d6c8009d9a94f5aULL);
  CHECK(hashes[3] == 0x85676696d7fb7e2dULL);
  CHECK(hashes[15] == 0xa129ca6149be45e5ULL);
}

TEST_CASE("sha-256: speed per message", "[crypto][!benchmark]") {
  const std::string node(65, 'n');
  const std::string event(200, 'e');
  for (const std::string* text : {&node, &event}) {
    constexpr int kRounds = 2'000'000;
    const std::clock_t start = std::clock();
    for (int i = 0; i < kRounds; ++i) Sha256(AsBytes(*text));
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    WARN(text->size() << " bytes: " << 1e9 * seconds / kRounds << " ns of CPU");
  }
}

}  // namespace
}  // namespace vigil::ledger
