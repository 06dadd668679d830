// JoinStore: what a validator that joins has fetched of a snapshot, kept over crashes.
//
//   <directory>/goal     which snapshot, its proof and its manifest; replaced atomically
//   <directory>/chunks   its chunks from the first on; only checked ones are ever appended
//
// A start goes on with the chunks that are there and still sound. Belongs to one thread.
#ifndef VIGIL_NODE_DRIVER_JOIN_STORE_H_
#define VIGIL_NODE_DRIVER_JOIN_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/state/snapshot.h"
#include "ledger/storage/file.h"
#include "node/driver/snapshot_offer.h"

namespace vigil::node {

struct JoinGoal {
  SnapshotOffer offer;  // Checked.
  ledger::SnapshotManifest manifest;
};

class JoinStore {
 public:
  // Takes over what an earlier start fetched; a goal that does not decode, or that `check` refuses,
  // is forgotten. Errors: of the disk.
  using GoalCheck = std::function<absl::Status(const SnapshotOffer&)>;
  static absl::StatusOr<std::unique_ptr<JoinStore>> Open(ledger::FileSystem* files,
                                                         std::string directory,
                                                         const GoalCheck& check);

  const std::optional<JoinGoal>& goal() const { return goal_; }
  // The first chunk that is missing. REQUIRES: a goal.
  uint32_t next_chunk() const { return next_chunk_; }
  bool complete() const { return next_chunk_ == goal_->manifest.chunks.size(); }

  // Forgets the goal and its chunks. Errors: of the disk.
  absl::Status Forget();
  // Replaces the goal; nothing is fetched of it yet. Errors: of the disk.
  absl::Status SetGoal(JoinGoal goal);
  // The next chunks, back to back: checks each, keeps them durably. Nothing is kept of an answer of
  // which one chunk is bad.
  // Errors: kInvalidArgument when one is not the goal's; of the disk.
  absl::Status Add(ByteSpan chunks);
  // Gives the complete snapshot its place among the validator's own. Errors: of the disk.
  absl::Status MoveTo(const std::string& snapshots);

 private:
  JoinStore(ledger::FileSystem* files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  absl::Status LoadGoal(const GoalCheck& check);
  absl::Status LoadChunks();
  absl::Status OpenChunks();
  std::string GoalPath() const { return directory_ + "/goal"; }
  std::string ChunksPath() const { return directory_ + "/chunks"; }

  ledger::FileSystem* const files_;
  const std::string directory_;
  std::optional<JoinGoal> goal_;
  uint32_t next_chunk_ = 0;
  std::unique_ptr<ledger::AppendFile> chunks_;  // Null while closed.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_JOIN_STORE_H_
