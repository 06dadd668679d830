#include "node/driver/learner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "node/driver/learner_frame.h"

namespace vigil::node {
namespace {

constexpr int64_t kTellMicros = 60'000'000;
constexpr size_t kRecentBytesMax = 4u << 20;

LogFunction OrSilent(const LogFunction& log) {
  if (log) return log;
  return [](LogLevel, absl::string_view, absl::string_view) {};
}

// It has promised nothing, so that its folder is of no worth to anybody but itself.
absl::Status BeginAnew(const std::string& data_dir, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(data_dir, ": ", what,
                   "; this newcomer has promised nothing yet: remove the folder and the rollback "
                   "guard beside its keys, then: vigild init --entry"));
}

}  // namespace

Learner::Learner(const ledger::Genesis& genesis, const LearnerConfig& config,
                 const LearnerSeams& seams)
    : genesis_(genesis),
      config_(config),
      seams_(seams),
      log_(OrSilent(seams.log)),
      self_(genesis.FindValidator(config.entry.identity())
                .value_or(ValidatorIndex(static_cast<uint32_t>(genesis.validators.size())))),
      stores_(seams.files, config.data_dir, seams.open_store, &log_),
      fatal_([this](const absl::Status& status) {
        log_(LogLevel::kError, "learner", absl::StrCat("stops for good: ", status.message()));
        if (ledger::IsStoreDamage(status)) stores_.MarkDamaged("state", status.message());
        if (seams_.on_change) seams_.on_change();
      }),
      cache_(config.block_cache_bytes_max),
      anchors_(config.epoch_anchors),
      newest_(genesis),
      threads_(seams.clock) {}

Learner::~Learner() { Stop(); }

void Learner::Start() {
  for (Actor* actor : actors_) threads_.Start(actor);
}

void Learner::Stop() { threads_.Stop(); }

absl::StatusOr<std::unique_ptr<Learner>> Learner::Open(const ledger::Genesis& genesis,
                                                       const LearnerConfig& config,
                                                       const LearnerSeams& seams) {
  std::unique_ptr<Learner> learner(new Learner(genesis, config, seams));
  RETURN_IF_ERROR(learner->Recover());
  return learner;
}

absl::Status Learner::Recover() {
  absl::StatusOr<std::shared_ptr<void>> lock = LockDataFolder(seams_.files, config_.data_dir);
  if (absl::IsNotFound(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(config_.data_dir, ": not there; make it once with: vigild init --entry"));
  }
  RETURN_IF_ERROR(lock.status());
  lock_ = *std::move(lock);
  const JournalPlace place =
      PlaceOfJournal(seams_.files, config_.data_dir, config_.guard_path, config_.entry.journal_id);
  ASSIGN_OR_RETURN(OpenedJournal journal, OpenJournal(place));
  if (!journal.damage.ok()) return BeginAnew(config_.data_dir, journal.damage.message());
  absl::StatusOr<JournalScan> scan = ScanJournal(genesis_, *journal.reader);
  if (absl::IsDataLoss(scan.status())) {
    return BeginAnew(config_.data_dir, scan.status().message());
  }
  RETURN_IF_ERROR(scan.status());
  if (!scan->joined || scan->has_voted) {
    return BeginAnew(config_.data_dir, "the journal was not made for a newcomer");
  }
  if (scan->epoch_max > genesis_.epoch) {
    return BeginAnew(config_.data_dir,
                     absl::StrCat("the journal holds blocks of epoch ", scan->epoch_max.value(),
                                  ", the epoch chain reaches ", genesis_.epoch.value()));
  }
  if (scan->IsNew()) return OpenJoin(std::move(journal));
  SnapshotFolder folder(seams_.files, config_.data_dir + "/snapshots", &genesis_, &*scan, &log_);
  ASSIGN_OR_RETURN(OpenedState state, OpenState(&stores_, &genesis_, &folder, log_));
  const absl::Status fits = CheckStateOnChain(state.state->tip(), *scan);
  if (!fits.ok()) return BeginAnew(config_.data_dir, fits.message());
  return OpenFollow(std::move(journal), *scan, std::move(state));
}

