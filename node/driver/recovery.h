// Recovery: from what a disk says to what a node may do.
//
// The journal is the truth. State and indexes are rebuilt from it; damage in its synced region, a
// journal that ends before its guard, or none at all is never repaired silently: such a node must
// not vote (consensus.md section 2).
#ifndef VIGIL_NODE_DRIVER_RECOVERY_H_
#define VIGIL_NODE_DRIVER_RECOVERY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "consensus/core/core.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/chain_state.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"
#include "node/driver/block_builder.h"
#include "node/driver/derived_stores.h"
#include "node/driver/log.h"
#include "node/driver/replica.h"
#include "node/driver/snapshot_folder.h"
#include "node/log/cosign_guard.h"

namespace vigil::node {

// The file that stands in a data folder while a restore has not ended: its journal may be cut short
// and knows nothing of what it forgot.
std::string RestoreMarker(const std::string& data_dir);
// Errors: kFailedPrecondition when it is there.
absl::Status CheckNoRestore(const ledger::FileSystem& files, const std::string& data_dir);

struct JournalPlace {
  ledger::FileSystem* files = nullptr;
  std::string directory;
  std::string guard_path;
  ledger::JournalId id;
  ledger::JournalOptions options;
};

// Where the rollback guard lies; an empty `guard_path`: in the data folder.
std::string GuardPath(const std::string& data_dir, const std::string& guard_path);
JournalPlace PlaceOfJournal(ledger::FileSystem* files, const std::string& data_dir,
                            const std::string& guard_path, const ledger::JournalId& id);
// Holds the folder for this process. Errors: kNotFound: there is none; kAlreadyExists: another
// process holds it.
absl::StatusOr<std::shared_ptr<void>> LockDataFolder(ledger::FileSystem* files,
                                                     const std::string& data_dir);

// What a validator's folder is made for.
enum class Beginning {
  kNewNetwork,  // The whole network starts now: it votes at once.
  kJoin,        // The network may run, and this validator may have voted in it: it does not vote
                // before a quorum has confirmed where things stand (protocol.md, R21, R24).
};

// Makes an empty journal and its guard, once in the life of a validator's incarnation. A journal
// for joining begins with the record that it must not vote, or is not there at all.
// Errors: kAlreadyExists when there is a journal or a guard that says there was one.
absl::Status CreateJournal(const JournalPlace& place, Beginning beginning = Beginning::kNewNetwork);

// Node::Rejoin() with the directory locked.
absl::StatusOr<std::string> RejoinFolder(const ledger::Genesis& genesis, const JournalPlace& place,
                                         bool even_if_sound);

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
// initialised; those of a disk that cannot be read: nothing is known then, and a later start may
// do.
absl::StatusOr<OpenedJournal> OpenJournal(const JournalPlace& place);

// What the frames of a journal say.
struct JournalScan {
  // What the branch begins above: genesis (height 0), or the block of a base frame.
  ParentBlock base;
  std::optional<ledger::BaseFrame> base_frame;
  std::vector<ParentBlock> chain;  // The branch, from the height above the base on.
  std::vector<ledger::JournalPosition> positions;
  std::vector<uint32_t> sizes;  // Frame bytes of each.
  std::string vote;             // Body of the last vote.
  bool joined = false;          // It was made for joining: its first frame says so.
  bool has_voted = false;       // Some vote record allows to vote.
  bool decided = false;         // It joins and follows from the first block.
  Height committed;             // Highest height that some frame knows to be committed.
  CosignGuard cosigned;         // The last one.
  // The block that ends the epoch of the genesis given, and the pair of sets that its header and
  // those of the closing blocks above it name; height 0: there is none.
  Height sealing;
  Hash sealing_set;
  Hash sealing_next_set;
  Epoch epoch_max{1};  // The highest that a block of the branch or a vote names.
  // What headers of the branch carry, by the height of the header.
  std::map<Height, ledger::SnapshotMark> snapshots;

  // It joins, and whether by a snapshot is not decided yet.
  bool IsNew() const {
    return joined && !has_voted && !decided && !base_frame.has_value() && chain.empty();
  }
  Height last_height() const { return Height(base.id.height.value() + chain.size()); }
  // The base or a block of the chain; null outside of them.
  const ParentBlock* Find(Height height) const;
  // Where the block of a height above the base, up to last_height(), stands in the vectors.
  size_t IndexOf(Height height) const { return height - base.id.height - 1; }
};
// Walks a journal: follows the branch through truncations, remembers the last vote and what is
// known to be committed. Closing blocks of epochs before that of `genesis` are left out.
// Errors: kDataLoss when the frames contradict each other; those of the
// reader.
absl::StatusOr<JournalScan> ScanJournal(const ledger::Genesis& genesis,
                                        const ledger::JournalReader& reader);

// What the core starts from. A validator whose journal ended in a torn group is a non-voter until a
// quorum has told it what it may have forgotten (protocol.md, R21), unless `accept_torn_tail`: that
// is of no avail to one that joins, whose earlier votes are lost for certain.
consensus::Recovered RecoveredFrom(const JournalScan& scan, const OpenedJournal& journal,
                                   Height executed, bool accept_torn_tail);

struct OpenedState {
  std::unique_ptr<ledger::Store> store;
  std::unique_ptr<ledger::ChainState> state;
  // The snapshot whose digest the next header to carry one must carry, once that is known.
  std::optional<ledger::SnapshotMark> snapshot;
};
// Opens executed state. When it is damaged, lost, or lies above a snapshot whose digest is still to
// be agreed on and not on disk, it begins anew: at the newest sound snapshot, else at genesis; the
// journal has the rest. `snapshots` may be null when the journal cannot be read: then state that is
// damaged starts empty.
absl::StatusOr<OpenedState> OpenState(DerivedStores* stores, const ledger::Genesis* genesis,
                                      SnapshotFolder* snapshots, const LogFunction& log);

// Errors: kDataLoss when the state has executed what the journal does not hold.
absl::Status CheckStateOnChain(const ledger::Tip& tip, const JournalScan& scan);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_RECOVERY_H_
