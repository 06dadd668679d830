// vigil: the explorer and client. Arguments only; each command is a function of its own file.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/admin_commands.h"
#include "client/cli/alert_commands.h"
#include "client/cli/arguments.h"
#include "client/cli/bench.h"
#include "client/cli/chain_commands.h"
#include "client/cli/cli_options.h"
#include "client/cli/detector_commands.h"
#include "client/cli/detector_status.h"
#include "client/cli/entity_commands.h"
#include "client/cli/event_commands.h"
#include "client/cli/evidence_commands.h"
#include "client/cli/evidence_export.h"
#include "client/cli/exit_code.h"
#include "client/cli/governance_cli.h"
#include "client/cli/incident_commands.h"
#include "client/cli/ingest_command.h"
#include "client/cli/log_commands.h"
#include "client/cli/proof_commands.h"
#include "client/cli/session.h"
#include "client/cli/triage_commands.h"
#include "client/cli/verify_command.h"
#include "client/cli/verify_file.h"
#include "client/cli/witness_command.h"
#include "client/ingest/sample_traffic.h"

namespace vigil::client {
namespace {

using Command = std::function<absl::Status(const Session&)>;

// The program: global options, the command that was chosen, its exit code.
class Program {
 public:
  Program()
      : app_(
            "vigil: look at a Vigil network, submit to it, verify it.\n\n"
            "  vigil --context net/clients/vigil.toml status\n"
            "  vigil --context net/clients/vigil.toml alert list\n"
            "  vigil verify ledger net/validator-1/data --genesis net/genesis.json\n") {
    app_.set_version_flag("--version", VIGIL_VERSION);
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_option("--context", options_.context,
                    "context file: endpoints, certificates, keys [VIGIL_CONTEXT]");
    AddFlag("--endpoints", "endpoints", "host:port,host:port [VIGIL_ENDPOINTS]");
    AddFlag("--ca", "ca", "CA certificate, PEM [VIGIL_CA]");
    AddFlag("--certificate", "certificate", "client certificate, PEM [VIGIL_CERTIFICATE]");
    AddFlag("--key", "key", "its key, PEM [VIGIL_KEY]");
    AddFlag("--signing-key", "signing_key",
            "key file of the sensor or analyst [VIGIL_SIGNING_KEY]");
    AddFlag("--identity", "identity",
            "org/name of the sensor; by default whose key it is [VIGIL_IDENTITY]");
    AddFlag("--consistency", "consistency",
            "of answers from state (block, record, event, alert, incident, detector): local "
            "(default) or "
            "linearizable [VIGIL_CONSISTENCY]");
    AddFlag("--genesis", "genesis", "genesis.json [VIGIL_GENESIS]");
    app_.add_flag_callback(
        "--insecure", [this] { options_.flags["insecure"] = "true"; }, "no TLS; loopback only");
    AddOutput();
    AddChain();
    AddEvents();
    AddAlerts();
    AddIncidents();
    AddEntities();
    AddIngest();
    AddLog();
    AddProof();
    AddEvidence();
    AddVerify();
    AddWitness();
    AddAdmin();
    AddDetector();
    AddBench();
  }

  int Run(int argc, char** argv) {
    ExitCode code = RunCommand(argc, argv);
    if (!std::cout.flush()) {
      std::cerr << "vigil: standard output cannot be written; not everything was printed\n";
      if (code == ExitCode::kOk) code = ExitCode::kFailed;
    }
    return static_cast<int>(code);
  }

 private:
  ExitCode RunCommand(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      std::ostringstream said;
      const bool asked_for_help = app_.exit(error, std::cout, said) == 0;
      if (asked_for_help) return ExitCode::kOk;
      SayUsage(said.str());
      return ExitCode::kUsage;
    }
    if (options_.format == OutputFormat::kCsv && !gives_csv_) {
      SayUsage("vigil: -o csv is for `vigil detector score`; others print table, json or ndjson");
      return ExitCode::kUsage;
    }
    absl::StatusOr<Session> session = OpenSession(options_);
    const absl::Status status = session.ok() ? command_(*session) : session.status();
    if (!status.ok()) std::cerr << "vigil: " << ForTerminal(status.message()) << '\n';
    return absl::IsFailedPrecondition(status) && unhealthy_ ? ExitCode::kUnhealthy
                                                            : ExitCodeFor(status);
  }

  // What is wrong with the arguments, and which command may have been meant.
  void SayUsage(const std::string& said) const {
    const CLI::App* chosen = &app_;
    while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
    std::vector<std::string> commands;
    for (const CLI::App* command : chosen->get_subcommands([](const CLI::App*) { return true; }))
      commands.push_back(command->get_name());
    for (const std::string& word : app_.remaining(/*recurse=*/true)) {
      if (commands.empty() || word.empty() || word[0] == '-') continue;
      const std::string nearest = Nearest(word, commands);
      std::cerr << "vigil: no command '" << ForTerminal(word) << "'; "
                << (nearest.empty() ? absl::StrCat("there are ", absl::StrJoin(commands, ", "))
                                    : absl::StrCat("did you mean '", nearest, "'?"))
                << '\n';
      return;
    }
    for (const absl::string_view line : absl::StrSplit(said, '\n', absl::SkipEmpty()))
      std::cerr << ForTerminal(line) << '\n';
  }

