#include "client/cli/detector_commands.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/detector_training.h"
#include "client/table/table_file.h"
#include "client/table/table_model.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

constexpr absl::string_view kComponents[] = {"none", "forest", "loda", "surprisal"};

std::string ReasonsText(const detector::Model& model, const detector::Score& score,
                        const char* separator) {
  std::vector<std::string> parts;
  for (const detector::Reason& reason : score.reasons) {
    parts.push_back(absl::StrCat(model.schema().features()[reason.feature].name, ":",
                                 BitsText(reason.bits_q8)));
  }
  return absl::StrJoin(parts, separator);
}

std::string CsvCell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// A row of the file with its score.
struct Judged {
  uint64_t row = 0;  // From 1.
  uint64_t line = 0;
  std::string label;
  detector::Score score;
};

Json ToJson(const detector::Model& model, const Judged& judged, bool has_label) {
  Json json = {{"row", Number(judged.row)},
               {"line", Number(judged.line)},
               {"score_bits", ExactBits(judged.score.score_q8)},
               {"alert", judged.score.score_q8 >= model.threshold_q8()},
               {"decided_by", kComponents[static_cast<size_t>(judged.score.component)]}};
  if (has_label) json["label"] = judged.label;
  Json& reasons = json["reasons"] = Json::array();
  for (const detector::Reason& reason : judged.score.reasons) {
    reasons.push_back({{"feature", model.schema().features()[reason.feature].name},
                       {"bits", ExactBits(reason.bits_q8)}});
  }
  return json;
}

// Prints rows as they come, in the format of the session.
class ScorePrinter {
 public:
  ScorePrinter(const Session& session, const detector::Model& model, bool has_label, uint32_t top)
      : session_(session), model_(model), has_label_(has_label), top_(top) {
    if (session.format == OutputFormat::kCsv) {
      *session.out << "row,line,score_bits,alert,decided_by" << (has_label ? ",label" : "")
                   << ",reasons\n";
    }
    if (session.format == OutputFormat::kJson) *session.out << '[';
  }

  void Add(const Judged& judged) {
    const bool is_alert = judged.score.score_q8 >= model_.threshold_q8();
    ++rows_;
    alerts_ += is_alert ? 1 : 0;
    std::ostream& out = *session_.out;
    switch (session_.format) {
      case OutputFormat::kCsv:
        out << judged.row << ',' << judged.line << ',' << ExactBits(judged.score.score_q8) << ','
            << (is_alert ? 1 : 0) << ','
            << kComponents[static_cast<size_t>(judged.score.component)];
        if (has_label_) out << ',' << CsvCell(judged.label);
        out << ',' << CsvCell(ReasonsText(model_, judged.score, ";")) << '\n';
        break;
      case OutputFormat::kJson:
        out << (rows_ > 1 ? ",\n " : "\n ") << JsonText(ToJson(model_, judged, has_label_), -1);
        break;
      case OutputFormat::kNdjson:
        out << JsonText(ToJson(model_, judged, has_label_), -1) << '\n';
        break;
      case OutputFormat::kTable:
        KeepStrangest(judged);
        break;
    }
  }

  void Finish() {
    if (session_.format == OutputFormat::kJson) *session_.out << "\n]\n";
    if (session_.format == OutputFormat::kTable) PrintStrangest();
    *session_.err << rows_ << " rows, " << alerts_ << " at or above the threshold of "
                  << BitsText(model_.threshold_q8()) << " bits\n";
  }

 private:
  static bool IsStranger(const Judged& a, const Judged& b) {
    return a.score.score_q8 != b.score.score_q8 ? a.score.score_q8 > b.score.score_q8
                                                : a.row < b.row;
  }

  // strangest_ is a heap with the least strange on top.
  void KeepStrangest(const Judged& judged) {
    if (strangest_.size() == top_ && !IsStranger(judged, strangest_.front())) return;
    strangest_.push_back(judged);
    std::push_heap(strangest_.begin(), strangest_.end(), &IsStranger);
    if (strangest_.size() <= top_) return;
    std::pop_heap(strangest_.begin(), strangest_.end(), &IsStranger);
    strangest_.pop_back();
  }

  void PrintStrangest() {
    std::ranges::sort(strangest_, &IsStranger);
    std::vector<std::string> headings = {"line", "bits", "alert", "decided by"};
    if (has_label_) headings.push_back("label");
    headings.push_back("reasons");
    Table table(headings);
    for (const Judged& judged : strangest_) {
      std::vector<std::string> cells = {
          absl::StrCat(judged.line), BitsText(judged.score.score_q8),
          std::string(judged.score.score_q8 >= model_.threshold_q8() ? "yes" : "no"),
          std::string(kComponents[static_cast<size_t>(judged.score.component)])};
      if (has_label_) cells.push_back(judged.label);
      cells.push_back(ReasonsText(model_, judged.score, " "));
      table.Add(std::move(cells));
    }
    table.Print(*session_.out);
  }

