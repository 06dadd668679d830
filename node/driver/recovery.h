// Recovery: from what a disk says to what a node may do.
//
// The journal is the truth. State and indexes are rebuilt from it; damage in its synced region, a
// journal that ends before its guard, or none at all is never repaired silently: such a node must
// not vote (consensus.md section 2).
#ifndef VIGIL_NODE_DRIVER_RECOVERY_H_
#define VIGIL_NODE_DRIVER_RECOVERY_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "consensus/core/core.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/chain_state.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"
#include "node/driver/block_builder.h"
#include "node/driver/log.h"
#include "node/driver/replica.h"
#include "node/log/cosign_guard.h"

namespace vigil::node {

// Opens one of a node's stores by name ("state", "index", "detect"); `wipe` empties it first.
using StoreFactory = std::function<absl::StatusOr<std::unique_ptr<ledger::Store>>(
    absl::string_view name, bool wipe)>;

struct JournalPlace {
  ledger::FileSystem* files = nullptr;
  std::string directory;
  std::string guard_path;
  ledger::JournalId id;
  ledger::JournalOptions options;
};

// Makes an empty journal and its guard, once in the life of a validator's incarnation.
// Errors: kAlreadyExists when there is a journal or a guard that says there was one.
absl::Status CreateJournal(const JournalPlace& place);

struct OpenedJournal {
  // Null when the journal must not be written: `damage` says why, naming segment and offset, and
  // what the operator can do.
  std::unique_ptr<ledger::Journal> journal;
  std::shared_ptr<const ledger::JournalReader> reader;  // Also of a damaged journal; null: none.
  ledger::RollbackGuard guard;
  bool last_group_ambiguous = false;
  absl::Status damage;
};
// Opens the journal and holds it against its guard.
// Errors: kFailedPrecondition when there is neither journal nor guard: the directory was never
// initialised.
absl::StatusOr<OpenedJournal> OpenJournal(const JournalPlace& place);

// What the frames of a journal say.
struct JournalScan {
  std::vector<ParentBlock> chain;  // The branch, from height 1 on.
  std::vector<ledger::JournalPosition> positions;
  std::vector<uint32_t> sizes;  // Frame bytes of each.
  std::string vote;             // Body of the last vote.
  Height committed;             // Highest height that some frame knows to be committed.
  CosignGuard cosigned;         // The last one.
};
// Walks a journal: follows the branch through truncations, remembers the last vote and what is
// known to be committed. Errors: kDataLoss when the frames contradict each other; those of the
// reader.
absl::StatusOr<JournalScan> ScanJournal(const ledger::Genesis& genesis,
                                        const ledger::JournalReader& reader);

// What the core starts from. A validator whose journal ended in a torn group is a non-voter until a
// quorum has told it what it may have forgotten (protocol.md, R21), unless `accept_torn_tail`, or
// it is the only one and nobody else can tell.
consensus::Recovered RecoveredFrom(const ledger::Genesis& genesis, const JournalScan& scan,
                                   const OpenedJournal& journal, Height executed,
                                   bool accept_torn_tail);

// Opens executed state; rebuilds it from an empty store when it is damaged, and says so.
struct OpenedState {
  std::unique_ptr<ledger::Store> store;
  std::unique_ptr<ledger::ChainState> state;
  bool rebuilt = false;  // The store was damaged and starts empty.
};
absl::StatusOr<OpenedState> OpenState(const StoreFactory& open_store,
                                      const ledger::Genesis* genesis, const LogFunction& log);

// Errors: kDataLoss when the state has executed what the journal does not hold.
absl::Status CheckStateOnChain(const ledger::Tip& tip, const JournalScan& scan);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_RECOVERY_H_
