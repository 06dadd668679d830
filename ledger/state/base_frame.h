// The journal's base frame: above which block a journal that does not begin at genesis goes on
// (docs/formats/journal.md). Pure.
#ifndef VIGIL_LEDGER_STATE_BASE_FRAME_H_
#define VIGIL_LEDGER_STATE_BASE_FRAME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/block.h"
#include "ledger/state/chain_reader.h"

namespace vigil::ledger {

struct BaseFrame {
  uint64_t base_offset = 0;  // From which offset on the journal has to be complete.
  BlockId block;             // The base itself.
  Height executed_in_header;
  uint64_t time_unix_millis = 0;
  uint64_t tree_size = 0;  // Of the log behind the block's seal.
  Hash tree_root;
  Hash seal_leaf;  // Leaf hash of the block's seal.
  Hash state_digest;
  Hash snapshot_digest;  // Of the snapshot of the block's height; zero: none.

  bool operator==(const BaseFrame&) const = default;
};

// The base that a chain with this tip makes, and the digest of the snapshot there.
BaseFrame BaseOf(const Tip& tip, const Hash& snapshot_digest);

std::string EncodeBaseFrame(const BaseFrame& base);
// Errors: kDataLoss when `bytes` are not what EncodeBaseFrame() makes.
absl::StatusOr<BaseFrame> DecodeBaseFrame(absl::string_view bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_BASE_FRAME_H_
