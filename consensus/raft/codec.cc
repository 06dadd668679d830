#include "consensus/raft/codec.h"

#include "absl/status/status.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"

namespace vigil::consensus {
namespace {

using ledger::BlockId;

constexpr uint8_t kVersion = 1;
// Beyond this, counting on could overflow; no honest validator gets there.
constexpr uint64_t kNumberMax = (uint64_t{1} << 63) - 1;

// Wire: never renumber.
enum class Kind : uint8_t {
  kPreVote = 1,
  kVote = 2,
  kPreVoteReply = 3,
  kVoteReply = 4,
  kAppend = 5,
  kAppendReply = 6,
  kRead = 7,
  kReadReply = 8,
  kTimeoutNow = 9,
  kVoteByTransfer = 10,
  kNeedsSnapshot = 11,
};

// Reads numbers and flags and remembers whether each was in range.
class StrictReader {
 public:
  explicit StrictReader(absl::string_view bytes) : reader_(bytes) {}

  uint8_t U8() { return reader_.U8(); }
  uint32_t U32() { return reader_.U32(); }
  uint64_t Number() {
    const uint64_t value = reader_.U64();
    Require(value <= kNumberMax);
    return value;
  }
  uint64_t AnyU64() { return reader_.U64(); }
  bool Flag() {
    const uint8_t value = reader_.U8();
    Require(value <= 1);
    return value == 1;
  }
  BlockId Block() {
    BlockId block;
    block.height = Height(Number());
    block.view = View(Number());
    block.hash = reader_.ReadHash();
    return block;
  }
  Hash ReadHash() { return reader_.ReadHash(); }
  void Require(bool condition) { in_range_ = in_range_ && condition; }
  absl::Status Finish(absl::string_view what) const {
    RETURN_IF_ERROR(reader_.Finish(what));
    if (!in_range_) return absl::InvalidArgumentError(absl::StrCat(what, ": value out of range"));
    return absl::OkStatus();
  }

 private:
  ByteReader reader_;
  bool in_range_ = true;
};

void WriteBlock(ByteWriter* out, const BlockId& block) {
  out->U64(block.height.value()).U64(block.view.value()).Fixed(block.hash);
}

Kind KindOf(const RaftMessage& message) {
  if (const auto* vote = std::get_if<RaftVote>(&message.body)) {
    if (vote->pre) return Kind::kPreVote;
    return vote->by_transfer ? Kind::kVoteByTransfer : Kind::kVote;
  }
  if (const auto* reply = std::get_if<RaftVoteReply>(&message.body)) {
    return reply->pre ? Kind::kPreVoteReply : Kind::kVoteReply;
  }
  if (std::holds_alternative<RaftRead>(message.body)) return Kind::kRead;
  if (std::holds_alternative<RaftReadReply>(message.body)) return Kind::kReadReply;
  if (std::holds_alternative<RaftNeedsSnapshot>(message.body)) return Kind::kNeedsSnapshot;
  if (std::holds_alternative<RaftTimeoutNow>(message.body)) return Kind::kTimeoutNow;
  return std::holds_alternative<RaftAppend>(message.body) ? Kind::kAppend : Kind::kAppendReply;
}

void WriteBody(ByteWriter* out, const RaftVote& vote) {
  out->U64(vote.campaign.value()).U64(vote.last_height.value()).U64(vote.last_view.value());
}

void WriteBody(ByteWriter* out, const RaftVoteReply& reply) {
  out->U64(reply.campaign.value()).U8(reply.granted);
}

void WriteBody(ByteWriter* out, const RaftAppend& append) {
  out->U64(append.round).U64(append.session).U8(append.confirmed);
  WriteBlock(out, append.previous);
  out->U64(append.committed.value()).U32(append.block_count);
}

void WriteBody(ByteWriter* out, const RaftAppendReply& reply) {
  out->U64(reply.round).U64(reply.session).U8(reply.voter).U8(static_cast<uint8_t>(reply.result));
  out->U64(reply.match.value()).U64(reply.rejected.value());
  out->U64(reply.hint_height.value()).U64(reply.hint_view.value());
}

void WriteBody(ByteWriter* out, const RaftRead& read) { out->U64(read.session).U64(read.read_id); }

void WriteBody(ByteWriter* out, const RaftReadReply& reply) {
  out->U64(reply.session).U64(reply.read_id).U64(reply.height.value());
}

void WriteBody(ByteWriter*, const RaftTimeoutNow&) {}

void WriteBody(ByteWriter* out, const RaftNeedsSnapshot& needs) { out->U64(needs.height.value()); }

RaftVote ReadVote(StrictReader* in, Kind kind) {
  RaftVote vote;
  vote.pre = kind == Kind::kPreVote;
  vote.by_transfer = kind == Kind::kVoteByTransfer;
  vote.campaign = View(in->Number());
  vote.last_height = Height(in->Number());
  vote.last_view = View(in->Number());
  return vote;
}

RaftVoteReply ReadVoteReply(StrictReader* in, bool pre) {
  RaftVoteReply reply;
  reply.pre = pre;
  reply.campaign = View(in->Number());
  reply.granted = in->Flag();
  return reply;
}

RaftAppend ReadAppend(StrictReader* in) {
  RaftAppend append;
  append.round = in->Number();
  append.session = in->AnyU64();
  append.confirmed = in->Flag();
  append.previous = in->Block();
  append.committed = Height(in->Number());
  append.block_count = in->U32();
  return append;
}

RaftAppendReply ReadAppendReply(StrictReader* in) {
  RaftAppendReply reply;
  reply.round = in->Number();
  reply.session = in->AnyU64();
  reply.voter = in->Flag();
  reply.result = static_cast<RaftAppendResult>(in->U8());
  reply.match = Height(in->Number());
  reply.rejected = Height(in->Number());
  reply.hint_height = Height(in->Number());
  reply.hint_view = View(in->Number());
  in->Require(reply.session != 0);
  in->Require(reply.result >= RaftAppendResult::kMatched &&
              reply.result <= RaftAppendResult::kOtherLeader);
  if (reply.result != RaftAppendResult::kMatched) in->Require(reply.match == Height(0));
  if (reply.result != RaftAppendResult::kMismatch) {
    in->Require(reply.rejected == Height(0) && reply.hint_height == Height(0) &&
                reply.hint_view == View(0));
  }
  return reply;
}

RaftRead ReadRead(StrictReader* in) {
  RaftRead read;
  read.session = in->AnyU64();
  read.read_id = in->Number();
  in->Require(read.session != 0);
  return read;
}

RaftReadReply ReadReadReply(StrictReader* in) {
  const RaftRead read = ReadRead(in);
  return RaftReadReply{read.session, read.read_id, Height(in->Number())};
}

}  // namespace

std::string EncodeRaftMessage(const RaftMessage& message) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.U8(kVersion).U8(static_cast<uint8_t>(KindOf(message)));
  out.U64(message.epoch.value()).U64(message.term.value());
  std::visit([&out](const auto& body) { WriteBody(&out, body); }, message.body);
  return bytes;
}

