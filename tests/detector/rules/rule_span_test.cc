// What is said of a rule from a part of the chain is never contradicted by a replay of all of it.
#include "detector/rules/rule_span.h"

#include <deque>
#include <memory>

#include "detector/rules/rule_matcher.h"
#include "tests/detector/entities/entity_events.h"
#include "tests/detector/support/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::detector {
namespace {

using testing::EntityEvent;
using testing::kNoon;
using testing::Sha256;

const Hash32 kHash = [](std::span<const uint8_t> bytes) { return Sha256(bytes); };

// Of every sort of measure, with thresholds and quiet times that random events reach.
constexpr std::string_view kRules = R"(vigil-rules 1
version 1
rule 1 failures
  title a
  technique T1110
  score 14
  entity source
  when status failure
  at-least failed 4 in 60s
  quiet 2m
rule 2 peers
  title b
  technique T1110
  score 12
  entity user
  at-least peers 4 in 60s
  at-least events 5 in 60s
  quiet 60s
rule 3 share
  title c
  technique T1110
  score 11
  entity pair
  when type flow
  at-least ports 2 in 60s
  at-least failed_permille 400 in 60s
  quiet 5m
rule 4 known
  title d
  technique T1110
  score 10
  entity source
  at-least new_peer_seconds 30
  at-least sightings 5
  quiet 60s
rule 5 second
  title e
  technique T1110
  score 9
  entity host
  at-least events 3 in 2s
  quiet 2s
)";

RuleSet Rules(std::string_view file = kRules) {
  std::string error;
  std::optional<RuleSet> set = ParseRules(file, kHash, &error);
  INFO(error);
  REQUIRE(set.has_value());
  return *std::move(set);
}

// Blocks of events, and what a replay of all finds.
struct Chain {
  RuleSet rules;
  std::deque<EntityEvent> events;
  std::vector<SpanBlock> blocks;

  explicit Chain(std::string_view file = kRules) : rules(Rules(file)) {}

  EntityEvent* Add() {
    EntityEvent* const event = &events.emplace_back();
    return event;
  }
  void Block(uint64_t millis, const std::vector<EntityEvent*>& in) {
    SpanBlock block{.height = blocks.size() + 1, .millis = millis, .events = {}};
    for (size_t i = 0; i < in.size(); ++i) {
      block.events.push_back({&in[i]->view, block.height * 10, static_cast<uint32_t>(i)});
    }
    blocks.push_back(std::move(block));
  }
  // The chain from block `from` up to event `item` of block `to`.
  std::vector<SpanBlock> Part(size_t from, size_t to, size_t item) const {
    std::vector<SpanBlock> part(blocks.begin() + static_cast<ptrdiff_t>(from),
                                blocks.begin() + static_cast<ptrdiff_t>(to) + 1);
    part.back().events.resize(item + 1);
    return part;
  }
  RuleClaim Claim(uint32_t rule, const SpanEvent& event, uint64_t observed) const {
    const Rule& of = *rules.Find(rule);
    return {.rule = rule,
            .entity_kind = static_cast<uint32_t>(of.entity),
            .event_type = static_cast<uint32_t>(TypeOf(*event.view)),
            .score_q8 = of.score_q8,
            .threshold_q8 = of.score_q8,
            .observed = observed};
  }
};

