// history_check FILE...: judges the histories of one run, as one. Prints one JSON document.
//
// Exit code 0: linearizable, and local reads kept their promises; 6: not; 7: undecided.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/cluster/history.h"
#include "tests/cluster/linearizability.h"
#include "tests/cluster/sessions.h"

namespace vigil::cluster {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitViolated = 6;
constexpr int kExitUndecided = 7;

nlohmann::json Counts(const History& history) {
  uint64_t ok = 0;
  uint64_t refused = 0;
  uint64_t open = 0;
  uint64_t duplicates = 0;
  uint64_t linearizable_reads = 0;
  for (const Operation& operation : history.operations) {
    ok += operation.outcome == Outcome::kOk ? 1 : 0;
    refused += operation.outcome == Outcome::kFail ? 1 : 0;
    open += operation.outcome == Outcome::kOpen ? 1 : 0;
    duplicates += operation.duplicate ? 1 : 0;
    const bool reads =
        operation.action != Action::kAppend && operation.mode == ReadMode::kLinearizable;
    linearizable_reads += reads && operation.outcome == Outcome::kOk ? 1 : 0;
  }
  return {{"operations", history.operations.size()},
          {"ok", ok},
          {"refused", refused},
          {"open", open},
          {"duplicates", duplicates},
          {"linearizable_reads", linearizable_reads}};
}

int Check(int count, char** paths) {
  History history;
  for (int i = 0; i < count; ++i) {
    std::ifstream file(paths[i]);
    const absl::Status read = file.good()
                                  ? ReadHistory(&file, paths[i], &history)
                                  : absl::NotFoundError(absl::StrCat(paths[i], " cannot be read"));
    if (read.ok()) continue;
    std::cerr << "history_check: " << read.message() << '\n';
    return kExitUsage;
  }
  SortByInvocation(&history);
  const LinearizabilityReport report = CheckLinearizability(history);
  const std::vector<std::string> sessions = CheckSessions(history);
  nlohmann::json json = Counts(history);
  constexpr const char* kVerdicts[] = {"linearizable", "NOT LINEARIZABLE", "undecided"};
  json["verdict"] = kVerdicts[static_cast<size_t>(report.verdict)];
  json["checked"] = report.checked;
  json["states"] = report.states;
  json["why"] = report.why;
  json["sessions"] = sessions;
  std::cout << json.dump(2) << '\n';
  if (report.verdict == Verdict::kNot || !sessions.empty()) return kExitViolated;
  return report.verdict == Verdict::kUnknown ? kExitUndecided : 0;
}

}  // namespace
}  // namespace vigil::cluster

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: history_check FILE...\n";
    return vigil::cluster::kExitUsage;
  }
  return vigil::cluster::Check(argc - 1, argv + 1);
}
