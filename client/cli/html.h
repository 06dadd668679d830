// Text of others as HTML that shows it and does nothing else.
//
// Log lines may hold markup, control sequences, and characters that make text read in another order
// than it is written. Pure; thread-safe.
#ifndef VIGIL_CLIENT_CLI_HTML_H_
#define VIGIL_CLIENT_CLI_HTML_H_

#include <string>

#include "absl/strings/string_view.h"

namespace vigil::client {

// `text` as the content of an element: markup characters as
// character references. Every control character, character without a shape of its own, mark of
// reading direction, and byte that is not UTF-8 stands as <span class="x">\u{202E}</span> or
// <span class="x">\xFF</span>, so that nothing in it is invisible and none of it is lost. What the
// text itself writes that way has no span around it.
std::string HtmlText(absl::string_view text);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_HTML_H_
