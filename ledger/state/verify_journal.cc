#include "ledger/state/verify_journal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ledger/chain/header.h"

namespace vigil::ledger {

namespace {

constexpr size_t kFrameFormatBytes = 2;

VerifyFinding At(FindingType type, Height height, JournalPosition position, std::string what) {
  VerifyFinding finding;
  finding.type = type;
  finding.height = height;
  finding.position = position;
  finding.what = std::move(what);
  return finding;
}

VerifyFinding Missing(Height first, Height last, std::string what) {
  VerifyFinding finding;
  finding.type = FindingType::kBlockMissing;
  finding.height = first;
  finding.last_height = last;
  finding.what = std::move(what);
  return finding;
}

std::optional<Hash> StoreHash(const ChainReader* store, Height height) {
  if (store == nullptr) return std::nullopt;
  const absl::StatusOr<BlockInfo> info = store->GetBlock(height);
  if (!info.ok()) return std::nullopt;
  return info->hash;
}

// Where the store says that the next block after `damaged` lies.
std::optional<JournalPosition> PositionAfter(const ChainReader* store, Height from,
                                             JournalPosition damaged) {
  if (store == nullptr) return std::nullopt;
  for (Height height = from;; ++height) {
    const absl::StatusOr<BlockInfo> info = store->GetBlock(height);
    if (!info.ok()) return std::nullopt;
    if (info->position.offset > damaged.offset) return info->position;
  }
}

}  // namespace

void JournalIndex::Read(const JournalReader& journal, const ChainReader* store,
                        VerifyReport* report, FindingSink* sink, const ProgressFn& progress) {
  JournalPosition from = journal.begin();
  for (;;) {
    JournalPosition next = from;
    const absl::Status status = journal.ForEach(from, [&](const JournalReader::Frame& frame) {
      ++report->frame_count;
      AddFrame(frame, sink);
      next = frame.next;
      if (progress) progress(next.offset, journal.end().offset);
      return !sink->stop();
    });
    if (status.ok() || sink->stop()) return;
    const Height highest = blocks_.empty() ? Height(0) : blocks_.rbegin()->first;
    sink->Add(At(FindingType::kJournalDamaged, Height(0), next,
                 absl::StrCat(status.message(), "; the last sound block before it has height ",
                              highest.value())));
    const std::optional<JournalPosition> resume = PositionAfter(store, Height(1), next);
    if (!resume.has_value() || *resume == from) return;
    from = *resume;
  }
}

void JournalIndex::AddFrame(const JournalReader::Frame& frame, FindingSink* sink) {
  switch (frame.type) {
    case JournalType::kBlock:
    case JournalType::kPrunedBlock:
      AddBlock(frame, sink);
      break;
    case JournalType::kCommit:
      AddMark(frame, sink);
      break;
    case JournalType::kBase:
      AddBase(frame, sink);
      break;
    case JournalType::kVote:
    case JournalType::kCosigned:
    case JournalType::kHole:
    case JournalType::kSkip:
      break;
    default:
      sink->Add(At(FindingType::kFrameMalformed, Height(0), frame.position,
                   absl::StrCat("frame of unknown type ", static_cast<int>(frame.type))));
  }
}

void JournalIndex::AddBlock(const JournalReader::Frame& frame, FindingSink* sink) {
  const ByteSpan bytes = AsBytes(frame.body);
  const ByteSpan header_bytes = bytes.size() < kFrameFormatBytes + kHeaderBytes
                                    ? ByteSpan()
                                    : bytes.subspan(kFrameFormatBytes, kHeaderBytes);
  const absl::StatusOr<BlockHeader> header = DecodeHeader(header_bytes);
  if (!header.ok()) {
    sink->Add(At(FindingType::kFrameMalformed, Height(0), frame.position,
                 absl::StrCat("block frame: ", header.status().message())));
    return;
  }
  JournalBlock block;
  block.hash = HeaderHash(header_bytes);
  block.parent_hash = header->parent_hash;
  block.view = header->view;
  block.position = frame.position;
  block.after_commit = header->height <= marked_;
  // Raft may replace an uncommitted block and later come back to it: then its last copy counts.
  JournalBlock* const known = Find(header->height, block.hash);
  if (known == nullptr) {
    blocks_[header->height].push_back(block);
  } else if (!block.after_commit) {
    known->position = block.position;
  }
}

void JournalIndex::AddBase(const JournalReader::Frame& frame, FindingSink* sink) {
  const absl::StatusOr<BaseFrame> base = DecodeBaseFrame(frame.body);
  if (!base.ok()) {
    sink->Add(At(FindingType::kFrameMalformed, Height(0), frame.position,
                 std::string(base.status().message())));
    return;
  }
  bases_.push_back({.position = frame.position, .frame = *base});
  // The chain up to there was committed when it was written.
  marked_ = std::max(marked_, base->block.height);
}

void JournalIndex::AddMark(const JournalReader::Frame& frame, FindingSink* sink) {
  ByteReader reader(frame.body);
  reader.U64();  // Epoch.
  reader.U64();  // View of the node when it learnt of the commit.
  const Height height(reader.U64());
  const Hash hash = reader.ReadHash();
  const absl::Status finished = reader.Finish("commit mark");
  if (!finished.ok()) {
    sink->Add(At(FindingType::kFrameMalformed, Height(0), frame.position,
                 std::string(finished.message())));
    return;
  }
  if (height == Height(0)) return;  // Nothing is committed yet.
  marked_ = std::max(marked_, height);
  const auto [mark, is_new] = marks_.emplace(height, hash);
  if (!is_new && mark->second != hash) {
    sink->Add(At(FindingType::kMarkConflict, height, frame.position,
                 absl::StrCat("commit mark names block ", hash.ToHex(), ", an earlier one ",
                              mark->second.ToHex())));
  }
}

JournalBlock* JournalIndex::Find(Height height, const Hash& hash) {
  const auto found = blocks_.find(height);
  if (found == blocks_.end()) return nullptr;
  for (JournalBlock& block : found->second) {
    if (block.hash == hash) return &block;
  }
  return nullptr;
}

const JournalBase* JournalIndex::FindBase(Height height) const {
  for (auto base = bases_.rbegin(); base != bases_.rend(); ++base) {
    if (base->frame.block.height == height) return &*base;
  }
  return nullptr;
}

const JournalBlock* JournalIndex::Committed(Height height) const {
  const auto found = blocks_.find(height);
  if (found == blocks_.end()) return nullptr;
  for (const JournalBlock& block : found->second) {
    if (block.committed) return &block;
  }
  return nullptr;
}

Height JournalIndex::base_height() const {
  return bases_.empty() ? Height(0) : bases_.back().frame.block.height;
}

std::optional<Hash> JournalIndex::NamedHash(Height height, const ChainReader* store) const {
  const auto mark = marks_.find(height);
  if (mark != marks_.end()) return mark->second;
  const JournalBase* const base = FindBase(height);
  if (base != nullptr) return base->frame.block.hash;
  return StoreHash(store, height);
}

Height JournalIndex::HighestNamed(const ChainReader* store, FindingSink* sink) const {
  const Height marked = marks_.empty() ? Height(0) : marks_.rbegin()->first;
  if (store == nullptr) return marked;
  const absl::StatusOr<Tip> tip = store->GetTip();
  if (!tip.ok()) {
    VerifyFinding finding;
    finding.type = FindingType::kStoreUnreadable;
    finding.what = std::string(tip.status().message());
    sink->Add(std::move(finding));
    return marked;
  }
  // A tip that names no block of the journal is no witness; it is reported as kStoreAhead, unless
  // it is the base.
  const auto blocks = blocks_.find(tip->height);
  if (tip->height <= marked || blocks == blocks_.end()) return marked;
  const bool known =
      std::any_of(blocks->second.begin(), blocks->second.end(),
                  [&](const JournalBlock& block) { return block.hash == tip->block_hash; });
  return known ? tip->height : marked;
}

// The committed block of `height`: the one with the expected hash, else the one that a mark or the
// store names, else, when nothing names any, the one of the highest view.
JournalBlock* JournalIndex::Choose(Height height, const std::optional<Hash>& expected,
                                   const ChainReader* store, FindingSink* sink) {
  if (expected.has_value()) {
    JournalBlock* const block = Find(height, *expected);
    if (block != nullptr) return block;
    const std::optional<Hash> stored = StoreHash(store, height);
    JournalBlock* const second = stored.has_value() ? Find(height, *stored) : nullptr;
    // Only a wrong mark may be outvoted: a child's parent hash is signed.
    const auto mark = marks_.find(height);
    const bool from_mark = mark != marks_.end() && mark->second == *expected;
    const auto child = blocks_.find(height.Next());
    const bool from_child =
        child != blocks_.end() &&
        std::any_of(child->second.begin(), child->second.end(), [&](const JournalBlock& block) {
          return block.committed && block.parent_hash == *expected;
        });
    if (second != nullptr && from_mark && !from_child) return second;
    sink->Add(Missing(height, height, absl::StrCat("no block with hash ", expected->ToHex())));
    return nullptr;
  }
  std::vector<JournalBlock>& candidates = blocks_[height];
  return &*std::max_element(
      candidates.begin(), candidates.end(),
      [](const JournalBlock& a, const JournalBlock& b) { return a.view < b.view; });
}

void JournalIndex::CheckMark(Height height, const Hash& chosen, FindingSink* sink) const {
  const auto mark = marks_.find(height);
  if (mark == marks_.end() || mark->second == chosen) return;
  VerifyFinding finding;
  finding.type = FindingType::kMarkConflict;
  finding.height = height;
  finding.what = absl::StrCat("commit mark names block ", mark->second.ToHex(),
                              ", the chain holds ", chosen.ToHex());
  sink->Add(std::move(finding));
}

// A base frame must name the block that the chain has there.
void JournalIndex::CheckBase(Height height, const Hash& found, absl::string_view whose,
                             FindingSink* sink) const {
  for (const JournalBase& base : bases_) {
    if (base.frame.block.height != height || base.frame.block.hash == found) continue;
    sink->Add(At(FindingType::kBaseDiffers, height, base.position,
                 absl::StrCat("the base frame names block ", base.frame.block.hash.ToHex(), ", ",
                              whose, " ", found.ToHex())));
  }
}

// Cuts `gap` where what may be missing begins or ends.
void JournalIndex::AddGap(HeightRange gap, const std::vector<HeightRange>& absent,
                          VerifyReport* report, FindingSink* sink) const {
  std::vector<HeightRange> lawful;
  for (Height at = gap.first; at <= gap.last;) {
    Height lawful_end = std::min(base_height(), gap.last);
    Height next_lawful = gap.last.Next();
    for (const HeightRange& range : absent) {
      if (range.first <= at && range.last >= at) {
        lawful_end = std::max(lawful_end, std::min(range.last, gap.last));
      }
      if (range.first > at) next_lawful = std::min(next_lawful, range.first);
    }
    if (lawful_end < at) {
      sink->Add(Missing(at, next_lawful.Previous(), "the journal has no block of these heights"));
      at = next_lawful;
      continue;
    }
    if (!lawful.empty() && lawful.back().last.Next() == at) {
      lawful.back().last = lawful_end;
    } else {
      lawful.push_back({.first = at, .last = lawful_end});
    }
    at = lawful_end.Next();
  }
  report->missing.insert(report->missing.begin(), lawful.begin(), lawful.end());
}

Height JournalIndex::Resolve(const Genesis& genesis, const ChainReader* store,
                             const MayMiss& may_miss, VerifyReport* report, FindingSink* sink) {
  const Height top = std::max({HighestNamed(store, sink), base_height(), may_miss.committed_min});
  std::optional<Hash> expected = NamedHash(top, store);
  Height height = top;
  while (height > Height(0) && !sink->stop()) {
    // The highest height at or below `height` of which the journal has any block.
    const auto above = blocks_.upper_bound(height);
    const Height present = above == blocks_.begin() ? Height(0) : std::prev(above)->first;
    if (present < height) {
      if (expected.has_value()) CheckBase(height, *expected, "its child or mark", sink);
      AddGap({.first = present.Next(), .last = height}, may_miss.absent, report, sink);
      height = present;
      expected = height == Height(0) ? std::nullopt : NamedHash(height, store);
      continue;
    }
    JournalBlock* const chosen = Choose(height, expected, store, sink);
    if (chosen != nullptr) {
      chosen->committed = true;
      CheckMark(height, chosen->hash, sink);
      CheckBase(height, chosen->hash, "the chain holds", sink);
      expected = chosen->parent_hash;
    }
    height = height.Previous();
    if (chosen == nullptr) expected = NamedHash(height, store);
    if (height == Height(0) && chosen != nullptr && *expected != genesis.genesis_hash) {
      sink->Add(At(FindingType::kBlockLink, Height(1), chosen->position,
                   absl::StrCat("parent ", expected->ToHex(), ", must be the genesis hash ",
                                genesis.genesis_hash.ToHex())));
    }
  }
  return top;
}

}  // namespace vigil::ledger
