// What a client can check of agreement in raft mode: that a block's header belongs to the chain and
// that a validator of the set answers for it with its signature.
//
// In raft mode no certificate exists: commitment rests on the members, and finality on the
// cosignatures of checkpoints. Pure, thread-safe.
#ifndef VIGIL_CONSENSUS_VERIFY_HEADER_LINK_H_
#define VIGIL_CONSENSUS_VERIFY_HEADER_LINK_H_

#include "absl/status/status.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/header.h"

namespace vigil::consensus {

// The parent of the block at height 1.
ledger::BlockId GenesisBlockId(const Hash& genesis_hash);

// Whether `header` is a block directly above `parent`, of this chain and an epoch that `genesis`
// knows, signed by the validator of that epoch's set that it names as its proposer.
//
// Errors:
//   kInvalidArgument: chain, epoch, height, parent, view, validator set or executed height is
//   wrong,
//                     or the proposer is outside the set; the message names both values.
//   kUnauthenticated: the signature is not the proposer's.
absl::Status VerifyHeaderLink(const ledger::Genesis& genesis, const ledger::BlockId& parent,
                              const ledger::BlockHeader& header, const Signature& signature);

// The signature half alone: `signature` is that of header.proposer of its epoch's set.
// Errors: kInvalidArgument (proposer outside the set), kUnauthenticated.
absl::Status VerifyHeaderSignature(const ledger::Genesis& genesis,
                                   const ledger::BlockHeader& header, const Signature& signature);

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_VERIFY_HEADER_LINK_H_
