#include "client/table/table_model.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/table/table_file.h"
#include "detector/features/codec.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

constexpr char kMagic[] = "vigil-table-model";
constexpr uint16_t kFormat = 1;

absl::Status Damaged(const std::string& what) {
  return absl::DataLossError(absl::StrCat("this is no model of `vigil detector train`: ", what));
}

}  // namespace

std::string WriteTableModel(const TableModel& model) {
  const std::string schema = WriteTableSchema(model.schema);
  const std::vector<uint8_t> bytes = model.model.Serialize();
  detector::LittleEndianWriter writer;
  writer.Tag(kMagic).U16(kFormat);
  writer.U32(static_cast<uint32_t>(schema.size())).Raw(AsBytes(schema));
  writer.U32(static_cast<uint32_t>(bytes.size())).Raw(bytes);
  const std::vector<uint8_t>& file = writer.bytes();
  return std::string(file.begin(), file.end());
}

absl::StatusOr<TableModel> ParseTableModel(absl::string_view bytes) {
  detector::LittleEndianReader reader(AsBytes(bytes));
  if (!reader.SkipTag(kMagic)) return Damaged("it begins otherwise");
  const uint16_t format = reader.U16();
  if (reader.ok() && format != kFormat) {
    return Damaged(absl::StrCat("format ", format, " where ", kFormat, " is known"));
  }
  const std::span<const uint8_t> schema_bytes = reader.Raw(reader.U32());
  const std::span<const uint8_t> model_bytes = reader.Raw(reader.U32());
  if (!reader.AtEnd()) return Damaged("it is cut off or has bytes behind its end");
  const absl::StatusOr<TableSchema> schema = ParseTableSchema(
      absl::string_view(reinterpret_cast<const char*>(schema_bytes.data()), schema_bytes.size()));
  if (!schema.ok()) return Damaged(std::string(schema.status().message()));
  if (std::ranges::count(schema->columns, ColumnKind::kNumeric, &TableColumn::kind) > 0) {
    return Damaged("its schema is not settled");
  }
  ASSIGN_OR_RETURN(const detector::Schema features, DetectorSchemaOf(*schema));
  std::optional<detector::Model> model = detector::Model::Parse(model_bytes, features, &TableHash);
  if (!model.has_value()) return Damaged("the model does not fit its schema");
  return TableModel{*schema, *std::move(model)};
}

}  // namespace vigil::client
