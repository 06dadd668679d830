#include "node/net/listener.h"

#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "ledger/base/mutex.h"
#include "node/net/descriptors.h"
#include "tests/support/catch.h"
#include "tests/support/idle_connections.h"

namespace vigil::node {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

// Holds what a listener gives out.
class Holder {
 public:
  explicit Holder(Listener* listener) {
    listener->Start([this](int descriptor) {
      MutexLock lock(&mutex_);
      held_.push_back(descriptor);
    });
  }
  ~Holder() { CloseAll(); }
  void CloseAll() {
    MutexLock lock(&mutex_);
    for (const int descriptor : held_) close(descriptor);
    held_.clear();
  }

 private:
  Mutex mutex_;
  std::vector<int> held_ VIGIL_GUARDED_BY(mutex_);
};

TEST_CASE("listener: connections beyond the limit are closed and those that ended count no more") {
  auto listener = Listener::Open("127.0.0.1:0", {.name = "test", .connections_max = 5});
  REQUIRE(listener.ok());
  Holder holder(listener->get());
  {
    const testing::IdleConnections first((*listener)->port(), 9);
    REQUIRE(first.WaitForClosed(4, kPatience));
    CHECK(first.CountClosed() == 4);
  }
  // Until the server closes its side, they count.
  {
    const testing::IdleConnections second((*listener)->port(), 3);
    REQUIRE(second.WaitForClosed(3, kPatience));
  }
  holder.CloseAll();
  const testing::IdleConnections third((*listener)->port(), 9);
  REQUIRE(third.WaitForClosed(4, kPatience));
  CHECK(third.CountClosed() == 4);
  CHECK((*listener)->refused_count() == 11);
  (*listener)->Stop();
}

TEST_CASE("listener: the highest descriptors are left to others") {
  auto listener = Listener::Open("127.0.0.1:0", {.name = "test", .descriptor_max = 40});
  REQUIRE(listener.ok());
  Holder holder(listener->get());
  // Both ends are in this process, so at most forty can be open at all.
  const testing::IdleConnections many((*listener)->port(), 60);
  REQUIRE(many.WaitForClosed(20, kPatience));
  (*listener)->Stop();
}

TEST_CASE("listener: a malformed address and an unknown host and a taken port are told apart") {
  for (const char* bad : {"nonsense", ":1", "127.0.0.1:99999", "127.0.0.1:", "no such host:1"}) {
    CAPTURE(bad);
    CHECK(absl::IsInvalidArgument(Listener::Open(bad, {.name = "test"}).status()));
  }
  auto first = Listener::Open("127.0.0.1:0", {.name = "test"});
  REQUIRE(first.ok());
  const std::string address = "127.0.0.1:" + std::to_string((*first)->port());
  CHECK(absl::IsAlreadyExists(Listener::Open(address, {.name = "test"}).status()));
  CHECK(Listener::Open("localhost:0", {.name = "test"}).ok());
}

TEST_CASE("descriptors: connections and stores together leave an eighth of any limit") {
  for (const uint64_t limit : {uint64_t{512}, uint64_t{888}, uint64_t{1024}, uint64_t{4096},
                               uint64_t{65'536}, uint64_t{1} << 20}) {
    CAPTURE(limit);
    const DescriptorShares shares = ShareDescriptors(limit);
    const uint64_t used = shares.api_connections_max + shares.peer_connections_max +
                          shares.http_connections_max +
                          3 * static_cast<uint64_t>(shares.store_files_max);
    CHECK(used + limit / 8 <= limit);
    CHECK(shares.api_connections_max >= 16);
    CHECK(shares.peer_connections_max >= 16);
    CHECK(shares.http_connections_max >= 8);
    CHECK(shares.store_files_max >= 74);
  }
}

TEST_CASE("descriptors: the soft limit is raised to the hard one") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  const uint64_t raised = RaiseDescriptorLimit();
  rlimit after{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == before.rlim_max);
  CHECK(raised > 64);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

}  // namespace
}  // namespace vigil::node
