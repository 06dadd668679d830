#include "client/ingest/byte_stream.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

constexpr size_t kInputBytes = 128 * 1024;
// A gzip header of any window size.
constexpr int kGzipWindowBits = 15 + 16;
// How long a stop goes unseen when the signal came between a look at it and the wait.
constexpr int kLookMillis = 100;

}  // namespace

struct ByteStream::Impl {
  ~Impl() {
    if (inflating) inflateEnd(&zip);
    if (descriptor > STDERR_FILENO) close(descriptor);
  }

  bool stopped() const { return stop != nullptr && *stop; }
  // Waits until something can be read, or the end. Errors: kCancelled.
  absl::Status WaitReadable();
  // Reads more input behind what is left of it; sets `at_end`.
  absl::Status Fill();
  absl::StatusOr<size_t> Inflate(char* out, size_t size);
  absl::Status DataLoss(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat(name, ": gzip data ", what));
  }

  int descriptor = -1;
  std::string name;
  const std::atomic<bool>* stop = nullptr;
  bool waits = false;  // Not a regular file: a read may find nothing yet.
  std::string input;
  size_t used = 0;
  bool at_end = false;
  bool gzip = false;
  bool inflating = false;  // `zip` is set up.
  bool in_member = false;
  z_stream zip{};
};

absl::Status ByteStream::Impl::WaitReadable() {
  pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
  for (;;) {
    if (stopped()) return absl::CancelledError(absl::StrCat(name, ": interrupted"));
    if (!waits || poll(&waited, 1, kLookMillis) > 0) return absl::OkStatus();
  }
}

absl::Status ByteStream::Impl::Fill() {
  if (used > 0) {
    input.erase(0, used);
    used = 0;
  }
  const size_t held = input.size();
  input.resize(held + kInputBytes);
  ssize_t count = -1;
  absl::Status waited;
  do {
    waited = WaitReadable();
    if (waited.ok()) count = read(descriptor, input.data() + held, kInputBytes);
  } while (waited.ok() && count < 0 && (errno == EINTR || errno == EAGAIN));
  const int error = errno;
  input.resize(held + static_cast<size_t>(std::max<ssize_t>(count, 0)));
  RETURN_IF_ERROR(waited);
  if (count < 0) {
    return absl::UnavailableError(absl::StrCat(name, ": ", std::strerror(error)));
  }
  at_end = count == 0;
  return absl::OkStatus();
}

absl::StatusOr<size_t> ByteStream::Impl::Inflate(char* out, size_t size) {
  zip.next_out = reinterpret_cast<Bytef*>(out);
  zip.avail_out = static_cast<uInt>(size);
  while (zip.avail_out == size) {
    if (used == input.size() && !at_end) RETURN_IF_ERROR(Fill());
    if (used == input.size()) {
      if (in_member) return DataLoss("ends early");
      return 0;
    }
    if (!in_member) {
      if (inflateReset(&zip) != Z_OK) return DataLoss("cannot be read");
      in_member = true;
    }
    zip.next_in = reinterpret_cast<Bytef*>(input.data() + used);
    zip.avail_in = static_cast<uInt>(input.size() - used);
    const int result = inflate(&zip, Z_NO_FLUSH);
    used = input.size() - zip.avail_in;
    if (result == Z_STREAM_END) {
      in_member = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      // What came out before the damage still counts; the next call fails again.
      if (zip.avail_out != size) break;
      return DataLoss(
          absl::StrCat("is damaged: ", zip.msg == nullptr ? "no gzip member" : zip.msg));
    }
  }
  return size - zip.avail_out;
}

ByteStream::ByteStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ByteStream::~ByteStream() = default;

absl::StatusOr<std::unique_ptr<ByteStream>> ByteStream::Open(int descriptor, std::string name,
                                                             const std::atomic<bool>* stop) {
  auto impl = std::make_unique<Impl>();
  impl->descriptor = descriptor;
  impl->name = std::move(name);
  impl->stop = stop;
  struct stat info {};
  impl->waits = fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode);
  while (impl->input.size() < 2 && !impl->at_end) RETURN_IF_ERROR(impl->Fill());
  impl->gzip = absl::string_view(impl->input).substr(0, 2) == "\x1f\x8b";
  if (impl->gzip) {
    VIGIL_CHECK(inflateInit2(&impl->zip, kGzipWindowBits) == Z_OK);
    impl->inflating = true;
  }
  return std::unique_ptr<ByteStream>(new ByteStream(std::move(impl)));
}

absl::StatusOr<size_t> ByteStream::Read(char* out, size_t size) {
  if (impl_->gzip) return impl_->Inflate(out, size);
  if (impl_->used == impl_->input.size() && !impl_->at_end) RETURN_IF_ERROR(impl_->Fill());
  const size_t count = std::min(size, impl_->input.size() - impl_->used);
  std::memcpy(out, impl_->input.data() + impl_->used, count);
  impl_->used += count;
  return count;
}

bool ByteStream::is_gzip() const { return impl_->gzip; }
int ByteStream::descriptor() const { return impl_->descriptor; }
bool ByteStream::HasBufferedInput() const {
  return impl_->used < impl_->input.size() || impl_->at_end;
}

}  // namespace vigil::client
