#include "ledger/chain/epoch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/name.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

constexpr size_t kIdentityBytesMax = 2 * kNameBytesMax + 1;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::vector<PublicKey> KeysOf(const GenesisValidator& validator) {
  return {validator.consensus_key, validator.log_key, validator.cosigner_key, validator.record_key};
}

absl::StatusOr<GenesisValidator> ReadValidator(ByteReader* reader) {
  const std::string identity = ToString(reader->Prefixed(kIdentityBytesMax));
  GenesisValidator out;
  const size_t slash = identity.find('/');
  if (slash != std::string::npos) {
    out.org = identity.substr(0, slash);
    out.name = identity.substr(slash + 1);
  }
  out.consensus_key = reader->FixedValue<PublicKey>();
  out.log_key = reader->FixedValue<PublicKey>();
  out.cosigner_key = reader->FixedValue<PublicKey>();
  out.record_key = reader->FixedValue<PublicKey>();
  out.reveal_anchor = reader->ReadHash();
  out.reveal_length = reader->U64();
  out.journal_id = reader->FixedValue<decltype(out.journal_id)>();
  if (!reader->ok()) return Invalid("validator set: cut short");
  if (!IsName(out.org) || !IsName(out.name)) {
    return Invalid("validator set: \"", identity, "\" is no \"<org>/<name>\"");
  }
  if (out.reveal_length > kRevealLengthMax) {
    return Invalid("validator set: ", identity, ": reveal length ", out.reveal_length, ", at most ",
                   kRevealLengthMax);
  }
  return out;
}

// Every name, key and journal id of the network's present and past.
struct Known {
  std::set<KeyId> keys;  // Records name keys by id, so not even two ids may be equal.
  std::set<decltype(GenesisValidator::journal_id)> journals;

  void Add(const std::vector<GenesisValidator>& validators) {
    for (const GenesisValidator& validator : validators) {
      for (const PublicKey& key : KeysOf(validator)) keys.insert(KeyIdOf(key));
      journals.insert(validator.journal_id);
    }
  }
};

Known KnownOf(const Genesis& genesis) {
  Known known;
  known.Add(genesis.validators);
  for (const EpochSet& past : genesis.past) known.Add(past.validators);
  for (const GenesisIdentity& identity : genesis.identities)
    known.keys.insert(KeyIdOf(identity.key));
  return known;
}

bool IsOrganisation(const Genesis& genesis, const std::string& org) {
  return std::any_of(
      genesis.organisations.begin(), genesis.organisations.end(),
      [&](const GenesisOrganisation& organisation) { return org == organisation.id; });
}

// A validator that is not one of the present set with all that it had.
absl::Status CheckNewcomer(const Genesis& genesis, const Known& known,
                           const GenesisValidator& validator) {
  const std::string identity = validator.identity();
  if (!IsOrganisation(genesis, validator.org)) {
    return Invalid(identity, ": organisation \"", validator.org, "\" is not in genesis");
  }
  for (const GenesisIdentity& other : genesis.identities) {
    if (identity == other.identity()) {
      return Invalid(identity, ": genesis has an identity of this name; choose another name");
    }
  }
  for (const PublicKey& key : KeysOf(validator)) {
    if (known.keys.contains(KeyIdOf(key))) {
      return Invalid(identity, ": key ", key.ToHex(),
                     " is or was in use in this network; make new keys for it");
    }
  }
  if (known.journals.contains(validator.journal_id)) {
    return Invalid(identity, ": journal id ", validator.journal_id.ToHex(),
                   " is or was in use in this network; make a new one");
  }
  return absl::OkStatus();
}

absl::Status Differs(const BlockHeader& header, absl::string_view field, const Hash& got,
                     const Hash& want) {
  return Invalid("block ", header.height.value(), ": ", field, " ", got.ToHex(), ", must be ",
                 want.ToHex());
}

}  // namespace

std::string EncodeValidatorSet(const std::vector<GenesisValidator>& validators) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Raw(kValidatorSetTag).U32(static_cast<uint32_t>(validators.size()));
  for (const GenesisValidator& validator : validators) {
    writer.Prefixed(validator.identity())
        .Fixed(validator.consensus_key)
        .Fixed(validator.log_key)
        .Fixed(validator.cosigner_key)
        .Fixed(validator.record_key)
        .Fixed(validator.reveal_anchor)
        .U64(validator.reveal_length)
        .Fixed(validator.journal_id);
  }
  return bytes;
}