  void AddOutput() {
    static const std::map<std::string, OutputFormat> kFormats = {{"table", OutputFormat::kTable},
                                                                 {"json", OutputFormat::kJson},
                                                                 {"ndjson", OutputFormat::kNdjson},
                                                                 {"csv", OutputFormat::kCsv}};
    const auto set = [this](const std::string& name) {
      options_.format = kFormats.at(absl::AsciiStrToLower(name));
    };
    app_.add_option_function<std::string>("-o,--output", set, "format of the payload")
        ->type_name("table|json|ndjson|csv")
        ->check(CLI::Validator(
            [](const std::string& name) {
              return kFormats.contains(absl::AsciiStrToLower(name))
                         ? std::string()
                         : absl::StrCat("'", name, "' where table, json, ndjson or csv belongs");
            },
            ""));
  }

  void AddFlag(const std::string& flag, const std::string& setting, const std::string& help) {
    app_.add_option_function<std::string>(
        flag, [this, setting](const std::string& value) { options_.flags[setting] = value; }, help);
  }
  CLI::App* Add(CLI::App* parent, const std::string& name, const std::string& help,
                Command command) {
    CLI::App* added = parent->add_subcommand(name, help);
    added->callback([this, command = std::move(command)] { command_ = command; });
    return added;
  }
  CLI::App* Group(const std::string& name, const std::string& help) {
    CLI::App* group = app_.add_subcommand(name, help);
    group->require_subcommand(1);
    return group;
  }

  void AddChain() {
    CLI::App* status = Add(&app_, "status", "validators, heights, digests, models",
                           [](const Session& session) { return RunStatus(session); });
    status->callback([this] {
      unhealthy_ = true;
      command_ = [](const Session& session) { return RunStatus(session); };
    });
    CLI::App* wait = Add(&app_, "wait", "until the network has reached something",
                         [this](const Session& session) { return RunWait(session, wait_); });
    wait->add_flag("--leader", wait_.leader, "a leader is known");
    AddNumber(wait, "--events", wait_.events, "so many events executed");
    AddNumber(wait, "--alerts-confirmed", wait_.alerts_confirmed, "so many alerts confirmed");
    AddNumber(wait, "--models", wait_.models, "active models of so many event types");
    wait->add_flag("--all", wait_.all, "on every validator, not only one");
    AddNumber(wait, "--timeout", wait_.timeout_seconds, "seconds")->capture_default_str();

    CLI::App* block = Group("block", "blocks");
    CLI::App* list = Add(block, "list", "newest first", [this](const Session& session) {
      return RunBlockList(session, block_list_);
    });
    AddNumber(list, "--from", block_list_.from, "height to begin with");
    AddNumber(list, "--limit", block_list_.limit, "blocks on a page")->capture_default_str();
    list->add_flag("--ascending", block_list_.ascending, "oldest first");
    Add(block, "get", "one block with its records",
        [this](const Session& session) { return RunBlockGet(session, which_); })
        ->add_option("block", which_, "height or hash")
        ->required();
    CLI::App* watch = Add(block, "watch", "blocks as they come", [this](const Session& session) {
      return RunBlockWatch(session, from_height_, count_);
    });
    AddWatch(watch);
    CLI::App* record = Group("record", "records of the log");
    Add(record, "get", "one record",
        [this](const Session& session) { return RunRecordGet(session, which_); })
        ->add_option("record", which_, "index or leaf hash")
        ->required();
  }

  void AddWatch(CLI::App* command) {
    AddNumber(command, "--from", from_height_, "height to begin with; 0: after the newest");
    AddNumber(command, "--count", count_, "stop after so many; 0: never");
  }
  void AddFilter(CLI::App* command) {
    command->add_option("--class", filter_.classes, "OCSF class uid, for example 4001")
        ->check(NumberFrom(0, std::numeric_limits<uint32_t>::max()));
    AddNumber(command, "--severity", filter_.severity_min, "at least this OCSF severity");
    AddText(command, "--source", filter_.sources, "product and log, for example zeek.conn");
    AddText(command, "--actor", filter_.actors, "user name");
    AddText(command, "--address", filter_.addresses, "IP address of src, dst or device");
    AddText(command, "--term", filter_.terms, "rule, URL, query or host name, exactly");
    AddText(command, "--since", filter_.from, "2026-11-20T14:00:00Z or seconds since 1970");
    AddText(command, "--until", filter_.to, "the same, exclusive; after 1970");
  }

