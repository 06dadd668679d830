// A submitter that verifies receipts, against a real node.
#include "client/lib/batch_builder.h"
#include "client/lib/event_encoder.h"
#include "client/lib/submitter.h"
#include "ledger/state/log_keys.h"
#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

client::EventBatch Batch(uint64_t number) {
  static ledger::SaltSource salts(std::array<uint8_t, 32>{9});
  client::BatchBuilder builder(client::BatchLimits{}, SystemClock());
  v1::Event event;
  event.set_time_unix_nano(1'700'000'000'000'000'000 + number);
  event.set_type_uid(400106);
  event.set_source("test");
  auto encoded = client::EncodeEvent(&event, &salts);
  REQUIRE(encoded.ok());
  builder.Add(*std::move(encoded));
  return builder.Take("mark");
}

TEST_CASE("receipts: many batches are proven by few proofs and none is lost") {
  Fixture fixture;
  ledger::FaultyFileSystem disk(1);
  client::SubmitterOptions options;
  options.identity = "acme/s0";
  options.stream = "receipts";
  options.chain_id = fixture.genesis().chain_id;
  options.spool_folder = "/spool";
  options.policy = ledger::LogPolicyOf(fixture.genesis());
  options.receipts_folder = "/receipts";
  auto submitter = client::Submitter::Open(
      options, &fixture.sensor_key(0), fixture.client(), &disk, SystemClock(),
      [](const std::vector<std::string>&) { return absl::OkStatus(); });
  REQUIRE(submitter.ok());
  for (uint64_t i = 0; i < 300; ++i) REQUIRE((*submitter)->Submit(Batch(i)).ok());
  const absl::Status flushed = (*submitter)->Flush();
  INFO(flushed.message());
  REQUIRE(flushed.ok());
  CHECK((*submitter)->pending() == 0);
  CHECK((*submitter)->stats().events_delivered == 300);
  CHECK((*submitter)->stats().retries == 0);
  CHECK(fixture.client()->GetStreamHead("acme/s0", "receipts")->sequence() == 300);
  // What it remembers is a checkpoint that covers them.
  const auto verdict =
      ledger::CheckCheckpoint(options.policy, disk.ReadAll("/receipts/checkpoint").value());
  REQUIRE(verdict.ok());
  CHECK(verdict->quorum);
  CHECK(verdict->checkpoint.size > 300);
}

}  // namespace
}  // namespace vigil::node
