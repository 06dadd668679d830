// Genesis: the JSON file that all validators of a network start from, checked and in plain types.
#ifndef VIGIL_LEDGER_CHAIN_GENESIS_H_
#define VIGIL_LEDGER_CHAIN_GENESIS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::ledger {

// Field comments and ranges: proto/vigil/v1/genesis.proto.
struct DetectorParameters {
  uint32_t profile = 1;
  uint32_t window_rows_max = 4096;
  uint32_t window_rows_min = 512;
  uint32_t period_events = 4096;
  uint32_t trees = 100;
  uint32_t sample_rows = 256;
  uint32_t identical_rows_max = 16;
  uint32_t threshold_quantile_ppm = 995'000;
  uint32_t threshold_floor_q8 = 2048;
  uint32_t seed_reveals = 2;
  bool operator==(const DetectorParameters&) const = default;
};

// Bytes of a rule file.
inline constexpr size_t kRuleFileBytesMax = 16 * 1024;
// Reveals that one validator may have.
inline constexpr uint64_t kRevealLengthMax = uint64_t{1} << 28;

// Validators that one epoch may have in raft mode.
inline constexpr uint32_t kRaftValidatorsMax = 7;

struct GenesisValidator {
  std::string name;
  std::string org;
  PublicKey consensus_key;
  PublicKey log_key;
  PublicKey cosigner_key;
  PublicKey record_key;
  Hash reveal_anchor;
  uint64_t reveal_length = 0;
  FixedBytes<struct JournalIdTag, 16> journal_id;
  std::string identity() const { return org + "/" + name; }
  bool operator==(const GenesisValidator&) const = default;
};

// The set of an epoch that is over; its number is its place in Genesis::past, from 1.
struct EpochSet {
  Height base;  // Its first block is above; 0 in the first epoch.
  std::vector<GenesisValidator> validators;
  Hash hash;
};

struct GenesisIdentity {
  std::string name;
  std::string org;
  uint32_t roles = 0;  // Bits of Role.
  PublicKey key;
  std::string identity() const { return org + "/" + name; }
};

struct GenesisOrganisation {
  std::string id;
  std::string name;
};

// What the file says, restated for one epoch (ledger/chain/epoch.h); ParseGenesis: for the first.
struct Genesis {
  std::string network;
  uint64_t time_unix_millis = 0;
  std::string mode;
  uint32_t max_block_bytes = 2 * 1024 * 1024;
  uint32_t heartbeat_millis = 10'000;
  uint32_t snapshot_interval_blocks = 2048;
  DetectorParameters detector;
  std::string detector_rules;  // The rule file; empty: no rules.
  std::vector<GenesisOrganisation> organisations;
  std::vector<GenesisValidator> validators;
  std::vector<GenesisIdentity> identities;

  Hash genesis_hash;        // SHA-256("vigil/genesis/v1" 00 | file bytes)
  Hash chain_id;            // SHA-256("vigil/chain-id/v1" 00 | genesis hash)
  Hash rules_digest;        // SHA-256("vigil/detector/rules/v1" 00 | rule file); zero without rules
  Hash validator_set_hash;  // docs/formats.md, Validator set

  Epoch epoch{1};
  Height epoch_base;  // Height of the sealing block that the epoch begins above; 0: genesis.
  // View and hash of that block, and leaves of the log with its seal, where its anchor was seen
  // (ledger/state/epoch_anchor.h).
  View epoch_base_view;
  Hash epoch_base_hash;
  uint64_t epoch_base_size = 0;
  // Where validators that the file does not name can be reached ("host:port"), by index; may be
  // shorter than `validators`, and hold empty strings.
  std::vector<std::string> validator_addresses;
  std::vector<EpochSet> past;  // The epochs before, the first one first.

  // The set that the file names.
  const std::vector<GenesisValidator>& first_validators() const {
    return past.empty() ? validators : past.front().validators;
  }
  // nullopt when no validator bears this identity ("org/name").
  std::optional<ValidatorIndex> FindValidator(absl::string_view identity) const;
  // Whether a snapshot is made of the state after the block at `height`.
  bool HasSnapshot(Height height) const;
  // Height of the snapshot whose digest the header at `height` carries: one interval below it, when
  // there is one. 0: it carries none.
  Height SnapshotHeightAt(Height height) const;
};

// Checks and takes over a genesis file.
// Errors: kInvalidArgument naming the field and the remedy: unknown field, bad key, a key used
// twice, a name used twice, unknown organisation or role, ranges, mode, validator count.
absl::StatusOr<Genesis> ParseGenesis(absl::string_view file_bytes);
// One validator as genesis would name it, a JSON file of its own: what `vigild keys` makes for a
// proposal to change the set.
std::string WriteValidatorEntry(const GenesisValidator& validator);
// Errors: kInvalidArgument as ParseGenesis() for one validator.
absl::StatusOr<GenesisValidator> ParseValidatorEntry(absl::string_view file_bytes);
// The JSON file for `genesis` (hashes are ignored), for `vigild testnet` and tests.
std::string WriteGenesis(const Genesis& genesis);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_GENESIS_H_
