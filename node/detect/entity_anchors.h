// By what alerts of one entity are found to belong together: its anchor, the first of its events
// that was strange (ledger/state/incidents.h).
//
// All validators that saw the same blocks have the same anchors. One that was started later takes
// those that alerts on the chain cite; until then its own may be others, which splits an incident
// and harms nothing else. Bounded; pure; belongs to one thread.
#ifndef VIGIL_NODE_DETECT_ENTITY_ANCHORS_H_
#define VIGIL_NODE_DETECT_ENTITY_ANCHORS_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "detector/entities/entity_key.h"
#include "ledger/chain/record.h"

namespace vigil::node {

inline constexpr size_t kAnchorsMax = 4096;

// Whose alert an event's is, within an organisation.
struct GroupEntity {
  detector::EntityKind kind = detector::EntityKind::kSource;
  std::string org;
  std::string key;
};
// The rule's own entity where that is a user or host; else the source, the user or the host, the
// first of them that the event names. Nothing where it names none.
std::optional<GroupEntity> GroupEntityOf(const EventView& event, absl::string_view org,
                                         std::optional<detector::EntityKind> of_rule);

class EntityAnchors {
 public:
  explicit EntityAnchors(size_t anchors_max = kAnchorsMax) : anchors_max_(anchors_max) {}

  // `event` of the entity is strange, in a block of this time. It becomes the anchor where there is
  // none, or the present one is too old for an incident that is still open.
  void Note(const GroupEntity& entity, const ledger::EventRef& event, uint64_t block_millis);
  // An alert on the chain cites `anchor`: the earlier one counts.
  void Adopt(const GroupEntity& entity, const ledger::EventRef& anchor, uint64_t block_millis);
  // What an alert about `event` cites: itself where the anchor is unknown or comes later.
  ledger::EventRef AnchorOf(const GroupEntity& entity, const ledger::EventRef& event) const;
  size_t size() const { return places_.size(); }

 private:
  struct Place {
    std::string name;
    ledger::EventRef anchor;
    uint64_t first_millis = 0;
    uint64_t last_millis = 0;
  };
  static std::string NameOf(const GroupEntity& entity);
  // The newest then; made from `fresh` where it was not there.
  Place& Touch(Place fresh);

  const size_t anchors_max_;
  std::list<Place> queue_;  // Newest last.
  std::map<std::string, std::list<Place>::iterator> places_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_ENTITY_ANCHORS_H_
