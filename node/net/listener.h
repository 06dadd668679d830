// Listener: accepts TCP connections for a server, so many at a time and no more.
//
// gRPC and HTTP libraries accept whatever comes until the process has no descriptor left; here a
// connection beyond the limit is closed at once.
//
// Threads: one ("accept-<name>"), joined by Stop(). A connection counts until its descriptor is
// closed, whoever closes it: the listener knows its sockets by their inodes.
#ifndef VIGIL_NODE_NET_LISTENER_H_
#define VIGIL_NODE_NET_LISTENER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace vigil::node {

struct ListenerOptions {
  std::string name;  // At most 8 characters.
  size_t connections_max = 256;
  int descriptor_max = INT32_MAX;  // See DescriptorShares.
};

class Listener {
 public:
  // Binds every address that `address` ("host:port", "[::1]:port") stands for; port 0 picks one.
  // Errors: kInvalidArgument when it is malformed or no host; kAlreadyExists when the port is taken
  // or the address is not this machine's.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const std::string& address,
                                                        const ListenerOptions& options);
  ~Listener();

  // Begins to accept. `take` is called on the listener's thread, owns the descriptor and must not
  // block. Called once.
  void Start(std::function<void(int descriptor)> take);
  // Accepts nothing any more; `take` is not called after it returns.
  void Stop();

  int port() const { return port_; }
  // Connections closed because there were too many.
  uint64_t refused_count() const { return refused_count_; }

 private:
  struct Connection {
    int descriptor = -1;
    ino_t inode = 0;
  };

  explicit Listener(ListenerOptions options) : options_(std::move(options)) {}
  absl::Status Bind(const std::string& address);
  void Run();
  void Accept(int socket);
  bool HasRoom(int descriptor);

  const ListenerOptions options_;
  int port_ = 0;
  int stop_event_ = -1;
  std::vector<int> sockets_;
  std::function<void(int)> take_;
  std::vector<Connection> connections_;  // Of the thread; some may be over.
  std::atomic<uint64_t> refused_count_{0};
  std::thread thread_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_NET_LISTENER_H_
