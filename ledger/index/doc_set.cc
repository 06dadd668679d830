#include "ledger/index/doc_set.h"

#include <algorithm>
#include <bit>

namespace vigil::ledger {

void DocSet::AddFirst(uint32_t count) {
  for (uint32_t word = 0; word < count / 64; ++word) (*words_)[word] = ~uint64_t{0};
  if (count % 64 != 0) (*words_)[count / 64] |= (uint64_t{1} << (count % 64)) - 1;
}

void DocSet::IntersectWith(const DocSet& other) {
  for (size_t i = 0; i < kWords; ++i) (*words_)[i] &= (*other.words_)[i];
}

bool DocSet::IsEmpty() const {
  return std::all_of(words_->begin(), words_->end(), [](uint64_t word) { return word == 0; });
}

std::optional<uint32_t> DocSet::AtOrAfter(uint32_t doc) const {
  size_t word = doc / 64;
  uint64_t bits = (*words_)[word] & (~uint64_t{0} << (doc % 64));
  while (bits == 0) {
    if (++word == kWords) return std::nullopt;
    bits = (*words_)[word];
  }
  return static_cast<uint32_t>(word * 64 + std::countr_zero(bits));
}

std::optional<uint32_t> DocSet::AtOrBefore(uint32_t doc) const {
  size_t word = doc / 64;
  uint64_t bits = (*words_)[word] & (~uint64_t{0} >> (63 - doc % 64));
  while (bits == 0) {
    if (word == 0) return std::nullopt;
    bits = (*words_)[--word];
  }
  return static_cast<uint32_t>(word * 64 + 63 - std::countl_zero(bits));
}

}  // namespace vigil::ledger
