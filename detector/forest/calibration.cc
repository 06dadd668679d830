#include "detector/forest/calibration.h"

#include <algorithm>

#include "detector/features/integer_log.h"
#include "detector/features/numeric_column.h"

namespace vigil::detector {
namespace {

// A knot wherever another 1/16 bit is reached: at most 16 * 24 for kRowsCountMax rows.
constexpr uint32_t kKnotStepQ8 = 16;
constexpr uint32_t kKnotBitsMaxQ8 = 25 * 256;
constexpr uint32_t kTailBitsQ8 = 4 * 256;

}  // namespace

Calibration::Calibration(std::vector<int64_t> raws, int64_t raw_per_bit)
    : raw_per_bit_(raw_per_bit) {
  std::sort(raws.begin(), raws.end());
  const auto total = static_cast<uint64_t>(raws.size());
  for (size_t i = 0; i < raws.size(); ++i) {
    if (i > 0 && raws[i] == raws[i - 1]) continue;
    const uint64_t as_strange = total - i;
    const auto bits = static_cast<uint32_t>(Log2Q8(total + 2) - Log2Q8(as_strange + 1));
    const bool last = raws[i] == raws.back();
    if (!knots_.empty() && bits == knots_.back().bits_q8) continue;
    if (!knots_.empty() && !last && bits < knots_.back().bits_q8 + kKnotStepQ8) continue;
    knots_.push_back({raws[i], bits});
  }
  FindTail();
}

void Calibration::FindTail() {
  const Knot& top = knots_.back();
  tail_raw_ = raw_per_bit_;
  tail_bits_q8_ = 256;
  if (knots_.size() < 2) return;
  size_t low = knots_.size() - 2;
  while (low > 0 && top.bits_q8 - knots_[low].bits_q8 < kTailBitsQ8) --low;
  tail_raw_ = top.raw - knots_[low].raw;
  tail_bits_q8_ = top.bits_q8 - knots_[low].bits_q8;
}

uint32_t Calibration::BitsQ8(int64_t raw) const {
  if (raw <= knots_.front().raw) return raw < knots_.front().raw ? 0 : knots_.front().bits_q8;
  const Knot& top = knots_.back();
  if (raw >= top.raw) {
    const int64_t beyond = (raw - top.raw) * tail_bits_q8_ / tail_raw_;
    return static_cast<uint32_t>(std::min<int64_t>(top.bits_q8 + beyond, kScoreMaxQ8));
  }
  const auto above =
      std::upper_bound(knots_.begin(), knots_.end(), raw,
                       [](int64_t value, const Knot& knot) { return value < knot.raw; });
  const Knot& high = *above;
  const Knot& low = *(above - 1);
  const int64_t rise = (raw - low.raw) * (high.bits_q8 - low.bits_q8) / (high.raw - low.raw);
  return low.bits_q8 + static_cast<uint32_t>(rise);
}

void Calibration::Write(LittleEndianWriter* writer) const {
  writer->I64(raw_per_bit_).U16(static_cast<uint16_t>(knots_.size()));
  for (const Knot& knot : knots_) writer->I64(knot.raw).U16(static_cast<uint16_t>(knot.bits_q8));
}

std::optional<Calibration> Calibration::Read(LittleEndianReader* reader) {
  Calibration calibration;
  calibration.raw_per_bit_ = reader->I64();
  const size_t count = reader->U16();
  if (calibration.raw_per_bit_ < 1 || calibration.raw_per_bit_ > kRawMax || count < 1 ||
      count > kKnotsMax || !reader->CanHold(count, 10)) {
    return std::nullopt;
  }
  for (size_t i = 0; i < count; ++i) {
    const Knot knot{reader->I64(), reader->U16()};
    const bool rises = i == 0 || (knot.raw > calibration.knots_.back().raw &&
                                  knot.bits_q8 > calibration.knots_.back().bits_q8);
    if (!rises || knot.raw <= -kRawMax || knot.raw >= kRawMax || knot.bits_q8 > kKnotBitsMaxQ8) {
      return std::nullopt;
    }
    calibration.knots_.push_back(knot);
  }
  if (!reader->ok()) return std::nullopt;
  calibration.FindTail();
  return calibration;
}

}  // namespace vigil::detector
