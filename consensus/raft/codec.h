// The bytes of Raft's messages and journal bodies: fixed-width, big-endian, decoded strictly.
// docs/formats/raft.md draws them. One message has one encoding. Pure, thread-safe.
#ifndef VIGIL_CONSENSUS_RAFT_CODEC_H_
#define VIGIL_CONSENSUS_RAFT_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"

namespace vigil::consensus {

// Asks for a vote in `campaign`; a pre-vote asks whether one would be granted.
struct RaftVote {
  bool pre = false;
  View campaign;
  Height last_height;
  View last_view;
  bool by_transfer = false;  // The leader asked for this campaign; never of a pre-vote.
  bool operator==(const RaftVote&) const = default;
};

struct RaftVoteReply {
  bool pre = false;
  View campaign;
  bool granted = false;
  bool operator==(const RaftVoteReply&) const = default;
};

// The leader's claim that its branch holds `previous`, followed by the blocks beside the message.
struct RaftAppend {
  uint64_t round = 0;      // Numbers the messages of one leader; the reply repeats it.
  uint64_t session = 0;    // The follower's start that the leader counts; 0: not known yet.
  bool confirmed = false;  // A quorum of voters has followed this leader since it knows `session`.
  ledger::BlockId previous;
  Height committed;
  uint32_t block_count = 0;
  bool operator==(const RaftAppend&) const = default;
};

// Wire: never renumber.
enum class RaftAppendResult : uint8_t {
  kMatched = 1,      // Blocks up to `match` are on the follower's disk.
  kMismatch = 2,     // `rejected` names the height of a previous block that is not there.
  kStaleTerm = 3,    // The sender's term is over.
  kOtherLeader = 4,  // Another validator already led this term.
};

struct RaftAppendReply {
  uint64_t round = 0;
  uint64_t session = 0;  // The follower's start.
  bool voter = true;
  RaftAppendResult result = RaftAppendResult::kMatched;
  Height match;
  Height rejected;
  Height hint_height;  // Where the logs may meet: where to probe, never what is matched.
  View hint_view;
  bool operator==(const RaftAppendReply&) const = default;
};

// A follower asks the leader for the height that a linearizable read must see.
struct RaftRead {
  uint64_t session = 0;  // The reader's start: its ids are unique within that.
  uint64_t read_id = 0;
  bool operator==(const RaftRead&) const = default;
};

struct RaftReadReply {
  uint64_t session = 0;
  uint64_t read_id = 0;
  Height height;  // 0: not answered, ask again.
  bool operator==(const RaftReadReply&) const = default;
};

// The leader hands over: the receiver is to campaign at once.
struct RaftTimeoutNow {
  bool operator==(const RaftTimeoutNow&) const = default;
};

// The leader's log begins above what the receiver has: it needs a snapshot of that height or above.
struct RaftNeedsSnapshot {
  Height height;
  bool operator==(const RaftNeedsSnapshot&) const = default;
};

struct RaftMessage {
  Epoch epoch{1};
  View term;  // The sender's current one.
  std::variant<RaftVote, RaftVoteReply, RaftAppend, RaftAppendReply, RaftRead, RaftReadReply,
               RaftTimeoutNow, RaftNeedsSnapshot>
      body;
  bool operator==(const RaftMessage&) const = default;
};

// A message whose term is further than this above the receiver's is dropped.
inline constexpr uint64_t kTermStepMax = uint64_t{1} << 32;
// More terms than can have been campaigned for between a vote that is forgotten and the first term
// that its giver hears of again (protocol.md, R24).
inline constexpr uint64_t kForgottenTerms = uint64_t{1} << 16;

std::string EncodeRaftMessage(const RaftMessage& message);
// Errors: kInvalidArgument unless `bytes` is what EncodeRaftMessage makes.
absl::StatusOr<RaftMessage> DecodeRaftMessage(absl::string_view bytes);

// Body of a kVote record: what this validator must not forget.
struct RaftVoteRecord {
  Epoch epoch{1};
  View term;
  std::optional<ValidatorIndex> voted_for;
  bool may_vote = true;  // False while it is a non-voter (protocol.md, R21).
  bool operator==(const RaftVoteRecord&) const = default;
};
std::string EncodeRaftVoteRecord(const RaftVoteRecord& record);
// Errors: kInvalidArgument.
absl::StatusOr<RaftVoteRecord> DecodeRaftVoteRecord(absl::string_view bytes);

// Body of a kCommit record: everything up to `block` is committed.
struct RaftCommitRecord {
  Epoch epoch{1};
  ledger::BlockId block;
  bool operator==(const RaftCommitRecord&) const = default;
};
std::string EncodeRaftCommitRecord(const RaftCommitRecord& record);
// Errors: kInvalidArgument.
absl::StatusOr<RaftCommitRecord> DecodeRaftCommitRecord(absl::string_view bytes);

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_RAFT_CODEC_H_
