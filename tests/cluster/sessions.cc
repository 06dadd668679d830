#include "tests/cluster/sessions.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace vigil::cluster {
namespace {

// What one validator, or all of them, are known to have had: of a stream its sequence, of the
// chain (stream "") its height.
struct Known {
  uint64_t least = 0;
  const Operation* source = nullptr;
};

// Answers in the order in which they came, and what was asked after them.
class Sweep {
 public:
  explicit Sweep(const History& history) : history_(history) {
    for (const Operation& operation : history.operations) {
      if (operation.outcome == Outcome::kOk) by_return_.push_back(&operation);
    }
    std::stable_sort(by_return_.begin(), by_return_.end(),
                     [](const Operation* left, const Operation* right) {
                       return left->returned_nanos < right->returned_nanos;
                     });
  }

  std::vector<std::string> Run() {
    size_t answered = 0;
    for (const Operation& operation : history_.operations) {
      for (; answered < by_return_.size() &&
             by_return_[answered]->returned_nanos < operation.invoked_nanos;
           ++answered) {
        Learn(*by_return_[answered]);
      }
      if (operation.outcome == Outcome::kOk && operation.action != Action::kAppend)
        Judge(operation);
    }
    return std::move(violations_);
  }

 private:
  static uint64_t ValueOf(const Operation& operation) {
    return operation.action == Action::kReadTip ? operation.height : operation.sequence;
  }

  // The last moment up to `until_nanos` at which the validator lost what it had executed.
  int64_t LastDown(uint64_t endpoint, int64_t until_nanos) const {
    int64_t last = -1;
    for (const Down& down : history_.downs) {
      if (down.endpoint == endpoint && down.at_nanos <= until_nanos)
        last = std::max(last, down.at_nanos);
    }
    return last;
  }

  static void Raise(uint64_t value, const Operation& source, Known* known) {
    if (value > known->least) *known = {.least = value, .source = &source};
  }

  // What one validator has shown. After a loss it begins anew; an answer that was under way then
  // counts as one from before.
  void RaiseShown(const std::string& stream, uint64_t value, const Operation& source) {
    Known* const known = &shown_[{source.endpoint, stream}];
    if (known->source != nullptr &&
        LastDown(source.endpoint, source.invoked_nanos) >= known->source->invoked_nanos) {
      *known = Known();
    }
    Raise(value, source, known);
  }

  void Learn(const Operation& operation) {
    if (operation.action == Action::kReadRecord && operation.position == 0) return;
    RaiseShown(operation.stream, ValueOf(operation), operation);
    if (operation.height > 0 && operation.action != Action::kReadTip)
      RaiseShown("", operation.height, operation);
    if (operation.action == Action::kAppend)
      Raise(operation.sequence, operation, &acknowledged_[operation.stream]);
  }

  void Judge(const Operation& operation) {
    const Known& shown = shown_[{operation.endpoint, operation.stream}];
    if (shown.source != nullptr && IsOlder(operation, shown.least) &&
        LastDown(operation.endpoint, operation.returned_nanos) < shown.source->invoked_nanos) {
      violations_.push_back(
          absl::StrCat("a validator takes back what it has shown: ", Describe(*shown.source),
                       ", and then ", Describe(operation)));
    }
    const Known& acknowledged = acknowledged_[operation.stream];
    if (operation.mode == ReadMode::kSettled && !operation.stream.empty() &&
        acknowledged.source != nullptr && IsOlder(operation, acknowledged.least)) {
      violations_.push_back(
          absl::StrCat("what was acknowledged is lost: ", Describe(*acknowledged.source),
                       ", and after the faults ", Describe(operation)));
    }
  }

  // Whether the answer lacks what is there when the stream or chain has come to `least`.
  static bool IsOlder(const Operation& operation, uint64_t least) {
    if (operation.action == Action::kReadRecord)
      return operation.position == 0 && operation.sequence <= least;
    return ValueOf(operation) < least;
  }

  const History& history_;
  std::vector<const Operation*> by_return_;
  std::map<std::pair<uint64_t, std::string>, Known> shown_;
  std::map<std::string, Known> acknowledged_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> CheckSessions(const History& history) { return Sweep(history).Run(); }

}  // namespace vigil::cluster
