// A CSV file as rows of a detector schema.
#ifndef VIGIL_CLIENT_TABLE_TABLE_FILE_H_
#define VIGIL_CLIENT_TABLE_TABLE_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/table/csv_reader.h"
#include "client/table/table_inference.h"
#include "client/table/table_schema.h"
#include "detector/features/hash.h"
#include "detector/features/schema.h"

namespace vigil::client {

// SHA-256 as the detector takes it.
detector::Digest TableHash(std::span<const uint8_t> bytes);

class TableReader {
 public:
  // Errors: as CsvReader::Open(); kInvalidArgument naming a column of the schema that the file does
  // not have. A label may be missing, unless `needs_label`.
  // REQUIRES: no column of `schema` is kNumeric.
  static absl::StatusOr<std::unique_ptr<TableReader>> Open(const std::string& path, char delimiter,
                                                           const TableSchema& schema,
                                                           bool needs_label);

  // Reads the next row. Returns false at the end.
  // Errors: as CsvReader::Next(); kInvalidArgument naming line and column for a cell that is no
  // number where one belongs.
  absl::StatusOr<bool> Next();
  // The row that Next() read last: one value per field of DetectorSchemaOf(schema).
  const std::vector<int64_t>& row() const { return row_; }
  // Whether its label is none of the normal ones; nothing: the file has no label.
  std::optional<bool> is_attack() const { return is_attack_; }
  const std::string& label() const { return label_; }

  const CsvReader& csv() const { return *csv_; }
  // Columns of the file that the schema does not name.
  const std::vector<std::string>& unnamed() const { return unnamed_; }

 private:
  struct Field {
    size_t column;  // Of the file.
    ColumnKind kind;
    int decimals;
  };
  TableReader(std::unique_ptr<CsvReader> csv, const TableSchema& schema)
      : csv_(std::move(csv)), schema_(schema) {}
  absl::Status FindColumns(bool needs_label);
  absl::StatusOr<int64_t> ValueOf(const Field& field) const;

  const std::unique_ptr<CsvReader> csv_;
  const TableSchema schema_;
  std::vector<Field> fields_;
  std::optional<size_t> label_column_;
  std::vector<std::string> unnamed_;
  std::vector<std::string> cells_;
  std::vector<int64_t> row_;
  std::optional<bool> is_attack_;
  std::string label_;
};

// Rows drawn for training: each row gets a number from the seed and the `rows_max` with the
// smallest stay, in the order of the file. So which rows stay depends on seed and file alone.
struct DrawnRows {
  detector::RawTable rows;
  uint64_t rows_seen = 0;
  uint64_t attacks_seen = 0;  // By their labels, where there are any.
};
// With `normal_only`, rows whose label is an attack are passed over; the file then needs labels.
absl::StatusOr<DrawnRows> DrawRows(TableReader* reader, size_t field_count, size_t rows_max,
                                   bool normal_only, const detector::Digest& seed,
                                   const TableProgress& progress);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_TABLE_FILE_H_
