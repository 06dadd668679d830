#include "node/driver/epoch_actor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/state/tables.h"

namespace vigil::node {
namespace {

using ledger::EpochAnchor;
using ledger::EpochRow;
using ledger::Genesis;

constexpr int64_t kPauseMicros = 25'000;

std::string NamesOf(const Genesis& genesis) {
  return absl::StrJoin(genesis.validators, ", ",
                       [](std::string* out, const ledger::GenesisValidator& validator) {
                         absl::StrAppend(out, validator.identity());
                       });
}

}  // namespace

EpochActor::EpochActor(Ports ports, std::vector<EpochAnchor> chain)
    : ports_(std::move(ports)), chain_(std::move(chain)) {}

// The seal of the block at the epoch's end, which is the last leaf of its final checkpoint.
absl::StatusOr<std::optional<EpochAnchor>> EpochActor::MakeAnchor() {
  const std::optional<EpochAnchor> none;
  const ChainAccess::View view = ports_.chain()->CurrentView();
  if (!sealed_ && view.tip.height == looked_at_) return none;
  looked_at_ = view.tip.height;
  ASSIGN_OR_RETURN(const std::optional<EpochRow> next,
                   ledger::ReadRow<EpochRow>(view.reader->state(),
                                             ledger::EpochKey(ports_.genesis->epoch.Next())));
  sealed_ = next.has_value();
  if (!sealed_ || ports_.final_height() < next->base) return none;
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, ports_.chain()->LoadBlock(next->base));
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, view.reader->GetBlock(next->base));
  Hash previous;
  if (next->base > Height(1)) {
    ASSIGN_OR_RETURN(const ledger::BlockInfo before, view.reader->GetBlock(next->base.Previous()));
    previous = before.seal_leaf;
  }
  EpochAnchor anchor;
  anchor.seal_leaf =
      ledger::EncodeSealLeaf(block->header_bytes(), previous, info.first_index, info.record_count);
  const uint64_t index = info.first_index.value() + info.record_count;
  ASSIGN_OR_RETURN(anchor.path, ledger::InclusionFromTiles(*ports_.tiles(), index, index + 1));
  ASSIGN_OR_RETURN(anchor.checkpoint, ports_.checkpoint());
  anchor.next_set = next->set;
  anchor.addresses = next->addresses;
  return std::optional<EpochAnchor>(std::move(anchor));
}

absl::Status EpochActor::Keep(const EpochAnchor& anchor) {
  bool is_first = false;
  {
    MutexLock lock(&mutex_);
    const Genesis& at = next_.has_value() ? *next_ : *ports_.genesis;
    ASSIGN_OR_RETURN(Genesis next, ledger::VerifyEpochAnchor(at, anchor));
    std::vector<EpochAnchor> longer = chain_;
    longer.push_back(anchor);
    RETURN_IF_ERROR(ports_.files->WriteAtomically(ledger::EpochChainPath(ports_.data_dir),
                                                  AsBytes(ledger::EncodeEpochChain(longer))));
    chain_ = std::move(longer);
    is_first = !next_.has_value();
    (*ports_.log)(
        LogLevel::kInfo, "epoch",
        absl::StrCat("epoch ", at.epoch.value(), " ended with block ", next.epoch_base.value(),
                     "; the validators of epoch ", next.epoch.value(), " are ", NamesOf(next)));
    next_ = std::move(next);
  }
  if (is_first) ports_.on_ended();
  return absl::OkStatus();
}

bool EpochActor::Step() {
  const int64_t now = ports_.clock->MonotonicMicros();
  if (now < next_micros_ || ports_.fatal->failed() || ended()) return false;
  next_micros_ = now + kPauseMicros;
  const absl::StatusOr<std::optional<EpochAnchor>> anchor = MakeAnchor();
  // Files and checkpoint are written by others at the same time: it is tried again.
  if (!anchor.ok() || !anchor->has_value()) return false;
  return Keep(**anchor).ok();
}

absl::Status EpochActor::OnAnchors(const std::vector<EpochAnchor>& anchors) {
  Epoch at = ports_.genesis->epoch;
  {
    MutexLock lock(&mutex_);
    if (next_.has_value()) at = next_->epoch;
  }
  for (const EpochAnchor& anchor : anchors) {
    ASSIGN_OR_RETURN(const ledger::Seal seal, ledger::DecodeSealLeaf(AsBytes(anchor.seal_leaf)));
    if (seal.header.epoch < at) continue;
    RETURN_IF_ERROR(Keep(anchor));
    at = at.Next();
  }
  return absl::OkStatus();
}

bool EpochActor::ended() const {
  MutexLock lock(&mutex_);
  return next_.has_value();
}

std::vector<EpochAnchor> EpochActor::anchors() const {
  MutexLock lock(&mutex_);
  return chain_;
}

}  // namespace vigil::node
