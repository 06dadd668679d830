// Which logs a witness watches, from the policies that their operators publish.
//
// Pure.
#ifndef VIGIL_CLIENT_WITNESS_WATCHED_LOGS_H_
#define VIGIL_CLIENT_WITNESS_WATCHED_LOGS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/log/note.h"
#include "ledger/log/witness.h"

namespace vigil::client {

// A policy with the name of its file, for messages.
struct PolicyFile {
  std::string path;
  std::string text;
};

// The logs of all `files`: keys with one name are one log, and the policy's quorum, unless it is
// none, must have cosigned first. `self` is the witness.
//
// Errors: kInvalidArgument, naming the file and where there is one the line: no policy, no log in
// it, an origin that two files name, or a quorum for which `self` would have to wait for itself.
absl::StatusOr<std::vector<ledger::WitnessLog>> WatchedLogs(std::span<const PolicyFile> files,
                                                            const ledger::NoteKey& self);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_WITNESS_WATCHED_LOGS_H_
