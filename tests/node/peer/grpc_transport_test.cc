#include "node/peer/grpc_transport.h"

#include <fstream>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "node/app/pki.h"
#include "node/peer/learner_transport.h"
#include "node/peer/peer_server.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::node {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

// Keeps what peers said; tests wait until something holds of it.
class Listener final : public FrameReceiver {
 public:
  absl::Status OnFrame(PeerStream* stream, std::string frame) override {
    MutexLock lock(&mutex_);
    if (frame == "bad hello") {
      ++refused_;
      changed_.SignalAll();
      return absl::InvalidArgumentError("that is no hello");
    }
    stream->greeted = true;
    certificate_hash_ = stream->certificate_hash;
    frames_.emplace_back(stream->from.value(), std::move(frame));
    changed_.SignalAll();
    return absl::OkStatus();
  }
  bool WaitForRefused(size_t count) {
    MutexLock lock(&mutex_);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (refused_ < count && std::chrono::steady_clock::now() < deadline) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(50));
    }
    return refused_ >= count;
  }
  Hash certificate_hash() {
    MutexLock lock(&mutex_);
    return certificate_hash_;
  }
  bool WaitForCount(size_t count) {
    MutexLock lock(&mutex_);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (frames_.size() < count && std::chrono::steady_clock::now() < deadline) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(50));
    }
    return frames_.size() >= count;
  }
  std::vector<std::pair<uint32_t, std::string>> frames() {
    MutexLock lock(&mutex_);
    return frames_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::pair<uint32_t, std::string>> frames_ VIGIL_GUARDED_BY(mutex_);
  size_t refused_ VIGIL_GUARDED_BY(mutex_) = 0;
  Hash certificate_hash_ VIGIL_GUARDED_BY(mutex_);
};

class Network {
 public:
  Network() {
    authority_ = *MakeAuthority("test CA");
    for (const char* name : {"a", "b"}) {
      ledger::GenesisValidator validator;
      validator.org = "org";
      validator.name = name;
      genesis_.validators.push_back(validator);
    }
  }
  TlsFiles Certify(const std::string& name, const std::string& spiffe_id) {
    return Write(name, *IssueCertificate(authority_, Request(spiffe_id)), authority_.certificate);
  }
  // The same id, but issued by somebody else.
  TlsFiles CertifyElsewhere(const std::string& name, const std::string& spiffe_id) {
    const CertifiedKey other = *MakeAuthority("another CA");
    return Write(name, *IssueCertificate(other, Request(spiffe_id)), authority_.certificate);
  }
  std::unique_ptr<GrpcTransport> TransportOfA(const TlsFiles& tls, int port_of_b,
                                              const std::string& hello = "hello") {
    GrpcTransportOptions options;
    options.validators = {
        {.identity = "org/a", .address = ""},
        {.identity = "org/b", .address = "127.0.0.1:" + std::to_string(port_of_b)}};
    options.self = ValidatorIndex(0);
    options.tls = tls;
    options.queue_bytes_max = 1000;
    auto transport = std::make_unique<GrpcTransport>(options);
    transport->Start([this, hello](ValidatorIndex to, const Hash& certificate_hash) {
      CHECK(to == ValidatorIndex(1));
      MutexLock lock(&mutex_);
      shown_ = certificate_hash;
      return hello;
    });
    return transport;
  }
  const ledger::Genesis* genesis() const { return &genesis_; }
  // The certificate that the last hello was made for.
  Hash shown() {
    MutexLock lock(&mutex_);
    return shown_;
  }

 private:
  static CertificateRequest Request(const std::string& spiffe_id) {
    return {.common_name = "x", .spiffe_id = spiffe_id, .ip_addresses = {}, .dns_names = {}};
  }
  TlsFiles Write(const std::string& name, const CertifiedKey& pair, const std::string& ca) {
    TlsFiles files{.ca = folder_ / (name + "-ca.pem"),
                   .certificate = folder_ / (name + ".pem"),
                   .key = folder_ / (name + ".key")};
    std::ofstream(files.ca) << ca;
    std::ofstream(files.certificate) << pair.certificate;
    std::ofstream(files.key) << pair.key;
    return files;
  }
  testing::TempFolder folder_;
  CertifiedKey authority_;
  ledger::Genesis genesis_;
  Mutex mutex_;
  Hash shown_ VIGIL_GUARDED_BY(mutex_);
};

