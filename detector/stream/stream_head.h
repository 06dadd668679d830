// What the stream's files begin with: a tag, a format, and whose state it is.
#ifndef VIGIL_DETECTOR_STREAM_STREAM_HEAD_H_
#define VIGIL_DETECTOR_STREAM_STREAM_HEAD_H_

#include <cstdint>
#include <string_view>

#include "detector/features/codec.h"
#include "detector/features/hash.h"
#include "detector/model/parameters.h"

namespace vigil::detector {

// tag 00 | u16 format | chain id 32 | ten u32 parameters.
void WriteStreamHead(std::string_view tag, uint16_t format, const Digest& chain_id,
                     const Parameters& parameters, LittleEndianWriter* writer);
// Whether exactly that follows.
bool ReadStreamHead(std::string_view tag, uint16_t format, const Digest& chain_id,
                    const Parameters& parameters, LittleEndianReader* reader);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_STREAM_STREAM_HEAD_H_
