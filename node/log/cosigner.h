// Cosigner: decides which checkpoint to announce, what to sign, and when a quorum made one final
// (protocol.md, Checkpoints).
//
// A pure state machine: no clock, disk, lock or thread; time comes in with every call, and what it
// wants done leaves by Take(). Belongs to one thread. Memory is bounded by the constants below.
//
// The owner feeds it the block ends of a tree that it recomputed from stored bytes itself and found
// equal to the executed one, and notes whose signatures it has checked.
//
// Invariants:
//   (1) A signature leaves only for what the last OnGuarded() named, which was on disk before.
//   (2) Sizes that are signed never shrink, and one size is never signed with two roots, over
//       restarts too, as long as the guard given at the start is the last one that was on disk.
//   (3) Only checkpoints that are ends of own blocks with own roots are signed or become final.
#ifndef VIGIL_NODE_LOG_COSIGNER_H_
#define VIGIL_NODE_LOG_COSIGNER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/base/strong_id.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/log_keys.h"
#include "node/log/cosign_guard.h"
#include "node/log/cosign_note.h"

namespace vigil::node {

inline constexpr int64_t kAnnounceMicros =
    200'000;  // The proposer's checkpoints while blocks come.
inline constexpr int64_t kReannounceMicros = 500'000;   // Until it is final: frames may be lost.
inline constexpr int64_t kImpatientMicros = 1'000'000;  // A tip not final so long is announced by
inline constexpr int64_t kImpatientJitterMicros = 500'000;  // anybody, after up to this more.

inline constexpr size_t kBlockEndsMax = 4096;  // Own block ends that notes are held against.
inline constexpr size_t kOpenSizesMax = 512;   // Sizes that are neither final nor given up.
inline constexpr size_t kForksKeptMax = 64;    // Differing notes that are handed out as evidence.

// The end of an own block: the tree just behind its seal.
struct BlockEnd {
  Height height;
  uint64_t size = 0;
  Hash root;
  ValidatorIndex proposer;
};

struct Instant {
  int64_t micros = 0;         // Monotonic.
  uint64_t unix_seconds = 0;  // Stands in cosignatures.
};

// Another validator signed what is not on our chain.
struct ForkEvidence {
  ValidatorIndex validator;
  uint64_t size = 0;
  std::string reason;
  std::string theirs;  // Its signed note.
  std::string ours;    // What we know to be signed at that size; else our unsigned checkpoint.
                       // Reported again, with a quorum's lines, if that size becomes final.
};

struct CosignFrame {
  std::optional<ValidatorIndex> to;  // nullopt: all others.
  std::string note;
  bool asks = false;  // The receiver answers with its own newest note.
};

struct CosignerOutput {
  std::optional<CosignGuard> guard;  // To be on disk, then OnGuarded().
  std::vector<CosignFrame> frames;
  bool final_changed = false;  // final_note() has a larger size or more lines.
  std::vector<ForkEvidence> evidence;
  std::string contradiction;  // Not empty: our chain denies our own promise; nothing is signed now.
};

struct FinalCheckpoint {
  Height height;  // 0: none yet.
  uint64_t size = 0;
  Hash root;
};

class Cosigner {
 public:
  struct Options {
    const ledger::LogKeys* keys = nullptr;  // These three must outlive the object.
    const ledger::SigningKey* log_key = nullptr;
    const ledger::SigningKey* cosigner_key = nullptr;
    ValidatorIndex self;
    CosignGuard guard;  // The last one in the journal.
    uint64_t seed = 0;  // Of the jitter.
  };
  explicit Cosigner(const Options& options);

  // Whether it may sign at all now; starts as false.
  void SetMaySign(bool may_sign) { may_sign_ = may_sign; }
  // Nothing at or below `floor` is signed from now on, in place of kFloorUntilVoter also more; the
  // result is to be on disk before anything is. REQUIRES: it may not sign yet.
  const CosignGuard& RaiseFloor(Height floor);
  // A final checkpoint that an earlier start had collected, found to be on the own chain.
  void Restore(const Cosigned& cosigned, Height height);

  // REQUIRES: sizes and heights grow.
  void OnBlockEnd(const BlockEnd& end, const Instant& now);
  // `asks`: the sender wants to hear our newest note.
  void OnNote(const SignedCheckpoint& note, bool asks, const Instant& now);
  // The guard that was asked for last is on disk.
  void OnGuarded(const Instant& now);
  // Time has passed; also to be called after a batch of the above.
  void OnTimer(const Instant& now);
  // When OnTimer() must be called if nothing else happens; nullopt: need not.
  std::optional<int64_t> Deadline() const;

  // What is to be done since the last call.
  CosignerOutput Take() { return std::exchange(output_, {}); }

  const FinalCheckpoint& final() const { return final_; }
  // REQUIRES: final().size > 0. With all lines that have come so far.
  std::string final_note() const { return EncodeCosigned(open_.at(final_.size)); }
  // Size of the newest checkpoint that this validator signed since it started.
  uint64_t signed_size() const { return own_.has_value() ? own_->checkpoint.size : 0; }
  uint64_t fork_count() const { return fork_count_; }

 private:
  // Notes of one validator for sizes that the own tree has not reached: the smallest, so that it is
  // not chased for ever, and the newest.
  struct Ahead {
    std::optional<SignedCheckpoint> first;
    std::optional<SignedCheckpoint> newest;
  };

  const BlockEnd* FindEnd(uint64_t size) const;
  void KeepAhead(const SignedCheckpoint& note);
  void Judge(const SignedCheckpoint& note, const Instant& now);
  void Collect(const SignedCheckpoint& note, const Instant& now);
  void Want(const BlockEnd& end, const Instant& now);
  void Sign(const Instant& now);
  void Announce(const Instant& now);
  void Reply(ValidatorIndex to);
  void ProveForks();
  void ReportFork(const SignedCheckpoint& note, const BlockEnd* ours, std::string reason);
  void CheckGuard(const BlockEnd& end);
  void WatchTip(const Instant& now);
  uint64_t tip_size() const { return ends_.empty() ? 0 : ends_.back().size; }

  const Options options_;
  SplitMix64 random_;
  CosignerOutput output_;
  bool may_sign_ = false;
  bool contradicted_ = false;

  std::deque<BlockEnd> ends_;            // By height, up to the tip.
  CosignGuard guard_;                    // On disk.
  std::optional<CosignGuard> guarding_;  // On its way there.
  std::optional<BlockEnd> want_;         // To be guarded next.
  std::optional<SignedCheckpoint> own_;  // Newest own note.
  std::map<uint64_t, Cosigned> open_;    // Matching notes by size, from final_.size on.
  std::map<ValidatorIndex, Ahead> ahead_;
  FinalCheckpoint final_;

  uint64_t announced_size_ = 0;
  int64_t announced_micros_;                 // Far back at first.
  std::optional<int64_t> impatient_micros_;  // When a tip that is not final gets announced anyway.

  uint64_t fork_count_ = 0;
  std::set<std::pair<ValidatorIndex, uint64_t>> forks_;
  std::vector<ForkEvidence> unproven_;  // Reported without a quorum; above final_.size.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_COSIGNER_H_
