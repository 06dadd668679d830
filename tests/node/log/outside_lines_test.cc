#include "node/log/outside_lines.h"

#include <array>

#include "ledger/crypto/keys.h"
#include "ledger/log/checkpoint.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

ledger::SigningKey KeyOf(uint8_t seed) {
  std::array<uint8_t, 32> bytes{};
  bytes.fill(seed);
  return ledger::SigningKey::FromSeed(bytes);
}

std::string Text(uint64_t size) {
  return ledger::EncodeCheckpoint({.origin = "o", .size = size, .root = {}});
}
ledger::NoteSignature LogLine(uint64_t size) { return ledger::SignNote(KeyOf(1), "o", Text(size)); }
std::string Served(uint64_t size) {
  return ledger::EncodeNote({.text = Text(size), .signatures = {LogLine(size)}});
}
WitnessedCheckpoint By(const std::string& name, uint64_t size, uint64_t seconds = 1) {
  return {.size = size, .line = ledger::CosignNote(KeyOf(9), name, Text(size), seconds)};
}
ledger::LogKeys Keys() {
  ledger::LogKeys keys;
  keys.logs = {{.name = "o", .type = ledger::NoteKeyType::kEd25519, .key = KeyOf(1).public_key()}};
  return keys;
}

TEST_CASE("outside lines: only those of the served size are added and behind its own") {
  OutsideLines lines;
  lines.Put(By("b.example", 7));
  lines.Put(By("a.example", 7));
  lines.Put(By("c.example", 6));
  CHECK(lines.Has(7));
  CHECK(lines.Has(6));
  CHECK_FALSE(lines.Has(8));
  const auto note = ledger::DecodeNote(lines.AddTo(Served(7), 7));
  REQUIRE(note.ok());
  REQUIRE(note->signatures.size() == 3);
  CHECK(note->text == Text(7));
  CHECK(note->signatures[0] == LogLine(7));
  CHECK(note->signatures[1] == By("a.example", 7).line);
  CHECK(note->signatures[2] == By("b.example", 7).line);
  CHECK(lines.AddTo(Served(8), 8) == Served(8));
}

TEST_CASE("outside lines: a witness has one line and never an older one") {
  OutsideLines lines;
  lines.Put(By("a.example", 7));
  lines.Put(By("a.example", 7, 2));
  lines.Put(By("a.example", 6, 3));
  const auto note = ledger::DecodeNote(lines.AddTo(Served(7), 7));
  REQUIRE(note.ok());
  REQUIRE(note->signatures.size() == 2);
  CHECK(note->signatures[1] == By("a.example", 7, 2).line);
}

TEST_CASE("outside lines: taking them away gives the validators' note back") {
  OutsideLines lines;
  lines.Put(By("a.example", 7));
  CHECK(WithoutOutsideLines(Keys(), lines.AddTo(Served(7), 7)) == Served(7));
  CHECK(WithoutOutsideLines(Keys(), Served(7)) == Served(7));
  CHECK(WithoutOutsideLines(Keys(), "nonsense") == "nonsense");
  const std::string foreign =
      ledger::EncodeNote({.text = Text(7), .signatures = {By("a.example", 7).line}});
  CHECK(WithoutOutsideLines(Keys(), foreign) == foreign);
}

}  // namespace
}  // namespace vigil::node
