#include "ledger/state/streams.h"

#include <map>
#include <tuple>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/log/merkle.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

Hash LeafOf(const Record& record) { return LeafHash(AsBytes(record.leaf)); }

Record Reset(const TestNetwork& network, const std::string& admin, const std::string& identity,
             uint64_t head, const std::string& reason = "disk lost") {
  StreamResetBody body;
  body.identity = identity;
  body.stream = "conn";
  body.head_sequence = head;
  body.reason = reason;
  return network.Sign(body, admin);
}

// The rule again, slow and obvious: the list of leaf hashes that were OK, and what must come before
// the next.
struct ModelStream {
  std::vector<Hash> accepted;
  Hash previous;
  std::vector<Hash> resets;

  ResultCode Step(uint64_t sequence, const Hash& named_previous, const Hash& leaf) {
    if (sequence <= accepted.size()) {
      return accepted[sequence - 1] == leaf ? ResultCode::kDuplicate : ResultCode::kConflict;
    }
    if (sequence != accepted.size() + 1 || named_previous != previous) return ResultCode::kGapped;
    accepted.push_back(leaf);
    previous = leaf;
    return ResultCode::kOk;
  }
  ResultCode Reset(uint64_t head, const Hash& leaf) {
    for (const Hash& known : resets) {
      if (known == leaf) return ResultCode::kDuplicate;
    }
    if (accepted.empty()) return ResultCode::kNotFound;
    if (head != accepted.size()) return ResultCode::kStale;
    resets.push_back(leaf);
    previous = leaf;
    return ResultCode::kOk;
  }
};

}  // namespace

TEST_CASE("a stream is OK exactly in sequence", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  const Record first = stream.Batch(3);
  const RecordResult opened = chain.CommitOne(first);
  CHECK(opened.code == ResultCode::kOk);
  CHECK(opened.signer == "acme/fw-1");
  CHECK(opened.effects == std::vector<Effect>{{EffectType::kStreamOpened, 0, ""}});
  const RecordResult second = chain.CommitOne(stream.Heartbeat());
  CHECK(second.code == ResultCode::kOk);
  CHECK(second.effects.empty());
  CHECK(chain.CommitOne(stream.Gap(5)).code == ResultCode::kOk);
  const StreamHead head = chain.reader().GetStreamHead("acme/fw-1", "conn").value();
  CHECK(head.sequence == 3);
  CHECK(head.leaf_hash == stream.previous());
  CHECK(head.record_index == RecordIndex(4));

  SECTION("the same bytes again are a duplicate and change nothing") {
    CHECK(chain.CommitOne(first).code == ResultCode::kDuplicate);
    CHECK(chain.reader().GetStreamHead("acme/fw-1", "conn").value().sequence == 3);
    CHECK(chain.reader().FindRecord(LeafOf(first)).value() == RecordIndex(0));
  }
  SECTION("other bytes under a taken sequence are a conflict") {
    TestStream fork(&network, "acme/fw-1", "conn");
    fork.Batch(1);
    CHECK(chain.CommitOne(fork.MakeBatch(2)).code == ResultCode::kConflict);
    CHECK(chain.reader().GetStreamHead("acme/fw-1", "conn").value().leaf_hash == stream.previous());
  }
  SECTION("a sequence beyond the next is gapped") {
    TestStream ahead = stream;
    ahead.Batch(1);
    CHECK(chain.CommitOne(ahead.Batch(1)).code == ResultCode::kGapped);
  }
  SECTION("the next sequence on another previous hash is gapped") {
    TestStream fork = stream;
    fork.Seek(3, TestHash(1));
    CHECK(chain.CommitOne(fork.Batch(1)).code == ResultCode::kGapped);
    CHECK(chain.CommitOne(stream.Batch(1)).code == ResultCode::kOk);
  }
  SECTION("a stream of the same name belongs to another identity") {
    TestStream other(&network, "acme/fw-2", "conn");
    CHECK(chain.CommitOne(other.Batch(1)).code == ResultCode::kOk);
  }
}

TEST_CASE("a record that was gapped and comes again in place is found where it was OK", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  const Record first = stream.Batch(1);
  const Record second = stream.Batch(1);
  CHECK(chain.CommitOne(second).code == ResultCode::kGapped);
  CHECK(chain.reader().FindRecord(LeafOf(second)).value() == RecordIndex(0));
  const ExecutedBlock block = chain.Commit({first, second, second});
  CHECK(block.results[0].code == ResultCode::kOk);
  CHECK(block.results[1].code == ResultCode::kOk);
  CHECK(block.results[2].code == ResultCode::kDuplicate);
  CHECK(chain.reader().FindRecord(LeafOf(second)).value() == RecordIndex(3));
}

TEST_CASE("a record that comes twice in one block is found where it was OK", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  const Record first = stream.Batch(1);
  const Record second = stream.Batch(1);
  const ExecutedBlock block = chain.Commit({second, first, first, second, second});
  const std::vector<ResultCode> expected = {ResultCode::kGapped, ResultCode::kOk,
                                            ResultCode::kDuplicate, ResultCode::kOk,
                                            ResultCode::kDuplicate};
  for (size_t i = 0; i < expected.size(); ++i) CHECK(block.results[i].code == expected[i]);
  CHECK(chain.reader().FindRecord(LeafOf(first)).value() == RecordIndex(1));
  CHECK(chain.reader().FindRecord(LeafOf(second)).value() == RecordIndex(3));
}

TEST_CASE("only a sensor may write to a stream", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  for (const char* identity : {"acme/eve", "acme/root", "acme/v0"}) {
    TestStream stream(&network, identity, "conn");
    const RecordResult result = chain.CommitOne(stream.Batch(1));
    CHECK(result.code == ResultCode::kPermissionDenied);
    CHECK(result.signer == identity);
    CHECK(chain.reader().GetStreamHead(identity, "conn").value().sequence == 0);
  }
}

