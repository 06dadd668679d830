#include "ledger/proof/verify_proof.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/chain/header.h"
#include "ledger/chain/record.h"
#include "ledger/chain/scanner.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"

namespace vigil::ledger {
namespace {

using Outcome = std::optional<Refusal>;

// One verification: what was read, and what the steps before have established.
struct Work {
  const PolicyChain* policies = nullptr;
  const CheckedHead* known = nullptr;
  absl::string_view bytes;
  TlogProof file;
  ProofExtra extra;
  Hash chain_id;
  RecordView record;  // Views into extra.leaf.
  Seal covering;      // The seal over the result; views into extra.result.seal.leaf.
  ProofReport report;

  bool IsBlock() const { return extra.subject == ProofSubject::kBlock; }
  bool IsEvent() const { return extra.subject == ProofSubject::kEvent; }
  const Checkpoint& checkpoint() const { return report.head->checkpoint; }
};

template <typename... Parts>
Refusal Refuse(ProofVerdict verdict, const Parts&... parts) {
  return {verdict, absl::StrCat(parts...)};
}

// Whether `leaf` is at `index` of the tree that the checkpoint signs.
Outcome CheckInTree(const Work& work, absl::string_view what, RecordIndex index,
                    absl::string_view leaf, std::span<const Hash> path) {
  const Checkpoint& checkpoint = work.checkpoint();
  const absl::Status status = VerifyInclusion(index.value(), checkpoint.size,
                                              LeafHash(AsBytes(leaf)), path, checkpoint.root);
  if (status.ok()) return std::nullopt;
  return Refuse(ProofVerdict::kNotIncluded, what, " at index ", index.value(),
                " is not in the tree of the checkpoint: ", status.message(),
                ". Its parts must come from one snapshot; get the proof anew");
}

// Whether a seal, already found in the tree, closes a block of this chain in a known epoch.
Outcome CheckSeal(const Work& work, absl::string_view what, RecordIndex index, const Seal& seal) {
  const BlockHeader& header = seal.header;
  if (header.chain_id != work.chain_id) {
    return Refuse(ProofVerdict::kNotIncluded, what, " at index ", index.value(), " is of chain ",
                  header.chain_id.ToHex(), ", the log is of chain ", work.chain_id.ToHex());
  }
  const std::set<uint64_t> epochs =
      PolicyEpochs(PolicyOfHead(*work.policies, *work.report.head), work.checkpoint().origin);
  const uint64_t epoch = header.epoch.value();
  if (epoch == 0 || (!epochs.empty() && epoch > *epochs.rbegin())) {
    return Refuse(ProofVerdict::kUnknownEpoch, what, " at index ", index.value(), " is of epoch ",
                  epoch, ", the policy lists none from there on. Get the policy of that epoch");
  }
  if (seal.first > index || index - seal.first != seal.record_count) {
    return Refuse(ProofVerdict::kNotIncluded, what, " at index ", index.value(), " closes ",
                  seal.record_count, " records from ", seal.first.value(),
                  " on, which end elsewhere");
  }
  return std::nullopt;
}

ProvenBlock DescribeBlock(const Seal& seal) {
  return {.height = seal.header.height,
          .hash = HeaderHash(seal.header_bytes),
          .epoch = seal.header.epoch,
          .time_unix_millis = seal.header.time_unix_millis,
          .proposer = seal.header.proposer,
          .first = seal.first,
          .record_count = seal.record_count};
}

// docs/formats/proof.md, step 1.
Outcome ReadFile(Work* work) {
  absl::StatusOr<TlogProof> file = DecodeTlogProof(work->bytes);
  if (!file.ok()) {
    return Refuse(ProofVerdict::kMalformed, file.status().message(), ". Get the file anew");
  }
  work->file = *std::move(file);
  return std::nullopt;
}

// Steps 2 to 4.
Outcome CheckCheckpointOfFile(Work* work) {
  if (work->known != nullptr && work->file.checkpoint == work->known->note) {
    work->report.head = work->known->head;
    return std::nullopt;
  }
  ProvenHead head;
  Outcome refusal = CheckHead(*work->policies, work->file.checkpoint, &head);
  if (!refusal.has_value()) work->report.head = std::move(head);
  return refusal;
}

// Step 5: the origin names the chain.
Outcome FindChain(Work* work) {
  const absl::string_view origin = work->checkpoint().origin;
  const size_t slash = origin.rfind('/');
  const absl::string_view hex =
      slash == absl::string_view::npos ? absl::string_view() : origin.substr(slash + 1);
  const absl::StatusOr<Hash> genesis_hash = Hash::FromHex(hex);
  if (!genesis_hash.ok() || genesis_hash->ToHex() != hex) {
    return Refuse(ProofVerdict::kMalformed, "log ", origin,
                  " does not end with a genesis hash: it is no Vigil chain");
  }
  work->chain_id = Sha256({AsBytes(kChainIdTag), genesis_hash->span()});
  return std::nullopt;
}

// Step 6.
Outcome ReadExtra(Work* work) {
  if (work->file.extra.empty()) {
    return Refuse(ProofVerdict::kMalformed,
                  "the file has no extra line: it proves a leaf that nobody "
                  "shows. Ask for a proof of Vigil's own");
  }
  absl::StatusOr<ProofExtra> extra = DecodeProofExtra(AsBytes(work->file.extra));
  if (!extra.ok()) {
    return Refuse(ProofVerdict::kMalformed, extra.status().message(), ". Get the file anew");
  }
  work->extra = *std::move(extra);
  work->report.subject = work->extra.subject;
  return std::nullopt;
}

// Step 7.
Outcome CheckLeaf(Work* work) {
  return CheckInTree(*work, work->IsBlock() ? "seal" : "record", RecordIndex(work->file.index),
                     work->extra.leaf, work->file.path);
}

// Step 8, blocks: the leaf is the seal itself.
Outcome CheckBlockSeal(Work* work) {
  const absl::StatusOr<Seal> seal = DecodeSealLeaf(AsBytes(work->extra.leaf));
  if (!seal.ok()) return Refuse(ProofVerdict::kMalformed, seal.status().message());
  Outcome refusal = CheckSeal(*work, "seal", RecordIndex(work->file.index), *seal);
  if (!refusal.has_value()) work->report.block = DescribeBlock(*seal);
  return refusal;
}

// Step 8, records and events.
Outcome ReadRecord(Work* work) {
  absl::StatusOr<RecordView> record = DecodeRecord(AsBytes(work->extra.leaf));
  if (!record.ok()) return Refuse(ProofVerdict::kMalformed, record.status().message());
  if (work->IsEvent() && record->kind != RecordKind::kEventBatch) {
    return Refuse(ProofVerdict::kMalformed, "record ", work->file.index, " is of kind ",
                  KindOf(record->kind).name, ", which has no events");
  }
  work->record = *std::move(record);
  return std::nullopt;
}

// Step 9: who signed the record. Whose key it is comes from the result.
Outcome CheckAuthor(Work* work) {
  const PublicKey& key = work->extra.author_key;
  const RecordView& record = work->record;
  if (KeyIdOf(key) != record.author) {
    return Refuse(ProofVerdict::kMalformed, "the author's key in the file is ",
                  KeyIdOf(key).ToHex(), ", record ", work->file.index, " names ",
                  record.author.ToHex(), ". Get the proof anew");
  }
  if (!VerifyRecordSignature(record, work->chain_id, key)) {
    return Refuse(ProofVerdict::kMalformed, "record ", work->file.index, " is not signed by key ",
                  record.author.ToHex(), " for this chain");
  }
  ProvenRecord proven;
  proven.index = RecordIndex(work->file.index);
  proven.leaf_hash = LeafHash(record.leaf);
  proven.kind = record.kind;
  proven.author = record.author;
  proven.author_key = key;
  std::visit(
      [&proven](const auto& body) {
        if constexpr (requires { body.sequence; }) {
          proven.stream = std::string(body.stream.data(), body.stream.size());
          proven.sequence = body.sequence;
        }
      },
      record.body);
  work->report.record = std::move(proven);
  return std::nullopt;
}

// Step 10: the block that holds the record.
Outcome CheckContainingBlock(Work* work) {
  const SealProof& proof = work->extra.block;
  Outcome refusal = CheckInTree(*work, "seal of the block", proof.index, proof.leaf, proof.path);
  if (refusal.has_value()) return refusal;
  const absl::StatusOr<Seal> seal = DecodeSealLeaf(AsBytes(proof.leaf));
  if (!seal.ok()) return Refuse(ProofVerdict::kMalformed, seal.status().message());
  refusal = CheckSeal(*work, "seal of the block", proof.index, *seal);
  if (refusal.has_value()) return refusal;
  const RecordIndex index(work->file.index);
  if (index < seal->first || index >= proof.index) {
    return Refuse(ProofVerdict::kNotIncluded, "record ", index.value(), " is not in block ",
                  seal->header.height.value(), ", which holds ", seal->first.value(), " to ",
                  proof.index.value());
  }
  work->report.block = DescribeBlock(*seal);
  return std::nullopt;
}

// Step 11: the seal whose header commits to the results of the record's block.
Outcome CheckCoveringBlock(Work* work) {
  constexpr absl::string_view kWhat = "seal over the result";
  const SealProof& proof = work->extra.result.seal;
  Outcome refusal = CheckInTree(*work, kWhat, proof.index, proof.leaf, proof.path);
  if (refusal.has_value()) return refusal;
  const absl::StatusOr<Seal> seal = DecodeSealLeaf(AsBytes(proof.leaf));
  if (!seal.ok()) return Refuse(ProofVerdict::kMalformed, seal.status().message());
  refusal = CheckSeal(*work, kWhat, proof.index, *seal);
  if (refusal.has_value()) return refusal;
  const Height height = work->report.block->height;
  if (seal->header.executed_height < height || seal->header.height <= height) {
    return Refuse(ProofVerdict::kNotIncluded, "block ", seal->header.height.value(),
                  " commits to results up to height ", seal->header.executed_height.value(),
                  ", the record is of height ", height.value(), ". Get the proof anew");
  }
  work->covering = *seal;
  return std::nullopt;
}

// Step 12: what execution said of the record.
Outcome CheckResult(Work* work) {
  const ResultProof& proof = work->extra.result;
  const absl::Status status =
      VerifyInclusion(proof.position, proof.count, LeafHash(AsBytes(proof.bytes)), proof.path,
                      work->covering.header.results_root);
  if (!status.ok()) {
    return Refuse(ProofVerdict::kNotIncluded, "result of record ", work->file.index,
                  " is not what block ", work->covering.header.height.value(),
                  " commits to: ", status.message(), ". Get the proof anew");
  }
  absl::StatusOr<RecordResult> result = DecodeResult(AsBytes(proof.bytes));
  if (!result.ok()) return Refuse(ProofVerdict::kMalformed, result.status().message());
  if (result->index.value() != work->file.index) {
    return Refuse(ProofVerdict::kNotIncluded, "the result in the file is of record ",
                  result->index.value(), ", not of ", work->file.index, ". Get the proof anew");
  }
  work->report.result = *std::move(result);
  if (work->report.result->code == ResultCode::kOk) return std::nullopt;
  return Refuse(ProofVerdict::kNotIncluded, "record ", work->file.index,
                " is in the log, but its result is ",
                absl::AsciiStrToUpper(ResultCodeName(work->report.result->code)),
                ": the chain did not accept it");
}

// Steps 13 to 15: the event leads to the items root that the author signed.
Outcome CheckEvent(Work* work) {
  const EventProof& proof = work->extra.event;
  const auto& batch = std::get<EventBatchBody>(work->record.body);
  const absl::Status status = VerifyInclusion(proof.item.value(), batch.item_count, proof.leaf_hash,
                                              proof.path, batch.items_root);
  if (!status.ok()) {
    return Refuse(ProofVerdict::kPayloadMismatch, "event ", proof.item.value(), " of record ",
                  work->file.index, " is not what the batch commits to: ", status.message());
  }
  if (!proof.bytes.empty() && LeafHash(AsBytes(proof.bytes)) != proof.leaf_hash) {
    return Refuse(ProofVerdict::kPayloadMismatch, "the bytes of event ", proof.item.value(),
                  " of record ", work->file.index, " are not those that the batch commits to");
  }
  work->report.event = ProvenEvent{.item = proof.item,
                                   .item_count = batch.item_count,
                                   .leaf_hash = proof.leaf_hash,
                                   .bytes = ""};
  if (proof.bytes.empty()) {
    return Refuse(ProofVerdict::kPayloadMissing, "event ", proof.item.value(), " of record ",
                  work->file.index,
                  " is committed to, but its bytes are not in the file. Ask "
                  "whoever keeps the payload");
  }
  EventView fields;
  const absl::Status scanned = ScanEvent(AsBytes(proof.bytes), &fields);
  if (!scanned.ok()) return Refuse(ProofVerdict::kMalformed, scanned.message());
  work->report.event->bytes = proof.bytes;
  return std::nullopt;
}

Outcome Run(Work* work, std::span<Outcome (*const)(Work*)> steps) {
  for (const auto step : steps) {
    Outcome refusal = step(work);
    if (refusal.has_value()) return refusal;
  }
  return std::nullopt;
}

Outcome Verify(Work* work) {
  static constexpr Outcome (*kFirst[])(Work*) = {ReadFile, CheckCheckpointOfFile, FindChain,
                                                 ReadExtra, CheckLeaf};
  static constexpr Outcome (*kRecord[])(Work*) = {ReadRecord, CheckAuthor, CheckContainingBlock,
                                                  CheckCoveringBlock, CheckResult};
  Outcome refusal = Run(work, kFirst);
  if (refusal.has_value()) return refusal;
  if (work->IsBlock()) return CheckBlockSeal(work);
  refusal = Run(work, kRecord);
  if (refusal.has_value() || !work->IsEvent()) return refusal;
  return CheckEvent(work);
}

}  // namespace

EventView ProvenEvent::Fields() const {
  EventView fields;
  const absl::Status status = ScanEvent(AsBytes(bytes), &fields);
  VIGIL_CHECK(status.ok(), status.message());
  return fields;
}

namespace {

ProofReport Report(Work work) {
  Outcome refusal = Verify(&work);
  if (refusal.has_value()) {
    work.report.verdict = refusal->verdict;
    work.report.reason = std::move(refusal->reason);
  } else {
    work.report.verdict = ProofVerdict::kVerified;
  }
  return std::move(work.report);
}

}  // namespace

ProofReport VerifyProof(const PolicyChain& policies, absl::string_view file_bytes) {
  Work work;
  work.policies = &policies;
  work.bytes = file_bytes;
  return Report(std::move(work));
}

ProofReport VerifyProof(const PolicyChain& policies, const CheckedHead& known,
                        absl::string_view file_bytes) {
  Work work;
  work.policies = &policies;
  work.known = &known;
  work.bytes = file_bytes;
  return Report(std::move(work));
}

}  // namespace vigil::ledger
