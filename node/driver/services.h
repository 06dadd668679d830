// NodeServices: everything that a node's surfaces (gRPC API, HTTP, inspect) may ask of the machine.
//
// One way in (Submit), one way out (executed blocks). All methods are thread-safe.
#ifndef VIGIL_NODE_DRIVER_SERVICES_H_
#define VIGIL_NODE_DRIVER_SERVICES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "consensus/core/core.h"
#include "detector/entities/entity.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/index/event_index.h"
#include "ledger/log/tiles.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/final_waiters.h"
#include "node/driver/newcomers.h"
#include "node/driver/read_waiters.h"
#include "node/driver/submit.h"
#include "node/driver/transfer_desk.h"

namespace vigil::node {

struct NodeStatus {
  std::string validator;  // "org/name"
  consensus::CoreStatus core;
  bool refusing = false;
  std::string refusing_reason;
  Height executed;
  Height indexed;
  Height detector;
  Height final;  // A quorum cosigned a checkpoint that covers it.
  struct Log {
    uint64_t size = 0;            // Leaves in the recomputed tree.
    uint64_t final_size = 0;      // Of the newest final checkpoint.
    uint64_t cosigned_size = 0;   // Of the newest one that this node signed since it started.
    uint64_t fork_count = 0;      // Checkpoints of others that are not on our chain.
    std::string refusing_reason;  // Why this node signs none any more; empty: it does.
  };
  Log log;
  struct CosignerKey {
    Epoch since;           // In which this validator's key came into use.
    bool has_old = false;  // One of an epoch that is over is not destroyed yet.
  };
  CosignerKey cosigner_key;
  struct Snapshot {
    Height height;               // Of the newest one on disk; 0: none.
    uint64_t bytes = 0;          // Size of its file.
    uint64_t failure_count = 0;  // Since the start, for want of room on the disk.
  };
  Snapshot snapshot;
  uint64_t uptime_seconds = 0;
  std::vector<bool> connected;  // Per validator; true for this one.
  // Whom this validator, which leads, cannot bring on, because it has not kept what they need.
  struct Lacking {
    ValidatorIndex validator;
    Height height;    // Of the block that it needs.
    std::string why;  // "whose payloads were pruned here"
  };
  std::vector<Lacking> lacking;
  uint64_t frames_invalid = 0;  // Of peers, since the start: malformed, or without a good hello.
  uint64_t frames_dropped = 0;  // No room for them.
  uint64_t pruned_bytes = 0;    // That pruning freed since the start.
  // Keeping the journal below its limit (node/driver/archiver.h).
  struct Archive {
    uint64_t limit_bytes = 0;     // 0: the journal has no limit.
    uint64_t journal_bytes = 0;   // Of the journal's files.
    uint64_t archived_bytes = 0;  // That left the journal since the start.
    Height base;                  // The journal begins above this block.
    std::string held_back;        // Why the journal is above its limit; empty: it is not.
  } archive;
  uint64_t reads_answered = 0;  // Linearizable reads since the start.
  uint64_t reads_failed = 0;    // Without an answer: no leader, too late, or too many.
  // What other validators fetched from this one's disk since the start.
  struct Fetch {
    uint64_t answered = 0;
    uint64_t refused = 0;
    uint64_t bytes = 0;
  };
  Fetch fetch;
  // What the scrub found in what was written long ago, since the start (node/driver/scrubber.h).
  struct Scrub {
    uint64_t passes = 0;
    uint64_t bytes = 0;
    uint64_t damaged = 0;
    uint64_t repaired = 0;
    uint64_t bad_answers = 0;
    uint64_t unrepaired = 0;
    std::string problem;
  };
  Scrub scrub;
  // Of a validator that joins, until it follows.
  struct Join {
    bool active = false;
    Height height;  // Of the snapshot; 0: none is chosen.
    uint64_t chunk_count = 0;
    uint64_t chunks_kept = 0;
    uint64_t bytes_fetched = 0;  // Since the start, as is the next.
    uint64_t bad_answers = 0;    // Of peers: what does not hold.
  };
  Join join;
  struct TrainedModel {
    uint32_t event_type = 0;
    uint64_t period = 0;
    Hash digest;
    uint32_t row_count = 0;
    uint32_t threshold_q8 = 0;
  };
  // Whether the detector's windows are those of the chain, so that it can alert and judge.
  struct Warmth {
    bool warm = false;
    std::string phase;           // What is still to be done; empty when warm.
    uint64_t bytes_fetched = 0;  // Of other validators, since the start, as the next.
    uint64_t bad_answers = 0;    // Of them: what does not hold.
  };
  Warmth warmth;
  // How the detector's types stand, and what it said on the chain since the start.
  struct DetectedType {
    uint32_t event_type = 0;
    uint32_t window_rows = 0;
    uint64_t trained_period = 0;
    bool cold = false;
    uint32_t drift_q8 = 0;
    std::string drift_feature;  // Empty: there is no model before.
    bool drifts = false;
  };
  struct Detection {
    std::vector<DetectedType> types;
    uint64_t proposed = 0;
    uint64_t confirmed = 0;
    uint64_t disputed = 0;
    uint64_t duties = 0;
    Hash rules;  // That the last block was held against; zero: none.
  };
  Detection detection;
  std::vector<TrainedModel> models;  // What this node trained last, per type.
};

class NodeServices {
 public:
  virtual ~NodeServices() = default;

