// The contract between an agreement protocol and the machine that hosts it: two closed lists,
// Input and Output, and the interface Core. Raft and Simplex implement it; node/driver and the
// simulator host it.
//
// A core is pure: no clock, thread, socket, file or unseeded randomness, and no behaviour that
// depends on hash-map order. The same inputs give the same outputs and the same digest() on every
// machine. A core belongs to one thread.
//
// A core holds no block bodies: it names blocks by BlockId, and the host, which journalled each
// body, finds the bytes when a message or a commit needs them.
#ifndef VIGIL_CONSENSUS_CORE_CORE_H_
#define VIGIL_CONSENSUS_CORE_CORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"

namespace vigil::consensus {

using ledger::BlockId;
using ledger::BlockPtr;

// ---------------------------------------------------------------------------------------- Input

// A message of validator `from`, authenticated by the transport. `header` is the protocol's own
// bytes; `blocks` came with it, each already past ledger::CheckBlock.
struct PeerMessage {
  ValidatorIndex from;
  std::string header;
  std::vector<BlockPtr> blocks;
};
// Time passed: one tick is kTickMillis.
struct Tick {};
// The mempool holds something to agree on (or a heartbeat is due).
struct PayloadAvailable {};
// A peer says that payload waits somewhere (Simplex; ignored by Raft).
struct Wake {
  ValidatorIndex from;
};
// Answer to AskBuild. Stale ones (another parent or view) are dropped by the core.
struct BlockBuilt {
  BlockPtr block;
};
// Answer to AskVerify.
struct BodyVerdict {
  Hash block_hash;
  bool valid = false;
};
// Answers to AskFetch; empty when nobody had them.
struct BodyFetched {
  std::vector<BlockPtr> blocks;
};
struct CertificateFetched {
  BlockId block;
  std::string certificate;
};
// Everything appended by outputs with sequence <= `sequence` is on disk.
struct DurableUpTo {
  uint64_t sequence = 0;
};
// State was executed up to `height` with this digest.
struct Executed {
  Height height;
  Hash state_digest;
  Hash results_root;
};
// What lies up to `block`, which is committed and executed, is kept elsewhere: the log begins
// above.
struct LogBegins {
  BlockId block;
};
struct ReadRequest {
  uint64_t read_id = 0;
};
// `to` is to lead. A leader that can hand over to it says so in CoreStatus::transfer_to until it
// has stepped down or given up.
struct Transfer {
  ValidatorIndex to;
};

using Input =
    std::variant<PeerMessage, Tick, PayloadAvailable, Wake, BlockBuilt, BodyVerdict, BodyFetched,
                 CertificateFetched, DurableUpTo, Executed, LogBegins, ReadRequest, Transfer>;

// --------------------------------------------------------------------------------------- Output

// One journal record, in order. Exactly one of `block` (kBlock) and `body` is set.
struct JournalAppend {
  enum class Kind : uint8_t { kBlock, kVote, kCommit } kind = Kind::kBlock;
  BlockPtr block;
  std::string body;
};
// `bodies` are attached by the host from its cache or journal.
struct Message {
  ValidatorIndex to;
  std::string header;
  std::vector<BlockId> bodies;
};
// Blocks are committed in order of height, each once.
struct Committed {
  BlockId block;
  std::string certificate;  // Empty in raft mode.
};
// Build a block on `parent` in `view`. `empty`: no records and at once (the start of a term).
// Otherwise as soon as the mempool holds something or a heartbeat is due. A later AskBuild or
// AskCancelBuild replaces an earlier one. `closing`: `empty`, and above the block that seals the
// epoch, whose two validator set hashes it repeats; it is never committed (protocol.md, E1).
struct AskBuild {
  BlockId parent;
  View view;
  bool empty = false;
  bool closing = false;
};
struct AskCancelBuild {};
struct AskVerify {
  BlockPtr block;
};
struct AskFetch {
  std::vector<BlockId> blocks;
  ValidatorIndex from;
};
// The log of `from` begins above what this core has: nobody who leads as it does can bring it up to
// date. The host joins anew by a snapshot of `height` or above, and starts another core.
struct AskInstallSnapshot {
  ValidatorIndex from;
  Height height;
};
// Portable evidence that `culprit` signed two things that exclude each other.
struct FaultProof {
  ValidatorIndex culprit;
  std::string evidence;
  std::string what;  // For people.
};
struct ReadReady {
  uint64_t read_id = 0;
  Height height;  // Answer from state at or above; 0: lost, ask again.
};
using Ask = std::variant<AskBuild, AskCancelBuild, AskVerify, AskFetch, AskInstallSnapshot>;

// What one step wants done. The host: (1) sends `send_now`, which promises nothing; (2) appends
// `append` and, if `must_sync`, syncs; (3) then feeds DurableUpTo(sequence) and sends
// `send_when_durable`: promises. `committed` may be executed as soon as the blocks are durable.
struct Output {
  uint64_t sequence =
      0;  // 0 iff `append` is empty; otherwise grows by one per output with appends.
  std::vector<JournalAppend> append;
  bool must_sync = false;
  std::vector<Message> send_now;
  std::vector<Message> send_when_durable;
  std::vector<Committed> committed;
  std::vector<Ask> asks;
  std::vector<FaultProof> fault_proofs;
  std::vector<ReadReady> reads_ready;
};

enum class CoreRole : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader, kNonVoter };
absl::string_view CoreRoleName(CoreRole role);

