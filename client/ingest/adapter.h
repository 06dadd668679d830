// Adapters: a line of a log in, one event or the reason why not out.
//
// An adapter belongs to one thread and to one input: it may remember what earlier lines said (the
// header of a Zeek TSV log). Every line gets exactly one verdict; nothing is dropped.
#ifndef VIGIL_CLIENT_INGEST_ADAPTER_H_
#define VIGIL_CLIENT_INGEST_ADAPTER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/ingest/event_builder.h"
#include "client/ingest/mapper.h"
#include "client/lib/event_encoder.h"
#include "ledger/crypto/keys.h"

namespace vigil::client {

enum class Format { kAuto, kSuricata, kZeekJson, kZeekTsv, kVigil };

// "auto", "suricata", "zeek-json", "zeek-tsv", "vigil".
absl::string_view FormatName(Format format);
// Errors: kInvalidArgument naming the formats there are.
absl::StatusOr<Format> ParseFormat(absl::string_view name);

struct AdaptedLine {
  enum class Verdict {
    kEvent,        // `event` is set.
    kSkipped,      // Blank, a comment or a header: says nothing that happened.
    kQuarantined,  // `reason` says why.
  };
  Verdict verdict = Verdict::kSkipped;
  EncodedEvent event;
  std::string reason;
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  // `line` is without its line end. Any bytes; at most kLineBytesMax of them.
  virtual AdaptedLine Adapt(absl::string_view line) = 0;
  // What a new adapter must be told to go on after the last line; changes rarely.
  virtual const std::string& state() const = 0;
  // Errors: kInvalidArgument when `state` is not what state() returned.
  virtual absl::Status RestoreState(absl::string_view state) = 0;
  virtual const MappingStats& stats() const = 0;
};

struct AdapterOptions {
  // Of the input, without folders; tells Zeek logs apart that do not name themselves.
  std::string file_name;
  RawMode raw_mode = RawMode::kCommit;
};

// `salts` must outlive the adapter. REQUIRES: `format` is not kAuto.
std::unique_ptr<Adapter> MakeAdapter(Format format, const AdapterOptions& options,
                                     ledger::SaltSource* salts);

// Which format the first lines of an input are in.
// Errors: kInvalidArgument when no line decides; the remedy is --format.
absl::StatusOr<Format> DetectFormat(absl::string_view first_bytes);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_ADAPTER_H_
