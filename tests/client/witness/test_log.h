// A log that grows in memory, signs checkpoints and asks for cosignatures; and what a witness over
// it needs.
#ifndef VIGIL_TESTS_CLIENT_WITNESS_TEST_LOG_H_
#define VIGIL_TESTS_CLIENT_WITNESS_TEST_LOG_H_

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/witness/witness.h"
#include "ledger/base/clock.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/note.h"
#include "ledger/log/witness.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/support/catch.h"

namespace vigil::client {

inline ledger::SigningKey TestKey(uint8_t seed) {
  std::array<uint8_t, 32> bytes{};
  bytes.fill(seed);
  return ledger::SigningKey::FromSeed(bytes);
}

class TestLog {
 public:
  // Logs of one origin with different salts hold different leaves: one of them is a fork.
  explicit TestLog(std::string origin = "log.example/one", uint64_t leaf_count = 64,
                   absl::string_view salt = "")
      : origin_(std::move(origin)), key_(TestKey(1)) {
    for (uint64_t i = 0; i < leaf_count; ++i)
      leaves_.push_back(ledger::LeafHash(AsBytes(absl::StrCat(salt, "leaf ", i))));
  }

  const std::string& origin() const { return origin_; }
  Hash Root(uint64_t size) const { return ledger::MerkleRoot(std::span(leaves_).first(size)); }
  std::string CheckpointText(uint64_t size) const {
    return ledger::EncodeCheckpoint({.origin = origin_, .size = size, .root = Root(size)});
  }
  ledger::SignedNote Note(uint64_t size) const {
    const std::string text = CheckpointText(size);
    return {.text = text, .signatures = {ledger::SignNote(key_, origin_, text)}};
  }
  ledger::AddCheckpoint Request(uint64_t old_size, uint64_t size) const {
    ledger::AddCheckpoint request{
        .old_size = old_size, .path = {}, .checkpoint = ledger::EncodeNote(Note(size))};
    if (old_size > 0 && old_size <= size)
      request.path = ledger::ConsistencyPath(std::span(leaves_).first(size), old_size);
    return request;
  }
  std::string Body(uint64_t old_size, uint64_t size) const {
    return ledger::EncodeAddCheckpoint(Request(old_size, size));
  }
  ledger::NoteKey key() const {
    return {.name = origin_, .type = ledger::NoteKeyType::kEd25519, .key = key_.public_key()};
  }
  ledger::WitnessLog Watched() const {
    return {.origin = origin_, .keys = {key()}, .required_quorum = std::nullopt};
  }

 private:
  const std::string origin_;
  const ledger::SigningKey key_;
  std::vector<Hash> leaves_;
};

inline WitnessKey TestWitnessKey() {
  ledger::SigningKey signing = TestKey(9);
  ledger::NoteKey note = {.name = "witness.example",
                          .type = ledger::NoteKeyType::kCosignatureV1,
                          .key = signing.public_key()};
  return {.signing = std::move(signing), .note = std::move(note)};
}

// Opens a witness in folder "w" that watches `logs`.
inline absl::StatusOr<std::unique_ptr<Witness>> OpenTestWitness(
    ledger::FileSystem* files, std::vector<ledger::WitnessLog> logs, const Clock* clock,
    WitnessLogFunction log = [](absl::string_view) {}) {
  std::vector<std::string> origins;
  for (const ledger::WitnessLog& one : logs) origins.push_back(one.origin);
  absl::StatusOr<std::unique_ptr<WitnessFolder>> folder = WitnessFolder::Open(files, "w", origins);
  if (!folder.ok()) return folder.status();
  return std::make_unique<Witness>(TestWitnessKey(), *std::move(folder), std::move(logs), clock,
                                   std::move(log));
}

// The time of the witness's cosignature in `body` over the checkpoint `text`.
// Errors: as DecodeNoteSignatures() and VerifyNoteSignature().
inline absl::StatusOr<uint64_t> VerifyCosignature(absl::string_view body, absl::string_view text) {
  const auto signatures = ledger::DecodeNoteSignatures(body);
  if (!signatures.ok()) return signatures.status();
  REQUIRE(signatures->size() == 1);
  return ledger::VerifyNoteSignature(TestWitnessKey().note, text, signatures->front());
}

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_WITNESS_TEST_LOG_H_