TEST_CASE("peers: frames arrive in order after the hello and bear the sender's identity") {
  Network network;
  Listener listener;
  auto server = PeerServer::Start("127.0.0.1:0", network.Certify("b", "spiffe://org/validator/b"),
                                  network.genesis(), &listener);
  REQUIRE(server.ok());
  const auto transport =
      network.TransportOfA(network.Certify("a", "spiffe://org/validator/a"), (*server)->port());
  REQUIRE(listener.WaitForCount(1));
  // The receiver may have the hello before the sender knows that it left.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!transport->IsConnected(ValidatorIndex(1)) &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  int sent = 0;
  for (int i = 0; i < 200; ++i)
    sent +=
        transport->Send(ValidatorIndex(1), {.head = "frame " + std::to_string(i), .blocks = {}});
  REQUIRE(sent > 0);
  REQUIRE(listener.WaitForCount(1 + sent));
  const auto frames = listener.frames();
  CHECK(frames[0] == std::pair<uint32_t, std::string>(0, "hello"));
  int last = -1;
  for (size_t i = 1; i < frames.size(); ++i) {
    CHECK(frames[i].first == 0);
    const int number = std::stoi(frames[i].second.substr(6));
    CHECK(number > last);
    last = number;
  }
}

TEST_CASE("peers: a full queue and an unknown or unconnected peer are refused and nothing blocks") {
  Network network;
  const auto transport = network.TransportOfA(network.Certify("a", "spiffe://org/validator/a"), 1);
  CHECK_FALSE(transport->IsConnected(ValidatorIndex(1)));
  CHECK_FALSE(transport->Send(ValidatorIndex(1), {.head = "x", .blocks = {}}));
  CHECK_FALSE(transport->Send(ValidatorIndex(0), {.head = "x", .blocks = {}}));
  CHECK_FALSE(transport->Send(ValidatorIndex(7), {.head = "x", .blocks = {}}));
  CHECK(transport->IsConnected(ValidatorIndex(0)));
}

TEST_CASE("peers: a certificate that is no validator's or of another CA is never heard") {
  Network network;
  Listener listener;
  auto server = PeerServer::Start("127.0.0.1:0", network.Certify("b", "spiffe://org/validator/b"),
                                  network.genesis(), &listener);
  REQUIRE(server.ok());
  TlsFiles impostor;
  SECTION("a client's certificate") { impostor = network.Certify("c", "spiffe://org/client/a"); }
  SECTION("a validator that genesis does not name") {
    impostor = network.Certify("c", "spiffe://org/validator/z");
  }
  SECTION("the right name of another CA") {
    impostor = network.CertifyElsewhere("c", "spiffe://org/validator/a");
  }
  {
    const auto transport = network.TransportOfA(impostor, (*server)->port());
    // The honest validator gets through afterwards, so the impostor had its chance.
    const auto honest =
        network.TransportOfA(network.Certify("a", "spiffe://org/validator/a"), (*server)->port());
    REQUIRE(listener.WaitForCount(1));
  }
  CHECK(listener.frames().size() == 1);
}

TEST_CASE("peers: a server that is not the expected validator gets no frame") {
  Network network;
  Listener listener;
  auto server = PeerServer::Start("127.0.0.1:0", network.Certify("b", "spiffe://org/validator/a"),
                                  network.genesis(), &listener);
  REQUIRE(server.ok());
  const auto wrong =
      network.TransportOfA(network.Certify("a", "spiffe://org/validator/a"), (*server)->port());
  auto right_server =
      PeerServer::Start("127.0.0.1:0", network.Certify("b2", "spiffe://org/validator/b"),
                        network.genesis(), &listener);
  REQUIRE(right_server.ok());
  const auto right = network.TransportOfA(network.Certify("a2", "spiffe://org/validator/a"),
                                          (*right_server)->port());
  REQUIRE(listener.WaitForCount(1));
  CHECK_FALSE(wrong->IsConnected(ValidatorIndex(1)));
  CHECK(listener.frames().size() == 1);
}

TEST_CASE("peers: an occupied port is an error that names the remedy") {
  Network network;
  Listener listener;
  const TlsFiles tls = network.Certify("b", "spiffe://org/validator/b");
  auto first = PeerServer::Start("127.0.0.1:0", tls, network.genesis(), &listener);
  REQUIRE(first.ok());
  const auto second = PeerServer::Start("127.0.0.1:" + std::to_string((*first)->port()), tls,
                                        network.genesis(), &listener);
  REQUIRE_FALSE(second.ok());
  CHECK_THAT(std::string(second.status().message()), Catch::Contains("listen.peer"));
}

