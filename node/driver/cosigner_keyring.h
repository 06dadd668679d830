// CosignerKeyring: the private halves of a validator's cosigner keys, as files of its key folder.
//
//   cosigner.key       the key in use; or the one of an epoch that is over, until it is destroyed
//   cosigner.next.key  the key for the next epoch; in use itself until the other one is destroyed
//
// Which of the two is in use, the set of validators alone decides: a key is used only if the set
// names it, whatever the files are called. So a crash at any point leaves either file usable, and
// none is ever taken for the other (protocol.md, Cosigner keys).
//
// Belongs to one thread, but for in_use(). Invariants:
//   (1) The private half of a key that Next() returned is on disk, durably with its name.
//   (2) Nothing is overwritten or removed but by DestroyOld(), and a next key that is no key file.
//   (3) The key in use is on disk at every moment, under one of the two names.
#ifndef VIGIL_NODE_DRIVER_COSIGNER_KEYRING_H_
#define VIGIL_NODE_DRIVER_COSIGNER_KEYRING_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/crypto/key_file.h"
#include "ledger/crypto/keys.h"
#include "ledger/storage/file.h"

namespace vigil::node {

class CosignerKeyring {
 public:
  // Finds the private half of `in_use` in `directory`; changes nothing. `make_seed`: of new keys.
  // Errors: kNotFound when neither file holds it, naming the keys that are there; kPermissionDenied
  // when others may read a file; of the disk.
  static absl::StatusOr<std::unique_ptr<CosignerKeyring>> Open(
      ledger::FileSystem* files, const std::string& directory, const PublicKey& in_use,
      std::function<ledger::KeySeed()> make_seed = ledger::RandomKeySeed);

  const ledger::SigningKey& in_use() const { return in_use_; }
  // Whether a key that is not in use any more lies under the name of the one that is.
  bool has_old() const { return has_old_; }

  // The key for the next epoch; made, and synced, if there is none. Errors: of the disk.
  // REQUIRES: has_old() is false: its file has the name that the next key needs.
  absl::StatusOr<const ledger::SigningKey*> Next();

  // Overwrites and removes what is left of the old key, and gives the key in use its name. Can be
  // repeated after an error. Errors: of the disk.
  absl::Status DestroyOld();

 private:
  CosignerKeyring(ledger::FileSystem* files, std::string directory, ledger::SigningKey in_use,
                  std::function<ledger::KeySeed()> make_seed)
      : files_(files),
        directory_(std::move(directory)),
        in_use_(std::move(in_use)),
        make_seed_(std::move(make_seed)) {}

  ledger::FileSystem* const files_;
  const std::string directory_;
  const ledger::SigningKey in_use_;
  const std::function<ledger::KeySeed()> make_seed_;
  bool has_old_ = false;
  bool is_moved_ = true;  // The key in use has the name of the one in use.
  std::optional<ledger::SigningKey> next_;
};

// Destroys every cosigner key in the folder of a validator that is none any more. Can be repeated.
// Errors: of the disk.
absl::Status DestroyCosignerKeys(ledger::FileSystem* files, const std::string& directory);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_COSIGNER_KEYRING_H_
