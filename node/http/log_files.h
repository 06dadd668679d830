// The transparency log over HTTP, as C2SP tlog-tiles lays it out:
//
//   /log/checkpoint             the newest final checkpoint
//   /log/tile/<level>/...       hashes
//   /log/tile/entries/...       leaves, where the operator made them public
//
// Any static server can serve the same from <data>/log.
#ifndef VIGIL_NODE_HTTP_LOG_FILES_H_
#define VIGIL_NODE_HTTP_LOG_FILES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "node/driver/services.h"

namespace vigil::node {

struct HttpAnswer {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  std::string cache_control;
};

// Answers for `path`, which is what follows "/log/". Leaves name organisations and show how much
// they record, so bundles are refused with 403 unless `public_entries`.
HttpAnswer LogFileAnswer(const NodeServices& services, bool public_entries, absl::string_view path);

}  // namespace vigil::node

#endif  // VIGIL_NODE_HTTP_LOG_FILES_H_