  void AddEvents() {
    CLI::App* event = Group("event", "events");
    CLI::App* search =
        Add(event, "search", "events by class, severity, source, actor, address, term, time",
            [this](const Session& session) {
              event_search_.filter = filter_;
              return RunEventSearch(session, event_search_);
            });
    AddFilter(search);
    AddNumber(search, "--limit", event_search_.limit, "events on a page")->capture_default_str();
    AddText(search, "--cursor", event_search_.cursor, "of the page before");
    search->add_flag("--newest", event_search_.newest_first, "newest first");
    search->add_flag("--all", event_search_.all, "every page");
    Add(event, "get", "one event",
        [this](const Session& session) { return RunEventGet(session, which_); })
        ->add_option("ref", which_, "record.item")
        ->required();
    CLI::App* watch = Add(event, "watch", "events as they come", [this](const Session& session) {
      return RunEventWatch(session, filter_, from_height_, count_);
    });
    AddFilter(watch);
    AddWatch(watch);
    CLI::App* submit =
        Add(event, "submit", "events as JSON lines of our own schema, from files or - for stdin",
            [this](const Session& session) {
              ingest_.format = "vigil";
              return RunIngestCommand(session, ingest_);
            });
    AddIngestOptions(submit);
  }

  void AddAlerts() {
    CLI::App* alert = Group("alert", "what the detectors concluded");
    CLI::App* list = Add(alert, "list", "newest first", [this](const Session& session) {
      return RunAlertList(session, alert_list_);
    });
    AddText(list, "--state", alert_list_.state, "proposed, confirmed or contested");
    AddText(list, "--triage", alert_list_.triage, "open, acknowledged or closed");
    AddText(list, "--assignee", alert_list_.assignee, "org/name of the analyst");
    AddNumber(list, "--rule", alert_list_.rule, "number of the rule that matched");
    AddText(list, "--component", alert_list_.component, "forest, loda, surprisal or rule");
    AddText(list, "--entity", alert_list_.entity,
            "whom the event names: as for vigil entity show; filters combine");
    AddNumber(list, "--limit", alert_list_.limit, "alerts on a page")->capture_default_str();
    AddNumber(list, "--cursor", alert_list_.cursor, "of the page before");
    list->add_flag("--ascending", alert_list_.ascending, "oldest first");
    list->add_flag("--all", alert_list_.all, "every page");
    AddNumber(Add(alert, "get", "one alert with verdicts, reasons and event",
                  [this](const Session& session) { return RunAlertGet(session, alert_index_); }),
              "record", alert_index_, "record index")
        ->required();
    AddWatch(Add(
        alert, "watch", "alerts and changes of their state as they come",
        [this](const Session& session) { return RunAlertWatch(session, from_height_, count_); }));
    AddAlertChecks(alert);
    AddTriage(alert, "ack", ledger::TriageAction::kAcknowledge, "somebody looks at it");
    CLI::App* assign = AddTriage(alert, "assign", ledger::TriageAction::kAssign,
                                 "somebody of the organisation takes it on");
    assign->add_option("--to", triage_.assignee, "org/name of an analyst; default: the signer");
    CLI::App* close = AddTriage(alert, "close", ledger::TriageAction::kClose, "with a verdict");
    close
        ->add_option("--verdict", triage_.verdict,
                     "true-positive, false-positive, or expected: rightly found, and allowed")
        ->required();
    AddTriage(alert, "reopen", ledger::TriageAction::kReopen, "a closed one");
  }
  void AddAlertChecks(CLI::App* alert) {
    CLI::App* explain =
        Add(alert, "explain", "its reasons in words: the event's values beside the model's window",
            [this](const Session& s) { return RunAlertExplain(s, alert_check_); });
    CLI::App* verify = Add(alert, "verify", "recompute it bit for bit; a file needs no validator",
                           [this](const Session& s) { return RunAlertVerify(s, alert_check_); });
    verify->footer(
        "Verdicts and exit codes: VERIFIED 0; SCORE_DIFFERS, THRESHOLD_DIFFERS,\n"
        "EXPLANATION_DIFFERS, RULE_DIFFERS, EVENT_DIFFERS (whoever signed it computed it "
        "wrongly),\n"
        "MODEL_DIFFERS and EVIDENCE_REFUSED 6; MODEL_UNKNOWN 5; NOT_REDERIVABLE 9. Of a rule also\n"
        "SUPPORTED 0: its conditions hold, the blocks that are there leave something open.\n\n"
        "  vigil alert verify 345 --genesis genesis.json\n"
        "  vigil evidence export alert 345 --file alert.evidence\n"
        "  vigil alert verify alert.evidence --policy policy.txt\n");
    for (CLI::App* command : {explain, verify}) {
      command->add_option("alert", alert_check_.alert, "record index, or evidence file of an alert")
          ->required();
      command->add_option("--policy", alert_check_.policy,
                          "whom to trust, as `vigil log policy` prints; default: --genesis");
      AddText(command, "--epochs", alert_check_.epochs,
              "epoch chain from it on; default: the one in the file");
    }
    verify->add_option("--fault", alert_check_.fault,
                       "where the proof goes if its author computed it wrongly");
    AddNumber(verify, "--wait", alert_check_.wait_seconds,
              "seconds, at most 60, until a checkpoint reaches far enough", 0, 60)
        ->capture_default_str();
    CLI::App* faults = Add(alert, "faults", "what validators recorded as wrong with alerts",
                           [this](const Session& s) { return RunAlertFaults(s, faults_); });
    AddNumber(faults, "--limit", faults_.limit, "alerts on a page")->capture_default_str();
    AddNumber(faults, "--cursor", faults_.cursor, "of the page before");
  }
  CLI::App* AddTriage(CLI::App* alert, const std::string& name, ledger::TriageAction action,
                      const std::string& what) {
    CLI::App* command = Add(alert, name, what + "; a signed record of an analyst",
                            [this, action](const Session& session) {
                              triage_.action = action;
                              return RunTriage(session, triage_);
                            });
    AddNumber(command, "record", triage_.alert, "record index of the alert")->required();
    AddText(command, "--revision", triage_.revision,
            "how many triage records of it you know; default: asked for now");
    command->add_flag("--trust", triage_.trust,
                      "believe the validator: do not wait for a proof that it is in the log");
    return command;
  }

