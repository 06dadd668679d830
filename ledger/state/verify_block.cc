#include "ledger/state/verify_block.h"

#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/journal_block.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

// A frame taken apart without believing any hash in it (ledger/chain/block.h draws it).
struct FrameParts {
  ByteSpan header_bytes;
  Signature signature;
  std::vector<ByteSpan> leaves;
};

absl::StatusOr<FrameParts> SplitFrame(ByteSpan frame) {
  ByteReader reader(frame);
  FrameParts parts;
  reader.U16();
  parts.header_bytes = reader.Raw(kHeaderBytes);
  parts.signature = reader.FixedValue<Signature>();
  const uint32_t count = reader.U32();
  if (!reader.ok() || count > kBlockRecordsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("block frame of ", frame.size(), " bytes, ", count, " records"));
  }
  std::vector<uint32_t> leaf_sizes;
  uint64_t payload_bytes = 0;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    leaf_sizes.push_back(reader.U32());
    payload_bytes += reader.U32();
  }
  for (const uint32_t size : leaf_sizes) parts.leaves.push_back(reader.Raw(size));
  if (!reader.ok() || reader.remaining() != payload_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "block frame of ", frame.size(), " bytes: the size table does not fit what follows"));
  }
  return parts;
}

bool IsSignedByProposer(const Genesis& genesis, const BlockHeader& header, const Hash& hash,
                        const Signature& signature) {
  // Also a header that breaks the rules of epochs is somebody's of the epoch that it names; of one
  // that is not known, perhaps somebody's who is known.
  const std::vector<GenesisValidator>* validators = ValidatorsOf(genesis, header.epoch);
  if (validators == nullptr) validators = &genesis.validators;
  const uint32_t proposer = header.proposer.value();
  if (proposer >= validators->size()) return false;
  return VerifySignature((*validators)[proposer].consensus_key,
                         AsBytes(ProposalSigningMessage(hash)), signature);
}

// The type is kRecordSignature or kRecordKeyUnknown where the leaf is what the header commits to.
struct LeafProblem {
  FindingType type;
  std::string what;
};

// nullopt when the leaf is canonical and signed by an enrolled key.
std::optional<LeafProblem> CheckLeaf(const Genesis& genesis, const StateBase& state,
                                     ByteSpan leaf) {
  const absl::StatusOr<RecordView> record = DecodeRecord(leaf);
  if (!record.ok()) {
    return LeafProblem{FindingType::kRecordInvalid, std::string(record.status().message())};
  }
  const absl::StatusOr<std::optional<KeyRow>> key = ReadRow<KeyRow>(state, KeyKey(record->author));
  if (!key.ok() || !key->has_value()) {
    return LeafProblem{FindingType::kRecordKeyUnknown,
                       absl::StrCat("key ", record->author.ToHex(), " is not enrolled")};
  }
  if (!VerifyRecordSignature(*record, genesis.chain_id, (*key)->key)) {
    return LeafProblem{FindingType::kRecordSignature,
                       absl::StrCat("the signature is not that of ", (*key)->identity, ", key ",
                                    record->author.ToHex())};
  }
  return std::nullopt;
}

// The frame does not decode: which leaf is not what its author signed?
void LocateAlteredLeaf(const Genesis& genesis, const StateBase& state, const std::string& frame,
                       const absl::Status& decode_status, const BlockFindings& findings) {
  const absl::StatusOr<FrameParts> parts = SplitFrame(AsBytes(frame));
  if (!parts.ok() || !absl::IsDataLoss(decode_status)) {
    findings.Add(FindingType::kBlockInvalid, std::string(decode_status.message()));
    return;
  }
  const absl::StatusOr<BlockHeader> header = DecodeHeader(parts->header_bytes);
  const Hash hash = HeaderHash(parts->header_bytes);
  // An altered header has another body root, so nothing can be said of the leaves from it.
  bool located = !header.ok() || !IsSignedByProposer(genesis, *header, hash, parts->signature);
  if (located) {
    findings.Add(FindingType::kBlockAltered,
                 absl::StrCat("block ", hash.ToHex(), " is not signed by its proposer"));
  }
  for (size_t i = 0; i < parts->leaves.size(); ++i) {
    const std::optional<LeafProblem> problem = CheckLeaf(genesis, state, parts->leaves[i]);
    if (!problem.has_value()) continue;
    located = true;
    findings.AddRecord(FindingType::kLeafAltered, i, problem->what);
  }
  if (!located) {
    findings.Add(FindingType::kLeafAltered, absl::StrCat(decode_status.message(),
                                                         "; every leaf is signed by its author, so "
                                                         "leaves were moved, removed or added"));
  }
}

// Which event of the payload is damaged? Returns false when the payload is sound.
bool LocateInPayload(const EventBatchBody& batch, size_t record, ByteSpan payload,
                     const BlockFindings& findings) {
  const absl::Status status = CheckPayload(batch, payload, /*views=*/nullptr);
  if (status.ok()) return false;
  bool located = false;
  const absl::StatusOr<std::vector<ByteSpan>> events = SplitPayload(payload);
  for (size_t item = 0; events.ok() && item < events->size(); ++item) {
    EventView view;
    const absl::Status scanned = ScanEvent((*events)[item], &view);
    if (scanned.ok()) continue;
    located = true;
    findings.AddItem(FindingType::kEventInvalid, record, item, std::string(scanned.message()));
  }
  if (!located) {
    findings.AddRecord(FindingType::kPayloadAltered, record, std::string(status.message()));
  }
  return true;
}

