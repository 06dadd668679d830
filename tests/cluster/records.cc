#include "tests/cluster/records.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace vigil::cluster {
namespace {

// Whether the operation, if it was answered, names one record with its place.
bool NamesRecord(const Operation& operation) {
  return operation.outcome == Outcome::kOk && operation.action != Action::kReadTip &&
         operation.position > 0;
}

}  // namespace

Records::Records(const History& history) {
  for (const Operation& operation : history.operations) Add(operation);
  CheckPlaces();
  for (const Operation& operation : history.operations) CheckSubmitted(operation);
}

const RecordFacts* Records::Find(size_t stream, uint64_t sequence) const {
  const auto found = records_.find({stream, sequence});
  return found == records_.end() ? nullptr : &found->second;
}

void Records::Add(const Operation& operation) {
  if (operation.stream.empty()) return;
  const size_t stream = streams_.emplace(operation.stream, streams_.size()).first->second;
  if (operation.action != Action::kAppend && !NamesRecord(operation)) return;
  if (operation.sequence == 0 || operation.outcome == Outcome::kFail) return;
  RecordFacts& facts = records_[{stream, operation.sequence}];
  facts.stream = stream;
  facts.sequence = operation.sequence;
  if (facts.leaf.empty()) facts.leaf = operation.leaf;
  if (facts.leaf != operation.leaf) {
    violations_.push_back(absl::StrCat("other bytes than those of the record before bear ",
                                       operation.stream, "#", operation.sequence, ": ",
                                       Describe(operation), " has leaf ", operation.leaf,
                                       ", the record ", facts.leaf));
    return;
  }
  if (operation.action == Action::kAppend) AddAppend(operation, &facts);
  if (!NamesRecord(operation)) return;
  if (facts.position == 0) {
    facts.position = operation.position;
    facts.source = &operation;
  }
  if (facts.position != operation.position) {
    violations_.push_back(absl::StrCat("one record has two positions: ", Describe(*facts.source),
                                       ", and ", Describe(operation)));
  }
  if (facts.height == 0) facts.height = operation.height;
  if (operation.height > 0 && facts.height != operation.height) {
    violations_.push_back(absl::StrCat("one record has two heights, ", facts.height, " and ",
                                       operation.height, ": ", Describe(operation)));
  }
}

void Records::AddAppend(const Operation& operation, RecordFacts* facts) {
  if (facts->first == nullptr) facts->first = &operation;
  if (operation.outcome == Outcome::kOpen && facts->open == nullptr) facts->open = &operation;
}

void Records::CheckPlaces() {
  for (const auto& [key, facts] : records_) {
    if (facts.position > 0) placed_.push_back(&facts);
  }
  std::sort(placed_.begin(), placed_.end(), [](const RecordFacts* left, const RecordFacts* right) {
    return left->position < right->position;
  });
  for (size_t i = 1; i < placed_.size(); ++i) {
    if (placed_[i - 1]->position != placed_[i]->position) continue;
    violations_.push_back(
        absl::StrCat("one position has two records: ", Describe(*placed_[i - 1]->source), ", and ",
                     Describe(*placed_[i]->source)));
  }
}

void Records::CheckSubmitted(const Operation& operation) {
  if (!NamesRecord(operation) || operation.sequence == 0) return;
  const RecordFacts& facts = records_.at({StreamNumber(operation.stream), operation.sequence});
  if (facts.first == nullptr || facts.first->invoked_nanos > operation.returned_nanos) {
    violations_.push_back(
        absl::StrCat("an answer names a record that nobody had submitted: ", Describe(operation)));
  }
}

}  // namespace vigil::cluster
