// vigild: the validator. Arguments only; what they mean is in node/app/validator.h and testnet.h.
#include <CLI/CLI.hpp>

#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/clock.h"
#include "ledger/storage/file.h"
#include "node/app/config.h"
#include "node/app/data_commands.h"
#include "node/app/keys_dir.h"
#include "node/app/learner.h"
#include "node/app/logging.h"
#include "node/app/preflight.h"
#include "node/app/testnet.h"
#include "node/app/validator.h"
#include "node/peer/tls.h"

namespace vigil::node {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << "vigild: " << status.message() << '\n';
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailed;
}

// --config FILE and one flag per key.
struct ConfigFlags {
  std::string path;
  std::map<std::string, std::string> values;

  void AddTo(CLI::App* command) {
    command->add_option("-c,--config", path, "configuration file, TOML");
    for (const ConfigKey& key : ConfigKeys()) {
      const std::string name(key.name);
      command->add_option_function<std::string>(
          "--" + name, [this, name](const std::string& value) { values[name] = value; },
          absl::StrCat(key.help, " [", EnvironmentName(key.name), "]"));
    }
  }
  absl::StatusOr<LoadedConfig> Load() const { return LoadConfig(path, values); }
};

int Start(const ConfigFlags& flags) {
  const absl::StatusOr<LoadedConfig> loaded = flags.Load();
  if (!loaded.ok()) return Report(loaded.status());
  Validator::BlockSignals();
  PinTls13();
  const LogFunction log = MakeLog(loaded->config.log_level, loaded->config.log_format);
  TakeLibraryLogs(log);
  // A newcomer learns until a set names it.
  const absl::StatusOr<LearnerEnd> learned = RunLearner(*loaded, log);
  if (!learned.ok()) return Report(learned.status());
  if (*learned == LearnerEnd::kStopped) return 0;
  // Once more when it has joined: then it opens on what it fetched. Or when it must join anew, or
  // when the set of validators has changed.
  for (;;) {
    absl::StatusOr<std::unique_ptr<Validator>> validator = Validator::Start(*loaded, log);
    if (!validator.ok()) return Report(validator.status());
    const absl::Status ended = (*validator)->Run();
    if (!ended.ok()) return Report(ended);
    if ((*validator)->behind()) {
      validator->reset();
      const absl::StatusOr<std::string> kept = RejoinValidator(*loaded, /*even_if_sound=*/true);
      if (!kept.ok()) return Report(kept.status());
      log(LogLevel::kWarning, "app", absl::StrCat("the journal so far is kept in ", *kept));
      continue;
    }
    if (!(*validator)->joined() && !(*validator)->epoch_ended()) return 0;
  }
}

int Init(const ConfigFlags& flags, bool new_network, const std::string& epochs,
         const std::string& entry) {
  const absl::StatusOr<LoadedConfig> loaded = flags.Load();
  if (!loaded.ok()) return Report(loaded.status());
  const absl::Status made = InitValidator(*loaded, new_network, epochs, entry);
  if (made.ok()) {
    std::cerr << "made " << loaded->config.data_dir
              << (new_network ? " for a network that starts now" : "; it joins a running network")
              << "; next: vigild start\n";
  }
  return Report(made);
}

int Rejoin(const ConfigFlags& flags, bool even_if_sound) {
  const absl::StatusOr<LoadedConfig> loaded = flags.Load();
  if (!loaded.ok()) return Report(loaded.status());
  const absl::StatusOr<std::string> kept = RejoinValidator(*loaded, even_if_sound);
  if (!kept.ok()) return Report(kept.status());
  if (!kept->empty()) std::cerr << "the old journal is kept in " << *kept << '\n';
  std::cerr << "made the journal anew; next: vigild start\n";
  return 0;
}

int Validate(const ConfigFlags& flags) {
  const absl::StatusOr<LoadedConfig> loaded = flags.Load();
  if (!loaded.ok()) return Report(loaded.status());
  std::cout << ShowConfig(*loaded);
  const absl::StatusOr<Preflight> preflight =
      CheckEverything(*loaded, SystemClock()->UnixMillis() / 1000);
  if (!preflight.ok()) return Report(preflight.status());
  for (const std::string& warning : preflight->warnings)
    std::cerr << "warning: " << warning << '\n';
  std::cerr << "configuration, genesis, keys and certificates fit together\n";
  return 0;
}

