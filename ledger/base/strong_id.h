// A number with a name: heights, indexes and terms that the compiler refuses to mix up.
//
// Header-only and free of Abseil, so that the detector's core may use it on any CPU.
#ifndef VIGIL_LEDGER_BASE_STRONG_ID_H_
#define VIGIL_LEDGER_BASE_STRONG_ID_H_

#include <compare>
#include <cstdint>
#include <ostream>

namespace vigil {

template <typename Tag, typename Value>
class StrongId {
 public:
  using ValueType = Value;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Value value) : value_(value) {}

  constexpr Value value() const { return value_; }
  constexpr auto operator<=>(const StrongId&) const = default;

  constexpr StrongId Next() const { return StrongId(value_ + 1); }
  // REQUIRES: value() > 0.
  constexpr StrongId Previous() const { return StrongId(value_ - 1); }
  constexpr StrongId& operator++() {
    ++value_;
    return *this;
  }
  constexpr StrongId operator+(Value distance) const { return StrongId(value_ + distance); }
  constexpr StrongId operator-(Value distance) const { return StrongId(value_ - distance); }
  // Distance from `other` to this. REQUIRES: other <= *this for unsigned values.
  constexpr Value operator-(StrongId other) const { return value_ - other.value_; }

  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << +id.value_; }

 private:
  Value value_ = 0;
};

// Position of a block in the chain; the first block has height 1, 0 means "none" (genesis).
using Height = StrongId<struct HeightTag, uint64_t>;
// Position of a record in the log; the first record has index 0.
using RecordIndex = StrongId<struct RecordIndexTag, uint64_t>;
// Position of an event inside its batch, from 0.
using ItemIndex = StrongId<struct ItemIndexTag, uint32_t>;
// Raft term or Simplex view; 0 means "none".
using View = StrongId<struct ViewTag, uint64_t>;
// Number of a validator set; the first is 1.
using Epoch = StrongId<struct EpochTag, uint64_t>;
// Position of a validator in the validator set of its epoch, from 0.
using ValidatorIndex = StrongId<struct ValidatorIndexTag, uint32_t>;

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_STRONG_ID_H_
