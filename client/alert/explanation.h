// An alert's reasons in words: what the event says, and what the model's window knows of it.
//
// Pure. The numbers are the model's own counts: exact, and the same for everybody.
#ifndef VIGIL_CLIENT_ALERT_EXPLANATION_H_
#define VIGIL_CLIENT_ALERT_EXPLANATION_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detector/model/model.h"
#include "ledger/base/event_view.h"

namespace vigil::client {

// The middle and the ends of a number in the window; between two kept counts, their lower end.
struct WindowRange {
  int64_t least = 0;
  int64_t quarter = 0;
  int64_t median = 0;
  int64_t three_quarters = 0;
  int64_t most = 0;
  bool operator==(const WindowRange&) const = default;
};

struct ExplainedReason {
  std::string feature;
  uint32_t bits_q8 = 0;
  std::string value;                 // The event's own; "+" between the parts of a combination.
  uint32_t window_rows = 0;          // That the model has counts of.
  uint32_t window_same = 0;          // Rows of them with this category, or without this number.
  std::optional<WindowRange> range;  // Of a number that some row has.
  std::string words;                 // A sentence of all that, without an end.
};

// Reasons whose feature the model's schema does not have are left out. Text of others is in it: not
// made safe for a terminal. REQUIRES: the model is of EventSchema(TypeOf(event)).
std::vector<ExplainedReason> Explain(const detector::Model& model, const EventView& event,
                                     std::span<const detector::Reason> reasons);

// What `component` looks at, in a few words.
std::string ComponentWords(uint32_t component);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_ALERT_EXPLANATION_H_
