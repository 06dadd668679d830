#include "consensus/raft/codec.h"

#include <string>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/random.h"
#include "tests/consensus/raft/test_host.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::consensus {
namespace {

template <typename Body>
RaftMessage Message(const Body& body) {
  RaftMessage message;
  message.epoch = Epoch(1);
  message.term = View(7);
  message.body = body;
  return message;
}

// One of every kind, with a different number in every field.
std::vector<RaftMessage> Samples() {
  RaftAppend append;
  append.round = 11;
  append.session = 12;
  append.confirmed = true;
  append.previous = BlockId{Height(13), View(6), BlockMaker::GenesisHash()};
  append.committed = Height(10);
  append.block_count = 3;
  RaftAppendReply matched;
  matched.round = 11;
  matched.session = 12;
  matched.match = Height(13);
  RaftAppendReply mismatch;
  mismatch.round = 11;
  mismatch.session = 12;
  mismatch.voter = false;
  mismatch.result = RaftAppendResult::kMismatch;
  mismatch.rejected = Height(9);
  mismatch.hint_height = Height(8);
  mismatch.hint_view = View(5);
  return {Message(RaftVote{true, View(8), Height(3), View(2)}),
          Message(RaftVote{false, View(7), Height(3), View(2)}),
          Message(RaftVote{false, View(7), Height(3), View(2), true}),
          Message(RaftTimeoutNow{}),
          Message(RaftNeedsSnapshot{Height(9)}),
          Message(RaftVoteReply{true, View(8), true}),
          Message(RaftVoteReply{false, View(7), false}),
          Message(append),
          Message(matched),
          Message(mismatch),
          Message(RaftRead{12, 14}),
          Message(RaftReadReply{12, 14, Height(13)})};
}

TEST_CASE("raft codec: every message comes back as it went", "[consensus]") {
  for (const RaftMessage& message : Samples()) {
    const auto decoded = DecodeRaftMessage(EncodeRaftMessage(message));
    REQUIRE(decoded.ok());
    CHECK(*decoded == message);
  }
}

TEST_CASE("raft codec: the bytes are those of the drawing", "[consensus]") {
  const std::string vote = EncodeRaftMessage(Message(RaftVote{true, View(8), Height(3), View(2)}));
  CHECK(HexEncode(AsBytes(vote)) ==
        "0101"
        "0000000000000001"
        "0000000000000007"
        "0000000000000008"
        "0000000000000003"
        "0000000000000002");
  CHECK(HexEncode(AsBytes(EncodeRaftVoteRecord({Epoch(1), View(2), ValidatorIndex(3), true}))) ==
        "0000000000000001"
        "0000000000000002"
        "00000004"
        "01");
  const BlockId block{Height(5), View(4), BlockMaker::GenesisHash()};
  CHECK(HexEncode(AsBytes(EncodeRaftCommitRecord({Epoch(1), block}))) ==
        "0000000000000001"
        "0000000000000004"
        "0000000000000005" +
            BlockMaker::GenesisHash().ToHex());
}

TEST_CASE("raft codec: every truncation and every extension is refused", "[consensus]") {
  for (const RaftMessage& message : Samples()) {
    const std::string bytes = EncodeRaftMessage(message);
    for (size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(DecodeRaftMessage(bytes.substr(0, size)).ok());
    }
    CHECK_FALSE(DecodeRaftMessage(bytes + std::string(1, '\0')).ok());
  }
}

TEST_CASE("raft codec: what is decoded is encoded to the same bytes", "[consensus]") {
  VIGIL_TEST_SEED(seed, 3);
  SplitMix64 random(seed);
  for (const RaftMessage& message : Samples()) {
    const std::string bytes = EncodeRaftMessage(message);
    for (int i = 0; i < 2000; ++i) {
      std::string damaged = bytes;
      const uint64_t flips = 1 + random.Below(3);
      for (uint64_t flip = 0; flip < flips; ++flip) {
        damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
      }
      const auto decoded = DecodeRaftMessage(damaged);
      if (decoded.ok()) CHECK(EncodeRaftMessage(*decoded) == damaged);
    }
  }
}

TEST_CASE("raft codec: values out of range are refused", "[consensus]") {
  SECTION("a term that could overflow") {
    RaftMessage message = Message(RaftVoteReply{});
    message.term = View(uint64_t{1} << 63);
    CHECK_FALSE(DecodeRaftMessage(EncodeRaftMessage(message)).ok());
    message.term = View((uint64_t{1} << 63) - 1);
    CHECK(DecodeRaftMessage(EncodeRaftMessage(message)).ok());
  }
  SECTION("a height that could overflow") {
    RaftAppend append;
    append.previous.height = Height(uint64_t{1} << 63);
    CHECK_FALSE(DecodeRaftMessage(EncodeRaftMessage(Message(append))).ok());
  }
  SECTION("a reply without a session") {
    CHECK_FALSE(DecodeRaftMessage(EncodeRaftMessage(Message(RaftAppendReply{}))).ok());
  }
  SECTION("a match beside a mismatch") {
    RaftAppendReply reply;
    reply.session = 1;
    reply.result = RaftAppendResult::kMismatch;
    reply.match = Height(1);
    CHECK_FALSE(DecodeRaftMessage(EncodeRaftMessage(Message(reply))).ok());
  }
  SECTION("a hint beside a match") {
    RaftAppendReply reply;
    reply.session = 1;
    reply.hint_height = Height(1);
    CHECK_FALSE(DecodeRaftMessage(EncodeRaftMessage(Message(reply))).ok());
  }
}

TEST_CASE("raft codec: journal bodies come back and strict", "[consensus]") {
  for (const auto& voted_for :
       {std::optional<ValidatorIndex>(), std::optional<ValidatorIndex>(ValidatorIndex(0))}) {
    const RaftVoteRecord record{Epoch(1), View(9), voted_for, false};
    const std::string bytes = EncodeRaftVoteRecord(record);
    REQUIRE(DecodeRaftVoteRecord(bytes).ok());
    CHECK(*DecodeRaftVoteRecord(bytes) == record);
    CHECK_FALSE(DecodeRaftVoteRecord(bytes + "x").ok());
    CHECK_FALSE(DecodeRaftVoteRecord(bytes.substr(1)).ok());
    std::string flag = bytes;
    flag.back() = 2;
    CHECK_FALSE(DecodeRaftVoteRecord(flag).ok());
  }
  const RaftCommitRecord mark{Epoch(1), {Height(5), View(4), BlockMaker::GenesisHash()}};
  const std::string bytes = EncodeRaftCommitRecord(mark);
  REQUIRE(DecodeRaftCommitRecord(bytes).ok());
  CHECK(*DecodeRaftCommitRecord(bytes) == mark);
  CHECK_FALSE(DecodeRaftCommitRecord(bytes.substr(0, bytes.size() - 1)).ok());
}

}  // namespace
}  // namespace vigil::consensus
