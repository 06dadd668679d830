// What the oracle takes for a broken promise where sets of validators change: blocks made by hand.
#include "tests/sim/set_watch.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "ledger/chain/block.h"
#include "ledger/chain/epoch.h"
#include "tests/sim/test_network.h"
#include "tests/sim/wire_watch.h"
#include "tests/support/catch.h"

namespace vigil::sim {
namespace {

// Three validators of three organisations, and a newcomer.
struct Fixture {
  TestNetwork network{{.validators = 3, .newcomers = 1, .organisations = 3}};
  SetWatch::Set first = SetOf({0, 1, 2});
  SetWatch::Set next = SetOf({0, 1, 2, 3});
  SetWatch watch{first};
  ledger::BlockId last{Height(0), View(0), network.genesis().genesis_hash};

  Fixture() {
    watch.OnProposal("first", 1, next, "acme");
    watch.OnBallot("first", "bravo", true);
    watch.OnBallot("first", "coda", false);
  }
  SetWatch::Set SetOf(const std::vector<uint32_t>& nodes) const {
    SetWatch::Set set;
    set.nodes = nodes;
    for (const uint32_t node : nodes) set.members.push_back(network.entry(node));
    return set;
  }
  ledger::BlockHeader Header(uint64_t epoch, const SetWatch::Set& set,
                             const SetWatch::Set& after) const {
    ledger::BlockHeader header;
    header.epoch = Epoch(epoch);
    header.view = View(1);
    header.height = last.height.Next();
    header.parent_hash = last.hash;
    header.validator_set_hash = ledger::HashValidatorSet(set.members);
    header.next_validator_set_hash = ledger::HashValidatorSet(after.members);
    return header;
  }
  // Sent and executed, signed by node `signer`.
  std::string Run(const ledger::BlockHeader& header, uint32_t signer = 0) {
    const ledger::BlockPtr block = ledger::Block::Make(header, {}, network.consensus_key(signer));
    std::string wrong = watch.OnBlockFrame(block->frame());
    if (!wrong.empty()) return wrong;
    last = block->id();
    return watch.OnExecuted(last.height.value(), last.hash, last.height.value());
  }
};

TEST_CASE("set watch: an approved set follows its sealing block", "[sim][sets]") {
  Fixture t;
  CHECK(t.Run(t.Header(1, t.first, t.first)).empty());
  CHECK(t.Run(t.Header(1, t.first, t.next)).empty());
  CHECK(t.watch.epoch() == 2);
  ledger::BlockHeader of_newcomer = t.Header(2, t.next, t.next);
  of_newcomer.proposer = ValidatorIndex(3);
  CHECK(t.Run(of_newcomer, /*signer=*/3).empty());
  CHECK(t.watch.Finish(3).empty());
  CHECK_FALSE(t.watch.Finish(4).empty());
  CHECK(t.watch.everybody().size() == 4);
}

TEST_CASE("set watch: a block belongs to the epoch and set of its height", "[sim][sets]") {
  Fixture t;
  CHECK(t.Run(t.Header(1, t.first, t.first)).empty());
  SECTION("of the next epoch before a block has sealed") {
    CHECK(absl::StrContains(t.Run(t.Header(2, t.next, t.next)), "executed in epoch 1"));
  }
  SECTION("of the epoch before behind its sealing block") {
    CHECK(t.Run(t.Header(1, t.first, t.next)).empty());
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, t.first)), "executed in epoch 2"));
  }
  SECTION("a closing block") {
    CHECK(t.Run(t.Header(1, t.first, t.next)).empty());
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, t.next)), "executed in epoch 2"));
  }
  SECTION("another set") {
    CHECK(absl::StrContains(t.Run(t.Header(1, t.next, t.next)), "another set"));
  }
  SECTION("of somebody outside the set") {
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, t.first), /*signer=*/3), "not signed"));
  }
  SECTION("of a number that the set does not have") {
    ledger::BlockHeader header = t.Header(1, t.first, t.first);
    header.proposer = ValidatorIndex(3);
    CHECK(absl::StrContains(t.Run(header, /*signer=*/3), "validator 3 of 3"));
  }
}