  void AddIncidents() {
    CLI::App* incident =
        Group("incident", "confirmed alerts of one source, user or host that belong together");
    CLI::App* list = Add(incident, "list", "newest first",
                         [this](const Session& s) { return RunIncidentList(s, incidents_); });
    AddText(list, "--state", incidents_.state, "open or closed: all alerts are closed");
    AddNumber(list, "--limit", incidents_.limit, "incidents on a page")->capture_default_str();
    AddNumber(list, "--cursor", incidents_.cursor, "of the page before");
    list->add_flag("--ascending", incidents_.ascending, "oldest first");
    list->add_flag("--all", incidents_.all, "every page");
    AddNumber(Add(incident, "get", "one incident with all its alerts",
                  [this](const Session& s) { return RunIncidentGet(s, incident_); }),
              "number", incident_, "record index of its first alert")
        ->required();
  }

  void AddEntities() {
    CLI::App* entity = Group("entity", "what the detectors remember of addresses, names and users");
    entity->footer(
        "  vigil entity show 10.0.0.5\n"
        "  vigil entity show user:root\n"
        "  vigil entity show 'pair:10.0.0.5>10.0.0.9'\n"
        "  vigil entity show port:tcp/22 -o json\n");
    Add(entity, "show", "windows of 2 s, 60 s and 1 h, first and last time, rules that matched",
        [this](const Session& session) { return RunEntityShow(session, which_); })
        ->add_option("entity", which_,
                     "an address, host or user, or KIND:NAME; kinds: source, destination, pair, "
                     "port, user, host")
        ->required();
  }

  void AddIngestOptions(CLI::App* command) {
    command->add_option("files", ingest_.inputs, "files, plain or gzip; - for stdin")->required();
    AddText(command, "--stream", ingest_.stream, "stream of the sensor; one spool folder each")
        ->capture_default_str();
    command->add_option("--spool", ingest_.spool, "folder for signed batches and positions")
        ->required();
    AddNumber(command, "--batch", ingest_.batch_events, "events of a batch")->capture_default_str();
    command->add_option("--ack", ingest_.ack, "what counts as delivered: committed or final")
        ->capture_default_str();
    command
        ->add_option("--receipts", ingest_.receipts,
                     "verify: delivered is what is proven to be in the log; trust: what a "
                     "validator acknowledged")
        ->capture_default_str();
    command->add_flag("--adopt-head", ingest_.adopt_head,
                      "go on from the chain's head though this spool is new");
    command->add_flag("--final", ingest_.final_lines,
                      "nobody writes to the files any more: take a last line without line end too");
    command->add_flag("--reingest", ingest_.reingest,
                      "read a file that was cut once more, as new events");
    command->add_flag("--quiet", ingest_.quiet, "no progress");
    command->add_option("--quarantine", ingest_.quarantine,
                        "file for lines that fail; default: in the spool folder");
  }
  void AddIngest() {
    CLI::App* ingest =
        Add(&app_, "ingest", "log files into the chain, exactly once",
            [this](const Session& session) { return RunIngestCommand(session, ingest_); });
    AddIngestOptions(ingest);
    ingest->add_option("--format", ingest_.format, "auto, suricata, zeek-json, zeek-tsv, vigil")
        ->capture_default_str();
    CLI::App* sample =
        Add(&app_, "sample", "write a day of synthetic Zeek logs with planted attacks",
            [this](const Session& session) { return WriteSample(session); });
    sample->add_option("--dir", sample_dir_, "folder")->required();
    AddNumber(sample, "--seed", sample_.seed, "same seed, same bytes")->capture_default_str();
    AddNumber(sample, "--events", sample_.events, "benign lines", 100, 10'000'000)
        ->capture_default_str();
    sample
        ->add_option("--start", sample_start_,
                     "time of the first line, seconds since 1970 or RFC 3339")
        ->capture_default_str();
    sample->add_flag("--attacks", sample_.attacks, "plant attacks, listed in planted.csv");
  }
  absl::Status WriteSample(const Session& session) {
    const absl::StatusOr<int64_t> start = ParseTime(sample_start_);
    if (!start.ok()) return start.status();
    sample_.start_unix_millis = *start / 1'000'000;
    const SampleTraffic traffic = MakeSampleTraffic(sample_);
    std::error_code error;
    std::filesystem::create_directories(sample_dir_, error);
    if (error) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot make the folder ", sample_dir_, ": ", error.message()));
    }
    std::string planted = "log,uid,attack\n";
    for (const PlantedLine& line : traffic.planted)
      absl::StrAppend(&planted, line.log, ",", line.uid, ",", line.attack, "\n");
    const std::pair<const char*, const std::string*> files[] = {{"zeek.json", &traffic.zeek},
                                                                {"planted.csv", &planted}};
    for (const auto& [name, text] : files) {
      std::ofstream file(std::filesystem::path(sample_dir_) / name,
                         std::ios::binary | std::ios::trunc);
      file << *text;
      if (!file.flush())
        return absl::FailedPreconditionError(absl::StrCat("cannot write ", sample_dir_, "/", name));
    }
    *session.err << "wrote zeek.json and planted.csv to " << ForTerminal(sample_dir_) << '\n';
    return absl::OkStatus();
  }

