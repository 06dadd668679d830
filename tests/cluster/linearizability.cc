#include "tests/cluster/linearizability.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/cluster/records.h"

namespace vigil::cluster {
namespace {

// Operations of the order found so far that a report shows.
constexpr size_t kShownMax = 8;

// The log, as far as answers can tell.
struct LogState {
  std::vector<uint64_t> heads;  // By stream.
  size_t placed = 0;            // Records with a known position that are in, from the lowest.
  uint64_t height = 0;          // Largest known height of a record that is in.
  uint64_t tip = 0;             // Largest height that a read gave.
};

class Search {
 public:
  Search(const History& history, const Records& records, uint64_t states_max)
      : records_(records), states_max_(states_max) {
    for (const Operation& operation : history.operations) {
      const bool counts =
          operation.action == Action::kAppend || operation.mode == ReadMode::kLinearizable;
      if (operation.outcome == Outcome::kOk && counts) answered_.push_back(&operation);
    }
    done_.resize(answered_.size());
    state_.heads.resize(records.stream_count());
  }

  LinearizabilityReport Run() {
    LinearizabilityReport report;
    report.checked = answered_.size();
    report.verdict = Go();
    report.states = seen_.size();
    if (report.verdict == Verdict::kUnknown)
      report.why = absl::StrCat("gave up after ", states_max_, " states");
    if (report.verdict == Verdict::kNot) report.why = dead_end_;
    return report;
  }

 private:
  // One way on: an answered operation, or the effect of an open append of a record.
  struct Move {
    size_t answered = 0;                  // Index into answered_, unless `record`.
    const RecordFacts* record = nullptr;  // Takes effect through its open append.
  };
  struct Frame {
    std::vector<Move> moves;
    size_t next = 0;
    LogState before;
    size_t order_size = 0;
    size_t base = 0;
  };

  Verdict Go() {
    std::vector<Frame> stack;
    TakeWhatChangesNothing();
    if (base_ == answered_.size()) return Verdict::kLinearizable;
    stack.push_back(MakeFrame());
    while (!stack.empty()) {
      Frame& frame = stack.back();
      Restore(frame);
      if (frame.next == frame.moves.size()) {
        stack.pop_back();
        continue;
      }
      Take(frame.moves[frame.next++]);
      TakeWhatChangesNothing();
      if (base_ == answered_.size()) return Verdict::kLinearizable;
      if (!seen_.insert(Key()).second) continue;
      if (seen_.size() > states_max_) return Verdict::kUnknown;
      stack.push_back(MakeFrame());
    }
    return Verdict::kNot;
  }

  Frame MakeFrame() {
    Frame frame{.moves = Moves(), .before = state_, .order_size = order_.size(), .base = base_};
    if (frame.moves.empty()) NoteDeadEnd();
    return frame;
  }

  void Restore(const Frame& frame) {
    for (; order_.size() > frame.order_size; order_.pop_back()) {
      if (order_.back().record == nullptr) done_[order_.back().answered] = false;
    }
    state_ = frame.before;
    base_ = frame.base;
  }

  // The first moment at which an operation that is not in the order yet has returned.
  int64_t Bound() const {
    int64_t bound = kNever;
    for (size_t i = base_; i < answered_.size() && answered_[i]->invoked_nanos <= bound; ++i) {
      if (!done_[i]) bound = std::min(bound, answered_[i]->returned_nanos);
    }
    return bound;
  }

  // Answered operations that could come next as far as time goes.
  std::vector<size_t> InTime() const {
    const int64_t bound = Bound();
    std::vector<size_t> found;
    for (size_t i = base_; i < answered_.size() && answered_[i]->invoked_nanos <= bound; ++i) {
      if (!done_[i]) found.push_back(i);
    }
    return found;
  }

  std::vector<Move> Moves() const {
    std::vector<Move> moves;
    for (const size_t i : InTime()) {
      if (WhyNot(*answered_[i]).empty()) moves.push_back({.answered = i});
    }
    const int64_t bound = Bound();
    for (size_t stream = 0; stream < state_.heads.size(); ++stream) {
      const RecordFacts* const record = records_.Find(stream, state_.heads[stream] + 1);
      if (record == nullptr || record->open == nullptr) continue;
      if (record->open->invoked_nanos <= bound && WhyNotIn(*record).empty())
        moves.push_back({.record = record});
    }
    return moves;
  }

  // Why the effect of `record` cannot be the next one; empty: it can.
  std::string WhyNotIn(const RecordFacts& record) const {
    const uint64_t head = state_.heads[record.stream];
    if (record.sequence != head + 1)
      return absl::StrCat("the head of the stream is #", head, " by then");
    if (record.position > 0 && records_.placed()[state_.placed] != &record) {
      return absl::StrCat(
          "position ", records_.placed()[state_.placed]->position,
          " must come first: ", Describe(*records_.placed()[state_.placed]->source));
    }
    if (record.height > 0 && record.height <= state_.tip) {
      return absl::StrCat("a read gave height ", state_.tip, " before, and this record of height ",
                          record.height, " was not there");
    }
    return "";
  }

