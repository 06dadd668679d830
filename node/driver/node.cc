#include "node/driver/node.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "node/driver/admission.h"

namespace vigil::node {
namespace {

using ledger::GenesisValidator;
using ledger::JournalId;

// So many of the longest election timeouts without a leader are no election any more.
constexpr int64_t kLeaderlessTimeouts = 4;

int64_t LeaderlessMicros(const NodeConfig& config) {
  return kLeaderlessTimeouts * consensus::kTickMillis * 1000 * config.election_timeout_ticks_max;
}

LogFunction OrSilent(const LogFunction& log) {
  if (log) return log;
  return [](LogLevel, absl::string_view, absl::string_view) {};
}

// Whether the keys in hand are those that genesis gives this validator.
absl::Status CheckKeys(const GenesisValidator& self, const NodeConfig& config,
                       const RevealChain& reveals) {
  const auto check = [&](absl::string_view what, bool same) {
    if (same) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(what, " is not the one that genesis names for ", self.identity(),
                     "; check the key directory and validator index"));
  };
  RETURN_IF_ERROR(check("consensus key", config.consensus_key->public_key() == self.consensus_key));
  RETURN_IF_ERROR(check("record key", config.record_key->public_key() == self.record_key));
  RETURN_IF_ERROR(check("log key", config.log_key->public_key() == self.log_key));
  const ledger::SigningKey* const cosigner = config.cosigner_key;
  const bool cosigns_as_named =
      cosigner == nullptr ? !config.removed.empty() : cosigner->public_key() == self.cosigner_key;
  RETURN_IF_ERROR(check("cosigner key", cosigns_as_named));
  return check("reveal seed", reveals.anchor() == self.reveal_anchor);
}

absl::Status EpochsUnknown(const ledger::Genesis& genesis, const JournalScan& scan) {
  return absl::FailedPreconditionError(
      absl::StrCat("the journal holds blocks or votes of epoch ", scan.epoch_max.value(),
                   ", its epoch chain reaches ", genesis.epoch.value(),
                   ": the file epochs.chain is lost or old; stop this validator and ",
                   "fetch it from another with: vigil log epochs -o <data_dir>/epochs.chain"));
}

consensus::RaftConfig RaftConfigOf(const ledger::Genesis& genesis, const NodeConfig& config,
                                   uint64_t start_seed) {
  consensus::RaftConfig raft;
  raft.genesis_hash = genesis.genesis_hash;
  raft.epoch = genesis.epoch;
  raft.epoch_base = {.height = genesis.epoch_base,
                     .view = genesis.epoch_base_view,
                     .hash = genesis.epoch_base_hash};
  raft.self = config.self;
  raft.validator_count = static_cast<uint32_t>(genesis.validators.size());
  raft.seed = start_seed;
  raft.election_timeout_ticks_min = config.election_timeout_ticks_min;
  raft.election_timeout_ticks_max = config.election_timeout_ticks_max;
  raft.election_delay_ticks = config.election_delay_ticks;
  raft.heartbeat_ticks = config.heartbeat_ticks;
  raft.blocks_in_flight_max = config.blocks_in_flight_max;
  return raft;
}

// From which height on the detector would read blocks again; empty: there is none.
std::function<std::optional<Height>()> RestartOf(DetectorActor* detector) {
  if (detector == nullptr) return nullptr;
  return [detector] { return detector->DurableRestartHeight(); };
}

}  // namespace

absl::Status Node::Init(ledger::FileSystem* files, const std::string& data_dir,
                        const JournalId& journal_id, const std::string& guard_path,
                        Beginning beginning) {
  // A guard elsewhere comes first: without it, nothing of the directory is made.
  if (guard_path.empty()) RETURN_IF_ERROR(files->MakeDirs(data_dir));
  return CreateJournal(PlaceOfJournal(files, data_dir, guard_path, journal_id), beginning);
}

absl::StatusOr<std::string> Node::Rejoin(ledger::FileSystem* files, const ledger::Genesis& genesis,
                                         ValidatorIndex self, const std::string& data_dir,
                                         const std::string& guard_path, bool even_if_sound) {
  if (genesis.validators.size() < 2) {
    return absl::FailedPreconditionError(
        "a network of one validator has nobody to join: restore its folder from a backup");
  }
  RETURN_IF_ERROR(files->MakeDirs(data_dir));
  const absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(data_dir + "/LOCK");
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat(data_dir, ": a process has it open; stop that one first"));
  }
  RETURN_IF_ERROR(lock.status());
  const JournalId id{genesis.validators[self.value()].journal_id.bytes};
  return RejoinFolder(genesis, PlaceOfJournal(files, data_dir, guard_path, id), even_if_sound);
}

