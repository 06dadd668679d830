// What may be asked of the search index, and the one definition of which events answer it.
#ifndef VIGIL_LEDGER_INDEX_EVENT_QUERY_H_
#define VIGIL_LEDGER_INDEX_EVENT_QUERY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/event_view.h"

namespace vigil::ledger {

// Values in each list of a query.
inline constexpr size_t kQueryValuesMax = 64;
// Bytes of one text value: the longest field that is searched, url_or_query.
inline constexpr size_t kQueryValueBytesMax = 2048;

// Filters combine with AND; within one list with OR. An empty list or 0 does not filter. Text is
// compared exactly, case included.
struct EventQuery {
  std::vector<uint32_t> class_uids;
  // Events whose severity_id is at least this; 99 ("other") is above all.
  uint32_t severity_min = 0;
  std::vector<std::string> sources;
  std::vector<std::string> actors;     // User names.
  std::vector<std::string> addresses;  // 4 or 16 bytes each, of src, dst or device.
  std::vector<std::string> terms;      // Rule uid or name; URL or query; host name of src, dst or
                                       // device.
  uint64_t from_unix_nano = 0;         // Of the event's own time.
  uint64_t to_unix_nano = 0;           // Exclusive; 0: no bound.

  bool operator==(const EventQuery&) const = default;
};

// Errors: kInvalidArgument naming the list and both numbers: too many or too long values, an empty
// value, an address that is neither 4 nor 16 bytes, a time range without a moment in it.
absl::Status CheckQuery(const EventQuery& query);

// Whether `event` answers `query`. REQUIRES: CheckQuery(query) is OK.
bool Matches(const EventQuery& query, const EventView& event);

// IPv4 or IPv6 text as the bytes that events carry: 4 or 16, an IPv4-mapped address with 4.
// Errors: kInvalidArgument.
absl::StatusOr<std::string> ParseIpAddress(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_EVENT_QUERY_H_
