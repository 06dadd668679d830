// The driver's small parts: reveal chain, block cache, pending submissions.
#include <vector>

#include "ledger/chain/header.h"
#include "node/driver/block_cache.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/final_waiters.h"
#include "node/driver/pending_submissions.h"
#include "node/driver/reveal_chain.h"
#include "tests/sim/test_network.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::Lane;

Hash Filled(uint8_t byte) {
  Hash hash;
  hash.bytes.fill(byte);
  return hash;
}

TEST_CASE("reveal chain: every element is the parent of the next and leads to the anchor",
          "[reveal]") {
  for (const uint64_t length : {1, 5, 1023, 1024, 1025, 3000}) {
    RevealChain chain(Filled(9), length);
    // Slowly, from the definition.
    std::vector<Hash> elements(length + 1);
    elements[length] = Filled(9);
    for (uint64_t i = length; i > 0; --i) elements[i - 1] = ledger::RevealParent(elements[i]);
    CHECK(chain.anchor() == elements[0]);
    for (const uint64_t height : {length, uint64_t{1}, length / 2, length - 1, uint64_t{0}}) {
      CHECK(chain.Element(Height(height)) == elements[height]);
    }
    CHECK(chain.Element(Height(length + 1)).IsZero());
  }
}

TEST_CASE("block cache: holds the newest blocks within its bytes", "[block_cache]") {
  const sim::TestNetwork network({.validators = 1});
  const auto block = [&](uint64_t height) {
    ledger::BlockHeader header;
    header.height = Height(height);
    header.view = View(1);
    return ledger::Block::Make(header, {}, network.consensus_key(0));
  };
  const size_t size = block(1)->frame().size();
  BlockCache cache(3 * size);
  std::vector<ledger::BlockPtr> blocks;
  for (uint64_t height = 1; height <= 5; ++height) {
    blocks.push_back(block(height));
    cache.Add(blocks.back());
    cache.Add(blocks.back());  // Counts once.
    CHECK(cache.bytes() <= 3 * size);
  }
  CHECK(cache.Find(blocks[0]->hash()) == nullptr);
  CHECK(cache.Find(blocks[1]->hash()) == nullptr);
  CHECK(cache.Find(blocks[2]->hash()) == blocks[2]);
  CHECK(cache.Find(blocks[4]->hash()) == blocks[4]);
}

TEST_CASE("pending submissions: everybody who waits is answered exactly once", "[pending]") {
  PendingSubmissions pending({4096, 4096, 4096});
  int answered = 0;
  const SubmitDone done = [&](const SubmitOutcome& outcome) {
    CHECK(outcome.receipt.record_index == RecordIndex(7));
    ++answered;
  };
  CHECK_FALSE(pending.Join(Filled(1), done));
  CHECK(pending.Register(Filled(1), Lane::kEvents, 100, done) ==
        PendingSubmissions::Registered::kNew);
  CHECK(pending.Register(Filled(1), Lane::kEvents, 100, done) ==
        PendingSubmissions::Registered::kJoined);
  CHECK(pending.Join(Filled(1), done));
  SubmitOutcome outcome;
  outcome.receipt.record_index = RecordIndex(7);
  pending.Answer(Filled(2), outcome);
  CHECK(answered == 0);
  pending.Answer(Filled(1), outcome);
  CHECK(answered == 3);
  pending.Answer(Filled(1), outcome);
  CHECK(answered == 3);
  CHECK(pending.empty());
  CHECK(pending.lane_bytes(Lane::kEvents) == 0);
}

TEST_CASE("pending submissions: a full lane refuses and others do not care", "[pending]") {
  PendingSubmissions pending({1000, 1000, 1000});
  const SubmitDone done = [](const SubmitOutcome&) {};
  CHECK(pending.Register(Filled(1), Lane::kEvents, 600, done) ==
        PendingSubmissions::Registered::kNew);
  CHECK(pending.Register(Filled(2), Lane::kEvents, 600, done) ==
        PendingSubmissions::Registered::kFull);
  CHECK(pending.Register(Filled(3), Lane::kAlerts, 600, done) ==
        PendingSubmissions::Registered::kNew);
  pending.Answer(Filled(1), {});
  CHECK(pending.Register(Filled(2), Lane::kEvents, 600, done) ==
        PendingSubmissions::Registered::kNew);
}

TEST_CASE("pending submissions: a callback may submit again", "[pending]") {
  PendingSubmissions pending({4096, 4096, 4096});
  bool again = false;
  pending.Register(Filled(1), Lane::kEvents, 10, [&](const SubmitOutcome&) {
    again = pending.Register(Filled(1), Lane::kEvents, 10, [](const SubmitOutcome&) {}) ==
            PendingSubmissions::Registered::kNew;
  });
  pending.Answer(Filled(1), {});
  CHECK(again);
}

TEST_CASE("pending submissions: closing answers all and refuses what comes later", "[pending]") {
  PendingSubmissions pending({4096, 4096, 4096});
  int answered = 0;
  const SubmitDone done = [&](const SubmitOutcome& outcome) {
    CHECK(outcome.error.code == "node.stopping");
    ++answered;
  };
  pending.Register(Filled(1), Lane::kEvents, 10, done);
  pending.Register(Filled(2), Lane::kAlerts, 10, done);
  SubmitOutcome stopping;
  stopping.error.code = "node.stopping";
  pending.Close(stopping);
  CHECK(answered == 2);
  CHECK(pending.Register(Filled(3), Lane::kEvents, 10, done) ==
        PendingSubmissions::Registered::kClosed);
  CHECK(answered == 2);
}

TEST_CASE("fatal latch: keeps the first error and tells once", "[fatal]") {
  int told = 0;
  FatalLatch latch([&](const absl::Status&) { ++told; });
  CHECK_FALSE(latch.failed());
  CHECK(latch.status().ok());
  latch.Fail(absl::DataLossError("first"));
  latch.Fail(absl::UnavailableError("second"));
  CHECK(latch.failed());
  CHECK(latch.status().message() == "first");
  CHECK(told == 1);
}

TEST_CASE("final waiters: each callback is called once when its height is final") {
  FinalWaiters waiters;
  std::vector<int> called;
  const auto wait = [&](uint64_t height, int name) {
    waiters.Wait(Height(height), [&called, name](const ServiceError& error) {
      called.push_back(error.ok() ? name : -name);
    });
  };
  wait(3, 1);
  wait(2, 2);
  wait(5, 3);
  CHECK(called.empty());
  waiters.Advance(Height(3));
  CHECK(called == std::vector<int>{2, 1});
  wait(3, 4);  // It is final already.
  CHECK(called.back() == 4);
  waiters.Advance(Height(2));  // Never back.
  CHECK(waiters.height() == Height(3));
  ServiceError stopping;
  stopping.status = absl::StatusCode::kUnavailable;
  waiters.Close(stopping);
  CHECK(called == std::vector<int>{2, 1, 4, -3});
  wait(9, 5);
  wait(1, 6);
  CHECK(called == std::vector<int>{2, 1, 4, -3, -5, 6});
}

TEST_CASE("final waiters: too many are told to come again") {
  FinalWaiters waiters;
  size_t refused = 0;
  for (size_t i = 0; i < kFinalWaitersMax + 3; ++i) {
    waiters.Wait(Height(1), [&](const ServiceError& error) {
      if (error.ok()) return;
      CHECK(error.code == "final.full");
      CHECK(error.retry_after_millis > 0);
      ++refused;
    });
  }
  CHECK(refused == 3);
  waiters.Advance(Height(1));
  CHECK(refused == 3);
}

}  // namespace
}  // namespace vigil::node