TEST_CASE("peers: a hello is made for the very certificate that the other side sees") {
  Network network;
  Listener listener;
  auto server = PeerServer::Start("127.0.0.1:0", network.Certify("b", "spiffe://org/validator/b"),
                                  network.genesis(), &listener);
  REQUIRE(server.ok());
  const auto transport =
      network.TransportOfA(network.Certify("a", "spiffe://org/validator/a"), (*server)->port());
  REQUIRE(listener.WaitForCount(1));
  CHECK(listener.certificate_hash() == network.shown());
  CHECK_FALSE(network.shown().IsZero());
}

TEST_CASE("peers: a stream with a bad hello ends and the healthy one goes on") {
  Network network;
  Listener listener;
  auto server = PeerServer::Start("127.0.0.1:0", network.Certify("b", "spiffe://org/validator/b"),
                                  network.genesis(), &listener);
  REQUIRE(server.ok());
  const TlsFiles tls = network.Certify("a", "spiffe://org/validator/a");
  const auto healthy = network.TransportOfA(tls, (*server)->port());
  REQUIRE(listener.WaitForCount(1));
  {
    // It comes again and again, so it also shows that there may be many.
    const auto impostor = network.TransportOfA(tls, (*server)->port(), "bad hello");
    REQUIRE(listener.WaitForRefused(6));
  }
  REQUIRE(healthy->Send(ValidatorIndex(1), {.head = "still here", .blocks = {}}));
  REQUIRE(listener.WaitForCount(2));
  CHECK(listener.frames().size() == 2);  // The healthy stream never began anew.
  CHECK(listener.frames()[1].second == "still here");
}

TEST_CASE("peers: a peer that restarts is connected again") {
  Network network;
  Listener listener;
  const TlsFiles tls = network.Certify("b", "spiffe://org/validator/b");
  auto server = PeerServer::Start("127.0.0.1:0", tls, network.genesis(), &listener);
  REQUIRE(server.ok());
  const int port = (*server)->port();
  const auto transport =
      network.TransportOfA(network.Certify("a", "spiffe://org/validator/a"), port);
  REQUIRE(listener.WaitForCount(1));
  server->reset();
  Listener after;
  auto again =
      PeerServer::Start("127.0.0.1:" + std::to_string(port), tls, network.genesis(), &after);
  REQUIRE(again.ok());
  CHECK(after.WaitForCount(1));
}

// A validator's side: lets in whoever says "let me in", and answers each later frame with itself.
class Teacher final : public LearnerReceiver {
 public:
  absl::Status OnLearnerFrame(const std::shared_ptr<LearnerStream>& stream,
                              absl::string_view frame) override {
    MutexLock lock(&mutex_);
    identity_ = stream->identity();
    certificate_hash_ = stream->certificate_hash();
    stream->Send("welcome");
    if (stream_ != stream && frame != "let me in") return absl::PermissionDeniedError("rejected");
    if (stream_ == stream) stream->Send(std::string(frame));
    stream_ = stream;
    return absl::OkStatus();
  }
  void OnLearnerEnd(const LearnerStream* stream) override {
    MutexLock lock(&mutex_);
    if (stream_.get() == stream) stream_ = nullptr;
  }
  void SendAway() {
    std::shared_ptr<LearnerStream> stream;
    {
      MutexLock lock(&mutex_);
      stream = std::move(stream_);
    }
    stream->End(absl::PermissionDeniedError("the proposal is rejected"));
  }
  std::string identity() {
    MutexLock lock(&mutex_);
    return identity_;
  }
  Hash certificate_hash() {
    MutexLock lock(&mutex_);
    return certificate_hash_;
  }

 private:
  Mutex mutex_;
  std::shared_ptr<LearnerStream> stream_ VIGIL_GUARDED_BY(mutex_);
  std::string identity_ VIGIL_GUARDED_BY(mutex_);
  Hash certificate_hash_ VIGIL_GUARDED_BY(mutex_);
};

