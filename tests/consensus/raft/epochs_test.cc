// What the core refuses at the end of an epoch and at the beginning of the next, message by
// message.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "consensus/raft/codec.h"
#include "consensus/raft/raft.h"
#include "ledger/chain/block.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/sha256.h"
#include "tests/consensus/raft/test_host.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

ValidatorIndex V(uint32_t index) { return ValidatorIndex(index); }

const BlockId kGenesis{Height(0), View(0), BlockMaker::GenesisHash()};

// Validator 0 of three.
RaftConfig ConfigOf(Epoch epoch = Epoch(1), const BlockId& epoch_base = {}) {
  RaftConfig config;
  config.genesis_hash = BlockMaker::GenesisHash();
  config.epoch = epoch;
  config.epoch_base = epoch_base;
  config.validator_count = 3;
  config.self = V(0);
  config.seed = 5;
  return config;
}

template <typename Body>
PeerMessage From(uint32_t from, uint64_t term, const Body& body, std::vector<BlockPtr> blocks = {},
                 Epoch epoch = Epoch(1)) {
  RaftMessage message;
  message.epoch = epoch;
  message.term = View(term);
  message.body = body;
  return PeerMessage{V(from), EncodeRaftMessage(message), std::move(blocks)};
}

RaftAppend AppendAfter(const BlockId& previous, uint32_t block_count, uint64_t committed = 0) {
  RaftAppend append;
  append.round = 1;
  append.previous = previous;
  append.block_count = block_count;
  append.committed = Height(committed);
  return append;
}

template <typename Body>
std::vector<Body> BodiesOf(const Output& output) {
  std::vector<Message> messages = output.send_now;
  messages.insert(messages.end(), output.send_when_durable.begin(), output.send_when_durable.end());
  std::vector<Body> bodies;
  for (const Message& message : messages) {
    const auto decoded = DecodeRaftMessage(message.header);
    REQUIRE(decoded.ok());
    if (const auto* body = std::get_if<Body>(&decoded->body)) bodies.push_back(*body);
  }
  return bodies;
}

std::vector<uint64_t> CommittedHeights(const Output& output) {
  std::vector<uint64_t> heights;
  for (const Committed& committed : output.committed) {
    heights.push_back(committed.block.height.value());
  }
  return heights;
}

Hash AnotherSet() { return ledger::Sha256(AsBytes("another set")); }

// Epoch 1 of two blocks, the second of which seals it, all of term 1 and by validator 1.
struct FirstEpoch {
  BlockMaker maker{3};
  BlockPtr first = maker.Make(kGenesis, View(1), V(1), 0);
  BlockPtr seal = maker.MakeIn(Epoch(1), /*seals=*/true, first->id(), View(1), V(1), 10);

  // As if read back from a journal.
  Recovered Read(uint64_t committed, bool with_seal, Epoch epoch) const {
    Recovered recovered;
    recovered.chain = {first->id()};
    if (with_seal) recovered.chain.push_back(seal->id());
    recovered.committed = Height(committed);
    if (with_seal && epoch == Epoch(1)) {
      recovered.sealing = seal->height();
      recovered.sealing_set = seal->header().validator_set_hash;
      recovered.sealing_next_set = seal->header().next_validator_set_hash;
    }
    return recovered;
  }
};

TEST_CASE("epoch header: a block seals when it names another set for what follows", "[consensus]") {
  ledger::BlockHeader header;
  CHECK_FALSE(ledger::Seals(header));
  header.next_validator_set_hash = AnotherSet();
  CHECK(ledger::Seals(header));
  header.validator_set_hash = AnotherSet();
  CHECK_FALSE(ledger::Seals(header));
}

