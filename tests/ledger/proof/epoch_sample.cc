#include "tests/ledger/proof/epoch_sample.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/note.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/extra.h"

namespace vigil::ledger {
namespace {

std::vector<Hash> HashesOf(const std::vector<std::string>& leaves) {
  std::vector<Hash> hashes;
  for (const std::string& leaf : leaves) hashes.push_back(LeafHash(AsBytes(leaf)));
  return hashes;
}

}  // namespace

EpochSample::EpochSample() : network_(/*validator_count=*/4) {
  for (uint32_t i = 0; i < 4; ++i) {
    Know(network_.key(absl::StrCat("log/", i)));
    Know(network_.key(absl::StrCat("cosigner/", i)));
  }
  sets_.push_back(genesis().validators);
  sets_.push_back(sets_.back());
  sets_.back().push_back(NewValidator("acme", "n4", 40));
  sets_.push_back(sets_.back());
  sets_.back()[3] = NewValidator(sets_.back()[3].org, sets_.back()[3].name, 60);
  sets_.push_back(sets_.back());
  sets_.back().erase(sets_.back().begin());
  for (const size_t renewed : {0, 1}) {
    sets_.back()[renewed].cosigner_key =
        NewValidator("acme", "spare", static_cast<uint8_t>(80 + 8 * renewed)).cosigner_key;
  }
  for (uint64_t height = 1; height <= kEpochs * kBlocksPerEpoch; ++height) {
    const std::string leaf = SealOf(HeaderAt(height));
    const uint64_t epoch = HeaderAt(height).epoch.value();
    if (height == FinalSize(epoch) && epoch < kEpochs)
      anchors_.push_back(MakeAnchor(leaves_, leaf, epoch, set(epoch + 1)));
    leaves_.push_back(leaf);
  }
}

GenesisValidator EpochSample::NewValidator(const std::string& org, const std::string& name,
                                           uint8_t seed) {
  GenesisValidator validator;
  validator.org = org;
  validator.name = name;
  for (PublicKey* key : {&validator.consensus_key, &validator.log_key, &validator.cosigner_key,
                         &validator.record_key}) {
    std::array<uint8_t, 32> bytes{};
    bytes[0] = seed++;
    bytes[31] = 0x77;
    made_.push_back(std::make_unique<SigningKey>(SigningKey::FromSeed(bytes)));
    Know(*made_.back());
    *key = made_.back()->public_key();
  }
  validator.reveal_anchor = TestHash(seed);
  validator.reveal_length = 1000;
  validator.journal_id.bytes.fill(seed);
  return validator;
}

BlockHeader EpochSample::HeaderAt(uint64_t height) const {
  const uint64_t epoch = std::min(kEpochs, (height - 1) / kBlocksPerEpoch + 1);
  BlockHeader header;
  header.chain_id = genesis().chain_id;
  header.epoch = Epoch(epoch);
  header.view = View(epoch);
  header.height = Height(height);
  header.parent_view = View(epoch);
  header.executed_height = Height(height - 1);
  header.validator_set_hash = HashValidatorSet(set(epoch));
  const bool seals = height == FinalSize(epoch) && epoch < kEpochs;
  header.next_validator_set_hash = HashValidatorSet(set(seals ? epoch + 1 : epoch));
  header.time_unix_millis = kTestTimeMillis + height * 1000;
  return header;
}

std::string EpochSample::SealOf(const BlockHeader& header) {
  return EncodeSealLeaf(AsBytes(EncodeHeader(header)), Hash(),
                        RecordIndex(header.height.value() - 1), 0);
}

std::string EpochSample::origin() const {
  return CheckpointOrigin(genesis().network, genesis().genesis_hash);
}

Policy EpochSample::PolicyOf(uint64_t epoch) const {
  return EpochPolicy(origin(), Epoch(epoch), set(epoch),
                     static_cast<uint32_t>(set(epoch).size() / 2 + 1));
}

std::string EpochSample::SignHead(const std::vector<std::string>& leaves, uint64_t epoch,
                                  size_t count) const {
  return Sign(leaves, epoch, set(epoch), count);
}

std::string EpochSample::HeadByOldKeys(uint64_t size, uint64_t epoch) const {
  std::vector<GenesisValidator> validators = set(epoch);
  for (GenesisValidator& validator : validators) {
    for (const GenesisValidator& before : set(epoch - 1)) {
      if (IsSameValidator(validator, before)) validator.cosigner_key = before.cosigner_key;
    }
  }
  return Sign({leaves_.begin(), leaves_.begin() + static_cast<ptrdiff_t>(size)}, epoch, validators,
              validators.size());
}

std::string EpochSample::Sign(const std::vector<std::string>& leaves, uint64_t epoch,
                              const std::vector<GenesisValidator>& validators, size_t count) const {
  SignedNote note;
  note.text = EncodeCheckpoint(
      {.origin = origin(), .size = leaves.size(), .root = MerkleRoot(HashesOf(leaves))});
  note.signatures.push_back(SignNote(KeyOf(validators.back().log_key), origin(), note.text));
  for (size_t i = 0; i < std::min(count, validators.size()); ++i) {
    const GenesisValidator& validator = validators[validators.size() - 1 - i];
    note.signatures.push_back(
        CosignNote(KeyOf(validator.cosigner_key),
                   absl::StrCat(origin(), "/v/", validator.identity(), "/", epoch), note.text,
                   1'800'000'000 + i));
  }
  return EncodeNote(note);
}

std::string EpochSample::HeadAt(uint64_t size, uint64_t epoch, size_t count) const {
  return SignHead({leaves_.begin(), leaves_.begin() + static_cast<ptrdiff_t>(size)}, epoch, count);
}

std::string EpochSample::BlockProof(const std::vector<std::string>& leaves, uint64_t height,
                                    uint64_t epoch) const {
  return ProofUnder(leaves, height, SignHead(leaves, epoch));
}

std::string EpochSample::BlockProofByOldKeys(uint64_t height, uint64_t size, uint64_t epoch) const {
  return ProofUnder({leaves_.begin(), leaves_.begin() + static_cast<ptrdiff_t>(size)}, height,
                    HeadByOldKeys(size, epoch));
}

std::string EpochSample::ProofUnder(const std::vector<std::string>& leaves, uint64_t height,
                                    const std::string& head) const {
  ProofExtra extra;
  extra.subject = ProofSubject::kBlock;
  extra.leaf = leaves[height - 1];
  TlogProof proof;
  proof.extra = EncodeProofExtra(extra);
  proof.index = height - 1;
  proof.path = InclusionPath(HashesOf(leaves), height - 1);
  proof.checkpoint = head;
  return EncodeTlogProof(proof);
}

std::string EpochSample::BlockProof(uint64_t height, uint64_t size, uint64_t epoch) const {
  return BlockProof({leaves_.begin(), leaves_.begin() + static_cast<ptrdiff_t>(size)}, height,
                    epoch);
}

EpochAnchor EpochSample::MakeAnchor(std::vector<std::string> leaves, const std::string& leaf,
                                    uint64_t epoch, const std::vector<GenesisValidator>& next,
                                    size_t count) const {
  leaves.push_back(leaf);
  return {.seal_leaf = leaf,
          .path = InclusionPath(HashesOf(leaves), leaves.size() - 1),
          .checkpoint = SignHead(leaves, epoch, count),
          .next_set = EncodeValidatorSet(next),
          .addresses = ""};
}

const EpochSample& SampleOfEpochs() {
  static const EpochSample* const sample = new EpochSample();
  return *sample;
}

}  // namespace vigil::ledger
