#include "tests/sim/minimizer.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace vigil::sim {
namespace {

class Reducer {
 public:
  Reducer(const Schedule& schedule, const std::string& wrong, const Judge& judge, uint32_t runs_max)
      : judge_(judge), runs_max_(runs_max), class_(FailureClass(wrong)) {
    best_.schedule = schedule;
    best_.wrong = wrong;
  }

  Minimized Run() {
    DropEvents();
    ShrinkSettings();
    ShrinkEvents();
    DropEvents();  // What a smaller load no longer needs.
    return std::move(best_);
  }

 private:
  bool spent() const { return best_.runs >= runs_max_; }

  // Keeps `candidate` if it still fails in the same way.
  bool Try(Schedule candidate) {
    if (spent()) return false;
    ++best_.runs;
    std::string wrong = judge_(candidate);
    if (wrong.empty() || FailureClass(wrong) != class_) return false;
    best_.schedule = std::move(candidate);
    best_.wrong = std::move(wrong);
    return true;
  }

  void DropEvents() {
    size_t parts = 2;
    while (!best_.schedule.events.empty() && !spent()) {
      const size_t count = best_.schedule.events.size();
      parts = std::min(parts, count);
      if (DropOneOf(parts)) {
        parts = std::max<size_t>(parts - 1, 2);
      } else if (parts == count) {
        return;
      } else {
        parts *= 2;
      }
    }
  }

  // Takes out one of `parts` equal parts of the events. The last ones first: they come after the
  // failure more often than not.
  bool DropOneOf(size_t parts) {
    const std::vector<FaultEvent> events = best_.schedule.events;
    for (size_t part = parts; part-- > 0;) {
      const auto first = static_cast<ptrdiff_t>(events.size() * part / parts);
      const auto last = static_cast<ptrdiff_t>(events.size() * (part + 1) / parts);
      Schedule candidate = best_.schedule;
      candidate.events.erase(candidate.events.begin() + first, candidate.events.begin() + last);
      if (Try(std::move(candidate))) return true;
    }
    return false;
  }

  template <typename Change>
  bool TryChange(const Change& change) {
    Schedule candidate = best_.schedule;
    change(&candidate);
    if (WriteSchedule(candidate) == WriteSchedule(best_.schedule)) return false;
    return Try(std::move(candidate));
  }

  void ShrinkSettings() {
    TryChange([](Schedule* s) {
      s->fault_micros = s->events.empty()
                            ? 1'000'000
                            : std::min(s->fault_micros, s->events.back().at_micros + 1'000'000);
    });
    TryChange([](Schedule* s) { s->hurried = false; });
    TryChange([](Schedule* s) { s->clients = 1; });
    TryChange([](Schedule* s) { s->client.window = 1; });
    TryChange([](Schedule* s) { s->client.events_max = s->client.events_min; });
    while (
        TryChange([](Schedule* s) { s->client.batches = std::max(1u, s->client.batches / 2); })) {
    }
  }

  void ShrinkEvents() {
    for (size_t i = 0; i < best_.schedule.events.size(); ++i) {
      while (best_.schedule.events[i].for_micros > 20'000 &&
             TryChange([i](Schedule* s) { s->events[i].for_micros /= 2; })) {
      }
    }
  }

  const Judge& judge_;
  const uint32_t runs_max_;
  const std::string class_;
  Minimized best_;
};

}  // namespace

std::string FailureClass(const std::string& wrong) {
  std::string text;
  for (const char c : wrong.substr(0, 400)) {
    // Hashes have digits and letters: a word with a digit is a number.
    text.push_back(std::isdigit(static_cast<unsigned char>(c)) != 0 ? '0' : c);
  }
  std::string plain;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    plain += word.find('0') == std::string::npos ? word : std::string("N");
    plain.push_back(' ');
    start = end + 1;
  }
  return plain.substr(0, 60);
}

Minimized Minimize(const Schedule& schedule, const std::string& wrong, const Judge& judge,
                   uint32_t runs_max) {
  return Reducer(schedule, wrong, judge, runs_max).Run();
}

}  // namespace vigil::sim
