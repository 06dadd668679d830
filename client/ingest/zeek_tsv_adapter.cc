#include "client/ingest/zeek_tsv_adapter.h"

#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/ingest/json_adapter.h"
#include "client/ingest/value_parsers.h"
#include "client/ingest/zeek_plans.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

// The byte of "\x09" at the front of `text`; -1 when there is none.
int EscapedByte(absl::string_view text) {
  if (text.size() < 4 || text[0] != '\\' || text[1] != 'x') return -1;
  const absl::StatusOr<std::string> byte = HexDecode(text.substr(2, 2));
  return byte.ok() ? static_cast<unsigned char>((*byte)[0]) : -1;
}

// "string" of "set[string]"; empty when the type is no container.
absl::string_view ElementType(absl::string_view type) {
  const size_t open = type.find('[');
  if (open == absl::string_view::npos || !absl::EndsWith(type, "]")) return {};
  return type.substr(open + 1, type.size() - open - 2);
}

Value::Kind KindOfType(absl::string_view type) {
  if (type == "bool") return Value::Kind::kBool;
  if (type == "count" || type == "int" || type == "double" || type == "interval" ||
      type == "port" || type == "time") {
    return Value::Kind::kNumber;
  }
  return Value::Kind::kText;
}

}  // namespace

ZeekTsvAdapter::ZeekTsvAdapter(const AdapterOptions& options, ledger::SaltSource* salts)
    : log_of_file_(ZeekLogOfFileName(options.file_name)),
      mapper_(salts, options.raw_mode),
      header_error_("no #fields header before the first row") {}

AdaptedLine ZeekTsvAdapter::Adapt(absl::string_view line) {
  AdaptedLine adapted;
  if (absl::StripAsciiWhitespace(line).empty()) return adapted;
  absl::string_view header = line;
  // Some tools indent the first line; a row never begins with a blank and '#'.
  if (header[0] == '\t' || header[0] == ' ') header = absl::StripLeadingAsciiWhitespace(header);
  absl::Status status;
  if (header[0] == '#') {
    status = ReadHeader(header);
    if (status.ok()) return adapted;
  } else {
    status = ReadRow(line);
  }
  absl::StatusOr<EncodedEvent> event = status.ok() ? mapper_.Finish(line) : status;
  if (!event.ok()) {
    adapted.verdict = AdaptedLine::Verdict::kQuarantined;
    adapted.reason = std::string(event.status().message());
    return adapted;
  }
  adapted.verdict = AdaptedLine::Verdict::kEvent;
  adapted.event = *std::move(event);
  return adapted;
}

absl::Status ZeekTsvAdapter::SetSeparator(absl::string_view text) {
  const int byte = EscapedByte(text);
  if (byte >= 0 && text.size() == 4) {
    separator_ = static_cast<char>(byte);
  } else if (text.size() == 1) {
    separator_ = text[0];
  } else {
    header_error_ = absl::StrCat("separator \"", RepairUtf8(TruncateUtf8(RepairUtf8(text), 32)),
                                 "\" is not one byte");
    return absl::InvalidArgumentError(header_error_);
  }
  if (static_cast<unsigned char>(separator_) >= 0x80) {
    header_error_ = "separator is not ASCII";
    return absl::InvalidArgumentError(header_error_);
  }
  return absl::OkStatus();
}

absl::Status ZeekTsvAdapter::ReadHeader(absl::string_view line) {
  if (line.size() > kHeaderBytesMax) {
    header_error_ =
        absl::StrCat("header line of ", line.size(), " bytes, at most ", kHeaderBytesMax);
    // Without it no row can be understood, now or after a pause.
    header_lines_.clear();
    names_.clear();
    columns_.clear();
    state_.clear();
    return absl::InvalidArgumentError(header_error_);
  }
  if (absl::StartsWith(line, "#separator ")) {
    // A new header: nothing of the old one holds.
    header_lines_.clear();
    names_.clear();
    types_.clear();
    columns_.clear();
    log_.clear();
    header_error_ = "no #fields header before the first row";
    RememberHeader("#separator", line);
    return SetSeparator(line.substr(std::strlen("#separator ")));
  }
  const size_t end = line.find(separator_);
  if (end == absl::string_view::npos) return absl::OkStatus();
  const absl::string_view key = line.substr(0, end);
  const absl::string_view rest = line.substr(end + 1);
  if (key == "#set_separator") {
    if (rest.size() != 1) return absl::InvalidArgumentError("set separator is not one byte");
    set_separator_ = rest[0];
  } else if (key == "#empty_field") {
    empty_field_ = std::string(rest);
  } else if (key == "#unset_field") {
    unset_field_ = std::string(rest);
  } else if (key == "#path") {
    log_ = RepairUtf8(rest);
  } else if (key == "#fields") {
    names_ = absl::StrSplit(RepairUtf8(rest), separator_);
    types_.clear();
  } else if (key == "#types") {
    types_ = absl::StrSplit(rest, separator_);
  } else {
    return absl::OkStatus();  // #open, #close and comments.
  }
  RememberHeader(key, line);
  PlanColumns();
  return absl::OkStatus();
}

