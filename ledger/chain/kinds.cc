#include "ledger/chain/kinds.h"

#include <array>

#include "ledger/base/check.h"
#include "ledger/chain/record.h"

namespace vigil::ledger {
namespace {

constexpr KindInfo Admitted(RecordKind kind, absl::string_view name, Role signer, Lane lane,
                            uint32_t body_bytes_max, bool has_payload = false) {
  return KindInfo{kind, name, signer, lane, body_bytes_max, has_payload, /*admitted=*/true};
}
constexpr KindInfo Reserved(RecordKind kind, absl::string_view name, Role signer, Lane lane) {
  return KindInfo{kind, name, signer, lane, kRecordBodyBytesMax, false, /*admitted=*/false};
}

// Largest bodies that the field tables allow, rounded up to a power of two.
constexpr KindInfo kKinds[] = {
    Admitted(RecordKind::kEventBatch, "event_batch", Role::kSensor, Lane::kEvents, 256, true),
    Admitted(RecordKind::kHeartbeat, "heartbeat", Role::kSensor, Lane::kEvents, 256),
    Admitted(RecordKind::kGap, "gap", Role::kSensor, Lane::kEvents, 512),
    Admitted(RecordKind::kStreamReset, "stream_reset", Role::kAdmin, Lane::kGovernance, 512),
    Admitted(RecordKind::kAlert, "alert", Role::kValidator, Lane::kAlerts, 512),
    Admitted(RecordKind::kAttestation, "attestation", Role::kValidator, Lane::kAlerts, 8192),
    Admitted(RecordKind::kTriage, "triage", Role::kAnalyst, Lane::kAlerts, 256),
    Admitted(RecordKind::kModelCommitment, "model_commitment", Role::kValidator, Lane::kAlerts,
             256),
    Admitted(RecordKind::kFaultProof, "fault_proof", Role::kValidator, Lane::kGovernance, 64),
    Admitted(RecordKind::kProposal, "proposal", Role::kAdmin, Lane::kGovernance, 32698),
    Admitted(RecordKind::kBallot, "ballot", Role::kAdmin, Lane::kGovernance, 64),
    Reserved(RecordKind::kIdentityEvent, "identity_event", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kRole, "role", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kGrant, "grant", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kConsent, "consent", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kPolicy, "policy", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kApproval, "approval", Role::kAnalyst, Lane::kAlerts),
    Reserved(RecordKind::kResponseAck, "response_ack", Role::kResponder, Lane::kAlerts),
    Reserved(RecordKind::kIndicatorBundle, "indicator_bundle", Role::kService, Lane::kEvents),
    Reserved(RecordKind::kSighting, "sighting", Role::kService, Lane::kAlerts),
    Reserved(RecordKind::kContribution, "contribution", Role::kService, Lane::kEvents),
    Reserved(RecordKind::kCatalogueEntry, "catalogue_entry", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kTombstone, "tombstone", Role::kAdmin, Lane::kGovernance),
    Reserved(RecordKind::kPurgeAck, "purge_ack", Role::kValidator, Lane::kGovernance),
    Reserved(RecordKind::kSeal, "seal", Role::kNone, Lane::kGovernance),
    Admitted(RecordKind::kCosignerKey, "cosigner_key", Role::kValidator, Lane::kGovernance, 256),
};

constexpr bool NumberedInOrder() {
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    if (static_cast<size_t>(kKinds[i].kind) != i + 1) return false;
  }
  return true;
}
static_assert(NumberedInOrder(), "FindKind() looks a kind up by its number");

struct RoleEntry {
  Role role;
  absl::string_view name;
};
constexpr RoleEntry kRoles[] = {
    {Role::kValidator, "validator"}, {Role::kSensor, "sensor"},       {Role::kAdmin, "admin"},
    {Role::kAnalyst, "analyst"},     {Role::kResponder, "responder"}, {Role::kAuditor, "auditor"},
    {Role::kService, "service"},
};

}  // namespace

std::span<const KindInfo> AllKinds() { return kKinds; }

const KindInfo* FindKind(uint8_t number) {
  if (number == 0 || number > std::size(kKinds)) return nullptr;
  return &kKinds[number - 1];
}

const KindInfo& KindOf(RecordKind kind) {
  const KindInfo* const info = FindKind(static_cast<uint8_t>(kind));
  VIGIL_CHECK(info != nullptr, "record kind ", static_cast<int>(kind));
  return *info;
}

absl::string_view RoleName(Role role) {
  for (const RoleEntry& entry : kRoles) {
    if (entry.role == role) return entry.name;
  }
  return "none";
}

Role FindRole(absl::string_view name) {
  for (const RoleEntry& entry : kRoles) {
    if (entry.name == name) return entry.role;
  }
  return Role::kNone;
}

}  // namespace vigil::ledger