TEST_CASE("raft epochs: only a closing block that repeats both sets is taken above a sealing block",
          "[consensus]") {
  FirstEpoch epoch;
  const bool restarted = GENERATE(false, true);
  const auto core =
      MakeRaft(ConfigOf(), restarted ? epoch.Read(1, /*with_seal=*/true, Epoch(1)) : Recovered());
  if (!restarted) {
    core->Step(From(1, 1, AppendAfter(kGenesis, 2), {epoch.first, epoch.seal}));
  }
  REQUIRE(core->Status().sealing == epoch.seal->id());
  ledger::BlockHeader header = epoch.seal->header();
  header.view = View(2);
  header.height = Height(3);
  header.parent_hash = epoch.seal->hash();
  header.proposer = V(2);
  bool fits = false;
  const ledger::Record record{"a leaf of no meaning", "x"};
  std::vector<const ledger::Record*> records;
  const uint32_t variant = GENERATE(0U, 1U, 2U, 3U, 4U, 5U);
  CAPTURE(variant);
  if (variant == 0) fits = true;
  if (variant == 1) records = {&record};
  if (variant == 2) header.next_validator_set_hash = header.validator_set_hash;
  if (variant == 3) header.next_validator_set_hash = AnotherSet();
  if (variant == 4) header.validator_set_hash = AnotherSet();
  if (variant == 5) header.epoch = Epoch(2);
  const BlockPtr block = ledger::Block::Make(header, records, BlockMaker::KeyOf(V(2)));
  const Output output = core->Step(From(2, 2, AppendAfter(epoch.seal->id(), 1), {block}));
  CHECK((core->Status().last == block->id()) == fits);
  CHECK(core->Status().messages_dropped == (fits ? 0 : 1));
  CHECK(BodiesOf<RaftAppendReply>(output).size() == (fits ? 1 : 0));
}

TEST_CASE("raft epochs: what comes behind a sealing block in one message is judged too",
          "[consensus]") {
  FirstEpoch epoch;
  const auto core = MakeRaft(ConfigOf(), Recovered());
  const BlockPtr plain = epoch.maker.Make(epoch.seal->id(), View(1), V(1), 0);
  core->Step(From(1, 1, AppendAfter(kGenesis, 3), {epoch.first, epoch.seal, plain}));
  CHECK(core->Status().last == kGenesis);
  CHECK(core->Status().messages_dropped == 1);
}

TEST_CASE("raft epochs: a sealing block that a conflict replaces binds the blocks behind no more",
          "[consensus]") {
  FirstEpoch epoch;
  const auto core = MakeRaft(ConfigOf(), Recovered());
  core->Step(From(1, 1, AppendAfter(kGenesis, 2), {epoch.first, epoch.seal}));
  const BlockPtr other = epoch.maker.Make(epoch.first->id(), View(2), V(2), 0);
  const BlockPtr next = epoch.maker.Make(other->id(), View(2), V(2), 9);
  core->Step(From(2, 2, AppendAfter(epoch.first->id(), 2), {other, next}));
  CHECK(core->Status().last == next->id());
  CHECK_FALSE(core->Status().sealing.has_value());
  CHECK(core->Status().messages_dropped == 0);
}

TEST_CASE("raft epochs: no leader makes a follower commit a closing block", "[consensus]") {
  FirstEpoch epoch;
  const auto core = MakeRaft(ConfigOf(), Recovered());
  core->Step(From(1, 1, AppendAfter(kGenesis, 2), {epoch.first, epoch.seal}));
  const BlockPtr closing =
      epoch.maker.MakeIn(Epoch(1), /*seals=*/true, epoch.seal->id(), View(2), V(2), 0);
  const Output output = core->Step(From(2, 2, AppendAfter(epoch.seal->id(), 1, 3), {closing}));
  CHECK(core->Status().last == closing->id());
  CHECK(core->Status().committed == epoch.seal->id());
  CHECK(CommittedHeights(output) == std::vector<uint64_t>{1, 2});
  for (const JournalAppend& record : output.append) {
    if (record.kind != JournalAppend::Kind::kCommit) continue;
    CHECK(DecodeRaftCommitRecord(record.body)->block == epoch.seal->id());
  }
}

