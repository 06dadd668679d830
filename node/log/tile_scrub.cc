#include "node/log/tile_scrub.h"

#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"

namespace vigil::node {

using ledger::kTileWidth;

void TileScrub::Forget(uint64_t next) {
  next_ = next;
  leaves_.clear();
  for (std::vector<Hash>& level : open_) level.clear();
}

absl::StatusOr<std::vector<std::string>> TileScrub::Add(uint64_t index, ByteSpan leaf,
                                                        const Hash& hash) {
  if (index != next_) Forget(index);
  next_ = index + 1;
  std::vector<std::string> mended;
  // What was begun in its middle stays shorter than its place and is passed over.
  if (leaves_.size() == index % kTileWidth) leaves_.push_back(ToString(leaf));
  if (leaves_.size() == kTileWidth) {
    std::vector<ByteSpan> bundle;
    for (const std::string& one : leaves_) bundle.push_back(AsBytes(one));
    if (next_ <= tiles_->published()) {
      RETURN_IF_ERROR(Hold(ledger::BundlePath({.index = index / kTileWidth, .width = kTileWidth}),
                           ledger::EncodeBundle(bundle), &mended));
    }
    leaves_.clear();
  }
  RETURN_IF_ERROR(AddHash(0, index, hash, &mended));
  return mended;
}

absl::Status TileScrub::AddHash(uint32_t level, uint64_t index, const Hash& hash,
                                std::vector<std::string>* mended) {
  std::vector<Hash>& open = open_[level];
  if (open.size() == index % kTileWidth) open.push_back(hash);
  if (open.size() < kTileWidth) return absl::OkStatus();
  const uint64_t tile = index / kTileWidth;
  if (next_ <= tiles_->published()) {
    RETURN_IF_ERROR(Hold(ledger::TilePath({.level = level, .index = tile, .width = kTileWidth}),
                         ledger::EncodeTile(open), mended));
  }
  const Hash above = ledger::MerkleRoot(open);
  open.clear();
  return level < ledger::kTileLevelMax ? AddHash(level + 1, tile, above, mended) : absl::OkStatus();
}

absl::Status TileScrub::Hold(const std::string& name, const std::string& expected,
                             std::vector<std::string>* mended) {
  bytes_read_ += expected.size();
  ASSIGN_OR_RETURN(const bool was_damaged, tiles_->Mend(name, AsBytes(expected)));
  if (was_damaged) mended->push_back(name);
  return absl::OkStatus();
}

}  // namespace vigil::node
