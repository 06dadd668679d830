// Rows of a CSV file (RFC 4180), one after the other, in bounded memory.
//
// Cells may be quoted; a quoted cell may hold the delimiter, line ends and doubled quotes. Lines
// end in LF or CRLF. A UTF-8 byte order mark is skipped; lines of nothing at all are skipped. gzip
// is recognised by its magic. Belongs to one thread.
#ifndef VIGIL_CLIENT_TABLE_CSV_READER_H_
#define VIGIL_CLIENT_TABLE_CSV_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/ingest/byte_stream.h"

namespace vigil::client {

class CsvReader {
 public:
  static constexpr size_t kCellBytesMax = size_t{1} << 20;
  static constexpr size_t kCellsMax = 4096;

  // Opens `path` and reads the header. Errors: kNotFound; kInvalidArgument when there is no header,
  // a name comes twice or is not UTF-8; as Next().
  static absl::StatusOr<std::unique_ptr<CsvReader>> Open(const std::string& path, char delimiter);

  // Reads the next row. Returns false at the end.
  // Errors, each naming file and line and what to do:
  //   kInvalidArgument: a row of another length than the header, a quote that is never closed or
  //                     stands in the middle of a cell, text after a closing quote, a cell or row
  //                     beyond the limits.
  //   kDataLoss, kUnavailable: as ByteStream.
  absl::StatusOr<bool> Next(std::vector<std::string>* cells);

  const std::vector<std::string>& header() const { return header_; }
  // Line on which the row that Next() gave last begins; the first line of a file is 1.
  uint64_t line() const { return row_line_; }
  // Bytes of the file that were consumed, compressed ones for gzip, and its size; 0: not a file.
  uint64_t bytes_read() const;
  uint64_t file_size() const { return file_size_; }
  // An error about cell `column` (from 0) of the row that Next() gave last.
  absl::Status ErrorAt(size_t column, const std::string& what) const;

 private:
  CsvReader(std::unique_ptr<ByteStream> stream, std::string path, char delimiter)
      : stream_(std::move(stream)), path_(std::move(path)), delimiter_(delimiter) {}

  // The next byte, or -1 at the end or after a fault, which then stands in fault_.
  int Take();
  int Peek();
  absl::Status ErrorOnLine(uint64_t line, const std::string& what) const;
  absl::Status ReadHeader();
  // Reads cells up to the end of the line. Returns false at the end of the file.
  absl::StatusOr<bool> ReadRow(std::vector<std::string>* cells);
  absl::Status ReadQuoted(size_t column, std::string* cell);
  absl::Status ReadPlain(size_t column, std::string* cell);

  std::unique_ptr<ByteStream> stream_;
  const std::string path_;
  const char delimiter_;
  std::string buffer_;
  size_t at_ = 0;
  bool ended_ = false;
  absl::Status fault_;
  uint64_t line_ = 1;
  uint64_t row_line_ = 1;
  uint64_t file_size_ = 0;
  std::vector<std::string> header_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_CSV_READER_H_
