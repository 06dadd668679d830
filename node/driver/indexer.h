// Indexer: the actor that feeds the search index from the commit feed, behind execution.
//
// Keeps no position of its own: the index knows which height it wants next. Damage in the index
// stops the indexer, not the node; searches then say up to which height they are complete.
#ifndef VIGIL_NODE_DRIVER_INDEXER_H_
#define VIGIL_NODE_DRIVER_INDEXER_H_

#include "ledger/index/event_index.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/log.h"

namespace vigil::node {

class Indexer final : public Actor {
 public:
  // All must outlive the object.
  Indexer(ChainAccess* chain, ledger::EventIndex* index, const LogFunction* log);

  absl::string_view name() const override { return "index"; }
  bool Step() override;

 private:
  absl::Status AddBlock(Height height);

  ChainAccess* const chain_;
  ledger::EventIndex* const index_;
  const LogFunction* const log_;
  bool broken_ = false;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_INDEXER_H_
