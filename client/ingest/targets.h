// Targets: the names by which a mapping says where a value goes, and the setters behind them.
//
// A target is "src.ip" or, with an argument, "metric:orig_ip_bytes". docs/ingesting.md lists them.
#ifndef VIGIL_CLIENT_INGEST_TARGETS_H_
#define VIGIL_CLIENT_INGEST_TARGETS_H_

#include "absl/strings/string_view.h"
#include "client/ingest/event_builder.h"

namespace vigil::client {

// One scalar of a log line: valid UTF-8, not empty; booleans are "true" and "false".
struct Value {
  enum class Kind { kText, kNumber, kBool };
  Kind kind = Kind::kText;
  absl::string_view text;
};

// Puts `value` into the event. False when it does not fit the field (no address, out of range):
// the event is unchanged then and the value is to be kept as unmapped.
using Setter = bool (*)(EventBuilder* builder, const Value& value, absl::string_view argument);

struct Target {
  absl::string_view name;
  Setter set = nullptr;
  bool takes_argument = false;
  bool repeated = false;  // Takes every value of a list, one by one.
  bool joined = false;    // Takes a list as one text, with commas.
};

// nullptr when there is no such target; `name` is without the argument.
const Target* FindTarget(absl::string_view name);

// Text of a value where it is kept as text: numbers lose trailing zeros of their fraction, so that
// 2230.000000 and 2230.0 are the same.
absl::string_view PlainText(const Value& value);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_TARGETS_H_
