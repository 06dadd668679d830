// The oracle: says whether what a cluster did is right, from the chain's bytes and the clients' own
// records, knowing nothing of how nodes work.
#ifndef VIGIL_TESTS_SIM_ORACLE_H_
#define VIGIL_TESTS_SIM_ORACLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/sim_client.h"
#include "tests/sim/sim_cluster.h"

namespace vigil::sim {

// Watches nodes while they run: whatever was once executed at a height stays there, on every node
// and over every crash.
class AgreementWatch {
 public:
  explicit AgreementWatch(SimCluster* cluster) : cluster_(cluster) {}
  // Called after every step, but for nodes that are dying. A node whose disk was struck is excused:
  // it may answer with an error, but never wrongly. Returns what is wrong; empty if nothing is.
  std::string Check(const std::vector<bool>& dying, const std::vector<bool>& excused = {});
  // Called once for each height, when the first node is seen to have executed it, with the size
  // that the log has there. Returns what is wrong.
  using OnExecuted = std::function<std::string(Height, const Hash& block, uint64_t log_size)>;
  void SetOnExecuted(OnExecuted on_executed) { on_executed_ = std::move(on_executed); }
  Height highest() const { return Height(seen_.empty() ? 0 : seen_.rbegin()->first); }

 private:
  struct Seen {
    Hash block;
    Hash state;
  };
  // Errors: those of reading.
  absl::Status CheckNode(uint32_t i, const node::Node& node, std::string* wrong);

  SimCluster* const cluster_;
  OnExecuted on_executed_;
  std::map<uint64_t, Seen> seen_;
  std::map<uint32_t, uint64_t> checked_;  // Height up to which a node was compared.
};

// Checks the whole chain of every node that is up, which must all be at one height. Returns what is
// wrong; empty if nothing is:
//   - the same blocks, state digests and tree roots on all nodes, the root recomputed from the
//   leaves
//     of all records and seals (RFC 6962)
//   - every block names its parent, heights and record indexes without a gap
//   - every stream's records are 1, 2, 3 ... and each names the one before; leaders let no record
//   of a
//     stream in that is not accepted
//   - every acknowledged batch lies exactly where its receipt says, byte for byte, and nowhere else
// A node that is `damaged` (may be empty: none is) may lack bodies of blocks, not what it executed.
std::string CheckChains(SimCluster* cluster, const std::vector<std::unique_ptr<SimClient>>& clients,
                        const std::vector<bool>& damaged = {});

// Holds what a node serves against a sound one: blocks, state digests, and every tile and bundle of
// its log. What it cannot serve is no answer; a wrong one is returned; empty if there is none.
std::string CheckServed(const node::Node& served, const node::Node& sound);

// What the detectors of a cluster did, and what is wrong with it: every model that is active was
// committed by a quorum with one digest and by nobody with another; every alert is confirmed, by
// all validators or by a quorum, disputed by none, stands once per event and model, and names an
// event that is there; every node trained the same newest models, but for those that are `damaged`
// (may be empty): of what came before they joined anew they know no more than the chain says.
struct DetectionFindings {
  std::string wrong;
  uint64_t active_models = 0;
  uint64_t alerts = 0;
};
// `quorum` is that of the smallest set that the network has had.
DetectionFindings CheckDetection(SimCluster* cluster, size_t quorum,
                                 const std::vector<bool>& damaged = {});

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_ORACLE_H_