  void AddLog() {
    CLI::App* log = Group("log", "the transparency log, for offline verifiers");
    CLI::App* checkpoint =
        Add(log, "checkpoint", "the newest final checkpoint, as a signed note",
            [this](const Session& session) {
              return RunLogCheckpoint(session, proof_.witnesses, proof_.wait_seconds);
            });
    checkpoint->add_option("--witness", proof_.witnesses,
                           "the newest that this outside witness, name or vkey, cosigned, too");
    AddNumber(checkpoint, "--wait", proof_.wait_seconds,
              "seconds, at most 60, until there is one with --witness", 0, 60)
        ->capture_default_str();
    CLI::App* policy = Add(
        log, "policy", "which keys and what quorum to trust, from the genesis file (tlog-policy)",
        [this](const Session& session) { return RunLogPolicy(session, log_policy_); });
    policy->footer(
        "That of genesis is the one to pin: with the file of `vigil log epochs`, proofs of all\n"
        "later epochs are verified from it. With --epochs or --fetch it is the newest epoch's.\n");
    policy->add_option(
        "--witness", log_policy_.witnesses,
        "vkey of a witness outside the network; one of them must have cosigned, too");
    AddText(policy, "--epochs", log_policy_.epochs, "epoch chain file that leads to the epoch");
    policy->add_flag("--fetch", log_policy_.fetch, "ask the validators for the epochs");
    CLI::App* epochs =
        Add(log, "epochs", "the epoch chain: who the validators were, set by set",
            [this](const Session& session) { return RunLogEpochs(session, epochs_file_); });
    epochs->footer(
        "  vigil log epochs -o epochs.chain --genesis genesis.json\n"
        "  vigil verify event.proof --policy policy.txt --epochs epochs.chain\n");
    epochs->add_option("-o,--file", epochs_file_, "where it goes, once genesis bears it out")
        ->required();
  }

  void AddAdmin() {
    CLI::App* admin = Group("admin", "for operators: admins of the validator's organisation");
    AddText(Add(admin, "transfer", "the leader hands over, without an election timeout",
                [this](const Session& session) { return RunAdminTransfer(session, transfer_to_); }),
            "--to", transfer_to_, "org/name of the validator; default: whoever is furthest");
    governance_cli_.Add(&app_, admin, [this](Command command) { command_ = std::move(command); });
  }

