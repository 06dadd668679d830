#include "detector/features/measure_scale.h"

#include <algorithm>
#include <cstddef>

#include "detector/features/integer_log.h"
#include "detector/features/numeric_column.h"
#include "detector/features/schema.h"

namespace vigil::detector {
namespace {

constexpr int64_t kMeasureMax = int64_t{1} << 61;
constexpr int32_t kCentreView = kViewMax / 2;
// |raw - centre| * 256 / unit is cut to this, which is 54 bits away from the centre.
constexpr uint64_t kRatioMax = uint64_t{1} << 62;
static_assert(54 * 256 < kCentreView);

}  // namespace

MeasureScale::MeasureScale(std::vector<int64_t> raws) {
  std::erase(raws, kMissing);
  if (raws.empty()) return;
  for (int64_t& raw : raws) raw = std::clamp(raw, -kMeasureMax, kMeasureMax);
  std::sort(raws.begin(), raws.end());
  const size_t last = raws.size() - 1;
  centre_ = raws[last / 2];
  for (const size_t outer : {last / 4, last / 16, size_t{0}}) {
    unit_ = static_cast<uint64_t>(raws[last - outer] - raws[outer]);
    if (unit_ > 0) return;
  }
  unit_ = 1;
}

int32_t MeasureScale::View(int64_t raw) const {
  if (raw == kMissing) return kMissingView;
  const int64_t from_centre = std::clamp(raw, -kMeasureMax, kMeasureMax) - centre_;
  const auto distance = static_cast<uint64_t>(from_centre < 0 ? -from_centre : from_centre);
  const auto ratio = static_cast<unsigned __int128>(distance) * 256 / unit_;
  const auto cut = ratio < kRatioMax ? static_cast<uint64_t>(ratio) : kRatioMax;
  const int32_t away = Log2Q8(256 + cut) - 8 * 256;
  return from_centre < 0 ? kCentreView - away : kCentreView + away;
}

std::optional<MeasureScale> MeasureScale::Read(LittleEndianReader* reader) {
  MeasureScale scale;
  scale.centre_ = reader->I64();
  scale.unit_ = reader->U64();
  if (!reader->ok() || scale.centre_ < -kMeasureMax || scale.centre_ > kMeasureMax ||
      scale.unit_ == 0 || scale.unit_ > 2 * static_cast<uint64_t>(kMeasureMax)) {
    return std::nullopt;
  }
  return scale;
}

}  // namespace vigil::detector
