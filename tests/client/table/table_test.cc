#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/table/number_text.h"
#include "client/table/table_file.h"
#include "client/table/table_inference.h"
#include "client/table/table_model.h"
#include "ledger/base/bytes.h"
#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

constexpr char kTable[] =
    "id,when,bytes,ratio,port,service,empty,label\n"
    "a1,x,10,0.25,-,http,,normal\n"
    "a2,y,2000000000000,1.5e-3,80,dns,,normal\n"
    "a3,z,NaN,inf,443,\"ssh, old\",,attack\n";

std::string Write(const testing::TempFolder& folder, const std::string& text) {
  const std::string path = folder / "table.csv";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TableSchema Infer(const std::string& path) {
  auto reader = CsvReader::Open(path, ',');
  REQUIRE(reader.ok());
  auto schema = InferSchema(reader->get(), nullptr);
  REQUIRE(schema.ok());
  return *schema;
}

TEST_CASE("table inference: proposes what a person would", "[client]") {
  const testing::TempFolder folder;
  std::string text = "id,bytes,ratio,service,empty,Label,class\n";
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&text, "r", i, ",", i * i, ",", i % 7, ".", i % 10, ",s", i % 5, ",,",
                    i % 9 == 0 ? "attack" : "normal", ",", i % 2, "\n");
  }
  const TableSchema schema = Infer(Write(folder, text));
  CHECK(schema.Find("id")->kind == ColumnKind::kIgnore);
  CHECK(schema.Find("bytes")->kind == ColumnKind::kCounter);
  CHECK(schema.Find("ratio")->kind == ColumnKind::kMeasure);
  CHECK(schema.Find("ratio")->decimals == 1);
  CHECK(schema.Find("service")->kind == ColumnKind::kCategorical);
  CHECK(schema.Find("empty")->kind == ColumnKind::kIgnore);
  CHECK(schema.Find("Label")->kind == ColumnKind::kLabel);
  CHECK(schema.Find("class")->kind == ColumnKind::kIgnore);
}

TEST_CASE("table: rows are read as declared", "[client]") {
  const testing::TempFolder folder;
  const std::string path = Write(folder, kTable);
  const auto declared = ParseTableSchema(R"({"columns": {"bytes": "numeric", "ratio": "numeric",
      "port": "numeric", "service": "categorical", "label": "label"}})");
  REQUIRE(declared.ok());
  auto csv = CsvReader::Open(path, ',');
  const auto schema = SettleSchema(*declared, csv->get(), nullptr);
  REQUIRE(schema.ok());
  CHECK(schema->Find("bytes")->kind == ColumnKind::kCounter);
  CHECK(schema->Find("ratio")->kind == ColumnKind::kMeasure);
  CHECK(schema->Find("ratio")->decimals == 4);
  auto reader = TableReader::Open(path, ',', *schema, true);
  REQUIRE(reader.ok());
  CHECK((*reader)->unnamed() == std::vector<std::string>{"id", "when", "empty"});
  REQUIRE((*reader)->Next().value());
  CHECK((*reader)->row()[0] == 10);
  CHECK((*reader)->row()[1] == 2500);
  CHECK((*reader)->row()[2] == detector::kMissing);
  CHECK_FALSE(*(*reader)->is_attack());
  REQUIRE((*reader)->Next().value());
  CHECK((*reader)->row()[1] == 15);
  REQUIRE((*reader)->Next().value());
  CHECK((*reader)->row()[0] == detector::kMissing);
  CHECK((*reader)->row()[1] == kFixedMax);
  CHECK(*(*reader)->is_attack());
  CHECK_FALSE((*reader)->Next().value());
}

