#include "node/app/preflight.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ledger/base/clock.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/chain/header.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/note.h"
#include "ledger/state/epoch_anchor.h"
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

// Ends of epochs of the network, signed by all of its validators as if block by block of one chain.
class Epochs {
 public:
  explicit Epochs(const Network* network)
      : genesis(ledger::ParseGenesis(network->Read("genesis.json")).value()), network_(network) {}

  ledger::Genesis genesis;  // Restated for the last epoch.

  // validator-`number`, from 1, of genesis; with the keys that it has.
  ledger::GenesisValidator Of(int number) const { return genesis.first_validators()[number - 1]; }
  // The same with keys that it has not.
  ledger::GenesisValidator Renewed(int number) const {
    ledger::GenesisValidator other = Of(number);
    for (PublicKey* key :
         {&other.consensus_key, &other.log_key, &other.cosigner_key, &other.record_key}) {
      *key = ledger::SigningKey::Generate().public_key();
    }
    other.journal_id.bytes.fill(static_cast<uint8_t>(0x70 + number));
    return other;
  }
  // The present set ends, and `next` follows; into the folder of validator-1.
  void End(const std::vector<ledger::GenesisValidator>& next, const std::string& addresses = "") {
    ledger::BlockHeader header;
    header.chain_id = genesis.chain_id;
    header.epoch = genesis.epoch;
    header.view = View(1);
    header.height = genesis.epoch_base.Next();
    header.validator_set_hash = genesis.validator_set_hash;
    header.next_validator_set_hash = ledger::HashValidatorSet(next);
    ledger::EpochAnchor anchor;
    anchor.seal_leaf = ledger::EncodeSealLeaf(AsBytes(ledger::EncodeHeader(header)), Hash(),
                                              RecordIndex(leaves_.size()), /*record_count=*/0);
    leaves_.push_back(ledger::LeafHash(AsBytes(anchor.seal_leaf)));
    anchor.path = ledger::InclusionPath(leaves_, leaves_.size() - 1);
    anchor.checkpoint = Checkpoint();
    anchor.next_set = ledger::EncodeValidatorSet(next);
    anchor.addresses = addresses;
    genesis = ledger::VerifyEpochAnchor(genesis, anchor).value();
    anchors_.push_back(anchor);
    std::filesystem::create_directories(network_->Path("validator-1/data"));
    network_->Write("validator-1/data/epochs.chain", ledger::EncodeEpochChain(anchors_));
  }
  absl::StatusOr<Preflight> Check() const {
    const auto loaded = LoadConfig(network_->Path("validator-1/vigild.toml"), {});
    REQUIRE(loaded.ok());
    return CheckEverything(*loaded, Now());
  }

 private:
  std::string Checkpoint() const {
    const std::string origin = ledger::CheckpointOrigin(genesis.network, genesis.genesis_hash);
    ledger::SignedNote note;
    note.text = ledger::EncodeCheckpoint(
        {.origin = origin, .size = leaves_.size(), .root = ledger::MerkleRoot(leaves_)});
    for (const ledger::GenesisValidator& validator : genesis.validators) {
      const auto keys = LoadValidatorKeys(ledger::PosixFileSystem(),
                                          network_->Path(validator.name + "/keys"), validator);
      if (!keys.ok()) continue;  // Renewed.
      const auto cosigner =
          ledger::SigningKey::Load(network_->Path(validator.name + "/keys/cosigner.key"));
      REQUIRE(cosigner.ok());
      note.signatures.push_back(ledger::SignNote(keys->log, origin, note.text));
      note.signatures.push_back(ledger::CosignNote(
          *cosigner, absl::StrCat(origin, "/v/", validator.identity(), "/", genesis.epoch.value()),
          note.text, static_cast<uint64_t>(Now())));
    }
    return ledger::EncodeNote(note);
  }

  const Network* const network_;
  std::vector<Hash> leaves_;
  std::vector<ledger::EpochAnchor> anchors_;
};

std::vector<std::string> NamesOf(const std::vector<PeerAddress>& peers) {
  std::vector<std::string> names;
  for (const PeerAddress& peer : peers) names.push_back(peer.identity);
  return names;
}

