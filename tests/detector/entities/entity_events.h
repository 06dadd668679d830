// Events about few enough sources, destinations, users and hosts that their entities meet again.
#ifndef VIGIL_TESTS_DETECTOR_ENTITIES_ENTITY_EVENTS_H_
#define VIGIL_TESTS_DETECTOR_ENTITIES_ENTITY_EVENTS_H_

#include <array>
#include <cstdint>
#include <string>

#include "detector/features/event_type.h"
#include "ledger/base/event_view.h"
#include "ledger/base/random.h"

namespace vigil::detector::testing {

inline constexpr uint64_t kNanos = 1'000'000;
inline constexpr uint64_t kNoon = 1'700'000'000'000;  // Milliseconds.

// An event with the bytes that its view points to; do not copy.
struct EntityEvent {
  EntityEvent() = default;
  EntityEvent(const EntityEvent&) = delete;
  EntityEvent& operator=(const EntityEvent&) = delete;

  std::array<uint8_t, 4> src{};
  std::array<uint8_t, 4> dst{};
  std::string user;
  std::string host;
  std::string url;
  EventView view;
  uint64_t block_millis = 0;

  EntityEvent& From(uint8_t network, uint32_t number) {
    src = {network, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
           static_cast<uint8_t>(number)};
    view.src.ip = src;
    return *this;
  }
  EntityEvent& To(uint8_t network, uint32_t number, uint32_t port) {
    dst = {network, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
           static_cast<uint8_t>(number)};
    view.dst.ip = dst;
    view.dst.port = port;
    view.protocol_num = 6;
    return *this;
  }
  EntityEvent& By(const std::string& name) {
    user = name;
    view.user = user;
    return *this;
  }
  EntityEvent& On(const std::string& name) {
    host = name;
    view.device.hostname = host;
    return *this;
  }
  EntityEvent& Asks(const std::string& name) {
    url = name;
    view.url_or_query = url;
    return *this;
  }
  EntityEvent& At(uint64_t millis) {
    view.time_unix_nano = millis * kNanos;
    block_millis = millis;
    return *this;
  }
  EntityEvent& Flow(uint32_t status, uint64_t bytes_out = 0) {
    view.type_uid = 400106;
    view.has_traffic = true;
    view.bytes_out = bytes_out;
    view.status_id = status;
    return *this;
  }
  EntityEvent& Logon(uint32_t status) {
    view.type_uid = 300201;
    view.status_id = status;
    return *this;
  }
  EventType type() const { return TypeOf(view); }
};

// Times go on by up to two seconds, come late by up to two hours, and are now and then absurd.
inline void DrawEvent(SplitMix64* random, uint64_t* clock_millis, EntityEvent* event) {
  *clock_millis += random->Below(random->Chance(100) ? 200'000 : 2'000);
  event->From(10, static_cast<uint32_t>(random->Below(random->Chance(500) ? 5 : 60)));
  if (!random->Chance(100)) {
    event->To(192, static_cast<uint32_t>(random->Below(40)),
              static_cast<uint32_t>(random->Below(random->Chance(300) ? 200 : 4)));
  }
  if (random->Chance(500)) event->By("User" + std::to_string(random->Below(30)));
  if (random->Chance(600)) event->On("host" + std::to_string(random->Below(12)));
  if (random->Chance(300)) {
    event->Asks(std::string(45, 'a') + std::to_string(random->Below(90)) + ".example");
  }
  const uint32_t status = static_cast<uint32_t>(random->Below(3));
  if (random->Chance(300)) {
    event->Logon(status);
  } else if (!event->url.empty()) {
    event->view.type_uid = 400301;
    event->view.status_id = status;
  } else {
    event->Flow(status, random->Below(5'000));
  }
  event->view.count = random->Chance(50) ? static_cast<uint32_t>(random->Below(50)) : 0;
  event->At(*clock_millis);
  const uint64_t draw = random->Below(100);
  if (draw < 15) event->view.time_unix_nano -= random->Below(8'000'000) * kNanos;
  if (draw == 15) event->view.time_unix_nano = 0;
  if (draw == 16) event->view.time_unix_nano = (uint64_t{1} << 63) - 1;
  if (draw == 17) event->view.time_unix_nano += random->Below(900'000) * kNanos;
}

}  // namespace vigil::detector::testing

#endif  // VIGIL_TESTS_DETECTOR_ENTITIES_ENTITY_EVENTS_H_
