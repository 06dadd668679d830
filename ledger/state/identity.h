// Module identity: who owns which key, with which roles.
//
// Keys come from genesis: the identities it lists, and each validator's record key as an identity
// "org/name" with the role validator. Owns table kKey.
#ifndef VIGIL_LEDGER_STATE_IDENTITY_H_
#define VIGIL_LEDGER_STATE_IDENTITY_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/kinds.h"
#include "ledger/state/tables.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// Enrols the keys of genesis.
void EnrolGenesisKeys(const Genesis& genesis, StateView* view);

// nullopt when the key is not enrolled.
std::optional<KeyRow> FindKeyRow(const StateView& view, const KeyId& key);

// Whether `key` may sign records of `kind`.
bool MaySign(const KeyRow& key, RecordKind kind);

// Organisation of an identity "org/name"; empty when there is no slash.
absl::string_view OrgOf(absl::string_view identity);

// "validator, sensor" for people; "none" for an empty set.
std::string RoleNames(uint32_t roles);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_IDENTITY_H_
