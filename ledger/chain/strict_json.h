// Strict JSON: what every parser reads alike.
//
// Protobuf's JSON reader takes single quotes, keys without quotes, keys given twice and two
// spellings of a field. A genesis file is hashed as text and read by every validator, so nothing in
// it may depend on the version of a reader.
#ifndef VIGIL_LEDGER_CHAIN_STRICT_JSON_H_
#define VIGIL_LEDGER_CHAIN_STRICT_JSON_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace vigil::ledger {

inline constexpr int kJsonDepthMax = 16;

// Whether `text` is one JSON value (RFC 8259) nested at most kJsonDepthMax deep, in which no object
// has a key twice and every key is made of a-z, 0-9 and '_'. Does not look at UTF-8. Pure.
// Errors: kInvalidArgument "line 3: ...".
absl::Status CheckStrictJson(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_STRICT_JSON_H_
