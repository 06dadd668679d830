#include "client/table/table_schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/table/number_text.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

using Json = nlohmann::ordered_json;
using detector::FeatureKind;

constexpr size_t kPairsMax = 8;
constexpr size_t kFeatureNameMax = 64;

constexpr std::pair<absl::string_view, ColumnKind> kKinds[] = {
    {"numeric", ColumnKind::kNumeric}, {"counter", ColumnKind::kCounter},
    {"measure", ColumnKind::kMeasure}, {"categorical", ColumnKind::kCategorical},
    {"label", ColumnKind::kLabel},     {"ignore", ColumnKind::kIgnore},
};

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("schema: ", what));
}

absl::StatusOr<ColumnKind> KindOf(const std::string& column, const Json& json) {
  if (json.is_string()) {
    for (const auto& [name, kind] : kKinds) {
      if (json.get_ref<const std::string&>() == name) return kind;
    }
  }
  return Wrong(absl::StrCat("column '", column, "' is ", json.dump(),
                            " where numeric, counter, measure, categorical, label or ignore "
                            "belongs"));
}

absl::StatusOr<TableColumn> ColumnOf(const std::string& name, const Json& json) {
  TableColumn column{.name = name, .kind = ColumnKind::kNumeric, .decimals = std::nullopt};
  if (!json.is_object()) {
    ASSIGN_OR_RETURN(column.kind, KindOf(name, json));
    return column;
  }
  for (const auto& [member, value] : json.items()) {
    if (member == "kind") {
      ASSIGN_OR_RETURN(column.kind, KindOf(name, value));
    } else if (member == "decimals" && value.is_number_unsigned() &&
               value.get<uint64_t>() <= uint64_t{kDecimalsMax}) {
      column.decimals = value.get<int>();
    } else {
      return Wrong(absl::StrCat("column '", name, "': \"", member, "\" is ", value.dump(),
                                "; there are \"kind\", and \"decimals\" from 0 to ", kDecimalsMax));
    }
  }
  if (column.decimals.has_value() && column.kind != ColumnKind::kMeasure) {
    return Wrong(absl::StrCat("column '", name, "' has \"decimals\", but is no measure"));
  }
  return column;
}

