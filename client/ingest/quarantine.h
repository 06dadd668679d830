// The quarantine file: every line that became no event, with the reason (docs/ingesting.md).
//
// NDJSON, appended to: {"input","line","reason","size","raw"}; `raw_base64` instead of `raw` when
// the line is not UTF-8. Lines are kept up to kRawBytesMax. Belongs to one thread.
#ifndef VIGIL_CLIENT_INGEST_QUARANTINE_H_
#define VIGIL_CLIENT_INGEST_QUARANTINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/storage/file.h"

namespace vigil::client {

class QuarantineFile {
 public:
  static constexpr size_t kRawBytesMax = 64 * 1024;

  // Does not touch the disk before the first line.
  QuarantineFile(ledger::FileSystem* files, std::string path)
      : files_(files), path_(std::move(path)) {}

  // `size` is that of the whole line; `raw` may be its beginning only. Buffered until Sync().
  absl::Status Add(absl::string_view input, uint64_t line, absl::string_view reason, uint64_t size,
                   absl::string_view raw);
  // Makes everything added durable.
  absl::Status Sync();
  const std::string& path() const { return path_; }

 private:
  absl::Status Write();

  ledger::FileSystem* const files_;
  const std::string path_;
  std::unique_ptr<ledger::AppendFile> file_;
  std::string buffered_;
  bool unsynced_ = false;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_QUARANTINE_H_
