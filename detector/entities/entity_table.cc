#include "detector/entities/entity_table.h"

#include <algorithm>
#include <utility>

#include "detector/features/schema.h"
#include "detector/features/text_shape.h"

namespace vigil::detector {
namespace {

constexpr uint64_t kNanosPerMilli = 1'000'000;
constexpr uint32_t kFailure = 2;  // OCSF status_id.

// Largest bytes of an entity in a table: key, fields, rings, sets, intervals and marks.
constexpr size_t BytesMax(size_t set_entries) {
  return 1 + kEntityKeyBytesMax + 8 * 8 + kSpans.size() * (1 + kSlots * 20) + 3 * 3 +
         16 * set_entries + 1 + 4 * kIntervals + 1 + 24 * kRulesPerKindMax;
}
static_assert(4096 * (BytesMax(64 * 3) + BytesMax(64 * 2) + 2 * BytesMax(64 + 16)) +
                  2 * 1024 * BytesMax(64 * 2) + 6 * 16 <
              kEntityTableBytesMax);

int64_t Token(std::string_view text, Hash32 hash) {
  return text.empty() ? kMissing : TokenOf(text, hash);
}

// Of the classes that log somebody on: authentication, RDP, SSH.
bool IsLogon(const EventView& event) {
  const uint32_t class_uid = event.class_uid();
  return class_uid == 3002 || class_uid == 4005 || class_uid == 4007;
}

int64_t LongName(const EventView& event, EventType type, Hash32 hash) {
  if (type != EventType::kApplication || event.url_or_query.size() < kLongNameBytes) {
    return kMissing;
  }
  const std::string_view host = SplitUrl(event.url_or_query).host;
  return host.size() < kLongNameBytes ? kMissing : FoldedTokenOf(host, hash);
}

}  // namespace

std::array<Sighting, kEntityKinds.size()> SightingsOf(const EventView& event, EventType type,
                                                      const EntityKeys& keys, uint64_t block_millis,
                                                      Hash32 hash) {
  Sighting common;
  common.millis = std::min(event.time_unix_nano / kNanosPerMilli, block_millis);
  common.count = std::max<uint32_t>(event.count, 1);
  common.failed = event.status_id == kFailure;
  common.logon_failed = common.failed && IsLogon(event);
  common.bytes_out = event.has_traffic ? event.bytes_out : 0;
  common.peer = common.name = kMissing;
  const std::string& port = keys[IndexOf(EntityKind::kPort)];
  common.port = Token(port, hash);
  const int64_t source = Token(keys[IndexOf(EntityKind::kSource)], hash);
  const int64_t host = Token(keys[IndexOf(EntityKind::kHost)], hash);
  const int64_t user = Token(keys[IndexOf(EntityKind::kUser)], hash);
  const int64_t destination = Token(keys[IndexOf(EntityKind::kDestination)], hash);
  const int64_t target = destination == kMissing ? host : destination;

  std::array<Sighting, kEntityKinds.size()> sightings;
  sightings.fill(common);
  sightings[IndexOf(EntityKind::kSource)].peer = target;
  sightings[IndexOf(EntityKind::kSource)].name = LongName(event, type, hash);
  sightings[IndexOf(EntityKind::kDestination)].peer = source;
  sightings[IndexOf(EntityKind::kPair)].peer = user;
  sightings[IndexOf(EntityKind::kPort)].peer = source;
  sightings[IndexOf(EntityKind::kPort)].port = target;
  sightings[IndexOf(EntityKind::kUser)].peer = source == kMissing ? host : source;
  sightings[IndexOf(EntityKind::kHost)].peer = source == kMissing ? user : source;
  return sightings;
}

EntityTable::EntityTable(const EntityTable& other)
    : hash_(other.hash_), limits_(other.limits_), kinds_(other.kinds_) {
  for (const EntityKind kind : kEntityKinds) FindPlaces(kind);
}

EntityTable& EntityTable::operator=(const EntityTable& other) {
  if (this != &other) *this = EntityTable(other);
  return *this;
}

void EntityTable::FindPlaces(EntityKind kind) {
  Kind& state = kinds_[IndexOf(kind)];
  state.places.clear();
  for (Queue* queue : {&state.fresh, &state.kept}) {
    for (auto place = queue->begin(); place != queue->end(); ++place) {
      state.places.emplace(place->key, place);
    }
  }
}

EntityTable::Touched EntityTable::Observe(const EventView& event, EventType type,
                                          uint64_t block_millis) {
  const EntityKeys keys = KeysOf(event, hash_);
  const auto sightings = SightingsOf(event, type, keys, block_millis, hash_);
  Touched touched{};
  for (const EntityKind kind : kEntityKinds) {
    const size_t index = IndexOf(kind);
    if (!keys[index].empty()) touched[index] = Touch(kind, keys[index], sightings[index]);
  }
  return touched;
}

void EntityTable::ClearMarks() {
  for (Kind& kind : kinds_) {
    for (Queue* queue : {&kind.fresh, &kind.kept}) {
      for (Place& place : *queue) place.entity.ClearMarks();
    }
  }
}

Entity* EntityTable::Touch(EntityKind kind, const std::string& key, const Sighting& sighting) {
  Kind& state = kinds_[IndexOf(kind)];
  auto found = state.places.find(key);
  if (found == state.places.end()) {
    state.fresh.push_back({key, Entity(kind), false});
    found = state.places.emplace(key, std::prev(state.fresh.end())).first;
  }
  const Queue::iterator place = found->second;
  place->entity.Add(sighting);
  if (place->is_protected) {
    state.kept.splice(state.kept.end(), state.kept, place);
  } else if (place->entity.sightings() >= kProtectedFrom) {
    place->is_protected = true;
    state.kept.splice(state.kept.end(), state.fresh, place);
  } else {
    state.fresh.splice(state.fresh.end(), state.fresh, place);
  }
  Shrink(kind);
  return &place->entity;
}

void EntityTable::Shrink(EntityKind kind) {
  Kind& state = kinds_[IndexOf(kind)];
  const size_t half = limits_[IndexOf(kind)] / 2;
  if (state.kept.size() > half) {
    state.kept.front().is_protected = false;
    state.fresh.splice(state.fresh.end(), state.kept, state.kept.begin());
  }
  if (state.fresh.size() > half) {
    state.places.erase(state.fresh.front().key);
    state.fresh.pop_front();
    ++state.forgotten;
  }
}

const Entity* EntityTable::Find(EntityKind kind, std::string_view key) const {
  const Kind& state = kinds_[IndexOf(kind)];
  const auto found = state.places.find(key);
  return found == state.places.end() ? nullptr : &found->second->entity;
}

void EntityTable::Serialize(LittleEndianWriter* writer) const {
  for (const Kind& state : kinds_) {
    writer->U64(state.forgotten);
    for (const Queue* queue : {&state.fresh, &state.kept}) {
      writer->U32(static_cast<uint32_t>(queue->size()));
      for (const Place& place : *queue) {
        writer->U8(static_cast<uint8_t>(place.key.size()));
        writer->Raw({reinterpret_cast<const uint8_t*>(place.key.data()), place.key.size()});
        place.entity.Serialize(writer);
      }
    }
  }
}

bool EntityTable::Parse(LittleEndianReader* reader) {
  for (const EntityKind kind : kEntityKinds) {
    kinds_[IndexOf(kind)].forgotten = reader->U64();
    if (!ParseQueue(kind, /*is_protected=*/false, reader)) return false;
    if (!ParseQueue(kind, /*is_protected=*/true, reader)) return false;
  }
  return reader->ok();
}

bool EntityTable::ParseQueue(EntityKind kind, bool is_protected, LittleEndianReader* reader) {
  Kind& state = kinds_[IndexOf(kind)];
  Queue& queue = is_protected ? state.kept : state.fresh;
  const uint32_t count = reader->U32();
  if (count > limits_[IndexOf(kind)] / 2) return false;
  for (uint32_t i = 0; i < count; ++i) {
    const std::span<const uint8_t> raw = reader->Raw(reader->U8());
    std::string key(reinterpret_cast<const char*>(raw.data()), raw.size());
    if (!IsEntityKey(kind, key) || state.places.contains(key)) return false;
    queue.push_back({std::move(key), Entity(kind), is_protected});
    const auto place = std::prev(queue.end());
    state.places.emplace(place->key, place);
    if (!place->entity.Parse(reader)) return false;
    if (is_protected && place->entity.sightings() < kProtectedFrom) return false;
  }
  return reader->ok();
}

}  // namespace vigil::detector
