// The entities that are remembered, in bounded memory.
//
// Each kind has two queues of its own, newest last. An entity begins in the first (half of the
// places); from its kProtectedFrom-th sighting on it stands in the second (the other half). Every
// sighting makes it the newest of its queue. Whoever is pushed out of the second goes to the end of
// the first, whoever is pushed out of the first is forgotten. So any number of entities that are
// seen once or twice pushes out only each other.
//
// The whole is a function of the events in chain order and of the blocks' times; it is part of the
// detector checkpoint. Belongs to one thread.
#ifndef VIGIL_DETECTOR_ENTITIES_ENTITY_TABLE_H_
#define VIGIL_DETECTOR_ENTITIES_ENTITY_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detector/entities/entity.h"
#include "detector/entities/entity_key.h"
#include "detector/features/codec.h"
#include "detector/features/event_type.h"
#include "detector/features/hash.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

inline constexpr uint64_t kProtectedFrom = 4;
// Names from this length on may carry data out.
inline constexpr size_t kLongNameBytes = 40;

// Entities of each kind, by IndexOf(); each at least 2 and even.
using EntityLimits = std::array<uint32_t, kEntityKinds.size()>;
// Stored: part of the protocol, as the capacities are.
inline constexpr EntityLimits kEntityLimits = {4096, 4096, 4096, 1024, 4096, 1024};
// What Serialize() of a full table with those limits may take.
inline constexpr size_t kEntityTableBytesMax = 60 * 1024 * 1024;

class EntityTable {
 public:
  explicit EntityTable(Hash32 hash, const EntityLimits& limits = kEntityLimits)
      : hash_(hash), limits_(limits) {}
  EntityTable(const EntityTable& other);
  EntityTable& operator=(const EntityTable& other);
  EntityTable(EntityTable&&) = default;
  EntityTable& operator=(EntityTable&&) = default;

  // The entities of an event after it was counted, by IndexOf(kind); nullptr where it has none.
  // Valid until the next call.
  using Touched = std::array<Entity*, kEntityKinds.size()>;
  Touched Observe(const EventView& event, EventType type, uint64_t block_millis);

  // Forgets what rules matched, of every entity.
  void ClearMarks();

  // Nullptr when it is not remembered.
  const Entity* Find(EntityKind kind, std::string_view key) const;
  size_t size(EntityKind kind) const { return kinds_[IndexOf(kind)].places.size(); }
  uint64_t forgotten(EntityKind kind) const { return kinds_[IndexOf(kind)].forgotten; }

  // Per kind: u64 forgotten | both queues: u32 entities | per entity, oldest first: u8 size | key |
  // Entity::Serialize().
  void Serialize(LittleEndianWriter* writer) const;
  // False, and in no usable state, for bytes that Serialize() does not make under these limits.
  // REQUIRES: empty.
  bool Parse(LittleEndianReader* reader);

 private:
  struct Place {
    std::string key;
    Entity entity;
    bool is_protected = false;
  };
  using Queue = std::list<Place>;
  struct Kind {
    Queue fresh;
    Queue kept;
    std::map<std::string, Queue::iterator, std::less<>> places;
    uint64_t forgotten = 0;
  };

  // Maps point into lists.
  void FindPlaces(EntityKind kind);
  Entity* Touch(EntityKind kind, const std::string& key, const Sighting& sighting);
  void Shrink(EntityKind kind);
  bool ParseQueue(EntityKind kind, bool is_protected, LittleEndianReader* reader);

  Hash32 hash_;
  EntityLimits limits_;
  std::array<Kind, kEntityKinds.size()> kinds_;
};

// The event as its entities see it; `peer`, `port` and `name` by kind.
std::array<Sighting, kEntityKinds.size()> SightingsOf(const EventView& event, EventType type,
                                                      const EntityKeys& keys, uint64_t block_millis,
                                                      Hash32 hash);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_ENTITIES_ENTITY_TABLE_H_
