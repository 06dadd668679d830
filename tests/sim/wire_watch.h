// WireWatch: judges what nodes say to each other, from the bytes alone.
//
// It reads frames with a decoder of its own, written from docs/formats, and remembers over crashes
// what each node has promised. Invariants:
//   (1) A node grants its vote of a term to one candidate; one that campaigns has given it to
//       itself. In a later epoch it votes in later terms only (protocol.md, E6).
//   (2) A term has one leader.
//   (3) A node proposes one block for a view and height.
//   (4) A node cosigns one root for a size of the log.
// What concerns sets of validators it passes on to a SetWatch.
#ifndef VIGIL_TESTS_SIM_WIRE_WATCH_H_
#define VIGIL_TESTS_SIM_WIRE_WATCH_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "tests/sim/set_watch.h"

namespace vigil::sim {

class WireWatch {
 public:
  // `sets` may be null, and must outlive the watch.
  explicit WireWatch(SetWatch* sets = nullptr) : sets_(sets) {}
  // A frame leaves `from`. Returns what is wrong with it; empty if nothing is.
  std::string OnFrame(uint32_t from, uint32_t to, absl::string_view frame);

  uint64_t votes() const { return votes_.size(); }
  uint64_t leaders() const { return leaders_.size(); }

 private:
  std::string OnConsensus(uint32_t from, uint32_t to, absl::string_view body);
  std::string OnBlock(absl::string_view frame);
  std::string OnCosignature(uint32_t from, absl::string_view body);
  std::string OnVote(uint32_t voter, uint32_t candidate, uint64_t epoch, uint64_t term);

  SetWatch* const sets_;
  using Term = std::pair<uint64_t, uint64_t>;                   // Epoch, term.
  std::map<std::pair<Term, uint32_t>, uint32_t> votes_;         // Of a voter: the candidate.
  std::map<uint32_t, std::map<uint64_t, uint64_t>> last_vote_;  // Of a voter, by epoch: the term.
  std::map<Term, uint32_t> leaders_;
  std::map<std::tuple<Term, uint64_t, uint32_t>, uint64_t> proposed_;  // Height and proposer.
  std::map<std::pair<uint32_t, std::string>, std::string> cosigned_;   // Node and size: the root.
};

// A line for people: what the frame says.
std::string DescribeFrame(absl::string_view frame);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_WIRE_WATCH_H_
