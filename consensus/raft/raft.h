// Raft over blocks: agreement that survives crashes of f of 2f + 1 validators, 1 to 7 of them.
//
// A log slot is a block. docs/protocol.md, steps R1 to R31 and E1 to E7, is the protocol; the code
// cites it. Sources: Ongaro, "Consensus: Bridging Theory and Practice" (2014), chapters 3, 6.4
// and 9.6 (pre-vote, check-quorum); etcd/raft's asynchronous storage writes for the shape.
//
// Pure, as consensus/core/core.h demands; a core belongs to one thread.
//
// Inputs that Raft accepts and ignores: PayloadAvailable (an AskBuild is outstanding whenever the
// leader wants a block), Wake, BodyVerdict, BodyFetched, CertificateFetched (Simplex only) and
// Executed. Every ReadRequest is answered by one ReadReady; its id must be another one than those
// of all earlier requests of this start.
//
// A core lives for one epoch: once its sealing block is committed and final, the host ends it and
// starts the next epoch's core on the same journal.
//
// Memory: 56 bytes per block of the chain, for ever, because nothing is compacted yet; besides that
// a bounded amount per peer.
#ifndef VIGIL_CONSENSUS_RAFT_RAFT_H_
#define VIGIL_CONSENSUS_RAFT_RAFT_H_

#include <cstdint>
#include <memory>

#include "consensus/core/core.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::consensus {

inline constexpr uint32_t kRaftValidatorsMax = 7;

struct RaftConfig {
  Hash genesis_hash;  // What the block at height 1 names as its parent.
  Epoch epoch{1};
  BlockId epoch_base;  // The block that sealed the epoch before; height 0 in epoch 1.
  ValidatorIndex self;
  uint32_t validator_count = 1;  // In [1, kRaftValidatorsMax]; self below it.
  // Jitter of elections; also names this start of the validator (protocol.md, R21), so it must
  // differ at every start: random in production, derived from the run's seed in simulators.
  uint64_t seed = 0;

  // A follower that hears from no leader campaigns after a uniform draw from [min, max], plus its
  // delay. Priority of election: the validators that should lead have the smallest delay.
  uint32_t election_timeout_ticks_min = 50;
  uint32_t election_timeout_ticks_max = 100;
  uint32_t election_delay_ticks = 0;
  uint32_t heartbeat_ticks = 10;  // Less than election_timeout_ticks_min.

  // The leader asks for no more blocks while this much is not committed (bytes of frames).
  uint32_t blocks_in_flight_max = 16;
  uint64_t bytes_in_flight_max = 32 * 1024 * 1024;

  // Per follower: what may be sent and not yet acknowledged, and what one message carries. A block
  // larger than a limit travels alone.
  uint32_t peer_messages_in_flight_max = 32;
  uint64_t peer_bytes_in_flight_max = 8 * 1024 * 1024;
  uint64_t message_bytes_max = 1024 * 1024;
  uint32_t message_blocks_max = 64;

  // Reads under way, per validator that asks; one more is answered "ask again".
  uint32_t reads_outstanding_max = 64;
};

// First byte of FaultProof::evidence; docs/formats/raft.md draws what follows. Members are trusted
// and messages are not signed, only blocks are, so just the first is proof for outsiders; the
// others are testimony for operators. Stored: never renumber.
enum class RaftFault : uint8_t {
  kTwoBlocks = 1,          // One proposer, view and height; consensus/verify/evidence.h checks it.
  kTwoLeaders = 2,         // Two validators led one term.
  kCommittedConflict = 3,  // A leader contradicts what is committed here.
};

// Starts or restarts a validator's core.
// REQUIRES: `config` within the ranges above; `recovered` as this validator's journal tells, its
// chain linked and its vote record of `config.epoch` or an older one. Violations stop the process.
std::unique_ptr<Core> MakeRaft(const RaftConfig& config, const Recovered& recovered);

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_RAFT_RAFT_H_
