#include "ledger/log/checkpoint.h"

#include "absl/strings/str_cat.h"
#include "ledger/log/merkle.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

// The note text published with tessera's testdata/log: fifteen leaves "one" to "fivten".
constexpr absl::string_view kTesseraText =
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n";

TEST_CASE("checkpoint: a published one is read and its root is that of the leaves", "[log]") {
  const absl::StatusOr<Checkpoint> checkpoint = DecodeCheckpoint(kTesseraText);
  REQUIRE(checkpoint.ok());
  CHECK(checkpoint->origin == "example.com/log/testdata");
  CHECK(checkpoint->size == 15);
  MerkleFrontier frontier;
  for (absl::string_view leaf :
       {"one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven",
        "twelf", "threeten", "fourten", "fivten"}) {
    frontier.Append(LeafHash(AsBytes(leaf)));
  }
  CHECK(checkpoint->root == frontier.Root());
  CHECK(EncodeCheckpoint(*checkpoint) == kTesseraText);
}

TEST_CASE("checkpoint: names its ledger in the origin", "[log]") {
  Hash genesis;
  genesis.bytes[0] = 0xab;
  CHECK(CheckpointOrigin("demo", genesis) == "demo/ab" + std::string(62, '0'));
}

TEST_CASE("checkpoint: sizes from nought to the maximum come back", "[log]") {
  for (uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, kTreeSizeMax}) {
    const Checkpoint checkpoint{.origin = "o", .size = size, .root = Hash()};
    const absl::StatusOr<Checkpoint> decoded = DecodeCheckpoint(EncodeCheckpoint(checkpoint));
    REQUIRE(decoded.ok());
    CHECK(*decoded == checkpoint);
  }
}

TEST_CASE("checkpoint: anything but three canonical lines is refused", "[log]") {
  const std::string root = "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=";
  const auto text = [&](const std::string& origin, const std::string& size,
                        const std::string& root_line, const std::string& rest) {
    return origin + "\n" + size + "\n" + root_line + rest;
  };
  REQUIRE(DecodeCheckpoint(text("o", "7", root, "\n")).ok());
  for (const std::string& bad :
       {std::string(),
        std::string("\n"),
        std::string("\n\n\n"),
        text("o", "7", root, ""),
        text("o", "7", root, "\n\n"),
        text("o", "7", root, "\nextension\n"),
        text("o", "7", root, "\r\n"),
        text("", "7", root, "\n"),
        text("o\tp", "7", root, "\n"),
        text("o", "", root, "\n"),
        text("o", "07", root, "\n"),
        text("o", "+7", root, "\n"),
        text("o", "-7", root, "\n"),
        text("o", " 7", root, "\n"),
        text("o", "7 ", root, "\n"),
        text("o", "0x7", root, "\n"),
        text("o", "00", root, "\n"),
        text("o", "9223372036854775808", root, "\n"),
        text("o", "18446744073709551616", root, "\n"),
        text("o", "7", "", "\n"),
        text("o", "7", root.substr(0, 43), "\n"),
        text("o", "7", root + "=", "\n"),
        text("o", "7", " " + root, "\n"),
        text("o", "7", "AAAA", "\n"),
        text("o", "7", root.substr(0, 42) + "t=", "\n"),
        text("o", "7", "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja_1nk427v383cs=", "\n")}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(DecodeCheckpoint(bad).status()));
  }
}

TEST_CASE("checkpoint: every cut is refused", "[log]") {
  for (size_t size = 0; size < kTesseraText.size(); ++size) {
    CHECK(absl::IsInvalidArgument(DecodeCheckpoint(kTesseraText.substr(0, size)).status()));
  }
}

TEST_CASE("checkpoint: a signed one is a note whose text is one", "[log]") {
  const std::string lines = "\n\xe2\x80\x94 name AAAAAQI=\n";
  const absl::StatusOr<SignedCheckpoint> decoded =
      DecodeSignedCheckpoint(absl::StrCat(kTesseraText, lines));
  REQUIRE(decoded.ok());
  CHECK(decoded->checkpoint.size == 15);
  CHECK(decoded->note.text == kTesseraText);
  CHECK(decoded->note.signatures.size() == 1);
  CHECK(absl::IsInvalidArgument(DecodeSignedCheckpoint(kTesseraText).status()));
  CHECK(absl::IsInvalidArgument(DecodeSignedCheckpoint("text\n" + lines).status()));
  CHECK(absl::IsInvalidArgument(
      DecodeSignedCheckpoint(absl::StrCat(kTesseraText, "extension\n", lines)).status()));
}

}  // namespace
}  // namespace vigil::ledger
