// SnapshotLoader: turns a snapshot into the store that a validator at its height has.
//
// Every chunk is checked against the manifest before a byte of it is used, and every entry against
// the shape that ExecuteOnTip() gives. What the digest itself is worth is the caller's to know: the
// chain's header says which one is right (ledger/chain/header.h, SnapshotHeightAt).
//
// Belongs to one thread. Holds one entry, one chunk and about 1 MiB of writes.
#ifndef VIGIL_LEDGER_STATE_SNAPSHOT_LOADER_H_
#define VIGIL_LEDGER_STATE_SNAPSHOT_LOADER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/snapshot.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// Where a block's frame lies in this validator's journal. A frame of 0 bytes: it is not there.
struct BlockPlace {
  JournalPosition position;
  uint32_t frame_bytes = 0;
};
// Asked for each block in order of height; an error ends the load with it.
using BlockPlaceFn = std::function<absl::StatusOr<BlockPlace>(const BlockInfo&)>;

class SnapshotLoader {
 public:
  // `store` must be empty and, like `genesis`, outlive the loader. Until Finish() has returned, a
  // ChainState does not open on it (kDataLoss): wipe it and begin again.
  // Errors: kFailedPrecondition when the store holds something or the snapshot is of another chain.
  static absl::StatusOr<std::unique_ptr<SnapshotLoader>> Begin(Store* store, const Genesis* genesis,
                                                               const SnapshotManifest& manifest,
                                                               BlockPlaceFn place);

  // The next chunk.
  // Errors: kInvalidArgument when it is not the manifest's, or holds what no snapshot holds; those
  // of the store and of `place`.
  absl::Status Add(ByteSpan chunk);
  // After the last chunk: completes the store, syncs it and returns its tip.
  // Errors: kInvalidArgument when something is missing; those of the store.
  absl::StatusOr<Tip> Finish();

 private:
  SnapshotLoader(Store* store, const Genesis* genesis, SnapshotManifest manifest,
                 BlockPlaceFn place);

  absl::Status ReadHead(ByteSpan chunk, size_t* used);
  absl::Status OnEntry(absl::string_view key, absl::string_view value);
  absl::Status OnBlock(uint64_t height, absl::string_view value);
  absl::Status OnHeightEntry(uint64_t height, absl::string_view value, absl::string_view what,
                             uint64_t* last);
  absl::Status CheckComplete() const;
  absl::Status WriteBatch();

  Store* const store_;
  const Genesis* const genesis_;
  const SnapshotManifest manifest_;
  const BlockPlaceFn place_;
  uint32_t next_chunk_ = 0;
  SnapshotHead head_;
  SnapshotEntries entries_;
  std::string last_key_;
  StoreBatch batch_;
  BlockInfo last_block_;
  uint64_t last_results_ = 0;  // Height of the last entry of each.
  uint64_t last_undo_ = 0;
};

// All of a file. Errors: as the loader's; kDataLoss of the file.
absl::StatusOr<Tip> LoadSnapshot(const SnapshotFile& file, Store* store, const Genesis* genesis,
                                 BlockPlaceFn place);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_SNAPSHOT_LOADER_H_
