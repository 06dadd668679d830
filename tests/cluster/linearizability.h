// Whether a history fits in one order: the order in which a single log, without copies and without
// faults, would have given every answer, each at one moment between its invocation and its return.
//
// The log: `append` of the next record of a stream takes effect once, at a position above all
// before; a repeated one is answered with the first position; `read-head` gives a stream's newest
// record; `read-record` whether a record is there; `read-tip` a height at or above those of all
// records before, below those of all records after. An operation without an answer took effect at
// some moment after its invocation, or never does. Local reads are no part of this
// (tests/cluster/sessions.h).
//
// Source: Wing and Gong, "Testing and Verifying Concurrent Objects", 1993, with the memory of
// visited states of Lowe, "Testing for Linearizability", 2017. Positions in answers fix the order
// of records, and operations that change nothing are taken as soon as they fit, so that the search
// rarely branches.
#ifndef VIGIL_TESTS_CLUSTER_LINEARIZABILITY_H_
#define VIGIL_TESTS_CLUSTER_LINEARIZABILITY_H_

#include <cstdint>
#include <string>

#include "tests/cluster/history.h"

namespace vigil::cluster {

enum class Verdict { kLinearizable, kNot, kUnknown };

struct LinearizabilityReport {
  Verdict verdict = Verdict::kUnknown;
  // kNot: how far an order goes, and why nothing can come next; for people. kUnknown: the limit.
  std::string why;
  uint64_t checked = 0;  // Operations with an answer that had to fit.
  uint64_t states = 0;   // Visited.
};

// `history` is sorted by invocation. Gives up after `states_max` states, of some 100 bytes each.
LinearizabilityReport CheckLinearizability(const History& history, uint64_t states_max = 2'000'000);

}  // namespace vigil::cluster

#endif  // VIGIL_TESTS_CLUSTER_LINEARIZABILITY_H_
