// Judges a cluster by what leaves its members: journal records, messages, commits and roles.
//
// Knows Raft's promises, nothing of how consensus/raft keeps them. Remembers the first violation.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_ORACLE_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_ORACLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "consensus/core/core.h"

namespace vigil::consensus {

class Oracle {
 public:
  explicit Oracle(uint32_t validator_count)
      : quorum_(validator_count / 2 + 1), nodes_(validator_count) {}

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
  size_t leaders() const { return leaders_.size(); }
  void Fail(const std::string& what);

 private:
  struct Node {
    std::vector<Hash> disk;  // Branch on disk now.
    std::set<Hash> ever_on_disk;
    Height committed;                      // Of this start.
    std::map<View, ValidatorIndex> votes;  // Ever sent, over all starts.
  };
  void OnVote(ValidatorIndex node, View term, ValidatorIndex candidate);

  const uint32_t quorum_;
  std::vector<Node> nodes_;
  std::map<View, ValidatorIndex> leaders_;
  std::map<std::pair<Height, View>, Hash> blocks_;
  std::map<Hash, Hash> parents_;
  std::vector<Hash> committed_;  // By height, from 1.
  std::string failure_;
};

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_ORACLE_H_
