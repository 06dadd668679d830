#include "ledger/proof/policy_chain.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/chain/header.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/merkle.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Validators of a set that decide together; only networks in raft mode change theirs.
uint32_t QuorumOf(size_t count) { return static_cast<uint32_t>(count / 2 + 1); }

// The policy's witnesses that are validators of the log, and what they decide by.
struct Validators {
  std::string origin;
  uint64_t epoch = 0;
  std::vector<PolicyWitness> witnesses;
  PolicyGroup group;

  bool Has(absl::string_view name) const {
    return std::ranges::any_of(witnesses, [&](const auto& one) { return one.name == name; });
  }
};

absl::StatusOr<Validators> FindValidators(const Policy& policy) {
  Validators found;
  for (const PolicyLog& log : policy.logs) {
    if (found.origin.empty()) found.origin = log.key.name;
    if (found.origin != log.key.name) {
      return Invalid("it is of two logs, ", found.origin, " and ", log.key.name);
    }
  }
  const std::set<uint64_t> epochs = PolicyEpochs(policy, found.origin);
  if (epochs.size() != 1 || *epochs.begin() == 0) {
    return Invalid("it lists validators of ", epochs.size(), " epochs, must be one");
  }
  found.epoch = *epochs.begin();
  for (const PolicyWitness& witness : policy.witnesses) {
    if (EpochOfCosigner(found.origin, witness.key.name)) found.witnesses.push_back(witness);
  }
  for (const PolicyGroup& group : policy.groups) {
    const bool all = std::ranges::all_of(group.members,
                                         [&](const std::string& name) { return found.Has(name); });
    if (!all || group.members.size() != found.witnesses.size()) continue;
    found.group = group;
    if (group.threshold == QuorumOf(group.members.size())) return found;
    return Invalid("group ", group.name, " asks for ", group.threshold, " of ",
                   group.members.size(), " validators, the network decides by ",
                   QuorumOf(group.members.size()));
  }
  return Invalid("it has no group of all validators and nobody else");
}

// What authorises a change of the set: the validators alone, whoever else is asked for heads.
Policy ValidatorsAlone(const Policy& policy, const Validators& validators) {
  Policy alone;
  alone.logs = policy.logs;
  alone.witnesses = validators.witnesses;
  alone.groups = {validators.group};
  alone.quorum = validators.group.name;
  return alone;
}

// `policy` with the next epoch's validators in place of its own.
absl::StatusOr<Policy> Replace(const Policy& policy, const Validators& old,
                               const std::vector<GenesisValidator>& next) {
  Policy fresh = EpochPolicy(old.origin, Epoch(old.epoch + 1), next, QuorumOf(next.size()));
  Policy replaced;
  replaced.logs = fresh.logs;
  replaced.witnesses = fresh.witnesses;
  replaced.quorum = policy.quorum;
  for (const PolicyWitness& outside : policy.witnesses) {
    if (old.Has(outside.name)) continue;
    for (const PolicyWitness& validator : fresh.witnesses) {
      if (validator.name != outside.name && validator.key.key != outside.key.key) continue;
      return Invalid("validator ", validator.name, " of the next set has name or key of witness ",
                     outside.name);
    }
    replaced.witnesses.push_back(outside);
  }
  for (const PolicyGroup& group : policy.groups) {
    for (const PolicyWitness& validator : fresh.witnesses) {
      if (validator.name == group.name)
        return Invalid("validator ", validator.name, " of the next set has the name of a group");
    }
    replaced.groups.push_back(group);
    if (group.name != old.group.name) continue;
    replaced.groups.back().members = fresh.groups.front().members;
    replaced.groups.back().threshold = fresh.groups.front().threshold;
  }
  return replaced;
}

// What is known of the block that an epoch begins above.
struct Base {
  Height height;
  uint64_t size = 0;  // Leaves of the log with its seal.
  std::optional<Hash>
      set;  // Hash of the epoch's validator set; of a pinned policy nobody knows it.
};

// What the seal says by itself: it ends the epoch, and which set comes next.
absl::Status CheckSeal(const Validators& validators, const Base& base, const Seal& seal,
                       const Hash& next) {
  const size_t slash = validators.origin.rfind('/');
  const absl::StatusOr<Hash> genesis_hash = Hash::FromHex(
      slash == std::string::npos ? absl::string_view()
                                 : absl::string_view(validators.origin).substr(slash + 1));
  if (!genesis_hash.ok()) return Invalid("log ", validators.origin, " is no Vigil chain");
  const BlockHeader& header = seal.header;
  const Hash chain_id = Sha256({AsBytes(kChainIdTag), genesis_hash->span()});
  if (header.chain_id != chain_id) {
    return Invalid("the seal is of chain ", header.chain_id.ToHex(), ", not ", chain_id.ToHex());
  }
  if (header.epoch.value() != validators.epoch || header.height <= base.height) {
    return Invalid("the seal is of height ", header.height.value(), " in epoch ",
                   header.epoch.value(), ", must be above ", base.height.value(), " in ",
                   validators.epoch);
  }
  if (base.set.has_value() && header.validator_set_hash != *base.set) {
    return Invalid("the seal names validator set ", header.validator_set_hash.ToHex(), ", not ",
                   base.set->ToHex());
  }
  if (!Seals(header)) {
    return Invalid("block ", header.height.value(), " ends no epoch: the same set goes on");
  }
  if (header.next_validator_set_hash == next) return absl::OkStatus();
  return Invalid("the seal names next validator set ", header.next_validator_set_hash.ToHex(),
                 ", the set given has ", next.ToHex());
}

