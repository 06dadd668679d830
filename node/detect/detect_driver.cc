#include "node/detect/detect_driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/detect/detect_convert.h"

namespace vigil::node {
namespace {

using detector::Candidate;
using detector::EventType;
using ledger::ExecutedBlock;

// What a commitment may say of drift is what the detector finds.
static_assert(detector::kDriftLimitQ8 == ledger::kDriftNoticeQ8);
static_assert(detector::kDriftedMax == ledger::kDriftedMax);

constexpr uint32_t kModelsListedMax = 1024;
// Alerts of earlier epochs that are judged at a start: well below kDutiesMax.
constexpr uint32_t kOpenAlertsMax = 1024;

}  // namespace

DetectDriver::DetectDriver(const ledger::Genesis* genesis, ValidatorIndex self,
                           const ledger::SigningKey* record_key, ledger::Store* store,
                           DetectPort* port, std::function<void()> on_delivery)
    : genesis_(genesis),
      rules_(genesis),
      self_(self),
      identity_(genesis->validators[self.value()].identity()),
      record_key_(record_key),
      port_(port),
      on_delivery_(std::move(on_delivery)),
      store_(store),
      mailbox_(std::make_shared<Mailbox>()) {}

absl::StatusOr<std::unique_ptr<DetectDriver>> DetectDriver::Open(
    const ledger::Genesis* genesis, ValidatorIndex self, const ledger::SigningKey* record_key,
    ledger::Store* store, DetectPort* port, std::function<void()> on_delivery) {
  if (!detector::IsValid(ParametersOf(genesis->detector))) {
    return absl::FailedPreconditionError(
        "genesis: detector parameters are outside the ranges of this version");
  }
  std::string error;
  if (!detector::ParseRules(genesis->detector_rules, &ledger::Sha256Bytes, &error).has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("genesis: parameters.detector.rules: ", error,
                     "; the network needs a version that knows these rules, or others"));
  }
  std::unique_ptr<DetectDriver> driver(
      new DetectDriver(genesis, self, record_key, store, port, std::move(on_delivery)));
  RETURN_IF_ERROR(driver->Restore());
  return driver;
}

std::unique_ptr<detector::DetectorStream> DetectDriver::NewStream() const {
  return std::make_unique<detector::DetectorStream>(ParametersOf(genesis_->detector),
                                                    genesis_->chain_id.bytes, &ledger::Sha256Bytes);
}

void DetectDriver::Replace(std::unique_ptr<detector::DetectorStream> stream) {
  MutexLock lock(&entities_mutex_);
  stream_ = std::move(stream);
}

absl::StatusOr<detector::Entity> DetectDriver::FindEntity(detector::EntityKind kind,
                                                          absl::string_view key) const {
  if (!warm_) {
    return absl::UnavailableError("the detector rebuilds its windows (vigil status says how far)");
  }
  MutexLock lock(&entities_mutex_);
  const detector::Entity* const entity =
      stream_->entities().Find(kind, std::string_view(key.data(), key.size()));
  if (entity == nullptr) return absl::NotFoundError("not among the entities that are remembered");
  return *entity;
}

Height DetectDriver::restart_height() const { return std::max(stream_->RestartFrom(), Height(1)); }

absl::StatusOr<Height> DetectDriver::StoredRestartHeight(const ledger::Genesis& genesis,
                                                         ledger::Store* store) {
  ASSIGN_OR_RETURN(const ModelStore::Contents contents, ModelStore(store).Load());
  if (contents.state.empty()) return Height(1);
  const std::optional<detector::Bookkeeping> bookkeeping = detector::ParseBookkeeping(
      AsBytes(contents.state), genesis.chain_id.bytes, ParametersOf(genesis.detector));
  if (!bookkeeping.has_value()) return absl::DataLossError("the detector's bookkeeping is damaged");
  return Height(detector::RestartHeight(*bookkeeping));
}

