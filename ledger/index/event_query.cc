#include "ledger/index/event_query.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <span>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

absl::Status CheckCount(absl::string_view what, size_t count) {
  if (count <= kQueryValuesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("query: ", count, " ", what, ", at most ", kQueryValuesMax));
}

absl::Status CheckTexts(absl::string_view what, const std::vector<std::string>& values) {
  RETURN_IF_ERROR(CheckCount(what, values.size()));
  for (const std::string& value : values) {
    if (value.empty() || value.size() > kQueryValueBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat("query: a value of ", what, " has ",
                                                     value.size(), " bytes, 1 to ",
                                                     kQueryValueBytesMax, " belong there"));
    }
  }
  return absl::OkStatus();
}

bool IsOneOf(std::string_view field, const std::vector<std::string>& values) {
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& value) { return field == value; });
}

bool IsOneOf(std::span<const uint8_t> ip, const std::vector<std::string>& addresses) {
  return IsOneOf(std::string_view(reinterpret_cast<const char*>(ip.data()), ip.size()), addresses);
}

bool MatchesAddress(const std::vector<std::string>& addresses, const EventView& event) {
  return IsOneOf(event.src.ip, addresses) || IsOneOf(event.dst.ip, addresses) ||
         IsOneOf(event.device.ip, addresses);
}

bool MatchesTerm(const std::vector<std::string>& terms, const EventView& event) {
  return IsOneOf(event.rule_uid, terms) || IsOneOf(event.rule_name, terms) ||
         IsOneOf(event.url_or_query, terms) || IsOneOf(event.src.hostname, terms) ||
         IsOneOf(event.dst.hostname, terms) || IsOneOf(event.device.hostname, terms);
}

}  // namespace

absl::Status CheckQuery(const EventQuery& query) {
  RETURN_IF_ERROR(CheckCount("class uids", query.class_uids.size()));
  RETURN_IF_ERROR(CheckTexts("sources", query.sources));
  RETURN_IF_ERROR(CheckTexts("actors", query.actors));
  RETURN_IF_ERROR(CheckTexts("terms", query.terms));
  RETURN_IF_ERROR(CheckCount("addresses", query.addresses.size()));
  for (const std::string& address : query.addresses) {
    if (address.size() != 4 && address.size() != 16) {
      return absl::InvalidArgumentError(
          absl::StrCat("query: an address of ", address.size(), " bytes, 4 or 16 belong there"));
    }
  }
  if (query.to_unix_nano != 0 && query.from_unix_nano >= query.to_unix_nano) {
    return absl::InvalidArgumentError(absl::StrCat("query: no moment from ", query.from_unix_nano,
                                                   " to before ", query.to_unix_nano));
  }
  return absl::OkStatus();
}

bool Matches(const EventQuery& query, const EventView& event) {
  if (event.time_unix_nano < query.from_unix_nano) return false;
  if (query.to_unix_nano != 0 && event.time_unix_nano >= query.to_unix_nano) return false;
  if (event.severity_id < query.severity_min) return false;
  if (!query.class_uids.empty() &&
      std::ranges::find(query.class_uids, event.class_uid()) == query.class_uids.end()) {
    return false;
  }
  if (!query.sources.empty() && !IsOneOf(event.source, query.sources)) return false;
  if (!query.actors.empty() && !IsOneOf(event.user, query.actors)) return false;
  if (!query.addresses.empty() && !MatchesAddress(query.addresses, event)) return false;
  return query.terms.empty() || MatchesTerm(query.terms, event);
}

absl::StatusOr<std::string> ParseIpAddress(absl::string_view text) {
  const std::string terminated(text);
  std::array<char, 16> raw;
  // A zero byte would cut the text short for inet_pton.
  if (terminated.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, terminated.c_str(), raw.data()) == 1) return std::string(raw.data(), 4);
    if (inet_pton(AF_INET6, terminated.c_str(), raw.data()) == 1) {
      static constexpr absl::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
      const std::string address(raw.data(), raw.size());
      return absl::string_view(address).substr(0, kMapped.size()) == kMapped ? address.substr(12)
                                                                             : address;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("not an IPv4 or IPv6 address of ", text.size(), " bytes"));
}

}  // namespace vigil::ledger