TEST_CASE("raft epochs: a non-voter of a sealed epoch votes again only with a block of the term",
          "[consensus]") {
  FirstEpoch epoch;
  Recovered recovered = epoch.Read(2, /*with_seal=*/true, Epoch(1));
  recovered.may_vote = false;
  const auto core = MakeRaft(ConfigOf(), recovered);
  RaftAppend append = AppendAfter(epoch.seal->id(), 0, 2);
  Output output = core->Step(From(2, 2, append));
  append.session = BodiesOf<RaftAppendReply>(output).at(0).session;
  append.confirmed = true;
  core->Step(From(2, 2, append));
  // Committed, confirmed and on disk; but the vote that it may have given to the sealing block's
  // rival needs more.
  CHECK(core->Status().role == CoreRole::kNonVoter);
  const BlockPtr closing =
      epoch.maker.MakeIn(Epoch(1), /*seals=*/true, epoch.seal->id(), View(2), V(2), 0);
  append.block_count = 1;
  output = core->Step(From(2, 2, append, {closing}));
  CHECK(core->Status().role == CoreRole::kNonVoter);
  core->Step(DurableUpTo{output.sequence});
  core->Step(From(2, 2, append, {closing}));
  CHECK(core->Status().role == CoreRole::kFollower);
}

TEST_CASE("raft epochs: blocks belong to the epoch of their height", "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), Recovered());
  std::vector<BlockPtr> blocks = {epoch.first, epoch.seal};
  const auto next = [&](Epoch of, const BlockId& parent) {
    return epoch.maker.MakeIn(of, /*seals=*/false, parent, View(2), V(1), 0);
  };
  bool fits = false;
  SECTION("as they should") {
    blocks.push_back(next(two, epoch.seal->id()));
    fits = true;
  }
  SECTION("of the epoch before above the base") {
    blocks.push_back(next(Epoch(1), epoch.seal->id()));
  }
  SECTION("of a later epoch above the base") { blocks.push_back(next(Epoch(3), epoch.seal->id())); }
  SECTION("of this epoch below the base") { blocks = {next(two, kGenesis)}; }
  SECTION("of this epoch at the base's height") {
    blocks = {epoch.first, next(two, epoch.first->id())};
  }
  SECTION("another block in place of the base") {
    blocks = {epoch.first, next(Epoch(1), epoch.first->id())};
  }
  const auto count = static_cast<uint32_t>(blocks.size());
  core->Step(From(1, 2, AppendAfter(kGenesis, count), blocks, two));
  CHECK(core->Status().last == (fits ? blocks.back()->id() : kGenesis));
  CHECK(core->Status().messages_dropped == (fits ? 0 : 1));
  CHECK_FALSE(core->Status().sealing.has_value());
}

TEST_CASE("raft epochs: a branch without the epoch's base does not grow past it", "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  const BlockPtr rival = epoch.maker.Make(epoch.first->id(), View(2), V(2), 0);
  Recovered recovered = epoch.Read(1, /*with_seal=*/false, two);
  recovered.chain.push_back(rival->id());
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), recovered);
  const BlockPtr above =
      epoch.maker.MakeIn(two, /*seals=*/false, rival->id(), View(4), V(1), /*size=*/0);
  core->Step(From(1, 4, AppendAfter(rival->id(), 1), {above}, two));
  CHECK(core->Status().last == rival->id());
  CHECK(core->Status().messages_dropped == 1);
  // The base itself replaces the rival, and is committed with what lies below.
  const Output output =
      core->Step(From(1, 4, AppendAfter(epoch.first->id(), 1, /*committed=*/1), {epoch.seal}, two));
  CHECK(core->Status().last == epoch.seal->id());
  CHECK(CommittedHeights(output) == std::vector<uint64_t>{2});
  CHECK(output.fault_proofs.empty());
}

TEST_CASE("raft epochs: nobody is accused by number of what another epoch's validators did",
          "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  // Of the base's height and view, so that in one epoch somebody would have signed two blocks.
  const BlockPtr rival = epoch.maker.Make(epoch.first->id(), View(1), V(2), 0);
  Recovered recovered = epoch.Read(1, /*with_seal=*/false, two);
  recovered.chain.push_back(rival->id());
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), recovered);
  const Output output =
      core->Step(From(1, 4, AppendAfter(epoch.first->id(), 1), {epoch.seal}, two));
  CHECK(core->Status().last == epoch.seal->id());
  CHECK(output.fault_proofs.empty());
}

