#include "node/driver/fetch_frame.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "node/driver/peer_frame.h"

namespace vigil::node {
namespace {

std::string Begin(PeerFrameType type) { return std::string(1, static_cast<char>(type)); }

absl::StatusOr<ByteReader> Open(absl::string_view frame, PeerFrameType want) {
  ASSIGN_OR_RETURN(const PeerFrameType type, PeerFrameTypeOf(frame));
  if (type == want) return ByteReader(frame.substr(1));
  return absl::InvalidArgumentError(absl::StrCat("peer frame of type ", static_cast<int>(type),
                                                 ", expected ", static_cast<int>(want)));
}

absl::Status CheckCount(absl::string_view what, const FetchRequest& request, uint32_t count_max) {
  if (request.first > Height(0) && request.count_max > 0 && request.count_max <= count_max) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("fetch of ", request.count_max, " ", what, " of height ", request.first.value(),
                   "; heights start at 1, and at most ", count_max, " are asked for"));
}

absl::Status CheckRequest(const FetchRequest& request) {
  switch (request.kind) {
    case FetchKind::kBlocks:
    case FetchKind::kFinalBlocks:
      return CheckCount("blocks", request, kFetchBlocksMax);
    case FetchKind::kLogFile:
      if (!request.path.empty()) return absl::OkStatus();
      return absl::InvalidArgumentError("fetch of a file without name");
    case FetchKind::kOffers:
      return absl::OkStatus();
    case FetchKind::kManifest:
      return CheckCount("manifests", request, 1);
    case FetchKind::kKeptBlock:
      return CheckCount("kept blocks", request, 1);
    case FetchKind::kChunks:
      return CheckCount("chunks", request, kFetchChunksMax);
    case FetchKind::kCheckpoint:
      return CheckCount("checkpoints", request, 1);
    case FetchKind::kModel:
      return absl::OkStatus();
  }
  return absl::InvalidArgumentError("fetch of unknown kind");
}

}  // namespace

std::string EncodeFetchRequest(const FetchRequest& request) {
  std::string out = Begin(PeerFrameType::kFetchRequest);
  ByteWriter writer(&out);
  writer.U32(request.id).U8(static_cast<uint8_t>(request.kind));
  switch (request.kind) {
    case FetchKind::kBlocks:
    case FetchKind::kFinalBlocks:
      writer.U64(request.first.value()).U32(request.count_max);
      break;
    case FetchKind::kLogFile:
      writer.Prefixed(request.path).U64(request.offset);
      break;
    case FetchKind::kOffers:
      break;
    case FetchKind::kManifest:
    case FetchKind::kCheckpoint:
      writer.U64(request.first.value()).U64(request.offset);
      break;
    case FetchKind::kChunks:
      writer.U64(request.first.value()).U32(request.first_chunk).U32(request.count_max);
      break;
    case FetchKind::kModel:
      writer.Fixed(request.digest).U64(request.offset);
      break;
    case FetchKind::kKeptBlock:
      writer.U64(request.first.value());
      break;
  }
  return out;
}

std::string EncodeFetchAnswer(const FetchAnswer& answer) {
  std::string out = Begin(PeerFrameType::kFetchAnswer);
  const bool ok = answer.status.ok();
  ByteWriter(&out)
      .U32(answer.id)
      .U8(static_cast<uint8_t>(answer.status.code()))
      .U32(answer.retry_after_millis)
      .Prefixed(ok ? absl::string_view(answer.body)
                   : answer.status.message().substr(0, kRefusalTextBytesMax));
  return out;
}

std::string EncodeFetchedBlocks(const std::vector<ledger::BlockPtr>& blocks) {
  std::string out;
  ByteWriter writer(&out);
  writer.U32(static_cast<uint32_t>(blocks.size()));
  for (const ledger::BlockPtr& block : blocks) writer.Prefixed(block->frame());
  return out;
}

std::string EncodeFilePart(uint64_t file_bytes, absl::string_view part) {
  std::string out;
  ByteWriter(&out).U64(file_bytes).Raw(part);
  return out;
}

absl::StatusOr<FetchRequest> DecodeFetchRequest(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kFetchRequest));
  FetchRequest request;
  request.id = reader.U32();
  const uint8_t kind = reader.U8();
  request.kind = static_cast<FetchKind>(kind);
  switch (request.kind) {
    case FetchKind::kBlocks:
    case FetchKind::kFinalBlocks:
      request.first = Height(reader.U64());
      request.count_max = reader.U32();
      break;
    case FetchKind::kLogFile:
      request.path = ToString(reader.Prefixed(kFetchPathBytesMax));
      request.offset = reader.U64();
      break;
    case FetchKind::kOffers:
      break;
    case FetchKind::kManifest:
    case FetchKind::kCheckpoint:
      request.first = Height(reader.U64());
      request.offset = reader.U64();
      break;
    case FetchKind::kChunks:
      request.first = Height(reader.U64());
      request.first_chunk = reader.U32();
      request.count_max = reader.U32();
      break;
    case FetchKind::kModel:
      request.digest = reader.ReadHash();
      request.offset = reader.U64();
      break;
    case FetchKind::kKeptBlock:
      request.first = Height(reader.U64());
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat("fetch of unknown kind ", kind));
  }
  RETURN_IF_ERROR(reader.Finish("peer fetch request"));
  RETURN_IF_ERROR(CheckRequest(request));
  return request;
}

absl::StatusOr<FetchAnswer> DecodeFetchAnswer(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kFetchAnswer));
  FetchAnswer answer;
  answer.id = reader.U32();
  const uint8_t code = reader.U8();
  answer.retry_after_millis = reader.U32();
  answer.body = ToString(reader.Prefixed(code == 0 ? kFetchBodyBytesMax : kRefusalTextBytesMax));
  RETURN_IF_ERROR(reader.Finish("peer fetch answer"));
  if (code > kStatusCodeMax) {
    return absl::InvalidArgumentError(absl::StrCat("peer fetch answer: status ", code));
  }
  if (code != 0) {
    answer.status = absl::Status(static_cast<absl::StatusCode>(code), answer.body);
    answer.body.clear();
  }
  return answer;
}

absl::StatusOr<std::vector<ByteSpan>> DecodeFetchedBlocks(absl::string_view body) {
  ByteReader reader(body);
  const uint32_t count = reader.U32();
  if (count > kFetchBlocksMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("fetched blocks: ", count, ", at most ", kFetchBlocksMax));
  }
  std::vector<ByteSpan> blocks;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    blocks.push_back(reader.Prefixed(kBlockBytesMax));
  }
  RETURN_IF_ERROR(reader.Finish("fetched blocks"));
  return blocks;
}

absl::StatusOr<FilePart> DecodeFilePart(absl::string_view body) {
  ByteReader reader(body);
  FilePart part;
  part.file_bytes = reader.U64();
  if (!reader.ok()) return absl::InvalidArgumentError("part of a file: too short");
  part.bytes = std::string(body.substr(sizeof(uint64_t)));
  if (part.bytes.size() > part.file_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("part of a file: ", part.bytes.size(), " bytes of ", part.file_bytes));
  }
  return part;
}

}  // namespace vigil::node
