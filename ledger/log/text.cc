#include "ledger/log/text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

constexpr size_t kQuotedBytesMax = 80;

bool ConsumeKey(absl::string_view key, absl::string_view* line) {
  return absl::ConsumePrefix(line, key) && absl::ConsumePrefix(line, " ");
}

}  // namespace

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kQuotedBytesMax;
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kQuotedBytesMax)), cut ? "..." : "",
                      "'");
}

absl::StatusOr<uint64_t> DecodeDecimal(absl::string_view text, uint64_t max) {
  uint64_t number = 0;
  // SimpleAtoi takes signs, spaces and leading zeros; writing the number again shows them.
  if (!absl::SimpleAtoi(text, &number) || absl::StrCat(number) != text || number > max) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is no decimal from 0 to ", max));
  }
  return number;
}

absl::StatusOr<std::string> DecodeBase64(absl::string_view text) {
  std::string raw;
  // Base64Unescape forgives spaces, missing padding and bits behind the last byte, likewise.
  if (!absl::Base64Unescape(text, &raw) || absl::Base64Escape(raw) != text) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is not canonical base64"));
  }
  return raw;
}

std::string EncodeBase64Hash(const Hash& hash) { return absl::Base64Escape(hash.view()); }

absl::StatusOr<Hash> DecodeBase64Hash(absl::string_view text) {
  ASSIGN_OR_RETURN(const std::string raw, DecodeBase64(text));
  return Hash::From(AsBytes(raw));
}

absl::StatusOr<absl::string_view> LineReader::Next() {
  ++line_;
  const size_t end = rest_.find('\n');
  if (end == absl::string_view::npos) return Error("not ended by a newline");
  const absl::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return line;
}

absl::StatusOr<absl::string_view> LineReader::NextAfter(absl::string_view key) {
  ASSIGN_OR_RETURN(absl::string_view line, Next());
  if (!ConsumeKey(key, &line)) {
    return Error(absl::StrCat("does not begin with '", key, " '"));
  }
  return line;
}

absl::StatusOr<uint64_t> LineReader::NextDecimal(absl::string_view key, uint64_t max) {
  ASSIGN_OR_RETURN(const absl::string_view text, NextAfter(key));
  const absl::StatusOr<uint64_t> number = DecodeDecimal(text, max);
  return number.ok() ? number : Error(number.status().message());
}

bool LineReader::NextIs(absl::string_view key) const {
  absl::string_view line = rest_;
  return ConsumeKey(key, &line);
}

absl::Status LineReader::Error(absl::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(what_, ": line ", line_, ": ", message));
}

std::string EncodePathLines(std::span<const Hash> path) {
  std::string lines;
  for (const Hash& hash : path) absl::StrAppend(&lines, EncodeBase64Hash(hash), "\n");
  return lines + "\n";
}

absl::StatusOr<std::vector<Hash>> ReadPathLines(LineReader* lines) {
  std::vector<Hash> path;
  for (;;) {
    ASSIGN_OR_RETURN(const absl::string_view line, lines->Next());
    if (line.empty()) return path;
    if (path.size() == kProofHashesMax) {
      return lines->Error(absl::StrCat("more than ", kProofHashesMax, " hashes"));
    }
    const absl::StatusOr<Hash> hash = DecodeBase64Hash(line);
    if (!hash.ok()) return lines->Error(hash.status().message());
    path.push_back(*hash);
  }
}

}  // namespace vigil::ledger
