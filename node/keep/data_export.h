// Writes the events that a stopped validator keeps as lines of JSON.
#ifndef VIGIL_NODE_KEEP_DATA_EXPORT_H_
#define VIGIL_NODE_KEEP_DATA_EXPORT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"

namespace vigil::node {

struct ExportRequest {
  std::string data_dir;
  std::string file;  // Must not exist.
  const ledger::Genesis* genesis = nullptr;
};
struct ExportReport {
  Height height;  // Every event up to here.
  uint64_t events = 0;
  uint64_t pruned = 0;  // Events whose bytes were pruned: they have no line.
};

// Writes one line per event of every executed block, in the order of the log, each held against
// what its batch commits to (docs/formats/export.md). The file appears under its name when it is
// whole and on disk. Memory: one block.
// Errors: kAlreadyExists for the file, or while a validator runs; kDataLoss when a payload is not
// what its author signed, the state is damaged, or the journal is none of `genesis`; kNotFound; of
// the disk.
absl::StatusOr<ExportReport> ExportEvents(
    ledger::FileSystem* files, const ExportRequest& request,
    const std::function<void(Height done, Height last)>& progress);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_DATA_EXPORT_H_
