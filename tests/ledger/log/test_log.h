// A small log that several validators sign, each with a key of its own, and that witnesses cosign.
#ifndef VIGIL_TESTS_LEDGER_LOG_TEST_LOG_H_
#define VIGIL_TESTS_LEDGER_LOG_TEST_LOG_H_

#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/note.h"
#include "ledger/log/policy.h"

namespace vigil::ledger {

inline constexpr absl::string_view kTestOrigin = "test.example/log";
// Published with tessera's testdata/log.
inline constexpr absl::string_view kTesseraKey =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
// When witness 1 cosigns; each later one a second later.
inline constexpr uint64_t kTestSeconds = 1'700'000'000;

inline SigningKey TestKey(uint8_t number) {
  std::array<uint8_t, 32> seed{};
  seed[0] = number;
  return SigningKey::FromSeed(seed);
}

// Validator `number` as the log, and witness `number`.
inline NoteKey TestLogKey(uint8_t number) {
  return {.name = std::string(kTestOrigin),
          .type = NoteKeyType::kEd25519,
          .key = TestKey(number).public_key()};
}
inline SigningKey TestWitnessSecret(uint8_t number) {
  return TestKey(static_cast<uint8_t>(100 + number));
}
inline NoteKey TestWitnessKey(uint8_t number) {
  return {.name = absl::StrCat("witness.example/", number),
          .type = NoteKeyType::kCosignatureV1,
          .key = TestWitnessSecret(number).public_key()};
}

inline std::vector<Hash> TestLeaves(size_t count) {
  std::vector<Hash> leaves;
  for (size_t i = 0; i < count; ++i) leaves.push_back(LeafHash(AsBytes(absl::StrCat("leaf ", i))));
  return leaves;
}

inline Checkpoint TestCheckpoint(uint64_t size) {
  return {.origin = std::string(kTestOrigin), .size = size, .root = MerkleRoot(TestLeaves(size))};
}

// The checkpoint, signed by these validators, then cosigned by these witnesses.
inline std::string TestNote(const Checkpoint& checkpoint, const std::vector<uint8_t>& validators,
                            const std::vector<uint8_t>& witnesses) {
  SignedNote note{.text = EncodeCheckpoint(checkpoint), .signatures = {}};
  for (uint8_t number : validators) {
    note.signatures.push_back(SignNote(TestKey(number), kTestOrigin, note.text));
  }
  for (uint8_t number : witnesses) {
    note.signatures.push_back(CosignNote(TestWitnessSecret(number), TestWitnessKey(number).name,
                                         note.text, kTestSeconds + number - 1));
  }
  return EncodeNote(note);
}

// Trusts the published log, which nobody cosigned.
inline Policy TesseraPolicy() {
  Policy policy;
  policy.logs.push_back({.key = *DecodeNoteKey(kTesseraKey), .url = ""});
  policy.quorum = std::string(kQuorumNone);
  return policy;
}

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_LOG_TEST_LOG_H_
