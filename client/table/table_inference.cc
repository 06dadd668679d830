#include "client/table/table_inference.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "client/table/number_text.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

// Different texts that are counted per column, and how much of each is kept.
constexpr size_t kDifferentMax = 4096;
constexpr size_t kTextBytesMax = 128;
constexpr size_t kLabelValuesMax = 64;
constexpr int kDigitsMax = 18;  // That fit an int64 for sure.

constexpr std::array<absl::string_view, 9> kLabelNames = {
    "label", "class", "attack", "is_attack", "anomaly", "outlier", "target", "attack_cat", "y"};

struct ColumnFacts {
  uint64_t numbers = 0;
  uint64_t texts = 0;
  uint64_t missing = 0;
  bool has_negative = false;
  int decimals = 0;
  int whole_digits = 0;
  std::set<std::string> different;
};

bool IsMissing(const TableSchema& schema, absl::string_view cell) {
  const absl::string_view text = absl::StripAsciiWhitespace(cell);
  return std::ranges::any_of(
      schema.missing, [&](const std::string& word) { return absl::EqualsIgnoreCase(word, text); });
}

void Count(const TableSchema& schema, const std::string& cell, ColumnFacts* facts) {
  if (facts->different.size() <= kDifferentMax) {
    facts->different.insert(cell.substr(0, kTextBytesMax));
  }
  if (IsMissing(schema, cell)) {
    ++facts->missing;
    return;
  }
  const std::optional<NumberText> number = ParseNumber(cell);
  if (!number) {
    ++facts->texts;
    return;
  }
  ++facts->numbers;
  facts->has_negative = facts->has_negative || number->negative;
  facts->decimals = std::max(facts->decimals, DecimalsOf(*number));
  facts->whole_digits = std::max(facts->whole_digits, WholeDigitsOf(*number));
}

absl::StatusOr<std::vector<ColumnFacts>> Scan(const TableSchema& schema, CsvReader* reader,
                                              const TableProgress& progress, uint64_t* rows) {
  std::vector<ColumnFacts> facts(reader->header().size());
  std::vector<std::string> cells;
  *rows = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_there, reader->Next(&cells));
    if (!is_there) return facts;
    for (size_t i = 0; i < cells.size(); ++i) Count(schema, cells[i], &facts[i]);
    if (++*rows % 4096 == 0 && progress) progress(*reader);
  }
}

int DecimalsFor(const ColumnFacts& facts) {
  return std::clamp(std::min(facts.decimals, kDigitsMax - facts.whole_digits), 0, kDecimalsMax);
}

bool IsCounter(const ColumnFacts& facts) { return !facts.has_negative && facts.decimals == 0; }

ColumnKind ProposedKind(const std::string& name, const ColumnFacts& facts, uint64_t rows) {
  if (facts.numbers + facts.texts == 0) return ColumnKind::kIgnore;
  const bool is_label = std::ranges::any_of(kLabelNames, [&](absl::string_view label) {
    return absl::EqualsIgnoreCase(label, absl::StripAsciiWhitespace(name));
  });
  if (is_label && facts.different.size() <= kLabelValuesMax) return ColumnKind::kLabel;
  if (facts.texts == 0) return IsCounter(facts) ? ColumnKind::kCounter : ColumnKind::kMeasure;
  // A name for every row says nothing about the next one.
  const bool names_rows = facts.different.size() > kDifferentMax ||
                          (rows > 20 && facts.different.size() * 20 > rows * 19);
  return names_rows ? ColumnKind::kIgnore : ColumnKind::kCategorical;
}

}  // namespace

absl::StatusOr<TableSchema> SettleSchema(const TableSchema& declared, CsvReader* reader,
                                         const TableProgress& progress) {
  uint64_t rows = 0;
  ASSIGN_OR_RETURN(const std::vector<ColumnFacts> facts, Scan(declared, reader, progress, &rows));
  TableSchema settled = declared;
  for (TableColumn& column : settled.columns) {
    const auto found = std::ranges::find(reader->header(), column.name);
    if (found == reader->header().end()) continue;  // TableReader says so.
    const ColumnFacts& seen = facts[static_cast<size_t>(found - reader->header().begin())];
    if (column.kind == ColumnKind::kNumeric) {
      column.kind = IsCounter(seen) ? ColumnKind::kCounter : ColumnKind::kMeasure;
    }
    if (column.kind == ColumnKind::kMeasure && !column.decimals.has_value()) {
      column.decimals = DecimalsFor(seen);
    }
  }
  return settled;
}

absl::StatusOr<TableSchema> InferSchema(CsvReader* reader, const TableProgress& progress) {
  TableSchema schema;
  uint64_t rows = 0;
  ASSIGN_OR_RETURN(const std::vector<ColumnFacts> facts, Scan(schema, reader, progress, &rows));
  for (size_t i = 0; i < facts.size(); ++i) {
    TableColumn column{.name = reader->header()[i],
                       .kind = ProposedKind(reader->header()[i], facts[i], rows),
                       .decimals = std::nullopt};
    if (column.kind == ColumnKind::kLabel && schema.label() != nullptr) {
      column.kind = ColumnKind::kIgnore;  // A second label tells what the first does.
    }
    if (column.kind == ColumnKind::kMeasure) column.decimals = DecimalsFor(facts[i]);
    schema.columns.push_back(std::move(column));
  }
  return schema;
}

}  // namespace vigil::client