  void AddVerify() {
    CLI::App* verify =
        app_.add_subcommand("verify", "trust nothing but bytes: a proof file, or a ledger");
    // Called after that of a command below it.
    verify->callback([this, verify] {
      if (!verify->get_subcommands().empty()) return;
      command_ = [this](const Session& session) { return RunVerifyFile(session, verify_file_); };
    });
    verify->footer(
        "  vigil verify event.proof --policy policy.txt\n"
        "  vigil verify ledger net/validator-1/data --genesis net/genesis.json\n\n"
        "Of a proof: facts in the order in which they are proven, then the verdict. Exit code 0:\n"
        "VERIFIED; 6: PAYLOAD_MISSING, PAYLOAD_MISMATCH, NOT_INCLUDED, QUORUM_SHORT,\n"
        "KEY_REVOKED (signed by validators after their epoch was over), UNKNOWN_EPOCH (get a\n"
        "newer epoch chain), MALFORMED or NOT_CONSISTENT; 2: wrong arguments, or no policy. Of\n"
        "fork evidence VERIFIED means that somebody lied: `signed_both` and `against_quorum` say "
        "who.\n");
    verify->require_subcommand(0, 1);
    verify->add_option("file", verify_file_.file,
                       "proof of an event, record, block or consistency; fork evidence");
    verify->add_option("other", verify_file_.other,
                       "a second proof of the same record: who signed two histories?");
    verify->add_option("--policy", verify_file_.policy,
                       "whom to trust, of `vigil log policy` or your own (tlog-policy)");
    verify->add_option("--epochs", verify_file_.epochs,
                       "epoch chain that leads on from the policy, of `vigil log epochs`");
    CLI::App* ledger =
        Add(verify, "ledger", "re-read, re-hash and re-execute a stopped validator's data",
            [this](const Session& session) { return RunVerifyLedger(session, verify_); });
    ledger->footer(
        "Verdicts and exit codes: VERIFIED 0, everything from genesis on; VERIFIED_FROM_BASE 9,\n"
        "everything above base_height (a validator that joined by a snapshot); VERIFIED_PARTLY 9,\n"
        "everything that is there, missing_heights and missing_offsets say what is not; DAMAGED "
        "6.\n"
        "Archived segments of the same journal are read in with --archive; where all are there,\n"
        "the verdict is that of the whole ledger.\n");
    ledger->add_option("directory", verify_.directory, "data folder, or an archive alone")
        ->required();
    ledger->add_option("--archive", verify_.archives,
                       "an archive of older segments of this journal; may be given again");
    ledger->add_flag("--journal-only", verify_.journal_only, "do not compare the state store");
    ledger->add_flag("--stop-at-first", verify_.stop_at_first, "stop at the first finding");
    ledger->add_option("--tip", verify_.tip,
                       "HEIGHT:HASH of a block known to be committed, from another validator");
    AddNumber(ledger, "--at-least", verify_.at_least, "height that the chain is known to reach");
    AddText(ledger, "--epochs", verify_.epochs,
            "epoch chain from genesis on; default: epochs.chain in the folder");
    ledger->add_option("--guard", verify_.guard, "the validator's rollback_guard, beside its keys");
    ledger->add_option("--validator", verify_.validator, "org/name whose folder this must be");
  }

  CLI::App* AddProofOf(CLI::App* proof, const std::string& name, const std::string& help,
                       ProofOf what, const std::string& ref, const std::string& ref_help) {
    CLI::App* command = Add(proof, name, help, [this, what](const Session& session) {
      return RunProof(session, what, proof_);
    });
    command->add_option(ref, proof_.ref, ref_help)->required();
    command->add_option("--file", proof_.file, "where the proof goes; default: standard output");
    command->add_option(
        "--under", proof_.under,
        "file of a signed checkpoint to prove under; default: the newest final one");
    command->add_option("--witness", proof_.witnesses,
                        "under the newest checkpoint that this outside witness, too, cosigned");
    AddNumber(command, "--wait", proof_.wait_seconds,
              "seconds, at most 60, until a checkpoint reaches far enough", 0, 60)
        ->capture_default_str();
    return command;
  }
  void AddProof() {
    CLI::App* proof = Group("proof", "files that anybody with the policy verifies offline");
    proof->footer(
        "  vigil proof event 17.3 --file event.proof\n"
        "  vigil log policy > policy.txt\n"
        "  vigil verify event.proof --policy policy.txt\n\n"
        "With a genesis file at hand what the validator answers is verified first; what does not\n"
        "verify is not written, but kept as FILE.refused.\n");
    AddProofOf(proof, "event", "this sensor reported this event, and the chain accepted it",
               ProofOf::kEvent, "ref", "record.item; or leaf hash of its batch, and .item")
        ->add_flag("--withhold", proof_.withhold, "leave the event's bytes out of the file");
    AddProofOf(proof, "record", "the same of a record of any kind", ProofOf::kRecord, "record",
               "index or leaf hash");
    AddProofOf(proof, "block", "this block is in the chain", ProofOf::kBlock, "block", "height");
    AddProofOf(proof, "consistency", "the log only grew since an older checkpoint",
               ProofOf::kConsistency, "checkpoint",
               "file of that checkpoint, as `vigil log checkpoint` printed it");
  }

