// FaultInjector: does to a cluster what a schedule says, ends what lasts for a while, and is the
// supervisor that starts processes again.
//
// Every event is taken as it comes; one that finds nothing to break (a crash of a node that is
// down) does nothing, so that a schedule stays lawful when events are taken out of it. What a
// minority may lose (damage to what was synced, joining anew) is done to at most f = (n - 1) / 2
// different nodes in a run, whatever the schedule says: beyond that the promises end. The same of
// every set that the network may come to have, where newcomers count as lost until they have caught
// up and vote, and at least one validator has the whole chain.
#ifndef VIGIL_TESTS_SIM_FAULT_INJECTOR_H_
#define VIGIL_TESTS_SIM_FAULT_INJECTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/schedule.h"
#include "tests/sim/sim_cluster.h"

namespace vigil::sim {

class FaultInjector {
 public:
  // What was done, and to whom; kAll: to all, or to the network.
  using NoteFunction = std::function<void(uint32_t node, const std::string& text)>;
  static constexpr uint32_t kAll = UINT32_MAX;

  // Both must outlive the injector. `note` may be empty.
  FaultInjector(SimCluster* cluster, const Schedule* schedule, NoteFunction note);

  // After every step of the clock. Returns what is wrong; empty if nothing is.
  std::string Step();
  // Ends all faults and starts everything that is down; machines whose disk was struck are started
  // anew. Step() goes on as supervisor only.
  std::string Heal();
  // The operator's part after Heal(), when nodes have had time to find each other: votes may be
  // lost at so many of `members`, the present set, that no quorum may vote.
  std::string AcceptTornTails(const std::vector<uint32_t>& members);
  // The documented way back of those that refuse. REQUIRES: a quorum votes.
  std::string RejoinRefusing();

  // Its process is about to end, or its disk is off.
  const std::vector<bool>& dying() const { return dying_; }
  // Its disk was struck since its start, or damaged at any time: errors are its right.
  const std::vector<bool>& excused() const { return excused_; }
  // Node whose synced bytes were damaged, or that joined anew.
  bool damaged(uint32_t i) const { return nodes_[i].damaged; }

  // What becomes of kChangeSet events.
  void SetChangeHandler(std::function<void(const FaultEvent&)> handler) {
    change_set_ = std::move(handler);
  }
  // A machine beside the validators of genesis that was not set up yet.
  bool spare(uint32_t i) const { return nodes_[i].spare; }
  // A machine that joined as a newcomer: what was before it has from others.
  bool newcomer(uint32_t i) const { return nodes_[i].newcomer; }
  // Whether the promises hold for a set of these nodes; then they are kept for it from now on.
  bool MayBecome(const std::vector<uint32_t>& set);
  // Sets up a spare machine with the epoch chain of node `from`, which is up, and starts it.
  // Returns whether that could be.
  bool SetUp(uint32_t i, uint32_t from);

  // How often each kind of fault happened, and what it came to.
  std::map<std::string, uint64_t> Counts() const;

 private:
  struct NodeState {
    bool down = false;
    bool spare = false;     // Nobody has set it up.
    bool newcomer = false;  // It was set up for a set that came later.
    bool voted = false;     // A newcomer that was seen to be a voter.
    bool damaged = false;
    bool struck = false;     // A disk fault since the last start.
    bool armed = false;      // A rule waits on its disk.
    bool rejoining = false;  // Node::Rejoin() is to be repeated before the next start.
    int failed_starts = 0;
    int deaths = 0;  // After healing.
    int64_t up_at = 0;
    int64_t off_at = 0;
    int64_t paused_until = 0;
    int64_t stalled_until = 0;
    int64_t full_until = 0;
    int64_t slow_until = 0;
    FaultEvent rule;         // That waits, or fired last.
    FaultEvent last_strike;  // How the process ends when the disk has failed.
  };

  int64_t now() const { return cluster_->clock().MonotonicMicros(); }
  void Note(uint32_t node, const std::string& text) const {
    if (note_) note_(node, text);
  }
  void Count(const std::string& what) { ++counts_[what]; }
  std::string Supervise(uint32_t i);
  std::string StartAgain(uint32_t i);
  void Crash(uint32_t i, ledger::CrashMode mode, int64_t for_micros);
  void EndWhatIsOver();
  void SetNetwork();
  void Apply(const FaultEvent& event);
  void ApplyToNetwork(const FaultEvent& event);
  void ApplyToNode(const FaultEvent& event);
  void Strike(const FaultEvent& event);
  void FlipBit(const FaultEvent& event);
  bool MayDamage(uint32_t i);
  bool HoldsFor(const std::vector<uint32_t>& set) const;
  bool Rejoin(uint32_t i);
  void NoteFired(uint32_t i);
  void UpdateFlags();

  SimCluster* const cluster_;
  const Schedule* const schedule_;
  const NoteFunction note_;
  size_t next_event_ = 0;
  bool healed_ = false;
  std::function<void(const FaultEvent&)> change_set_;
  std::vector<NodeState> nodes_;
  std::vector<std::vector<uint32_t>> sets_;  // That the network has had or may come to have.
  std::vector<bool> dying_;
  std::vector<bool> excused_;
  std::map<FaultKind, FaultEvent> network_;  // What lasts, by kind.
  std::map<std::pair<uint32_t, uint32_t>, int64_t> cut_until_;
  std::map<std::string, uint64_t> counts_;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_FAULT_INJECTOR_H_
