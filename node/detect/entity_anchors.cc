#include "node/detect/entity_anchors.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "ledger/crypto/sha256_bytes.h"
#include "ledger/state/incidents.h"
#include "node/detect/detect_convert.h"

namespace vigil::node {

using detector::EntityKind;

std::optional<GroupEntity> GroupEntityOf(const EventView& event, absl::string_view org,
                                         std::optional<EntityKind> of_rule) {
  const detector::EntityKeys keys = detector::KeysOf(event, &ledger::Sha256Bytes);
  EntityKind first = EntityKind::kSource;
  if (of_rule == EntityKind::kUser || of_rule == EntityKind::kHost) first = *of_rule;
  for (const EntityKind kind : {first, EntityKind::kSource, EntityKind::kUser, EntityKind::kHost}) {
    const std::string& key = keys[detector::IndexOf(kind)];
    if (!key.empty()) return GroupEntity{.kind = kind, .org = std::string(org), .key = key};
  }
  return std::nullopt;
}

std::string EntityAnchors::NameOf(const GroupEntity& entity) {
  // No organisation's name has a slash.
  std::string name(1, static_cast<char>(entity.kind));
  name.append(entity.org);
  name.push_back('/');
  name.append(entity.key);
  return name;
}

EntityAnchors::Place& EntityAnchors::Touch(Place fresh) {
  const auto found = places_.find(fresh.name);
  if (found != places_.end()) {
    queue_.splice(queue_.end(), queue_, found->second);
    return queue_.back();
  }
  queue_.push_back(std::move(fresh));
  places_[queue_.back().name] = std::prev(queue_.end());
  if (queue_.size() > anchors_max_) {
    places_.erase(queue_.front().name);
    queue_.pop_front();
  }
  return queue_.back();
}

void EntityAnchors::Note(const GroupEntity& entity, const ledger::EventRef& event,
                         uint64_t block_millis) {
  Place& place = Touch({NameOf(entity), event, block_millis, block_millis});
  if (block_millis > place.last_millis + ledger::kIncidentGapMillis ||
      block_millis > place.first_millis + ledger::kIncidentSpanMillis) {
    place.anchor = event;
    place.first_millis = block_millis;
  }
  place.last_millis = block_millis;
}

void EntityAnchors::Adopt(const GroupEntity& entity, const ledger::EventRef& anchor,
                          uint64_t block_millis) {
  Place& place = Touch({NameOf(entity), anchor, block_millis, block_millis});
  place.anchor = std::min(place.anchor, anchor);
}

ledger::EventRef EntityAnchors::AnchorOf(const GroupEntity& entity,
                                         const ledger::EventRef& event) const {
  const auto found = places_.find(NameOf(entity));
  return found == places_.end() ? event : std::min(found->second->anchor, event);
}

}  // namespace vigil::node