class Pupil final : public LearnerClient {
 public:
  explicit Pupil(std::string hello) : hello_(std::move(hello)) {}
  std::string Hello(ValidatorIndex, const Hash& certificate_hash) const override {
    MutexLock lock(&mutex_);
    shown_ = certificate_hash;
    return hello_;
  }
  absl::Status OnFrame(ValidatorIndex from, absl::string_view frame) override {
    MutexLock lock(&mutex_);
    CHECK(from == ValidatorIndex(1));
    frames_.emplace_back(frame);
    changed_.SignalAll();
    return absl::OkStatus();
  }
  void OnEnd(ValidatorIndex, const absl::Status& why) override {
    MutexLock lock(&mutex_);
    ends_.push_back(why);
    changed_.SignalAll();
  }
  bool WaitForFrames(size_t count) {
    return Wait([&]() VIGIL_REQUIRES(mutex_) { return frames_.size() >= count; });
  }
  bool WaitForEnds(size_t count) {
    return Wait([&]() VIGIL_REQUIRES(mutex_) { return ends_.size() >= count; });
  }
  std::vector<std::string> frames() {
    MutexLock lock(&mutex_);
    return frames_;
  }
  absl::Status last_end() {
    MutexLock lock(&mutex_);
    return ends_.back();
  }
  Hash shown() {
    MutexLock lock(&mutex_);
    return shown_;
  }

 private:
  bool Wait(const std::function<bool()>& done) {
    MutexLock lock(&mutex_);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(50));
    }
    return done();
  }
  const std::string hello_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> frames_ VIGIL_GUARDED_BY(mutex_);
  std::vector<absl::Status> ends_ VIGIL_GUARDED_BY(mutex_);
  mutable Hash shown_ VIGIL_GUARDED_BY(mutex_);
};

TEST_CASE("learners: a newcomer is answered on its own call and told why it ends") {
  Network network;
  Listener listener;
  Teacher teacher;
  auto server = PeerServer::Start("127.0.0.1:0", network.Certify("b", "spiffe://org/validator/b"),
                                  network.genesis(), &listener, {.name = "peer"}, &teacher);
  REQUIRE(server.ok());
  const std::vector<PeerAddress> validators = {
      {.identity = "org/a", .address = ""},
      {.identity = "org/b", .address = "127.0.0.1:" + std::to_string((*server)->port())}};
  const TlsFiles tls = network.Certify("c", "spiffe://org/validator/c");

  SECTION("let in, answered, and sent away") {
    Pupil pupil("let me in");
    LearnerTransport transport(validators, tls);
    transport.Start(&pupil);
    REQUIRE(pupil.WaitForFrames(1));
    CHECK(teacher.identity() == "org/c");
    CHECK(teacher.certificate_hash() == pupil.shown());
    CHECK_FALSE(transport.Send(ValidatorIndex(0), {.head = "x", .blocks = {}}));
    // The first frame may come before the call is known to be there.
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!transport.IsConnected(ValidatorIndex(1)) &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    REQUIRE(transport.Send(ValidatorIndex(1), {.head = "a request", .blocks = {}}));
    REQUIRE(pupil.WaitForFrames(3));
    CHECK(pupil.frames() == std::vector<std::string>{"welcome", "welcome", "a request"});
    teacher.SendAway();
    REQUIRE(pupil.WaitForEnds(1));
    CHECK(absl::IsPermissionDenied(pupil.last_end()));
    CHECK(pupil.last_end().message() == "the proposal is rejected");
    // It tries again by itself.
    REQUIRE(pupil.WaitForFrames(4));
    transport.Stop();
  }
  SECTION("refused, but for the welcome") {
    Pupil pupil("nobody");
    LearnerTransport transport(validators, tls);
    transport.Start(&pupil);
    REQUIRE(pupil.WaitForEnds(2));
    CHECK(absl::IsPermissionDenied(pupil.last_end()));
    CHECK(pupil.frames().front() == "welcome");
    transport.Stop();
  }
  SECTION("a certificate that is no validator's, or of another authority, is not heard") {
    const bool elsewhere = GENERATE(false, true);
    Pupil pupil("let me in");
    LearnerTransport transport(validators,
                               elsewhere ? network.CertifyElsewhere("d", "spiffe://org/validator/c")
                                         : network.Certify("d", "spiffe://org/sensor/c"));
    transport.Start(&pupil);
    if (!elsewhere) REQUIRE(pupil.WaitForEnds(1));
    transport.Stop();
    CHECK(pupil.frames().empty());
    CHECK(teacher.identity().empty());
  }
  CHECK(listener.frames().empty());
}

}  // namespace
}  // namespace vigil::node
