// Measures what every validator does to every event. Run with: ledger_chain_test "[!benchmark]"
#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

constexpr int kEvents = 1000;

// Best of several rounds of `work`, in nanoseconds per event.
double NanosPerEvent(const std::function<void()>& work) {
  double best = 1e18;
  for (int round = 0; round < 200; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / kEvents);
  }
  return best;
}

std::vector<std::string> Connections() {
  std::vector<std::string> events;
  for (int i = 0; i < kEvents; ++i) {
    v1::Event event = samples::ConnectionEvent();
    event.mutable_src()->set_port(30'000 + i);
    event.mutable_traffic()->set_bytes_in(1000 + 77 * i);
    events.push_back(event.SerializeAsString());
  }
  return events;
}

}  // namespace

TEST_CASE("bench: scan and payload check of a Zeek connection", "[.][!benchmark]") {
  const std::vector<std::string> events = Connections();
  const std::string payload = EncodePayload(events);
  const EventBatchBody batch = samples::BatchOf(events, payload);
  EventView view;
  uint64_t sum = 0;
  std::cout << "event of " << events[0].size() << " bytes, ns per event\n";
  std::cout << "  ScanEvent            " << NanosPerEvent([&] {
    for (const std::string& event : events) {
      if (!ScanEvent(AsBytes(event), &view).ok()) std::abort();
      sum += view.bytes_in;
    }
  }) << "\n";
  std::cout << "  CheckPayload         " << NanosPerEvent([&] {
    if (!CheckPayload(batch, AsBytes(payload), nullptr).ok()) std::abort();
  }) << "\n";
  std::vector<EventView> views;
  std::cout << "  CheckPayload, views  " << NanosPerEvent([&] {
    if (!CheckPayload(batch, AsBytes(payload), &views).ok()) std::abort();
  }) << "\n";
  v1::Event parsed;
  std::cout << "  protobuf parse       " << NanosPerEvent([&] {
    for (const std::string& event : events) {
      if (!parsed.ParseFromString(event)) std::abort();
    }
  }) << "\n";
  const Genesis genesis = samples::SampleGenesis();
  const Record record = samples::BatchRecord(genesis, events);
  const BlockPtr block =
      Block::Make(samples::FirstHeader(genesis), {&record}, samples::KeyNumber(1));
  std::cout << "  Decode + CheckBlock  " << NanosPerEvent([&] {
    const absl::StatusOr<BlockPtr> decoded = Block::Decode(block->frame());
    if (!decoded.ok() || !CheckBlock(genesis, **decoded).ok()) std::abort();
  }) << "\n";
  CHECK(sum > 0);
}

}  // namespace vigil::ledger
