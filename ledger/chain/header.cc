#include "ledger/chain/header.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/kinds.h"
#include "ledger/chain/record.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"

namespace vigil::ledger {
namespace {

constexpr uint16_t kHeaderFormat = 1;
constexpr size_t kSealBodyBytes = kSealLeafBytes - kLeafPrefixBytes;

}  // namespace

std::string EncodeHeader(const BlockHeader& header) {
  std::string bytes;
  bytes.reserve(kHeaderBytes);
  ByteWriter(&bytes)
      .U16(kHeaderFormat)
      .Fixed(header.chain_id)
      .U64(header.epoch.value())
      .U64(header.view.value())
      .U64(header.height.value())
      .Fixed(header.parent_hash)
      .U64(header.parent_view.value())
      .Fixed(header.body_root)
      .U64(header.executed_height.value())
      .Fixed(header.state_digest)
      .Fixed(header.results_root)
      .U64(header.snapshot_height.value())
      .Fixed(header.snapshot_digest)
      .Fixed(header.validator_set_hash)
      .Fixed(header.next_validator_set_hash)
      .Fixed(header.reveal)
      .U64(header.time_unix_millis)
      .U32(header.proposer.value());
  VIGIL_CHECK(bytes.size() == kHeaderBytes, bytes.size(), " bytes");
  return bytes;
}

absl::StatusOr<BlockHeader> DecodeHeader(ByteSpan bytes) {
  if (bytes.size() != kHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("header: ", bytes.size(), " bytes, exactly ", kHeaderBytes));
  }
  ByteReader reader(bytes);
  const uint16_t format = reader.U16();
  if (format != kHeaderFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat("header: format ", format, ", must be ", kHeaderFormat));
  }
  BlockHeader header;
  header.chain_id = reader.ReadHash();
  header.epoch = Epoch(reader.U64());
  header.view = View(reader.U64());
  header.height = Height(reader.U64());
  header.parent_hash = reader.ReadHash();
  header.parent_view = View(reader.U64());
  header.body_root = reader.ReadHash();
  header.executed_height = Height(reader.U64());
  header.state_digest = reader.ReadHash();
  header.results_root = reader.ReadHash();
  header.snapshot_height = Height(reader.U64());
  header.snapshot_digest = reader.ReadHash();
  header.validator_set_hash = reader.ReadHash();
  header.next_validator_set_hash = reader.ReadHash();
  header.reveal = reader.ReadHash();
  header.time_unix_millis = reader.U64();
  header.proposer = ValidatorIndex(reader.U32());
  VIGIL_CHECK(reader.Finish("header").ok(), "the fields are not kHeaderBytes together");
  return header;
}

Hash HeaderHash(ByteSpan header_bytes) { return Sha256({AsBytes(kHeaderTag), header_bytes}); }

std::string ProposalSigningMessage(const Hash& block_hash) {
  return absl::StrCat(kProposalTag, block_hash.view());
}

std::string EncodeSealLeaf(ByteSpan header_bytes, const Hash& previous_seal, RecordIndex first,
                           uint32_t record_count) {
  VIGIL_CHECK(header_bytes.size() == kHeaderBytes, header_bytes.size(), " bytes");
  std::string leaf;
  leaf.reserve(kSealLeafBytes);
  ByteWriter(&leaf)
      .U8(kLeafVersion)
      .U8(static_cast<uint8_t>(RecordKind::kSeal))
      .U32(kSealBodyBytes)
      .Raw(header_bytes)
      .Fixed(previous_seal)
      .U64(first.value())
      .U32(record_count);
  return leaf;
}

absl::StatusOr<Seal> DecodeSealLeaf(ByteSpan leaf) {
  ByteReader reader(leaf);
  const uint8_t version = reader.U8();
  const uint8_t kind = reader.U8();
  const uint32_t size = reader.U32();
  Seal seal;
  seal.header_bytes = reader.Raw(kHeaderBytes);
  seal.previous_seal = reader.ReadHash();
  seal.first = RecordIndex(reader.U64());
  seal.record_count = reader.U32();
  RETURN_IF_ERROR(reader.Finish("seal"));
  if (version != kLeafVersion || kind != static_cast<uint8_t>(RecordKind::kSeal) ||
      size != kSealBodyBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "seal: version ", version, ", kind ", kind, ", body of ", size, " bytes; must be 1, ",
        static_cast<int>(RecordKind::kSeal), ", ", kSealBodyBytes));
  }
  ASSIGN_OR_RETURN(seal.header, DecodeHeader(seal.header_bytes));
  return seal;
}

Hash RevealParent(const Hash& reveal) { return Sha256({AsBytes(kRevealTag), reveal.span()}); }

}  // namespace vigil::ledger