absl::Status DetectDriver::StartAfresh(absl::string_view why) {
  port_->Warn(absl::StrCat("starts from the first block again: ", why));
  RETURN_IF_ERROR(store_.Clear());
  Replace(NewStream());
  DropCheckpoints();
  ForgetWarmUp();
  duties_ = Duties();
  under_way_.clear();
  active_from_.clear();
  activated_ = false;
  height_ = 0;
  PublishModels();
  return absl::OkStatus();
}

absl::StatusOr<bool> DetectDriver::Step() {
  bool worked = TakeDeliveries();
  // While state is being rebuilt, the chain knows less than we do.
  if (port_->tip() < stream_->height()) return worked;
  if (!activated_) RETURN_IF_ERROR(ActivateFromState());
  // Training first: what a model is from depends on the chain alone, but the sooner it is there,
  // the fewer events pass it unscored.
  ASSIGN_OR_RETURN(const bool trained, TrainOne());
  if (trained) return true;
  const Height next = stream_->ReplayFrom();
  if (next > port_->tip()) {
    cold_ = false;
  } else if (!duties_.IsFull(stream_->height())) {
    ASSIGN_OR_RETURN(const bool took, TakeNext(next));
    worked = worked || took;
  }
  PublishWarmth();
  PublishReport();
  if (stream_->refilling() || cold_) return worked;
  ASSIGN_OR_RETURN(const bool submitted, SubmitDue());
  return worked || submitted;
}

absl::Status DetectDriver::ActivateFromState() {
  // The chain may be ahead of us: only what was active at our height counts, the rest comes along
  // with the blocks.
  ASSIGN_OR_RETURN(const std::vector<ledger::ModelInfo> models,
                   port_->Reader()->ListModels(kModelsListedMax));
  std::vector<const ledger::ModelInfo*> past;
  for (const ledger::ModelInfo& model : models) {
    if (model.active && model.active_from <= stream_->height()) past.push_back(&model);
  }
  // The latest of each type in the order in which they came; the stream keeps what it needs.
  std::stable_sort(past.begin(), past.end(),
                   [](const auto* a, const auto* b) { return a->active_from < b->active_from; });
  for (const ledger::ModelInfo* model : past) {
    Activate(model->event_type, model->period, model->digest, model->active_from.Next(),
             model->threshold_q8);
  }
  activated_ = true;
  return OweOpenAlerts();
}

// What an earlier epoch left open is for the validators of this one to decide, and who came with it
// has said nothing of it yet.
absl::Status DetectDriver::OweOpenAlerts() {
  if (genesis_->epoch == Epoch(1)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<ledger::AlertInfo> open,
                   port_->Reader()->ListAlerts(RecordIndex(0), /*ascending=*/true, kOpenAlertsMax,
                                               ledger::AlertState::kProposed));
  for (const ledger::AlertInfo& alert : open) {
    if (alert.height > genesis_->epoch_base) break;
    duties_.judgements.try_emplace(alert.index,
                                   JudgeDuty{.height = genesis_->epoch_base, .attempt = {}});
  }
  return absl::OkStatus();
}

void DetectDriver::Activate(uint32_t event_type, uint64_t period, const Hash& digest, Height from,
                            uint32_t threshold_q8) {
  Height& last = active_from_[event_type];
  if (from <= last) return;
  last = from;
  stream_->Activate(static_cast<EventType>(event_type), period, digest.bytes, from, threshold_q8);
}

absl::Status DetectDriver::UseRulesOf(Height height) {
  ASSIGN_OR_RETURN(const ledger::RuleSetPtr rules, rules_.At(port_->Reader()->state(), height));
  if (rules->digest == stream_->rules().digest) return absl::OkStatus();
  stream_->SetRules(*rules);
  const bool is_news = height > Height(1) && height > stream_->height();
  if (!is_news || rules->digest == stream_->matcher().held()) return absl::OkStatus();
  port_->Inform(absl::StrCat("events from height ", height.value(), " on are held against rules ",
                             AsHash(rules->digest).ToHex(), ", version ", rules->version, ", ",
                             rules->rules.size(), " rules"));
  return absl::OkStatus();
}

