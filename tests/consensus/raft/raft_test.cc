// What the core promises to its host and its peers, one promise at a time, through the interface.
#include "consensus/raft/raft.h"

#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "consensus/raft/codec.h"
#include "consensus/verify/evidence.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "tests/consensus/raft/test_host.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

using ledger::BlockHeader;

ValidatorIndex V(uint32_t index) { return ValidatorIndex(index); }

RaftConfig ConfigOf(uint32_t validator_count, uint32_t self = 0) {
  RaftConfig config;
  config.genesis_hash = BlockMaker::GenesisHash();
  config.validator_count = validator_count;
  config.self = V(self);
  config.seed = 5;
  return config;
}

const BlockId kGenesis{Height(0), View(0), BlockMaker::GenesisHash()};

template <typename Body>
PeerMessage From(uint32_t from, uint64_t term, const Body& body, std::vector<BlockPtr> blocks = {},
                 uint64_t epoch = 1) {
  RaftMessage message;
  message.epoch = Epoch(epoch);
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
std::vector<Body> BodiesOf(const std::vector<Message>& messages) {
  std::vector<Body> bodies;
  for (const Message& message : messages) {
    const auto decoded = DecodeRaftMessage(message.header);
    REQUIRE(decoded.ok());
    if (const auto* body = std::get_if<Body>(&decoded->body)) bodies.push_back(*body);
  }
  return bodies;
}

std::optional<AskBuild> AskOf(const Output& output) {
  for (const Ask& ask : output.asks) {
    if (const auto* build = std::get_if<AskBuild>(&ask)) return *build;
  }
  return std::nullopt;
}

// Makes validator 0 of three the leader of term 1 and returns its first ask.
AskBuild Elect(Core* core) {
  Output output;
  while (core->Status().role != CoreRole::kPreCandidate) output = core->Step(Tick{});
  output = core->Step(From(1, 0, RaftVoteReply{true, View(1), true}));
  REQUIRE(core->Status().role == CoreRole::kCandidate);
  core->Step(DurableUpTo{output.sequence});
  output = core->Step(From(1, 1, RaftVoteReply{false, View(1), true}));
  REQUIRE(core->Status().role == CoreRole::kLeader);
  return *AskOf(output);
}

TEST_CASE("raft: a block that does not fit the chain or the term is dropped", "[consensus]") {
  const auto leader_key = BlockMaker::KeyOf(V(1));
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  BlockHeader header;
  header.view = View(4);
  header.height = Height(1);
  header.parent_hash = kGenesis.hash;
  header.proposer = V(1);
  uint32_t count = 1;
  const auto accepted = [&] {
    const BlockPtr block = ledger::Block::Make(header, {}, leader_key);
    const Output output = core->Step(From(1, 4, AppendAfter(kGenesis, count), {block}));
    const bool appended = core->Status().last == block->id();
    CHECK(appended == !BodiesOf<RaftAppendReply>(output.send_when_durable).empty());
    return appended;
  };
  bool fits = false;
  SECTION("as it should be") { fits = true; }
  SECTION("a wrong height") { header.height = Height(2); }
  SECTION("a wrong parent") { header.parent_hash = Hash(); }
  SECTION("a wrong parent view") { header.parent_view = View(1); }
  SECTION("another epoch") { header.epoch = Epoch(2); }
  SECTION("a view above the term") { header.view = View(5); }
  SECTION("view 0") { header.view = View(0); }
  SECTION("another proposer than the leader of the term") { header.proposer = V(2); }
  SECTION("more blocks announced than came") { count = 2; }
  SECTION("fewer blocks announced than came") { count = 0; }
  CHECK(accepted() == fits);
  CHECK(core->Status().messages_dropped == (fits ? 0 : 1));
}

TEST_CASE("raft: the views of a message never decrease and one view has one proposer",
          "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const BlockPtr first = maker.Make(kGenesis, View(2), V(2), 0);
  SECTION("decreasing") {
    const BlockPtr second = maker.Make(first->id(), View(1), V(1), 0);
    core->Step(From(1, 4, AppendAfter(kGenesis, 2), {first, second}));
    CHECK(core->Status().last == kGenesis);
  }
  SECTION("two proposers") {
    const BlockPtr second = maker.Make(first->id(), View(2), V(1), 0);
    core->Step(From(1, 4, AppendAfter(kGenesis, 2), {first, second}));
    CHECK(core->Status().last == kGenesis);
  }
  SECTION("blocks of earlier terms keep their proposers") {
    const BlockPtr second = maker.Make(first->id(), View(3), V(0), 0);
    core->Step(From(1, 4, AppendAfter(kGenesis, 2), {first, second}));
    CHECK(core->Status().last == second->id());
  }
}

TEST_CASE("raft: an acknowledgement waits for the disk", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const BlockPtr block = maker.Make(kGenesis, View(1), V(1), 0);
  const PeerMessage message = From(1, 1, AppendAfter(kGenesis, 1), {block});
  const Output first = core->Step(message);
  CHECK(first.must_sync);
  CHECK(first.send_now.empty());
  REQUIRE(BodiesOf<RaftAppendReply>(first.send_when_durable).size() == 1);
  CHECK(BodiesOf<RaftAppendReply>(first.send_when_durable)[0].match == Height(1));

  // The same message before the sync: nothing is on disk yet.
  const Output repeated = core->Step(message);
  CHECK(repeated.append.empty());
  REQUIRE(BodiesOf<RaftAppendReply>(repeated.send_now).size() == 1);
  CHECK(BodiesOf<RaftAppendReply>(repeated.send_now)[0].match == Height(0));

  core->Step(DurableUpTo{first.sequence});
  const Output after = core->Step(message);
  CHECK(BodiesOf<RaftAppendReply>(after.send_now)[0].match == Height(1));
}

TEST_CASE("raft: the term is journalled before the blocks that came in it", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const BlockPtr block = maker.Make(kGenesis, View(6), V(1), 0);
  const Output output = core->Step(From(1, 6, AppendAfter(kGenesis, 1), {block}));
  REQUIRE(output.append.size() == 2);
  CHECK(output.append[0].kind == JournalAppend::Kind::kVote);
  CHECK(DecodeRaftVoteRecord(output.append[0].body)->term == View(6));
  CHECK(output.append[1].block == block);
}

TEST_CASE("raft: a follower commits only what the message proves to be the leader's",
          "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const BlockPtr one = maker.Make(kGenesis, View(1), V(1), 0);
  const BlockPtr two = maker.Make(one->id(), View(1), V(1), 0);
  core->Step(From(1, 1, AppendAfter(kGenesis, 2), {one, two}));
  // The leader of term 2 shares block 1 alone and has committed up to 2, another block.
  core->Step(From(2, 2, AppendAfter(one->id(), 0, /*committed=*/2)));
  CHECK(core->Status().committed == one->id());
}

TEST_CASE("raft: a built block counts only for the outstanding ask", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const AskBuild ask = Elect(core.get());
  CHECK(ask.empty);
  CHECK(ask.parent == kGenesis);
  CHECK(ask.view == View(1));
  SECTION("another view") {
    CHECK(core->Step(BlockBuilt{maker.Make(kGenesis, View(9), V(0), 0)}).append.empty());
  }
  SECTION("another parent") {
    const BlockId other{Height(0), View(0), Hash()};
    CHECK(core->Step(BlockBuilt{maker.Make(other, View(1), V(0), 0)}).append.empty());
  }
  SECTION("twice") {
    const BlockPtr block = maker.Make(kGenesis, View(1), V(0), 0);
    CHECK(core->Step(BlockBuilt{block}).append.size() == 1);
    CHECK(core->Step(BlockBuilt{block}).append.empty());
  }
  SECTION("after stepping down") {
    const Output output = core->Step(From(2, 2, AppendAfter(kGenesis, 0)));
    REQUIRE(output.asks.size() == 1);
    CHECK(std::holds_alternative<AskCancelBuild>(output.asks[0]));
    CHECK(core->Step(BlockBuilt{maker.Make(kGenesis, View(1), V(0), 0)}).append.empty());
  }
}

TEST_CASE("raft: an answer to a read counts once and only in the start that asked", "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  core->Step(From(1, 1, AppendAfter(kGenesis, 0)));
  const Output asked = core->Step(ReadRequest{7});
  REQUIRE(BodiesOf<RaftRead>(asked.send_now).size() == 1);
  const RaftRead read = BodiesOf<RaftRead>(asked.send_now)[0];
  CHECK(core->Step(From(1, 1, RaftReadReply{read.session + 1, 7, Height(3)})).reads_ready.empty());
  CHECK(core->Step(From(1, 1, RaftReadReply{read.session, 6, Height(3)})).reads_ready.empty());
  const Output answered = core->Step(From(1, 1, RaftReadReply{read.session, 7, Height(3)}));
  REQUIRE(answered.reads_ready.size() == 1);
  CHECK(answered.reads_ready[0].height == Height(3));
  // As comes twice, or late when it was given up.
  CHECK(core->Step(From(1, 1, RaftReadReply{read.session, 7, Height(9)})).reads_ready.empty());
}

TEST_CASE("raft: a leader asks for no more blocks while too many bytes are not committed",
          "[consensus]") {
  BlockMaker maker(3);
  const uint64_t bytes = maker.Make(kGenesis, View(1), V(0), 0)->frame().size();
  RaftConfig config = ConfigOf(3);
  config.bytes_in_flight_max = 3 * bytes;
  const auto core = MakeRaft(config, Recovered());
  AskBuild ask = Elect(core.get());
  Output output;
  for (int built = 1; built <= 3; ++built) {
    output = core->Step(BlockBuilt{maker.Make(ask.parent, View(1), V(0), 0)});
    INFO(built << " blocks of " << bytes << " bytes");
    CHECK(AskOf(output).has_value() == (built < 3));
    ask = AskOf(output).value_or(ask);
  }
  // The first is committed, so that there is room for one more.
  core->Step(DurableUpTo{output.sequence});
  RaftAppendReply reply;
  reply.session = 77;
  reply.round = 1;
  reply.match = Height(1);
  output = core->Step(From(1, 1, reply));
  REQUIRE(core->Status().committed.height == Height(1));
  CHECK(AskOf(output).has_value());
}

TEST_CASE("raft: blocks leave before the own disk has them and count after", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  Elect(core.get());
  const BlockPtr block = maker.Make(kGenesis, View(1), V(0), 0);
  const Output built = core->Step(BlockBuilt{block});
  CHECK(built.must_sync);
  CHECK(built.send_when_durable.empty());
  REQUIRE(built.send_now.size() == 2);
  CHECK(built.send_now[0].bodies == std::vector<BlockId>{block->id()});

  RaftAppendReply reply;
  reply.session = 77;
  reply.round = BodiesOf<RaftAppend>(built.send_now)[0].round;
  reply.match = Height(1);
  CHECK(core->Step(From(1, 1, reply)).committed.empty());
  const Output durable = core->Step(DurableUpTo{built.sequence});
  REQUIRE(durable.committed.size() == 1);
  CHECK(durable.committed[0].block == block->id());
  CHECK(durable.committed[0].certificate.empty());
  REQUIRE(durable.append.size() == 1);
  CHECK(durable.append[0].kind == JournalAppend::Kind::kCommit);
  CHECK_FALSE(durable.must_sync);
}

TEST_CASE("raft: acknowledgements of an earlier start of a follower do not count", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  Elect(core.get());
  const Output built = core->Step(BlockBuilt{maker.Make(kGenesis, View(1), V(0), 0)});
  core->Step(DurableUpTo{built.sequence});
  const uint64_t round = BodiesOf<RaftAppend>(built.send_now)[0].round;

  // The follower forgot the block and restarted; its new start speaks first.
  RaftAppendReply fresh;
  fresh.session = 200;
  fresh.round = round;
  fresh.voter = false;
  core->Step(From(1, 1, fresh));
  RaftAppendReply old;
  old.session = 100;
  old.round = round;
  old.match = Height(1);
  // However often it comes.
  for (int i = 0; i < 3; ++i) CHECK(core->Step(From(1, 1, old)).committed.empty());
  CHECK(core->Status().committed == kGenesis);
}

// A non-voter that has block 1 of term 1 on disk and follows the leader of term 2.
class Rejoining {
 public:
  Rejoining() : first_(maker_.Make(kGenesis, View(1), V(1), 0)) {
    Recovered recovered;
    recovered.chain = {first_->id()};
    recovered.vote = EncodeRaftVoteRecord({Epoch(1), View(2), std::nullopt, true});
    recovered.may_vote = false;
    core_ = MakeRaft(ConfigOf(3), recovered);
    const Output output = core_->Step(From(2, 2, AppendAfter(first_->id(), 0)));
    core_->Step(DurableUpTo{output.sequence});
    session_ = BodiesOf<RaftAppendReply>(output.send_when_durable).at(0).session;
  }
  // What the leader sends once it knows this start and a quorum of the others has confirmed it.
  RaftAppend Confirmed(const BlockId& previous, uint32_t count, uint64_t committed) const {
    RaftAppend append = AppendAfter(previous, count, committed);
    append.session = session_;
    append.confirmed = true;
    return append;
  }
  Output Step(const RaftAppend& append, std::vector<BlockPtr> blocks = {}) {
    return core_->Step(From(2, 2, append, std::move(blocks)));
  }
  bool votes() const { return core_->Status().role != CoreRole::kNonVoter; }

  BlockMaker maker_{3};
  BlockPtr first_;
  std::unique_ptr<Core> core_;
  uint64_t session_ = 0;
};

TEST_CASE("raft: a non-voter votes again only when caught up with a confirmed leader",
          "[consensus]") {
  Rejoining node;
  REQUIRE_FALSE(node.votes());
  const BlockPtr second = node.maker_.Make(node.first_->id(), View(2), V(2), 0);
  SECTION("not by a commit of an earlier term, which another leader may have overtaken") {
    node.Step(node.Confirmed(node.first_->id(), 0, /*committed=*/1));
    CHECK_FALSE(node.votes());
  }
  SECTION("not before its own disk has what is committed") {
    const Output output = node.Step(node.Confirmed(node.first_->id(), 1, 2), {second});
    CHECK_FALSE(node.votes());
    node.core_->Step(DurableUpTo{output.sequence});
    const Output joined = node.Step(node.Confirmed(second->id(), 0, 2));
    CHECK(node.votes());
    REQUIRE(joined.append.size() == 1);
    const auto record = DecodeRaftVoteRecord(joined.append[0].body);
    CHECK(record->may_vote);
    CHECK(record->voted_for == V(2));
  }
  SECTION("not by messages to another start or without confirmation") {
    const Output output = node.Step(node.Confirmed(node.first_->id(), 1, 1), {second});
    node.core_->Step(DurableUpTo{output.sequence});
    RaftAppend other = node.Confirmed(second->id(), 0, 2);
    other.session += 1;
    node.Step(other);
    CHECK_FALSE(node.votes());
    RaftAppend unconfirmed = node.Confirmed(second->id(), 0, 2);
    unconfirmed.confirmed = false;
    node.Step(unconfirmed);
    CHECK_FALSE(node.votes());
  }
}

// A validator whose log begins above block 100, with a leader of term 2.
class Based {
 public:
  explicit Based(uint32_t validators = 3) {
    BlockId base{Height(100), View(1), Hash{}};
    base.hash.bytes.fill(9);
    recovered_.base = base;
    core_ = MakeRaft(ConfigOf(validators), recovered_);
  }
  const BlockId& base() const { return recovered_.base; }

  BlockMaker maker_{3};
  Recovered recovered_;
  std::unique_ptr<Core> core_;
};

TEST_CASE("raft: a log above a base follows from there", "[consensus]") {
  Based node;
  CHECK(node.core_->Status().last == node.base());
  CHECK(node.core_->Status().committed == node.base());
  CHECK(node.core_->Status().view == View(1));
  const BlockPtr next = node.maker_.Make(node.base(), View(2), V(2), 0);
  const Output output = node.core_->Step(From(2, 2, AppendAfter(node.base(), 1, 101), {next}));
  REQUIRE(output.committed.size() == 1);
  CHECK(output.committed[0].block == next->id());
  const auto replies = BodiesOf<RaftAppendReply>(output.send_when_durable);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].match == Height(101));
}

