// Carries the values of one line through a plan into an event.
//
// Belongs to one thread. What does not fit its field is kept in `unmapped` under its own name, so a
// bad address or an overflowing number costs neither the line nor the value. Only an event without
// a usable time is refused, and in a strict family every field that is unknown, does not fit or
// comes twice, and an event without a class.
#ifndef VIGIL_CLIENT_INGEST_MAPPER_H_
#define VIGIL_CLIENT_INGEST_MAPPER_H_

#include <bitset>
#include <cstdint>
#include <span>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/ingest/event_builder.h"
#include "client/ingest/mapping.h"

namespace vigil::client {

// What a mapper has seen so far.
struct MappingStats {
  static constexpr size_t kUnknownFieldsMax = 1000;

  uint64_t events = 0;
  uint64_t specific_class_events = 0;  // Of a class of their own, not the base event.
  uint64_t truncated_events = 0;
  uint64_t repaired_events = 0;
  uint64_t mismatched_values = 0;  // Kept in `unmapped`: they did not fit their field.
  // Fields that no table speaks of, with how often: the drift of a source. Further ones beyond
  // the maximum are counted under "...".
  absl::flat_hash_map<std::string, uint64_t> unknown_fields;
};

class Mapper {
 public:
  Mapper(ledger::SaltSource* salts, RawMode raw_mode) : builder_(salts), raw_mode_(raw_mode) {}

  // Starts an event of `plan`, which must outlive it. `log` names the log when the plan is the
  // generic one ("zeek.<log>"); empty: the plan's own name.
  void Begin(const Plan* plan, absl::string_view family, absl::string_view log);

  // Puts the values of the field at `path`. `entry` is plan.Find(path). A strict family refuses a
  // field that comes twice.
  void Put(absl::string_view path, const Plan::Entry* entry, std::span<const Value> values);
  void Put(absl::string_view path, const Plan::Entry* entry, const Value& value) {
    Put(path, entry, std::span<const Value>(&value, 1));
  }
  // The same for a list, which a strict family takes only where several values belong.
  void PutList(absl::string_view path, const Plan::Entry* entry, std::span<const Value> values);
  // Keeps text that is no scalar (nested JSON) as it is. `entry` may have the target "ignore".
  void PutRaw(absl::string_view path, const Plan::Entry* entry, absl::string_view text);
  void MarkRepaired();
  // The line has more than is carried on: "truncated" names `what`.
  void MarkTruncated(absl::string_view what) { builder_.MarkTruncated(what); }

  // Errors: kInvalidArgument with the reason to quarantine the line.
  absl::StatusOr<EncodedEvent> Finish(absl::string_view line);

  const Plan& plan() const { return *plan_; }
  const MappingStats& stats() const { return stats_; }

 private:
  void ApplyConditions(const Plan::Entry& entry, absl::string_view text);
  void PutEach(absl::string_view path, const Plan::Entry& entry, std::span<const Value> values);
  void PutUnknown(absl::string_view path, std::span<const Value> values);
  void Keep(absl::string_view path, std::span<const Value> values);
  // The values with commas between them; valid until the next call.
  absl::string_view Join(std::span<const Value> values);
  void Refuse(absl::string_view path, absl::string_view why);

  EventBuilder builder_;
  const RawMode raw_mode_;
  const Plan* plan_ = nullptr;
  std::bitset<Plan::kEntriesMax> seen_;
  absl::flat_hash_set<std::string> seen_paths_;  // In a strict family alone.
  std::string source_;
  std::string error_;  // First reason to refuse the line; empty: none.
  std::string joined_;
  bool repaired_ = false;
  MappingStats stats_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_MAPPER_H_