  std::string WhyNot(const Operation& operation) const {
    if (operation.action == Action::kReadTip) {
      const uint64_t least = std::max(state_.height, state_.tip);
      if (operation.height >= least) return "";
      return absl::StrCat("height ", least, " is there by then");
    }
    const size_t stream = records_.StreamNumber(operation.stream);
    const uint64_t head = state_.heads[stream];
    if (operation.action == Action::kReadHead) {
      if (operation.sequence == head) return "";
      return absl::StrCat("the head of the stream is #", head, " by then");
    }
    const bool there = head >= operation.sequence;
    if (operation.action == Action::kReadRecord) {
      if (there == (operation.position > 0)) return "";
      return there ? "the record is there by then" : "the record is not there yet";
    }
    if (there) return "";
    if (operation.duplicate) return "the record is not there yet, so it is no duplicate";
    return WhyNotIn(*records_.Find(stream, operation.sequence));
  }

  // Whether the operation, which can come next, leaves the log as it is for all that follows.
  bool ChangesNothing(const Operation& operation) const {
    if (operation.action == Action::kAppend)
      return state_.heads[records_.StreamNumber(operation.stream)] >= operation.sequence;
    if (operation.action != Action::kReadTip) return true;
    // A read of the tip keeps out records that are not above it, and reads that are below.
    if (state_.placed < records_.placed().size() &&
        records_.placed()[state_.placed]->height <= operation.height) {
      return false;
    }
    for (size_t i = base_; i < answered_.size(); ++i) {
      const Operation& other = *answered_[i];
      if (other.invoked_nanos > operation.returned_nanos) break;
      if (!done_[i] && other.action == Action::kReadTip && other.height < operation.height)
        return false;
    }
    return true;
  }

  void TakeWhatChangesNothing() {
    for (bool again = true; again;) {
      again = false;
      for (const size_t i : InTime()) {
        if (!WhyNot(*answered_[i]).empty() || !ChangesNothing(*answered_[i])) continue;
        Take({.answered = i});
        again = true;
      }
    }
  }

  void Apply(const RecordFacts& record) {
    ++state_.heads[record.stream];
    if (record.position > 0) ++state_.placed;
    state_.height = std::max(state_.height, record.height);
  }

  void Take(const Move& move) {
    order_.push_back(move);
    if (move.record != nullptr) return Apply(*move.record);
    const Operation& operation = *answered_[move.answered];
    done_[move.answered] = true;
    while (base_ < answered_.size() && done_[base_]) ++base_;
    if (operation.action == Action::kReadTip) {
      state_.tip = std::max(state_.tip, operation.height);
    } else if (operation.action == Action::kAppend) {
      const size_t stream = records_.StreamNumber(operation.stream);
      if (state_.heads[stream] < operation.sequence)
        Apply(*records_.Find(stream, operation.sequence));
    }
  }

  // What is in the order, and the log: two orders with one key go on alike.
  std::string Key() const {
    std::string key = absl::StrCat(base_, ":");
    for (size_t i = base_; i < answered_.size() && answered_[i]->invoked_nanos <= LatestDone();
         ++i) {
      if (done_[i]) absl::StrAppend(&key, i, ",");
    }
    absl::StrAppend(&key, ":", absl::StrJoin(state_.heads, ","), ":", state_.tip);
    return key;
  }
  // No operation in the order was invoked later: it would not have been in time.
  int64_t LatestDone() const { return answered_[base_]->returned_nanos; }

  void NoteDeadEnd() {
    const size_t count = static_cast<size_t>(std::count(done_.begin(), done_.end(), true));
    if (!dead_end_.empty() && count <= dead_end_depth_) return;
    dead_end_depth_ = count;
    dead_end_ =
        absl::StrCat(count, " of ", answered_.size(), " answered operations fit in one order");
    if (!order_.empty()) absl::StrAppend(&dead_end_, ", which ends with\n");
    for (size_t i = order_.size() - std::min(order_.size(), kShownMax); i < order_.size(); ++i) {
      const Move& move = order_[i];
      absl::StrAppend(&dead_end_, "  ",
                      move.record == nullptr
                          ? Describe(*answered_[move.answered])
                          : absl::StrCat("effect of ", Describe(*move.record->open)),
                      "\n");
    }
    absl::StrAppend(&dead_end_, order_.empty() ? ".\n" : "", "None of these can be next:\n");
    for (const size_t i : InTime()) {
      absl::StrAppend(&dead_end_, "  ", Describe(*answered_[i]), ": ", WhyNot(*answered_[i]), "\n");
    }
  }

  const Records& records_;
  const uint64_t states_max_;
  std::vector<const Operation*> answered_;  // By invocation.
  std::vector<bool> done_;                  // Of answered_: in the order.
  size_t base_ = 0;                         // All of answered_ before it are in the order.
  LogState state_;
  std::vector<Move> order_;
  std::unordered_set<std::string> seen_;
  std::string dead_end_;
  size_t dead_end_depth_ = 0;
};

}  // namespace

LinearizabilityReport CheckLinearizability(const History& history, uint64_t states_max) {
  const Records records(history);
  LinearizabilityReport report = Search(history, records, states_max).Run();
  if (records.violations().empty()) return report;
  report.verdict = Verdict::kNot;
  report.why = absl::StrCat(absl::StrJoin(records.violations(), "\n"), "\n", report.why);
  return report;
}

}  // namespace vigil::cluster