  const Session& session_;
  const detector::Model& model_;
  const bool has_label_;
  const uint32_t top_;
  uint64_t rows_ = 0;
  uint64_t alerts_ = 0;
  std::vector<Judged> strangest_;
};

void PrintTrained(const Session& session, const DetectorTableOptions& options,
                  const TrainedTable& trained) {
  const detector::Model& model = trained.table.model;
  if (session.format != OutputFormat::kTable) {
    Json columns = Json::object();
    for (const TableColumn& column : trained.table.schema.columns) {
      columns[column.name] = ColumnKindName(column.kind);
    }
    session.PrintJson({{"model", options.model},
                       {"digest", HexEncode(model.digest())},
                       {"rows_seen", Number(trained.rows_seen)},
                       {"rows_kept", model.row_count()},
                       {"features", model.schema().feature_count()},
                       {"threshold_bits", ExactBits(model.threshold_q8())},
                       {"columns", columns}});
    return;
  }
  Facts facts;
  facts.Add("model", options.model);
  facts.Add("digest", HexEncode(model.digest()));
  facts.Add("rows seen", absl::StrCat(trained.rows_seen));
  facts.Add("rows kept", absl::StrCat(model.row_count()));
  facts.Add("features", absl::StrCat(model.schema().feature_count()));
  facts.Add("threshold", absl::StrCat(BitsText(model.threshold_q8()), " bits"));
  for (const ColumnKind kind :
       {ColumnKind::kCounter, ColumnKind::kMeasure, ColumnKind::kCategorical, ColumnKind::kLabel,
        ColumnKind::kIgnore}) {
    std::vector<std::string> names;
    for (const TableColumn& column : trained.table.schema.columns) {
      if (column.kind == kind) names.push_back(column.name);
    }
    if (!names.empty()) facts.Add(std::string(ColumnKindName(kind)), absl::StrJoin(names, " "));
  }
  facts.Print(*session.out);
}

}  // namespace

absl::Status RunDetectorTrain(const Session& session, const DetectorTableOptions& options) {
  ASSIGN_OR_RETURN(const char delimiter, DelimiterOf(options));
  RETURN_IF_ERROR(CheckTraining(options));
  if (options.model.empty() && !options.infer) {
    return absl::InvalidArgumentError("--model FILE is missing, where the model goes");
  }
  ASSIGN_OR_RETURN(const TableSchema schema, SchemaFor(session, options, delimiter));
  if (options.model.empty()) {
    if (session.format == OutputFormat::kTable) {
      *session.out << WriteTableSchema(schema);
    } else {
      session.PrintJson(Json::parse(WriteTableSchema(schema)));
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const TrainedTable trained,
                   TrainTable(session, options, options.seed, schema, delimiter));
  RETURN_IF_ERROR(ledger::PosixFileSystem()->WriteAtomically(
      options.model, AsBytes(WriteTableModel(trained.table))));
  PrintTrained(session, options, trained);
  return absl::OkStatus();
}

absl::Status RunDetectorScore(const Session& session, const DetectorTableOptions& options) {
  ASSIGN_OR_RETURN(const char delimiter, DelimiterOf(options));
  ASSIGN_OR_RETURN(const std::string bytes, ledger::PosixFileSystem()->ReadAll(options.model));
  absl::StatusOr<TableModel> table = ParseTableModel(bytes);
  if (!table.ok()) return Annotate(table.status(), options.model);
  ASSIGN_OR_RETURN(const std::unique_ptr<TableReader> reader,
                   TableReader::Open(options.file, delimiter, table->schema,
                                     /*needs_label=*/false));
  SayUnnamed(session, *reader);
  std::optional<ScorePrinter> printer;
  ProgressLine line(session.err);
  const TableProgress progress = BarOf(&line, "scoring");
  Judged judged;
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_there, reader->Next());
    if (!printer.has_value()) {
      printer.emplace(session, table->model, reader->is_attack().has_value(), options.top);
    }
    if (!is_there) break;
    ++judged.row;
    judged.line = reader->csv().line();
    judged.label = reader->label();
    judged.score = table->model.ExplainRow(reader->row());
    printer->Add(judged);
    if (judged.row % 4096 == 0) progress(reader->csv());
  }
  printer->Finish();
  return absl::OkStatus();
}

}  // namespace vigil::client
