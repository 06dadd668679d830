// What the storage tests share: seeds, temporary directories, journals with known contents.
#ifndef VIGIL_TESTS_LEDGER_STORAGE_STORAGE_TEST_SUPPORT_H_
#define VIGIL_TESTS_LEDGER_STORAGE_STORAGE_TEST_SUPPORT_H_

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/storage/journal.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {

// VIGIL_TEST_SEED, or a fixed one.
inline uint64_t TestSeed() { return ::vigil::TestSeed(/*otherwise=*/20240611); }

// A fresh directory that is removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vigil-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string RandomBytes(SplitMix64* random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random->Next());
  return bytes;
}

inline JournalId MakeJournalId(uint8_t first) {
  JournalId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<uint8_t>(first + i);
  return id;
}

inline constexpr char kJournalDirectory[] = "/node/journal";

// Every frame of the journal, in order.
inline std::vector<JournalReader::Frame> AllFrames(const JournalReader& reader) {
  std::vector<JournalReader::Frame> frames;
  const absl::Status status =
      reader.ForEach(reader.begin(), [&frames](const JournalReader::Frame& frame) {
        frames.push_back(frame);
        return true;
      });
  INFO(status);
  REQUIRE(status.ok());
  return frames;
}

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_STORAGE_STORAGE_TEST_SUPPORT_H_
