#include "detector/stream/checkpoint.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "detector/features/codec.h"
#include "detector/features/event_schema.h"
#include "detector/features/event_type.h"
#include "detector/features/require.h"
#include "detector/stream/stream_head.h"

namespace vigil::detector {
namespace {

constexpr std::string_view kTag = "vigil-checkpoint";
constexpr uint16_t kFormat = 4;
constexpr uint16_t kSections = 2;
// Stored: never renumber.
constexpr uint16_t kWindowsSection = 1;
constexpr uint16_t kEntitiesSection = 2;
constexpr size_t kSectionHeadBytes = 2 + 8;
// Tag, format, chain id, parameters, place, number of sections.
constexpr size_t kHeadBytes = kTag.size() + 1 + 2 + 32 + 10 * 4 + 3 * 8 + 2;
constexpr size_t kCellBytes = 8;

void WriteWindows(const CheckpointPlace& place, std::span<const EventWindow* const> windows,
                  Hash32 hash, LittleEndianWriter* writer) {
  for (size_t i = 0; i < kEventTypes.size(); ++i) {
    writer->U32(static_cast<uint32_t>(kEventTypes[i]));
    writer->Raw(EventSchema(kEventTypes[i]).HashWith(hash));
    writer->U64(place.event_counts[i]);
    writer->U32(static_cast<uint32_t>(windows[i]->row_count()));
    for (const uint64_t sequence : windows[i]->sequences()) writer->U64(sequence);
    writer->I64s(windows[i]->cells());
  }
}

bool ReadWindow(EventType type, CheckpointPlace* place, const Parameters& parameters, Hash32 hash,
                LittleEndianReader* reader, EventWindow* window) {
  const Schema& schema = EventSchema(type);
  const uint64_t oldest = OldestEvent(parameters, place->events);
  if (reader->U32() != static_cast<uint32_t>(type) || reader->ReadDigest() != schema.HashWith(hash))
    return false;
  place->event_counts[static_cast<size_t>(type) - 1] = reader->U64();
  const uint32_t rows = reader->U32();
  if (rows > parameters.window_rows_max) return false;
  if (!reader->CanHold(rows, kCellBytes * (1 + WindowWidth(type)))) return false;
  std::vector<uint64_t> sequences(rows);
  for (uint64_t& sequence : sequences) sequence = reader->U64();
  std::vector<int64_t> row(WindowWidth(type));
  int64_t event_before = -1;
  for (uint32_t i = 0; i < rows; ++i) {
    const bool rises = i == 0 || sequences[i] > sequences[i - 1];
    if (!rises || sequences[i] < oldest || sequences[i] >= place->events) return false;
    for (int64_t& cell : row) cell = reader->I64();
    const int64_t* const marks = &row[schema.field_count()];
    if (marks[kEventMark] <= event_before || marks[kLeftOutMark] < 0 || marks[kLeftOutMark] > 1)
      return false;
    event_before = marks[kEventMark];
    window->Push(sequences[i], row);
  }
  return reader->ok();
}

}  // namespace

std::vector<uint8_t> SerializeWindows(const CheckpointPlace& place,
                                      std::span<const EventWindow* const> windows,
                                      const Digest& chain_id, const Parameters& parameters,
                                      Hash32 hash) {
  Require(windows.size() == kEventTypes.size(), "a window per event type");
  LittleEndianWriter section;
  WriteWindows(place, windows, hash, &section);
  LittleEndianWriter writer;
  WriteStreamHead(kTag, kFormat, chain_id, parameters, &writer);
  writer.U64(place.height).U64(place.events).U64(place.period);
  writer.U16(kSections).U16(kWindowsSection).U64(section.bytes().size()).Raw(section.bytes());
  return writer.Take();
}

std::vector<uint8_t> SerializeEntitiesSection(std::span<const uint8_t> body) {
  LittleEndianWriter writer;
  writer.U16(kEntitiesSection).U64(body.size()).Raw(body);
  return writer.Take();
}

std::optional<CheckpointContents> ParseCheckpoint(std::span<const uint8_t> bytes,
                                                  const Digest& chain_id,
                                                  const Parameters& parameters, Hash32 hash) {
  if (bytes.size() > kCheckpointBytesMax) return std::nullopt;
  LittleEndianReader reader(bytes);
  if (!ReadStreamHead(kTag, kFormat, chain_id, parameters, &reader)) return std::nullopt;
  CheckpointContents contents;
  CheckpointPlace& place = contents.place;
  place.height = reader.U64();
  place.events = reader.U64();
  place.period = reader.U64();
  if (place.height == 0 || place.period == 0 || place.period > place.height) return std::nullopt;
  if (reader.U16() != kSections || reader.U16() != kWindowsSection) return std::nullopt;
  const uint64_t size = reader.U64();
  if (!reader.CanHold(size, 1)) return std::nullopt;
  LittleEndianReader section(reader.Raw(size));
  for (const EventType type : kEventTypes) {
    contents.windows.emplace_back(WindowWidth(type), parameters.window_rows_max);
    if (!ReadWindow(type, &place, parameters, hash, &section, &contents.windows.back())) {
      return std::nullopt;
    }
  }
  if (reader.U16() != kEntitiesSection) return std::nullopt;
  const uint64_t entities_size = reader.U64();
  if (!reader.CanHold(entities_size, 1)) return std::nullopt;
  contents.entities = reader.Raw(entities_size);
  if (!section.AtEnd() || !reader.AtEnd()) return std::nullopt;
  return contents;
}

Digest CheckpointDigest(std::span<const uint8_t> bytes, Hash32 hash) {
  size_t split = bytes.size();
  if (split >= kHeadBytes + kSectionHeadBytes) {
    LittleEndianReader reader(bytes.subspan(kHeadBytes + 2, 8));
    const size_t before = kHeadBytes + kSectionHeadBytes;
    split = before + static_cast<size_t>(std::min<uint64_t>(reader.U64(), split - before));
  }
  return CheckpointDigestOf(hash(bytes.first(split)), hash(bytes.subspan(split)), hash);
}

Digest CheckpointDigestOf(const Digest& windows, const Digest& entities, Hash32 hash) {
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/checkpoint/v2").Raw(windows).Raw(entities);
  return hash(writer.bytes());
}

}  // namespace vigil::detector
