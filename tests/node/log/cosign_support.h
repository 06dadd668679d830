// Validators with keys of fixed seeds, and the chain that they cosign.
#ifndef VIGIL_TESTS_NODE_LOG_COSIGN_SUPPORT_H_
#define VIGIL_TESTS_NODE_LOG_COSIGN_SUPPORT_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/log_keys.h"
#include "node/log/cosign_note.h"
#include "node/log/cosigner.h"

namespace vigil::node {

inline ledger::SigningKey KeyOf(uint8_t a, uint8_t b) {
  std::array<uint8_t, 32> seed{};
  seed[0] = a;
  seed[1] = b;
  return ledger::SigningKey::FromSeed(seed);
}

class CosignNetwork {
 public:
  explicit CosignNetwork(uint32_t count) {
    keys_.origin = "test-net/" + std::string(64, 'a');
    keys_.quorum = count / 2 + 1;
    for (uint32_t i = 0; i < count; ++i) {
      log_.push_back(KeyOf(1, static_cast<uint8_t>(i)));
      cosigner_.push_back(KeyOf(2, static_cast<uint8_t>(i)));
      keys_.logs.push_back({.name = keys_.origin,
                            .type = ledger::NoteKeyType::kEd25519,
                            .key = log_[i].public_key()});
      keys_.cosigners.push_back({.name = absl::StrCat(keys_.origin, "/v/acme/v", i, "/1"),
                                 .type = ledger::NoteKeyType::kCosignatureV1,
                                 .key = cosigner_[i].public_key()});
    }
  }

  const ledger::LogKeys& keys() const { return keys_; }
  uint32_t size() const { return static_cast<uint32_t>(log_.size()); }
  Cosigner::Options OptionsOf(uint32_t i, CosignGuard guard = {}, uint64_t seed = 1) const {
    return {.keys = &keys_,
            .log_key = &log_[i],
            .cosigner_key = &cosigner_[i],
            .self = ValidatorIndex(i),
            .guard = guard,
            .seed = seed};
  }
  SignedCheckpoint Sign(uint32_t i, uint64_t size, const Hash& root, uint64_t time = 1000) const {
    return SignCheckpoint(keys_, ValidatorIndex(i), log_[i], cosigner_[i],
                          {.origin = keys_.origin, .size = size, .root = root}, time);
  }

 private:
  ledger::LogKeys keys_;
  std::vector<ledger::SigningKey> log_;
  std::vector<ledger::SigningKey> cosigner_;
};

// A made-up chain: block h ends at size 3h, its root is a hash of that.
inline Hash RootAt(uint64_t size, absl::string_view chain = "main") {
  return ledger::Sha256(AsBytes(absl::StrCat(chain, " ", size)));
}
inline BlockEnd EndAt(uint64_t height, uint32_t proposer = 0, absl::string_view chain = "main") {
  return {.height = Height(height),
          .size = 3 * height,
          .root = RootAt(3 * height, chain),
          .proposer = ValidatorIndex(proposer)};
}

// Collects everything that was signed, by whom, in the order in which it left, over all restarts;
// says what no validator may ever do.
class CosignOracle {
 public:
  // Empty: nothing is wrong.
  std::string OnNote(const SignedCheckpoint& note) {
    const uint64_t size = note.checkpoint.size;
    auto& signed_by = seen_[note.validator];
    const auto [known, is_new] = signed_by.emplace(size, note.checkpoint.root);
    if (known->second != note.checkpoint.root) {
      return absl::StrCat("validator ", note.validator.value(), " signed two roots at size ", size);
    }
    // The same checkpoint may be signed and sent again, but no new one below.
    if (is_new && signed_by.rbegin()->first != size) {
      return absl::StrCat("validator ", note.validator.value(), " signed size ", size, " after ",
                          signed_by.rbegin()->first);
    }
    return "";
  }
  size_t count() const {
    size_t count = 0;
    for (const auto& [validator, sizes] : seen_) count += sizes.size();
    return count;
  }

 private:
  std::map<ValidatorIndex, std::map<uint64_t, Hash>> seen_;
};

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_LOG_COSIGN_SUPPORT_H_
