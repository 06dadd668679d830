#include "node/driver/chain_access.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/journal_block.h"

namespace vigil::node {
namespace {

using ledger::BlockInfo;
using ledger::BlockPtr;
using ledger::ChainReader;
using ledger::ExecutedBlock;
using ledger::StoreReader;

// What an executed block costs besides its frame.
constexpr size_t kResultBytes = 128;

size_t BytesOf(const ExecutedBlock& executed) {
  return executed.block->frame().size() + kResultBytes * (1 + executed.results.size());
}

absl::Status Archived(absl::string_view block) {
  return absl::NotFoundError(
      absl::StrCat("block ", block,
                   ": its segment of the journal was archived here; ask another "
                   "validator, or read it in the archive (docs/operating.md, Archive)"));
}

// A validator that joined by a snapshot knows of older blocks what is in state, not their bytes;
// one that archives knows where they were.
absl::Status CheckIsHere(const BlockInfo& info, const ledger::JournalReader* journal) {
  if (info.frame_bytes > 0) {
    if (journal == nullptr || info.position.offset >= journal->begin().offset) {
      return absl::OkStatus();
    }
    return Archived(absl::StrCat(info.height.value()));
  }
  return absl::NotFoundError(
      absl::StrCat("block ", info.height.value(),
                   ": this validator joined by a snapshot above it and has not its bytes; ask "
                   "another one"));
}

}  // namespace

ChainAccess::ChainAccess(const ledger::Store* store,
                         std::shared_ptr<const ledger::JournalReader> journal, BlockCache* cache,
                         const ledger::Tip& tip, size_t recent_bytes_max)
    : store_(store),
      journal_(std::move(journal)),
      cache_(cache),
      recent_bytes_max_(recent_bytes_max),
      tip_height_(tip.height.value()),
      tip_(tip) {}

void ChainAccess::Publish(ExecutedPtr executed) {
  const Height height = executed->tip.height;
  {
    MutexLock lock(&mutex_);
    VIGIL_CHECK(height == tip_.height.Next(), "published ", height.value(), " after ",
                tip_.height.value());
    tip_ = executed->tip;
    reader_ = nullptr;
    recent_bytes_ += BytesOf(*executed);
    recent_.push_back(std::move(executed));
    while (recent_bytes_ > recent_bytes_max_ && recent_.size() > 1) {
      recent_bytes_ -= BytesOf(*recent_.front());
      recent_.pop_front();
    }
    tip_height_.store(height.value(), std::memory_order_release);
  }
  MutexLock lock(&listeners_mutex_);
  for (const auto& [token, listener] : listeners_) listener(height);
}

ChainAccess::View ChainAccess::CurrentView() const {
  MutexLock lock(&mutex_);
  if (reader_ == nullptr) {
    reader_ =
        std::make_shared<const ChainReader>(std::shared_ptr<const StoreReader>(store_->Snapshot()));
  }
  return {.reader = reader_, .tip = tip_};
}

absl::StatusOr<ExecutedPtr> ChainAccess::LoadExecuted(Height height) const {
  {
    MutexLock lock(&mutex_);
    if (!recent_.empty() && height >= recent_.front()->tip.height && height <= tip_.height) {
      return recent_[height - recent_.front()->tip.height];
    }
  }
  return LoadStored(height);
}

absl::StatusOr<ExecutedPtr> ChainAccess::LoadStored(Height height) const {
  const View view = CurrentView();
  if (height > view.tip.height || height == Height(0)) {
    return absl::NotFoundError(
        absl::StrCat("block ", height.value(), ": executed up to ", view.tip.height.value()));
  }
  ASSIGN_OR_RETURN(const BlockInfo info, view.reader->GetBlock(height));
  RETURN_IF_ERROR(CheckIsHere(info, journal_.get()));
  BlockPtr block = cache_->Find(info.hash);
  if (block == nullptr) {
    ASSIGN_OR_RETURN(block, LoadAt(info.hash, info.position));
  }
  return WithResults(*view.reader, info, std::move(block));
}

absl::StatusOr<ExecutedPtr> ChainAccess::Attach(BlockPtr block) const {
  const View view = CurrentView();
  const Height height = block->height();
  if (height > view.tip.height || height == Height(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", height.value(), ": executed up to ", view.tip.height.value()));
  }
  ASSIGN_OR_RETURN(const BlockInfo info, view.reader->GetBlock(height));
  if (block->hash() != info.hash) {
    return absl::InvalidArgumentError(absl::StrCat("block ", height.value(), ": ",
                                                   block->hash().ToHex(), ", executed was ",
                                                   info.hash.ToHex()));
  }
  return WithResults(*view.reader, info, std::move(block));
}

absl::StatusOr<ExecutedPtr> ChainAccess::WithResults(const ChainReader& reader,
                                                     const BlockInfo& info, BlockPtr block) {
  auto executed = std::make_shared<ExecutedBlock>();
  executed->block = std::move(block);
  executed->first_index = info.first_index;
  ASSIGN_OR_RETURN(executed->results, reader.GetResults(info.height));
  executed->state_digest = info.state_digest;
  executed->tip.height = info.height;
  executed->tip.view = info.view;
  executed->tip.block_hash = info.hash;
  executed->tip.time_unix_millis = info.time_unix_millis;
  executed->tip.state_digest = info.state_digest;
  return executed;
}

absl::StatusOr<BlockPtr> ChainAccess::LoadBlock(Height height) const {
  {
    MutexLock lock(&mutex_);
    if (!recent_.empty() && height >= recent_.front()->tip.height && height <= tip_.height) {
      return recent_[height - recent_.front()->tip.height]->block;
    }
  }
  const View view = CurrentView();
  ASSIGN_OR_RETURN(const BlockInfo info, view.reader->GetBlock(height));
  RETURN_IF_ERROR(CheckIsHere(info, journal_.get()));
  if (BlockPtr cached = cache_->Find(info.hash); cached != nullptr) return cached;
  return LoadAt(info.hash, info.position);
}

absl::StatusOr<BlockPtr> ChainAccess::LoadAt(const Hash& hash,
                                             ledger::JournalPosition position) const {
  if (journal_ == nullptr) {
    return absl::NotFoundError(absl::StrCat("block ", hash.ToHex(), ": no journal to read"));
  }
  absl::StatusOr<ledger::JournalReader::Frame> frame = journal_->Read(position);
  if (!frame.ok() && position.offset < journal_->begin().offset) return Archived(hash.ToHex());
  RETURN_IF_ERROR(frame.status());
  ASSIGN_OR_RETURN(BlockPtr block, ledger::DecodeJournalBlock(*std::move(frame)));
  if (block->hash() != hash) {
    return absl::DataLossError(absl::StrCat("journal offset ", position.offset, ": block ",
                                            block->hash().ToHex(), ", expected ", hash.ToHex()));
  }
  return block;
}

std::optional<ledger::MerkleFrontier> ChainAccess::RecentTree(Height height) const {
  MutexLock lock(&mutex_);
  if (height == tip_.height) return tip_.tree;
  if (recent_.empty() || height < recent_.front()->tip.height || height > tip_.height) {
    return std::nullopt;
  }
  return recent_[height - recent_.front()->tip.height]->tip.tree;
}

uint64_t ChainAccess::AddListener(std::function<void(Height)> listener) {
  MutexLock lock(&listeners_mutex_);
  const uint64_t token = next_token_++;
  listeners_[token] = std::move(listener);
  return token;
}

void ChainAccess::RemoveListener(uint64_t token) {
  MutexLock lock(&listeners_mutex_);
  listeners_.erase(token);
}

}  // namespace vigil::node
