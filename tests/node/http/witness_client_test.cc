#include "node/http/witness_client.h"

#include <httplib.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/mutex.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/merkle.h"
#include "ledger/log/witness.h"
#include "tests/ledger/log/memory_tiles.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

constexpr absl::string_view kOrigin = "net/origin";

ledger::SigningKey KeyOf(uint8_t seed) {
  std::array<uint8_t, 32> bytes{};
  bytes.fill(seed);
  return ledger::SigningKey::FromSeed(bytes);
}

// The HTTP side of a witness, answering as it is told.
class FakeWitness {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  explicit FakeWitness(Handler handler, std::string path = "/add-checkpoint") {
    server_.Post(path, std::move(handler));
    port_ = server_.bind_to_any_port("127.0.0.1");
    REQUIRE(port_ > 0);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~FakeWitness() {
    server_.stop();
    thread_.join();
  }
  std::string url(absl::string_view prefix = "") const {
    return absl::StrCat("http://127.0.0.1:", port_, prefix);
  }

 private:
  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
};

// A validator's log of growing size, and what came back for it.
class FakeValidator {
 public:
  FakeValidator() : leaves_(Leaves()), tiles_(Leaves()) {}

  WitnessClient::Options Options(const std::string& url) const {
    return {.key = {.name = "witness.example",
                    .type = ledger::NoteKeyType::kCosignatureV1,
                    .key = KeyOf(9).public_key()},
            .own = {.name = std::string(kOrigin),
                    .type = ledger::NoteKeyType::kEd25519,
                    .key = KeyOf(1).public_key()},
            .url = ParseWitnessUrl(url, false).value(),
            .seed = 1};
  }
  WitnessClient::Ports Ports() {
    return {.checkpoint = [this]() -> absl::StatusOr<std::string> { return Note(size.load()); },
            .tiles = [this] { return &tiles_; },
            .cosigned =
                [this](const WitnessedCheckpoint& witnessed) {
                  MutexLock lock(&mutex_);
                  witnessed_ = witnessed;
                  changed_.SignalAll();
                },
            .clock = SystemClock(),
            .log =
                [this](LogLevel, absl::string_view, absl::string_view text) {
                  MutexLock lock(&mutex_);
                  lines_.emplace_back(text);
                  changed_.SignalAll();
                }};
  }
  std::string Text(uint64_t at) const {
    return ledger::EncodeCheckpoint({.origin = std::string(kOrigin),
                                     .size = at,
                                     .root = ledger::MerkleRoot(std::span(leaves_).first(at))});
  }
  std::string Note(uint64_t at) const {
    const std::string text = Text(at);
    return ledger::EncodeNote(
        {.text = text, .signatures = {ledger::SignNote(KeyOf(1), kOrigin, text)}});
  }
  // What a witness with `state` answers.
  void Answer(const httplib::Request& request, ledger::WitnessedState* state,
              httplib::Response* response) const {
    const auto decoded = ledger::DecodeAddCheckpoint(request.body);
    const ledger::WitnessLog log = {.origin = std::string(kOrigin),
                                    .keys = {{.name = std::string(kOrigin),
                                              .type = ledger::NoteKeyType::kEd25519,
                                              .key = KeyOf(1).public_key()}},
                                    .required_quorum = std::nullopt};
    ledger::WitnessDecision decision = ledger::DecideWitness(&log, *state, *decoded);
    if (decision.http_status == 200) {
      *state = *decision.next;
      const ledger::NoteSignature line =
          ledger::CosignNote(KeyOf(9), "witness.example", decision.checkpoint_text, 7);
      decision.body = ledger::EncodeNoteSignatures({&line, 1});
    }
    response->status = decision.http_status;
    response->set_content(decision.body, decision.content_type.c_str());
  }
  WitnessedCheckpoint WaitForSize(uint64_t wanted) {
    MutexLock lock(&mutex_);
    while (witnessed_.size != wanted) changed_.Wait(&mutex_);
    return witnessed_;
  }
  std::string WaitForLine() {
    MutexLock lock(&mutex_);
    while (lines_.empty()) changed_.Wait(&mutex_);
    return lines_.front();
  }

  std::atomic<uint64_t> size{5};

