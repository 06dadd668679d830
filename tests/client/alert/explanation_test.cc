#include "client/alert/explanation.h"

#include <algorithm>
#include <map>

#include "client/alert/field_text.h"
#include "detector/features/event_schema.h"
#include "detector/features/text_shape.h"
#include "ledger/crypto/sha256_bytes.h"
#include "tests/client/alert/alert_sample.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

using detector::EventSchema;
using detector::EventType;

uint16_t FeatureOf(const std::string& name) {
  const auto& features = EventSchema(EventType::kFlow).features();
  const auto at = std::find_if(features.begin(), features.end(),
                               [&](const auto& feature) { return feature.name == name; });
  REQUIRE(at != features.end());
  return static_cast<uint16_t>(at - features.begin());
}

detector::testing::OwnedEvent Flow(uint64_t seed) {
  SplitMix64 random(seed);
  detector::testing::OwnedEvent event;
  detector::testing::FillEvent(&random, 0, &event);
  return event;
}

}  // namespace

TEST_CASE("a number is told beside the middle and the ends of its window", "[client]") {
  detector::testing::OwnedEvent event = Flow(3);
  event.view.bytes_out = 48'211'004;
  const detector::Reason reason{FeatureOf("bytes_out"), 2330};
  const auto explained = Explain(FlowModel(), event.view, std::span(&reason, 1));
  REQUIRE(explained.size() == 1);
  CHECK(explained[0].feature == "bytes_out");
  CHECK(explained[0].value == "48211004");
  CHECK(explained[0].bits_q8 == 2330);
  REQUIRE(explained[0].range.has_value());
  const WindowRange& range = *explained[0].range;
  CHECK(range.least <= range.quarter);
  CHECK(range.quarter <= range.median);
  CHECK(range.median <= range.three_quarters);
  CHECK(range.three_quarters <= range.most);
  // FillEvent() gives 60 to 60 x 459 bytes; the view of a counter is exact to 1/256 bit.
  CHECK(range.least >= 59);
  CHECK(range.most <= 27'540);
  CHECK(range.most > range.median);
  CHECK(explained[0].words.find("bytes_out is 48211004; in the window ") == 0);
}

TEST_CASE("the middle of a window is the middle of its numbers", "[client]") {
  // The encoder saw four fifths of 600 rows, so its median lies among the middle fifth of all.
  const uint16_t feature = FeatureOf("packets_out");
  std::vector<int64_t> all;
  SplitMix64 random(7);
  for (int i = 0; i < 600; ++i) {
    detector::testing::OwnedEvent event;
    detector::testing::FillEvent(&random, 0, &event);
    all.push_back(static_cast<int64_t>(event.view.packets_out));
  }
  std::sort(all.begin(), all.end());
  const detector::testing::OwnedEvent event = Flow(3);
  const detector::Reason reason{feature, 256};
  const auto explained = Explain(FlowModel(), event.view, std::span(&reason, 1));
  REQUIRE(explained.size() == 1);
  const WindowRange& range = *explained[0].range;
  CHECK(range.median >= all[240]);
  CHECK(range.median <= all[360]);
  CHECK(range.least >= all.front());
  CHECK(range.most <= all.back());
}

TEST_CASE("a category is told with how often it came", "[client]") {
  detector::testing::OwnedEvent event = Flow(3);
  event.view.dst.port = 4444;
  const detector::Reason reasons[] = {{FeatureOf("dst_port"), 2000},
                                      {FeatureOf("dst_port+protocol_num"), 900},
                                      {FeatureOf("source"), 10}};
  const auto explained = Explain(FlowModel(), event.view, reasons);
  REQUIRE(explained.size() == 3);
  CHECK(explained[0].value == "4444");
  CHECK(explained[0].window_same == 0);
  CHECK(explained[0].words == "dst_port is 4444; seen never of " +
                                  std::to_string(explained[0].window_rows) + " rows of the window");
  CHECK(explained[1].value.find("4444 + ") == 0);
  CHECK(explained[2].value == "zeek.conn");
  CHECK(explained[2].window_same == explained[2].window_rows);
}

TEST_CASE("a missing number is told as missing", "[client]") {
  detector::testing::OwnedEvent event = Flow(3);
  event.view.has_traffic = false;
  const detector::Reason reason{FeatureOf("bytes_in"), 500};
  const auto explained = Explain(FlowModel(), event.view, std::span(&reason, 1));
  REQUIRE(explained.size() == 1);
  CHECK(explained[0].value == "(none)");
  CHECK(explained[0].words.find("bytes_in is not given; ") == 0);
}

TEST_CASE("a reason of a feature that the schema does not have is left out", "[client]") {
  const detector::testing::OwnedEvent event = Flow(3);
  const detector::Reason reason{65'535, 500};
  CHECK(Explain(FlowModel(), event.view, std::span(&reason, 1)).empty());
}

TEST_CASE("the text behind a token is found in the event", "[client]") {
  EventView event;
  event.process = "C:\\Windows\\System32\\PowerShell.exe";
  event.user = "administrator";
  event.url_or_query = "http://update.microsoft-cdn.example/a/b.php?x=1";
  const uint8_t ip[] = {10, 1, 2, 3};
  event.src.ip = ip;
  const detector::FieldSpec category{"user", detector::FeatureKind::kCategory};
  const auto token = [](std::string_view text) {
    return detector::FoldedTokenOf(text, &ledger::Sha256Bytes);
  };
  CHECK(FieldText(event, category, token("administrator")) == "administrator");
  CHECK(FieldText(event, category, token("powershell.exe")) == "PowerShell.exe");
  CHECK(FieldText(event, category, token("microsoft-cdn.example")) == "microsoft-cdn.example");
  CHECK(FieldText(event, category, token("root")) == "root");
  CHECK(FieldText(event, category, token("somebody-else-entirely")) == "(a long text)");
  CHECK(FieldText(event, category, detector::kMissing) == "(none)");
  const std::string_view raw(reinterpret_cast<const char*>(ip), 4);
  CHECK(FieldText(event, category, detector::TokenOf(raw, &ledger::Sha256Bytes)) == "10.1.2.3");
  CHECK(FieldText(event, {"dst_network", detector::FeatureKind::kCategory}, 0x0a0102) ==
        "10.1.2.0/24");
  CHECK(FieldText(event, {"dst_address_class", detector::FeatureKind::kCategory}, 1) == "private");
}

}  // namespace vigil::client
