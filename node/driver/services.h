// NodeServices: everything that a node's surfaces (gRPC API, HTTP, inspect) may ask of the machine.
//
// One way in (Submit), one way out (executed blocks). All methods are thread-safe.
#ifndef VIGIL_NODE_DRIVER_SERVICES_H_
#define VIGIL_NODE_DRIVER_SERVICES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "consensus/core/core.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/index/event_index.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/submit.h"

namespace vigil::node {

struct NodeStatus {
  std::string validator;  // "org/name"
  consensus::CoreStatus core;
  bool refusing = false;
  std::string refusing_reason;
  Height executed;
  Height indexed;
  Height detector;
  uint64_t uptime_seconds = 0;
  std::vector<bool> connected;  // Per validator; true for this one.
  struct TrainedModel {
    uint32_t event_type = 0;
    uint64_t period = 0;
    Hash digest;
    uint32_t row_count = 0;
    uint32_t threshold_q8 = 0;
  };
  std::vector<TrainedModel> models;  // What this node trained last, per type.
};

class NodeServices {
 public:
  virtual ~NodeServices() = default;

  virtual const ledger::Genesis& genesis() const = 0;

  // Checks size, form, signature and stream position on the calling thread, then hands over. `done`
  // is called exactly once, with the outcome once the record is committed and executed here, or
  // with why it was not taken; on this or another thread, and it must not block.
  virtual void Submit(ledger::Record record, SubmitDone done) = 0;

  // Where a record is. Errors: kNotFound.
  virtual absl::StatusOr<SubmitReceipt> FindReceipt(const Hash& leaf_hash) const = 0;

  virtual std::shared_ptr<const ledger::ChainReader> Snapshot() const = 0;
  // An executed block with its bytes, from cache or journal. Errors: kNotFound; kDataLoss naming
  // where.
  virtual absl::StatusOr<ledger::BlockPtr> LoadBlock(Height height) const = 0;
  virtual const ledger::EventIndex& index() const = 0;
  // The index was seen to be damaged: builds it anew, in the background.
  virtual void RebuildIndex() = 0;
  virtual NodeStatus Status() const = 0;

  // Calls `listener` with the executed height after each change, on the apply thread: it must only
  // wake somebody. Returns a token for RemoveListener, after which it is never called again.
  virtual uint64_t AddHeightListener(std::function<void(Height)> listener) = 0;
  virtual void RemoveHeightListener(uint64_t token) = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SERVICES_H_
