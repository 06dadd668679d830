#include "node/app/testnet.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/clock.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "ledger/storage/journal.h"
#include "node/app/keys_dir.h"
#include "node/app/pki.h"
#include "node/driver/node.h"
#include "node/peer/tls.h"

namespace vigil::node {
namespace {

constexpr char kLocalClientId[] = "spiffe://org-1/client/local";

constexpr uint32_t kValidatorsMaxRaft = 7;
constexpr uint32_t kSensorsPerOrgMax = 64;
constexpr uint32_t kPortStride = 10;

absl::Status CheckOptions(ledger::FileSystem* files, const TestnetOptions& options) {
  if (options.directory.empty())
    return absl::InvalidArgumentError("--dir: name a folder for the network");
  if (files->Exists(options.directory + "/genesis.json")) {
    return absl::AlreadyExistsError(absl::StrCat(
        options.directory, " already holds a network; name another folder or remove it"));
  }
  const absl::StatusOr<std::vector<std::string>> inside = files->List(options.directory);
  if (inside.ok() && !inside->empty()) {
    return absl::AlreadyExistsError(
        absl::StrCat(options.directory, " is not empty; name another folder"));
  }
  if (options.validators < 1 || options.validators > kValidatorsMaxRaft) {
    return absl::InvalidArgumentError(absl::StrCat("--validators ", options.validators,
                                                   ": raft mode takes 1 to ", kValidatorsMaxRaft));
  }
  if (options.sensors_per_org > kSensorsPerOrgMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("--sensors ", options.sensors_per_org, ": at most ", kSensorsPerOrgMax));
  }
  if (options.hosts.size() != 1 && options.hosts.size() != options.validators) {
    return absl::InvalidArgumentError(absl::StrCat("--host with ", options.hosts.size(),
                                                   " addresses for ", options.validators,
                                                   " validators: one of all, or one of each"));
  }
  RETURN_IF_ERROR(CheckRevealLength(options.reveal_length));
  const uint32_t base_max = 65535 - kPortStride * options.validators;
  if (options.base_port < 1024 || options.base_port > base_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("--base-port ", options.base_port, ": from 1024 to ", base_max));
  }
  return absl::OkStatus();
}

class TestnetMaker {
 public:
  TestnetMaker(ledger::FileSystem* files, const TestnetOptions& options)
      : files_(files), options_(options) {}

  absl::Status Make() {
    RETURN_IF_ERROR(files_->MakeDirs(Path("clients")));
    ASSIGN_OR_RETURN(authority_, MakeAuthority(options_.network + " CA"));
    RETURN_IF_ERROR(Write("ca.pem", authority_.certificate));
    RETURN_IF_ERROR(WriteSecret("ca.key", authority_.key));
    genesis_.network = options_.network;
    genesis_.time_unix_millis = static_cast<uint64_t>(SystemClock()->UnixMillis());
    genesis_.mode = "raft";
    genesis_.heartbeat_millis = options_.heartbeat_millis;
    genesis_.detector.period_events = options_.detector_period_events;
    genesis_.detector.window_rows_max = options_.detector_window_rows;
    ASSIGN_OR_RETURN(genesis_.detector_rules, ReadRules());
    for (uint32_t i = 1; i <= options_.validators; ++i) {
      RETURN_IF_ERROR(Annotate(AddOrganisation(i), absl::StrCat("organisation ", i)));
    }
    for (uint32_t i = 1; i <= options_.validators; ++i) {
      RETURN_IF_ERROR(Annotate(AddValidatorFiles(i), absl::StrCat("validator ", i)));
    }
    RETURN_IF_ERROR(AddClientFiles());
    // Last, so that a network without genesis.json is one that was not finished.
    const std::string file = ledger::WriteGenesis(genesis_);
    RETURN_IF_ERROR(ledger::ParseGenesis(file).status());
    for (uint32_t i = 1; i <= options_.validators; ++i) {
      RETURN_IF_ERROR(Node::Init(files_, Path(Name(i) + "/data"),
                                 genesis_.validators[i - 1].journal_id,
                                 Path(Name(i) + "/keys/rollback_guard")));
    }
    return Write("genesis.json", file);
  }

