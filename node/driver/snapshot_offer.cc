#include "node/driver/snapshot_offer.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "node/log/cosign_note.h"
#include "node/log/outside_lines.h"

namespace vigil::node {
namespace {

constexpr uint32_t kPathHashesMax = 64;

}  // namespace

absl::StatusOr<SnapshotOffer> MakeOffer(const ledger::Genesis& genesis,
                                        const ledger::ChainReader& reader,
                                        const ledger::TileSource& tiles, absl::string_view note,
                                        const BlockLoader& load_block, Height height) {
  const Height carrier(height.value() + genesis.snapshot_interval_blocks);
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint checkpoint, ledger::DecodeSignedCheckpoint(note));
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader.GetBlock(carrier));
  ASSIGN_OR_RETURN(const ledger::BlockInfo below, reader.GetBlock(carrier.Previous()));
  SnapshotOffer offer;
  offer.seal_index = info.first_index.value() + info.record_count;
  if (offer.seal_index >= checkpoint.checkpoint.size) {
    return absl::NotFoundError(absl::StrCat("snapshot ", height.value(), ": block ",
                                            carrier.value(), ", which carries it, is not final"));
  }
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, load_block(carrier));
  offer.mark = {.height = block->header().snapshot_height,
                .digest = block->header().snapshot_digest};
  offer.seal_leaf = ledger::EncodeSealLeaf(block->header_bytes(), below.seal_leaf, info.first_index,
                                           info.record_count);
  ASSIGN_OR_RETURN(offer.path,
                   ledger::InclusionFromTiles(tiles, offer.seal_index, checkpoint.checkpoint.size));
  offer.checkpoint = WithoutOutsideLines(ledger::LogKeysOf(genesis), note);
  return offer;
}

std::string EncodeOffer(const SnapshotOffer& offer) {
  std::string out;
  ByteWriter writer(&out);
  writer.U64(offer.mark.height.value())
      .Fixed(offer.mark.digest)
      .Prefixed(offer.seal_leaf)
      .U64(offer.seal_index)
      .U32(static_cast<uint32_t>(offer.path.size()));
  for (const Hash& hash : offer.path) writer.Fixed(hash);
  writer.Prefixed(offer.checkpoint);
  return out;
}

absl::StatusOr<SnapshotOffer> DecodeOffer(absl::string_view bytes) {
  ByteReader reader(bytes);
  SnapshotOffer offer;
  offer.mark.height = Height(reader.U64());
  offer.mark.digest = reader.ReadHash();
  offer.seal_leaf = ToString(reader.Prefixed(ledger::kSealLeafBytes));
  offer.seal_index = reader.U64();
  const uint32_t count = reader.U32();
  if (count > kPathHashesMax) {
    return absl::InvalidArgumentError(absl::StrCat("snapshot offer: a path of ", count, " hashes"));
  }
  for (uint32_t i = 0; i < count && reader.ok(); ++i) offer.path.push_back(reader.ReadHash());
  offer.checkpoint = ToString(reader.Prefixed(kCosignNoteBytesMax));
  RETURN_IF_ERROR(reader.Finish("snapshot offer"));
  return offer;
}

std::string EncodeOffers(const std::vector<SnapshotOffer>& offers) {
  std::string out;
  ByteWriter writer(&out);
  writer.U32(static_cast<uint32_t>(offers.size()));
  for (const SnapshotOffer& offer : offers) writer.Prefixed(EncodeOffer(offer));
  return out;
}

absl::StatusOr<std::vector<SnapshotOffer>> DecodeOffers(absl::string_view body) {
  ByteReader reader(body);
  const uint32_t count = reader.U32();
  if (count > kSnapshotOffersMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot offers: ", count, ", at most ", kSnapshotOffersMax));
  }
  std::vector<SnapshotOffer> offers;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const ByteSpan bytes = reader.Prefixed(kSnapshotOfferBytesMax);
    if (!reader.ok()) break;
    ASSIGN_OR_RETURN(SnapshotOffer offer, DecodeOffer(AsView(bytes)));
    offers.push_back(std::move(offer));
  }
  RETURN_IF_ERROR(reader.Finish("snapshot offers"));
  return offers;
}

absl::Status CheckOffer(const ledger::Genesis& genesis, const ledger::LogKeys& keys,
                        const SnapshotOffer& offer) {
  ASSIGN_OR_RETURN(const ledger::Seal seal, ledger::DecodeSealLeaf(AsBytes(offer.seal_leaf)));
  const bool carries = offer.mark.height > Height(0) &&
                       seal.header.snapshot_height == offer.mark.height &&
                       seal.header.snapshot_digest == offer.mark.digest;
  if (!carries || seal.header.chain_id != genesis.chain_id) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot offer: the header of block ", seal.header.height.value(),
                     " does not carry the digest of snapshot ", offer.mark.height.value()));
  }
  ASSIGN_OR_RETURN(const Cosigned cosigned, CheckCosigned(keys, offer.checkpoint));
  const ledger::Checkpoint& checkpoint = cosigned.begin()->second.checkpoint;
  const absl::Status included = ledger::VerifyInclusion(offer.seal_index, checkpoint.size,
                                                        ledger::LeafHash(AsBytes(offer.seal_leaf)),
                                                        offer.path, checkpoint.root);
  if (included.ok()) return included;
  return absl::InvalidArgumentError(absl::StrCat("snapshot offer: ", included.message()));
}

}  // namespace vigil::node
