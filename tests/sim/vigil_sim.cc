// vigil-sim: whole networks in one process, with virtual time and faults of every kind.
#include <CLI/CLI.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/isolated_run.h"
#include "tests/sim/minimizer.h"
#include "tests/sim/report.h"
#include "tests/sim/schedule.h"
#include "tests/sim/swarm.h"

namespace vigil::sim {
namespace {

constexpr int kExitBroken = 1;  // A promise was broken.
constexpr int kExitUsage = 2;   // Arguments or files.

struct Arguments {
  uint64_t seed = 1;
  uint64_t seeds = 1;
  std::optional<uint32_t> validators;
  std::optional<bool> detection;
  std::optional<bool> set_changes;
  std::optional<double> fault_seconds;
  std::vector<std::string> schedules;
  std::string save;
  std::string minimize;
  std::string trace;
  std::string mermaid;
  uint32_t minimize_runs = 500;
  uint32_t seconds_max = 600;
  uint32_t memory_mib_max = 1024;
  bool twice = false;
  bool digests = false;
  double hours = 8;
  std::string folder = "vigil-sim-nightly";
};

struct NamedSchedule {
  std::string name;
  Schedule schedule;
};

class Program {
 public:
  explicit Program(const Arguments& arguments) : arguments_(arguments) {}

  int Run() {
    if (arguments_.schedules.empty()) {
      for (uint64_t i = 0; i < arguments_.seeds; ++i) RunOne(OfSeed(arguments_.seed + i));
    }
    for (const std::string& path : arguments_.schedules) {
      const std::optional<NamedSchedule> schedule = OfFile(path);
      if (!schedule.has_value()) return kExitUsage;
      RunOne(*schedule);
    }
    if (!arguments_.digests) std::cout << "\n" << report_.Text();
    return failed_ ? kExitBroken : 0;
  }

  // Seed after seed until the time is up. The summary is always that of all finished runs.
  int Nightly() {
    std::error_code error;
    std::filesystem::create_directories(arguments_.folder, error);
    const std::string summary = absl::StrCat(arguments_.folder, "/summary.md");
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(arguments_.hours * 3600);
    for (uint64_t seed = arguments_.seed; std::chrono::steady_clock::now() < end; ++seed) {
      const NamedSchedule drawn = OfSeed(seed);
      const RunResult result = RunAndPrint(drawn, Limits());
      if (!result.wrong.empty()) {
        Shorten(drawn.schedule, result.wrong,
                absl::StrCat(arguments_.folder, "/seed-", seed, ".schedule"));
      }
      if (!WriteFile(summary, absl::StrCat("# vigil-sim nightly\n\nSeeds ", arguments_.seed, " to ",
                                           seed, ". ", report_.Text()))) {
        return kExitUsage;
      }
    }
    return failed_ ? kExitBroken : 0;
  }

 private:
  IsolatedOptions Limits() const {
    IsolatedOptions options;
    options.seconds_max = arguments_.seconds_max;
    options.memory_bytes_max = int64_t{arguments_.memory_mib_max} << 20;
    return options;
  }

  NamedSchedule OfSeed(uint64_t seed) const {
    SwarmLimits limits;
    limits.validators = arguments_.validators;
    limits.detection = arguments_.detection;
    limits.set_changes = arguments_.set_changes;
    if (arguments_.fault_seconds.has_value()) {
      limits.fault_micros = static_cast<int64_t>(*arguments_.fault_seconds * 1e6);
    }
    return {.name = absl::StrCat("seed ", seed), .schedule = DrawSchedule(seed, limits)};
  }

  static std::optional<NamedSchedule> OfFile(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file.good()) {
      std::cerr << "vigil-sim: " << path << ": cannot be read\n";
      return std::nullopt;
    }
    absl::StatusOr<Schedule> schedule = ParseSchedule(text.str());
    if (!schedule.ok()) {
      std::cerr << "vigil-sim: " << path << ": " << schedule.status().message() << "\n";
      return std::nullopt;
    }
    return NamedSchedule{.name = path, .schedule = *std::move(schedule)};
  }

  static bool WriteFile(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::trunc);
    file << text;
    file.close();
    if (file.good()) return true;
    std::cerr << "vigil-sim: " << path << ": cannot be written\n";
    return false;
  }

  RunResult RunAndPrint(const NamedSchedule& named, const IsolatedOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    const RunResult result = RunIsolated(named.schedule, options);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    report_.Add(named.name, result, took.count());
    failed_ |= !result.wrong.empty();
    if (arguments_.digests) {
      std::cout << named.name << " " << result.digest.ToHex() << std::endl;
    } else {
      std::cout << RunLine(named.name, named.schedule, result, took.count()) << std::endl;
    }
    return result;
  }

