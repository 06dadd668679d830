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

TEST_CASE("session: the consistency of queries is local or linearizable and nothing else") {
  SessionOptions options;
  CHECK(OpenSession(options)->client.consistency == v1::CONSISTENCY_UNSPECIFIED);
  options.flags["consistency"] = "linearizable";
  CHECK(OpenSession(options)->client.consistency == v1::CONSISTENCY_LINEARIZABLE);
  setenv("VIGIL_CONSISTENCY", "linearizable", 1);
  options.flags["consistency"] = "local";
  CHECK(OpenSession(options)->client.consistency == v1::CONSISTENCY_LOCAL);
  unsetenv("VIGIL_CONSISTENCY");
  for (const char* text : {"", "Local", "strong", "linearisable"}) {
    options.flags["consistency"] = text;
    const absl::Status status = OpenSession(options).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("local") && Catch::Contains("linearizable"));
  }
}

TEST_CASE("session: an unknown key names file and line and the keys there are") {
  const testing::TempFolder folder;
  SessionOptions options;
  options.context = WriteContext(folder, "endpoints = []\nendpoint = \"x\"\n");
  const auto session = OpenSession(options);
  REQUIRE_FALSE(session.ok());
  CHECK_THAT(std::string(session.status().message()),
             Catch::Contains("vigil.toml:2:") && Catch::Contains("known: endpoints"));
  CHECK_THAT(std::string(session.status().message()), Catch::Contains("did you mean 'endpoints'?"));
  options.context = folder / "missing.toml";
  CHECK(absl::IsNotFound(OpenSession(options).status()));
}

TEST_CASE("session: a value of another type names file line and column") {
  const testing::TempFolder folder;
  for (const char* text :
       {"insecure = \"yes\"", "insecure = \"true\"", "insecure = 1", "ca = true",
        "identity = [\"a/b\"]", "endpoints = true", "endpoints = [1]", "[endpoints]\nx = 1"}) {
    INFO(text);
    SessionOptions options;
    options.context = WriteContext(folder, text);
    const absl::Status status = OpenSession(options).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("vigil.toml:1:"));
  }
  SessionOptions options;
  options.context = WriteContext(folder, "insecure = true");
  CHECK(OpenSession(options)->client.insecure);
  setenv("VIGIL_INSECURE", "yes", 1);
  const absl::Status status = OpenSession(options).status();
  setenv("VIGIL_INSECURE", "false", 1);
  const auto session = OpenSession(options);
  unsetenv("VIGIL_INSECURE");
  CHECK_THAT(std::string(status.message()), Catch::Contains("VIGIL_INSECURE is 'yes'"));
  CHECK_FALSE(session->client.insecure);
}

TEST_CASE("session: a context that is no file is an error and not a crash") {
  const testing::TempFolder folder;
  SessionOptions options;
  options.context = folder / "";
  CHECK_THAT(std::string(OpenSession(options).status().message()), Catch::Contains("is a folder"));
  options.context = std::string(5000, 'x');
  CHECK(absl::IsInvalidArgument(OpenSession(options).status()));
}

TEST_CASE("session: what goes into requests must be UTF-8") {
  SessionOptions options;
  options.flags["identity"] = "a/\xff";
  CHECK_THAT(std::string(OpenSession(options).status().message()),
             Catch::Contains("identity: ") && Catch::Contains("is not UTF-8"));
  options.flags = {{"genesis", "/tmp/\xff"}};
  CHECK(OpenSession(options).ok());
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
