// Cosigner keys through whole nodes: announced while a set is proposed, moved to with the epoch,
// destroyed behind it; crashes, sleepers, lost files and folders that are older than the keys.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/epoch_anchor.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using sim::SimCluster;

constexpr char kInUse[] = "/keys/cosigner.key";
constexpr char kNext[] = "/keys/cosigner.next.key";

// What a key file holds of its secret.
std::string SecretIn(const ledger::FaultyFileSystem& disk, const std::string& path) {
  const absl::StatusOr<std::string> file = disk.ReadAll(path);
  if (!file.ok()) return "";
  const size_t at = file->find("\nseed ");
  REQUIRE(at != std::string::npos);
  return file->substr(at + 6, 64);
}

bool HoldsIn(const ledger::FaultyFileSystem& disk, const std::string& folder,
             const std::string& secret) {
  const absl::StatusOr<std::vector<std::string>> names = disk.List(folder);
  if (!names.ok()) return false;
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(folder, "/", name);
    const absl::StatusOr<std::string> bytes = disk.ReadAll(path);
    if (bytes.ok() ? absl::StrContains(*bytes, secret) : HoldsIn(disk, path, secret)) {
      return true;
    }
  }
  return false;
}

// Whether any file of the machine has it.
bool Holds(const ledger::FaultyFileSystem& disk, const std::string& secret) {
  REQUIRE(secret.size() == 64);
  return HoldsIn(disk, "/keys", secret) || HoldsIn(disk, "/vigil", secret);
}

// Validators of as many organisations, two of which decide while there are three.
struct Network {
  explicit Network(uint32_t validators = 3, uint64_t seed = 9, uint32_t organisations = 3)
      : cluster({.validators = validators,
                 .newcomers = 1,
                 .organisations = organisations,
                 .heartbeat_millis = 200,
                 .renew_cosigner_keys = true},
                seed) {
    cluster.SetLogTap([this](uint32_t i, LogLevel, absl::string_view line) {
      absl::StrAppend(&log, i, ": ", line, "\n");
    });
    cluster.StartAll();
    WaitForLeader(&cluster);
  }
  Epoch EpochOf(uint32_t i) {
    return cluster.node(i) == nullptr ? Epoch(0) : cluster.node(i)->genesis().epoch;
  }
  const PublicKey& KeyOf(uint32_t i) {
    return cluster.node(0)->genesis().validators[i].cosigner_key;
  }
  // The present set in another order: the same validators go on.
  std::vector<ledger::GenesisValidator> Turned() {
    std::vector<ledger::GenesisValidator> next = cluster.node(0)->genesis().validators;
    std::swap(next[1], next[2]);
    return next;
  }
  RecordIndex Propose(const std::vector<ledger::GenesisValidator>& next) {
    const SubmitOutcome outcome = SubmitAndWait(
        &cluster, 0,
        cluster.test_network().Propose(0, EpochOf(0), next, absl::StrCat("change ", ++changes)));
    REQUIRE(outcome.receipt.result == ledger::ResultCode::kOk);
    return outcome.receipt.record_index;
  }
  void Approve(RecordIndex proposal) {
    const SubmitOutcome outcome =
        SubmitAndWait(&cluster, 0, cluster.test_network().Ballot(1, proposal, true));
    REQUIRE(outcome.receipt.result == ledger::ResultCode::kOk);
  }
  bool Announced(size_t count) {
    return cluster.RunUntil(
        [&] {
          const auto reader = cluster.node(0)->Snapshot();
          size_t rows = 0;
          CHECK(reader->state()
                    .Scan(ledger::TablePrefix(ledger::Table::kCosignerKey),
                          [&](absl::string_view, absl::string_view) { return ++rows > 0; })
                    .ok());
          return rows == count;
        },
        20 * kSecond);
  }
  bool AllIn(Epoch epoch, const std::vector<uint32_t>& members) {
    return cluster.RunUntil(
        [&] {
          return std::ranges::all_of(members, [&](uint32_t i) { return EpochOf(i) == epoch; });
        },
        60 * kSecond);
  }
  // The epoch's old keys are gone from these nodes' disks.
  bool Destroyed(const std::vector<uint32_t>& members) {
    return cluster.RunUntil(
        [&] {
          return std::ranges::all_of(members, [&](uint32_t i) {
            return cluster.node(i) != nullptr && !cluster.node(i)->Status().cosigner_key.has_old &&
                   !cluster.disk(i).Exists(kNext);
          });
        },
        60 * kSecond);
  }
  // How often node `i` has announced a key in this epoch.
  uint32_t Announcements(uint32_t i) {
    const auto row = ledger::ReadRow<ledger::CosignerKeyRow>(
        cluster.node(0)->Snapshot()->state(),
        ledger::CosignerKeyKey(cluster.test_network().entry(i).identity()));
    return row.ok() && row->has_value() ? (*row)->number : 0;
  }
  std::string Tail() const { return log.substr(log.size() > 4000 ? log.size() - 4000 : 0); }

