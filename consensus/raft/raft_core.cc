#include "consensus/raft/raft_core.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "consensus/verify/header_link.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/random.h"
#include "ledger/crypto/sha256.h"

namespace vigil::consensus {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

void CheckConfig(const RaftConfig& config) {
  VIGIL_CHECK(config.validator_count >= 1 && config.validator_count <= kRaftValidatorsMax,
              config.validator_count, " validators, at most ", kRaftValidatorsMax);
  VIGIL_CHECK(config.self.value() < config.validator_count, "validator ", config.self.value(),
              " of ", config.validator_count);
  VIGIL_CHECK(config.heartbeat_ticks >= 1 &&
                  config.heartbeat_ticks < config.election_timeout_ticks_min &&
                  config.election_timeout_ticks_min <= config.election_timeout_ticks_max,
              "heartbeat ", config.heartbeat_ticks, ", election timeout ",
              config.election_timeout_ticks_min, " to ", config.election_timeout_ticks_max);
  VIGIL_CHECK(config.blocks_in_flight_max >= 1 && config.peer_messages_in_flight_max >= 1 &&
                  config.message_blocks_max >= 1,
              "a limit of 0 blocks or messages");
}

// Distinct for distinct seeds, and never 0.
uint64_t SessionOf(uint64_t seed) { return std::max<uint64_t>(SplitMix64(seed).Next(), 1); }

BlockId BaseOf(const RaftConfig& config, const Recovered& recovered) {
  if (recovered.base.height > Height(0)) return recovered.base;
  return BlockId{Height(0), View(0), config.genesis_hash};
}

}  // namespace

RaftCore::RaftCore(const RaftConfig& config, const Recovered& recovered)
    : config_(config),
      session_(SessionOf(config.seed)),
      log_(BaseOf(config, recovered)),
      durability_(Height(recovered.base.height.value() + recovered.chain.size())),
      committed_(std::max(recovered.committed, recovered.base.height)),
      votes_(config.validator_count, false),
      peers_(config.validator_count) {
  CheckConfig(config);
  Recover(recovered);
  RestartElectionTimer();
}

// protocol.md, R20.
void RaftCore::Recover(const Recovered& recovered) {
  VIGIL_CHECK(
      recovered.chain_sizes.empty() || recovered.chain_sizes.size() == recovered.chain.size(),
      recovered.chain_sizes.size(), " sizes of ", recovered.chain.size(), " blocks");
  for (size_t i = 0; i < recovered.chain.size(); ++i) {
    const uint64_t size = recovered.chain_sizes.empty() ? kBlockBytesMax : recovered.chain_sizes[i];
    log_.Append(recovered.chain[i], size);
  }
  VIGIL_CHECK(committed_ <= log_.last().height, "committed ", committed_.value(),
              " above the last block ", log_.last().height.value());
  RecoverVote(recovered);
  RecoverEpoch(recovered);
}

void RaftCore::RecoverVote(const Recovered& recovered) {
  RaftVoteRecord record;
  if (!recovered.vote.empty()) {
    const absl::StatusOr<RaftVoteRecord> decoded = DecodeRaftVoteRecord(recovered.vote);
    VIGIL_CHECK(decoded.ok(), decoded.status().message());
    VIGIL_CHECK(decoded->epoch <= config_.epoch, "vote of epoch ", decoded->epoch.value());
    record = *decoded;
    // protocol.md, E6.
    if (record.epoch < config_.epoch) {
      if (record.term > View(0)) record.voted_for = config_.self;
      hard_state_changed_ = true;
    }
  }
  term_ = record.term;
  voted_for_ = record.voted_for;
  // Who was voted for in a later term than the record's is not known. Counting the vote as the own
  // one keeps it from anybody else; a term is never campaigned for twice.
  const View seen = std::max(recovered.view_min, log_.last().view);
  if (seen > term_) {
    term_ = seen;
    voted_for_ = config_.self;
    hard_state_changed_ = true;
  }
  if (!record.may_vote) may_vote_ = false;
  if (!recovered.may_vote) {
    may_vote_ = false;
    hard_state_changed_ = true;
  }
  if (!recovered.forgot_votes) return;
  forgot_votes_ = record.term == View(0);
  hard_state_changed_ = hard_state_changed_ || may_vote_;
  may_vote_ = false;
}

// protocol.md, R24.
void RaftCore::PassForgottenVotes(View heard) {
  if (!forgot_votes_ || heard == View(0)) return;
  forgot_votes_ = false;
  term_ = View(std::max(heard, term_).value() + kForgottenTerms);
  voted_for_ = config_.self;
  hard_state_changed_ = true;
}

// protocol.md, R31. A base that another input has overtaken is nothing new.
void RaftCore::OnLogBegins(const BlockId& block) {
  if (block.height <= log_.base().height) return;
  VIGIL_CHECK(block.height <= committed_ && log_.Contains(block), "the log begins at block ",
              block.height.value(), ", which is not committed on this branch");
  log_.BeginAt(block.height);
  for (const ValidatorIndex other : OtherValidators()) {
    PeerOf(other).flow.RaiseBase(log_.last().height, block.height);
  }
}

