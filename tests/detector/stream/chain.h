// A synthetic chain of blocks for the stream tests, and the parameters they use.
#ifndef VIGIL_TESTS_DETECTOR_STREAM_CHAIN_H_
#define VIGIL_TESTS_DETECTOR_STREAM_CHAIN_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "detector/features/require.h"
#include "detector/stream/detector_stream.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"

namespace vigil::detector::testing {

inline Parameters SmallParameters() {
  Parameters parameters;
  parameters.window_rows_max = 512;
  parameters.window_rows_min = 64;
  parameters.period_events = 256;
  parameters.trees = 10;
  parameters.sample_rows = 32;
  parameters.seed_reveals = 2;
  return parameters;
}

inline const Digest kChainId = Sha256("chain");

// Matches often on MakeBlock()'s events.
inline RuleSet BusyRules() {
  std::string error;
  std::optional<RuleSet> rules = ParseRules(
      "vigil-rules 1\nversion 1\n"
      "rule 1 busy\ntitle t\ntechnique T1046\nscore 9\nentity source\n"
      "at-least events 12 in 60s\nquiet 60s\n"
      "rule 2 known\ntitle t\ntechnique T1046\nscore 9\nentity destination\n"
      "at-least sightings 40\nat-least peers 4 in 2s\nquiet 2s\n",
      [](std::span<const uint8_t> bytes) { return Sha256(bytes); }, &error);
  Require(rules.has_value(), "rules", error.c_str());
  return *std::move(rules);
}

struct TestBlock {
  Digest reveal{};
  uint64_t millis = 0;  // Its time.
  std::vector<std::unique_ptr<OwnedEvent>> owned;
  std::vector<BlockEvent> events;
  std::vector<EventMark> marks;
};

// The block at `height`, a function of seed and height. Flows are frequent, logins rare, and now
// and then a height is empty.
inline TestBlock MakeBlock(uint64_t seed, uint64_t height, uint64_t events_max = 60) {
  SplitMix64 random(seed * 1'000'003 + height);
  TestBlock block;
  block.reveal = Sha256("reveal" + std::to_string(seed) + "/" + std::to_string(height));
  block.millis = 1'700'000'000'000 + height * 1'000;
  const uint64_t count = random.Chance(150) ? 0 : random.Below(events_max + 1);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t draw = random.Below(20);
    auto owned = std::make_unique<OwnedEvent>();
    FillEvent(&random, draw < 13 ? 0 : draw < 19 ? 1 : 2, owned.get());
    // Some late, some ahead of their block.
    owned->view.time_unix_nano = (block.millis + 500 - i * 997 % 5'000) * 1'000'000;
    block.events.push_back({RecordIndex(height * 10), ItemIndex(static_cast<uint32_t>(i)),
                            Sha256(std::to_string(height) + ":" + std::to_string(i)),
                            static_cast<int64_t>(i % 3), &owned->view});
    block.owned.push_back(std::move(owned));
  }
  // What became known of events of the last heights, some of which do not exist.
  SplitMix64 known(seed * 7 + height);
  for (uint64_t i = known.Below(4); i > 0; --i) {
    const uint64_t then = height - known.Below(std::min<uint64_t>(height, 40));
    block.marks.push_back({RecordIndex(then * 10),
                           ItemIndex(static_cast<uint32_t>(known.Below(60))), !known.Chance(300)});
  }
  return block;
}

}  // namespace vigil::detector::testing

#endif  // VIGIL_TESTS_DETECTOR_STREAM_CHAIN_H_
