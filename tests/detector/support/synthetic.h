// Synthetic integer rows and events: the same on every machine, from a seed.
#ifndef VIGIL_TESTS_DETECTOR_SUPPORT_SYNTHETIC_H_
#define VIGIL_TESTS_DETECTOR_SUPPORT_SYNTHETIC_H_

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "detector/features/schema.h"
#include "ledger/base/event_view.h"
#include "ledger/base/random.h"

namespace vigil::detector::testing {

// The seed of a random test: $VIGIL_TEST_SEED, else `usual`. Print it with INFO.
inline uint64_t TestSeed(uint64_t usual) {
  const char* text = std::getenv("VIGIL_TEST_SEED");
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

// Two related counters, a bounded number, two categories with their combination, and a column that
// never changes.
inline Schema SmallSchema() {
  return Schema(0,
                {{"bytes", FeatureKind::kCounter},
                 {"packets", FeatureKind::kCounter},
                 {"share", FeatureKind::kLinear},
                 {"port", FeatureKind::kCategory},
                 {"state", FeatureKind::kCategory},
                 {"constant", FeatureKind::kCounter}},
                {{"port+state", {"port", "state"}}});
}

// Ordinary rows of SmallSchema().
inline RawTable SmallRows(uint64_t seed, int rows) {
  constexpr int64_t kPorts[] = {443, 443, 443, 443, 80, 80, 53, 22};
  SplitMix64 random(seed);
  RawTable table(rows, 6);
  for (int i = 0; i < rows; ++i) {
    const auto packets = static_cast<int64_t>(1 + random.Below(200));
    table(i, 0) = packets * static_cast<int64_t>(40 + random.Below(1400));
    table(i, 1) = random.Chance(20) ? kMissing : packets;
    table(i, 2) = static_cast<int64_t>(400 + random.Below(200));
    table(i, 3) = kPorts[random.Below(8)];
    table(i, 4) = random.Chance(30) ? 2 : 1;
    table(i, 5) = 7;
  }
  return table;
}

// An event with the storage that its view points into.
struct OwnedEvent {
  EventView view;
  std::vector<std::string> texts;
  std::array<uint8_t, 4> src_ip{};
  std::array<uint8_t, 4> dst_ip{};
};

// Fills `event` with an ordinary flow (kind 0), web request (1) or login (2).
inline void FillEvent(SplitMix64* random, uint64_t kind, OwnedEvent* event) {
  constexpr const char* kNames[] = {"www.example.org", "mail.example.org", "cdn.example.net"};
  constexpr uint32_t kPorts[] = {443, 80, 53};
  EventView& view = event->view;
  view = EventView{};
  event->src_ip = {10, 0, 0, static_cast<uint8_t>(random->Below(30))};
  event->dst_ip = {192, 0, static_cast<uint8_t>(random->Below(3)), 7};
  event->texts = {kNames[random->Below(3)], "user" + std::to_string(random->Below(12))};
  view.schema = 1;
  view.time_unix_nano = 1'700'000'000'000'000'000;
  view.src.ip = event->src_ip;
  view.dst.ip = event->dst_ip;
  view.src.port = static_cast<uint32_t>(32'768 + random->Below(20'000));
  view.dst.port = kPorts[random->Below(3)];
  view.src.present = view.dst.present = true;
  view.protocol_num = view.dst.port == 53 ? 17 : 6;
  view.status_id = 1;
  if (kind == 0) {
    view.type_uid = 400'106;
    view.source = "zeek.conn";
    view.status_code = "SF";
    view.has_traffic = true;
    view.packets_out = 1 + random->Below(60);
    view.packets_in = 1 + random->Below(90);
    view.bytes_out = view.packets_out * (60 + random->Below(400));
    view.bytes_in = view.packets_in * (60 + random->Below(1300));
    view.duration_ns = 1'000'000 * (1 + random->Below(30'000));
  } else if (kind == 1) {
    view.type_uid = 400'201;
    view.source = "zeek.http";
    view.app_protocol = "http";
    view.status_code = random->Chance(60) ? "404" : "200";
    event->texts[0] = "http://" + event->texts[0] + "/page/" + std::to_string(random->Below(99));
    view.url_or_query = event->texts[0];
  } else {
    view.type_uid = 300'201;
    view.source = "sshd";
    view.status_id = random->Chance(50) ? 2 : 1;
    view.user = event->texts[1];
  }
}

}  // namespace vigil::detector::testing

#endif  // VIGIL_TESTS_DETECTOR_SUPPORT_SYNTHETIC_H_