TEST_CASE("raft: an append below the own base is answered with where the log begins",
          "[consensus]") {
  Based node;
  const BlockId below{Height(40), View(1), Hash{}};
  const BlockPtr block = node.maker_.Make(below, View(1), V(1), 0);
  for (const uint64_t committed : {0, 40, 99, 100}) {
    RaftAppend append = AppendAfter(below, 1, committed);
    append.confirmed = true;
    const Output output = node.core_->Step(From(2, 2, append, {block}));
    CHECK(output.fault_proofs.empty());
    CHECK(output.committed.empty());
    const auto replies = BodiesOf<RaftAppendReply>(output.send_now);
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].result == RaftAppendResult::kMismatch);
    CHECK(replies[0].rejected == Height(40));
    CHECK(replies[0].hint_height == Height(100));
  }
  // A heartbeat whose leader has committed less than the base is harmless.
  node.core_->Step(From(2, 2, AppendAfter(node.base(), 0, 7)));
  CHECK(node.core_->Status().committed == node.base());
}

TEST_CASE("raft: another block at the height of the base contradicts what is committed",
          "[consensus]") {
  Based node;
  const BlockId other{Height(100), View(1), Hash{}};
  const Output output = node.core_->Step(From(2, 2, AppendAfter(other, 0)));
  CHECK(output.fault_proofs.size() == 1);
  CHECK(BodiesOf<RaftAppendReply>(output.send_now).empty());
}

