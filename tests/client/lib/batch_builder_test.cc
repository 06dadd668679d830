#include "client/lib/batch_builder.h"

#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "tests/client/lib/lib_test_support.h"

namespace vigil::client {
namespace {

TEST_CASE("batch builder: a batch is due by number or by age", "[lib]") {
  ManualClock clock;
  BatchBuilder builder({.items_max = 3, .delay_millis_max = 500}, &clock);
  CHECK_FALSE(builder.IsDue());
  builder.Add(TestEvent(5));
  CHECK_FALSE(builder.IsDue());
  clock.AdvanceMicros(499'999);
  CHECK_FALSE(builder.IsDue());
  clock.AdvanceMicros(1);
  CHECK(builder.IsDue());
  builder.Add(TestEvent(3));
  builder.Add(TestEvent(9));
  CHECK_FALSE(builder.Fits(10));
  const EventBatch batch = builder.Take("mark");
  CHECK(batch.source_mark == "mark");
  CHECK(batch.events.size() == 3);
  CHECK(batch.first_time_unix_nano == 1'700'000'000'000'000'003);
  CHECK(batch.last_time_unix_nano == 1'700'000'000'000'000'009);
  CHECK(builder.empty());
  CHECK_FALSE(builder.IsDue());
  builder.Add(TestEvent(1));
  CHECK(builder.Take("").first_time_unix_nano == 1'700'000'000'000'000'001);
}

TEST_CASE("batch builder: a payload never exceeds its limit", "[lib]") {
  BatchBuilder builder({.items_max = 10'000, .payload_bytes_max = 32 * 1024}, SystemClock());
  size_t bytes = 0;
  for (int i = 0;; ++i) {
    EncodedEvent event = TestEvent(i);
    if (!builder.Fits(event.bytes.size())) break;
    bytes = event.bytes.size();
    builder.Add(std::move(event));
  }
  const std::string payload = ledger::EncodePayload(builder.Take("").events);
  CHECK(payload.size() <= 32 * 1024);
  CHECK(payload.size() + bytes + 4 > 32 * 1024);
}

TEST_CASE("batch builder: limits out of range are refused", "[lib]") {
  CHECK(CheckBatchLimits({}).ok());
  CHECK_FALSE(CheckBatchLimits({.items_max = 0}).ok());
  CHECK_FALSE(CheckBatchLimits({.items_max = kBatchItemsMax + 1}).ok());
  CHECK_FALSE(CheckBatchLimits({.payload_bytes_max = 1000}).ok());
  CHECK_FALSE(CheckBatchLimits({.payload_bytes_max = kPayloadBytesMax + 1}).ok());
  CHECK_FALSE(CheckBatchLimits({.delay_millis_max = 0}).ok());
}

TEST_CASE("event encoder: the scanner decides and salts differ", "[lib]") {
  ledger::SaltSource salts;
  v1::Event event;
  event.set_time_unix_nano(1);
  event.set_type_uid(99);
  CHECK(absl::IsInvalidArgument(EncodeEvent(&event, &salts).status()));  // No source.
  event.set_source("s");
  const auto first = EncodeEvent(&event, &salts);
  REQUIRE(first.ok());
  EventView view;
  CHECK(ledger::ScanEvent(AsBytes(first->bytes), &view).ok());
  event.clear_salt();
  CHECK(EncodeEvent(&event, &salts)->bytes != first->bytes);
  event.mutable_actor();  // An empty message is not canonical.
  CHECK(absl::IsInvalidArgument(EncodeEvent(&event, &salts).status()));
}

}  // namespace
}  // namespace vigil::client
