// The cosignatures of witnesses outside the network that stand on the served checkpoint.
//
// Pure; belongs to one thread.
#ifndef VIGIL_NODE_LOG_OUTSIDE_LINES_H_
#define VIGIL_NODE_LOG_OUTSIDE_LINES_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "ledger/state/log_keys.h"
#include "node/log/witness_feed.h"

namespace vigil::node {

// The newest line of each witness. One per configured witness, so few.
class OutsideLines {
 public:
  // Takes a verified cosignature; one of a smaller size than the witness's last changes nothing.
  void Put(const WitnessedCheckpoint& witnessed);
  // Whether any line is of `size`.
  bool Has(uint64_t size) const;
  // `note`, a signed note over a checkpoint of `size`, with the lines of that size behind its own,
  // in the order of their names.
  std::string AddTo(absl::string_view note, uint64_t size) const;

 private:
  std::map<std::pair<std::string, uint32_t>, WitnessedCheckpoint> newest_;  // By name, key hash.
};

// `note` without the lines that are not of `keys`: what its validators alone say. A text that is no
// signed note, or has no such line, is returned as it is.
std::string WithoutOutsideLines(const ledger::LogKeys& keys, absl::string_view note);

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_OUTSIDE_LINES_H_
