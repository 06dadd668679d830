// A model of a table in one file, with the schema that says how to read the next table.
//
//   "vigil-table-model" 00 | u16 format = 1 | u32 size | schema, JSON | u32 size | model
//
// Little-endian; the model as docs/formats/detector_model.md draws it.
#ifndef VIGIL_CLIENT_TABLE_TABLE_MODEL_H_
#define VIGIL_CLIENT_TABLE_TABLE_MODEL_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/table/table_schema.h"
#include "detector/model/model.h"

namespace vigil::client {

struct TableModel {
  TableSchema schema;  // Settled: no column is kNumeric.
  detector::Model model;
};

std::string WriteTableModel(const TableModel& model);
// Errors: kDataLoss when the bytes are no such file, or damaged.
absl::StatusOr<TableModel> ParseTableModel(absl::string_view bytes);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_TABLE_MODEL_H_
