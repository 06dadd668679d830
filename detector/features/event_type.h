// Which model an event belongs to.
#ifndef VIGIL_DETECTOR_FEATURES_EVENT_TYPE_H_
#define VIGIL_DETECTOR_FEATURES_EVENT_TYPE_H_

#include <array>
#include <cstdint>

#include "ledger/base/event_view.h"

namespace vigil::detector {

// Stored: never renumber (AlertBody.event_type). 0 is left to tables that are not events.
enum class EventType : uint32_t {
  kFlow = 1,         // OCSF 4001 network activity.
  kAuth = 2,         // OCSF 3002 authentication.
  kProcess = 3,      // OCSF 1007 process activity.
  kApplication = 4,  // The rest of OCSF category 4: HTTP, DNS, SSH, RDP, SMB, mail ...
  kGeneric = 5,      // Everything else.
};

inline constexpr std::array<EventType, 5> kEventTypes = {
    EventType::kFlow, EventType::kAuth, EventType::kProcess, EventType::kApplication,
    EventType::kGeneric};

// A class 4001 event without traffic but with a URL, query or server name tells of an application
// protocol (TLS logs are mapped so), not of a flow.
EventType TypeOf(const EventView& event);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_EVENT_TYPE_H_