TEST_CASE("a reset lets the stream go on from the reset record alone", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1), stream.Batch(1)});
  const Record lost = stream.MakeBatch(1);
  const Record reset = Reset(network, "acme/root", "acme/fw-1", 2);
  const RecordResult result = chain.CommitOne(reset);
  REQUIRE(result.code == ResultCode::kOk);
  CHECK(result.effects == std::vector<Effect>{{EffectType::kStreamReset, 3, ""}});
  CHECK(chain.CommitOne(lost).code == ResultCode::kGapped);
  stream.Seek(2, LeafOf(reset));
  CHECK(chain.CommitOne(stream.Batch(1)).code == ResultCode::kOk);

  SECTION("an old reset cannot be replayed") {
    CHECK(chain.CommitOne(reset).code == ResultCode::kDuplicate);
    CHECK(chain.CommitOne(stream.Batch(1)).code == ResultCode::kOk);
  }
}

TEST_CASE("a replayed reset does not undo a later one at the same head", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1)});
  const Record old_reset = Reset(network, "acme/root", "acme/fw-1", 1, "first");
  const Record new_reset = Reset(network, "acme/root", "acme/fw-1", 1, "second");
  CHECK(chain.CommitOne(old_reset).code == ResultCode::kOk);
  CHECK(chain.CommitOne(new_reset).code == ResultCode::kOk);
  CHECK(chain.CommitOne(old_reset).code == ResultCode::kDuplicate);
  stream.Seek(1, LeafOf(new_reset));
  CHECK(chain.CommitOne(stream.Batch(1)).code == ResultCode::kOk);
}

TEST_CASE("a reset is refused for whom and what it does not fit", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1), stream.Batch(1)});
  const auto code = [&](const std::string& admin, const std::string& identity, uint64_t head) {
    return chain.CommitOne(Reset(network, admin, identity, head)).code;
  };
  CHECK(code("globex/root", "acme/fw-1", 2) == ResultCode::kPermissionDenied);
  CHECK(code("acme/fw-1", "acme/fw-1", 2) == ResultCode::kPermissionDenied);
  CHECK(code("acme/root", "no-slash", 2) == ResultCode::kPermissionDenied);
  CHECK(code("acme/root", "acme/fw-2", 2) == ResultCode::kNotFound);
  CHECK(code("acme/root", "acme/fw-1", 1) == ResultCode::kStale);
  CHECK(code("acme/root", "acme/fw-1", 3) == ResultCode::kStale);
  CHECK(chain.reader().GetStreamHead("acme/fw-1", "conn").value().leaf_hash == stream.previous());
}

TEST_CASE("random streams are judged as the slow model judges them", "[state]") {
  VIGIL_TEST_SEED(seed, 42);
  SplitMix64 random(seed);
  const TestNetwork network;
  TestChain chain(&network);
  const std::vector<std::string> identities = {"acme/fw-1", "acme/fw-2"};
  std::map<std::string, ModelStream> models;
  std::vector<std::pair<std::string, Record>> sent;
  uint64_t nonce = 1;
  std::map<ResultCode, int> seen;
  for (int block = 0; block < 150; ++block) {
    std::vector<Record> records;
    std::vector<ResultCode> expected;
    for (uint64_t i = random.Below(6); i > 0; --i) {
      std::string identity = identities[random.Below(2)];
      Record record;
      if (!sent.empty() && random.Chance(250)) {
        std::tie(identity, record) = sent[random.Below(sent.size())];
      } else if (random.Chance(100)) {
        record = Reset(network, "acme/root", identity,
                       models[identity].accepted.size() + random.Below(2),
                       absl::StrCat("reason ", random.Below(3)));
      } else {
        const ModelStream& model = models[identity];
        TestStream writer(&network, identity, "conn");
        const uint64_t head = model.accepted.size();
        const uint64_t before = random.Chance(600) ? head : random.Below(head + 3);
        Hash previous = before == 0 ? Hash{} : model.previous;
        if (before != 0 && (previous.IsZero() || random.Chance(150))) previous = TestHash(0xEE);
        writer.NumberEventsFrom(nonce++);
        writer.Seek(before, previous);
        record = writer.MakeBatch(1);
      }
      const RecordView view = DecodeRecord(AsBytes(record.leaf)).value();
      ModelStream& model = models[identity];
      if (const auto* reset = std::get_if<StreamResetBody>(&view.body)) {
        expected.push_back(model.Reset(reset->head_sequence, LeafOf(record)));
      } else {
        const auto& batch = std::get<EventBatchBody>(view.body);
        expected.push_back(model.Step(batch.sequence, batch.previous, LeafOf(record)));
      }
      records.push_back(record);
      sent.emplace_back(identity, record);
    }
    const ExecutedBlock executed = chain.Commit(records, 1 + random.Below(5));
    for (size_t i = 0; i < records.size(); ++i) {
      INFO("block " << block << " record " << i);
      REQUIRE(ResultCodeName(executed.results[i].code) == ResultCodeName(expected[i]));
      ++seen[expected[i]];
    }
  }
  for (const ResultCode code : {ResultCode::kOk, ResultCode::kDuplicate, ResultCode::kConflict,
                                ResultCode::kGapped, ResultCode::kStale}) {
    INFO(ResultCodeName(code));
    CHECK(seen[code] > 5);
  }
  for (const std::string& identity : identities) {
    const StreamHead head = chain.reader().GetStreamHead(identity, "conn").value();
    CHECK(head.sequence == models[identity].accepted.size());
    CHECK(head.leaf_hash == models[identity].previous);
  }
}

}  // namespace vigil::ledger
