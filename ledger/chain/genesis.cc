#include "ledger/chain/genesis.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/chain/kinds.h"
#include "ledger/chain/name.h"
#include "ledger/chain/strict_json.h"
#include "ledger/chain/tags.h"
#include "ledger/chain/utf8.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "vigil/v1/genesis.pb.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kGenesisFormat = 1;
// What a header says of a snapshot must be executed before anything that the header may speak of:
// a new leader that could only build this block could not wait for its commitment.
constexpr uint32_t kSnapshotIntervalMin = kExecutionLagHeightsMax + 1;
constexpr uint32_t kSnapshotIntervalMax = 1u << 20;
constexpr int kOrganisationsMax = 256;
constexpr int kIdentitiesMax = 10'000;
constexpr size_t kPeopleNameBytesMax = 256;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("genesis: ", parts...));
}

absl::Status CheckRange(absl::string_view field, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Invalid(field, ": ", value, ", from ", min, " to ", max);
}

absl::Status CheckCount(absl::string_view field, int count, int min, int max) {
  if (count >= min && count <= max) return absl::OkStatus();
  return Invalid(field, ": ", count, " entries, from ", min, " to ", max);
}

template <typename Fixed>
absl::StatusOr<Fixed> ReadBytes(absl::string_view field, const std::string& bytes) {
  if (bytes.size() != Fixed::size()) {
    return Invalid(field, ": ", bytes.size(), " bytes, exactly ", Fixed::size(), " in base64");
  }
  return Fixed::From(AsBytes(bytes));
}

// What must not occur twice in the file.
struct Seen {
  std::set<std::string> organisations;
  std::set<std::string> identities;
  std::set<KeyId> keys;  // Records name keys by id, so not even two ids may be equal.
  std::set<FixedBytes<struct JournalIdTag, 16>> journals;
};

absl::StatusOr<PublicKey> ReadKey(absl::string_view field, const std::string& bytes, Seen* seen) {
  ASSIGN_OR_RETURN(const PublicKey key, ReadBytes<PublicKey>(field, bytes));
  if (!IsValidPublicKey(key)) {
    return Invalid(field, ": ", key.ToHex(),
                   " is no Ed25519 public key; make one with vigild keys");
  }
  if (!seen->keys.insert(KeyIdOf(key)).second) {
    return Invalid(field, ": ", key.ToHex(), " is used twice; every key needs its own pair");
  }
  return key;
}

absl::Status CheckIdentity(absl::string_view field, absl::string_view org, absl::string_view name,
                           Seen* seen) {
  RETURN_IF_ERROR(CheckName(absl::StrCat(field, ".name"), name, "-"));
  if (seen->organisations.count(std::string(org)) == 0) {
    return Invalid(field, ".org: \"", org, "\" is not among the organisations");
  }
  if (!seen->identities.insert(absl::StrCat(org, "/", name)).second) {
    return Invalid(field, ".name: identity \"", org, "/", name, "\" is used twice");
  }
  return absl::OkStatus();
}

absl::Status ReadParameters(const v1::Parameters& from, Genesis* genesis) {
  if (from.mode() != "raft") {
    return Invalid("parameters.mode: \"", from.mode(), "\"; this version knows \"raft\"");
  }
  RETURN_IF_ERROR(
      CheckRange("parameters.max_block_bytes", from.max_block_bytes(), 64 * 1024, kBlockBytesMax));
  RETURN_IF_ERROR(
      CheckRange("parameters.heartbeat_millis", from.heartbeat_millis(), 100, 3'600'000));
  RETURN_IF_ERROR(CheckRange("parameters.snapshot_interval_blocks", from.snapshot_interval_blocks(),
                             kSnapshotIntervalMin, kSnapshotIntervalMax));
  genesis->mode = from.mode();
  genesis->max_block_bytes = from.max_block_bytes();
  genesis->heartbeat_millis = from.heartbeat_millis();
  genesis->snapshot_interval_blocks = from.snapshot_interval_blocks();
  return absl::OkStatus();
}

