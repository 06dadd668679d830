// WitnessClient: carries a validator's final checkpoints to one witness outside the network and
// brings its cosignatures back. What to ask and when is decided by WitnessFeed; this is the thread,
// the clock and the socket around it.
//
// A witness that is slow, down or hostile costs this thread's time and nothing else.
#ifndef VIGIL_NODE_HTTP_WITNESS_CLIENT_H_
#define VIGIL_NODE_HTTP_WITNESS_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/clock.h"
#include "ledger/log/note.h"
#include "ledger/log/tiles.h"
#include "node/driver/log.h"
#include "node/log/witness_feed.h"

namespace vigil::node {

// Where a witness is: "https://host[:port][/prefix]", or http.
struct WitnessUrl {
  std::string server;  // "https://host:port"
  std::string path;    // "/prefix/add-checkpoint"
};
// Errors: kInvalidArgument when it is not such a URL, or plain http beyond loopback unless
// `allow_http`.
absl::StatusOr<WitnessUrl> ParseWitnessUrl(absl::string_view url, bool allow_http);

class WitnessClient {
 public:
  struct Options {
    ledger::NoteKey key;  // Of type kCosignatureV1.
    ledger::NoteKey own;  // With which this validator signs as the log.
    WitnessUrl url;
    uint64_t seed = 0;  // Of the jitter.
  };
  // Called on the client's thread, without a lock held. What they refer to must outlive the client.
  struct Ports {
    // The newest final checkpoint, a signed note. Errors: there is none.
    std::function<absl::StatusOr<std::string>()> checkpoint;
    // The tiles of at least that checkpoint; nullptr: not now.
    std::function<const ledger::TileSource*()> tiles;
    // A verified cosignature of a final checkpoint.
    std::function<void(const WitnessedCheckpoint&)> cosigned;
    const Clock* clock = nullptr;
    LogFunction log;
  };

  // Starts the thread, "witness-<n>".
  WitnessClient(Options options, Ports ports, uint32_t number);
  // Breaks off a request under way and joins the thread.
  ~WitnessClient();
  WitnessClient(const WitnessClient&) = delete;
  WitnessClient& operator=(const WitnessClient&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_HTTP_WITNESS_CLIENT_H_
