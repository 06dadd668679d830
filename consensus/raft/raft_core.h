// The state machine behind MakeRaft (consensus/raft/raft.h): private to consensus/raft.
//
// One class, its member functions in files by idea: raft_core.cc (inputs, outputs, status, digest),
// election.cc, follower.cc, leader.cc, reads.cc, transfer.cc, epochs.cc, fault.cc. Steps cited as
// R1 ... R31 and E1 ... E7 are docs/protocol.md's.
//
// Invariants:
//   (1) term_ never decreases; within a term voted_for_ is set at most once.
//   (2) committed_ never decreases, and the log at or below it never changes.
//   (3) committed_ is at least the epoch's base once the log holds that, and at most the sealing
//       block.
//   (4) An output that makes a promise either carries it in send_when_durable behind the records it
//       rests on, or rests only on records known to be durable.
#ifndef VIGIL_CONSENSUS_RAFT_RAFT_CORE_H_
#define VIGIL_CONSENSUS_RAFT_RAFT_CORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "consensus/core/core.h"
#include "consensus/raft/chain_log.h"
#include "consensus/raft/codec.h"
#include "consensus/raft/durability.h"
#include "consensus/raft/peer_flow.h"
#include "consensus/raft/raft.h"
#include "consensus/verify/evidence.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"

namespace vigil::consensus {

class RaftCore final : public Core {
 public:
  RaftCore(const RaftConfig& config, const Recovered& recovered);

  Output Step(const Input& input) override;
  CoreStatus Status() const override;
  Hash digest() const override;

 private:
  // Another validator, as this one sees it. Flow, rounds and session count while leading.
  struct Peer {
    PeerFlow flow;
    uint32_t silent_ticks = 0;
    uint64_t session = 0;      // 0: not known yet.
    uint64_t fence_round = 0;  // Replies to rounds up to here are an earlier start's.
    uint64_t hello_round = 0;  // Rounds up to here were sent before `session` was known.
    uint64_t acked_round = 0;  // Highest round answered in this term.
    uint64_t probe_round = 0;  // The round of the newest probe.
    bool voter = true;
  };
  // A message with the header decoded. Points into the input.
  struct Incoming {
    ValidatorIndex from;
    View term;
    const std::vector<BlockPtr>* blocks = nullptr;
  };
  // A read that this leader is to answer: once a quorum has followed it after `after_round`.
  struct LedRead {
    ValidatorIndex reader;
    RaftRead read;
    uint64_t after_round = 0;
    Height index;  // The answer; 0: no block of the own term is committed yet.
    uint32_t ticks = 0;
  };
  // Of a leader that hands over.
  struct LeadershipTransfer {
    ValidatorIndex to;
    uint32_t ticks = 0;
    bool told = false;  // Since the last heartbeat.
  };
  // The block of log_ that ends the epoch, and the two sets that it names.
  struct Sealing {
    Height height;
    Hash set;
    Hash next_set;
  };
  // A read that this follower passed on to the leader of `term`.
  struct AskedRead {
    uint64_t read_id = 0;
    View term;
    uint32_t ticks = 0;
  };

  // --- raft_core.cc: inputs and outputs
  void Recover(const Recovered& recovered);
  void RecoverVote(const Recovered& recovered);
  bool IsTooFarAhead(const RaftMessage& message) const;
  void PassForgottenVotes(View heard);
  void OnMessage(const PeerMessage& message);
  void OnTick();
  void OnDurable(uint64_t sequence);
  Output FinishStep();
  void AppendBlock(const BlockPtr& block);
  Message To(ValidatorIndex to, const RaftMessage& message) const;
  RaftMessage Speak() const;
  uint64_t next_sequence() const { return sequence_ + 1; }
  // This step's output will be synced before its promises leave.
  bool syncs_this_step() const { return hard_state_changed_ || blocks_appended_; }
  uint32_t quorum() const { return config_.validator_count / 2 + 1; }
  std::vector<ValidatorIndex> OtherValidators() const;
  Peer& PeerOf(ValidatorIndex validator) { return peers_[validator.value()]; }

  // --- election.cc
  void BecomeFollower(View term, std::optional<ValidatorIndex> leader);
  void StartPreVote();
  void StartCampaign(bool by_transfer);
  void OnVote(const Incoming& in, const RaftVote& vote);
  void OnPreVote(const Incoming& in, const RaftVote& vote);
  void OnVoteReply(const Incoming& in, const RaftVoteReply& reply);
  void CountVote(ValidatorIndex voter);
  void RestartElectionTimer();
  bool HearsFromLeader() const;
  bool IsUpToDate(const RaftVote& vote) const;

  // --- follower.cc
  void OnAppend(const Incoming& in, const RaftAppend& append);
  bool ChainsFrom(const Incoming& in, const RaftAppend& append) const;
  bool PreviousIsKnown(const Incoming& in, const RaftAppend& append);
  bool TakeBlocks(const Incoming& in);
  void OnNeedsSnapshot(const Incoming& in, const RaftNeedsSnapshot& needs);
  void TruncateAbove(Height kept);
  void AcknowledgeMatch(const Incoming& in, const RaftAppend& append, Height matched);
  void Reply(ValidatorIndex to, const RaftAppend& append, RaftAppendReply reply);
  void RejoinIfCaughtUp(const Incoming& in, const RaftAppend& append, Height matched);
  void CommitUpTo(Height height);

