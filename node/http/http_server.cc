#include "node/http/http_server.h"

#include <httplib.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/mutex.h"

namespace vigil::node {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kThreads = 8;
// From being accepted to the end of the answer, however slowly the caller reads and writes.
constexpr auto kRequestTimeMax = std::chrono::seconds(3);
// How soon a waiting thread sees that the server stops.
constexpr auto kPollSlice = std::chrono::milliseconds(100);
constexpr size_t kRequestBytesMax = 64 * 1024;
constexpr size_t kReadBytes = 4 * 1024;

struct Connection {
  int descriptor = -1;
  Clock::time_point deadline;
};

// Reads and writes one connection until its deadline.
class DeadlineStream final : public httplib::Stream {
 public:
  DeadlineStream(const Connection& connection, const std::atomic<bool>* stopping)
      : connection_(connection), stopping_(stopping) {}

  bool is_readable() const override { return used_ < size_ || Wait(POLLIN); }
  bool is_writable() const override { return Wait(POLLOUT); }

  ssize_t read(char* out, size_t size) override {
    if (used_ == size_) {
      if (!Wait(POLLIN)) return -1;
      const ssize_t got = recv(connection_.descriptor, buffer_, sizeof(buffer_), 0);
      if (got <= 0) return got;
      taken_ += static_cast<size_t>(got);
      if (taken_ > kRequestBytesMax) return -1;
      used_ = 0;
      size_ = static_cast<size_t>(got);
    }
    const size_t count = std::min(size, size_ - used_);
    std::memcpy(out, buffer_ + used_, count);
    used_ += count;
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* bytes, size_t size) override {
    if (!Wait(POLLOUT)) return -1;
    return send(connection_.descriptor, bytes, size, MSG_NOSIGNAL);
  }

  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  // The library must not wait on the descriptor itself.
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  bool Wait(short events) const {
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(connection_.deadline - Clock::now());
      if (left.count() <= 0 || *stopping_) return false;
      pollfd polled = {.fd = connection_.descriptor, .events = events, .revents = 0};
      const auto slice = std::min<std::chrono::milliseconds>(left, kPollSlice);
      if (poll(&polled, 1, static_cast<int>(slice.count())) > 0) return true;
    }
  }

  const Connection connection_;
  const std::atomic<bool>* const stopping_;
  char buffer_[kReadBytes];
  size_t used_ = 0;
  size_t size_ = 0;
  size_t taken_ = 0;
};

// The library's half that reads requests and writes answers. It never listens.
class Responder final : public httplib::Server {
 public:
  void Serve(const Connection& connection, const std::atomic<bool>* stopping) {
    DeadlineStream stream(connection, stopping);
    bool closed = false;
    process_request(stream, /*close_connection=*/true, closed, nullptr);
  }
};

}  // namespace

struct HttpServer::Impl {
  Responder responder;
  HttpHandlers handlers;
  std::unique_ptr<Listener> listener;
  std::vector<std::thread> threads;
  std::atomic<bool> stopping{false};
  Mutex mutex;
  CondVar arrived;
  // Bounded by the listener's connections_max.
  std::deque<Connection> waiting VIGIL_GUARDED_BY(mutex);

  void Run();
};

void HttpServer::Impl::Run() {
  for (;;) {
    Connection connection;
    {
      MutexLock lock(&mutex);
      while (waiting.empty() && !stopping) arrived.Wait(&mutex);
      if (stopping) return;
      connection = waiting.front();
      waiting.pop_front();
    }
    responder.Serve(connection, &stopping);
    shutdown(connection.descriptor, SHUT_RDWR);
    close(connection.descriptor);
  }
}

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

HttpServer::~HttpServer() {
  if (impl_->listener != nullptr) impl_->listener->Stop();
  {
    MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
    for (const Connection& connection : impl_->waiting) close(connection.descriptor);
    impl_->waiting.clear();
    impl_->arrived.SignalAll();
  }
  for (std::thread& thread : impl_->threads) thread.join();
}

int HttpServer::port() const { return impl_->listener->port(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpHandlers handlers,
                                                              const ListenerOptions& listener) {
  absl::StatusOr<std::unique_ptr<Listener>> opened = Listener::Open(address, listener);
  if (absl::IsInvalidArgument(opened.status())) {
    return absl::InvalidArgumentError(absl::StrCat("listen.http: ", opened.status().message()));
  }
  if (!opened.ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen for HTTP on ", address,
                     ": the port is taken or the address is not this machine's; change listen.http "
                     "or end the other process"));
  }
  std::unique_ptr<HttpServer> http(new HttpServer);
  Impl& impl = *http->impl_;
  impl.listener = *std::move(opened);
  impl.handlers = std::move(handlers);
  impl.responder.set_payload_max_length(kRequestBytesMax);
  impl.responder.Get("/metrics", [&impl](const httplib::Request&, httplib::Response& response) {
    response.set_content(impl.handlers.metrics(), "text/plain; version=0.0.4");
  });
  impl.responder.Get("/livez", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  impl.responder.Get("/readyz", [&impl](const httplib::Request&, httplib::Response& response) {
    const std::string reason = impl.handlers.not_ready();
    response.status = reason.empty() ? 200 : 503;
    response.set_content(reason.empty() ? "ok\n" : reason + "\n", "text/plain");
  });
  if (impl.handlers.log_file) {
    impl.responder.Get("/log/(.*)",
                       [&impl](const httplib::Request& request, httplib::Response& response) {
                         const HttpAnswer answer = impl.handlers.log_file(request.matches[1].str());
                         response.status = answer.status;
                         response.set_header("Cache-Control", answer.cache_control);
                         response.set_content(answer.body, answer.content_type);
                       });
  }
  for (size_t i = 0; i < kThreads; ++i) {
    impl.threads.emplace_back([&impl] { impl.Run(); });
    pthread_setname_np(impl.threads.back().native_handle(), "http");
  }
  impl.listener->Start([&impl](int descriptor) {
    MutexLock lock(&impl.mutex);
    impl.waiting.push_back({.descriptor = descriptor, .deadline = Clock::now() + kRequestTimeMax});
    impl.arrived.SignalOne();
  });
  return http;
}

}  // namespace vigil::node