Output RaftCore::Step(const Input& input) {
  std::visit(Overloaded{
                 [this](const PeerMessage& message) { OnMessage(message); },
                 [this](const Tick&) { OnTick(); },
                 [this](const BlockBuilt& built) { OnBlockBuilt(built.block); },
                 [this](const DurableUpTo& durable) { OnDurable(durable.sequence); },
                 [this](const ReadRequest& request) { OnReadRequest(request.read_id); },
                 [this](const Transfer& transfer) { OnTransfer(transfer.to); },
                 [this](const LogBegins& begins) { OnLogBegins(begins.block); },
                 // Ignored, as raft.h says.
                 [](const PayloadAvailable&) {},
                 [](const Wake&) {},
                 [](const BodyVerdict&) {},
                 [](const BodyFetched&) {},
                 [](const CertificateFetched&) {},
                 [](const Executed&) {},
             },
             input);
  GiveUpReads();
  if (role_ == CoreRole::kLeader) {
    AskForBlock();
    ServeReads();
    TellTransferTarget();
  }
  return FinishStep();
}

// protocol.md, R22. Terms are counted up one by one, so no honest validator is so far ahead; and a
// term near the largest number could never be followed by another election.
bool RaftCore::IsTooFarAhead(const RaftMessage& message) const {
  View claimed = message.term;
  if (const auto* vote = std::get_if<RaftVote>(&message.body)) {
    claimed = std::max(claimed, vote->campaign);
  }
  return claimed > term_ && claimed - term_ > kTermStepMax;
}

// protocol.md, R22.
void RaftCore::OnMessage(const PeerMessage& message) {
  const absl::StatusOr<RaftMessage> decoded = DecodeRaftMessage(message.header);
  if (!decoded.ok() || decoded->epoch != config_.epoch || message.from == config_.self ||
      message.from.value() >= config_.validator_count || IsTooFarAhead(*decoded)) {
    ++messages_dropped_;
    return;
  }
  PassForgottenVotes(decoded->term);
  const Incoming in{message.from, decoded->term, &message.blocks};
  std::visit(Overloaded{
                 [&](const RaftVote& vote) { vote.pre ? OnPreVote(in, vote) : OnVote(in, vote); },
                 [&](const RaftVoteReply& reply) { OnVoteReply(in, reply); },
                 [&](const RaftAppend& append) { OnAppend(in, append); },
                 [&](const RaftAppendReply& reply) { OnAppendReply(in, reply); },
                 [&](const RaftRead& read) { OnRead(in, read); },
                 [&](const RaftReadReply& reply) { OnReadReply(reply); },
                 [&](const RaftTimeoutNow&) { OnTimeoutNow(in); },
                 [&](const RaftNeedsSnapshot& needs) { OnNeedsSnapshot(in, needs); },
             },
             decoded->body);
}

// protocol.md, R2.
void RaftCore::OnTick() {
  // Counted no further than they are asked about, so that they cannot wrap.
  const uint32_t enough = config_.election_timeout_ticks_min;
  for (Peer& peer : peers_) peer.silent_ticks = std::min(peer.silent_ticks + 1, enough);
  leader_silent_ticks_ = std::min(leader_silent_ticks_ + 1, enough);
  AgeReads();
  if (role_ == CoreRole::kLeader) {
    OnLeaderTick();
    return;
  }
  ++election_ticks_;
  if (election_ticks_ < election_timeout_) return;
  if (MayLead()) {
    StartPreVote();
  } else {
    RestartElectionTimer();
  }
}

void RaftCore::OnDurable(uint64_t sequence) {
  VIGIL_CHECK(sequence <= sequence_, "durable up to ", sequence, " of ", sequence_);
  if (sequence <= durable_sequence_) return;
  durable_sequence_ = sequence;
  durability_.DurableUpTo(sequence);
  // protocol.md, R4: the own vote counts from now.
  if (role_ == CoreRole::kCandidate && own_vote_sequence_ != 0 &&
      own_vote_sequence_ <= durable_sequence_) {
    own_vote_sequence_ = 0;
    CountVote(config_.self);
  }
  if (role_ == CoreRole::kLeader) CommitByCounting();
}

void RaftCore::AppendBlock(const BlockPtr& block) {
  log_.Append(block->id(), block->frame().size());
  durability_.Appended(next_sequence(), block->height());
  blocks_appended_ = true;
  RememberHeader(block);
  NoteEpochOf(block);
  JournalAppend append;
  append.kind = JournalAppend::Kind::kBlock;
  append.block = block;
  output_.append.push_back(std::move(append));
}

