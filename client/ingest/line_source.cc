#include "client/ingest/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ingest/byte_stream.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kPeekBytesMax = 64 * 1024;
// What is shown of a line that is too long.
constexpr size_t kPrefixBytes = 4096;

class StreamLineSource final : public LineSource {
 public:
  StreamLineSource(std::unique_ptr<ByteStream> stream, FileIdentity identity, bool is_regular)
      : stream_(std::move(stream)), identity_(identity), is_regular_(is_regular) {}

  absl::StatusOr<std::string> Peek(size_t size_max) override;
  absl::StatusOr<bool> Next(SourceLine* line) override;
  bool WaitReadable(int millis) override;
  absl::StatusOr<std::string> Skip(uint64_t offset, size_t tail_size) override;

  uint64_t offset() const override { return offset_; }
  absl::string_view tail() const override { return tail_; }
  bool is_regular_file() const override { return is_regular_; }
  const absl::Status& failure() const override { return error_; }
  bool is_gzip() const override { return stream_->is_gzip(); }
  const FileIdentity& identity() const override { return identity_; }

 private:
  size_t buffered() const { return buffer_.size() - begin_; }
  // Reads more behind what is buffered. An error is kept for when the buffer is used up.
  void Fill();
  // Gives out the first `size` bytes of the buffer as a line.
  void Emit(size_t size, bool terminated, SourceLine* line);
  void EmitTooLong(SourceLine* line);
  void RememberTail(absl::string_view bytes);

  const std::unique_ptr<ByteStream> stream_;
  const FileIdentity identity_;
  const bool is_regular_;
  std::string buffer_;
  size_t begin_ = 0;    // Of what is not given out yet.
  size_t scanned_ = 0;  // Bytes from begin_ known to hold no line end.
  bool at_end_ = false;
  absl::Status error_;
  uint64_t offset_ = 0;
  std::string tail_;
  std::string prefix_;
};

void StreamLineSource::Fill() {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  const size_t held = buffer_.size();
  buffer_.resize(held + kReadBytes);
  absl::StatusOr<size_t> count = stream_->Read(buffer_.data() + held, kReadBytes);
  if (!count.ok()) error_ = count.status();
  buffer_.resize(held + (count.ok() ? *count : 0));
  at_end_ = !count.ok() || *count == 0;
}

absl::StatusOr<std::string> StreamLineSource::Peek(size_t size_max) {
  VIGIL_CHECK(offset_ == 0);
  const size_t wanted = std::min(size_max, kPeekBytesMax);
  while (buffered() < wanted && !at_end_) {
    // A pipe may pause after its first line, which is all there is to see for now.
    if (!is_regular_ && buffered() > 0 && buffer_.find('\n', begin_) != std::string::npos) break;
    Fill();
  }
  if (buffered() == 0 && !error_.ok()) return error_;
  return buffer_.substr(begin_, wanted);
}

void StreamLineSource::RememberTail(absl::string_view bytes) {
  const size_t size = std::min(bytes.size(), kTailBytesMax);
  tail_.assign(bytes.data() + bytes.size() - size, size);
}

void StreamLineSource::Emit(size_t size, bool terminated, SourceLine* line) {
  absl::string_view text(buffer_.data() + begin_, size);
  RememberTail(absl::string_view(text.data(), size + (terminated ? 1 : 0)));
  begin_ += size + (terminated ? 1 : 0);
  offset_ += size + (terminated ? 1 : 0);
  scanned_ = 0;
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  line->text = text;
  line->size = text.size();
  line->terminated = terminated;
  line->broken = !terminated && !error_.ok();
}

void StreamLineSource::EmitTooLong(SourceLine* line) {
  prefix_ = buffer_.substr(begin_, kPrefixBytes);
  uint64_t size = 0;
  bool terminated = false;
  while (!terminated) {
    const size_t end = buffer_.find('\n', begin_);
    terminated = end != std::string::npos;
    const size_t taken = (terminated ? end : buffer_.size()) - begin_;
    RememberTail(absl::string_view(buffer_.data() + begin_, taken + (terminated ? 1 : 0)));
    size += taken;
    begin_ += taken + (terminated ? 1 : 0);
    if (terminated || at_end_) break;
    Fill();
  }
  offset_ += size + (terminated ? 1 : 0);
  scanned_ = 0;
  line->text = prefix_;
  line->size = size;
  line->too_long = true;
  line->terminated = terminated;
  line->broken = !terminated && !error_.ok();
}

