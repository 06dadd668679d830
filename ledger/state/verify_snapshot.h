// Where VerifyLedger can begin to execute above a base: at a snapshot that the chain vouches for.
#ifndef VIGIL_LEDGER_STATE_VERIFY_SNAPSHOT_H_
#define VIGIL_LEDGER_STATE_VERIFY_SNAPSHOT_H_

#include <memory>
#include <optional>
#include <string>

#include "ledger/chain/genesis.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/state/verify_journal.h"
#include "ledger/state/verify_report.h"

namespace vigil::ledger {

struct ChosenSnapshot {
  std::unique_ptr<SnapshotFile> file;
  SnapshotStart start;
};

// The lowest snapshot in `directory` from `base` to `top` whose block the chain holds and whose
// digest a header of the chain carries, or, for that of the base itself, the base frame. One that
// contradicts them or is damaged is a finding; one that nothing vouches for yet is passed over.
// Its chunks are not read yet.
std::optional<ChosenSnapshot> ChooseSnapshot(const FileSystem& files, const std::string& directory,
                                             const Genesis& genesis, const JournalReader& journal,
                                             const JournalIndex& index, HeightRange range,
                                             FindingSink* sink);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VERIFY_SNAPSHOT_H_