  SimCluster cluster;
  int changes = 0;
  std::string log;
};

TEST_CASE("cosigner keys: every epoch has its own and the old ones are destroyed", "[cosigners]") {
  Network t;
  const std::vector<ledger::GenesisValidator> first = t.cluster.node(0)->genesis().validators;
  std::vector<std::string> old;
  for (uint32_t i = 0; i < 3; ++i) {
    old.push_back(SecretIn(t.cluster.disk(i), kInUse));
    REQUIRE(Holds(t.cluster.disk(i), old[i]));
  }
  // Nothing is announced while nothing is proposed.
  t.cluster.RunFor(5 * kSecond);
  CHECK_FALSE(t.cluster.disk(0).Exists(kNext));

  const RecordIndex proposal = t.Propose(t.Turned());
  INFO(t.Tail());
  REQUIRE(t.Announced(3));
  for (uint32_t i = 0; i < 3; ++i) REQUIRE(t.cluster.disk(i).Exists(kNext));
  // Once, however long the ballots take.
  t.cluster.RunFor(5 * kSecond);
  for (uint32_t i = 0; i < 3; ++i) CHECK(t.Announcements(i) == 1);
  t.Approve(proposal);
  REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
  REQUIRE(t.Destroyed({0, 1, 2}));
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(SecretIn(t.cluster.disk(i), kInUse) != old[i]);
    CHECK_FALSE(Holds(t.cluster.disk(i), old[i]));
    CHECK(t.cluster.node(i)->Status().cosigner_key.since == Epoch(2));
    for (const ledger::GenesisValidator& before : first) CHECK(t.KeyOf(i) != before.cosigner_key);
  }
  // What they sign now is final under the new keys.
  const Height height = t.cluster.node(0)->Status().executed;
  CHECK(
      t.cluster.RunUntil([&] { return t.cluster.node(1)->Status().final > height; }, 20 * kSecond));
}

TEST_CASE("cosigner keys: the old one stays until the next epoch has finalised a block",
          "[cosigners]") {
  Network t;
  const RecordIndex proposal = t.Propose(t.Turned());
  INFO(t.Tail());
  REQUIRE(t.Announced(3));
  t.Approve(proposal);
  REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
  // Two that cosign nothing leave no quorum.
  for (const uint32_t i : {1, 2}) t.cluster.SetFrozen(i, "log");
  t.cluster.RunFor(10 * kSecond);
  CHECK(t.cluster.node(0)->Status().executed > t.cluster.node(0)->genesis().epoch_base);
  CHECK(t.cluster.node(0)->Status().cosigner_key.has_old);
  CHECK(t.cluster.disk(0).Exists(kInUse));
  CHECK(t.cluster.disk(0).Exists(kNext));
  for (const uint32_t i : {1, 2}) t.cluster.SetFrozen(i, "");
  CHECK(t.Destroyed({0, 1, 2}));
}

