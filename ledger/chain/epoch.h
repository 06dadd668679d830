// Epochs: which validators a network has, from which block on.
//
// An epoch ends with its sealing block, the only one whose header names another set as the next
// one. The next epoch's first block has it as its parent. A Genesis is what all validators start
// from, restated for one epoch: its `validators` and `validator_set_hash` are that epoch's, and
// `past` tells of the epochs before (docs/formats.md, Validator set). Pure.
#ifndef VIGIL_LEDGER_CHAIN_EPOCH_H_
#define VIGIL_LEDGER_CHAIN_EPOCH_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/header.h"

namespace vigil::ledger {

// Whether the block ends its epoch; so do closing blocks, which only ever lie in Raft's log.
inline bool Seals(const BlockHeader& header) {
  return header.validator_set_hash != header.next_validator_set_hash;
}

// "vigil/validator-set/v1" 00 | u32 count | per validator: prefixed identity, four keys, reveal
// anchor, u64 reveal length, journal id. Its SHA-256 is the set's hash.
std::string EncodeValidatorSet(const std::vector<GenesisValidator>& validators);
// Errors: kInvalidArgument when `bytes` is not what EncodeValidatorSet() makes of 1 to 7
// validators, or a name, key or journal id in it is malformed or used twice.
absl::StatusOr<std::vector<GenesisValidator>> DecodeValidatorSet(ByteSpan bytes);
Hash HashValidatorSet(const std::vector<GenesisValidator>& validators);

// Whether `next` may follow the set of `genesis`: known organisations, a quorum of it are
// validators of the present set who keep their keys, no other key was ever a validator's or
// identity's of this network, and it is not the present set.
// Errors: kInvalidArgument naming the validator and the remedy.
absl::Status CheckNextSet(const Genesis& genesis, const std::vector<GenesisValidator>& next);

// What validators of one epoch cosign with in the next, as they announced it: by identity.
using AnnouncedKeys = std::map<std::string, PublicKey>;

// Whether both are one validator, whatever it cosigns with.
bool IsSameValidator(const GenesisValidator& a, const GenesisValidator& b);

// Whether `key` may become a cosigner key: one that may be enrolled and was nobody's in this
// network.
// Errors: kInvalidArgument naming it.
absl::Status CheckFreshKey(const Genesis& genesis, const PublicKey& key);

// `proposed`, with the announced keys for the validators that stay. A key that is anybody's already
// or stands in the set is passed over, so that the result is a set whenever `proposed` is one.
std::vector<GenesisValidator> WithAnnouncedKeys(const Genesis& genesis,
                                                const std::vector<GenesisValidator>& proposed,
                                                const AnnouncedKeys& announced);

// Whether WithAnnouncedKeys() may have made `next` of a set that CheckNextSet() accepts.
// Errors: those of CheckNextSet().
absl::Status CheckSucceedingSet(const Genesis& genesis, const std::vector<GenesisValidator>& next);

// Since which epoch a validator of `genesis`' epoch has had its cosigner key.
Epoch CosignerKeySince(const Genesis& genesis, const GenesisValidator& validator);

// The parts of "host:port,host:port": one per validator, each empty or with a port from 1 to 65535,
// in decimal without sign or leading zeros. Empty `text`: all are empty.
// Errors: kInvalidArgument naming the part.
absl::StatusOr<std::vector<std::string>> SplitAddresses(absl::string_view text, size_t count);

// `genesis` restated for the epoch after its own, which the sealing block at `base` began.
// `addresses` are those of `next`, in the same order; empty strings where none is known.
Genesis WithNextEpoch(const Genesis& genesis, Height base, std::vector<GenesisValidator> next,
                      std::vector<std::string> addresses);

// `genesis` restated for the epoch, among those that it knows, of the block at `height`.
// Above the base of its own epoch that is its own.
Genesis AtHeight(const Genesis& genesis, Height height);

// The validators of `epoch`; null when `genesis` does not know it.
const std::vector<GenesisValidator>* ValidatorsOf(const Genesis& genesis, Epoch epoch);

// The epoch that a header names, as far as `genesis` knows it.
struct HeaderEpoch {
  const std::vector<GenesisValidator>* validators = nullptr;
  Height base;
};
// Checks epoch, height and both set hashes of `header` against what `genesis` knows. Of the last
// epoch that it knows any block may be the sealing one: what the next set is, only execution tells.
// Errors: kInvalidArgument naming both values.
absl::StatusOr<HeaderEpoch> FindHeaderEpoch(const Genesis& genesis, const BlockHeader& header);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_EPOCH_H_
