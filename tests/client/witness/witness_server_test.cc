#include "client/witness/witness_server.h"

#include <httplib.h>

#include <thread>

#include "tests/client/witness/test_log.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

// A served witness and a client on a real socket.
struct Served {
  explicit Served(const TestLog& log) {
    REQUIRE(WitnessFolder::Init(&files, "w").ok());
    auto opened = OpenTestWitness(&files, {log.Watched()}, &clock);
    REQUIRE(opened.ok());
    witness = *std::move(opened);
    auto started = WitnessServer::Start("127.0.0.1:0", witness.get());
    REQUIRE(started.ok());
    server = *std::move(started);
  }
  httplib::Result Post(const std::string& body) const {
    httplib::Client client("127.0.0.1", server->port());
    auto result = client.Post("/add-checkpoint", body, "application/octet-stream");
    REQUIRE(result);
    return result;
  }

  ledger::FaultyFileSystem files{7};
  ManualClock clock;
  std::unique_ptr<Witness> witness;
  std::unique_ptr<WitnessServer> server;
};

TEST_CASE("witness server: 200 carries the cosignature line") {
  const TestLog log;
  const Served served(log);
  const auto answer = served.Post(log.Body(0, 5));
  CHECK(answer->status == 200);
  CHECK(answer->get_header_value("Content-Type") == "text/plain; charset=utf-8");
  CHECK(VerifyCosignature(answer->body, log.CheckpointText(5)).ok());
}

TEST_CASE("witness server: 400 for what is no request or an old size above the checkpoint's") {
  const TestLog log;
  const Served served(log);
  CHECK(served.Post("")->status == 400);
  CHECK(served.Post("old 01\n\n")->status == 400);
  CHECK(served.Post(log.Body(0, 5) + "more")->status == 400);
  const auto answer = served.Post(log.Body(9, 5));
  CHECK(answer->status == 400);
  CHECK_THAT(answer->body, Catch::Contains("9"));
}

TEST_CASE("witness server: 403 for a checkpoint that none of the log's keys signed") {
  const TestLog log;
  const Served served(log);
  ledger::SignedNote note = log.Note(5);
  note.signatures = {ledger::SignNote(TestKey(3), log.origin(), note.text)};
  const auto answer = served.Post(ledger::EncodeAddCheckpoint(
      {.old_size = 0, .path = {}, .checkpoint = ledger::EncodeNote(note)}));
  CHECK(answer->status == 403);
}

TEST_CASE("witness server: 404 for an origin that is not watched and for other paths") {
  const TestLog log;
  const TestLog other("log.example/other");
  const Served served(log);
  CHECK(served.Post(other.Body(0, 5))->status == 404);
  httplib::Client client("127.0.0.1", served.server->port());
  CHECK(client.Post("/sign", "x", "text/plain")->status == 404);
  CHECK(client.Get("/add-checkpoint")->status == 404);
}

TEST_CASE("witness server: 409 tells the size that was cosigned last") {
  const TestLog log;
  const Served served(log);
  REQUIRE(served.Post(log.Body(0, 5))->status == 200);
  const auto answer = served.Post(log.Body(0, 7));
  CHECK(answer->status == 409);
  CHECK(answer->body == "5\n");
  CHECK(answer->get_header_value("Content-Type") == "text/x.tlog.size");
}

TEST_CASE("witness server: 409 without a size for another root at the size cosigned last") {
  const TestLog log;
  const TestLog fork("log.example/one", 64, "fork ");
  const Served served(log);
  REQUIRE(served.Post(log.Body(0, 5))->status == 200);
  const auto answer = served.Post(fork.Body(5, 5));
  CHECK(answer->status == 409);
  CHECK(answer->get_header_value("Content-Type") == "text/plain; charset=utf-8");
}

