#include "node/app/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vigil::node {
namespace {

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The inside of a JSON string.
std::string JsonEscaped(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      escaped.push_back('\\');
      escaped.push_back(c);
    } else if (static_cast<uint8_t>(c) < 0x20) {
      absl::StrAppendFormat(&escaped, "\\u%04x", static_cast<int>(c));
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

// Control characters in one line of text would forge further lines.
std::string OneLine(absl::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<uint8_t>(c) < 0x20) c = ' ';
  }
  return line;
}

}  // namespace

LogFunction MakeLog(const std::string& level, const std::string& format) {
  // Shared by every copy of the function.
  auto logger =
      std::make_shared<spdlog::logger>("vigild", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  const bool json = format == "json";
  auto formatter = std::make_unique<spdlog::pattern_formatter>(
      json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v}"
           : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
      spdlog::pattern_time_type::utc);
  logger->set_formatter(std::move(formatter));
  return [logger, json](LogLevel at, absl::string_view component, absl::string_view text) {
    if (!logger->should_log(LevelOf(at))) return;
    const std::string line = json ? absl::StrCat("\"component\":\"", JsonEscaped(component),
                                                 "\",\"message\":\"", JsonEscaped(text), "\"")
                                  : absl::StrCat(component, ": ", OneLine(text));
    logger->log(LevelOf(at), "{}", line);
  };
}

}  // namespace vigil::node