TEST_CASE("raft: a leader finds a follower whose log begins above its guess", "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const AskBuild ask = Elect(core.get());
  BlockMaker maker(3);
  BlockId last = ask.parent;
  std::vector<BlockId> chain = {kGenesis};
  for (int i = 0; i < 5; ++i) {
    const BlockPtr block = maker.Make(last, View(1), V(0), 0);
    const Output built = core->Step(BlockBuilt{block});
    core->Step(DurableUpTo{built.sequence});
    last = block->id();
    chain.push_back(last);
    RaftAppendReply reply;
    reply.result = RaftAppendResult::kMatched;
    reply.round = 1;
    reply.session = 5;
    reply.voter = true;
    reply.match = last.height;
    core->Step(From(1, 1, reply));
  }
  REQUIRE(core->Status().committed == last);
  // Validator 2 was thought to have nothing; it joined by a snapshot of height 3.
  RaftAppendReply reply;
  reply.result = RaftAppendResult::kMismatch;
  reply.round = 1;
  reply.session = 9;
  reply.voter = false;
  reply.rejected = Height(0);
  reply.hint_height = Height(3);
  reply.hint_view = View(1);
  Output output = core->Step(From(2, 1, reply));
  auto appends = BodiesOf<RaftAppend>(output.send_now);
  REQUIRE(appends.size() == 1);
  CHECK(appends[0].previous == last);
  CHECK(appends[0].block_count == 0);
  reply.rejected = last.height;
  reply.round = appends[0].round;
  output = core->Step(From(2, 1, reply));
  appends = BodiesOf<RaftAppend>(output.send_now);
  REQUIRE(appends.size() == 1);
  CHECK(appends[0].previous == chain[3]);
  CHECK(appends[0].block_count == 1);
}

