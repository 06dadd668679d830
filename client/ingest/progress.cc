#include "client/ingest/progress.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/lib/terminal_text.h"

namespace vigil::client {
namespace {

constexpr int64_t kQuietMicros = 10'000'000;

}  // namespace

std::string WithCommas(uint64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string ProgressLine(const IngestProgress& progress) {
  const size_t slash = progress.input.rfind('/');
  const std::string name =
      slash == std::string::npos ? progress.input : progress.input.substr(slash + 1);
  const uint64_t per_second =
      progress.elapsed_micros <= 0
          ? 0
          : progress.events * 1'000'000 / static_cast<uint64_t>(progress.elapsed_micros);
  std::string line = progress.done ? "done"
                                   : absl::StrCat(name, " (", progress.input_number, "/",
                                                  progress.input_count, ")");
  absl::StrAppend(&line, ": ", WithCommas(progress.events), " events, ",
                  WithCommas(progress.delivered), " delivered, ", WithCommas(per_second), "/s");
  if (progress.quarantined > 0) {
    absl::StrAppend(&line, ", ", WithCommas(progress.quarantined), " quarantined");
  }
  if (!progress.trouble.empty()) absl::StrAppend(&line, "; waiting: ", progress.trouble);
  return ForTerminal(line);
}

TextProgress::TextProgress(std::FILE* out) : out_(out), is_terminal_(isatty(fileno(out)) == 1) {}

void TextProgress::OnProgress(const IngestProgress& progress) {
  const bool due = progress.elapsed_micros - said_at_micros_ >= kQuietMicros;
  if (!is_terminal_ && !due && !progress.done) return;
  said_at_micros_ = progress.elapsed_micros;
  std::string line = ProgressLine(progress);
  if (!is_terminal_) {
    std::fprintf(out_, "%s\n", line.c_str());
    return;
  }
  const size_t size = line.size();
  if (size < shown_) line.append(shown_ - size, ' ');
  shown_ = size;
  std::fprintf(out_, "\r%s%s", line.c_str(), progress.done ? "\n" : "");
  std::fflush(out_);
}

}  // namespace vigil::client
