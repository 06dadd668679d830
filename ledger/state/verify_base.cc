#include "ledger/state/verify_base.h"
#include "ledger/chain/epoch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/log/merkle.h"
#include "ledger/log/policy.h"
#include "ledger/state/log_keys.h"

namespace vigil::ledger {

Tip TipAtBase(const BaseFrame& base) {
  Tip tip;
  tip.height = base.block.height;
  tip.view = base.block.view;
  tip.block_hash = base.block.hash;
  tip.time_unix_millis = base.time_unix_millis;
  tip.executed_in_header = base.executed_in_header;
  tip.state_digest = base.state_digest;
  tip.seal_leaf = base.seal_leaf;
  return tip;
}

void BaseCheck::Report(std::string what) const {
  VerifyFinding finding;
  finding.type = FindingType::kBaseDiffers;
  finding.height = base_.frame.block.height;
  finding.position = base_.position;
  finding.what = std::move(what);
  sink_.Add(std::move(finding));
}

void BaseCheck::Compare(absl::string_view what, absl::string_view got, absl::string_view expected,
                        absl::string_view whose) const {
  if (got == expected) return;
  Report(absl::StrCat("the base frame says ", what, " ", got, ", ", whose, " says ", expected));
}

void BaseCheck::AgainstJournal(const JournalReader& journal, const JournalIndex& index) const {
  const uint64_t from = base_.frame.base_offset;
  if (journal.begin().offset > from) {
    Report(absl::StrCat("the journal begins at offset ", journal.begin().offset,
                        ", its base says that it is whole from ", from, " on"));
  }
  if (from > base_.position.offset) {
    Report(absl::StrCat("the base says that the journal is whole from offset ", from,
                        " on, which lies behind it"));
  }
  for (const auto& [height, blocks] : index.blocks()) {
    if (height > base_.frame.block.height) return;
    for (const JournalBlock& block : blocks) {
      if (block.position.offset < from) continue;
      Report(absl::StrCat("block ", block.hash.ToHex(), " of height ", height.value(),
                          " lies at offset ", block.position.offset,
                          ", where the journal goes on above the base"));
    }
  }
}

void BaseCheck::CompareSeal(ByteSpan leaf, absl::string_view whose) const {
  const BaseFrame& base = base_.frame;
  Compare("seal", base.seal_leaf.ToHex(), LeafHash(leaf).ToHex(), whose);
  const absl::StatusOr<Seal> seal = DecodeSealLeaf(leaf);
  if (!seal.ok()) {
    return Report(absl::StrCat("the log's leaf ", base.tree_size - 1,
                               " is no seal: ", seal.status().message()));
  }
  const BlockHeader& header = seal->header;
  Compare("height", absl::StrCat(base.block.height.value()), absl::StrCat(header.height.value()),
          whose);
  Compare("block", base.block.hash.ToHex(), HeaderHash(seal->header_bytes).ToHex(), whose);
  Compare("view", absl::StrCat(base.block.view.value()), absl::StrCat(header.view.value()), whose);
  Compare("executed height", absl::StrCat(base.executed_in_header.value()),
          absl::StrCat(header.executed_height.value()), whose);
  Compare("time", absl::StrCat(base.time_unix_millis), absl::StrCat(header.time_unix_millis),
          whose);
  Compare("log size", absl::StrCat(base.tree_size),
          absl::StrCat(seal->first.value() + seal->record_count + 1), whose);
}

void BaseCheck::AgainstLog(const LogFolder& log, BaseJudgement* judgement) const {
  const BaseFrame& base = base_.frame;
  if (base.tree_size == 0) return Report("the base frame says that the log is empty");
  const absl::StatusOr<Hash> root = RootFromTiles(log, base.tree_size);
  const absl::StatusOr<std::string> leaf = log.ReadLeaf(base.tree_size - 1);
  for (const absl::Status& status : {root.status(), leaf.status()}) {
    if (status.ok()) continue;
    judgement->not_in_log_reason = std::string(status.message());
    if (!absl::IsNotFound(status)) Report(judgement->not_in_log_reason);
    return;
  }
  judgement->in_log = true;
  Compare("log root", base.tree_root.ToHex(), root->ToHex(), log.directory());
  CompareSeal(AsBytes(*leaf), log.directory());
}

void BaseCheck::AgainstStore(const ChainReader& store, absl::string_view whose) const {
  const BaseFrame& base = base_.frame;
  const absl::StatusOr<BlockInfo> info = store.GetBlock(base.block.height);
  if (!info.ok()) return Report(absl::StrCat(whose, ": ", info.status().message()));
  Compare("block", base.block.hash.ToHex(), info->hash.ToHex(), whose);
  Compare("view", absl::StrCat(base.block.view.value()), absl::StrCat(info->view.value()), whose);
  Compare("time", absl::StrCat(base.time_unix_millis), absl::StrCat(info->time_unix_millis), whose);
  Compare("state digest", base.state_digest.ToHex(), info->state_digest.ToHex(), whose);
  Compare("seal", base.seal_leaf.ToHex(), info->seal_leaf.ToHex(), whose);
  Compare("log size", absl::StrCat(base.tree_size),
          absl::StrCat(info->first_index.value() + info->record_count + 1), whose);
}

void BaseCheck::AgainstTip(const Tip& tip, absl::string_view whose) const {
  const BaseFrame& base = base_.frame;
  const BaseFrame other = BaseOf(tip, base.snapshot_digest);
  Compare("height", absl::StrCat(base.block.height.value()),
          absl::StrCat(other.block.height.value()), whose);
  Compare("block", base.block.hash.ToHex(), other.block.hash.ToHex(), whose);
  Compare("view", absl::StrCat(base.block.view.value()), absl::StrCat(other.block.view.value()),
          whose);
  Compare("executed height", absl::StrCat(base.executed_in_header.value()),
          absl::StrCat(other.executed_in_header.value()), whose);
  Compare("time", absl::StrCat(base.time_unix_millis), absl::StrCat(other.time_unix_millis), whose);
  Compare("state digest", base.state_digest.ToHex(), other.state_digest.ToHex(), whose);
  Compare("seal", base.seal_leaf.ToHex(), other.seal_leaf.ToHex(), whose);
  Compare("log size", absl::StrCat(base.tree_size), absl::StrCat(other.tree_size), whose);
  Compare("log root", base.tree_root.ToHex(), other.tree_root.ToHex(), whose);
}

void CheckpointWatch::Report(FindingType type, std::string what) {
  VerifyFinding finding;
  finding.type = type;
  finding.height = height_;
  finding.what = absl::StrCat(name_, ": ", what);
  sink_.Add(std::move(finding));
}

void CheckpointWatch::Open() {
  absl::StatusOr<std::string> note = absl::NotFoundError("");
  if (log_ != nullptr) {
    note = log_->ReadCheckpoint();
    name_ = absl::StrCat(log_->directory(), "/checkpoint");
  }
  if (absl::IsNotFound(note.status())) {
    if (options_.archive_checkpoint.empty()) return;
    is_archived_ = true;
    note = options_.archive_checkpoint;
    name_ = "the archive's checkpoint";
  }
  const absl::StatusOr<CheckpointVerdict> checked =
      note.ok() ? CheckNewestEpoch(*note) : note.status();
  if (!checked.ok()) {
    return Report(FindingType::kCheckpointDiffers, std::string(checked.status().message()));
  }
  if (!checked->quorum) return Report(FindingType::kCheckpointDiffers, checked->missing);
  report_.checkpoint = {.size = checked->checkpoint.size,
                        .root = checked->checkpoint.root,
                        .witnesses = checked->witnesses,
                        .state = CheckpointJudgement::State::kNotCompared};
}

// By the newest epoch, among those that are known, of whose validators a quorum signed it.
absl::StatusOr<CheckpointVerdict> CheckpointWatch::CheckNewestEpoch(const std::string& note) {
  absl::StatusOr<CheckpointVerdict> newest = CheckCheckpoint(LogPolicyOf(genesis_), note);
  Genesis at = genesis_;
  while ((!newest.ok() || !newest->quorum) && at.epoch > Epoch(1)) {
    end_ = at.epoch_base;
    at = AtHeight(at, at.epoch_base);
    absl::StatusOr<CheckpointVerdict> older = CheckCheckpoint(LogPolicyOf(at), note);
    if (older.ok() && older->quorum) return older;
  }
  end_ = Height(0);
  return newest;
}

bool CheckpointWatch::Pending() const {
  return report_.checkpoint.has_value() &&
         report_.checkpoint->state == CheckpointJudgement::State::kNotCompared;
}

void CheckpointWatch::Judge(const Hash& root) {
  report_.checkpoint->state = CheckpointJudgement::State::kMatches;
  if (end_ != Height(0) && height_ > end_) {
    Report(FindingType::kCheckpointDiffers,
           absl::StrCat("signed by validators of an epoch that ended at height ", end_.value(),
                        ", but for the log at height ", height_.value()));
  }
  if (root == report_.checkpoint->root) return;
  Report(FindingType::kCheckpointDiffers,
         absl::StrCat("a quorum cosigned root ", report_.checkpoint->root.ToHex(), " at size ",
                      report_.checkpoint->size, ", the leaves give ", root.ToHex()));
}

// The archive's checkpoint is of a later log, to which its path leads.
void CheckpointWatch::ProveContinued(const Tip& tip) {
  if (!Pending() || !is_archived_ || tip.tree.size() != options_.archive_tree_size) return;
  const absl::Status proven =
      VerifyConsistency(tip.tree.size(), report_.checkpoint->size, tip.tree.Root(),
                        report_.checkpoint->root, options_.archive_consistency);
  report_.checkpoint->state = CheckpointJudgement::State::kContinues;
  if (proven.ok()) return;
  Report(FindingType::kCheckpointDiffers,
         absl::StrCat("it does not continue the log of size ", tip.tree.size(),
                      " that the leaves give: ", proven.message()));
}

void CheckpointWatch::Begin(const Tip& tip) {
  height_ = tip.height;
  size_ = tip.tree.size();
  ProveContinued(tip);
  if (!Pending() || report_.checkpoint->size > size_ || size_ == 0) return;
  if (report_.checkpoint->size == size_) return Judge(tip.tree.Root());
  const uint64_t old_size = report_.checkpoint->size;
  if (old_size == 0 || log_ == nullptr) return;  // It says nothing, or nothing leads from it.
  const absl::StatusOr<std::vector<Hash>> path = ConsistencyFromTiles(*log_, old_size, size_);
  if (absl::IsNotFound(path.status())) return;
  const absl::Status proven =
      path.ok()
          ? VerifyConsistency(old_size, size_, report_.checkpoint->root, tip.tree.Root(), *path)
          : path.status();
  report_.checkpoint->state = CheckpointJudgement::State::kBelowBase;
  if (proven.ok()) return;
  Report(FindingType::kCheckpointDiffers,
         absl::StrCat("the base's log of size ", size_, " does not continue that of size ",
                      old_size, ": ", proven.message()));
}

void CheckpointWatch::Advance(const Tip& tip) {
  const uint64_t before = std::exchange(size_, tip.tree.size());
  height_ = tip.height;
  ProveContinued(tip);
  if (!Pending() || report_.checkpoint->size <= before || report_.checkpoint->size > size_) return;
  if (report_.checkpoint->size == size_) return Judge(tip.tree.Root());
  report_.checkpoint->state = CheckpointJudgement::State::kMatches;
  Report(FindingType::kCheckpointDiffers,
         absl::StrCat("no block ends at its size ", report_.checkpoint->size));
}

void CheckpointWatch::End(const Tip& tip, bool goes_on) {
  if (!Pending() || report_.checkpoint->size <= tip.tree.size()) return;
  report_.checkpoint->state = CheckpointJudgement::State::kBeyondEnd;
  if (goes_on) return;
  height_ = tip.height;
  Report(FindingType::kEndMissing,
         absl::StrCat("a quorum cosigned the log at size ", report_.checkpoint->size,
                      ", the journal's chain ends at size ", tip.tree.size()));
}

}  // namespace vigil::ledger
