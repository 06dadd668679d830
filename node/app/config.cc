#include "node/app/config.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/note.h"
#include "node/app/config_file.h"
#include "node/http/witness_client.h"

namespace vigil::node {
namespace {

ConfigKey Text(absl::string_view name, absl::string_view help, std::string* (*field)(Config*),
               bool is_path = false) {
  return {.name = name,
          .help = help,
          .set =
              [field](absl::string_view text, Config* config) {
                *field(config) = std::string(text);
                return absl::OkStatus();
              },
          .get = [field](const Config& config) { return *field(const_cast<Config*>(&config)); },
          .is_path = is_path};
}

constexpr uint64_t kAgeMillisMin = 3'600'000;
constexpr uint64_t kAgeMillisMax = uint64_t{36'500} * 86'400'000;

template <typename Number>
ConfigKey Integer(absl::string_view name, absl::string_view help, uint64_t min, uint64_t max,
                  Number* (*field)(Config*)) {
  return {.name = name,
          .help = help,
          .set = [field, min, max](absl::string_view text, Config* config) -> absl::Status {
            uint64_t value = 0;
            if (!absl::SimpleAtoi(text, &value) || value < min || value > max) {
              return absl::InvalidArgumentError(absl::StrCat(
                  "'", text, "' where a whole number from ", min, " to ", max, " belongs"));
            }
            *field(config) = static_cast<Number>(value);
            return absl::OkStatus();
          },
          .get =
              [field](const Config& config) {
                return absl::StrCat(*field(const_cast<Config*>(&config)));
              }};
}

ConfigKey OneOf(absl::string_view name, absl::string_view help, std::vector<std::string> allowed,
                std::string* (*field)(Config*)) {
  ConfigKey key = Text(name, help, field);
  key.set = [field, allowed](absl::string_view text, Config* config) -> absl::Status {
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text, "' is none of ", absl::StrJoin(allowed, ", ")));
    }
    *field(config) = std::string(text);
    return absl::OkStatus();
  };
  return key;
}

ConfigKey Flag(absl::string_view name, absl::string_view help, bool* (*field)(Config*)) {
  return {.name = name,
          .help = help,
          .set = [field](absl::string_view text, Config* config) -> absl::Status {
            if (text != "true" && text != "false") {
              return absl::InvalidArgumentError(
                  absl::StrCat("'", text, "' where true or false belongs"));
            }
            *field(config) = text == "true";
            return absl::OkStatus();
          },
          .get =
              [field](const Config& config) {
                return std::string(*field(const_cast<Config*>(&config)) ? "true" : "false");
              }};
}

}  // namespace