TEST_CASE("raft epochs: a log that holds the epoch's base has it committed", "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  const auto core =
      MakeRaft(ConfigOf(two, epoch.seal->id()), epoch.Read(0, /*with_seal=*/true, two));
  CHECK(core->Status().committed == epoch.seal->id());
  CHECK(core->Status().role == CoreRole::kFollower);
  // The host is told of it with the first output.
  CHECK(CommittedHeights(core->Step(Tick{})) == std::vector<uint64_t>{1, 2});
  // Nothing replaces it.
  const BlockPtr rival = epoch.maker.Make(epoch.first->id(), View(2), V(2), 0);
  const Output output = core->Step(From(2, 5, AppendAfter(epoch.first->id(), 1), {rival}, two));
  CHECK(core->Status().last == epoch.seal->id());
  CHECK(output.fault_proofs.size() == 1);
}

TEST_CASE("raft epochs: a log that begins above the epoch's base may vote", "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  const BlockPtr next =
      epoch.maker.MakeIn(two, /*seals=*/false, epoch.seal->id(), View(2), V(1), /*size=*/0);
  Recovered recovered;
  recovered.base = next->id();
  CHECK(MakeRaft(ConfigOf(two, epoch.seal->id()), recovered)->Status().role == CoreRole::kFollower);
  recovered.base = epoch.first->id();
  CHECK(MakeRaft(ConfigOf(two, epoch.seal->id()), recovered)->Status().role == CoreRole::kNonVoter);
}

TEST_CASE("raft epochs: who lacks the epoch's base votes for any candidate and campaigns never",
          "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  const bool has_base = GENERATE(false, true);
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), epoch.Read(1, has_base, two));
  const auto granted = [&](const RaftVote& vote) {
    const Output output = core->Step(From(1, vote.pre ? 8 : 9, vote, {}, two));
    return BodiesOf<RaftVoteReply>(output).at(0).granted;
  };
  CHECK(granted(RaftVote{true, View(9), Height(5), View(7)}));
  CHECK(granted(RaftVote{false, View(9), Height(5), View(7)}));
  bool campaigned = false;
  for (int i = 0; i < 200; ++i) {
    campaigned = campaigned || !BodiesOf<RaftVote>(core->Step(Tick{})).empty();
  }
  CHECK(campaigned == has_base);
}

TEST_CASE("raft epochs: a rival branch of the epoch before keeps nobody from a vote",
          "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  // Of a later term than the base, and never committed.
  const BlockPtr rival = epoch.maker.Make(epoch.first->id(), View(5), V(0), 0);
  Recovered recovered = epoch.Read(1, /*with_seal=*/false, two);
  recovered.chain.push_back(rival->id());
  const bool may_vote = GENERATE(true, false);
  recovered.may_vote = may_vote;
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), recovered);
  const auto ask = [&](uint64_t term) {
    return core->Step(From(1, term, RaftVote{false, View(term), Height(2), View(1)}, {}, two));
  };
  CHECK(BodiesOf<RaftVoteReply>(ask(9)).at(0).granted == may_vote);
  // With the base it judges logs as ever.
  RaftAppend append = AppendAfter(epoch.first->id(), 1);
  core->Step(From(1, 9, append, {epoch.seal}, two));
  const BlockPtr next =
      epoch.maker.MakeIn(two, /*seals=*/false, epoch.seal->id(), View(9), V(1), /*size=*/0);
  append = AppendAfter(epoch.seal->id(), 1);
  core->Step(From(1, 9, append, {next}, two));
  REQUIRE(core->Status().last == next->id());
  for (int i = 0; i < 200; ++i) core->Step(Tick{});
  CHECK_FALSE(BodiesOf<RaftVoteReply>(ask(12)).at(0).granted);
}

