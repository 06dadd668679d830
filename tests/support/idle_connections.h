// TCP connections to a port of loopback that say little or nothing.
#ifndef VIGIL_TESTS_SUPPORT_IDLE_CONNECTIONS_H_
#define VIGIL_TESTS_SUPPORT_IDLE_CONNECTIONS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <vector>

#include "absl/strings/string_view.h"

namespace vigil::testing {

class IdleConnections {
 public:
  IdleConnections(int port, int count) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd < 0) continue;
      if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        sockets_.push_back(fd);
      } else {
        close(fd);
      }
    }
  }
  ~IdleConnections() {
    for (const int fd : sockets_) close(fd);
  }
  IdleConnections(const IdleConnections&) = delete;
  IdleConnections& operator=(const IdleConnections&) = delete;

  size_t size() const { return sockets_.size(); }

  void SendEach(absl::string_view bytes) const {
    for (const int fd : sockets_) (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // How many the other side has closed.
  size_t CountClosed() const {
    size_t closed = 0;
    for (const int fd : sockets_) {
      char byte = 0;
      const ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) ++closed;
    }
    return closed;
  }

  bool WaitForClosed(size_t count, std::chrono::milliseconds patience,
                     absl::string_view sending = "") const {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (CountClosed() < count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      if (!sending.empty()) SendEach(sending);
      poll(nullptr, 0, /*timeout=*/20);
    }
    return true;
  }
  bool WaitUntilClosed(absl::string_view sending, std::chrono::milliseconds patience) const {
    return WaitForClosed(size(), patience, sending);
  }

 private:
  std::vector<int> sockets_;
};

}  // namespace vigil::testing

#endif  // VIGIL_TESTS_SUPPORT_IDLE_CONNECTIONS_H_
