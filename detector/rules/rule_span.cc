#include "detector/rules/rule_span.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "detector/features/require.h"
#include "detector/rules/rule_matcher.h"

namespace vigil::detector {
namespace {

// From so many possible gaps in what is known of an entity on nothing is said.
constexpr size_t kCandidatesMax = 8;

bool IsOfWindow(Measure measure) { return measure < Measure::kSightings; }

RuleJudgement Judge(RuleFinding finding, std::string why, uint64_t observed = 0) {
  return {finding, std::move(why), observed};
}

std::string Text(uint64_t number) { return std::to_string(number); }

std::string ConditionText(const Condition& condition) {
  std::string text(MeasureName(condition.measure));
  text += std::string(SpanSuffix(condition));
  return text;
}

// What the event and the rule file alone decide.
std::optional<RuleJudgement> JudgeEvent(const RuleSet& rules, const RuleClaim& claim,
                                        const EventView& event, Hash32 hash) {
  const auto differs = [](std::string why) { return Judge(RuleFinding::kDiffers, std::move(why)); };
  const Rule* const rule = rules.Find(claim.rule);
  if (rule == nullptr) return differs("the network has no rule " + Text(claim.rule));
  const EventType type = TypeOf(event);
  if (claim.event_type != static_cast<uint32_t>(type)) {
    return differs("the event is of type " + Text(static_cast<uint32_t>(type)) +
                   ", the alert says " + Text(claim.event_type));
  }
  if (claim.entity_kind != static_cast<uint32_t>(rule->entity)) {
    return differs("the rule is about the " + std::string(EntityKindName(rule->entity)) +
                   ", the alert names kind " + Text(claim.entity_kind));
  }
  if (claim.score_q8 != rule->score_q8 || claim.threshold_q8 != rule->score_q8) {
    return differs("the rule scores " + Text(rule->score_q8) + "/256 bits, the alert says " +
                   Text(claim.score_q8) + "/256");
  }
  if (KeysOf(event, hash)[IndexOf(rule->entity)].empty()) {
    return differs("the event names no " + std::string(EntityKindName(rule->entity)));
  }
  if (!rule->Concerns(event, type)) return differs("the event is none that the rule is about");
  const Condition& first = rule->conditions.front();
  if (claim.observed < first.at_least) {
    return differs("the alert says " + ConditionText(first) + " " + Text(claim.observed) +
                   ", the rule begins at " + Text(first.at_least));
  }
  return std::nullopt;
}

// Everything since the first block: what validators do.
RuleJudgement Replay(const RuleSet& rules, const RuleClaim& claim,
                     std::span<const SpanBlock> blocks, Hash32 hash, const EntityLimits& limits) {
  EntityTable table(hash, limits);
  RuleMatcher matcher(rules);
  const Rule& rule = *rules.Find(claim.rule);
  uint64_t observed = 0;
  for (const SpanBlock& block : blocks) {
    matcher.BeginBlock(block.height);
    for (const SpanEvent& event : block.events) {
      const EventType type = TypeOf(*event.view);
      const EntityTable::Touched touched = table.Observe(*event.view, type, block.millis);
      if (block.height < claim.rules_from) continue;  // The business of other rules.
      matcher.OnEvent(*event.view, type, event.record_index, event.item, touched);
      observed = 0;
      if (touched[IndexOf(rule.entity)] == nullptr) continue;
      observed = Measured(rule.conditions.front(), *touched[IndexOf(rule.entity)]);
    }
  }
  const SpanEvent& last = blocks.back().events.back();
  const RuleMatch* const match = matcher.Find(last.record_index, last.item, claim.rule);
  if (match == nullptr) {
    return Judge(
        RuleFinding::kDiffers,
        "in a replay of every event since the first block the rule does not match this one",
        observed);
  }
  if (match->observed == claim.observed) return Judge(RuleFinding::kMatches, "", match->observed);
  return Judge(RuleFinding::kDiffers,
               "the alert says " + ConditionText(rule.conditions.front()) + " " +
                   Text(claim.observed) + ", a replay of every event gives " +
                   Text(match->observed),
               match->observed);
}

enum class Known { kNothing, kAtLeast, kExactly };
struct Measurement {
  Known known = Known::kNothing;
  uint64_t value = 0;
};

enum class Holds { kNo, kMaybe, kYes };

// One entity, as far as the events of a part of the chain tell.
class Watch {
 public:
  // `complete`: every event of the blocks is there. Before them the latest was at most at `from`.
  Watch(const Rule* rule, std::string key, bool complete, uint64_t from, uint32_t places,
        Hash32 hash)
      : rule_(rule),
        key_(std::move(key)),
        complete_(complete),
        from_(from),
        places_(places),
        hash_(hash) {
    candidates_.emplace_back(rule->entity);
  }

