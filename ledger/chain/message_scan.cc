#include <algorithm>
#include <bit>
#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/chain/message_rules.h"
#include "ledger/chain/utf8.h"

namespace vigil::ledger::internal {
namespace {

// Reads one minimal varint of two bytes or more.
const char* ReadLongVarint(const uint8_t** at, const uint8_t* end, uint64_t* value) {
  const uint8_t* p = *at;
  uint64_t number = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (p == end) return "ends inside a varint";
    const uint8_t byte = *p++;
    if (shift == 63 && byte > 1) return "varint above 64 bits";
    number |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      if (byte == 0) return "varint is not minimal";
      *value = number;
      *at = p;
      return nullptr;
    }
  }
  return "varint above 64 bits";
}

// Reads one minimal varint at `*at` and moves it on. Returns nullptr, or what is wrong.
inline const char* ReadVarint(const uint8_t** at, const uint8_t* end, uint64_t* value) {
  const uint8_t* const p = *at;
  if (p != end && *p < 0x80) [[likely]] {
    *value = *p;
    *at = p + 1;
    return nullptr;
  }
  return ReadLongVarint(at, end, value);
}

uint64_t LoadLittleEndian64(const uint8_t* at) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | at[i];
  return value;
}

// ::ffff:a.b.c.d, RFC 4291 section 2.5.5.2.
bool IsIpv4Mapped(ByteSpan ip) {
  static constexpr uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return ip.size() == 16 && std::memcmp(ip.data(), kPrefix, sizeof(kPrefix)) == 0;
}

// One scan. Every method returns false after it has noted the failure; nothing is built before.
class Scanner {
 public:
  bool Scan(const MessageRules& rules, ByteSpan bytes, void* out);

  absl::Status Failure(absl::string_view name) const {
    return absl::InvalidArgumentError(absl::StrCat(name, path_, ": ", what_));
  }

 private:
  // The field being read, and where.
  struct Cursor {
    const uint8_t* at;
    const uint8_t* end;
    uint32_t tag = 0;          // Tag of the latest field.
    uint32_t count = 0;        // How often it came.
    uint64_t text_before = 0;  // text_bytes_ when it first came.
  };

  const FieldRule* NextField(const MessageRules& rules, Cursor* cursor);
  bool ScanNumber(const FieldRule& rule, Cursor* cursor, void* out);
  bool ScanLength(const FieldRule& rule, Cursor* cursor, void* out);
  bool CheckBytes(const FieldRule& rule, ByteSpan bytes);
  bool ScanNested(const FieldRule& rule, const Cursor& cursor, ByteSpan bytes, void* out);

  template <typename... Parts>
  [[gnu::cold, gnu::noinline]] bool Fail(const Parts&... parts) {
    what_ = absl::StrCat(parts...);
    return false;
  }
  template <typename... Parts>
  [[gnu::cold, gnu::noinline]] bool FailField(const FieldRule& rule, const Parts&... parts) {
    path_ = absl::StrCat(".", rule.name);
    what_ = absl::StrCat(parts...);
    return false;
  }
  [[gnu::cold, gnu::noinline]] bool Within(const FieldRule& rule, uint32_t index) {
    path_ = rule.count_max > 1 ? absl::StrCat(".", rule.name, "[", index, "]", path_)
                               : absl::StrCat(".", rule.name, path_);
    return false;
  }
  bool FailRange(const FieldRule& rule, uint64_t number, absl::string_view unit);

  uint64_t text_bytes_ = 0;
  std::string path_;
  std::string what_;
};

[[gnu::cold, gnu::noinline]] bool Scanner::FailRange(const FieldRule& rule, uint64_t number,
                                                     absl::string_view unit) {
  if (number == 0) {
    return FailField(rule, "default or empty value written out; leave the field out");
  }
  if (rule.min == rule.max) return FailField(rule, number, unit, ", exactly ", rule.max);
  if (number < rule.min) return FailField(rule, number, unit, ", at least ", rule.min);
  return FailField(rule, number, unit, ", at most ", rule.max);
}

// Reads a field's tag and checks its place. Returns nullptr after a failure.
const FieldRule* Scanner::NextField(const MessageRules& rules, Cursor* cursor) {
  uint64_t key;
  if (const char* wrong = ReadVarint(&cursor->at, cursor->end, &key)) {
    Fail("tag: ", wrong);
    return nullptr;
  }
  const uint64_t tag = key >> 3;
  if (tag >= rules.fields.size() || rules.fields[tag].type == FieldType::kUnknown) {
    Fail("unknown field ", tag);
    return nullptr;
  }
  const FieldRule& rule = rules.fields[tag];
  const uint64_t wanted = static_cast<uint64_t>(rule.wire);
  if ((key & 7) != wanted) {
    FailField(rule, "wire type ", key & 7, ", must be ", wanted);
    return nullptr;
  }
  if (tag > cursor->tag) [[likely]] {
    cursor->tag = static_cast<uint32_t>(tag);
    cursor->count = 1;
    cursor->text_before = text_bytes_;
    return &rule;
  }
  if (tag < cursor->tag) {
    FailField(rule, "field ", tag, " after field ", cursor->tag, ", must ascend");
    return nullptr;
  }
  if (++cursor->count > rule.count_max) {
    if (rule.count_max == 1) {
      FailField(rule, "given twice");
    } else {
      FailField(rule, cursor->count, " or more elements, at most ", rule.count_max);
    }
    return nullptr;
  }
  return &rule;
}

