// The gRPC surface of a real node of one validator, over loopback.
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/policy.h"
#include "ledger/state/log_keys.h"
#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

TEST_CASE("api: a submitted batch is answered with its place and found by every query") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  const ledger::Record record = stream.NextBatch(5);
  const auto receipt = fixture.Submit(record);
  REQUIRE(receipt.ok());
  CHECK(receipt->result() == v1::RESULT_OK);
  CHECK(receipt->leaf_hash() == ledger::LeafHash(AsBytes(record.leaf)).view());

  v1::GetRecordRequest by_index;
  by_index.set_record_index(receipt->record_index());
  const auto stored = fixture.client()->GetRecord(by_index);
  REQUIRE(stored.ok());
  CHECK(stored->leaf() == record.leaf);
  CHECK(stored->payload() == record.payload);
  CHECK(stored->summary().author() == "acme/s0");

  v1::GetBlockRequest by_hash;
  by_hash.set_hash(receipt->block_hash());
  const auto block = fixture.client()->GetBlock(by_hash);
  REQUIRE(block.ok());
  CHECK(block->height() == receipt->height());
  CHECK(block->event_count() == 5);

  v1::GetEventRequest last;
  last.set_record_index(receipt->record_index());
  last.set_item(4);
  CHECK(fixture.client()->GetEvent(last).ok());
  last.set_item(5);
  CHECK(absl::IsNotFound(fixture.client()->GetEvent(last).status()));
  CHECK(fixture.client()->GetReceipt(receipt->leaf_hash())->record_index() ==
        receipt->record_index());
  CHECK(fixture.client()->GetStreamHead("acme/s0", "conn")->sequence() == 1);
  CHECK(fixture.client()->GetStreamHead("acme/s0", "other")->sequence() == 0);
}

TEST_CASE("api: a seal is served as the leaf that stands in the log") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  REQUIRE(fixture.Submit(stream.NextBatch(1)).ok());
  const auto last = fixture.Submit(stream.NextBatch(1));
  REQUIRE(last.ok());
  REQUIRE(last->height() >= 2);
  ledger::MerkleFrontier tree;
  std::string previous_seal(Hash::size(), '\0');
  for (uint64_t index = 0;; ++index) {
    v1::GetRecordRequest request;
    request.set_record_index(index);
    const auto record = fixture.client()->GetRecord(request);
    REQUIRE(record.ok());
    const Hash leaf_hash = ledger::LeafHash(AsBytes(record->leaf()));
    CHECK(record->summary().leaf_hash() == leaf_hash.view());
    tree.Append(leaf_hash);
    if (record->summary().kind_name() != "seal") continue;
    const auto seal = ledger::DecodeSealLeaf(AsBytes(record->leaf()));
    REQUIRE(seal.ok());
    CHECK(seal->previous_seal.view() == previous_seal);
    previous_seal = std::string(leaf_hash.view());
    if (record->height() == last->height()) break;
  }
  const auto status = fixture.client()->GetStatus();
  REQUIRE(status.ok());
  if (status->tree_size() == tree.size()) CHECK(status->tree_root() == tree.Root().view());
}

TEST_CASE(
    "api: the same bytes again get the first place and other bytes at its sequence are refused") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  const ledger::Record first = stream.NextBatch(2);
  const auto receipt = fixture.Submit(first);
  REQUIRE(receipt.ok());
  const auto again = fixture.Submit(first);
  REQUIRE(again.ok());
  CHECK(again->record_index() == receipt->record_index());
  sim::SensorStream fork = fixture.Stream();  // The same key and stream, from the beginning.
  const ledger::Record forked = fork.NextBatch(3);
  const auto refused = fixture.Submit(forked);
  REQUIRE_FALSE(refused.ok());
  const auto detail = client::DetailOf(refused.status());
  REQUIRE(detail.has_value());
  CHECK(detail->code() == "stream.conflict");
  CHECK_FALSE(detail->remedy().empty());
}

