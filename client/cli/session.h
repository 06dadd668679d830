// What every command of `vigil` works with: where the network is, who signs, how to print.
#ifndef VIGIL_CLIENT_CLI_SESSION_H_
#define VIGIL_CLIENT_CLI_SESSION_H_

#include <map>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/output.h"
#include "client/lib/client.h"

namespace vigil::client {

// Flag > environment (VIGIL_ENDPOINTS ...) > context file > default.
struct SessionOptions {
  std::string context;                       // Context file, TOML; VIGIL_CONTEXT when empty.
  std::map<std::string, std::string> flags;  // "endpoints", "ca", "key" ... as given.
  OutputFormat format = OutputFormat::kTable;
};

struct Session {
  ClientOptions client;
  std::string genesis;      // genesis.json
  std::string signing_key;  // Key file of the sensor or analyst.
  std::string identity;     // "org/name" of the sensor.
  OutputFormat format = OutputFormat::kTable;
  std::ostream* out = nullptr;  // Payload only.
  std::ostream* err = nullptr;  // For people.

  absl::StatusOr<std::unique_ptr<Client>> Connect() const { return Client::Make(client); }
  // One JSON document, or for kNdjson one line.
  void PrintJson(const Json& json) const;
};

// "committed" or "final". Errors: kInvalidArgument naming both.
absl::StatusOr<v1::AckLevel> ParseAckLevel(const std::string& text);

// "local" or "linearizable". Errors: kInvalidArgument naming both.
absl::StatusOr<v1::Consistency> ParseConsistency(const std::string& text);

// Paths in the context file are relative to its folder.
// Errors: kNotFound; kInvalidArgument "path:line:column: what", or naming the variable or setting.
absl::StatusOr<Session> OpenSession(const SessionOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_SESSION_H_
