// A chain whose validator set changed three times, with the anchors of the ends, and everything
// that is needed to forge one and sign the rest as if nothing had happened.
//
//   epoch 1   v0 v1 v2 v3          genesis
//   epoch 2   v0 v1 v2 v3 n4       n4 added
//   epoch 3   v0 v1 v2 r3 n4       v3 replaced: same name, other keys
//   epoch 4   v1 v2 r3 n4          v0 removed; v1 and v2 with cosigner keys that they announced
//
// Blocks hold no records: the leaf at index i is the seal of block i + 1, kBlocksPerEpoch of them
// in each epoch. Needs vigil_ledger_state.
#ifndef VIGIL_TESTS_LEDGER_PROOF_EPOCH_SAMPLE_H_
#define VIGIL_TESTS_LEDGER_PROOF_EPOCH_SAMPLE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/chain/epoch_chain.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/policy.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {

class EpochSample {
 public:
  static constexpr uint64_t kEpochs = 4;
  static constexpr uint64_t kBlocksPerEpoch = 5;

  EpochSample();

  const TestNetwork& network() const { return network_; }
  const Genesis& genesis() const { return network_.genesis(); }
  std::string origin() const;
  // Of the pinned genesis.
  Policy policy() const { return PolicyOf(1); }
  Policy PolicyOf(uint64_t epoch) const;
  const std::vector<GenesisValidator>& set(uint64_t epoch) const { return sets_.at(epoch - 1); }
  // Leaves of the log when `epoch` ended.
  static uint64_t FinalSize(uint64_t epoch) { return epoch * kBlocksPerEpoch; }

  // Anchors of the ends of epochs 1 to kEpochs - 1.
  const std::vector<EpochAnchor>& anchors() const { return anchors_; }
  std::string Chain() const { return EncodeEpochChain(anchors_); }
  std::string ChainOf(std::vector<EpochAnchor> anchors) const { return EncodeEpochChain(anchors); }

  // The first `size` leaves, cosigned by `count` validators of `epoch`, from the last one of its
  // set on, in that epoch's names.
  std::string HeadAt(uint64_t size, uint64_t epoch, size_t count = 9) const;
  // The same of these leaves.
  std::string SignHead(const std::vector<std::string>& leaves, uint64_t epoch,
                       size_t count = 9) const;
  // The first `size` leaves, cosigned as in `epoch` with the cosigner keys that its validators had
  // in the epoch before, where they had others.
  std::string HeadByOldKeys(uint64_t size, uint64_t epoch) const;
  // Proof of the block at `height` under such a head.
  std::string BlockProofByOldKeys(uint64_t height, uint64_t size, uint64_t epoch) const;
  // Proof of the block at `height` in a log of `size` leaves, signed in `epoch`.
  std::string BlockProof(uint64_t height, uint64_t size, uint64_t epoch) const;
  // The same with other leaves.
  std::string BlockProof(const std::vector<std::string>& leaves, uint64_t height,
                         uint64_t epoch) const;
  const std::vector<std::string>& leaves() const { return leaves_; }

  // An anchor for `leaf` at the end of `leaves`, signed by `count` validators of `epoch`.
  EpochAnchor MakeAnchor(std::vector<std::string> leaves, const std::string& leaf, uint64_t epoch,
                         const std::vector<GenesisValidator>& next, size_t count = 9) const;
  // The header of the block at `height`.
  BlockHeader HeaderAt(uint64_t height) const;
  static std::string SealOf(const BlockHeader& header);

  GenesisValidator NewValidator(const std::string& org, const std::string& name, uint8_t seed);

 private:
  std::string Sign(const std::vector<std::string>& leaves, uint64_t epoch,
                   const std::vector<GenesisValidator>& validators, size_t count) const;
  std::string ProofUnder(const std::vector<std::string>& leaves, uint64_t height,
                         const std::string& head) const;
  const SigningKey& KeyOf(const PublicKey& key) const { return *keys_.at(key); }
  void Know(const SigningKey& key) { keys_.emplace(key.public_key(), &key); }

  TestNetwork network_;
  std::vector<std::unique_ptr<SigningKey>> made_;
  std::map<PublicKey, const SigningKey*> keys_;
  std::vector<std::vector<GenesisValidator>> sets_;
  std::vector<std::string> leaves_;
  std::vector<EpochAnchor> anchors_;
};

const EpochSample& SampleOfEpochs();

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_PROOF_EPOCH_SAMPLE_H_