TEST_CASE("api: bad submissions each get a code and a remedy and change nothing") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  ledger::Record record = stream.NextBatch(2);
  std::string code;
  SECTION("a flipped bit in the payload") {
    record.payload.back() ^= 1;
    code = "record.malformed";
  }
  SECTION("a flipped bit in the signature") {
    record.leaf.back() ^= 1;
    code = "record.signature";
  }
  SECTION("bytes that are no record") {
    record.leaf = "nonsense";
    code = "record.malformed";
  }
  SECTION("a leaf that is too large") {
    record.leaf.assign(40'000, 'x');
    code = "record.too_large";
  }
  const auto refused = fixture.Submit(record);
  REQUIRE_FALSE(refused.ok());
  const auto detail = client::DetailOf(refused.status());
  REQUIRE(detail.has_value());
  CHECK(detail->code() == code);
  CHECK_FALSE(detail->what().empty());
  CHECK_FALSE(detail->remedy().empty());
  CHECK(fixture.client()->GetStatus()->event_count() == 0);
}

TEST_CASE("api: a bad signature is no evidence against the key whose sequence it claims") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  REQUIRE(fixture.Submit(stream.NextBatch(2)).ok());
  sim::SensorStream fork = fixture.Stream();  // The same key and stream, from the beginning.
  ledger::Record forged = fork.NextBatch(3);
  forged.leaf.back() = static_cast<char>(forged.leaf.back() ^ 1);
  const auto refused = fixture.Submit(forged);
  REQUIRE_FALSE(refused.ok());
  CHECK(client::DetailOf(refused.status())->code() == "record.signature");
  CHECK(client::DetailOf(refused.status())->expected_sequence() == 0);
}

TEST_CASE("api: a stream name with control characters is refused") {
  Fixture fixture;
  for (const std::string& name :
       {std::string("a\0b", 3), std::string("a\nb"), std::string("\x1b[2J"), std::string("\x7f"),
        std::string("a\xc2\x85")}) {
    CAPTURE(name);
    sim::SensorStream stream = fixture.Stream(0, name);
    const auto refused = fixture.Submit(stream.NextBatch(1));
    REQUIRE_FALSE(refused.ok());
    CHECK(client::DetailOf(refused.status())->code() == "record.malformed");
    CHECK_THAT(client::DetailOf(refused.status())->what(), Catch::Contains("control character"));
  }
  sim::SensorStream umlaut = fixture.Stream(0,
                                            "\xc3\xbc"
                                            "ber \xc2\xa7");
  CHECK(fixture.Submit(umlaut.NextBatch(1)).ok());
}

TEST_CASE("api: without a leader a submission is told so and that it may still be committed") {
  Fixture fixture(/*validators=*/3);
  sim::SensorStream stream = fixture.Stream();
  const ledger::Record record = stream.NextBatch(1);
  const auto waited = fixture.Submit(record);
  REQUIRE(absl::IsUnavailable(waited.status()));
  CHECK(client::DetailOf(waited.status())->code() == "node.no_leader");
  CHECK(client::DetailOf(waited.status())->retry_after_millis() > 0);
  const auto at_once = fixture.Submit(record);
  REQUIRE(absl::IsUnavailable(at_once.status()));
  CHECK(client::DetailOf(at_once.status())->code() == "node.no_leader");
}

