#include "client/lib/spool.h"

#include <map>

#include "ledger/chain/record.h"
#include "ledger/log/merkle.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/client/lib/lib_test_support.h"

namespace vigil::client {
namespace {

SpoolOwner TestOwner() {
  return {.chain_id = TestChainId(), .key = TestKey().id(), .identity = "acme/s", .stream = "s"};
}

// A record that continues `spool`; `salt` makes its contents its own.
SpooledRecord Next(const Spool& spool, uint64_t salt) {
  ledger::HeartbeatBody body;
  body.stream = "s";
  body.sequence = spool.head().sequence + 1;
  body.previous = spool.head().leaf_hash;
  body.time_unix_nano = 1'700'000'000'000'000'000 + salt;
  SpooledRecord record;
  record.sequence = body.sequence;
  record.leaf = ledger::SignRecord(body, TestChainId(), TestKey());
  record.payload = std::string(3000, static_cast<char>('a' + salt % 26));
  record.source_mark = "mark " + std::to_string(salt);
  return record;
}

TEST_CASE("spool: records come back as they were put in", "[lib]") {
  ledger::FaultyFileSystem disk(1);
  SpooledRecord first;
  {
    auto spool = Spool::Open(&disk, "/s", TestOwner());
    REQUIRE(spool.ok());
    CHECK((*spool)->is_fresh());
    first = Next(**spool, 1);
    REQUIRE((*spool)->Append(first).ok());
    REQUIRE((*spool)->Append(Next(**spool, 2)).ok());
    REQUIRE((*spool)->Append(Next(**spool, 3)).ok());
    REQUIRE((*spool)->Acknowledge(1).ok());
    CHECK((*spool)->acknowledged().sequence == 1);
  }
  auto spool = Spool::Open(&disk, "/s", TestOwner());
  REQUIRE(spool.ok());
  CHECK_FALSE((*spool)->is_fresh());
  CHECK((*spool)->size() == 2);
  CHECK((*spool)->head().sequence == 3);
  const auto record = (*spool)->Get(0);
  REQUIRE(record.ok());
  CHECK((*record)->sequence == 2);
  CHECK((*record)->source_mark == "mark 2");
  CHECK((*record)->payload == std::string(3000, 'c'));
  CHECK((*record)->leaf_hash == ledger::LeafHash(AsBytes((*record)->leaf)));
  REQUIRE((*spool)->Acknowledge(2).ok());
  CHECK((*spool)->size() == 0);
  CHECK((*spool)->bytes() == 0);
  CHECK((*spool)->head().sequence == 3);
}

TEST_CASE("spool: every flipped bit of its files is noticed", "[lib]") {
  ledger::FaultyFileSystem disk(1);
  {
    auto spool = Spool::Open(&disk, "/s", TestOwner());
    REQUIRE(spool.ok());
    REQUIRE((*spool)->Append(Next(**spool, 1)).ok());
    REQUIRE((*spool)->Append(Next(**spool, 2)).ok());
  }
  const std::vector<std::string> names = disk.List("/s").value();
  for (const std::string& name : names) {
    if (name == "lock") continue;
    const uint64_t size = disk.Size("/s/" + name).value();
    for (uint64_t offset = 0; offset < size; offset += 1 + size / 97) {
      REQUIRE(disk.FlipBit("/s/" + name, offset, static_cast<int>(offset % 8)).ok());
      CHECK(absl::IsDataLoss(Spool::Open(&disk, "/s", TestOwner()).status()));
      REQUIRE(disk.FlipBit("/s/" + name, offset, static_cast<int>(offset % 8)).ok());
    }
  }
  CHECK(Spool::Open(&disk, "/s", TestOwner()).ok());
}

TEST_CASE("spool: a missing file and a missing head are data loss", "[lib]") {
  ledger::FaultyFileSystem disk(1);
  {
    auto spool = Spool::Open(&disk, "/s", TestOwner());
    REQUIRE(spool.ok());
    for (uint64_t i = 1; i <= 3; ++i) REQUIRE((*spool)->Append(Next(**spool, i)).ok());
  }
  SECTION("a record in the middle") { REQUIRE(disk.Remove("/s/00000000000000000002.record").ok()); }
  SECTION("the first record") { REQUIRE(disk.Remove("/s/00000000000000000001.record").ok()); }
  SECTION("the head") { REQUIRE(disk.Remove("/s/head").ok()); }
  SECTION("records exchanged") {
    REQUIRE(disk.Rename("/s/00000000000000000003.record", "/s/00000000000000000002.record").ok());
  }
  CHECK(absl::IsDataLoss(Spool::Open(&disk, "/s", TestOwner()).status()));
}

TEST_CASE("spool: a position is adopted only when no sequence is used twice", "[lib]") {
  ledger::FaultyFileSystem disk(1);
  auto spool = Spool::Open(&disk, "/s", TestOwner());
  REQUIRE(spool.ok());
  Hash leaf;
  leaf.bytes.fill(5);
  REQUIRE((*spool)->Adopt({.sequence = 5, .leaf_hash = leaf}).ok());
  CHECK((*spool)->head().sequence == 5);
  CHECK(absl::IsFailedPrecondition((*spool)->Adopt({.sequence = 4, .leaf_hash = leaf})));
  REQUIRE((*spool)->Append(Next(**spool, 1)).ok());
  CHECK(absl::IsFailedPrecondition((*spool)->Adopt({.sequence = 9, .leaf_hash = leaf})));
}

// What was done with the spool before the crash, as its user knows it.
struct Ledger {
  std::map<uint64_t, Hash> sent;  // Append() said OK, so the record may be anywhere by now.
  uint64_t acknowledged = 0;      // Acknowledge() was begun for it: the chain had it.
};

// Appends, sends and acknowledges until something fails.
void Work(Spool* spool, uint64_t salt, Ledger* ledger) {
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 2; ++i) {
      SpooledRecord record = Next(*spool, salt * 100 + static_cast<uint64_t>(round * 2 + i));
      const uint64_t sequence = record.sequence;
      const Hash leaf_hash = ledger::LeafHash(AsBytes(record.leaf));
      if (!spool->Append(std::move(record)).ok()) return;
      const auto [at, added] = ledger->sent.emplace(sequence, leaf_hash);
      // The heart of it: never two contents under one sequence.
      REQUIRE((added || at->second == leaf_hash));
    }
    const size_t count = spool->size() > 1 ? spool->size() - 1 : 1;
    ledger->acknowledged = std::max(ledger->acknowledged, spool->Get(count - 1).value()->sequence);
    if (!spool->Acknowledge(count).ok()) return;
  }
}

