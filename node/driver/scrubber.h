// Scrubber: the actor that reads what was written long ago, before somebody needs it.
//
// Pass after pass it re-reads every segment of the journal, of the one that is being written the
// groups that are synced: the checksums of all frames, and of every block on the chain the leaves,
// their root and the block's hash against executed state. It has the system forget what it keeps of
// them in memory first. From the leaves it makes the log's tiles anew in memory and holds
// the files against them. Then it reads the snapshots. It reads as much a second as it is allowed
// to.
//
// What is damaged is repaired. A tile is made again from the journal. A block is fetched from
// another validator, one after the other, and taken only if it is the one that state names at that
// height, byte for byte what its hash says: who sent it does not matter. In a segment that was
// pruned a block without its payloads does. Where the journal's end is damaged it first goes on in
// a new segment. Frames that cannot be fetched (votes, commit marks, cosigner's guards, replaced
// blocks) become a hole once the newest vote and guard stand at the journal's end again, synced.
// The segment is replaced by a copy, never changed in place. What cannot be repaired is reported
// and tried again in the next pass; a start would refuse it. A damaged snapshot is removed, so that
// nobody is sent it and no start relies on it: the next one takes its place.
//
// OnAnswer() and state() are thread-safe; the rest belongs to the actor.
//
// Invariants:
//   (1) Over any time t, at most rate * (t + 1 s) bytes are read, and one segment more.
//   (2) Nothing of a peer reaches the disk before it was held against executed state.
#ifndef VIGIL_NODE_DRIVER_SCRUBBER_H_
#define VIGIL_NODE_DRIVER_SCRUBBER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_scrub.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/journal_writer.h"
#include "node/driver/log.h"
#include "node/driver/transport.h"
#include "node/log/tile_scrub.h"

