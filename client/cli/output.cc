#include "client/cli/output.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ledger/base/bytes.h"

namespace vigil::client {

Json Number(uint64_t value) { return Json(absl::StrCat(value)); }

Json Hex(absl::string_view bytes) { return Json(HexEncode(AsBytes(bytes))); }

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = ForTerminal(cell);
  rows_.push_back(std::move(cells));
}

void Table::Print(std::ostream& out) const {
  std::vector<size_t> widths;
  for (const std::string& heading : headings_) widths.push_back(heading.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      out << cells[i];
      if (i + 1 < cells.size()) out << std::string(widths[i] - cells[i].size() + 2, ' ');
    }
    out << '\n';
  };
  print(headings_);
  for (const auto& row : rows_) print(row);
}

void Facts::Print(std::ostream& out) const {
  size_t width = 0;
  for (const auto& [name, value] : facts_) width = std::max(width, name.size());
  for (const auto& [name, value] : facts_) {
    out << name << std::string(width - name.size() + 2, ' ') << value << '\n';
  }
}

std::string JsonText(const Json& json, int indent) {
  return ForTerminalJson(json.dump(indent, ' ', false, Json::error_handler_t::replace));
}

std::string ShortHex(absl::string_view bytes) { return HexEncode(AsBytes(bytes.substr(0, 6))); }

std::string TimeText(int64_t unix_millis) {
  const time_t seconds = static_cast<time_t>(unix_millis / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
  return absl::StrFormat("%s.%03dZ", text, static_cast<int>(unix_millis % 1000));
}

std::string BitsText(uint32_t bits_q8) {
  return absl::StrFormat("%d.%02d", bits_q8 / 256, (bits_q8 % 256) * 100 / 256);
}

}  // namespace vigil::client