absl::StatusOr<std::unique_ptr<Node>> Node::Open(const ledger::Genesis& genesis,
                                                 const NodeConfig& config, const NodeSeams& seams) {
  if (config.self.value() >= genesis.validators.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("validator index ", config.self.value(), " of ", genesis.validators.size()));
  }
  std::unique_ptr<Node> node(new Node(genesis, config, seams));
  RETURN_IF_ERROR(node->Recover());
  return node;
}

Node::Node(const ledger::Genesis& genesis, const NodeConfig& config, const NodeSeams& seams)
    : genesis_(genesis),
      config_(config),
      seams_(seams),
      log_(OrSilent(seams.log)),
      started_micros_(seams.clock->MonotonicMicros()),
      stores_(seams.files, config.data_dir, seams.open_store, &log_),
      fatal_([this](const absl::Status& status) {
        log_(LogLevel::kError, "node", absl::StrCat("stops for good: ", FatalReason()));
        if (ledger::IsStoreDamage(status)) stores_.MarkDamaged("state", status.message());
        if (seams_.on_fatal) seams_.on_fatal(status);
      }),
      cache_(config.block_cache_bytes_max),
      pending_(config.pending_bytes_max),
      reveals_(config.reveal_seed, genesis.validators[config.self.value()].reveal_length),
      checkpoints_(seams.files, config.data_dir + "/checkpoints"),
      threads_(seams.clock) {}

Node::~Node() { Halt(); }

absl::Status Node::Recover() {
  const GenesisValidator& self = genesis_.validators[config_.self.value()];
  RETURN_IF_ERROR(CheckKeys(self, config_, reveals_));
  JournalPlace place = PlaceOfJournal(seams_.files, config_.data_dir, config_.guard_path,
                                      JournalId{self.journal_id.bytes});
  place.options = config_.journal;
  RETURN_IF_ERROR(LockDirectory());
  RETURN_IF_ERROR(CheckNoRestore(*seams_.files, config_.data_dir));
  RETURN_IF_ERROR(OpenEpochs());
  ASSIGN_OR_RETURN(OpenedJournal journal, OpenJournal(place));
  const absl::StatusOr<JournalScan> scan = journal.damage.ok()
                                               ? ScanJournal(genesis_, *journal.reader)
                                               : absl::StatusOr<JournalScan>(journal.damage);
  std::optional<SnapshotFolder> folder;
  if (scan.ok() && !scan->IsNew()) {
    folder.emplace(seams_.files, SnapshotDirectory(), &genesis_, &*scan, &log_);
  }
  ASSIGN_OR_RETURN(OpenedState state,
                   OpenState(&stores_, &genesis_, folder.has_value() ? &*folder : nullptr, log_));
  if (scan.ok() && scan->IsNew() && state.state->tip().height > Height(0)) {
    starts_anew_ = true;
    state = OpenedState();
    ASSIGN_OR_RETURN(state.store, OpenStore("state"));
    ASSIGN_OR_RETURN(state.state, ledger::ChainState::Open(state.store.get(), &genesis_));
  }
  state_store_ = std::move(state.store);
  journal_reader_ = journal.reader;
  const ledger::Tip tip = state.state->tip();
  chain_ = std::make_unique<ChainAccess>(state_store_.get(), journal.reader, &cache_, tip,
                                         config_.recent_bytes_max);
  RETURN_IF_ERROR(OpenIndex());
  if (!scan.ok() && !absl::IsDataLoss(scan.status())) return scan.status();
  const absl::Status sound = scan.ok() ? CheckMayTakePart(tip, *scan) : scan.status();
  if (!sound.ok()) {
    Refuse(sound);
    return absl::OkStatus();
  }
  if (scan->IsNew()) return OpenJoin(std::move(journal));
  const Height floor = journal.last_group_ambiguous ? scan->last_height() : Height(0);
  Participate(std::move(journal), *scan, std::move(state));
  RETURN_IF_ERROR(OpenLog(*scan, floor));
  actors_.push_back(epochs_.get());
  OpenFetchServer();
  OpenLearnerDesk();
  if (config_.scrub_bytes_per_second > 0) OpenScrubber();
  if (config_.detector_enabled) RETURN_IF_ERROR(OpenDetector());
  if (config_.payload_age_millis > 0) OpenPruner(place, scan->base.id.height);
  if (config_.journal_bytes_max > 0) OpenArchiver(place, scan->base_frame);
  return absl::OkStatus();
}

