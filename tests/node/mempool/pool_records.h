// Records for tests of the pool, which looks at sizes, hashes and places and at nothing else.
#ifndef VIGIL_TESTS_NODE_MEMPOOL_POOL_RECORDS_H_
#define VIGIL_TESTS_NODE_MEMPOOL_POOL_RECORDS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "node/mempool/mempool.h"

namespace vigil::node {

// A hash that stands for record `sequence` of `stream`; 0 for sequence 0.
inline Hash LeafOf(uint8_t stream, uint64_t sequence, uint8_t variant = 0) {
  Hash hash;
  if (sequence == 0) return hash;
  hash.bytes[0] = 1;
  hash.bytes[1] = stream;
  hash.bytes[2] = variant;
  for (int i = 0; i < 8; ++i) hash.bytes[8 + i] = static_cast<uint8_t>(sequence >> (8 * i));
  return hash;
}

inline std::string NameOf(uint8_t stream) {
  return StreamName("acme/s", absl::StrCat("stream", stream));
}

// Record `sequence` of `stream`, continuing the one before; `size` bytes.
inline PoolRecord StreamRecord(uint8_t stream, uint64_t sequence, size_t size = 100,
                               uint8_t variant = 0) {
  PoolRecord pooled;
  pooled.record = std::make_shared<const ledger::Record>(
      ledger::Record{.leaf = std::string(size, static_cast<char>(stream)), .payload = ""});
  pooled.leaf_hash = LeafOf(stream, sequence, variant);
  pooled.lane = ledger::Lane::kEvents;
  pooled.place = StreamPlace{
      .name = NameOf(stream), .sequence = sequence, .previous = LeafOf(stream, sequence - 1)};
  return pooled;
}

// A record without a stream.
inline PoolRecord LooseRecord(ledger::Lane lane, uint64_t number, size_t size = 100) {
  PoolRecord pooled = StreamRecord(200, number, size);
  pooled.lane = lane;
  pooled.place.reset();
  pooled.leaf_hash.bytes[3] = static_cast<uint8_t>(lane);
  return pooled;
}

// What execution says of a stream's record that was accepted.
inline ExecutedRecord ExecutedOk(const PoolRecord& record) {
  return {.leaf_hash = record.leaf_hash, .place = record.place, .resets = record.resets};
}

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_MEMPOOL_POOL_RECORDS_H_