absl::StatusOr<std::vector<GenesisValidator>> DecodeValidatorSet(ByteSpan bytes) {
  ByteReader reader(bytes);
  const ByteSpan tag = reader.Raw(kValidatorSetTag.size());
  const uint32_t count = reader.U32();
  if (!reader.ok() || AsView(tag) != kValidatorSetTag) return Invalid("validator set: no tag");
  if (count < 1 || count > kRaftValidatorsMax) {
    return Invalid("validator set: ", count, " validators, 1 to ", kRaftValidatorsMax);
  }
  std::vector<GenesisValidator> validators;
  std::set<std::string> names;
  std::set<KeyId> keys;
  std::set<decltype(GenesisValidator::journal_id)> journals;
  for (uint32_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(GenesisValidator validator, ReadValidator(&reader));
    const std::string identity = validator.identity();
    for (const PublicKey& key : KeysOf(validator)) {
      if (!IsValidPublicKey(key)) {
        return Invalid("validator set: ", identity, ": ", key.ToHex(), " is no Ed25519 key");
      }
      if (!keys.insert(KeyIdOf(key)).second) {
        return Invalid("validator set: ", identity, ": key ", key.ToHex(), " is used twice");
      }
    }
    if (!names.insert(identity).second) {
      return Invalid("validator set: ", identity, " stands there twice");
    }
    if (!journals.insert(validator.journal_id).second) {
      return Invalid("validator set: ", identity, ": journal id ", validator.journal_id.ToHex(),
                     " is used twice");
    }
    validators.push_back(std::move(validator));
  }
  RETURN_IF_ERROR(reader.Finish("validator set"));
  return validators;
}

Hash HashValidatorSet(const std::vector<GenesisValidator>& validators) {
  return Sha256(AsBytes(EncodeValidatorSet(validators)));
}

absl::Status CheckNextSet(const Genesis& genesis, const std::vector<GenesisValidator>& next) {
  if (next == genesis.validators) return Invalid("the next set is the present one");
  const Known known = KnownOf(genesis);
  size_t staying = 0;
  for (const GenesisValidator& validator : next) {
    const bool stays = std::find(genesis.validators.begin(), genesis.validators.end(), validator) !=
                       genesis.validators.end();
    staying += stays ? 1 : 0;
    if (!stays) RETURN_IF_ERROR(CheckNewcomer(genesis, known, validator));
  }
  const size_t quorum = next.size() / 2 + 1;
  if (staying >= quorum) return absl::OkStatus();
  return Invalid("only ", staying, " of ", next.size(), " validators of the next set are of the ",
                 "present one, which must be a quorum of ", quorum,
                 ", so that the network need not wait for newcomers: change fewer at a time");
}

bool IsSameValidator(const GenesisValidator& a, const GenesisValidator& b) {
  GenesisValidator same = a;
  same.cosigner_key = b.cosigner_key;
  return same == b;
}

absl::Status CheckFreshKey(const Genesis& genesis, const PublicKey& key) {
  if (!IsValidPublicKey(key)) return Invalid(key.ToHex(), " is no Ed25519 key");
  if (!KnownOf(genesis).keys.contains(KeyIdOf(key))) return absl::OkStatus();
  return Invalid("key ", key.ToHex(), " is or was in use in this network");
}

std::vector<GenesisValidator> WithAnnouncedKeys(const Genesis& genesis,
                                                const std::vector<GenesisValidator>& proposed,
                                                const AnnouncedKeys& announced) {
  Known known = KnownOf(genesis);
  known.Add(proposed);
  std::vector<GenesisValidator> next = proposed;
  for (GenesisValidator& validator : next) {
    const auto key = announced.find(validator.identity());
    if (key == announced.end()) continue;
    const std::vector<GenesisValidator>& present = genesis.validators;
    const bool stays = std::find(present.begin(), present.end(), validator) != present.end();
    if (!stays || !IsValidPublicKey(key->second)) continue;
    if (known.keys.insert(KeyIdOf(key->second)).second) validator.cosigner_key = key->second;
  }
  return next;
}

absl::Status CheckSucceedingSet(const Genesis& genesis, const std::vector<GenesisValidator>& next) {
  const Known known = KnownOf(genesis);
  std::vector<GenesisValidator> proposed = next;
  for (GenesisValidator& validator : proposed) {
    const auto present =
        std::find_if(genesis.validators.begin(), genesis.validators.end(),
                     [&](const GenesisValidator& one) { return IsSameValidator(one, validator); });
    if (present == genesis.validators.end()) continue;
    const bool is_used = known.keys.contains(KeyIdOf(validator.cosigner_key));
    if (validator.cosigner_key != present->cosigner_key && is_used) {
      return Invalid(validator.identity(), ": cosigner key ", validator.cosigner_key.ToHex(),
                     " is or was in use in this network");
    }
    validator.cosigner_key = present->cosigner_key;
  }
  return CheckNextSet(genesis, proposed);
}

