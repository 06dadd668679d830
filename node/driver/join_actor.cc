#include "node/driver/join_actor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tiles.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/snapshot_file.h"

namespace vigil::node {
namespace {

constexpr int64_t kOffersMicros = 3'000'000;
// A peer may serve slowly on purpose (fetch.bytes_per_second).
constexpr int64_t kBodyMicros = 30'000'000;
constexpr int64_t kPauseMicros = 1'000'000;
constexpr size_t kInboxBytesMax = 2 * kFetchBodyBytesMax;
constexpr size_t kAnswersPerStepMax = 4;
constexpr uint64_t kBundleBytesMax =
    uint64_t{ledger::kTileWidth} * (sizeof(uint16_t) + ledger::kTileLeafBytesMax);
// After so many leaves what is fetched of the log is made durable.
constexpr uint64_t kLeavesPerSave = 16 * ledger::kTileWidth;

absl::string_view PhaseName(int phase) {
  constexpr absl::string_view kNames[] = {"asks", "manifest", "chunks", "log", "ready"};
  return kNames[phase];
}

}  // namespace

JoinActor::JoinActor(const Ports& ports, const Options& options,
                     std::unique_ptr<ledger::Journal> journal)
    : ports_(ports),
      options_(options),
      keys_(ledger::LogKeysOf(*ports.genesis)),
      journal_(std::move(journal)),
      inbox_({kInboxBytesMax}),
      // Above those of an earlier start, whose late answers are no fault; below the scrubber's.
      last_id_(static_cast<uint32_t>(Now() / 1000 & 0x3fff'ffff)),
      shared_last_id_(last_id_) {}

absl::StatusOr<std::unique_ptr<JoinActor>> JoinActor::Open(
    const Ports& ports, const Options& options, std::unique_ptr<ledger::Journal> journal) {
  std::unique_ptr<JoinActor> actor(new JoinActor(ports, options, std::move(journal)));
  ASSIGN_OR_RETURN(
      actor->store_,
      JoinStore::Open(ports.files, options.data_dir + "/join", [&](const SnapshotOffer& offer) {
        return CheckOffer(*ports.genesis, actor->keys_, offer);
      }));
  actor->ShareState();
  return actor;
}

absl::Status JoinActor::OnAnswer(ValidatorIndex from, FetchAnswer answer) {
  const uint32_t id = answer.id;
  {
    MutexLock lock(&mutex_);
    if (id == 0 || id > shared_last_id_) {
      return absl::InvalidArgumentError(
          absl::StrCat("answer to fetch ", id, ", which was not asked"));
    }
    // One that comes late is of no use any more.
    if (expected_ != std::make_pair(from, id)) return absl::OkStatus();
  }
  const size_t bytes = sizeof(Answer) + answer.body.size();
  if (!inbox_.TryPush({.from = from, .answer = std::move(answer)}, bytes)) {
    return absl::ResourceExhaustedError("no room for what was fetched; it is asked for again");
  }
  signal()->Set();
  return absl::OkStatus();
}

bool JoinActor::Step() {
  if (ports_.fatal->failed() || phase_ == Phase::kReady) return false;
  bool worked = false;
  const absl::Status status = Work(&worked);
  if (!status.ok()) ports_.fatal->Fail(Annotate(status, "join"));
  ShareState();
  return worked;
}

std::optional<int64_t> JoinActor::DeadlineMicros() const {
  if (phase_ == Phase::kReady) return std::nullopt;
  return asked_.has_value() ? asked_->until_micros : resume_micros_;
}

absl::Status JoinActor::Work(bool* worked) {
  for (const Answer& answer : inbox_.TryPop(kAnswersPerStepMax)) {
    RETURN_IF_ERROR(Take(answer));
    *worked = true;
  }
  if (asked_.has_value() && Now() >= asked_->until_micros) {
    passed_over_.insert(asked_->peer);
    asked_.reset();
    *worked = true;
  }
  if (asked_.has_value() || phase_ == Phase::kReady || Now() < resume_micros_) {
    return absl::OkStatus();
  }
  if (AskNext()) {
    *worked = true;
    return absl::OkStatus();
  }
  // Nobody is left to be asked.
  if (phase_ == Phase::kAsk) return Decide();
  return AskAgain("nobody serves it now");
}

absl::Status JoinActor::Take(const Answer& answer) {
  if (!asked_.has_value() || asked_->peer != answer.from || asked_->id != answer.answer.id) {
    return absl::OkStatus();
  }
  const absl::Status& refusal = answer.answer.status;
  if (absl::IsResourceExhausted(refusal)) {
    const int64_t pause = std::min<int64_t>(answer.answer.retry_after_millis, 60'000) * 1000;
    resume_micros_ = Now() + std::max<int64_t>(pause, kPauseMicros / 10);
    asked_.reset();
    return absl::OkStatus();
  }
  absl::Status status;
  if (refusal.ok()) {
    counts_.bytes_fetched += answer.answer.body.size();
    status = OnBody(answer.from, answer.answer);
  } else {
    passed_over_.insert(answer.from);
  }
  asked_.reset();
  if (!absl::IsInvalidArgument(status)) return status;
  Blame(answer.from, status);
  return absl::OkStatus();
}

// kInvalidArgument: what the peer said does not hold. Other errors are our own.
absl::Status JoinActor::OnBody(ValidatorIndex from, const FetchAnswer& answer) {
  switch (phase_) {
    case Phase::kAsk:
      return OnOffers(from, answer.body);
    case Phase::kManifest:
      return OnManifest(answer.body);
    case Phase::kChunks:
      return OnChunks(answer.body);
    case Phase::kLog:
      return OnLogFile(answer.body);
    case Phase::kReady:
      break;
  }
  return absl::OkStatus();
}

void JoinActor::Blame(ValidatorIndex peer, const absl::Status& what) {
  ++counts_.bad_answers;
  passed_over_.insert(peer);
  manifest_.clear();
  bundle_.clear();
  Say(LogLevel::kWarning,
      absl::StrCat(ports_.genesis->validators[peer.value()].identity(),
                   " answered what does not hold, and is passed over: ", what.message()));
}

bool JoinActor::Ask(ValidatorIndex peer, FetchRequest request) {
  request.id = ++last_id_;
  {
    MutexLock lock(&mutex_);
    shared_last_id_ = last_id_;
    expected_ = std::make_pair(peer, request.id);
  }
  OutFrame frame;
  frame.head = EncodeFetchRequest(request);
  asked_ = Asked{.id = request.id,
                 .peer = peer,
                 .until_micros = Now() + (phase_ == Phase::kAsk ? kOffersMicros : kBodyMicros)};
  if (ports_.transport->Send(peer, std::move(frame))) return true;
  asked_.reset();
  passed_over_.insert(peer);
  return false;
}

bool JoinActor::AskNext() {
  while (const std::optional<ValidatorIndex> peer = PickPeer()) {
    if (Ask(*peer, NextRequest())) return true;
  }
  return false;
}

FetchRequest JoinActor::NextRequest() const {
  FetchRequest request;
  switch (phase_) {
    case Phase::kAsk:
    case Phase::kReady:
      request.kind = FetchKind::kOffers;
      break;
    case Phase::kManifest:
      request.kind = FetchKind::kManifest;
      request.first = goal_offer_->mark.height;
      request.offset = manifest_.size();
      break;
    case Phase::kChunks:
      request.kind = FetchKind::kChunks;
      request.first = goal_offer_->mark.height;
      request.first_chunk = store_->next_chunk();
      request.count_max = kFetchChunksMax;
      break;
    case Phase::kLog:
      request.kind = FetchKind::kLogFile;
      request.path = ledger::BundlePath({.index = tiles_->tree().size() / ledger::kTileWidth});
      request.offset = bundle_.size();
      break;
  }
  return request;
}

// In turn, so that each serves its part; but what comes in parts, and the log, which is judged as a
// whole, come from one.
std::optional<ValidatorIndex> JoinActor::PickPeer() {
  const auto usable = [&](ValidatorIndex peer) {
    if (peer == ports_.self || passed_over_.contains(peer)) return false;
    if (phase_ == Phase::kAsk && answered_.contains(peer)) return false;
    if (phase_ != Phase::kAsk && !sources_.contains(peer)) return false;
    return ports_.transport->IsConnected(peer);
  };
  const bool sticks = phase_ == Phase::kLog || !manifest_.empty();
  if (sticks && last_peer_.has_value() && usable(*last_peer_)) return last_peer_;
  if (sticks && last_peer_.has_value()) {
    manifest_.clear();
    bundle_.clear();
  }
  const size_t count = ports_.genesis->validators.size();
  for (size_t i = 0; i < count; ++i) {
    const ValidatorIndex peer(static_cast<uint32_t>(turn_++ % count));
    if (!usable(peer)) continue;
    last_peer_ = peer;
    return peer;
  }
  return std::nullopt;
}

absl::Status JoinActor::OnOffers(ValidatorIndex from, absl::string_view body) {
  ASSIGN_OR_RETURN(const std::vector<SnapshotOffer> offers, DecodeOffers(body));
  for (const SnapshotOffer& offer : offers) {
    const absl::Status checked = CheckOffer(*ports_.genesis, keys_, offer);
    if (!checked.ok()) return absl::InvalidArgumentError(checked.message());
  }
  answered_.insert(from);
  for (const SnapshotOffer& offer : offers) offers_.emplace_back(from, offer);
  return absl::OkStatus();
}

absl::Status JoinActor::Decide() {
  const SnapshotOffer* best = nullptr;
  const std::optional<JoinGoal>& kept = store_->goal();
  for (const auto& [peer, offer] : offers_) {
    const bool resumes = kept.has_value() && kept->offer.mark == offer.mark;
    if (best == nullptr || resumes || offer.mark.height > best->mark.height) best = &offer;
    if (resumes) break;
  }
  if (best != nullptr) return Choose(*best);
  // This validator and those that have none are a majority.
  if (offers_.empty() && 2 * (answered_.size() + 1) > ports_.genesis->validators.size()) {
    return FollowFromGenesis();
  }
  return AskAgain("too few validators answer");
}

absl::Status JoinActor::AskAgain(absl::string_view why) {
  if (phase_ != Phase::kAsk) Say(LogLevel::kWarning, absl::StrCat("asks again: ", why));
  phase_ = Phase::kAsk;
  resume_micros_ = Now() + kPauseMicros;
  answered_.clear();
  passed_over_.clear();
  sources_.clear();
  offers_.clear();
  manifest_.clear();
  bundle_.clear();
  return absl::OkStatus();
}

absl::Status JoinActor::Choose(const SnapshotOffer& offer) {
  goal_offer_ = offer;
  sources_.clear();
  for (const auto& [peer, other] : offers_) {
    if (other.mark == offer.mark) sources_.insert(peer);
  }
  const bool resumes = store_->goal().has_value() && store_->goal()->offer.mark == offer.mark;
  Say(LogLevel::kInfo,
      absl::StrCat("joins by the snapshot of height ", offer.mark.height.value(), ", ",
                   offer.mark.digest.ToHex(), ", which ", sources_.size(), " validators offer",
                   resumes ? absl::StrCat("; ", store_->next_chunk(), " chunks are here") : ""));
  if (HasSnapshot()) return BeginLog();
  phase_ = resumes ? Phase::kChunks : Phase::kManifest;
  if (resumes && store_->complete()) return FinishChunks();
  return absl::OkStatus();
}

// Whether the whole file is here, of this or an earlier life of the validator.
bool JoinActor::HasSnapshot() const {
  const auto file = ledger::SnapshotFile::Open(
      ports_.files, ledger::SnapshotPath(Snapshots(), goal_offer_->mark.height));
  return file.ok() && (*file)->manifest().mark() == goal_offer_->mark && (*file)->CheckAll().ok();
}

absl::Status JoinActor::OnManifest(absl::string_view body) {
  ASSIGN_OR_RETURN(const FilePart part, DecodeFilePart(body));
  manifest_ += part.bytes;
  const bool fits = part.file_bytes <= ledger::kSnapshotManifestBytesMax &&
                    manifest_.size() <= part.file_bytes && !part.bytes.empty();
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("a manifest of ", part.file_bytes, " bytes in parts that do not fit"));
  }
  if (manifest_.size() < part.file_bytes) return absl::OkStatus();
  ASSIGN_OR_RETURN(ledger::SnapshotManifest manifest,
                   ledger::DecodeSnapshotManifest(AsBytes(manifest_)));
  if (manifest.mark() != goal_offer_->mark || manifest.chain_id != ports_.genesis->chain_id) {
    return absl::InvalidArgumentError(absl::StrCat("manifest with digest ", manifest.digest.ToHex(),
                                                   ", a quorum stands behind ",
                                                   goal_offer_->mark.digest.ToHex()));
  }
  manifest_.clear();
  RETURN_IF_ERROR(store_->SetGoal({.offer = *goal_offer_, .manifest = std::move(manifest)}));
  phase_ = Phase::kChunks;
  return absl::OkStatus();
}

absl::Status JoinActor::OnChunks(absl::string_view body) {
  if (body.empty()) return absl::InvalidArgumentError("no chunk where some are missing");
  RETURN_IF_ERROR(store_->Add(AsBytes(body)));
  return store_->complete() ? FinishChunks() : absl::OkStatus();
}

absl::Status JoinActor::FinishChunks() {
  RETURN_IF_ERROR(store_->MoveTo(Snapshots()));
  return BeginLog();
}

absl::Status JoinActor::BeginLog() {
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::SnapshotFile> file,
                   ledger::SnapshotFile::Open(
                       ports_.files, ledger::SnapshotPath(Snapshots(), goal_offer_->mark.height)));
  tip_ = file->head().tip;
  phase_ = Phase::kLog;
  ASSIGN_OR_RETURN(tiles_, TileStore::Open(ports_.files, options_.data_dir + "/log"));
  if (tiles_->tree().size() > tip_.tree.size()) RETURN_IF_ERROR(tiles_->Reset());
  log_is_of_one_ = tiles_->tree().size() == 0;
  saved_leaves_ = tiles_->tree().size();
  last_peer_.reset();
  return tiles_->tree().size() == tip_.tree.size() ? FinishLog() : absl::OkStatus();
}

absl::Status JoinActor::OnLogFile(absl::string_view body) {
  ASSIGN_OR_RETURN(const FilePart part, DecodeFilePart(body));
  bundle_ += part.bytes;
  const bool fits = part.file_bytes <= kBundleBytesMax && bundle_.size() <= part.file_bytes &&
                    !part.bytes.empty();
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("an entry bundle of ", part.file_bytes, " bytes in parts that do not fit"));
  }
  return bundle_.size() < part.file_bytes ? absl::OkStatus() : AddBundle();
}

