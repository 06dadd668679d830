#include "ledger/state/models.h"

#include "ledger/state/quorum.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

ModelCommitmentBody Statement(uint64_t period, uint8_t digest) {
  ModelCommitmentBody body;
  body.event_type = 1;
  body.period = period;
  body.window_end = Height(1);
  body.model_digest = TestHash(digest);
  body.row_count = 4096;
  body.threshold_q8 = 2048;
  return body;
}

// A chain with one empty block, so that a window may end at height 1.
struct ModelChain {
  explicit ModelChain(uint32_t validators = 3) : network(validators), chain(&network) {
    chain.Commit({});
  }
  RecordResult Commit(uint32_t validator, const ModelCommitmentBody& body) {
    return chain.CommitOne(network.Sign(body, network.validator(validator)));
  }
  TestNetwork network;
  TestChain chain;
};

}  // namespace

TEST_CASE("a model is active once a majority committed the same", "[state]") {
  ModelChain test;
  CHECK(!test.chain.reader().ActiveModel(1).value().has_value());
  const RecordResult first = test.Commit(0, Statement(1, 7));
  CHECK(first.code == ResultCode::kOk);
  CHECK(first.effects.empty());
  CHECK(!test.chain.reader().ActiveModel(1).value().has_value());
  const RecordResult second = test.Commit(2, Statement(1, 7));
  CHECK(second.code == ResultCode::kOk);
  const std::string detail = std::string("\0\0\0\1", 4) + std::string(32, 7);
  CHECK(second.effects == std::vector<Effect>{{EffectType::kModelActivated, 1, detail}});

  const ModelInfo model = test.chain.reader().ActiveModel(1).value().value();
  CHECK(model.digest == TestHash(7));
  CHECK(model.period == 1);
  CHECK(model.threshold_q8 == 2048);
  CHECK(model.active);
  CHECK(model.active_from == Height(3));
  CHECK(model.committed_by == std::vector<std::string>{"acme/v0", "acme/v2"});
  CHECK(!test.chain.reader().ActiveModel(2).value().has_value());

  SECTION("a third commitment to it is kept and changes nothing") {
    const RecordResult third = test.Commit(1, Statement(1, 7));
    CHECK(third.code == ResultCode::kOk);
    CHECK(third.effects.empty());
    CHECK(test.chain.reader().ActiveModel(1).value()->committed_by.size() == 3);
    CHECK(test.chain.reader().ActiveModel(1).value()->active_from == Height(3));
  }
  SECTION("another statement of the last validator stands beside it") {
    CHECK(test.Commit(1, Statement(1, 9)).code == ResultCode::kOk);
    const std::vector<ModelInfo> models = test.chain.reader().ListModels(10).value();
    REQUIRE(models.size() == 2);
    CHECK(models[0].active != models[1].active);
  }
}

TEST_CASE("a validator commits once per type and period", "[state]") {
  ModelChain test;
  CHECK(test.Commit(0, Statement(1, 7)).code == ResultCode::kOk);
  CHECK(test.Commit(0, Statement(1, 7)).code == ResultCode::kAlreadyExists);
  CHECK(test.Commit(0, Statement(1, 8)).code == ResultCode::kAlreadyExists);
  CHECK(!test.chain.reader().ActiveModel(1).value().has_value());
  ModelCommitmentBody other_type = Statement(1, 7);
  other_type.event_type = 2;
  CHECK(test.Commit(0, other_type).code == ResultCode::kOk);
}

TEST_CASE("the same digest with another statement makes no quorum", "[state]") {
  ModelChain test;
  CHECK(test.Commit(0, Statement(1, 7)).code == ResultCode::kOk);
  ModelCommitmentBody liar = Statement(1, 7);
  liar.threshold_q8 = 1;
  CHECK(test.Commit(1, liar).code == ResultCode::kOk);
  CHECK(!test.chain.reader().ActiveModel(1).value().has_value());
  CHECK(test.Commit(2, Statement(1, 7)).code == ResultCode::kOk);
  CHECK(test.chain.reader().ActiveModel(1).value()->threshold_q8 == 2048);
}

TEST_CASE("a period below the active one is stale and one above replaces it", "[state]") {
  ModelChain test;
  for (const uint32_t validator : {0u, 1u}) test.Commit(validator, Statement(5, 5));
  CHECK(test.Commit(2, Statement(4, 4)).code == ResultCode::kStale);
  CHECK(test.Commit(2, Statement(6, 6)).code == ResultCode::kOk);
  CHECK(test.chain.reader().ActiveModel(1).value()->period == 5);
  CHECK(test.Commit(1, Statement(6, 6)).code == ResultCode::kOk);
  CHECK(test.chain.reader().ActiveModel(1).value()->period == 6);
  const std::vector<ModelInfo> models = test.chain.reader().ListModels(10).value();
  REQUIRE(models.size() == 2);
  CHECK(models[0].period == 6);
  CHECK(models[1].period == 5);
  CHECK(test.chain.reader().ListModels(1).value().size() == 1);
}

