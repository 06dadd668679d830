#include "client/cli/progress_line.h"

#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_format.h"

namespace vigil::client {

ProgressLine::ProgressLine(std::ostream* err) : err_(err), shown_(isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (painted_) *err_ << "\r\033[K" << std::flush;
}

bool ProgressLine::IsDue() {
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || now - last_ < std::chrono::milliseconds(100)) return false;
  last_ = now;
  painted_ = true;
  return true;
}

void ProgressLine::Show(absl::string_view phase, uint64_t done, uint64_t total) {
  if (!IsDue()) return;
  *err_ << "\r\033[K" << phase << " " << done;
  if (total > 0)
    *err_ << " of " << total << absl::StrFormat(" (%d %%)", static_cast<int>(100 * done / total));
  *err_ << std::flush;
}

void ProgressLine::ShowBar(absl::string_view phase, uint64_t done, uint64_t total) {
  if (total == 0) return Show(phase, done, total);
  if (!IsDue()) return;
  constexpr size_t kWidth = 30;
  const auto percent = static_cast<size_t>(std::min<uint64_t>(100 * done / total, 100));
  const std::string bar(percent * kWidth / 100, '#');
  *err_ << "\r\033[K" << phase << " [" << bar << std::string(kWidth - bar.size(), '.') << "] "
        << percent << " %" << std::flush;
}

}  // namespace vigil::client
