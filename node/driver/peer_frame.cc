#include "node/driver/peer_frame.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/tags.h"
#include "node/log/cosign_note.h"

namespace vigil::node {
namespace {

// What agreement may say fits a frame, and a frame a message of gRPC: the largest block travels
// alone (protocol.md, R9), with some bytes of framing around it.
constexpr size_t kFramingBytes = 1024;
static_assert(kBlockBytesMax + kCoreHeaderBytesMax + kFramingBytes <= kPeerFrameBytesMax);
static_assert(kPeerFrameBytesMax + kFramingBytes <= kGrpcMessageBytesMax);

std::string Begin(PeerFrameType type) { return std::string(1, static_cast<char>(type)); }

// A reader behind the type byte. Errors: kInvalidArgument when the frame is of another type.
absl::StatusOr<ByteReader> Open(absl::string_view frame, PeerFrameType want) {
  ASSIGN_OR_RETURN(const PeerFrameType type, PeerFrameTypeOf(frame));
  if (type != want) {
    return absl::InvalidArgumentError(absl::StrCat("peer frame of type ", static_cast<int>(type),
                                                   ", expected ", static_cast<int>(want)));
  }
  return ByteReader(frame.substr(1));
}

absl::string_view Cut(absl::string_view text) { return text.substr(0, kRefusalTextBytesMax); }

absl::Status TooMany(absl::string_view what, uint64_t count, uint64_t count_max) {
  return absl::InvalidArgumentError(
      absl::StrCat("peer frame: ", count, " ", what, ", at most ", count_max));
}

}  // namespace

std::string HelloMessage(const HelloFrame& hello, ValidatorIndex to, const Hash& certificate_hash) {
  std::string out(ledger::kHelloTag);
  ByteWriter(&out)
      .Fixed(hello.chain_id)
      .Fixed(hello.journal_id)
      .U32(hello.validator.value())
      .U32(to.value())
      .Fixed(certificate_hash);
  if (hello.epoch > Epoch(1)) ByteWriter(&out).U64(hello.epoch.value());
  return out;
}

std::string EncodeHello(const HelloFrame& hello) {
  std::string out = Begin(PeerFrameType::kHello);
  ByteWriter(&out)
      .Fixed(hello.chain_id)
      .Fixed(hello.journal_id)
      .U32(hello.epoch > Epoch(1) ? kPeerProtocolVersionEpochs : hello.protocol_version)
      .U32(hello.validator.value())
      .Fixed(hello.signature);
  if (hello.epoch > Epoch(1)) {
    ByteWriter(&out).U64(hello.epoch.value()).Prefixed(ledger::EncodeEpochChain(hello.anchors));
  }
  return out;
}

std::string EncodeConsensusHead(absl::string_view header, uint32_t block_count) {
  std::string out = Begin(PeerFrameType::kConsensus);
  ByteWriter(&out).Prefixed(header).U32(block_count);
  return out;
}

std::string EncodeForward(const std::vector<std::shared_ptr<const ledger::Record>>& records) {
  size_t size = 5;
  for (const auto& record : records) size += 8 + record->leaf.size() + record->payload.size();
  std::string out = Begin(PeerFrameType::kForward);
  out.reserve(size);
  ByteWriter writer(&out);
  writer.U32(static_cast<uint32_t>(records.size()));
  for (const auto& record : records) writer.Prefixed(record->leaf).Prefixed(record->payload);
  return out;
}

std::string EncodeForwardRefused(const ForwardRefusedFrame& refused) {
  std::string out = Begin(PeerFrameType::kForwardRefused);
  ByteWriter(&out)
      .Fixed(refused.leaf_hash)
      .U8(refused.status)
      .U32(refused.retry_after_millis)
      .U64(refused.expected_sequence)
      .Fixed(refused.expected_previous)
      .Prefixed(Cut(refused.code))
      .Prefixed(Cut(refused.what))
      .Prefixed(Cut(refused.remedy));
  return out;
}

std::string EncodeCosignature(const CosignatureFrame& cosignature) {
  std::string out = Begin(PeerFrameType::kCosignature);
  ByteWriter(&out).U8(cosignature.asks ? 1 : 0).Prefixed(cosignature.note);
  return out;
}

absl::StatusOr<PeerFrameType> PeerFrameTypeOf(absl::string_view frame) {
  if (frame.empty()) return absl::InvalidArgumentError("peer frame: empty");
  if (frame.size() > kPeerFrameBytesMax) return TooMany("bytes", frame.size(), kPeerFrameBytesMax);
  const auto type = static_cast<uint8_t>(frame[0]);
  if (type < 1 || type > static_cast<uint8_t>(PeerFrameType::kFetchAnswer)) {
    return absl::InvalidArgumentError(absl::StrCat("peer frame of unknown type ", type));
  }
  return static_cast<PeerFrameType>(type);
}

absl::StatusOr<HelloFrame> DecodeHello(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kHello));
  HelloFrame hello;
  hello.chain_id = reader.ReadHash();
  hello.journal_id = reader.FixedValue<ledger::JournalId>();
  hello.protocol_version = reader.U32();
  hello.validator = ValidatorIndex(reader.U32());
  // The layout behind the version is that of the version: what another one says is not judged.
  const bool has_epoch = hello.protocol_version == kPeerProtocolVersionEpochs;
  if (reader.ok() && hello.protocol_version != kPeerProtocolVersion && !has_epoch) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello of peer protocol ", hello.protocol_version, ", this is ",
                     kPeerProtocolVersion, "; run one version everywhere"));
  }
  hello.signature = reader.FixedValue<Signature>();
  if (has_epoch) {
    hello.epoch = Epoch(reader.U64());
    const ByteSpan chain = reader.Prefixed(kPeerFrameBytesMax);
    if (reader.ok() && hello.epoch < Epoch(2)) {
      return absl::InvalidArgumentError(absl::StrCat("peer hello: epoch ", hello.epoch.value(),
                                                     " in protocol ", hello.protocol_version,
                                                     ", which begins with 2"));
    }
    if (reader.ok()) {
      ASSIGN_OR_RETURN(hello.anchors, ledger::DecodeEpochChain(chain));
    }
    if (hello.anchors.size() > kHelloAnchorsMax) {
      return TooMany("anchors", hello.anchors.size(), kHelloAnchorsMax);
    }
  }
  RETURN_IF_ERROR(reader.Finish("peer hello"));
  return hello;
}

