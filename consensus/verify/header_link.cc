#include "consensus/verify/header_link.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/keys.h"

namespace vigil::consensus {
namespace {

using ledger::BlockHeader;
using ledger::BlockId;
using ledger::Genesis;

absl::Status Differs(absl::string_view field, absl::string_view got, absl::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat("header ", field, ": ", got, ", want ", want));
}

absl::Status RequireHash(absl::string_view field, const Hash& got, const Hash& want) {
  if (got == want) return absl::OkStatus();
  return Differs(field, got.ToHex(), want.ToHex());
}

absl::Status RequireNumber(absl::string_view field, uint64_t got, uint64_t want) {
  if (got == want) return absl::OkStatus();
  return Differs(field, absl::StrCat(got), absl::StrCat(want));
}

}  // namespace

BlockId GenesisBlockId(const Hash& genesis_hash) {
  return BlockId{Height(0), View(0), genesis_hash};
}

absl::Status VerifyHeaderSignature(const Genesis& genesis, const BlockHeader& header,
                                   const Signature& signature) {
  const std::vector<ledger::GenesisValidator>* const validators =
      ledger::ValidatorsOf(genesis, header.epoch);
  if (validators == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("header epoch ", header.epoch.value(),
                                                   ", known are 1 to ", genesis.epoch.value()));
  }
  if (header.proposer.value() >= validators->size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("header proposer ", header.proposer.value(), " of ", validators->size()));
  }
  const std::string header_bytes = ledger::EncodeHeader(header);
  const Hash block_hash = ledger::HeaderHash(AsBytes(header_bytes));
  const PublicKey& key = (*validators)[header.proposer.value()].consensus_key;
  const std::string message = ledger::ProposalSigningMessage(block_hash);
  if (!ledger::VerifySignature(key, AsBytes(message), signature)) {
    return absl::UnauthenticatedError(absl::StrCat("block ", header.height.value(),
                                                   ": signature is not that of validator ",
                                                   header.proposer.value()));
  }
  return absl::OkStatus();
}

absl::Status VerifyHeaderLink(const Genesis& genesis, const BlockId& parent,
                              const BlockHeader& header, const Signature& signature) {
  RETURN_IF_ERROR(RequireHash("chain id", header.chain_id, genesis.chain_id));
  RETURN_IF_ERROR(RequireNumber("height", header.height.value(), parent.height.Next().value()));
  RETURN_IF_ERROR(RequireHash("parent hash", header.parent_hash, parent.hash));
  RETURN_IF_ERROR(RequireNumber("parent view", header.parent_view.value(), parent.view.value()));
  if (header.view < parent.view || header.view == View(0)) {
    return absl::InvalidArgumentError(absl::StrCat("header view: ", header.view.value(),
                                                   ", at least ", parent.view.value(), " and 1"));
  }
  if (header.executed_height >= header.height ||
      header.height - header.executed_height > kExecutionLagHeightsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("header executed height: ", header.executed_height.value(), ", want within ",
                     kExecutionLagHeightsMax, " below ", header.height.value()));
  }
  RETURN_IF_ERROR(ledger::FindHeaderEpoch(genesis, header).status());
  return VerifyHeaderSignature(genesis, header, signature);
}

}  // namespace vigil::consensus
