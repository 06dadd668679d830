#include "ledger/state/chain_state.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/state/tables.h"
#include "tests/ledger/state/random_traffic.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

// A memory store whose next write can be made to fail.
class FailingStore final : public Store {
 public:
  absl::Status write_status;
  int write_count = 0;

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return store_.Get(key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const std::function<bool(absl::string_view key, absl::string_view value)>&
                        visit) const override {
    return store_.Scan(from, to, reverse, visit);
  }
  absl::Status Write(const StoreBatch& batch) override {
    ++write_count;
    if (!write_status.ok()) return write_status;
    return store_.Write(batch);
  }
  absl::Status Sync() override { return store_.Sync(); }
  std::unique_ptr<StoreReader> Snapshot() const override { return store_.Snapshot(); }

 private:
  MemoryStore store_;
};

std::map<std::string, std::string> Contents(const StoreReader& store) {
  std::map<std::string, std::string> contents;
  const absl::Status status =
      store.Scan("", "", false, [&](absl::string_view key, absl::string_view value) {
        contents[std::string(key)] = std::string(value);
        return true;
      });
  REQUIRE(status.ok());
  return contents;
}

void Edit(Store* store, const std::string& key, std::optional<std::string> value) {
  StoreBatch batch;
  if (value.has_value()) {
    batch.Put(key, *value);
  } else {
    batch.Delete(key);
  }
  REQUIRE(store->Write(batch).ok());
}

}  // namespace

TEST_CASE("genesis enrols identities and the record keys of validators", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  const ChainReader reader = chain.reader();
  const IdentityInfo sensor = reader.FindKey(network.key("acme/fw-1").id()).value();
  CHECK(sensor.identity == "acme/fw-1");
  CHECK(sensor.org == "acme");
  CHECK(sensor.roles == static_cast<uint32_t>(Role::kSensor));
  CHECK(sensor.key == network.key("acme/fw-1").public_key());
  const IdentityInfo validator = reader.FindKey(network.key("globex/v1").id()).value();
  CHECK(validator.identity == "globex/v1");
  CHECK(validator.roles == static_cast<uint32_t>(Role::kValidator));
  CHECK(absl::IsNotFound(reader.FindKey(network.consensus_key(0).id()).status()));
  CHECK(chain.tip().height == Height(0));
  CHECK(chain.tip().block_hash == network.genesis().genesis_hash);
  CHECK(reader.StateDigest(Height(0)).value() == chain.tip().state_digest);
  CHECK(absl::IsNotFound(reader.GetBlock(Height(0)).status()));
}

