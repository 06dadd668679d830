// `vigil ingest` and `vigil event submit`: log files into the chain, exactly once.
#ifndef VIGIL_CLIENT_CLI_INGEST_COMMAND_H_
#define VIGIL_CLIENT_CLI_INGEST_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct IngestCommandOptions {
  std::vector<std::string> inputs;  // Files, "-" for stdin.
  std::string format = "auto";      // auto, suricata, zeek-json, zeek-tsv, vigil
  std::string stream = "ingest";    // Of the sensor; one spool folder per stream.
  std::string spool;                // Folder for signed batches, positions and quarantine.
  std::string quarantine;           // File; empty: in the spool folder.
  uint32_t batch_events = 1000;
  std::string ack = "committed";    // committed, final
  std::string receipts = "verify";  // verify, trust
  bool adopt_head = false;          // Go on from the chain's head when the spool is new.
  bool final_lines = false;         // Nobody writes to the inputs any more.
  bool reingest = false;            // Read files that were cut as new ones.
  bool quiet = false;               // No progress.
};

absl::Status RunIngestCommand(const Session& session, const IngestCommandOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_INGEST_COMMAND_H_