TEST_CASE("table: what does not fit is named by line and column", "[client]") {
  const testing::TempFolder folder;
  const auto fails = [&](const std::string& text, const std::string& json, bool needs_label) {
    const std::string path = Write(folder, text);
    const auto schema = ParseTableSchema(json);
    REQUIRE(schema.ok());
    auto reader = TableReader::Open(path, ',', *schema, needs_label);
    if (!reader.ok()) return std::string(reader.status().message());
    for (;;) {
      const auto is_there = (*reader)->Next();
      if (!is_there.ok()) return std::string(is_there.status().message());
      if (!*is_there) return std::string();
    }
  };
  CHECK(absl::StrContains(fails("a,b\n1,2\n3,x\n", R"({"columns": {"b": "counter"}})", false),
                          "line 3: column 2 (b): 'x' is no number"));
  CHECK(absl::StrContains(fails("a,b\n1,-2\n", R"({"columns": {"b": "counter"}})", false),
                          "is negative in a column of counters"));
  CHECK(absl::StrContains(fails("a,b\n1,2\n", R"({"columns": {"c": "counter"}})", false),
                          "column 'c' is not in the header, which names a b"));
  CHECK(absl::StrContains(fails("a,b\n1,2\n", R"({"columns": {"a": "counter"}})", true),
                          "no column as label"));
  CHECK(
      absl::StrContains(fails("a,b\n1,2\n", R"({"columns": {"a": "counter", "y": "label"}})", true),
                        "label column 'y' is not in the header"));
  CHECK(fails("a,b\n1,2\n", R"({"columns": {"a": "counter", "y": "label"}})", false).empty());
}

std::string ManyRows(uint64_t seed, int rows) {
  SplitMix64 random(seed);
  std::string text = "bytes,ratio,service,label\n";
  for (int i = 0; i < rows; ++i) {
    const bool is_attack = i % 20 == 0;
    absl::StrAppend(&text, is_attack ? 9'000'000 : 500 + random.Below(5000), ",-0.",
                    random.Below(1000), ",", random.Chance(100) ? "ftp" : "http", ",",
                    is_attack ? "dos" : "normal", "\n");
  }
  return text;
}

TEST_CASE("table: rows are drawn by seed and file alone", "[client]") {
  const testing::TempFolder folder;
  const std::string path = Write(folder, ManyRows(1, 3000));
  const TableSchema schema = Infer(path);
  const auto draw = [&](const char* seed, bool normal_only) {
    auto reader = TableReader::Open(path, ',', schema, normal_only);
    REQUIRE(reader.ok());
    auto drawn = DrawRows(reader->get(), 3, 500, normal_only, TableHash(AsBytes(seed)), nullptr);
    REQUIRE(drawn.ok());
    return *drawn;
  };
  const DrawnRows one = draw("a", false);
  CHECK(one.rows.rows() == 500);
  CHECK(one.rows_seen == 3000);
  CHECK(one.attacks_seen == 150);
  CHECK(one.rows == draw("a", false).rows);
  CHECK(one.rows != draw("b", false).rows);
  const DrawnRows normal = draw("a", true);
  CHECK(normal.rows.rows() == 500);
  CHECK(normal.rows.col(0).maxCoeff() < 9'000'000);
  CHECK(one.rows.col(0).maxCoeff() == 9'000'000);
}

TEST_CASE("table model: survives its file and damage is refused", "[client]") {
  const testing::TempFolder folder;
  const std::string path = Write(folder, ManyRows(2, 1000));
  const TableSchema schema = Infer(path);
  auto reader = TableReader::Open(path, ',', schema, false);
  const auto drawn = DrawRows(reader->get(), 3, 1000, false, TableHash(AsBytes("seed")), nullptr);
  REQUIRE(drawn.ok());
  detector::Parameters parameters;
  parameters.trees = 10;
  parameters.sample_rows = 32;
  auto model = detector::Model::Train(*DetectorSchemaOf(schema), drawn->rows,
                                      TableHash(AsBytes("seed")), parameters, &TableHash);
  REQUIRE(model.has_value());
  const std::string bytes = WriteTableModel(TableModel{schema, *model});
  const auto read = ParseTableModel(bytes);
  REQUIRE(read.ok());
  CHECK(read->schema == schema);
  CHECK(read->model.digest() == model->digest());
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
    CHECK(absl::IsDataLoss(ParseTableModel(bytes.substr(0, size)).status()));
  }
  CHECK(absl::IsDataLoss(ParseTableModel(bytes + "x").status()));
  const uint64_t seed = TestSeed(85);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string hostile = bytes;
    hostile[random.Below(800)] ^= static_cast<char>(1 << random.Below(8));
    const auto parsed = ParseTableModel(hostile);
    if (parsed.ok()) CHECK(WriteTableModel(*parsed).size() > 0);
  }
}

}  // namespace
}  // namespace vigil::client
