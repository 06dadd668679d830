// Applier: the actor that executes committed blocks, in order, and tells everybody.
//
// Gets only blocks that are committed and durable here, so state never runs ahead of the journal. A
// block that does not fit, or a digest that differs, means that this node's state diverged or its
// disk lies: it stops. A block whose header carries the digest of a snapshot waits until ours is
// known.
#ifndef VIGIL_NODE_DRIVER_APPLIER_H_
#define VIGIL_NODE_DRIVER_APPLIER_H_

#include <memory>
#include <optional>

#include "ledger/state/chain_state.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/counters.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/inbox.h"
#include "node/driver/pending_submissions.h"
#include "node/driver/snapshot_actor.h"

namespace vigil::node {

struct ApplyJob {
  ledger::BlockId block;
  ledger::JournalPosition position;
};

class Applier final : public Actor {
 public:
  struct Ports {
    ChainAccess* chain = nullptr;
    BlockCache* cache = nullptr;
    PendingSubmissions* pending = nullptr;
    FatalLatch* fatal = nullptr;
    NodeCounters* counters = nullptr;
    SnapshotActor* snapshots = nullptr;
    const ledger::Genesis* genesis = nullptr;
  };

  Applier(const Ports& ports, std::unique_ptr<ledger::ChainState> state);

  // Blocks come in order of height. Never refuses: the replica stops taking blocks from peers when
  // execution lies too far behind (Replica, kUnexecutedHeightsMax).
  void Push(const ApplyJob& job);

  absl::string_view name() const override { return "apply"; }
  bool Step() override;

 private:
  bool TakeJob();
  absl::Status Execute(const ApplyJob& job);
  void AnswerSubmitters(const ledger::ExecutedBlock& executed);

  const Ports ports_;
  const std::unique_ptr<ledger::ChainState> state_;
  Inbox<ApplyJob> inbox_;
  std::optional<ApplyJob> job_;  // Taken out of the inbox and not executed yet.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_APPLIER_H_