TEST_CASE("api: stopping answers a submission that waits for a quorum and does not wait for it") {
  Fixture fixture(/*validators=*/3, /*election_ticks_max=*/6'000);
  sim::SensorStream stream = fixture.Stream();
  const v1::SubmitRequest request = Fixture::RequestOf(stream.NextBatch(1), 1);
  std::atomic<bool> sent{false};
  grpc::Status unary;
  std::thread caller([&] {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    sent = true;
    unary = fixture.client()->ingest(0)->Submit(&context, request, &response);
  });
  // The stream's request comes after the first one of its connection.
  grpc::ClientContext context;
  auto call = fixture.client()->ingest(0)->SubmitStream(&context);
  call->Write(Fixture::RequestOf(stream.NextBatch(1), 2));
  call->Write(Fixture::RequestOf({.leaf = "broken", .payload = ""}, 3));
  while (!sent) std::this_thread::yield();
  while (fixture.waiting() < 2) std::this_thread::yield();
  fixture.StopApi();
  caller.join();
  CHECK(unary.error_code() == grpc::StatusCode::UNAVAILABLE);
  v1::ErrorDetail detail;
  REQUIRE(detail.ParseFromString(unary.error_details()));
  CHECK(detail.code() == "node.stopping");
  v1::SubmitResponse answer;
  if (call->Read(&answer)) CHECK(answer.error().code() == "node.stopping");
  context.TryCancel();
  call->Finish();
}

TEST_CASE("api: a caller that gives up waits no longer and gives back its room") {
  Fixture fixture(/*validators=*/3, /*election_ticks_max=*/6'000);
  sim::SensorStream stream = fixture.Stream();
  v1::SubmitResponse response;
  grpc::ClientContext unary;
  unary.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  CHECK(fixture.client()
            ->ingest(0)
            ->Submit(&unary, Fixture::RequestOf(stream.NextBatch(1), 1), &response)
            .error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  grpc::ClientContext pipelined;
  auto call = fixture.client()->ingest(0)->SubmitStream(&pipelined);
  for (uint64_t tag = 2; tag < 5; ++tag) {
    call->Write(Fixture::RequestOf(stream.NextBatch(1), tag));
  }
  while (fixture.waiting() < 3) std::this_thread::yield();
  pipelined.TryCancel();
  call->Finish();
  while (fixture.waiting() > 0) std::this_thread::yield();
}

TEST_CASE("api: a message beyond what a submission needs is refused before it is read") {
  Fixture fixture;
  v1::SubmitRequest request;
  request.set_payload(std::string(3 << 20, 'x'));
  CHECK(absl::IsResourceExhausted(fixture.client()->Submit(request).status()));
}

TEST_CASE("api: a submission may wait until it is final") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  const ledger::Record record = stream.NextBatch(1);
  const auto receipt = fixture.Submit(record, v1::ACK_FINAL);
  REQUIRE(receipt.ok());
  CHECK(receipt->reached() == v1::ACK_FINAL);

  SECTION("and the checkpoint that covers it verifies under the policy of genesis") {
    const auto checkpoint = fixture.client()->GetCheckpoint();
    REQUIRE(checkpoint.ok());
    CHECK(checkpoint->height() >= receipt->height());
    CHECK(checkpoint->cosigners_size() == 1);
    const auto verdict =
        ledger::CheckCheckpoint(ledger::LogPolicyOf(fixture.genesis()), checkpoint->note());
    REQUIRE(verdict.ok());
    CHECK(verdict->quorum);
    CHECK(verdict->checkpoint.size == checkpoint->size());
    CHECK(ledger::EncodeCheckpoint(verdict->checkpoint) == checkpoint->text());
  }
  SECTION("and blocks, receipts and status say so") {
    v1::GetBlockRequest request;
    request.set_height(receipt->height());
    const auto block = fixture.client()->GetBlock(request);
    REQUIRE(block.ok());
    CHECK(block->final());
    CHECK(block->cosigners_size() == 1);
    CHECK(fixture.client()->GetReceipt(receipt->leaf_hash())->reached() == v1::ACK_FINAL);
    CHECK(fixture.client()->GetStatus()->final_height() >= receipt->height());
  }
  SECTION("again for what is final already, and for a weaker level") {
    CHECK(fixture.Submit(record, v1::ACK_FINAL)->reached() == v1::ACK_FINAL);
    CHECK(fixture.Submit(record, v1::ACK_COMMITTED)->reached() == v1::ACK_COMMITTED);
  }
  SECTION("on a stream, too") {
    grpc::ClientContext context;
    auto call = fixture.client()->ingest(0)->SubmitStream(&context);
    for (uint64_t tag = 1; tag <= 20; ++tag) {
      REQUIRE(call->Write(Fixture::RequestOf(stream.NextBatch(1), tag, v1::ACK_FINAL)));
    }
    call->WritesDone();
    v1::SubmitResponse response;
    for (uint64_t tag = 1; tag <= 20; ++tag) {
      REQUIRE(call->Read(&response));
      CHECK(response.tag() == tag);
      CHECK(response.receipt().reached() == v1::ACK_FINAL);
    }
    CHECK(call->Finish().ok());
  }
}

TEST_CASE("api: an ack level that is not offered is refused plainly") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  const ledger::Record record = stream.NextBatch(1);
  const auto accepted = fixture.Submit(record, v1::ACK_ACCEPTED);
  REQUIRE(absl::IsUnimplemented(accepted.status()));
  CHECK(client::DetailOf(accepted.status())->code() == "ack.not_offered");
  CHECK(fixture.Submit(record).ok());
}

TEST_CASE("api: a stream answers in the order of the requests with their tags") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  grpc::ClientContext context;
  auto call = fixture.client()->ingest(0)->SubmitStream(&context);
  constexpr uint64_t kCount = 300;  // More than may be under way.
  std::thread writer([&] {
    for (uint64_t tag = 1; tag <= kCount; ++tag) {
      ledger::Record record = stream.NextBatch(1);
      if (tag % 50 == 0) {
        // Refused at once, yet answered in its turn; then the good bytes.
        v1::SubmitRequest broken = Fixture::RequestOf(record, 10'000 + tag);
        broken.set_leaf("broken");
        call->Write(broken);
      }
      call->Write(Fixture::RequestOf(record, tag));
    }
    call->WritesDone();
  });
  v1::SubmitResponse response;
  uint64_t expected = 1;
  uint64_t refused = 0;
  while (call->Read(&response)) {
    if (response.tag() > 10'000) {
      CHECK(response.error().code() == "record.malformed");
      CHECK(response.tag() == 10'000 + expected);
      ++refused;
      continue;
    }
    REQUIRE(response.tag() == expected);
    REQUIRE(response.receipt().result() == v1::RESULT_OK);
    ++expected;
  }
  writer.join();
  CHECK(call->Finish().ok());
  CHECK(expected == kCount + 1);
  CHECK(refused == kCount / 50);
}

TEST_CASE("api: a feed gives every block once from any height and goes on with new ones") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  for (int i = 0; i < 5; ++i) REQUIRE(fixture.Submit(stream.NextBatch(2)).ok());
  v1::SubscribeRequest request;
  request.set_kind(v1::FEED_BLOCKS);
  request.set_from_height(1);
  std::vector<uint64_t> heights;
  const uint64_t tip = fixture.client()->GetStatus()->executed_height();
  REQUIRE(fixture.client()
              ->Subscribe(request,
                          [&](const v1::FeedItem& item) {
                            heights.push_back(item.block().height());
                            if (heights.size() == tip)
                              REQUIRE(fixture.Submit(stream.NextBatch(2)).ok());
                            return heights.size() <= tip;
                          })
              .ok());
  for (size_t i = 0; i < heights.size(); ++i) CHECK(heights[i] == i + 1);
  CHECK(heights.size() == tip + 1);

  request.set_kind(v1::FEED_EVENTS);
  std::set<std::string> refs;
  REQUIRE(fixture.client()
              ->Subscribe(request,
                          [&](const v1::FeedItem& item) {
                            refs.insert(absl::StrCat(item.event().record_index(), ".",
                                                     item.event().item()));
                            return refs.size() < 12;
                          })
              .ok());
  CHECK(refs.size() == 12);
}

TEST_CASE("api: a feed of no known kind is refused") {
  Fixture fixture;
  for (const int kind : {0, 77}) {
    v1::SubscribeRequest request;
    request.set_kind(static_cast<v1::FeedKind>(kind));
    request.set_from_height(1);
    bool fed = false;
    const absl::Status status = fixture.client()->Subscribe(request, [&](const v1::FeedItem&) {
      fed = true;
      return false;
    });
    CHECK(absl::IsInvalidArgument(status));
    CHECK_FALSE(fed);
  }
}

TEST_CASE("api: pages end and limits are kept and what is not there says so") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  for (int i = 0; i < 7; ++i) REQUIRE(fixture.Submit(stream.NextBatch(3)).ok());
  v1::ListBlocksRequest blocks;
  blocks.set_limit(3);
  blocks.set_ascending(true);
  uint64_t seen = 0;
  do {
    const auto page = fixture.client()->ListBlocks(blocks);
    REQUIRE(page.ok());
    for (const v1::Block& block : page->blocks()) CHECK(block.height() == ++seen);
    blocks.set_from_height(page->next_height());
  } while (blocks.from_height() != 0);
  CHECK(seen >= 8);
  blocks.set_limit(1001);
  CHECK(absl::IsInvalidArgument(fixture.client()->ListBlocks(blocks).status()));
  v1::GetBlockRequest missing;
  missing.set_height(1'000'000);
  CHECK(absl::IsNotFound(fixture.client()->GetBlock(missing).status()));
  v1::ListAlertsRequest alerts;
  alerts.set_state("imaginary");
  CHECK(absl::IsInvalidArgument(fixture.client()->ListAlerts(alerts).status()));
  v1::SearchEventsRequest search;
  search.add_addresses("not an address");
  CHECK(absl::IsInvalidArgument(fixture.client()->SearchEvents(search).status()));
}

