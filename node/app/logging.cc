#include "node/app/logging.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ledger/base/mutex.h"

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

// Twenty lines a minute; what is left out is counted and told with the next line.
class LibraryLog {
 public:
  explicit LibraryLog(LogFunction log) : log_(std::move(log)) {}

  void Take(LogLevel level, absl::string_view component, absl::string_view text) {
    uint64_t left_out = 0;
    {
      MutexLock lock(&mutex_);
      const auto now = std::chrono::steady_clock::now();
      if (now - began_ > std::chrono::minutes(1)) {
        began_ = now;
        count_ = 0;
      }
      if (++count_ > kLinesPerMinuteMax) {
        ++left_out_;
        return;
      }
      left_out = std::exchange(left_out_, 0);
    }
    if (left_out > 0) {
      log_(LogLevel::kWarning, component, absl::StrCat(left_out, " lines of libraries left out"));
    }
    log_(level, component, text);
  }

 private:
  static constexpr uint64_t kLinesPerMinuteMax = 20;

  const LogFunction log_;
  Mutex mutex_;
  std::chrono::steady_clock::time_point began_ VIGIL_GUARDED_BY(mutex_);
  uint64_t count_ VIGIL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ VIGIL_GUARDED_BY(mutex_) = 0;
};

// Never destroyed: the libraries log until the process ends.
LibraryLog* library_log = nullptr;

void TakeGrpcLine(gpr_log_func_args* line) {
  // An error of one connection is none of this validator. Host names do not matter to us: gRPC
  // grumbles about each that is not in a certificate, though it was told so.
  const absl::string_view text = line->message;
  if (line->severity != GPR_LOG_SEVERITY_ERROR || absl::StrContains(text, "server name")) return;
  library_log->Take(LogLevel::kWarning, "grpc", text);
}

void TakeProtobufLine(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
                      const std::string& message) {
  library_log->Take(
      level >= google::protobuf::LOGLEVEL_WARNING ? LogLevel::kWarning : LogLevel::kDebug,
      "protobuf", message);
}

}  // namespace

void TakeLibraryLogs(const LogFunction& log) {
  library_log = new LibraryLog(log);
  gpr_set_log_function(TakeGrpcLine);
  google::protobuf::SetLogHandler(TakeProtobufLine);
}

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