// `entry_file`: where the JSON goes that a proposal takes; `identity` is then "org/name".
int MakeKeys(const std::string& directory, uint64_t reveal_length, const std::string& identity,
             const std::string& entry_file) {
  const size_t slash = identity.find('/');
  if (identity.empty() != entry_file.empty() || (!identity.empty() && slash == std::string::npos)) {
    return Report(absl::InvalidArgumentError(
        "--entry FILE and --identity ORG/NAME belong together: name both, or neither"));
  }
  auto entry = MakeValidatorKeys(ledger::PosixFileSystem(), directory, reveal_length);
  if (!entry.ok()) return Report(entry.status());
  if (!entry_file.empty()) {
    entry->org = identity.substr(0, slash);
    entry->name = identity.substr(slash + 1);
    const std::string json = ledger::WriteValidatorEntry(*entry) + "\n";
    const absl::Status checked = ledger::ParseValidatorEntry(json).status();
    if (!checked.ok()) return Report(checked);
    const absl::Status written =
        ledger::PosixFileSystem()->WriteAtomically(entry_file, AsBytes(json));
    if (!written.ok()) return Report(written);
  }
  std::cout << "consensus_key " << entry->consensus_key.ToHex() << "\nlog_key "
            << entry->log_key.ToHex() << "\ncosigner_key " << entry->cosigner_key.ToHex()
            << "\nrecord_key " << entry->record_key.ToHex() << "\nreveal_anchor "
            << entry->reveal_anchor.ToHex() << "\nreveal_length " << entry->reveal_length
            << "\njournal_id " << entry->journal_id.ToHex() << '\n';
  return 0;
}

int Testnet(const TestnetOptions& options) {
  const absl::Status made = MakeTestnet(ledger::PosixFileSystem(), options);
  if (made.ok()) {
    std::cerr << "made a network of " << options.validators << " validators in "
              << options.directory << "; next: vigild start -c " << options.directory
              << "/validator-1/vigild.toml\n";
  }
  return Report(made);
}

void AddTestnetOptions(CLI::App* command, TestnetOptions* options) {
  command->add_option("--dir", options->directory, "folder to make")->required();
  command->add_option("--network", options->network, "name of the network")->capture_default_str();
  command->add_option("--validators", options->validators, "1 to 7, one organisation each")
      ->capture_default_str();
  command->add_option("--sensors", options->sensors_per_org, "sensors of each organisation")
      ->capture_default_str();
  command
      ->add_option("--host", options->hosts,
                   "address of all validators, or one of each with commas between")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--base-port", options->base_port, "first port; ten per validator")
      ->capture_default_str();
  command
      ->add_option("--heartbeat-millis", options->heartbeat_millis,
                   "empty block when idle this long")
      ->capture_default_str();
  command->add_option("--reveal-length", options->reveal_length, "heights that have a reveal")
      ->capture_default_str();
  command
      ->add_option("--period-events", options->detector_period_events,
                   "events of a detector period")
      ->capture_default_str();
  command->add_option("--window-rows", options->detector_window_rows, "training rows of a model")
      ->capture_default_str();
  command
      ->add_option("--rules", options->detector_rules,
                   "rules of the detectors: built-in, none, or a rule file")
      ->capture_default_str();
}

void AddDataFolder(CLI::App* command, DataCommand* options) {
  command->add_option("DIR", options->data_dir, "a validator's data folder")->required();
  command->add_option("--genesis", options->genesis, "the network's genesis file that you trust")
      ->required();
}

void AddArchiveCommand(CLI::App* data, DataCommand* options, int* exit_code) {
  CLI::App* archive = data->add_subcommand(
      "archive",
      "move the oldest segments of a stopped validator's journal to an archive, each once its copy "
      "is on disk and read back; the validator goes on above them. Exit code 8: more had to stay "
      "than was wished");
  AddDataFolder(archive, options);
  archive->add_option("ARCHIVE", options->other, "folder of this validator's archive")->required();
  archive->add_option("--guard", options->guard, "its rollback guard: <keys_dir>/rollback_guard")
      ->required();
  archive
      ->add_option(
          "--keep-bytes", options->keep_bytes,
          "until the journal's files take no more than so many bytes; 0: as far as it goes")
      ->required();
  archive->callback([=] { *exit_code = RunDataArchive(*options); });
}

