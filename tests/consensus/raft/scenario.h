// Plays scenario files against cores in memory and writes what happened as text.
//
// A file is commands, a line "----", and the transcript they must give. Blocks are written
// height@term. Commands ('#' starts a comment):
//
//   set KEY VALUE          before `nodes`: a limit or timeout of RaftConfig
//   nodes N                starts validators 0 .. N-1, with synchronous disks
//   campaign X             ticks X until its election timer fires
//   tick N [X]             N ticks for every running validator, or for X alone
//   propose X [SIZE]       X's host answers the outstanding AskBuild
//   seal X                 the same with a block that seals the epoch
//   epoch E N X            epoch E is that of validators 0 .. N-1, above X's sealing block
//   enter X ..             X's host ends its core and starts the newest epoch's on the same journal
//   fetch X Y              X's host restarts with what is committed on Y's disk, up to the epoch's
//   base transfer X Y           X's host wants Y to lead archive X HEIGHT       X's journal begins
//   above its block at HEIGHT from now on read X ID              X's host asks for a linearizable
//   read deliver [X Y [COUNT]]  delivers queued messages until none is left; or those from X to Y
//   drop X Y               loses the queued messages from X to Y
//   save X Y / replay X Y  keeps copies of the queued messages from X to Y / queues the copies
//   again partition X.. | Y..    messages between the sides are lost; `heal` ends it manual X /
//   sync X      X's disk syncs only on command / syncs now; `auto X` ends it crash X [lost-group]
//   loses unsynced records; with lost-group, the last synced group too crash X above Y H      loses
//   all; its log begins above Y's block H, as after a snapshot restart X claim X Y [TERM]       X
//   tells Y that it leads TERM (Y's own term by default) forge X Y              X, Y's leader,
//   sends Y another block than that at Y's last height conflict X Y           the same at Y's
//   committed height above X Y WHAT         X, Y's leader, sends Y a block above Y's last: closing,
//   plain, records (a
//                          closing block that has some), next (of the next epoch)
//   garbage X Y            X sends Y bytes that are no message
//   status                 what every core says of itself
//   quiet / loud           leave out, or write again, what happens
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_SCENARIO_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_SCENARIO_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "consensus/core/core.h"
#include "consensus/raft/codec.h"
#include "consensus/raft/raft.h"
#include "tests/consensus/raft/test_host.h"

namespace vigil::consensus {

class Scenario {
 public:
  // Runs the commands of `script`, up to a "----" line. Returns the transcript.
  static std::string Play(absl::string_view script);

 private:
  using Words = std::vector<std::string>;
  struct Envelope {
    ValidatorIndex from;
    ValidatorIndex to;
    PeerMessage message;
  };

  void Run(absl::string_view line);
  bool RunOnDisk(const Words& words);
  bool RunOnEpoch(const Words& words);
  bool RunOnNetwork(const Words& words);
  bool RunForgery(const Words& words);
  void Set(const std::string& key, uint64_t value);
  void StartNodes(uint32_t count);
  void Campaign(ValidatorIndex node);
  void TickNode(ValidatorIndex node);
  void Propose(ValidatorIndex node, uint32_t size, bool seals = false);
  void DefineEpoch(Epoch epoch, uint32_t count, ValidatorIndex sealed);
  void Enter(ValidatorIndex node);
  void Fetch(ValidatorIndex node, ValidatorIndex from);
  void DeliverAll();
  void DeliverLink(ValidatorIndex from, ValidatorIndex to, size_t count);
  void Deliver(const Envelope& envelope);
  void Partition(const Words& words);
  void Sync(ValidatorIndex node);
  void Claim(ValidatorIndex from, ValidatorIndex to, View term);
  void Forge(ValidatorIndex from, ValidatorIndex to, Height height);
  void ForgeAbove(ValidatorIndex from, ValidatorIndex to, const std::string& what);
  void Inject(ValidatorIndex from, ValidatorIndex to, View term, const RaftAppend& append,
              const std::vector<ledger::BlockPtr>& blocks);
  void ShowStatus();

  void StepNode(ValidatorIndex node, const Input& input);
  void Send(ValidatorIndex from, const std::vector<Message>& messages);
  void Narrate(ValidatorIndex node, const Output& output, const CoreStatus& before);
  void Say(const std::string& line);
  TestHost& Host(ValidatorIndex node) { return *hosts_[node.value()]; }

  RaftConfig config_;
  std::unique_ptr<BlockMaker> maker_;
  std::vector<std::unique_ptr<TestHost>> hosts_;
  std::set<ValidatorIndex> manual_;
  std::set<std::pair<ValidatorIndex, ValidatorIndex>> cut_;
  std::deque<Envelope> queue_;
  std::map<std::pair<ValidatorIndex, ValidatorIndex>, std::vector<Envelope>> saved_;
  uint64_t starts_ = 0;
  bool quiet_ = false;
  std::string transcript_;
};

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_SCENARIO_H_
