#include "node/driver/learner_frame.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/tags.h"
#include "node/driver/peer_frame.h"

namespace vigil::node {
namespace {

constexpr absl::string_view kLearnerHelloTag = VIGIL_TAG("vigil/learner-hello/v1");

std::string Begin(LearnerFrameType type) { return std::string(1, static_cast<char>(type)); }

absl::StatusOr<ByteReader> Open(absl::string_view frame, LearnerFrameType want) {
  ASSIGN_OR_RETURN(const LearnerFrameType type, LearnerFrameTypeOf(frame));
  if (type == want) return ByteReader(frame.substr(1));
  return absl::InvalidArgumentError(absl::StrCat("learner frame of type ", static_cast<int>(type),
                                                 ", expected ", static_cast<int>(want)));
}

}  // namespace

std::string LearnerHelloMessage(const LearnerHello& hello, absl::string_view identity,
                                absl::string_view to, const Hash& certificate_hash) {
  std::string out(kLearnerHelloTag);
  ByteWriter(&out)
      .Fixed(hello.chain_id)
      .Fixed(hello.journal_id)
      .U64(hello.epoch.value())
      .U64(hello.height.value())
      .Prefixed(identity)
      .Prefixed(to)
      .Fixed(certificate_hash);
  return out;
}

std::string EncodeLearnerHello(const LearnerHello& hello) {
  std::string out = Begin(LearnerFrameType::kHello);
  ByteWriter(&out)
      .Fixed(hello.chain_id)
      .U32(hello.protocol_version)
      .Fixed(hello.journal_id)
      .U64(hello.epoch.value())
      .U64(hello.height.value())
      .Fixed(hello.signature);
  return out;
}

std::string EncodeLearnerWelcome(const LearnerWelcome& welcome) {
  std::string out = Begin(LearnerFrameType::kWelcome);
  ByteWriter(&out)
      .U64(welcome.epoch.value())
      .U64(welcome.final.value())
      .Prefixed(ledger::EncodeEpochChain(welcome.anchors));
  return out;
}

std::string EncodeLearnerRequest(Height height, absl::string_view fetch) {
  std::string out = Begin(LearnerFrameType::kRequest);
  ByteWriter(&out).U64(height.value()).Raw(fetch);
  return out;
}

std::string EncodeLearnerAnswer(absl::string_view fetch_answer) {
  std::string out = Begin(LearnerFrameType::kAnswer);
  out.append(fetch_answer.data(), fetch_answer.size());
  return out;
}

absl::StatusOr<LearnerFrameType> LearnerFrameTypeOf(absl::string_view frame) {
  if (frame.empty() || frame.size() > kPeerFrameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("learner frame of ", frame.size(), " bytes"));
  }
  const auto type = static_cast<uint8_t>(frame[0]);
  if (type < 1 || type > static_cast<uint8_t>(LearnerFrameType::kAnswer)) {
    return absl::InvalidArgumentError(absl::StrCat("learner frame of unknown type ", type));
  }
  return static_cast<LearnerFrameType>(type);
}

absl::StatusOr<LearnerHello> DecodeLearnerHello(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, LearnerFrameType::kHello));
  LearnerHello hello;
  hello.chain_id = reader.ReadHash();
  hello.protocol_version = reader.U32();
  // The layout behind the version is that of the version: what another one says is not judged.
  if (reader.ok() && hello.protocol_version != kLearnerProtocolVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello of learner protocol ", hello.protocol_version, ", this is ",
                     kLearnerProtocolVersion, "; run one version everywhere"));
  }
  hello.journal_id = reader.FixedValue<ledger::JournalId>();
  hello.epoch = Epoch(reader.U64());
  hello.height = Height(reader.U64());
  hello.signature = reader.FixedValue<Signature>();
  RETURN_IF_ERROR(reader.Finish("learner hello"));
  return hello;
}

absl::StatusOr<LearnerWelcome> DecodeLearnerWelcome(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, LearnerFrameType::kWelcome));
  LearnerWelcome welcome;
  welcome.epoch = Epoch(reader.U64());
  welcome.final = Height(reader.U64());
  const ByteSpan chain = reader.Prefixed(kPeerFrameBytesMax);
  RETURN_IF_ERROR(reader.Finish("learner welcome"));
  ASSIGN_OR_RETURN(welcome.anchors, ledger::DecodeEpochChain(chain));
  if (welcome.anchors.size() > kHelloAnchorsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("learner welcome: ", welcome.anchors.size(), " anchors"));
  }
  return welcome;
}

absl::StatusOr<LearnerRequest> DecodeLearnerRequest(absl::string_view frame) {
  ASSIGN_OR_RETURN(ByteReader reader, Open(frame, LearnerFrameType::kRequest));
  LearnerRequest request;
  request.height = Height(reader.U64());
  if (!reader.ok()) return absl::InvalidArgumentError("learner request: too short");
  const absl::string_view fetch = frame.substr(1 + sizeof(uint64_t));
  if (fetch.empty()) return request;
  ASSIGN_OR_RETURN(request.fetch, DecodeFetchRequest(fetch));
  return request;
}

absl::StatusOr<FetchAnswer> DecodeLearnerAnswer(absl::string_view frame) {
  RETURN_IF_ERROR(Open(frame, LearnerFrameType::kAnswer).status());
  return DecodeFetchAnswer(frame.substr(1));
}

}  // namespace vigil::node
