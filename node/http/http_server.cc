#include "node/http/http_server.h"

#include <httplib.h>
#include <pthread.h>

#include <chrono>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/mutex.h"

namespace vigil::node {
namespace {

constexpr size_t kThreads = 2;
constexpr auto kStopRetry = std::chrono::milliseconds(10);
constexpr time_t kIoSecondsMax = 5;
constexpr size_t kRequestBytesMax = 64 * 1024;

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  HttpHandlers handlers;
  std::thread thread;
  int port = 0;
  Mutex mutex;
  CondVar changed;
  bool ended VIGIL_GUARDED_BY(mutex) = false;  // The accepting thread has left the server.
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

HttpServer::~HttpServer() {
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

int HttpServer::port() const { return impl_->port; }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpHandlers handlers) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen.http: '", address, "' where host:port belongs"));
  }
  const std::string host = address.substr(0, colon);
  std::unique_ptr<HttpServer> http(new HttpServer);
  Impl& impl = *http->impl_;
  impl.handlers = std::move(handlers);
  impl.server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  impl.server.set_read_timeout(kIoSecondsMax);
  impl.server.set_write_timeout(kIoSecondsMax);
  impl.server.set_payload_max_length(kRequestBytesMax);
  // httplib's default sets SO_REUSEPORT, with which a second process silently shares the port.
  impl.server.set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  impl.server.Get("/metrics", [&impl](const httplib::Request&, httplib::Response& response) {
    response.set_content(impl.handlers.metrics(), "text/plain; version=0.0.4");
  });
  impl.server.Get("/livez", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  impl.server.Get("/readyz", [&impl](const httplib::Request&, httplib::Response& response) {
    const std::string reason = impl.handlers.not_ready();
    response.status = reason.empty() ? 200 : 503;
    response.set_content(reason.empty() ? "ok\n" : reason + "\n", "text/plain");
  });
  if (impl.handlers.log_file) {
    impl.server.Get("/log/(.*)",
                    [&impl](const httplib::Request& request, httplib::Response& response) {
                      const HttpAnswer answer = impl.handlers.log_file(request.matches[1].str());
                      response.status = answer.status;
                      response.set_header("Cache-Control", answer.cache_control);
                      response.set_content(answer.body, answer.content_type);
                    });
  }
  impl.port = port == 0 ? impl.server.bind_to_any_port(host.c_str())
                        : (impl.server.bind_to_port(host.c_str(), port) ? port : -1);
  if (impl.port <= 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen for HTTP on ", address,
                     ": the port is taken or the address is not this machine's; change listen.http "
                     "or end the other process"));
  }
  impl.thread = std::thread([&impl] {
    impl.server.listen_after_bind();
    MutexLock lock(&impl.mutex);
    impl.ended = true;
    impl.changed.SignalAll();
  });
  pthread_setname_np(impl.thread.native_handle(), "http");
  return http;
}

}  // namespace vigil::node
