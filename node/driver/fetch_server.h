// FetchServer: the actor that answers what other validators ask of this one's disk
// (docs/formats/peer_frame.md, fetch).
//
// A validator that joins must not slow those that work: what is read for answers is paid from an
// allowance of a configured rate, one peer's turn after the other's, and each peer has a few
// requests waiting at most. What is beyond that is refused at once with the time after which to ask
// again.
//
// OnRequest() is thread-safe; the rest belongs to the actor.
//
// Invariants:
//   (1) Over any time t, at most rate * (t + 1 s) bytes are read and sent, and one answer more.
//   (2) No peer has more than kFetchWaitingMax requests here.
#ifndef VIGIL_NODE_DRIVER_FETCH_SERVER_H_
#define VIGIL_NODE_DRIVER_FETCH_SERVER_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/file.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/counters.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/final_blocks.h"
#include "node/driver/snapshot_offer.h"
#include "node/driver/transport.h"

namespace vigil::node {

inline constexpr size_t kFetchWaitingMax = 8;

class FetchServer final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const Clock* clock = nullptr;
    Transport* transport = nullptr;
    const ChainAccess* chain = nullptr;
    NodeCounters* counters = nullptr;
    // The checkpoint, a tile or an entry bundle by its name. Errors: kNotFound and others.
    std::function<absl::StatusOr<std::string>(absl::string_view)> read_log_file = nullptr;
    ledger::FileSystem* files = nullptr;
    // The offer of a snapshot that is on disk. Errors: kNotFound and others.
    std::function<absl::StatusOr<SnapshotOffer>(Height)> make_offer = nullptr;
    // Part of a detector checkpoint from an offset on. Errors: kNotFound and others.
    std::function<absl::StatusOr<FilePart>(Height, uint64_t)> read_checkpoint = nullptr;
    // The file of the detector's model with a digest. Errors: kNotFound and others.
    std::function<absl::StatusOr<std::string>(const Hash&)> read_model = nullptr;
    // Up to which block a final checkpoint reaches, and that it reaches over one. Errors: kNotFound
    // and others. Null: final blocks are not served.
    std::function<Height()> final_height = nullptr;
    std::function<absl::StatusOr<FinalProof>(Height)> prove_final = nullptr;
  };
  struct Options {
    uint32_t validator_count = 0;
    uint64_t bytes_per_second = 0;  // At least 1.
    std::string snapshots = "";     // The folder of snapshot files.
    uint32_t snapshot_interval_blocks = 0;
  };
  FetchServer(const Ports& ports, const Options& options);

  // Takes a request, or refuses it at once when too many of this peer wait. REQUIRES: `from` is a
  // validator.
  void OnRequest(ValidatorIndex from, FetchRequest request) VIGIL_EXCLUDES(mutex_);

  absl::string_view name() const override { return "fetch"; }
  bool Step() override VIGIL_EXCLUDES(mutex_);
  std::optional<int64_t> DeadlineMicros() const override VIGIL_EXCLUDES(mutex_);

 private:
  struct Waiting {
    ValidatorIndex from;
    FetchRequest request;
  };

  std::optional<Waiting> TakeNext() VIGIL_EXCLUDES(mutex_);
  void Refill();
  // The body of the answer; what was read for it is added to `cost`, in bytes.
  absl::StatusOr<std::string> Read(const FetchRequest& request, size_t* cost);
  absl::StatusOr<std::vector<ledger::BlockPtr>> LoadBlocks(Height first, uint32_t count_max,
                                                           size_t* cost) const;
  absl::StatusOr<std::string> ReadBlocks(const FetchRequest& request, size_t* cost) const;
  absl::StatusOr<std::string> ReadFinalBlocks(const FetchRequest& request, size_t* cost) const;
  absl::StatusOr<std::string> ReadLogFile(const FetchRequest& request, size_t* cost) const;
  absl::StatusOr<std::string> ReadOffers(size_t* cost) const;
  absl::StatusOr<std::string> ReadManifest(const FetchRequest& request, size_t* cost);
  absl::StatusOr<std::string> ReadChunks(const FetchRequest& request, size_t* cost);
  absl::StatusOr<std::string> ReadCheckpoint(const FetchRequest& request, size_t* cost) const;
  absl::StatusOr<std::string> ReadModel(const FetchRequest& request, size_t* cost) const;
  absl::StatusOr<std::string> ReadKeptBlock(const FetchRequest& request, size_t* cost) const;
  absl::StatusOr<const ledger::SnapshotFile*> OpenSnapshot(Height height, size_t* cost);
  size_t Send(ValidatorIndex to, const FetchAnswer& answer);

  const Ports ports_;
  const Options options_;
  int64_t allowance_;  // Bytes that may be read and sent now; below 0 after a large answer.
  int64_t refilled_micros_;
  std::unique_ptr<ledger::SnapshotFile> snapshot_;  // The one that was asked for last.

  mutable Mutex mutex_;
  std::vector<std::deque<FetchRequest>> waiting_ VIGIL_GUARDED_BY(mutex_);  // By validator.
  size_t waiting_count_ VIGIL_GUARDED_BY(mutex_) = 0;
  size_t turn_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_FETCH_SERVER_H_
