#include "detector/features/event_type.h"

namespace vigil::detector {

EventType TypeOf(const EventView& event) {
  const uint64_t class_uid = event.type_uid / 100;
  switch (class_uid) {
    case 4001:
      return event.has_traffic || event.url_or_query.empty() ? EventType::kFlow
                                                             : EventType::kApplication;
    case 3002:
      return EventType::kAuth;
    case 1007:
      return EventType::kProcess;
    default:
      return class_uid / 1000 == 4 ? EventType::kApplication : EventType::kGeneric;
  }
}

}  // namespace vigil::detector
