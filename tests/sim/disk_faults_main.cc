// disk_faults: runs every fault at every point of the write path, and prints the table.
//
//   disk_faults [--rounds N] [--seed S] [--validators K] [--point TEXT] [--share I/N]
//
// N rounds of all cases, with K validators (0: 3 and 4 by turns), each from a seed made of S, round
// and case; a failed case prints the line that replays it. --point: only points whose name holds
// TEXT. --share: of all cases only every N-th, from the I-th on. Exits with 1 when a record was
// lost, a wrong answer given, or another promise broken.
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/sim/disk_faults.h"

namespace vigil::sim {
namespace {

struct Options {
  uint64_t rounds = 1;
  uint64_t seed = 1;
  uint32_t validators = 0;
  std::string point;
  uint64_t share = 0;
  uint64_t shares = 1;
};

std::optional<Options> Parse(const std::vector<std::string>& words) {
  Options options;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    bool good = false;
    if (words[i] == "--rounds") {
      good = absl::SimpleAtoi(value, &options.rounds);
    } else if (words[i] == "--seed") {
      good = absl::SimpleAtoi(value, &options.seed);
    } else if (words[i] == "--validators") {
      good = absl::SimpleAtoi(value, &options.validators);
    } else if (words[i] == "--point") {
      options.point = value;
      good = true;
    } else if (words[i] == "--share") {
      const std::vector<std::string> parts = absl::StrSplit(value, '/');
      good = parts.size() == 2 && absl::SimpleAtoi(parts[0], &options.share) &&
             absl::SimpleAtoi(parts[1], &options.shares) && options.shares > 0;
    }
    if (!good) return std::nullopt;
  }
  if (words.size() % 2 != 0) return std::nullopt;
  return options;
}

struct Row {
  uint64_t runs = 0;
  uint64_t reached = 0;
  uint64_t acknowledged = 0;
  uint64_t lost = 0;
  uint64_t wrong = 0;
  uint64_t broken = 0;
  std::map<std::string, uint64_t> came_to;
};

void Count(const CaseResult& result, Row* row) {
  ++row->runs;
  row->acknowledged += result.acknowledged;
  row->lost += result.lost.empty() ? 0 : 1;
  row->wrong += result.wrong_answer.empty() ? 0 : 1;
  row->broken += result.broken.empty() ? 0 : 1;
  if (!result.reached) return;
  ++row->reached;
  ++row->came_to[result.came_to];
}

void PrintRow(const std::string& point, const std::string& fault, const Row& row) {
  std::vector<std::string> outcomes;
  for (const auto& [what, count] : row.came_to) {
    outcomes.push_back(count == row.reached ? what : absl::StrCat(count, "× ", what));
  }
  std::cout << "| " << point << " | " << fault << " | " << row.reached << " of " << row.runs
            << " | " << absl::StrJoin(outcomes, "; ") << " | " << row.acknowledged << " | "
            << row.lost << " | " << row.wrong << " | " << row.broken << " |\n";
}

int RunAll(const Options& options) {
  const std::vector<FaultCase> cases = AllFaultCases();
  std::vector<Row> rows(cases.size());
  Row sum;
  for (uint64_t round = 0; round < options.rounds; ++round) {
    for (size_t i = options.share; i < cases.size(); i += options.shares) {
      const FaultCase& one = cases[i];
      if (!absl::StrContains(one.point.name, options.point)) continue;
      const uint64_t seed = options.seed + round;
      const uint32_t validators =
          options.validators != 0 ? options.validators : 3 + static_cast<uint32_t>((round + i) % 2);
      const CaseResult result = RunFaultCase(one, validators, seed * 1'000'003 + i);
      Count(result, &rows[i]);
      Count(result, &sum);
      if (result.ok()) continue;
      std::cerr << one.point.name << ", " << one.FaultName() << ": " << result.lost
                << result.wrong_answer << result.broken << " (" << result.fired << "; "
                << result.came_to << ")\n  replay: disk_faults --seed " << seed << " --validators "
                << validators << " --share " << i << "/" << cases.size() << "\n";
    }
  }
  std::cout << "| point | fault | struck | what became of the validator | acknowledged | lost | "
               "wrong answers | other broken promises |\n|---|---|---|---|---|---|---|---|\n";
  for (size_t i = 0; i < cases.size(); ++i) {
    if (rows[i].runs > 0) PrintRow(cases[i].point.name, cases[i].FaultName(), rows[i]);
  }
  sum.came_to.clear();
  PrintRow("all", "", sum);
  return sum.lost + sum.wrong + sum.broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace vigil::sim

int main(int argc, char** argv) {
  const auto options = vigil::sim::Parse(std::vector<std::string>(argv + 1, argv + argc));
  if (options.has_value()) return vigil::sim::RunAll(*options);
  std::cerr << "usage: disk_faults [--rounds N] [--seed S] [--validators K] [--point TEXT] "
               "[--share I/N]\n";
  return 2;
}
