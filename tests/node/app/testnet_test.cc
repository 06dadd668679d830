#include "node/app/testnet.h"

#include <sys/stat.h>

#include <filesystem>

#include "ledger/chain/epoch.h"
#include "ledger/chain/genesis.h"
#include "node/app/config.h"
#include "node/app/keys_dir.h"
#include "node/app/pki.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::node {
namespace {

TestnetOptions SmallNetwork(const std::string& directory) {
  TestnetOptions options;
  options.directory = directory;
  options.validators = 3;
  options.reveal_length = 64;
  return options;
}

TEST_CASE("testnet: genesis and configurations and keys fit together") {
  const testing::TempFolder folder;
  ledger::FileSystem* files = ledger::PosixFileSystem();
  REQUIRE(MakeTestnet(files, SmallNetwork(folder / "net")).ok());
  const auto genesis = ledger::ParseGenesis(*files->ReadAll(folder / "net/genesis.json"));
  REQUIRE(genesis.ok());
  REQUIRE(genesis->validators.size() == 3);
  for (int i = 1; i <= 3; ++i) {
    const std::string home = folder / ("net/validator-" + std::to_string(i));
    const auto loaded = LoadConfig(home + "/vigild.toml", {});
    REQUIRE(loaded.ok());
    CHECK(CheckConfig(loaded->config).ok());
    CHECK(loaded->config.peers.size() == 2);
    const auto self = genesis->FindValidator(loaded->config.identity);
    REQUIRE(self.has_value());
    CHECK(
        LoadValidatorKeys(files, loaded->config.keys_dir, genesis->validators[self->value()]).ok());
  }
}

TEST_CASE("testnet: every validator may have an address of its own") {
  const testing::TempFolder folder;
  TestnetOptions options = SmallNetwork(folder / "net");
  options.hosts = {"192.0.2.1", "192.0.2.2"};
  const absl::Status refused = MakeTestnet(ledger::PosixFileSystem(), options);
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()), Catch::Contains("2 addresses for 3 validators"));
  options.hosts.push_back("192.0.2.3");
  REQUIRE(MakeTestnet(ledger::PosixFileSystem(), options).ok());
  for (int i = 1; i <= 3; ++i) {
    const auto loaded =
        LoadConfig(folder / ("net/validator-" + std::to_string(i) + "/vigild.toml"), {});
    REQUIRE(loaded.ok());
    const std::string own = "192.0.2." + std::to_string(i) + ":";
    CHECK(loaded->config.listen_api.rfind(own, 0) == 0);
    CHECK(loaded->config.listen_peer.rfind(own, 0) == 0);
    for (const PeerAddress& peer : loaded->config.peers) CHECK(peer.address.rfind(own, 0) != 0);
  }
}

TEST_CASE("testnet: private keys are readable by their owner alone") {
  const testing::TempFolder folder;
  REQUIRE(MakeTestnet(ledger::PosixFileSystem(), SmallNetwork(folder / "net")).ok());
  int secrets = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "net")) {
    const std::string extension = entry.path().extension();
    if (extension != ".key" && extension != ".seed") continue;
    ++secrets;
    struct stat mode {};
    REQUIRE(stat(entry.path().c_str(), &mode) == 0);
    INFO(entry.path().string());
    CHECK((mode.st_mode & 077) == 0);
  }
  CHECK(secrets == 3 * 6 + 1 + 1 + 3 * 3);
}

TEST_CASE("testnet: a folder that holds a network is never touched") {
  const testing::TempFolder folder;
  REQUIRE(MakeTestnet(ledger::PosixFileSystem(), SmallNetwork(folder / "net")).ok());
  const auto before = *ledger::PosixFileSystem()->ReadAll(folder / "net/genesis.json");
  CHECK(
      absl::IsAlreadyExists(MakeTestnet(ledger::PosixFileSystem(), SmallNetwork(folder / "net"))));
  CHECK(*ledger::PosixFileSystem()->ReadAll(folder / "net/genesis.json") == before);
}

TEST_CASE("testnet: counts and ports out of range are named") {
  const testing::TempFolder folder;
  TestnetOptions options = SmallNetwork(folder / "net");
  options.validators = 8;
  CHECK_THAT(std::string(MakeTestnet(ledger::PosixFileSystem(), options).message()),
             Catch::Contains("1 to 7"));
  options.validators = 3;
  options.base_port = 80;
  CHECK_THAT(std::string(MakeTestnet(ledger::PosixFileSystem(), options).message()),
             Catch::Contains("--base-port 80"));
}

TEST_CASE("testnet: what failed leaves nothing behind") {
  const testing::TempFolder folder;
  ledger::FileSystem* files = ledger::PosixFileSystem();
  TestnetOptions options = SmallNetwork(folder / "net");
  options.network = "Not A Name";
  REQUIRE_FALSE(MakeTestnet(files, options).ok());
  CHECK_FALSE(files->Exists(folder / "net"));
  REQUIRE(files->MakeDirs(folder / "net").ok());
  REQUIRE_FALSE(MakeTestnet(files, options).ok());
  CHECK(files->List(folder / "net")->empty());
  // What was there before is not touched.
  REQUIRE(files->WriteAtomically(folder / "net/mine", AsBytes("x")).ok());
  CHECK(absl::IsAlreadyExists(MakeTestnet(files, options)));
  CHECK(files->Exists(folder / "net/mine"));
}

