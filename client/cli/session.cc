#include "client/cli/session.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/arguments.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

enum class Kind { kText, kPath, kTexts, kFlag };
struct Setting {
  const char* name;
  Kind kind;
};
constexpr Setting kSettings[] = {
    {"endpoints", Kind::kTexts},  {"genesis", Kind::kPath},     {"ca", Kind::kPath},
    {"certificate", Kind::kPath}, {"key", Kind::kPath},         {"signing_key", Kind::kPath},
    {"identity", Kind::kText},    {"consistency", Kind::kText}, {"insecure", Kind::kFlag}};

using Values = std::map<std::string, std::string>;

const Setting* FindSetting(absl::string_view name) {
  for (const Setting& setting : kSettings) {
    if (name == setting.name) return &setting;
  }
  return nullptr;
}

std::string UnknownSetting(const std::string& name) {
  std::vector<std::string> known;
  for (const Setting& setting : kSettings) known.push_back(setting.name);
  const std::string nearest = Nearest(name, known);
  return absl::StrCat("unknown key '", name, "'; ",
                      nearest.empty() ? "" : absl::StrCat("did you mean '", nearest, "'? "),
                      "known: ", absl::StrJoin(known, ", "));
}

absl::StatusOr<std::string> TextOf(const toml::node& node, Kind kind) {
  if (kind == Kind::kFlag) {
    if (!node.is_boolean())
      return absl::InvalidArgumentError("true or false belongs here, without quotes");
    return std::string(node.as_boolean()->get() ? "true" : "false");
  }
  if (node.is_string()) return node.as_string()->get();
  if (kind != Kind::kTexts) return absl::InvalidArgumentError("a string belongs here");
  std::vector<std::string> parts;
  const toml::array* const array = node.as_array();
  if (array == nullptr)
    return absl::InvalidArgumentError("a string or a list of strings belongs here");
  for (const toml::node& element : *array) {
    if (!element.is_string()) return absl::InvalidArgumentError("a list of strings belongs here");
    parts.push_back(element.as_string()->get());
  }
  return absl::StrJoin(parts, ",");
}

absl::Status ReadContextFile(const std::string& path, Values* values) {
  std::error_code error;
  const std::filesystem::file_status file = std::filesystem::status(path, error);
  if (file.type() == std::filesystem::file_type::not_found)
    return absl::NotFoundError(absl::StrCat("context file ", path, " is not there"));
  if (error)
    return absl::InvalidArgumentError(absl::StrCat("context file ", path, ": ", error.message()));
  if (std::filesystem::is_directory(file)) {
    return absl::InvalidArgumentError(
        absl::StrCat("context file ", path, " is a folder; name the file in it, such as ",
                     (std::filesystem::path(path) / "vigil.toml").string()));
  }
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
    if (setting == nullptr) return at(node.source(), UnknownSetting(name));
    absl::StatusOr<std::string> text = TextOf(node, setting->kind);
    if (!text.ok()) return at(node.source(), absl::StrCat(name, ": ", text.status().message()));
    (*values)[name] =
        setting->kind == Kind::kPath ? (folder / *text).lexically_normal().string() : *text;
  }
  return absl::OkStatus();
}

absl::Status ReadEnvironment(Values* values) {
  for (const Setting& setting : kSettings) {
    const std::string name = absl::StrCat("VIGIL_", absl::AsciiStrToUpper(setting.name));
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    const absl::string_view text(value);
    if (setting.kind == Kind::kFlag && text != "true" && text != "false") {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is '", text, "' where true or false belongs"));
    }
    (*values)[setting.name] = value;
  }
  return absl::OkStatus();
}

// What goes into requests must be UTF-8; names of files need not.
absl::Status CheckTexts(const Values& values) {
  for (const auto& [name, value] : values) {
    const Kind kind = FindSetting(name)->kind;
    const std::string why = kind == Kind::kPath ? "" : WhyNotText(value);
    if (!why.empty()) return absl::InvalidArgumentError(absl::StrCat(name, ": ", why));
  }
  return absl::OkStatus();
}

}  // namespace

void Session::PrintJson(const Json& json) const {
  *out << JsonText(json, format == OutputFormat::kNdjson ? -1 : 2) << '\n';
}

absl::StatusOr<v1::AckLevel> ParseAckLevel(const std::string& text) {
  if (text == "committed") return v1::ACK_COMMITTED;
  if (text == "final") return v1::ACK_FINAL;
  return absl::InvalidArgumentError(
      absl::StrCat("--ack ", text, ": committed (on a quorum's disks) or final (cosigned)"));
}

absl::StatusOr<v1::Consistency> ParseConsistency(const std::string& text) {
  if (text == "local") return v1::CONSISTENCY_LOCAL;
  if (text == "linearizable") return v1::CONSISTENCY_LINEARIZABLE;
  return absl::InvalidArgumentError(
      absl::StrCat("consistency '", text,
                   "': local (what the validator has executed) or linearizable (everything "
                   "acknowledged before the call)"));
}

absl::StatusOr<Session> OpenSession(const SessionOptions& options) {
  Values values;
  std::string context = options.context;
  if (const char* from_environment = std::getenv("VIGIL_CONTEXT");
      context.empty() && from_environment != nullptr)
    context = from_environment;
  if (!context.empty()) RETURN_IF_ERROR(ReadContextFile(context, &values));
  RETURN_IF_ERROR(ReadEnvironment(&values));
  for (const auto& [name, value] : options.flags) values[name] = value;
  RETURN_IF_ERROR(CheckTexts(values));

  Session session;
  session.client.endpoints = absl::StrSplit(values["endpoints"], ',', absl::SkipEmpty());
  session.client.ca = values["ca"];
  session.client.certificate = values["certificate"];
  session.client.key = values["key"];
  session.client.insecure = values["insecure"] == "true";
  if (values.contains("consistency")) {
    ASSIGN_OR_RETURN(session.client.consistency, ParseConsistency(values["consistency"]));
  }
  session.genesis = values["genesis"];
  session.signing_key = values["signing_key"];
  session.identity = values["identity"];
  session.format = options.format;
  session.out = &std::cout;
  session.err = &std::cerr;
  return session;
}

}  // namespace vigil::client
