// `vigil ingest`: logs in, events on the chain. Puts reader, spool and client together.
#ifndef VIGIL_CLIENT_INGEST_INGEST_H_
#define VIGIL_CLIENT_INGEST_INGEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/ingest/mapper.h"
#include "client/ingest/progress.h"
#include "client/ingest/reader.h"
#include "client/lib/batch_sink.h"
#include "client/lib/client.h"
#include "client/lib/submitter.h"
#include "ledger/chain/genesis.h"

namespace vigil::client {

struct IngestOptions {
  std::vector<std::string> inputs;  // Paths; "-" is standard input.
  ReadOptions read;
  // Where `checkpoints/`, `spool/` and `quarantine.ndjson` are kept. One per stream.
  std::string state_folder;
  std::string quarantine_path;  // Empty: in the state folder.
  ClientOptions client;
  std::string key_path;      // Key file of the sensor.
  std::string genesis_path;  // Of the network: names the chain that is signed for.
  // `chain_id`, the two folders, the policy and the identity, which the genesis file has beside the
  // key, are filled in; an identity that is given must be that one.
  SubmitterOptions submit;
};

struct IngestReport {
  std::vector<InputReport> inputs;
  InputReport total;  // Sums; its status is the first of an input.
  MappingStats mapping;
  DeliveryStats delivery;
  size_t pending = 0;  // Records that wait in the spool.
  int64_t elapsed_micros = 0;
  std::string quarantine_path;
  // Of positions that delivered records bore and that cannot be read, and why the last could not.
  uint64_t unreadable_positions = 0;
  absl::Status unreadable_reason;
  bool interrupted = false;
  absl::Status status;  // Why not everything was handed over or delivered.
};

// Reads all inputs and delivers their events. `progress` is told how it goes.
//
// Returns: the account of everything, also when reading or delivery failed on the way (`status`).
// Errors: nothing was read: kInvalidArgument naming the option, kNotFound or kPermissionDenied for
// key and genesis, kAlreadyExists when another process uses the state folder, kDataLoss and
// kFailedPrecondition of spool and checkpoints.
absl::StatusOr<IngestReport> RunIngest(const IngestOptions& options, ProgressSink* progress);

// The identity, "org/name", whose key is `key`.
// Errors: kInvalidArgument: there is none, or it is not `claimed`, unless that is empty. Under
// another identity's name the chain would seem to hold nothing of a stream that it does hold.
absl::StatusOr<std::string> IdentityOfKey(const ledger::Genesis& genesis, const PublicKey& key,
                                          const std::string& claimed);

// The SourceMarkKeeper of a submitter whose marks are checkpoints: writes the newest of each input.
// A mark that is no checkpoint holds nothing up: `store` notes it.
absl::Status KeepMarks(CheckpointStore* store, const std::vector<std::string>& marks);
// Takes the marks of records that wait in the spool as covered, whether or not they were
// acknowledged. One that is no checkpoint is left to KeepMarks().
void AssumeMarks(CheckpointStore* store, const std::vector<std::string>& marks);

// The same with a sink that is already there, for tests and other front ends. `options.client`,
// `key_path`, `genesis_path` and `submit` are not looked at.
absl::StatusOr<IngestReport> RunIngestInto(const IngestOptions& options, CheckpointStore* store,
                                           BatchSink* sink, const Clock* clock,
                                           ledger::FileSystem* files, ProgressSink* progress);

// What came of it, as the status that the command ends with.
//
// Returns: OK when all that was there was read and delivered; some quarantined lines are no
// failure. Errors: kCancelled: interrupted; kAborted: some was read, not all, or every line was
// quarantined; kNotFound or kFailedPrecondition: nothing could be read; else why handing over
// failed.
absl::Status IngestVerdict(const IngestReport& report);

// Several lines for people: what was read, accepted, quarantined, delivered, and how fast. Safe for
// a terminal, whatever the names of files and fields.
std::string FormatIngestReport(const IngestReport& report);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_INGEST_H_
