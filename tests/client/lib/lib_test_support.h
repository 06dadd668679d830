// What the tests of the client library share: keys, chain and small batches.
#ifndef VIGIL_TESTS_CLIENT_LIB_LIB_TEST_SUPPORT_H_
#define VIGIL_TESTS_CLIENT_LIB_LIB_TEST_SUPPORT_H_

#include <array>
#include <string>
#include <vector>

#include "client/lib/batch_builder.h"
#include "client/lib/event_encoder.h"
#include "client/lib/submitter.h"
#include "ledger/crypto/keys.h"
#include "tests/support/catch.h"

namespace vigil::client {

inline const ledger::SigningKey& TestKey() {
  static const ledger::SigningKey key = ledger::SigningKey::FromSeed({1, 2, 3});
  return key;
}

inline Hash TestChainId() {
  Hash id;
  id.bytes.fill(0xC1);
  return id;
}

inline EncodedEvent TestEvent(int number) {
  static ledger::SaltSource salts(std::array<uint8_t, 32>{9});
  v1::Event event;
  event.set_time_unix_nano(1'700'000'000'000'000'000 + static_cast<uint64_t>(number));
  event.set_type_uid(400106);
  event.set_source("test");
  event.set_source_uid(std::to_string(number));
  auto encoded = EncodeEvent(&event, &salts);
  REQUIRE(encoded.ok());
  return *std::move(encoded);
}

// The number that TestEvent() put in.
inline int NumberOf(const std::string& event_bytes) {
  v1::Event event;
  REQUIRE(event.ParseFromString(event_bytes));
  return std::stoi(event.source_uid());
}
inline std::vector<int> NumbersOf(const std::vector<std::string>& events) {
  std::vector<int> numbers;
  for (const std::string& event : events) numbers.push_back(NumberOf(event));
  return numbers;
}
// first, first + 1 ... last.
inline std::vector<int> Numbers(int first, int last) {
  std::vector<int> numbers;
  for (int i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

// A batch of the events first ... last with the mark "m<last>".
inline EventBatch TestBatch(int first, int last) {
  BatchBuilder builder(BatchLimits{}, SystemClock());
  for (int i = first; i <= last; ++i) builder.Add(TestEvent(i));
  return builder.Take("m" + std::to_string(last));
}

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_LIB_LIB_TEST_SUPPORT_H_