TEST_CASE("the tree holds every record and a seal after each block", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  std::vector<Hash> leaves;
  Hash previous_seal;
  for (const uint32_t count : {2u, 0u, 3u}) {
    std::vector<Record> records;
    for (uint32_t i = 0; i < count; ++i) records.push_back(stream.Batch(2));
    const RecordIndex first(leaves.size());
    const ExecutedBlock executed = chain.Commit(records);
    for (const Record& record : records) leaves.push_back(LeafHash(AsBytes(record.leaf)));
    const std::string seal =
        EncodeSealLeaf(executed.block->header_bytes(), previous_seal, first, count);
    previous_seal = LeafHash(AsBytes(seal));
    leaves.push_back(previous_seal);
    CHECK(executed.first_index == first);
    CHECK(executed.seal_leaf == previous_seal);
    CHECK(chain.reader().GetBlock(executed.block->height())->seal_leaf == previous_seal);
    CHECK(executed.tip.tree.size() == leaves.size());
    CHECK(executed.tip.tree.Root() == MerkleRoot(leaves));
  }
  CHECK(chain.tip().event_count == 10);

  const ChainReader reader = chain.reader();
  const BlockInfo third = reader.GetBlock(Height(3)).value();
  CHECK(third.first_index == RecordIndex(4));
  CHECK(third.record_count == 3);
  CHECK(third.event_count == 6);
  CHECK(third.position == chain.position(3));
  CHECK(third.frame_bytes == chain.blocks()[2]->frame().size());
  CHECK(third.event_time_min == kTestTimeMillis * 1'000'000 + 5);
  CHECK(third.event_time_max == kTestTimeMillis * 1'000'000 + 10);
  CHECK(third.state_digest == chain.tip().state_digest);
  CHECK(reader.GetBlock(Height(2)).value().event_time_min == 0);
  CHECK(reader.FindBlock(third.hash).value().height == Height(3));
  CHECK(absl::IsNotFound(reader.FindBlock(TestHash(1)).status()));
  CHECK(absl::IsNotFound(reader.GetBlock(Height(4)).status()));
  const std::vector<uint64_t> height_of_record = {1, 1, 1, 2, 3, 3, 3, 3};
  for (size_t i = 0; i < height_of_record.size(); ++i) {
    CHECK(reader.BlockOfRecord(RecordIndex(i)).value().height == Height(height_of_record[i]));
  }
  CHECK(absl::IsNotFound(reader.BlockOfRecord(RecordIndex(8)).status()));
  CHECK(absl::IsNotFound(reader.FindRecord(previous_seal).status()));
  CHECK(reader.GetResults(Height(3)).value().size() == 3);
  std::vector<Hash> results;
  for (const uint64_t height : {2, 3}) {
    const std::vector<RecordResult> of_block = reader.GetResults(Height(height)).value();
    for (const RecordResult& result : of_block) {
      results.push_back(LeafHash(AsBytes(EncodeResult(result))));
    }
  }
  CHECK(reader.ResultsRoot(Height(1), Height(3)).value() == MerkleRoot(results));
  CHECK(reader.ResultsRoot(Height(3), Height(3)).value() == MerkleRoot({}));
}

TEST_CASE("two executions of the same blocks give the same store to the last byte", "[state]") {
  VIGIL_TEST_SEED(seed, 5);
  const TestNetwork network;
  TestChain chain(&network);
  RandomTraffic traffic(&network, seed);
  SplitMix64 random(seed);
  std::map<ResultCode, int> seen;
  MemoryStore second_store;
  std::unique_ptr<ChainState> second = ChainState::Open(&second_store, &network.genesis()).value();
  for (int i = 0; i < 200; ++i) {
    const ExecutedBlock first = chain.Commit(traffic.ForBlock(chain.tip()), 1 + random.Below(70));
    for (const RecordResult& result : first.results) ++seen[result.code];
    // The second execution starts from bytes and is closed and opened now and then.
    const BlockPtr copy = Block::Decode(first.block->frame()).value();
    const ExecutedBlock again = second->Execute(copy, chain.position(i + 1)).value();
    REQUIRE(again.state_digest == first.state_digest);
    REQUIRE(again.results == first.results);
    if (i % 37 == 0) second = ChainState::Open(&second_store, &network.genesis()).value();
  }
  CHECK(Contents(second_store) == Contents(*chain.store()));
  for (uint8_t code = 1; code <= 8; ++code) {
    INFO(ResultCodeName(static_cast<ResultCode>(code)));
    CHECK(seen[static_cast<ResultCode>(code)] > 0);
  }
}

