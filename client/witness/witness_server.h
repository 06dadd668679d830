// WitnessServer: a witness over HTTP/1.1. POST /add-checkpoint, and GET / as text for people and
// probes. Plain HTTP: whoever serves it beyond a machine puts a TLS proxy before it.
#ifndef VIGIL_CLIENT_WITNESS_WITNESS_SERVER_H_
#define VIGIL_CLIENT_WITNESS_WITNESS_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/witness/witness.h"

namespace vigil::client {

// Threads: one that accepts ("witness") and a small pool that answers, joined by the destructor.
class WitnessServer {
 public:
  // `address` is "host:port"; port 0 picks one. `witness` must outlive the server.
  // Errors: kAlreadyExists when the port is taken; kInvalidArgument when the address is malformed.
  static absl::StatusOr<std::unique_ptr<WitnessServer>> Start(const std::string& address,
                                                              Witness* witness);
  // Ends once the requests under way are answered.
  ~WitnessServer();
  int port() const;

 private:
  struct Impl;
  WitnessServer();
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_WITNESS_WITNESS_SERVER_H_
