#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/consensus/raft/scenario.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

constexpr char kSeparator[] = "----\n";

std::vector<std::filesystem::path> ScenarioFiles() {
  const std::filesystem::path folder =
      std::filesystem::path(VIGIL_SOURCE_DIR) / "tests/consensus/raft/scenarios";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST_CASE("raft scenarios: every transcript is as written", "[consensus]") {
  const std::vector<std::filesystem::path> files = ScenarioFiles();
  REQUIRE(files.size() >= 12);
  for (const std::filesystem::path& path : files) {
    INFO(path.filename().string());
    const std::string content = ReadFile(path);
    const std::string script = content.substr(0, content.find(kSeparator));
    const std::string transcript = Scenario::Play(script);
    if (std::getenv("VIGIL_REGENERATE_GOLDEN") != nullptr) {
      std::ofstream(path, std::ios::binary) << script << kSeparator << transcript;
      continue;
    }
    REQUIRE(content.size() > script.size());
    CHECK(content.substr(script.size() + sizeof(kSeparator) - 1) == transcript);
  }
}

TEST_CASE("raft scenarios: the same script gives the same transcript twice", "[consensus]") {
  const std::string script = ReadFile(ScenarioFiles().front());
  CHECK(Scenario::Play(script) == Scenario::Play(script));
}

}  // namespace
}  // namespace vigil::consensus
