#include "client/cli/load_generator.h"

#include "client/ingest/sample_traffic.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/log/merkle.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

TEST_CASE("load: every batch is what an admitting validator accepts and continues its stream") {
  const testing::TempFolder folder;
  const ledger::SigningKey key = ledger::SigningKey::Generate();
  REQUIRE(key.Save(folder / "sensor.key", "org/sensor").ok());
  Hash chain_id;
  chain_id.bytes.fill(7);
  const auto author = LoadAuthor::Open(folder / "sensor.key", std::string(chain_id.view()));
  REQUIRE(author.ok());
  for (const uint32_t event_bytes : {128u, 256u, 1024u, 4096u}) {
    LoadStream stream(*author, 3, 5, event_bytes);
    Hash previous;
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
      v1::SubmitRequest request;
      stream.NextBatch(&request);
      const auto record = ledger::DecodeRecord(AsBytes(request.leaf()));
      REQUIRE(record.ok());
      CHECK(ledger::VerifyRecordSignature(*record, chain_id, key.public_key()));
      const auto& batch = std::get<ledger::EventBatchBody>(record->body);
      CHECK(batch.sequence == sequence);
      CHECK(batch.previous == previous);
      REQUIRE(ledger::CheckPayload(batch, AsBytes(request.payload()), nullptr).ok());
      const auto events = ledger::SplitPayload(AsBytes(request.payload()));
      REQUIRE(events->size() == 5);
      CHECK(std::abs(static_cast<int>((*events)[0].size()) - static_cast<int>(event_bytes)) <= 16);
      previous = ledger::LeafHash(AsBytes(request.leaf()));
      stream.Accepted();
    }
  }
}

TEST_CASE("load: a refused batch leaves the position as it was") {
  const testing::TempFolder folder;
  REQUIRE(ledger::SigningKey::Generate().Save(folder / "sensor.key", "org/sensor").ok());
  const auto author = LoadAuthor::Open(folder / "sensor.key", std::string(32, 'c'));
  REQUIRE(author.ok());
  LoadStream stream(*author, 0, 1, 256);
  v1::SubmitRequest first;
  v1::SubmitRequest second;
  stream.NextBatch(&first);
  stream.NextBatch(&second);
  CHECK(first.tag() == second.tag());
}

TEST_CASE("sample: the same seed gives the same bytes and attacks are listed") {
  SampleOptions options;
  options.events = 500;
  options.attacks = true;
  const SampleTraffic once = MakeSampleTraffic(options);
  const SampleTraffic twice = MakeSampleTraffic(options);
  CHECK(once.zeek == twice.zeek);
  CHECK(once.planted.size() == 94);
  for (const PlantedLine& line : once.planted) CHECK(once.zeek.find(line.uid) != std::string::npos);
  options.seed = 2;
  CHECK(MakeSampleTraffic(options).zeek != once.zeek);
}

}  // namespace
}  // namespace vigil::client
