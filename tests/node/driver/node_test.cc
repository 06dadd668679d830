// One whole node: what it answers to submissions.
#include "node/driver/node.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/log/merkle.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::Record;
using ledger::ResultCode;
using sim::SensorStream;
using sim::SimCluster;

struct LoneNode {
  SimCluster cluster{{.validators = 1}, /*seed=*/1};
  LoneNode() {
    cluster.StartAll();
    WaitForLeader(&cluster);
  }
  Node& node() { return *cluster.node(0); }
  SubmitOutcome Submit(Record record) { return SubmitAndWait(&cluster, 0, std::move(record)); }
};

TEST_CASE("node: a lone validator commits what a sensor submits and answers with its place",
          "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  const Record record = stream.NextBatch(10);
  const SubmitOutcome outcome = t.Submit(record);
  INFO(outcome.error.code << ": " << outcome.error.what);
  REQUIRE(outcome.error.ok());
  CHECK(outcome.receipt.result == ResultCode::kOk);
  CHECK(outcome.receipt.leaf_hash == stream.head());
  CHECK(t.node().Status().executed >= outcome.receipt.height);

  const auto block = t.node().LoadBlock(outcome.receipt.height);
  REQUIRE(block.ok());
  CHECK((*block)->hash() == outcome.receipt.block_hash);
  REQUIRE((*block)->records().size() == 1);
  CHECK(AsView((*block)->records()[0].leaf) == record.leaf);
  CHECK(AsView((*block)->records()[0].payload) == record.payload);
  const auto found = t.node().FindReceipt(stream.head());
  REQUIRE(found.ok());
  CHECK(found->record_index == outcome.receipt.record_index);
  CHECK(absl::IsNotFound(t.node().FindReceipt(Hash()).status()));
}

TEST_CASE("node: the same bytes again are answered with the first place", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  const Record record = stream.NextBatch(3);
  const SubmitOutcome first = t.Submit(record);
  const SubmitOutcome second = t.Submit(record);
  REQUIRE(second.error.ok());
  CHECK(second.receipt.result == ResultCode::kDuplicate);
  CHECK(second.receipt.record_index == first.receipt.record_index);
  CHECK(second.receipt.height == first.receipt.height);
}

TEST_CASE("node: the same bytes while they are under way are committed once", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  const Record record = stream.NextBatch(3);
  const OutcomeBox first = SubmitTo(&t.node(), record);
  const OutcomeBox second = SubmitTo(&t.node(), record);
  REQUIRE(
      t.cluster.RunUntil([&] { return first->has_value() && second->has_value(); }, 5 * kSecond));
  CHECK((*first)->receipt.record_index == (*second)->receipt.record_index);
  CHECK(t.node().Snapshot()->GetTip()->event_count == 3);
}

TEST_CASE("node: batches that arrive in the wrong order are committed in the right one", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  std::vector<Record> records;
  for (int i = 0; i < 5; ++i) records.push_back(stream.NextBatch(1));
  std::vector<OutcomeBox> boxes;
  for (const int i : {4, 2, 1, 3}) boxes.push_back(SubmitTo(&t.node(), records[i]));
  t.cluster.RunFor(kSecond);
  for (const OutcomeBox& box : boxes) CHECK_FALSE(box->has_value());
  boxes.push_back(SubmitTo(&t.node(), records[0]));
  REQUIRE(t.cluster.RunUntil([&] { return boxes.back()->has_value(); }, 5 * kSecond));
  t.cluster.RunFor(kSecond);
  for (const OutcomeBox& box : boxes) {
    REQUIRE(box->has_value());
    CHECK((*box)->receipt.result == ResultCode::kOk);
  }
}

TEST_CASE("node: a batch whose predecessor never comes is refused after a while", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  const Record missing = stream.NextBatch(1);
  const Hash first_head = stream.head();
  const SubmitOutcome outcome = t.Submit(stream.NextBatch(1));
  CHECK(outcome.error.code == "stream.gap");
  CHECK(outcome.error.expected_sequence == 1);
  CHECK(t.Submit(missing).error.ok());
  CHECK(first_head == t.node().Snapshot()->GetStreamHead("acme/s0", "conn")->leaf_hash);
}

