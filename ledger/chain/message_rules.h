// Field tables and the engine that decides by them whether bytes are one canonical message.
//
// Internal to ledger/chain: ScanEvent() and ScanBody() of scanner.h are the interface. A table is
// an array of FieldRule indexed by tag; tables nest by reference and never recurse, so the depth of
// the scan is fixed by the tables and not by the input. Rules: docs/formats.md, Canonical messages.
#ifndef VIGIL_LEDGER_CHAIN_MESSAGE_RULES_H_
#define VIGIL_LEDGER_CHAIN_MESSAGE_RULES_H_

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger::internal {

enum class FieldType : uint8_t {
  kUnknown,  // No field has this tag.
  kVarint,   // uint32 and uint64.
  kSint64,   // Zigzag.
  kFixed64,
  kText,
  kBytes,
  kIpAddress,  // 4 or 16 bytes, never IPv4-mapped.
  kMessage,
};

// Protobuf's wire types (protobuf.dev/programming-guides/encoding); no field of ours has another.
enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2 };

struct MessageRules;

// `store` receives a number (sint64: its two's complement) or a view; `enter` receives how many
// elements came before and returns the object that the element's fields are stored into.
using StoreFunction = void (*)(void* out, uint64_t number, ByteSpan bytes);
using EnterFunction = void* (*)(void* out, uint32_t index);

struct FieldRule {
  absl::string_view name;
  FieldType type = FieldType::kUnknown;
  WireType wire = WireType::kLength;
  bool required = false;
  bool may_be_empty = false;  // Messages only.
  bool not_zero = false;      // Bytes only: not all of them may be zero.
  uint32_t count_max = 1;     // Above 1 the field is repeated.
  uint64_t min = 1;           // Numbers: value. Text and bytes: size. Messages: not used.
  uint64_t max = 0;
  uint64_t text_bytes_max = 0;  // Messages: text of all elements together; 0 means no limit.
  const MessageRules* message = nullptr;
  StoreFunction store = nullptr;
  EnterFunction enter = nullptr;
};

struct MessageRules {
  std::span<const FieldRule> fields;  // Index is the tag; the first entry is unused.
  uint64_t required_mask = 0;         // Bit t: tag t is required.
};

// REQUIRES: at most 64 entries.
constexpr MessageRules MakeRules(std::span<const FieldRule> fields) {
  MessageRules rules{fields, 0};
  for (size_t tag = 0; tag < fields.size(); ++tag) {
    if (fields[tag].required) rules.required_mask |= uint64_t{1} << tag;
  }
  return rules;
}

inline constexpr uint64_t kUint32Max = std::numeric_limits<uint32_t>::max();
inline constexpr uint64_t kUint64Max = std::numeric_limits<uint64_t>::max();
inline constexpr uint64_t kTimeMax = std::numeric_limits<int64_t>::max();

constexpr FieldRule Number(absl::string_view name, uint64_t max, StoreFunction store = nullptr,
                           uint64_t min = 1) {
  FieldRule rule{.name = name, .type = FieldType::kVarint, .wire = WireType::kVarint};
  rule.min = min;
  rule.max = max;
  rule.store = store;
  return rule;
}
constexpr FieldRule Signed(absl::string_view name, StoreFunction store) {
  FieldRule rule{.name = name, .type = FieldType::kSint64, .wire = WireType::kVarint};
  rule.store = store;
  return rule;
}
constexpr FieldRule Time(absl::string_view name, StoreFunction store) {
  FieldRule rule{.name = name, .type = FieldType::kFixed64, .wire = WireType::kFixed64};
  rule.max = kTimeMax;
  rule.store = store;
  return rule;
}
constexpr FieldRule Text(absl::string_view name, uint64_t size_max, StoreFunction store = nullptr) {
  FieldRule rule{.name = name, .type = FieldType::kText};
  rule.max = size_max;
  rule.store = store;
  return rule;
}
constexpr FieldRule Bytes(absl::string_view name, uint64_t size_min, uint64_t size_max,
                          StoreFunction store = nullptr) {
  FieldRule rule{.name = name, .type = FieldType::kBytes};
  rule.min = size_min;
  rule.max = size_max;
  rule.store = store;
  return rule;
}
constexpr FieldRule IpAddress(absl::string_view name, StoreFunction store) {
  FieldRule rule = Bytes(name, 4, 16, store);
  rule.type = FieldType::kIpAddress;
  return rule;
}
// 32 bytes that are not all zero, because an absent hash reads as zero.
constexpr FieldRule HashField(absl::string_view name, StoreFunction store) {
  FieldRule rule = Bytes(name, 32, 32, store);
  rule.not_zero = true;
  return rule;
}
constexpr FieldRule Message(absl::string_view name, const MessageRules* message,
                            EnterFunction enter = nullptr) {
  FieldRule rule{.name = name, .type = FieldType::kMessage};
  rule.message = message;
  rule.enter = enter;
  return rule;
}
constexpr FieldRule Required(FieldRule rule) {
  rule.required = true;
  return rule;
}
constexpr FieldRule Repeated(FieldRule rule, uint32_t count_max) {
  rule.count_max = count_max;
  return rule;
}

// Store<&EventView::tlp>: a StoreFunction that assigns to this member of the object it is given.
template <typename Owner, typename Value>
Owner OwnerOf(Value Owner::*);
template <auto kMember>
void Store(void* out, uint64_t number, ByteSpan bytes) {
  auto& field = static_cast<decltype(OwnerOf(kMember))*>(out)->*kMember;
  using Value = std::remove_reference_t<decltype(field)>;
  if constexpr (std::is_integral_v<Value>) {
    field = static_cast<Value>(number);
  } else if constexpr (std::is_same_v<Value, std::string_view> ||
                       std::is_same_v<Value, absl::string_view>) {
    field = Value(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else if constexpr (std::is_same_v<Value, ByteSpan>) {
    field = bytes;
  } else if constexpr (requires { field.bytes; }) {
    std::memcpy(field.bytes.data(), bytes.data(), Value::size());  // Its rule fixes the size.
  } else {
    field = Value(static_cast<typename Value::ValueType>(number));  // A StrongId.
  }
}

// Scans `bytes` as one message of `rules` and stores its fields into `out`. `name` begins the path
// in errors. On an error `out` holds whatever was read before it.
// Errors: kInvalidArgument "name.field: what is wrong".
absl::Status ScanMessage(absl::string_view name, const MessageRules& rules, ByteSpan bytes,
                         void* out);

}  // namespace vigil::ledger::internal

#endif  // VIGIL_LEDGER_CHAIN_MESSAGE_RULES_H_
