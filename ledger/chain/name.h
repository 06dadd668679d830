// Names of organisations, validators and identities.
#ifndef VIGIL_LEDGER_CHAIN_NAME_H_
#define VIGIL_LEDGER_CHAIN_NAME_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace vigil::ledger {

// Whether `name` is 1 to kNameBytesMax bytes of a-z, 0-9 and `also`.
// Errors: kInvalidArgument naming `field` of a genesis file.
absl::Status CheckName(absl::string_view field, absl::string_view name, absl::string_view also);
// The same of an organisation, a validator or an identity: a-z, 0-9 and "-".
bool IsName(absl::string_view name);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_NAME_H_
