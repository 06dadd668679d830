#include "client/ingest/mapper.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/ingest/value_parsers.h"

namespace vigil::client {
namespace {

constexpr size_t kSourceBytesMax = 64;
// More of a list is not worth joining: a pair holds 2,048 bytes.
constexpr size_t kJoinedBytesMax = 4096;

bool Applies(const Plan::CompiledCondition& condition, absl::string_view text) {
  return condition.prefix ? absl::StartsWith(text, condition.equals) : text == condition.equals;
}

}  // namespace

void Mapper::Begin(const Plan* plan, absl::string_view family, absl::string_view log) {
  plan_ = plan;
  builder_.Reset();
  seen_.reset();
  seen_paths_.clear();
  error_.clear();
  repaired_ = false;
  v1::Event* const event = builder_.event();
  if (!plan->strict()) {
    event->set_severity_id(plan->severity_id());
    event->set_mapping_id(plan->mapping_id());
    if (log.empty()) {
      event->set_source(plan->source());
    } else {
      source_ = absl::StrCat(family, ".", log);
      builder_.SetText(event->mutable_source(), source_, kSourceBytesMax, "source");
    }
    if (!plan->app_protocol().empty()) event->set_app_protocol(plan->app_protocol());
  }
  builder_.set_class_uid(plan->class_uid());
  builder_.set_activity_id(plan->activity_id());
}

void Mapper::ApplyConditions(const Plan::Entry& entry, absl::string_view text) {
  v1::Event* const event = builder_.event();
  std::bitset<8> decided;
  for (const Plan::CompiledCondition& condition : entry.conditions) {
    const auto trait = static_cast<size_t>(condition.trait);
    if (decided[trait] || !Applies(condition, text)) continue;
    decided.set(trait);
    switch (condition.trait) {
      case Trait::kActivity:
        builder_.set_activity_id(condition.number);
        break;
      case Trait::kStatus:
        event->set_status_id(condition.number);
        break;
      case Trait::kSeverity:
        event->set_severity_id(condition.number);
        break;
      case Trait::kAction:
        event->set_action_id(condition.number);
        break;
      case Trait::kDisposition:
        event->set_disposition_id(condition.number);
        break;
    }
  }
}

void Mapper::Put(absl::string_view path, const Plan::Entry* entry, std::span<const Value> values) {
  if (values.empty()) return;
  if (entry == nullptr) return PutUnknown(path, values);
  if (plan_->strict() && !seen_paths_.emplace(path).second) {
    return Refuse(path, "the field comes twice");
  }
  if (!entry->conditions.empty()) {
    for (const Value& value : values) ApplyConditions(*entry, value.text);
  }
  if (entry->target == nullptr) return Keep(path, values);
  if (entry->target->repeated || entry->wildcard_size > 0) return PutEach(path, *entry, values);
  // The first value of a field counts; a second under the same name is kept, not obeyed.
  if (seen_[entry->index]) return Keep(path, values);
  seen_.set(entry->index);
  if (entry->target->joined && values.size() > 1) {
    const Value list{.kind = Value::Kind::kText, .text = Join(values)};
    entry->target->set(&builder_, list, entry->argument);
    return;
  }
  if (!entry->target->set(&builder_, values[0], entry->argument)) {
    ++stats_.mismatched_values;
    if (plan_->strict()) return Refuse(path, "value does not fit");
    return Keep(path, values);
  }
  if (values.size() > 1) Keep(path, values);
}

void Mapper::PutList(absl::string_view path, const Plan::Entry* entry,
                     std::span<const Value> values) {
  const bool takes_lists = entry == nullptr || entry->target == nullptr ||
                           entry->target->repeated || entry->target->joined ||
                           entry->wildcard_size > 0;
  if (plan_->strict() && !takes_lists) return Refuse(path, "a list where one value belongs");
  Put(path, entry, values);
}

void Mapper::PutEach(absl::string_view path, const Plan::Entry& entry,
                     std::span<const Value> values) {
  const absl::string_view argument =
      entry.wildcard_size > 0 ? path.substr(entry.wildcard_size) : entry.argument;
  for (const Value& value : values) {
    if (entry.target->set(&builder_, value, argument)) continue;
    ++stats_.mismatched_values;
    if (plan_->strict()) return Refuse(path, "value does not fit");
    Keep(path, {&value, 1});
  }
}

void Mapper::PutRaw(absl::string_view path, const Plan::Entry* entry, absl::string_view text) {
  if (entry != nullptr && entry->target != nullptr && entry->target->name == "ignore") return;
  if (plan_->strict()) return Refuse(path, "a list or object where a value belongs");
  PutUnknown(path, std::span<const Value>());
  builder_.AddUnmapped(path, text);
}

void Mapper::PutUnknown(absl::string_view path, std::span<const Value> values) {
  if (plan_->strict()) return Refuse(path, "unknown field");
  auto& unknown = stats_.unknown_fields;
  const auto at = unknown.find(path);
  if (at != unknown.end()) {
    ++at->second;
  } else if (unknown.size() < MappingStats::kUnknownFieldsMax) {
    unknown.emplace(std::string(TruncateUtf8(path, 128)), 1);
  } else {
    ++unknown["..."];
  }
  Keep(path, values);
}

void Mapper::Keep(absl::string_view path, std::span<const Value> values) {
  if (values.empty()) return;
  if (values.size() == 1) return builder_.AddUnmapped(path, PlainText(values[0]));
  builder_.AddUnmapped(path, Join(values));
}

absl::string_view Mapper::Join(std::span<const Value> values) {
  joined_.clear();
  for (const Value& value : values) {
    if (joined_.size() > kJoinedBytesMax) break;
    if (!joined_.empty()) joined_.push_back(',');
    const absl::string_view text = PlainText(value);
    joined_.append(text.data(), text.size());
  }
  return joined_;
}

void Mapper::Refuse(absl::string_view path, absl::string_view why) {
  if (error_.empty()) error_ = absl::StrCat(TruncateUtf8(path, 128), ": ", why);
}

void Mapper::MarkRepaired() {
  repaired_ = true;
  builder_.MarkRepaired();
}

absl::StatusOr<EncodedEvent> Mapper::Finish(absl::string_view line) {
  if (!error_.empty()) return absl::InvalidArgumentError(error_);
  if (builder_.event()->time_unix_nano() == 0) {
    return absl::InvalidArgumentError("no usable time");
  }
  if (plan_->strict() && !seen_paths_.contains("class_uid") && !seen_paths_.contains("type_uid")) {
    return absl::InvalidArgumentError("no class_uid or type_uid");
  }
  const uint32_t class_uid = builder_.class_uid();
  absl::StatusOr<EncodedEvent> encoded = builder_.Finish(line, raw_mode_);
  if (!encoded.ok()) return encoded;
  ++stats_.events;
  if (class_uid != kBaseEventClass) ++stats_.specific_class_events;
  if (builder_.truncated()) ++stats_.truncated_events;
  if (repaired_) ++stats_.repaired_events;
  return encoded;
}

}  // namespace vigil::client