TEST_CASE("raft: a leader whose log begins above a follower sends it nothing in vain",
          "[consensus]") {
  Based node;
  Core* core = node.core_.get();
  Output output;
  while (core->Status().role != CoreRole::kPreCandidate) output = core->Step(Tick{});
  output = core->Step(From(1, 1, RaftVoteReply{true, View(2), true}));
  core->Step(DurableUpTo{output.sequence});
  output = core->Step(From(1, 2, RaftVoteReply{false, View(2), true}));
  REQUIRE(core->Status().role == CoreRole::kLeader);
  output = core->Step(BlockBuilt{node.maker_.Make(node.base(), View(2), V(0), 0)});
  const auto probes = BodiesOf<RaftAppend>(output.send_now);
  REQUIRE(probes.size() == 2);
  for (const RaftAppend& probe : probes) {
    CHECK(probe.previous == node.base());
    CHECK(probe.block_count == 1);
  }
  RaftAppendReply behind;
  behind.result = RaftAppendResult::kMismatch;
  behind.round = 1;
  behind.session = 77;
  behind.voter = true;
  behind.rejected = Height(100);
  behind.hint_height = Height(12);
  for (int i = 0; i < 5; ++i) {
    output = core->Step(From(2, 2, behind));
    // Nothing but what it needs instead.
    REQUIRE(output.send_now.size() == 1);
    const auto needs = BodiesOf<RaftNeedsSnapshot>(output.send_now);
    REQUIRE(needs.size() == 1);
    CHECK(needs[0].height == node.base().height);
  }
  RaftAppendReply has = behind;
  has.session = 78;
  has.result = RaftAppendResult::kMatched;
  // What one claims below the base counts for nothing and stops nobody.
  has.match = Height(5);
  core->Step(From(1, 2, has));
  CHECK(core->Status().committed == node.base());
}

