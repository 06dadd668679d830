#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/detector_commands.h"
#include "client/table/chart.h"
#include "client/table/separation.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

// One model and how its scores fell out.
struct Round {
  std::string seed;
  std::string digest;
  uint32_t threshold_q8 = 0;
  uint64_t rows = 0;
  uint64_t attacks = 0;
  uint64_t alerts = 0;
  uint64_t alerts_right = 0;
  Separation separation;
};

absl::StatusOr<Round> RunRound(const Session& session, const DetectorTableOptions& options,
                               const TableSchema& schema, char delimiter, uint32_t number) {
  Round round;
  round.seed = number == 0 ? options.seed : absl::StrCat(options.seed, "/", number);
  ASSIGN_OR_RETURN(const TrainedTable trained,
                   TrainTable(session, options, round.seed, schema, delimiter));
  const detector::Model& model = trained.table.model;
  round.digest = HexEncode(model.digest());
  round.threshold_q8 = model.threshold_q8();
  const std::string& test = options.test.empty() ? options.file : options.test;
  ASSIGN_OR_RETURN(const std::unique_ptr<TableReader> reader,
                   TableReader::Open(test, delimiter, schema, /*needs_label=*/true));
  std::vector<ScoredRow> rows;
  ProgressLine line(session.err);
  const TableProgress progress =
      BarOf(&line, absl::StrCat("round ", number + 1, " of ", options.rounds, ", scoring"));
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_there, reader->Next());
    if (!is_there) break;
    const ScoredRow row{.score_q8 = model.ScoreRow(reader->row()).score_q8,
                        .is_attack = *reader->is_attack()};
    const bool is_alert = row.score_q8 >= round.threshold_q8;
    round.attacks += row.is_attack ? 1 : 0;
    round.alerts += is_alert ? 1 : 0;
    round.alerts_right += is_alert && row.is_attack ? 1 : 0;
    rows.push_back(row);
    if (rows.size() % 4096 == 0) progress(reader->csv());
  }
  round.rows = rows.size();
  if (round.attacks == 0 || round.attacks == round.rows) {
    return absl::FailedPreconditionError(absl::StrCat(
        test, ": ", round.attacks, " of ", round.rows,
        " rows are attacks by their labels; a backtest needs both kinds (see \"normal\" of the "
        "schema)"));
  }
  round.separation = Separate(std::move(rows));
  return round;
}

template <typename Get>
double Median(const std::vector<Round>& rounds, Get get) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(get(round.separation));
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double Auc(const Separation& separation) { return separation.auc; }
double AveragePrecision(const Separation& separation) { return separation.average_precision; }
double TprAtOnePercent(const Separation& separation) { return separation.tpr_at_1_percent; }

// The round with the median AUC.
const Round& MedianRound(const std::vector<Round>& rounds) {
  const double median = Median(rounds, &Auc);
  return *std::ranges::find_if(rounds,
                               [&](const Round& round) { return round.separation.auc == median; });
}

absl::Status WriteChart(const Session& session, const std::string& path, const Chart& chart) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  RETURN_IF_ERROR(files->WriteAtomically(path + ".svg", AsBytes(ChartSvg(chart))));
  RETURN_IF_ERROR(files->WriteAtomically(path + ".png", AsBytes(ChartPng(chart))));
  *session.err << "written: " << ForTerminal(path) << ".svg and .png\n";
  return absl::OkStatus();
}

absl::Status WriteCurves(const Session& session, const std::string& prefix, const Round& round) {
  const Separation& separation = round.separation;
  const Chart roc{.title = "ROC",
                  .x_label = "false positive rate",
                  .y_label = "true positive rate",
                  .curves = {{absl::StrFormat("AUC %.4f", separation.auc), separation.roc},
                             {"chance", {{0, 0}, {1, 1}}}}};
  RETURN_IF_ERROR(WriteChart(session, prefix + "-roc", roc));
  const double share = static_cast<double>(round.attacks) / static_cast<double>(round.rows);
  const Chart precision{.title = "Precision and recall",
                        .x_label = "recall",
                        .y_label = "precision",
                        .curves = {{absl::StrFormat("AP %.4f", separation.average_precision),
                                    separation.precision_recall},
                                   {"chance", {{0, share}, {1, share}}}}};
  return WriteChart(session, prefix + "-precision-recall", precision);
}

void PrintJsonReport(const Session& session, const std::vector<Round>& rounds) {
  const auto figure = [](double value) { return absl::StrFormat("%.6f", value); };
  Json all = Json::array();
  for (const Round& round : rounds) {
    all.push_back({{"seed", round.seed},
                   {"digest", round.digest},
                   {"rows", Number(round.rows)},
                   {"attacks", Number(round.attacks)},
                   {"threshold_bits", ExactBits(round.threshold_q8)},
                   {"alerts", Number(round.alerts)},
                   {"alerts_right", Number(round.alerts_right)},
                   {"auc", figure(round.separation.auc)},
                   {"average_precision", figure(round.separation.average_precision)},
                   {"tpr_at_1_percent_fpr", figure(round.separation.tpr_at_1_percent)}});
  }
  session.PrintJson({{"median",
                      {{"auc", figure(Median(rounds, &Auc))},
                       {"average_precision", figure(Median(rounds, &AveragePrecision))},
                       {"tpr_at_1_percent_fpr", figure(Median(rounds, &TprAtOnePercent))}}},
                     {"rounds", all}});
}

void PrintReport(const Session& session, const std::vector<Round>& rounds) {
  if (session.format != OutputFormat::kTable) return PrintJsonReport(session, rounds);
  Table table({"seed", "rows", "attacks", "AUC", "AP", "TPR at 1 % FPR", "threshold", "alerts",
               "of them attacks"});
  const auto figure = [](double value) { return absl::StrFormat("%.4f", value); };
  for (const Round& round : rounds) {
    table.Add({round.seed, absl::StrCat(round.rows), absl::StrCat(round.attacks),
               figure(round.separation.auc), figure(round.separation.average_precision),
               figure(round.separation.tpr_at_1_percent), BitsText(round.threshold_q8),
               absl::StrCat(round.alerts), absl::StrCat(round.alerts_right)});
  }
  table.Add({"median", "", "", figure(Median(rounds, &Auc)),
             figure(Median(rounds, &AveragePrecision)), figure(Median(rounds, &TprAtOnePercent)),
             "", "", ""});
  table.Print(*session.out);
}

}  // namespace

absl::Status RunDetectorBacktest(const Session& session, const DetectorTableOptions& options) {
  ASSIGN_OR_RETURN(const char delimiter, DelimiterOf(options));
  RETURN_IF_ERROR(CheckTraining(options));
  ASSIGN_OR_RETURN(const TableSchema schema, SchemaFor(session, options, delimiter));
  std::vector<Round> rounds;
  for (uint32_t number = 0; number < options.rounds; ++number) {
    ASSIGN_OR_RETURN(rounds.emplace_back(), RunRound(session, options, schema, delimiter, number));
  }
  PrintReport(session, rounds);
  if (options.curves.empty()) return absl::OkStatus();
  return WriteCurves(session, options.curves, MedianRound(rounds));
}

}  // namespace vigil::client
