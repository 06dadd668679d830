#include "node/http/http_server.h"

#include <httplib.h>

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace vigil::node {
namespace {

TEST_CASE("http: metrics and health answer and a node that is not ready says why") {
  std::string reason;
  auto server = HttpServer::Start(
      "127.0.0.1:0",
      {.metrics = [] { return std::string("vigil_x 1\n"); }, .not_ready = [&] { return reason; }});
  REQUIRE(server.ok());
  httplib::Client client("127.0.0.1", (*server)->port());
  CHECK(client.Get("/metrics")->body == "vigil_x 1\n");
  CHECK(client.Get("/livez")->status == 200);
  CHECK(client.Get("/readyz")->status == 200);
  reason = "no leader is known";
  const auto answer = client.Get("/readyz");
  CHECK(answer->status == 503);
  CHECK(answer->body == "no leader is known\n");
  CHECK(client.Get("/nothing")->status == 404);
}

TEST_CASE("http: an occupied port is an error and not shared silently") {
  auto first = HttpServer::Start("127.0.0.1:0",
                                 {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
  REQUIRE(first.ok());
  const auto second =
      HttpServer::Start("127.0.0.1:" + std::to_string((*first)->port()),
                        {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
  REQUIRE_FALSE(second.ok());
  CHECK_THAT(std::string(second.status().message()), Catch::Contains("change listen.http"));
}

TEST_CASE("http: an address that is none is refused") {
  CHECK(absl::IsInvalidArgument(HttpServer::Start("nonsense", {}).status()));
  CHECK(absl::IsInvalidArgument(HttpServer::Start("127.0.0.1:99999", {}).status()));
}

TEST_CASE("http: the log's files go out with type and caching and refusals with a reason") {
  std::vector<std::string> asked;
  auto server = HttpServer::Start("127.0.0.1:0",
                                  {.metrics = [] { return ""; },
                                   .not_ready = [] { return ""; },
                                   .log_file =
                                       [&](absl::string_view path) {
                                         asked.emplace_back(path);
                                         HttpAnswer answer;
                                         if (path == "tile/0/000") {
                                           answer = {.status = 200,
                                                     .body = std::string("\0\1\2", 3),
                                                     .content_type = "application/octet-stream",
                                                     .cache_control = "immutable"};
                                         } else {
                                           answer = {.status = 403,
                                                     .body = "why\n",
                                                     .content_type = "text/plain; charset=utf-8",
                                                     .cache_control = "no-store"};
                                         }
                                         return answer;
                                       }});
  REQUIRE(server.ok());
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto tile = client.Get("/log/tile/0/000");
  CHECK(tile->status == 200);
  CHECK(tile->body == std::string("\0\1\2", 3));
  CHECK(tile->get_header_value("Content-Type") == "application/octet-stream");
  CHECK(tile->get_header_value("Cache-Control") == "immutable");
  const auto refused = client.Get("/log/tile/entries/000.p/3");
  CHECK(refused->status == 403);
  CHECK(refused->body == "why\n");
  CHECK(client.Get("/log/../metrics")->status != 200);
  CHECK(asked.size() >= 2);
}

}  // namespace
}  // namespace vigil::node