absl::Status ReadDetector(const v1::DetectorParameters& from, DetectorParameters* out) {
  const struct {
    absl::string_view name;
    uint32_t value;
    uint32_t min;
    uint32_t max;
    uint32_t* field;
  } kRanges[] = {
      {"profile", from.profile(), 1, 1, &out->profile},
      {"window_rows_max", from.window_rows_max(), 512, 16'384, &out->window_rows_max},
      {"window_rows_min", from.window_rows_min(), 64, from.window_rows_max(),
       &out->window_rows_min},
      {"period_events", from.period_events(), 256, 10'000'000, &out->period_events},
      {"trees", from.trees(), 10, 500, &out->trees},
      {"sample_rows", from.sample_rows(), 16, 4096, &out->sample_rows},
      {"identical_rows_max", from.identical_rows_max(), 1, 1024, &out->identical_rows_max},
      {"threshold_quantile_ppm", from.threshold_quantile_ppm(), 900'000, 999'999,
       &out->threshold_quantile_ppm},
      {"threshold_floor_q8", from.threshold_floor_q8(), 0, 0xFFFFFFFF, &out->threshold_floor_q8},
      {"seed_reveals", from.seed_reveals(), 1, 16, &out->seed_reveals},
  };
  for (const auto& range : kRanges) {
    RETURN_IF_ERROR(CheckRange(absl::StrCat("parameters.detector.", range.name), range.value,
                               range.min, range.max));
    *range.field = range.value;
  }
  return absl::OkStatus();
}

// Whether they are rules at all, the detector says: it does not start with a file that is none.
absl::Status ReadRules(const std::string& rules, Genesis* genesis) {
  RETURN_IF_ERROR(
      CheckRange("parameters.detector.rules: bytes", rules.size(), 0, kRuleFileBytesMax));
  genesis->detector_rules = rules;
  if (!rules.empty()) genesis->rules_digest = Sha256({AsBytes(kRulesTag), AsBytes(rules)});
  return absl::OkStatus();
}

absl::Status ReadOrganisations(const v1::Genesis& from, Seen* seen, Genesis* genesis) {
  RETURN_IF_ERROR(CheckCount("organisations", from.organisations_size(), 1, kOrganisationsMax));
  for (int i = 0; i < from.organisations_size(); ++i) {
    const v1::Organisation& organisation = from.organisations(i);
    const std::string field = absl::StrCat("organisations[", i, "]");
    RETURN_IF_ERROR(CheckName(field + ".id", organisation.id(), "-"));
    if (organisation.name().size() > kPeopleNameBytesMax) {
      return Invalid(field, ".name: ", organisation.name().size(), " bytes, at most ",
                     kPeopleNameBytesMax);
    }
    if (!seen->organisations.insert(organisation.id()).second) {
      return Invalid(field, ".id: \"", organisation.id(), "\" is used twice");
    }
    genesis->organisations.push_back({organisation.id(), organisation.name()});
  }
  return absl::OkStatus();
}

absl::StatusOr<GenesisValidator> ReadValidator(const std::string& field, const v1::Validator& from,
                                               Seen* seen) {
  RETURN_IF_ERROR(CheckIdentity(field, from.org(), from.name(), seen));
  GenesisValidator out;
  out.name = from.name();
  out.org = from.org();
  ASSIGN_OR_RETURN(out.consensus_key,
                   ReadKey(field + ".consensus_key", from.consensus_key(), seen));
  ASSIGN_OR_RETURN(out.log_key, ReadKey(field + ".log_key", from.log_key(), seen));
  ASSIGN_OR_RETURN(out.cosigner_key, ReadKey(field + ".cosigner_key", from.cosigner_key(), seen));
  ASSIGN_OR_RETURN(out.record_key, ReadKey(field + ".record_key", from.record_key(), seen));
  ASSIGN_OR_RETURN(out.reveal_anchor,
                   ReadBytes<Hash>(field + ".reveal_anchor", from.reveal_anchor()));
  RETURN_IF_ERROR(CheckRange(field + ".reveal_length", from.reveal_length(), 0, kRevealLengthMax));
  out.reveal_length = from.reveal_length();
  ASSIGN_OR_RETURN(out.journal_id,
                   ReadBytes<decltype(out.journal_id)>(field + ".journal_id", from.journal_id()));
  if (!seen->journals.insert(out.journal_id).second) {
    return Invalid(field, ".journal_id: ", out.journal_id.ToHex(),
                   " is used twice; every validator needs its own");
  }
  return out;
}

absl::StatusOr<GenesisIdentity> ReadIdentity(const std::string& field, const v1::Identity& from,
                                             Seen* seen) {
  RETURN_IF_ERROR(CheckIdentity(field, from.org(), from.name(), seen));
  GenesisIdentity out;
  out.name = from.name();
  out.org = from.org();
  if (from.roles().empty()) return Invalid(field, ".roles: empty; name at least one role");
  for (const std::string& name : from.roles()) {
    const Role role = FindRole(name);
    if (role == Role::kNone || role == Role::kValidator) {
      return Invalid(field, ".roles: \"", name,
                     "\"; one of sensor, admin, analyst, responder, auditor, service");
    }
    const uint32_t bit = static_cast<uint32_t>(role);
    if ((out.roles & bit) != 0) return Invalid(field, ".roles: \"", name, "\" is given twice");
    out.roles |= bit;
  }
  ASSIGN_OR_RETURN(out.key, ReadKey(field + ".key", from.key(), seen));
  return out;
}

absl::Status ReadMembers(const v1::Genesis& from, Genesis* genesis) {
  Seen seen;
  RETURN_IF_ERROR(ReadOrganisations(from, &seen, genesis));
  RETURN_IF_ERROR(CheckCount("validators", from.validators_size(), 1, kRaftValidatorsMax));
  RETURN_IF_ERROR(CheckCount("identities", from.identities_size(), 0, kIdentitiesMax));
  for (int i = 0; i < from.validators_size(); ++i) {
    const std::string field = absl::StrCat("validators[", i, "]");
    ASSIGN_OR_RETURN(GenesisValidator validator, ReadValidator(field, from.validators(i), &seen));
    genesis->validators.push_back(std::move(validator));
  }
  for (int i = 0; i < from.identities_size(); ++i) {
    const std::string field = absl::StrCat("identities[", i, "]");
    ASSIGN_OR_RETURN(GenesisIdentity identity, ReadIdentity(field, from.identities(i), &seen));
    genesis->identities.push_back(std::move(identity));
  }
  return absl::OkStatus();
}

// `what`: "a genesis".
template <typename Message>
absl::StatusOr<Message> ParseJson(absl::string_view file_bytes, absl::string_view what) {
  if (file_bytes.size() > kGenesisBytesMax) {
    return Invalid("file of ", file_bytes.size(), " bytes, at most ", kGenesisBytesMax);
  }
  if (!IsValidUtf8(AsBytes(file_bytes))) return Invalid("the file is not UTF-8");
  const absl::Status strict = CheckStrictJson(file_bytes);
  if (!strict.ok()) return Annotate(strict, "not strict JSON");
  Message message;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(file_bytes.data(), file_bytes.size()), &message, options);
  if (!status.ok()) {
    return Invalid("not the JSON of ", what, ": ",
                   absl::string_view(status.message().data(), status.message().size()));
  }
  return message;
}

