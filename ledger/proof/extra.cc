#include "ledger/proof/extra.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kProofTag("vigil/proof/v1\0", 15);
// Results that one root can cover.
constexpr uint32_t kResultsMax = kExecutionLagHeightsMax * kBlockRecordsMax;

void WritePath(const std::vector<Hash>& path, ByteWriter* writer) {
  VIGIL_CHECK(path.size() <= kProofHashesMax, "path of ", path.size(), " hashes");
  writer->U8(static_cast<uint8_t>(path.size()));
  for (const Hash& hash : path) writer->Fixed(hash);
}

absl::Status ReadPath(absl::string_view what, ByteReader* reader, std::vector<Hash>* path) {
  const uint8_t count = reader->U8();
  if (count > kProofHashesMax) {
    return absl::InvalidArgumentError(absl::StrCat("proof: path of the ", what, " has ", count,
                                                   " hashes, at most ", kProofHashesMax));
  }
  if (reader->remaining() < count * Hash::size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("proof: ends inside the path of the ", what, ", ", count, " hashes long"));
  }
  path->reserve(count);
  for (uint8_t i = 0; i < count; ++i) path->push_back(reader->ReadHash());
  return absl::OkStatus();
}

void WriteSeal(const SealProof& seal, ByteWriter* writer) {
  writer->U64(seal.index.value()).Prefixed(seal.leaf);
  WritePath(seal.path, writer);
}

absl::Status ReadSeal(absl::string_view what, ByteReader* reader, SealProof* seal) {
  seal->index = RecordIndex(reader->U64());
  seal->leaf = ToString(reader->Prefixed(kSealLeafBytes));
  if (!reader->ok() || seal->leaf.size() != kSealLeafBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("proof: the ", what, " is not ", kSealLeafBytes, " bytes long"));
  }
  return ReadPath(what, reader, &seal->path);
}

void WriteResult(const ResultProof& result, ByteWriter* writer) {
  VIGIL_CHECK(result.bytes.size() <= kProofResultBytesMax, "result of ", result.bytes.size());
  writer->Prefixed(result.bytes).U32(result.position).U32(result.count);
  WritePath(result.path, writer);
  WriteSeal(result.seal, writer);
}

absl::Status ReadResult(ByteReader* reader, ResultProof* result) {
  result->bytes = ToString(reader->Prefixed(kProofResultBytesMax));
  result->position = reader->U32();
  result->count = reader->U32();
  if (!reader->ok()) return absl::InvalidArgumentError("proof: ends inside the result");
  if (result->position >= result->count || result->count > kResultsMax) {
    return absl::InvalidArgumentError(absl::StrCat("proof: result ", result->position, " of ",
                                                   result->count, ", at most ", kResultsMax));
  }
  RETURN_IF_ERROR(ReadPath("result", reader, &result->path));
  return ReadSeal("seal over the result", reader, &result->seal);
}

void WriteEvent(const EventProof& event, ByteWriter* writer) {
  VIGIL_CHECK(event.bytes.size() <= kEventBytesMax, "event of ", event.bytes.size());
  writer->U32(event.item.value()).Fixed(event.leaf_hash);
  WritePath(event.path, writer);
  writer->Prefixed(event.bytes);
}

absl::Status ReadEvent(ByteReader* reader, EventProof* event) {
  event->item = ItemIndex(reader->U32());
  event->leaf_hash = reader->ReadHash();
  RETURN_IF_ERROR(ReadPath("event", reader, &event->path));
  event->bytes = ToString(reader->Prefixed(kEventBytesMax));
  return absl::OkStatus();
}

}  // namespace

absl::string_view ProofSubjectName(ProofSubject subject) {
  switch (subject) {
    case ProofSubject::kEvent:
      return "event";
    case ProofSubject::kRecord:
      return "record";
    case ProofSubject::kBlock:
      return "block";
  }
  return "unknown";
}

std::string EncodeProofExtra(const ProofExtra& extra) {
  VIGIL_CHECK(extra.leaf.size() <= kRecordLeafBytesMax, "leaf of ", extra.leaf.size(), " bytes");
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Raw(kProofTag).U8(static_cast<uint8_t>(extra.subject)).Prefixed(extra.leaf);
  if (extra.subject == ProofSubject::kBlock) return bytes;
  writer.Fixed(extra.author_key);
  WriteSeal(extra.block, &writer);
  WriteResult(extra.result, &writer);
  if (extra.subject == ProofSubject::kEvent) WriteEvent(extra.event, &writer);
  return bytes;
}

absl::StatusOr<ProofExtra> DecodeProofExtra(ByteSpan bytes) {
  ByteReader reader(bytes);
  if (AsView(reader.Raw(kProofTag.size())) != kProofTag) {
    return absl::InvalidArgumentError("proof: the extra line is not one of vigil/proof/v1");
  }
  ProofExtra extra;
  const uint8_t subject = reader.U8();
  if (subject < static_cast<uint8_t>(ProofSubject::kEvent) ||
      subject > static_cast<uint8_t>(ProofSubject::kBlock)) {
    return absl::InvalidArgumentError(absl::StrCat("proof: subject ", subject, ", from 1 to 3"));
  }
  extra.subject = static_cast<ProofSubject>(subject);
  extra.leaf = ToString(reader.Prefixed(kRecordLeafBytesMax));
  if (extra.subject != ProofSubject::kBlock) {
    extra.author_key = reader.FixedValue<PublicKey>();
    RETURN_IF_ERROR(ReadSeal("seal of the block", &reader, &extra.block));
    RETURN_IF_ERROR(ReadResult(&reader, &extra.result));
  }
  if (extra.subject == ProofSubject::kEvent) RETURN_IF_ERROR(ReadEvent(&reader, &extra.event));
  RETURN_IF_ERROR(reader.Finish("proof"));
  return extra;
}

}  // namespace vigil::ledger
