#include "node/driver/cosigner_keyring.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

using ledger::FileSystem;
using ledger::SigningKey;

constexpr absl::string_view kKeyName = "cosigner";

std::string PathInUse(const std::string& directory) { return directory + "/cosigner.key"; }
std::string PathNext(const std::string& directory) { return directory + "/cosigner.next.key"; }
std::string PathTemporary(const std::string& directory) { return PathNext(directory) + ".tmp"; }

// nullopt: there is no such file, or what is in it is no key: a wiped one, or in part.
absl::StatusOr<std::optional<SigningKey>> ReadKey(const FileSystem& files,
                                                  const std::string& path) {
  absl::StatusOr<std::string> text = files.ReadSecret(path);
  if (absl::IsNotFound(text.status())) return std::optional<SigningKey>();
  RETURN_IF_ERROR(text.status());
  absl::StatusOr<SigningKey> key = ledger::DecodeKeyFile(*text, path);
  ledger::WipeSecret(&*text);
  if (!key.ok()) return std::optional<SigningKey>();
  return std::optional<SigningKey>(*std::move(key));
}

// Zeros where the secret was, on disk before the name goes.
absl::Status Destroy(FileSystem* files, const std::string& path) {
  if (!files->Exists(path)) return absl::OkStatus();
  RETURN_IF_ERROR(files->Wipe(path));
  return files->Remove(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CosignerKeyring>> CosignerKeyring::Open(
    FileSystem* files, const std::string& directory, const PublicKey& in_use,
    std::function<ledger::KeySeed()> make_seed) {
  ASSIGN_OR_RETURN(std::optional<SigningKey> present, ReadKey(*files, PathInUse(directory)));
  ASSIGN_OR_RETURN(std::optional<SigningKey> next, ReadKey(*files, PathNext(directory)));
  const bool is_present = present.has_value() && present->public_key() == in_use;
  if (!is_present && (!next.has_value() || next->public_key() != in_use)) {
    std::vector<std::string> held;
    if (present.has_value()) held.push_back("cosigner.key " + present->public_key().ToHex());
    if (next.has_value()) held.push_back("cosigner.next.key " + next->public_key().ToHex());
    return absl::NotFoundError(absl::StrCat(directory, " does not hold the cosigner key ",
                                            in_use.ToHex(), "; there is ",
                                            held.empty() ? "none" : absl::StrJoin(held, " and ")));
  }
  std::unique_ptr<CosignerKeyring> ring(new CosignerKeyring(
      files, directory, *std::move(is_present ? present : next), std::move(make_seed)));
  ring->is_moved_ = is_present;
  ring->has_old_ = !is_present && files->Exists(PathInUse(directory));
  if (is_present && next.has_value() && next->public_key() != in_use) {
    ring->next_ = *std::move(next);
  }
  return ring;
}

absl::StatusOr<const SigningKey*> CosignerKeyring::Next() {
  VIGIL_CHECK(!has_old_, "a next cosigner key is asked for while an old one is there");
  // Of a crash between the removal of an old key and the move.
  if (!is_moved_) RETURN_IF_ERROR(DestroyOld());
  if (next_.has_value()) return &*next_;
  const std::string path = PathNext(directory_);
  const std::string temporary = PathTemporary(directory_);
  for (const std::string& leftover : {temporary, path}) {
    RETURN_IF_ERROR(Destroy(files_, leftover));
  }
  ledger::KeySeed seed = make_seed_();
  std::string text = ledger::EncodeKeyFile(kKeyName, seed);
  SigningKey key = SigningKey::FromSeed(seed);
  ledger::WipeSecret(&seed);
  const absl::Status written = files_->WriteSecret(temporary, AsBytes(text));
  ledger::WipeSecret(&text);
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(files_->Rename(temporary, path));
  RETURN_IF_ERROR(files_->SyncDir(directory_));
  next_ = std::move(key);
  return &*next_;
}

absl::Status CosignerKeyring::DestroyOld() {
  if (is_moved_) return absl::OkStatus();
  const std::string path = PathInUse(directory_);
  RETURN_IF_ERROR(Destroy(files_, path));
  RETURN_IF_ERROR(files_->SyncDir(directory_));
  has_old_ = false;
  RETURN_IF_ERROR(files_->Rename(PathNext(directory_), path));
  is_moved_ = true;
  return files_->SyncDir(directory_);
}

absl::Status DestroyCosignerKeys(FileSystem* files, const std::string& directory) {
  for (const std::string& path :
       {PathInUse(directory), PathNext(directory), PathTemporary(directory)}) {
    RETURN_IF_ERROR(Destroy(files, path));
  }
  return files->SyncDir(directory);
}

}  // namespace vigil::node
