#include "client/ingest/json_walker.h"

#include <cstring>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/status_macros.h"
#include "simdjson.h"

namespace vigil::client {
namespace {

namespace ondemand = simdjson::ondemand;

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

absl::Status Malformed(simdjson::error_code error) {
  return absl::InvalidArgumentError(absl::StrCat("not JSON: ", simdjson::error_message(error)));
}

// RFC 8259, section 6.
bool IsJsonNumber(absl::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t from = at;
    while (at < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[at]))) ++at;
    return at - from;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const size_t whole_at = at;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[whole_at] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Reads a scalar; `value->text` stays empty for null and for the empty string.
simdjson::error_code ReadScalar(ondemand::value json, ondemand::json_type type, Value* value) {
  value->text = absl::string_view();
  switch (type) {
    case ondemand::json_type::string: {
      std::string_view text;
      const simdjson::error_code error = json.get_string().get(text);
      value->kind = Value::Kind::kText;
      value->text = View(text);
      return error;
    }
    case ondemand::json_type::number: {
      value->kind = Value::Kind::kNumber;
      value->text = absl::StripAsciiWhitespace(View(json.raw_json_token()));
      if (!IsJsonNumber(value->text)) return simdjson::NUMBER_ERROR;
      return json.get_number().error() == simdjson::INCORRECT_TYPE ? simdjson::NUMBER_ERROR
                                                                   : simdjson::SUCCESS;
    }
    case ondemand::json_type::boolean: {
      bool flag = false;
      const simdjson::error_code error = json.get_bool().get(flag);
      value->kind = Value::Kind::kBool;
      value->text = flag ? "true" : "false";
      return error;
    }
    default: {
      bool is_null = false;
      const simdjson::error_code error = json.is_null().get(is_null);
      if (error) return error;
      return is_null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    }
  }
}

}  // namespace

struct JsonWalker::Impl {
  ondemand::parser parser;
  ondemand::document document;
  std::string buffer;
  std::string path;
  Mapper* mapper = nullptr;
  // What a look at the outermost object ran into. The document must not be touched after it.
  simdjson::error_code failed = simdjson::SUCCESS;

  // Goes back to the start after a look that ended with `error`.
  void Rewind(simdjson::error_code error) {
    if (document.is_alive()) {
      document.rewind();
    } else {
      failed = error;
    }
  }
  simdjson::error_code WalkObject(ondemand::object object, int depth);
  simdjson::error_code WalkValue(ondemand::value value, int depth);
  simdjson::error_code WalkList(ondemand::array list, int depth);
};

simdjson::error_code JsonWalker::Impl::WalkObject(ondemand::object object, int depth) {
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return error;
    const size_t parent_size = path.size();
    if (!path.empty()) path.push_back('.');
    path.append(key);
    ondemand::value value;
    if (const auto error = field.value().get(value)) return error;
    if (const auto error = WalkValue(value, depth)) return error;
    path.resize(parent_size);
  }
  return simdjson::SUCCESS;
}

simdjson::error_code JsonWalker::Impl::WalkValue(ondemand::value value, int depth) {
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return error;
    if (depth < kDepthMax) return WalkObject(object, depth + 1);
    std::string_view raw;
    if (const auto error = object.raw_json().get(raw)) return error;
    mapper->PutRaw(path, mapper->plan().Find(path), View(raw));
    return simdjson::SUCCESS;
  }
  if (type == ondemand::json_type::array) {
    ondemand::array list;
    if (const auto error = value.get_array().get(list)) return error;
    return WalkList(list, depth);
  }
  Value scalar;
  if (const auto error = ReadScalar(value, type, &scalar)) return error;
  if (!scalar.text.empty()) mapper->Put(path, mapper->plan().Find(path), scalar);
  return simdjson::SUCCESS;
}

