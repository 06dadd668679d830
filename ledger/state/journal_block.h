// Blocks as a journal holds them: whole, or without the payloads that were pruned.
#ifndef VIGIL_LEDGER_STATE_JOURNAL_BLOCK_H_
#define VIGIL_LEDGER_STATE_JOURNAL_BLOCK_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ledger/chain/block.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

inline bool IsBlockFrame(JournalType type) {
  return type == JournalType::kBlock || type == JournalType::kPrunedBlock;
}

// Errors: kDataLoss when the frame is no block; those of Block::Decode().
inline absl::StatusOr<BlockPtr> DecodeJournalBlock(JournalReader::Frame frame) {
  if (frame.type == JournalType::kBlock) return Block::Decode(std::move(frame.body));
  if (frame.type == JournalType::kPrunedBlock) return Block::DecodePruned(std::move(frame.body));
  return absl::DataLossError(absl::StrCat("journal offset ", frame.position.offset,
                                          ": no block, but a frame of type ",
                                          static_cast<int>(frame.type)));
}

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_JOURNAL_BLOCK_H_
