// Lines of a file or of standard input, plain or gzip, with their place in the decompressed stream.
//
// Belongs to one thread. Memory is bounded by kLineBytesMax; a longer line is reported with its
// size and beginning. CR LF counts as a line end. Several gzip members in a row are one stream.
#ifndef VIGIL_CLIENT_INGEST_LINE_SOURCE_H_
#define VIGIL_CLIENT_INGEST_LINE_SOURCE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::client {

inline constexpr size_t kLineBytesMax = 1024 * 1024;

struct SourceLine {
  absl::string_view text;  // Without its line end; of a line that is too long, the beginning.
  uint64_t size = 0;       // Of the whole line without its line end.
  bool too_long = false;   // More than kLineBytesMax.
  bool terminated = true;  // False for a last line without a line end.
  bool broken = false;     // The stream breaks off inside it; Next() then returns the error.
};

// Which file it is, apart from its name.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;  // On disk, compressed or not.
};

class LineSource {
 public:
  // The head of a stream that tells it from others: its first KiB.
  static constexpr size_t kHeadBytesMax = 1024;
  // The bytes before a position that tell whether the stream up to it is still the same.
  static constexpr size_t kTailBytesMax = 64;

  // Opens a regular file or a pipe, "-" for standard input. A pipe that nobody writes to is waited
  // for. Setting `stop`, which may be nullptr and else must outlive the source, ends every wait
  // and every read with kCancelled.
  // Errors: kNotFound, kPermissionDenied, kUnavailable, each with path and system text.
  static absl::StatusOr<std::unique_ptr<LineSource>> Open(const std::string& path,
                                                          const std::atomic<bool>* stop = nullptr);
  // The same over an open descriptor, which the source then owns.
  static absl::StatusOr<std::unique_ptr<LineSource>> OfDescriptor(
      int descriptor, const std::string& name, const std::atomic<bool>* stop = nullptr);

  virtual ~LineSource() = default;

  // The first bytes of the stream, at most `size_max` and 64 KiB, without consuming them. Only
  // before the first Next() or Skip().
  virtual absl::StatusOr<std::string> Peek(size_t size_max) = 0;
  // What Next() will fail with behind what was peeked at; OK while nothing is known to be wrong.
  virtual const absl::Status& failure() const = 0;
  // False at the end. `line` is valid until the next call.
  // Errors: kDataLoss for damaged or truncated gzip data, kUnavailable for I/O errors, kCancelled.
  virtual absl::StatusOr<bool> Next(SourceLine* line) = 0;
  // Whether Next() would find something, or the end, within `millis`. Always true for files.
  virtual bool WaitReadable(int millis) = 0;
  // Goes to `offset` of the stream and returns the up to `tail_size` bytes before it.
  // Only before the first Next(). Errors: kOutOfRange when the stream is shorter; as Next().
  virtual absl::StatusOr<std::string> Skip(uint64_t offset, size_t tail_size) = 0;

  // Behind the last line returned, line end included.
  virtual uint64_t offset() const = 0;
  // The last up to kTailBytesMax bytes of the last line returned, line end included.
  virtual absl::string_view tail() const = 0;
  virtual bool is_regular_file() const = 0;
  virtual bool is_gzip() const = 0;
  virtual const FileIdentity& identity() const = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_LINE_SOURCE_H_
