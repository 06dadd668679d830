// The policy of an offline verifier (C2SP tlog-policy): which logs and witnesses it trusts, and how
// many witnesses must have cosigned a checkpoint; docs/formats.md, Policy.
//
//   log <vkey> [<url>]
//   witness <name> <vkey> [<url>]
//   group <name> all|any|<k> <member>...
//   quorum none|<name>
//
// Pure. Names are opaque octets; they mean something only inside the policy.
#ifndef VIGIL_LEDGER_LOG_POLICY_H_
#define VIGIL_LEDGER_LOG_POLICY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"

namespace vigil::ledger {

inline constexpr size_t kPolicyBytesMax = 1 << 20;
inline constexpr size_t kPolicyNamesMax = 256;  // Of logs, of witnesses and of groups.
// The quorum that asks for no witness; no witness or group has this name.
inline constexpr absl::string_view kQuorumNone = "none";

// One key of a log, named after the log's origin. A log may have several: one per validator.
struct PolicyLog {
  NoteKey key;
  std::string url;  // Empty: none.

  bool operator==(const PolicyLog&) const = default;
};

struct PolicyWitness {
  std::string name;
  NoteKey key;
  std::string url;  // Empty: none.

  bool operator==(const PolicyWitness&) const = default;
};

// Has witnessed a checkpoint when `threshold` of its members have.
struct PolicyGroup {
  std::string name;
  uint32_t threshold = 0;            // 1 to the number of members.
  std::vector<std::string> members;  // Witnesses, and groups that stand before this one.

  bool operator==(const PolicyGroup&) const = default;
};

// Each in the order of its lines.
struct Policy {
  std::vector<PolicyLog> logs;
  std::vector<PolicyWitness> witnesses;
  std::vector<PolicyGroup> groups;
  std::string quorum;  // A witness, a group, or kQuorumNone.

  bool operator==(const Policy&) const = default;
};

// Errors: kInvalidArgument, "policy: line N: ...", on whatever the specification forbids: an octet
//   or keyword that is not allowed, a line that is not ended or has too many or few fields, a name
//   defined twice or not before it is used, a member listed a second time anywhere, a threshold
//   that is not 1 to the number of members, a key of the wrong type or that may not be enrolled
//   (IsValidPublicKey), two logs or two witnesses with one public key, not exactly one quorum line;
//   and over the limits above.
absl::StatusOr<Policy> ParsePolicy(absl::string_view text);
// The policy's plainest text: logs, witnesses, groups with their number, quorum; no comments.
// REQUIRES: ParsePolicy() gives it back.
std::string EncodePolicy(const Policy& policy);

// What a checked checkpoint says under a policy.
struct CheckpointVerdict {
  Checkpoint checkpoint;
  std::string log_key_name;               // The origin.
  std::vector<std::string> log_vkeys;     // The log's keys that signed, in the policy's order.
  std::vector<std::string> witnesses;     // Names of the witnesses that cosigned, likewise.
  std::map<std::string, uint64_t> times;  // Unix seconds of their cosignatures, the latest of each.
  bool quorum = false;
  std::string missing;  // For people: what the quorum lacks; empty when it is reached.
};

// Reads `note` as a signed checkpoint and checks every line whose key the policy lists. Lines of
// other keys are ignored; a key counts once however many lines it has.
//
// A checkpoint without a quorum is no error: `quorum` says it, and callers must ask.
//
// Errors:
//   kInvalidArgument:  no signed note, or its text no checkpoint.
//   kDataLoss:         a line of a listed log or witness does not verify.
//   kPermissionDenied: no listed log whose key name is the origin signed it.
absl::StatusOr<CheckpointVerdict> CheckCheckpoint(const Policy& policy, absl::string_view note);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_POLICY_H_
