#include "client/witness/witness_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/storage/crc32c.h"

namespace vigil::client {
namespace {

using ledger::WitnessedState;

constexpr absl::string_view kStateHeader = "vigil-witness-state/v1\n";
constexpr absl::string_view kOriginsHeader = "vigil-witness-origins/v1\n";

std::string OriginsPath(absl::string_view directory) { return absl::StrCat(directory, "/origins"); }
std::string StatePath(absl::string_view directory, absl::string_view origin) {
  return absl::StrCat(directory, "/state/", ledger::Sha256(AsBytes(origin)).ToHex());
}

// The line that ends both files: it finds accidents, and a file that was cut or edited.
std::string ChecksumLine(absl::string_view text) {
  return absl::StrFormat("crc32c %08x\n", ledger::Crc32c(AsBytes(text)));
}

absl::Status Damaged(const std::string& path, absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", why,
                   "; what this witness has cosigned is not known any more, so it does not go on. "
                   "Make a new witness with a new key"));
}

// The text between `header` and the checksum. Errors: kDataLoss.
absl::StatusOr<std::string> ReadChecked(const ledger::FileSystem& files, const std::string& path,
                                        absl::string_view header) {
  absl::StatusOr<std::string> bytes = files.ReadAll(path);
  if (absl::IsNotFound(bytes.status())) return Damaged(path, "the file is missing");
  if (!bytes.ok()) return bytes.status();
  absl::string_view text = *bytes;
  const size_t checksum_size = ChecksumLine("").size();
  if (text.size() < header.size() + checksum_size) return Damaged(path, "the file is cut");
  const absl::string_view checksum = text.substr(text.size() - checksum_size);
  text.remove_suffix(checksum_size);
  if (checksum != ChecksumLine(text)) return Damaged(path, "the checksum is wrong");
  if (!absl::ConsumePrefix(&text, header)) return Damaged(path, "the file is of another kind");
  return std::string(text);
}

absl::Status WriteChecked(ledger::FileSystem* files, const std::string& path,
                          absl::string_view header, absl::string_view text) {
  std::string bytes = absl::StrCat(header, text);
  bytes += ChecksumLine(bytes);
  return files->WriteAtomically(path, AsBytes(bytes));
}

absl::StatusOr<WitnessedState> ReadState(const ledger::FileSystem& files, const std::string& path,
                                         absl::string_view origin) {
  ASSIGN_OR_RETURN(const std::string text, ReadChecked(files, path, kStateHeader));
  const absl::StatusOr<ledger::Checkpoint> checkpoint = ledger::DecodeCheckpoint(text);
  if (!checkpoint.ok()) return Damaged(path, checkpoint.status().message());
  if (checkpoint->origin != origin) {
    return Damaged(path, absl::StrCat("it is of origin ", checkpoint->origin, ", not ", origin));
  }
  return WitnessedState{.size = checkpoint->size, .root = checkpoint->root};
}

absl::StatusOr<std::set<std::string>> ReadOrigins(const ledger::FileSystem& files,
                                                  const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadChecked(files, OriginsPath(directory), kOriginsHeader));
  return std::set<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty()));
}

absl::Status WriteOrigins(ledger::FileSystem* files, const std::string& directory,
                          const std::set<std::string>& origins) {
  std::string text;
  for (const std::string& origin : origins) absl::StrAppend(&text, origin, "\n");
  return WriteChecked(files, OriginsPath(directory), kOriginsHeader, text);
}

// Gives `origin` a file that says size 0. One that is there already stays: a crash came between it
// and the list.
absl::Status AddOrigin(ledger::FileSystem* files, const std::string& directory,
                       const std::string& origin) {
  const std::string path = StatePath(directory, origin);
  OriginState state(files, path, origin);
  if (files->Exists(path)) return state.Read().status();
  return state.Write({.size = 0, .root = ledger::MerkleRoot({})});
}

}  // namespace

bool OriginState::GoesBack(const WitnessedState& state) const {
  return state.size < known_.size ||
         (known_.size > 0 && state.size == known_.size && state.root != known_.root);
}

absl::StatusOr<WitnessedState> OriginState::Read() {
  ASSIGN_OR_RETURN(const WitnessedState state, ReadState(*files_, path_, origin_));
  if (GoesBack(state)) {
    return Damaged(path_, absl::StrCat("it went back from size ", known_.size, " to ", state.size));
  }
  known_ = state;
  return state;
}

absl::Status OriginState::Write(const WitnessedState& state) {
  VIGIL_CHECK(!GoesBack(state), "witness of ", origin_, " back from size ", known_.size, " to ",
              state.size);
  RETURN_IF_ERROR(WriteChecked(
      files_, path_, kStateHeader,
      ledger::EncodeCheckpoint({.origin = origin_, .size = state.size, .root = state.root})));
  known_ = state;
  return absl::OkStatus();
}

absl::Status WitnessFolder::Init(ledger::FileSystem* files, const std::string& directory) {
  RETURN_IF_ERROR(files->MakeDirs(absl::StrCat(directory, "/state")));
  if (files->Exists(OriginsPath(directory))) return ReadOrigins(*files, directory).status();
  return WriteOrigins(files, directory, {});
}

absl::StatusOr<std::unique_ptr<WitnessFolder>> WitnessFolder::Open(
    ledger::FileSystem* files, const std::string& directory, std::span<const std::string> origins) {
  std::unique_ptr<WitnessFolder> folder(new WitnessFolder);
  absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(absl::StrCat(directory, "/LOCK"));
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat(directory, ": another witness runs on this folder; end it first"));
  }
  if (!lock.ok()) return lock.status();
  folder->lock_ = *std::move(lock);
  ASSIGN_OR_RETURN(std::set<std::string> listed, ReadOrigins(*files, directory));
  const size_t listed_count = listed.size();
  for (const std::string& origin : origins) {
    if (!listed.insert(origin).second) continue;
    RETURN_IF_ERROR(AddOrigin(files, directory, origin));
  }
  // After the files: a listed origin without a file would count as damage.
  if (listed.size() > listed_count) RETURN_IF_ERROR(WriteOrigins(files, directory, listed));
  for (const std::string& origin : listed) {
    auto state = std::make_unique<OriginState>(files, StatePath(directory, origin), origin);
    RETURN_IF_ERROR(state->Read().status());
    folder->states_.emplace(origin, std::move(state));
  }
  return folder;
}

OriginState* WitnessFolder::Find(absl::string_view origin) {
  const auto found = states_.find(std::string(origin));
  return found == states_.end() ? nullptr : found->second.get();
}

absl::StatusOr<std::vector<ListedOrigin>> ListOrigins(ledger::FileSystem* files,
                                                      const std::string& directory) {
  ASSIGN_OR_RETURN(const std::set<std::string> origins, ReadOrigins(*files, directory));
  std::vector<ListedOrigin> listed;
  for (const std::string& origin : origins) {
    ASSIGN_OR_RETURN(const WitnessedState state,
                     ReadState(*files, StatePath(directory, origin), origin));
    listed.push_back({.origin = origin, .state = state});
  }
  return listed;
}

}  // namespace vigil::client