// Failed logons of one source, one a second, one block each; others between.
Chain BruteForce(uint32_t logons) {
  Chain chain(BuiltInRules());
  for (uint32_t i = 0; i < logons; ++i) {
    EntityEvent* const fine = chain.Add();
    fine->From(203, 10).On("gate").By("root").Logon(1).At(kNoon + i * 1'000);
    EntityEvent* const failed = chain.Add();
    failed->From(203, 9).On("gate").By("root").Logon(2).At(kNoon + i * 1'000);
    chain.Block(kNoon + i * 1'000, {fine, failed});
  }
  return chain;
}

// Random events, and claims about them that are right or not; counts what is said of each.
struct RandomChain {
  EntityLimits limits = kEntityLimits;
  // From this height on the rules are held against events, others before; 0: always.
  uint64_t rules_from = 0;
  std::map<RuleFinding, int> right;
  std::map<RuleFinding, int> wrong;

  void Run(SplitMix64* random) {
    Chain chain;
    uint64_t clock = kNoon;
    EntityTable table(kHash, limits);
    RuleMatcher matcher(chain.rules);
    for (int b = 0; b < 60; ++b) {
      std::vector<EntityEvent*> in;
      for (uint64_t i = random->Below(8); i < 8; ++i) {
        in.push_back(chain.Add());
        testing::DrawEvent(random, &clock, in.back());
      }
      chain.Block(clock, in);
      const uint64_t height = chain.blocks.back().height;
      if (height == rules_from) table.ClearMarks();
      matcher.BeginBlock(height);
      for (const SpanEvent& event : chain.blocks.back().events) {
        const EventType type = TypeOf(*event.view);
        const auto touched = table.Observe(*event.view, type, clock);
        matcher.OnEvent(*event.view, type, event.record_index, event.item, touched);
        if (height < rules_from) continue;
        for (const Rule& rule : chain.rules.rules) {
          const RuleMatch* const match = matcher.Find(event.record_index, event.item, rule.number);
          if (match != nullptr || random->Chance(60)) Claim(chain, rule, event, match, random);
        }
      }
    }
  }

  void Claim(const Chain& chain, const Rule& rule, const SpanEvent& event, const RuleMatch* match,
             SplitMix64* random) {
    const uint64_t observed = match != nullptr && !random->Chance(200)
                                  ? match->observed
                                  : rule.conditions.front().at_least + random->Below(4);
    const bool is_right = match != nullptr && match->observed == observed;
    const size_t to = chain.blocks.size() - 1;
    const size_t from = random->Below(to + 1);
    for (const Reach reach : {Reach::kSpan, Reach::kChain}) {
      const size_t first = reach == Reach::kChain ? 0 : from;
      RuleClaim claim = chain.Claim(rule.number, event, observed);
      // Blocks show a change that lies among them.
      if (rules_from > first) claim.rules_from = rules_from;
      const RuleJudgement judged =
          JudgeRule(chain.rules, claim, chain.Part(first, to, event.item), reach, kHash, limits);
      ++(is_right ? right : wrong)[judged.finding];
      CAPTURE(to, event.item, rule.number, observed, from, judged.why);
      if (is_right) CHECK(judged.finding != RuleFinding::kDiffers);
      if (!is_right) CHECK(judged.finding != RuleFinding::kMatches);
      if (reach == Reach::kSpan) continue;
      CHECK(judged.finding == (is_right ? RuleFinding::kMatches : RuleFinding::kDiffers));
    }
  }
};

}  // namespace

TEST_CASE("rule span: what parts of a chain say a replay of all of it confirms", "[detector]") {
  VIGIL_TEST_SEED(seed, 20261128);
  SplitMix64 random(seed);
  RandomChain tally;
  for (int round = 0; round < 12; ++round) {
    tally.limits = round % 2 == 0 ? kEntityLimits : EntityLimits{8, 8, 8, 8, 8, 8};
    tally.Run(&random);
  }
  // All of it is there: right ones that a span alone shows, and wrong ones that it exposes.
  CHECK(tally.right[RuleFinding::kMatches] > tally.right[RuleFinding::kUnknown] / 4);
  CHECK(tally.right[RuleFinding::kSupported] > 5);
  CHECK(tally.right[RuleFinding::kUnknown] > 20);
  CHECK(tally.wrong[RuleFinding::kDiffers] > 500);
  CHECK(tally.wrong[RuleFinding::kUnknown] > 20);
}

TEST_CASE("rule span: rules that replaced others are judged from where they began", "[detector]") {
  VIGIL_TEST_SEED(seed, 20261129);
  SplitMix64 random(seed);
  RandomChain tally;
  for (int round = 0; round < 16; ++round) {
    tally.limits = round % 2 == 0 ? kEntityLimits : EntityLimits{8, 8, 8, 8, 8, 8};
    tally.rules_from = 1 + random.Below(58);
    tally.Run(&random);
  }
  CHECK(tally.right[RuleFinding::kMatches] > 50);
  CHECK(tally.wrong[RuleFinding::kDiffers] > 200);
}

TEST_CASE("rule span: what other rules matched before keeps no rule quiet", "[detector]") {
  Chain chain(BuiltInRules());
  EntityEvent* const early = chain.Add();
  early->From(203, 1).On("gate").By("ann").Logon(1).At(kNoon - 70'000);
  chain.Block(kNoon - 70'000, {early});
  for (const uint64_t millis : {kNoon, kNoon + 2'000}) {
    std::vector<EntityEvent*> failed;
    for (uint32_t i = 0; i < 10; ++i) {
      failed.push_back(chain.Add());
      failed.back()->From(203, 9).On("gate").By("root").Logon(2).At(millis);
    }
    chain.Block(millis, failed);
  }
  // The tenth of block 2 matches, and so does the first of block 3 if the rules began with it.
  const auto judge = [&](uint64_t rules_from, Reach reach) {
    RuleClaim claim = chain.Claim(1, chain.blocks[2].events[0], 11);
    claim.rules_from = rules_from;
    return JudgeRule(chain.rules, claim, chain.Part(0, 2, 0), reach, kHash).finding;
  };
  CHECK(judge(0, Reach::kChain) == RuleFinding::kDiffers);
  CHECK(judge(2, Reach::kChain) == RuleFinding::kDiffers);
  CHECK(judge(3, Reach::kChain) == RuleFinding::kMatches);
  CHECK(judge(0, Reach::kSpan) == RuleFinding::kSupported);
  CHECK(judge(3, Reach::kSpan) == RuleFinding::kMatches);
}

TEST_CASE("rule span: a threshold is shown by its window and by its events alone", "[detector]") {
  const Chain chain = BruteForce(10);
  const SpanEvent& last = chain.blocks[9].events[1];
  const RuleClaim claim = chain.Claim(1, last, 10);
  CHECK(JudgeRule(chain.rules, claim, chain.Part(0, 9, 1), Reach::kChain, kHash).finding ==
        RuleFinding::kMatches);
  std::vector<SpanBlock> cited = chain.Part(0, 9, 1);
  for (SpanBlock& block : cited) block.events.erase(block.events.begin());
  const RuleJudgement shown = JudgeRule(chain.rules, claim, cited, Reach::kCited, kHash);
  CHECK(shown.finding == RuleFinding::kSupported);
  CHECK(shown.observed == 10);
  CHECK(!shown.why.empty());
  // One less does not show it, and accuses nobody.
  cited.erase(cited.begin());
  CHECK(JudgeRule(chain.rules, claim, cited, Reach::kCited, kHash).finding ==
        RuleFinding::kUnknown);
}

TEST_CASE("rule span: a quiet time that a span does not reach back to is said to be missing",
          "[detector]") {
  Chain chain(BuiltInRules());
  EntityEvent* const before = chain.Add();
  before->From(203, 1).On("gate").By("ann").Logon(1).At(kNoon - 3'600'000 - 60'000);
  chain.Block(kNoon - 3'600'000 - 60'000, {before});
  EntityEvent* const between = chain.Add();
  between->From(203, 1).On("gate").By("ann").Logon(1).At(kNoon - 60'000);
  chain.Block(kNoon - 60'000, {between});
  std::vector<EntityEvent*> failed;
  for (uint32_t i = 0; i < 12; ++i) {
    failed.push_back(chain.Add());
    failed.back()->From(203, 9).On("gate").By("root").Logon(2).At(kNoon + i);
  }
  chain.Block(kNoon + 11, failed);
  const auto judge = [&](size_t from, uint32_t item) {
    const RuleClaim claim = chain.Claim(1, chain.blocks[2].events[item], item + 1);
    return JudgeRule(chain.rules, claim, chain.Part(from, 2, item), Reach::kSpan, kHash);
  };
  // The tenth matched; with an hour and a minute before it nothing is left open.
  CHECK(judge(0, 9).finding == RuleFinding::kMatches);
  CHECK(judge(1, 9).finding == RuleFinding::kSupported);
  // The eleventh is within the quiet time of the tenth, which a span cannot be sure of.
  CHECK(judge(0, 10).finding == RuleFinding::kSupported);
  CHECK(JudgeRule(chain.rules, chain.Claim(1, chain.blocks[2].events[10], 11), chain.Part(0, 2, 10),
                  Reach::kChain, kHash)
            .finding == RuleFinding::kDiffers);
  // Without the whole minute a lower count proves nothing, a higher one does.
  // Its events are older than the block, so what came before may have moved the window on.
  CHECK(judge(2, 9).finding == RuleFinding::kUnknown);
  CHECK(judge(2, 11).finding == RuleFinding::kSupported);
  const RuleClaim low = chain.Claim(1, chain.blocks[2].events[11], 10);
  CHECK(JudgeRule(chain.rules, low, chain.Part(2, 2, 11), Reach::kSpan, kHash).finding ==
        RuleFinding::kDiffers);
  const RuleClaim high = chain.Claim(1, chain.blocks[2].events[11], 13);
  CHECK(JudgeRule(chain.rules, high, chain.Part(2, 2, 11), Reach::kSpan, kHash).finding ==
        RuleFinding::kUnknown);
  CHECK(JudgeRule(chain.rules, high, chain.Part(1, 2, 11), Reach::kSpan, kHash).finding ==
        RuleFinding::kDiffers);
}

TEST_CASE("rule span: what the event alone contradicts needs no other", "[detector]") {
  const Chain chain = BruteForce(10);
  const SpanEvent& last = chain.blocks[9].events[1];
  const std::vector<SpanBlock> alone = {
      {.height = 10, .millis = chain.blocks[9].millis, .events = {last}}};
  const auto finding = [&](auto change) {
    RuleClaim claim = chain.Claim(1, last, 10);
    change(&claim);
    return JudgeRule(chain.rules, claim, alone, Reach::kCited, kHash).finding;
  };
  CHECK(finding([](RuleClaim*) {}) == RuleFinding::kUnknown);
  CHECK(finding([](RuleClaim* c) { c->rule = 99; }) == RuleFinding::kDiffers);
  CHECK(finding([](RuleClaim* c) { c->entity_kind = 5; }) == RuleFinding::kDiffers);
  CHECK(finding([](RuleClaim* c) { c->event_type = 1; }) == RuleFinding::kDiffers);
  CHECK(finding([](RuleClaim* c) { c->score_q8 = c->threshold_q8 = 64 * 256; }) ==
        RuleFinding::kDiffers);
  CHECK(finding([](RuleClaim* c) { c->observed = 9; }) == RuleFinding::kDiffers);
  // A rule about flows, and one whose entity the event does not name.
  CHECK(finding([&](RuleClaim* c) { *c = chain.Claim(6, last, 30); }) == RuleFinding::kDiffers);
  CHECK(finding([&](RuleClaim* c) { *c = chain.Claim(8, last, 30); }) == RuleFinding::kDiffers);
}

TEST_CASE("rule span: a share is told by all of its window alone", "[detector]") {
  Chain chain;
  std::vector<EntityEvent*> fine;
  for (uint32_t i = 0; i < 4; ++i) {
    fine.push_back(chain.Add());
    fine.back()->From(10, 1).To(192, 1, 443).Flow(1).At(kNoon - 10'000);
  }
  chain.Block(kNoon - 10'000, fine);
  std::vector<EntityEvent*> failed;
  for (uint32_t port = 80; port < 82; ++port) {
    failed.push_back(chain.Add());
    failed.back()->From(10, 1).To(192, 1, port).Flow(2).At(kNoon);
  }
  chain.Block(kNoon, failed);
  // Two of six failed, but both of those that the last block has.
  const RuleClaim claim = chain.Claim(3, chain.blocks[1].events[1], 2);
  CHECK(JudgeRule(chain.rules, claim, chain.Part(0, 1, 1), Reach::kChain, kHash).finding ==
        RuleFinding::kDiffers);
  for (const Reach reach : {Reach::kSpan, Reach::kCited}) {
    CHECK(JudgeRule(chain.rules, claim, chain.Part(1, 1, 1), reach, kHash).finding ==
          RuleFinding::kUnknown);
  }
}

TEST_CASE("rule span: what an entity is new to is told from the first block on or not at all",
          "[detector]") {
  const Chain chain = [] {
    Chain made(BuiltInRules());
    for (uint32_t i = 0; i <= 201; ++i) {
      EntityEvent* const flow = made.Add();
      const bool is_last = i == 201;
      flow->From(10, 7)
          .To(45, is_last ? 99 : 1, 443)
          .Flow(1)
          .At(kNoon + i * 100 + (is_last ? 14'400'000 : 0));
      made.Block(flow->block_millis, {flow});
    }
    return made;
  }();
  const RuleClaim claim = chain.Claim(10, chain.blocks[201].events[0], 14'420);
  const RuleJudgement all =
      JudgeRule(chain.rules, claim, chain.Part(0, 201, 0), Reach::kChain, kHash);
  INFO(all.why);
  CHECK(all.finding == RuleFinding::kMatches);
  CHECK(JudgeRule(chain.rules, claim, chain.Part(1, 201, 0), Reach::kSpan, kHash).finding ==
        RuleFinding::kUnknown);
  const RuleJudgement cited =
      JudgeRule(chain.rules, claim, chain.Part(1, 201, 0), Reach::kCited, kHash);
  CHECK(cited.finding == RuleFinding::kUnknown);
  CHECK(cited.why.find("first block") != std::string::npos);
  CHECK(!SpanMillisOf(*chain.rules.Find(10)).has_value());
  CHECK(SpanMillisOf(*chain.rules.Find(1)) == 3'660'000);
}

TEST_CASE("rule span: a block that may be full of matches leaves open whether one was passed over",
          "[detector]") {
  Chain chain;
  EntityEvent* const early = chain.Add();
  early->From(10, 1).Flow(1).At(kNoon - 200'000);
  chain.Block(kNoon - 200'000, {early});
  std::vector<EntityEvent*> in;
  for (uint32_t source = 0; source < 70; ++source) {
    for (int i = 0; i < 4; ++i) {
      in.push_back(chain.Add());
      in.back()->From(20, source).Flow(2).At(kNoon);
    }
  }
  chain.Block(kNoon, in);
  const auto judge = [&](uint32_t source, Reach reach) {
    const uint32_t item = source * 4 + 3;
    return JudgeRule(chain.rules, chain.Claim(1, chain.blocks[1].events[item], 4),
                     chain.Part(0, 1, item), reach, kHash)
        .finding;
  };
  CHECK(judge(30, Reach::kSpan) == RuleFinding::kMatches);
  CHECK(judge(69, Reach::kSpan) == RuleFinding::kSupported);
  CHECK(judge(69, Reach::kChain) == RuleFinding::kDiffers);
  CHECK(judge(63, Reach::kChain) == RuleFinding::kMatches);
}

}  // namespace vigil::detector