// Judges `anchor` by the epoch of `validators`; moves `base` to the block that it seals.
// Returns the next epoch's set.
absl::StatusOr<std::vector<GenesisValidator>> CheckAnchor(const Policy& policy,
                                                          const Validators& validators,
                                                          const EpochAnchor& anchor, Base* base) {
  ASSIGN_OR_RETURN(const Seal seal, DecodeSealLeaf(AsBytes(anchor.seal_leaf)));
  ASSIGN_OR_RETURN(std::vector<GenesisValidator> next,
                   DecodeValidatorSet(AsBytes(anchor.next_set)));
  const Hash next_hash = HashValidatorSet(next);
  RETURN_IF_ERROR(CheckSeal(validators, *base, seal, next_hash));
  RETURN_IF_ERROR(SplitAddresses(anchor.addresses, next.size()).status());
  ASSIGN_OR_RETURN(const CheckpointVerdict verdict,
                   CheckCheckpoint(ValidatorsAlone(policy, validators), anchor.checkpoint));
  if (!verdict.quorum) return absl::PermissionDeniedError(verdict.missing);
  const uint64_t index = seal.first.value() + seal.record_count;
  if (index < base->size) {
    return Invalid("the epoch ends at ", index + 1, " leaves, the one before at ", base->size);
  }
  if (verdict.checkpoint.size != index + 1) {
    return Invalid("the checkpoint has size ", verdict.checkpoint.size, ", the epoch ends at ",
                   index + 1);
  }
  const absl::Status included = VerifyInclusion(
      index, index + 1, LeafHash(AsBytes(anchor.seal_leaf)), anchor.path, verdict.checkpoint.root);
  if (!included.ok()) return Invalid("the seal is not the log's last leaf: ", included.message());
  *base = {.height = seal.header.height, .size = index + 1, .set = next_hash};
  return next;
}

}  // namespace

std::optional<uint64_t> EpochOfCosigner(absl::string_view origin, absl::string_view name) {
  if (!absl::ConsumePrefix(&name, origin) || !absl::ConsumePrefix(&name, "/v/")) {
    return std::nullopt;
  }
  const size_t slash = name.rfind('/');
  if (slash == absl::string_view::npos) return std::nullopt;
  const absl::StatusOr<uint64_t> epoch =
      DecodeDecimal(name.substr(slash + 1), std::numeric_limits<uint64_t>::max());
  if (!epoch.ok()) return std::nullopt;
  return *epoch;
}

std::set<uint64_t> PolicyEpochs(const Policy& policy, absl::string_view origin) {
  std::set<uint64_t> epochs;
  for (const PolicyWitness& witness : policy.witnesses) {
    const std::optional<uint64_t> epoch = EpochOfCosigner(origin, witness.key.name);
    if (epoch.has_value()) epochs.insert(*epoch);
  }
  return epochs;
}

PolicyChain::PolicyChain(Policy policy) {
  epochs_.push_back({.number = 0, .policy = std::move(policy), .final_size = {}});
}

absl::StatusOr<PolicyChain> PolicyChain::Walk(const Policy& pinned, ByteSpan file) {
  ASSIGN_OR_RETURN(const std::vector<EpochAnchor> anchors, DecodeEpochChain(file));
  absl::StatusOr<Validators> validators = FindValidators(pinned);
  if (!validators.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "policy: it cannot be carried over to the next epoch: ", validators.status().message()));
  }
  PolicyChain chain;
  chain.epochs_.push_back({.number = validators->epoch, .policy = pinned, .final_size = {}});
  Base base;
  for (size_t i = validators->epoch - 1; i < anchors.size(); ++i) {
    PolicyEpoch& present = chain.epochs_.back();
    const std::string where = absl::StrCat("epoch chain: the end of epoch ", present.number);
    const auto next = CheckAnchor(present.policy, *validators, anchors[i], &base);
    if (!next.ok()) return Annotate(next.status(), where);
    absl::StatusOr<Policy> policy = Replace(present.policy, *validators, *next);
    if (!policy.ok()) return Annotate(policy.status(), where);
    present.final_size = base.size;
    validators = FindValidators(*policy);
    if (!validators.ok()) return Annotate(validators.status(), where);
    chain.epochs_.push_back(
        {.number = validators->epoch, .policy = *std::move(policy), .final_size = {}});
  }
  return chain;
}

const PolicyEpoch* PolicyChain::Find(uint64_t number) const {
  const uint64_t first = epochs_.front().number;
  if (is_alone() || number < first || number - first >= epochs_.size()) return nullptr;
  return &epochs_[number - first];
}

std::string PolicyChain::NumbersText() const {
  const uint64_t first = epochs_.front().number;
  if (epochs_.size() == 1) return absl::StrCat(first);
  return absl::StrCat(first, " to ", epochs_.back().number);
}

ProofVerdict EpochChainVerdict(const absl::Status& refused) {
  const bool is_short = absl::IsPermissionDenied(refused) || absl::IsDataLoss(refused);
  return is_short ? ProofVerdict::kQuorumShort : ProofVerdict::kMalformed;
}

}  // namespace vigil::ledger