absl::Status Learner::OpenJoin(OpenedJournal journal) {
  ASSIGN_OR_RETURN(join_,
                   JoinActor::Open({.genesis = &genesis_,
                                    .self = self_,
                                    .clock = seams_.clock,
                                    .files = seams_.files,
                                    .transport = &requests_,
                                    .fatal = &fatal_,
                                    .log = &log_,
                                    .on_ready =
                                        [this] {
                                          joined_ = true;
                                          if (seams_.on_change) seams_.on_change();
                                        }},
                                   {.data_dir = config_.data_dir}, std::move(journal.journal)));
  log_(LogLevel::kInfo, "learner",
       absl::StrCat("learns for ", config_.entry.identity(),
                    ": asks the present validators for a snapshot"));
  actors_ = {join_.get()};
  return absl::OkStatus();
}

absl::Status Learner::OpenFollow(OpenedJournal journal, const JournalScan& scan,
                                 OpenedState state) {
  state_store_ = std::move(state.store);
  const ledger::Tip tip = state.state->tip();
  chain_ = std::make_unique<ChainAccess>(state_store_.get(), journal.reader, &cache_, tip,
                                         kRecentBytesMax);
  snapshots_ = std::make_unique<SnapshotActor>(
      SnapshotActor::Ports{.genesis = &genesis_,
                           .files = seams_.files,
                           .fatal = &fatal_,
                           .log = &log_,
                           .on_known = [this] { applier_->signal()->Set(); }},
      config_.data_dir + "/snapshots", state.snapshot);
  if (genesis_.HasSnapshot(tip.height) && !state.snapshot.has_value()) {
    snapshots_->Take(tip.height, state.state->StoreSnapshot());
  }
  applier_ = std::make_unique<Applier>(Applier::Ports{.chain = chain_.get(),
                                                      .cache = &cache_,
                                                      .pending = &pending_,
                                                      .fatal = &fatal_,
                                                      .counters = &counters_,
                                                      .snapshots = snapshots_.get(),
                                                      .genesis = &genesis_},
                                       std::move(state.state));
  // Only what a quorum stands behind was ever written to this journal.
  for (size_t i = scan.IndexOf(tip.height.Next()); i < scan.chain.size(); ++i) {
    applier_->Push({.block = scan.chain[i].id, .position = scan.positions[i]});
  }
  follow_ = std::make_unique<FollowActor>(FollowActor::Ports{.genesis = &genesis_,
                                                             .self = self_,
                                                             .clock = seams_.clock,
                                                             .transport = &requests_,
                                                             .chain = chain_.get(),
                                                             .cache = &cache_,
                                                             .applier = applier_.get(),
                                                             .fatal = &fatal_,
                                                             .log = &log_},
                                          std::move(journal.journal), scan.last_height());
  chain_->AddListener([this](Height) { follow_->signal()->Set(); });
  log_(LogLevel::kInfo, "learner",
       absl::StrCat("learns for ", config_.entry.identity(), ": follows from height ",
                    scan.last_height().value() + 1));
  actors_ = {applier_.get(), snapshots_.get(), follow_.get()};
  return absl::OkStatus();
}

bool Learner::Requests::Send(ValidatorIndex to, OutFrame frame) {
  const absl::StatusOr<FetchRequest> request = DecodeFetchRequest(frame.head);
  if (request.ok()) {
    MutexLock lock(&learner_->mutex_);
    learner_->asked_ids_[to] = request->id;
  }
  OutFrame wrapped;
  wrapped.head = EncodeLearnerRequest(learner_->Executed(), frame.head);
  return learner_->seams_.transport->Send(to, std::move(wrapped));
}

bool Learner::Requests::IsConnected(ValidatorIndex peer) const {
  return learner_->seams_.transport->IsConnected(peer);
}

std::string Learner::Hello(ValidatorIndex to, const Hash& certificate_hash) const {
  LearnerHello hello;
  hello.chain_id = genesis_.chain_id;
  hello.journal_id = config_.entry.journal_id;
  hello.epoch = genesis_.epoch;
  hello.height = Executed();
  const std::string message =
      LearnerHelloMessage(hello, config_.entry.identity(),
                          genesis_.validators[to.value()].identity(), certificate_hash);
  hello.signature = config_.consensus_key->Sign(AsBytes(message));
  return EncodeLearnerHello(hello);
}

absl::Status Learner::OnFrame(ValidatorIndex from, absl::string_view frame) {
  if (from.value() >= genesis_.validators.size() || fatal_.failed()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const LearnerFrameType type, LearnerFrameTypeOf(frame));
  if (type == LearnerFrameType::kWelcome) return OnWelcome(from, frame);
  ASSIGN_OR_RETURN(FetchAnswer answer, DecodeLearnerAnswer(frame));
  {
    MutexLock lock(&mutex_);
    heard_[from] = absl::OkStatus();
  }
  return OnAnswer(from, std::move(answer));
}

