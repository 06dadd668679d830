// The files of cosigner keys: a crash at every operation, what is left on the disk, and folders
// that do not hold the key that the set names.
#include "node/driver/cosigner_keyring.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::FaultyFileSystem;
using ledger::KeySeed;
using ledger::SigningKey;

constexpr char kFolder[] = "/keys";
constexpr char kInUse[] = "/keys/cosigner.key";
constexpr char kNext[] = "/keys/cosigner.next.key";
constexpr std::array kModes = {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced,
                               CrashMode::kTornPrefix, CrashMode::kTornSectors,
                               CrashMode::kAnyLoss};

KeySeed SeedOf(uint8_t number) {
  KeySeed seed{};
  seed.fill(0xE0);
  seed[0] = number;
  return seed;
}
PublicKey KeyOf(uint8_t number) { return SigningKey::FromSeed(SeedOf(number)).public_key(); }
std::string Secret(uint8_t number) { return HexEncode(SeedOf(number)); }

void Put(FaultyFileSystem* disk, const std::string& path, uint8_t number) {
  REQUIRE(disk->MakeDirs(kFolder).ok());
  REQUIRE(
      disk->WriteAtomically(path, AsBytes(ledger::EncodeKeyFile("cosigner", SeedOf(number)))).ok());
}

// Whether any file holds the secret, as it stands in key files or as it is.
bool Holds(const FaultyFileSystem& disk, uint8_t number) {
  const KeySeed seed = SeedOf(number);
  const std::string raw(seed.begin(), seed.end());
  const std::vector<std::string> names = disk.List(kFolder).value();
  for (const std::string& name : names) {
    const std::string bytes = disk.ReadAll(absl::StrCat(kFolder, "/", name)).value();
    if (absl::StrContains(bytes, Secret(number)) || absl::StrContains(bytes, raw)) return true;
  }
  return false;
}

auto Open(FaultyFileSystem* disk, uint8_t in_use, uint8_t* generated) {
  return CosignerKeyring::Open(disk, kFolder, KeyOf(in_use),
                               [generated] { return SeedOf(++*generated); });
}

TEST_CASE("cosigner keyring: the set decides which file is the key in use", "[cosigners]") {
  FaultyFileSystem disk(1);
  uint8_t generated = 10;
  Put(&disk, kInUse, 1);
  Put(&disk, kNext, 2);
  const auto before = Open(&disk, 1, &generated);
  REQUIRE(before.ok());
  CHECK((*before)->in_use().public_key() == KeyOf(1));
  CHECK_FALSE((*before)->has_old());
  CHECK((*(*before)->Next())->public_key() == KeyOf(2));

  const auto after = Open(&disk, 2, &generated);
  REQUIRE(after.ok());
  CHECK((*after)->in_use().public_key() == KeyOf(2));
  CHECK((*after)->has_old());
  REQUIRE((*after)->DestroyOld().ok());
  CHECK_FALSE((*after)->has_old());
  CHECK_FALSE(Holds(disk, 1));
  CHECK((*(*after)->Next())->public_key() == KeyOf(11));
  REQUIRE(Open(&disk, 2, &generated).ok());

  // A name says nothing: neither the destroyed key nor one that was never there is replaced by it.
  for (const uint8_t other : {1, 9}) {
    const absl::Status refused = Open(&disk, other, &generated).status();
    CHECK(absl::IsNotFound(refused));
    CHECK(absl::StrContains(refused.message(), KeyOf(other).ToHex()));
    CHECK(absl::StrContains(refused.message(), "cosigner.key " + KeyOf(2).ToHex()));
  }
}

TEST_CASE("cosigner keyring: a crash at every operation of a change leaves the new key",
          "[cosigners]") {
  const uint64_t seed = TestSeed(71);
  for (const CrashMode mode : kModes) {
    bool complete = false;
    for (uint64_t operation = 0; !complete; ++operation) {
      INFO("mode " << static_cast<int>(mode) << ", operation " << operation << ", seed " << seed);
      FaultyFileSystem disk(seed + operation);
      uint8_t generated = 10;
      Put(&disk, kInUse, 1);
      Put(&disk, kNext, 2);
      auto ring = Open(&disk, 2, &generated);
      REQUIRE(ring.ok());
      disk.CrashAt(disk.operation_count() + operation);
      complete = (*ring)->DestroyOld().ok();
      disk.Crash(mode);

      auto again = Open(&disk, 2, &generated);
      REQUIRE(again.ok());
      CHECK((*again)->in_use().public_key() == KeyOf(2));
      if (complete) CHECK_FALSE((*again)->has_old());
      REQUIRE((*again)->DestroyOld().ok());
      CHECK_FALSE(Holds(disk, 1));
      CHECK(Holds(disk, 2));
      CHECK((*(*again)->Next())->public_key() == KeyOf(11));
      disk.Crash(CrashMode::kLoseUnsynced);
      CHECK(Open(&disk, 2, &generated).ok());
      CHECK(Open(&disk, 11, &generated).ok());
      REQUIRE(operation < 20);
    }
  }
}