absl::StatusOr<ConsensusFrame> DecodeConsensus(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kConsensus));
  ConsensusFrame consensus;
  consensus.header = AsView(reader.Prefixed(kCoreHeaderBytesMax));
  const uint32_t count = reader.U32();
  if (count > kFrameBlocksMax) return TooMany("blocks", count, kFrameBlocksMax);
  consensus.blocks.reserve(count);
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    consensus.blocks.push_back(reader.Prefixed(kBlockBytesMax));
  }
  RETURN_IF_ERROR(reader.Finish("peer consensus frame"));
  return consensus;
}

absl::StatusOr<ForwardFrame> DecodeForward(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kForward));
  ForwardFrame forward;
  const uint32_t count = reader.U32();
  if (count > kForwardRecordsMax) return TooMany("records", count, kForwardRecordsMax);
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    ForwardFrame::Entry entry;
    entry.leaf = AsView(reader.Prefixed(kRecordLeafBytesMax));
    entry.payload = AsView(reader.Prefixed(kPayloadBytesMax));
    forward.records.push_back(entry);
  }
  RETURN_IF_ERROR(reader.Finish("peer forward frame"));
  return forward;
}

absl::StatusOr<ForwardRefusedFrame> DecodeForwardRefused(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kForwardRefused));
  ForwardRefusedFrame refused;
  refused.leaf_hash = reader.ReadHash();
  refused.status = reader.U8();
  refused.retry_after_millis = reader.U32();
  refused.expected_sequence = reader.U64();
  refused.expected_previous = reader.ReadHash();
  refused.code = ToString(reader.Prefixed(kRefusalTextBytesMax));
  refused.what = ToString(reader.Prefixed(kRefusalTextBytesMax));
  refused.remedy = ToString(reader.Prefixed(kRefusalTextBytesMax));
  RETURN_IF_ERROR(reader.Finish("peer refusal"));
  if (refused.status == 0 || refused.status > kStatusCodeMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("peer refusal: status ", refused.status, ", must be 1 to ", kStatusCodeMax));
  }
  return refused;
}

absl::StatusOr<CosignatureFrame> DecodeCosignature(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, PeerFrameType::kCosignature));
  const uint8_t flags = reader.U8();
  CosignatureFrame cosignature;
  cosignature.asks = flags == 1;
  cosignature.note = AsView(reader.Prefixed(kCosignNoteBytesMax));
  RETURN_IF_ERROR(reader.Finish("peer cosignature"));
  if (flags > 1) {
    return absl::InvalidArgumentError(absl::StrCat("peer cosignature: flags ", flags));
  }
  return cosignature;
}

}  // namespace vigil::node
