#include "client/cli/ingest_command.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/ingest/ingest.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

// Set by SIGINT and SIGTERM: reading ends after the present line, and nothing is waited for.
std::atomic<bool> stop_requested{false};

void OnSignal(int /*signal*/) { stop_requested = true; }

// The second signal of a kind ends the process at once.
void StopOnSignals() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESETHAND;  // And no SA_RESTART: waiting calls return.
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Json InputJson(const InputReport& input) {
  Json json;
  json["input"] = input.input;
  json["format"] = std::string(FormatName(input.format));
  json["lines"] = Number(input.lines);
  json["accepted"] = Number(input.accepted);
  json["already_covered"] = Number(input.already_covered);
  json["quarantined"] = Number(input.quarantined);
  json["skipped"] = Number(input.skipped);
  json["unsent"] = Number(input.unsent);
  if (input.unfinished) json["last_line_unfinished"] = true;
  if (!input.note.empty()) json["note"] = input.note;
  if (!input.status.ok()) json["error"] = std::string(input.status.message());
  return json;
}

Json ReportJson(const IngestReport& report) {
  Json json;
  json["inputs"] = Json::array();
  for (const InputReport& input : report.inputs) json["inputs"].push_back(InputJson(input));
  json["total"] = InputJson(report.total);
  json["events_specific_class"] = Number(report.mapping.specific_class_events);
  json["events_mapped"] = Number(report.mapping.events);
  json["batches_delivered"] = Number(report.delivery.batches_delivered);
  json["events_delivered"] = Number(report.delivery.events_delivered);
  json["duplicates"] = Number(report.delivery.duplicates);
  json["retries"] = Number(report.delivery.retries);
  json["last_height"] = Number(report.delivery.last_height);
  json["pending"] = report.pending;
  if (report.unreadable_positions > 0) {
    json["unreadable_positions"] = Number(report.unreadable_positions);
  }
  json["elapsed_micros"] = Number(static_cast<uint64_t>(report.elapsed_micros));
  return json;
}

absl::StatusOr<ReceiptCheck> ParseReceiptCheck(const std::string& text) {
  if (text == "verify") return ReceiptCheck::kVerify;
  if (text == "trust") return ReceiptCheck::kTrust;
  return absl::InvalidArgumentError(
      absl::StrCat("--receipts ", text, ": verify or trust belongs there"));
}

}  // namespace

absl::Status RunIngestCommand(const Session& session, const IngestCommandOptions& command) {
  IngestOptions options;
  options.inputs = command.inputs;
  ASSIGN_OR_RETURN(options.read.format, ParseFormat(command.format));
  options.read.batch.items_max = command.batch_events;
  options.read.final_lines = command.final_lines;
  options.read.reingest = command.reingest;
  options.read.stop = &stop_requested;
  options.submit.stop = &stop_requested;
  options.state_folder = command.spool;
  options.quarantine_path = command.quarantine;
  options.client = session.client;
  options.client.stop = &stop_requested;
  options.key_path = session.signing_key;
  options.genesis_path = session.genesis;
  options.submit.identity = session.identity;
  options.submit.stream = command.stream;
  options.submit.adopt_head = command.adopt_head;
  ASSIGN_OR_RETURN(options.submit.ack, ParseAckLevel(command.ack));
  ASSIGN_OR_RETURN(options.submit.receipts, ParseReceiptCheck(command.receipts));
  StopOnSignals();
  TextProgress text(stderr);
  SilentProgress silent;
  ProgressSink* progress = command.quiet ? static_cast<ProgressSink*>(&silent) : &text;
  ASSIGN_OR_RETURN(const IngestReport report, RunIngest(options, progress));
  if (session.format == OutputFormat::kTable) {
    *session.out << FormatIngestReport(report);
  } else {
    session.PrintJson(ReportJson(report));
  }
  return IngestVerdict(report);
}

}  // namespace vigil::client
