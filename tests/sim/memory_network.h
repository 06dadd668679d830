// A network in memory: transports between nodes that lose, delay, repeat and reorder frames and cut
// links, all as a seed decides.
//
// A stream between two nodes lasts while both are attached and the link is not cut; its first frame
// is the sender's hello. Frames are put together and taken apart as gRPC would. Thread-safe;
// deterministic when one thread does everything. Receivers are called without a lock held.
#ifndef VIGIL_TESTS_SIM_MEMORY_NETWORK_H_
#define VIGIL_TESTS_SIM_MEMORY_NETWORK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/base/random.h"
#include "node/driver/transport.h"

namespace vigil::sim {

struct NetworkFaults {
  uint32_t loss_permille = 0;
  uint32_t repeat_permille = 0;
  uint32_t replay_permille = 0;  // An older frame of the same link comes again behind a new one.
  int64_t delay_micros_min = 200;
  int64_t delay_micros_max = 2'000;
  bool reorder = false;  // Otherwise frames of one link arrive in order.
  size_t link_bytes_max = 8u << 20;
};

// What became of frames.
struct NetworkCounts {
  uint64_t lost = 0;
  uint64_t repeated = 0;
  uint64_t replayed = 0;
  uint64_t overtaken = 0;  // Arrive before one that was sent earlier.
  uint64_t cut = 0;        // Met a cut link, at its beginning or under way.
};

class MemoryNetwork {
 public:
  // `clock` must outlive the network.
  MemoryNetwork(uint32_t nodes, uint64_t seed, const Clock* clock);
  ~MemoryNetwork();

  void SetFaults(const NetworkFaults& faults) VIGIL_EXCLUDES(mutex_);
  // Cuts or mends one direction.
  void SetCut(uint32_t from, uint32_t to, bool cut) VIGIL_EXCLUDES(mutex_);
  void MendAll() VIGIL_EXCLUDES(mutex_);
  // Every frame from and to `node` takes `micros` longer.
  void SetSlow(uint32_t node, int64_t micros) VIGIL_EXCLUDES(mutex_);
  NetworkCounts counts() const VIGIL_EXCLUDES(mutex_);

  // Shows every frame that a node sends, before anything becomes of it.
  void SetTap(std::function<void(uint32_t from, absl::string_view frame)> tap)
      VIGIL_EXCLUDES(mutex_);

  // The same, with the receiver, also for frames of connections that are down.
  using Observer = std::function<void(uint32_t from, uint32_t to, absl::string_view frame)>;
  void SetObserver(Observer observer) VIGIL_EXCLUDES(mutex_);

  // Changes what a node sends, on its way.
  void SetAlter(std::function<std::string(uint32_t from, absl::string_view frame)> alter)
      VIGIL_EXCLUDES(mutex_);

  // Who a node is, and whom it knows, in the epoch that it was opened in.
  struct Seat {
    std::string identity;
    std::vector<std::string> set;  // Identities, by index.
    std::vector<uint32_t> peers;   // Whom its connections lead to: the set by index, then others.
  };
  // The node is up: frames reach `receiver`. `hello` makes its first frame on a stream to a peer.
  // Without a seat indexes are numbers of nodes.
  using HelloFunction = std::function<std::string(ValidatorIndex to)>;
  void Attach(uint32_t node, node::FrameReceiver* receiver, HelloFunction hello,
              std::optional<Seat> seat = std::nullopt) VIGIL_EXCLUDES(mutex_);
  // A connection of `node` to each of its peers, which has said its hello if it is new.
  void Greet(uint32_t node) VIGIL_EXCLUDES(mutex_);
  // The node is down: everything under way from and to it is lost.
  void Detach(uint32_t node) VIGIL_EXCLUDES(mutex_);
  // Lives as long as the network.
  node::Transport* transport(uint32_t node);

  // Hands over every frame whose time has come. Returns how many there were.
  size_t Deliver() VIGIL_EXCLUDES(mutex_);
  uint64_t delivered() const VIGIL_EXCLUDES(mutex_);

