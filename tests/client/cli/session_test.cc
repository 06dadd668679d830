#include "client/cli/session.h"

#include <cstdlib>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

std::string WriteContext(const testing::TempFolder& folder, const std::string& text) {
  const std::string path = folder / "vigil.toml";
  std::ofstream(path) << text;
  return path;
}

TEST_CASE("session: flag beats environment beats context file and paths follow the file") {
  const testing::TempFolder folder;
  SessionOptions options;
  options.context = WriteContext(folder,
                                 "endpoints = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nca = "
                                 "\"ca.pem\"\nidentity = \"a/file\"\nkey = \"k\"\n");
  options.flags["identity"] = "a/flag";
  setenv("VIGIL_KEY", "/from/environment", 1);
  const auto session = OpenSession(options);
  unsetenv("VIGIL_KEY");
  REQUIRE(session.ok());
  CHECK(session->client.endpoints == std::vector<std::string>{"127.0.0.1:1", "127.0.0.1:2"});
  CHECK(session->client.ca == folder / "ca.pem");
  CHECK(session->client.key == "/from/environment");
  CHECK(session->identity == "a/flag");
}

TEST_CASE("session: an unknown key names file and line and the keys there are") {
  const testing::TempFolder folder;
  SessionOptions options;
  options.context = WriteContext(folder, "endpoints = []\nendpoint = \"x\"\n");
  const auto session = OpenSession(options);
  REQUIRE_FALSE(session.ok());
  CHECK_THAT(std::string(session.status().message()),
             Catch::Contains("vigil.toml:2:") && Catch::Contains("known: endpoints"));
  options.context = folder / "missing.toml";
  CHECK(absl::IsNotFound(OpenSession(options).status()));
}

TEST_CASE("client: no endpoint and insecure beyond loopback are refused") {
  CHECK(absl::IsInvalidArgument(Client::Make({}).status()));
  ClientOptions remote;
  remote.endpoints = {"192.0.2.1:7400"};
  remote.insecure = true;
  CHECK(absl::IsInvalidArgument(Client::Make(remote).status()));
  ClientOptions no_certificate;
  no_certificate.endpoints = {"127.0.0.1:1"};
  CHECK(absl::IsNotFound(Client::Make(no_certificate).status()));
}

}  // namespace
}  // namespace vigil::client
