// What local reads promise: they may be old, but not wrong.
//
//   (1) What a validator has shown, or acknowledged as executed, it does not take back: of two
//       answers of one validator, one before the other, the later one is not older. This holds as
//       long as it runs; one that was killed executes again from its journal (`down`).
//   (2) Settled reads, made when every validator has caught up, have everything acknowledged
//   before.
//
// That a read names a record which somebody submitted, at its one position, tests/cluster/records.h
// checks.
#ifndef VIGIL_TESTS_CLUSTER_SESSIONS_H_
#define VIGIL_TESTS_CLUSTER_SESSIONS_H_

#include <string>
#include <vector>

#include "tests/cluster/history.h"

namespace vigil::cluster {

// Sentences about the broken promises. `history` is sorted by invocation.
std::vector<std::string> CheckSessions(const History& history);

}  // namespace vigil::cluster

#endif  // VIGIL_TESTS_CLUSTER_SESSIONS_H_