TEST_CASE("cosigner keys: a validator that is down keeps its key for one more epoch",
          "[cosigners]") {
  Network t;
  const PublicKey before = t.cluster.test_network().entry(2).cosigner_key;
  t.cluster.Crash(2, CrashMode::kLoseUnsynced);
  const RecordIndex proposal = t.Propose(t.Turned());
  INFO(t.Tail());
  REQUIRE(t.Announced(2));
  t.Approve(proposal);
  REQUIRE(t.AllIn(Epoch(2), {0, 1}));
  CHECK(t.KeyOf(1) == before);  // It stands in the other's place now.
  REQUIRE(t.cluster.Start(2).ok());
  REQUIRE(t.AllIn(Epoch(2), {2}));
  CHECK(t.cluster.node(2)->Status().cosigner_key.since == Epoch(1));
  CHECK(t.cluster.disk(2).Exists(kInUse));
  // With the next epoch it has a new one, too.
  const std::string secret = SecretIn(t.cluster.disk(2), kInUse);
  const RecordIndex second = t.Propose(t.Turned());
  REQUIRE(t.Announced(3));
  t.Approve(second);
  REQUIRE(t.AllIn(Epoch(3), {0, 1, 2}));
  REQUIRE(t.Destroyed({0, 1, 2}));
  CHECK_FALSE(Holds(t.cluster.disk(2), secret));
}

TEST_CASE("cosigner keys: a validator that announced and slept through epochs wakes with its key",
          "[cosigners]") {
  Network t;
  const RecordIndex proposal = t.Propose(t.Turned());
  INFO(t.Tail());
  REQUIRE(t.Announced(3));
  t.cluster.Crash(2, CrashMode::kLoseUnsynced);
  t.Approve(proposal);
  REQUIRE(t.AllIn(Epoch(2), {0, 1}));
  REQUIRE(t.Destroyed({0, 1}));
  const RecordIndex second = t.Propose(t.Turned());
  REQUIRE(t.Announced(2));
  t.Approve(second);
  REQUIRE(t.AllIn(Epoch(3), {0, 1}));
  const std::string old = SecretIn(t.cluster.disk(2), kInUse);
  REQUIRE(t.cluster.Start(2).ok());
  REQUIRE(t.AllIn(Epoch(3), {2}));
  REQUIRE(t.Destroyed({2}));
  CHECK(t.cluster.node(2)->Status().cosigner_key.since == Epoch(2));
  CHECK_FALSE(Holds(t.cluster.disk(2), old));
}

TEST_CASE("cosigner keys: who lost the key that the set names does not start with another",
          "[cosigners]") {
  Network t;
  const RecordIndex proposal = t.Propose(t.Turned());
  INFO(t.Tail());
  REQUIRE(t.Announced(3));
  SECTION("while another may be announced it announces another") {
    const PublicKey lost = *PublicKey::FromHex(t.cluster.disk(2).ReadAll(kNext).value().substr(
        t.cluster.disk(2).ReadAll(kNext).value().find("public ") + 7, 64));
    t.cluster.Crash(2, CrashMode::kLoseUnsynced);
    REQUIRE(t.cluster.disk(2).Remove(kNext).ok());
    REQUIRE(t.cluster.Start(2).ok());
    REQUIRE(t.cluster.RunUntil([&] { return t.Announcements(2) == 2; }, 30 * kSecond));
    t.Approve(proposal);
    REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
    REQUIRE(t.Destroyed({0, 1, 2}));
    CHECK(t.KeyOf(1) != lost);
  }
  SECTION("afterwards it has none and says so") {
    t.cluster.Crash(2, CrashMode::kLoseUnsynced);
    t.Approve(proposal);
    REQUIRE(t.AllIn(Epoch(2), {0, 1}));
    REQUIRE(t.cluster.disk(2).Remove(kNext).ok());
    REQUIRE(t.cluster.CopyEpochs(0, 2).ok());
    const absl::Status refused = t.cluster.Start(2);
    CHECK(absl::IsNotFound(refused));
    CHECK(absl::StrContains(refused.message(), t.KeyOf(1).ToHex()));
    CHECK(t.cluster.node(2) == nullptr);
    CHECK(t.cluster.disk(2).Exists(kInUse));
  }
}