TEST_CASE("the state digest is the chain of the write sets that the store shows", "[state]") {
  VIGIL_TEST_SEED(seed, 6);
  const TestNetwork network;
  TestChain chain(&network);
  RandomTraffic traffic(&network, seed);
  std::map<std::string, std::string> before = Contents(*chain.store());
  Hash digest = network.genesis().genesis_hash;
  WriteSet genesis_writes;
  for (const auto& [key, value] : before) {
    if (key[0] == 's') genesis_writes[key.substr(1)] = value;
  }
  digest = NextStateDigest(digest, genesis_writes);
  REQUIRE(chain.tip().state_digest == digest);
  for (int i = 0; i < 60; ++i) {
    chain.Commit(traffic.ForBlock(chain.tip()));
    const std::map<std::string, std::string> after = Contents(*chain.store());
    // No module writes a value that was there already, so the difference is the write set.
    WriteSet writes;
    for (const auto& [key, value] : after) {
      const auto old = before.find(key);
      if (key[0] == 's' && (old == before.end() || old->second != value)) {
        writes[key.substr(1)] = value;
      }
    }
    for (const auto& [key, value] : before) {
      if (key[0] == 's' && !after.contains(key)) writes[key.substr(1)] = std::nullopt;
    }
    digest = NextStateDigest(digest, writes);
    INFO("block " << i + 1);
    REQUIRE(chain.tip().state_digest == digest);
    before = after;
  }
}

TEST_CASE("a failed write leaves the tip and latches", "[state]") {
  const TestNetwork network;
  FailingStore store;
  TestChain chain(&network, &store);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1)});
  const std::map<std::string, std::string> before = Contents(store);
  const BlockPtr next = chain.Next({stream.Batch(1)});
  store.write_status = absl::UnavailableError("no space");
  CHECK(absl::IsUnavailable(chain.state()->Execute(next, {5}).status()));
  CHECK(chain.tip().height == Height(1));
  CHECK(Contents(store) == before);
  store.write_status = absl::OkStatus();
  const int writes = store.write_count;
  CHECK(absl::IsUnavailable(chain.state()->Execute(next, {5}).status()));
  CHECK(store.write_count == writes);
  std::unique_ptr<ChainState> reopened = ChainState::Open(&store, &network.genesis()).value();
  CHECK(reopened->Execute(next, {5}).ok());
  CHECK(store.write_count == writes + 1);
}