TEST_CASE("spool: a crash at any operation loses nothing that was sent and doubles nothing",
          "[lib]") {
  using ledger::CrashMode;
  for (const CrashMode mode :
       {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
        CrashMode::kTornSectors, CrashMode::kAnyLoss}) {
    for (uint64_t operation = 0;; ++operation) {
      ledger::FaultyFileSystem disk(/*seed=*/operation * 8 + static_cast<uint64_t>(mode));
      Ledger ledger;
      disk.CrashAt(operation);
      {
        auto spool = Spool::Open(&disk, "/s", TestOwner());
        if (spool.ok()) Work(spool->get(), 1, &ledger);
      }
      const bool crashed = disk.is_off();
      disk.Crash(mode);
      auto spool = Spool::Open(&disk, "/s", TestOwner());
      INFO("mode " << static_cast<int>(mode) << " operation " << operation << " "
                   << spool.status());
      REQUIRE(spool.ok());
      // Every record that may have been sent is still here or was acknowledged.
      std::map<uint64_t, Hash> held;
      for (size_t i = 0; i < (*spool)->size(); ++i) {
        const auto record = (*spool)->Get(i);
        REQUIRE(record.ok());
        held.emplace((*record)->sequence, (*record)->leaf_hash);
      }
      for (const auto& [sequence, leaf_hash] : ledger.sent) {
        if (sequence <= ledger.acknowledged && !held.contains(sequence)) continue;
        REQUIRE(held.contains(sequence));
        CHECK(held.at(sequence) == leaf_hash);
      }
      if (!ledger.sent.empty()) {
        CHECK((*spool)->head().sequence >= ledger.sent.rbegin()->first);
      }
      for (const auto& [sequence, leaf_hash] : held) ledger.sent.emplace(sequence, leaf_hash);
      Work(spool->get(), 2, &ledger);
      if (!crashed) break;
    }
  }
}

}  // namespace
}  // namespace vigil::client