void Node::OpenPruner(const JournalPlace& place, Height base) {
  Pruner::Ports ports{.clock = seams_.clock,
                      .chain = chain_.get(),
                      .counters = &counters_,
                      .fatal = &fatal_,
                      .log = &log_,
                      .final_height = [this] { return FinalHeight(); },
                      .detector_from = RestartOf(detector_.get())};
  pruner_ = std::make_unique<Pruner>(
      std::move(ports), Pruner::Options{.place = {.files = place.files,
                                                  .directory = place.directory,
                                                  .journal_id = place.id,
                                                  .reader = journal_reader_.get(),
                                                  .rewriting = &rewriting_},
                                        .base = base,
                                        .payload_age_millis = config_.payload_age_millis});
  actors_.push_back(pruner_.get());
}

void Node::OpenArchiver(const JournalPlace& place, const std::optional<ledger::BaseFrame>& base) {
  Archiver::Ports ports{
      .clock = seams_.clock,
      .chain = chain_.get(),
      .journal = journal_.get(),
      .tiles = &log_actor_->tiles(),
      .fatal = &fatal_,
      .log = &log_,
      .checkpoint = [this] { return log_actor_->checkpoint(); },
      .final_height = [this] { return FinalHeight(); },
      .tiles_saved =
          [this] {
            log_actor_->WantSaved();
            return log_actor_->state().saved;
          },
      .detector_from = RestartOf(detector_.get()),
      .on_base = [this](const ledger::BlockId& block) { replica_->PushLogBegins(block); }};
  archiver_ = std::make_unique<Archiver>(
      std::move(ports), Archiver::Options{.place = {.files = place.files,
                                                    .journal = place.directory,
                                                    .archive = config_.archive_dir,
                                                    .genesis_file = config_.genesis_file,
                                                    .genesis = &genesis_,
                                                    .journal_id = place.id,
                                                    .reader = journal_reader_.get(),
                                                    .rewriting = &rewriting_},
                                          .snapshot_directory = SnapshotDirectory(),
                                          .base = base,
                                          .journal_bytes_max = config_.journal_bytes_max});
  actors_.push_back(archiver_.get());
}

absl::Status Node::LockDirectory() {
  absl::StatusOr<std::shared_ptr<void>> lock = LockDataFolder(seams_.files, config_.data_dir);
  if (absl::IsNotFound(lock.status())) {
    const std::string guard = GuardPath(config_.data_dir, config_.guard_path);
    if (seams_.files->Exists(guard)) {
      return absl::FailedPreconditionError(absl::StrCat(
          config_.data_dir, ": not there, but ", guard,
          " says that this validator was initialised: is the volume mounted? If the data is lost, "
          "keep the guard and join anew with: vigild rejoin"));
    }
    return absl::FailedPreconditionError(
        absl::StrCat(config_.data_dir, ": not there; make it once with: vigild init"));
  }
  RETURN_IF_ERROR(lock.status());
  lock_ = *std::move(lock);
  return absl::OkStatus();
}

void Node::Refuse(const absl::Status& why) {
  refusing_ = why;
  log_(LogLevel::kError, "recovery", absl::StrCat("refuses to take part: ", why.message()));
}

// What the stores hold is of a journal that was given up, when the validator joins anew.
absl::StatusOr<std::unique_ptr<ledger::Store>> Node::OpenStore(absl::string_view name) {
  if (starts_anew_) return stores_.OpenEmpty(name, "the validator joins anew");
  return stores_.Open(name);
}