TEST_CASE("node: a batch far beyond the head is refused at once with what is expected", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  REQUIRE(t.Submit(stream.NextBatch(1)).error.ok());
  const Hash head = stream.head();
  for (int i = 0; i < 4096; ++i) stream.NextHeartbeat();
  const OutcomeBox box = SubmitTo(&t.node(), stream.NextHeartbeat());
  REQUIRE(box->has_value());
  CHECK((*box)->error.code == "stream.gap");
  CHECK((*box)->error.expected_sequence == 2);
  CHECK((*box)->error.expected_previous == head);
}

TEST_CASE("node: another record with a sequence that is taken is a conflict", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  SensorStream rival(&t.cluster.test_network().genesis(), &t.cluster.test_network().sensor_key(0),
                     "conn", /*seed=*/99);
  REQUIRE(t.Submit(stream.NextBatch(1)).error.ok());
  const SubmitOutcome outcome = t.Submit(rival.NextBatch(1));
  CHECK(outcome.error.code == "stream.conflict");
  CHECK(outcome.error.expected_sequence == 2);
  CHECK(outcome.error.expected_previous == stream.head());
  // Its successor names the loser.
  CHECK(t.Submit(rival.NextBatch(1)).error.code == "stream.conflict");
}

TEST_CASE("node: records that can never be accepted are refused with a reason", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  const Record good = stream.NextBatch(2);
  const auto code = [&](Record record) {
    const OutcomeBox box = SubmitTo(&t.node(), std::move(record));
    REQUIRE(box->has_value());  // Judged on the caller's thread.
    CHECK_FALSE((*box)->error.what.empty());
    CHECK_FALSE((*box)->error.remedy.empty());
    CHECK((*box)->error.retry_after_millis == 0);
    return (*box)->error.code;
  };
  Record flipped = good;
  flipped.leaf.back() = static_cast<char>(flipped.leaf.back() ^ 1);
  CHECK(code(flipped) == "record.signature");
  Record other_payload = good;
  other_payload.payload.back() = static_cast<char>(other_payload.payload.back() ^ 1);
  CHECK(code(other_payload) == "record.malformed");
  CHECK(code({.leaf = good.leaf, .payload = ""}) == "record.malformed");
  CHECK(code({.leaf = "", .payload = ""}) == "record.malformed");
  CHECK(code({.leaf = good.leaf.substr(0, 40), .payload = good.payload}) == "record.malformed");
  CHECK(code({.leaf = std::string(kRecordLeafBytesMax + 1, 'x'), .payload = ""}) ==
        "record.too_large");
  CHECK(code({.leaf = good.leaf, .payload = std::string(kPayloadBytesMax + 1, 'x')}) ==
        "record.too_large");
  // Fits the wire, but no block of this chain.
  CHECK(code({.leaf = good.leaf, .payload = std::string(256 * 1024, 'x')}) == "record.too_large");

  const auto stranger = ledger::SigningKey::FromSeed({1, 2, 3});
  SensorStream unknown(&t.cluster.test_network().genesis(), &stranger, "conn", 1);
  CHECK(code(unknown.NextBatch(1)) == "key.unknown");
  SensorStream wrong_role(&t.cluster.test_network().genesis(),
                          &t.cluster.test_network().admin_key(), "conn", 1);
  CHECK(code(wrong_role.NextBatch(1)) == "access.denied");
  CHECK(t.Submit(good).error.ok());
}

TEST_CASE("node: overload is refused with a delay and nothing that was taken is lost", "[node]") {
  SimCluster cluster({.validators = 1}, /*seed=*/3);
  cluster.config(0).pending_bytes_max = {8192, 8192, 8192};
  cluster.StartAll();
  WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  std::vector<OutcomeBox> boxes;
  size_t refused = 0;
  for (int i = 0; i < 40; ++i) {
    boxes.push_back(SubmitTo(cluster.node(0), stream.NextBatch(2)));
    if (!boxes.back()->has_value()) continue;
    ++refused;
    CHECK((*boxes.back())->error.code == "lane.full");
    CHECK((*boxes.back())->error.status == absl::StatusCode::kResourceExhausted);
    CHECK((*boxes.back())->error.retry_after_millis > 0);
  }
  CHECK(refused > 0);
  CHECK(refused < 40);
  cluster.RunFor(2 * kSecond);
  size_t taken = 0;
  for (const OutcomeBox& box : boxes) taken += box->has_value() && (*box)->error.ok() ? 1 : 0;
  CHECK(taken == 40 - refused);
}

