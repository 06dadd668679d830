// Cursors: where a page of search results ended, as text that clients hand back.
#ifndef VIGIL_LEDGER_INDEX_CURSOR_H_
#define VIGIL_LEDGER_INDEX_CURSOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/index/event_query.h"
#include "ledger/index/segment.h"

namespace vigil::ledger {

// The cursor that continues `query` after `position`. Equal on every node.
std::string EncodeCursor(const EventQuery& query, bool newest_first, const LogPosition& position);

// Errors: kInvalidArgument when `cursor` was not made for this query and direction, or was altered.
// The order of a query's values does not matter.
absl::StatusOr<LogPosition> DecodeCursor(const EventQuery& query, bool newest_first,
                                         absl::string_view cursor);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_CURSOR_H_
