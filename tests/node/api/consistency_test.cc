// The consistency that a query asks for, over gRPC.
#include <string>
#include <thread>
#include <vector>

#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

std::string CodeOf(const absl::Status& status) {
  const auto detail = client::DetailOf(status);
  return detail.has_value() ? detail->code() : std::string(status.message());
}

template <typename Request>
Request With(v1::Consistency consistency, Request request = {}) {
  request.set_consistency(consistency);
  return request;
}

// Every query that has the field; statuses of each.
std::vector<absl::Status> AskAll(client::Client* client, v1::Consistency consistency) {
  v1::GetBlockRequest block;
  block.set_height(1);
  return {client->GetBlock(With(consistency, block)).status(),
          client->ListBlocks(With<v1::ListBlocksRequest>(consistency)).status(),
          client->GetRecord(With<v1::GetRecordRequest>(consistency)).status(),
          client->GetEvent(With<v1::GetEventRequest>(consistency)).status(),
          client->SearchEvents(With<v1::SearchEventsRequest>(consistency)).status(),
          client->ListAlerts(With<v1::ListAlertsRequest>(consistency)).status(),
          client->GetAlert(With<v1::GetAlertRequest>(consistency)).status(),
          client->ListIncidents(With<v1::ListIncidentsRequest>(consistency)).status(),
          client->GetIncident(With<v1::GetIncidentRequest>(consistency)).status(),
          client->ListFaults(With<v1::ListFaultsRequest>(consistency)).status(),
          client->GetDetectorReport(With<v1::GetDetectorReportRequest>(consistency)).status(),
          client->ListModels(With<v1::ListModelsRequest>(consistency)).status()};
}

TEST_CASE("consistency: linearizable queries see what was acknowledged and so does search",
          "[reads]") {
  Fixture fixture;
  sim::SensorStream stream = fixture.Stream();
  uint64_t events = 0;
  for (uint32_t i = 1; i <= 10; ++i) {
    REQUIRE(fixture.Submit(stream.NextBatch(i)).ok());
    events += i;
    v1::SearchEventsRequest search;
    search.set_limit(1000);
    const auto found = fixture.client()->SearchEvents(With(v1::CONSISTENCY_LINEARIZABLE, search));
    REQUIRE(found.ok());
    CHECK(static_cast<uint64_t>(found->events_size()) == events);
  }
  CHECK(fixture.node()->Status().reads_answered == 10);
}

TEST_CASE("consistency: without a quorum local answers and linearizable says why not", "[reads]") {
  Fixture fixture(/*validators=*/3);
  client::Client* const client = fixture.client();
  for (const auto local : {v1::CONSISTENCY_UNSPECIFIED, v1::CONSISTENCY_LOCAL}) {
    CHECK(client->ListBlocks(With<v1::ListBlocksRequest>(local)).ok());
    CHECK(client->ListAlerts(With<v1::ListAlertsRequest>(local)).ok());
  }
  CHECK(fixture.node()->Status().reads_failed == 0);
  for (const absl::Status& status : AskAll(client, v1::CONSISTENCY_LINEARIZABLE)) {
    CHECK(CodeOf(status) == "read.no_leader");
  }
  grpc::ClientContext context;
  v1::GetReceiptRequest receipt;
  receipt.set_leaf_hash(std::string(32, 'x'));
  receipt.set_consistency(v1::CONSISTENCY_LINEARIZABLE);
  v1::Receipt out;
  CHECK(client->ingest(0)->GetReceipt(&context, receipt, &out).error_code() ==
        grpc::StatusCode::UNAVAILABLE);
  grpc::ClientContext head_context;
  v1::StreamHead head;
  CHECK(client->ingest(0)
            ->GetStreamHead(&head_context,
                            With<v1::GetStreamHeadRequest>(v1::CONSISTENCY_LINEARIZABLE), &head)
            .error_code() == grpc::StatusCode::UNAVAILABLE);
}

TEST_CASE("consistency: one that is not known is refused by every query", "[reads]") {
  Fixture fixture;
  for (const absl::Status& status : AskAll(fixture.client(), static_cast<v1::Consistency>(7))) {
    CHECK(absl::IsInvalidArgument(status));
  }
}

TEST_CASE("consistency: a client asks as it was told to unless the request says it", "[reads]") {
  Fixture fixture(/*validators=*/3);
  client::ClientOptions options;
  options.endpoints = {fixture.client()->endpoint(0)};
  options.insecure = true;
  options.consistency = v1::CONSISTENCY_LINEARIZABLE;
  const auto client = *client::Client::Make(options);
  CHECK(CodeOf(client->ListBlocks({}).status()) == "read.no_leader");
  CHECK(CodeOf(client->GetReceipt(std::string(32, 'x')).status()) == "read.no_leader");
  CHECK(CodeOf(client->GetStreamHead("acme/s0", "conn").status()) == "read.no_leader");
  CHECK(client->ListBlocks(With<v1::ListBlocksRequest>(v1::CONSISTENCY_LOCAL)).ok());
}

TEST_CASE("consistency: a waiting read ends when the validator stops", "[reads]") {
  Fixture fixture(/*validators=*/3, /*election_ticks_max=*/1000);
  std::string code;
  std::thread caller([&] {
    code = CodeOf(fixture.client()
                      ->ListBlocks(With<v1::ListBlocksRequest>(v1::CONSISTENCY_LINEARIZABLE))
                      .status());
  });
  while (fixture.node()->waiting_reads() == 0) std::this_thread::yield();
  fixture.StopApi();
  caller.join();
  CHECK(code == "node.stopping");
}

}  // namespace
}  // namespace vigil::node
