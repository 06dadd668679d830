// SetChanges: the organisations of a simulated network, who change its set of validators as a
// schedule says, and the operators who set up newcomers.
//
// An admin proposes the next set through some node, those of other organisations vote when they see
// it accepted, and each asks again, elsewhere, until it is answered. A proposal that would leave
// less than a quorum of validators that keep their data (FaultInjector) is not made. When an epoch
// begins that names a machine that has never run, its operator takes the epoch chain from a
// validator and has it join.
#ifndef VIGIL_TESTS_SIM_SET_CHANGES_H_
#define VIGIL_TESTS_SIM_SET_CHANGES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "node/driver/submit.h"
#include "tests/sim/fault_injector.h"
#include "tests/sim/set_watch.h"
#include "tests/sim/sim_cluster.h"

namespace vigil::sim {

class SetChanges {
 public:
  // All must outlive the object. `note` may be empty.
  SetChanges(SimCluster* cluster, FaultInjector* injector, SetWatch* watch, uint64_t seed,
             FaultInjector::NoteFunction note);

  // The present set and the numbers of its nodes, as the node in the newest epoch knows them.
  struct Present {
    Epoch epoch;
    uint32_t node = 0;  // That knows it.
    SetWatch::Set set;
  };
  std::optional<Present> FindPresent() const;

  // A kChangeSet event. One that asks for what may not be, or finds no node to ask, does nothing.
  void Propose(const FaultEvent& event);
  // After every step of the clock.
  void Step();
  // Nobody waits for an answer.
  bool done() const { return errands_.empty(); }
  std::map<std::string, uint64_t> Counts() const { return counts_; }

 private:
  // A record on its way: a proposal, or a ballot on one.
  struct Errand {
    ledger::Record record;
    Epoch epoch;
    bool is_ballot = false;
    uint32_t organisation = 0;
    uint32_t against = 0;  // Organisations that will vote against the proposal.
    int64_t next_try_micros = 0;
    int64_t until_micros = 0;
    std::shared_ptr<std::optional<node::SubmitOutcome>> answer;  // Null: not under way.
  };

  int64_t now() const { return cluster_->clock().MonotonicMicros(); }
  std::optional<SetWatch::Set> NextSet(const Present& present, const FaultEvent& event) const;
  std::optional<uint32_t> FindSpare() const;
  void NoteEpoch();
  void SetUpNewcomers();
  // Whether the errand is over.
  bool Run(Errand* errand, std::vector<Errand>* more);
  void OnAccepted(const Errand& errand, RecordIndex index, std::vector<Errand>* more);

  SimCluster* const cluster_;
  FaultInjector* const injector_;
  SetWatch* const watch_;
  const FaultInjector::NoteFunction note_;
  SplitMix64 random_;
  Epoch newest_{1};
  uint32_t proposals_ = 0;
  std::vector<Errand> errands_;
  std::map<uint32_t, int64_t> set_up_at_;  // By newcomer that is to be set up.
  std::map<std::string, uint64_t> counts_;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SET_CHANGES_H_
