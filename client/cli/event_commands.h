// `vigil event ... | alert ...`: looking for events, and at what the detectors concluded.
#ifndef VIGIL_CLIENT_CLI_EVENT_COMMANDS_H_
#define VIGIL_CLIENT_CLI_EVENT_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct EventFilter {
  std::vector<uint32_t> classes;
  uint32_t severity_min = 0;
  std::vector<std::string> sources;
  std::vector<std::string> actors;
  std::vector<std::string> addresses;
  std::vector<std::string> terms;
  std::string from;  // RFC 3339 "2026-11-20T14:00:00Z" or seconds since 1970; empty: no bound.
  std::string to;
};
struct EventSearchOptions {
  EventFilter filter;
  uint32_t limit = 50;
  std::string cursor;
  bool newest_first = false;
  bool all = false;  // Follow the cursor to the end.
};
absl::Status RunEventSearch(const Session& session, const EventSearchOptions& options);
// `ref` is "record.item", as searches and alerts print it.
absl::Status RunEventGet(const Session& session, const std::string& ref);
absl::Status RunEventWatch(const Session& session, const EventFilter& filter, uint64_t from_height,
                           uint64_t count);

struct AlertListOptions {
  std::string triage;     // "", "open", "acknowledged", "closed"
  std::string assignee;   // "org/name"; empty: any.
  std::string state;      // proposed, confirmed, contested; empty: all.
  uint32_t rule = 0;      // Number; 0: any.
  std::string component;  // forest, loda, surprisal, rule; empty: any.
  std::string entity;     // As `vigil entity show` takes it; empty: any.
  uint32_t limit = 50;
  uint64_t cursor = 0;
  bool ascending = false;
  bool all = false;
};
absl::Status RunAlertList(const Session& session, const AlertListOptions& options);
absl::Status RunAlertGet(const Session& session, uint64_t record_index);
absl::Status RunAlertWatch(const Session& session, uint64_t from_height, uint64_t count);

// The filter as a request without limit, cursor and direction.
// Errors: kInvalidArgument naming the option.
absl::StatusOr<v1::SearchEventsRequest> SearchRequestOf(const EventFilter& filter);

// Seconds or RFC 3339 as ns since 1970, before 2262; 0 for empty text.
// Errors: kInvalidArgument.
absl::StatusOr<int64_t> ParseTime(const std::string& text);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_EVENT_COMMANDS_H_
