// The journal's base frame: above which block a journal that does not begin at genesis goes on
// (docs/formats/journal.md). Pure.
#ifndef VIGIL_NODE_DRIVER_BASE_FRAME_H_
#define VIGIL_NODE_DRIVER_BASE_FRAME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/block_builder.h"

namespace vigil::node {

struct BaseFrame {
  uint64_t base_offset = 0;  // From which offset on the journal has to be complete.
  ParentBlock block;         // The base itself.
  uint64_t tree_size = 0;    // Of the log behind the block's seal.
  Hash tree_root;
  Hash seal_leaf;  // Leaf hash of the block's seal.
  Hash state_digest;
  Hash snapshot_digest;  // Of the snapshot of the block's height; zero: none.
};

// The base that the snapshot with this tip and digest makes.
BaseFrame BaseOf(const ledger::Tip& tip, const Hash& snapshot_digest);

std::string EncodeBaseFrame(const BaseFrame& base);
// Errors: kDataLoss when `bytes` are not what EncodeBaseFrame() makes.
absl::StatusOr<BaseFrame> DecodeBaseFrame(absl::string_view bytes);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_BASE_FRAME_H_
