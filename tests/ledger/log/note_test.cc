#include "ledger/log/note.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/shared_files.h"

namespace vigil::ledger {
namespace {

using nlohmann::json;

// Published in C2SP signed-note.md, section Example.
constexpr absl::string_view kSpecKey =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
constexpr absl::string_view kSpecNote =
    "This is an example message.\n\n\xe2\x80\x94 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    "\n";
// Published with tessera's testdata/log.
constexpr absl::string_view kTesseraKey =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
constexpr absl::string_view kTesseraNote =
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n"
    "\xe2\x80\x94 example.com/log/testdata "
    "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI="
    "\n";

SigningKey TestKey(uint8_t number) {
  std::array<uint8_t, 32> seed{};
  seed[0] = number;
  return SigningKey::FromSeed(seed);
}

TEST_CASE("note: published notes verify and come back byte for byte", "[log]") {
  const std::pair<absl::string_view, absl::string_view> cases[] = {{kSpecKey, kSpecNote},
                                                                   {kTesseraKey, kTesseraNote}};
  for (const auto& [vkey, bytes] : cases) {
    const absl::StatusOr<NoteKey> key = DecodeNoteKey(vkey);
    const absl::StatusOr<SignedNote> note = DecodeNote(bytes);
    REQUIRE(key.ok());
    REQUIRE(note.ok());
    REQUIRE(note->signatures.size() == 1);
    CHECK(VerifyNoteSignature(*key, note->text, note->signatures[0]).ok());
    CHECK(EncodeNote(*note) == bytes);
    CHECK(EncodeNoteKey(*key) == vkey);
  }
}

TEST_CASE("note: the collected examples are judged as published", "[log]") {
  const std::optional<std::string> text = ReadSharedFile("vectors/signed-note-examples/notes.json");
  if (!text.has_value()) {
    WARN("skipped: vectors/signed-note-examples is not there");
    return;
  }
  const json examples = json::parse(*text, nullptr, false);
  REQUIRE_FALSE(examples.is_discarded());
  for (const json& example : examples["notes"]) {
    const absl::StatusOr<NoteKey> key = DecodeNoteKey(example["vkey"].get<std::string>());
    const absl::StatusOr<SignedNote> note = DecodeNote(example["note"].get<std::string>());
    REQUIRE(key.ok());
    REQUIRE(note.ok());
    CHECK(VerifyNoteSignature(*key, note->text, note->signatures[0]).ok() ==
          example["valid"].get<bool>());
  }
  for (const json& bad : examples["bad_vkeys"]) {
    CHECK(absl::IsInvalidArgument(DecodeNoteKey(bad.get<std::string>()).status()));
  }
}

TEST_CASE("note: a flipped bit in the text or the signature is caught", "[log]") {
  const NoteKey key = *DecodeNoteKey(kTesseraKey);
  const SignedNote note = *DecodeNote(kTesseraNote);
  for (size_t bit = 0; bit < 8 * note.text.size(); ++bit) {
    std::string text = note.text;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    CHECK(absl::IsDataLoss(VerifyNoteSignature(key, text, note.signatures[0]).status()));
  }
  for (size_t bit = 0; bit < 8 * note.signatures[0].signature.size(); ++bit) {
    NoteSignature bad = note.signatures[0];
    bad.signature[bit / 8] = static_cast<char>(bad.signature[bit / 8] ^ (1 << (bit % 8)));
    CHECK(absl::IsDataLoss(VerifyNoteSignature(key, note.text, bad).status()));
  }
}

TEST_CASE("note: log signature and cosignature never stand in for each other", "[log]") {
  const SigningKey key = TestKey(1);
  const std::string text = "origin\n3\nroot\n";
  const NoteKey log{.name = "name", .type = NoteKeyType::kEd25519, .key = key.public_key()};
  const NoteKey cosigner{
      .name = "name", .type = NoteKeyType::kCosignatureV1, .key = key.public_key()};
  const NoteSignature signature = SignNote(key, "name", text);
  const NoteSignature cosignature = CosignNote(key, "name", text, /*unix_seconds=*/1'700'000'000);
  CHECK(*VerifyNoteSignature(log, text, signature) == 0);
  CHECK(*VerifyNoteSignature(cosigner, text, cosignature) == 1'700'000'000);
  CHECK(absl::IsNotFound(VerifyNoteSignature(log, text, cosignature).status()));
  CHECK(absl::IsNotFound(VerifyNoteSignature(cosigner, text, signature).status()));
}

TEST_CASE("note: a cosignature is big-endian time and a signature over the time line", "[log]") {
  // C2SP tlog-cosignature: "cosignature/v1", "time <decimal>", then the checkpoint.
  const SigningKey key = TestKey(2);
  const std::string text = "origin\n3\nroot\n";
  const NoteSignature cosignature = CosignNote(key, "witness", text, 0x0102030405);
  REQUIRE(cosignature.signature.size() == 72);
  CHECK(HexEncode(AsBytes(cosignature.signature.substr(0, 8))) == "0000000102030405");
  const Signature expected = key.Sign(AsBytes("cosignature/v1\ntime 4328719365\n" + text));
  CHECK(cosignature.signature.substr(8) == expected.view());
  NoteSignature later = cosignature;
  later.signature[7] = '\x06';
  const NoteKey witness{
      .name = "witness", .type = NoteKeyType::kCosignatureV1, .key = key.public_key()};
  CHECK(absl::IsDataLoss(VerifyNoteSignature(witness, text, later).status()));
}

TEST_CASE("note: unknown signatures are kept and other keys are not found", "[log]") {
  const SigningKey key = TestKey(3);
  SignedNote note{.text = "text\n", .signatures = {}};
  note.signatures.push_back({.name = "stranger", .key_hash = 7, .signature = "x"});
  note.signatures.push_back(SignNote(key, "us", note.text));
  const absl::StatusOr<SignedNote> decoded = DecodeNote(EncodeNote(note));
  REQUIRE(decoded.ok());
  CHECK(*decoded == note);
  const NoteKey ours{.name = "us", .type = NoteKeyType::kEd25519, .key = key.public_key()};
  CHECK(absl::IsNotFound(VerifyNoteSignature(ours, note.text, note.signatures[0]).status()));
  CHECK(VerifyNoteSignature(ours, note.text, note.signatures[1]).ok());
  const NoteKey renamed{.name = "them", .type = NoteKeyType::kEd25519, .key = key.public_key()};
  CHECK(absl::IsNotFound(VerifyNoteSignature(renamed, note.text, note.signatures[1]).status()));
}

TEST_CASE("note: what is not a canonical note is refused", "[log]") {
  const std::string mark = "\xe2\x80\x94 ";
  const std::string good = "text\n\n" + mark + "name AAAAAQI=\n";
  REQUIRE(DecodeNote(good).ok());
  std::string many = "text\n\n";
  for (size_t i = 0; i <= kNoteSignaturesMax; ++i) many += mark + "name AAAAAQI=\n";
  const std::vector<std::string> bad_notes = {std::string(),
                                              std::string("\n"),
                                              std::string("text\n"),
                                              std::string("text\n\n"),
                                              "text\n" + mark + "name AAAAAQI=\n",
                                              "text\n\n" + mark + "name AAAAAQI=",
                                              "text\n\n- name AAAAAQI=\n",
                                              "text\n\n" + mark + "name AAAAAQ==\n",
                                              "text\n\n" + mark + "name AAAAAQI\n",
                                              "text\n\n" + mark + "name  AAAAAQI=\n",
                                              "text\n\n" + mark + "na+me AAAAAQI=\n",
                                              "text\n\n" + mark + " AAAAAQI=\n",
                                              "text\n\n" + mark + "name AAAAAQI= \n",
                                              "te\x01xt\n\n" + mark + "name AAAAAQI=\n",
                                              "te\xffxt\n\n" + mark + "name AAAAAQI=\n",
                                              "te\xc0\x80xt\n\n" + mark + "name AAAAAQI=\n",
                                              "te\xed\xa0\x80xt\n\n" + mark + "name AAAAAQI=\n",
                                              "text\n\n" + mark + "na\xc2\xa0me AAAAAQI=\n",
                                              many,
                                              std::string(kNoteBytesMax, 'x') + good};
  for (const std::string& bad : bad_notes) {
    CHECK(absl::IsInvalidArgument(DecodeNote(bad).status()));
  }
  for (size_t size = 0; size < good.size(); ++size) {
    CHECK(absl::IsInvalidArgument(DecodeNote(good.substr(0, size)).status()));
  }
}

TEST_CASE("note key: a key hash that is not its own is refused", "[log]") {
  for (const char* bad : {"example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
                          "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
                          "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
                          "example.com/foo+530d903a", "", "++"}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(DecodeNoteKey(bad).status()));
  }
}

TEST_CASE("note: a signature under another name is not found even with the same key hash",
          "[log]") {
  const NoteKey key = *DecodeNoteKey(kTesseraKey);
  const SignedNote note = *DecodeNote(kTesseraNote);
  NoteSignature renamed = note.signatures[0];
  renamed.name = "other";
  CHECK(absl::IsNotFound(VerifyNoteSignature(key, note.text, renamed).status()));
}

TEST_CASE("note: only the last empty line ends the text", "[log]") {
  const std::string bytes = "one\n\ntwo\n\n\xe2\x80\x94 name AAAAAQI=\n";
  const absl::StatusOr<SignedNote> note = DecodeNote(bytes);
  REQUIRE(note.ok());
  CHECK(note->text == "one\n\ntwo\n");
  CHECK(EncodeNote(*note) == bytes);
}

}  // namespace
}  // namespace vigil::ledger
