#include "client/cli/evidence_collector.h"

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/base/mutex.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/note.h"
#include "ledger/log/tlog_proof.h"
#include "tests/client/lib/loopback.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {
namespace {

constexpr uint64_t kFirst =
    10;  // Record index of the stream's first batch; one in two is another's.

// Answers from one stream, and counts how often each record is fetched.
class CountingValidator final : public v1::Query::Service {
 public:
  CountingValidator() {
    ledger::TestStream stream(&network_, "acme/fw-1", "conn");
    for (uint64_t i = 0; i < 6; ++i) records_[kFirst + 2 * i] = stream.Batch(3);
    const std::string text = ledger::EncodeCheckpoint(
        {.origin = "test.vigil/log", .size = 100, .root = ledger::TestHash(1)});
    checkpoint_ = ledger::EncodeNote(
        {.text = text,
         .signatures = {ledger::SignNote(network_.key("log/0"), "test.vigil/log", text)}});
  }

  std::unique_ptr<Client> Connect() const { return ConnectTo({server_.endpoint()}); }
  std::map<uint64_t, int> fetched() const {
    MutexLock lock(&mutex_);
    return fetched_;
  }

  // The first event of the first, third, fourth and last record.
  grpc::Status SearchEvents(grpc::ServerContext*, const v1::SearchEventsRequest*,
                            v1::SearchEventsResponse* response) override {
    for (const uint64_t i : {0, 2, 3, 5}) {
      v1::StoredEvent* const event = response->add_events();
      event->set_record_index(kFirst + 2 * i);
      event->set_item(0);
    }
    return grpc::Status::OK;
  }
  grpc::Status GetRecord(grpc::ServerContext*, const v1::GetRecordRequest* request,
                         v1::Record* response) override {
    for (const auto& [index, record] : records_) {
      const Hash leaf = ledger::LeafHash(AsBytes(record.leaf));
      if (request->leaf_hash().empty() ? index != request->record_index()
                                       : leaf.view() != request->leaf_hash()) {
        continue;
      }
      MutexLock lock(&mutex_);
      ++fetched_[index];
      response->mutable_summary()->set_record_index(index);
      response->mutable_summary()->set_author("acme/fw-1");
      response->set_leaf(record.leaf);
      response->set_payload(record.payload);
      return grpc::Status::OK;
    }
    return {grpc::StatusCode::NOT_FOUND, "no such record"};
  }
  grpc::Status GetProof(grpc::ServerContext*, const v1::GetProofRequest* request,
                        v1::Proof* response) override {
    response->set_file(ledger::EncodeTlogProof({.extra = "",
                                                .index = request->record().record_index(),
                                                .path = {},
                                                .checkpoint = checkpoint_}));
    return grpc::Status::OK;
  }

 private:
  const ledger::TestNetwork network_;
  std::map<uint64_t, ledger::Record> records_;
  std::string checkpoint_;
  mutable Mutex mutex_;
  std::map<uint64_t, int> fetched_ VIGIL_GUARDED_BY(mutex_);
  LoopbackServer server_{{this}};
};

}  // namespace

TEST_CASE("evidence collector: of a span each record of the stream is there and fetched once") {
  CountingValidator validator;
  const std::unique_ptr<Client> client = validator.Connect();
  const bool whole = GENERATE(true, false);
  EvidenceCollector collector(client.get(), {}, 0);
  REQUIRE(collector.WantSpan({}, whole).ok());
  ledger::EvidenceQuestion question;
  question.subject = ledger::EvidenceSubject::kSpan;
  question.from_unix_nano = 1;
  question.to_unix_nano = 2;
  const absl::StatusOr<std::string> file = collector.Finish(question, "");
  INFO(file.status());
  REQUIRE(file.ok());
  const absl::StatusOr<ledger::Evidence> evidence = ledger::DecodeEvidence(*file);
  INFO(evidence.status());
  REQUIRE(evidence.ok());
  REQUIRE(evidence->parts.size() == 6);
  for (size_t i = 0; i < 6; ++i) {
    const bool matches = i == 0 || i == 2 || i == 3 || i == 5;
    CHECK(evidence->parts[i].events.size() == (whole ? 3u : matches ? 1u : 0u));
  }
  const std::map<uint64_t, int> fetched = validator.fetched();
  CHECK(fetched.size() == 6);
  for (const auto& [index, count] : fetched) {
    INFO("record " << index);
    CHECK(count == 1);
  }
}

}  // namespace vigil::client
