// What the detector's driver needs of the node around it.
#ifndef VIGIL_NODE_DETECT_DETECT_PORT_H_
#define VIGIL_NODE_DETECT_DETECT_PORT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/record.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/chain_state.h"

namespace vigil::node {

// What became of a submitted record.
struct Delivery {
  bool taken = false;               // On the chain, with whatever result.
  uint32_t retry_after_millis = 0;  // Not taken: 0 means never try these bytes again.
  std::string what;                 // Not taken: why.
};

// Shared with the chain's other readers.
using ExecutedPtr = std::shared_ptr<const ledger::ExecutedBlock>;

class DetectPort {
 public:
  virtual ~DetectPort() = default;
  virtual Height tip() const = 0;
  // Errors: kNotFound when the block is not here.
  virtual absl::StatusOr<ExecutedPtr> LoadExecuted(Height height) const = 0;
  // A snapshot at the tip or above.
  virtual std::shared_ptr<const ledger::ChainReader> Reader() const = 0;
  // The same way in as everybody's. `done` is called exactly once, on any thread.
  virtual void Submit(ledger::Record record, std::function<void(const Delivery&)> done) = 0;
  // Files of detector checkpoints, by height. What they hold is checked by whoever reads it.
  virtual absl::Status SaveCheckpoint(Height height, ByteSpan bytes) = 0;
  virtual absl::StatusOr<std::string> LoadCheckpoint(Height height) const = 0;
  virtual void DropCheckpoint(Height height) = 0;

  // The next three bring what other validators keep. Each call goes on with what the same call
  // before it asked for, and another drops that; nothing is returned while it is on its way. What
  // `check` refuses is asked of the next validator.
  // Errors: kNotFound when every validator that is connected was asked in vain.
  using Check = std::function<absl::Status(ByteSpan)>;
  virtual absl::StatusOr<std::optional<std::string>> FetchCheckpoint(Height height,
                                                                     const Check& check) = 0;
  virtual absl::StatusOr<std::optional<std::string>> FetchModel(const Hash& digest,
                                                                const Check& check) = 0;
  // A block that was executed here. Already checked; null while it is on its way.
  virtual absl::StatusOr<ExecutedPtr> FetchBlock(Height height) = 0;
  // Bytes that came so far of the file that is on its way.
  virtual size_t FetchedBytes() const = 0;

  virtual int64_t NowMicros() const = 0;
  virtual void Inform(absl::string_view text) const = 0;
  virtual void Warn(absl::string_view text) const = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_DETECT_PORT_H_