TEST_CASE("set watch: only a set that most organisations approve follows", "[sim][sets]") {
  Fixture t;
  const SetWatch::Set other = t.SetOf({0, 1});
  SECTION("one that nobody proposed") {
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, other)), "no majority"));
  }
  SECTION("one that only its proposer wants") {
    t.watch.OnProposal("second", 1, other, "coda");
    t.watch.OnBallot("second", "acme", false);
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, other)), "no majority"));
  }
  SECTION("one that an organisation without validator approves") {
    CHECK(t.Run(t.Header(1, t.first, t.next)).empty());
    t.watch.OnProposal("third", 2, other, "coda");
    t.watch.OnBallot("third", "delta", true);
    CHECK(absl::StrContains(t.Run(t.Header(2, t.next, other)), "no majority"));
  }
  SECTION("one that was approved for another epoch") {
    t.watch.OnProposal("second", 2, other, "coda");
    t.watch.OnBallot("second", "acme", true);
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, other)), "no majority"));
  }
  SECTION("a second one beside another") {
    t.watch.OnProposal("second", 1, other, "coda");
    t.watch.OnBallot("second", "acme", true);
    const ledger::BlockPtr sent =
        ledger::Block::Make(t.Header(1, t.first, other), {}, t.network.consensus_key(0));
    CHECK(t.watch.OnBlockFrame(sent->frame()).empty());
    CHECK(absl::StrContains(t.Run(t.Header(1, t.first, t.next)), "another next set"));
  }
}

// A block with an announcement of node `i`, of its `number`-th key.
ledger::Record Announcement(const Fixture& t, uint32_t i, uint32_t number, uint64_t epoch = 1) {
  ledger::KeySeed seed = TestNetwork::CosignerSeed(i);
  seed[2] = static_cast<uint8_t>(number);
  ledger::CosignerKeyBody body;
  body.epoch = epoch;
  body.number = number;
  body.cosigner_key = ledger::SigningKey::FromSeed(seed).public_key();
  body.proof.bytes.fill(1);
  return {.leaf = ledger::SignRecord(body, t.network.genesis().chain_id, t.network.record_key(i)),
          .payload = ""};
}

// `set` with the `number`-th key of node `i`, which is the `place`-th in it.
SetWatch::Set Renewed(SetWatch::Set set, uint32_t i, uint32_t number, size_t place) {
  ledger::KeySeed seed = TestNetwork::CosignerSeed(i);
  seed[2] = static_cast<uint8_t>(number);
  set.members[place].cosigner_key = ledger::SigningKey::FromSeed(seed).public_key();
  return set;
}