absl::StatusOr<std::vector<std::string>> TextsOf(const char* member, const Json& json) {
  std::vector<std::string> texts;
  for (const Json& text : json.is_array() ? json : Json::array({json})) {
    if (!text.is_string()) {
      return Wrong(absl::StrCat("\"", member, "\" has ", text.dump(), " where a text belongs"));
    }
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

absl::Status CheckCombination(const TableSchema& schema, const std::vector<std::string>& names) {
  const std::string all = absl::StrJoin(names, "+");
  const std::set<std::string> different(names.begin(), names.end());
  if (names.size() < 2 || names.size() > 3 || different.size() != names.size()) {
    return Wrong(absl::StrCat("combination '", all, "' is not of two or three columns"));
  }
  for (const std::string& name : names) {
    const TableColumn* column = schema.Find(name);
    if (column == nullptr || column->kind != ColumnKind::kCategorical) {
      return Wrong(absl::StrCat("combination '", all, "': '", name,
                                "' is no categorical column of the schema"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadMember(const std::string& member, const Json& json, TableSchema* schema) {
  if (member == "columns") {
    if (!json.is_object() || json.empty()) {
      return Wrong("\"columns\" is no object of column names and kinds");
    }
    for (const auto& [name, value] : json.items()) {
      ASSIGN_OR_RETURN(schema->columns.emplace_back(), ColumnOf(name, value));
    }
  } else if (member == "combinations") {
    schema->combinations.emplace();
    if (!json.is_array()) return Wrong("\"combinations\" is no list of lists of column names");
    for (const Json& names : json) {
      ASSIGN_OR_RETURN(schema->combinations->emplace_back(), TextsOf("combinations", names));
    }
  } else if (member == "missing") {
    ASSIGN_OR_RETURN(schema->missing, TextsOf("missing", json));
  } else if (member == "normal") {
    ASSIGN_OR_RETURN(schema->normal, TextsOf("normal", json));
  } else {
    return Wrong(absl::StrCat("unknown member \"", member,
                              "\"; there are columns, combinations, missing and normal"));
  }
  return absl::OkStatus();
}

FeatureKind FeatureKindOf(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kCounter:
      return FeatureKind::kCounter;
    case ColumnKind::kMeasure:
      return FeatureKind::kMeasure;
    case ColumnKind::kCategorical:
      return FeatureKind::kCategory;
    case ColumnKind::kNumeric:
    case ColumnKind::kLabel:
    case ColumnKind::kIgnore:
      break;
  }
  VIGIL_CHECK(false, "a column that no model sees");
  return FeatureKind::kCounter;
}

// `wanted`, made short and unique.
std::string FeatureName(const std::string& wanted, std::set<std::string>* taken) {
  std::string name = wanted.empty() ? "unnamed" : wanted.substr(0, kFeatureNameMax);
  while (!taken->insert(name).second) {
    name = absl::StrCat(name.substr(0, kFeatureNameMax - 5), "~", taken->size());
  }
  return name;
}

std::vector<std::vector<std::string>> UsualCombinations(const TableSchema& schema) {
  std::vector<std::string> names;
  for (const TableColumn& column : schema.columns) {
    if (column.kind == ColumnKind::kCategorical) names.push_back(column.name);
  }
  std::vector<std::vector<std::string>> combinations;
  for (size_t i = 0; i + 1 < names.size() && i < kPairsMax; ++i) {
    combinations.push_back({names[i], names[i + 1]});
  }
  if (names.size() >= 3) combinations.push_back({names[0], names[1], names[2]});
  return combinations;
}

}  // namespace

absl::string_view ColumnKindName(ColumnKind kind) {
  for (const auto& [name, other] : kKinds) {
    if (other == kind) return name;
  }
  return "?";
}

TableSchema::TableSchema()
    : missing({"", "?", "-", "na", "n/a", "nan", "null", "none"}),
      normal({"", "0", "0.0", "normal", "normal.", "benign", "false", "no", "background",
              "legitimate", "inlier"}) {}

const TableColumn* TableSchema::Find(absl::string_view name) const {
  const auto found =
      std::ranges::find_if(columns, [&](const TableColumn& c) { return c.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

const TableColumn* TableSchema::label() const {
  const auto found = std::ranges::find_if(
      columns, [](const TableColumn& c) { return c.kind == ColumnKind::kLabel; });
  return found == columns.end() ? nullptr : &*found;
}

absl::StatusOr<TableSchema> ParseTableSchema(absl::string_view json) {
  bool is_twice = false;
  std::vector<std::set<std::string>> open;  // Members of the objects around.
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key) {
      is_twice = is_twice || !open.back().insert(value.get<std::string>()).second;
    }
    return true;
  };
  const Json parsed = Json::parse(json.begin(), json.end(), watch, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return Wrong("the file is no JSON object");
  if (is_twice) return Wrong("a name comes twice");
  TableSchema schema;
  for (const auto& [member, value] : parsed.items()) {
    RETURN_IF_ERROR(ReadMember(member, value, &schema));
  }
  if (schema.columns.empty()) return Wrong("\"columns\" is missing");
  if (std::ranges::count(schema.columns, ColumnKind::kLabel, &TableColumn::kind) > 1) {
    return Wrong("two columns are labels; ignore all but one");
  }
  if (schema.combinations.has_value()) {
    for (const std::vector<std::string>& names : *schema.combinations) {
      RETURN_IF_ERROR(CheckCombination(schema, names));
    }
  }
  return schema;
}

std::string WriteTableSchema(const TableSchema& schema) {
  Json json = Json::object();
  Json& columns = json["columns"] = Json::object();
  for (const TableColumn& column : schema.columns) {
    const std::string kind(ColumnKindName(column.kind));
    if (column.decimals.has_value()) {
      columns[column.name] = {{"kind", kind}, {"decimals", *column.decimals}};
    } else {
      columns[column.name] = kind;
    }
  }
  if (schema.combinations.has_value()) json["combinations"] = *schema.combinations;
  json["missing"] = schema.missing;
  json["normal"] = schema.normal;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<detector::Schema> DetectorSchemaOf(const TableSchema& schema) {
  std::set<std::string> taken;
  std::map<std::string, std::string> feature_names;  // By column.
  std::vector<detector::FieldSpec> fields;
  for (const TableColumn& column : schema.columns) {
    if (column.kind == ColumnKind::kLabel || column.kind == ColumnKind::kIgnore) continue;
    const std::string name = FeatureName(column.name, &taken);
    feature_names[column.name] = name;
    fields.push_back({name, FeatureKindOf(column.kind)});
  }
  if (fields.empty()) return Wrong("every column is a label or ignored; a model needs others");
  const std::vector<std::vector<std::string>> chosen =
      schema.combinations.has_value() ? *schema.combinations : UsualCombinations(schema);
  if (fields.size() > detector::kFieldsMax ||
      fields.size() + chosen.size() > detector::kFeaturesMax) {
    return Wrong(absl::StrCat(fields.size(), " columns and ", chosen.size(),
                              " combinations; a model takes ", detector::kFieldsMax,
                              " columns, and with combinations ", detector::kFeaturesMax,
                              ": ignore some"));
  }
  std::vector<detector::CombinationSpec> combinations;
  for (const std::vector<std::string>& names : chosen) {
    detector::CombinationSpec combination;
    combination.name = FeatureName(absl::StrJoin(names, "+"), &taken);
    for (const std::string& name : names) combination.fields.push_back(feature_names[name]);
    combinations.push_back(std::move(combination));
  }
  return detector::Schema(/*type=*/0, std::move(fields), std::move(combinations));
}

}  // namespace vigil::client