template <typename Tag, size_t kSize>
std::string ToBytes(const FixedBytes<Tag, kSize>& value) {
  return ToString(value.span());
}

std::string PrintJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  VIGIL_CHECK(status.ok(), std::string(status.message()));
  return json;
}

void WriteParameters(const Genesis& genesis, v1::Parameters* out) {
  out->set_mode(genesis.mode);
  out->set_max_block_bytes(genesis.max_block_bytes);
  out->set_heartbeat_millis(genesis.heartbeat_millis);
  out->set_snapshot_interval_blocks(genesis.snapshot_interval_blocks);
  v1::DetectorParameters* const detector = out->mutable_detector();
  detector->set_profile(genesis.detector.profile);
  detector->set_window_rows_max(genesis.detector.window_rows_max);
  detector->set_window_rows_min(genesis.detector.window_rows_min);
  detector->set_period_events(genesis.detector.period_events);
  detector->set_trees(genesis.detector.trees);
  detector->set_sample_rows(genesis.detector.sample_rows);
  detector->set_identical_rows_max(genesis.detector.identical_rows_max);
  detector->set_threshold_quantile_ppm(genesis.detector.threshold_quantile_ppm);
  detector->set_threshold_floor_q8(genesis.detector.threshold_floor_q8);
  detector->set_seed_reveals(genesis.detector.seed_reveals);
  detector->set_rules(genesis.detector_rules);
}

