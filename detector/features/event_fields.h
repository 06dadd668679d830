// The readable fields of events, grouped; event_schema.cc puts the groups of a type together.
//
// The order inside a group is part of the protocol. A change of any reader raises kReadersVersion
// in schema.cc.
#ifndef VIGIL_DETECTOR_FEATURES_EVENT_FIELDS_H_
#define VIGIL_DETECTOR_FEATURES_EVENT_FIELDS_H_

#include <cstdint>
#include <span>

#include "detector/features/hash.h"
#include "detector/features/schema.h"
#include "detector/features/text_shape.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

// An event with what several readers share, computed once.
struct EventReading {
  EventReading(const EventView& event, Hash32 hash);

  const EventView& event;
  Hash32 hash;
  UrlParts url;
  NameShape name;     // Of the host in url_or_query.
  TextShape host;     // Characters of that host.
  TextShape request;  // Characters of path and query.
  TextShape command;  // Characters of the command line.
  TextShape message;
};

struct FieldReader {
  const char* name;
  FeatureKind kind;
  int64_t (*read)(const EventReading& reading);
};

// What every event has: kind, outcome, source.
std::span<const FieldReader> EnvelopeFields();
// Protocol, ports and classes of the addresses.
std::span<const FieldReader> EndpointFields();
// Bytes, packets, duration and their ratios.
std::span<const FieldReader> TrafficFields();
// Shape of the URL, query or server name.
std::span<const FieldReader> RequestFields();
// User, process, command line, parent.
std::span<const FieldReader> ActorFields();
// Message, metrics, file, rule and the counts of what is attached.
std::span<const FieldReader> DetailFields();

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_EVENT_FIELDS_H_