absl::StatusOr<uint64_t> ParseAgeMillis(absl::string_view text) {
  if (text.empty()) return uint64_t{0};
  static constexpr std::pair<char, uint64_t> kUnits[] = {
      {'m', 60'000}, {'h', 3'600'000}, {'d', 86'400'000}};
  uint64_t count = 0;
  for (const auto& [unit, millis] : kUnits) {
    if (text.back() != unit || !absl::SimpleAtoi(text.substr(0, text.size() - 1), &count)) continue;
    if (count > kAgeMillisMax / millis || count * millis < kAgeMillisMin) break;
    return count * millis;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' where an age such as 90m, 12h or 30d belongs, from 1h to 36500d"));
}

namespace {

ConfigKey Age(absl::string_view name, absl::string_view help, std::string* (*field)(Config*)) {
  ConfigKey key = Text(name, help, field);
  key.set = [field](absl::string_view text, Config* config) -> absl::Status {
    RETURN_IF_ERROR(ParseAgeMillis(text).status());
    *field(config) = std::string(text);
    return absl::OkStatus();
  };
  return key;
}

// "org/name=host:port,org/name=host:port"; the file has [[peers]] tables instead.
absl::Status SetPeers(absl::string_view text, Config* config) {
  config->peers.clear();
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> sides = absl::StrSplit(part, '=');
    if (sides.size() != 2 || sides[0].empty() || sides[1].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", part, "' where org/name=host:port belongs"));
    }
    config->peers.push_back({.identity = sides[0], .address = sides[1]});
  }
  return absl::OkStatus();
}

ConfigKey Peers() {
  return {.name = "peers",
          .help = "the other validators, org/name=host:port,... ([[peers]] tables in the file)",
          .set = SetPeers,
          .get = [](const Config& config) {
            return absl::StrJoin(config.peers, ",", [](std::string* out, const PeerAddress& peer) {
              absl::StrAppend(out, peer.identity, "=", peer.address);
            });
          }};
}

// "vkey=url,vkey=url"; the file has [[witnesses]] tables instead.
absl::Status SetWitnesses(absl::string_view text, Config* config) {
  config->witnesses.clear();
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const size_t split = part.find("=http");
    if (split == absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat("'", part, "' where vkey=url belongs"));
    }
    WitnessAddress witness{.vkey = std::string(part.substr(0, split)),
                           .url = std::string(part.substr(split + 1))};
    RETURN_IF_ERROR(CheckWitnessAddress(witness));
    config->witnesses.push_back(std::move(witness));
  }
  return absl::OkStatus();
}

ConfigKey Witnesses() {
  return {.name = "witnesses",
          .help = "witnesses outside the network, vkey=url,... ([[witnesses]] tables in the file)",
          .set = SetWitnesses,
          .get = [](const Config& config) {
            return absl::StrJoin(config.witnesses, ",",
                                 [](std::string* out, const WitnessAddress& witness) {
                                   absl::StrAppend(out, witness.vkey, "=", witness.url);
                                 });
          }};
}

ConfigKey FlagOnly(ConfigKey key) {
  key.flag_only = true;
  return key;
}

constexpr uint64_t kMiB = 1 << 20;
constexpr size_t kWitnessesMax = 16;  // A thread each, and a line each on a checkpoint.
constexpr uint64_t kBudgetBytesMax = uint64_t{64} << 30;

// "spiffe://org/client/name,spiffe://..."
ConfigKey SpiffeIds(absl::string_view name, absl::string_view help,
                    std::vector<std::string>* (*field)(Config*)) {
  return {.name = name,
          .help = help,
          .set = [field](absl::string_view text, Config* config) -> absl::Status {
            std::vector<std::string> ids;
            for (absl::string_view id : absl::StrSplit(text, ',', absl::SkipEmpty())) {
              const std::vector<absl::string_view> parts = absl::StrSplit(id, '/');
              if (!absl::StartsWith(id, "spiffe://") || parts.size() != 5 || parts[2].empty() ||
                  parts[3].empty() || parts[4].empty()) {
                return absl::InvalidArgumentError(
                    absl::StrCat("'", id, "' where spiffe://org/role/name belongs"));
              }
              ids.emplace_back(id);
            }
            *field(config) = std::move(ids);
            return absl::OkStatus();
          },
          .get =
              [field](const Config& config) {
                return absl::StrJoin(*field(const_cast<Config*>(&config)), ",");
              }};
}

#define FIELD(member) +[](Config* config) { return &config->member; }

std::vector<ConfigKey> RetentionKeys() {
  return {
      Age("retention.payload_age",
          "payloads older than this, as 30d or 12h, are dropped; leaves, seals and proofs stay; "
          "empty: keep them",
          FIELD(retention_payload_age)),
      Integer(
          "retention.journal_bytes_max",
          "above this size the journal's oldest segments move to retention.archive_dir; 0: never",
          0, uint64_t{1} << 50, FIELD(retention_journal_bytes_max)),
      Text("retention.archive_dir",
           "where segments of the journal go, for this validator alone, on a disk of its own",
           FIELD(retention_archive_dir), /*is_path=*/true),
  };
}

std::vector<ConfigKey> MakeKeys() {
  std::vector<ConfigKey> keys = {
      Text("data_dir", "folder of journal and store", FIELD(data_dir), /*is_path=*/true),
      Text("genesis", "the network's genesis.json", FIELD(genesis), /*is_path=*/true),
      Text("identity", "this validator, org/name as in genesis", FIELD(identity)),
      Text("keys_dir", "folder of the five key files", FIELD(keys_dir), /*is_path=*/true),
      Peers(),
      Witnesses(),
      Flag("insecure_witness_http", "plain http to witnesses beyond loopback",
           FIELD(insecure_witness_http)),
      Text("listen.api", "address for clients (gRPC)", FIELD(listen_api)),
      Text("listen.peer", "address for validators (gRPC)", FIELD(listen_peer)),
      Text("listen.http", "address for metrics and health; empty: none", FIELD(listen_http)),
      Text("tls.ca", "CA certificate, PEM", FIELD(tls.ca), /*is_path=*/true),
      Text("tls.certificate", "this validator's certificate, PEM", FIELD(tls.certificate), true),
      Text("tls.key", "its private key, PEM", FIELD(tls.key), /*is_path=*/true),
      SpiffeIds("admin.clients",
                "SPIFFE ids, split by commas, of who may administer, besides the admins of this "
                "organisation, spiffe://org/admin/name",
                FIELD(admin_clients)),
      Flag("insecure_dev", "serve clients without TLS, on loopback only", FIELD(insecure_dev)),
      Integer("lanes.governance_bytes", "mempool budget: governance and faults", kMiB,
              kBudgetBytesMax, FIELD(lane_governance_bytes)),
      Integer("lanes.alerts_bytes", "mempool budget: alerts and models", kMiB, kBudgetBytesMax,
              FIELD(lane_alerts_bytes)),
      Integer("lanes.events_bytes", "mempool budget: event batches", kMiB, kBudgetBytesMax,
              FIELD(lane_events_bytes)),
      Integer("cache.blocks_bytes", "blocks kept in memory", 8 * kMiB, kBudgetBytesMax,
              FIELD(block_cache_bytes)),
      Integer("cache.store_bytes", "LevelDB's block cache", kMiB, kBudgetBytesMax,
              FIELD(store_cache_bytes)),
      Integer("fetch.bytes_per_second", "what is read for validators that join, at most", 64 * 1024,
              uint64_t{10} << 30, FIELD(fetch_bytes_per_second)),
      Integer("fetch.learner_bytes_per_second",
              "what is read for newcomers that learn before they are validators, at most",
              64 * 1024, uint64_t{10} << 30, FIELD(learner_bytes_per_second)),
      Integer("scrub.bytes_per_second", "what is read again of old data, at most; 0: no scrub", 0,
              uint64_t{10} << 30, FIELD(scrub_bytes_per_second)),
      Integer("scrub.interval_hours", "from the beginning of one pass over all to that of the next",
              1, 24 * 366, FIELD(scrub_interval_hours)),
      Integer("index.keep_blocks",
              "newest blocks whose events stay searchable, in steps of 65,536 events; 0: all", 0,
              uint64_t{1} << 62, FIELD(index_keep_blocks)),
      Integer("election.min_millis", "shortest election timeout", 200, 60'000,
              FIELD(election_min_millis)),
      Integer("election.max_millis", "longest election timeout", 200, 60'000,
              FIELD(election_max_millis)),
      Integer("election.delay_millis",
              "waits so much longer before it campaigns: the smaller, the rather it leads", 0,
              60'000, FIELD(election_delay_millis)),
      FlagOnly(Flag("accept_torn_tail",
                    "for one start after all validators lost power at once: a torn end of the "
                    "journal is taken for a write that was never synced",
                    FIELD(accept_torn_tail))),
      Flag("log.public_entries",
           "serve the log's entries over HTTP to whoever reaches listen.http, not only hashes",
           FIELD(public_entries)),
      OneOf("log.level", "trace, debug, info, warn or error",
            {"trace", "debug", "info", "warn", "error"}, FIELD(log_level)),
      OneOf("log.format", "text or json", {"text", "json"}, FIELD(log_format)),
  };
  for (ConfigKey& key : RetentionKeys()) keys.push_back(std::move(key));
  return keys;
}

#undef FIELD

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

absl::Status ApplyEnvironment(LoadedConfig* loaded) {
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string name = EnvironmentName(key.name);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    if (key.flag_only) {
      return absl::InvalidArgumentError(
          absl::StrCat("environment ", name, ": ", FlagOnlyError(key)));
    }
    RETURN_IF_ERROR(Annotate(key.set(value, &loaded->config), absl::StrCat("environment ", name)));
    loaded->origin[std::string(key.name)] = "environment";
  }
  return absl::OkStatus();
}

absl::Status ApplyFlags(const std::map<std::string, std::string>& flags, LoadedConfig* loaded) {
  for (const auto& [name, value] : flags) {
    const ConfigKey* key = FindConfigKey(name);
    if (key == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " is no key; did you mean --", NearestConfigKey(name), "?"));
    }
    RETURN_IF_ERROR(Annotate(key->set(value, &loaded->config), absl::StrCat("--", name)));
    loaded->origin[name] = "flag";
  }
  return absl::OkStatus();
}

