#include "client/table/table_schema.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

TEST_CASE("table schema: is read and written alike", "[client]") {
  const auto schema = ParseTableSchema(R"({
    "columns": {"bytes": "counter", "ratio": {"kind": "measure", "decimals": 3}, "n": "numeric",
                "service": "categorical", "flag": "categorical", "id": "ignore", "y": "label"},
    "combinations": [["service", "flag"]], "missing": ["", "x"], "normal": "ok"})");
  REQUIRE(schema.ok());
  CHECK(schema->columns.size() == 7);
  CHECK(schema->columns[1].decimals == 3);
  CHECK(schema->label()->name == "y");
  CHECK(schema->normal == std::vector<std::string>{"ok"});
  const auto again = ParseTableSchema(WriteTableSchema(*schema));
  REQUIRE(again.ok());
  CHECK(*again == *schema);
}

TEST_CASE("table schema: what is wrong is named", "[client]") {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "no JSON object"},
      {"{\"columns\": {\"a\": \"counter\"}", "no JSON object"},
      {"{}", "\"columns\" is missing"},
      {R"({"columns": {}})", "no object of column names"},
      {R"({"columns": {"a": "number"}})", "column 'a' is \"number\" where numeric"},
      {R"({"columns": {"a": 1}})", "column 'a' is 1"},
      {R"({"columns": {"a": "counter", "a": "label"}})", "comes twice"},
      {R"({"columns": {"a": {"kind": "measure", "decimals": 10}}})", "from 0 to 9"},
      {R"({"columns": {"a": {"kind": "counter", "decimals": 1}}})", "is no measure"},
      {R"({"columns": {"a": "label", "b": "label"}})", "two columns are labels"},
      {R"({"columns": {"a": "counter"}, "colums": 1})", "unknown member \"colums\""},
      {R"({"columns": {"a": "counter"}, "missing": [1]})", "where a text belongs"},
      {R"({"columns": {"a": "categorical"}, "combinations": [["a"]]})", "two or three"},
      {R"({"columns": {"a": "categorical"}, "combinations": [["a", "a"]]})", "two or three"},
      {R"({"columns": {"a": "categorical", "b": "counter"}, "combinations": [["a", "b"]]})",
       "'b' is no categorical column"},
  };
  for (const auto& [json, says] : cases) {
    const auto schema = ParseTableSchema(json);
    CAPTURE(json, schema.status().message());
    REQUIRE_FALSE(schema.ok());
    CHECK(absl::StrContains(schema.status().message(), says));
  }
}

TEST_CASE("table schema: the model sees all columns but labels and ignored ones", "[client]") {
  const auto schema = ParseTableSchema(R"({"columns": {"a": "categorical", "b": "measure",
      "c": "categorical", "d": "ignore", "e": "categorical", "f": "label"}})");
  REQUIRE(schema.ok());
  const auto features = DetectorSchemaOf(*schema);
  REQUIRE(features.ok());
  std::vector<std::string> names;
  for (const auto& feature : features->features()) names.push_back(feature.name);
  CHECK(names == std::vector<std::string>{"a", "b", "c", "e", "a+c", "c+e", "a+c+e"});
}

TEST_CASE("table schema: any names fit and too many columns are refused", "[client]") {
  TableSchema schema;
  schema.columns.push_back({"", ColumnKind::kCategorical, {}});
  schema.columns.push_back({std::string(90, 'x') + "1", ColumnKind::kCategorical, {}});
  schema.columns.push_back({std::string(90, 'x') + "2", ColumnKind::kCategorical, {}});
  REQUIRE(DetectorSchemaOf(schema).ok());
  CHECK(DetectorSchemaOf(schema)->feature_count() == 6);
  for (int i = 0; i < 300; ++i) {
    schema.columns.push_back({absl::StrCat("c", i), ColumnKind::kCounter, {}});
  }
  CHECK(absl::StrContains(DetectorSchemaOf(schema).status().message(), "ignore some"));
  schema.columns = {{"y", ColumnKind::kLabel, {}}};
  CHECK_FALSE(DetectorSchemaOf(schema).ok());
}

}  // namespace
}  // namespace vigil::client