absl::StatusOr<RaftMessage> DecodeRaftMessage(absl::string_view bytes) {
  StrictReader in(bytes);
  in.Require(in.U8() == kVersion);
  const uint8_t kind = in.U8();
  RaftMessage message;
  message.epoch = Epoch(in.Number());
  message.term = View(in.Number());
  switch (static_cast<Kind>(kind)) {
    case Kind::kPreVote:
    case Kind::kVote:
    case Kind::kVoteByTransfer:
      message.body = ReadVote(&in, static_cast<Kind>(kind));
      break;
    case Kind::kPreVoteReply:
    case Kind::kVoteReply:
      message.body = ReadVoteReply(&in, static_cast<Kind>(kind) == Kind::kPreVoteReply);
      break;
    case Kind::kAppend:
      message.body = ReadAppend(&in);
      break;
    case Kind::kAppendReply:
      message.body = ReadAppendReply(&in);
      break;
    case Kind::kRead:
      message.body = ReadRead(&in);
      break;
    case Kind::kReadReply:
      message.body = ReadReadReply(&in);
      break;
    case Kind::kTimeoutNow:
      message.body = RaftTimeoutNow{};
      break;
    case Kind::kNeedsSnapshot:
      message.body = RaftNeedsSnapshot{Height(in.Number())};
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat("raft message of kind ", kind));
  }
  RETURN_IF_ERROR(in.Finish("raft message"));
  return message;
}

std::string EncodeRaftVoteRecord(const RaftVoteRecord& record) {
  std::string bytes;
  ByteWriter(&bytes)
      .U64(record.epoch.value())
      .U64(record.term.value())
      .U32(record.voted_for.has_value() ? record.voted_for->value() + 1 : 0)
      .U8(record.may_vote);
  return bytes;
}

absl::StatusOr<RaftVoteRecord> DecodeRaftVoteRecord(absl::string_view bytes) {
  StrictReader in(bytes);
  RaftVoteRecord record;
  record.epoch = Epoch(in.Number());
  record.term = View(in.Number());
  const uint32_t voted_for = in.U32();
  if (voted_for > 0) record.voted_for = ValidatorIndex(voted_for - 1);
  record.may_vote = in.Flag();
  RETURN_IF_ERROR(in.Finish("raft vote record"));
  return record;
}

std::string EncodeRaftCommitRecord(const RaftCommitRecord& record) {
  std::string bytes;
  ByteWriter(&bytes)
      .U64(record.epoch.value())
      .U64(record.block.view.value())
      .U64(record.block.height.value())
      .Fixed(record.block.hash);
  return bytes;
}

absl::StatusOr<RaftCommitRecord> DecodeRaftCommitRecord(absl::string_view bytes) {
  StrictReader in(bytes);
  RaftCommitRecord record;
  record.epoch = Epoch(in.Number());
  record.block.view = View(in.Number());
  record.block.height = Height(in.Number());
  record.block.hash = in.ReadHash();
  RETURN_IF_ERROR(in.Finish("raft commit record"));
  return record;
}

}  // namespace vigil::consensus
