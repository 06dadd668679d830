#include "client/ingest/quarantine.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/ingest/json_text.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

}  // namespace

absl::Status QuarantineFile::Add(absl::string_view input, uint64_t line, absl::string_view reason,
                                 uint64_t size, absl::string_view raw) {
  raw = raw.substr(0, kRawBytesMax);
  buffered_.append("{\"input\":");
  AppendJsonString(&buffered_, RepairUtf8(input));
  absl::StrAppend(&buffered_, ",\"line\":", line, ",\"reason\":");
  AppendJsonString(&buffered_, RepairUtf8(reason));
  absl::StrAppend(&buffered_, ",\"size\":", size);
  if (IsValidUtf8(raw)) {
    buffered_.append(",\"raw\":");
    AppendJsonString(&buffered_, raw);
  } else {
    absl::StrAppend(&buffered_, ",\"raw_base64\":\"", absl::Base64Escape(raw), "\"");
  }
  buffered_.append("}\n");
  return buffered_.size() >= kBufferBytes ? Write() : absl::OkStatus();
}

absl::Status QuarantineFile::Write() {
  if (file_ == nullptr) {
    ASSIGN_OR_RETURN(file_, files_->OpenAppend(path_));
    const size_t slash = path_.rfind('/');
    RETURN_IF_ERROR(files_->SyncDir(slash == std::string::npos ? "." : path_.substr(0, slash)));
  }
  RETURN_IF_ERROR(file_->Append(AsBytes(buffered_)));
  buffered_.clear();
  unsynced_ = true;
  return absl::OkStatus();
}

absl::Status QuarantineFile::Sync() {
  if (!buffered_.empty()) RETURN_IF_ERROR(Write());
  if (!unsynced_) return absl::OkStatus();
  RETURN_IF_ERROR(file_->Sync());
  unsynced_ = false;
  return absl::OkStatus();
}

}  // namespace vigil::client
