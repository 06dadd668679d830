// Backup and restore of a validator's data folder.
//
// A backup is a folder: the journal's segments, and MANIFEST, which is written last, so that a
// folder without it is no backup (docs/formats/backup.md). Everything else in a data folder is
// derived from the journal and made anew. Where the journal begins above genesis, because the
// validator joined by a snapshot or archived, a snapshot and the log up to there are in it, too.
// Keys are never in it.
//
// A restored validator is older than what it promised in the meantime. So it is a non-voter
// (protocol.md, R21) that cosigns nothing until it votes again (C5), as after a torn journal.
//
// One thread; nothing is kept between calls.
#ifndef VIGIL_NODE_KEEP_BACKUP_H_
#define VIGIL_NODE_KEEP_BACKUP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal_copy.h"

namespace vigil::node {

inline constexpr char kManifestName[] = "MANIFEST";

// What a backup holds of a journal that begins above genesis.
struct BackupBase {
  Height height;  // The journal goes on above this block.
  Hash block_hash;
  uint64_t tree_size = 0;  // Of the log behind it; its leaves are in the backup.
  Hash tree_root;
  ledger::FileDigest snapshot;
  bool operator==(const BackupBase&) const = default;
};

// What a backup holds.
struct BackupManifest {
  std::string network;
  Hash genesis_hash;
  std::string validator;  // "org/name".
  ledger::JournalId journal_id;
  uint64_t journal_begin = 0;
  uint64_t journal_end = 0;
  std::optional<BackupBase> base;  // nullopt: the journal begins at genesis.
  // What executing the journal again gives.
  Height height;
  Hash block_hash;
  Hash state_digest;
  uint64_t tree_size = 0;
  Hash tree_root;
  std::vector<ledger::FileDigest> segments;
  bool operator==(const BackupManifest&) const = default;
};
std::string EncodeManifest(const BackupManifest& manifest);
// Errors: kDataLoss naming the line.
absl::StatusOr<BackupManifest> DecodeManifest(absl::string_view text);

struct BackupRequest {
  std::string data_dir;
  std::string target;  // Must not exist, or be an empty folder.
  const ledger::Genesis* genesis = nullptr;
};
// Copies the journal of a stopped or running validator, executes the copy again, and writes what
// it holds into the manifest. Errors: kAlreadyExists for the target; kNotFound when there is no
// journal; kFailedPrecondition when it begins above genesis and no sound snapshot, or not all of
// the log up to there, lies beside it; kDataLoss when it is not sound or not of `genesis`;
// kAborted: try again; of the disk.
// After an error there is no manifest.
absl::StatusOr<BackupManifest> BackupData(ledger::FileSystem* files, const BackupRequest& request,
                                          const ledger::VerifyProgressFn& progress);

struct RestoreRequest {
  std::string backup;
  std::string data_dir;    // Must not exist, be empty, or be what an interrupted restore left.
  std::string guard_path;  // The rollback guard of the validator's last run.
  const ledger::Genesis* genesis = nullptr;
};
// Copies the backup, verifies every digest, executes it again, records that the validator may have
// forgotten votes and signatures, and sets the guard back. Until all of that is on disk the folder
// bears a mark with which no node starts. Errors: kAlreadyExists when the folder holds anything
// else; kNotFound for a backup without manifest; kDataLoss when a digest, the chain or the state
// digest differs; kFailedPrecondition when the guard is not there or of another validator; of the
// disk.
absl::StatusOr<BackupManifest> RestoreData(ledger::FileSystem* files, const RestoreRequest& request,
                                           const ledger::VerifyProgressFn& progress);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_BACKUP_H_