TEST_CASE("cosigner keyring: a crash at every operation leaves a key that was named",
          "[cosigners]") {
  const uint64_t seed = TestSeed(72);
  for (const CrashMode mode : kModes) {
    bool named = false;
    for (uint64_t operation = 0; !named; ++operation) {
      INFO("mode " << static_cast<int>(mode) << ", operation " << operation << ", seed " << seed);
      FaultyFileSystem disk(seed + operation);
      uint8_t generated = 10;
      Put(&disk, kInUse, 1);
      auto ring = Open(&disk, 1, &generated);
      REQUIRE(ring.ok());
      disk.CrashAt(disk.operation_count() + operation);
      const auto next = (*ring)->Next();
      named = next.ok();
      disk.Crash(mode);

      auto again = Open(&disk, 1, &generated);
      REQUIRE(again.ok());
      CHECK((*again)->in_use().public_key() == KeyOf(1));
      const auto after = (*again)->Next();
      REQUIRE(after.ok());
      if (named) CHECK((*after)->public_key() == KeyOf(11));
      CHECK(Open(&disk, generated, &generated).ok());
      // What a crash left of another is gone, too.
      CHECK(disk.List(kFolder).value() ==
            std::vector<std::string>{"cosigner.key", "cosigner.next.key"});
      REQUIRE(operation < 20);
    }
  }
}

TEST_CASE("cosigner keyring: the old key is overwritten on disk before its name goes",
          "[cosigners]") {
  FaultyFileSystem disk(3);
  uint8_t generated = 10;
  Put(&disk, kInUse, 1);
  Put(&disk, kNext, 2);
  auto ring = Open(&disk, 2, &generated);
  REQUIRE(ring.ok());
  disk.FailWhen({.call = ledger::DiskCall::kRemove,
                 .matches = [](const std::string& path) { return path == kInUse; }});
  CHECK_FALSE((*ring)->DestroyOld().ok());
  CHECK((*ring)->has_old());
  disk.Crash(CrashMode::kLoseUnsynced);
  const std::string left = disk.ReadAll(kInUse).value();
  CHECK(left == std::string(left.size(), '\0'));
  // The second attempt goes on from there.
  auto again = Open(&disk, 2, &generated);
  REQUIRE(again.ok());
  REQUIRE((*again)->has_old());
  CHECK((*again)->DestroyOld().ok());
  CHECK(disk.Exists(kInUse));
  CHECK_FALSE(disk.Exists(kNext));
}

TEST_CASE("cosigner keyring: who is a validator no more keeps none", "[cosigners]") {
  FaultyFileSystem disk(4);
  Put(&disk, kInUse, 1);
  Put(&disk, kNext, 2);
  Put(&disk, absl::StrCat(kNext, ".tmp"), 3);
  REQUIRE(DestroyCosignerKeys(&disk, kFolder).ok());
  disk.Crash(CrashMode::kLoseUnsynced);
  CHECK(disk.List(kFolder).value().empty());
  CHECK(DestroyCosignerKeys(&disk, kFolder).ok());
}

TEST_CASE("cosigner keyring: on the machine's disk the secret's own blocks are overwritten",
          "[cosigners]") {
  const testing::TempFolder folder;
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  const std::string in_use = folder / "cosigner.key";
  const std::string next = folder / "cosigner.next.key";
  REQUIRE(files->WriteSecret(in_use, AsBytes(ledger::EncodeKeyFile("cosigner", SeedOf(1)))).ok());
  auto first = CosignerKeyring::Open(files, folder.path(), KeyOf(1));
  REQUIRE(first.ok());
  const auto made = (*first)->Next();
  REQUIRE(made.ok());
  struct stat info;
  REQUIRE(stat(next.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  // Another name of the same file shows what becomes of its bytes.
  const std::string witness = folder / "witness";
  REQUIRE(link(in_use.c_str(), witness.c_str()) == 0);
  auto second = CosignerKeyring::Open(files, folder.path(), (*made)->public_key());
  REQUIRE(second.ok());
  REQUIRE((*second)->DestroyOld().ok());
  const std::string left = files->ReadAll(witness).value();
  CHECK(left == std::string(left.size(), '\0'));
  CHECK_FALSE(files->Exists(next));
  CHECK(SigningKey::Load(in_use)->public_key() == (*made)->public_key());

  REQUIRE(chmod(in_use.c_str(), 0640) == 0);
  CHECK(absl::IsPermissionDenied(
      CosignerKeyring::Open(files, folder.path(), (*made)->public_key()).status()));
}

}  // namespace
}  // namespace vigil::node