absl::Status DetectDriver::TakeBlock(const ExecutedBlock& executed) {
  const Height height = executed.block->height();
  const bool is_new = height > stream_->height();
  RETURN_IF_ERROR(UseRulesOf(height));
  ASSIGN_OR_RETURN(const std::vector<BlockEventView> events, EventsOf(executed));
  std::vector<detector::BlockEvent> inputs(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    inputs[i].record_index = events[i].ref.record_index;
    inputs[i].item = events[i].ref.item;
    inputs[i].view = &events[i].view;
    const size_t place = events[i].ref.record_index - executed.results.front().index;
    inputs[i].reporter =
        detector::ReporterMarkOf(executed.results[place].signer, &ledger::Sha256Bytes);
  }
  ASSIGN_OR_RETURN(const std::vector<detector::EventMark> marks, MarksOf(executed));
  ASSIGN_OR_RETURN(const auto thresholds, ThresholdsIn(executed));
  std::optional<std::vector<Candidate>> candidates;
  {
    MutexLock lock(&entities_mutex_);
    candidates = stream_->OnBlock(height, executed.block->header().reveal.bytes, inputs,
                                  executed.block->header().time_unix_millis, marks);
  }
  if (!candidates.has_value()) {
    return StartAfresh(absl::StrCat("its bookkeeping does not fit block ", height.value()));
  }
  if (!is_new) return absl::OkStatus();
  const std::vector<detector::RuleMatch> matches = stream_->TakeMatches();
  NoteStrange(executed, events, *candidates, matches);
  TakeCandidates(executed, *candidates);
  TakeMatches(executed, matches);
  TakeResults(executed, thresholds);
  KeepCheckpoint();
  height_ = height.value();
  return Save({});
}

void DetectDriver::TakeCandidates(const ExecutedBlock& executed,
                                  const std::vector<Candidate>& candidates) {
  for (const Candidate& candidate : candidates) {
    const ProposeKey key = {
        .event = {.record_index = candidate.record_index, .item = candidate.item},
        .model_digest = AsHash(candidate.model_digest)};
    const uint32_t rank = ProposerRank(executed.block->hash(), key.event, self_,
                                       static_cast<uint32_t>(genesis_->validators.size()));
    const Height height = executed.block->height();
    duties_.proposals[key] = {.height = height,
                              .due = height + rank * kProposerPatienceHeights,
                              .event_type = static_cast<uint32_t>(candidate.type),
                              .period = candidate.period,
                              .rule = 0,
                              .attempt = {}};
  }
}

void DetectDriver::TakeMatches(const ExecutedBlock& executed,
                               const std::vector<detector::RuleMatch>& matches) {
  const Height height = executed.block->height();
  const Hash rules = AsHash(stream_->rules().digest);
  for (const detector::RuleMatch& match : matches) {
    const ProposeKey key = {
        .event = {.record_index = RecordIndex(match.record_index), .item = ItemIndex(match.item)},
        .model_digest = ledger::RuleDigestOf(rules, match.rule)};
    const uint32_t rank = ProposerRank(executed.block->hash(), key.event, self_,
                                       static_cast<uint32_t>(genesis_->validators.size()));
    duties_.proposals[key] = {.height = height,
                              .due = height + rank * kProposerPatienceHeights,
                              .event_type = static_cast<uint32_t>(match.type),
                              .period = 0,
                              .rule = match.rule,
                              .attempt = {}};
  }
}

