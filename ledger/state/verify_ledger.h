// Offline verification of a whole ledger: is what lies on disk what was signed, agreed and
// executed?
//
// Nothing is believed. The journal's committed chain is read back from its bytes: links, proposers'
// signatures, body roots, leaves, payloads against their commitments, events canonical, record
// signatures with the keys that state holds; it is executed again on an empty store in memory, and
// each header's state digest, results root and snapshot digest is compared with that. When a store
// is given, its tip, tree edge, positions, results, undo images and every state key and value are
// compared as well.
//
// What is committed is what commit marks name (kCommit frames: u64 epoch | u64 view | u64 height |
// block hash), the store's tip, and all ancestors of these. Other blocks must still be what their
// proposer signed.
//
// A journal may begin above genesis: then a base frame (base_frame.h) says above which block. It is
// held against the log's files, a checkpoint that a quorum cosigned, the state digests that later
// headers carry, and the store. Everything above it is verified as ever; execution begins at the
// lowest snapshot in the folder that the chain vouches for. What was not here, and what was not
// executed, is in the report.
//
// The bytes alone cannot prove that nothing was cut off their end, nor that validators who signed
// every block did not agree on another past. What is known from elsewhere (VerifyOptions::pin,
// height_min, durable_offset_min) does.
//
// Memory: what a snapshot holds (the state, per record 41 bytes of leaf index and its result) and
// about 300 bytes per block; nothing else grows with the ledger. One thread.
#ifndef VIGIL_LEDGER_STATE_VERIFY_LEDGER_H_
#define VIGIL_LEDGER_STATE_VERIFY_LEDGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/verify_report.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

struct VerifyOptions {
  // Otherwise everything is looked at that can be reached.
  bool stop_at_first = false;
  // Kept in the report; all are counted.
  size_t findings_max = 1000;
  // What OpenJournalForReading() met behind the sound part of the journal.
  absl::Status journal_damage;
  // The log's files and the snapshots that lie beside the journal. Null, or empty: there are none.
  const FileSystem* files = nullptr;  // Must outlive the call.
  std::string log_directory;
  std::string snapshot_directory;
  // What OpenLedger() (ledger_places.h) found of archives.
  std::vector<VerifyFinding> known_findings;
  std::vector<MissingOffsets> missing_offsets;
  std::vector<HeightRange> absent;        // Blocks in segments that are not there.
  Height committed_min;                   // Up to here blocks are final, as a manifest says.
  std::map<Height, uint64_t> tree_sizes;  // Of the log behind blocks, as manifests say.
  // A manifest's checkpoint, and the consistency path from the log of `archive_tree_size` leaves.
  std::string archive_checkpoint;
  uint64_t archive_tree_size = 0;
  std::vector<Hash> archive_consistency;
  // A block that is known to be committed, for example from another validator's status.
  struct Pin {
    Height height;
    Hash block_hash;
  };
  std::optional<Pin> pin;
  // The committed chain is known to reach this height.
  Height height_min;
  // The journal is known to reach this offset: what its rollback guard says.
  uint64_t durable_offset_min = 0;
};

struct VerifyProgress {
  absl::string_view phase;  // "journal", "blocks", "store".
  uint64_t done = 0;
  uint64_t total = 0;  // Bytes of the journal, committed blocks, or keys compared (total 0).
};
using VerifyProgressFn = std::function<void(const VerifyProgress& progress)>;

// `store` may be null: then only the journal is verified. `progress` may be empty.
// Damage is a finding, never an error: there is always a report.
VerifyReport VerifyLedger(const JournalReader& journal, const Genesis& genesis,
                          const StoreReader* store, const VerifyOptions& options,
                          const VerifyProgressFn& progress);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VERIFY_LEDGER_H_