absl::StatusOr<bool> StreamLineSource::Next(SourceLine* line) {
  *line = SourceLine();
  for (;;) {
    const char* const from = buffer_.data() + begin_;
    const void* const found =
        buffered() > scanned_ ? std::memchr(from + scanned_, '\n', buffered() - scanned_) : nullptr;
    if (found != nullptr) {
      const auto size = static_cast<size_t>(static_cast<const char*>(found) - from);
      if (size > kLineBytesMax) {
        EmitTooLong(line);
      } else {
        Emit(size, /*terminated=*/true, line);
      }
      return true;
    }
    scanned_ = buffered();
    if (scanned_ > kLineBytesMax) {
      EmitTooLong(line);
      return true;
    }
    if (at_end_) break;
    Fill();
  }
  if (buffered() > 0) {
    Emit(buffered(), /*terminated=*/false, line);
    return true;
  }
  if (!error_.ok()) return error_;
  return false;
}

bool StreamLineSource::WaitReadable(int millis) {
  if (is_regular_ || at_end_ || stream_->HasBufferedInput()) return true;
  if (buffered() > 0 && buffer_.find('\n', begin_) != std::string::npos) return true;
  pollfd waited{.fd = stream_->descriptor(), .events = POLLIN, .revents = 0};
  // Interrupted by a signal counts as nothing yet, so that the caller looks at its stop flag.
  return poll(&waited, 1, millis) > 0;
}

absl::StatusOr<std::string> StreamLineSource::Skip(uint64_t offset, size_t tail_size) {
  VIGIL_CHECK(offset_ == 0);
  std::string tail;
  while (offset_ < offset) {
    if (buffered() == 0) {
      if (!error_.ok()) return error_;
      if (at_end_) return absl::OutOfRangeError(absl::StrCat("the stream ends at ", offset_));
      Fill();
      continue;
    }
    const auto taken = static_cast<size_t>(std::min<uint64_t>(buffered(), offset - offset_));
    tail.append(buffer_, begin_, taken);
    if (tail.size() > tail_size) tail.erase(0, tail.size() - tail_size);
    begin_ += taken;
    offset_ += taken;
  }
  RememberTail(tail);
  return tail;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LineSource>> LineSource::OfDescriptor(
    int descriptor, const std::string& name, const std::atomic<bool>* stop) {
  struct stat info {};
  if (fstat(descriptor, &info) != 0) {
    const int error = errno;
    close(descriptor);
    return absl::UnavailableError(absl::StrCat(name, ": ", std::strerror(error)));
  }
  if (S_ISDIR(info.st_mode)) {
    close(descriptor);
    return absl::InvalidArgumentError(absl::StrCat(name, ": is a folder; name its files"));
  }
  const FileIdentity identity{
      .device = info.st_dev, .inode = info.st_ino, .size = static_cast<uint64_t>(info.st_size)};
  ASSIGN_OR_RETURN(std::unique_ptr<ByteStream> stream, ByteStream::Open(descriptor, name, stop));
  return std::make_unique<StreamLineSource>(std::move(stream), identity, S_ISREG(info.st_mode));
}

absl::StatusOr<std::unique_ptr<LineSource>> LineSource::Open(const std::string& path,
                                                             const std::atomic<bool>* stop) {
  if (path == "-") return OfDescriptor(STDIN_FILENO, "standard input", stop);
  // Without O_NONBLOCK, open() itself would wait for somebody to write to a pipe.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor >= 0) return OfDescriptor(descriptor, path, stop);
  const std::string what = absl::StrCat(path, ": ", std::strerror(errno));
  if (errno == ENOENT) return absl::NotFoundError(what);
  if (errno == EACCES) return absl::PermissionDeniedError(what);
  return absl::UnavailableError(what);
}

}  // namespace vigil::client
