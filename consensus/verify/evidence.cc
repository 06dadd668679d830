#include "consensus/verify/evidence.h"

#include "absl/status/status.h"
#include "consensus/verify/header_link.h"
#include "ledger/base/status_macros.h"

namespace vigil::consensus {

using ledger::BlockHeader;

std::string EncodeTwoHeaders(const SignedHeader& first, const SignedHeader& second) {
  std::string evidence;
  ByteWriter out(&evidence);
  out.Raw(first.header_bytes).Fixed(first.signature);
  out.Raw(second.header_bytes).Fixed(second.signature);
  return evidence;
}

absl::StatusOr<ValidatorIndex> VerifyTwoHeaders(const ledger::Genesis& genesis,
                                                absl::string_view evidence) {
  ByteReader in(evidence);
  const ByteSpan first_bytes = in.Raw(ledger::kHeaderBytes);
  const Signature first_signature = in.FixedValue<Signature>();
  const ByteSpan second_bytes = in.Raw(ledger::kHeaderBytes);
  const Signature second_signature = in.FixedValue<Signature>();
  RETURN_IF_ERROR(in.Finish("evidence of two headers"));

  ASSIGN_OR_RETURN(const BlockHeader first, ledger::DecodeHeader(first_bytes));
  ASSIGN_OR_RETURN(const BlockHeader second, ledger::DecodeHeader(second_bytes));
  if (first == second) return absl::InvalidArgumentError("evidence: one header twice");
  if (first.chain_id != genesis.chain_id || second.chain_id != genesis.chain_id) {
    return absl::InvalidArgumentError("evidence: header of another chain");
  }
  if (first.epoch != second.epoch || first.view != second.view || first.height != second.height ||
      first.proposer != second.proposer) {
    return absl::InvalidArgumentError(
        "evidence: headers of different epochs, views, heights or proposers");
  }
  RETURN_IF_ERROR(VerifyHeaderSignature(genesis, first, first_signature));
  RETURN_IF_ERROR(VerifyHeaderSignature(genesis, second, second_signature));
  return first.proposer;
}

}  // namespace vigil::consensus
