#include "node/app/config.h"

#include <array>
#include <cstdlib>
#include <fstream>

#include "ledger/crypto/keys.h"
#include "ledger/log/note.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::node {
namespace {

std::string WriteConfig(const testing::TempFolder& folder, const std::string& text) {
  const std::string path = folder / "vigild.toml";
  std::ofstream(path) << text;
  return path;
}

std::string ErrorOf(const std::string& text) {
  const testing::TempFolder folder;
  const auto loaded = LoadConfig(WriteConfig(folder, text), {});
  REQUIRE_FALSE(loaded.ok());
  return std::string(loaded.status().message());
}

TEST_CASE("config: an unknown key names file and line and column and the nearest key") {
  const std::string error = ErrorOf("data_dir = \"d\"\n[listen]\n  appi = \"127.0.0.1:1\"\n");
  CHECK_THAT(error, Catch::Contains("vigild.toml:3:10: unknown key 'listen.appi'"));
  CHECK_THAT(error, Catch::Contains("did you mean 'listen.api'"));
}

TEST_CASE("config: broken TOML names file and line") {
  CHECK_THAT(ErrorOf("data_dir = \"d\"\nlisten = [\n"), Catch::Contains("vigild.toml:"));
}

TEST_CASE("config: a value out of range names the bounds") {
  CHECK_THAT(ErrorOf("[election]\nmin_millis = 5\n"), Catch::Contains("from 200 to 60000"));
  CHECK_THAT(ErrorOf("[log]\nlevel = \"loud\"\n"), Catch::Contains("none of trace, debug"));
  CHECK_THAT(ErrorOf("insecure_dev = 1\n"), Catch::Contains("true or false"));
  CHECK_THAT(ErrorOf("data_dir = 1.5\n"), Catch::Contains("string, whole number"));
}

TEST_CASE("config: a peer without address or with a stray key is refused") {
  CHECK_THAT(ErrorOf("[[peers]]\nidentity = \"a/b\"\n"), Catch::Contains("a peer needs identity"));
  CHECK_THAT(ErrorOf("[[peers]]\nidentity = \"a/b\"\naddress = \"h:1\"\nport = 1\n"),
             Catch::Contains("peers.port"));
}

std::string WitnessVkey(const std::string& name, ledger::NoteKeyType type) {
  std::array<uint8_t, 32> seed{};
  return ledger::EncodeNoteKey(
      {.name = name, .type = type, .key = ledger::SigningKey::FromSeed(seed).public_key()});
}

std::string WitnessTable(const std::string& vkey, const std::string& url) {
  return "[[witnesses]]\nvkey = \"" + vkey + "\"\nurl = \"" + url + "\"\n";
}

TEST_CASE("config: witnesses outside the network are read and shown") {
  const testing::TempFolder folder;
  const std::string vkey = WitnessVkey("w.example", ledger::NoteKeyType::kCosignatureV1);
  const auto loaded =
      LoadConfig(WriteConfig(folder, WitnessTable(vkey, "https://w.example/prefix")), {});
  REQUIRE(loaded.ok());
  REQUIRE(loaded->config.witnesses.size() == 1);
  CHECK(loaded->config.witnesses[0].vkey == vkey);
  CHECK(loaded->config.witnesses[0].url == "https://w.example/prefix");
  CHECK_THAT(ShowConfig(*loaded),
             Catch::Contains("witnesses = \"" + vkey + "=https://w.example/prefix\"  # "));
  Config again;
  REQUIRE(FindConfigKey("witnesses")
              ->set(FindConfigKey("witnesses")->get(loaded->config), &again)
              .ok());
  CHECK(again.witnesses[0].url == "https://w.example/prefix");
}

TEST_CASE("config: a witness that is none names file and line and column") {
  const std::string vkey = WitnessVkey("w.example", ledger::NoteKeyType::kCosignatureV1);
  const std::string url = "https://w.example";
  CHECK_THAT(ErrorOf("\n" + WitnessTable("nonsense", url)),
             Catch::Contains("vigild.toml:2:1: witnesses: vkey"));
  CHECK_THAT(ErrorOf(WitnessTable(WitnessVkey("o", ledger::NoteKeyType::kEd25519), url)),
             Catch::Contains("vkey: of a log"));
  CHECK_THAT(ErrorOf(WitnessTable(vkey, "w.example:7700")), Catch::Contains("url"));
  CHECK_THAT(ErrorOf("[[witnesses]]\nurl = \"" + url + "\"\n"),
             Catch::Contains("vigild.toml:1:1: a witness needs vkey"));
  CHECK_THAT(ErrorOf(WitnessTable(vkey, url) + "port = 1\n"), Catch::Contains("witnesses.port"));
  CHECK(absl::IsInvalidArgument(LoadConfig("", {{"witnesses", "nonsense"}}).status()));
}

TEST_CASE("config: flag beats environment beats file beats default and each origin is shown") {
  const testing::TempFolder folder;
  const std::string path = WriteConfig(
      folder, "identity = \"file/v\"\ndata_dir = \"d\"\n[listen]\napi = \"127.0.0.1:1\"\n");
  setenv("VIGILD_LISTEN_API", "127.0.0.1:2", 1);
  setenv("VIGILD_IDENTITY", "environment/v", 1);
  const auto loaded = LoadConfig(path, {{"identity", "flag/v"}});
  unsetenv("VIGILD_LISTEN_API");
  unsetenv("VIGILD_IDENTITY");
  REQUIRE(loaded.ok());
  CHECK(loaded->config.identity == "flag/v");
  CHECK(loaded->config.listen_api == "127.0.0.1:2");
  CHECK(loaded->config.listen_peer == "127.0.0.1:7500");
  CHECK(loaded->config.data_dir == folder / "d");
  const std::string shown = ShowConfig(*loaded);
  CHECK_THAT(shown, Catch::Contains("identity = \"flag/v\"  # flag"));
  CHECK_THAT(shown, Catch::Contains("listen.api = \"127.0.0.1:2\"  # environment"));
  CHECK_THAT(shown, Catch::Contains("vigild.toml:2"));
}

TEST_CASE("config: every key can be read back as it was set") {
  for (const ConfigKey& key : ConfigKeys()) {
    Config config;
    const std::string value = key.get(config);
    if (value.empty()) continue;
    INFO(std::string(key.name));
    REQUIRE(key.set(value, &config).ok());
    CHECK(key.get(config) == value);
  }
}

TEST_CASE("config: who may administer is named by whole SPIFFE ids") {
  const ConfigKey* const key = FindConfigKey("admin.clients");
  REQUIRE(key != nullptr);
  Config config;
  REQUIRE(key->set("spiffe://a/client/x,spiffe://b/admin/y", &config).ok());
  CHECK(config.admin_clients ==
        std::vector<std::string>{"spiffe://a/client/x", "spiffe://b/admin/y"});
  CHECK(key->get(config) == "spiffe://a/client/x,spiffe://b/admin/y");
  for (const char* text : {"a/client/x", "spiffe://a", "spiffe://a/client/", "spiffe:///client/x",
                           "spiffe://a//x", "spiffe://a/client/x/y", "spiffe://a/client/x, y"}) {
    INFO(text);
    CHECK_FALSE(key->set(text, &config).ok());
  }
  REQUIRE(key->set("", &config).ok());
  CHECK(config.admin_clients.empty());
}

TEST_CASE("config: a limit of the journal and its archive belong together") {
  const testing::TempFolder folder;
  const auto check = [&](const std::string& retention) {
    const auto loaded =
        LoadConfig(WriteConfig(folder,
                               "data_dir = \"d\"\ngenesis = \"g\"\nidentity = \"a/b\"\n"
                               "keys_dir = \"k\"\n[listen]\napi = \"127.0.0.1:1\"\n"
                               "peer = \"127.0.0.1:2\"\n[retention]\n" +
                                   retention),
                   {});
    REQUIRE(loaded.ok());
    return std::string(CheckConfig(loaded->config).message());
  };
  CHECK_THAT(check("journal_bytes_max = 200000000\n"),
             Catch::Contains("without retention.archive_dir"));
  CHECK_THAT(check("archive_dir = \"a\"\n"),
             Catch::Contains("without retention.journal_bytes_max"));
  CHECK_THAT(check("journal_bytes_max = 1000\narchive_dir = \"a\"\n"),
             Catch::Contains("at least 134217728"));
  CHECK_THAT(check("journal_bytes_max = 134217728\narchive_dir = \"a\"\n"),
             !Catch::Contains("retention"));
}

TEST_CASE("config: what is required or contradicts itself is named") {
  Config config;
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("data_dir is not set"));
  config.data_dir = config.genesis = config.keys_dir = "x";
  config.identity = "a/b";
  config.listen_api = "0.0.0.0:7400";
  config.insecure_dev = true;
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("only loopback"));
  config.insecure_dev = false;
  config.witnesses = {{.vkey = WitnessVkey("w.example", ledger::NoteKeyType::kCosignatureV1),
                       .url = "http://w.example:7700"}};
  config.listen_api = "127.0.0.1:7400";
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("plain http"));
  config.insecure_witness_http = true;
  CHECK_THAT(std::string(CheckConfig(config).message()), !Catch::Contains("plain http"));
  config.witnesses.push_back(config.witnesses[0]);
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("twice"));
  config.witnesses.clear();
  config.listen_api = "nonsense";
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("host:port"));
  config.listen_api = "127.0.0.1:7400";
  config.election_min_millis = 900;
  config.election_max_millis = 300;
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("election.max_millis"));
  config.election_max_millis = 1000;
  CHECK_THAT(std::string(CheckConfig(config).message()), Catch::Contains("CA certificate"));
}

}  // namespace
}  // namespace vigil::node
