#include "client/alert/rule_case.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::client {
namespace {

using detector::Reach;
using detector::RuleFinding;
using detector::RuleJudgement;
using detector::SpanBlock;
using ledger::ShownRecord;

// What the file shows of one block.
struct ShownBlock {
  ledger::ProvenBlock block;
  uint64_t records = 0;  // That are here with all that counts.
  uint64_t wanted = 0;   // So many make it complete.
  std::vector<const ShownRecord*> batches;

  bool complete() const { return records == wanted; }
};

// By height; nothing of blocks above the event's, and of its own what lies above its batch.
std::map<Height, ShownBlock> BlocksOf(const ledger::EvidenceReport& evidence,
                                      const ledger::EventRef& event) {
  std::map<Height, ShownBlock> blocks;
  const auto take = [&](const ShownRecord& record, bool counts) {
    if (record.index() > event.record_index) return;
    ShownBlock& shown = blocks[record.report.block->height];
    shown.block = *record.report.block;
    shown.wanted = shown.block.record_count;
    if (record.index() == event.record_index ||
        event.record_index - shown.block.first < shown.block.record_count) {
      shown.wanted = event.record_index - shown.block.first + 1;
    }
    if (counts && record.report.record->kind == ledger::RecordKind::kEventBatch) {
      const ledger::RecordView view = record.Body();
      const uint64_t held = std::get<ledger::EventBatchBody>(view.body).item_count;
      const bool last = record.index() == event.record_index;
      const uint64_t needed = last ? uint64_t{event.item.value()} + 1 : held;
      const auto shown_events = static_cast<uint64_t>(std::ranges::count_if(
          record.events,
          [&](const ledger::ShownEvent& one) { return !last || one.ref.item <= event.item; }));
      if (!record.events.empty()) shown.batches.push_back(&record);
      if (shown_events < needed) return;
    }
    ++shown.records;
  };
  for (const ShownRecord& record : evidence.records) take(record, /*counts=*/true);
  for (const ShownRecord& record : evidence.rejected) take(record, /*counts=*/false);
  return blocks;
}

// Whether nothing but empty blocks lies between: each block has at least one leaf, its seal.
bool Follows(const ledger::ProvenBlock& before, const ledger::ProvenBlock& after) {
  const uint64_t leaves = after.first - before.first - before.record_count - 1;
  return leaves == after.height - before.height - 1;
}

// The lowest height from which on everything up to the event is shown; nothing: its own block is
// not.
std::optional<Height> CompleteFrom(const std::map<Height, ShownBlock>& blocks) {
  std::optional<Height> from;
  const ShownBlock* after = nullptr;
  for (auto at = blocks.rbegin(); at != blocks.rend(); ++at) {
    const ShownBlock& shown = at->second;
    if (!shown.complete() || (after != nullptr && !Follows(shown.block, after->block))) break;
    from = at->first;
    after = &shown;
  }
  return from;
}

// Events with what their views point to, in the order of the chain.
class Events {
 public:
  // From the block at `from` on.
  std::vector<SpanBlock> Of(const std::map<Height, ShownBlock>& blocks, Height from,
                            const ledger::EventRef& last) {
    std::vector<SpanBlock> span;
    for (const auto& [height, shown] : blocks) {
      if (height < from) continue;
      SpanBlock block{
          .height = height.value(), .millis = shown.block.time_unix_millis, .events = {}};
      for (const ShownRecord* batch : shown.batches) {
        for (const ledger::ShownEvent& event : batch->events) {
          if (event.ref > last) continue;
          views_.push_back(event.Fields());
          block.events.push_back(
              {&views_.back(), event.ref.record_index.value(), event.ref.item.value()});
        }
      }
      span.push_back(std::move(block));
    }
    return span;
  }
  uint64_t size() const { return views_.size(); }

 private:
  std::deque<EventView> views_;
};

std::optional<detector::RuleSet> Parse(absl::string_view file, std::string* problem) {
  return detector::ParseRules(std::string_view(file.data(), file.size()), &ledger::Sha256Bytes,
                              problem);
}

}  // namespace

std::optional<RuleReport> JudgeRuleAlert(const ledger::EvidenceReport& evidence,
                                         std::string* problem) {
  const ledger::AlertCase& alert = *evidence.alert;
  const std::optional<detector::RuleSet> rules = Parse(evidence.model, problem);
  if (!rules.has_value()) return std::nullopt;
  RuleReport report;
  if (const detector::Rule* const rule = rules->Find(alert.rule)) report.rule = *rule;
  const detector::RuleClaim claim = {.rule = alert.rule,
                                     .entity_kind = alert.entity_kind,
                                     .event_type = alert.event_type,
                                     .score_q8 = alert.score_q8,
                                     .threshold_q8 = alert.threshold_q8,
                                     .observed = alert.observed,
                                     .rules_from = alert.rules_from.value()};
  const std::map<Height, ShownBlock> blocks = BlocksOf(evidence, alert.event);
  VIGIL_CHECK(!blocks.empty(), "the event's block is shown");
  const std::optional<Height> from = CompleteFrom(blocks);
  if (from.has_value()) {
    const ledger::ProvenBlock& first = blocks.at(*from).block;
    // As many leaves as blocks before it: they are all empty.
    report.reach = first.first.value() == first.height.value() - 1 ? Reach::kChain : Reach::kSpan;
    report.from = *from;
    Events events;
    report.judgement = detector::JudgeRule(*rules, claim, events.Of(blocks, *from, alert.event),
                                           report.reach, &ledger::Sha256Bytes);
    report.events = events.size();
    if (report.judgement.finding != RuleFinding::kUnknown) return report;
  }
  // Events before the blocks that are shown whole may still make up the count.
  Events cited;
  const RuleJudgement judged = detector::JudgeRule(
      *rules, claim, cited.Of(blocks, Height(0), alert.event), Reach::kCited, &ledger::Sha256Bytes);
  if (!from.has_value() || judged.finding == RuleFinding::kSupported) {
    report.judgement = judged;
    report.reach = Reach::kCited;
    report.from = Height(0);
    report.events = cited.size();
  }
  return report;
}

std::string RuleBasis(const RuleReport& report, Height event_height) {
  switch (report.reach) {
    case Reach::kChain:
      return absl::StrCat("every block up to ", event_height.value(), ", ", report.events,
                          " events");
    case Reach::kSpan:
      return absl::StrCat("blocks ", report.from.value(), " to ", event_height.value(), ", ",
                          report.events, " events");
    case Reach::kCited:
      break;
  }
  return absl::StrCat(report.events, report.events == 1 ? " event" : " events", " cited");
}

std::optional<RuleNeed> NeedOfRule(absl::string_view rule_file, uint32_t rule) {
  std::string problem;
  const std::optional<detector::RuleSet> rules = Parse(rule_file, &problem);
  if (!rules.has_value() || rules->Find(rule) == nullptr) return std::nullopt;
  return RuleNeed{.everything = detector::SpanMillisOf(*rules->Find(rule)),
                  .conditions = detector::WindowMillisOf(*rules->Find(rule))};
}

}  // namespace vigil::client
