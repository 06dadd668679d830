// What the columns of a file look like: settles which numbers are counters, and proposes a schema
// where none was declared.
#ifndef VIGIL_CLIENT_TABLE_TABLE_INFERENCE_H_
#define VIGIL_CLIENT_TABLE_TABLE_INFERENCE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "client/table/csv_reader.h"
#include "client/table/table_schema.h"

namespace vigil::client {

// Told how far a file has been read.
using TableProgress = std::function<void(const CsvReader& reader)>;

// Reads the rest of `reader` and returns `declared` with every numeric column made a counter, when
// all of its numbers are whole and none is negative, else a measure; measures without decimals get
// as many as their numbers show, at most kDecimalsMax and no more than keep the largest in range.
// Errors: as CsvReader::Next().
absl::StatusOr<TableSchema> SettleSchema(const TableSchema& declared, CsvReader* reader,
                                         const TableProgress& progress);

// Reads the rest of `reader` and proposes: numbers where every cell is a number or missing, text
// elsewhere; a label where the name says so and at most 64 values come; what is empty throughout or
// names every row differently is ignored.
absl::StatusOr<TableSchema> InferSchema(CsvReader* reader, const TableProgress& progress);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_TABLE_INFERENCE_H_
