// The bytes of an open file, decompressed when they begin with the gzip magic (RFC 1952).
//
// Belongs to one thread.
#ifndef VIGIL_CLIENT_INGEST_BYTE_STREAM_H_
#define VIGIL_CLIENT_INGEST_BYTE_STREAM_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace vigil::client {

class ByteStream {
 public:
  // Owns `descriptor`. Reads its first bytes, which may have to be waited for on a pipe. Setting
  // `stop`, which may be nullptr, ends that wait and every later one with kCancelled.
  static absl::StatusOr<std::unique_ptr<ByteStream>> Open(int descriptor, std::string name,
                                                          const std::atomic<bool>* stop);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // Up to `size` bytes; 0 at the end. Bytes before a fault are returned before its error.
  // Errors: kDataLoss when gzip data is damaged or ends early; kUnavailable for I/O errors;
  // kCancelled.
  absl::StatusOr<size_t> Read(char* out, size_t size);
  bool is_gzip() const;
  int descriptor() const;
  // Whether input that was read already waits to be decompressed or handed out.
  bool HasBufferedInput() const;

 private:
  struct Impl;
  explicit ByteStream(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_BYTE_STREAM_H_
