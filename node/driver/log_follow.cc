// LogActor's tree: from the journal's bytes to what may be signed.
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "node/driver/log_actor.h"

namespace vigil::node {
namespace {

constexpr int kBlocksPerStepMax = 8;

}  // namespace

absl::StatusOr<bool> LogActor::Follow(const Instant& now) {
  RETURN_IF_ERROR(RestoreFinal());
  if (resumes_ && next_.Previous() <= ports_.chain->tip()) RETURN_IF_ERROR(Resume(now));
  bool worked = false;
  for (int i = 0; i < kBlocksPerStepMax && next_ <= ports_.chain->tip(); ++i) {
    RETURN_IF_ERROR(AddBlock(next_, now));
    worked = true;
    if (!refusing_.empty()) break;
  }
  return worked;
}

// The block where the files of an earlier start end.
absl::Status LogActor::Resume(const Instant& now) {
  resumes_ = false;
  const Height height = next_.Previous();
  const ChainAccess::View view = ports_.chain->CurrentView();
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, view.reader->GetBlock(height));
  const absl::StatusOr<ledger::BlockPtr> block = ports_.chain->LoadBlock(height);
  // Of the block of the snapshot that it joined by, and of archived ones, the bytes are not here.
  const bool is_here = block.ok();
  if (!absl::IsNotFound(block.status())) RETURN_IF_ERROR(block.status());
  previous_seal_ = info.seal_leaf;
  const BlockEnd end{.height = height,
                     .size = tiles_->tree().size(),
                     .root = tiles_->tree().Root(),
                     .proposer = is_here ? (*block)->header().proposer : ValidatorIndex(0)};
  unverified_.push_back(end);
  return Compare(end, now);
}

absl::Status LogActor::AddBlock(Height height, const Instant& now) {
  const ChainAccess::View view = ports_.chain->CurrentView();
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, view.reader->GetBlock(height));
  const uint64_t size = tiles_->tree().size();
  if (info.first_index.value() != size) {
    return StartAgain(absl::StrCat("block ", height.value(), " begins at leaf ",
                                   info.first_index.value(), ", the tiles end at ", size));
  }
  // Not from the cache: what is signed is what is on disk.
  const absl::StatusOr<ledger::BlockPtr> loaded = ports_.chain->LoadAt(info.hash, info.position);
  if (absl::IsNotFound(loaded.status())) {
    RefuseFor(tiles_->damage(), loaded.status());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(loaded.status());
  const ledger::BlockPtr& block = *loaded;
  RETURN_IF_ERROR(AppendLeaves(*block));
  const BlockEnd end{.height = height,
                     .size = tiles_->tree().size(),
                     .root = tiles_->tree().Root(),
                     .proposer = block->header().proposer};
  unverified_.push_back(end);
  if (unverified_.size() > kBlockEndsMax) unverified_.erase(unverified_.begin());
  next_ = height.Next();
  RETURN_IF_ERROR(Compare(end, now));
  return tiles_->save_is_due() ? tiles_->SaveProgress(height) : absl::OkStatus();
}

absl::Status LogActor::AppendLeaves(const ledger::Block& block) {
  const RecordIndex first(tiles_->tree().size());
  for (const ledger::Block::Entry& entry : block.records()) {
    RETURN_IF_ERROR(tiles_->Append(entry.leaf, entry.leaf_hash));
  }
  const std::string seal = ledger::EncodeSealLeaf(block.header_bytes(), previous_seal_, first,
                                                  static_cast<uint32_t>(block.records().size()));
  previous_seal_ = ledger::LeafHash(AsBytes(seal));
  return tiles_->Append(AsBytes(seal), previous_seal_);
}

// Equal trees are equal up to here, so every block end before is right, too.
absl::Status LogActor::Compare(const BlockEnd& end, const Instant& now) {
  const std::optional<ledger::MerkleFrontier> executed = ports_.chain->RecentTree(end.height);
  if (!executed.has_value()) return absl::OkStatus();
  if (executed->size() != end.size || executed->Root() != end.root) {
    return StartAgain(absl::StrCat("at height ", end.height.value(), " the tree of the journal's ",
                                   "bytes has size ", end.size, " and root ", end.root.ToHex(),
                                   ", execution says ", executed->size(), " and ",
                                   executed->Root().ToHex()));
  }
  for (const BlockEnd& one : std::exchange(unverified_, {})) {
    RETURN_IF_ERROR(FinalAt(one));
    cosigner_->OnBlockEnd(one, now);
  }
  return absl::OkStatus();
}

void LogActor::RefuseFor(absl::string_view why, const absl::Status& missing) {
  Refuse(absl::StrCat("the tiles have to be made again, but ", missing.message(), " (",
                      why.empty() ? "they are not there" : why,
                      "); put the archive's segments back into the journal's folder while the "
                      "validator is stopped, or join anew with: vigild rejoin --even-if-sound"));
}

absl::Status LogActor::StartAgain(absl::string_view why) {
  if (made_here_) {
    Refuse(absl::StrCat(why,
                        "; the tree was made from the journal, so memory or disk lie: check "
                        "the machine, then start again"));
    return absl::OkStatus();
  }
  const absl::Status first = ports_.chain->LoadBlock(Height(1)).status();
  if (absl::IsNotFound(first)) {
    RefuseFor(why, first);
    return absl::OkStatus();
  }
  Say(LogLevel::kWarning, absl::StrCat("the tiles are made again from the journal: ", why));
  unverified_.clear();
  resumes_ = false;
  made_here_ = true;
  next_ = Height(1);
  previous_seal_ = Hash();
  return tiles_->Reset();
}

// A final checkpoint of an earlier start, below where this one went on.
absl::Status LogActor::RestoreFinal() {
  if (!loaded_.has_value()) return absl::OkStatus();
  const ledger::Checkpoint& checkpoint = loaded_->begin()->second.checkpoint;
  const ChainAccess::View view = ports_.chain->CurrentView();
  if (checkpoint.size > tiles_->saved().size || checkpoint.size > view.tip.tree.size()) {
    return absl::OkStatus();  // The tree passes it later: FinalAt().
  }
  ASSIGN_OR_RETURN(const ledger::BlockInfo info,
                   view.reader->BlockOfRecord(RecordIndex(checkpoint.size - 1)));
  const absl::StatusOr<Hash> root = ledger::RootFromTiles(*tiles_, checkpoint.size);
  if (!root.ok()) return StartAgain(root.status().message());
  return FinalAt({.height = info.height,
                  .size = info.first_index.value() + info.record_count + 1,
                  .root = *root,
                  .proposer = ValidatorIndex(0)});
}

absl::Status LogActor::FinalAt(const BlockEnd& end) {
  if (!loaded_.has_value()) return absl::OkStatus();
  const ledger::Checkpoint& checkpoint = loaded_->begin()->second.checkpoint;
  if (end.size < checkpoint.size) return absl::OkStatus();
  if (end.size == checkpoint.size && end.root == checkpoint.root) {
    cosigner_->Restore(*loaded_, end.height);
  } else {
    Refuse(absl::StrCat("a quorum cosigned size ", checkpoint.size, " with root ",
                        checkpoint.root.ToHex(), ", our block ", end.height.value(), " ends at ",
                        end.size, " with root ", end.root.ToHex(),
                        "; compare the validators' journals with: vigil verify ledger"));
  }
  loaded_.reset();
  return absl::OkStatus();
}

}  // namespace vigil::node
