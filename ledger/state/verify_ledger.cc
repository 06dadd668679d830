#include "ledger/state/verify_ledger.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/chain/block.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/executor.h"
#include "ledger/state/governance.h"
#include "ledger/state/log_folder.h"
#include "ledger/state/replay_store.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_loader.h"
#include "ledger/state/store_state.h"
#include "ledger/state/verify_base.h"
#include "ledger/state/verify_block.h"
#include "ledger/state/verify_journal.h"
#include "ledger/state/verify_snapshot.h"

namespace vigil::ledger {

namespace {

std::shared_ptr<const StoreReader> Borrow(const StoreReader* reader) {
  return std::shared_ptr<const StoreReader>(reader, [](const StoreReader*) {});
}

class Verifier {
 public:
  Verifier(const JournalReader& journal, const Genesis& genesis, const StoreReader* given,
           const VerifyOptions& options, const VerifyProgressFn& progress)
      : journal_(journal),
        genesis_(genesis),
        known_(genesis),
        at_(AtHeight(genesis, Height(1))),
        options_(options),
        progress_(progress),
        sink_(&report_, options.findings_max, options.stop_at_first),
        given_(given == nullptr ? nullptr : std::make_unique<ChainReader>(Borrow(given))),
        given_tip_(GivenTip()),
        replay_(given, given_tip_.height, &sink_),
        replayed_(Borrow(&replay_)),
        state_(&replay_),
        log_(LogOf(options)),
        checkpoint_(&genesis, log_.has_value() ? &*log_ : nullptr, &options, &report_, &sink_) {}

  VerifyReport Run();

 private:
  Tip GivenTip() const;
  void Tell(absl::string_view phase, uint64_t done, uint64_t total) const;
  void ReportAt(FindingType type, Height height, std::optional<JournalPosition> position,
                std::string what);

  static std::optional<LogFolder> LogOf(const VerifyOptions& options);
  void CheckPins();
  void CheckBase();
  void CheckBaseDigest(const BlockHeader& header, JournalPosition position);
  void BeginAtGenesis();
  void PassGap(Height height);
  void BeginAbove(Height base);
  bool LoadStart(const ChosenSnapshot& chosen);
  void KnowTree(const BaseFrame* base);
  void CheckLowerPart(Height top, const Hash& hash);
  void Follow(const BlockPtr& block, JournalPosition position);
  void CheckFollowed(const BlockPtr& block, JournalPosition position);
  void CompareWithSnapshot(const Block& block, JournalPosition position);
  void Resume(JournalPosition position);
  void AfterBlock();
  void CheckTreeSize(Height height);
  const Genesis& At(Height height);
  bool KnowEpochs(const StateBase& state, Height height);
  void VerifyChain();
  void VerifyCommitted(Height height, const JournalBlock& committed);
  void VerifyOthers(Height height, const std::vector<JournalBlock>& blocks);
  void CheckOrder(Height height, const JournalBlock& committed);
  std::optional<RecordIndex> FirstIndex(Height height) const;
  void ExecuteAgain(const BlockPtr& block, JournalPosition position);
  void CheckSnapshot(const BlockHeader& header, JournalPosition position);
  void TakeSnapshot(Height height);
  void StopExecuting(Height height, std::string what);
  void CompareEntry(Height height, const JournalBlock& committed);
  void FinishStore();

  const JournalReader& journal_;
  const Genesis& genesis_;
  Genesis known_;  // With the epochs that execution, or the state that it begins at, tells of.
  Genesis at_;     // What At() returned last.
  const VerifyOptions& options_;
  const VerifyProgressFn& progress_;
  VerifyReport report_;
  FindingSink sink_;
  const std::unique_ptr<ChainReader> given_;  // Null when no store is given.
  const Tip given_tip_;                       // Height 0 when there is none.
  ReplayStore replay_;
  const ChainReader replayed_;
  const StoreState state_;