void WriteValidator(const GenesisValidator& validator, v1::Validator* out) {
  out->set_name(validator.name);
  out->set_org(validator.org);
  out->set_consensus_key(ToBytes(validator.consensus_key));
  out->set_log_key(ToBytes(validator.log_key));
  out->set_cosigner_key(ToBytes(validator.cosigner_key));
  out->set_record_key(ToBytes(validator.record_key));
  out->set_reveal_anchor(ToBytes(validator.reveal_anchor));
  out->set_reveal_length(validator.reveal_length);
  out->set_journal_id(ToBytes(validator.journal_id));
}

void WriteIdentity(const GenesisIdentity& identity, v1::Identity* out) {
  out->set_name(identity.name);
  out->set_org(identity.org);
  for (uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((identity.roles & bit) == 0) continue;
    const absl::string_view role = RoleName(static_cast<Role>(bit));
    out->add_roles(role.data(), role.size());
  }
  out->set_key(ToBytes(identity.key));
}

}  // namespace

std::optional<ValidatorIndex> Genesis::FindValidator(absl::string_view identity) const {
  for (uint32_t i = 0; i < validators.size(); ++i) {
    if (validators[i].identity() == identity) return ValidatorIndex(i);
  }
  return std::nullopt;
}

bool Genesis::HasSnapshot(Height height) const {
  return height != Height(0) && height.value() % snapshot_interval_blocks == 0;
}

Height Genesis::SnapshotHeightAt(Height height) const {
  if (!HasSnapshot(height)) return Height(0);
  return height - snapshot_interval_blocks;
}

absl::StatusOr<Genesis> ParseGenesis(absl::string_view file_bytes) {
  ASSIGN_OR_RETURN(const v1::Genesis message, ParseJson<v1::Genesis>(file_bytes, "a genesis"));
  if (message.format() != kGenesisFormat) {
    return Invalid("format: ", message.format(), ", must be ", kGenesisFormat);
  }
  Genesis genesis;
  RETURN_IF_ERROR(CheckName("network", message.network(), ".-"));
  RETURN_IF_ERROR(
      CheckRange("time_unix_millis", message.time_unix_millis(), 0, kTimeUnixMillisMax));
  genesis.network = message.network();
  genesis.time_unix_millis = message.time_unix_millis();
  RETURN_IF_ERROR(ReadParameters(message.parameters(), &genesis));
  RETURN_IF_ERROR(ReadDetector(message.parameters().detector(), &genesis.detector));
  RETURN_IF_ERROR(ReadRules(message.parameters().detector().rules(), &genesis));
  RETURN_IF_ERROR(ReadMembers(message, &genesis));
  genesis.genesis_hash = Sha256({AsBytes(kGenesisTag), AsBytes(file_bytes)});
  genesis.chain_id = Sha256({AsBytes(kChainIdTag), genesis.genesis_hash.span()});
  genesis.validator_set_hash = HashValidatorSet(genesis.validators);
  return genesis;
}

std::string WriteGenesis(const Genesis& genesis) {
  v1::Genesis message;
  message.set_format(kGenesisFormat);
  message.set_network(genesis.network);
  message.set_time_unix_millis(genesis.time_unix_millis);
  WriteParameters(genesis, message.mutable_parameters());
  for (const GenesisOrganisation& organisation : genesis.organisations) {
    v1::Organisation* const out = message.add_organisations();
    out->set_id(organisation.id);
    out->set_name(organisation.name);
  }
  for (const GenesisValidator& validator : genesis.validators) {
    WriteValidator(validator, message.add_validators());
  }
  for (const GenesisIdentity& identity : genesis.identities) {
    WriteIdentity(identity, message.add_identities());
  }
  return PrintJson(message);
}

std::string WriteValidatorEntry(const GenesisValidator& validator) {
  v1::Validator message;
  WriteValidator(validator, &message);
  return PrintJson(message);
}

absl::StatusOr<GenesisValidator> ParseValidatorEntry(absl::string_view file_bytes) {
  ASSIGN_OR_RETURN(const v1::Validator message,
                   ParseJson<v1::Validator>(file_bytes, "a validator"));
  Seen seen;
  seen.organisations.insert(message.org());  // Whether it is one of the network's, others judge.
  RETURN_IF_ERROR(CheckName("org", message.org(), "-"));
  return ReadValidator("validator", message, &seen);
}

}  // namespace vigil::ledger
