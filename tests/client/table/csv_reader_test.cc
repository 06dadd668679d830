#include "client/table/csv_reader.h"

#include <zlib.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

using Cells = std::vector<std::string>;

std::string Write(const testing::TempFolder& folder, const std::string& text) {
  const std::string path = folder / "table.csv";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// Header and rows, or the error.
absl::StatusOr<std::vector<Cells>> Read(const std::string& text, char delimiter = ',') {
  const testing::TempFolder folder;
  auto reader = CsvReader::Open(Write(folder, text), delimiter);
  if (!reader.ok()) return reader.status();
  std::vector<Cells> rows = {(*reader)->header()};
  for (Cells cells;;) {
    const absl::StatusOr<bool> is_there = (*reader)->Next(&cells);
    if (!is_there.ok()) return is_there.status();
    if (!*is_there) return rows;
    rows.push_back(cells);
  }
}

void CheckRefused(const std::string& text, const std::string& says) {
  const auto read = Read(text);
  REQUIRE_FALSE(read.ok());
  INFO(read.status().message());
  CHECK(absl::StrContains(read.status().message(), says));
}

TEST_CASE("csv reader: cells may be quoted and lines may end in CRLF", "[client]") {
  const auto rows = Read("a,b,c\r\n1,\"x,\"\"y\"\"\r\nz\",3\r\n\r\n,,\r\n4,5,6");
  REQUIRE(rows.ok());
  CHECK(*rows == std::vector<Cells>{
                     {"a", "b", "c"}, {"1", "x,\"y\"\r\nz", "3"}, {"", "", ""}, {"4", "5", "6"}});
}

TEST_CASE("csv reader: a byte order mark is no part of the first name", "[client]") {
  const auto rows = Read("\xef\xbb\xbf\"a\";b\n1;2\n", ';');
  REQUIRE(rows.ok());
  CHECK(*rows == std::vector<Cells>{{"a", "b"}, {"1", "2"}});
  CheckRefused(std::string("\xff\xfe") + "a\n", "UTF-16");
}

TEST_CASE("csv reader: what is wrong is named by line and column", "[client]") {
  CheckRefused("", "no header");
  CheckRefused("\n\n", "no header");
  CheckRefused("a,b,a\n", "column 3 (a): the name 'a' comes twice");
  CheckRefused("a,b\n1,2\n1,2,3\n", "line 3: 3 cells where the header names 2 columns");
  CheckRefused("a,b\n\"1\n2\",3\n4,\"5\n", "line 4: column 2 (b): a quote is opened and never");
  CheckRefused("a,b\n1,2\"3\n", "line 2: column 2 (b): a quote in the middle");
  CheckRefused("a,b\n\"1\"2,3\n", "line 2: column 1 (a): text after a closing quote");
  CheckRefused("a,b\n\"1\"\r2,3\n", "carriage return");
  CheckRefused("a\n\"" + std::string(CsvReader::kCellBytesMax + 1, 'x') + "\"\n", "1 MiB");
  CheckRefused("a\n" + std::string(CsvReader::kCellBytesMax + 1, 'x') + "\n", "1 MiB");
  CheckRefused(std::string(CsvReader::kCellsMax + 1, ',') + "\n", "columns");
}

TEST_CASE("csv reader: no file and a folder are refused by name", "[client]") {
  const testing::TempFolder folder;
  CHECK(absl::IsNotFound(CsvReader::Open(folder / "none.csv", ',').status()));
  CHECK(absl::IsInvalidArgument(CsvReader::Open(folder / ".", ',').status()));
}

TEST_CASE("csv reader: gzip reads alike and a cut file is no end", "[client]") {
  const testing::TempFolder folder;
  std::string text = "a,b\n";
  for (int i = 0; i < 50'000; ++i) absl::StrAppend(&text, i, ",", i * 7919 % 10'007, "\n");
  const std::string path = folder / "table.csv.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, text.data(), static_cast<unsigned>(text.size())) ==
          static_cast<int>(text.size()));
  gzclose(file);
  const auto count = [&](const std::string& name) -> absl::StatusOr<int> {
    auto reader = CsvReader::Open(name, ',');
    if (!reader.ok()) return reader.status();
    int rows = 0;
    for (Cells cells;; ++rows) {
      const absl::StatusOr<bool> is_there = (*reader)->Next(&cells);
      if (!is_there.ok()) return is_there.status();
      if (!*is_there) return rows;
    }
  };
  REQUIRE(count(path).ok());
  CHECK(*count(path) == 50'000);
  std::ifstream whole(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  bytes.resize(bytes.size() / 2);
  std::ofstream(folder / "cut.gz", std::ios::binary) << bytes;
  CHECK(absl::IsDataLoss(count(folder / "cut.gz").status()));
}

TEST_CASE("csv reader: any cells that are written come back", "[client]") {
  const uint64_t seed = TestSeed(81);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  constexpr char kBytes[] = "a1,\"\r\n ;\xc3\xa4";
  for (int round = 0; round < 200; ++round) {
    std::vector<Cells> rows = {{"x", "y", "z"}};
    std::string text = "x,y,z\n";
    for (int i = 0; i < 20; ++i) {
      Cells& row = rows.emplace_back();
      for (int column = 0; column < 3; ++column) {
        std::string cell;
        for (uint64_t left = random.Below(6); left > 0; --left) cell += kBytes[random.Below(10)];
        std::string quoted;
        for (const char c : cell) quoted += c == '"' ? std::string(2, '"') : std::string(1, c);
        absl::StrAppend(&text, column > 0 ? "," : "", "\"", quoted, "\"");
        row.push_back(cell);
      }
      text += random.Chance(500) ? "\r\n" : "\n";
    }
    const auto read = Read(text);
    REQUIRE(read.ok());
    CHECK(*read == rows);
  }
}

TEST_CASE("csv reader: any bytes end in rows or in an error", "[client]") {
  const uint64_t seed = TestSeed(82);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  constexpr char kBytes[] = "a,\"\r\n";
  for (int round = 0; round < 2000; ++round) {
    std::string text = "a,b\n";
    for (uint64_t left = random.Below(30); left > 0; --left) text += kBytes[random.Below(5)];
    const auto read = Read(text);
    if (!read.ok()) continue;
    for (const Cells& row : *read) CHECK(row.size() == 2);
  }
}

}  // namespace
}  // namespace vigil::client