  // Returns whether the event is about the entity, and counts it.
  bool Take(const EventView& event, uint64_t block_millis) {
    const EntityKeys keys = KeysOf(event, hash_);
    const std::string& key = keys[IndexOf(rule_->entity)];
    if (key.empty()) return false;
    if (key != key_) {
      ++others_;
      return false;
    }
    // Each other sighting puts at most one entity behind this one.
    if (complete_ && seen_ && others_ >= places_ / 2 && candidates_.size() <= kCandidatesMax) {
      candidates_.emplace_back(rule_->entity);
    }
    seen_ = true;
    others_ = 0;
    const auto sightings = SightingsOf(event, TypeOf(event), keys, block_millis, hash_);
    for (Entity& entity : candidates_) entity.Add(sightings[IndexOf(rule_->entity)]);
    return true;
  }

  // Too often it may have been forgotten.
  bool lost() const { return candidates_.size() > kCandidatesMax; }
  const std::vector<Entity>& candidates() const { return candidates_; }
  uint64_t latest() const { return candidates_.front().latest_millis(); }

  Measurement Measure(const Condition& condition, const Entity& entity) const {
    const uint64_t value = Measured(condition, entity);
    const bool moved = complete_ && entity.latest_millis() < from_;
    if (moved) return {};
    if (IsOfWindow(condition.measure)) {
      const bool covered = complete_ && from_ + MillisOf(condition.span) <= entity.latest_millis();
      if (covered) return {Known::kExactly, value};
      if (condition.measure == Measure::kFailedPermille) return {};
      return {Known::kAtLeast, value};
    }
    const bool grows =
        condition.measure == Measure::kSightings || condition.measure == Measure::kAgeSeconds;
    return grows ? Measurement{Known::kAtLeast, value} : Measurement{};
  }

  Holds AllHold(const Entity& entity) const {
    Holds all = Holds::kYes;
    for (const Condition& condition : rule_->conditions) {
      const Measurement measured = Measure(condition, entity);
      if (measured.known != Known::kNothing && measured.value >= condition.at_least) continue;
      if (measured.known == Known::kExactly) return Holds::kNo;
      all = Holds::kMaybe;
    }
    return all;
  }