absl::Status Learner::OnAnswer(ValidatorIndex from, FetchAnswer answer) {
  if (join_ != nullptr) return join_->OnAnswer(from, std::move(answer));
  return follow_->OnAnswer(from, std::move(answer));
}

// Anchors prove themselves, whoever brings them; heights are only shown.
absl::Status Learner::OnWelcome(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(const LearnerWelcome welcome, DecodeLearnerWelcome(frame));
  {
    MutexLock lock(&mutex_);
    final_ = std::max(final_, welcome.final);
  }
  const absl::Status kept = KeepAnchors(welcome.anchors);
  if (kept.ok()) return kept;
  return Annotate(kept,
                  absl::StrCat("epoch chain of ", genesis_.validators[from.value()].identity()));
}

absl::Status Learner::KeepAnchors(const std::vector<ledger::EpochAnchor>& anchors) {
  bool ended = false;
  {
    MutexLock lock(&mutex_);
    for (const ledger::EpochAnchor& anchor : anchors) {
      ASSIGN_OR_RETURN(const ledger::Seal seal, ledger::DecodeSealLeaf(AsBytes(anchor.seal_leaf)));
      if (seal.header.epoch < newest_.epoch) continue;
      ASSIGN_OR_RETURN(ledger::Genesis next, ledger::VerifyEpochAnchor(newest_, anchor));
      std::vector<ledger::EpochAnchor> longer = anchors_;
      longer.push_back(anchor);
      RETURN_IF_ERROR(seams_.files->WriteAtomically(ledger::EpochChainPath(config_.data_dir),
                                                    AsBytes(ledger::EncodeEpochChain(longer))));
      anchors_ = std::move(longer);
      newest_ = std::move(next);
      ended = true;
    }
    if (ended) {
      log_(LogLevel::kInfo, "learner",
           absl::StrCat("epoch ", newest_.epoch.value(), " has begun above height ",
                        newest_.epoch_base.value()));
    }
  }
  if (ended && !ended_.exchange(true) && seams_.on_change) seams_.on_change();
  return absl::OkStatus();
}

void Learner::OnEnd(ValidatorIndex from, const absl::Status& why) {
  if (from.value() >= genesis_.validators.size()) return;
  // What was asked of it is answered by nobody any more: not waited for.
  FetchAnswer none;
  {
    MutexLock lock(&mutex_);
    none.id = asked_ids_[from];
    heard_[from] = why.ok() ? absl::UnavailableError("the stream ended") : why;
  }
  none.status = absl::UnavailableError("the stream ended");
  (void)OnAnswer(from, std::move(none));  // It may have been answered.
  TellOfRefusal(from, why);
  if (!turned_away().ok() && seams_.on_change) seams_.on_change();
}

void Learner::TellOfRefusal(ValidatorIndex from, const absl::Status& why) {
  if (!absl::IsPermissionDenied(why) && !absl::IsNotFound(why) && !absl::IsUnauthenticated(why) &&
      !absl::IsInvalidArgument(why) && !absl::IsResourceExhausted(why)) {
    return;
  }
  const int64_t now = seams_.clock->MonotonicMicros();
  {
    MutexLock lock(&mutex_);
    refusal_ = std::string(why.message());
    const auto told = told_micros_.find(from);
    if (told != told_micros_.end() && now - told->second < kTellMicros) return;
    told_micros_[from] = now;
  }
  log_(LogLevel::kWarning, "learner",
       absl::StrCat(genesis_.validators[from.value()].identity(),
                    " does not let this machine learn: ", why.message()));
}

absl::Status Learner::turned_away() const {
  MutexLock lock(&mutex_);
  size_t away = 0;
  absl::Status why;
  for (const auto& [peer, status] : heard_) {
    if (!absl::IsPermissionDenied(status)) continue;
    ++away;
    why = status;
  }
  if (2 * away <= genesis_.validators.size()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(away, " of ", genesis_.validators.size(), " validators say: ", why.message()));
}

Learner::State Learner::state() const {
  State state;
  state.height = Executed();
  if (join_ != nullptr) {
    state.join = join_->state();
    state.phase = state.join.phase;
    state.bad_answers = state.join.bad_answers;
  } else {
    state.phase = "follows";
    state.bad_answers = follow_->bad_answers();
  }
  MutexLock lock(&mutex_);
  state.final = std::max(final_, state.height);
  for (const auto& [peer, status] : heard_) state.let_in += status.ok() ? 1 : 0;
  state.refusal = refusal_;
  return state;
}

}  // namespace vigil::node
