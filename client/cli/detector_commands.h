// `vigil detector train|score|backtest`: the detector on tables of the user's own.
#ifndef VIGIL_CLIENT_CLI_DETECTOR_COMMANDS_H_
#define VIGIL_CLIENT_CLI_DETECTOR_COMMANDS_H_

#include "absl/status/status.h"
#include "client/cli/detector_training.h"
#include "client/cli/session.h"

namespace vigil::client {

// Writes the schema with --infer, the model with --model, and prints what was learned.
// Errors: kInvalidArgument naming file, line and column, or the option; kNotFound;
// kAlreadyExists when --infer would overwrite a schema; kFailedPrecondition for too few rows.
absl::Status RunDetectorTrain(const Session& session, const DetectorTableOptions& options);
// Prints a score for every row: CSV, JSON and JSON lines in the order of the file, a table of the
// strangest ones.
// Errors: as above; kDataLoss for a damaged model.
absl::Status RunDetectorScore(const Session& session, const DetectorTableOptions& options);

// Trains and judges models by the labels of the file, which training does not look at except for
// --normal-only; prints AUC, average precision and the true positive rate at 1 % false positives,
// and writes the curves of the median round.
// Errors: as RunDetectorTrain(); kFailedPrecondition when all labels are of one kind.
absl::Status RunDetectorBacktest(const Session& session, const DetectorTableOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_DETECTOR_COMMANDS_H_
