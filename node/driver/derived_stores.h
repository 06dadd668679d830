// DerivedStores: the stores that can be built anew from the journal (state, index, detect).
//
// A store that is found damaged while the node runs cannot be replaced under its readers. A marker
// file, <data_dir>/<name>.rebuild, tells the next start to begin with an empty one.
//
// Open() belongs to the thread that opens the node; MarkDamaged() is thread-safe.
#ifndef VIGIL_NODE_DRIVER_DERIVED_STORES_H_
#define VIGIL_NODE_DRIVER_DERIVED_STORES_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/storage/file.h"
#include "ledger/storage/store.h"
#include "node/driver/log.h"

namespace vigil::node {

// Opens one of a node's stores by name ("state", "index", "detect"); `wipe` empties it first.
using StoreFactory = std::function<absl::StatusOr<std::unique_ptr<ledger::Store>>(
    absl::string_view name, bool wipe)>;

class DerivedStores {
 public:
  // `files` and `log` must outlive the object.
  DerivedStores(ledger::FileSystem* files, std::string data_dir, StoreFactory open,
                const LogFunction* log);

  // Opens the store `name`, an empty one in its place when it is marked. Errors: of the store;
  // kDataLoss when it is damaged: OpenEmpty() helps.
  absl::StatusOr<std::unique_ptr<ledger::Store>> Open(absl::string_view name);
  // `why` is for the log.
  absl::StatusOr<std::unique_ptr<ledger::Store>> OpenEmpty(absl::string_view name,
                                                           absl::string_view why);

  // The next start builds `name` anew. Says so in the log.
  void MarkDamaged(absl::string_view name, absl::string_view why) const;

 private:
  std::string MarkerPath(absl::string_view name) const;

  ledger::FileSystem* const files_;
  const std::string data_dir_;
  const StoreFactory open_;
  const LogFunction* const log_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_DERIVED_STORES_H_
