// The feature schema of each event type, and how an event becomes a row of it.
//
// An author controls every byte of an event, so a reader takes any value: absent text and absent
// numbers are kMissing where zero would mean something else.
#ifndef VIGIL_DETECTOR_FEATURES_EVENT_SCHEMA_H_
#define VIGIL_DETECTOR_FEATURES_EVENT_SCHEMA_H_

#include <array>
#include <cstdint>
#include <span>

#include "detector/features/event_type.h"
#include "detector/features/hash.h"
#include "detector/features/schema.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

// Lives for the whole process; thread-safe.
const Schema& EventSchema(EventType type);

// A row buffer that fits every schema, so that scoring allocates nothing.
using RowBuffer = std::array<int64_t, kFieldsMax>;

// Reads `event` as the schema of `type` into the front of `row` and returns that part. Depends on
// the event alone: a row read today equals a row read in a replay.
std::span<const int64_t> ReadRow(const EventView& event, EventType type, Hash32 hash,
                                 RowBuffer* row);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_EVENT_SCHEMA_H_