absl::Status Node::OpenIndex() {
  absl::StatusOr<std::unique_ptr<ledger::EventIndex>> index;
  absl::StatusOr<std::unique_ptr<ledger::Store>> store = OpenStore("index");
  if (store.ok()) {
    index_store_ = *std::move(store);
    index = ledger::EventIndex::Open(index_store_.get());
  } else {
    index = store.status();
  }
  if (absl::IsDataLoss(index.status())) {
    index_store_.reset();
    ASSIGN_OR_RETURN(index_store_, stores_.OpenEmpty("index", index.status().message()));
    index = ledger::EventIndex::Open(index_store_.get());
  }
  RETURN_IF_ERROR(index.status());
  index_ = *std::move(index);
  return absl::OkStatus();
}

absl::Status Node::OpenLog(const JournalScan& scan, Height floor) {
  ASSIGN_OR_RETURN(
      log_actor_,
      LogActor::Open(
          {.genesis = &genesis_,
           .self = config_.self,
           .log_key = config_.log_key,
           .cosigner_key = config_.cosigner_key,
           .clock = seams_.clock,
           .files = seams_.files,
           .transport = seams_.transport,
           .chain = chain_.get(),
           .fatal = &fatal_,
           .counters = &counters_,
           .waiters = &waiters_,
           .log = &log_,
           .save_guard = [this](std::string body) { journal_->PushGuard(std::move(body)); },
           .may_vote = [this] { return replica_->Status().role != consensus::CoreRole::kNonVoter; },
           .committed = [this] { return replica_->Status().committed.height; }},
          {.directory = config_.data_dir + "/log",
           .guard = scan.cosigned,
           .floor = floor,
           .floor_at_vote = (scan.joined && scan.cosigned == CosignGuard()) ||
                            scan.cosigned.floor == kFloorUntilVoter,
           .seed = seams_.start_seed}));
  chain_->AddListener([this](Height) { log_actor_->signal()->Set(); });
  actors_.push_back(log_actor_.get());
  if (config_.keyring != nullptr) OpenCosignerKeys();
  return absl::OkStatus();
}

absl::Status Node::OpenJoin(OpenedJournal journal) {
  refusing_ = absl::UnavailableError("it joins the network");
  ASSIGN_OR_RETURN(join_,
                   JoinActor::Open({.genesis = &genesis_,
                                    .self = config_.self,
                                    .clock = seams_.clock,
                                    .files = seams_.files,
                                    .transport = seams_.transport,
                                    .fatal = &fatal_,
                                    .log = &log_,
                                    .on_ready =
                                        [this] {
                                          joined_ = true;
                                          if (seams_.on_joined) seams_.on_joined();
                                        }},
                                   {.data_dir = config_.data_dir}, std::move(journal.journal)));
  log_(LogLevel::kInfo, "join",
       "joins the network: asks the other validators for a snapshot; if the whole network starts "
       "for the first time, make the folders with: vigild init --new-network");
  actors_ = {join_.get()};
  return absl::OkStatus();
}

absl::Status Node::CheckMayTakePart(const ledger::Tip& tip, const JournalScan& scan) const {
  RETURN_IF_ERROR(CheckStateOnChain(tip, scan));
  if (!config_.removed.empty()) return absl::FailedPreconditionError(config_.removed);
  if (scan.epoch_max > genesis_.epoch) return EpochsUnknown(genesis_, scan);
  return absl::OkStatus();
}

// What the file holds was held against genesis by whoever restated it.
absl::StatusOr<std::vector<ledger::EpochAnchor>> Node::ReadAnchors() const {
  if (config_.epoch_anchors.has_value()) return *config_.epoch_anchors;
  const absl::StatusOr<std::string> file =
      seams_.files->ReadAll(ledger::EpochChainPath(config_.data_dir));
  if (absl::IsNotFound(file.status())) return std::vector<ledger::EpochAnchor>();
  RETURN_IF_ERROR(file.status());
  return ledger::DecodeEpochChain(AsBytes(*file));
}

absl::Status Node::OpenEpochs() {
  ASSIGN_OR_RETURN(std::vector<ledger::EpochAnchor> anchors, ReadAnchors());
  epochs_ = std::make_unique<EpochActor>(
      EpochActor::Ports{.genesis = &genesis_,
                        .files = seams_.files,
                        .data_dir = config_.data_dir,
                        .clock = seams_.clock,
                        .chain = [this] { return chain_.get(); },
                        .tiles = [this] { return tiles(); },
                        .fatal = &fatal_,
                        .log = &log_,
                        .checkpoint = [this] { return log_actor_->checkpoint(); },
                        .final_height = [this] { return FinalHeight(); },
                        .on_ended =
                            [this] {
                              if (seams_.on_epoch_ended) seams_.on_epoch_ended();
                            }},
      std::move(anchors));
  return absl::OkStatus();
}