TEST_CASE("testnet: numbers that overflow are out of range too") {
  const testing::TempFolder folder;
  TestnetOptions options = SmallNetwork(folder / "net");
  SECTION("ports") { options.base_port = 4'294'967'290; }
  SECTION("no reveals") { options.reveal_length = 0; }
  SECTION("more reveals than genesis takes") { options.reveal_length = UINT64_MAX; }
  CHECK(absl::IsInvalidArgument(MakeTestnet(ledger::PosixFileSystem(), options)));
  CHECK_FALSE(ledger::PosixFileSystem()->Exists(folder / "net"));
}

TEST_CASE("keys: a length that genesis does not take or a key that is there makes no key") {
  const testing::TempFolder folder;
  ledger::FileSystem* files = ledger::PosixFileSystem();
  for (const uint64_t length : {uint64_t{0}, ledger::kRevealLengthMax + 1, UINT64_MAX}) {
    CHECK(absl::IsInvalidArgument(MakeValidatorKeys(files, folder / "keys", length).status()));
    CHECK_FALSE(files->Exists(folder / "keys"));
  }
  REQUIRE(files->MakeDirs(folder / "keys").ok());
  REQUIRE(files->WriteAtomically(folder / "keys/record.key", AsBytes("x")).ok());
  CHECK(absl::IsAlreadyExists(MakeValidatorKeys(files, folder / "keys", 16).status()));
  CHECK(files->List(folder / "keys")->size() == 1);
}

TEST_CASE("keys: another validator's keys are refused with both public halves") {
  const testing::TempFolder folder;
  ledger::FileSystem* files = ledger::PosixFileSystem();
  const auto mine = MakeValidatorKeys(files, folder / "mine", 16);
  const auto other = MakeValidatorKeys(files, folder / "other", 16);
  REQUIRE(mine.ok());
  REQUIRE(other.ok());
  CHECK(LoadValidatorKeys(files, folder / "mine", *mine).ok());
  const auto wrong = LoadValidatorKeys(files, folder / "mine", *other);
  REQUIRE_FALSE(wrong.ok());
  CHECK_THAT(std::string(wrong.status().message()), Catch::Contains(other->consensus_key.ToHex()));
  CHECK_FALSE(MakeValidatorKeys(files, folder / "mine", 16).ok());
}

TEST_CASE("keys: a cosigner key that the folder does not hold is named with its remedy") {
  const testing::TempFolder folder;
  ledger::FileSystem* files = ledger::PosixFileSystem();
  const std::string keys = folder / "keys";
  auto mine = MakeValidatorKeys(files, keys, 16);
  REQUIRE(mine.ok());
  mine->org = "acme";
  mine->name = "v1";
  ledger::Genesis genesis;
  genesis.validators = {*mine};
  const ValidatorIndex self(0);
  const auto load = [&](const ledger::Genesis& at) {
    return LoadCosignerKey(files, keys, at, self, "/data");
  };
  const auto ring = load(genesis);
  REQUIRE(ring.ok());
  const auto made = (*ring)->Next();
  REQUIRE(made.ok());

  // The next epoch's set has the key that it announced.
  std::vector<ledger::GenesisValidator> next = {*mine};
  next[0].cosigner_key = (*made)->public_key();
  const ledger::Genesis second = ledger::WithNextEpoch(genesis, Height(9), next, {""});
  const auto refusal = [&](const ledger::Genesis& at) {
    const absl::Status status = load(at).status();
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains(at.validators[0].cosigner_key.ToHex()));
    return std::string(status.message());
  };
  SECTION("a crash before the old one was destroyed") { CHECK((*load(second))->has_old()); }
  SECTION("the next key's file is lost or the folder is an older copy") {
    REQUIRE(files->Remove(keys + "/cosigner.next.key").ok());
    CHECK_THAT(refusal(second), Catch::Contains("its key of epoch 1, which is over") &&
                                    Catch::Contains("vigil admin validator replace ENTRY acme/v1"));
  }
  SECTION("the epoch chain is older than the keys") {
    auto moved = load(second);
    REQUIRE(moved.ok());
    REQUIRE((*moved)->DestroyOld().ok());
    REQUIRE(load(second).ok());
    CHECK_THAT(refusal(genesis), Catch::Contains("vigil log epochs -o /data/epochs.chain"));
  }
  SECTION("a file that others may read is not even read") {
    std::filesystem::permissions(keys + "/cosigner.key", std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    CHECK(absl::IsPermissionDenied(load(genesis).status()));
  }
}

TEST_CASE("pki: a broken authority is refused") {
  const auto authority = MakeAuthority("test CA");
  REQUIRE(authority.ok());
  CHECK(IssueCertificate(*authority, {.common_name = "x",
                                      .spiffe_id = "spiffe://a/validator/b",
                                      .ip_addresses = {"127.0.0.1"},
                                      .dns_names = {}})
            .ok());
  CHECK_FALSE(
      IssueCertificate(
          {.certificate = "nonsense", .key = authority->key},
          {.common_name = "x", .spiffe_id = "spiffe://a/b/c", .ip_addresses = {}, .dns_names = {}})
          .ok());
  CHECK_FALSE(IssueCertificate(*authority, {.common_name = "x",
                                            .spiffe_id = "spiffe://a/b/c",
                                            .ip_addresses = {"not an address"},
                                            .dns_names = {}})
                  .ok());
}

}  // namespace
}  // namespace vigil::node
