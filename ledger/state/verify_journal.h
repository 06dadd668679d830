// First pass of VerifyLedger: which blocks the journal holds, and which of them are committed.
#ifndef VIGIL_LEDGER_STATE_VERIFY_JOURNAL_H_
#define VIGIL_LEDGER_STATE_VERIFY_JOURNAL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/verify_report.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

// A block as its header describes it; nothing of it is verified yet but its hash.
struct JournalBlock {
  Hash hash;
  Hash parent_hash;
  View view;
  JournalPosition position;   // Of the last copy that was written before it was committed.
  bool after_commit = false;  // Written when a block of this height was committed already.
  bool committed = false;
};

// A base frame and where it lies.
struct JournalBase {
  JournalPosition position;
  BaseFrame frame;
};

// Which blocks need not be here, besides those up to the base.
struct MayMiss {
  const std::vector<HeightRange>& absent;
  Height committed_min;  // The committed chain is known to reach this height.
};

class JournalIndex {
 public:
  using ProgressFn = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

  // Reads every frame. `store` may be null; it helps to find blocks behind a damaged frame.
  // `report` and `sink` must outlive the call.
  void Read(const JournalReader& journal, const ChainReader* store, VerifyReport* report,
            FindingSink* sink, const ProgressFn& progress);

  // Marks the committed chain, from the highest commit mark or the store's tip down to genesis, and
  // reports what is missing: in `report` what may be, else as a finding. Returns the committed
  // height.
  Height Resolve(const Genesis& genesis, const ChainReader* store, const MayMiss& may_miss,
                 VerifyReport* report, FindingSink* sink);

  // By height; blocks of one height in the order of the journal.
  const std::map<Height, std::vector<JournalBlock>>& blocks() const { return blocks_; }
  // In the order of the journal; the last one counts.
  const std::vector<JournalBase>& bases() const { return bases_; }
  // The last one of this height; null when there is none.
  const JournalBase* FindBase(Height height) const;
  // After Resolve(); null when there is none.
  const JournalBlock* Committed(Height height) const;

 private:
  void AddFrame(const JournalReader::Frame& frame, FindingSink* sink);
  void AddBlock(const JournalReader::Frame& frame, FindingSink* sink);
  void AddBase(const JournalReader::Frame& frame, FindingSink* sink);
  void AddMark(const JournalReader::Frame& frame, FindingSink* sink);
  JournalBlock* Find(Height height, const Hash& hash);
  std::optional<Hash> NamedHash(Height height, const ChainReader* store) const;
  JournalBlock* Choose(Height height, const std::optional<Hash>& expected, const ChainReader* store,
                       FindingSink* sink);
  void CheckMark(Height height, const Hash& chosen, FindingSink* sink) const;
  void CheckBase(Height height, const Hash& found, absl::string_view whose,
                 FindingSink* sink) const;
  void AddGap(HeightRange gap, const std::vector<HeightRange>& absent, VerifyReport* report,
              FindingSink* sink) const;
  Height base_height() const;
  Height HighestNamed(const ChainReader* store, FindingSink* sink) const;

  std::map<Height, std::vector<JournalBlock>> blocks_;
  std::map<Height, Hash> marks_;
  std::vector<JournalBase> bases_;
  Height marked_;  // The highest mark so far, while frames are read.
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VERIFY_JOURNAL_H_