TEST_CASE("cosigner keys: an epoch chain older than the keys is refused until it is fetched anew",
          "[cosigners]") {
  Network t;
  const RecordIndex proposal = t.Propose(t.Turned());
  INFO(t.Tail());
  REQUIRE(t.Announced(3));
  t.Approve(proposal);
  REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
  REQUIRE(t.Destroyed({0, 1, 2}));
  t.cluster.Crash(2, CrashMode::kLoseUnsynced);
  REQUIRE(t.cluster.disk(2).Remove(ledger::EpochChainPath("/vigil")).ok());
  CHECK(absl::IsNotFound(t.cluster.Start(2)));
  REQUIRE(t.cluster.CopyEpochs(0, 2).ok());
  REQUIRE(t.cluster.Start(2).ok());
  const Height height = t.cluster.node(0)->Status().executed;
  CHECK(
      t.cluster.RunUntil([&] { return t.cluster.node(2)->Status().final > height; }, 20 * kSecond));
}

TEST_CASE("cosigner keys: who is removed keeps no key of the epoch that is over", "[cosigners]") {
  Network t(4, 9, 4);
  const std::string old = SecretIn(t.cluster.disk(3), kInUse);
  std::vector<ledger::GenesisValidator> next = t.cluster.node(0)->genesis().validators;
  next.pop_back();
  const RecordIndex proposal = t.Propose(next);
  INFO(t.Tail());
  REQUIRE(t.Announced(4));
  t.Approve(proposal);
  const SubmitOutcome third =
      SubmitAndWait(&t.cluster, 0, t.cluster.test_network().Ballot(2, proposal, true));
  REQUIRE(third.receipt.result == ledger::ResultCode::kOk);
  REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.IsRemoved(3); }, 60 * kSecond));
  CHECK_FALSE(Holds(t.cluster.disk(3), old));
  CHECK_FALSE(t.cluster.disk(3).Exists(kNext));
}

TEST_CASE("cosigner keys: crashes during a change leave a key to sign with", "[cosigners]") {
  const uint64_t seed = TestSeed(29);
  SplitMix64 random(seed);
  for (uint64_t round = 0; round < 8; ++round) {
    Network t(3, seed + round);
    const std::string old = SecretIn(t.cluster.disk(1), kInUse);
    const RecordIndex proposal = t.Propose(t.Turned());
    REQUIRE(t.Announced(3));
    t.Approve(proposal);
    for (int fall = 0; fall < 3; ++fall) {
      t.cluster.FailDiskSoon(1);
      t.cluster.RunFor(static_cast<int64_t>(random.Below(kSecond / 2)));
      if (t.cluster.node(1) != nullptr || t.cluster.disk(1).is_off()) {
        t.cluster.Crash(1, random.Chance(500) ? CrashMode::kLoseUnsynced : CrashMode::kAnyLoss);
      }
      INFO("round " << round << ", seed " << seed << "\n" << t.Tail());
      REQUIRE(t.cluster.Start(1).ok());
    }
    INFO("round " << round << ", seed " << seed << "\n" << t.Tail());
    REQUIRE(t.AllIn(Epoch(2), {0, 1, 2}));
    REQUIRE(t.Destroyed({0, 1, 2}));
    CHECK_FALSE(Holds(t.cluster.disk(1), old));
    CHECK(t.cluster.node(1)->Status().cosigner_key.since == Epoch(2));
  }
}

}  // namespace
}  // namespace vigil::node