absl::Status CheckAddress(absl::string_view key, absl::string_view address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": '", address, "' where host:port belongs"));
  }
  return absl::OkStatus();
}

absl::Status CheckWitnesses(const Config& config) {
  std::set<std::string> vkeys;
  if (config.witnesses.size() > kWitnessesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("witnesses: ", config.witnesses.size(), ", at most ", kWitnessesMax));
  }
  for (const WitnessAddress& witness : config.witnesses) {
    RETURN_IF_ERROR(
        Annotate(ParseWitnessUrl(witness.url, config.insecure_witness_http).status(), "witnesses"));
    if (!vkeys.insert(witness.vkey).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("witnesses: ", witness.vkey, " is there twice"));
    }
  }
  return absl::OkStatus();
}

bool IsLoopback(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]:");
}

// Two segments: the newest one stays, and the one before it is what can leave.
constexpr uint64_t kJournalBytesMaxLeast = uint64_t{128} << 20;

absl::Status CheckRetention(const Config& config) {
  const uint64_t limit = config.retention_journal_bytes_max;
  if (limit > 0 && limit < kJournalBytesMaxLeast) {
    return absl::InvalidArgumentError(absl::StrCat("retention.journal_bytes_max = ", limit,
                                                   ": must be 0, or at least ",
                                                   kJournalBytesMaxLeast, ", two segments"));
  }
  if (limit > 0 && config.retention_archive_dir.empty()) {
    return absl::InvalidArgumentError(
        "retention.journal_bytes_max without retention.archive_dir: segments that nobody keeps "
        "are never dropped; name a directory for this validator alone");
  }
  if (limit == 0 && !config.retention_archive_dir.empty()) {
    return absl::InvalidArgumentError(
        "retention.archive_dir without retention.journal_bytes_max: say above which size the "
        "journal's oldest segments move there");
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey>* const kKeys = new std::vector<ConfigKey>(MakeKeys());
  return *kKeys;
}

absl::Status CheckWitnessAddress(const WitnessAddress& witness) {
  const absl::StatusOr<ledger::NoteKey> key = ledger::DecodeNoteKey(witness.vkey);
  if (!key.ok()) return Annotate(key.status(), "vkey");
  if (key->type != ledger::NoteKeyType::kCosignatureV1 || !ledger::IsValidPublicKey(key->key)) {
    return absl::InvalidArgumentError("vkey: of a log, or a key that may not be enrolled");
  }
  return Annotate(ParseWitnessUrl(witness.url, /*allow_http=*/true).status(), "url");
}

const ConfigKey* FindConfigKey(absl::string_view name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string EnvironmentName(absl::string_view key) {
  return absl::StrCat("VIGILD_", absl::AsciiStrToUpper(absl::StrReplaceAll(key, {{".", "_"}})));
}

std::string FlagOnlyError(const ConfigKey& key) {
  return absl::StrCat(key.name, " is for one start only; remove it here and pass --", key.name);
}

std::string NearestConfigKey(absl::string_view name) {
  const auto nearest = std::min_element(
      ConfigKeys().begin(), ConfigKeys().end(), [&](const ConfigKey& a, const ConfigKey& b) {
        return EditDistance(name, a.name) < EditDistance(name, b.name);
      });
  return std::string(nearest->name);
}

absl::StatusOr<LoadedConfig> LoadConfig(const std::string& path,
                                        const std::map<std::string, std::string>& flags) {
  LoadedConfig loaded;
  for (const ConfigKey& key : ConfigKeys()) loaded.origin[std::string(key.name)] = "default";
  if (!path.empty()) RETURN_IF_ERROR(ReadConfigFile(path, &loaded));
  RETURN_IF_ERROR(ApplyEnvironment(&loaded));
  RETURN_IF_ERROR(ApplyFlags(flags, &loaded));
  return loaded;
}

absl::Status AtOrigin(const LoadedConfig& loaded, absl::string_view key,
                      const absl::Status& status) {
  const auto found = loaded.origin.find(std::string(key));
  const std::string origin = found == loaded.origin.end() ? "default" : found->second;
  if (origin == "environment") return Annotate(status, EnvironmentName(key));
  if (origin == "flag") return Annotate(status, absl::StrCat("--", key));
  if (origin == "default") return Annotate(status, key);
  return Annotate(status, absl::StrCat(origin, ": ", key));
}

absl::Status CheckConfig(const Config& config) {
  for (const char* required : {"data_dir", "genesis", "identity", "keys_dir"}) {
    if (FindConfigKey(required)->get(config).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(required, " is not set; put it into the file, into ",
                       EnvironmentName(required), " or pass --", required));
    }
  }
  RETURN_IF_ERROR(CheckAddress("listen.api", config.listen_api));
  RETURN_IF_ERROR(CheckAddress("listen.peer", config.listen_peer));
  if (!config.listen_http.empty()) RETURN_IF_ERROR(CheckAddress("listen.http", config.listen_http));
  for (const PeerAddress& peer : config.peers) {
    RETURN_IF_ERROR(CheckAddress(absl::StrCat("peers, ", peer.identity), peer.address));
  }
  RETURN_IF_ERROR(CheckWitnesses(config));
  if (config.insecure_dev && !IsLoopback(config.listen_api)) {
    return absl::InvalidArgumentError(
        absl::StrCat("insecure_dev with listen.api = ", config.listen_api,
                     ": only loopback may be served without TLS"));
  }
  if (config.election_min_millis > config.election_max_millis) {
    return absl::InvalidArgumentError(
        absl::StrCat("election.min_millis = ", config.election_min_millis,
                     " is above election.max_millis = ", config.election_max_millis));
  }
  RETURN_IF_ERROR(CheckRetention(config));
  return CheckTlsFiles(config.tls);
}

std::string ShowConfig(const LoadedConfig& loaded) {
  std::string text;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string value = key.get(loaded.config);
    absl::StrAppend(&text, key.name, " = \"", value, "\"  # ",
                    loaded.origin.at(std::string(key.name)), "\n");
  }
  return text;
}

}  // namespace vigil::node
