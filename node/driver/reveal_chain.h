// RevealChain: the validator's contribution to the seeds of the detector (detector.md section 1).
//
// A hash chain whose end, the anchor, stands in genesis. The header at height h reveals element h;
// whoever knows element h can check it against element h - 1 but cannot compute element h + 1.
//
//   element(length) = seed, element(h) = RevealParent(element(h + 1)), anchor = element(0)
#ifndef VIGIL_NODE_DRIVER_REVEAL_CHAIN_H_
#define VIGIL_NODE_DRIVER_REVEAL_CHAIN_H_

#include <cstdint>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::node {

// Belongs to one thread. Walks the whole chain once, about 0.15 us per element, and keeps every
// 1024th element.
class RevealChain {
 public:
  RevealChain(const Hash& seed, uint64_t length);

  const Hash& anchor() const { return anchor_; }
  uint64_t length() const { return length_; }
  // Zero beyond the chain's length.
  Hash Element(Height height);

 private:
  static constexpr uint64_t kStride = 1024;

  const uint64_t length_;
  Hash anchor_;
  std::vector<Hash> marks_;  // marks_[i] is the element of height i * kStride.
  Hash seed_;
  uint64_t segment_begin_ = 0;  // Height of segment_[0].
  std::vector<Hash> segment_;   // The stretch between two marks that was asked for last.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_REVEAL_CHAIN_H_
