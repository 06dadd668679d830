#include "ledger/log/tlog_proof.h"

#include "absl/strings/escaping.h"
#include "ledger/log/policy.h"
#include "tests/ledger/log/test_log.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"
#include "tests/support/vectors.h"

namespace vigil::ledger {
namespace {

constexpr uint64_t kSize = 13;
constexpr uint64_t kIndex = 9;

TlogProof TestProof(const std::string& extra) {
  return {.extra = extra,
          .index = kIndex,
          .path = InclusionPath(TestLeaves(kSize), kIndex),
          .checkpoint = TestNote(TestCheckpoint(kSize), {1}, {1, 2})};
}

// The log's one key, and both witnesses: every line of TestProof()'s checkpoint counts.
Policy TestPolicy() {
  Policy policy;
  policy.logs.push_back({.key = TestLogKey(1), .url = ""});
  policy.witnesses.push_back({.name = "a", .key = TestWitnessKey(1), .url = ""});
  policy.witnesses.push_back({.name = "b", .key = TestWitnessKey(2), .url = ""});
  policy.groups.push_back({.name = "both", .threshold = 2, .members = {"a", "b"}});
  policy.quorum = "both";
  return policy;
}

// What a verifier does: text, checkpoint, quorum, path.
bool Verifies(const Policy& policy, absl::string_view text, const Hash& leaf,
              absl::string_view extra) {
  const absl::StatusOr<TlogProof> proof = DecodeTlogProof(text);
  if (!proof.ok() || proof->extra != extra) return false;
  const absl::StatusOr<CheckpointVerdict> verdict = CheckCheckpoint(policy, proof->checkpoint);
  return verdict.ok() && verdict->quorum &&
         VerifyInclusion(proof->index, verdict->checkpoint.size, leaf, proof->path,
                         verdict->checkpoint.root)
             .ok();
}

TEST_CASE("tlog-proof: comes back with and without extra data", "[log]") {
  const Hash leaf = TestLeaves(kSize)[kIndex];
  for (const std::string& extra : {std::string(), std::string("\0\xff extra", 8)}) {
    const TlogProof proof = TestProof(extra);
    const std::string text = EncodeTlogProof(proof);
    const absl::StatusOr<TlogProof> decoded = DecodeTlogProof(text);
    REQUIRE(decoded.ok());
    CHECK(*decoded == proof);
    CHECK(Verifies(TestPolicy(), text, leaf, extra));
  }
}

TEST_CASE("tlog-proof: is the specification's lines", "[log]") {
  const TlogProof proof = TestProof("fooba");
  std::string expected = "c2sp.org/tlog-proof@v1\nextra Zm9vYmE=\nindex 9\n";
  for (const Hash& hash : proof.path) expected += absl::Base64Escape(hash.view()) + "\n";
  CHECK(EncodeTlogProof(proof) == expected + "\n" + proof.checkpoint);
}

TEST_CASE("tlog-proof: a tree of one leaf has no path lines", "[log]") {
  const TlogProof proof{
      .extra = "", .index = 0, .path = {}, .checkpoint = TestNote(TestCheckpoint(1), {1}, {1, 2})};
  const std::string text = EncodeTlogProof(proof);
  CHECK(text == "c2sp.org/tlog-proof@v1\nindex 0\n\n" + proof.checkpoint);
  CHECK(Verifies(TestPolicy(), text, TestLeaves(1)[0], ""));
}

TEST_CASE("tlog-proof: any other text is refused", "[log]") {
  const std::string first = "c2sp.org/tlog-proof@v1\n";
  const std::string hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  const std::string note = TestNote(TestCheckpoint(kSize), {1}, {});
  REQUIRE(DecodeTlogProof(first + "index 9\n" + hash + "\n" + note).ok());
  std::string many_hashes;
  for (size_t i = 0; i <= kProofHashesMax; ++i) many_hashes += hash;
  for (const std::string& bad :
       {std::string(), first, first + first + "index 9\n\n" + note,
        "c2sp.org/tlog-proof@v2\nindex 9\n\n" + note, "c2sp.org/tlog-proof@v1 \nindex 9\n\n" + note,
        "c2sp.org/tlog-proof@v1\r\nindex 9\n\n" + note, "\n" + first + "index 9\n\n" + note,
        // The extra line.
        first + "extra \nindex 9\n\n" + note, first + "extra\nindex 9\n\n" + note,
        first + "extra Zm9\nindex 9\n\n" + note, first + "extra Zm9=\nindex 9\n\n" + note,
        first + "extra Zm9v \nindex 9\n\n" + note, first + "extra  Zm9v\nindex 9\n\n" + note,
        first + "Extra Zm9v\nindex 9\n\n" + note,
        first + "extra Zm9v\nextra Zm9v\nindex 9\n\n" + note,
        first + "index 9\nextra Zm9v\n\n" + note,
        // The index line.
        first + "\n" + note, first + "index\n\n" + note, first + "index \n\n" + note,
        first + "index 09\n\n" + note, first + "index +9\n\n" + note, first + "index -1\n\n" + note,
        first + "index 9 \n\n" + note, first + "index  9\n\n" + note,
        first + "index 0x9\n\n" + note, first + "index 13\n\n" + note,
        first + "index 9223372036854775808\n\n" + note,
        first + "index 18446744073709551625\n\n" + note, first + "index 9\nindex 9\n\n" + note,
        // The path.
        first + "index 9\n" + many_hashes + "\n" + note, first + "index 9\nAAAA\n\n" + note,
        first + "index 9\n " + hash + "\n" + note,
        first + "index 9\n" + hash.substr(0, 43) + "\n\n" + note,
        first + "index 9\n" + hash.substr(0, 42) + "V=\n\n" + note,
        first + "index 9\n" + hash.substr(0, 44) + "\r\n\n" + note,
        first + "index 9\n" + hash + note,
        // The checkpoint.
        first + "index 9\n\n", first + "index 9\n\n\n" + note, first + "index 9\n\n" + note + "\n",
        first + "index 9\n\n" + note + "x\n",
        first + "index 9\n\n" + EncodeCheckpoint(TestCheckpoint(kSize)),
        first + "index 0\n\n" + TestNote(TestCheckpoint(0), {1}, {})}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(DecodeTlogProof(bad).status()));
  }
}

TEST_CASE("tlog-proof: refusals name the line", "[log]") {
  const std::string first = "c2sp.org/tlog-proof@v1\n";
  CHECK(DecodeTlogProof(first + "extra Zm9\n").status().message() ==
        "tlog-proof: line 2: 'Zm9' is not canonical base64");
  CHECK(DecodeTlogProof(first + "extra Zm9v\nindex 1\nAAAA\n").status().message() ==
        "tlog-proof: line 4: 3 bytes where 32 belong");
  CHECK(DecodeTlogProof(first + "index 13\n\n" + TestNote(TestCheckpoint(kSize), {1}, {}))
            .status()
            .message() == "tlog-proof: index 13 in a tree of 13");
}

TEST_CASE("tlog-proof: limits hold", "[log]") {
  TlogProof proof = TestProof(std::string(kTlogExtraBytesMax, 'x'));
  const std::string text = EncodeTlogProof(proof);
  CHECK(DecodeTlogProof(text)->extra == proof.extra);
  // Three more bytes are four more characters, and nothing else changes.
  const size_t extra_at = text.find("extra ") + 6;
  const std::string longer = text.substr(0, extra_at) + "eHh4" + text.substr(extra_at);
  CHECK(absl::IsInvalidArgument(DecodeTlogProof(longer).status()));
  // Before a line is read.
  CHECK(DecodeTlogProof(std::string(kTlogProofBytesMax + 1, 'x')).status().message() ==
        "tlog-proof of 4194305 bytes, at most 4194304");
}

TEST_CASE("tlog-proof: every cut is refused or has lost its quorum", "[log]") {
  const std::string text = EncodeTlogProof(TestProof("extra"));
  const Hash leaf = TestLeaves(kSize)[kIndex];
  const Policy policy = TestPolicy();
  int readable = 0;
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string cut = text.substr(0, size);
    if (DecodeTlogProof(cut).ok()) ++readable;
    CHECK_FALSE(Verifies(policy, cut, leaf, "extra"));
  }
  // Only where a cosignature line ends is the rest a proof of its own, with fewer lines.
  CHECK(readable == 2);
}

