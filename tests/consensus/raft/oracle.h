// Judges a cluster by what leaves its members: journal records, messages, commits and roles.
//
// Knows Raft's promises, nothing of how consensus/raft keeps them. Remembers the first violation.
// A node is a machine, which may be a validator of several epochs, of one at a time; where a
// message names a validator, the caller translates.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_ORACLE_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_ORACLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "consensus/core/core.h"

namespace vigil::consensus {

class Oracle {
 public:
  // Epoch 1 is that of nodes 0 .. validator_count - 1.
  explicit Oracle(uint32_t validator_count) : Oracle(validator_count, validator_count) {}
  Oracle(uint32_t validator_count, uint32_t node_count);

  // The next epoch, once the last one's sealing block is committed.
  void OnEpoch(const std::vector<uint32_t>& members);
  // `node` starts from `recovered`.
  void OnStart(ValidatorIndex node, const Recovered& recovered);
  void OnAppended(ValidatorIndex node, const JournalAppend& record);
  // These records of `node`, in order, are on disk now.
  void OnSynced(ValidatorIndex node, const std::vector<JournalAppend>& records);
  void OnSent(ValidatorIndex node, const Message& message);
  void OnCommitted(ValidatorIndex node, const BlockId& block);
  void OnStatus(ValidatorIndex node, const CoreStatus& status);
  // Everything ever committed is in this chain, up to its end at `height_min` or above.
  void OnFinalChain(ValidatorIndex node, const Recovered& recovered, Height height_min);

  const std::string& failure() const { return failure_; }
  const Hash& committed(Height height) const { return committed_[height.value() - 1]; }
  Height highest_committed() const { return Height(committed_.size()); }
  // The committed sealing blocks, of epoch 1 first.
  const std::vector<BlockId>& sealing_blocks() const { return sealing_blocks_; }
  size_t leaders() const { return leaders_.size(); }
  void Fail(const std::string& what);

 private:
  struct Node {
    std::vector<Hash> disk;  // Branch on disk now.
    std::set<Hash> ever_on_disk;
    Height committed;                                        // Of this start.
    std::map<std::pair<Epoch, View>, ValidatorIndex> votes;  // Ever sent, over all starts.
    std::map<Epoch, View> seen;                              // The highest term it was in.
  };
  struct Header {
    Hash parent;
    View parent_view;
    Epoch epoch{1};
    bool seals = false;
  };
  void OnVote(ValidatorIndex node, Epoch epoch, View term, ValidatorIndex candidate);
  void CheckHolders(ValidatorIndex node, const BlockId& block, Epoch epoch);
  void CheckEpoch(ValidatorIndex node, const BlockId& block, const Header& header);

  std::vector<Node> nodes_;
  std::vector<std::vector<uint32_t>> sets_;  // Of epoch 1 first.
  std::map<std::pair<Epoch, View>, ValidatorIndex> leaders_;
  std::map<std::tuple<Epoch, Height, View>, Hash> blocks_;
  std::map<Hash, Header> headers_;
  std::vector<Hash> committed_;  // By height, from 1.
  std::vector<BlockId> sealing_blocks_;
  std::string failure_;
};

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_ORACLE_H_
