// The registry of record kinds: number, name, who may sign, lane and size (docs/formats.md, Kinds).
#ifndef VIGIL_LEDGER_CHAIN_KINDS_H_
#define VIGIL_LEDGER_CHAIN_KINDS_H_

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"

namespace vigil::ledger {

// Stored: never renumber. A kind's meaning never changes.
enum class RecordKind : uint8_t {
  kEventBatch = 1,
  kHeartbeat = 2,
  kGap = 3,
  kStreamReset = 4,
  kAlert = 5,
  kAttestation = 6,
  kTriage = 7,
  kModelCommitment = 8,
  kFaultProof = 9,
  kProposal = 10,
  kBallot = 11,
  kIdentityEvent = 12,
  kRole = 13,
  kGrant = 14,
  kConsent = 15,
  kPolicy = 16,
  kApproval = 17,
  kResponseAck = 18,
  kIndicatorBundle = 19,
  kSighting = 20,
  kContribution = 21,
  kCatalogueEntry = 22,
  kTombstone = 23,
  kPurgeAck = 24,
  kSeal = 25,
  kCosignerKey = 26,
};

// Separate byte budgets, highest priority first, so that an event flood cannot starve an alert.
enum class Lane : uint8_t { kGovernance = 0, kAlerts = 1, kEvents = 2 };
inline constexpr int kLaneCount = 3;

// Bits of a role set. Stored: never renumber.
enum class Role : uint32_t {
  kNone = 0,
  kValidator = 1u << 0,
  kSensor = 1u << 1,
  kAdmin = 1u << 2,
  kAnalyst = 1u << 3,
  kResponder = 1u << 4,
  kAuditor = 1u << 5,
  kService = 1u << 6,
};

struct KindInfo {
  RecordKind kind;
  absl::string_view name;  // "event_batch"
  Role signer;             // Role that may sign it; kNone for seals.
  Lane lane;
  uint32_t body_bytes_max;
  bool has_payload;  // The leaf commits to a payload that travels beside it.
  bool admitted;     // This version of the protocol accepts it from authors.
};

// All kinds in order of number.
std::span<const KindInfo> AllKinds();
// nullptr for a number that is not in the registry.
const KindInfo* FindKind(uint8_t number);
const KindInfo& KindOf(RecordKind kind);

// "sensor"; "none" for anything but exactly one role.
absl::string_view RoleName(Role role);
// kNone for a name that is no role.
Role FindRole(absl::string_view name);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_KINDS_H_
