// What of a validator's data folder is sound, what is not, and what to do about it.
//
// For a stopped validator or a copy. Nothing is changed: LevelDB and the tiles are opened over an
// overlay, so that a folder on a medium that cannot be written can be judged, too. Checks form,
// checksums and that the parts fit each other; `vigil verify ledger` checks signatures and executes
// everything again.
//
// One thread.
#ifndef VIGIL_NODE_KEEP_DATA_CHECK_H_
#define VIGIL_NODE_KEEP_DATA_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"

namespace vigil::node {

enum class PartVerdict {
  kSound,
  kMissing,      // A derived part that is not there; a start makes it.
  kRebuildable,  // A derived part that is damaged; a start makes it anew.
  kTorn,         // The journal's last group: what it promised may be lost.
  kDamaged,      // What cannot be made again: the validator must not vote.
};
// "sound".
absl::string_view PartVerdictName(PartVerdict verdict);

struct DataPart {
  std::string name;  // "journal", "guard", "state", "index", "detect", "tiles", "snapshots",
                     // "folder".
  PartVerdict verdict = PartVerdict::kSound;
  std::string what;
  std::string remedy;  // Empty: nothing needs to be done.
};

struct DataReport {
  std::string validator;
  std::vector<DataPart> parts;
  // The worst of the parts.
  PartVerdict verdict() const;
};

struct DataCheckRequest {
  std::string data_dir;
  std::string guard_path;  // Empty: not looked at.
  const ledger::Genesis* genesis = nullptr;
};
// Errors: kNotFound when there is no journal; kAlreadyExists while a validator runs on it; of the
// disk.
absl::StatusOr<DataReport> CheckData(ledger::FileSystem* files, const DataCheckRequest& request);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_DATA_CHECK_H_
