#include "detector/stream/event_window.h"

#include <algorithm>

#include "detector/features/require.h"

namespace vigil::detector {

void EventWindow::Push(uint64_t sequence, std::span<const int64_t> row) {
  Require(row.size() == field_count_, "a row of the window's width");
  Require(row_count() == 0 || sequence > sequences_.back(), "rising event numbers");
  if (row_count() == rows_max_) DropFirst(1);
  sequences_.push_back(sequence);
  cells_.insert(cells_.end(), row.begin(), row.end());
}

void EventWindow::DropBefore(uint64_t sequence) {
  const auto begin = sequences_.begin() + static_cast<ptrdiff_t>(first_);
  DropFirst(static_cast<size_t>(std::lower_bound(begin, sequences_.end(), sequence) - begin));
}

void EventWindow::DropFirst(size_t rows) {
  first_ += rows;
  if (first_ < rows_max_ && first_ < sequences_.size()) return;
  // Moving at most rows_max rows after rows_max drops keeps the cost per row constant.
  sequences_.erase(sequences_.begin(), sequences_.begin() + static_cast<ptrdiff_t>(first_));
  cells_.erase(cells_.begin(), cells_.begin() + static_cast<ptrdiff_t>(first_ * field_count_));
  first_ = 0;
}

void EventWindow::LeaveOut(int64_t event, bool left_out) {
  // Event marks ascend from row to row.
  size_t low = first_, high = sequences_.size();
  const auto marks_of = [&](size_t row) { return &cells_[(row + 1) * field_count_ - kRowMarks]; };
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (marks_of(middle)[kEventMark] < event) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == sequences_.size() || marks_of(low)[kEventMark] != event) return;
  marks_of(low)[kLeftOutMark] = left_out ? 1 : 0;
}

RawTable EventWindow::Rows() const {
  RawTable rows(static_cast<Eigen::Index>(row_count()), static_cast<Eigen::Index>(field_count_));
  std::copy(cells_.begin() + static_cast<ptrdiff_t>(first_ * field_count_), cells_.end(),
            rows.data());
  return rows;
}

}  // namespace vigil::detector
