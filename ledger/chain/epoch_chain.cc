#include "ledger/chain/epoch_chain.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/log/note.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kEpochChainTag("vigil/epoch-chain/v1\0", 21);
// A path through a log of 2^64 leaves.
constexpr uint32_t kPathMax = 64;
constexpr absl::string_view kGroupName = "validators";

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

}  // namespace

std::string EncodeEpochChain(std::span<const EpochAnchor> anchors) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Raw(kEpochChainTag).U32(static_cast<uint32_t>(anchors.size()));
  for (const EpochAnchor& anchor : anchors) {
    writer.Prefixed(anchor.seal_leaf).U32(static_cast<uint32_t>(anchor.path.size()));
    for (const Hash& hash : anchor.path) writer.Fixed(hash);
    writer.Prefixed(anchor.checkpoint).Prefixed(anchor.next_set).Prefixed(anchor.addresses);
  }
  return bytes;
}

absl::StatusOr<std::vector<EpochAnchor>> DecodeEpochChain(ByteSpan bytes) {
  ByteReader reader(bytes);
  const ByteSpan tag = reader.Raw(kEpochChainTag.size());
  const uint32_t count = reader.U32();
  if (!reader.ok() || AsView(tag) != kEpochChainTag) return Invalid("epoch chain: no tag");
  if (count > kEpochAnchorsMax) {
    return Invalid("epoch chain: ", count, " anchors, at most ", kEpochAnchorsMax);
  }
  std::vector<EpochAnchor> anchors;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    EpochAnchor anchor;
    anchor.seal_leaf = ToString(reader.Prefixed(kSealLeafBytes));
    const uint32_t path_size = reader.U32();
    if (path_size > kPathMax) {
      return Invalid("epoch chain: anchor ", i + 1, ": path of ", path_size, ", at most ",
                     kPathMax);
    }
    for (uint32_t k = 0; k < path_size; ++k) anchor.path.push_back(reader.ReadHash());
    anchor.checkpoint = ToString(reader.Prefixed(kEpochAnchorBytesMax));
    anchor.next_set = ToString(reader.Prefixed(kEpochAnchorBytesMax));
    anchor.addresses = ToString(reader.Prefixed(kEpochAnchorBytesMax));
    anchors.push_back(std::move(anchor));
  }
  RETURN_IF_ERROR(reader.Finish("epoch chain"));
  return anchors;
}

Policy EpochPolicy(absl::string_view origin, Epoch epoch,
                   std::span<const GenesisValidator> validators, uint32_t quorum) {
  Policy policy;
  PolicyGroup group{.name = std::string(kGroupName), .threshold = quorum, .members = {}};
  for (const GenesisValidator& validator : validators) {
    const std::string name = validator.identity();
    policy.logs.push_back({.key = {.name = std::string(origin),
                                   .type = NoteKeyType::kEd25519,
                                   .key = validator.log_key},
                           .url = ""});
    policy.witnesses.push_back(
        {.name = name,
         .key = {.name = absl::StrCat(origin, "/v/", name, "/", epoch.value()),
                 .type = NoteKeyType::kCosignatureV1,
                 .key = validator.cosigner_key},
         .url = ""});
    group.members.push_back(name);
  }
  policy.groups.push_back(group);
  policy.quorum = group.name;
  return policy;
}

}  // namespace vigil::ledger
