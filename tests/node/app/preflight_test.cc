#include "node/app/preflight.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "ledger/base/clock.h"
#include "ledger/storage/file.h"
#include "node/app/keys_dir.h"
#include "node/app/testnet.h"
#include "node/app/validator.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::node {
namespace {

constexpr int64_t kYearSeconds = 365 * 24 * 3600;

int64_t Now() { return SystemClock()->UnixMillis() / 1000; }

// A network of three and the configuration of its first validator, to be spoilt.
class Network {
 public:
  Network() {
    TestnetOptions options;
    options.directory = folder_ / "net";
    options.validators = 3;
    options.reveal_length = 64;
    REQUIRE(MakeTestnet(ledger::PosixFileSystem(), options).ok());
  }
  std::string Path(const std::string& name) const { return folder_ / ("net/" + name); }
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  void Replace(const std::string& name, const std::string& from, const std::string& to) const {
    const std::string before = Read(name);
    const std::string after = absl::StrReplaceAll(before, {{from, to}});
    REQUIRE(before != after);
    Write(name, after);
  }
  absl::Status Check(int64_t now = Now()) const {
    const auto loaded = LoadConfig(Path("validator-1/vigild.toml"), {});
    if (!loaded.ok()) return loaded.status();
    return CheckEverything(*loaded, now).status();
  }
  std::string Refusal(int64_t now = Now()) const {
    const absl::Status status = Check(now);
    CHECK_FALSE(status.ok());
    return std::string(status.message());
  }

