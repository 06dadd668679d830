#include "tests/sim/isolated_run.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/bytes.h"
#include "ledger/base/check.h"
#include "tests/sim/trace_writer.h"

namespace vigil::sim {
namespace {

constexpr absl::string_view kWrong = "wrong";
constexpr absl::string_view kDigest = "digest";
constexpr absl::string_view kCount = "count ";

// One line per field: name, tab, value.
std::string Encode(const RunResult& result) {
  std::string text = absl::StrCat(kWrong, "\t", HexEncode(AsBytes(result.wrong)), "\n", kDigest,
                                  "\t", result.digest.ToHex(), "\n");
  const std::pair<absl::string_view, uint64_t> numbers[] = {
      {"micros", static_cast<uint64_t>(result.micros)},
      {"rest_micros", static_cast<uint64_t>(result.rest_micros)},
      {"height", result.height},
      {"acknowledged", result.acknowledged},
      {"retries", result.retries},
      {"elections", result.elections},
      {"models", result.models},
      {"alerts", result.alerts},
      {"snapshots", result.snapshots},
      {"queries", result.queries}};
  for (const auto& [name, value] : numbers) absl::StrAppend(&text, name, "\t", value, "\n");
  for (const auto& [name, value] : result.counts) {
    absl::StrAppend(&text, kCount, name, "\t", value, "\n");
  }
  return text;
}

void SetNumber(absl::string_view name, uint64_t value, RunResult* result) {
  if (name == "micros") result->micros = static_cast<int64_t>(value);
  if (name == "rest_micros") result->rest_micros = static_cast<int64_t>(value);
  if (name == "height") result->height = value;
  if (name == "acknowledged") result->acknowledged = value;
  if (name == "retries") result->retries = value;
  if (name == "elections") result->elections = value;
  if (name == "models") result->models = value;
  if (name == "alerts") result->alerts = value;
  if (name == "snapshots") result->snapshots = value;
  if (name == "queries") result->queries = value;
}

RunResult Decode(absl::string_view text) {
  RunResult result;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    uint64_t value = 0;
    if (parts.first == kWrong || parts.first == kDigest) {
      const auto bytes = HexDecode(parts.second);
      VIGIL_CHECK(bytes.ok(), "result of a run: ", line);
      if (parts.first == kWrong) result.wrong = *bytes;
      if (parts.first == kDigest)
        std::copy(bytes->begin(), bytes->end(), result.digest.bytes.begin());
    } else if (absl::SimpleAtoi(parts.second, &value)) {
      absl::string_view name = parts.first;
      if (absl::ConsumePrefix(&name, kCount)) {
        result.counts[std::string(name)] = value;
      } else {
        SetNumber(name, value, &result);
      }
    }
  }
  return result;
}

void WriteAll(int descriptor, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

std::string ReadAll(int descriptor) {
  std::string text;
  std::array<char, 65'536> buffer;
  for (;;) {
    const ssize_t size = read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(size));
  }
}

[[noreturn]] void RunAsChild(const Schedule& schedule, const IsolatedOptions& options, int results,
                             int errors) {
  dup2(errors, STDERR_FILENO);
  alarm(options.seconds_max);
  std::unique_ptr<TraceWriter> trace;
  if (!options.trace_path.empty() || !options.mermaid_path.empty()) {
    trace = std::make_unique<TraceWriter>(options.trace_path, options.mermaid_path);
  }
  const RunResult result =
      trace == nullptr ? RunSchedule(schedule)
                       : RunSchedule(schedule, [&](const TraceEntry& entry) { trace->Add(entry); });
  if (trace != nullptr) trace->Finish();
  WriteAll(results, Encode(result));
  _exit(0);
}

std::string LastLines(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  return std::string(text.size() > 2'000 ? text.substr(text.size() - 2'000) : text);
}

}  // namespace

RunResult RunIsolated(const Schedule& schedule, const IsolatedOptions& options) {
  int results[2];
  VIGIL_CHECK(pipe2(results, O_CLOEXEC) == 0, "pipe: errno ", errno);
  // Its last words go to a file without a name, which holds any number of them.
  std::FILE* errors = std::tmpfile();
  VIGIL_CHECK(errors != nullptr, "temporary file: errno ", errno);
  std::fflush(nullptr);
  const pid_t child = fork();
  VIGIL_CHECK(child >= 0, "fork: errno ", errno);
  if (child == 0) {
    close(results[0]);
    RunAsChild(schedule, options, results[1], fileno(errors));
  }
  close(results[1]);
  const std::string text = ReadAll(results[0]);
  close(results[0]);
  int status = 0;
  rusage usage = {};
  while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  RunResult result = Decode(text);
  result.memory_bytes = int64_t{usage.ru_maxrss} * 1024;
  if (result.wrong.empty() && result.memory_bytes > options.memory_bytes_max) {
    result.wrong = absl::StrCat("took ", result.memory_bytes >> 20, " MiB of memory, at most ",
                                options.memory_bytes_max >> 20, " are allowed");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    lseek(fileno(errors), 0, SEEK_SET);
    const bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    result.wrong = late ? absl::StrCat("does not end in ", options.seconds_max, " s")
                        : absl::StrCat("the process ended: ", LastLines(ReadAll(fileno(errors))));
  }
  std::fclose(errors);
  return result;
}

}  // namespace vigil::sim