simdjson::error_code JsonWalker::Impl::WalkList(ondemand::array list, int depth) {
  absl::InlinedVector<Value, 16> values;
  // A strict family has no lists of objects: there each of them would set the same fields.
  const bool walk_objects =
      depth < kDepthMax && !mapper->plan().strict() && mapper->plan().HasChildren(path);
  bool keep_raw = false;
  for (auto item : list) {
    ondemand::value element;
    if (const auto error = item.get(element)) return error;
    ondemand::json_type type;
    if (const auto error = element.type().get(type)) return error;
    if (type == ondemand::json_type::object && walk_objects) {
      ondemand::object object;
      if (const auto error = element.get_object().get(object)) return error;
      if (const auto error = WalkObject(object, depth + 1)) return error;
      continue;
    }
    if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
      keep_raw = true;
      break;
    }
    Value scalar;
    if (const auto error = ReadScalar(element, type, &scalar)) return error;
    if (scalar.text.empty()) continue;
    if (values.size() < kListValuesMax) {
      values.push_back(scalar);
    } else {
      mapper->MarkTruncated(path);
    }
  }
  if (keep_raw) {
    if (const auto error = list.reset().error()) return error;
    std::string_view raw;
    if (const auto error = list.raw_json().get(raw)) return error;
    mapper->PutRaw(path, mapper->plan().Find(path), View(raw));
    return simdjson::SUCCESS;
  }
  mapper->PutList(path, mapper->plan().Find(path),
                  std::span<const Value>(values.data(), values.size()));
  return simdjson::SUCCESS;
}

JsonWalker::JsonWalker() : impl_(std::make_unique<Impl>()) {}
JsonWalker::~JsonWalker() = default;

absl::Status JsonWalker::Open(absl::string_view line) {
  const size_t padded = line.size() + simdjson::SIMDJSON_PADDING;
  if (impl_->buffer.size() < padded) impl_->buffer.resize(padded);
  std::memcpy(impl_->buffer.data(), line.data(), line.size());
  std::memset(impl_->buffer.data() + line.size(), 0, simdjson::SIMDJSON_PADDING);
  const auto error =
      impl_->parser.iterate(impl_->buffer.data(), line.size(), padded).get(impl_->document);
  impl_->failed = error;
  return error ? Malformed(error) : absl::OkStatus();
}

std::optional<std::string> JsonWalker::TopText(absl::string_view key) {
  std::optional<std::string> found;
  if (impl_->failed) return found;
  std::string_view text;
  const simdjson::error_code error =
      impl_->document.find_field_unordered(std::string_view(key.data(), key.size()))
          .get_string()
          .get(text);
  if (error == simdjson::SUCCESS) found.emplace(text);
  impl_->Rewind(error);
  return found;
}

std::vector<std::string> JsonWalker::TopKeys() {
  constexpr size_t kKeysMax = 256;
  std::vector<std::string> keys;
  if (impl_->failed) return keys;
  ondemand::object object;
  simdjson::error_code error = impl_->document.get_object().get(object);
  if (error == simdjson::SUCCESS) {
    for (auto field : object) {
      std::string_view key;
      error = field.unescaped_key().get(key);
      if (error || keys.size() >= kKeysMax) break;
      keys.emplace_back(key);
    }
  }
  impl_->Rewind(error);
  return keys;
}

absl::Status JsonWalker::Walk(Mapper* mapper) {
  impl_->mapper = mapper;
  impl_->path.clear();
  if (impl_->failed) return Malformed(impl_->failed);
  ondemand::object object;
  if (impl_->document.get_object().get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  if (const auto error = impl_->WalkObject(object, 1)) return Malformed(error);
  const char* rest = nullptr;
  if (impl_->document.current_location().get(rest) == simdjson::SUCCESS) {
    return absl::InvalidArgumentError("more than one JSON value on the line");
  }
  return absl::OkStatus();
}

namespace {

// The code unit of the escape "\uXXXX" at the front of `text`; -1 when there is none.
int EscapedUnit(absl::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return -1;
  int unit = 0;
  for (size_t i = 2; i < 6; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!absl::ascii_isxdigit(c)) return -1;
    unit = unit * 16 + (c <= '9' ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
  }
  return unit;
}

bool IsHighSurrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool IsLowSurrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

}  // namespace

std::string RepairJsonText(absl::string_view line) {
  const std::string valid = RepairUtf8(line);
  absl::string_view rest = valid;
  std::string repaired;
  repaired.reserve(valid.size());
  const auto keep = [&](size_t size) {
    size = std::min(size, rest.size());
    repaired.append(rest.data(), size);
    rest.remove_prefix(size);
  };
  while (!rest.empty()) {
    if (rest[0] != '\\') {
      keep(std::min(rest.find('\\'), rest.size()));
      continue;
    }
    const int unit = EscapedUnit(rest);
    if (IsHighSurrogate(unit) && IsLowSurrogate(EscapedUnit(rest.substr(6)))) {
      keep(12);
    } else if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
      repaired.append("\\ufffd");
      rest.remove_prefix(6);
    } else {
      keep(2);
    }
  }
  return repaired;
}

}  // namespace vigil::client
