// RETURN_IF_ERROR and ASSIGN_OR_RETURN for absl::Status, which Debian's Abseil does not ship.
#ifndef VIGIL_LEDGER_BASE_STATUS_MACROS_H_
#define VIGIL_LEDGER_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#define VIGIL_CONCAT_INNER(a, b) a##b
#define VIGIL_CONCAT(a, b) VIGIL_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)              \
  do {                                           \
    ::absl::Status vigil_status_ = (expression); \
    if (!vigil_status_.ok()) [[unlikely]]        \
      return vigil_status_;                      \
  } while (false)

// ASSIGN_OR_RETURN(const Block block, Decode(bytes)); expands into several statements.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_IMPL(VIGIL_CONCAT(vigil_statusor_, __LINE__), declaration, expression)

#define ASSIGN_OR_RETURN_IMPL(temporary, declaration, expression) \
  auto temporary = (expression);                                  \
  if (!temporary.ok()) [[unlikely]]                               \
    return std::move(temporary).status();                         \
  declaration = std::move(temporary).value()

namespace vigil {

// `status` with `context: ` put before its message, same code.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_STATUS_MACROS_H_