 private:
  absl::StatusOr<std::string> ReadRules() const {
    const std::string& from = options_.detector_rules;
    if (from == "none") return std::string();
    if (from == "built-in") return std::string(detector::BuiltInRules());
    ASSIGN_OR_RETURN(std::string rules, files_->ReadAll(from));
    std::string error;
    const auto hash = [](std::span<const uint8_t> bytes) { return ledger::Sha256(bytes).bytes; };
    if (rules.empty()) error = "the file is empty; for no rules: --rules none";
    if (!error.empty() || !detector::ParseRules(rules, hash, &error).has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("--rules ", from, ": ", error));
    }
    return rules;
  }
  std::string Path(absl::string_view name) const {
    return absl::StrCat(options_.directory, "/", name);
  }
  static std::string Org(uint32_t i) { return absl::StrCat("org-", i); }
  static std::string Name(uint32_t i) { return absl::StrCat("validator-", i); }
  const std::string& Host(uint32_t i) const {
    return options_.hosts[options_.hosts.size() == 1 ? 0 : i - 1];
  }
  std::string Address(uint32_t i, uint32_t offset) const {
    return absl::StrCat(Host(i), ":", options_.base_port + kPortStride * (i - 1) + offset);
  }

  absl::Status Write(absl::string_view name, absl::string_view text) {
    return files_->WriteAtomically(Path(name), AsBytes(text));
  }
  absl::Status WriteSecret(absl::string_view name, absl::string_view text) {
    return ledger::SaveSecret(Path(name), text);
  }

  absl::Status AddOrganisation(uint32_t i) {
    genesis_.organisations.push_back({.id = Org(i), .name = absl::StrCat("Organisation ", i)});
    const std::string keys_dir = Path(absl::StrCat(Name(i), "/keys"));
    RETURN_IF_ERROR(files_->MakeDirs(keys_dir));
    ASSIGN_OR_RETURN(ledger::GenesisValidator validator,
                     MakeValidatorKeys(files_, keys_dir, options_.reveal_length));
    validator.name = Name(i);
    validator.org = Org(i);
    genesis_.validators.push_back(validator);
    for (uint32_t s = 1; s <= options_.sensors_per_org; ++s) {
      RETURN_IF_ERROR(AddIdentity(i, absl::StrCat("sensor-", s), ledger::Role::kSensor));
    }
    RETURN_IF_ERROR(AddIdentity(i, "analyst", ledger::Role::kAnalyst));
    return AddIdentity(i, "admin", ledger::Role::kAdmin);
  }

  absl::Status AddIdentity(uint32_t i, const std::string& name, ledger::Role role) {
    const ledger::SigningKey key = ledger::SigningKey::Generate();
    RETURN_IF_ERROR(key.Save(Path(absl::StrCat("clients/", Org(i), "-", name, ".key")),
                             absl::StrCat(Org(i), "/", name)));
    genesis_.identities.push_back({.name = name,
                                   .org = Org(i),
                                   .roles = static_cast<uint32_t>(role),
                                   .key = key.public_key()});
    return absl::OkStatus();
  }

  absl::Status AddValidatorFiles(uint32_t i) {
    ASSIGN_OR_RETURN(
        const CertifiedKey tls,
        IssueCertificate(authority_, {.common_name = Org(i) + "/" + Name(i),
                                      .spiffe_id = ValidatorSpiffeId(Org(i) + "/" + Name(i)),
                                      .ip_addresses = {Host(i)},
                                      .dns_names = {"localhost"}}));
    RETURN_IF_ERROR(Write(Name(i) + "/tls.pem", tls.certificate));
    RETURN_IF_ERROR(WriteSecret(Name(i) + "/tls.key", tls.key));
    return Write(Name(i) + "/vigild.toml", ValidatorToml(i));
  }

  std::string ValidatorToml(uint32_t i) const {
    std::string toml = absl::StrCat(
        "# Validator ", i, " of ", options_.network, ". Keys: docs/operating.md.\n",
        "data_dir = \"data\"\ngenesis = \"../genesis.json\"\nidentity = \"", Org(i), "/", Name(i),
        "\"\n", "keys_dir = \"keys\"\n\n[listen]\napi = \"", Address(i, 0), "\"\npeer = \"",
        Address(i, 1), "\"\nhttp = \"", Address(i, 2), "\"\n\n",
        "[tls]\nca = \"../ca.pem\"\ncertificate = \"tls.pem\"\nkey = \"tls.key\"\n\n",
        "# Whoever holds the local client's key may administer this local network.\n",
        "[admin]\nclients = \"", kLocalClientId, "\"\n\n",
        "# Loopback only: on a reachable address this shows everybody who records how much.\n",
        "[log]\npublic_entries = true\n");
    for (uint32_t other = 1; other <= options_.validators; ++other) {
      if (other == i) continue;
      absl::StrAppend(&toml, "\n[[peers]]\nidentity = \"", Org(other), "/", Name(other),
                      "\"\naddress = \"", Address(other, 1), "\"\n");
    }
    return toml;
  }

  absl::Status AddClientFiles() {
    ASSIGN_OR_RETURN(const CertifiedKey tls,
                     IssueCertificate(authority_, {.common_name = "client",
                                                   .spiffe_id = kLocalClientId,
                                                   .ip_addresses = {},
                                                   .dns_names = {}}));
    RETURN_IF_ERROR(Write("clients/tls.pem", tls.certificate));
    RETURN_IF_ERROR(WriteSecret("clients/tls.key", tls.key));
    std::string toml =
        "# How clients reach this network: vigil --context THIS_FILE ...\nendpoints = [";
    for (uint32_t i = 1; i <= options_.validators; ++i)
      absl::StrAppend(&toml, i == 1 ? "" : ", ", "\"", Address(i, 0), "\"");
    absl::StrAppend(&toml,
                    "]\ngenesis = \"../genesis.json\"\nca = \"../ca.pem\"\ncertificate = "
                    "\"tls.pem\"\nkey = \"tls.key\"\n");
    if (options_.sensors_per_org > 0)
      absl::StrAppend(&toml,
                      "signing_key = \"org-1-sensor-1.key\"\nidentity = \"org-1/sensor-1\"\n");
    return Write("clients/vigil.toml", toml);
  }

  ledger::FileSystem* const files_;
  const TestnetOptions options_;
  CertifiedKey authority_;
  ledger::Genesis genesis_;
};

}  // namespace

absl::Status MakeTestnet(ledger::FileSystem* files, const TestnetOptions& options) {
  RETURN_IF_ERROR(CheckOptions(files, options));
  const bool was_there = files->Exists(options.directory);
  const absl::Status made = TestnetMaker(files, options).Make();
  if (made.ok()) return made;
  // Half a network is of no use, and holds private keys. The folder was empty before.
  std::error_code ignored;
  if (was_there) {
    for (const auto& entry : std::filesystem::directory_iterator(options.directory, ignored)) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
  } else {
    std::filesystem::remove_all(options.directory, ignored);
  }
  return made;
}

}  // namespace vigil::node
