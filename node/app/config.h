// The validator's configuration: one table of keys, each settable in the TOML file, by environment
// variable and by flag. Flag > environment > file > default.
#ifndef VIGIL_NODE_APP_CONFIG_H_
#define VIGIL_NODE_APP_CONFIG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/peer/grpc_transport.h"
#include "node/peer/tls.h"

namespace vigil::node {

// A witness outside the network.
struct WitnessAddress {
  std::string vkey;
  std::string url;
};

// Paths in the file are relative to the file's folder.
struct Config {
  std::string data_dir;
  std::string genesis;
  std::string identity;  // "org/name"
  std::string listen_api = "127.0.0.1:7400";
  std::string listen_peer = "127.0.0.1:7500";
  std::string listen_http = "127.0.0.1:7600";
  TlsFiles tls;
  // SPIFFE ids of callers that may administer, besides the admins of this organisation.
  std::vector<std::string> admin_clients;
  bool insecure_dev = false;  // API without TLS; loopback only.
  std::string keys_dir;
  std::vector<PeerAddress> peers;  // The other validators.
  std::vector<WitnessAddress> witnesses;
  bool insecure_witness_http = false;  // Plain http to witnesses beyond loopback.
  uint64_t lane_governance_bytes = 16 << 20;
  uint64_t lane_alerts_bytes = 16 << 20;
  uint64_t lane_events_bytes = 128 << 20;
  uint64_t block_cache_bytes = 128 << 20;
  uint64_t store_cache_bytes = 64 << 20;
  uint64_t fetch_bytes_per_second = 16 << 20;
  uint64_t learner_bytes_per_second = 4 << 20;
  uint64_t scrub_bytes_per_second = 1 << 20;
  uint64_t scrub_interval_hours = 24;
  uint64_t index_keep_blocks = 0;
  uint32_t election_min_millis = 500;
  uint32_t election_max_millis = 1000;
  uint32_t election_delay_millis = 0;
  std::string retention_payload_age;         // "30d"; empty: payloads are kept for ever.
  uint64_t retention_journal_bytes_max = 0;  // 0: the journal has no limit.
  std::string retention_archive_dir;         // Where its oldest segments go.
  bool public_entries = false;               // Serve the log's leaves over HTTP, not only hashes.
  bool accept_torn_tail = false;             // See NodeConfig; a flag only.
  std::string log_level = "info";            // trace, debug, info, warn, error
  std::string log_format = "text";           // text, json
};

// "30d", "12h" or "90m" in milliseconds, from an hour on; empty text: 0. Errors: kInvalidArgument.
absl::StatusOr<uint64_t> ParseAgeMillis(absl::string_view text);

// One settable key.
struct ConfigKey {
  absl::string_view name;  // "listen.api"
  absl::string_view help;
  // Sets the value from text; errors say what is expected.
  std::function<absl::Status(absl::string_view text, Config* config)> set;
  std::function<std::string(const Config& config)> get;
  bool is_path = false;
  // An operator's word for one start: refused in file and environment, where it would stay.
  bool flag_only = false;
};
const std::vector<ConfigKey>& ConfigKeys();
// What each witness must be by itself: a witness's vkey, and an address.
// Errors: kInvalidArgument.
absl::Status CheckWitnessAddress(const WitnessAddress& witness);
// nullptr when there is none.
const ConfigKey* FindConfigKey(absl::string_view name);
// "VIGILD_LISTEN_API" for "listen.api".
std::string EnvironmentName(absl::string_view key);
// What to say when `key`, which is flag_only, is given otherwise.
std::string FlagOnlyError(const ConfigKey& key);
// The known key that is nearest to `name`, for "did you mean".
std::string NearestConfigKey(absl::string_view name);

struct LoadedConfig {
  Config config;
  std::map<std::string, std::string>
      origin;  // Key to "file:line:column", "environment", "flag", "default".
};

// `status`, with the name of the key and where its value comes from.
absl::Status AtOrigin(const LoadedConfig& loaded, absl::string_view key,
                      const absl::Status& status);

// Reads `path` (empty: no file), then environment, then `flags` (key, value).
// Errors: kNotFound; kInvalidArgument "path:line:column: what, remedy" for syntax, unknown keys
// (with the nearest one) and bad values; for the environment and flags the name instead.
absl::StatusOr<LoadedConfig> LoadConfig(const std::string& path,
                                        const std::map<std::string, std::string>& flags);

// What must hold between keys: required ones, TLS or loopback, addresses "host:port".
absl::Status CheckConfig(const Config& config);

// As TOML, each line with its origin.
std::string ShowConfig(const LoadedConfig& loaded);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_CONFIG_H_