std::string Node::EpochChain() const { return ledger::EncodeEpochChain(epochs_->anchors()); }

void Node::OpenCosignerKeys() {
  cosigner_keys_ = std::make_unique<CosignerKeyActor>(CosignerKeyActor::Ports{
      .genesis = &genesis_,
      .self = config_.self,
      .record_key = config_.record_key,
      .keyring = config_.keyring,
      .clock = seams_.clock,
      .chain = chain_.get(),
      .log = &log_,
      .submit = [this](ledger::Record record,
                       SubmitDone done) { Submit(std::move(record), std::move(done)); },
      .final_height = [this] { return FinalHeight(); }});
  actors_.push_back(cosigner_keys_.get());
}

FetchServer::Ports Node::FetchPorts() {
  return {.clock = seams_.clock,
          .transport = seams_.transport,
          .chain = chain_.get(),
          .counters = &counters_,
          .read_log_file = [this](absl::string_view path) -> absl::StatusOr<std::string> {
            return path == "checkpoint" ? Checkpoint() : ReadNewestLogFile(path);
          },
          .files = seams_.files,
          .make_offer = [this](Height height) -> absl::StatusOr<SnapshotOffer> {
            ASSIGN_OR_RETURN(const std::string note, Checkpoint());
            return MakeOffer(
                genesis_, *chain_->CurrentView().reader, log_actor_->tiles(), note,
                [this](Height carrier) { return chain_->LoadBlock(carrier); }, height);
          },
          .read_checkpoint =
              [this](Height height, uint64_t offset) {
                return checkpoints_.LoadPart(height, offset, kFetchAnswerBytesMax);
              },
          .read_model = [this](const Hash& digest) { return ReadModel(digest); },
          .final_height = [this] { return FinalHeight(); },
          .prove_final = [this](Height last) -> absl::StatusOr<FinalProof> {
            ASSIGN_OR_RETURN(const std::string note, Checkpoint());
            return ProveFinal(genesis_, *chain_->CurrentView().reader, log_actor_->tiles(), note,
                              last);
          }};
}

void Node::OpenFetchServer() {
  fetch_server_ = std::make_unique<FetchServer>(
      FetchPorts(),
      FetchServer::Options{.validator_count = static_cast<uint32_t>(genesis_.validators.size()),
                           .bytes_per_second = config_.fetch_bytes_per_second,
                           .snapshots = SnapshotDirectory(),
                           .snapshot_interval_blocks = genesis_.snapshot_interval_blocks});
  actors_.push_back(fetch_server_.get());
}

void Node::OpenLearnerDesk() {
  learners_ = std::make_unique<LearnerDesk>(
      LearnerDesk::Ports{.genesis = &genesis_,
                         .self = genesis_.validators[config_.self.value()].identity(),
                         .clock = seams_.clock,
                         .chain = chain_.get(),
                         .log = &log_,
                         .anchors = [this] { return epochs_->anchors(); },
                         .final_height = [this] { return FinalHeight(); },
                         .fetch = FetchPorts()},
      LearnerDesk::Options{.bytes_per_second = config_.learner_bytes_per_second,
                           .snapshots = SnapshotDirectory(),
                           .snapshot_interval_blocks = genesis_.snapshot_interval_blocks});
  chain_->AddListener([this](Height) { learners_->signal()->Set(); });
  actors_.push_back(learners_.get());
}

void Node::OpenScrubber() {
  scrubber_ = std::make_unique<Scrubber>(
      Scrubber::Ports{.genesis = &genesis_,
                      .clock = seams_.clock,
                      .files = seams_.files,
                      .transport = seams_.transport,
                      .chain = chain_.get(),
                      .journal = journal_.get(),
                      .reader = journal_reader_.get(),
                      .tiles = &log_actor_->tiles(),
                      .rewriting = &rewriting_,
                      .fatal = &fatal_,
                      .log = &log_},
      Scrubber::Options{
          .journal_directory = config_.data_dir + "/journal",
          .snapshot_directory = SnapshotDirectory(),
          .journal_id = JournalId{genesis_.validators[config_.self.value()].journal_id.bytes},
          .self = config_.self,
          .bytes_per_second = config_.scrub_bytes_per_second,
          .interval_micros = config_.scrub_interval_micros});
  actors_.push_back(scrubber_.get());
}