 private:
  static std::vector<Hash> Leaves() {
    std::vector<Hash> leaves;
    for (uint64_t i = 0; i < 300; ++i)
      leaves.push_back(ledger::LeafHash(AsBytes(absl::StrCat("leaf ", i))));
    return leaves;
  }
  const std::vector<Hash> leaves_;
  const ledger::MemoryTiles tiles_;
  Mutex mutex_;
  CondVar changed_;
  WitnessedCheckpoint witnessed_ VIGIL_GUARDED_BY(mutex_);
  std::vector<std::string> lines_ VIGIL_GUARDED_BY(mutex_);
};

TEST_CASE("witness client: final checkpoints are carried and cosignatures come back") {
  FakeValidator validator;
  ledger::WitnessedState state = {.size = 2, .root = {}};
  // Its state is ahead of what the client knows: the first answer is a conflict.
  const ledger::SignedCheckpoint two = ledger::DecodeSignedCheckpoint(validator.Note(2)).value();
  state.root = two.checkpoint.root;
  FakeWitness witness(
      [&](const httplib::Request& request, httplib::Response& response) {
        validator.Answer(request, &state, &response);
      },
      "/some/prefix/add-checkpoint");
  const WitnessClient client(validator.Options(witness.url("/some/prefix/")), validator.Ports(), 1);
  CHECK(validator.WaitForSize(5).size == 5);
  validator.size = 290;
  const WitnessedCheckpoint witnessed = validator.WaitForSize(290);
  CHECK(ledger::VerifyNoteSignature(validator.Options(witness.url()).key, validator.Text(290),
                                    witnessed.line)
            .ok());
}

TEST_CASE("witness client: a witness that is down is named in the log") {
  FakeValidator validator;
  std::string url;
  {
    const FakeWitness gone([](const httplib::Request&, httplib::Response&) {});
    url = gone.url();
  }
  const WitnessClient client(validator.Options(url), validator.Ports(), 1);
  const std::string line = validator.WaitForLine();
  CHECK_THAT(line, Catch::Contains("witness.example failed"));
  CHECK_THAT(line, Catch::Contains(url));
}

TEST_CASE("witness client: an answer without end is cut off") {
  constexpr uint64_t kSocketBytesMax = 32 << 20;  // What systems buffer on the way is far less.
  FakeValidator validator;
  std::atomic<uint64_t> sent{0};
  FakeWitness witness([&](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("text/plain", [&](size_t, httplib::DataSink& sink) {
      const std::string piece(64 * 1024, 'x');
      sent += piece.size();
      return sink.write(piece.data(), piece.size());
    });
  });
  const WitnessClient client(validator.Options(witness.url()), validator.Ports(), 1);
  CHECK_THAT(validator.WaitForLine(), Catch::Contains("failed"));
  CHECK(sent < kSocketBytesMax);
}

TEST_CASE("witness client: it ends though the witness does not answer") {
  FakeValidator validator;
  Mutex mutex;
  CondVar changed;
  bool asked = false;
  bool release = false;
  FakeWitness witness([&](const httplib::Request&, httplib::Response&) {
    MutexLock lock(&mutex);
    asked = true;
    changed.SignalAll();
    while (!release) changed.Wait(&mutex);
  });
  {
    const WitnessClient client(validator.Options(witness.url()), validator.Ports(), 1);
    MutexLock lock(&mutex);
    while (!asked) changed.Wait(&mutex);
  }  // Ends while the request hangs.
  MutexLock lock(&mutex);
  release = true;
  changed.SignalAll();
}

TEST_CASE("witness url: where a witness may be") {
  const auto server = [](absl::string_view url, bool allow_http = false) {
    const auto parsed = ParseWitnessUrl(url, allow_http);
    return parsed.ok() ? absl::StrCat(parsed->server, " ", parsed->path) : std::string("refused");
  };
  CHECK(server("https://w.example") == "https://w.example /add-checkpoint");
  CHECK(server("https://w.example:8443/a/b/") == "https://w.example:8443 /a/b/add-checkpoint");
  CHECK(server("http://127.0.0.1:7700") == "http://127.0.0.1:7700 /add-checkpoint");
  CHECK(server("http://[::1]:7700/w") == "http://[::1]:7700 /w/add-checkpoint");
  CHECK(server("http://localhost:1") == "http://localhost:1 /add-checkpoint");
  CHECK(server("http://w.example:7700") == "refused");
  CHECK(server("http://127.example.org") == "refused");
  CHECK(server("http://127.evil.example@w.example") == "refused");
  CHECK(server("http://w.example:7700", true) == "http://w.example:7700 /add-checkpoint");
  for (const char* url :
       {"", "w.example", "ftp://w.example", "https://", "https://:80", "https://w.example:0",
        "https://w.example:70000", "https://w.example:", "https://w.example/a b",
        "https://w.example/a?b", "https://u@w.example"}) {
    INFO(url);
    CHECK(server(url, true) == "refused");
  }
}

}  // namespace
}  // namespace vigil::node
