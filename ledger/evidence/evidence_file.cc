#include "ledger/evidence/evidence_file.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/log/note.h"
#include "ledger/log/tlog_proof.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kHeading = "vigil.dev/evidence@v1\n";
constexpr absl::string_view kHeadingWithModel = "vigil.dev/evidence@v2\n";
constexpr absl::string_view kHeadingWithEpochs = "vigil.dev/evidence@v3\n";
constexpr uint8_t kPathMax = 63;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("evidence: ", what));
}

void PutQuestion(const EvidenceQuestion& question, ByteWriter* writer) {
  writer->U8(static_cast<uint8_t>(question.subject));
  switch (question.subject) {
    case EvidenceSubject::kEvent:
      writer->U64(question.event.record_index.value()).U32(question.event.item.value());
      break;
    case EvidenceSubject::kAlert:
      writer->U64(question.alert.value());
      break;
    case EvidenceSubject::kSpan:
      writer->U64(question.from_unix_nano).U64(question.to_unix_nano);
      break;
  }
}

absl::Status ReadQuestion(ByteReader* reader, EvidenceQuestion* question) {
  const uint8_t subject = reader->U8();
  switch (subject) {
    case static_cast<uint8_t>(EvidenceSubject::kEvent):
      question->event.record_index = RecordIndex(reader->U64());
      question->event.item = ItemIndex(reader->U32());
      break;
    case static_cast<uint8_t>(EvidenceSubject::kAlert):
      question->alert = RecordIndex(reader->U64());
      break;
    case static_cast<uint8_t>(EvidenceSubject::kSpan):
      question->from_unix_nano = reader->U64();
      question->to_unix_nano = reader->U64();
      if (reader->ok() && question->from_unix_nano >= question->to_unix_nano)
        return Bad("a span without a moment in it");
      break;
    default:
      return Bad(absl::StrCat("subject ", subject, ", 1 to 3 belong there"));
  }
  question->subject = static_cast<EvidenceSubject>(subject);
  return absl::OkStatus();
}

// At most `most` bytes behind a length; not ok() otherwise.
absl::StatusOr<absl::string_view> ReadPiece(ByteReader* reader, absl::string_view what,
                                            size_t most) {
  const uint32_t size = reader->U32();
  if (!reader->ok() || size > most || size > reader->remaining()) {
    return Bad(absl::StrCat(what, " of ", size, " bytes, at most ", most,
                            " and as many as are left belong there"));
  }
  return AsView(reader->Raw(size));
}

absl::Status ReadEvents(ByteReader* reader, EvidencePart* part) {
  const uint32_t count = reader->U32();
  if (!reader->ok() || count > kBatchItemsMax) return Bad(absl::StrCat(count, " events"));
  for (uint32_t i = 0; i < count; ++i) {
    EvidenceEvent event;
    event.item = ItemIndex(reader->U32());
    ASSIGN_OR_RETURN(event.bytes, ReadPiece(reader, "event", kEventBytesMax));
    if (event.bytes.empty()) return Bad("an event without bytes");
    const uint8_t path = reader->U8();
    if (!reader->ok() || path > kPathMax || path * Hash::size() > reader->remaining())
      return Bad("a path that is not there");
    for (uint8_t level = 0; level < path; ++level) {
      event.path.push_back(*Hash::From(reader->Raw(Hash::size())));
    }
    if (!part->events.empty() && event.item <= part->events.back().item)
      return Bad("events out of order");
    part->events.push_back(std::move(event));
  }
  return absl::OkStatus();
}

absl::Status ReadPart(ByteReader* reader, EvidencePart* part) {
  ASSIGN_OR_RETURN(part->proof, ReadPiece(reader, "proof", kTlogProofBytesMax));
  if (!absl::EndsWith(part->proof, "\n\n") || part->proof.find("\n\n") != part->proof.size() - 2)
    return Bad("a proof does not end with its only empty line");
  return ReadEvents(reader, part);
}

}  // namespace

