#include "detector/rules/rule_matcher.h"

#include <algorithm>
#include <tuple>

#include "detector/features/require.h"

namespace vigil::detector {
namespace {

auto PlaceOf(const RuleMatch& match) {
  return std::make_tuple(match.record_index, match.item, match.rule);
}

bool AllHold(const Rule& rule, const Entity& entity) {
  return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                     [&](const Condition& c) { return Measured(c, entity) >= c.at_least; });
}

// Whether the rule matched this entity within its quiet time.
bool IsQuiet(const Rule& rule, const Entity& entity) {
  for (const RuleMark& mark : entity.marks()) {
    if (mark.rule == rule.number) return entity.latest_millis() - mark.millis < rule.quiet_millis;
  }
  return false;
}

}  // namespace

bool RuleMatcher::Use(const RuleSet& rules) {
  const bool differs = rules.digest != held_;
  if (rules.digest != rules_.digest) rules_ = rules;
  held_ = rules.digest;
  return differs;
}

void RuleMatcher::BeginBlock(uint64_t height) {
  Require(rules_.digest == held_, "the rules that the last block was held against");
  height_ = height;
  in_block_ = 0;
}

void RuleMatcher::OnEvent(const EventView& event, EventType type, uint64_t record_index,
                          uint32_t item, const EntityTable::Touched& touched) {
  for (const Rule& rule : rules_.rules) {
    Entity* const entity = touched[IndexOf(rule.entity)];
    if (entity == nullptr || !rule.Concerns(event, type)) continue;
    if (IsQuiet(rule, *entity) || !AllHold(rule, *entity)) continue;
    if (in_block_ == kMatchesPerBlockMax) {
      ++passed_over_;
      continue;
    }
    Match(rule, Measured(rule.conditions.front(), *entity), type, record_index, item, entity);
  }
}

void RuleMatcher::Match(const Rule& rule, uint64_t observed, EventType type, uint64_t record_index,
                        uint32_t item, Entity* entity) {
  entity->SetMark({.rule = rule.number,
                   .millis = entity->latest_millis(),
                   .record_index = record_index,
                   .item = item});
  matches_.push_back({.height = height_,
                      .record_index = record_index,
                      .item = item,
                      .rule = rule.number,
                      .entity = rule.entity,
                      .type = type,
                      .observed = observed});
  ++in_block_;
  if (matches_.size() <= kMatchesKept) return;
  complete_from_ = matches_.front().height + 1;
  matches_.pop_front();
}

std::vector<RuleMatch> RuleMatcher::EndBlock() {
  const auto count = static_cast<ptrdiff_t>(in_block_);
  in_block_ = 0;
  return {matches_.end() - count, matches_.end()};
}

const RuleMatch* RuleMatcher::Find(uint64_t record_index, uint32_t item, uint32_t rule) const {
  const auto wanted = std::make_tuple(record_index, item, rule);
  const auto found = std::lower_bound(
      matches_.begin(), matches_.end(), wanted,
      [](const RuleMatch& match, const auto& place) { return PlaceOf(match) < place; });
  return found != matches_.end() && PlaceOf(*found) == wanted ? &*found : nullptr;
}

void RuleMatcher::Serialize(LittleEndianWriter* writer) const {
  writer->Raw(held_).U64(complete_from_).U64(passed_over_);
  writer->U32(static_cast<uint32_t>(matches_.size()));
  for (const RuleMatch& match : matches_) {
    writer->U64(match.height).U64(match.record_index).U32(match.item).U32(match.rule);
    writer->U8(static_cast<uint8_t>(match.entity)).U8(static_cast<uint8_t>(match.type));
    writer->U64(match.observed);
  }
}

bool RuleMatcher::Parse(LittleEndianReader* reader, uint64_t height) {
  held_ = reader->ReadDigest();
  complete_from_ = reader->U64();
  passed_over_ = reader->U64();
  const uint32_t count = reader->U32();
  constexpr size_t kMatchBytes = 8 + 8 + 4 + 4 + 1 + 1 + 8;
  if (complete_from_ < 1 || complete_from_ > height + 1 || count > kMatchesKept) return false;
  if (!reader->CanHold(count, kMatchBytes)) return false;
  for (uint32_t i = 0; i < count; ++i) {
    RuleMatch match;
    match.height = reader->U64();
    match.record_index = reader->U64();
    match.item = reader->U32();
    match.rule = reader->U32();
    const uint32_t entity = reader->U8();
    const uint32_t type = reader->U8();
    match.observed = reader->U64();
    const bool known = match.rule >= 1 && match.rule <= kRuleNumberMax && entity >= 1 &&
                       entity <= kEntityKinds.size() && type >= 1 && type <= kEventTypes.size();
    // The match that made complete_from_ rise may share its height with others that are left.
    const bool within = match.height + 1 >= complete_from_ && match.height <= height;
    if (!known || !within) return false;
    match.entity = static_cast<EntityKind>(entity);
    match.type = static_cast<EventType>(type);
    const bool rises = i == 0 || (match.height >= matches_.back().height &&
                                  PlaceOf(matches_.back()) < PlaceOf(match));
    if (!rises) return false;
    matches_.push_back(match);
  }
  return reader->ok();
}

}  // namespace vigil::detector
