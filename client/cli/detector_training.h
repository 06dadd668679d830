// What the commands of `vigil detector` on tables have in common: options, schema, training.
#ifndef VIGIL_CLIENT_CLI_DETECTOR_TRAINING_H_
#define VIGIL_CLIENT_CLI_DETECTOR_TRAINING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/progress_line.h"
#include "client/cli/session.h"
#include "client/table/table_file.h"
#include "client/table/table_model.h"

namespace vigil::client {

struct DetectorTableOptions {
  std::string file;  // CSV, plain or gzip.
  std::string delimiter = ",";
  std::string schema;  // JSON file.
  bool infer = false;  // Propose a schema and write it to `schema`.
  std::string model;   // Model file.
  bool normal_only = false;
  uint32_t rows = 16'384;
  uint32_t trees = 100;
  uint32_t sample_rows = 256;
  std::string quantile = "99.5";
  std::string seed = "vigil";
  uint32_t top = 20;
  std::string test;     // Backtest: CSV to judge on; empty: `file`.
  std::string curves;   // Backtest: the curves go to this and -roc.svg and so on.
  uint32_t rounds = 5;  // Backtest: models, each from a seed of its own.
};

struct TrainedTable {
  TableModel table;
  uint64_t rows_seen = 0;
  uint64_t attacks_seen = 0;  // By their labels, where there are any.
};

// Errors: kInvalidArgument naming the option.
absl::StatusOr<char> DelimiterOf(const DetectorTableOptions& options);
absl::Status CheckTraining(const DetectorTableOptions& options);

// The declared schema, or a proposed one that it writes, with every numeric column settled.
absl::StatusOr<TableSchema> SchemaFor(const Session& session, const DetectorTableOptions& options,
                                      char delimiter);

absl::StatusOr<TrainedTable> TrainTable(const Session& session, const DetectorTableOptions& options,
                                        const std::string& seed_text, const TableSchema& schema,
                                        char delimiter);

// Says on standard error which columns of the file the schema does not name.
void SayUnnamed(const Session& session, const TableReader& reader);

// Shows how far a file has been read; `line` must outlive it.
TableProgress BarOf(ProgressLine* line, const std::string& phase);

// Bits to 1/256, all decimals.
std::string ExactBits(uint32_t bits_q8);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_DETECTOR_TRAINING_H_