TEST_CASE("witness server: 422 for a consistency path that does not hold") {
  const TestLog log;
  const TestLog fork("log.example/one", 64, "fork ");
  const Served served(log);
  ledger::AddCheckpoint request = log.Request(0, 5);
  request.path = {log.Root(1)};
  CHECK(served.Post(ledger::EncodeAddCheckpoint(request))->status == 422);
  REQUIRE(served.Post(log.Body(0, 5))->status == 200);
  CHECK(served.Post(fork.Body(5, 9))->status == 422);
  request = log.Request(5, 9);
  request.path.pop_back();
  CHECK(served.Post(ledger::EncodeAddCheckpoint(request))->status == 422);
  CHECK(served.Post(log.Body(5, 9))->status == 200);
}

TEST_CASE("witness server: 413 for a body over the limit however it is sent") {
  const TestLog log;
  const Served served(log);
  const std::string large(ledger::kAddCheckpointBytesMax + 1, 'x');
  CHECK(served.Post(large)->status == 413);
  httplib::Client client("127.0.0.1", served.server->port());
  const auto chunked = client.Post(
      "/add-checkpoint",
      [&](size_t offset, httplib::DataSink& sink) {
        constexpr size_t kPiece = 64 * 1024;
        if (offset >= large.size()) {
          sink.done();
        } else {
          sink.write(large.data() + offset, std::min(kPiece, large.size() - offset));
        }
        return true;
      },
      "application/octet-stream");
  REQUIRE(chunked);
  CHECK(chunked->status == 413);
  CHECK(client.Get("/")->status == 200);
}

// curl and others send bodies under the type of forms, for which httplib has a smaller limit.
TEST_CASE("witness server: the content type of a request does not matter") {
  const TestLog log;
  const Served served(log);
  ledger::SignedNote note = log.Note(5);
  for (int i = 0; i < 100; ++i) {
    note.signatures.push_back({.name = absl::StrCat("witness.example/", i),
                               .key_hash = static_cast<uint32_t>(i),
                               .signature = std::string(72, 's')});
  }
  const std::string body = ledger::EncodeAddCheckpoint(
      {.old_size = 0, .path = {}, .checkpoint = ledger::EncodeNote(note)});
  REQUIRE(body.size() > 8192);
  httplib::Client client("127.0.0.1", served.server->port());
  for (const char* type : {"application/x-www-form-urlencoded", "text/plain"}) {
    const auto answer = client.Post("/add-checkpoint", body, type);
    REQUIRE(answer);
    CHECK((answer->status == 200 || answer->status == 409));
  }
}

TEST_CASE("witness server: the health page says who it is and what was cosigned") {
  const TestLog log;
  const Served served(log);
  served.Post(log.Body(0, 5));
  httplib::Client client("127.0.0.1", served.server->port());
  const auto answer = client.Get("/");
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body ==
        "witness " + ledger::EncodeNoteKey(TestWitnessKey().note) + "\nlog.example/one 5\n");
}

TEST_CASE("witness server: one connection serves several requests") {
  const TestLog log;
  const Served served(log);
  httplib::Client client("127.0.0.1", served.server->port());
  client.set_keep_alive(true);
  for (uint64_t size = 1; size <= 3; ++size) {
    const auto answer = client.Post("/add-checkpoint", log.Body(size - 1, size), "text/plain");
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(client.is_socket_open());
  }
}

TEST_CASE("witness server: an occupied port is an error and not shared silently") {
  const TestLog log;
  const Served served(log);
  const auto second = WitnessServer::Start("127.0.0.1:" + std::to_string(served.server->port()),
                                           served.witness.get());
  REQUIRE_FALSE(second.ok());
  CHECK(absl::IsAlreadyExists(second.status()));
  CHECK_THAT(std::string(second.status().message()), Catch::Contains("change --listen"));
  CHECK(absl::IsInvalidArgument(WitnessServer::Start("7700", served.witness.get()).status()));
  CHECK(absl::IsInvalidArgument(WitnessServer::Start(":77000", served.witness.get()).status()));
}

}  // namespace
}  // namespace vigil::client
