// Mappings: tables that say which field of a log goes where in the event, and their flat plans.
//
// A mapping has four sections: static (class, severity ...), direct (field -> target), conditional
// (field has a value -> class, activity, status ...), and the rest, which goes to `unmapped`. It is
// data; a plan is its compiled form with one hash lookup per field. Plans are immutable.
#ifndef VIGIL_CLIENT_INGEST_MAPPING_H_
#define VIGIL_CLIENT_INGEST_MAPPING_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/ingest/event_builder.h"
#include "client/ingest/targets.h"

namespace vigil::client {

// `path` joins the keys of nested objects with dots; `target` is one of targets.h. A path
// "metrics.*" takes every field below `metrics`; what stands for the '*' is the target's argument.
struct FieldRule {
  absl::string_view path;
  absl::string_view target;
};

enum class Trait { kActivity, kStatus, kSeverity, kAction, kDisposition };

// When the field at `path` has the value `equals`, the event gets `number` as its `trait`. A value
// that ends in '*' stands for all that begin so. The first that applies counts for its field.
struct Condition {
  absl::string_view path;
  absl::string_view equals;
  Trait trait;
  uint32_t number;
};

// What the log is missing a table for: the OCSF base event.
inline constexpr uint32_t kBaseEventClass = 0;
inline constexpr uint32_t kActivityOther = 99;

struct LogMapping {
  absl::string_view log = {};  // "conn", "alert"; the key within its family.
  uint32_t class_uid = kBaseEventClass;
  uint32_t activity_id = kActivityOther;  // Until a condition says otherwise.
  uint32_t severity_id = 1;
  absl::string_view app_protocol = {};  // Until a field says otherwise.
  std::span<const FieldRule> rules = {};
  std::span<const Condition> conditions = {};
};

// A family of mappings with what its logs have in common.
struct MappingFamily {
  absl::string_view name = {};  // "zeek": sources are called "zeek.conn", mappings "zeek.conn/1".
  std::span<const LogMapping> logs = {};
  std::span<const FieldRule> common_rules = {};  // A log's own rule for the same path wins.
  // A field without a rule makes the line bad instead of going to `unmapped`.
  bool strict = false;
};

class Plan {
 public:
  struct CompiledCondition {
    std::string equals;
    bool prefix = false;
    Trait trait = Trait::kActivity;
    uint32_t number = 0;
  };
  struct Entry {
    const Target* target = nullptr;  // nullptr: only conditions; the value goes to `unmapped`.
    std::string path;
    std::string argument;
    std::vector<CompiledCondition> conditions;
    size_t index = 0;          // Below kEntriesMax.
    size_t wildcard_size = 0;  // Of a path "x.*": bytes before the '*'; else 0.
  };
  static constexpr size_t kEntriesMax = 256;

  // Errors: kInvalidArgument naming a path given twice or an unknown target.
  static absl::StatusOr<Plan> Compile(const MappingFamily& family, const LogMapping& log);

  // nullptr when the mapping does not speak of `path`.
  const Entry* Find(absl::string_view path) const;
  // Whether some path lies below `path`, so that a list of objects there is worth walking.
  bool HasChildren(absl::string_view path) const { return parents_.contains(path); }

  // The name that `log` has in the events; the plan of unknown logs serves many.
  const std::string& source() const { return source_; }
  const std::string& mapping_id() const { return mapping_id_; }
  uint32_t class_uid() const { return class_uid_; }
  uint32_t activity_id() const { return activity_id_; }
  uint32_t severity_id() const { return severity_id_; }
  const std::string& app_protocol() const { return app_protocol_; }
  bool strict() const { return strict_; }

 private:
  absl::Status AddRules(std::span<const FieldRule> rules, bool own);
  Entry* FindOrAdd(absl::string_view path);

  std::string source_;
  std::string mapping_id_;
  uint32_t class_uid_ = 0;
  uint32_t activity_id_ = 0;
  uint32_t severity_id_ = 0;
  std::string app_protocol_;
  bool strict_ = false;
  bool has_wildcards_ = false;
  std::vector<Entry> entries_;
  absl::flat_hash_map<std::string, size_t> index_by_path_;
  absl::flat_hash_set<std::string> parents_;
};

// All plans of a family, by log.
class PlanSet {
 public:
  // REQUIRES: the family's tables are sound (a test compiles every one).
  explicit PlanSet(const MappingFamily& family);

  // The plan of `log`; the generic one when the family has no table for it.
  const Plan& For(absl::string_view log) const;
  bool Knows(absl::string_view log) const { return plans_.contains(log); }

 private:
  absl::flat_hash_map<std::string, Plan> plans_;
  Plan generic_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_MAPPING_H_