namespace vigil::node {

// Ids of the scrubber's requests begin here, so that nobody takes an answer for another's.
inline constexpr uint32_t kScrubFetchIdMin = 0xc000'0000;

class Scrubber final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    const Clock* clock = nullptr;
    ledger::FileSystem* files = nullptr;
    Transport* transport = nullptr;
    const ChainAccess* chain = nullptr;
    JournalWriter* journal = nullptr;
    const ledger::JournalReader* reader = nullptr;
    const TileStore* tiles = nullptr;
    Mutex* rewriting = nullptr;  // Held while a segment is replaced.
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
  };
  struct Options {
    std::string journal_directory;
    std::string snapshot_directory;
    ledger::JournalId journal_id;
    ValidatorIndex self;
    uint64_t bytes_per_second = 0;  // At least 1.
    int64_t interval_micros = 0;    // From the beginning of a pass to that of the next.
  };
  struct State {
    uint64_t passes = 0;  // Since the start, as all but the last two.
    uint64_t bytes = 0;   // Read.
    // Ranges of the journal, segment headers, files of the log, and snapshots; each once, however
    // many passes find it.
    uint64_t damaged = 0;
    uint64_t repaired = 0;     // Of these.
    uint64_t bad_answers = 0;  // Blocks of other validators that are not the ones asked for.
    uint64_t unrepaired = 0;   // Places that the last look at them found damaged and left so.
    std::string problem;       // About one of those; empty: there is none.
  };

  Scrubber(const Ports& ports, Options options);

  // An answer to a fetch. Returns whether it was asked for from this validator.
  bool OnAnswer(ValidatorIndex from, FetchAnswer answer) VIGIL_EXCLUDES(mutex_);
  State state() const VIGIL_EXCLUDES(mutex_);

  absl::string_view name() const override { return "scrub"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override;

 private:
  // What is to be done about the segment at hand.
  enum class Phase { kBetweenPasses, kReading, kFetching, kRenewing, kClosing, kSnapshots };
  // A block that is missing, and how many offsets there are for it.
  struct Wanted {
    ledger::BlockInfo info;
    uint64_t room = 0;
  };
  struct Asked {
    uint32_t id = 0;
    ValidatorIndex peer;
    std::optional<FetchAnswer> answer;
  };

  void Refill();
  void Pay(uint64_t bytes);
  absl::Status Advance();
  void BeginSegment();
  absl::Status ReadSome();
  absl::Status TakeFrame(const ledger::JournalReader::Frame& frame);
  absl::Status FeedTiles(const ledger::Block& block, const ledger::BlockInfo& info);
  absl::Status EndSegment();
  void EndPass();
  // scrub_snapshots.cc
  void BeginSnapshots();
  void ReadSnapshots();
  void CannotRead(absl::string_view path, const absl::Status& why);
  void DropSnapshot(const std::string& path, absl::string_view why);
  // scrub_repair.cc
  void FoundDamage(const ledger::JournalRange& range, absl::string_view what);
  absl::Status BeginRepair();
  absl::StatusOr<std::vector<ledger::BlockInfo>> BlocksIn(const ledger::JournalRange& range) const;
  absl::StatusOr<uint64_t> FirstBlockFrom(uint64_t offset) const;
  absl::StatusOr<uint64_t> EndOfSkipAt(const ledger::JournalRange& range) const;
  absl::Status Plan(const ledger::JournalRange& range);
  void AskNext();
  absl::Status Fetching();
  absl::Status TakeAnswer(const FetchAnswer& answer);
  absl::StatusOr<ledger::BlockPtr> BlockIn(const FetchAnswer& answer,
                                           const ledger::BlockInfo& info) const;
  absl::Status FillWith(const ledger::Block& block, const Wanted& wanted);
  void CloseOpen();
  absl::Status Closing();
  absl::Status Rewrite();
  // Tells, and counts as not repaired in this pass.
  void Unrepaired(uint64_t places, const std::string& problem);
  void GiveUp(absl::string_view why);
  void LookAgain();
  uint32_t validator_count() const;
  void Tell(LogLevel level, absl::string_view text) const;

  const Ports ports_;
  const Options options_;
  int64_t allowance_;
  int64_t refilled_micros_;

  Phase phase_ = Phase::kBetweenPasses;
  int64_t pass_begun_micros_;
  uint64_t next_start_ = 0;  // The segment that follows the one at hand.
  ledger::SegmentFile segment_;
  std::unique_ptr<ledger::SegmentScrub> scrub_;
  uint64_t segment_end_ = 0;
  bool is_open_ = false;    // It is being written; `segment_end_` is up to where it was synced.
  bool looked_at_ = false;  // Repaired, or given up: what is still damaged is passed over.
  bool given_up_ = false;
  std::vector<ledger::JournalRange> damage_;
  bool header_damaged_ = false;
  bool compacted_ = false;
  std::deque<Wanted> wanted_;
  std::vector<ledger::SegmentPatch> patches_;
  bool makes_holes_ = false;
  uint64_t renewed_before_ = 0;
  uint32_t asked_of_ = 0;  // Requests for the block at hand.
  uint32_t next_peer_ = 0;
  uint32_t next_id_ = kScrubFetchIdMin;
  int64_t answer_by_micros_ = 0;
  int64_t next_look_micros_ = 0;  // While it waits for the segment to be closed,
  int64_t close_by_micros_ = 0;   // at most until then.
  TileScrub tile_scrub_;
  Height next_height_;
  // Damaged ranges that were counted and are not repaired.
  std::set<std::pair<uint64_t, uint64_t>> known_damage_;

  // Snapshots that this pass has yet to read; the first is at hand.
  std::deque<Height> snapshots_;
  std::unique_ptr<ledger::SnapshotFile> snapshot_;  // Null: not opened yet.
  uint32_t next_chunk_ = 0;

  mutable Mutex mutex_;
  std::optional<Asked> asked_ VIGIL_GUARDED_BY(mutex_);
  State state_ VIGIL_GUARDED_BY(mutex_);
  uint64_t unrepaired_in_pass_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SCRUBBER_H_
