#include "client/cli/arguments.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/ingest/value_parsers.h"

namespace vigil::client {
namespace {

// Levenshtein: how many characters to insert, delete or replace.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string WhyNotNumber(absl::string_view text, uint64_t least, uint64_t most) {
  const std::optional<uint64_t> number = ParseUnsigned(text);
  if (number && *number >= least && *number <= most) return "";
  return absl::StrCat("'", text, "' where a number from ", least, " to ", most, " belongs");
}

std::string WhyNotText(absl::string_view text) {
  if (IsValidUtf8(text)) return "";
  return absl::StrCat("'", RepairUtf8(text), "' is not UTF-8");
}

std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  // A third of the word wrong is still that word, more is another.
  size_t least = word.size() / 3 + 2;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance >= least || distance >= candidate.size()) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace vigil::client
