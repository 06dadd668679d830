// What the detector keeps over a restart: the stream's bookkeeping, duties, and trained models.
//
//   "state"                        detector/stream/bookkeeping.h
//   "entities"                     DetectorStream::TakeEntities()
//   "duties"                       Duties::Encode()
//   "model/" u32 type u64 period   detector/model/model.h
//   "archive/" u64 period u32 type digest   a model that is not needed any more to detect with
//   "checkpoint/" u64 height       digest of a checkpoint whose bytes lie in a file
//
// Bookkeeping, duties and a new model go in one batch, so that none is ahead of another. All of it
// is derived from the chain: lost or damaged, the detector starts from the first block again.
#ifndef VIGIL_NODE_DETECT_MODEL_STORE_H_
#define VIGIL_NODE_DETECT_MODEL_STORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "detector/features/event_type.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/storage/store.h"
#include "node/detect/duties.h"

namespace vigil::node {

using ModelKey = std::pair<detector::EventType, uint64_t>;  // Type and period.

// Models that detection is done with, of all types, by period the newest.
inline constexpr size_t kModelsArchivedMax = 128;

class ModelStore {
 public:
  // `store` must outlive the object and holds nothing else.
  explicit ModelStore(ledger::Store* store) : store_(store) {}

  struct Model {
    ModelKey key;
    std::string bytes;
  };
  using Checkpoints = std::map<Height, Hash>;  // Digests (detector/stream/checkpoint.h).
  struct Contents {
    std::string state;  // Empty: nothing was stored.
    std::string entities;
    Duties duties;
    std::vector<Model> models;  // By type and period.
    Checkpoints checkpoints;
  };
  // Errors: kDataLoss when duties or keys do not decode; disk errors.
  absl::StatusOr<Contents> Load();

  // Replaces bookkeeping, duties and the list of checkpoints, and `entities` if there are new ones;
  // adds `models`, and archives every model not in `kept`.
  absl::Status Save(absl::string_view state, const std::optional<std::vector<uint8_t>>& entities,
                    const Duties& duties, const std::vector<Model>& models,
                    const std::set<ModelKey>& kept, const Checkpoints& checkpoints);
  // A model that Save() dropped lately, so that its alerts can still be recomputed. Thread-safe.
  // Errors: kNotFound; of the store.
  absl::StatusOr<std::string> LoadArchived(const Hash& digest) const;
  // Thread-safe. Errors: kNotFound; of the store.
  absl::StatusOr<std::string> LoadModel(const ModelKey& key) const;
  // Of all but the archive, whose models are right whatever became of the rest.
  absl::Status Clear();

 private:
  // Moves the model into the archive, whose oldest gives way.
  absl::Status Archive(const ModelKey& key, ledger::StoreBatch* batch);

  ledger::Store* const store_;
  std::set<ModelKey> stored_;  // After Load() or Save(), as is the next.
  Checkpoints stored_checkpoints_;
  std::set<std::string> archived_;  // Store keys, oldest period first.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_MODEL_STORE_H_
