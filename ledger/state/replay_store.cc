#include "ledger/state/replay_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/state/store_codec.h"

namespace vigil::ledger {

namespace {

constexpr size_t kShownBytesMax = 48;

Space SpaceOf(absl::string_view key) { return static_cast<Space>(key.empty() ? '\0' : key[0]); }

bool IsBlockSpace(Space space) {
  return space == Space::kBlock || space == Space::kBlockHash || space == Space::kFirstIndex ||
         space == Space::kResults;
}

absl::string_view NameOf(Space space) {
  switch (space) {
    case Space::kState:
      return "state";
    case Space::kMeta:
      return "meta";
    case Space::kBlock:
      return "block";
    case Space::kBlockHash:
      return "block by hash";
    case Space::kFirstIndex:
      return "block by first record";
    case Space::kLeaf:
      return "record by leaf hash";
    case Space::kResults:
      return "results";
    case Space::kUndo:
      return "undo image";
    case Space::kMark:
      return "mark";
  }
  return "unknown";
}

std::string Shown(absl::string_view bytes) {
  const std::string hex = HexEncode(AsBytes(bytes.substr(0, kShownBytesMax)));
  return bytes.size() > kShownBytesMax ? absl::StrCat(hex, "... (", bytes.size(), " bytes)") : hex;
}

// "at byte 17: 00, must be 01".
std::string Difference(absl::string_view got, absl::string_view expected) {
  if (got.size() != expected.size()) {
    return absl::StrCat(got.size(), " bytes, must be ", expected.size());
  }
  size_t at = 0;
  while (at < got.size() && got[at] == expected[at]) ++at;
  return absl::StrCat("at byte ", at, ": ", HexEncode(AsBytes(got.substr(at, 1))), ", must be ",
                      HexEncode(AsBytes(expected.substr(at, 1))));
}

// The record that a key is about, where its layout says so.
std::optional<RecordIndex> RecordOf(absl::string_view key) {
  if (SpaceOf(key) == Space::kFirstIndex) return RecordIndex(ByteReader(key.substr(1)).U64());
  if (SpaceOf(key) != Space::kState || key.size() < 10) return std::nullopt;
  const Table table = static_cast<Table>(key[1]);
  if (table != Table::kStreamRecord && table != Table::kAlert && table != Table::kVerdict &&
      table != Table::kAlertRule) {
    return std::nullopt;
  }
  return RecordIndex(ByteReader(key.substr(2)).U64());
}

std::optional<Height> HeightOf(absl::string_view key) {
  const Space space = SpaceOf(key);
  if (space != Space::kBlock && space != Space::kResults && space != Space::kUndo &&
      space != Space::kMark) {
    return std::nullopt;
  }
  return Height(ByteReader(key.substr(1)).U64());
}

// The row of a block as a store has it that was built from a snapshot above the block's bytes.
std::string WithoutPlace(absl::string_view row) {
  absl::StatusOr<BlockInfo> info = DecodeBlockInfo(row);
  if (!info.ok()) return std::string(row);
  info->position = JournalPosition();
  info->frame_bytes = 0;
  return EncodeBlockInfo(*info);
}

}  // namespace

absl::Status ReplayStore::Write(const StoreBatch& batch) {
  StoreBatch kept;
  const bool compares = given_ != nullptr && height_ <= given_height_;
  for (const StoreBatch::Operation& operation : batch.operations()) {
    const Space space = SpaceOf(operation.key);
    if (!operation.value.has_value()) {
      kept.Delete(operation.key);
      continue;
    }
    if (IsBlockSpace(space) && compares) CompareOne(operation.key, *operation.value);
    if (space == Space::kBlockHash || space == Space::kFirstIndex) continue;
    kept.Put(operation.key, *operation.value);
  }
  return kept_->Write(kept);
}

void ReplayStore::CompareAll(const std::function<void(uint64_t keys)>& progress) {
  if (given_ == nullptr) return;
  for (const Space space :
       {Space::kMeta, Space::kState, Space::kLeaf, Space::kUndo, Space::kMark}) {
    CompareKept(space, progress);
  }
  for (const Space space :
       {Space::kBlock, Space::kBlockHash, Space::kFirstIndex, Space::kResults}) {
    FindExtraBlockKeys(space);
  }
}

void ReplayStore::CompareOne(absl::string_view key, absl::string_view expected) {
  ++compared_count_;
  const absl::StatusOr<std::optional<std::string>> got = given_->Get(key);
  if (!got.ok()) {
    Report(FindingType::kStoreUnreadable, key, std::string(got.status().message()));
  } else if (!got->has_value()) {
    Report(FindingType::kStoreMissing, key, "not there");
  } else if (SpaceOf(key) == Space::kBlock && *HeightOf(key) <= unplaced_max_ &&
             **got == WithoutPlace(expected)) {
    return;
  } else if (**got != expected) {
    Report(FindingType::kStoreDiffers, key, Difference(**got, expected));
  }
}

void ReplayStore::CompareKept(Space space, const std::function<void(uint64_t keys)>& progress) {
  const std::string from = SpacePrefix(space);
  uint64_t found = 0;
  const absl::Status scanned =
      given_->Scan(from, PrefixEnd(from), /*reverse=*/false,
                   [&](absl::string_view key, absl::string_view value) {
                     ++compared_count_;
                     const absl::StatusOr<std::optional<std::string>> expected = kept_->Get(key);
                     if (!expected.ok() || !expected->has_value()) {
                       Report(FindingType::kStoreExtra, key, absl::StrCat("value ", Shown(value)));
                     } else {
                       ++found;
                       if (**expected != value) {
                         Report(FindingType::kStoreDiffers, key, Difference(value, **expected));
                       }
                     }
                     if (progress && compared_count_ % 4096 == 0) progress(compared_count_);
                     return !sink_->stop();
                   });
  if (!scanned.ok()) Report(FindingType::kStoreUnreadable, from, std::string(scanned.message()));
  if (sink_->stop()) return;
  uint64_t expected_count = 0;
  const auto count = [&](absl::string_view, absl::string_view) {
    ++expected_count;
    return true;
  };
  if (!kept_->Scan(from, PrefixEnd(from), /*reverse=*/false, count).ok()) return;
  if (found == expected_count) return;
  // Something is missing: look for each key. A scan that broke off has been reported; what it did
  // not reach is told apart here.
  const absl::Status searched = kept_->Scan(
      from, PrefixEnd(from), /*reverse=*/false, [&](absl::string_view key, absl::string_view) {
        const absl::StatusOr<std::optional<std::string>> got = given_->Get(key);
        if (got.ok() && !got->has_value()) Report(FindingType::kStoreMissing, key, "not there");
        return !sink_->stop();
      });
  if (!searched.ok()) Report(FindingType::kStoreUnreadable, from, std::string(searched.message()));
}

// Every expected key of the space was compared when its block was written, so only keys too many
// are left to find: there is one per block, and one that belongs to no block is not among them.
void ReplayStore::FindExtraBlockKeys(Space space) {
  const std::string from = SpacePrefix(space);
  uint64_t count = 0;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    ++count;
    uint64_t height = 0;
    bool belongs = false;
    if (space == Space::kBlock || space == Space::kResults) {
      height = ByteReader(key.substr(1)).U64();
      belongs = key.size() == 9;
    } else {
      const absl::StatusOr<uint64_t> named = DecodeNumber(value);
      height = named.value_or(0);
      const absl::StatusOr<std::optional<std::string>> block =
          given_->Get(StoreNumberKey(Space::kBlock, height));
      if (block.ok() && block->has_value()) {
        const absl::StatusOr<BlockInfo> info = DecodeBlockInfo(**block);
        belongs = info.ok() && (space == Space::kBlockHash
                                    ? key == StoreHashKey(space, info->hash)
                                    : key == StoreNumberKey(space, info->first_index.value()));
      }
    }
    if (!belongs || height == 0 || height > given_height_.value()) {
      Report(FindingType::kStoreExtra, key, absl::StrCat("value ", Shown(value)));
    }
    return !sink_->stop();
  };
  const absl::Status scanned = given_->Scan(from, PrefixEnd(from), /*reverse=*/false, visit);
  if (!scanned.ok()) Report(FindingType::kStoreUnreadable, from, std::string(scanned.message()));
}

void ReplayStore::Report(FindingType type, absl::string_view key, std::string what) {
  VerifyFinding finding;
  finding.type = type;
  finding.height = HeightOf(key).value_or(height_);
  finding.record = RecordOf(key);
  finding.what = absl::StrCat("store key of ", NameOf(SpaceOf(key)), " ", Shown(key), ": ", what);
  sink_->Add(std::move(finding));
}

}  // namespace vigil::ledger