TEST_CASE("raft: one asks to join anew only for its leader and for what it lacks", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const BlockPtr block = maker.Make(kGenesis, View(1), V(1), 0);
  core->Step(From(1, 1, AppendAfter(kGenesis, 1, /*committed=*/1), {block}));
  REQUIRE(core->Status().committed == block->id());
  CHECK(core->Step(From(2, 1, RaftNeedsSnapshot{Height(9)})).asks.empty());
  CHECK(core->Step(From(1, 2, RaftNeedsSnapshot{Height(9)})).asks.empty());
  CHECK(core->Step(From(1, 1, RaftNeedsSnapshot{Height(1)})).asks.empty());
  const Output output = core->Step(From(1, 1, RaftNeedsSnapshot{Height(9)}));
  REQUIRE(output.asks.size() == 1);
  const auto* const ask = std::get_if<AskInstallSnapshot>(&output.asks[0]);
  REQUIRE(ask != nullptr);
  CHECK(ask->from == V(1));
  CHECK(ask->height == Height(9));
  CHECK(core->Step(From(1, 1, RaftNeedsSnapshot{Height(9)})).asks.empty());
}

TEST_CASE("raft: a non-voter grants neither vote nor pre-vote", "[consensus]") {
  const bool pre = GENERATE(true, false);
  Recovered recovered;
  recovered.may_vote = false;
  const auto core = MakeRaft(ConfigOf(3), recovered);
  const Output output =
      core->Step(From(1, pre ? 0 : 1, RaftVote{pre, View(1), Height(0), View(0)}));
  CHECK(output.send_when_durable.empty());
  REQUIRE(BodiesOf<RaftVoteReply>(output.send_now).size() == 1);
  CHECK_FALSE(BodiesOf<RaftVoteReply>(output.send_now)[0].granted);
}

