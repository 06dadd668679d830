// What the columns of a table are: declared in a JSON file, or inferred and written out for review.
//
//   {"columns": {"duration": "numeric", "service": "categorical", "id": "ignore", "label":
//   "label"},
//    "combinations": [["protocol", "service"]],
//    "missing": ["", "NaN"],
//    "normal": ["normal", "0"]}
//
// A column is a kind, or an object {"kind": "measure", "decimals": 3}. Only "columns" is required.
#ifndef VIGIL_CLIENT_TABLE_TABLE_SCHEMA_H_
#define VIGIL_CLIENT_TABLE_TABLE_SCHEMA_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "detector/features/schema.h"

namespace vigil::client {

enum class ColumnKind {
  kNumeric,      // Counter or measure, as the training file shows.
  kCounter,      // Whole numbers from 0 on, seen through a logarithm.
  kMeasure,      // Any numbers, seen through a symmetric logarithm about their median.
  kCategorical,  // Text; how often each comes is what counts.
  kLabel,        // What the row really was; never looked at by a model. At most one column.
  kIgnore,
};
absl::string_view ColumnKindName(ColumnKind kind);

struct TableColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kNumeric;
  std::optional<int> decimals;  // Of a measure: digits behind the point that are kept.

  bool operator==(const TableColumn&) const = default;
};

struct TableSchema {
  std::vector<TableColumn> columns;
  // Two or three categorical columns each. Nothing: chosen by DetectorSchemaOf().
  std::optional<std::vector<std::vector<std::string>>> combinations;
  // Cells of a number that mean "not given", in any case.
  std::vector<std::string> missing;
  // Labels that are no attack, in any case. Every other label is one.
  std::vector<std::string> normal;

  TableSchema();  // With the usual words for missing and normal.
  bool operator==(const TableSchema&) const = default;
  const TableColumn* Find(absl::string_view name) const;
  const TableColumn* label() const;
};

// Errors: kInvalidArgument naming the member, what it is and what belongs there.
absl::StatusOr<TableSchema> ParseTableSchema(absl::string_view json);
// ParseTableSchema() gives the schema again.
std::string WriteTableSchema(const TableSchema& schema);

// The columns that a model sees, in the order of the schema, each a field; and the combinations: by
// default every two categorical columns that follow each other, the first eight pairs, and the
// first three together.
// Errors: kInvalidArgument when there is no such column or more than the detector takes.
// REQUIRES: no column is kNumeric.
absl::StatusOr<detector::Schema> DetectorSchemaOf(const TableSchema& schema);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_TABLE_SCHEMA_H_
