// Holds every node's search index against a slow model: all events of the chain, decoded by
// protobuf's own code, each compared with each query.
#ifndef VIGIL_TESTS_SIM_INDEX_CHECK_H_
#define VIGIL_TESTS_SIM_INDEX_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/sim_cluster.h"

namespace vigil::sim {

// Asks every node that is up the same queries, drawn from `seed`, page by page. All nodes must be
// at one height. Counts the queries. Returns what is wrong; empty if nothing is.
std::string CheckIndexes(SimCluster* cluster, const std::vector<bool>& damaged, uint64_t seed,
                         uint64_t* queries);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_INDEX_CHECK_H_
