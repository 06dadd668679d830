#include "ledger/state/chain_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/store_state.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

ChainReader::ChainReader(std::shared_ptr<const StoreReader> snapshot)
    : snapshot_(std::move(snapshot)), state_(std::make_shared<StoreState>(snapshot_.get())) {}

absl::StatusOr<std::string> ChainReader::GetValue(absl::string_view key,
                                                  absl::string_view what) const {
  ASSIGN_OR_RETURN(std::optional<std::string> value, snapshot_->Get(key));
  if (!value.has_value()) return absl::NotFoundError(absl::StrCat(what, ": not in the store"));
  return *std::move(value);
}

absl::StatusOr<Tip> ChainReader::GetTip() const {
  ASSIGN_OR_RETURN(const std::string value, GetValue(StoreTipKey(), "tip"));
  return DecodeTip(value);
}

absl::StatusOr<BlockInfo> ChainReader::GetBlock(Height height) const {
  ASSIGN_OR_RETURN(const std::string value, GetValue(StoreNumberKey(Space::kBlock, height.value()),
                                                     absl::StrCat("block ", height.value())));
  ASSIGN_OR_RETURN(const BlockInfo info, DecodeBlockInfo(value));
  if (info.height != height) {
    return absl::DataLossError(
        absl::StrCat("block ", height.value(), ": the store holds ", info.height.value()));
  }
  return info;
}

absl::StatusOr<BlockInfo> ChainReader::FindBlock(const Hash& hash) const {
  ASSIGN_OR_RETURN(const std::string value, GetValue(StoreHashKey(Space::kBlockHash, hash),
                                                     absl::StrCat("block ", hash.ToHex())));
  ASSIGN_OR_RETURN(const uint64_t height, DecodeNumber(value));
  return GetBlock(Height(height));
}

absl::StatusOr<BlockInfo> ChainReader::BlockOfRecord(RecordIndex index) const {
  std::optional<std::string> found;
  // The largest first index that is not above `index`.
  const std::string end = StoreNumberKey(Space::kFirstIndex, index.value()) + '\0';
  RETURN_IF_ERROR(snapshot_->Scan(SpacePrefix(Space::kFirstIndex), end, /*reverse=*/true,
                                  [&](absl::string_view, absl::string_view value) {
                                    found = std::string(value);
                                    return false;
                                  }));
  if (found.has_value()) {
    ASSIGN_OR_RETURN(const uint64_t height, DecodeNumber(*found));
    ASSIGN_OR_RETURN(BlockInfo info, GetBlock(Height(height)));
    if (index <= info.first_index + info.record_count) return info;
  }
  return absl::NotFoundError(absl::StrCat("record ", index.value(), ": no block holds it"));
}

absl::StatusOr<RecordIndex> ChainReader::FindRecord(const Hash& leaf_hash) const {
  ASSIGN_OR_RETURN(const std::string value,
                   GetValue(StoreHashKey(Space::kLeaf, leaf_hash),
                            absl::StrCat("record with leaf hash ", leaf_hash.ToHex())));
  ASSIGN_OR_RETURN(const uint64_t index, DecodeNumber(value));
  return RecordIndex(index);
}

absl::StatusOr<std::vector<RecordResult>> ChainReader::GetResults(Height height) const {
  ASSIGN_OR_RETURN(const std::string value,
                   GetValue(StoreNumberKey(Space::kResults, height.value()),
                            absl::StrCat("results of block ", height.value())));
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> encoded, SplitResults(value));
  std::vector<RecordResult> results;
  results.reserve(encoded.size());
  for (const ByteSpan bytes : encoded) {
    absl::StatusOr<RecordResult> result = DecodeResult(bytes);
    if (!result.ok()) return absl::DataLossError(result.status().message());
    results.push_back(*std::move(result));
  }
  return results;
}

absl::StatusOr<Hash> ChainReader::ResultsRoot(Height after, Height up_to) const {
  std::vector<Hash> leaves;
  for (Height height = after.Next(); height <= up_to; ++height) {
    ASSIGN_OR_RETURN(const std::string value,
                     GetValue(StoreNumberKey(Space::kResults, height.value()),
                              absl::StrCat("results of block ", height.value())));
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> encoded, SplitResults(value));
    for (const ByteSpan bytes : encoded) leaves.push_back(LeafHash(bytes));
  }
  return MerkleRoot(leaves);
}

absl::StatusOr<Hash> ChainReader::StateDigest(Height height) const {
  if (height == Height(0)) {
    ASSIGN_OR_RETURN(const std::string value, GetValue(StoreChainKey(), "chain"));
    ASSIGN_OR_RETURN(const ChainRow row, DecodeChain(value));
    return row.state_digest;
  }
  ASSIGN_OR_RETURN(const BlockInfo info, GetBlock(height));
  return info.state_digest;
}

absl::StatusOr<WriteSet> ChainReader::GetUndo(Height height) const {
  ASSIGN_OR_RETURN(const std::string value,
                   GetValue(StoreNumberKey(Space::kUndo, height.value()),
                            absl::StrCat("undo image of block ", height.value())));
  absl::StatusOr<WriteSet> undo = DecodeWriteSet(AsBytes(value));
  if (!undo.ok()) return absl::DataLossError(undo.status().message());
  return undo;
}

}  // namespace vigil::ledger