TEST_CASE("tlog-proof: no flipped bit anywhere verifies", "[log]") {
  const std::string text = EncodeTlogProof(TestProof("extra"));
  const Hash leaf = TestLeaves(kSize)[kIndex];
  const Policy policy = TestPolicy();
  REQUIRE(Verifies(policy, text, leaf, "extra"));
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string bad = text;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    INFO("bit " << bit);
    CHECK_FALSE(Verifies(policy, bad, leaf, "extra"));
  }
}

TEST_CASE("tlog-proof: a proof built from a published log verifies and any flip does not",
          "[log][vectors]") {
  const std::optional<std::string> text =
      ReadSharedFile("vectors/tlog-proof-derived/three.tlog-proof");
  if (!text.has_value()) {
    WARN("skipped: vectors/tlog-proof-derived is not there");
    return;
  }
  const Policy policy = TesseraPolicy();
  const Hash leaf = LeafHash(AsBytes("three"));
  REQUIRE(Verifies(policy, *text, leaf, ""));
  CHECK_FALSE(Verifies(policy, *text, LeafHash(AsBytes("four")), ""));
  const absl::StatusOr<TlogProof> proof = DecodeTlogProof(*text);
  CHECK(proof->index == 2);
  CHECK(EncodeTlogProof(*proof) == *text);
  for (size_t i = 0; i < text->size(); ++i) {
    for (const int flip : {0x01, 0x20, 0x80}) {
      std::string bad = *text;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      INFO("byte " << i);
      CHECK_FALSE(Verifies(policy, bad, leaf, ""));
    }
  }
  CountVectors("tlog-proof-derived", "proofs", 1);
}

}  // namespace
}  // namespace vigil::ledger