TEST_CASE("raft: one that forgot its votes passes every term that it can have voted in",
          "[consensus]") {
  Recovered recovered;
  recovered.vote = EncodeRaftVoteRecord({Epoch(1), View(0), std::nullopt, false});
  recovered.may_vote = false;
  recovered.forgot_votes = true;
  // Also above a base, whose view says nothing of what was voted for.
  if (GENERATE(false, true)) recovered.base = BlockId{Height(100), View(30), Hash()};
  const auto core = MakeRaft(ConfigOf(3), recovered);
  Output output;
  SECTION("when it hears a leader") {
    output = core->Step(From(1, 40, AppendAfter(kGenesis, 0)));
    const auto replies = BodiesOf<RaftAppendReply>(output.send_now);
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].result == RaftAppendResult::kStaleTerm);
  }
  SECTION("when it hears a candidate") {
    output = core->Step(From(1, 40, RaftVote{false, View(40), Height(9), View(4)}));
    CHECK(output.send_when_durable.empty());
  }
  CHECK(core->Status().view == View(40 + kForgottenTerms));
  REQUIRE_FALSE(output.append.empty());
  const auto record = DecodeRaftVoteRecord(output.append[0].body);
  REQUIRE(record.ok());
  CHECK(record->term == View(40 + kForgottenTerms));
  CHECK(record->voted_for == V(0));
  CHECK_FALSE(record->may_vote);
  // Once is enough, also over a restart.
  core->Step(From(1, 50 + kForgottenTerms, AppendAfter(kGenesis, 0)));
  CHECK(core->Status().view == View(50 + kForgottenTerms));
  recovered.vote = output.append[0].body;
  const auto again = MakeRaft(ConfigOf(3), recovered);
  again->Step(From(1, 50 + kForgottenTerms, AppendAfter(kGenesis, 0)));
  CHECK(again->Status().view == View(50 + kForgottenTerms));
}

TEST_CASE("raft: nothing is voted for in a term up to the rollback guard", "[consensus]") {
  Recovered recovered;
  recovered.view_min = View(5);
  const auto core = MakeRaft(ConfigOf(3), recovered);
  CHECK(core->Status().view == View(5));
  const Output same = core->Step(From(1, 5, RaftVote{false, View(5), Height(9), View(4)}));
  CHECK(same.send_when_durable.empty());
  REQUIRE(BodiesOf<RaftVoteReply>(same.send_now).size() == 1);
  CHECK_FALSE(BodiesOf<RaftVoteReply>(same.send_now)[0].granted);
  const Output next = core->Step(From(1, 6, RaftVote{false, View(6), Height(9), View(4)}));
  REQUIRE(BodiesOf<RaftVoteReply>(next.send_when_durable).size() == 1);
  CHECK(BodiesOf<RaftVoteReply>(next.send_when_durable)[0].granted);
}

TEST_CASE("raft: a vote is journalled and remembered by the next start", "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const Output output = core->Step(From(1, 2, RaftVote{false, View(2), Height(0), View(0)}));
  REQUIRE(output.append.size() == 1);
  Recovered recovered;
  recovered.vote = output.append[0].body;
  const auto again = MakeRaft(ConfigOf(3), recovered);
  const auto refused = BodiesOf<RaftVoteReply>(
      again->Step(From(2, 2, RaftVote{false, View(2), Height(0), View(0)})).send_now);
  REQUIRE(refused.size() == 1);
  CHECK_FALSE(refused[0].granted);
  const auto repeated = BodiesOf<RaftVoteReply>(
      again->Step(From(1, 2, RaftVote{false, View(2), Height(0), View(0)})).send_now);
  REQUIRE(repeated.size() == 1);
  CHECK(repeated[0].granted);
}