void ZeekTsvAdapter::RememberHeader(absl::string_view key, absl::string_view line) {
  std::erase_if(header_lines_, [&](const std::string& held) {
    return absl::StartsWith(held, key) && held.size() > key.size() &&
           (held[key.size()] == ' ' || held[key.size()] == separator_);
  });
  header_lines_.push_back(std::string(line));
  state_.clear();
  for (const std::string& held : header_lines_) absl::StrAppend(&state_, held, "\n");
}

void ZeekTsvAdapter::PlanColumns() {
  columns_.clear();
  if (names_.empty()) return;
  if (names_.size() > kColumnsMax) {
    header_error_ = absl::StrCat(names_.size(), " columns, at most ", kColumnsMax);
    return;
  }
  if (!types_.empty() && types_.size() != names_.size()) {
    header_error_ =
        absl::StrCat("header names ", names_.size(), " fields and ", types_.size(), " types");
    return;
  }
  header_error_.clear();
  if (log_.empty()) log_ = log_of_file_;
  plan_ = &ZeekPlans().For(log_);
  for (size_t i = 0; i < names_.size(); ++i) {
    Column column;
    column.name = names_[i];
    column.entry = plan_->Find(names_[i]);
    const absl::string_view type = types_.empty() ? "string" : absl::string_view(types_[i]);
    const absl::string_view element = ElementType(type);
    column.is_list = !element.empty();
    column.kind = KindOfType(column.is_list ? element : type);
    columns_.push_back(std::move(column));
  }
}

absl::Status ZeekTsvAdapter::RestoreState(absl::string_view state) {
  for (const absl::string_view line : absl::StrSplit(state, '\n', absl::SkipEmpty())) {
    if (line[0] != '#') return absl::InvalidArgumentError("state of a Zeek log: not a header");
    // A header that was refused is refused again, and rows below it still say why.
    ReadHeader(line).IgnoreError();
  }
  return absl::OkStatus();
}

absl::Status ZeekTsvAdapter::ReadRow(absl::string_view line) {
  if (columns_.empty() || !header_error_.empty()) return absl::InvalidArgumentError(header_error_);
  unescaped_.clear();
  const bool known = ZeekPlans().Knows(log_);
  mapper_.Begin(plan_, "zeek", known ? absl::string_view() : absl::string_view(log_));
  if (!IsValidUtf8(line)) {
    unescaped_.push_back(RepairUtf8(line));
    line = unescaped_.back();
    mapper_.MarkRepaired();
  }
  size_t column = 0;
  size_t from = 0;
  while (true) {
    const void* const found = std::memchr(line.data() + from, separator_, line.size() - from);
    const size_t end = found == nullptr
                           ? line.size()
                           : static_cast<size_t>(static_cast<const char*>(found) - line.data());
    if (column < columns_.size()) PutField(columns_[column], line.substr(from, end - from));
    ++column;
    if (found == nullptr) break;
    from = end + 1;
  }
  if (column != columns_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(column, " columns, the header names ", columns_.size()));
  }
  return absl::OkStatus();
}

void ZeekTsvAdapter::PutField(const Column& column, absl::string_view field) {
  if (field.empty() || field == unset_field_) return;
  Value value;
  if (!column.is_list) {
    if (field == empty_field_) return;
    if (MakeValue(column.kind, field, &value)) mapper_.Put(column.name, column.entry, value);
    return;
  }
  if (field == empty_field_) return;
  values_.clear();
  for (const absl::string_view element : absl::StrSplit(field, set_separator_)) {
    if (element.empty() || element == unset_field_ || element == empty_field_) continue;
    if (MakeValue(column.kind, element, &value)) values_.push_back(value);
  }
  mapper_.Put(column.name, column.entry, values_);
}

bool ZeekTsvAdapter::MakeValue(Value::Kind kind, absl::string_view field, Value* value) {
  value->kind = kind;
  value->text = field;
  if (kind == Value::Kind::kBool) {
    if (field == "T") value->text = "true";
    if (field == "F") value->text = "false";
  } else if (kind == Value::Kind::kText &&
             std::memchr(field.data(), '\\', field.size()) != nullptr) {
    value->text = Unescape(field);
  }
  return !value->text.empty();
}

absl::string_view ZeekTsvAdapter::Unescape(absl::string_view field) {
  std::string text;
  text.reserve(field.size());
  for (absl::string_view rest = field; !rest.empty();) {
    const int byte = EscapedByte(rest);
    if (byte >= 0) {
      text.push_back(static_cast<char>(byte));
      rest.remove_prefix(4);
    } else {
      text.push_back(rest[0]);
      rest.remove_prefix(absl::StartsWith(rest, "\\\\") ? 2 : 1);
    }
  }
  if (!IsValidUtf8(text)) return field;
  unescaped_.push_back(std::move(text));
  return unescaped_.back();
}

}  // namespace vigil::client
