#include "node/driver/final_blocks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/state/executor.h"
#include "node/driver/fetch_frame.h"
#include "node/log/cosign_note.h"
#include "node/log/outside_lines.h"

namespace vigil::node {
namespace {

constexpr uint32_t kPathHashesMax = 128;

}  // namespace

absl::StatusOr<FinalProof> ProveFinal(const ledger::Genesis& genesis,
                                      const ledger::ChainReader& reader,
                                      const ledger::TileSource& tiles, absl::string_view note,
                                      Height last) {
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint checkpoint, ledger::DecodeSignedCheckpoint(note));
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader.GetBlock(last));
  const uint64_t size = info.first_index.value() + info.record_count + 1;
  if (size > checkpoint.checkpoint.size) {
    return absl::NotFoundError(absl::StrCat("block ", last.value(), " is not final"));
  }
  FinalProof proof;
  if (size < checkpoint.checkpoint.size) {
    ASSIGN_OR_RETURN(proof.path,
                     ledger::ConsistencyFromTiles(tiles, size, checkpoint.checkpoint.size));
  }
  proof.checkpoint = WithoutOutsideLines(ledger::LogKeysOf(genesis), note);
  return proof;
}

std::string EncodeFinalBlocks(const FinalProof& proof,
                              const std::vector<ledger::BlockPtr>& blocks) {
  std::string out;
  ByteWriter writer(&out);
  writer.Prefixed(proof.checkpoint).U32(static_cast<uint32_t>(proof.path.size()));
  for (const Hash& hash : proof.path) writer.Fixed(hash);
  writer.Raw(EncodeFetchedBlocks(blocks));
  return out;
}

absl::StatusOr<std::vector<ledger::BlockPtr>> CheckFinalBlocks(const ledger::Genesis& genesis,
                                                               const ledger::LogKeys& keys,
                                                               const ledger::Tip& tip,
                                                               absl::string_view body) {
  ByteReader reader(body);
  const ByteSpan note = reader.Prefixed(kCosignNoteBytesMax);
  const uint32_t hashes = reader.U32();
  if (hashes > kPathHashesMax) {
    return absl::InvalidArgumentError(absl::StrCat("final blocks: a path of ", hashes, " hashes"));
  }
  std::vector<Hash> path;
  for (uint32_t i = 0; i < hashes && reader.ok(); ++i) path.push_back(reader.ReadHash());
  if (!reader.ok()) return absl::InvalidArgumentError("final blocks: too short");
  const size_t read = 2 * sizeof(uint32_t) + note.size() + path.size() * Hash::size();
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> frames, DecodeFetchedBlocks(body.substr(read)));
  if (frames.empty()) return absl::InvalidArgumentError("final blocks: none");
  std::vector<ledger::BlockPtr> blocks;
  ledger::Tip after = tip;
  for (const ByteSpan frame : frames) {
    ASSIGN_OR_RETURN(ledger::BlockPtr block, ledger::Block::Decode(ToString(frame)));
    if (block->pruned()) return absl::InvalidArgumentError("final blocks: one without payloads");
    RETURN_IF_ERROR(ledger::CheckBlock(genesis, *block));
    RETURN_IF_ERROR(ledger::CheckContinues(ledger::AtHeight(genesis, after.height.Next()), after,
                                           block->header()));
    after = ledger::SealedTip(after, *block);
    blocks.push_back(std::move(block));
  }
  // Everything above is what one validator says. What a quorum says:
  ASSIGN_OR_RETURN(const Cosigned cosigned, CheckCosigned(keys, AsView(note)));
  const ledger::Checkpoint& checkpoint = cosigned.begin()->second.checkpoint;
  const absl::Status included = ledger::VerifyConsistency(after.tree.size(), checkpoint.size,
                                                          after.tree.Root(), checkpoint.root, path);
  if (included.ok()) return blocks;
  return absl::InvalidArgumentError(
      absl::StrCat("final blocks up to ", after.height.value(),
                   ": a quorum cosigned another log: ", included.message()));
}

}  // namespace vigil::node
