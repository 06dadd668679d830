#include "tests/cluster/history.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ledger/base/status_macros.h"

namespace vigil::cluster {
namespace {

using Json = nlohmann::json;

constexpr std::pair<const char*, Action> kActions[] = {{"append", Action::kAppend},
                                                       {"read-head", Action::kReadHead},
                                                       {"read-record", Action::kReadRecord},
                                                       {"read-tip", Action::kReadTip}};
constexpr std::pair<const char*, ReadMode> kModes[] = {{"linearizable", ReadMode::kLinearizable},
                                                       {"local", ReadMode::kLocal},
                                                       {"settled", ReadMode::kSettled}};

template <typename Value, size_t kCount>
std::optional<Value> Find(const std::pair<const char*, Value> (&table)[kCount],
                          const std::string& name) {
  for (const auto& [known, value] : table) {
    if (name == known) return value;
  }
  return std::nullopt;
}

template <typename Value, size_t kCount>
const char* NameOf(const std::pair<const char*, Value> (&table)[kCount], Value value) {
  for (const auto& [name, known] : table) {
    if (value == known) return name;
  }
  return "?";
}

uint64_t NumberAt(const Json& line, const char* key) {
  return line.contains(key) && line[key].is_number_unsigned() ? line[key].get<uint64_t>() : 0;
}

std::string TextAt(const Json& line, const char* key) {
  return line.contains(key) && line[key].is_string() ? line[key].get<std::string>() : "";
}

int64_t TimeOf(const Json& line) { return static_cast<int64_t>(NumberAt(line, "time")); }

absl::StatusOr<Operation> Invoked(const Json& line) {
  Operation operation;
  operation.id = NumberAt(line, "op");
  operation.process = NumberAt(line, "process");
  operation.endpoint = NumberAt(line, "endpoint");
  operation.invoked_nanos = TimeOf(line);
  operation.stream = TextAt(line, "stream");
  operation.leaf = TextAt(line, "leaf");
  operation.sequence = NumberAt(line, "sequence");
  const std::optional<Action> action = Find(kActions, TextAt(line, "f"));
  if (!action.has_value()) return absl::InvalidArgumentError("unknown f");
  operation.action = *action;
  if (*action == Action::kAppend) return operation;
  const std::optional<ReadMode> mode = Find(kModes, TextAt(line, "mode"));
  if (!mode.has_value()) return absl::InvalidArgumentError("a read without a known mode");
  operation.mode = *mode;
  return operation;
}

void Return(const Json& line, Operation* operation) {
  operation->outcome = TextAt(line, "type") == "ok" ? Outcome::kOk : Outcome::kFail;
  operation->returned_nanos = TimeOf(line);
  if (operation->outcome != Outcome::kOk) return;
  operation->position = NumberAt(line, "position");
  operation->height = NumberAt(line, "height");
  operation->duplicate = line.value("duplicate", false);
  if (operation->action != Action::kReadHead) return;
  operation->sequence = NumberAt(line, "sequence");
  operation->leaf = TextAt(line, "leaf");
}

}  // namespace

absl::Status ReadHistory(std::istream* lines, absl::string_view name, History* history) {
  std::map<uint64_t, size_t> by_id;
  std::string text;
  for (size_t number = 1; std::getline(*lines, text); ++number) {
    const auto refuse = [&](absl::string_view why) {
      return absl::InvalidArgumentError(absl::StrCat(name, ":", number, ": ", why));
    };
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    // The last line of a client that was killed may be half a line.
    if (line.is_discarded() && lines->peek() == std::istream::traits_type::eof()) break;
    if (!line.is_object()) return refuse("not a JSON object");
    const std::string type = TextAt(line, "type");
    if (type == "down") {
      history->downs.push_back({.endpoint = NumberAt(line, "endpoint"), .at_nanos = TimeOf(line)});
    } else if (type == "invoke") {
      absl::StatusOr<Operation> operation = Invoked(line);
      if (!operation.ok()) return refuse(operation.status().message());
      if (!by_id.emplace(operation->id, history->operations.size()).second)
        return refuse(absl::StrCat("operation ", operation->id, " is there twice"));
      history->operations.push_back(*std::move(operation));
    } else if (type == "ok" || type == "fail" || type == "info") {
      const auto found = by_id.find(NumberAt(line, "op"));
      if (found == by_id.end()) return refuse("the end of an operation that was not invoked");
      if (type != "info") Return(line, &history->operations[found->second]);
    } else if (type != "fault") {  // What the driver did, for people.
      return refuse(absl::StrCat("unknown type '", type, "'"));
    }
  }
  return absl::OkStatus();
}

void SortByInvocation(History* history) {
  std::stable_sort(history->operations.begin(), history->operations.end(),
                   [](const Operation& left, const Operation& right) {
                     return left.invoked_nanos < right.invoked_nanos;
                   });
}

std::string Describe(const Operation& operation) {
  std::string text =
      absl::StrCat("process ", operation.process, " ", NameOf(kActions, operation.action));
  if (operation.action != Action::kAppend)
    absl::StrAppend(&text, " (", NameOf(kModes, operation.mode), ")");
  if (!operation.stream.empty()) absl::StrAppend(&text, " ", operation.stream);
  if (operation.action == Action::kAppend || operation.action == Action::kReadRecord)
    absl::StrAppend(&text, "#", operation.sequence);
  absl::StrAppend(&text, " at endpoint ", operation.endpoint);
  if (operation.outcome == Outcome::kFail) absl::StrAppend(&text, " -> refused");
  if (operation.outcome == Outcome::kOpen) absl::StrAppend(&text, " -> no answer");
  if (operation.outcome == Outcome::kOk) {
    absl::StrAppend(&text, " ->");
    if (operation.action == Action::kReadHead) absl::StrAppend(&text, " #", operation.sequence);
    if (operation.action != Action::kReadTip)
      absl::StrAppend(&text, " position ", operation.position);
    if (operation.height > 0) absl::StrAppend(&text, " height ", operation.height);
    if (operation.duplicate) absl::StrAppend(&text, " duplicate");
  }
  const auto seconds = [](int64_t nanos) {
    return nanos == kNever ? std::string("open")
                           : absl::StrFormat("%.6f", static_cast<double>(nanos) / 1e9);
  };
  return absl::StrCat(text, " [", seconds(operation.invoked_nanos), ", ",
                      seconds(operation.returned_nanos), "]");
}

}  // namespace vigil::cluster