absl::Status JoinActor::AddBundle() {
  const std::string bundle = std::exchange(bundle_, {});
  const uint64_t before = tiles_->tree().size();
  ByteReader reader(bundle);
  std::vector<ByteSpan> leaves;
  size_t read = 0;
  while (read < bundle.size() && leaves.size() < ledger::kTileWidth && reader.ok()) {
    const uint16_t size = reader.U16();
    leaves.push_back(reader.Raw(size));
    read += sizeof(uint16_t) + size;
  }
  const uint64_t known = before % ledger::kTileWidth;
  if (!reader.Finish("entry bundle").ok() || leaves.size() <= known) {
    return absl::InvalidArgumentError(
        absl::StrCat("an entry bundle of ", leaves.size(), " leaves, ", known, " are here"));
  }
  for (size_t i = known; i < leaves.size() && tiles_->tree().size() < tip_.tree.size(); ++i) {
    RETURN_IF_ERROR(tiles_->Append(leaves[i], ledger::LeafHash(leaves[i])));
  }
  if (tiles_->tree().size() == tip_.tree.size()) return FinishLog();
  if (tiles_->tree().size() < saved_leaves_ + kLeavesPerSave) return absl::OkStatus();
  saved_leaves_ = tiles_->tree().size();
  return tiles_->SaveProgress(Height(0));
}