TEST_CASE("raft epochs: who lacks the epoch's base takes over from nobody", "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  const bool has_base = GENERATE(false, true);
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), epoch.Read(1, has_base, two));
  core->Step(From(1, 9, AppendAfter(epoch.first->id(), 0), {}, two));
  core->Step(From(1, 9, RaftTimeoutNow{}, {}, two));
  CHECK(core->Status().view == View(has_base ? 10 : 9));
}

TEST_CASE("raft epochs: a term that was seen in an older epoch is no one's to vote in",
          "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  Recovered recovered = epoch.Read(2, /*with_seal=*/true, two);
  const bool may_vote = GENERATE(true, false);
  recovered.vote = EncodeRaftVoteRecord({Epoch(1), View(6), std::nullopt, may_vote});
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), recovered);
  CHECK(core->Status().view == View(6));
  CHECK((core->Status().role != CoreRole::kNonVoter) == may_vote);
  const auto ask = [&](uint64_t term) {
    return core->Step(From(1, term, RaftVote{false, View(term), Height(9), View(5)}, {}, two));
  };
  const Output sixth = ask(6);
  CHECK_FALSE(BodiesOf<RaftVoteReply>(sixth).at(0).granted);
  // What it starts this epoch with is in its own record, before anything else.
  REQUIRE(sixth.append.at(0).kind == JournalAppend::Kind::kVote);
  CHECK(*DecodeRaftVoteRecord(sixth.append[0].body) ==
        RaftVoteRecord{two, View(6), V(0), may_vote});
  CHECK(BodiesOf<RaftVoteReply>(ask(7)).at(0).granted == may_vote);
}

TEST_CASE("raft epochs: a vote record of a newer epoch stops the process", "[consensus]") {
  FirstEpoch epoch;
  Recovered recovered = epoch.Read(2, /*with_seal=*/true, Epoch(1));
  const auto aborts = [&](Epoch of) {
    recovered.vote = EncodeRaftVoteRecord({of, View(6), V(1), true});
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);
      std::fclose(stderr);
      MakeRaft(ConfigOf(), recovered);
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  };
  CHECK_FALSE(aborts(Epoch(1)));
  CHECK(aborts(Epoch(2)));
}

TEST_CASE("raft epochs: a vote of this epoch is kept as it was given", "[consensus]") {
  FirstEpoch epoch;
  const Epoch two(2);
  Recovered recovered = epoch.Read(2, /*with_seal=*/true, two);
  recovered.vote = EncodeRaftVoteRecord({two, View(6), V(1), true});
  const auto core = MakeRaft(ConfigOf(two, epoch.seal->id()), recovered);
  const Output output =
      core->Step(From(1, 6, RaftVote{false, View(6), Height(9), View(5)}, {}, two));
  CHECK(BodiesOf<RaftVoteReply>(output).at(0).granted);
}

TEST_CASE("raft epochs: the digest tells a sealed log from one that is not", "[consensus]") {
  FirstEpoch epoch;
  Recovered recovered = epoch.Read(1, /*with_seal=*/true, Epoch(1));
  const Hash sealed = MakeRaft(ConfigOf(), recovered)->digest();
  recovered.sealing_next_set = AnotherSet();
  const Hash otherwise = MakeRaft(ConfigOf(), recovered)->digest();
  recovered.sealing = Height(0);
  const Hash open = MakeRaft(ConfigOf(), recovered)->digest();
  CHECK(sealed != otherwise);
  CHECK(sealed != open);
}

TEST_CASE("raft epochs: a log that begins at the sealing block is sealed", "[consensus]") {
  FirstEpoch epoch;
  Recovered recovered = epoch.Read(2, /*with_seal=*/true, Epoch(1));
  recovered.base = epoch.seal->id();
  recovered.chain.clear();
  const auto core = MakeRaft(ConfigOf(), recovered);
  CHECK(core->Status().sealing == epoch.seal->id());
  const BlockPtr plain = epoch.maker.Make(epoch.seal->id(), View(2), V(2), 0);
  core->Step(From(2, 2, AppendAfter(epoch.seal->id(), 1), {plain}));
  CHECK(core->Status().last == epoch.seal->id());
}

}  // namespace
}  // namespace vigil::consensus
