#include "tests/sim/memory_network.h"

#include <algorithm>

#include "ledger/base/bytes.h"

namespace vigil::sim {
namespace {

std::string Assemble(const node::OutFrame& frame) {
  std::string bytes;
  bytes.reserve(frame.bytes());
  bytes = frame.head;
  for (const ledger::BlockPtr& block : frame.blocks) ByteWriter(&bytes).Prefixed(block->frame());
  return bytes;
}

}  // namespace

class MemoryNetwork::Link final : public node::Transport {
 public:
  Link(MemoryNetwork* network, uint32_t self) : network_(network), self_(self) {}
  bool Send(ValidatorIndex to, node::OutFrame frame) override {
    const std::optional<uint32_t> node = network_->NodeOf(self_, to);
    return node.has_value() && network_->Send(self_, *node, std::move(frame));
  }
  bool IsConnected(ValidatorIndex peer) const override {
    const std::optional<uint32_t> node = network_->NodeOf(self_, peer);
    return node.has_value() && network_->IsConnected(self_, *node);
  }

 private:
  MemoryNetwork* const network_;
  const uint32_t self_;
};

MemoryNetwork::MemoryNetwork(uint32_t nodes, uint64_t seed, const Clock* clock)
    : clock_(clock), random_(seed), nodes_(nodes) {
  for (uint32_t i = 0; i < nodes; ++i) transports_.push_back(std::make_unique<Link>(this, i));
}

MemoryNetwork::~MemoryNetwork() = default;

node::Transport* MemoryNetwork::transport(uint32_t node) { return transports_[node].get(); }

void MemoryNetwork::SetFaults(const NetworkFaults& faults) {
  MutexLock lock(&mutex_);
  faults_ = faults;
}

void MemoryNetwork::SetTap(std::function<void(uint32_t from, absl::string_view frame)> tap) {
  MutexLock lock(&mutex_);
  tap_ = std::move(tap);
}

void MemoryNetwork::SetAlter(
    std::function<std::string(uint32_t from, absl::string_view frame)> alter) {
  MutexLock lock(&mutex_);
  alter_ = std::move(alter);
}

std::function<std::string(uint32_t, absl::string_view)> MemoryNetwork::Alter() const {
  MutexLock lock(&mutex_);
  return alter_;
}

std::function<void(uint32_t, absl::string_view)> MemoryNetwork::Tap() const {
  MutexLock lock(&mutex_);
  return tap_;
}

void MemoryNetwork::SetCut(uint32_t from, uint32_t to, bool cut) {
  MutexLock lock(&mutex_);
  cut_[{from, to}] = cut;
  if (cut) streams_.erase({from, to});  // A new stream begins when it is mended.
}

void MemoryNetwork::MendAll() {
  MutexLock lock(&mutex_);
  cut_.clear();
}

void MemoryNetwork::SetSlow(uint32_t node, int64_t micros) {
  MutexLock lock(&mutex_);
  nodes_[node].slow_micros = micros;
}

NetworkCounts MemoryNetwork::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

void MemoryNetwork::SetObserver(Observer observer) {
  MutexLock lock(&mutex_);
  observer_ = std::move(observer);
}

MemoryNetwork::Observer MemoryNetwork::observer() const {
  MutexLock lock(&mutex_);
  return observer_;
}

void MemoryNetwork::Attach(uint32_t node, node::FrameReceiver* receiver, HelloFunction hello,
                           std::optional<Seat> seat) {
  MutexLock lock(&mutex_);
  nodes_[node].seat = std::move(seat);
  nodes_[node].receiver = receiver;
  nodes_[node].hello = std::move(hello);
  ++nodes_[node].incarnation;
}

std::optional<uint32_t> MemoryNetwork::NodeOf(uint32_t node, ValidatorIndex peer) const {
  MutexLock lock(&mutex_);
  const std::optional<Seat>& seat = nodes_[node].seat;
  if (!seat.has_value()) return peer.value();
  if (peer.value() >= seat->peers.size()) return std::nullopt;
  return seat->peers[peer.value()];
}

std::optional<ValidatorIndex> MemoryNetwork::CalledBy(uint32_t from, uint32_t to) const {
  const std::optional<Seat>& seat = nodes_[from].seat;
  if (!seat.has_value()) return ValidatorIndex(to);
  for (uint32_t i = 0; i < seat->peers.size(); ++i) {
    if (seat->peers[i] == to) return ValidatorIndex(i);
  }
  return std::nullopt;
}

std::optional<ValidatorIndex> MemoryNetwork::KnownAs(uint32_t from, uint32_t to) const {
  const std::optional<Seat>& seat = nodes_[to].seat;
  if (!seat.has_value() || !nodes_[from].seat.has_value()) return ValidatorIndex(from);
  for (uint32_t i = 0; i < seat->set.size(); ++i) {
    if (seat->set[i] == nodes_[from].seat->identity) return ValidatorIndex(i);
  }
  return std::nullopt;
}

void MemoryNetwork::Greet(uint32_t node) {
  MutexLock lock(&mutex_);
  if (nodes_[node].receiver == nullptr || !nodes_[node].seat.has_value()) return;
  for (const uint32_t peer : nodes_[node].seat->peers) {
    const auto cut = cut_.find({node, peer});
    if (peer == node || nodes_[peer].receiver == nullptr) continue;
    if (cut != cut_.end() && cut->second) continue;
    const auto held = streams_.find({node, peer});
    const std::pair<uint64_t, uint64_t> ends = {nodes_[node].incarnation, nodes_[peer].incarnation};
    if (held != streams_.end() && held->second->ends == ends) continue;
    if (!random_.Chance(faults_.loss_permille)) Launch(node, peer, "");
  }
}

void MemoryNetwork::Detach(uint32_t node) {
  MutexLock lock(&mutex_);
  nodes_[node].receiver = nullptr;
  DropFlights(node);
}

void MemoryNetwork::DropFlights(uint32_t node) {
  for (auto it = flights_.begin(); it != flights_.end();) {
    const Flight& flight = it->second;
    if (flight.from != node && flight.to != node) {
      ++it;
      continue;
    }
    link_bytes_[{flight.from, flight.to}] -= flight.frame.size();
    it = flights_.erase(it);
  }
}

bool MemoryNetwork::IsConnected(uint32_t from, uint32_t to) const {
  MutexLock lock(&mutex_);
  const auto cut = cut_.find({from, to});
  return nodes_[from].receiver != nullptr && nodes_[to].receiver != nullptr &&
         !(cut != cut_.end() && cut->second);
}

bool MemoryNetwork::Send(uint32_t from, uint32_t to, node::OutFrame frame) {
  std::string bytes = Assemble(frame);
  if (const auto tap = Tap(); tap) tap(from, bytes);
  if (const auto watch = observer(); watch) watch(from, to, bytes);
  if (const auto alter = Alter(); alter) bytes = alter(from, bytes);
  const bool connected = IsConnected(from, to);
  MutexLock lock(&mutex_);
  if (!connected) {
    const auto cut = cut_.find({from, to});
    if (cut != cut_.end() && cut->second) ++counts_.cut;
    return false;
  }
  if (link_bytes_[{from, to}] + bytes.size() > faults_.link_bytes_max) return false;
  if (random_.Chance(faults_.repeat_permille)) {
    ++counts_.repeated;
    Launch(from, to, bytes);
  }
  if (faults_.replay_permille > 0) Replay(from, to, bytes);
  if (random_.Chance(faults_.loss_permille)) {
    ++counts_.lost;
  } else {
    Launch(from, to, std::move(bytes));
  }
  return true;
}

void MemoryNetwork::Replay(uint32_t from, uint32_t to, const std::string& frame) {
  std::deque<std::string>& old = old_frames_[{from, to}];
  if (!old.empty() && random_.Chance(faults_.replay_permille)) {
    ++counts_.replayed;
    Launch(from, to, old[random_.Below(old.size())]);
  }
  old.push_back(frame);
  if (old.size() > kReplayedFramesMax) old.pop_front();
}

void MemoryNetwork::Launch(uint32_t from, uint32_t to, std::string frame) {
  const auto spread = static_cast<uint64_t>(faults_.delay_micros_max - faults_.delay_micros_min);
  int64_t arrival = clock_->MonotonicMicros() + faults_.delay_micros_min +
                    static_cast<int64_t>(random_.Below(spread + 1)) + nodes_[from].slow_micros +
                    nodes_[to].slow_micros;
  int64_t& last = last_arrival_[{from, to}];
  if (!faults_.reorder) arrival = std::max(arrival, last);
  if (arrival < last) ++counts_.overtaken;
  last = std::max(last, arrival);
  link_bytes_[{from, to}] += frame.size();
  flights_.emplace(arrival, Flight{.from = from, .to = to, .frame = std::move(frame)});
}

size_t MemoryNetwork::Deliver() {
  size_t count = 0;
  for (;;) {
    node::FrameReceiver* receiver = nullptr;
    std::string hello;
    std::shared_ptr<Stream> stream;  // Shared with the table, which may drop it meanwhile.
    Flight flight;
    {
      MutexLock lock(&mutex_);
      if (flights_.empty() || flights_.begin()->first > clock_->MonotonicMicros()) return count;
      flight = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      link_bytes_[{flight.from, flight.to}] -= flight.frame.size();
      const auto cut = cut_.find({flight.from, flight.to});
      if (cut != cut_.end() && cut->second) {
        ++counts_.cut;
        continue;
      }
      receiver = nodes_[flight.to].receiver;
      if (receiver == nullptr) continue;
      const std::pair<uint64_t, uint64_t> ends = {nodes_[flight.from].incarnation,
                                                  nodes_[flight.to].incarnation};
      const std::optional<ValidatorIndex> called = CalledBy(flight.from, flight.to);
      const std::optional<ValidatorIndex> known = KnownAs(flight.from, flight.to);
      // Certificates of strangers are refused before anything is read.
      if (!called.has_value() || !known.has_value()) continue;
      std::shared_ptr<Stream>& held = streams_[{flight.from, flight.to}];
      if (held == nullptr || held->ends != ends) {
        held = std::make_shared<Stream>();
        held->ends = ends;
        held->state.from = *known;
        if (nodes_[flight.from].hello) hello = nodes_[flight.from].hello(*called);
      }
      stream = held;
      ++delivered_;
    }
    absl::Status heard =
        hello.empty() ? absl::OkStatus() : receiver->OnFrame(&stream->state, std::move(hello));
    if (heard.ok() && !flight.frame.empty()) {
      heard = receiver->OnFrame(&stream->state, std::move(flight.frame));
    }
    if (!heard.ok()) EndStream(flight.from, flight.to);
    ++count;
  }
}

void MemoryNetwork::EndStream(uint32_t from, uint32_t to) {
  MutexLock lock(&mutex_);
  streams_.erase({from, to});
}

uint64_t MemoryNetwork::delivered() const {
  MutexLock lock(&mutex_);
  return delivered_;
}

}  // namespace vigil::sim
