#include "client/ingest/adapter.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/ingest/json_adapter.h"
#include "client/ingest/json_walker.h"
#include "client/ingest/zeek_tsv_adapter.h"
#include "ledger/base/check.h"

namespace vigil::client {
namespace {

struct Named {
  Format format;
  absl::string_view name;
};
constexpr Named kFormats[] = {
    {Format::kAuto, "auto"},          {Format::kSuricata, "suricata"},
    {Format::kZeekJson, "zeek-json"}, {Format::kZeekTsv, "zeek-tsv"},
    {Format::kVigil, "vigil"},
};

// kAuto when the object could be anything.
Format FormatOfObject(const std::vector<std::string>& keys) {
  const auto has = [&](absl::string_view key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  if (has("event_type") && has("timestamp")) return Format::kSuricata;
  if (has("ts")) return Format::kZeekJson;
  if (has("time") && has("source") && (has("type_uid") || has("class_uid"))) return Format::kVigil;
  return Format::kAuto;
}

}  // namespace

absl::string_view FormatName(Format format) {
  for (const Named& named : kFormats) {
    if (named.format == format) return named.name;
  }
  VIGIL_CHECK(false, "format ", static_cast<int>(format));
  return {};
}

absl::StatusOr<Format> ParseFormat(absl::string_view name) {
  std::string names;
  for (const Named& named : kFormats) {
    if (named.name == name) return named.format;
    absl::StrAppend(&names, names.empty() ? "" : ", ", named.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("no format \"", name, "\"; there are ", names));
}

std::unique_ptr<Adapter> MakeAdapter(Format format, const AdapterOptions& options,
                                     ledger::SaltSource* salts) {
  VIGIL_CHECK(format != Format::kAuto);
  if (format == Format::kZeekTsv) return std::make_unique<ZeekTsvAdapter>(options, salts);
  return MakeJsonAdapter(format, options, salts);
}

absl::StatusOr<Format> DetectFormat(absl::string_view first_bytes) {
  constexpr int kLinesMax = 64;
  JsonWalker walker;
  int line_count = 0;
  for (absl::string_view line : absl::StrSplit(first_bytes, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (++line_count > kLinesMax) break;
    if (absl::StartsWith(line, "#separator") || absl::StartsWith(line, "#fields")) {
      return Format::kZeekTsv;
    }
    if (line[0] != '{' || !walker.Open(line).ok()) continue;
    const Format format = FormatOfObject(walker.TopKeys());
    if (format != Format::kAuto) return format;
  }
  return absl::InvalidArgumentError("cannot tell the format from the first lines; give --format");
}

}  // namespace vigil::client
