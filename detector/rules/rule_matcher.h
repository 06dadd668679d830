// Holds the rules against the entities of every event, and remembers what matched.
//
// A rule matches an event that it concerns when all its conditions hold for the windows after the
// event, and the same rule has not matched the same entity for its quiet time, by the entity's own
// time. Of the rules' matches in one block at most kMatchesPerBlockMax count; the rest are passed
// over, and their entities match again with their next event. So what floods the chain with events
// does not flood it with alerts.
//
// A network may replace its rules, between two blocks. What is known of entities goes on; quiet
// times begin anew, of all rules, also of those that stay as they are: so what the new rules match
// depends on events and on nothing that other rules matched, and whoever judges a match needs no
// other rule file than its own. Matches of earlier rules stay remembered.
//
// What is remembered is bounded, a function of the chain, and part of the detector checkpoint:
// whoever has it can tell a rule's alert that is right from one that is not. Belongs to one thread.
#ifndef VIGIL_DETECTOR_RULES_RULE_MATCHER_H_
#define VIGIL_DETECTOR_RULES_RULE_MATCHER_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "detector/entities/entity_table.h"
#include "detector/features/codec.h"
#include "detector/rules/rule_set.h"

namespace vigil::detector {

inline constexpr size_t kMatchesPerBlockMax = 64;
inline constexpr size_t kMatchesKept = 4096;

// A rule that matched an event: what an alert says.
struct RuleMatch {
  uint64_t height = 0;
  uint64_t record_index = 0;
  uint32_t item = 0;
  uint32_t rule = 0;
  EntityKind entity = EntityKind::kSource;
  EventType type = EventType::kGeneric;
  uint64_t observed = 0;  // What the first condition measured.
  bool operator==(const RuleMatch&) const = default;
};

class RuleMatcher {
 public:
  RuleMatcher() = default;
  explicit RuleMatcher(RuleSet rules) : rules_(std::move(rules)), held_(rules_.digest) {}

  // The next blocks are held against these rules. Returns whether the last one was against others:
  // then the marks of all entities have to go. REQUIRES: between blocks.
  bool Use(const RuleSet& rules);
  // REQUIRES: after Parse(), Use() went before.
  void BeginBlock(uint64_t height);
  // `touched` are the entities of the event, after it was counted.
  void OnEvent(const EventView& event, EventType type, uint64_t record_index, uint32_t item,
               const EntityTable::Touched& touched);
  // The matches of the block, in the order of events and rules.
  std::vector<RuleMatch> EndBlock();

  const RuleSet& rules() const { return rules_; }
  // Digest of the rules that the last block was held against; zero: none.
  const Digest& held() const { return held_; }
  // The match of an event and a rule; nullptr: there was none, or it is no longer remembered.
  const RuleMatch* Find(uint64_t record_index, uint32_t item, uint32_t rule) const;
  // Every match from this height on is remembered.
  uint64_t complete_from() const { return complete_from_; }
  uint64_t passed_over() const { return passed_over_; }

  // held() 32 | u64 complete from | u64 passed over | u32 matches | per match,
  // ascending place: u64 height | u64 record | u32 item | u32 rule | u8 entity kind | u8 event type
  // | u64 observed.
  void Serialize(LittleEndianWriter* writer) const;
  // False for bytes that Serialize() does not make up to `height`. The rules themselves are not
  // among them.
  bool Parse(LittleEndianReader* reader, uint64_t height);

 private:
  void Match(const Rule& rule, uint64_t observed, EventType type, uint64_t record_index,
             uint32_t item, Entity* entity);

  RuleSet rules_;
  Digest held_{};
  std::deque<RuleMatch> matches_;  // By height, record, item, rule.
  size_t in_block_ = 0;            // Of them: of the open block.
  uint64_t height_ = 0;
  uint64_t complete_from_ = 1;
  uint64_t passed_over_ = 0;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_RULES_RULE_MATCHER_H_