Epoch CosignerKeySince(const Genesis& genesis, const GenesisValidator& validator) {
  Epoch since = genesis.epoch;
  for (auto past = genesis.past.rbegin(); past != genesis.past.rend(); ++past) {
    const bool had = std::any_of(
        past->validators.begin(), past->validators.end(),
        [&](const GenesisValidator& one) { return one.cosigner_key == validator.cosigner_key; });
    if (!had) break;
    since = since.Previous();
  }
  return since;
}

absl::StatusOr<std::vector<std::string>> SplitAddresses(absl::string_view text, size_t count) {
  if (text.empty()) return std::vector<std::string>(count);
  std::vector<std::string> parts = absl::StrSplit(text, ',');
  if (parts.size() != count) {
    return Invalid(parts.size(), " addresses of ", count, " validators");
  }
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    const size_t colon = part.rfind(':');
    const bool has_host = colon != std::string::npos && colon != 0;
    // Digits and nothing else: every reader, in whatever language, takes the same ones.
    const bool has_port =
        has_host && DecodeDecimal(part.substr(colon + 1), 65'535).value_or(0) >= 1;
    const bool printable =
        std::all_of(part.begin(), part.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!has_port || !printable) return Invalid("\"", part, "\" is no \"host:port\"");
  }
  return parts;
}

Genesis WithNextEpoch(const Genesis& genesis, Height base, std::vector<GenesisValidator> next,
                      std::vector<std::string> addresses) {
  Genesis restated = genesis;
  restated.past.push_back({.base = genesis.epoch_base,
                           .validators = genesis.validators,
                           .hash = genesis.validator_set_hash});
  restated.epoch = genesis.epoch.Next();
  restated.epoch_base = base;
  restated.epoch_base_view = View(0);
  restated.epoch_base_hash = Hash();
  restated.epoch_base_size = 0;
  restated.validators = std::move(next);
  restated.validator_addresses = std::move(addresses);
  restated.validator_set_hash = HashValidatorSet(restated.validators);
  return restated;
}

Genesis AtHeight(const Genesis& genesis, Height height) {
  Genesis at = genesis;
  while (!at.past.empty() && height <= at.epoch_base) {
    EpochSet before = std::move(at.past.back());
    at.past.pop_back();
    at.epoch = at.epoch.Previous();
    at.epoch_base = before.base;
    at.epoch_base_view = View(0);
    at.epoch_base_hash = Hash();
    at.epoch_base_size = 0;
    at.validators = std::move(before.validators);
    at.validator_set_hash = before.hash;
    at.validator_addresses.clear();
  }
  return at;
}

const std::vector<GenesisValidator>* ValidatorsOf(const Genesis& genesis, Epoch epoch) {
  if (epoch == genesis.epoch) return &genesis.validators;
  if (epoch < Epoch(1) || epoch > genesis.epoch) return nullptr;
  return &genesis.past[epoch.value() - 1].validators;
}

absl::StatusOr<HeaderEpoch> FindHeaderEpoch(const Genesis& genesis, const BlockHeader& header) {
  const uint64_t number = header.epoch.value();
  HeaderEpoch found;
  found.validators = ValidatorsOf(genesis, header.epoch);
  if (found.validators == nullptr) {
    return Invalid("block ", header.height.value(), ": epoch ", number, ", known are 1 to ",
                   genesis.epoch.value());
  }
  const bool is_last = header.epoch == genesis.epoch;
  const Hash& own = is_last ? genesis.validator_set_hash : genesis.past[number - 1].hash;
  found.base = is_last ? genesis.epoch_base : genesis.past[number - 1].base;
  if (header.height <= found.base) {
    return Invalid("block ", header.height.value(), ": of epoch ", number,
                   ", which begins above height ", found.base.value());
  }
  if (header.validator_set_hash != own) {
    return Differs(header, "validator set hash", header.validator_set_hash, own);
  }
  if (is_last) return found;
  const bool next_is_last = number == genesis.past.size();
  const Height end = next_is_last ? genesis.epoch_base : genesis.past[number].base;
  const Hash& after = next_is_last ? genesis.validator_set_hash : genesis.past[number].hash;
  const bool is_closing = header.height > end && header.next_validator_set_hash == after;
  if (is_closing) return found;
  if (header.height > end) {
    return Invalid("block ", header.height.value(), ": of epoch ", number,
                   ", which ends at height ", end.value());
  }
  const Hash& want = header.height == end ? after : own;
  if (header.next_validator_set_hash != want) {
    return Differs(header, "next validator set hash", header.next_validator_set_hash, want);
  }
  return found;
}

}  // namespace vigil::ledger
