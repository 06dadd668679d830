// A folder that vanishes with the test, and gzip for what is put into it.
#ifndef VIGIL_TESTS_CLIENT_INGEST_TEMP_FOLDER_H_
#define VIGIL_TESTS_CLIENT_INGEST_TEMP_FOLDER_H_

#include <stdlib.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/catch.h"

namespace vigil::client {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "vigil-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // Replaces the contents of `name`, keeping its inode; returns its path.
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << bytes;
    return path(name);
  }
  void Append(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary | std::ios::app) << bytes;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  void Rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(path(from), path(to));
  }

 private:
  std::string folder_;
};

// `text` as one gzip member.
inline std::string Gzip(const std::string& text) {
  z_stream zip{};
  REQUIRE(deflateInit2(&zip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&zip, text.size()) + 64, '\0');
  zip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zip.avail_in = static_cast<uInt>(text.size());
  zip.next_out = reinterpret_cast<Bytef*>(packed.data());
  zip.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&zip, Z_FINISH) == Z_STREAM_END);
  packed.resize(zip.total_out);
  deflateEnd(&zip);
  return packed;
}

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_INGEST_TEMP_FOLDER_H_