// Keeps the first `writes_left` writes and loses the others, as a crash does that nobody hears of.
class LosingStore final : public Store {
 public:
  explicit LosingStore(int writes_left) : writes_left_(writes_left) {}
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return seen_.Get(key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const std::function<bool(absl::string_view key, absl::string_view value)>&
                        visit) const override {
    return seen_.Scan(from, to, reverse, visit);
  }
  absl::Status Write(const StoreBatch& batch) override {
    if (writes_left_-- > 0) RETURN_IF_ERROR(kept_.Write(batch));
    return seen_.Write(batch);
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  std::unique_ptr<StoreReader> Snapshot() const override { return seen_.Snapshot(); }
  // What a start finds.
  Store* kept() { return &kept_; }

 private:
  int writes_left_;
  MemoryStore seen_;
  MemoryStore kept_;
};

TEST_CASE("a crash between any two writes leaves state and height of one block", "[state]") {
  constexpr int kBlocks = 6;
  const TestNetwork network;
  // What the store holds after each block.
  std::vector<std::map<std::string, std::string>> whole;
  std::vector<BlockPtr> blocks;
  {
    MemoryStore store;
    TestChain chain(&network, &store);
    TestStream stream(&network, "acme/fw-1", "conn");
    whole.push_back(Contents(store));
    for (int i = 0; i < kBlocks; ++i) {
      blocks.push_back(chain.Commit({stream.Batch(2)}).block);
      whole.push_back(Contents(store));
    }
  }
  // One write for genesis, and one for each block.
  for (int writes = 1; writes <= kBlocks + 1; ++writes) {
    INFO(writes << " writes");
    LosingStore store(writes);
    {
      const auto state = ChainState::Open(&store, &network.genesis());
      REQUIRE(state.ok());
      for (size_t i = 0; i < blocks.size(); ++i) {
        REQUIRE((*state)->Execute(blocks[i], {2000 * i}).ok());
      }
    }
    const auto again = ChainState::Open(store.kept(), &network.genesis());
    REQUIRE(again.ok());
    const size_t height = (*again)->tip().height.value();
    CHECK(height == static_cast<size_t>(writes - 1));
    CHECK(Contents(*store.kept()) == whole[height]);
    for (size_t i = height; i < blocks.size(); ++i) {
      REQUIRE((*again)->Execute(blocks[i], {2000 * i}).ok());
    }
    CHECK(Contents(*store.kept()) == whole.back());
  }
}

TEST_CASE("a block that does not continue the tip is refused and harmless", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1)});
  chain.Commit({stream.Batch(1)}, 1);
  const BlockHeader good = chain.NextHeader();
  const auto refused = [&](const std::function<void(BlockHeader*)>& edit, absl::string_view word) {
    BlockHeader header = good;
    edit(&header);
    const absl::Status status = chain.state()->Execute(chain.Make(header, {}), {9}).status();
    INFO(status);
    CHECK(absl::IsInvalidArgument(status));
    CHECK(status.message().find(word) != absl::string_view::npos);
    CHECK(chain.tip().height == Height(2));
  };
  refused([](BlockHeader* h) { h->height = Height(4); }, "tip is at height 2");
  refused([](BlockHeader* h) { h->height = Height(2); }, "tip is at height 2");
  refused([](BlockHeader* h) { h->parent_hash = TestHash(1); }, "parent");
  refused([](BlockHeader* h) { h->chain_id = TestHash(1); }, "chain id");
  refused([](BlockHeader* h) { h->parent_view = View(2); }, "view");
  refused([](BlockHeader* h) { h->view = View(0); }, "view");
  refused([](BlockHeader* h) { h->time_unix_millis = kTestTimeMillis; }, "time");
  refused([](BlockHeader* h) { h->executed_height = Height(3); }, "executed height 3");
  refused([](BlockHeader* h) { h->executed_height = Height(0); }, "executed height 0");
  refused([](BlockHeader* h) { h->validator_set_hash = TestHash(1); }, "validator set");
  BlockHeader unknown_proposer = good;
  unknown_proposer.proposer = ValidatorIndex(3);
  const BlockPtr foreign = Block::Make(unknown_proposer, {}, network.consensus_key(0));
  CHECK(absl::IsInvalidArgument(chain.state()->Execute(foreign, {9}).status()));
  CHECK(chain.Add(chain.Make(good, {})).ok());
}

TEST_CASE("execution may lag by the limit and not by more", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  for (int i = 0; i < 63; ++i) chain.Commit({}, 64);
  CHECK(chain.tip().executed_in_header == Height(0));
  BlockHeader at_limit = chain.NextHeader(64);
  CHECK(at_limit.executed_height == Height(0));
  REQUIRE(chain.Add(chain.Make(at_limit, {})).ok());
  BlockHeader beyond = chain.NextHeader(65);
  CHECK(beyond.executed_height == Height(0));
  CHECK(absl::IsInvalidArgument(chain.state()->Execute(chain.Make(beyond, {}), {1}).status()));
  CHECK(chain.Add(chain.Next({}, 64)).ok());
}

TEST_CASE("a key that nobody enrolled makes the block inadmissible", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  HeartbeatBody body;
  body.stream = "conn";
  body.sequence = 1;
  std::array<uint8_t, 32> seed;
  seed.fill(0xEE);
  const Record record = {SignRecord(body, network.genesis().chain_id, SigningKey::FromSeed(seed)),
                         ""};
  const absl::Status status = chain.state()->Execute(chain.Next({record}), {1}).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK(status.message().find(SigningKey::FromSeed(seed).id().ToHex()) != absl::string_view::npos);
  CHECK(chain.tip().height == Height(0));
}

