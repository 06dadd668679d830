// SnapshotBuilder: makes a validator's own snapshot from its store, a bounded piece at a time.
//
// Belongs to one thread; the store goes on being written meanwhile, since the builder reads from a
// snapshot of it. Holds at most one piece of about 1 MiB, one entry, and the chunk hashes.
#ifndef VIGIL_LEDGER_STATE_SNAPSHOT_BUILDER_H_
#define VIGIL_LEDGER_STATE_SNAPSHOT_BUILDER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/snapshot.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

class SnapshotBuilder {
 public:
  using ChunkSink = std::function<absl::Status(ByteSpan chunk)>;

  // Of the state in `reader`, at its tip. `reader` must not change: a store's Snapshot().
  // Errors: kFailedPrecondition at height 0; those of the store.
  static absl::StatusOr<std::unique_ptr<SnapshotBuilder>> Begin(
      std::shared_ptr<const StoreReader> reader, const Genesis& genesis);

  // Reads about 1 MiB and gives each chunk that is complete to `sink`, in order. False when it was
  // the last. REQUIRES: it has not returned false, nor an error.
  // Errors: kResourceExhausted when the snapshot gets too large; of the store and of `sink`.
  absl::StatusOr<bool> Step(const ChunkSink& sink);

  const Tip& tip() const { return head_.tip; }
  // Complete when Step() has returned false.
  const SnapshotManifest& manifest() const { return manifest_; }

 private:
  SnapshotBuilder(std::shared_ptr<const StoreReader> reader, SnapshotHead head);

  absl::Status AddEntry(absl::string_view key, absl::string_view value);
  absl::Status GiveChunk(ByteSpan chunk, const ChunkSink& sink);

  // Owned together with whoever made it.
  const std::shared_ptr<const StoreReader> reader_;
  const SnapshotHead head_;
  size_t space_ = 0;     // Position in the list of key spaces.
  std::string from_;     // Where the next piece begins.
  std::string pending_;  // Stream bytes that fill no chunk yet.
  SnapshotManifest manifest_;
};

// The whole of it at once, without keeping a byte.
absl::StatusOr<SnapshotMark> ComputeSnapshotMark(std::shared_ptr<const StoreReader> reader,
                                                 const Genesis& genesis);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_SNAPSHOT_BUILDER_H_
