#include "node/driver/replica.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/tables.h"
#include "node/driver/admission.h"

namespace vigil::node {
namespace {

using consensus::CoreStatus;
using consensus::Message;
using consensus::Output;
using consensus::PeerMessage;
using ledger::BlockId;
using ledger::BlockPtr;

constexpr int64_t kTickMicros = consensus::kTickMillis * 1000;
constexpr int64_t kSweepMicros = 1'000'000;
// After a pause of the process, time lost is not made up for: a burst of ticks would look like a
// silent leader.
constexpr int kTicksPerStepMax = 5;
// To a follower that needs what is not kept, blocks are tried so often: it may join anew.
constexpr int64_t kLackingMicros = 1'000'000;
constexpr size_t kItemsPerStepMax = 128;
constexpr int kExecutedPerStepMax = 64;
constexpr int kBuildsPerStepMax = 4;
constexpr size_t kItemBytes = 256;  // Bookkeeping of one item in an inbox budget.

size_t BytesOf(const PoolRecord& record) {
  return kItemBytes + record.record->leaf.size() + record.record->payload.size();
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

Replica::Replica(const Ports& ports, const Options& options, std::unique_ptr<consensus::Core> core,
                 std::unique_ptr<BlockBuilder> builder, const std::vector<TailBlock>& tail,
                 Height handed_to_applier)
    : ports_(ports),
      options_(options),
      core_(std::move(core)),
      builder_(std::move(builder)),
      mempool_(options.mempool, [this](const std::string& stream) { return ExecutedHead(stream); }),
      inbox_({SIZE_MAX, options.peer_inbox_bytes_max, options.submit_inbox_bytes_max,
              options.submit_inbox_bytes_max}),
      status_(core_->Status()),
      view_(ports.chain->CurrentView()),
      executed_(view_.tip.height),
      next_tick_micros_(ports.clock->MonotonicMicros() + kTickMicros),
      next_sweep_micros_(ports.clock->MonotonicMicros() + kSweepMicros),
      leader_seen_micros_(ports.clock->MonotonicMicros()),
      last_block_micros_(ports.clock->MonotonicMicros()),
      handed_to_applier_(handed_to_applier) {
  ports_.reads->Advance(view_.tip.height);
  const auto approved =
      ledger::ReadRow<ledger::ApprovedSetRow>(view_.reader->state(), ledger::ApprovedSetKey());
  seal_due_ = approved.ok() && approved->has_value();
  for (const TailBlock& block : tail) {
    known_[block.block.id] = {.block = block.block, .position = block.position, .bytes = nullptr};
  }
  PublishStatus();
}

bool Replica::PushPeerMessage(PeerMessage message) {
  size_t bytes = kItemBytes + message.header.size();
  for (const BlockPtr& block : message.blocks) bytes += block->frame().size();
  const bool pushed = inbox_.TryPush(std::move(message), bytes, kPeers);
  if (pushed) signal()->Set();
  return pushed;
}

bool Replica::PushLocal(PoolRecord record) {
  const size_t bytes = BytesOf(record);
  const InboxLane lane = record.lane == ledger::Lane::kEvents ? kEvents : kUrgent;
  const bool pushed = inbox_.TryPush(std::move(record), bytes, lane);
  if (pushed) signal()->Set();
  return pushed;
}

bool Replica::PushForwarded(ValidatorIndex from, std::vector<PoolRecord> records) {
  // Urgent records must not wait behind a flood of events that came in the same frame.
  Forwarded lanes[2] = {{from, {}}, {from, {}}};
  size_t bytes[2] = {kItemBytes, kItemBytes};
  for (PoolRecord& record : records) {
    const size_t which = record.lane == ledger::Lane::kEvents ? 1 : 0;
    bytes[which] += BytesOf(record);
    lanes[which].records.push_back(std::move(record));
  }
  bool pushed = true;
  for (size_t which = 0; which < 2; ++which) {
    if (lanes[which].records.empty()) continue;
    pushed &= inbox_.TryPush(std::move(lanes[which]), bytes[which], which == 0 ? kUrgent : kEvents);
  }
  signal()->Set();
  return pushed;
}

bool Replica::PushRefused(ValidatorIndex from, ForwardRefusedFrame refused) {
  const bool pushed = inbox_.TryPush(Refused{from, std::move(refused)}, kItemBytes, kUrgent);
  if (pushed) signal()->Set();
  return pushed;
}

void Replica::PushDurable(Durable durable) {
  VIGIL_CHECK(inbox_.TryPush(std::move(durable), kItemBytes, kControl), "inbox closed");
  signal()->Set();
}

void Replica::PushLogBegins(const BlockId& block) {
  VIGIL_CHECK(inbox_.TryPush(consensus::LogBegins{block}, kItemBytes, kControl), "inbox closed");
  signal()->Set();
}

CoreStatus Replica::Status() const {
  MutexLock lock(&status_mutex_);
  return shared_status_;
}

std::map<ValidatorIndex, Replica::Lacking> Replica::LackingPeers() const {
  MutexLock lock(&status_mutex_);
  return shared_lacking_;
}

void Replica::PublishStatus() {
  MutexLock lock(&status_mutex_);
  shared_status_ = status_;
  shared_lacking_ = lacking_;
}

bool Replica::Step() {
  if (ports_.fatal->failed()) return false;
  bool worked = DrainFeed();
  worked |= RunTicks();
  // While the journal lags, only what makes it catch up is let in.
  const size_t lanes = journal_backlog_.empty() ? SIZE_MAX : kControl + 1;
  for (Item& item : inbox_.TryPop(kItemsPerStepMax, lanes)) {
    OnItem(std::move(item));
    worked = true;
  }
  worked |= BeginRead();
  worked |= FollowTransfer();
  FollowLeadership();
  if (!lacking_.empty()) ForgetLacking();
  for (int i = 0; i < kBuildsPerStepMax && TryBuild(); ++i) worked = true;
  Forward();
  FlushJournal();
  HandOverCommitted();
  if (worked) PublishStatus();
  return worked && !ports_.fatal->failed();
}

void Replica::OnItem(Item item) {
  std::visit(Overloaded{
                 [this](const Durable& durable) { OnDurable(durable); },
                 [this](const consensus::LogBegins& begins) { Feed(begins); },
                 [this](PeerMessage& message) { OnPeerMessage(std::move(message)); },
                 [this](PoolRecord& record) { OnLocal(std::move(record)); },
                 [this](Forwarded& forwarded) { OnForwarded(std::move(forwarded)); },
                 [this](const Refused& refused) { OnRefused(refused); },
             },
             item);
}

bool Replica::RunTicks() {
  const int64_t now = ports_.clock->MonotonicMicros();
  if (now < next_tick_micros_) return false;
  for (int i = 0; i < kTicksPerStepMax && next_tick_micros_ <= now; ++i) {
    next_tick_micros_ += kTickMicros;
    Feed(consensus::Tick{});
  }
  if (next_tick_micros_ <= now) next_tick_micros_ = now + kTickMicros;
  CheckLeader(now);
  ports_.reads->Expire(now, leaderless_);
  mempool_.ExpireForwards(now);
  if (now >= next_sweep_micros_) {
    next_sweep_micros_ = now + kSweepMicros;
    AnswerEvicted(mempool_.ExpireHeld(now));
  }
  return true;
}

// Without a leader nothing is decided, and a client that waits should ask elsewhere. What it sent
// stays in the mempool: it goes to the next leader.
void Replica::CheckLeader(int64_t now_micros) {
  if (status_.leader.has_value()) {
    leader_seen_micros_ = now_micros;
    leaderless_ = false;
    return;
  }
  if (now_micros - leader_seen_micros_ < options_.leaderless_micros_max) return;
  // Repeated each time, for those who came in between.
  leaderless_ = true;
  SubmitOutcome outcome;
  outcome.error = NoLeaderError(/*taken=*/true);
  ports_.pending->AnswerAll(outcome);
}

bool Replica::DrainFeed() {
  if (ports_.chain->tip() == executed_) return false;
  view_ = ports_.chain->CurrentView();
  for (int i = 0; i < kExecutedPerStepMax && executed_ < view_.tip.height; ++i) {
    const absl::StatusOr<ExecutedPtr> executed = ports_.chain->LoadExecuted(executed_.Next());
    if (!executed.ok()) {
      Fail(executed.status(), "read executed block");
      return false;
    }
    OnExecuted(**executed);
  }
  ports_.reads->Advance(view_.tip.height);
  return true;
}

// At most one round a step, so that all who came in the meantime share it.
bool Replica::BeginRead() {
  if (!ports_.reads->WantsRound()) return false;
  if (ports_.clock->MonotonicMicros() < read_again_micros_) return false;
  ports_.reads->Begin(++last_read_id_);
  Feed(consensus::ReadRequest{last_read_id_});
  return true;
}

void Replica::Feed(const consensus::Input& input) { Perform(core_->Step(input)); }

void Replica::Perform(Output output) {
  status_ = core_->Status();
  KeepAppended(output);
  for (const Message& message : output.send_now) Send(message);
  for (consensus::Committed& committed : output.committed) {
    const uint64_t sequence = committed.certificate.empty() ? 0 : output.sequence;
    committed_.push_back({.sequence = sequence, .block = committed.block});
  }
  if (!output.append.empty()) {
    VIGIL_CHECK(output.sequence > issued_sequence_, "output ", output.sequence, " after ",
                issued_sequence_);
    issued_sequence_ = output.sequence;
    journal_backlog_.push_back({.sequence = output.sequence,
                                .append = std::move(output.append),
                                .must_sync = output.must_sync,
                                .epoch = status_.epoch,
                                .view = status_.view});
  }
  if (!output.send_when_durable.empty()) {
    promises_.push_back(
        {.sequence = issued_sequence_, .messages = std::move(output.send_when_durable)});
    ReleasePromises();
  }
  for (const consensus::Ask& ask : output.asks) OnAsk(ask);
  for (const consensus::ReadReady& read : output.reads_ready) {
    if (read.height == Height(0)) {
      read_again_micros_ = ports_.clock->MonotonicMicros() + kTickMicros;
    }
    ports_.reads->OnReady(read.read_id, read.height);
  }
  for (const consensus::FaultProof& proof : output.fault_proofs) {
    ports_.counters->fault_proofs.fetch_add(1, std::memory_order_relaxed);
    (*ports_.log)(LogLevel::kError, "replica",
                  absl::StrCat("validator ", proof.culprit.value(), ": ", proof.what, "; evidence ",
                               HexEncode(AsBytes(proof.evidence))));
  }
}

void Replica::KeepAppended(const Output& output) {
  for (const consensus::JournalAppend& append : output.append) {
    if (append.block == nullptr) continue;
    const ledger::BlockHeader& header = append.block->header();
    ports_.cache->Add(append.block);
    last_block_micros_ = ports_.clock->MonotonicMicros();
    last_block_records_ = append.block->records().size();
    known_[append.block->id()] = {.block = {.id = append.block->id(),
                                            .executed_in_header = header.executed_height,
                                            .time_unix_millis = header.time_unix_millis},
                                  .position = std::nullopt,
                                  .bytes = append.block};
  }
}

void Replica::OnAsk(const consensus::Ask& ask) {
  if (const auto* build = std::get_if<consensus::AskBuild>(&ask)) {
    wanted_ = *build;
    if (build->view != build_view_) {
      build_view_ = build->view;
      first_of_view_ = Height(0);
      mempool_.ResetInFlight();
    }
    return;
  }
  if (const auto* install = std::get_if<consensus::AskInstallSnapshot>(&ask)) {
    ports_.on_behind(install->height);
    return;
  }
  VIGIL_CHECK(std::holds_alternative<consensus::AskCancelBuild>(ask),
              "raft asks to build or for a snapshot; ask ", ask.index());
  wanted_.reset();
}

void Replica::OnDurable(const Durable& durable) {
  durable_sequence_ = durable.sequence;
  for (const auto& [id, position] : durable.blocks) {
    const auto known = known_.find(id);
    if (known == known_.end()) continue;
    known->second.position = position;
    known->second.bytes = nullptr;
  }
  Feed(consensus::DurableUpTo{durable.sequence});
  ReleasePromises();
}

void Replica::ReleasePromises() {
  while (!promises_.empty() && promises_.front().sequence <= durable_sequence_) {
    for (const Message& message : promises_.front().messages) Send(message);
    promises_.pop_front();
  }
}

void Replica::HandOverCommitted() {
  while (!committed_.empty()) {
    const CommittedBlock& next = committed_.front();
    if (next.block.height > handed_to_applier_) {
      VIGIL_CHECK(next.block.height == handed_to_applier_.Next(), "committed ",
                  next.block.height.value(), " after ", handed_to_applier_.value());
      const auto known = known_.find(next.block);
      VIGIL_CHECK(known != known_.end(), "committed block ", next.block.height.value(),
                  " was never appended");
      if (!known->second.position.has_value() || next.sequence > durable_sequence_) return;
      ports_.applier->Push({.block = next.block, .position = *known->second.position});
      handed_to_applier_ = next.block.height;
    }
    committed_.pop_front();
  }
}

void Replica::FlushJournal() {
  while (!journal_backlog_.empty() && ports_.journal->Push(&journal_backlog_.front())) {
    journal_backlog_.pop_front();
  }
}

void Replica::OnPeerMessage(PeerMessage message) {
  if (!message.blocks.empty() && status_.last.height > executed_ &&
      status_.last.height - executed_ > kUnexecutedHeightsMax) {
    ports_.counters->frames_dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  Feed(std::move(message));
}

absl::StatusOr<BlockPtr> Replica::FindBody(const BlockId& id) const {
  if (BlockPtr cached = ports_.cache->Find(id.hash); cached != nullptr) return cached;
  const auto known = known_.find(id);
  if (known != known_.end()) {
    if (known->second.bytes != nullptr) return known->second.bytes;
    if (known->second.position.has_value()) {
      return ports_.chain->LoadAt(id.hash, *known->second.position);
    }
  }
  ASSIGN_OR_RETURN(BlockPtr block, ports_.chain->LoadBlock(id.height));
  if (block->hash() != id.hash) {
    return absl::NotFoundError(absl::StrCat("block ", id.hash.ToHex(),
                                            ": another one is executed at ", id.height.value()));
  }
  return block;
}

void Replica::TellLacking(ValidatorIndex to, Height height, absl::string_view why) {
  const Lacking lacking{.height = height,
                        .why = std::string(why),
                        .quiet_until_micros = ports_.clock->MonotonicMicros() + kLackingMicros};
  if (!lacking_.insert_or_assign(to, lacking).second) return;
  (*ports_.log)(LogLevel::kWarning, "replica",
                absl::StrCat(ports_.genesis->validators[to.value()].identity(), " needs block ",
                             height.value(), ", ", why,
                             ": it lags too far to catch up from this validator, and joins anew "
                             "by a snapshot with: vigild rejoin --even-if-sound "
                             "(docs/operating.md, Keep less)"));
}

// Who leads no more cannot know, and whoever has the block by now lacks it no more.
void Replica::ForgetLacking() {
  if (!Leads()) return lacking_.clear();
  for (const consensus::PeerProgress& peer : status_.peers) {
    const auto lacking = lacking_.find(peer.validator);
    if (lacking == lacking_.end() || peer.match < lacking->second.height) continue;
    (*ports_.log)(LogLevel::kInfo, "replica",
                  absl::StrCat(NameOf(peer.validator), " has block ",
                               lacking->second.height.value(), " now and follows again"));
    lacking_.erase(lacking);
  }
}

void Replica::Send(const Message& message) {
  if (ports_.fatal->failed()) return;
  // What comes behind a block that was not sent is of no use there, and would be checked, refused
  // and asked for again without end.
  const auto lacking = lacking_.find(message.to);
  const bool is_quiet = lacking != lacking_.end() &&
                        ports_.clock->MonotonicMicros() < lacking->second.quiet_until_micros;
  if (is_quiet && !message.bodies.empty()) return;
  OutFrame frame;
  for (const BlockId& id : message.bodies) {
    absl::StatusOr<BlockPtr> block = FindBody(id);
    if (!block.ok()) {
      // Damage on our disk must not pass for a slow network.
      if (absl::IsDataLoss(block.status())) Fail(block.status(), "read block for a peer");
      if (absl::IsNotFound(block.status())) {
        TellLacking(message.to, id.height, "whose bytes are not here any more");
      }
      return;
    }
    // Whoever lags so far must be restored, or join anew.
    if ((*block)->pruned()) {
      return TellLacking(message.to, id.height, "whose payloads were pruned here");
    }
    frame.blocks.push_back(*std::move(block));
  }
  frame.head = EncodeConsensusHead(message.header, static_cast<uint32_t>(frame.blocks.size()));
  const bool sent = ports_.transport->Send(message.to, std::move(frame));
  (sent ? ports_.counters->frames_sent : ports_.counters->frames_unsent)
      .fetch_add(1, std::memory_order_relaxed);
}

void Replica::FollowLeadership() {
  if (was_leader_ && !Leads()) {
    mempool_.ResetInFlight();
    mempool_.DropForeign();
    mempool_.ResetForwards();
  }
  if (was_leader_ != Leads()) {
    (*ports_.log)(LogLevel::kInfo, "replica",
                  absl::StrCat(Leads() ? "leads" : "no longer leads", " in view ",
                               status_.view.value(), ", height ", status_.last.height.value()));
  }
  was_leader_ = Leads();
  if (status_.leader.has_value()) leaderless_ = false;
  if (status_.leader != logged_leader_ && !Leads()) {
    (*ports_.log)(LogLevel::kInfo, "replica",
                  status_.leader.has_value()
                      ? absl::StrCat("follows ",
                                     ports_.genesis->validators[status_.leader->value()].identity(),
                                     " in view ", status_.view.value())
                      : absl::StrCat("knows no leader in view ", status_.view.value()));
  }
  logged_leader_ = status_.leader;
  if (was_non_voter_ && status_.role != consensus::CoreRole::kNonVoter) {
    (*ports_.log)(LogLevel::kInfo, "replica", "may vote again");
  }
  was_non_voter_ = status_.role == consensus::CoreRole::kNonVoter;
}

void Replica::Fail(const absl::Status& status, absl::string_view what) {
  ports_.fatal->Fail(Annotate(status, what));
}

}  // namespace vigil::node