  CLI::App* AddExport(CLI::App* exporter, const std::string& name, const std::string& help,
                      ledger::EvidenceSubject subject) {
    CLI::App* command = Add(exporter, name, help, [this, subject](const Session& session) {
      evidence_export_.filter = filter_;
      return RunEvidenceExport(session, subject, evidence_export_);
    });
    command->add_option("--file", evidence_export_.file, "where the evidence goes")->required();
    command->add_option("--witness", evidence_export_.witnesses,
                        "under the newest checkpoint that this outside witness, too, cosigned");
    AddNumber(command, "--wait", evidence_export_.wait_seconds,
              "seconds, at most 60, until a checkpoint reaches far enough", 0, 60)
        ->capture_default_str();
    return command;
  }
  void AddEvidence() {
    CLI::App* evidence = Group("evidence", "one file for an outsider, and a page to print");
    evidence->footer(
        "  vigil evidence export alert 345 --file alert.evidence\n"
        "  vigil evidence verify alert.evidence --policy policy.txt\n"
        "  vigil evidence page alert.evidence --policy policy.txt --file alert.html\n");
    CLI::App* exporter = evidence->add_subcommand("export", "gather, verify and write the file");
    exporter->require_subcommand(1);
    AddExport(exporter, "event", "an event with its record", ledger::EvidenceSubject::kEvent)
        ->add_option("ref", evidence_export_.ref, "record.item")
        ->required();
    AddExport(exporter, "alert",
              "an alert with its event, who recomputed it, and the commitments to its model",
              ledger::EvidenceSubject::kAlert)
        ->add_option("record", evidence_export_.ref, "record index of the alert")
        ->required();
    CLI::App* span = AddExport(
        exporter, "span",
        "events from --since to --until that answer, in whole batches, and all records between",
        ledger::EvidenceSubject::kSpan);
    AddFilter(span);
    span->add_flag("--only-matching", evidence_export_.only_matching,
                   "of each batch only the events that answer: then nobody can tell whether others "
                   "were left out");
    CLI::App* verify = Add(evidence, "verify", "what a file proves, offline",
                           [this](const Session& s) { return RunEvidenceVerify(s, evidence_); });
    verify->add_option("--extract", evidence_.extract,
                       "folder for the proof of each record as a standard C2SP tlog-proof");
    CLI::App* page = Add(evidence, "page", "a page to print, of a file that verifies",
                         [this](const Session& s) { return RunEvidencePage(s, evidence_); });
    page->add_option("--file", evidence_.page, "where the page goes; default: standard output");
    for (CLI::App* command : {verify, page}) {
      command->add_option("evidence", evidence_.file, "evidence file")->required();
      command
          ->add_option("--policy", evidence_.policy, "whom to trust, as `vigil log policy` prints")
          ->required();
      AddText(command, "--epochs", evidence_.epochs,
              "epoch chain from it on; default: the one in the file");
    }
  }

  void AddWitness() {
    CLI::App* witness = Group("witness", "cosign the checkpoints of others' logs");
    witness->footer(
        "  vigil witness init --dir w --name witness.example.org\n"
        "  vigil witness run --dir w --listen 127.0.0.1:7700 --log policy.txt\n"
        "  vigil witness show --dir w\n");
    CLI::App* init =
        Add(witness, "init", "make the folder of a new witness and print its vkey",
            [this](const Session& session) { return RunWitnessInit(session, witness_); });
    init->add_option("--name", witness_.name,
                     "on its signature lines; best like a URL without its scheme")
        ->required();
    CLI::App* run = Add(witness, "run", "serve POST /add-checkpoint until SIGTERM",
                        [this](const Session& session) { return RunWitness(session, witness_); });
    run->add_option("--listen", witness_.listen, "host:port; plain HTTP")->capture_default_str();
    run->add_option("--log", witness_.policies,
                    "policy of a log to watch; its quorum must have cosigned first")
        ->required();
    CLI::App* show =
        Add(witness, "show", "origins with the size and root cosigned last",
            [this](const Session& session) { return RunWitnessShow(session, witness_); });
    for (CLI::App* command : {init, run, show})
      command->add_option("--dir", witness_.directory, "folder of key and state")->required();
  }