 private:
  const Rule* rule_;
  std::string key_;
  bool complete_;
  uint64_t from_;
  uint32_t places_;
  Hash32 hash_;
  std::vector<Entity> candidates_;  // Never forgotten; forgotten before the n-th possible gap.
  bool seen_ = false;
  uint64_t others_ = 0;  // Since the last sighting.
};

// Whether the block may have had all the matches that count before this rule came to its last
// event.
bool MayBePassedOver(const RuleSet& rules, const RuleClaim& claim, const SpanBlock& block,
                     const EntityLimits& limits, Hash32 hash) {
  const uint32_t places = *std::min_element(limits.begin(), limits.end());
  if (block.events.size() > places / 2) return true;
  // Once per entity, rule and quiet time.
  std::map<std::pair<uint32_t, std::string>, uint64_t> counted;
  size_t matches = 0;
  for (const SpanEvent& event : block.events) {
    const EventType type = TypeOf(*event.view);
    const EntityKeys keys = KeysOf(*event.view, hash);
    const uint64_t millis = SightingsOf(*event.view, type, keys, block.millis, hash).front().millis;
    for (const Rule& rule : rules.rules) {
      const bool is_claim = &event == &block.events.back() && rule.number >= claim.rule;
      const std::string& key = keys[IndexOf(rule.entity)];
      if (is_claim || key.empty() || !rule.Concerns(*event.view, type)) continue;
      const auto [known, is_new] = counted.try_emplace({rule.number, key}, millis);
      if (!is_new && millis < known->second + rule.quiet_millis) continue;
      known->second = millis;
      if (++matches >= kMatchesPerBlockMax) return true;
    }
  }
  return false;
}

// Of the conditions at the last event, by all that the entity may have been.
RuleJudgement JudgeConditions(const Rule& rule, const RuleClaim& claim, const Watch& watch) {
  const Condition& first = rule.conditions.front();
  const uint64_t observed = Measured(first, watch.candidates().front());
  if (watch.lost()) {
    return Judge(RuleFinding::kUnknown, "the entity may have been forgotten too often between",
                 observed);
  }
  size_t differ = 0;
  size_t hold = 0;
  for (const Entity& entity : watch.candidates()) {
    const Measurement measured = watch.Measure(first, entity);
    const bool other = (measured.known == Known::kExactly && measured.value != claim.observed) ||
                       (measured.known == Known::kAtLeast && measured.value > claim.observed);
    const Holds all = watch.AllHold(entity);
    if (all == Holds::kNo || other) ++differ;
    if (all == Holds::kYes && measured.value == claim.observed) ++hold;
  }
  const std::string told = ConditionText(first) + " " + Text(observed);
  if (differ == watch.candidates().size()) {
    return Judge(RuleFinding::kDiffers,
                 "the alert says " + ConditionText(first) + " " + Text(claim.observed) +
                     ", the events give " + told +
                     (observed == claim.observed ? ", and another condition does not hold" : ""),
                 observed);
  }
  if (hold == watch.candidates().size()) return Judge(RuleFinding::kSupported, "", observed);
  return Judge(RuleFinding::kUnknown,
               "the alert says " + ConditionText(first) + " " + Text(claim.observed) +
                   ", the events that are here give " + told +
                   (WindowMillisOf(rule).has_value() ? "; others that count may lie before them"
                                                     : "; it takes all since the first block"),
               observed);
}

// Of some events: the claim's conditions hold by them, or nothing is said.
RuleJudgement JudgeCited(const Rule& rule, const RuleClaim& claim,
                         std::span<const SpanBlock> blocks, Hash32 hash) {
  const std::string key = KeysOf(*blocks.back().events.back().view, hash)[IndexOf(rule.entity)];
  Watch watch(&rule, key, /*complete=*/false, /*from=*/0, /*places=*/0, hash);
  for (const SpanBlock& block : blocks) {
    for (const SpanEvent& event : block.events) watch.Take(*event.view, block.millis);
  }
  const Entity& entity = watch.candidates().front();
  const uint64_t observed = Measured(rule.conditions.front(), entity);
  for (const Condition& condition : rule.conditions) {
    if (watch.Measure(condition, entity).known != Known::kNothing) continue;
    return Judge(
        RuleFinding::kUnknown,
        ConditionText(condition) + " cannot be told from single events: it takes " +
            (IsOfWindow(condition.measure) ? "all of its window" : "all since the first block"),
        observed);
  }
  const bool holds = watch.AllHold(entity) == Holds::kYes && observed == claim.observed;
  if (!holds) {
    return Judge(RuleFinding::kUnknown,
                 "the alert says " + ConditionText(rule.conditions.front()) + " " +
                     Text(claim.observed) + ", the events that are here give " + Text(observed) +
                     "; not all of the window are here",
                 observed);
  }
  return Judge(RuleFinding::kSupported,
               "the events that are here fulfil the rule; that none between them moved its window "
               "on, and that it was not quiet, is not shown",
               observed);
}

RuleJudgement JudgeSpan(const RuleSet& rules, const RuleClaim& claim,
                        std::span<const SpanBlock> blocks, Hash32 hash,
                        const EntityLimits& limits) {
  const Rule& rule = *rules.Find(claim.rule);
  const SpanEvent& last = blocks.back().events.back();
  const uint64_t from = blocks.front().millis;
  Watch watch(&rule, KeysOf(*last.view, hash)[IndexOf(rule.entity)], /*complete=*/true, from,
              limits[IndexOf(rule.entity)], hash);
  // Latest times of the entity at which the rule may have matched before.
  std::vector<uint64_t> earlier;
  for (const SpanBlock& block : blocks) {
    for (const SpanEvent& event : block.events) {
      if (!watch.Take(*event.view, block.millis) || &event == &last) continue;
      if (block.height < claim.rules_from) continue;  // Other rules keep this one not quiet.
      if (!rule.Concerns(*event.view, TypeOf(*event.view))) continue;
      const bool never =
          !watch.lost() &&
          std::all_of(watch.candidates().begin(), watch.candidates().end(),
                      [&](const Entity& entity) { return watch.AllHold(entity) == Holds::kNo; });
      if (!never) earlier.push_back(watch.latest());
    }
  }
  RuleJudgement judged = JudgeConditions(rule, claim, watch);
  if (judged.finding != RuleFinding::kSupported) return judged;
  const std::optional<uint64_t> window = WindowMillisOf(rule);
  if (!window.has_value() || from + *window > watch.latest()) {
    judged.why = "its conditions hold by these blocks, which do not hold all of its windows";
    return judged;
  }
  const bool reaches = blocks.front().height <= claim.rules_from ||
                       from + *window + rule.quiet_millis <= watch.latest();
  const bool quiet = std::any_of(earlier.begin(), earlier.end(), [&](uint64_t latest) {
    return watch.latest() - latest < rule.quiet_millis;
  });
  if (!reaches || quiet) {
    judged.why =
        std::string("its conditions hold, exactly so; whether it was quiet after a match ") +
        (reaches ? "just before takes the blocks before these"
                 : "before these blocks is not shown");
    return judged;
  }
  if (MayBePassedOver(rules, claim, blocks.back(), limits, hash)) {
    judged.why = "its conditions hold, exactly so; whether its block had " +
                 Text(kMatchesPerBlockMax) + " matches before takes a replay of the chain";
    return judged;
  }
  judged.finding = RuleFinding::kMatches;
  return judged;
}

}  // namespace

RuleJudgement JudgeRule(const RuleSet& rules, const RuleClaim& claim,
                        std::span<const SpanBlock> blocks, Reach reach, Hash32 hash,
                        const EntityLimits& limits) {
  Require(!blocks.empty() && !blocks.back().events.empty(), "a span that ends with the event");
  const EventView& event = *blocks.back().events.back().view;
  std::optional<RuleJudgement> judged = JudgeEvent(rules, claim, event, hash);
  if (judged.has_value()) return *std::move(judged);
  switch (reach) {
    case Reach::kChain:
      return Replay(rules, claim, blocks, hash, limits);
    case Reach::kSpan:
      return JudgeSpan(rules, claim, blocks, hash, limits);
    case Reach::kCited:
      break;
  }
  return JudgeCited(*rules.Find(claim.rule), claim, blocks, hash);
}

std::optional<uint64_t> WindowMillisOf(const Rule& rule) {
  uint64_t longest = 0;
  for (const Condition& condition : rule.conditions) {
    if (!IsOfWindow(condition.measure)) return std::nullopt;
    longest = std::max(longest, MillisOf(condition.span));
  }
  return longest;
}

std::optional<uint64_t> SpanMillisOf(const Rule& rule) {
  const std::optional<uint64_t> window = WindowMillisOf(rule);
  if (!window.has_value()) return std::nullopt;
  return *window + rule.quiet_millis;
}

}  // namespace vigil::detector
