#include "tests/consensus/raft/narrate.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "consensus/raft/codec.h"
#include "ledger/chain/epoch.h"

namespace vigil::consensus {
namespace {

std::string Describe(const RaftVote& vote, size_t) {
  return absl::StrCat(vote.pre ? "pre-vote" : "vote", vote.by_transfer ? " by transfer" : "",
                      " for term ", vote.campaign.value(), ", last ", vote.last_height.value(), "@",
                      vote.last_view.value());
}

std::string Describe(const RaftVoteReply& reply, size_t) {
  return absl::StrCat(reply.pre ? "pre-vote" : "vote", " for term ", reply.campaign.value(),
                      reply.granted ? " granted" : " refused");
}

// Blocks that travel together follow `previous`, so their heights tell which they are.
std::string Describe(const RaftAppend& append, size_t body_count) {
  std::string text = absl::StrCat("append after ", DescribeBlock(append.previous));
  if (append.block_count == 1) {
    absl::StrAppend(&text, ", block ", append.previous.height.value() + 1);
  } else if (append.block_count > 1) {
    absl::StrAppend(&text, ", blocks ", append.previous.height.value() + 1, "-",
                    append.previous.height.value() + append.block_count);
  }
  absl::StrAppend(&text, ", committed ", append.committed.value());
  if (append.confirmed) absl::StrAppend(&text, ", confirmed");
  if (append.block_count != body_count) absl::StrAppend(&text, ", WITH ", body_count, " BODIES");
  return text;
}

std::string Describe(const RaftAppendReply& reply, size_t) {
  const std::string voter = reply.voter ? "" : ", not a voter";
  switch (reply.result) {
    case RaftAppendResult::kMatched:
      return absl::StrCat("matched ", reply.match.value(), voter);
    case RaftAppendResult::kMismatch:
      return absl::StrCat("mismatch at ", reply.rejected.value(), ", try ",
                          reply.hint_height.value(), "@", reply.hint_view.value(), voter);
    case RaftAppendResult::kStaleTerm:
      return absl::StrCat("your term is over", voter);
    case RaftAppendResult::kOtherLeader:
      return absl::StrCat("another leads this term", voter);
  }
  return "?";
}

std::string Describe(const RaftRead& read, size_t) { return absl::StrCat("read ", read.read_id); }

std::string Describe(const RaftReadReply& reply, size_t) {
  return reply.height == Height(0)
             ? absl::StrCat("read ", reply.read_id, " is not answered")
             : absl::StrCat("read ", reply.read_id, " from height ", reply.height.value());
}

std::string Describe(const RaftTimeoutNow&, size_t) { return "campaign now"; }

std::string Describe(const RaftNeedsSnapshot& needs, size_t) {
  return absl::StrCat("you need a snapshot of ", needs.height.value(), " or above");
}

std::string DescribeRecord(const JournalAppend& record) {
  if (record.kind == JournalAppend::Kind::kBlock) {
    return absl::StrCat("block ", DescribeBlock(record.block->id()),
                        ledger::Seals(record.block->header()) ? " naming the next set" : "");
  }
  if (record.kind == JournalAppend::Kind::kCommit) {
    const auto mark = DecodeRaftCommitRecord(record.body);
    return absl::StrCat("commit ", DescribeBlock(mark->block));
  }
  const auto vote = DecodeRaftVoteRecord(record.body);
  std::string text = absl::StrCat("term ", vote->term.value());
  if (vote->voted_for.has_value()) absl::StrAppend(&text, " vote ", vote->voted_for->value());
  if (!vote->may_vote) absl::StrAppend(&text, " non-voter");
  return text;
}

}  // namespace

std::string DescribeBlock(const BlockId& block) {
  return absl::StrCat(block.height.value(), "@", block.view.value());
}

std::string DescribeMessage(absl::string_view header, size_t body_count) {
  const auto message = DecodeRaftMessage(header);
  if (!message.ok()) return "garbage";
  const std::string body = std::visit(
      [body_count](const auto& value) { return Describe(value, body_count); }, message->body);
  const std::string epoch =
      message->epoch == Epoch(1) ? "" : absl::StrCat("epoch ", message->epoch.value(), ", ");
  return absl::StrCat("[", epoch, "term ", message->term.value(), "] ", body);
}

std::string DescribeAppends(const std::vector<JournalAppend>& records) {
  return absl::StrJoin(records, " | ", [](std::string* out, const JournalAppend& record) {
    out->append(DescribeRecord(record));
  });
}

std::string DescribeStatus(const CoreStatus& status) {
  std::string text = absl::StrCat(
      CoreRoleName(status.role), ", term ", status.view.value(), ", leader ",
      status.leader.has_value() ? absl::StrCat(status.leader->value()) : "none", ", last ",
      DescribeBlock(status.last), ", committed ", DescribeBlock(status.committed));
  if (status.epoch > Epoch(1)) absl::StrAppend(&text, ", epoch ", status.epoch.value());
  if (status.sealing.has_value()) {
    absl::StrAppend(&text, ", sealed by ", DescribeBlock(*status.sealing));
  }
  if (status.messages_dropped > 0) {
    absl::StrAppend(&text, ", dropped ", status.messages_dropped);
  }
  if (status.role != CoreRole::kLeader) return text;
  for (const PeerProgress& peer : status.peers) {
    absl::StrAppend(&text, ", ", peer.validator.value(), " has ", peer.match.value(),
                    peer.active ? "" : " (silent)");
  }
  return text;
}

}  // namespace vigil::consensus