TEST_CASE("set watch: who stays has the key that it announced before the approval", "[sim][sets]") {
  Fixture t;
  const auto run = [&](const SetWatch::Set& after, uint64_t executed,
                       const std::vector<ledger::Record>& records = {}) {
    ledger::BlockHeader header = t.Header(1, t.first, after);
    header.executed_height = Height(executed);
    std::vector<const ledger::Record*> pointers;
    for (const ledger::Record& record : records) pointers.push_back(&record);
    const ledger::BlockPtr block =
        ledger::Block::Make(header, pointers, t.network.consensus_key(0));
    std::string wrong = t.watch.OnBlockFrame(block->frame());
    if (!wrong.empty()) return wrong;
    t.last = block->id();
    return t.watch.OnExecuted(t.last.height.value(), t.last.hash, t.last.height.value());
  };
  CHECK(run(t.first, 0, {Announcement(t, 1, 1)}).empty());
  CHECK(run(t.first, 1, {Announcement(t, 1, 2), Announcement(t, 2, 1, /*epoch=*/2)}).empty());
  CHECK(run(t.first, 2, {Announcement(t, 0, 1)}).empty());
  SECTION("the last one") {
    CHECK(run(Renewed(t.next, 1, 2, 1), 2).empty());
    CHECK(t.watch.epoch() == 2);
    CHECK(t.watch.set().members[1] == Renewed(t.next, 1, 2, 1).members[1]);
  }
  SECTION("one that came as the set was approved may count") {
    CHECK(run(Renewed(Renewed(t.next, 1, 2, 1), 0, 1, 0), 3).empty());
  }
  SECTION("or may not") { CHECK(run(Renewed(t.next, 1, 2, 1), 3).empty()); }
  SECTION("one that came after the approval") {
    CHECK(absl::StrContains(run(Renewed(Renewed(t.next, 1, 2, 1), 0, 1, 0), 2), "no majority"));
  }
  SECTION("one that another followed") {
    CHECK(absl::StrContains(run(Renewed(t.next, 1, 1, 1), 2), "no majority"));
  }
  SECTION("none at all") { CHECK(absl::StrContains(run(t.next, 2), "no majority")); }
  SECTION("one for another epoch") {
    CHECK(absl::StrContains(run(Renewed(Renewed(t.next, 1, 2, 1), 2, 1, 2), 2), "no majority"));
  }
  SECTION("one of a newcomer") {
    CHECK(absl::StrContains(run(Renewed(Renewed(t.next, 1, 2, 1), 3, 1, 3), 2), "no majority"));
  }
}

TEST_CASE("set watch: nothing of an epoch reaches beyond its end", "[sim][sets]") {
  Fixture t;
  CHECK(t.Run(t.Header(1, t.first, t.next)).empty());
  CHECK(t.watch.OnAppend(1, 1).empty());
  CHECK(t.watch.OnCosigned(1, 1).empty());
  CHECK(t.watch.OnAppend(2, 2).empty());
  CHECK(t.watch.OnCosigned(2, 2).empty());
  CHECK(absl::StrContains(t.watch.OnAppend(1, 2), "calls block 2 committed"));
  CHECK(absl::StrContains(SetWatch(t.watch).OnCosigned(1, 2), "block 2 committed"));
}

TEST_CASE("set watch: what was said before an epoch ended counts when it has", "[sim][sets]") {
  Fixture t;
  const bool cosigned = GENERATE(false, true);
  CHECK((cosigned ? t.watch.OnCosigned(1, 2) : t.watch.OnAppend(1, 2)).empty());
  CHECK(absl::StrContains(t.Run(t.Header(1, t.first, t.next)), cosigned ? "cosigns 2" : "block 2"));
}

TEST_CASE("set watch: who was removed and who was replaced is told apart", "[sim][sets]") {
  Fixture t;
  SetWatch::Set replaced = t.SetOf({0, 1, 3});
  replaced.members[2].name = "v2";
  replaced.members[2].org = t.network.entry(2).org;
  t.watch.OnProposal("second", 1, replaced, "acme");
  t.watch.OnBallot("second", "coda", true);
  CHECK(t.Run(t.Header(1, t.first, replaced)).empty());
  CHECK(t.watch.WasUntil(2) == 1);
  CHECK_FALSE(t.watch.WasUntil(3).has_value());
  CHECK(t.watch.IsReplaced(2));
  CHECK_FALSE(t.watch.IsReplaced(1));
  t.watch.OnProposal("third", 2, t.SetOf({1, 3}), "acme");
  t.watch.OnBallot("third", "bravo", true);
  t.watch.OnBallot("third", "coda", true);
  CHECK(t.Run(t.Header(2, replaced, t.SetOf({1, 3}))).empty());
  CHECK(t.watch.WasUntil(0) == 2);
  CHECK_FALSE(t.watch.IsReplaced(0));
  CHECK(t.watch.smallest() == 2);
}

}  // namespace
}  // namespace vigil::sim