void AddDataCommands(CLI::App* app, DataCommand* options, int* exit_code) {
  CLI::App* data = app->add_subcommand("data", "check, back up, restore or export a data folder");
  data->require_subcommand(1);
  CLI::App* check = data->add_subcommand(
      "check",
      "say what of a stopped validator's folder is sound, what is not, and what to do; changes "
      "nothing. Exit code 0: all sound, 8: derived parts are built anew by the next start, or the "
      "journal's end is torn, 6: damaged, the validator must not vote");
  AddDataFolder(check, options);
  check->add_option("--guard", options->guard, "its rollback guard: <keys_dir>/rollback_guard");
  check->callback([=] { *exit_code = RunDataCheck(*options); });

  CLI::App* backup = data->add_subcommand(
      "backup",
      "copy the journal of a stopped or running validator, execute the copy again, and "
      "write its digests; where the journal begins above genesis, a snapshot and the log up to "
      "there are copied, too; keys are not copied");
  AddDataFolder(backup, options);
  backup->add_option("TARGET", options->other, "folder to make")->required();
  backup->callback([=] { *exit_code = RunDataBackup(*options); });

  CLI::App* restore = data->add_subcommand(
      "restore",
      "make a data folder from a backup, verified by every digest; the validator then "
      "follows, and votes again once a quorum has told it what it may have forgotten");
  restore->add_option("BACKUP", options->other, "folder of the backup")->required();
  AddDataFolder(restore, options);
  restore
      ->add_option("--guard", options->guard,
                   "rollback guard of its last run: <keys_dir>/rollback_guard")
      ->required();
  restore->callback([=] { *exit_code = RunDataRestore(*options); });

  CLI::App* events =
      data->add_subcommand("export", "write the events of a stopped validator as lines of JSON");
  AddDataFolder(events, options);
  events->add_option("FILE", options->other, "file to make")->required();
  events->callback([=] { *exit_code = RunDataExport(*options); });

  CLI::App* prune = data->add_subcommand(
      "prune",
      "drop payloads of a stopped validator that are older than an age, measured from its "
      "newest committed block; leaves, seals and proofs stay");
  AddDataFolder(prune, options);
  prune->add_option("--older-than", options->older_than, "age: 90m, 12h or 30d, at least 1h")
      ->required();
  prune->callback([=] { *exit_code = RunDataPrune(*options); });

  AddArchiveCommand(data, options, exit_code);

  CLI::App* reindex = app->add_subcommand(
      "reindex",
      "build a stopped validator's state and search index anew from its journal; where that begins "
      "above genesis, from the newest sound snapshot");
  AddDataFolder(reindex, options);
  reindex->callback([=] { *exit_code = RunReindex(*options); });
}

struct KeysOptions {
  std::string directory;
  uint64_t reveal_length = 1 << 22;
  std::string identity;
  std::string entry;
};

void AddKeysCommand(CLI::App* app, KeysOptions* options, int* exit_code) {
  CLI::App* keys =
      app->add_subcommand("keys", "make a validator's keys and print its public half for genesis");
  keys->add_option("--dir", options->directory, "folder for the key files")->required();
  keys->add_option("--reveal-length", options->reveal_length, "heights that have a reveal")
      ->capture_default_str();
  keys->add_option("--identity", options->identity, "org/name of the validator, for --entry");
  keys->add_option("--entry", options->entry,
                   "file to write the public half to, as vigil admin validator add and replace "
                   "take it");
  keys->callback([=] {
    *exit_code =
        MakeKeys(options->directory, options->reveal_length, options->identity, options->entry);
  });
}

int Main(int argc, char** argv) {
  CLI::App app(
      "vigild: a validator of a Vigil network.\n\n"
      "  vigild testnet --dir net            everything for four local validators\n"
      "  vigild start -c net/validator-1/vigild.toml\n");
  app.set_version_flag("--version", VIGIL_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;

  ConfigFlags start_flags;
  CLI::App* start = app.add_subcommand("start", "run the validator until SIGTERM");
  start_flags.AddTo(start);
  start->callback([&] { exit_code = Start(start_flags); });

  ConfigFlags init_flags;
  bool new_network = false;
  CLI::App* init = app.add_subcommand("init", "make the data folder of a validator that never ran");
  init_flags.AddTo(init);
  init->add_flag("--new-network", new_network,
                 "the whole network starts for the first time; without it the validator joins one "
                 "that runs, and votes once a quorum has confirmed where things stand");
  std::string init_epochs;
  init->add_option("--epochs", init_epochs,
                   "epoch chain (vigil log epochs), for a validator that genesis does not name or "
                   "gives other keys");
  std::string init_entry;
  init->add_option("--entry", init_entry,
                   "a newcomer's entry (vigild keys --entry) that is proposed, or will be: it "
                   "learns from the validators until a set names it, and goes on as one of them");
  init->callback([&] { exit_code = Init(init_flags, new_network, init_epochs, init_entry); });

  ConfigFlags rejoin_flags;
  bool even_if_sound = false;
  CLI::App* rejoin = app.add_subcommand(
      "rejoin", "let a validator whose data folder is lost or damaged join its network anew");
  rejoin_flags.AddTo(rejoin);
  rejoin->add_flag("--even-if-sound", even_if_sound, "give up a sound journal");
  rejoin->callback([&] { exit_code = Rejoin(rejoin_flags, even_if_sound); });

  ConfigFlags validate_flags;
  CLI::App* validate = app.add_subcommand(
      "validate-config", "check the configuration and show it with the origin of each value");
  validate_flags.AddTo(validate);
  validate->callback([&] { exit_code = Validate(validate_flags); });

  KeysOptions keys_options;
  AddKeysCommand(&app, &keys_options, &exit_code);

  TestnetOptions testnet_options;
  CLI::App* testnet = app.add_subcommand(
      "testnet", "make a local network: genesis, keys, certificates, configuration");
  AddTestnetOptions(testnet, &testnet_options);
  testnet->callback([&] { exit_code = Testnet(testnet_options); });

  DataCommand data_command;
  AddDataCommands(&app, &data_command, &exit_code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return exit_code;
}

}  // namespace
}  // namespace vigil::node

int main(int argc, char** argv) { return vigil::node::Main(argc, argv); }
