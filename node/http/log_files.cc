#include "node/http/log_files.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vigil::node {
namespace {

// Full and partial tiles never change; the checkpoint does.
constexpr absl::string_view kImmutable = "public, max-age=604800, immutable";
constexpr absl::string_view kMutable = "no-cache";

HttpAnswer Refusal(int status, absl::string_view why) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = absl::StrCat(why, "\n");
  answer.cache_control = "no-store";
  return answer;
}

HttpAnswer Failure(const absl::Status& status) {
  if (absl::IsNotFound(status)) return Refusal(404, status.message());
  if (absl::IsInvalidArgument(status)) return Refusal(400, status.message());
  return Refusal(503, status.message());
}

}  // namespace

HttpAnswer LogFileAnswer(const NodeServices& services, bool public_entries,
                         absl::string_view path) {
  HttpAnswer answer;
  if (path == "checkpoint") {
    absl::StatusOr<std::string> note = services.Checkpoint();
    if (!note.ok()) return Failure(note.status());
    answer.body = *std::move(note);
    answer.cache_control = std::string(kMutable);
    return answer;
  }
  if (absl::StartsWith(path, "tile/entries/") && !public_entries) {
    return Refusal(403,
                   "entry bundles show who records how much; this validator's operator serves them "
                   "with log.public_entries = true only");
  }
  absl::StatusOr<std::string> bytes = services.ReadLogFile(path);
  if (!bytes.ok()) return Failure(bytes.status());
  answer.body = *std::move(bytes);
  answer.content_type = "application/octet-stream";
  answer.cache_control = std::string(kImmutable);
  return answer;
}

}  // namespace vigil::node
