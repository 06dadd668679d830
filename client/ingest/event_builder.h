// Puts one event together from the fields of a log line, within the caps of the event format.
//
// Text that is too long is cut at a character, what no longer fits is left out, and both are said
// in the event itself: the pair "vigil.truncated" names the fields. Belongs to one thread; one
// builder is reused for all lines.
#ifndef VIGIL_CLIENT_INGEST_EVENT_BUILDER_H_
#define VIGIL_CLIENT_INGEST_EVENT_BUILDER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/lib/event_encoder.h"
#include "ledger/crypto/keys.h"
#include "vigil/v1/event.pb.h"

namespace vigil::client {

// What becomes of the original line.
enum class RawMode {
  kNone,    // Nothing of it.
  kCommit,  // SHA-256 of salt and line, and its size: the line can be proven later.
  kKeep,    // The line itself when it has at most 8 KiB, else as kCommit.
};

inline constexpr absl::string_view kTruncatedKey = "vigil.truncated";
inline constexpr absl::string_view kRepairedKey = "vigil.repaired";

class EventBuilder {
 public:
  // `salts` must outlive the builder.
  explicit EventBuilder(ledger::SaltSource* salts) : salts_(salts) {}

  // Forgets everything of the event before.
  void Reset();

  // The message, for fields without a cap. Sub-messages may be touched only with a value at hand:
  // an empty one is not canonical.
  v1::Event* event() { return &event_; }
  void set_class_uid(uint32_t class_uid) { class_uid_ = class_uid; }
  void set_activity_id(uint32_t activity_id) { activity_id_ = activity_id; }
  uint32_t class_uid() const { return class_uid_; }
  // When a flow began, ns: gives the duration of an event that has an end but no duration.
  void set_start_time(uint64_t start_unix_nano) { start_unix_nano_ = start_unix_nano; }

  // Sets `field` to `value`, cut to `size_max` bytes; `name` is for the truncation pair.
  void SetText(std::string* field, absl::string_view value, size_t size_max,
               absl::string_view name);
  // Keeps what no field takes. An empty value is left out.
  void AddUnmapped(absl::string_view key, absl::string_view value);
  // A type and value that the event already has is not added again.
  void AddObservable(uint32_t type_id, absl::string_view value);
  void AddMetric(absl::string_view key, int64_t value_e6);
  void AddAttack(absl::string_view technique);
  void MarkTruncated(absl::string_view name);
  // The line was not valid UTF-8 (or JSON text) and was repaired before it was read.
  void MarkRepaired() { repaired_ = true; }

  bool truncated() const { return !truncated_.empty(); }

  // Completes the event with type, raw line and salt.
  // Errors: kInvalidArgument as EncodeEvent.
  absl::StatusOr<EncodedEvent> Finish(absl::string_view line, RawMode raw_mode);

 private:
  // Adds a pair if it keeps within `pairs_max` and `bytes_max` in all.
  bool TryAddPair(absl::string_view key, absl::string_view value, int pairs_max, size_t bytes_max);
  void SetRaw(absl::string_view line, RawMode raw_mode);
  void FitSize();

  ledger::SaltSource* const salts_;
  v1::Event event_;
  uint32_t class_uid_ = 0;
  uint32_t activity_id_ = 0;
  uint64_t start_unix_nano_ = 0;
  size_t unmapped_bytes_ = 0;
  std::string truncated_;
  bool repaired_ = false;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_EVENT_BUILDER_H_