  // --- leader.cc
  void BecomeLeader();
  void OnLeaderTick();
  void OnAppendReply(const Incoming& in, const RaftAppendReply& reply);
  bool IsOfThisStart(ValidatorIndex from, const RaftAppendReply& reply);
  void OnBlockBuilt(const BlockPtr& block);
  void AskForBlock();
  bool SendBlocks(ValidatorIndex to);
  void SendHeartbeat(ValidatorIndex to);
  void SendHeartbeats();
  void SendAppend(ValidatorIndex to, Height previous, Height last);
  void TellNeedsSnapshot(ValidatorIndex to);
  void CommitByCounting();
  void AnnounceCommit();
  bool HearsQuorum() const;
  uint64_t ConfirmedRound() const;

  // --- reads.cc
  void OnReadRequest(uint64_t read_id);
  void OnRead(const Incoming& in, const RaftRead& read);
  void OnReadReply(const RaftReadReply& reply);
  void TakeRead(ValidatorIndex reader, const RaftRead& read);
  void AnswerRead(ValidatorIndex reader, const RaftRead& read, Height height);
  bool IsConfirmedAfter(uint64_t round) const;
  void ServeReads();
  void GiveUpReads();
  void AgeReads();
  void AppendReadsTo(ByteWriter* out) const;

  // --- transfer.cc
  void OnLogBegins(const BlockId& block);
  void OnTransfer(ValidatorIndex to);
  void OnTransferTick();
  void TellTransferTarget();
  void OnTimeoutNow(const Incoming& in);

  // --- epochs.cc
  bool HasEpochBase() const;
  bool MayLead() const;
  void RecoverEpoch(const Recovered& recovered);
  std::optional<Sealing> SealingOf(const ledger::BlockHeader& header) const;
  static bool IsClosing(const ledger::Block& block, const Sealing& sealing);
  void NoteEpochOf(const BlockPtr& block);
  bool KeepsToEpoch(const Incoming& in, const RaftAppend& append) const;
  void ForgetSealingAbove(Height kept);
  Height CommitLimit() const;
  bool EpochIsCommitted() const;
  Height WitnessOfCommit(Height committed, Height matched) const;

  // --- fault.cc
  void RememberHeader(const BlockPtr& block);
  void ReportTwoLeaders(View term, std::optional<ValidatorIndex> first, ValidatorIndex other);
  void ReportTwoBlocks(const BlockPtr& other);
  void ReportCommittedConflict(ValidatorIndex leader, const BlockId& theirs);
  void Report(RaftFault fault, View term, ValidatorIndex culprit, absl::string_view evidence,
              std::string what);

  const RaftConfig config_;
  const uint64_t session_;  // Names this start; never 0.

  // Hard state (R1): in the journal before anything that rests on it is said.
  View term_;
  std::optional<ValidatorIndex> voted_for_;
  bool may_vote_ = true;
  bool forgot_votes_ = false;  // In which terms, is not known before somebody tells of his.

  CoreRole role_ = CoreRole::kFollower;        // Never kNonVoter; Status() derives that.
  std::optional<ValidatorIndex> term_leader_;  // The one validator known to have led term_.
  ChainLog log_;
  Durability durability_;
  Height committed_;
  std::optional<Sealing> sealing_;

  // Election.
  uint64_t jitter_draws_ = 0;
  uint32_t election_timeout_ = 0;
  uint32_t election_ticks_ = 0;
  uint32_t leader_silent_ticks_ = 0;  // Since the leader of term_ was heard.
  std::vector<bool> votes_;
  uint64_t own_vote_sequence_ = 0;  // The own vote counts once this is durable; 0: none pending.

  // Leader.
  std::vector<Peer> peers_;  // By validator; the own entry is unused.
  uint64_t round_ = 0;
  uint32_t heartbeat_ticks_ = 0;
  std::optional<BlockId> asked_on_;  // Parent of the outstanding AskBuild.

  std::optional<LeadershipTransfer> transfer_;

  // Reads: of a leader, in order of arrival; of a follower.
  uint64_t broadcast_round_ = 0;  // Everybody was sent an append of a later round than this.
  std::deque<LedRead> led_reads_;
  std::deque<AskedRead> asked_reads_;

  // Durability and the output under construction.
  uint64_t sequence_ = 0;
  uint64_t durable_sequence_ = 0;
  uint64_t hard_state_sequence_ = 0;  // Output that last wrote the hard state.
  bool hard_state_changed_ = false;
  bool blocks_appended_ = false;
  bool committed_changed_ = false;
  bool snapshot_asked_ = false;
  Output output_;

  // Evidence: signed headers of the newest blocks, and what was reported already.
  std::map<Height, SignedHeader> recent_headers_;
  std::map<ValidatorIndex, View> reported_;

  uint64_t messages_dropped_ = 0;
};

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_RAFT_RAFT_CORE_H_
