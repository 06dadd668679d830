#include "ledger/chain/payload.h"

#include <string>
#include <vector>

#include "ledger/base/limits.h"
#include "ledger/crypto/sha256.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

using samples::BatchOf;
using samples::ConnectionEvent;
using samples::FullEvent;
using samples::SmallestEvent;

std::vector<std::string> ThreeEvents() {
  v1::Event late = FullEvent();
  late.set_time_unix_nano(late.time_unix_nano() + 10);
  return {ConnectionEvent().SerializeAsString(), late.SerializeAsString(),
          SmallestEvent().SerializeAsString()};
}

std::string SplitError(const std::string& payload) {
  return std::string(SplitPayload(AsBytes(payload)).status().message());
}
std::string CheckError(const EventBatchBody& batch, const std::string& payload) {
  return std::string(CheckPayload(batch, AsBytes(payload), nullptr).message());
}

std::string U32(uint32_t value) {
  std::string out;
  ByteWriter(&out).U32(value);
  return out;
}

}  // namespace

TEST_CASE("payload: what was encoded splits into the same events", "[payload]") {
  const std::vector<std::string> events = ThreeEvents();
  const std::string payload = EncodePayload(events);
  CHECK(payload.substr(0, 8) == U32(3) + U32(static_cast<uint32_t>(events[0].size())));
  const absl::StatusOr<std::vector<ByteSpan>> spans = SplitPayload(AsBytes(payload));
  REQUIRE(spans.ok());
  REQUIRE(spans->size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(AsView((*spans)[i]) == events[i]);
}

TEST_CASE("payload: the items root of three events is the RFC 6962 tree", "[payload]") {
  const std::vector<std::string> events = ThreeEvents();
  std::vector<ByteSpan> spans;
  std::vector<Hash> leaves;
  const std::string zero(1, '\0');
  for (const std::string& event : events) {
    spans.push_back(AsBytes(event));
    leaves.push_back(Sha256({AsBytes(zero), AsBytes(event)}));
  }
  const Hash left = Sha256({AsBytes("\x01"), leaves[0].span(), leaves[1].span()});
  CHECK(ItemsRoot(spans) == Sha256({AsBytes("\x01"), left.span(), leaves[2].span()}));
}

TEST_CASE("payload: truncated and prolonged payloads are refused", "[payload]") {
  const std::string payload = EncodePayload(ThreeEvents());
  for (size_t size = 0; size < payload.size(); ++size) {
    if (SplitPayload(AsBytes(payload.substr(0, size))).ok()) FAIL("cut at " << size);
  }
  CHECK(SplitError(payload + "x") == "payload: 1 bytes left over");
}

TEST_CASE("payload: hostile counts and sizes are refused", "[payload]") {
  CHECK(SplitError("") == "payload: 0 bytes, at least 4");
  CHECK(SplitError(U32(0)) == "payload: 0 items, from 1 to 10000");
  CHECK(SplitError(U32(10'001) + std::string(50'000, '\0')) ==
        "payload: 10001 items, from 1 to 10000");
  CHECK(SplitError(U32(0xFFFFFFFF)) == "payload: 4294967295 items, from 1 to 10000");
  CHECK(SplitError(U32(3) + U32(1)) == "payload: ends inside the size table of 3 items");
  CHECK(SplitError(U32(1) + U32(0)) == "payload: item 0: 0 bytes, from 1 to 24576");
  CHECK(SplitError(U32(1) + U32(24'577) + std::string(24'577, 'x')) ==
        "payload: item 0: 24577 bytes, from 1 to 24576");
  CHECK(SplitError(U32(2) + U32(1) + U32(0xFFFFFFFF) + "x") ==
        "payload: item 1: 4294967295 bytes, from 1 to 24576");
  CHECK(SplitError(U32(2) + U32(1) + U32(5) + "x") == "payload: item 1: 5 bytes, only 0 left");
  CHECK(SplitError(std::string(1024 * 1024 + 1, '\0')) ==
        "payload: 1048577 bytes, at most 1048576");
}

TEST_CASE("payload: the most items that a batch may hold are accepted", "[payload]") {
  const std::vector<std::string> events(kBatchItemsMax, SmallestEvent().SerializeAsString());
  const std::string payload = EncodePayload(events);
  CHECK(CheckError(BatchOf(events, payload), payload) == "");
}

TEST_CASE("payload: a payload that its batch committed to is accepted with its views",
          "[payload]") {
  const std::vector<std::string> events = ThreeEvents();
  const std::string payload = EncodePayload(events);
  std::vector<EventView> views(7);
  REQUIRE(CheckPayload(BatchOf(events, payload), AsBytes(payload), &views).ok());
  REQUIRE(views.size() == 3);
  CHECK(views[0].source_uid == "CHhAvVGS1DHFjwGM9");
  CHECK(views[1].user == "zoë");
  CHECK(views[2].user.empty());
  // Views point into the payload, not into copies.
  CHECK(static_cast<const void*>(views[0].source.data()) >= payload.data());
  CHECK(static_cast<const void*>(views[0].source.data()) < payload.data() + payload.size());
}

TEST_CASE("payload: every difference from the batch is named", "[payload]") {
  const std::vector<std::string> events = ThreeEvents();
  const std::string payload = EncodePayload(events);
  const EventBatchBody good = BatchOf(events, payload);
  EventBatchBody batch = good;
  batch.payload_bytes += 1;
  CHECK(CheckError(batch, payload).find("bytes, the batch says") != std::string::npos);
  batch = good;
  batch.item_count = 2;
  CHECK(CheckError(batch, payload) == "payload: 3 items, the batch says 2");
  batch = good;
  batch.items_root.bytes[31] ^= 1;
  CHECK(absl::IsDataLoss(CheckPayload(batch, AsBytes(payload), nullptr)));
  batch = good;
  batch.first_time_unix_nano += 1;
  CHECK(CheckError(batch, payload).find("the batch says") != std::string::npos);
  batch = good;
  batch.last_time_unix_nano += 1;
  CHECK(CheckError(batch, payload).find("the batch says") != std::string::npos);
}

TEST_CASE("payload: every flipped bit is noticed", "[payload]") {
  const std::vector<std::string> events = ThreeEvents();
  const std::string payload = EncodePayload(events);
  const EventBatchBody batch = BatchOf(events, payload);
  for (size_t i = 0; i < 8 * payload.size(); ++i) {
    std::string bad = payload;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    if (CheckPayload(batch, AsBytes(bad), nullptr).ok()) FAIL("bit " << i);
  }
}

TEST_CASE("payload: an event that is not canonical is refused though the root matches",
          "[payload]") {
  std::vector<std::string> events = ThreeEvents();
  events[1] += std::string("\xB2\x02\x01x", 4);  // Field 38, which protobuf would keep.
  const std::string payload = EncodePayload(events);
  const absl::Status status = CheckPayload(BatchOf(events, payload), AsBytes(payload), nullptr);
  CHECK(absl::IsInvalidArgument(status));
  CHECK(status.message() == "payload: item 1: event: unknown field 38");
}

TEST_CASE("payload: reordered events are noticed", "[payload]") {
  std::vector<std::string> events = ThreeEvents();
  const EventBatchBody batch = BatchOf(events, EncodePayload(events));
  std::swap(events[0], events[2]);
  CHECK(absl::IsDataLoss(CheckPayload(batch, AsBytes(EncodePayload(events)), nullptr)));
}

}  // namespace vigil::ledger