Output RaftCore::FinishStep() {
  output_.must_sync = syncs_this_step();
  if (hard_state_changed_) {
    // Before the blocks, so that no block is ever on disk without the term it came in.
    JournalAppend vote;
    vote.kind = JournalAppend::Kind::kVote;
    vote.body = EncodeRaftVoteRecord({config_.epoch, term_, voted_for_, may_vote_});
    output_.append.insert(output_.append.begin(), std::move(vote));
    hard_state_sequence_ = next_sequence();
  }
  if (committed_changed_) {
    JournalAppend mark;
    mark.kind = JournalAppend::Kind::kCommit;
    mark.body = EncodeRaftCommitRecord({config_.epoch, log_.At(committed_)});
    output_.append.push_back(std::move(mark));
  }
  VIGIL_CHECK(output_.must_sync || output_.send_when_durable.empty(), "promise without a record");
  if (!output_.append.empty()) output_.sequence = ++sequence_;
  hard_state_changed_ = false;
  blocks_appended_ = false;
  committed_changed_ = false;
  return std::exchange(output_, Output());
}

RaftMessage RaftCore::Speak() const {
  RaftMessage message;
  message.epoch = config_.epoch;
  message.term = term_;
  return message;
}

Message RaftCore::To(ValidatorIndex to, const RaftMessage& message) const {
  return Message{to, EncodeRaftMessage(message), {}};
}

std::vector<ValidatorIndex> RaftCore::OtherValidators() const {
  std::vector<ValidatorIndex> others;
  for (uint32_t i = 0; i < config_.validator_count; ++i) {
    if (i != config_.self.value()) others.push_back(ValidatorIndex(i));
  }
  return others;
}

CoreStatus RaftCore::Status() const {
  CoreStatus status;
  status.role = MayLead() ? role_ : CoreRole::kNonVoter;
  status.epoch = config_.epoch;
  status.view = term_;
  if (role_ == CoreRole::kFollower && HearsFromLeader()) status.leader = term_leader_;
  if (role_ == CoreRole::kLeader) status.leader = config_.self;
  status.last = log_.last();
  status.committed = log_.At(committed_);
  if (sealing_.has_value()) status.sealing = log_.At(sealing_->height);
  if (transfer_.has_value()) status.transfer_to = transfer_->to;
  status.messages_dropped = messages_dropped_;
  for (const ValidatorIndex validator : OtherValidators()) {
    const Peer& peer = peers_[validator.value()];
    PeerProgress progress;
    progress.validator = validator;
    if (role_ == CoreRole::kLeader) progress.match = peer.flow.match();
    progress.voter = peer.voter;
    progress.active = peer.silent_ticks < config_.election_timeout_ticks_min;
    status.peers.push_back(progress);
  }
  return status;
}

Hash RaftCore::digest() const {
  std::string bytes;
  ByteWriter out(&bytes);
  const auto optional_index = [&out](const std::optional<ValidatorIndex>& index) {
    out.U32(index.has_value() ? index->value() + 1 : 0);
  };
  out.U64(session_)
      .U64(term_.value())
      .U8(may_vote_)
      .U8(forgot_votes_)
      .U8(static_cast<uint8_t>(role_));
  optional_index(voted_for_);
  optional_index(term_leader_);
  out.Fixed(log_.last().hash).U64(log_.last().height.value()).U64(log_.total_size());
  out.U64(committed_.value());
  out.U8(sealing_.has_value());
  if (sealing_.has_value()) {
    out.U64(sealing_->height.value()).Fixed(sealing_->set).Fixed(sealing_->next_set);
  }
  durability_.AppendTo(&out);
  out.U64(jitter_draws_).U32(election_timeout_).U32(election_ticks_).U32(leader_silent_ticks_);
  for (const bool vote : votes_) out.U8(vote);
  out.U64(own_vote_sequence_).U64(round_).U32(heartbeat_ticks_);
  for (const Peer& peer : peers_) {
    peer.flow.AppendTo(&out);
    out.U32(peer.silent_ticks).U64(peer.session).U64(peer.fence_round).U64(peer.hello_round);
    out.U64(peer.acked_round).U64(peer.probe_round).U8(peer.voter);
  }
  out.U8(asked_on_.has_value()).Fixed(asked_on_.value_or(BlockId{}).hash);
  optional_index(transfer_.has_value() ? std::optional(transfer_->to) : std::nullopt);
  if (transfer_.has_value()) out.U32(transfer_->ticks).U8(transfer_->told);
  AppendReadsTo(&out);
  out.U8(snapshot_asked_);
  out.U64(sequence_).U64(durable_sequence_).U64(hard_state_sequence_).U8(hard_state_changed_);
  // The headers themselves are named by the last block's hash.
  out.U64(recent_headers_.empty() ? 0 : recent_headers_.begin()->first.value());
  out.U64(recent_headers_.size());
  for (const auto& [validator, view] : reported_) out.U32(validator.value()).U64(view.value());
  return ledger::Sha256(AsBytes(bytes));
}

std::unique_ptr<Core> MakeRaft(const RaftConfig& config, const Recovered& recovered) {
  return std::make_unique<RaftCore>(config, recovered);
}

}  // namespace vigil::consensus