 private:
  const testing::TempFolder folder_;
};

TEST_CASE("preflight: a network as it was made passes without warnings for every validator") {
  const Network network;
  for (const char* name : {"validator-1", "validator-2", "validator-3"}) {
    const auto loaded = LoadConfig(network.Path(std::string(name) + "/vigild.toml"), {});
    REQUIRE(loaded.ok());
    const auto preflight = CheckEverything(*loaded, Now());
    INFO(preflight.status());
    REQUIRE(preflight.ok());
    CHECK(preflight->warnings.empty());
    CHECK(preflight->validators.size() == 3);
    CHECK(preflight->validators[preflight->self.value()].address.empty());
  }
}

TEST_CASE("preflight: certificate files that cannot work are refused by name and place") {
  const Network network;
  const std::string config = "validator-1/vigild.toml";
  SECTION("a CA that is no PEM") {
    network.Write("ca.pem", "nonsense");
    CHECK_THAT(network.Refusal(), Catch::Contains("vigild.toml:13:6: tls.ca: ") &&
                                      Catch::Contains("no certificate in PEM"));
  }
  SECTION("the key of another certificate") {
    network.Write("validator-1/tls.key", network.Read("validator-2/tls.key"));
    CHECK_THAT(network.Refusal(), Catch::Contains("tls.key: ") &&
                                      Catch::Contains("is not the key of the certificate"));
  }
  SECTION("a key that is none") {
    network.Write("validator-1/tls.key", "nonsense");
    CHECK_THAT(network.Refusal(), Catch::Contains("holds no private key"));
  }
  SECTION("another validator's certificate with its key") {
    network.Write("validator-1/tls.pem", network.Read("validator-2/tls.pem"));
    network.Write("validator-1/tls.key", network.Read("validator-2/tls.key"));
    CHECK_THAT(network.Refusal(),
               Catch::Contains("does not bear spiffe://org-1/validator/validator-1") &&
                   Catch::Contains("spiffe://org-2/validator/validator-2"));
  }
  SECTION("a certificate of another CA") {
    const Network other;
    network.Write("validator-1/tls.pem", other.Read("validator-1/tls.pem"));
    network.Write("validator-1/tls.key", other.Read("validator-1/tls.key"));
    CHECK_THAT(network.Refusal(), Catch::Contains("was not issued by the CA in"));
  }
  SECTION("an expired one") {
    CHECK_THAT(network.Refusal(Now() + 11 * kYearSeconds), Catch::Contains("expired"));
  }
  SECTION("one that is not valid yet") {
    CHECK_THAT(network.Refusal(Now() - kYearSeconds), Catch::Contains("not valid yet"));
  }
}

TEST_CASE("preflight: a certificate that ends soon is told of") {
  const Network network;
  const auto loaded = LoadConfig(network.Path("validator-1/vigild.toml"), {});
  REQUIRE(loaded.ok());
  // Certificates are made for ten years of 365 days, from a day ago.
  const auto soon = CheckEverything(*loaded, Now() + 10 * kYearSeconds - 6 * 24 * 3600);
  INFO(soon.status());
  REQUIRE(soon.ok());
  REQUIRE(soon->warnings.size() == 2);
  CHECK_THAT(soon->warnings[1],
             Catch::Contains("tls.certificate: ") && Catch::Contains("expires in"));
}

TEST_CASE("preflight: genesis and identity and keys and peers must fit together") {
  const Network network;
  const std::string config = "validator-1/vigild.toml";
  SECTION("no genesis") {
    std::filesystem::remove(network.Path("genesis.json"));
    CHECK_THAT(network.Refusal(),
               Catch::Contains("vigild.toml:3:") && Catch::Contains("genesis.json"));
  }
  SECTION("a broken genesis") {
    network.Write("genesis.json", "{}");
    CHECK_THAT(network.Refusal(), Catch::Contains("vigild.toml:3:"));
  }
  SECTION("another validator's keys") {
    network.Replace(config, "keys_dir = \"keys\"", "keys_dir = \"../validator-2/keys\"");
    CHECK_THAT(network.Refusal(),
               Catch::Contains("vigild.toml:5:") && Catch::Contains("consensus.key"));
  }
  SECTION("a peer that genesis does not name") {
    network.Replace(config, "org-3/validator-3", "org-9/validator-9");
    CHECK_THAT(network.Refusal(), Catch::Contains("vigild.toml:") &&
                                      Catch::Contains("'org-9/validator-9' is no validator"));
  }
  SECTION("a peer that is missing") {
    const std::string text = network.Read(config);
    network.Write(config, text.substr(0, text.rfind("[[peers]]")));
    CHECK_THAT(network.Refusal(), Catch::Contains("no address for org-3/validator-3"));
  }
  SECTION("a peer that is this validator itself") {
    network.Write(config, network.Read(config) +
                              "\n[[peers]]\nidentity = "
                              "\"org-1/validator-1\"\naddress = \"h:1\"\n");
    CHECK_THAT(network.Refusal(), Catch::Contains("is this validator itself"));
  }
  SECTION("a peer that is there twice") {
    network.Write(config, network.Read(config) +
                              "\n[[peers]]\nidentity = "
                              "\"org-3/validator-3\"\naddress = \"h:1\"\n");
    CHECK_THAT(network.Refusal(), Catch::Contains("vigild.toml:") &&
                                      Catch::Contains("'org-3/validator-3' is there twice"));
  }
  SECTION("an identity that genesis does not name, with a certificate of that name") {
    auto loaded = LoadConfig(network.Path(config), {{"identity", "org-1/validator-7"}});
    REQUIRE(loaded.ok());
    CHECK_THAT(std::string(CheckEverything(*loaded, Now()).status().message()),
               Catch::Contains("identity"));
  }
}

TEST_CASE("preflight: whom no set names learns by the entry in its folder") {
  const Network network;
  // Under its own name with other keys, as when keys are replaced.
  const std::string keys = network.Path("validator-1/keys-new");
  auto entry = MakeValidatorKeys(ledger::PosixFileSystem(), keys, /*reveal_length=*/64);
  REQUIRE(entry.ok());
  const std::string config = "validator-1/vigild.toml";
  network.Replace(config, "keys_dir = \"keys\"", "keys_dir = \"keys-new\"");
  network.Replace(config, "data_dir = \"data\"", "data_dir = \"data-new\"");
  // Without the entry that is what it always was: keys that are not those of genesis.
  CHECK(absl::StrContains(network.Refusal(), "genesis names"));

  const auto loaded = LoadConfig(network.Path(config), {});
  REQUIRE(loaded.ok());
  const std::string identity = loaded->config.identity;
  const size_t slash = identity.find('/');
  entry->org = identity.substr(0, slash);
  entry->name = identity.substr(slash + 1);
  const std::string file = network.Path("entry.json");
  std::ofstream(file) << ledger::WriteValidatorEntry(*entry);
  CHECK_FALSE(InitValidator(*loaded, /*new_network=*/true, "", file).ok());
  const absl::Status made = InitValidator(*loaded, /*new_network=*/false, "", file);
  INFO(made);
  REQUIRE(made.ok());
  const auto preflight = CheckEverything(*loaded, Now());
  REQUIRE(preflight.ok());
  REQUIRE(preflight->newcomer.has_value());
  CHECK(*preflight->newcomer == *entry);
  CHECK(preflight->genesis.epoch == Epoch(1));
  // It has nothing to join anew, and is no validator to be started.
  CHECK(absl::IsFailedPrecondition(RejoinValidator(*loaded, /*even_if_sound=*/true).status()));

  SECTION("an entry of another name is refused") {
    entry->name = "somebody";
    network.Write("validator-1/data-new/newcomer.json", ledger::WriteValidatorEntry(*entry));
    CHECK(absl::StrContains(network.Refusal(), "is the entry of"));
  }
  SECTION("so is one of other keys") {
    entry->consensus_key = preflight->genesis.validators[0].consensus_key;
    network.Write("validator-1/data-new/newcomer.json", ledger::WriteValidatorEntry(*entry));
    CHECK(absl::StrContains(network.Refusal(), "consensus"));
  }
  SECTION("and what is none") {
    network.Write("validator-1/data-new/newcomer.json", "{}");
    CHECK_FALSE(network.Check().ok());
  }
}

TEST_CASE("config: the same key in both spellings is set twice") {
  const Network network;
  const std::string config = "validator-1/vigild.toml";
  network.Write(config, "\"listen.api\" = \"127.0.0.1:1\"\n" + network.Read(config));
  CHECK_THAT(network.Refusal(), Catch::Contains("'listen.api' is set twice"));
}

TEST_CASE("init: what fails at the guard leaves no data folder") {
  const Network network;
  std::filesystem::remove_all(network.Path("validator-1/data"));
  network.Write("validator-1/keys/rollback_guard", "nonsense");
  const auto loaded = LoadConfig(network.Path("validator-1/vigild.toml"), {});
  REQUIRE(loaded.ok());
  CHECK_FALSE(InitValidator(*loaded, /*new_network=*/true).ok());
  CHECK_FALSE(std::filesystem::exists(network.Path("validator-1/data")));
}

}  // namespace
}  // namespace vigil::node
