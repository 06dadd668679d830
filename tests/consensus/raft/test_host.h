// A validator's host for tests: a core with a journal in memory that loses on a crash what was not
// synced. Shared by the scenarios and the random cluster. Belongs to one thread.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_TEST_HOST_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_TEST_HOST_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/core/core.h"
#include "consensus/raft/raft.h"
#include "ledger/chain/block.h"
#include "ledger/crypto/keys.h"

namespace vigil::consensus {

// Makes signed blocks without meaning; every one is different.
class BlockMaker {
 public:
  static Hash GenesisHash();
  // The key of a validator of test clusters.
  static ledger::SigningKey KeyOf(ValidatorIndex validator);

  explicit BlockMaker(uint32_t validator_count);
  // `size`: bytes of the one record's payload; 0 makes a block without records.
  ledger::BlockPtr Make(const ledger::BlockId& parent, View view, ValidatorIndex proposer,
                        uint32_t size);
  // The same in `epoch`, naming its set and, if it `seals` (or closes), that of the next.
  ledger::BlockPtr MakeIn(Epoch epoch, bool seals, const ledger::BlockId& parent, View view,
                          ValidatorIndex proposer, uint32_t size);
  static Hash SetOf(Epoch epoch);

 private:
  std::vector<ledger::SigningKey> keys_;
  uint64_t made_ = 0;
};

// The chain, vote, commit mark and sealing block that `records` tell, as a node of `epoch` reads
// them back: without the closing blocks of epochs before.
Recovered RecoverFrom(const std::vector<JournalAppend>& records, const BlockId& base = {},
                      Epoch epoch = Epoch(1));

class TestHost {
 public:
  explicit TestHost(const RaftConfig& config) : config_(config) {}

  // REQUIRES: not up. `seed` names the start.
  void Start(uint64_t seed);
  // Loses what was not synced, except for the first `surviving` records of it.
  void Crash(size_t surviving);
  // A crash after which the last synced group cannot be read either; the next start may not vote.
  void CrashLosingLastGroup();
  // A crash after which nothing is left but the rollback guard, if `keeps_guard`, and the log
  // begins anew above `base`, which is committed, as after a snapshot; the next start may not vote.
  void CrashLosingAll(const BlockId& base, bool keeps_guard);
  // Ends the core, if there is one, as Crash() does; the next start is of another epoch.
  void EndEpoch(const RaftConfig& next, size_t surviving);
  // What a host fetched from others lies on disk, above what agrees with it; all of it committed.
  // REQUIRES: not up; `chain` begins above base().
  void Graft(const std::vector<ledger::BlockPtr>& chain);
  const BlockId& base() const { return base_; }
  const RaftConfig& config() const { return config_; }
  // As of what is on disk, in the epoch of config().
  Recovered OnDisk() const;

  bool up() const { return core_ != nullptr; }
  Core& core() { return *core_; }
  const Core& core() const { return *core_; }

  // Steps the core and journals what it appends; keeps its promises until TakeSynced().
  Output Step(const Input& input);
  // Everything journalled is on disk now: the promises that may leave. The caller feeds
  // DurableUpTo(sequence()) next.
  std::vector<Message> TakeSynced();
  bool has_unsynced() const { return synced_count_ < journal_.size(); }
  size_t unsynced_count() const { return journal_.size() - synced_count_; }
  uint64_t sequence() const { return sequence_; }
  bool lost_promises() const { return lost_promises_; }

  // The outstanding AskBuild.
  const std::optional<AskBuild>& ask() const { return ask_; }
  // Bodies for a message, from everything ever journalled.
  std::vector<ledger::BlockPtr> Bodies(const Message& message) const;
  std::vector<JournalAppend> SyncedRecords() const;
  const ledger::BlockPtr& Body(const Hash& hash) const { return blocks_.at(hash); }

 private:
  RaftConfig config_;
  std::unique_ptr<Core> core_;
  BlockId base_;
  std::vector<JournalAppend> journal_;
  std::vector<size_t> group_ends_;  // Journal sizes at each sync.
  size_t synced_count_ = 0;
  View guard_view_;  // The rollback guard: survives every crash.
  bool lost_promises_ = false;
  bool lost_guard_ = false;
  uint64_t sequence_ = 0;
  std::vector<Message> promises_;
  std::optional<AskBuild> ask_;
  std::map<Hash, ledger::BlockPtr> blocks_;
};

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_TEST_HOST_H_
