#include "node/detect/duties.h"

#include <algorithm>
#include <memory>
#include <set>

#include "detector/model/model.h"
#include "ledger/crypto/sha256.h"
#include "ledger/storage/memory_store.h"
#include "node/detect/detect_convert.h"
#include "node/detect/model_store.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using detector::EventType;

Hash Filled(uint8_t byte) {
  Hash hash;
  hash.bytes.fill(byte);
  return hash;
}

Duties SampleDuties() {
  Duties duties;
  duties.proposals[{{RecordIndex(5), ItemIndex(2)}, Filled(1)}] = {.height = Height(10),
                                                                   .due = Height(14),
                                                                   .event_type = 1,
                                                                   .period = 3,
                                                                   .rule = 7,
                                                                   .attempt = {}};
  duties.judgements[RecordIndex(77)] = {.height = Height(11), .attempt = {}};
  duties.commitments[{4, 2}] = {
      .window_end = Height(8),
      .model_digest = Filled(2),
      .window_digest = Filled(3),
      .row_count = 500,
      .threshold_q8 = 900,
      .drift_period = 3,
      .drifted = {{.feature = 7, .psi_q8 = 300}, {.feature = 2, .psi_q8 = 64}},
      .attempt = {}};
  duties.accusations[RecordIndex(91)] = {.height = Height(12), .due = Height(16), .attempt = {}};
  return duties;
}

TEST_CASE("duties: what is stored is read back but for attempts", "[duties]") {
  Duties duties = SampleDuties();
  duties.judgements.begin()->second.attempt.under_way = true;
  const auto decoded = Duties::Decode(duties.Encode());
  REQUIRE(decoded.has_value());
  CHECK(decoded->Encode() == duties.Encode());
  CHECK(decoded->proposals.begin()->second.due == Height(14));
  CHECK(decoded->proposals.begin()->second.rule == 7);
  CHECK(decoded->commitments.begin()->second.model_digest == Filled(2));
  CHECK(decoded->commitments.begin()->second.window_digest == Filled(3));
  CHECK(decoded->commitments.begin()->second.drift_period == 3);
  CHECK(decoded->commitments.begin()->second.drifted == duties.commitments.begin()->second.drifted);
  CHECK_FALSE(decoded->judgements.begin()->second.attempt.under_way);
  REQUIRE(decoded->accusations.size() == 1);
  CHECK(decoded->accusations.begin()->first == RecordIndex(91));
  CHECK(decoded->accusations.begin()->second.due == Height(16));
}

TEST_CASE("duties: bytes cut anywhere or too long are refused", "[duties]") {
  const std::string bytes = SampleDuties().Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(Duties::Decode(bytes.substr(0, size)).has_value());
  }
  CHECK_FALSE(Duties::Decode(bytes + "x").has_value());
  std::string hostile = bytes;
  for (int i = 2; i < 6; ++i) hostile[i] = '\xff';  // Number of proposals.
  CHECK_FALSE(Duties::Decode(hostile).has_value());
}

TEST_CASE("duties: full when as many as the maximum are due or wait to be judged", "[duties]") {
  Duties duties;
  const auto propose = [&](uint64_t record, Height due) {
    duties.proposals[{{RecordIndex(record), ItemIndex(0)}, Filled(1)}].due = due;
  };
  for (uint64_t i = 1; i < kDutiesMax; ++i) propose(i, Height(10));
  SECTION("proposals") {
    CHECK_FALSE(duties.IsFull(Height(10)));
    propose(kDutiesMax, Height(11));
    CHECK_FALSE(duties.IsFull(Height(10)));  // One of them needs a further block to become due.
    CHECK(duties.IsFull(Height(11)));
  }
  SECTION("judgements") {
    for (uint64_t i = 1; i < kDutiesMax; ++i) duties.judgements[RecordIndex(i)];
    CHECK_FALSE(duties.IsFull(Height(10)));
    duties.judgements[RecordIndex(kDutiesMax)];
    CHECK(duties.IsFull(Height(10)));
  }
}

TEST_CASE("duties: proposers take turns in the order of the hash that names event and validator",
          "[duties]") {
  const ledger::EventRef event{RecordIndex(300), ItemIndex(7)};
  // From the definition: sort the validators by their hash.
  std::vector<std::pair<Hash, uint32_t>> order;
  for (uint32_t v = 0; v < 5; ++v) {
    std::string bytes;
    ByteWriter(&bytes).Fixed(Filled(9)).U64(300).U32(7).U32(v);
    order.emplace_back(ledger::Sha256(AsBytes(bytes)), v);
  }
  std::sort(order.begin(), order.end());
  for (uint32_t rank = 0; rank < 5; ++rank) {
    CHECK(ProposerRank(Filled(9), event, ValidatorIndex(order[rank].second), 5) == rank);
  }
  CHECK(ProposerRank(Filled(9), event, ValidatorIndex(0), 1) == 0);
}

