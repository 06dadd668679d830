#include "client/ingest/json_adapter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/ingest/json_walker.h"
#include "client/ingest/mapping_tables.h"
#include "client/ingest/zeek_plans.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

const PlanSet& SuricataPlans() {
  static const PlanSet* const kPlans = new PlanSet(SuricataFamily());
  return *kPlans;
}

const PlanSet& VigilPlans() {
  static const PlanSet* const kPlans = new PlanSet(VigilFamily());
  return *kPlans;
}

class JsonAdapter : public Adapter {
 public:
  JsonAdapter(RawMode raw_mode, ledger::SaltSource* salts) : mapper_(salts, raw_mode) {}

  AdaptedLine Adapt(absl::string_view line) final;
  const std::string& state() const final { return state_; }
  absl::Status RestoreState(absl::string_view state) final {
    if (state.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("a JSON log has no state");
  }
  const MappingStats& stats() const final { return mapper_.stats(); }

 protected:
  // Begins the event of the line that `walker` has opened.
  // Errors: kInvalidArgument when the line does not say what it is.
  virtual absl::Status Begin(JsonWalker* walker, Mapper* mapper) = 0;

 private:
  // Up to, but without, the end of the event.
  absl::Status Read(absl::string_view text) {
    RETURN_IF_ERROR(walker_.Open(text));
    RETURN_IF_ERROR(Begin(&walker_, &mapper_));
    return walker_.Walk(&mapper_);
  }

  JsonWalker walker_;
  Mapper mapper_;
  const std::string state_;
};

AdaptedLine JsonAdapter::Adapt(absl::string_view line) {
  AdaptedLine adapted;
  if (absl::StripAsciiWhitespace(line).empty()) return adapted;
  adapted.verdict = AdaptedLine::Verdict::kQuarantined;
  absl::Status status = Read(line);
  if (!status.ok()) {
    // Perhaps only its text is broken: then the rest of it still counts.
    const std::string repaired = RepairJsonText(line);
    if (repaired != line) {
      status = Read(repaired);
      mapper_.MarkRepaired();
    }
  }
  if (!status.ok()) {
    adapted.reason = std::string(status.message());
    return adapted;
  }
  absl::StatusOr<EncodedEvent> event = mapper_.Finish(line);
  if (!event.ok()) {
    adapted.reason = std::string(event.status().message());
    return adapted;
  }
  adapted.verdict = AdaptedLine::Verdict::kEvent;
  adapted.event = *std::move(event);
  return adapted;
}

class SuricataAdapter final : public JsonAdapter {
 public:
  using JsonAdapter::JsonAdapter;

 private:
  absl::Status Begin(JsonWalker* walker, Mapper* mapper) override {
    const std::optional<std::string> type = walker->TopText("event_type");
    if (!type || type->empty()) return absl::InvalidArgumentError("no event_type");
    const bool known = SuricataPlans().Knows(*type);
    mapper->Begin(&SuricataPlans().For(*type), "suricata", known ? absl::string_view() : *type);
    return absl::OkStatus();
  }
};

class ZeekJsonAdapter final : public JsonAdapter {
 public:
  ZeekJsonAdapter(absl::string_view file_name, RawMode raw_mode, ledger::SaltSource* salts)
      : JsonAdapter(raw_mode, salts), log_of_file_(ZeekLogOfFileName(file_name)) {}

 private:
  absl::Status Begin(JsonWalker* walker, Mapper* mapper) override {
    const std::string log = LogOf(walker);
    const bool known = ZeekPlans().Knows(log);
    mapper->Begin(&ZeekPlans().For(log), "zeek", known ? "" : absl::string_view(log));
    return absl::OkStatus();
  }

  // What the line calls itself, else a file name that we know, else what its fields tell, else the
  // file name as it is.
  std::string LogOf(JsonWalker* walker) const {
    const std::optional<std::string> path = walker->TopText("_path");
    if (path && !path->empty()) return *path;
    if (ZeekPlans().Knows(log_of_file_)) return log_of_file_;
    const absl::string_view guess = GuessZeekLog(walker->TopKeys());
    return guess.empty() ? log_of_file_ : std::string(guess);
  }

  const std::string log_of_file_;
};

class VigilAdapter final : public JsonAdapter {
 public:
  using JsonAdapter::JsonAdapter;

 private:
  absl::Status Begin(JsonWalker*, Mapper* mapper) override {
    mapper->Begin(&VigilPlans().For("event"), "vigil", "");
    return absl::OkStatus();
  }
};

// Fields that only this log has together.
struct Signature {
  absl::string_view log;
  absl::string_view fields[3];
};
constexpr Signature kSignatures[] = {
    {"conn", {"conn_state", "id.orig_h", "id.resp_h"}},
    {"dns", {"trans_id", "id.orig_h", "rejected"}},
    {"http", {"trans_depth", "id.orig_h", "request_body_len"}},
    {"ssl", {"established", "id.orig_h", "resumed"}},
    {"ssh", {"auth_attempts", "id.orig_h", "client"}},
    {"notice", {"note", "actions", "suppress_for"}},
    {"weird", {"name", "notice", "peer"}},
    {"dhcp", {"uids", "msg_types", "duration"}},
    {"rdp", {"cert_count", "id.orig_h", "result"}},
    {"smb_files", {"action", "name", "id.orig_h"}},
    {"smb_mapping", {"path", "share_type", "id.orig_h"}},
    {"ftp", {"command", "reply_code", "id.orig_h"}},
    {"smtp", {"helo", "trans_depth", "last_reply"}},
    {"files", {"fuid", "seen_bytes", "analyzers"}},
    {"kerberos", {"request_type", "id.orig_h", "client"}},
    {"software", {"software_type", "host", "unparsed_version"}},
    {"dce_rpc", {"endpoint", "operation", "id.orig_h"}},
    {"modbus", {"func", "id.orig_h", "ts"}},
    {"syslog", {"facility", "severity", "message"}},
};

}  // namespace

absl::string_view GuessZeekLog(std::span<const std::string> fields) {
  absl::string_view guess;
  for (const Signature& signature : kSignatures) {
    const bool matches = std::all_of(
        std::begin(signature.fields), std::end(signature.fields), [&](absl::string_view field) {
          return std::find(fields.begin(), fields.end(), field) != fields.end();
        });
    if (!matches) continue;
    if (!guess.empty()) return {};
    guess = signature.log;
  }
  return guess;
}

absl::string_view ZeekLogOfFileName(absl::string_view file_name) {
  const absl::string_view stem = file_name.substr(0, file_name.find('.'));
  const bool named = file_name.find(".log") != absl::string_view::npos || ZeekPlans().Knows(stem);
  const bool plain = std::all_of(stem.begin(), stem.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
  });
  return named && plain ? stem : absl::string_view();
}

std::unique_ptr<Adapter> MakeJsonAdapter(Format format, const AdapterOptions& options,
                                         ledger::SaltSource* salts) {
  switch (format) {
    case Format::kSuricata:
      return std::make_unique<SuricataAdapter>(options.raw_mode, salts);
    case Format::kZeekJson:
      return std::make_unique<ZeekJsonAdapter>(options.file_name, options.raw_mode, salts);
    default:
      VIGIL_CHECK(format == Format::kVigil, "format ", static_cast<int>(format));
      return std::make_unique<VigilAdapter>(options.raw_mode, salts);
  }
}

}  // namespace vigil::client
