#include "node/log/witnessed_notes.h"

#include <array>

#include "ledger/crypto/keys.h"
#include "ledger/log/checkpoint.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

const ledger::SigningKey& Key() {
  static const ledger::SigningKey key =
      ledger::SigningKey::FromSeed(std::array<uint8_t, 32>{1, 2, 3});
  return key;
}
std::string Text(uint64_t size) {
  return ledger::EncodeCheckpoint({.origin = "o", .size = size, .root = {}});
}
std::string Note(uint64_t size) {
  return ledger::EncodeNote(
      {.text = Text(size), .signatures = {ledger::SignNote(Key(), "o", Text(size))}});
}
WitnessedCheckpoint By(const std::string& name, uint64_t size) {
  return {.size = size, .line = ledger::CosignNote(Key(), name, Text(size), 1)};
}
std::string CosignedBy(const WitnessedNotes& notes, const std::vector<std::string>& names) {
  const auto note = notes.CosignedBy(names);
  if (!note.ok()) return std::string(absl::StatusCodeToString(note.status().code()));
  const auto decoded = ledger::DecodeNote(*note);
  if (!decoded.ok()) return "no note";
  std::string text = decoded->text;
  for (const auto& line : decoded->signatures) text += line.name + " ";
  return text;
}

TEST_CASE("witnessed notes: the newest that every named witness cosigned with its own lines") {
  WitnessedNotes notes;
  for (const uint64_t size : {3, 5, 7, 9}) notes.PutFinal(size, Note(size));
  notes.PutLine(By("a", 3));
  notes.PutLine(By("a", 7));
  notes.PutLine(By("b", 3));
  notes.PutLine(By("b", 5));
  notes.PutLine(By("b", 6));  // Of a checkpoint that was never final here.
  CHECK(CosignedBy(notes, {"a"}) == Text(7) + "o a ");
  CHECK(CosignedBy(notes, {"b"}) == Text(5) + "o b ");
  CHECK(CosignedBy(notes, {"b", "a"}) == Text(3) + "o a b ");
  CHECK(CosignedBy(notes, {"a", "c"}) == "UNAVAILABLE");
  CHECK(CosignedBy(notes, {}) == "INVALID_ARGUMENT");
  CHECK(
      std::string(notes.CosignedBy(std::vector<std::string>{"c"}).status().message()).find("a b") !=
      std::string::npos);
}

TEST_CASE("witnessed notes: memory is bounded and what a witness cosigned outlives newer notes") {
  WitnessedNotes notes;
  notes.PutFinal(1, Note(1));
  notes.PutLine(By("a", 1));
  for (uint64_t size = 2; size < 1000; ++size) {
    notes.PutFinal(size, Note(size));
    if (size > 500 && size < 700) notes.PutLine(By("b", size));
  }
  CHECK(notes.size() == 2 * kNotesKeptMax);
  CHECK(CosignedBy(notes, {"b"}) == Text(699) + "o b ");
  // It was pushed out by those that came after it.
  CHECK(CosignedBy(notes, {"a"}) == "UNAVAILABLE");
}

}  // namespace
}  // namespace vigil::node