void DetectDriver::TakeResults(const ExecutedBlock& executed, const Thresholds& thresholds) {
  for (const ledger::RecordResult& result : executed.results) {
    for (const ledger::Effect& effect : result.effects) {
      if (effect.type == ledger::EffectType::kModelActivated) {
        ByteReader reader(effect.detail);
        const uint32_t event_type = reader.U32();
        const Hash digest = reader.ReadHash();
        const auto threshold = thresholds.find({event_type, effect.subject});
        Activate(event_type, effect.subject, digest, executed.block->height().Next(),
                 threshold == thresholds.end() ? 0 : threshold->second);
      }
      const bool is_foreign_alert =
          effect.type == ledger::EffectType::kAlertProposed && result.signer != identity_;
      if (is_foreign_alert) {
        duties_.judgements[RecordIndex(effect.subject)] = {.height = executed.block->height(),
                                                           .attempt = {}};
      }
      if (effect.type == ledger::EffectType::kAlertContested) {
        TakeContested(executed, RecordIndex(effect.subject));
      }
    }
  }
}

absl::StatusOr<bool> DetectDriver::TrainOne() {
  const std::optional<detector::TrainingJob> job = stream_->NextJob();
  if (!job.has_value()) return false;
  const std::optional<detector::ModelInfo> trained =
      stream_->Install(detector::DetectorStream::Run(*job));
  std::vector<ModelStore::Model> stored;
  if (trained.has_value()) {
    const detector::Model* model = stream_->FindModel(trained->digest);
    const CommitKey key = {.period = trained->period,
                           .event_type = static_cast<uint32_t>(trained->type)};
    duties_.commitments[key] = {.window_end = trained->window_end,
                                .model_digest = AsHash(trained->digest),
                                .window_digest = AsHash(trained->window_digest),
                                .row_count = trained->row_count,
                                .threshold_q8 = trained->threshold_q8,
                                .event_count = trained->event_count,
                                .drift_period = trained->drift_period,
                                .drifted = {},
                                .attempt = {}};
    for (const detector::FeatureDrift& drift : trained->drifted) {
      duties_.commitments[key].drifted.push_back(
          {.feature = drift.feature, .psi_q8 = drift.psi_q8});
    }
    NoteDrift(*trained);
    if (model != nullptr) {
      stored.push_back(
          {.key = {trained->type, trained->period}, .bytes = ToString(model->Serialize())});
    }
    PublishModels();
  }
  RETURN_IF_ERROR(Save(stored));
  return true;
}

absl::Status DetectDriver::Save(const std::vector<ModelStore::Model>& models) {
  std::set<ModelKey> kept;
  for (const detector::ModelInfo& info : stream_->Models()) kept.insert({info.type, info.period});
  // First the entities: the state says which ones it builds on.
  const std::optional<std::vector<uint8_t>> entities = stream_->TakeEntities();
  return store_.Save(ToString(stream_->SerializeState()), entities, duties_, models, kept,
                     checkpoints_);
}

void DetectDriver::PublishModels() {
  std::map<uint32_t, TrainedModel> latest;
  std::map<Hash, ModelKey> stored;
  for (const detector::ModelInfo& info : stream_->Models()) {
    const auto type = static_cast<uint32_t>(info.type);
    stored[AsHash(info.digest)] = {info.type, info.period};
    latest[type] = {.event_type = type,
                    .period = info.period,
                    .digest = AsHash(info.digest),
                    .row_count = info.row_count,
                    .threshold_q8 = info.threshold_q8};
  }
  MutexLock lock(&models_mutex_);
  stored_models_ = std::move(stored);
  models_.clear();
  for (const auto& [type, model] : latest) models_.push_back(model);
}

std::string DetectDriver::phase() const {
  MutexLock lock(&models_mutex_);
  return phase_;
}

absl::StatusOr<std::string> DetectDriver::ReadModel(const Hash& digest) const {
  std::optional<ModelKey> key;
  {
    MutexLock lock(&models_mutex_);
    const auto stored = stored_models_.find(digest);
    if (stored != stored_models_.end()) key = stored->second;
  }
  return key.has_value() ? store_.LoadModel(*key) : store_.LoadArchived(digest);
}

std::vector<DetectDriver::TrainedModel> DetectDriver::models() const {
  MutexLock lock(&models_mutex_);
  return models_;
}

}  // namespace vigil::node