TEST_CASE("a header that disagrees about state stops the node and names both digests", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1)});
  BlockHeader header = chain.NextHeader();
  const std::string ours = header.state_digest.ToHex();
  SECTION("about the digest") { header.state_digest = TestHash(0xAB); }
  SECTION("about the results") { header.results_root = TestHash(0xAB); }
  const absl::Status status = chain.state()->Execute(chain.Make(header, {}), {1}).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(status.message().find("state divergence at height 1") != absl::string_view::npos);
  CHECK(status.message().find(TestHash(0xAB).ToHex()) != absl::string_view::npos);
  if (header.state_digest == TestHash(0xAB)) {
    CHECK(status.message().find(ours) != absl::string_view::npos);
  }
  CHECK(chain.tip().height == Height(1));
  // Latched: even the right block is not executed any more.
  CHECK(absl::IsDataLoss(chain.state()->Execute(chain.Next({}), {1}).status()));
}

TEST_CASE("a store opens only whole and only for its own chain", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  for (int i = 0; i < 5; ++i) chain.Commit({stream.Batch(1)});
  Store* const store = chain.store();
  const auto status = [&] { return ChainState::Open(store, &network.genesis()).status(); };
  REQUIRE(status().ok());
  SECTION("another genesis") {
    const TestNetwork other(4);
    const absl::Status refused = ChainState::Open(store, &other.genesis()).status();
    CHECK(absl::IsFailedPrecondition(refused));
    CHECK(refused.message().find(network.genesis().chain_id.ToHex()) != absl::string_view::npos);
    CHECK(refused.message().find(other.genesis().chain_id.ToHex()) != absl::string_view::npos);
  }
  SECTION("a mark missing in the middle") {
    Edit(store, StoreNumberKey(Space::kMark, 3), std::nullopt);
    CHECK(absl::IsDataLoss(status()));
    CHECK(status().message().find("height 3") != absl::string_view::npos);
  }
  SECTION("the last mark missing") {
    Edit(store, StoreNumberKey(Space::kMark, 5), std::nullopt);
    CHECK(absl::IsDataLoss(status()));
  }
  SECTION("a mark beyond the tip") {
    Edit(store, StoreNumberKey(Space::kMark, 6), std::string(TestHash(1).view()));
    CHECK(absl::IsDataLoss(status()));
  }
  SECTION("the tip's entry missing") {
    Edit(store, StoreNumberKey(Space::kBlock, 5), std::nullopt);
    CHECK(absl::IsDataLoss(status()));
  }
  SECTION("a malformed tip") {
    Edit(store, StoreTipKey(), "short");
    CHECK(absl::IsDataLoss(status()));
  }
  SECTION("a tip of another block") {
    std::string tip = *store->Get(StoreTipKey()).value();
    tip[20] = static_cast<char>(tip[20] ^ 1);
    Edit(store, StoreTipKey(), tip);
    CHECK(absl::IsDataLoss(status()));
  }
  SECTION("keys without a chain") {
    Edit(store, StoreChainKey(), std::nullopt);
    CHECK(absl::IsDataLoss(status()));
  }
}

TEST_CASE("undo images and nothing else of single blocks are dropped behind the lag", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  for (int i = 0; i < 70; ++i) chain.Commit({});
  const ChainReader reader = chain.reader();
  CHECK(absl::IsNotFound(reader.GetUndo(Height(6)).status()));
  CHECK(reader.GetUndo(Height(7)).ok());
  CHECK(reader.GetUndo(Height(70)).ok());
  CHECK(reader.GetBlock(Height(1)).ok());
  CHECK(reader.GetResults(Height(1)).ok());
}

TEST_CASE("a snapshot keeps answering from its moment", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1)});
  const std::shared_ptr<const ChainReader> snapshot = chain.state()->Snapshot();
  chain.Commit({stream.Batch(1)});
  CHECK(snapshot->GetTip().value().height == Height(1));
  CHECK(snapshot->GetStreamHead("acme/fw-1", "conn").value().sequence == 1);
  CHECK(absl::IsNotFound(snapshot->GetBlock(Height(2)).status()));
  CHECK(chain.state()->Snapshot()->GetTip().value().height == Height(2));
}

}  // namespace vigil::ledger