// The leaves make the tree that the snapshot has, or somebody lied.
absl::Status JoinActor::FinishLog() {
  if (tiles_->tree().Root() != tip_.tree.Root()) {
    const std::string what = absl::StrCat("leaves of the log whose root at size ", tip_.tree.size(),
                                          " is ", tiles_->tree().Root().ToHex(),
                                          ", the snapshot has ", tip_.tree.Root().ToHex());
    RETURN_IF_ERROR(tiles_->Reset());
    saved_leaves_ = 0;
    // What an earlier start had fetched came from whomever.
    const bool is_of_one = std::exchange(log_is_of_one_, true);
    return is_of_one ? absl::InvalidArgumentError(what) : absl::OkStatus();
  }
  RETURN_IF_ERROR(tiles_->SaveProgress(tip_.height));
  tiles_.reset();
  return WriteBase();
}

absl::Status JoinActor::WriteBase() {
  const std::string base = ledger::EncodeBaseFrame(ledger::BaseOf(tip_, goal_offer_->mark.digest));
  RETURN_IF_ERROR(journal_->Append(ledger::JournalType::kBase, AsBytes(base)).status());
  RETURN_IF_ERROR(journal_->Sync());
  Say(LogLevel::kInfo, absl::StrCat("has the snapshot of height ", tip_.height.value(),
                                    " and the log up to there; follows from now on"));
  RETURN_IF_ERROR(store_->Forget());
  return BeReady();
}