TEST_CASE("raft: a candidate whose chain is behind gets neither pre-vote nor vote", "[consensus]") {
  BlockMaker maker(3);
  const bool pre = GENERATE(true, false);
  const auto granted = [&](uint64_t last_height, uint64_t last_view) {
    const auto core = MakeRaft(ConfigOf(3), Recovered());
    const BlockPtr one = maker.Make(kGenesis, View(2), V(1), 0);
    const BlockPtr two = maker.Make(one->id(), View(2), V(1), 0);
    core->Step(From(1, 2, AppendAfter(kGenesis, 2), {one, two}));
    for (int i = 0; i < 50; ++i) core->Step(Tick{});  // The leader's lease ends.
    const RaftVote vote{pre, View(3), Height(last_height), View(last_view)};
    const Output output = core->Step(From(2, pre ? 2 : 3, vote));
    auto replies = BodiesOf<RaftVoteReply>(output.send_now);
    for (const auto& reply : BodiesOf<RaftVoteReply>(output.send_when_durable)) {
      replies.push_back(reply);
    }
    REQUIRE(replies.size() == 1);
    return replies[0].granted;
  };
  CHECK(granted(2, 2));
  CHECK(granted(1, 3));
  CHECK(granted(3, 2));
  CHECK_FALSE(granted(1, 2));
  CHECK_FALSE(granted(9, 1));
}

TEST_CASE("raft: a vote in a term that is known already is journalled too", "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  // A refusal tells of term 2; the vote comes later.
  const Output learned = core->Step(From(1, 2, RaftVoteReply{true, View(1), false}));
  core->Step(DurableUpTo{learned.sequence});
  const Output output = core->Step(From(1, 2, RaftVote{false, View(2), Height(0), View(0)}));
  CHECK(output.must_sync);
  REQUIRE(output.append.size() == 1);
  CHECK(DecodeRaftVoteRecord(output.append[0].body)->voted_for == V(1));
  CHECK(output.send_now.empty());
  CHECK(BodiesOf<RaftVoteReply>(output.send_when_durable).size() == 1);
}

TEST_CASE("raft: a repeated request is not answered while the vote is being written",
          "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const PeerMessage request = From(1, 2, RaftVote{false, View(2), Height(0), View(0)});
  const Output first = core->Step(request);
  CHECK(first.send_now.empty());
  const Output second = core->Step(request);
  CHECK(second.send_now.empty());
  CHECK(second.send_when_durable.empty());
  core->Step(DurableUpTo{first.sequence});
  CHECK(BodiesOf<RaftVoteReply>(core->Step(request).send_now).size() == 1);
}

TEST_CASE("raft: messages from outside the set or the epoch are dropped and counted",
          "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const Hash before = core->digest();
  const RaftVote vote{false, View(9), Height(0), View(0)};
  SECTION("a validator that does not exist") { core->Step(From(3, 9, vote)); }
  SECTION("itself") { core->Step(From(0, 9, vote)); }
  SECTION("another epoch") { core->Step(From(1, 9, vote, {}, /*epoch=*/2)); }
  SECTION("a request for another term than the sender's") { core->Step(From(1, 8, vote)); }
  SECTION("no message at all") { core->Step(PeerMessage{V(1), "", {}}); }
  CHECK(core->Status().messages_dropped == 1);
  CHECK(core->digest() == before);
}

TEST_CASE("raft: a leader refuses acknowledgements of what it never sent", "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  Elect(core.get());
  RaftAppendReply reply;
  reply.session = 7;
  SECTION("a round of the future") { reply.round = 1000; }
  SECTION("a height of the future") { reply.match = Height(1); }
  core->Step(From(1, 1, reply));
  CHECK(core->Status().messages_dropped == 1);
}

TEST_CASE("raft: inputs of later versions change nothing", "[consensus]") {
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const Hash before = core->digest();
  for (const Input& input :
       {Input(PayloadAvailable{}), Input(Wake{V(1)}), Input(BodyVerdict{}), Input(BodyFetched{}),
        Input(CertificateFetched{}), Input(Executed{})}) {
    const Output output = core->Step(input);
    CHECK(output.append.empty());
    CHECK(output.send_now.empty());
    CHECK(output.asks.empty());
    CHECK(core->digest() == before);
  }
  const Output read = core->Step(ReadRequest{42});
  REQUIRE(read.reads_ready.size() == 1);
  CHECK(read.reads_ready[0].read_id == 42);
  CHECK(read.reads_ready[0].height == Height(0));
}

