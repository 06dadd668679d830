// Where a block is damaged: structured findings for one frame of the journal.
#ifndef VIGIL_LEDGER_STATE_VERIFY_BLOCK_H_
#define VIGIL_LEDGER_STATE_VERIFY_BLOCK_H_

#include <optional>
#include <string>

#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/verify_report.h"
#include "ledger/state/view.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

// Reports with what is known of the block that is being looked at.
class BlockFindings {
 public:
  // `sink` must outlive the object. `first` is the log index of the block's first record, if known.
  BlockFindings(FindingSink* sink, Height height, JournalPosition position,
                std::optional<RecordIndex> first)
      : sink_(sink), height_(height), position_(position), first_(first) {}

  void Add(FindingType type, std::string what) const;
  void AddRecord(FindingType type, size_t record, std::string what) const;
  void AddItem(FindingType type, size_t record, size_t item, std::string what) const;

 private:
  VerifyFinding Make(FindingType type, std::string what) const;
  FindingSink* const sink_;
  const Height height_;
  const JournalPosition position_;
  const std::optional<RecordIndex> first_;
};

// Decodes a frame and runs CheckBlock on it; says what is wrong and where. Record signatures are
// checked with the keys in `state`. Returns the block when its leaves are those of its header, so
// that it can be executed even if its signature or a payload is damaged; null otherwise.
BlockPtr VerifyFrame(const Genesis& genesis, const StateBase& state, JournalReader::Frame frame,
                     const BlockFindings& findings, VerifyReport* report);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VERIFY_BLOCK_H_