absl::Status Node::OpenDetector() {
  absl::StatusOr<std::unique_ptr<ledger::Store>> store = OpenStore("detect");
  absl::Status opened = store.status();
  if (store.ok()) {
    detector_store_ = *std::move(store);
    opened = OpenDetectorOnStore();
  }
  if (absl::IsDataLoss(opened)) {
    detector_store_.reset();
    ASSIGN_OR_RETURN(detector_store_, stores_.OpenEmpty("detect", opened.message()));
    opened = OpenDetectorOnStore();
  }
  RETURN_IF_ERROR(opened);
  chain_->AddListener([this](Height) { detector_->signal()->Set(); });
  actors_.push_back(detector_.get());
  return absl::OkStatus();
}

absl::Status Node::OpenDetectorOnStore() {
  ASSIGN_OR_RETURN(
      detector_,
      DetectorActor::Open(
          {.genesis = &genesis_,
           .self = config_.self,
           .record_key = config_.record_key,
           .clock = seams_.clock,
           .chain = chain_.get(),
           .store = detector_store_.get(),
           .checkpoints = &checkpoints_,
           .log = &log_,
           .transport = seams_.transport,
           .submit = [this](ledger::Record record,
                            SubmitDone done) { Submit(std::move(record), std::move(done)); },
           .on_damage =
               [this](const absl::Status& why) { stores_.MarkDamaged("detect", why.message()); }}));
  return absl::OkStatus();
}

void Node::LogRecovered(const OpenedJournal& journal, const JournalScan& scan,
                        const consensus::Recovered& recovered, Height executed) const {
  log_(LogLevel::kInfo, "recovery",
       absl::StrCat("journal of ", journal.reader->end().offset, " bytes ends at height ",
                    scan.last_height().value(), ", view ", recovered.view_min.value(),
                    "; committed ", recovered.committed.value(), ", executed ", executed.value()));
  if (scan.joined && !scan.has_voted) {
    log_(LogLevel::kInfo, "recovery",
         absl::StrCat("follows from height ", scan.base.id.height.value() + 1,
                      ", and casts no vote before a quorum has confirmed where things stand"));
  }
  if (!journal.last_group_ambiguous) return;
  log_(LogLevel::kWarning, "recovery",
       recovered.may_vote
           ? "the last group of the journal was torn; it is taken for one that was never synced"
           : "the last group of the journal was torn, so votes may be lost: none is cast before a "
             "quorum has confirmed where things stand; if so many validators lost power at once "
             "that there is no quorum, start them once with --accept_torn_tail true");
}

