#include "ledger/state/verify_snapshot.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/chain/block.h"
#include "ledger/chain/header.h"
#include "ledger/state/journal_block.h"

namespace vigil::ledger {

namespace {

// What vouches for the digest of a height.
struct Voucher {
  Hash digest;
  Height carried_by;  // 0: the base frame.
};

class Chooser {
 public:
  Chooser(const Genesis& genesis, const JournalReader& journal, const JournalIndex& index,
          FindingSink* sink)
      : genesis_(genesis), journal_(journal), index_(index), sink_(*sink) {}

  // Whether execution may begin there. Reports what contradicts the chain.
  std::optional<SnapshotStart> Judge(const SnapshotFile& file, Height named) const {
    const SnapshotManifest& manifest = file.manifest();
    const Tip& tip = file.head().tip;
    if (manifest.chain_id != genesis_.chain_id || tip.height != named || manifest.height != named ||
        tip.block_hash != HashAt(named)) {
      Report(named, absl::StrCat("the snapshot is of block ", tip.block_hash.ToHex(), " at height ",
                                 tip.height.value(), " of chain ", manifest.chain_id.ToHex(),
                                 ", the chain holds another"));
      return std::nullopt;
    }
    const std::vector<Voucher> vouchers = VouchersOf(named);
    for (const Voucher& voucher : vouchers) {
      if (voucher.digest == manifest.digest) continue;
      Report(named, absl::StrCat(voucher.carried_by == Height(0)
                                     ? std::string("the base frame")
                                     : absl::StrCat("block ", voucher.carried_by.value()),
                                 " says that the digest of the snapshot is ",
                                 voucher.digest.ToHex(), ", it is ", manifest.digest.ToHex()));
      return std::nullopt;
    }
    if (vouchers.empty()) return std::nullopt;
    return SnapshotStart{.height = named, .carried_by = vouchers.back().carried_by};
  }

  void Report(Height height, std::string what) const {
    VerifyFinding finding;
    finding.type = FindingType::kSnapshotDiffers;
    finding.height = height;
    finding.what = std::move(what);
    sink_.Add(std::move(finding));
  }

 private:
  Hash HashAt(Height height) const {
    const JournalBlock* const block = index_.Committed(height);
    if (block != nullptr) return block->hash;
    const JournalBase* const base = index_.FindBase(height);
    return base != nullptr ? base->frame.block.hash : Hash();
  }

  // The base frame's word first, that of the chain last.
  std::vector<Voucher> VouchersOf(Height height) const {
    std::vector<Voucher> vouchers;
    const JournalBase* const base = index_.FindBase(height);
    if (base != nullptr && base->frame.snapshot_digest != Hash()) {
      vouchers.push_back({.digest = base->frame.snapshot_digest, .carried_by = Height(0)});
    }
    const Height carrier = height + genesis_.snapshot_interval_blocks;
    const JournalBlock* const block = index_.Committed(carrier);
    if (block == nullptr) return vouchers;
    const absl::StatusOr<JournalReader::Frame> frame = journal_.Read(block->position);
    if (!frame.ok()) return vouchers;  // Reported with its block.
    const absl::StatusOr<BlockPtr> decoded = DecodeJournalBlock(*frame);
    if (!decoded.ok() || (*decoded)->header().snapshot_height != height) return vouchers;
    vouchers.push_back({.digest = (*decoded)->header().snapshot_digest, .carried_by = carrier});
    return vouchers;
  }

  const Genesis& genesis_;
  const JournalReader& journal_;
  const JournalIndex& index_;
  FindingSink& sink_;
};

}  // namespace

std::optional<ChosenSnapshot> ChooseSnapshot(const FileSystem& files, const std::string& directory,
                                             const Genesis& genesis, const JournalReader& journal,
                                             const JournalIndex& index, HeightRange range,
                                             FindingSink* sink) {
  const Chooser chooser(genesis, journal, index, sink);
  const absl::StatusOr<std::vector<Height>> heights = ListSnapshots(files, directory);
  if (!heights.ok()) {
    chooser.Report(range.first, std::string(heights.status().message()));
    return std::nullopt;
  }
  for (const Height height : *heights) {
    if (height < range.first || height > range.last || sink->stop()) continue;
    absl::StatusOr<std::unique_ptr<SnapshotFile>> file =
        SnapshotFile::Open(&files, SnapshotPath(directory, height));
    if (!file.ok()) {
      chooser.Report(height, std::string(file.status().message()));
      continue;
    }
    const std::optional<SnapshotStart> start = chooser.Judge(**file, height);
    if (start.has_value()) return ChosenSnapshot{.file = *std::move(file), .start = *start};
  }
  return std::nullopt;
}

}  // namespace vigil::ledger
