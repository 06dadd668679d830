#include "client/table/table_file.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/lib/terminal_text.h"
#include "client/table/number_text.h"
#include "detector/features/text_shape.h"
#include "detector/forest/draws.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"

namespace vigil::client {
namespace {

constexpr size_t kShownBytesMax = 60;

bool IsOneOf(const std::vector<std::string>& words, absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  return std::ranges::any_of(
      words, [&](const std::string& word) { return absl::EqualsIgnoreCase(word, text); });
}

}  // namespace

detector::Digest TableHash(std::span<const uint8_t> bytes) { return ledger::Sha256(bytes).bytes; }

absl::StatusOr<std::unique_ptr<TableReader>> TableReader::Open(const std::string& path,
                                                               char delimiter,
                                                               const TableSchema& schema,
                                                               bool needs_label) {
  ASSIGN_OR_RETURN(std::unique_ptr<CsvReader> csv, CsvReader::Open(path, delimiter));
  std::unique_ptr<TableReader> reader(new TableReader(std::move(csv), schema));
  RETURN_IF_ERROR(reader->FindColumns(needs_label));
  return reader;
}

absl::Status TableReader::FindColumns(bool needs_label) {
  const std::vector<std::string>& header = csv_->header();
  for (const TableColumn& column : schema_.columns) {
    if (column.kind == ColumnKind::kIgnore) continue;
    const auto found = std::ranges::find(header, column.name);
    const auto index = static_cast<size_t>(found - header.begin());
    if (column.kind == ColumnKind::kLabel) {
      if (found != header.end()) label_column_ = index;
      continue;
    }
    if (found == header.end()) {
      return csv_->ErrorAt(header.size(), absl::StrCat("the schema's column '", column.name,
                                                       "' is not in the header, which names ",
                                                       absl::StrJoin(header, " ").substr(0, 400)));
    }
    fields_.push_back({index, column.kind, column.decimals.value_or(0)});
  }
  for (const std::string& name : header) {
    if (schema_.Find(name) == nullptr) unnamed_.push_back(name);
  }
  if (needs_label && !label_column_.has_value()) {
    const std::string what =
        schema_.label() == nullptr
            ? "the schema declares no column as label"
            : absl::StrCat("the label column '", schema_.label()->name, "' is not in the header");
    return csv_->ErrorAt(header.size(), absl::StrCat(what, ", and labels are needed here"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> TableReader::ValueOf(const Field& field) const {
  const std::string& cell = cells_[field.column];
  if (field.kind == ColumnKind::kCategorical) {
    const absl::string_view text = absl::StripAsciiWhitespace(cell);
    if (text.empty()) return detector::kMissing;
    return detector::TokenOf({text.data(), text.size()}, &TableHash);
  }
  if (IsOneOf(schema_.missing, cell)) return detector::kMissing;
  const std::optional<NumberText> number = ParseNumber(cell);
  if (!number) {
    return csv_->ErrorAt(
        field.column,
        absl::StrCat("'", ForTerminal(cell.substr(0, kShownBytesMax)),
                     "' is no number; declare the column categorical, or the text as \"missing\""));
  }
  const int64_t value = ToFixed(*number, field.decimals);
  if (field.kind == ColumnKind::kCounter && value < 0) {
    return csv_->ErrorAt(field.column, absl::StrCat("'", cell.substr(0, kShownBytesMax),
                                                    "' is negative in a column of counters; "
                                                    "declare it a measure"));
  }
  return value;
}

absl::StatusOr<bool> TableReader::Next() {
  ASSIGN_OR_RETURN(const bool is_there, csv_->Next(&cells_));
  if (!is_there) return false;
  row_.clear();
  for (const Field& field : fields_) {
    ASSIGN_OR_RETURN(const int64_t value, ValueOf(field));
    row_.push_back(value);
  }
  if (label_column_.has_value()) {
    label_ = cells_[*label_column_];
    is_attack_ = !IsOneOf(schema_.normal, label_);
  }
  return true;
}

absl::StatusOr<DrawnRows> DrawRows(TableReader* reader, size_t field_count, size_t rows_max,
                                   bool normal_only, const detector::Digest& seed,
                                   const TableProgress& progress) {
  // Not a purpose of the chain's protocol: which rows of a file are trained on.
  constexpr auto kTableRows = static_cast<detector::DrawPurpose>(1000);
  detector::CounterDraws draws(seed, kTableRows, 0, &TableHash);
  struct Kept {
    uint64_t drawn;
    uint64_t index;
    std::vector<int64_t> row;
    bool operator<(const Kept& other) const {
      return std::pair(drawn, index) < std::pair(other.drawn, other.index);
    }
  };
  std::priority_queue<Kept> kept;  // The largest number on top.
  DrawnRows result;
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_there, reader->Next());
    if (!is_there) break;
    const uint64_t index = result.rows_seen++;
    const bool is_attack = reader->is_attack().value_or(false);
    result.attacks_seen += is_attack ? 1 : 0;
    if (result.rows_seen % 4096 == 0 && progress) progress(reader->csv());
    const uint64_t high = draws.Next();
    const uint64_t drawn = high << 32 | draws.Next();
    if (normal_only && is_attack) continue;
    if (kept.size() == rows_max && drawn > kept.top().drawn) continue;
    kept.push({drawn, index, reader->row()});
    if (kept.size() > rows_max) kept.pop();
  }
  std::vector<Kept> ordered;
  for (; !kept.empty(); kept.pop()) ordered.push_back(kept.top());
  std::ranges::sort(ordered, {}, &Kept::index);
  result.rows.resize(static_cast<Eigen::Index>(ordered.size()),
                     static_cast<Eigen::Index>(field_count));
  for (size_t i = 0; i < ordered.size(); ++i) {
    std::copy(ordered[i].row.begin(), ordered[i].row.end(),
              result.rows.row(static_cast<Eigen::Index>(i)).data());
  }
  return result;
}

}  // namespace vigil::client
