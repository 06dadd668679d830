#include "client/witness/watched_logs.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/policy.h"

namespace vigil::client {
namespace {

absl::Status CheckPolicy(const ledger::Policy& policy, const ledger::NoteKey& self) {
  if (policy.logs.empty()) return absl::InvalidArgumentError("no log line: nothing to watch");
  if (policy.quorum == ledger::kQuorumNone) return absl::OkStatus();
  for (const ledger::PolicyWitness& witness : policy.witnesses) {
    if (witness.key.key == self.key) {
      return absl::InvalidArgumentError(
          absl::StrCat("witness ", witness.name,
                       " is this witness itself, which cannot wait for its own cosignature; take "
                       "the policy of the log's own cosigners"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ledger::WitnessLog>> WatchedLogs(std::span<const PolicyFile> files,
                                                            const ledger::NoteKey& self) {
  std::map<std::string, ledger::WitnessLog> logs;
  std::map<std::string, std::string> watched_by;  // Origin to file.
  for (const PolicyFile& file : files) {
    absl::StatusOr<ledger::Policy> policy = ledger::ParsePolicy(file.text);
    if (!policy.ok()) return Annotate(policy.status(), file.path);
    RETURN_IF_ERROR(Annotate(CheckPolicy(*policy, self), file.path));
    for (const ledger::PolicyLog& log : policy->logs) {
      const std::string& origin = log.key.name;
      const std::string& first = watched_by.emplace(origin, file.path).first->second;
      if (first != file.path) {
        return absl::InvalidArgumentError(absl::StrCat(file.path, ": origin ", origin,
                                                       " is watched by ", first,
                                                       " already; pass one of them"));
      }
      ledger::WitnessLog& watched = logs[origin];
      watched.origin = origin;
      watched.keys.push_back(log.key);
      if (policy->quorum != ledger::kQuorumNone) watched.required_quorum = *policy;
    }
  }
  std::vector<ledger::WitnessLog> list;
  for (auto& [origin, log] : logs) list.push_back(std::move(log));
  return list;
}

}  // namespace vigil::client