TEST_CASE("preflight: a validator stands in the newest epoch that names it with its keys") {
  const Network network;
  Epochs epochs(&network);
  SECTION("the last one") {
    epochs.End({epochs.Of(2), epochs.Of(1)});
    const auto preflight = epochs.Check();
    INFO(preflight.status());
    REQUIRE(preflight.ok());
    CHECK(preflight->genesis.epoch == Epoch(2));
    CHECK(preflight->self == ValidatorIndex(1));
    CHECK(preflight->removed.empty());
    CHECK(preflight->warnings.empty());
    CHECK(preflight->epoch_anchors.size() == 1);
    // Who left is still spoken to, behind the others: it has to be told.
    CHECK(NamesOf(preflight->validators) ==
          std::vector<std::string>{"org-2/validator-2", "org-1/validator-1", "org-3/validator-3"});
  }
  SECTION("not after it was removed") {
    epochs.End({epochs.Of(2), epochs.Of(3)});
    const auto preflight = epochs.Check();
    INFO(preflight.status());
    REQUIRE(preflight.ok());
    CHECK(preflight->genesis.epoch == Epoch(1));
    CHECK(preflight->self == ValidatorIndex(0));
    CHECK_THAT(preflight->removed,
               Catch::StartsWith("org-1/validator-1 is no validator any more since epoch 2, which "
                                 "began above height 1;"));
    CHECK(preflight->epoch_anchors.size() == 1);
  }
  SECTION("of several that know it the last") {
    epochs.End({epochs.Of(1), epochs.Of(3)});
    epochs.End({epochs.Of(3)});
    CHECK(epochs.Check()->genesis.epoch == Epoch(2));
    CHECK_THAT(epochs.Check()->removed, Catch::Contains("is no validator any more since epoch 3"));
  }
  SECTION("nor under other keys") {
    epochs.End({epochs.Renewed(1), epochs.Of(2), epochs.Of(3)});
    const auto preflight = epochs.Check();
    INFO(preflight.status());
    REQUIRE(preflight.ok());
    CHECK(preflight->genesis.epoch == Epoch(1));
    CHECK_THAT(preflight->removed,
               Catch::StartsWith("org-1/validator-1 has other keys since epoch 2, "));
  }
  SECTION("whose keys it never had is told of the keys") {
    network.Replace("validator-1/vigild.toml", "keys_dir = \"keys\"",
                    "keys_dir = \"../validator-2/keys\"");
    epochs.End({epochs.Of(1), epochs.Of(2)});
    CHECK_THAT(network.Refusal(), Catch::Contains("keys_dir") && Catch::Contains("consensus.key"));
  }
}

TEST_CASE("preflight: who came with an epoch is found at the address of its proposal") {
  const Network network;
  Epochs epochs(&network);
  ledger::GenesisValidator coming = epochs.Renewed(3);
  coming.name = "validator-9";
  SECTION("of the proposal") {
    epochs.End({epochs.Of(1), epochs.Of(2), coming}, "ignored:1,other:2,v9.example:7609");
    const auto preflight = epochs.Check();
    INFO(preflight.status());
    REQUIRE(preflight.ok());
    REQUIRE(preflight->validators.size() == 4);
    CHECK(preflight->validators[2].address == "v9.example:7609");
    // What the operator wrote comes first.
    CHECK(preflight->validators[1].address != "other:2");
    CHECK(preflight->validators[0].address.empty());  // Its own.
  }
  SECTION("or of the operator") {
    epochs.End({epochs.Of(1), epochs.Of(2), coming});
    CHECK_THAT(network.Refusal(), Catch::Contains("no address for org-3/validator-9"));
    network.Write("validator-1/vigild.toml",
                  network.Read("validator-1/vigild.toml") +
                      "\n[[peers]]\nidentity = \"org-3/validator-9\"\naddress = \"h:1\"\n");
    CHECK(epochs.Check()->validators[2].address == "h:1");
  }
  SECTION("and configured before it came it is a warning") {
    network.Write("validator-1/vigild.toml",
                  network.Read("validator-1/vigild.toml") +
                      "\n[[peers]]\nidentity = \"org-3/validator-9\"\naddress = \"h:1\"\n");
    const auto preflight = epochs.Check();
    REQUIRE(preflight.ok());
    REQUIRE(preflight->warnings.size() == 1);
    CHECK_THAT(preflight->warnings[0],
               Catch::Contains("'org-3/validator-9' is no validator of network"));
  }
}

TEST_CASE("preflight: an epoch chain that proves nothing is refused by name and place") {
  const Network network;
  Epochs epochs(&network);
  epochs.End({epochs.Of(2), epochs.Of(1)});
  const std::string chain = network.Read("validator-1/data/epochs.chain");
  network.Write("validator-1/data/epochs.chain", chain.substr(0, chain.size() - 1));
  CHECK_THAT(network.Refusal(), Catch::Contains("data_dir: ") && Catch::Contains("epochs.chain") &&
                                    Catch::Contains("vigil log epochs -o"));
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
