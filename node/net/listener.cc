#include "node/net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

constexpr int kBacklog = 128;
// How long accepting rests after an error that comes again at once.
constexpr int kErrorPauseMillis = 20;

struct HostAndPort {
  std::string host;
  std::string port;
};

absl::StatusOr<HostAndPort> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("'", address, "' where host:port belongs"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return HostAndPort{.host = std::move(host), .port = absl::StrCat(port)};
}

int PortOf(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  // The port stands at the same place for both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

void SetPort(sockaddr* address, int port) {
  reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(static_cast<uint16_t>(port));
}

// A listening socket, or -1 with errno.
int OpenSocket(const addrinfo& info) {
  const int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  // Not SO_REUSEPORT, with which a second process silently shares the port.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (info.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

ino_t InodeOf(int descriptor) {
  struct stat info;
  return fstat(descriptor, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const std::string& address,
                                                         const ListenerOptions& options) {
  std::unique_ptr<Listener> listener(new Listener(options));
  RETURN_IF_ERROR(listener->Bind(address));
  return listener;
}

absl::Status Listener::Bind(const std::string& address) {
  ASSIGN_OR_RETURN(const HostAndPort parts, Split(address));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found);
  if (failed != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", parts.host, "' is no host: ", gai_strerror(failed)));
  }
  int error = 0;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (port_ != 0) SetPort(info->ai_addr, port_);
    const int socket = OpenSocket(*info);
    if (socket < 0) {
      error = errno;
      if (error == EADDRINUSE) break;  // Half an address is none.
      continue;
    }
    sockets_.push_back(socket);
    port_ = PortOf(socket);
  }
  freeaddrinfo(found);
  if (sockets_.empty() || error == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrCat("bind ", address, ": ", std::generic_category().message(error)));
  }
  stop_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event_ >= 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("eventfd: ", std::generic_category().message(errno)));
}

Listener::~Listener() {
  Stop();
  for (const int socket : sockets_) close(socket);
  if (stop_event_ >= 0) close(stop_event_);
}

void Listener::Start(std::function<void(int)> take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), absl::StrCat("accept-", options_.name).c_str());
}

void Listener::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!write(stop_event_, &one, sizeof(one));
  thread_.join();
  // Who connects from now on is refused by the system.
  for (const int socket : sockets_) close(socket);
  sockets_.clear();
}

void Listener::Run() {
  std::vector<pollfd> polled = {{.fd = stop_event_, .events = POLLIN, .revents = 0}};
  for (const int socket : sockets_)
    polled.push_back({.fd = socket, .events = POLLIN, .revents = 0});
  for (;;) {
    if (poll(polled.data(), polled.size(), /*timeout=*/-1) < 0) continue;
    if (polled[0].revents != 0) return;
    for (size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents != 0) Accept(polled[i].fd);
    }
  }
}

void Listener::Accept(int socket) {
  const int descriptor = accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    // Out of descriptors or memory: the connection still waits, and so do we.
    pollfd stop = {.fd = stop_event_, .events = POLLIN, .revents = 0};
    poll(&stop, 1, kErrorPauseMillis);
    return;
  }
  if (!HasRoom(descriptor)) {
    close(descriptor);
    refused_count_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connections_.push_back({.descriptor = descriptor, .inode = InodeOf(descriptor)});
  take_(descriptor);
}

bool Listener::HasRoom(int descriptor) {
  if (descriptor >= options_.descriptor_max) return false;
  if (connections_.size() < options_.connections_max) return true;
  std::erase_if(connections_, [](const Connection& connection) {
    return InodeOf(connection.descriptor) != connection.inode;
  });
  return connections_.size() < options_.connections_max;
}

}  // namespace vigil::node
