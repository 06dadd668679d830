#include "client/table/csv_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

constexpr size_t kReadBytes = size_t{1} << 17;

}  // namespace

absl::StatusOr<std::unique_ptr<CsvReader>> CsvReader::Open(const std::string& path,
                                                           char delimiter) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const std::string what = absl::StrCat(path, ": cannot be read: ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(what) : absl::InvalidArgumentError(what);
  }
  struct stat info {};
  const bool is_file = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
  if (S_ISDIR(info.st_mode)) {
    close(descriptor);
    return absl::InvalidArgumentError(absl::StrCat(path, " is a folder; name a CSV file"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<ByteStream> stream,
                   ByteStream::Open(descriptor, path, /*stop=*/nullptr));
  std::unique_ptr<CsvReader> reader(new CsvReader(std::move(stream), path, delimiter));
  reader->file_size_ = is_file ? static_cast<uint64_t>(info.st_size) : 0;
  RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

absl::Status CsvReader::ReadHeader() {
  if (Peek() >= 0 && absl::StartsWith(buffer_, "\xef\xbb\xbf")) at_ = 3;
  if (absl::StartsWith(buffer_, "\xff\xfe") || absl::StartsWith(buffer_, "\xfe\xff")) {
    return ErrorOnLine(1, "is UTF-16; convert it to UTF-8");
  }
  ASSIGN_OR_RETURN(const bool is_there, ReadRow(&header_));
  if (!is_there) return ErrorOnLine(1, "has no header line with the names of the columns");
  std::set<std::string> names;
  for (size_t i = 0; i < header_.size(); ++i) {
    if (!IsValidUtf8(header_[i])) return ErrorAt(i, "the name is not UTF-8");
    if (!names.insert(header_[i]).second) {
      return ErrorAt(i, absl::StrCat("the name '", header_[i], "' comes twice"));
    }
  }
  return absl::OkStatus();
}

int CsvReader::Peek() {
  if (at_ == buffer_.size() && !ended_) {
    buffer_.resize(kReadBytes);
    const absl::StatusOr<size_t> got = stream_->Read(buffer_.data(), kReadBytes);
    buffer_.resize(got.ok() ? *got : 0);
    at_ = 0;
    ended_ = buffer_.empty();
    fault_ = got.status();
  }
  return at_ == buffer_.size() ? -1 : static_cast<unsigned char>(buffer_[at_]);
}

int CsvReader::Take() {
  const int byte = Peek();
  if (byte < 0) return byte;
  ++at_;
  if (byte == '\n') ++line_;
  return byte;
}

uint64_t CsvReader::bytes_read() const {
  const off_t offset = lseek(stream_->descriptor(), 0, SEEK_CUR);
  return offset < 0 ? 0 : static_cast<uint64_t>(offset);
}

absl::Status CsvReader::ErrorOnLine(uint64_t line, const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ", line ", line, ": ", what));
}

absl::Status CsvReader::ErrorAt(size_t column, const std::string& what) const {
  const std::string name =
      column < header_.size() ? absl::StrCat(" (", header_[column], ")") : std::string();
  return ErrorOnLine(row_line_, absl::StrCat("column ", column + 1, name, ": ", what));
}

absl::Status CsvReader::ReadQuoted(size_t column, std::string* cell) {
  Take();
  for (;;) {
    const int byte = Take();
    if (byte < 0) {
      RETURN_IF_ERROR(fault_);
      return ErrorAt(column, "a quote is opened and never closed");
    }
    if (byte == '"') {
      if (Peek() != '"') break;
      Take();
    }
    if (cell->size() == kCellBytesMax) {
      return ErrorAt(column, "a quoted cell goes on beyond 1 MiB; is its closing quote missing?");
    }
    cell->push_back(static_cast<char>(byte));
  }
  const int next = Peek();
  if (next < 0 || next == delimiter_ || next == '\n' || next == '\r') return absl::OkStatus();
  return ErrorAt(column, "text after a closing quote; a quote inside a quoted cell is doubled");
}

absl::Status CsvReader::ReadPlain(size_t column, std::string* cell) {
  for (;;) {
    const int byte = Peek();
    if (byte < 0 || byte == delimiter_ || byte == '\n') break;
    if (byte == '"') {
      return ErrorAt(column, "a quote in the middle of a cell; quote the whole cell and double it");
    }
    if (cell->size() == kCellBytesMax) return ErrorAt(column, "a cell of more than 1 MiB");
    cell->push_back(static_cast<char>(Take()));
  }
  // Of CRLF; a carriage return anywhere else belongs to the cell.
  if (Peek() != delimiter_ && !cell->empty() && cell->back() == '\r') cell->pop_back();
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvReader::ReadRow(std::vector<std::string>* cells) {
  while (Peek() == '\n' || Peek() == '\r') Take();
  row_line_ = line_;
  cells->clear();
  if (Peek() < 0) {
    RETURN_IF_ERROR(fault_);
    return false;
  }
  for (;;) {
    if (cells->size() == kCellsMax) {
      return ErrorAt(cells->size(), absl::StrCat("more than ", kCellsMax, " columns"));
    }
    const size_t column = cells->size();
    std::string& cell = cells->emplace_back();
    RETURN_IF_ERROR(Peek() == '"' ? ReadQuoted(column, &cell) : ReadPlain(column, &cell));
    if (Peek() == '\r') Take();
    const int end = Take();
    RETURN_IF_ERROR(fault_);
    if (end == delimiter_) continue;
    if (end >= 0 && end != '\n') return ErrorAt(column, "a carriage return without a line feed");
    return true;
  }
}

absl::StatusOr<bool> CsvReader::Next(std::vector<std::string>* cells) {
  ASSIGN_OR_RETURN(const bool is_there, ReadRow(cells));
  if (!is_there) return false;
  if (cells->size() != header_.size()) {
    return ErrorOnLine(row_line_, absl::StrCat(cells->size(), " cells where the header names ",
                                               header_.size(), " columns"));
  }
  return true;
}

}  // namespace vigil::client