  void AddTableFile(CLI::App* command) {
    command->add_option("file", table_.file, "CSV with a header line, or that under gzip")
        ->required();
    command->add_option("--delimiter", table_.delimiter, "one character between cells, or tab")
        ->capture_default_str();
  }
  void AddTraining(CLI::App* command) {
    command->add_option("--schema", table_.schema,
                        "JSON file that declares the columns; with --infer: where it is written");
    command->add_flag("--infer", table_.infer,
                      "propose a schema from the file and write it for review");
    command->add_flag("--normal-only", table_.normal_only,
                      "train on rows alone whose label is normal");
    AddNumber(command, "--rows", table_.rows, "rows drawn for training", 50, 65'536)
        ->capture_default_str();
    AddNumber(command, "--trees", table_.trees, "trees of the forest", 10, 500)
        ->capture_default_str();
    AddNumber(command, "--sample-rows", table_.sample_rows, "rows per tree", 16, 4'096)
        ->capture_default_str();
    command
        ->add_option("--quantile", table_.quantile,
                     "percent of ordinary rows below the threshold, 90 to 99.9999")
        ->capture_default_str();
    command->add_option("--seed", table_.seed, "decides every draw")->capture_default_str();
  }
  void AddDetector() {
    CLI::App* detector =
        Group("detector", "what the validators learnt; find what is strange in tables of your own");
    detector->footer(
        "  vigil detector train flows.csv --infer --schema flows.json\n"
        "  vigil detector train flows.csv --schema flows.json --model flows.model\n"
        "  vigil detector score today.csv.gz --model flows.model -o csv > scores.csv\n"
        "  vigil detector backtest labelled.csv --schema flows.json --curves flows\n");
    AddNumber(Add(detector, "models", "model commitments, newest first",
                  [this](const Session& session) { return RunModels(session, limit_); }),
              "--limit", limit_, "models");
    Add(detector, "status",
        "per event type: model, threshold, alerts, drift and its notice, precision",
        [](const Session& session) { return RunDetectorStatus(session); });
    Add(detector, "precision", "how right closed alerts were, as analysts judged them",
        [](const Session& session) { return RunPrecision(session); });
    CLI::App* train =
        Add(detector, "train", "learn from a CSV file what is ordinary",
            [this](const Session& session) { return RunDetectorTrain(session, table_); });
    AddTableFile(train);
    AddTraining(train);
    train->add_option("--model", table_.model, "where the model goes");
    AddBacktest(detector);
    CLI::App* score =
        Add(detector, "score", "score every row of a CSV file, with reasons",
            [this](const Session& session) { return RunDetectorScore(session, table_); });
    AddTableFile(score);
    score->add_option("--model", table_.model, "file that `vigil detector train` wrote")
        ->required();
    AddNumber(score, "--top", table_.top, "strangest rows that a table shows", 1, 10'000)
        ->capture_default_str();
    score->callback([this] {
      gives_csv_ = true;
      command_ = [this](const Session& session) { return RunDetectorScore(session, table_); };
    });
  }

  void AddBacktest(CLI::App* detector) {
    CLI::App* backtest =
        Add(detector, "backtest", "how well models separate the attacks of a labelled file",
            [this](const Session& session) { return RunDetectorBacktest(session, table_); });
    AddTableFile(backtest);
    AddTraining(backtest);
    backtest->add_option("--test", table_.test,
                         "CSV to judge on; default: the file that was trained on");
    AddNumber(backtest, "--rounds", table_.rounds, "models, each from a seed of its own", 1, 100)
        ->capture_default_str();
    backtest->add_option("--curves", table_.curves,
                         "write PREFIX-roc and PREFIX-precision-recall as .svg and .png");
  }

  void AddBench() {
    CLI::App* bench = Add(&app_, "bench", "offer load and measure what a client sees",
                          [this](const Session& session) { return RunBench(session, bench_); });
    AddNumber(bench, "--callers", bench_.callers, "submissions under way", 1, 4096)
        ->capture_default_str();
    AddNumber(bench, "--batch", bench_.batch, "events of a submission", 1, 10'000)
        ->capture_default_str();
    AddNumber(bench, "--event-bytes", bench_.event_bytes, "size of an event", 128, 8192)
        ->capture_default_str();
    AddNumber(bench, "--seconds", bench_.seconds, "length", 1, 86'400)->capture_default_str();
    AddNumber(bench, "--rate", bench_.rate,
              "events per second to offer, up to 10,000,000; 0: as fast as answers come", 0,
              BenchOptions::kRateMax)
        ->capture_default_str();
    bench->add_option("--ack", bench_.ack, "what counts as answered: committed or final")
        ->capture_default_str();
    bench->add_flag("--spread", bench_.spread,
                    "submit to all validators in turn, not only to the leader");
  }

  CLI::App app_;
  SessionOptions options_;
  Command command_;
  bool unhealthy_ = false;  // A failed precondition means an unhealthy network.
  WaitOptions wait_;
  BlockListOptions block_list_;
  EventFilter filter_;
  EventSearchOptions event_search_;
  AlertListOptions alert_list_;
  AlertCheckOptions alert_check_;
  IncidentListOptions incidents_;
  uint64_t incident_ = 0;
  FaultListOptions faults_;
  TriageOptions triage_;
  IngestCommandOptions ingest_;
  VerifyLedgerOptions verify_;
  VerifyFileOptions verify_file_;
  ProofOptions proof_;
  EvidenceExportOptions evidence_export_;
  EvidenceOptions evidence_;
  WitnessOptions witness_;
  LogPolicyOptions log_policy_;
  std::string epochs_file_;
  GovernanceCli governance_cli_;
  BenchOptions bench_;
  DetectorTableOptions table_;
  bool gives_csv_ = false;  // The command that was chosen can print CSV.
  SampleOptions sample_;
  std::string sample_dir_;
  std::string sample_start_ = "2026-01-01T08:00:00Z";
  std::string which_;
  std::string transfer_to_;
  uint64_t alert_index_ = 0;
  uint64_t from_height_ = 0;
  uint64_t count_ = 0;
  uint32_t limit_ = 50;
};

}  // namespace
}  // namespace vigil::client

int main(int argc, char** argv) { return vigil::client::Program().Run(argc, argv); }
