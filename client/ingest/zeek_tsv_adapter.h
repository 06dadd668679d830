// Zeek's ASCII logs: a header of '#' lines, then one row per line (docs.zeek.org, Log Formats).
//
// The header names separator, field names and types; a new one may come in the middle of a file.
// Bytes that Zeek wrote as \xHH are put back when the result is UTF-8, and stay escaped when not.
#ifndef VIGIL_CLIENT_INGEST_ZEEK_TSV_ADAPTER_H_
#define VIGIL_CLIENT_INGEST_ZEEK_TSV_ADAPTER_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/ingest/adapter.h"

namespace vigil::client {

class ZeekTsvAdapter final : public Adapter {
 public:
  static constexpr size_t kColumnsMax = 512;
  // Of one header line; the lines in force stand in every position that is kept of the log.
  static constexpr size_t kHeaderBytesMax = 24 * 1024;

  ZeekTsvAdapter(const AdapterOptions& options, ledger::SaltSource* salts);

  AdaptedLine Adapt(absl::string_view line) override;
  const std::string& state() const override { return state_; }
  absl::Status RestoreState(absl::string_view state) override;
  const MappingStats& stats() const override { return mapper_.stats(); }

 private:
  struct Column {
    std::string name;
    const Plan::Entry* entry = nullptr;
    Value::Kind kind = Value::Kind::kText;
    bool is_list = false;
  };

  // Takes over a header line. Errors: kInvalidArgument when it contradicts the format.
  absl::Status ReadHeader(absl::string_view line);
  absl::Status SetSeparator(absl::string_view text);
  void PlanColumns();
  void RememberHeader(absl::string_view key, absl::string_view line);
  absl::Status ReadRow(absl::string_view line);
  void PutField(const Column& column, absl::string_view field);
  bool MakeValue(Value::Kind kind, absl::string_view field, Value* value);
  absl::string_view Unescape(absl::string_view field);

  const std::string log_of_file_;
  Mapper mapper_;
  char separator_ = '\t';
  char set_separator_ = ',';
  std::string empty_field_ = "(empty)";
  std::string unset_field_ = "-";
  std::string log_;
  std::vector<std::string> names_;
  std::vector<std::string> types_;
  std::vector<Column> columns_;
  const Plan* plan_ = nullptr;
  std::string header_error_;               // Why rows cannot be read; empty: they can.
  std::vector<std::string> header_lines_;  // The lines in force, one per key.
  std::string state_;
  std::deque<std::string> unescaped_;  // Texts of this row that are not in the line.
  std::vector<Value> values_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_ZEEK_TSV_ADAPTER_H_