void Node::Participate(OpenedJournal journal, const JournalScan& scan, OpenedState state) {
  const Height executed = state.state->tip().height;
  const consensus::Recovered recovered =
      RecoveredFrom(scan, journal, executed, config_.accept_torn_tail);
  const Height committed = recovered.committed;
  LogRecovered(journal, scan, recovered, executed);
  std::vector<TailBlock> tail;
  for (size_t i = scan.IndexOf(executed.Next()); i < scan.chain.size(); ++i) {
    tail.push_back({.block = scan.chain[i], .position = scan.positions[i]});
  }
  journal_ = std::make_unique<JournalWriter>(
      JournalWriter::Ports{
          .files = seams_.files,
          .clock = seams_.clock,
          .fatal = &fatal_,
          .counters = &counters_,
          .on_durable = [this](Durable durable) { replica_->PushDurable(std::move(durable)); },
          .on_guarded = [this] { log_actor_->OnGuarded(); }},
      std::move(journal.journal), GuardPath(config_.data_dir, config_.guard_path), journal.guard,
      config_.journal_inbox_bytes_max);
  OpenSnapshots(state);
  applier_ = std::make_unique<Applier>(Applier::Ports{.chain = chain_.get(),
                                                      .cache = &cache_,
                                                      .pending = &pending_,
                                                      .fatal = &fatal_,
                                                      .counters = &counters_,
                                                      .snapshots = snapshots_.get(),
                                                      .genesis = &genesis_},
                                       std::move(state.state));
  journal_->SetLast(recovered.vote,
                    scan.cosigned == CosignGuard() ? "" : EncodeCosignGuard(scan.cosigned));
  // What is committed and not yet executed is replayed before anything new.
  for (const TailBlock& block : tail) {
    if (block.block.id.height > committed) break;
    applier_->Push({.block = block.block.id, .position = block.position});
  }
  replica_ = std::make_unique<Replica>(
      Replica::Ports{.genesis = &genesis_,
                     .clock = seams_.clock,
                     .transport = seams_.transport,
                     .journal = journal_.get(),
                     .applier = applier_.get(),
                     .snapshots = snapshots_.get(),
                     .chain = chain_.get(),
                     .cache = &cache_,
                     .pending = &pending_,
                     .reads = &reads_,
                     .transfers = &transfers_,
                     .fatal = &fatal_,
                     .counters = &counters_,
                     .log = &log_,
                     .on_behind = [this](Height base) { OnBehind(base); }},
      Replica::Options{.self = config_.self,
                       .mempool = config_.mempool,
                       .peer_inbox_bytes_max = config_.peer_inbox_bytes_max,
                       .submit_inbox_bytes_max = config_.submit_inbox_bytes_max,
                       .leaderless_micros_max = LeaderlessMicros(config_)},
      consensus::MakeRaft(RaftConfigOf(genesis_, config_, seams_.start_seed), recovered),
      std::make_unique<BlockBuilder>(&genesis_, config_.self, config_.consensus_key, &reveals_),
      tail, committed);
  indexer_ = std::make_unique<Indexer>(
      chain_.get(), index_.get(), &log_, config_.index_keep_blocks,
      [this](const absl::Status& why) { stores_.MarkDamaged("index", why.message()); },
      scan.base.id.height.Next());
  chain_->AddListener([this](Height) {
    replica_->signal()->Set();
    indexer_->signal()->Set();
  });
  actors_ = {replica_.get(), journal_.get(), applier_.get(), indexer_.get(), snapshots_.get()};
}

void Node::OnBehind(Height base) {
  behind_ = true;
  log_(LogLevel::kWarning, "node",
       absl::StrCat("lacks blocks up to height ", base.value(),
                    ", above which the leader's log begins: ",
                    seams_.on_behind ? "joins anew by a snapshot; the journal so far is kept aside"
                                     : "stop it and join anew with: vigild rejoin"));
  if (seams_.on_behind) seams_.on_behind();
}

void Node::OpenSnapshots(const OpenedState& state) {
  snapshots_ = std::make_unique<SnapshotActor>(SnapshotActor::Ports{.genesis = &genesis_,
                                                                    .files = seams_.files,
                                                                    .fatal = &fatal_,
                                                                    .log = &log_,
                                                                    .on_known =
                                                                        [this] {
                                                                          replica_->signal()->Set();
                                                                          applier_->signal()->Set();
                                                                        }},
                                               SnapshotDirectory(), state.snapshot);
  const Height height = state.state->tip().height;
  if (genesis_.HasSnapshot(height) && !state.snapshot.has_value()) {
    snapshots_->Take(height, state.state->StoreSnapshot());
  }
}

void Node::RebuildIndex() {
  if (indexer_ != nullptr) indexer_->Rebuild();
}

void Node::Start() {
  for (Actor* actor : actors_) threads_.Start(actor);
}

void Node::HandOver() {
  if (replica_ == nullptr || replica_->Status().role != consensus::CoreRole::kLeader) return;
  struct Outcome {
    Mutex mutex;
    CondVar changed;
    std::optional<TransferOutcome> value VIGIL_GUARDED_BY(mutex);
  };
  const auto outcome = std::make_shared<Outcome>();
  TransferLeadership(std::nullopt, [outcome](const TransferOutcome& answer) {
    MutexLock lock(&outcome->mutex);
    outcome->value = answer;
    outcome->changed.SignalAll();
  });
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::microseconds(LeaderlessMicros(config_));
  MutexLock lock(&outcome->mutex);
  for (auto now = std::chrono::steady_clock::now(); !outcome->value.has_value() && now < until;
       now = std::chrono::steady_clock::now()) {
    outcome->changed.WaitFor(&outcome->mutex, until - now);
  }
  const bool done = outcome->value.has_value() && outcome->value->error.ok();
  const std::string why = outcome->value.has_value() ? outcome->value->error.what : "no answer";
  log_(LogLevel::kInfo, "node",
       done ? "handed leadership over" : absl::StrCat("stops as leader: ", why));
}

