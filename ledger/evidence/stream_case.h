// What the records of an evidence file say of a sensor's stream: whether any are missing between
// the first and the last that are shown.
#ifndef VIGIL_LEDGER_EVIDENCE_STREAM_CASE_H_
#define VIGIL_LEDGER_EVIDENCE_STREAM_CASE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ledger/evidence/shown_record.h"

namespace vigil::ledger {

struct StreamCase {
  std::string sensor;  // "org/name"
  std::string stream;
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  uint64_t records = 0;
  uint64_t events_shown = 0;
  uint64_t events_held = 0;  // By the batches that are shown.
  // Neighbours in the file between which records are missing or the stream was reset: sequence of
  // the one before and of the one after. Between all others the later record names the earlier one
  // as its predecessor, by hash and signed.
  std::vector<std::pair<uint64_t, uint64_t>> breaks;
  uint64_t events_lost = 0;  // That the sensor itself says it lost, in gap records that are shown.
  bool operator==(const StreamCase&) const = default;

  // Every event of the stream from first to last is in the file: all that the sensor sent, which is
  // not all that it saw when `events_lost` is not 0.
  bool IsComplete() const { return breaks.empty() && events_shown == events_held; }
};

// By sensor and stream. REQUIRES: `records` ascend.
std::vector<StreamCase> ReadStreamCases(const std::vector<ShownRecord>& records);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_STREAM_CASE_H_
