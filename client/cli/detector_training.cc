#include "client/cli/detector_training.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/table/number_text.h"
#include "client/table/table_inference.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"

namespace vigil::client {

TableProgress BarOf(ProgressLine* line, const std::string& phase) {
  return [line, phase](const CsvReader& reader) {
    line->ShowBar(phase, reader.bytes_read(), reader.file_size());
  };
}

namespace {

absl::StatusOr<detector::Parameters> ParametersOf(const DetectorTableOptions& options) {
  detector::Parameters parameters;
  // Small tables have a forest too: their columns were chosen by somebody.
  parameters.window_rows_min = detector::kColdRowsMin;
  parameters.trees = options.trees;
  parameters.sample_rows = options.sample_rows;
  const std::optional<NumberText> percent = ParseNumber(options.quantile);
  const int64_t ppm = percent.has_value() ? ToFixed(*percent, 4) : -1;
  if (ppm < 900'000 || ppm > 999'999) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--quantile ", options.quantile, ": a percentage from 90 to 99.9999 belongs there"));
  }
  parameters.threshold_quantile_ppm = static_cast<uint32_t>(ppm);
  return parameters;
}

detector::Digest SeedOf(const std::string& text) {
  return TableHash(AsBytes(absl::StrCat("vigil/table-seed/v1", std::string(1, '\0'), text)));
}

// Proposes a schema and writes it.
absl::StatusOr<TableSchema> Infer(const Session& session, const DetectorTableOptions& options,
                                  char delimiter) {
  if (options.schema.empty()) {
    return absl::InvalidArgumentError("--infer needs --schema FILE, where the proposal is written");
  }
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  if (files->ReadAll(options.schema).ok()) {
    return absl::AlreadyExistsError(absl::StrCat(
        options.schema, " is there already; leave --infer out to use it, or name another file"));
  }
  TableSchema schema;
  {
    ProgressLine line(session.err);
    ASSIGN_OR_RETURN(const std::unique_ptr<CsvReader> reader,
                     CsvReader::Open(options.file, delimiter));
    ASSIGN_OR_RETURN(schema, InferSchema(reader.get(), BarOf(&line, "looking at columns")));
  }
  RETURN_IF_ERROR(files->WriteAtomically(options.schema, AsBytes(WriteTableSchema(schema))));
  *session.err << "schema proposed in " << ForTerminal(options.schema)
               << "; look whether numbers that are names are categorical there\n";
  return schema;
}

}  // namespace

absl::StatusOr<char> DelimiterOf(const DetectorTableOptions& options) {
  if (options.delimiter == "tab" || options.delimiter == "\\t") return '\t';
  const char first = options.delimiter.empty() ? '"' : options.delimiter[0];
  if (options.delimiter.size() == 1 && first != '"' && first != '\n' && first != '\r') return first;
  return absl::InvalidArgumentError(
      absl::StrCat("--delimiter ", options.delimiter,
                   ": one character that is no quote, or tab, belongs there"));
}

absl::Status CheckTraining(const DetectorTableOptions& options) {
  return ParametersOf(options).status();
}

std::string ExactBits(uint32_t bits_q8) {
  // 1/256 has eight decimals; trailing zeros say nothing.
  std::string text = absl::StrFormat("%d.%08d", bits_q8 / 256, bits_q8 % 256 * 390'625);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

absl::StatusOr<TableSchema> SchemaFor(const Session& session, const DetectorTableOptions& options,
                                      char delimiter) {
  if (options.infer) return Infer(session, options, delimiter);
  if (options.schema.empty()) {
    return absl::InvalidArgumentError(
        "--schema FILE is missing, or --infer --schema FILE to have one proposed");
  }
  ASSIGN_OR_RETURN(const std::string json, ledger::PosixFileSystem()->ReadAll(options.schema));
  const absl::StatusOr<TableSchema> declared = ParseTableSchema(json);
  if (!declared.ok()) return Annotate(declared.status(), options.schema);
  ProgressLine line(session.err);
  ASSIGN_OR_RETURN(const std::unique_ptr<CsvReader> reader,
                   CsvReader::Open(options.file, delimiter));
  return SettleSchema(*declared, reader.get(), BarOf(&line, "looking at columns"));
}

void SayUnnamed(const Session& session, const TableReader& reader) {
  if (reader.unnamed().empty()) return;
  *session.err << "ignored, since the schema does not name them: "
               << ForTerminal(absl::StrJoin(reader.unnamed(), ", ")) << '\n';
}

absl::StatusOr<TrainedTable> TrainTable(const Session& session, const DetectorTableOptions& options,
                                        const std::string& seed_text, const TableSchema& schema,
                                        char delimiter) {
  ASSIGN_OR_RETURN(const detector::Schema features, DetectorSchemaOf(schema));
  ASSIGN_OR_RETURN(const detector::Parameters parameters, ParametersOf(options));
  ASSIGN_OR_RETURN(const std::unique_ptr<TableReader> reader,
                   TableReader::Open(options.file, delimiter, schema, options.normal_only));
  SayUnnamed(session, *reader);
  const detector::Digest seed = SeedOf(seed_text);
  DrawnRows drawn;
  {
    ProgressLine line(session.err);
    ASSIGN_OR_RETURN(drawn, DrawRows(reader.get(), features.field_count(), options.rows,
                                     options.normal_only, seed, BarOf(&line, "drawing rows")));
  }
  std::optional<detector::Model> model =
      detector::Model::Train(features, drawn.rows, seed, parameters, &TableHash);
  if (!model.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.file, ": ", drawn.rows.rows(), " rows to train on, and fewer than ",
                     detector::Model::kRowsMin, " that differ enough; a model needs more"));
  }
  return TrainedTable{{schema, *std::move(model)}, drawn.rows_seen, drawn.attacks_seen};
}

}  // namespace vigil::client