void Node::Stop() {
  Halt();
  if (log_actor_ != nullptr) log_actor_->Close();
}

void Node::Halt() {
  AnswerWaiting();
  threads_.Stop();
}

std::string Node::Hello(ValidatorIndex to, const Hash& certificate_hash) const {
  HelloFrame hello;
  hello.chain_id = genesis_.chain_id;
  hello.journal_id = JournalId{genesis_.validators[config_.self.value()].journal_id.bytes};
  hello.validator = config_.self;
  hello.epoch = genesis_.epoch;
  hello.anchors = epochs_->anchors();
  if (hello.anchors.size() > kHelloAnchorsMax) {
    hello.anchors.erase(hello.anchors.begin(), hello.anchors.end() - kHelloAnchorsMax);
  }
  hello.signature = config_.consensus_key->Sign(AsBytes(HelloMessage(hello, to, certificate_hash)));
  return EncodeHello(hello);
}

Hash Node::core_digest() const { return replica_ == nullptr ? Hash() : replica_->core_digest(); }

absl::StatusOr<SubmitReceipt> Node::FindReceipt(const Hash& leaf_hash) const {
  return node::FindReceipt(*chain_->CurrentView().reader, leaf_hash);
}

std::shared_ptr<const ledger::ChainReader> Node::Snapshot() const {
  return chain_->CurrentView().reader;
}

absl::StatusOr<ledger::BlockPtr> Node::LoadBlock(Height height) const {
  return chain_->LoadBlock(height);
}

uint64_t Node::AddHeightListener(std::function<void(Height)> listener) {
  return chain_->AddListener(std::move(listener));
}

void Node::RemoveHeightListener(uint64_t token) { chain_->RemoveListener(token); }

absl::StatusOr<std::string> Node::Checkpoint() const {
  if (log_actor_ != nullptr) return log_actor_->checkpoint();
  return absl::UnavailableError(absl::StrCat("no checkpoint: ", refusing_.message()));
}

absl::StatusOr<std::string> Node::CheckpointWitnessedBy(
    std::span<const std::string> witnesses) const {
  if (log_actor_ != nullptr) return log_actor_->checkpoint_by(witnesses);
  return absl::UnavailableError(absl::StrCat("no checkpoint: ", refusing_.message()));
}

absl::StatusOr<std::string> Node::ReadLogFile(absl::string_view path) const {
  if (log_actor_ != nullptr) return log_actor_->tiles().ReadFile(path);
  return absl::UnavailableError(absl::StrCat("no tiles: ", refusing_.message()));
}

void Node::OnWitnessed(const WitnessedCheckpoint& witnessed) {
  if (log_actor_ != nullptr) log_actor_->OnWitnessed(witnessed);
}

// A full tile or bundle by its name; what is there of it while it is not full.
absl::StatusOr<std::string> Node::ReadNewestLogFile(absl::string_view path) const {
  absl::StatusOr<std::string> file = ReadLogFile(path);
  if (!absl::IsNotFound(file.status()) || log_actor_ == nullptr) return file;
  const uint64_t width = log_actor_->tiles().published() % ledger::kTileWidth;
  return ReadLogFile(absl::StrCat(path, ".p/", width));
}

const ledger::TileSource* Node::tiles() const {
  return log_actor_ == nullptr ? nullptr : &log_actor_->tiles();
}

absl::StatusOr<detector::Entity> Node::FindEntity(detector::EntityKind kind,
                                                  absl::string_view key) const {
  if (detector_ == nullptr) return NodeServices::FindEntity(kind, key);
  return detector_->FindEntity(kind, key);
}

absl::StatusOr<std::vector<NewcomerStanding>> Node::Newcomers() const {
  if (learners_ == nullptr) return NodeServices::Newcomers();
  return learners_->Standings();
}

absl::StatusOr<std::string> Node::ReadModel(const Hash& digest) const {
  if (detector_ != nullptr) return detector_->ReadModel(digest);
  return absl::NotFoundError("no detector runs here");
}

}  // namespace vigil::node