  SnapshotMark snapshot_;  // The last one that execution passed.
  JournalIndex index_;
  // How blocks are taken: executed; held against their parents, while there is no state to execute
  // on; or, behind what could not be executed, each alone.
  enum class Mode : uint8_t { kExecuting, kFollowing, kAlone };
  Mode mode_ = Mode::kExecuting;
  bool tip_known_ = true;    // While following: whether report_.tip is that of the parent.
  bool above_base_ = false;  // The parent is known from the base frame alone.
  Height resume_at_;         // While following: height of the snapshot that is loaded; 0: none.
  Tip resume_tip_;           // Of that snapshot.
  SnapshotMark resume_mark_;
  const std::optional<LogFolder> log_;
  CheckpointWatch checkpoint_;
  Height last_height_;  // Of the committed chain, as far as verified.
  Hash last_hash_;
  JournalPosition last_position_;
};

Tip Verifier::GivenTip() const {
  if (given_ == nullptr) return Tip{};
  // An unreadable tip is reported by JournalIndex::Resolve.
  return given_->GetTip().value_or(Tip{});
}

void Verifier::Tell(absl::string_view phase, uint64_t done, uint64_t total) const {
  if (progress_) progress_({.phase = phase, .done = done, .total = total});
}

void Verifier::ReportAt(FindingType type, Height height, std::optional<JournalPosition> position,
                        std::string what) {
  VerifyFinding finding;
  finding.type = type;
  finding.height = height;
  finding.position = position;
  finding.what = std::move(what);
  sink_.Add(std::move(finding));
}

VerifyReport Verifier::Run() {
  index_.Read(journal_, given_.get(), &report_, &sink_,
              [this](uint64_t done, uint64_t total) { Tell("journal", done, total); });
  for (const JournalBase& base : index_.bases()) {
    replay_.AllowUnplacedUpTo(base.frame.block.height);  // They rise.
  }
  if (!options_.journal_damage.ok()) {
    ReportAt(FindingType::kJournalDamaged, Height(0), journal_.end(),
             std::string(options_.journal_damage.message()));
  }
  for (const VerifyFinding& finding : options_.known_findings) sink_.Add(finding);
  report_.missing_offsets = options_.missing_offsets;
  report_.committed_height = index_.Resolve(
      genesis_, given_.get(), {.absent = options_.absent, .committed_min = options_.committed_min},
      &report_, &sink_);
  CheckPins();
  checkpoint_.Open();
  CheckBase();
  BeginAtGenesis();
  VerifyChain();
  if (given_ != nullptr && !report_.store_compared && !sink_.stop()) {
    if (given_tip_.height > report_.committed_height) {
      ReportAt(FindingType::kStoreAhead, given_tip_.height, std::nullopt,
               absl::StrCat("the store's tip is block ", given_tip_.block_hash.ToHex(),
                            ", the journal's committed chain ends at height ",
                            report_.committed_height.value()));
    }
  }
  if (mode_ != Mode::kAlone && report_.tree_known && !sink_.stop()) {
    const bool ends_here = report_.missing_offsets.empty() ||
                           report_.missing_offsets.back().range.end <= journal_.end().offset;
    checkpoint_.End(report_.tip, report_.uncommitted_count > 0 || !ends_here);
  }
  report_.store_key_count = replay_.compared_count();
  return std::move(report_);
}

std::optional<LogFolder> Verifier::LogOf(const VerifyOptions& options) {
  if (options.files == nullptr || options.log_directory.empty()) return std::nullopt;
  return LogFolder(options.files, options.log_directory);
}

void Verifier::CheckBase() {
  if (report_.missing.size() == 1 && report_.missing[0].first == Height(1) &&
      index_.FindBase(report_.missing[0].last) != nullptr) {
    report_.from_base = report_.missing[0].last;
  }
  if (index_.bases().empty()) return;
  const BaseCheck last(&index_.bases().back(), &sink_);
  last.AgainstJournal(journal_, index_);
  const uint64_t whole_from = index_.bases().back().frame.base_offset;
  for (const MissingOffsets& missing : options_.missing_offsets) {
    if (missing.range.begin == 0 || missing.range.end <= whole_from) continue;
    last.Report(absl::StrCat("offsets ", missing.range.begin, " to ", missing.range.end,
                             " are not here, the base says that the journal is whole from ",
                             whole_from, " on"));
  }
  bool found = false;
  for (const JournalBase& base : index_.bases()) {
    BaseJudgement judgement;
    judgement.frame = base.frame;
    judgement.not_in_log_reason = "no log beside the journal";
    const BaseCheck check(&base, &sink_);
    if (log_.has_value()) check.AgainstLog(*log_, &judgement);
    if (given_ != nullptr && base.frame.block.height <= given_tip_.height) {
      check.AgainstStore(*given_, "the store");
    }
    // The one that stands for what is missing, else the last.
    const bool stands =
        !report_.missing.empty() && base.frame.block.height == report_.missing.back().last;
    if (stands || !found) report_.base = std::move(judgement);
    found = found || stands;
  }
}

// What a proposer signed about the state at the base.
void Verifier::CheckBaseDigest(const BlockHeader& header, JournalPosition position) {
  if (!report_.base.has_value()) return;
  const BaseFrame& base = report_.base->frame;
  if (header.executed_height != base.block.height) return;
  if (report_.base->digest_signed_by == Height(0)) report_.base->digest_signed_by = header.height;
  if (header.state_digest == base.state_digest) return;
  ReportAt(FindingType::kBaseDiffers, header.height, position,
           absl::StrCat("the block says that the state digest at height ",
                        base.block.height.value(), " is ", header.state_digest.ToHex(),
                        ", the base frame says ", base.state_digest.ToHex()));
}

void Verifier::BeginAtGenesis() {
  GenesisOutcome genesis = ExecuteGenesis(genesis_);
  report_.tip = std::move(genesis.tip);
  report_.tree_known = true;
  const absl::Status written = replay_.Write(genesis.batch);
  if (!written.ok()) StopExecuting(Height(0), std::string(written.message()));
  const bool at_genesis =
      given_ != nullptr && given_->GetTip().ok() && given_tip_.height == Height(0) && !sink_.stop();
  if (at_genesis) FinishStore();
}

// Restated for the epoch of the block at `height`.
const Genesis& Verifier::At(Height height) {
  const bool is_last = at_.epoch == known_.epoch;
  if (height <= at_.epoch_base || !is_last) at_ = AtHeight(known_, height);
  return at_;
}

// `state` may tell of epochs that nobody vouched for, which is no news where it was executed; of
// those that somebody did it must say the same.
bool Verifier::KnowEpochs(const StateBase& state, Height height) {
  absl::StatusOr<Genesis> known = AtState(genesis_, state);
  if (!known.ok()) {
    ReportAt(FindingType::kStateDivergence, height, std::nullopt,
             std::string(known.status().message()));
    return false;
  }
  if (known->epoch > known_.epoch) known_ = *std::move(known);
  return true;
}

// There is no block between the last one and `height`.
void Verifier::PassGap(Height height) {
  const Height first = last_height_.Next();
  const bool lawful =
      std::any_of(report_.missing.begin(), report_.missing.end(), [&](const HeightRange& range) {
        return range == HeightRange{.first = first, .last = height.Previous()};
      });
  if (lawful) return BeginAbove(height.Previous());
  if (mode_ == Mode::kExecuting) {
    StopExecuting(height, absl::StrCat("the chain has no block at height ", first.value()));
  }
  mode_ = Mode::kAlone;
}

// From here on the chain stands on the block at `base`, which is not here.
void Verifier::BeginAbove(Height base) {
  const Height lower_top = last_height_;
  const Hash lower_hash = last_hash_;
  const JournalBase* const frame = index_.FindBase(base);
  mode_ = Mode::kFollowing;
  resume_at_ = Height(0);
  snapshot_ = SnapshotMark();
  tip_known_ = above_base_ = frame != nullptr;
  report_.tip = frame != nullptr ? TipAtBase(frame->frame) : Tip();
  report_.tree_known = false;
  replay_.Clear();
  if (frame != nullptr) {
    snapshot_ = {.height = base, .digest = frame->frame.snapshot_digest};
    if (snapshot_.digest == Hash()) snapshot_ = SnapshotMark();
    KnowTree(&frame->frame);
  }
  std::optional<ChosenSnapshot> chosen;
  if (options_.files != nullptr && !options_.snapshot_directory.empty()) {
    chosen = ChooseSnapshot(*options_.files, options_.snapshot_directory, genesis_, journal_,
                            index_, {.first = base, .last = report_.committed_height}, &sink_);
  }
  if (!chosen.has_value() || !LoadStart(*chosen)) {
    replay_.Clear();
    const GenesisOutcome genesis =
        ExecuteGenesis(genesis_);  // The keys that records are signed by.
    const absl::Status written = replay_.Write(genesis.batch);
    if (!written.ok()) StopExecuting(base, std::string(written.message()));
    if (report_.tree_known) checkpoint_.Begin(report_.tip);
    return;
  }
  CheckLowerPart(lower_top, lower_hash);
  if (frame != nullptr) {
    BaseCheck(frame, &sink_)
        .AgainstStore(replayed_, absl::StrCat("the snapshot of height ", resume_at_.value()));
    if (report_.base->frame == frame->frame) report_.base->digest_in_snapshot = true;
  }
  if (resume_at_ != base) {
    if (report_.tree_known) checkpoint_.Begin(report_.tip);
    return;
  }
  Resume(journal_.begin());
  checkpoint_.Begin(report_.tip);
  AfterBlock();
}

// The right edge below the base, from the log's files.
void Verifier::KnowTree(const BaseFrame* base) {
  if (!log_.has_value() || base->tree_size == 0) return;
  const absl::StatusOr<MerkleFrontier> edge = FrontierFromTiles(*log_, base->tree_size);
  // Files that differ are reported by CheckBase().
  if (!edge.ok() || edge->Root() != base->tree_root) return;
  report_.tip.tree = *edge;
  report_.tree_known = true;
}

bool Verifier::LoadStart(const ChosenSnapshot& chosen) {
  replay_.BeginBlock(chosen.start.height);
  const auto place = [this](const BlockInfo& info) -> absl::StatusOr<BlockPlace> {
    if (given_ == nullptr) return BlockPlace();
    const absl::StatusOr<BlockInfo> stored = given_->GetBlock(info.height);
    if (!stored.ok()) return BlockPlace();  // Reported when it is compared.
    return BlockPlace{.position = stored->position, .frame_bytes = stored->frame_bytes};
  };
  const absl::StatusOr<Tip> tip = LoadSnapshot(*chosen.file, &replay_, &genesis_, place);
  if (!tip.ok()) {
    ReportAt(FindingType::kSnapshotDiffers, chosen.start.height, std::nullopt,
             std::string(tip.status().message()));
    return false;
  }
  if (!KnowEpochs(state_, chosen.start.height)) return false;
  report_.snapshot = chosen.start;
  resume_at_ = chosen.start.height;
  resume_tip_ = *tip;
  resume_mark_ = chosen.file->manifest().mark();
  return true;
}

// What was verified below the gap must be what the snapshot says of those heights.
void Verifier::CheckLowerPart(Height top, const Hash& hash) {
  if (top == Height(0)) return;
  const absl::StatusOr<BlockInfo> info = replayed_.GetBlock(top);
  if (info.ok() && info->hash == hash) return;
  ReportAt(FindingType::kBlockLink, top, last_position_,
           absl::StrCat("block ", hash.ToHex(), ", the snapshot of height ", resume_at_.value(),
                        " says ", info.ok() ? info->hash.ToHex() : info.status().ToString()));
}

void Verifier::CheckPins() {
  const Height top = report_.committed_height;
  const Height height_min =
      std::max(options_.height_min, options_.pin.has_value() ? options_.pin->height : Height(0));
  report_.end_pinned = height_min > Height(0) || options_.durable_offset_min > 0;
  if (height_min > top) {
    ReportAt(FindingType::kEndMissing, top, std::nullopt,
             absl::StrCat("the committed chain ends here, it is known to reach height ",
                          height_min.value()));
  }
  if (options_.durable_offset_min > journal_.end().offset) {
    ReportAt(FindingType::kEndMissing, top, journal_.end(),
             absl::StrCat("the journal ends here, its guard knows it up to offset ",
                          options_.durable_offset_min));
  }
  if (!options_.pin.has_value()) return;
  const auto blocks = index_.blocks().find(options_.pin->height);
  if (blocks == index_.blocks().end()) return;  // Reported as missing.
  for (const JournalBlock& block : blocks->second) {
    if (!block.committed || block.hash == options_.pin->block_hash) continue;
    ReportAt(FindingType::kPinDiffers, options_.pin->height, block.position,
             absl::StrCat("block ", block.hash.ToHex(), ", known from elsewhere is ",
                          options_.pin->block_hash.ToHex()));
  }
}

void Verifier::VerifyChain() {
  for (const auto& [height, blocks] : index_.blocks()) {
    if (sink_.stop()) return;
    const JournalBlock* committed = nullptr;
    for (const JournalBlock& block : blocks) {
      if (block.committed) committed = &block;
    }
    if (committed != nullptr) VerifyCommitted(height, *committed);
    VerifyOthers(height, blocks);
    Tell("blocks", report_.block_count, report_.committed_height.value());
  }
  // A base above which nothing is committed yet.
  if (!sink_.stop() && !report_.missing.empty() &&
      report_.missing.back().last == report_.committed_height) {
    PassGap(report_.committed_height.Next());
  }
}

void Verifier::VerifyCommitted(Height height, const JournalBlock& committed) {
  if (height != last_height_.Next()) PassGap(height);
  CheckOrder(height, committed);
  absl::StatusOr<JournalReader::Frame> frame = journal_.Read(committed.position);
  if (!frame.ok()) {
    ReportAt(FindingType::kJournalDamaged, height, committed.position,
             std::string(frame.status().message()));
    StopExecuting(height, "the block cannot be read");
    return;
  }
  const BlockFindings findings(&sink_, height, committed.position, FirstIndex(height));
  const BlockPtr block = VerifyFrame(known_, state_, *std::move(frame), findings, &report_);
  if (block != nullptr) {
    const auto epoch = FindHeaderEpoch(known_, block->header());
    if (epoch.ok())
      ++report_.proposed[epoch->validators->at(block->header().proposer.value()).identity()];
    CheckBaseDigest(block->header(), committed.position);
  }
  if (block == nullptr) StopExecuting(height, "its leaves are not those it was signed for");
  if (mode_ == Mode::kExecuting) {
    ExecuteAgain(block, committed.position);
  } else {
    CompareEntry(height, committed);
    if (mode_ == Mode::kFollowing) Follow(block, committed.position);
  }
  if (mode_ != Mode::kAlone) AfterBlock();
}

// What lies in the journal beside the committed chain must still be what its proposer signed.
void Verifier::VerifyOthers(Height height, const std::vector<JournalBlock>& blocks) {
  const JournalBlock* committed = nullptr;
  for (const JournalBlock& block : blocks) {
    if (block.committed) committed = &block;
  }
  for (const JournalBlock& block : blocks) {
    if (block.committed || sink_.stop()) continue;
    ++(height > report_.committed_height ? report_.uncommitted_count : report_.superseded_count);
    const absl::StatusOr<JournalReader::Frame> frame = journal_.Read(block.position);
    if (!frame.ok()) continue;  // Reported when the journal was indexed.
    const uint64_t findings_before = report_.finding_count;
    const BlockFindings findings(&sink_, height, block.position, std::nullopt);
    VerifyReport uncounted;
    const BlockPtr other = VerifyFrame(known_, state_, *frame, findings, &uncounted);
    const bool sound = report_.finding_count == findings_before;
    const bool is_closing =
        other != nullptr && Seals(other->header()) && other->header().epoch < At(height).epoch;
    if (sound && !is_closing && committed != nullptr &&
        (block.after_commit || block.view == committed->view)) {
      ReportAt(FindingType::kBlockConflict, height, block.position,
               absl::StrCat("block ", block.hash.ToHex(), " of view ", block.view.value(),
                            block.after_commit ? " after the commit of block " : " beside block ",
                            committed->hash.ToHex(), " of view ", committed->view.value()));
    }
  }
}

void Verifier::CheckOrder(Height height, const JournalBlock& committed) {
  const bool has_parent = last_height_ != Height(0) && height == last_height_.Next();
  if (has_parent && committed.position.offset < last_position_.offset) {
    ReportAt(FindingType::kBlockOutOfOrder, height, committed.position,
             absl::StrCat("the parent lies behind it, at journal offset ", last_position_.offset));
  }
  last_height_ = height;
  last_hash_ = committed.hash;
  last_position_ = committed.position;
}

// Known from execution, or from what the store says of the block.
std::optional<RecordIndex> Verifier::FirstIndex(Height height) const {
  if (mode_ != Mode::kAlone && report_.tree_known) return RecordIndex(report_.tip.tree.size());
  if (given_ == nullptr) return std::nullopt;
  const absl::StatusOr<BlockInfo> info = given_->GetBlock(height);
  if (!info.ok()) return std::nullopt;
  return info->first_index;
}

void Verifier::ExecuteAgain(const BlockPtr& block, JournalPosition position) {
  const Height height = block->height();
  const Genesis& genesis = At(height);
  const absl::Status link = CheckContinues(genesis, report_.tip, block->header());
  if (!link.ok()) ReportAt(FindingType::kBlockLink, height, position, std::string(link.message()));
  const absl::Status agreement = CheckAgreement(genesis, replayed_, report_.tip, block->header());
  if (!agreement.ok()) {
    ReportAt(FindingType::kStateDivergence, height, position, std::string(agreement.message()));
  }
  CheckSnapshot(block->header(), position);
  absl::StatusOr<BlockOutcome> outcome =
      ExecuteOnTip(genesis, replay_, report_.tip, block, position);
  if (!outcome.ok()) return StopExecuting(height, std::string(outcome.status().message()));
  replay_.BeginBlock(height);
  const absl::Status written = replay_.Write(outcome->batch);
  if (!written.ok()) return StopExecuting(height, std::string(written.message()));
  report_.tip = std::move(outcome->executed.tip);
  report_.executed_height = height;
  if (Seals(block->header())) KnowEpochs(state_, height);
  if (genesis_.HasSnapshot(height)) TakeSnapshot(height);
}

// Takes a block whose state is not known: everything but execution.
void Verifier::Follow(const BlockPtr& block, JournalPosition position) {
  const Height height = block->height();
  if (tip_known_) CheckFollowed(block, position);
  if (resume_at_ != Height(0)) CompareWithSnapshot(*block, position);
  report_.tip = SealedTip(report_.tip, *block);
  tip_known_ = true;
  above_base_ = false;
  if (!report_.not_executed.empty() && report_.not_executed.back().last.Next() == height) {
    report_.not_executed.back().last = height;
  } else {
    report_.not_executed.push_back({.first = height, .last = height});
  }
  if (height == resume_at_) Resume(position);
}

void Verifier::CheckFollowed(const BlockPtr& block, JournalPosition position) {
  const BlockHeader& header = block->header();
  const Genesis& genesis = At(header.height);
  const absl::Status link = CheckContinues(genesis, report_.tip, header);
  if (!link.ok()) {
    ReportAt(above_base_ ? FindingType::kBaseDiffers : FindingType::kBlockLink, header.height,
             position, std::string(link.message()));
  }
  CheckSnapshot(header, position);
  // The state of a snapshot, else what the store says.
  const bool is_loaded = resume_at_ != Height(0);
  if (!is_loaded && (given_ == nullptr || header.executed_height > given_tip_.height)) return;
  const absl::Status agreement =
      CheckAgreement(genesis, is_loaded ? replayed_ : *given_, report_.tip, header);
  if (agreement.ok()) return;
  ReportAt(is_loaded ? FindingType::kStateDivergence : FindingType::kStoreDiffers, header.height,
           position, std::string(agreement.message()));
}

// A snapshot above tells of every block below it.
void Verifier::CompareWithSnapshot(const Block& block, JournalPosition position) {
  const absl::StatusOr<BlockInfo> info = replayed_.GetBlock(block.height());
  const bool agrees = info.ok() && info->hash == block.hash() &&
                      info->record_count == block.records().size() &&
                      (!report_.tree_known || info->first_index.value() == report_.tip.tree.size());
  if (agrees) return;
  ReportAt(FindingType::kSnapshotDiffers, block.height(), position,
           absl::StrCat("the snapshot of height ", resume_at_.value(),
                        " tells of another block, or of another place in the log"));
}

// Execution goes on at the snapshot, whose height the chain has reached.
void Verifier::Resume(JournalPosition position) {
  Tip reached = report_.tip;
  reached.state_digest = resume_tip_.state_digest;
  if (!report_.tree_known) {
    reached.tree = resume_tip_.tree;
    reached.seal_leaf = resume_tip_.seal_leaf;
  }
  if (tip_known_ && BaseOf(reached, Hash()) != BaseOf(resume_tip_, Hash())) {
    ReportAt(FindingType::kSnapshotDiffers, resume_at_, position,
             absl::StrCat("the snapshot is of block ", resume_tip_.block_hash.ToHex(),
                          ", log root ", resume_tip_.tree.Root().ToHex(), " at size ",
                          resume_tip_.tree.size(), "; the chain gives ", reached.block_hash.ToHex(),
                          ", ", reached.tree.Root().ToHex(), " at size ", reached.tree.size()));
  }
  snapshot_ = resume_mark_;
  report_.tip = resume_tip_;
  report_.tree_known = tip_known_ = true;
  above_base_ = false;
  mode_ = Mode::kExecuting;
  report_.executed_height = resume_at_;
}

// report_.tip is that of a block that was taken.
void Verifier::AfterBlock() {
  const Height height = report_.tip.height;
  if (report_.tree_known) {
    checkpoint_.Advance(report_.tip);
    CheckTreeSize(height);
  }
  for (const JournalBase& base : index_.bases()) {
    if (base.frame.block.height != height || mode_ != Mode::kExecuting) continue;
    BaseCheck(&base, &sink_).AgainstTip(report_.tip, "the chain");
  }
  if (given_ != nullptr && mode_ == Mode::kExecuting && height == given_tip_.height &&
      !sink_.stop()) {
    FinishStore();
  }
}

// Against what an archive's manifest says.
void Verifier::CheckTreeSize(Height height) {
  const auto expected = options_.tree_sizes.find(height);
  if (expected == options_.tree_sizes.end() || expected->second == report_.tip.tree.size()) return;
  ReportAt(FindingType::kArchiveDiffers, height, last_position_,
           absl::StrCat("the log has ", report_.tip.tree.size(),
                        " leaves behind the block, an archive's manifest says ", expected->second));
}

// A header that names another height than it must is reported by CheckBlock and CheckContinues.
void Verifier::CheckSnapshot(const BlockHeader& header, JournalPosition position) {
  if (header.snapshot_height == Height(0) || header.snapshot_height != snapshot_.height) return;
  const absl::Status agreement = CheckSnapshotAgreement(snapshot_, header);
  if (!agreement.ok()) {
    ReportAt(FindingType::kSnapshotDiffers, header.height, position,
             std::string(agreement.message()));
  }
}

void Verifier::TakeSnapshot(Height height) {
  const absl::StatusOr<SnapshotMark> mark = ComputeSnapshotMark(Borrow(&replay_), genesis_);
  if (!mark.ok()) return StopExecuting(height, std::string(mark.status().message()));
  snapshot_ = *mark;
}

void Verifier::StopExecuting(Height height, std::string what) {
  const Mode before = std::exchange(mode_, Mode::kAlone);
  if (before == Mode::kAlone) return;
  ReportAt(FindingType::kNotExecuted, height, std::nullopt,
           absl::StrCat(what, "; from here on state and store are not compared"));
}

// Without execution the store's entry can still be held against the block itself.
void Verifier::CompareEntry(Height height, const JournalBlock& committed) {
  if (given_ == nullptr || height > given_tip_.height) return;
  const absl::StatusOr<BlockInfo> info = given_->GetBlock(height);
  if (!info.ok()) {
    ReportAt(absl::IsNotFound(info.status()) ? FindingType::kStoreMissing
                                             : FindingType::kStoreUnreadable,
             height, std::nullopt, std::string(info.status().message()));
  } else if (info->hash != committed.hash || !(info->position == committed.position)) {
    ReportAt(FindingType::kStoreDiffers, height, committed.position,
             absl::StrCat("the store says block ", info->hash.ToHex(), " at journal offset ",
                          info->position.offset, ", the journal holds ", committed.hash.ToHex()));
  }
}

void Verifier::FinishStore() {
  replay_.CompareAll([this](uint64_t keys) { Tell("store", keys, /*total=*/0); });
  report_.store_compared = !sink_.stop();
}

}  // namespace

VerifyReport VerifyLedger(const JournalReader& journal, const Genesis& genesis,
                          const StoreReader* store, const VerifyOptions& options,
                          const VerifyProgressFn& progress) {
  return Verifier(journal, genesis, store, options, progress).Run();
}

}  // namespace vigil::ledger
