#include "client/witness/witness_server.h"

#include <httplib.h>
#include <pthread.h>

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/mutex.h"

namespace vigil::client {
namespace {

constexpr size_t kThreads = 8;
constexpr auto kStopRetry = std::chrono::milliseconds(10);
constexpr time_t kIoSecondsMax = 5;

void Answer(WitnessAnswer answer, httplib::Response* response) {
  response->status = answer.http_status;
  response->set_content(std::move(answer.body), answer.content_type.c_str());
}

// Reads the body in pieces, because httplib itself bounds neither chunked nor compressed ones.
void AddCheckpoint(Witness* witness, const httplib::ContentReader& reader,
                   httplib::Response* response) {
  std::string body;
  bool too_large = false;
  const bool read = reader([&](const char* bytes, size_t size) {
    too_large = too_large || size > ledger::kAddCheckpointBytesMax - body.size();
    if (!too_large) body.append(bytes, size);
    return true;  // The rest is read and dropped, so that it is not taken for the next request.
  });
  if (too_large || response->status == 413) {
    response->status = 413;
    response->set_content(
        absl::StrCat("a request has at most ", ledger::kAddCheckpointBytesMax, " bytes\n"),
        "text/plain; charset=utf-8");
    return;
  }
  if (!read) {
    response->status = 400;
    return;
  }
  Answer(witness->AddCheckpoint(body), response);
}

}  // namespace

struct WitnessServer::Impl {
  httplib::Server server;
  std::thread thread;
  int port = 0;
  Mutex mutex;
  CondVar changed;
  bool ended VIGIL_GUARDED_BY(mutex) = false;  // The accepting thread has left the server.
};

WitnessServer::WitnessServer() : impl_(std::make_unique<Impl>()) {}

WitnessServer::~WitnessServer() {
  if (!impl_->thread.joinable()) return;
  {
    // stop() does nothing before the thread has begun to accept, so it is repeated until it took.
    MutexLock lock(&impl_->mutex);
    while (!impl_->ended) {
      impl_->server.stop();
      impl_->changed.WaitFor(&impl_->mutex, kStopRetry);
    }
  }
  impl_->thread.join();
}

int WitnessServer::port() const { return impl_->port; }

absl::StatusOr<std::unique_ptr<WitnessServer>> WitnessServer::Start(const std::string& address,
                                                                    Witness* witness) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen: '", address, "' where host:port belongs"));
  }
  const std::string host = address.substr(0, colon);
  std::unique_ptr<WitnessServer> started(new WitnessServer);
  Impl& impl = *started->impl_;
  impl.server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  impl.server.set_read_timeout(kIoSecondsMax);
  impl.server.set_write_timeout(kIoSecondsMax);
  impl.server.set_payload_max_length(ledger::kAddCheckpointBytesMax);
  // httplib's default sets SO_REUSEPORT, with which a second process silently shares the port.
  impl.server.set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  impl.server.Post("/add-checkpoint",
                   [witness](const httplib::Request&, httplib::Response& response,
                             const httplib::ContentReader& reader) {
                     AddCheckpoint(witness, reader, &response);
                   });
  impl.server.Get("/", [witness](const httplib::Request&, httplib::Response& response) {
    Answer(witness->Health(), &response);
  });
  impl.port = port == 0 ? impl.server.bind_to_any_port(host.c_str())
                        : (impl.server.bind_to_port(host.c_str(), port) ? port : -1);
  if (impl.port <= 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen on ", address,
                     ": the port is taken or the address is not this machine's; change --listen or "
                     "end the other process"));
  }
  impl.thread = std::thread([&impl] {
    impl.server.listen_after_bind();
    MutexLock lock(&impl.mutex);
    impl.ended = true;
    impl.changed.SignalAll();
  });
  pthread_setname_np(impl.thread.native_handle(), "witness");
  return started;
}

}  // namespace vigil::client