  virtual const ledger::Genesis& genesis() const = 0;

  // Checks size, form, signature and stream position on the calling thread, then hands over. `done`
  // is called exactly once, with the outcome once the record is committed and executed here, or
  // with why it was not taken; on this or another thread, perhaps before Submit returns, and it
  // must not block.
  virtual SubmitTicket Submit(ledger::Record record, SubmitDone done) = 0;
  // The caller waits no longer: its `done` is dropped without being called, unless that happens
  // right now. The record itself stays under way.
  virtual void Withdraw(const SubmitTicket& ticket) = 0;
  // Answers everybody who waits for a record, and refuses records from now on. A surface that is to
  // end waits for its calls, so this comes before its end.
  virtual void AnswerWaiting() = 0;

  // Where a record is. Errors: kNotFound.
  virtual absl::StatusOr<SubmitReceipt> FindReceipt(const Hash& leaf_hash) const = 0;

  virtual std::shared_ptr<const ledger::ChainReader> Snapshot() const = 0;
  // An executed block with its bytes, from cache or journal. Errors: kNotFound; kDataLoss naming
  // where.
  virtual absl::StatusOr<ledger::BlockPtr> LoadBlock(Height height) const = 0;
  // The file of a detector model by its digest. Errors: kNotFound: not kept here; of the disk.
  virtual absl::StatusOr<std::string> ReadModel(const Hash& digest) const = 0;
  virtual const ledger::EventIndex& index() const = 0;
  // The index was seen to be damaged: builds it anew, in the background.
  virtual void RebuildIndex() = 0;
  virtual NodeStatus Status() const = 0;
  // What this node's detector remembers of an entity. Errors: kNotFound; kUnavailable while it
  // rebuilds its windows, or does not run.
  virtual absl::StatusOr<detector::Entity> FindEntity(detector::EntityKind /*kind*/,
                                                      absl::string_view /*key*/) const {
    return absl::UnavailableError("no detector runs here");
  }

  // Calls `listener` with the executed height after each change, on the apply thread: it must only
  // wake somebody. Returns a token for RemoveListener, after which it is never called again.
  virtual uint64_t AddHeightListener(std::function<void(Height)> listener) = 0;
  virtual void RemoveHeightListener(uint64_t token) = 0;

  // Highest height that a final checkpoint covers, as far as this node knows.
  virtual Height FinalHeight() const = 0;
  // Calls `done` once: without error when `height` is final, perhaps at once; with one when this
  // node stops or cannot tell. On this or another thread; it must not block.
  virtual void WhenFinal(Height height, FinalDone done) = 0;
  // Calls `done` once, within `wait_micros`: without error when this node's state contains
  // everything that any validator had acknowledged before the call (docs/protocol.md, R25), and the
  // search index will once it reaches the height given; with one when that cannot be told. On this
  // or another thread; it must not block.
  virtual void WhenCurrent(int64_t wait_micros, ReadDone done) = 0;
  // Hands leadership over to `to`, or to whoever is furthest (docs/protocol.md, R26). Calls `done`
  // once, when that one leads, or saying why it does not; on this or another thread; it must not
  // block.
  virtual void TransferLeadership(std::optional<ValidatorIndex> to, TransferDone done) = 0;
  // The newest final checkpoint: a signed note with its cosignatures. Errors: kNotFound while there
  // is none; kUnavailable while the node refuses.
  virtual absl::StatusOr<std::string> Checkpoint() const = 0;
  // The epoch chain so far (ledger/state/epoch_anchor.h), a file's bytes.
  virtual std::string EpochChain() const = 0;
  // Whom proposals name that is no validator yet, and how far each has learned from this node.
  // Errors: of the state; kUnavailable while the node refuses.
  virtual absl::StatusOr<std::vector<NewcomerStanding>> Newcomers() const {
    return absl::UnavailableError("nobody learns from this node");
  }
  // The newest final checkpoint that all these witnesses outside the network cosigned, named by
  // their keys. Errors: kUnavailable while there is none; kInvalidArgument when none is named.
  virtual absl::StatusOr<std::string> CheckpointWitnessedBy(
      std::span<const std::string> witnesses) const = 0;
  // A tile or entry bundle of the log by its name, byte for byte (node/log/tile_store.h).
  virtual absl::StatusOr<std::string> ReadLogFile(absl::string_view path) const = 0;
  // For proofs of the log up to the newest final checkpoint; null while the node refuses.
  virtual const ledger::TileSource* tiles() const = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SERVICES_H_
