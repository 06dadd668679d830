#include "node/driver/reveal_chain.h"

#include <algorithm>

#include "ledger/chain/header.h"

namespace vigil::node {

RevealChain::RevealChain(const Hash& seed, uint64_t length)
    : length_(length), marks_(length / kStride + 1), seed_(seed) {
  Hash element = seed;
  for (uint64_t height = length;; --height) {
    if (height % kStride == 0) marks_[height / kStride] = element;
    if (height == 0) break;
    element = ledger::RevealParent(element);
  }
  anchor_ = element;
}

Hash RevealChain::Element(Height height) {
  if (height.value() > length_) return Hash();
  const uint64_t begin = height.value() / kStride * kStride;
  if (segment_.empty() || begin != segment_begin_) {
    const uint64_t end = std::min(begin + kStride, length_);
    segment_.assign(end - begin + 1, Hash());
    segment_.back() = end == length_ ? seed_ : marks_[end / kStride];
    for (size_t i = segment_.size() - 1; i > 0; --i) {
      segment_[i - 1] = ledger::RevealParent(segment_[i]);
    }
    segment_begin_ = begin;
  }
  return segment_[height.value() - begin];
}

}  // namespace vigil::node
