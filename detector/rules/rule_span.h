// Whether a rule matched an event, decided again from a part of the chain's events.
//
// How much can be said depends on what is there:
//
//   Reach::kChain   every event since the first block. The same replay as any validator's: the rule
//                   matched, with that observation, or it did not.
//   Reach::kSpan    every event of these blocks, and nothing of those before. A sighting is never
//                   later than its block, and blocks' times do not fall; so what came before is no
//                   later than the first of these blocks, and windows that begin after it are
//                   exact, unless so many other entities came between two sightings that this one
//                   may have been forgotten, which is counted. An earlier match keeps the rule
//                   quiet: that there was none is known where the span reaches back by its quiet
//                   time and its longest window, and nothing in it could have matched.
//   Reach::kCited   some events of many. Counts are then at least what they make, as far as no
//   other
//                   event of the entity moved its windows on.
//
// What an entity has been since it was first seen (how even its intervals are, since when it is
// known, which peers are new to it) takes kChain.
//
// A network may replace its rules: they are held against events from some block on, and what other
// rules matched before keeps none of them quiet. Windows are older than the rules.
//
// Pure, integers only.
#ifndef VIGIL_DETECTOR_RULES_RULE_SPAN_H_
#define VIGIL_DETECTOR_RULES_RULE_SPAN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detector/entities/entity_table.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

struct SpanEvent {
  const EventView* view = nullptr;
  uint64_t record_index = 0;
  uint32_t item = 0;
};

struct SpanBlock {
  uint64_t height = 0;
  uint64_t millis = 0;
  std::vector<SpanEvent> events;  // That count, in the order of the chain.
};

enum class Reach { kCited, kSpan, kChain };

// What an alert says, of the last event of the last block.
struct RuleClaim {
  uint32_t rule = 0;
  uint32_t entity_kind = 0;
  uint32_t event_type = 0;
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint64_t observed = 0;
  // First height whose events these rules are held against, where that is known to lie among the
  // blocks; else 0.
  uint64_t rules_from = 0;
};

enum class RuleFinding {
  kMatches,    // The rule matched, as the claim says.
  kDiffers,    // It did not, or not so, whatever else the chain holds.
  kSupported,  // Its conditions hold by what is here, but not everything can be told from that.
  kUnknown,    // Not enough is here to tell.
};

struct RuleJudgement {
  RuleFinding finding = RuleFinding::kUnknown;
  std::string why;        // Empty for kMatches.
  uint64_t observed = 0;  // What the first condition measures with these events.
};

// REQUIRES: `blocks` ascend by height, their times do not fall, and the last has an event.
RuleJudgement JudgeRule(const RuleSet& rules, const RuleClaim& claim,
                        std::span<const SpanBlock> blocks, Reach reach, Hash32 hash,
                        const EntityLimits& limits = kEntityLimits);

// How far before an event blocks have to reach for everything about the rule to be told, in
// milliseconds of the event's time; nothing: from the first block on.
std::optional<uint64_t> SpanMillisOf(const Rule& rule);
// The same for its conditions alone.
std::optional<uint64_t> WindowMillisOf(const Rule& rule);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_RULES_RULE_SPAN_H_
