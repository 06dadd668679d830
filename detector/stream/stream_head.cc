#include "detector/stream/stream_head.h"

#include <array>

namespace vigil::detector {
namespace {

std::array<uint32_t, 10> NumbersOf(const Parameters& p) {
  return {p.profile,
          p.window_rows_max,
          p.window_rows_min,
          p.period_events,
          p.trees,
          p.sample_rows,
          p.identical_rows_max,
          p.threshold_quantile_ppm,
          p.threshold_floor_q8,
          p.seed_reveals};
}

}  // namespace

void WriteStreamHead(std::string_view tag, uint16_t format, const Digest& chain_id,
                     const Parameters& parameters, LittleEndianWriter* writer) {
  writer->Tag(tag).U16(format).Raw(chain_id);
  for (const uint32_t number : NumbersOf(parameters)) writer->U32(number);
}

bool ReadStreamHead(std::string_view tag, uint16_t format, const Digest& chain_id,
                    const Parameters& parameters, LittleEndianReader* reader) {
  if (!reader->SkipTag(tag) || reader->U16() != format || reader->ReadDigest() != chain_id) {
    return false;
  }
  for (const uint32_t number : NumbersOf(parameters)) {
    if (reader->U32() != number) return false;
  }
  return reader->ok();
}

}  // namespace vigil::detector
