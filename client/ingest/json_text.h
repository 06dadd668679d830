// Writing small JSON documents by hand.
#ifndef VIGIL_CLIENT_INGEST_JSON_TEXT_H_
#define VIGIL_CLIENT_INGEST_JSON_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace vigil::client {

// Appends `text` in quotes, escaped as RFC 8259 wants it and a terminal needs it. REQUIRES: `text`
// is valid UTF-8.
void AppendJsonString(std::string* out, absl::string_view text);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_JSON_TEXT_H_