// The same for what pruning left of the payload.
bool LocateInEventLeaves(const EventBatchBody& batch, size_t record, ByteSpan event_leaves,
                         const BlockFindings& findings) {
  const absl::Status status = CheckEventLeaves(batch, event_leaves);
  if (status.ok()) return false;
  findings.AddRecord(FindingType::kPayloadAltered, record, std::string(status.message()));
  return true;
}

// CheckBlock refused the block, whose leaves are those of the header: why, and where?
void LocateDamage(const Genesis& genesis, const Block& block, const absl::Status& check_status,
                  const BlockFindings& findings) {
  bool located = !IsSignedByProposer(genesis, block.header(), block.hash(), block.signature());
  if (located) {
    findings.Add(FindingType::kBlockAltered,
                 absl::StrCat("block ", block.hash().ToHex(), " is not signed by its proposer ",
                              block.header().proposer.value()));
  }
  for (size_t i = 0; i < block.records().size(); ++i) {
    const Block::Entry& entry = block.records()[i];
    const absl::StatusOr<RecordView> record = DecodeRecord(entry.leaf);
    if (!record.ok()) {
      located = true;
      findings.AddRecord(FindingType::kRecordInvalid, i, std::string(record.status().message()));
    } else if (const auto* batch = std::get_if<EventBatchBody>(&record->body)) {
      located |= block.pruned() ? LocateInEventLeaves(*batch, i, entry.event_leaves, findings)
                                : LocateInPayload(*batch, i, entry.payload, findings);
    } else if (!entry.payload.empty()) {
      located = true;
      findings.AddRecord(FindingType::kPayloadAltered, i,
                         absl::StrCat("payload of ", entry.payload.size(),
                                      " bytes beside a record that has none"));
    }
  }
  if (!located) findings.Add(FindingType::kBlockInvalid, std::string(check_status.message()));
}

void CheckRecordSignatures(const Genesis& genesis, const StateBase& state, const Block& block,
                           const BlockFindings& findings, VerifyReport* report) {
  for (size_t i = 0; i < block.records().size(); ++i) {
    const std::optional<LeafProblem> problem = CheckLeaf(genesis, state, block.records()[i].leaf);
    ++report->signature_count;
    // Malformed records were reported with the block.
    if (!problem.has_value() || problem->type == FindingType::kRecordInvalid) continue;
    findings.AddRecord(problem->type, i, problem->what);
  }
}

void CountPruned(const Block& block, VerifyReport* report) {
  for (const Block::Entry& entry : block.records()) {
    if (entry.event_leaves.empty()) continue;
    ++report->pruned.payload_count;
    report->pruned.event_count += entry.event_leaves.size() / Hash::size();
    if (report->pruned.first_height == Height(0)) report->pruned.first_height = block.height();
    report->pruned.last_height = block.height();
    const absl::StatusOr<RecordView> record = DecodeRecord(entry.leaf);
    if (!record.ok()) continue;  // Reported.
    const auto* const batch = std::get_if<EventBatchBody>(&record->body);
    if (batch != nullptr) report->pruned.payload_bytes += batch->payload_bytes;
  }
}

void CountContents(const Block& block, VerifyReport* report) {
  ++report->block_count;
  ++report->signature_count;
  report->record_count += block.records().size();
  if (block.pruned()) return CountPruned(block, report);
  for (const Block::Entry& entry : block.records()) {
    report->payload_bytes += entry.payload.size();
    const absl::StatusOr<std::vector<ByteSpan>> events = SplitPayload(entry.payload);
    if (!entry.payload.empty() && events.ok()) report->event_count += events->size();
  }
}

}  // namespace

VerifyFinding BlockFindings::Make(FindingType type, std::string what) const {
  VerifyFinding finding;
  finding.type = type;
  finding.height = height_;
  finding.position = position_;
  finding.what = std::move(what);
  return finding;
}

void BlockFindings::Add(FindingType type, std::string what) const {
  sink_->Add(Make(type, std::move(what)));
}

void BlockFindings::AddRecord(FindingType type, size_t record, std::string what) const {
  VerifyFinding finding =
      Make(type, absl::StrCat("record ", record, " of the block: ", std::move(what)));
  if (first_.has_value()) finding.record = *first_ + record;
  sink_->Add(std::move(finding));
}

void BlockFindings::AddItem(FindingType type, size_t record, size_t item, std::string what) const {
  VerifyFinding finding =
      Make(type, absl::StrCat("record ", record, " of the block: ", std::move(what)));
  if (first_.has_value()) finding.record = *first_ + record;
  finding.item = ItemIndex(static_cast<uint32_t>(item));
  sink_->Add(std::move(finding));
}

BlockPtr VerifyFrame(const Genesis& genesis, const StateBase& state, JournalReader::Frame frame,
                     const BlockFindings& findings, VerifyReport* report) {
  absl::StatusOr<BlockPtr> block = DecodeJournalBlock(frame);
  if (!block.ok()) {
    LocateAlteredLeaf(genesis, state, frame.body, block.status(), findings);
    return nullptr;
  }
  const absl::Status checked =
      (*block)->pruned() ? CheckPrunedBlock(genesis, **block) : CheckBlock(genesis, **block);
  if (!checked.ok()) LocateDamage(genesis, **block, checked, findings);
  CheckRecordSignatures(genesis, state, **block, findings, report);
  CountContents(**block, report);
  return *std::move(block);
}

}  // namespace vigil::ledger