TEST_CASE("node: an idle chain seals an empty block every heartbeat", "[node]") {
  LoneNode t;
  t.cluster.RunFor(kSecond);
  const uint64_t before = t.node().Status().executed.value();
  t.cluster.RunFor(10 * kSecond);
  const uint64_t blocks = t.node().Status().executed.value() - before;
  CHECK(blocks >= 9);
  CHECK(blocks <= 10);
}

TEST_CASE("node: many small records under load share blocks", "[node]") {
  LoneNode t;
  std::vector<OutcomeBox> boxes;
  SensorStream stream = StreamOf(t.cluster);
  const uint64_t before = t.node().Status().executed.value();
  for (int i = 0; i < 500; ++i) boxes.push_back(SubmitTo(&t.node(), stream.NextHeartbeat()));
  REQUIRE(t.cluster.RunUntil([&] { return boxes.back()->has_value(); }, 10 * kSecond));
  CHECK(t.node().Status().executed.value() - before < 50);
}

TEST_CASE("node: a listener hears of every height and of none after it was removed", "[node]") {
  LoneNode t;
  std::vector<uint64_t> heights;
  const uint64_t token =
      t.node().AddHeightListener([&](Height height) { heights.push_back(height.value()); });
  t.cluster.RunFor(5 * kSecond);
  REQUIRE(heights.size() >= 3);
  for (size_t i = 1; i < heights.size(); ++i) CHECK(heights[i] == heights[i - 1] + 1);
  t.node().RemoveHeightListener(token);
  const size_t heard = heights.size();
  t.cluster.RunFor(3 * kSecond);
  CHECK(heights.size() == heard);
}

TEST_CASE("node: a stream reset lets a sensor go on that lost its spool", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  REQUIRE(t.Submit(stream.NextBatch(1)).error.ok());
  ledger::StreamResetBody reset;
  reset.identity = "acme/s0";
  reset.stream = "conn";
  reset.head_sequence = 1;
  reset.reason = "disk lost";
  Record record;
  record.leaf =
      ledger::SignRecord(reset, t.node().genesis().chain_id, t.cluster.test_network().admin_key());
  const SubmitOutcome outcome = t.Submit(record);
  REQUIRE(outcome.error.ok());
  CHECK(outcome.receipt.result == ResultCode::kOk);
  CHECK(t.Submit(stream.NextBatch(1)).error.code == "stream.conflict");
  SensorStream fresh = StreamOf(t.cluster);
  fresh.NextBatch(1);
  fresh.ContinueAfter(ledger::LeafHash(AsBytes(record.leaf)));
  CHECK(t.Submit(fresh.NextBatch(1)).receipt.result == ResultCode::kOk);
}

TEST_CASE("node: whoever waits when the node stops is told so", "[node]") {
  LoneNode t;
  SensorStream stream = StreamOf(t.cluster);
  const OutcomeBox box = SubmitTo(&t.node(), stream.NextBatch(1));
  t.node().Stop();
  REQUIRE(box->has_value());
  CHECK((*box)->error.code == "node.stopping");
  CHECK((*box)->error.retry_after_millis > 0);
  CHECK((*SubmitTo(&t.node(), stream.NextBatch(1)))->error.code == "node.stopping");
}

TEST_CASE("node: a chain reveals its chain of preimages height by height", "[node]") {
  LoneNode t;
  t.cluster.RunFor(5 * kSecond);
  RevealChain chain(t.cluster.test_network().reveal_seed(0), 100'000);
  for (uint64_t height = 1; height <= t.node().Status().executed.value(); ++height) {
    const auto block = t.node().LoadBlock(Height(height));
    REQUIRE(block.ok());
    CHECK((*block)->header().reveal == chain.Element(Height(height)));
  }
}

}  // namespace
}  // namespace vigil::node
