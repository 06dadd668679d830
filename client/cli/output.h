// What commands print: payload to stdout as a table, one JSON document, or JSON lines.
//
// In JSON, 64-bit numbers are strings and hashes are hexadecimal, so that every reader gets them
// right. Messages for people go to stderr.
#ifndef VIGIL_CLIENT_CLI_OUTPUT_H_
#define VIGIL_CLIENT_CLI_OUTPUT_H_

#include <nlohmann/json.hpp>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/lib/terminal_text.h"

namespace vigil::client {

// Keeps the order in which fields were set.
using Json = nlohmann::ordered_json;

// CSV is for commands that say so.
enum class OutputFormat { kTable, kJson, kNdjson, kCsv };

// A 64-bit number as JSON.
Json Number(uint64_t value);
// Raw bytes as lower-case hex.
Json Hex(absl::string_view bytes);

// Rows under headings, safe for a terminal, columns padded; long cells are cut only where
// `width_max` says so (0: never).
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  void Print(std::ostream& out) const;

 private:
  const std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// "name   value" lines, for one object; safe for a terminal.
class Facts {
 public:
  void Add(std::string name, const std::string& value) {
    facts_.emplace_back(std::move(name), ForTerminal(value));
  }
  void Print(std::ostream& out) const;

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

// `json` as text that is safe for a terminal, with `indent` spaces per level or on one line (-1).
// Bytes that are no UTF-8 are replaced.
std::string JsonText(const Json& json, int indent);
// First 12 hex digits.
std::string ShortHex(absl::string_view bytes);
// "2026-11-20 14:03:59.123Z".
std::string TimeText(int64_t unix_millis);
// Bits with two decimals from Q8.
std::string BitsText(uint32_t bits_q8);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_OUTPUT_H_