struct PeerProgress {
  ValidatorIndex validator;
  Height match;         // Highest height known to be durable there; leader only.
  bool active = false;  // Heard from within an election timeout.
  bool voter = true;    // It may vote and be elected, as far as a leader knows.
};

struct CoreStatus {
  CoreRole role = CoreRole::kFollower;
  Epoch epoch{1};
  View view;
  std::optional<ValidatorIndex> leader;
  BlockId last;  // Last block appended.
  BlockId committed;
  std::optional<BlockId> sealing;  // The block of this log that seals the epoch.
  std::vector<PeerProgress> peers;
  std::optional<ValidatorIndex> transfer_to;  // This leader hands over to it.
  uint64_t messages_dropped = 0;              // Malformed, or against the protocol.
};

inline constexpr int kTickMillis = 10;

class Core {
 public:
  virtual ~Core() = default;
  // Handles one input. Never fails: bad input from peers is dropped and counted.
  virtual Output Step(const Input& input) = 0;
  virtual CoreStatus Status() const = 0;
  // SHA-256 over everything that decides later behaviour; equal after equal inputs.
  virtual Hash digest() const = 0;
};

// What a host recovered from its journal, to start a core again, or that of the next epoch.
struct Recovered {
  std::string vote;  // Body of the last kVote record, of this epoch or an older; empty: none.
  // What the journal's branch begins above: the block of a snapshot, or genesis (height 0, view 0
  // and whatever hash: the protocol's configuration names it).
  BlockId base;
  // Blocks in the journal's branch, heights base + 1, base + 2 ... No closing blocks of an epoch
  // that is over: above the block that this epoch begins on, only blocks of this epoch.
  std::vector<BlockId> chain;
  std::vector<uint32_t>
      chain_sizes;       // Frame bytes of each; empty: not known, counted as the largest.
  Height committed;      // Known to be committed (executed height or last commit mark); a base is.
  bool may_vote = true;  // False after an ambiguous tail: catch up with a quorum first.
  // It joins with an empty journal and without a rollback guard that tells of votes: it may have
  // given some in terms that it knows nothing of. Implies that it may not vote.
  bool forgot_votes = false;
  // The rollback guard's view: promises may have been given up to there. The guard is written
  // before a promise of a new view leaves, so that this holds when the journal's tail is lost.
  View view_min;
  // The first block of the core's own epoch that seals it, in `chain` or as `base`; 0: none. Blocks
  // of `chain` above it are closing blocks.
  Height sealing;
  // The two sets that the header of that block names: what closing blocks must repeat.
  Hash sealing_set;
  Hash sealing_next_set;
};

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_CORE_CORE_H_
