// CosignerKeyActor: gives a validator a cosigner key of its own for every epoch (protocol.md,
// Cosigner keys).
//
// While a set of validators is proposed it announces the key for the next epoch, whose private half
// is on disk before. In the epoch that this key belongs to, and once that has finalised a block, it
// destroys the old one: the anchor of the epoch's beginning, which the node was opened by, is on
// disk, so nobody can need a signature with it any more.
#ifndef VIGIL_NODE_DRIVER_COSIGNER_KEY_ACTOR_H_
#define VIGIL_NODE_DRIVER_COSIGNER_KEY_ACTOR_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "ledger/base/clock.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/cosigner_keyring.h"
#include "node/driver/log.h"
#include "node/driver/submit.h"

namespace vigil::node {

class CosignerKeyActor final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;  // Restated for the epoch that runs.
    ValidatorIndex self;
    const ledger::SigningKey* record_key = nullptr;
    CosignerKeyring* keyring = nullptr;
    const Clock* clock = nullptr;
    const ChainAccess* chain = nullptr;
    const LogFunction* log = nullptr;
    std::function<void(ledger::Record, SubmitDone)> submit;
    std::function<Height()> final_height;
  };
  explicit CosignerKeyActor(Ports ports);

  absl::string_view name() const override { return "cosigner-key"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override { return next_micros_; }

  // A key of an epoch that is over is still on disk. Thread-safe.
  bool has_old() const { return has_old_; }

 private:
  absl::Status DestroyOld();
  absl::StatusOr<bool> Announce(int64_t now);
  void Submit(uint32_t number, const ledger::SigningKey& key, int64_t now);
  void Warn(absl::string_view what);

  const Ports ports_;
  std::atomic<int64_t> next_micros_ = 0;
  std::atomic<bool> has_old_;
  Height looked_at_;              // The tip whose state asked for nothing.
  int64_t submitted_micros_ = 0;  // 0: nothing is on its way.
  // Set by whoever answers a submission, perhaps when the actor is gone; shared with them.
  const std::shared_ptr<std::atomic<bool>> answered_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_COSIGNER_KEY_ACTOR_H_
