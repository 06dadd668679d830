// The text behind a field of an event, where the detector keeps only a token.
#ifndef VIGIL_CLIENT_ALERT_FIELD_TEXT_H_
#define VIGIL_CLIENT_ALERT_FIELD_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "detector/features/schema.h"
#include "ledger/base/event_view.h"

namespace vigil::client {

// The value of `field` in words, found among the event's own texts: "443", "ssh", "10.1.0.0/24",
// "private"; "(none)" when the event does not say. Bytes of others, not made safe for a terminal.
std::string FieldText(const EventView& event, const detector::FieldSpec& field, int64_t value);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_ALERT_FIELD_TEXT_H_