// The mark of a journal made for joining once more: it decided.
absl::Status JoinActor::FollowFromGenesis() {
  ASSIGN_OR_RETURN(tiles_, TileStore::Open(ports_.files, options_.data_dir + "/log"));
  if (tiles_->saved().height == Height(0)) RETURN_IF_ERROR(tiles_->Reset());
  tiles_.reset();
  consensus::RaftVoteRecord record;
  record.voted_for = ports_.self;
  record.may_vote = false;
  const std::string body = consensus::EncodeRaftVoteRecord(record);
  RETURN_IF_ERROR(journal_->Append(ledger::JournalType::kVote, AsBytes(body)).status());
  RETURN_IF_ERROR(journal_->Sync());
  Say(LogLevel::kInfo,
      absl::StrCat(answered_.size(), " validators have no snapshot; follows from the first block"));
  RETURN_IF_ERROR(store_->Forget());
  return BeReady();
}

absl::Status JoinActor::BeReady() {
  phase_ = Phase::kReady;
  journal_.reset();
  ports_.on_ready();
  return absl::OkStatus();
}

void JoinActor::ShareState() {
  MutexLock lock(&mutex_);
  shared_ = counts_;
  shared_.phase = PhaseName(static_cast<int>(phase_));
  if (goal_offer_.has_value()) shared_.height = goal_offer_->mark.height;
  if (store_->goal().has_value()) {
    shared_.chunk_count = store_->goal()->manifest.chunks.size();
    shared_.chunks_kept = store_->next_chunk();
  }
}

JoinActor::State JoinActor::state() const {
  MutexLock lock(&mutex_);
  return shared_;
}

}  // namespace vigil::node
