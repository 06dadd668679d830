// Indexer: the actor that feeds the search index from the commit feed, behind execution.
//
// Keeps no position of its own: the index knows which height it wants next. What fails here stops
// the indexer, not the node; searches say up to which height they are complete.
#ifndef VIGIL_NODE_DRIVER_INDEXER_H_
#define VIGIL_NODE_DRIVER_INDEXER_H_

#include <atomic>
#include <functional>

#include "ledger/index/event_index.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/log.h"

namespace vigil::node {

// Feeds the events of one executed block, of which block, results and tip.height are read.
// Errors: those of EventIndex::Add(); kInvalidArgument for a payload that CheckBlock does not pass.
absl::Status AddToIndex(const ledger::ExecutedBlock& executed, ledger::EventIndex* index);

class Indexer final : public Actor {
 public:
  // All must outlive the object.
  // `keep_blocks`: newest blocks whose events stay searchable; older segments are dropped. 0: all.
  // `on_damage` is told that the index's store is damaged on disk. `first`: the first block whose
  // bytes are here.
  Indexer(ChainAccess* chain, ledger::EventIndex* index, const LogFunction* log,
          uint64_t keep_blocks, std::function<void(const absl::Status&)> on_damage,
          Height first = Height(1));

  // Drops what is indexed and starts from the first block again. Thread-safe; done by a later
  // Step().
  void Rebuild();
  // The blocks below `first` are not here any more: what is indexed of them goes. Thread-safe.
  void SetFirst(Height first);

  absl::string_view name() const override { return "index"; }
  bool Step() override;

 private:
  bool DropAll();
  void Stop(const absl::Status& why);
  absl::Status AddBlock(Height height);
  // Below this nothing is indexed, as the chain stands; Height(1) when everything is.
  Height Oldest() const;
  absl::Status Forget();

  ChainAccess* const chain_;
  ledger::EventIndex* const index_;
  const LogFunction* const log_;
  const uint64_t keep_blocks_;
  const std::function<void(const absl::Status&)> on_damage_;
  std::atomic<uint64_t> first_;
  std::atomic<bool> rebuild_wanted_{false};
  bool broken_ = false;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_INDEXER_H_