TEST_CASE("a window that has not ended yet is invalid", "[state]") {
  ModelChain test;
  ModelCommitmentBody early = Statement(1, 7);
  early.window_end = Height(2);  // The height of the block that holds it.
  CHECK(test.Commit(0, early).code == ResultCode::kInvalid);
  early.window_end = Height(2);
  CHECK(test.Commit(0, early).code == ResultCode::kOk);
}

TEST_CASE("only validators commit models", "[state]") {
  ModelChain test;
  const Record record = test.network.Sign(Statement(1, 7), "acme/fw-1");
  CHECK(test.chain.CommitOne(record).code == ResultCode::kPermissionDenied);
}

TEST_CASE("quorums follow the mode and the number of validators", "[state]") {
  struct Row {
    const char* mode;
    uint32_t validators, faulty, model, confirm, dispute;
  };
  // raft survives f of 2f+1 with majorities; bft f of 3f+1 (consensus.md, table of modes).
  for (const Row& row :
       {Row{"raft", 1, 0, 1, 1, 1}, Row{"raft", 2, 0, 2, 2, 1}, Row{"raft", 3, 1, 2, 2, 2},
        Row{"raft", 4, 1, 3, 3, 2}, Row{"raft", 5, 2, 3, 3, 3}, Row{"raft", 7, 3, 4, 4, 4},
        Row{"bft", 4, 1, 3, 3, 2}, Row{"bft", 7, 2, 5, 5, 3}, Row{"bft", 31, 10, 21, 21, 11}}) {
    Genesis genesis;
    genesis.mode = row.mode;
    genesis.validators.resize(row.validators);
    INFO(row.mode << " " << row.validators);
    CHECK(FaultyMax(genesis) == row.faulty);
    CHECK(ModelQuorum(genesis) == row.model);
    CHECK(ConfirmQuorum(genesis) == row.confirm);
    CHECK(DisputeQuorum(genesis) == row.dispute);
    CHECK(ConfirmQuorum(genesis) + DisputeQuorum(genesis) > row.validators);
  }
}

TEST_CASE("a drift notice stands once a majority said the same of model and drift", "[state]") {
  ModelChain test(5);
  const auto drifted = [](uint64_t period, std::vector<DriftedFeature> features) {
    ModelCommitmentBody body = Statement(4, 7);
    body.drift_period = period;
    body.drifted = std::move(features);
    return body;
  };
  const ModelCommitmentBody right = drifted(3, {{6, 300}, {2, 64}});
  // A liar, and one that has not the earlier model: the model is active without them all.
  CHECK(test.Commit(0, drifted(3, {{6, 301}, {2, 64}})).effects.empty());
  CHECK(test.Commit(1, Statement(4, 7)).effects.empty());
  REQUIRE(test.Commit(2, right).effects.size() == 1);
  ModelInfo model = test.chain.reader().ActiveModel(1).value().value();
  CHECK(model.drift == DriftStatement());
  CHECK(model.drift_height == Height(0));
  CHECK(test.Commit(3, right).effects.empty());
  CHECK(test.chain.reader().ActiveModel(1).value()->drift == DriftStatement());

  SECTION("and tells which feature drifted most") {
    const RecordResult result = test.Commit(4, right);
    const std::string detail("\0\0\0\1\0\0\0\6\0\0\1\x2c", 12);
    CHECK(result.effects == std::vector<Effect>{{EffectType::kDriftNoticed, 4, detail}});
    model = test.chain.reader().ActiveModel(1).value().value();
    CHECK(model.drift.period == 3);
    CHECK(model.drift.drifted == right.drifted);
    CHECK(model.drift_height == test.chain.tip().height);
  }
  SECTION("but not where the last one says it of another model") {
    ModelCommitmentBody other = right;
    other.model_digest = TestHash(8);
    CHECK(test.Commit(4, other).effects.empty());
    CHECK(test.chain.reader().ActiveModel(1).value()->drift == DriftStatement());
  }
}

TEST_CASE("a majority that found no drift says so without a notice", "[state]") {
  ModelChain test;
  ModelCommitmentBody stable = Statement(4, 7);
  stable.drift_period = 3;
  test.Commit(0, stable);
  const RecordResult second = test.Commit(1, stable);
  REQUIRE(second.effects.size() == 1);
  CHECK(second.effects[0].type == EffectType::kModelActivated);
  ModelCommitmentBody lie = stable;
  lie.drifted = {{1, 9000}};
  CHECK(test.Commit(2, lie).effects.empty());
  const ModelInfo model = test.chain.reader().ActiveModel(1).value().value();
  CHECK(model.drift.period == 3);
  CHECK(model.drift.drifted.empty());
}

}  // namespace vigil::ledger
