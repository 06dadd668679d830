#include "client/lib/client.h"

#include "tests/client/lib/fake_validator.h"
#include "tests/client/lib/lib_test_support.h"

namespace vigil::client {
namespace {

ClientOptions Plain(const std::vector<std::string>& endpoints) {
  return PlainOptions(endpoints, 2000);
}

TEST_CASE("client: without TLS it talks to loopback addresses only", "[lib]") {
  for (const char* endpoint : {"127.0.0.1:1", "127.1.2.3:1", "localhost:1", "[::1]:1"}) {
    CHECK(Client::Make(Plain({endpoint})).ok());
  }
  for (const char* endpoint :
       {"10.0.0.1:1", "127.example.com:1", "127.0.0.1.example.com:1", "localhost.example.com:1",
        "[::2]:1", "example.com:1", "0.0.0.0:1"}) {
    INFO(endpoint);
    CHECK(absl::IsInvalidArgument(Client::Make(Plain({"127.0.0.1:1", endpoint})).status()));
  }
  CHECK(absl::IsInvalidArgument(Client::Make(Plain({})).status()));
}

TEST_CASE("client: with TLS it needs its three files", "[lib]") {
  ClientOptions options = Plain({"10.0.0.1:1"});
  options.insecure = false;
  CHECK(absl::IsNotFound(Client::Make(options).status()));
}

TEST_CASE("client: a call goes on to the next validator and remembers it", "[lib]") {
  FakeChain chain(TestChainId(), TestKey().public_key());
  std::string dead;
  { dead = FakeValidator(&chain).endpoint(); }
  FakeValidator alive(&chain);
  const auto client = Client::Make(Plain({dead, alive.endpoint()}));
  REQUIRE(client.ok());
  CHECK((*client)->GetStreamHead("acme/s", "s").ok());
  CHECK((*client)->GetStreamHead("acme/s", "s").ok());
  const auto nobody = Client::Make(Plain({dead}));
  CHECK(absl::IsUnavailable((*nobody)->GetStreamHead("acme/s", "s").status()));
}

TEST_CASE("client: a network that has answered may be away for a moment", "[lib]") {
  FakeChain chain(TestChainId(), TestKey().public_key());
  FakeValidator one(&chain);
  FakeValidator two(&chain);
  const auto client = Client::Make(Plain({one.endpoint(), two.endpoint()}));
  REQUIRE(client.ok());
  SECTION("but who never answered is not waited for") {
    one.GoAway(1);
    two.GoAway(1);
    CHECK(absl::IsUnavailable((*client)->GetStreamHead("acme/s", "s").status()));
  }
  SECTION("and is found again") {
    REQUIRE((*client)->GetStreamHead("acme/s", "s").ok());
    // UNAVAILABLE: nobody listens; CANCELLED: the call was under way when the validator stopped.
    one.GoAway(5, GENERATE(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED));
    two.GoAway(4);
    CHECK((*client)->GetStreamHead("acme/s", "s").ok());
    CHECK(one.away() == 0);
  }
  SECTION("and is given up in the end") {
    REQUIRE((*client)->GetStreamHead("acme/s", "s").ok());
    one.GoAway(10'000);
    two.GoAway(10'000);
    CHECK(absl::IsUnavailable((*client)->GetStreamHead("acme/s", "s").status()));
    CHECK(one.away() < 10'000);
  }
}

TEST_CASE("client: a record that is there already is taken and any other answer is said", "[lib]") {
  v1::Receipt receipt;
  receipt.set_result(v1::RESULT_DUPLICATE);
  CHECK(ResultOf(receipt) == ledger::ResultCode::kOk);
  receipt.set_result(v1::RESULT_STALE);
  CHECK(ResultOf(receipt) == ledger::ResultCode::kStale);
}

TEST_CASE("client: who is told when to come back comes back", "[lib]") {
  FakeChain chain(TestChainId(), TestKey().public_key());
  FakeValidator validator(&chain);
  const auto client = Client::Make(Plain({validator.endpoint()}));
  REQUIRE(client.ok());
  validator.Exhaust(3);
  CHECK((*client)->GetStreamHead("acme/s", "s").ok());
  SECTION("and without a time it does not, and the error says all that was said") {
    validator.Exhaust(1, /*forever=*/true);
    const absl::Status status = (*client)->GetStreamHead("acme/s", "s").status();
    CHECK(absl::IsResourceExhausted(status));
    REQUIRE(DetailOf(status).has_value());
    CHECK(DetailOf(status)->code() == "lane.full");
    CHECK(DetailOf(status)->remedy() == "wait");
    CHECK_FALSE(DetailOf(absl::InternalError("x")).has_value());
  }
}

TEST_CASE("client: an error without words says its code and what to look at", "[lib]") {
  const auto text = [](grpc::StatusCode code, const char* endpoint) {
    return std::string(FromGrpc(grpc::Status(code, ""), endpoint).message());
  };
  CHECK(text(grpc::StatusCode::UNAVAILABLE, "a:1").find("a:1: UNAVAILABLE, ") == 0);
  CHECK(text(grpc::StatusCode::UNAVAILABLE, "a:1").find("TLS") != std::string::npos);
  CHECK(text(grpc::StatusCode::INTERNAL, "").find("INTERNAL, ") == 0);
  CHECK(FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "why"), "a:1").message() == "a:1: why");
  CHECK(IsUnreachable(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, ""), "")));
  CHECK_FALSE(IsUnreachable(absl::UnavailableError("a disk")));
  CHECK(Client::Make(Plain({})).status().message().find("--endpoints") != absl::string_view::npos);
}

TEST_CASE("client: a call under way ends when it is to stop and none begins after", "[lib]") {
  FakeChain chain(TestChainId(), TestKey().public_key());
  FakeValidator validator(&chain);
  std::atomic<bool> stop{false};
  ClientOptions options = Plain({validator.endpoint(), validator.endpoint()});
  options.timeout_millis = 600'000;
  options.stop = &stop;
  const auto client = Client::Make(options);
  REQUIRE(client.ok());
  validator.HangOnHead(&stop);
  CHECK(absl::IsCancelled((*client)->GetStreamHead("acme/s", "s").status()));
  CHECK(stop);
  CHECK(absl::IsCancelled((*client)->GetStreamHead("acme/s", "s").status()));
}

}  // namespace
}  // namespace vigil::client
