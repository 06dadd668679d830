// Epoch anchors: what proves to anybody which validators a network has after its set changed.
//
// Whoever trusts genesis walks from it by quorums, anchor by anchor, offline
// (ledger/chain/epoch_chain.h, docs/formats/epoch_chain.md). Pure but for LoadEpochChain() and
// LoadEpochs().
#ifndef VIGIL_LEDGER_STATE_EPOCH_ANCHOR_H_
#define VIGIL_LEDGER_STATE_EPOCH_ANCHOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

// Holds `anchor` against the epoch of `genesis`, which it ends.
// Returns `genesis` restated for the next epoch.
// Errors: kInvalidArgument naming what is malformed or does not fit; kPermissionDenied when fewer
// than a quorum cosigned it.
absl::StatusOr<Genesis> VerifyEpochAnchor(const Genesis& genesis, const EpochAnchor& anchor);

// `genesis` restated for the last epoch that a chain of anchors reaches, and these.
struct EpochWalk {
  Genesis genesis;
  std::vector<EpochAnchor> anchors;
};
// Walks from `genesis`, restated for the first epoch, over all anchors of the file.
// Errors: those of DecodeEpochChain() and VerifyEpochAnchor(), naming the epoch.
absl::StatusOr<Genesis> WalkEpochChain(const Genesis& genesis, ByteSpan file);

// Where a validator keeps its epoch chain, and the walk over it from `genesis`, as the file of
// genesis says; no file: there is no anchor.
// Errors: those of WalkEpochChain() naming the file and the remedy; of the disk.
std::string EpochChainPath(const std::string& data_dir);
absl::StatusOr<EpochWalk> LoadEpochChain(const FileSystem& files, const std::string& data_dir,
                                         const Genesis& genesis);
// Of that, the restated genesis.
absl::StatusOr<Genesis> LoadEpochs(const FileSystem& files, const std::string& data_dir,
                                   const Genesis& genesis);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_EPOCH_ANCHOR_H_