TEST_CASE("raft: evidence of two blocks convicts their proposer", "[consensus]") {
  BlockMaker maker(3);
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  const BlockPtr block = maker.Make(kGenesis, View(1), V(1), 0);
  const BlockPtr other = maker.Make(kGenesis, View(1), V(1), 0);
  core->Step(From(1, 1, AppendAfter(kGenesis, 1), {block}));
  const Output output = core->Step(From(1, 1, AppendAfter(kGenesis, 1), {other}));
  CHECK(core->Status().last == block->id());
  REQUIRE(output.fault_proofs.size() == 1);
  const FaultProof& proof = output.fault_proofs[0];
  CHECK(proof.culprit == V(1));
  REQUIRE(proof.evidence[0] == static_cast<char>(RaftFault::kTwoBlocks));
  ledger::Genesis genesis;
  for (uint32_t i = 0; i < 3; ++i) {
    genesis.validators.emplace_back();
    genesis.validators.back().consensus_key = BlockMaker::KeyOf(V(i)).public_key();
  }
  const auto culprit = VerifyTwoHeaders(genesis, proof.evidence.substr(1));
  REQUIRE(culprit.ok());
  CHECK(*culprit == V(1));
  // A stubborn one is reported once.
  CHECK(core->Step(From(1, 1, AppendAfter(kGenesis, 1), {other})).fault_proofs.empty());
}

TEST_CASE("raft: blocks whose size is not known travel alone", "[consensus]") {
  BlockMaker maker(3);
  Recovered recovered;
  BlockId parent = kGenesis;
  for (int i = 0; i < 5; ++i) {
    const BlockPtr block = maker.Make(parent, View(1), V(0), 0);
    recovered.chain.push_back(block->id());
    recovered.chain_sizes.push_back(static_cast<uint32_t>(block->frame().size()));
    parent = block->id();
  }
  recovered.vote = EncodeRaftVoteRecord({Epoch(1), View(1), V(0), true});
  size_t want = 5;
  SECTION("known") {}
  SECTION("not known") {
    recovered.chain_sizes.clear();
    want = 2;  // 8 MiB of budget over 4 MiB assumed for each.
  }
  const auto core = MakeRaft(ConfigOf(3), recovered);
  while (core->Status().role != CoreRole::kPreCandidate) core->Step(Tick{});
  const Output campaign = core->Step(From(1, 1, RaftVoteReply{true, View(2), true}));
  core->Step(DurableUpTo{campaign.sequence});
  core->Step(From(1, 2, RaftVoteReply{false, View(2), true}));
  RaftAppendReply reply;
  reply.session = 9;
  reply.round = 1;
  const Output output = core->Step(From(1, 2, reply));
  size_t sent = 0;
  for (const Message& message : output.send_now) sent += message.bodies.size();
  CHECK(sent == want);
}

TEST_CASE("raft: no message takes anybody to a term that no election can follow", "[consensus]") {
  const View last((uint64_t{1} << 63) - 1);
  for (const uint64_t term : {kTermStepMax + 2, last.value()}) {
    const auto core = MakeRaft(ConfigOf(3), Recovered());
    core->Step(From(1, term, RaftVoteReply{false, View(1), false}));
    core->Step(From(1, term, RaftVote{false, View(term), Height(9), View(term)}));
    core->Step(From(1, 1, RaftVote{true, View(term), Height(9), View(1)}));
    core->Step(From(1, term, RaftAppend()));
    core->Step(From(1, term, RaftAppendReply()));
    CHECK(core->Status().view <= View(1));
    CHECK(core->Status().messages_dropped == 5);
  }
  const auto core = MakeRaft(ConfigOf(3), Recovered());
  core->Step(From(1, kTermStepMax, RaftVoteReply{false, View(1), false}));
  CHECK(core->Status().view == View(kTermStepMax));
}

TEST_CASE("raft: different seeds campaign at different times and equal ones alike", "[consensus]") {
  const auto ticks_to_campaign = [](uint64_t seed) {
    RaftConfig config = ConfigOf(3);
    config.seed = seed;
    const auto core = MakeRaft(config, Recovered());
    int ticks = 0;
    while (core->Status().role == CoreRole::kFollower) {
      core->Step(Tick{});
      ++ticks;
    }
    return ticks;
  };
  std::vector<int> ticks;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    ticks.push_back(ticks_to_campaign(seed));
    CHECK(ticks.back() >= 50);
    CHECK(ticks.back() <= 100);
    CHECK(ticks.back() == ticks_to_campaign(seed));
  }
  CHECK(std::set<int>(ticks.begin(), ticks.end()).size() > 10);
}

}  // namespace
}  // namespace vigil::consensus
