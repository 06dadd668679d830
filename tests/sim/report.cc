#include "tests/sim/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vigil::sim {

std::string RunLine(const std::string& name, const Schedule& schedule, const RunResult& result,
                    double real_seconds) {
  const double simulated = static_cast<double>(result.micros) / 1e6;
  return absl::StrFormat(
      "%s %s digest %s: %d validators, %d fault events, height %d, %d acknowledged, %d retries, "
      "view %d, %d alerts; %.1f s simulated%s%s",
      name, result.wrong.empty() ? "ok" : "FAILED", result.digest.ToHex().substr(0, 16),
      schedule.network.validators, schedule.events.size(), result.height, result.acknowledged,
      result.retries, result.elections, result.alerts, simulated,
      real_seconds > 0 ? absl::StrFormat(", %.0f times real time", simulated / real_seconds) : "",
      result.wrong.empty() ? "" : absl::StrCat("\n  ", result.wrong));
}

void Report::Add(const std::string& name, const RunResult& result, double real_seconds) {
  ++runs_;
  real_seconds_ += real_seconds;
  micros_ += result.micros;
  rest_micros_max_ = std::max(rest_micros_max_, result.rest_micros);
  memory_bytes_max_ = std::max(memory_bytes_max_, result.memory_bytes);
  blocks_ += result.height;
  acknowledged_ += result.acknowledged;
  retries_ += result.retries;
  alerts_ += result.alerts;
  queries_ += result.queries;
  for (const auto& [what, count] : result.counts) counts_[what] += count;
  if (!result.wrong.empty()) failures_.push_back(absl::StrCat(name, ": ", result.wrong));
}

std::string Report::Text() const {
  const double simulated = static_cast<double>(micros_) / 1e6;
  std::string text = absl::StrFormat(
      "%d runs, %d failed: %.2f hours simulated in %.0f s (%.0f simulated seconds per second), %d "
      "blocks, %d records acknowledged, %d retries, %d alerts, %d index queries; at rest at most "
      "%.1f "
      "s after healing; at most %d MiB of memory.\n\n",
      runs_, failures_.size(), simulated / 3600, real_seconds_,
      simulated / std::max(real_seconds_, 1e-3), blocks_, acknowledged_, retries_, alerts_,
      queries_, static_cast<double>(rest_micros_max_) / 1e6, memory_bytes_max_ >> 20);
  absl::StrAppend(&text, "| what happened | times |\n|---|---|\n");
  for (const auto& [what, count] : counts_) {
    if (count > 0) absl::StrAppend(&text, "| ", what, " | ", count, " |\n");
  }
  for (const std::string& failure : failures_) absl::StrAppend(&text, "\n- ", failure, "\n");
  return text;
}

}  // namespace vigil::sim