std::string EncodeEvidence(const Evidence& evidence) {
  std::string bytes(!evidence.epochs.empty() ? kHeadingWithEpochs
                    : evidence.model.empty() ? kHeading
                                             : kHeadingWithModel);
  ByteWriter writer(&bytes);
  PutQuestion(evidence.question, &writer);
  writer.Prefixed(evidence.checkpoint).Prefixed(evidence.genesis);
  writer.U32(static_cast<uint32_t>(evidence.parts.size()));
  for (const EvidencePart& part : evidence.parts) {
    writer.Prefixed(part.proof).U32(static_cast<uint32_t>(part.events.size()));
    for (const EvidenceEvent& event : part.events) {
      writer.U32(event.item.value()).Prefixed(event.bytes);
      writer.U8(static_cast<uint8_t>(event.path.size()));
      for (const Hash& hash : event.path) writer.Raw(hash.span());
    }
  }
  if (!evidence.model.empty() || !evidence.epochs.empty()) writer.Prefixed(evidence.model);
  if (!evidence.epochs.empty()) writer.Prefixed(evidence.epochs);
  return bytes;
}

bool LooksLikeEvidence(absl::string_view bytes) {
  return absl::StartsWith(bytes, kHeading) || absl::StartsWith(bytes, kHeadingWithModel) ||
         absl::StartsWith(bytes, kHeadingWithEpochs);
}

absl::StatusOr<Evidence> DecodeEvidence(absl::string_view bytes) {
  if (bytes.size() > kEvidenceBytesMax)
    return Bad(absl::StrCat(bytes.size(), " bytes, at most ", kEvidenceBytesMax));
  const bool with_epochs = absl::ConsumePrefix(&bytes, kHeadingWithEpochs);
  const bool with_model = !with_epochs && absl::ConsumePrefix(&bytes, kHeadingWithModel);
  if (!with_epochs && !with_model && !absl::ConsumePrefix(&bytes, kHeading))
    return Bad("does not begin with its heading");
  ByteReader reader(bytes);
  Evidence evidence;
  RETURN_IF_ERROR(ReadQuestion(&reader, &evidence.question));
  ASSIGN_OR_RETURN(evidence.checkpoint, ReadPiece(&reader, "checkpoint", kNoteBytesMax));
  ASSIGN_OR_RETURN(evidence.genesis, ReadPiece(&reader, "genesis", kGenesisBytesMax));
  const uint32_t count = reader.U32();
  if (!reader.ok() || count > kEvidencePartsMax)
    return Bad(absl::StrCat(count, " parts, at most ", kEvidencePartsMax));
  for (uint32_t i = 0; i < count; ++i) {
    EvidencePart part;
    const absl::Status status = ReadPart(&reader, &part);
    if (!status.ok()) return Annotate(status, absl::StrCat("part ", i));
    evidence.parts.push_back(std::move(part));
  }
  if (with_model || with_epochs) {
    ASSIGN_OR_RETURN(evidence.model, ReadPiece(&reader, "model", kEvidenceModelBytesMax));
    if (with_model && evidence.model.empty()) return Bad("a model without bytes");
  }
  if (with_epochs) {
    ASSIGN_OR_RETURN(evidence.epochs, ReadPiece(&reader, "epoch chain", kEpochChainBytesMax));
    if (evidence.epochs.empty()) return Bad("an epoch chain without bytes");
  }
  if (!reader.ok() || reader.remaining() != 0)
    return Bad(absl::StrCat(reader.remaining(), " bytes after the last part"));
  return evidence;
}

std::string WholeProof(const Evidence& evidence, const EvidencePart& part) {
  return absl::StrCat(part.proof, evidence.checkpoint);
}

absl::StatusOr<absl::string_view> ProofWithoutCheckpoint(absl::string_view file) {
  const size_t end = file.find("\n\n");
  if (end == absl::string_view::npos) return Bad("a proof file without an empty line");
  return file.substr(0, end + 2);
}

}  // namespace vigil::ledger
