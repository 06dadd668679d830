// The records of a history: what each bears in all answers that name it.
//
// Finds what is wrong whatever the order: a record with two positions, a position with two records,
// a record that nobody had submitted.
#ifndef VIGIL_TESTS_CLUSTER_RECORDS_H_
#define VIGIL_TESTS_CLUSTER_RECORDS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/cluster/history.h"

namespace vigil::cluster {

// Index into Records::all(); records are numbered by stream and sequence.
using RecordNumber = size_t;

struct RecordFacts {
  std::string leaf;
  size_t stream = 0;  // Number of the stream.
  uint64_t sequence = 0;
  uint64_t position = 0;  // 0: no answer told it.
  uint64_t height = 0;
  // The earliest append that is still open: whatever took effect without an answer could have done
  // so through this one.
  const Operation* open = nullptr;
  const Operation* first = nullptr;   // Earliest append that was not refused.
  const Operation* source = nullptr;  // Which answer told the position.
};

class Records {
 public:
  // `history` is sorted by invocation and outlives this.
  explicit Records(const History& history);

  // Each a sentence; empty when there are none.
  const std::vector<std::string>& violations() const { return violations_; }
  size_t stream_count() const { return streams_.size(); }
  // The facts of sequence `sequence` of a stream; nullptr when no operation names it.
  const RecordFacts* Find(size_t stream, uint64_t sequence) const;
  // Number of a stream; REQUIRES: an operation of the history names it.
  size_t StreamNumber(const std::string& name) const { return streams_.at(name); }
  // All records whose position is known, by position.
  const std::vector<const RecordFacts*>& placed() const { return placed_; }

 private:
  void Add(const Operation& operation);
  void AddAppend(const Operation& operation, RecordFacts* facts);
  void CheckPlaces();
  void CheckSubmitted(const Operation& operation);

  std::map<std::string, size_t> streams_;
  std::map<std::pair<size_t, uint64_t>, RecordFacts> records_;
  std::vector<const RecordFacts*> placed_;
  std::vector<std::string> violations_;
};

}  // namespace vigil::cluster

#endif  // VIGIL_TESTS_CLUSTER_RECORDS_H_
