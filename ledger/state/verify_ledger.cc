#include "ledger/state/verify_ledger.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/chain/block.h"
#include "ledger/state/executor.h"
#include "ledger/state/replay_store.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/store_state.h"
#include "ledger/state/verify_block.h"
#include "ledger/state/verify_journal.h"

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
        options_(options),
        progress_(progress),
        sink_(&report_, options.findings_max, options.stop_at_first),
        given_(given == nullptr ? nullptr : std::make_unique<ChainReader>(Borrow(given))),
        given_tip_(GivenTip()),
        replay_(given, given_tip_.height, &sink_),
        replayed_(Borrow(&replay_)),
        state_(&replay_) {}

  VerifyReport Run();

 private:
  Tip GivenTip() const;
  void Tell(absl::string_view phase, uint64_t done, uint64_t total) const;
  void ReportAt(FindingType type, Height height, std::optional<JournalPosition> position,
                std::string what);

  void CheckPins();
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
  bool executing_ = true;
  Height last_height_;  // Of the committed chain, as far as verified.
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
  if (!options_.journal_damage.ok()) {
    ReportAt(FindingType::kJournalDamaged, Height(0), journal_.end(),
             std::string(options_.journal_damage.message()));
  }
  report_.committed_height = index_.Resolve(genesis_, given_.get(), &sink_);
  CheckPins();
  GenesisOutcome genesis = ExecuteGenesis(genesis_);
  report_.tip = std::move(genesis.tip);
  const absl::Status written = replay_.Write(genesis.batch);
  if (!written.ok()) StopExecuting(Height(0), std::string(written.message()));
  const bool at_genesis =
      given_ != nullptr && given_->GetTip().ok() && given_tip_.height == Height(0) && !sink_.stop();
  if (at_genesis) FinishStore();
  VerifyChain();
  if (given_ != nullptr && !report_.store_compared && !sink_.stop()) {
    if (given_tip_.height > report_.committed_height) {
      ReportAt(FindingType::kStoreAhead, given_tip_.height, std::nullopt,
               absl::StrCat("the store's tip is block ", given_tip_.block_hash.ToHex(),
                            ", the journal's committed chain ends at height ",
                            report_.committed_height.value()));
    }
  }
  report_.store_key_count = replay_.compared_count();
  return std::move(report_);
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
}

void Verifier::VerifyCommitted(Height height, const JournalBlock& committed) {
  if (executing_ && height != last_height_.Next()) {
    StopExecuting(height,
                  absl::StrCat("the chain has no block at height ", last_height_.Next().value()));
  }
  CheckOrder(height, committed);
  absl::StatusOr<JournalReader::Frame> frame = journal_.Read(committed.position);
  if (!frame.ok()) {
    ReportAt(FindingType::kJournalDamaged, height, committed.position,
             std::string(frame.status().message()));
    if (executing_) StopExecuting(height, "the block cannot be read");
    return;
  }
  const BlockFindings findings(&sink_, height, committed.position, FirstIndex(height));
  const BlockPtr block = VerifyFrame(genesis_, state_, *std::move(frame), findings, &report_);
  if (block != nullptr) ++report_.proposed[block->header().proposer];
  if (block == nullptr && executing_)
    StopExecuting(height, "its leaves are not those it was signed for");
  if (executing_) {
    ExecuteAgain(block, committed.position);
  } else {
    CompareEntry(height, committed);
  }
  if (given_ != nullptr && executing_ && height == given_tip_.height && !sink_.stop())
    FinishStore();
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
    VerifyFrame(genesis_, state_, *frame, findings, &uncounted);
    const bool sound = report_.finding_count == findings_before;
    if (sound && committed != nullptr && (block.after_commit || block.view == committed->view)) {
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
  last_position_ = committed.position;
}

// Known from execution, or from what the store says of the block.
std::optional<RecordIndex> Verifier::FirstIndex(Height height) const {
  if (executing_) return RecordIndex(report_.tip.tree.size());
  if (given_ == nullptr) return std::nullopt;
  const absl::StatusOr<BlockInfo> info = given_->GetBlock(height);
  if (!info.ok()) return std::nullopt;
  return info->first_index;
}

void Verifier::ExecuteAgain(const BlockPtr& block, JournalPosition position) {
  const Height height = block->height();
  const absl::Status link = CheckContinues(genesis_, report_.tip, block->header());
  if (!link.ok()) ReportAt(FindingType::kBlockLink, height, position, std::string(link.message()));
  const absl::Status agreement = CheckAgreement(replayed_, report_.tip, block->header());
  if (!agreement.ok()) {
    ReportAt(FindingType::kStateDivergence, height, position, std::string(agreement.message()));
  }
  CheckSnapshot(block->header(), position);
  absl::StatusOr<BlockOutcome> outcome =
      ExecuteOnTip(genesis_, replay_, report_.tip, block, position);
  if (!outcome.ok()) return StopExecuting(height, std::string(outcome.status().message()));
  replay_.BeginBlock(height);
  const absl::Status written = replay_.Write(outcome->batch);
  if (!written.ok()) return StopExecuting(height, std::string(written.message()));
  report_.tip = std::move(outcome->executed.tip);
  if (genesis_.HasSnapshot(height)) TakeSnapshot(height);
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
  executing_ = false;
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
