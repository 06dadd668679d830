// A witness without its socket: answers add-checkpoint requests (C2SP tlog-witness) over the state
// on disk, and signs.
//
// Thread-safe. One lock per origin is held from reading the state until the new one is synced and
// the answer made; requests about different origins run side by side.
//
// Invariants:
//   (1) A cosignature leaves only after the state it stands for is on disk.
//   (2) Of one origin no cosignature is ever of a smaller size than an earlier one, or of another
//       root at its size; crashes and failing disks included.
#ifndef VIGIL_CLIENT_WITNESS_WITNESS_H_
#define VIGIL_CLIENT_WITNESS_WITNESS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/witness/witness_key.h"
#include "client/witness/witness_state.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/log/witness.h"

namespace vigil::client {

struct WitnessAnswer {
  int http_status = 0;
  std::string body;
  std::string content_type;
};

// Gets one line per decision, without a newline. It may hold what a client sent. Thread-safe.
using WitnessLogFunction = std::function<void(absl::string_view line)>;

class Witness {
 public:
  // `folder` must have a file for the origin of each of `logs`; `clock` must outlive the witness.
  Witness(WitnessKey key, std::unique_ptr<WitnessFolder> folder,
          std::vector<ledger::WitnessLog> logs, const Clock* clock, WitnessLogFunction log);

  // The answer to POST add-checkpoint: as DecideWitness() says, 400 for a body that is none, and
  // 500 when the state cannot be read or written; then nothing is signed.
  WitnessAnswer AddCheckpoint(absl::string_view body);

  // Text for people and probes: 200 with the vkey and what was cosigned of each origin, or 503.
  WitnessAnswer Health();

  const ledger::NoteKey& key() const { return key_.note; }

 private:
  struct Watched {
    const ledger::WitnessLog* log = nullptr;
    Mutex mutex;
    OriginState* state VIGIL_GUARDED_BY(mutex) = nullptr;
  };

  // The decision, its state on disk, and at 200 the cosignature in its body.
  // Errors: of the state; nothing was signed then.
  absl::StatusOr<ledger::WitnessDecision> Decide(Watched* watched,
                                                 const ledger::AddCheckpoint& request);

  const WitnessKey key_;
  const std::unique_ptr<WitnessFolder> folder_;
  const std::vector<ledger::WitnessLog> logs_;
  const Clock* const clock_;
  const WitnessLogFunction log_;
  std::map<std::string, Watched> watched_;  // By origin; fixed once made.
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_WITNESS_WITNESS_H_
