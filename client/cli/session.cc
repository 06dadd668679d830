#include "client/cli/session.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

struct Setting {
  const char* name;
  bool is_path;
};
constexpr Setting kSettings[] = {{"endpoints", false},  {"genesis", true},  {"ca", true},
                                 {"certificate", true}, {"key", true},      {"signing_key", true},
                                 {"identity", false},   {"insecure", false}};

using Values = std::map<std::string, std::string>;

const Setting* FindSetting(absl::string_view name) {
  for (const Setting& setting : kSettings) {
    if (name == setting.name) return &setting;
  }
  return nullptr;
}

std::string KnownSettings() {
  return absl::StrJoin(kSettings, ", ",
                       [](std::string* out, const Setting& setting) { out->append(setting.name); });
}

absl::StatusOr<std::string> TextOf(const toml::node& node) {
  if (node.is_string()) return node.as_string()->get();
  if (node.is_boolean()) return std::string(node.as_boolean()->get() ? "true" : "false");
  if (const toml::array* array = node.as_array()) {
    std::vector<std::string> parts;
    for (const toml::node& element : *array) {
      if (!element.is_string()) return absl::InvalidArgumentError("a list of strings belongs here");
      parts.push_back(element.as_string()->get());
    }
    return absl::StrJoin(parts, ",");
  }
  return absl::InvalidArgumentError("a string, a list of strings or true/false belongs here");
}

absl::Status ReadContextFile(const std::string& path, Values* values) {
  if (!std::filesystem::exists(path))
    return absl::NotFoundError(absl::StrCat("context file ", path, " is not there"));
  const toml::parse_result parsed = toml::parse_file(path);
  const auto at = [&](const toml::source_region& where, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", where.begin.line, ":", where.begin.column, ": ", what));
  };
  if (!parsed) return at(parsed.error().source(), std::string(parsed.error().description()));
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    const Setting* setting = FindSetting(name);
    if (setting == nullptr)
      return at(node.source(), absl::StrCat("unknown key '", name, "'; known: ", KnownSettings()));
    absl::StatusOr<std::string> text = TextOf(node);
    if (!text.ok()) return at(node.source(), absl::StrCat(name, ": ", text.status().message()));
    (*values)[name] = setting->is_path ? (folder / *text).lexically_normal().string() : *text;
  }
  return absl::OkStatus();
}

void ReadEnvironment(Values* values) {
  for (const Setting& setting : kSettings) {
    const std::string name = absl::StrCat("VIGIL_", absl::AsciiStrToUpper(setting.name));
    if (const char* value = std::getenv(name.c_str())) (*values)[setting.name] = value;
  }
}

}  // namespace

void Session::PrintJson(const Json& json) const {
  // Bytes that are no UTF-8 cannot stand in events; replacing keeps other text printable.
  *out << json.dump(format == OutputFormat::kNdjson ? -1 : 2, ' ', false,
                    Json::error_handler_t::replace)
       << '\n';
}

absl::StatusOr<v1::AckLevel> ParseAckLevel(const std::string& text) {
  if (text == "committed") return v1::ACK_COMMITTED;
  if (text == "final") return v1::ACK_FINAL;
  return absl::InvalidArgumentError(
      absl::StrCat("--ack ", text, ": committed (on a quorum's disks) or final (cosigned)"));
}

absl::StatusOr<Session> OpenSession(const SessionOptions& options) {
  Values values;
  std::string context = options.context;
  if (const char* from_environment = std::getenv("VIGIL_CONTEXT");
      context.empty() && from_environment != nullptr)
    context = from_environment;
  if (!context.empty()) RETURN_IF_ERROR(ReadContextFile(context, &values));
  ReadEnvironment(&values);
  for (const auto& [name, value] : options.flags) values[name] = value;

  Session session;
  session.client.endpoints = absl::StrSplit(values["endpoints"], ',', absl::SkipEmpty());
  session.client.ca = values["ca"];
  session.client.certificate = values["certificate"];
  session.client.key = values["key"];
  session.client.insecure = values["insecure"] == "true";
  session.genesis = values["genesis"];
  session.signing_key = values["signing_key"];
  session.identity = values["identity"];
  session.format = options.format;
  session.out = &std::cout;
  session.err = &std::cerr;
  return session;
}

}  // namespace vigil::client