TEST_CASE("api: a model that nobody keeps and faults that nobody recorded say so") {
  Fixture fixture;
  v1::GetModelFileRequest model;
  model.set_digest(std::string(32, 'd'));
  CHECK(absl::IsNotFound(fixture.client()->GetModelFile(model).status()));
  model.set_digest("short");
  CHECK(absl::IsInvalidArgument(fixture.client()->GetModelFile(model).status()));
  const auto faults = fixture.client()->ListFaults({});
  REQUIRE(faults.ok());
  CHECK(faults->faults().empty());
  CHECK(faults->next_cursor() == 0);
  v1::ListFaultsRequest many;
  many.set_limit(1001);
  CHECK(absl::IsInvalidArgument(fixture.client()->ListFaults(many).status()));
  const auto report = fixture.client()->GetDetectorReport({});
  REQUIRE(report.ok());
  CHECK(report->validator() == fixture.node()->Status().validator);
  REQUIRE(report->types_size() == 5);
  for (int i = 0; i < 5; ++i) {
    CHECK(report->types(i).event_type() == static_cast<uint32_t>(i + 1));
    CHECK(report->types(i).active_period() == 0);
    CHECK(report->types(i).raised() == 0);
  }
}

TEST_CASE("api: a page of large events ends before it is too large to send and none is lost") {
  Fixture fixture(/*validators=*/1, /*election_ticks_max=*/20, /*block_bytes_max=*/4 << 20);
  sim::SensorStream stream = fixture.Stream();
  stream.MakeLargeEvents();
  constexpr uint32_t kBatch = 50;
  constexpr size_t kCount = 1000;  // More than gRPC takes in one message.
  v1::Receipt last;
  for (size_t i = 0; i < kCount / kBatch; ++i) last = *fixture.Submit(stream.NextBatch(kBatch));
  for (const bool newest_first : {false, true}) {
    v1::SearchEventsRequest request;
    request.set_limit(kCount);
    request.set_newest_first(newest_first);
    std::set<std::string> refs;
    for (;;) {
      const auto page = fixture.client()->SearchEvents(request);
      INFO(page.status());
      REQUIRE(page.ok());
      if (page->complete_height() < last.height()) continue;  // The index follows execution.
      CHECK(page->ByteSizeLong() < kGrpcMessageBytesMax);
      for (const v1::StoredEvent& event : page->events()) {
        CHECK(refs.insert(absl::StrCat(event.record_index(), ".", event.item())).second);
      }
      request.set_cursor(page->next_cursor());
      if (page->next_cursor().empty()) break;
    }
    CHECK(refs.size() == kCount);
  }
}

TEST_CASE("api: search finds every event of an executed block once over pages") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  v1::Receipt last;
  for (int i = 0; i < 4; ++i) last = *fixture.Submit(stream.NextBatch(10));
  v1::SearchEventsRequest request;
  request.add_class_uids(4001);
  request.set_limit(7);
  v1::SearchEventsResponse page;
  std::set<std::string> refs;
  do {
    // The index follows execution; a page of a height it has not reached is asked for again.
    const auto answer = fixture.client()->SearchEvents(request);
    REQUIRE(answer.ok());
    if (answer->complete_height() < last.height()) continue;
    page = *answer;
    for (const v1::StoredEvent& event : page.events())
      CHECK(refs.insert(absl::StrCat(event.record_index(), ".", event.item())).second);
    request.set_cursor(page.next_cursor());
  } while (refs.empty() || !page.next_cursor().empty());
  CHECK(refs.size() == 40);
}

}  // namespace
}  // namespace vigil::node