 private:
  class Link;
  struct Flight {
    uint32_t from = 0;
    uint32_t to = 0;
    std::string frame;
  };
  struct Node {
    node::FrameReceiver* receiver = nullptr;
    HelloFunction hello;
    std::optional<Seat> seat;
    uint64_t incarnation = 0;
    int64_t slow_micros = 0;
  };
  static constexpr size_t kReplayedFramesMax = 16;  // Of a link, kept for replay.

  std::function<void(uint32_t, absl::string_view)> Tap() const VIGIL_EXCLUDES(mutex_);
  std::function<std::string(uint32_t, absl::string_view)> Alter() const VIGIL_EXCLUDES(mutex_);
  Observer observer() const VIGIL_EXCLUDES(mutex_);
  // The node that `peer` of `node` is; nullopt: none.
  std::optional<uint32_t> NodeOf(uint32_t node, ValidatorIndex peer) const VIGIL_EXCLUDES(mutex_);
  // What `to` is called by `from`, and by what index `to` knows `from`. nullopt: it does not.
  std::optional<ValidatorIndex> CalledBy(uint32_t from, uint32_t to) const VIGIL_REQUIRES(mutex_);
  std::optional<ValidatorIndex> KnownAs(uint32_t from, uint32_t to) const VIGIL_REQUIRES(mutex_);
  bool Send(uint32_t from, uint32_t to, node::OutFrame frame) VIGIL_EXCLUDES(mutex_);
  void Replay(uint32_t from, uint32_t to, const std::string& frame) VIGIL_REQUIRES(mutex_);
  bool IsConnected(uint32_t from, uint32_t to) const VIGIL_EXCLUDES(mutex_);
  void Launch(uint32_t from, uint32_t to, std::string frame) VIGIL_REQUIRES(mutex_);
  void EndStream(uint32_t from, uint32_t to) VIGIL_EXCLUDES(mutex_);
  void DropFlights(uint32_t node) VIGIL_REQUIRES(mutex_);

  const Clock* const clock_;
  std::vector<std::unique_ptr<Link>> transports_;
  mutable Mutex mutex_;
  SplitMix64 random_ VIGIL_GUARDED_BY(mutex_);
  NetworkFaults faults_ VIGIL_GUARDED_BY(mutex_);
  NetworkCounts counts_ VIGIL_GUARDED_BY(mutex_);
  Observer observer_ VIGIL_GUARDED_BY(mutex_);
  std::map<std::pair<uint32_t, uint32_t>, std::deque<std::string>> old_frames_
      VIGIL_GUARDED_BY(mutex_);
  std::function<void(uint32_t, absl::string_view)> tap_ VIGIL_GUARDED_BY(mutex_);
  std::function<std::string(uint32_t, absl::string_view)> alter_ VIGIL_GUARDED_BY(mutex_);
  std::vector<Node> nodes_ VIGIL_GUARDED_BY(mutex_);
  std::map<std::pair<uint32_t, uint32_t>, bool> cut_ VIGIL_GUARDED_BY(mutex_);
  std::map<std::pair<uint32_t, uint32_t>, int64_t> last_arrival_ VIGIL_GUARDED_BY(mutex_);
  std::map<std::pair<uint32_t, uint32_t>, size_t> link_bytes_ VIGIL_GUARDED_BY(mutex_);
  // The stream on a link, and which incarnations of the two nodes it is between. Used by the one
  // thread that delivers.
  struct Stream {
    std::pair<uint64_t, uint64_t> ends;
    node::PeerStream state;
  };
  std::map<std::pair<uint32_t, uint32_t>, std::shared_ptr<Stream>> streams_
      VIGIL_GUARDED_BY(mutex_);
  std::multimap<int64_t, Flight> flights_ VIGIL_GUARDED_BY(mutex_);  // By arrival.
  uint64_t delivered_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_MEMORY_NETWORK_H_
