// What a witness has cosigned, on disk: one file per origin, and a list of the origins.
//
//   <directory>/LOCK             held while a witness runs
//   <directory>/origins          every origin that ever got a file
//   <directory>/state/<64 hex>   of one origin, named after the SHA-256 of it
//
// A file that is damaged, or missing though its origin is listed, is an error and never "nothing
// cosigned yet": a witness that began again could cosign a second history. The files are drawn in
// docs/formats/witness.md.
#ifndef VIGIL_CLIENT_WITNESS_WITNESS_STATE_H_
#define VIGIL_CLIENT_WITNESS_WITNESS_STATE_H_

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/log/witness.h"
#include "ledger/storage/file.h"

namespace vigil::client {

// The file of one origin. One thread at a time.
//
// Invariants:
//   (1) Read() never gives a smaller size, or another root at a size, than what an earlier Read()
//       or Write() of this object gave or took.
//   (2) Once Write() was OK, every later process reads that state, or one written after it.
class OriginState {
 public:
  OriginState(ledger::FileSystem* files, std::string path, std::string origin)
      : files_(files), path_(std::move(path)), origin_(std::move(origin)) {}

  // Errors: kDataLoss when the file is missing, damaged, another origin's, or older than (1)
  // allows; others of the disk.
  absl::StatusOr<ledger::WitnessedState> Read();
  // Returns once `state` is on disk. After an error the file may hold either state: the next Read()
  // says which, and nothing of `state` may be promised before a Write() of it was OK.
  // REQUIRES: `state` is not older than what (1) allows.
  absl::Status Write(const ledger::WitnessedState& state);

 private:
  bool GoesBack(const ledger::WitnessedState& state) const;

  ledger::FileSystem* const files_;
  const std::string path_;
  const std::string origin_;
  ledger::WitnessedState known_;
};

// The folder of a witness, locked while this object lives.
class WitnessFolder {
 public:
  // Makes the list of origins, empty, unless there is one. A folder without it cannot be opened.
  static absl::Status Init(ledger::FileSystem* files, const std::string& directory);

  // Locks the folder, checks the file of every origin in the list, and adds `origins` that are new
  // to it with size 0.
  // Errors: kAlreadyExists when another process holds the folder; kDataLoss naming the file that is
  // damaged or missing; others of the disk.
  static absl::StatusOr<std::unique_ptr<WitnessFolder>> Open(ledger::FileSystem* files,
                                                             const std::string& directory,
                                                             std::span<const std::string> origins);

  // The file of an origin in the list; nullptr for any other. Belongs to the folder.
  OriginState* Find(absl::string_view origin);

 private:
  WitnessFolder() = default;
  std::shared_ptr<void> lock_;  // Owned by this object alone.
  std::map<std::string, std::unique_ptr<OriginState>, std::less<>> states_;
};

// One origin of a folder with what was cosigned of it.
struct ListedOrigin {
  std::string origin;
  ledger::WitnessedState state;
};

// Reads a folder without locking it. Errors: as WitnessFolder::Open(), without kAlreadyExists.
absl::StatusOr<std::vector<ListedOrigin>> ListOrigins(ledger::FileSystem* files,
                                                      const std::string& directory);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_WITNESS_WITNESS_STATE_H_
