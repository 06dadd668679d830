#include "ledger/chain/strict_json.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vigil::ledger {
namespace {

// Recursive descent over RFC 8259; each method reads one production and returns false after it has
// noted what is wrong.
class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  bool Document() {
    if (!Value(/*depth=*/0)) return false;
    SkipSpace();
    return at_ == text_.size() || Fail("more after the end");
  }

  absl::Status Failure() const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + at_, '\n');
    return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what_));
  }

 private:
  bool Fail(absl::string_view what) {
    what_ = std::string(what);
    return false;
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (at_ < text_.size() && absl::StrContains(" \t\r\n", text_.substr(at_, 1))) ++at_;
  }

  bool Value(int depth) {
    SkipSpace();
    const bool is_nested = Peek() == '{' || Peek() == '[';
    if (is_nested && depth == kJsonDepthMax) return Fail("nested too deep");
    switch (Peek()) {
      case '{':
        return Object(depth);
      case '[':
        return Array(depth);
      case '"':
        return String();
      default:
        return Word();
    }
  }

  bool Object(int depth) {
    ++at_;
    std::set<absl::string_view> keys;
    SkipSpace();
    if (Take('}')) return true;
    do {
      if (!Key(&keys)) return false;
      SkipSpace();
      if (!Take(':')) return Fail("':' expected");
      if (!Value(depth + 1)) return false;
      SkipSpace();
    } while (Take(','));
    return Take('}') || Fail("',' or '}' expected");
  }

  bool Key(std::set<absl::string_view>* keys) {
    SkipSpace();
    const size_t start = at_ + 1;
    if (Peek() != '"') return Fail("key in double quotes expected");
    if (!String()) return false;
    const absl::string_view key = text_.substr(start, at_ - 1 - start);
    const bool plain = std::all_of(key.begin(), key.end(), [](char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
    });
    if (!plain) return Fail(absl::StrCat("key \"", key, "\" may hold only a-z, 0-9 and \"_\""));
    if (!keys->insert(key).second) return Fail(absl::StrCat("key \"", key, "\" given twice"));
    return true;
  }

  bool Array(int depth) {
    ++at_;
    SkipSpace();
    if (Take(']')) return true;
    do {
      if (!Value(depth + 1)) return false;
      SkipSpace();
    } while (Take(','));
    return Take(']') || Fail("',' or ']' expected");
  }

  bool String() {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return Fail("control character in a string");
      if (c == '\\' && !Escape()) return false;
    }
    return Fail("string without an end");
  }

  bool Escape() {
    if (Take('u')) {
      for (int i = 0; i < 4; ++i, ++at_) {
        if (!absl::ascii_isxdigit(static_cast<unsigned char>(Peek()))) {
          return Fail("\\u without four hexadecimal digits");
        }
      }
      return true;
    }
    if (at_ == text_.size() || !absl::StrContains("\"\\/bfnrt", text_.substr(at_, 1))) {
      return Fail("unknown escape in a string");
    }
    ++at_;
    return true;
  }

  bool Digits() {
    const size_t start = at_;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) ++at_;
    return at_ > start || Fail("value expected");
  }

  // A number, or true, false, null.
  bool Word() {
    for (absl::string_view word : {"true", "false", "null"}) {
      if (absl::StartsWith(text_.substr(at_), word)) {
        at_ += word.size();
        return true;
      }
    }
    Take('-');
    const bool leading_zero = Peek() == '0';
    const size_t start = at_;
    if (!Digits()) return false;
    if (leading_zero && at_ - start > 1) return Fail("number with a leading zero");
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!Digits()) return false;
    }
    return true;
  }

  const absl::string_view text_;
  size_t at_ = 0;
  std::string what_;
};

}  // namespace

absl::Status CheckStrictJson(absl::string_view text) {
  Reader reader(text);
  return reader.Document() ? absl::OkStatus() : reader.Failure();
}

}  // namespace vigil::ledger
