#include "ledger/log/note.h"

#include <nlohmann/json.hpp>

#include "tests/ledger/log/test_log.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"
#include "tests/support/vectors.h"

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
constexpr absl::string_view kTesseraNote =
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n"
    "\xe2\x80\x94 example.com/log/testdata "
    "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI="
    "\n";

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

TEST_CASE("note: the collected examples are judged as published", "[log][vectors]") {
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
  CountVectors("signed-note-examples", "notes", examples["notes"].size());
  CountVectors("signed-note-examples", "bad keys", examples["bad_vkeys"].size());
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

TEST_CASE("note: signature lines alone come back", "[log]") {
  // C2SP tlog-witness, a witness's answer.
  const std::string body =
      "\xe2\x80\x94 witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL3"
      "9QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n"
      "\xe2\x80\x94 witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZ"
      "grrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==\n";
  const absl::StatusOr<std::vector<NoteSignature>> signatures = DecodeNoteSignatures(body);
  REQUIRE(signatures.ok());
  REQUIRE(signatures->size() == 2);
  CHECK((*signatures)[1].name == "witness.example/w2");
  CHECK((*signatures)[1].key_hash == 0x016ba2f1);
  CHECK((*signatures)[1].signature.size() == 72);
  CHECK(EncodeNoteSignatures(*signatures) == body);
}

TEST_CASE("note: what is not signature lines alone is refused", "[log]") {
  const std::string line = "\xe2\x80\x94 name AAAAAQI=\n";
  REQUIRE(DecodeNoteSignatures(line + line).ok());
  std::string most;
  for (size_t i = 0; i < kNoteSignaturesMax; ++i) most += line;
  REQUIRE(DecodeNoteSignatures(most).ok());
  std::string long_line = "\xe2\x80\x94 name AAAA";
  while (long_line.size() <= kNoteBytesMax) long_line += "AAAA";
  for (const std::string& bad :
       {std::string(), std::string("\n"), "\n" + line, line + "\n", line + "x", line + "x\n",
        "text\n\n" + line, line.substr(1), "- name AAAAAQI=\n" + line,
        std::string("\xe2\x80\x94 name AAAAAQ==\n"),
        std::string("\xe2\x80\x94 na\x01me AAAAAQI=\n"),
        std::string("\xe2\x80\x94 na\xffme AAAAAQI=\n"),
        std::string("\xe2\x80\x94 name AAAAAQI=\r\n"), most + line, long_line + "\n"}) {
    INFO(bad.substr(0, 200));
    CHECK(absl::IsInvalidArgument(DecodeNoteSignatures(bad).status()));
  }
  for (size_t size = 0; size < line.size(); ++size) {
    CHECK(absl::IsInvalidArgument(DecodeNoteSignatures(line.substr(0, size)).status()));
  }
}

TEST_CASE("note: a refusal names the signature line", "[log]") {
  const std::string line = "\xe2\x80\x94 name AAAAAQI=\n";
  CHECK(DecodeNoteSignatures(line + "- name AAAAAQI=\n").status().message() ==
        "note: signatures: line 2: does not begin with an em dash and a space");
  CHECK(DecodeNote("text\n\n" + line + line + "\xe2\x80\x94 name AAAAAQ==\n").status().message() ==
        "note: signatures: line 3: signature of 4 bytes with its key hash");
}

TEST_CASE("note: a cosignature's time is at most that of a signed number", "[log]") {
  const SigningKey key = TestWitnessSecret(1);
  const NoteKey witness = TestWitnessKey(1);
  const std::string text = "origin\n3\nroot\n";
  CHECK(*VerifyNoteSignature(witness, text,
                             CosignNote(key, witness.name, text, kCosignatureSecondsMax)) ==
        kCosignatureSecondsMax);
  // Valid but for the number: C2SP tlog-cosignature, section Format.
  NoteSignature late{.name = witness.name, .key_hash = witness.KeyHash(), .signature = ""};
  ByteWriter(&late.signature)
      .U64(kCosignatureSecondsMax + 1)
      .Fixed(key.Sign(AsBytes("cosignature/v1\ntime 9223372036854775808\n" + text)));
  CHECK(absl::IsDataLoss(VerifyNoteSignature(witness, text, late).status()));
}

TEST_CASE("note: every line of the keys asked for is checked and no other", "[log]") {
  const SignedNote note = *DecodeNote(TestNote(TestCheckpoint(3), {1, 2}, {1}));
  const std::vector<NoteKey> keys = {TestWitnessKey(1), TestWitnessKey(2), TestLogKey(2)};
  const auto times = VerifyNote(note, keys);
  REQUIRE(times.ok());
  CHECK(*times == std::vector<std::optional<uint64_t>>{kTestSeconds, std::nullopt, 0});
  SignedNote bad = note;
  bad.signatures[0].signature[0] ^= 1;
  CHECK(VerifyNote(bad, keys).ok());
  bad.signatures[1].signature[0] ^= 1;
  CHECK(absl::IsDataLoss(VerifyNote(bad, keys).status()));
  CHECK(VerifyNote(note, {})->empty());
}

}  // namespace
}  // namespace vigil::ledger
