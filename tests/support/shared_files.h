// Finds published vectors and data sets that are kept beside the repository, not in it: below
// $VIGIL_SHARED_DIR, else below ../shared. Tests skip with a warning where they are missing.
#ifndef VIGIL_TESTS_SUPPORT_SHARED_FILES_H_
#define VIGIL_TESTS_SUPPORT_SHARED_FILES_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace vigil {

// VIGIL_SOURCE_DIR comes from the test's CMakeLists.txt.
inline std::filesystem::path SharedPath(const std::string& relative) {
  const char* root = std::getenv("VIGIL_SHARED_DIR");
  const std::filesystem::path base =
      root != nullptr ? std::filesystem::path(root)
                      : std::filesystem::path(VIGIL_SOURCE_DIR) / ".." / "shared";
  return base / relative;
}

inline std::optional<std::string> ReadWholeFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline std::optional<std::string> ReadSharedFile(const std::string& relative) {
  return ReadWholeFile(SharedPath(relative));
}

}  // namespace vigil

#endif  // VIGIL_TESTS_SUPPORT_SHARED_FILES_H_