bool Scanner::ScanNumber(const FieldRule& rule, Cursor* cursor, void* out) {
  uint64_t number;
  if (rule.type == FieldType::kFixed64) {
    if (cursor->end - cursor->at < 8) return FailField(rule, "ends inside a fixed64");
    number = LoadLittleEndian64(cursor->at);
    cursor->at += 8;
  } else if (const char* wrong = ReadVarint(&cursor->at, cursor->end, &number)) {
    return FailField(rule, wrong);
  }
  if (rule.type == FieldType::kSint64) {
    if (number == 0) return FailRange(rule, number, "");
    number = (number >> 1) ^ (~(number & 1) + 1);
  } else if (number < rule.min || number > rule.max) {
    return FailRange(rule, number, "");
  }
  if (rule.store != nullptr) rule.store(out, number, {});
  return true;
}

bool Scanner::ScanLength(const FieldRule& rule, Cursor* cursor, void* out) {
  uint64_t size;
  if (const char* wrong = ReadVarint(&cursor->at, cursor->end, &size)) {
    return FailField(rule, "length: ", wrong);
  }
  const uint64_t available = static_cast<uint64_t>(cursor->end - cursor->at);
  if (size > available) {
    return FailField(rule, "length ", size, ", only ", available, " bytes left");
  }
  const ByteSpan bytes(cursor->at, static_cast<size_t>(size));
  cursor->at += size;
  if (rule.type == FieldType::kMessage) return ScanNested(rule, *cursor, bytes, out);
  if (!CheckBytes(rule, bytes)) return false;
  if (rule.store != nullptr) rule.store(out, 0, bytes);
  return true;
}

bool Scanner::CheckBytes(const FieldRule& rule, ByteSpan bytes) {
  if (bytes.size() < rule.min || bytes.size() > rule.max) {
    return FailRange(rule, bytes.size(), " bytes");
  }
  if (rule.type == FieldType::kText) {
    if (!IsValidUtf8(bytes)) return FailField(rule, "not UTF-8");
    text_bytes_ += bytes.size();
  } else if (rule.type == FieldType::kIpAddress) {
    if (bytes.size() != 4 && bytes.size() != 16) {
      return FailField(rule, bytes.size(), " bytes, 4 or 16");
    }
    if (IsIpv4Mapped(bytes)) return FailField(rule, "IPv4-mapped, write its 4 bytes");
  }
  if (rule.not_zero && std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; })) {
    return FailField(rule, "all zero; leave an absent value out");
  }
  return true;
}

bool Scanner::ScanNested(const FieldRule& rule, const Cursor& cursor, ByteSpan bytes, void* out) {
  const uint32_t index = cursor.count - 1;
  if (bytes.empty() && !rule.may_be_empty) return FailField(rule, "empty message");
  void* const element = rule.enter != nullptr ? rule.enter(out, index) : out;
  if (!Scan(*rule.message, bytes, element)) return Within(rule, index);
  if (rule.text_bytes_max != 0 && text_bytes_ - cursor.text_before > rule.text_bytes_max) {
    return FailField(rule, text_bytes_ - cursor.text_before, " bytes of text in all, at most ",
                     rule.text_bytes_max);
  }
  return true;
}

bool Scanner::Scan(const MessageRules& rules, ByteSpan bytes, void* out) {
  Cursor cursor{bytes.data(), bytes.data() + bytes.size()};
  uint64_t seen = 0;
  while (cursor.at != cursor.end) {
    const FieldRule* const rule = NextField(rules, &cursor);
    if (rule == nullptr) return false;
    seen |= uint64_t{1} << cursor.tag;
    const bool ok = rule->wire == WireType::kLength ? ScanLength(*rule, &cursor, out)
                                                    : ScanNumber(*rule, &cursor, out);
    if (!ok) return false;
  }
  const uint64_t missing = rules.required_mask & ~seen;
  if (missing != 0) return FailField(rules.fields[std::countr_zero(missing)], "missing");
  return true;
}

}  // namespace

absl::Status ScanMessage(absl::string_view name, const MessageRules& rules, ByteSpan bytes,
                         void* out) {
  Scanner scanner;
  if (!scanner.Scan(rules, bytes, out)) [[unlikely]]
    return scanner.Failure(name);
  return absl::OkStatus();
}

}  // namespace vigil::ledger::internal
