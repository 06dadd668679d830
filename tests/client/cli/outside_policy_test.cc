#include "client/cli/outside_policy.h"

#include <array>
#include <vector>

#include "ledger/crypto/keys.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

using ledger::NoteKeyType;

constexpr absl::string_view kOrigin = "net/origin";

ledger::SigningKey KeyOf(uint8_t seed) {
  std::array<uint8_t, 32> bytes{};
  bytes.fill(seed);
  return ledger::SigningKey::FromSeed(bytes);
}
ledger::NoteKey NoteKeyOf(const std::string& name, NoteKeyType type, uint8_t seed) {
  return {.name = name, .type = type, .key = KeyOf(seed).public_key()};
}
std::string Vkey(const std::string& name, uint8_t seed,
                 NoteKeyType type = NoteKeyType::kCosignatureV1) {
  return ledger::EncodeNoteKey(NoteKeyOf(name, type, seed));
}

// One validator.
ledger::Policy ValidatorPolicy() {
  return {.logs = {{.key = NoteKeyOf(std::string(kOrigin), NoteKeyType::kEd25519, 1), .url = ""}},
          .witnesses = {{.name = "org/v",
                         .key = NoteKeyOf("net/origin/v", NoteKeyType::kCosignatureV1, 2),
                         .url = ""}},
          .groups = {{.name = "validators", .threshold = 1, .members = {"org/v"}}},
          .quorum = "validators"};
}

// A checkpoint with the log's line and cosignatures by (name, seed).
std::string NoteBy(const std::vector<std::pair<std::string, uint8_t>>& cosigners) {
  ledger::SignedNote note;
  note.text = ledger::EncodeCheckpoint({.origin = std::string(kOrigin), .size = 1, .root = {}});
  note.signatures = {ledger::SignNote(KeyOf(1), kOrigin, note.text)};
  for (const auto& [name, seed] : cosigners)
    note.signatures.push_back(ledger::CosignNote(KeyOf(seed), name, note.text, 1));
  return ledger::EncodeNote(note);
}

TEST_CASE("outside policy: the quorum is the validators' and any one witness outside") {
  const std::vector<std::string> vkeys = {Vkey("one.example", 3), Vkey("two.example", 4)};
  const auto made = WithOutsideWitnesses(ValidatorPolicy(), vkeys);
  REQUIRE(made.ok());
  const auto policy = ledger::ParsePolicy(ledger::EncodePolicy(*made));
  REQUIRE(policy.ok());
  CHECK(*policy == *made);
  const auto quorum = [&](const std::vector<std::pair<std::string, uint8_t>>& cosigners) {
    return ledger::CheckCheckpoint(*policy, NoteBy(cosigners))->quorum;
  };
  CHECK_FALSE(quorum({}));
  CHECK_FALSE(quorum({{"net/origin/v", 2}}));
  CHECK_FALSE(quorum({{"one.example", 3}, {"two.example", 4}}));
  CHECK(quorum({{"net/origin/v", 2}, {"one.example", 3}}));
  CHECK(quorum({{"net/origin/v", 2}, {"two.example", 4}}));
}

TEST_CASE("outside policy: without witnesses it stays as it is") {
  CHECK(WithOutsideWitnesses(ValidatorPolicy(), {}).value() == ValidatorPolicy());
}

TEST_CASE("outside policy: a vkey that cannot stand there is named") {
  const auto refused = [](std::vector<std::string> vkeys) {
    const absl::Status status = WithOutsideWitnesses(ValidatorPolicy(), vkeys).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("--witness " + vkeys.back()));
  };
  refused({"nonsense"});
  refused({Vkey("one.example", 3, NoteKeyType::kEd25519)});
  refused({Vkey("one.example", 3), Vkey("two.example", 3)});
  refused({Vkey("one.example", 3), Vkey("one.example", 4)});
  refused({Vkey("validators", 3)});
  refused({Vkey("outside", 3)});
  refused({Vkey("one.example", 2)});
}

}  // namespace
}  // namespace vigil::client