TEST_CASE("duties: over many events every validator is first about equally often", "[duties]") {
  uint32_t first[4] = {};
  for (uint32_t i = 0; i < 4000; ++i) {
    for (uint32_t v = 0; v < 4; ++v) {
      const ledger::EventRef event{RecordIndex(i), ItemIndex(0)};
      if (ProposerRank(Filled(1), event, ValidatorIndex(v), 4) == 0) ++first[v];
    }
  }
  for (const uint32_t count : first) {
    CHECK(count > 850);
    CHECK(count < 1150);
  }
}

TEST_CASE("model store: bookkeeping and duties and models survive together", "[model_store]") {
  ledger::MemoryStore memory;
  const ModelKey flow{EventType::kFlow, 1};
  const ModelKey later{EventType::kFlow, 2};
  {
    ModelStore store(&memory);
    REQUIRE(store.Load()->state.empty());
    REQUIRE(store
                .Save("state 1", std::vector<uint8_t>{1, 2}, SampleDuties(), {{flow, "model 1"}},
                      {flow}, {{Height(4), Filled(4)}, {Height(8), Filled(5)}})
                .ok());
    REQUIRE(store
                .Save("state 2", std::nullopt, {}, {{later, "model 2"}}, {flow, later},
                      {{Height(8), Filled(6)}, {Height(12), Filled(7)}})
                .ok());
  }
  ModelStore store(&memory);
  auto contents = store.Load();
  REQUIRE(contents.ok());
  CHECK(contents->state == "state 2");
  CHECK(contents->entities == "\x01\x02");  // Kept until there are others.
  CHECK(contents->duties.proposals.empty());
  REQUIRE(contents->models.size() == 2);
  CHECK(contents->models[1].bytes == "model 2");
  CHECK(contents->checkpoints ==
        ModelStore::Checkpoints{{Height(8), Filled(6)}, {Height(12), Filled(7)}});
  // What the stream has forgotten goes.
  REQUIRE(store.Save("state 3", std::vector<uint8_t>{3}, {}, {}, {later}, {}).ok());
  contents = ModelStore(&memory).Load();
  CHECK(contents->entities == "\x03");
  REQUIRE(contents->models.size() == 1);
  CHECK(contents->models[0].key == later);
  CHECK(contents->checkpoints.empty());
  // Its alerts can still be recomputed, also after all else was thrown away.
  const Hash digest = AsHash(detector::Model::DigestOf(AsBytes("model 1"), &ledger::Sha256Bytes));
  CHECK(store.LoadArchived(digest).value() == "model 1");
  CHECK(absl::IsNotFound(store.LoadArchived(Filled(1)).status()));
  REQUIRE(store.Clear().ok());
  CHECK(store.LoadArchived(digest).value() == "model 1");
  CHECK(ModelStore(&memory).Load()->models.empty());
  CHECK(ModelStore(&memory).Load()->state.empty());
}

TEST_CASE("model store: the archive is bounded and the oldest period gives way", "[model_store]") {
  ledger::MemoryStore memory;
  auto store = std::make_unique<ModelStore>(&memory);
  REQUIRE(store->Load().ok());
  const auto name = [](uint64_t period) { return "model " + std::to_string(period); };
  const auto digest = [&](uint64_t period) {
    const std::string bytes = name(period);
    return AsHash(detector::Model::DigestOf(AsBytes(bytes), &ledger::Sha256Bytes));
  };
  const uint64_t last = kModelsArchivedMax + 3;
  for (uint64_t period = 1; period <= last; ++period) {
    if (period == 60) {  // A restart in between.
      store = std::make_unique<ModelStore>(&memory);
      REQUIRE(store->Load().ok());
    }
    const ModelKey key{EventType::kFlow, period};
    REQUIRE(store->Save("state", std::nullopt, {}, {{key, name(period)}}, {key}, {}).ok());
  }
  // The last one is not archived: it is in use.
  CHECK(absl::IsNotFound(store->LoadArchived(digest(last)).status()));
  CHECK(store->LoadArchived(digest(last - 1)).value() == name(last - 1));
  CHECK(store->LoadArchived(digest(3)).value() == name(3));
  CHECK(absl::IsNotFound(store->LoadArchived(digest(2)).status()));
  size_t kept = 0;
  REQUIRE(memory
              .Scan("archive/", "archive0", false,
                    [&](absl::string_view, absl::string_view) {
                      ++kept;
                      return true;
                    })
              .ok());
  CHECK(kept == kModelsArchivedMax);
}

TEST_CASE("model store: damaged duties and keys are data loss", "[model_store]") {
  ledger::MemoryStore memory;
  ledger::StoreBatch batch;
  SECTION("duties") { batch.Put("duties", "nonsense"); }
  SECTION("short key") { batch.Put("model/x", "m"); }
  SECTION("short key of a checkpoint") { batch.Put("checkpoint/x", std::string(32, 'd')); }
  SECTION("short digest of a checkpoint") { batch.Put("checkpoint/12345678", "d"); }
  SECTION("unknown type") {
    std::string key = "model/";
    ByteWriter(&key).U32(6).U64(1);
    batch.Put(key, "m");
  }
  REQUIRE(memory.Write(batch).ok());
  CHECK(absl::IsDataLoss(ModelStore(&memory).Load().status()));
}

}  // namespace
}  // namespace vigil::node