  void RunOne(const NamedSchedule& named) {
    if (!arguments_.save.empty()) {
      failed_ |= !WriteFile(arguments_.save, WriteSchedule(named.schedule));
    }
    IsolatedOptions options = Limits();
    options.trace_path = arguments_.trace;
    options.mermaid_path = arguments_.mermaid;
    const RunResult result = RunAndPrint(named, options);
    if (arguments_.twice) {
      const RunResult again = RunIsolated(
          named.schedule,
          {.seconds_max = arguments_.seconds_max, .trace_path = "", .mermaid_path = ""});
      if (again.digest != result.digest) {
        failed_ = true;
        std::cout << named.name << " FAILED: run again, the digest is " << again.digest.ToHex()
                  << std::endl;
      }
    }
    if (!result.wrong.empty() && !arguments_.minimize.empty()) {
      Shorten(named.schedule, result.wrong, arguments_.minimize);
    }
  }

  void Shorten(const Schedule& schedule, const std::string& wrong, const std::string& path) {
    const Minimized minimized = Minimize(
        schedule, wrong,
        [&](const Schedule& candidate) { return RunIsolated(candidate, Limits()).wrong; },
        arguments_.minimize_runs);
    failed_ |= !WriteFile(path, WriteSchedule(minimized.schedule));
    std::cout << "  shortened in " << minimized.runs << " runs from " << schedule.events.size()
              << " to " << minimized.schedule.events.size() << " fault events: " << path << "\n  "
              << minimized.wrong << std::endl;
  }

  const Arguments& arguments_;
  Report report_;
  bool failed_ = false;
};

void AddSwarmOptions(CLI::App* command, Arguments* arguments) {
  command->add_option("--seed", arguments->seed, "First seed")->capture_default_str();
  command
      ->add_option("--validators", arguments->validators,
                   "Size of the network (else each seed draws it: 1, 3, 4, 5 or 7)")
      ->check(CLI::Range(1, 31));
  command->add_option("--detection", arguments->detection,
                      "true: events that stand out, small windows; false: neither (else drawn)");
  command->add_option(
      "--set-changes", arguments->set_changes,
      "true: the set of validators changes while faults come; false: it stays (else "
      "drawn)");
  command
      ->add_option("--fault-seconds", arguments->fault_seconds,
                   "Simulated length of the phase with faults (else drawn, 8 to 30)")
      ->check(CLI::Range(0.0, 86'400.0));
  command
      ->add_option("--seconds-max", arguments->seconds_max,
                   "Real seconds after which a run is taken to hang")
      ->capture_default_str()
      ->check(CLI::Range(1, 86'400));
  command
      ->add_option("--memory-mib-max", arguments->memory_mib_max,
                   "MiB of memory that a run may take: all validators and their disks")
      ->capture_default_str();
  command
      ->add_option("--minimize-runs", arguments->minimize_runs,
                   "Runs at most for shortening a schedule")
      ->capture_default_str();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Runs whole Vigil networks in one process, with virtual time, a network and disks that fail "
      "as a seed decides, and checks every promise. First a phase with faults, then everything is "
      "healed and the network must come to rest with nothing lost.\n"
      "Exit status: 0 every promise held, 1 one was broken, 2 bad arguments or files.",
      "vigil-sim");
  app.require_subcommand(1);
  Arguments arguments;
  CLI::App* run = app.add_subcommand("run", "Runs seeds, or schedules from files");
  AddSwarmOptions(run, &arguments);
  run->add_option("--seeds", arguments.seeds, "How many seeds, one after the other")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  run->add_option("--schedule", arguments.schedules,
                  "Runs these files instead of what seeds draw (docs/testing.md, Schedules)");
  run->add_option("--save", arguments.save, "Writes the schedule (the last one) to this file");
  run->add_option("--minimize", arguments.minimize,
                  "Shortens a schedule that fails and writes it to this file");
  run->add_option("--trace", arguments.trace, "Writes what happened, line by line");
  run->add_option("--mermaid", arguments.mermaid,
                  "Writes a Mermaid sequence diagram of what came before the failure, or before "
                  "everything was healed");
  run->add_flag("--twice", arguments.twice, "Runs each again and compares the digests");
  run->add_flag("--digests", arguments.digests, "Prints only name and digest of each run");
  CLI::App* nightly = app.add_subcommand(
      "nightly", "Runs seed after seed for hours, shortens what fails, and keeps a summary");
  AddSwarmOptions(nightly, &arguments);
  nightly->add_option("--hours", arguments.hours, "Real hours")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1'000.0));
  nightly
      ->add_option("--out", arguments.folder, "Folder for summary.md and the schedules that fail")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kExitUsage;
  }
  Program program(arguments);
  return run->parsed() ? program.Run() : program.Nightly();
}

}  // namespace
}  // namespace vigil::sim

int main(int argc, char** argv) { return vigil::sim::Main(argc, argv); }
