#include "tests/sim/sim_cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/leveldb_store.h"

namespace vigil::sim {
namespace {

constexpr char kDataDir[] = "/vigil";
constexpr char kKeysDir[] = "/keys";
constexpr int64_t kStepMicrosMax = 2'000;
constexpr size_t kStepsPerTickMax = 100'000;
constexpr int64_t kGreetMicros = 500'000;  // Between attempts to connect.

// Of the `number`-th cosigner key that node `i` makes; 0: its first one.
ledger::KeySeed NumberedSeed(uint32_t i, uint64_t number) {
  ledger::KeySeed seed = TestNetwork::CosignerSeed(i);
  seed[2] = static_cast<uint8_t>(number);
  seed[3] = static_cast<uint8_t>(number >> 8);
  return seed;
}

}  // namespace

node::StoreFactory StoresOn(ledger::FaultyFileSystem* disk, const std::string& data_dir,
                            size_t write_buffer_bytes) {
  return [=](absl::string_view name, bool wipe) -> absl::StatusOr<std::unique_ptr<ledger::Store>> {
    const std::string directory = absl::StrCat(data_dir, "/", name);
    if (wipe) {
      const absl::Status removed = ledger::RemoveLevelDbStore(disk, directory);
      if (!removed.ok()) return removed;
    }
    ledger::LevelDbOptions options;
    options.deterministic = true;
    options.cache_bytes = 1u << 20;
    options.write_buffer_bytes = write_buffer_bytes;
    return ledger::OpenLevelDbStore(disk, directory, options);
  };
}

SimCluster::SimCluster(const NetworkOptions& options, uint64_t seed)
    : seed_(seed),
      random_(seed),
      test_network_(options),
      network_(options.validators + options.newcomers, seed ^ 0x6e65, &clock_) {
  for (uint32_t i = 0; i < options.validators + options.newcomers; ++i) {
    members_.push_back(std::make_unique<Member>(seed * 31 + i, &clock_));
    node::NodeConfig& config = members_.back()->config;
    config.data_dir = kDataDir;
    config.self = ValidatorIndex(i);
    config.consensus_key = &test_network_.consensus_key(i);
    config.record_key = &test_network_.record_key(i);
    config.log_key = &test_network_.log_key(i);
    config.cosigner_key = &test_network_.cosigner_key(i);
    config.reveal_seed = test_network_.reveal_seed(i);
    // Small, so that what lies in the journal only is read from there, too.
    config.block_cache_bytes_max = 256u << 10;
    config.recent_bytes_max = 64u << 10;
  }
}

SimCluster::~SimCluster() {
  for (uint32_t i = 0; i < size(); ++i) network_.Detach(i);
}

void SimCluster::StartAll() {
  for (uint32_t i = 0; i < test_network_.genesis().validators.size(); ++i) {
    const absl::Status status = Start(i);
    VIGIL_CHECK(status.ok(), "node ", i, ": ", status.message());
  }
}

absl::StatusOr<std::string> SimCluster::Rejoin(uint32_t i, bool even_if_sound) {
  Member& member = *members_[i];
  VIGIL_CHECK(member.node == nullptr, "node ", i, " is up");
  member.initialised = true;
  const absl::StatusOr<Standing> standing = StandingOf(i);
  if (!standing.ok()) return standing.status();
  return node::Node::Rejoin(&member.disk, standing->genesis, standing->self, member.config.data_dir,
                            member.config.guard_path, even_if_sound);
}

uint32_t SimCluster::NodeOf(const ledger::GenesisValidator& validator) const {
  for (uint32_t i = 0; i < size(); ++i) {
    if (test_network_.entry(i).consensus_key == validator.consensus_key) return i;
  }
  VIGIL_CHECK(false, validator.identity(), " has keys of no node");
}

absl::Status SimCluster::CopyEpochs(uint32_t from, uint32_t i) {
  Member& member = *members_[i];
  const absl::Status made = member.disk.MakeDirs(member.config.data_dir);
  if (!made.ok()) return made;
  return member.disk.WriteAtomically(ledger::EpochChainPath(member.config.data_dir),
                                     AsBytes(members_[from]->node->EpochChain()));
}

// As node/app does: the newest epoch that names the keys of node `i`.
absl::StatusOr<SimCluster::Standing> SimCluster::StandingOf(uint32_t i) {
  Member& member = *members_[i];
  absl::StatusOr<ledger::Genesis> genesis =
      ledger::LoadEpochs(member.disk, member.config.data_dir, test_network_.genesis());
  if (!genesis.ok()) return genesis.status();
  Standing standing{.genesis = *std::move(genesis), .self = ValidatorIndex(0), .removed = ""};
  for (;;) {
    const std::vector<ledger::GenesisValidator>& set = standing.genesis.validators;
    for (uint32_t index = 0; index < set.size(); ++index) {
      if (set[index].consensus_key != test_network_.entry(i).consensus_key) continue;
      standing.self = ValidatorIndex(index);
      return standing;
    }
    VIGIL_CHECK(standing.genesis.epoch > Epoch(1), "node ", i, " never was a validator");
    standing.removed =
        absl::StrCat("v", i, " is no validator since epoch ", standing.genesis.epoch.value());
    standing.genesis = ledger::AtHeight(standing.genesis, standing.genesis.epoch_base);
  }
}

// As node/app does: the key that the set names, from the files; none of a validator that is none.
absl::Status SimCluster::OpenKeyring(uint32_t i, const Standing& standing) {
  Member& member = *members_[i];
  if (!test_network_.renews_cosigner_keys()) return absl::OkStatus();
  if (!member.keys_made) {
    const std::string first = ledger::EncodeKeyFile("cosigner", TestNetwork::CosignerSeed(i));
    absl::Status made = member.disk.MakeDirs(kKeysDir);
    if (made.ok()) {
      made = member.disk.WriteAtomically(absl::StrCat(kKeysDir, "/cosigner.key"), AsBytes(first));
    }
    if (!made.ok()) return made;
    member.keys_made = true;
  }
  member.config.keyring = nullptr;
  member.config.cosigner_key = nullptr;
  member.keyring.reset();
  if (!standing.removed.empty()) return node::DestroyCosignerKeys(&member.disk, kKeysDir);
  absl::StatusOr<std::unique_ptr<node::CosignerKeyring>> ring = node::CosignerKeyring::Open(
      &member.disk, kKeysDir, standing.genesis.validators[standing.self.value()].cosigner_key,
      [i, &member] { return NumberedSeed(i, ++member.keys_generated); });
  if (!ring.ok()) return ring.status();
  member.keyring = *std::move(ring);
  member.config.keyring = member.keyring.get();
  member.config.cosigner_key = &member.keyring->in_use();
  return absl::OkStatus();
}

std::vector<ledger::KeySeed> SimCluster::CosignerSeeds(uint32_t i) const {
  std::vector<ledger::KeySeed> seeds;
  for (uint64_t n = 0; n <= members_[i]->keys_generated; ++n) seeds.push_back(NumberedSeed(i, n));
  return seeds;
}

std::string SimCluster::KeyFiles(uint32_t i) const {
  std::string bytes;
  const ledger::FaultyFileSystem& disk = members_[i]->disk;
  const absl::StatusOr<std::vector<std::string>> names = disk.List(kKeysDir);
  if (!names.ok()) return bytes;
  for (const std::string& name : *names) {
    bytes += disk.ReadAll(absl::StrCat(kKeysDir, "/", name)).value_or("");
  }
  return bytes;
}

// Connections lead to the validators of the epoch, and to those that were validators under a name
// that nobody bears any more: they are told.
MemoryNetwork::Seat SimCluster::SeatOf(const Standing& standing) const {
  MemoryNetwork::Seat seat;
  const ledger::Genesis& genesis = standing.genesis;
  seat.identity = genesis.validators[standing.self.value()].identity();
  for (const ledger::GenesisValidator& validator : genesis.validators) {
    seat.set.push_back(validator.identity());
    seat.peers.push_back(NodeOf(validator));
  }
  for (const ledger::EpochSet& past : genesis.past) {
    for (const ledger::GenesisValidator& validator : past.validators) {
      const uint32_t node = NodeOf(validator);
      if (std::ranges::count(seat.set, validator.identity()) > 0) continue;
      if (std::ranges::count(seat.peers, node) == 0) seat.peers.push_back(node);
    }
  }
  return seat;
}

absl::Status SimCluster::Start(uint32_t i) {
  Member& member = *members_[i];
  VIGIL_CHECK(member.node == nullptr, "node ", i, " is up");
  if (!member.initialised) {
    absl::Status made =
        node::Node::Init(&member.disk, member.config.data_dir, test_network_.journal_id(i),
                         member.config.guard_path, member.beginning);
    // An earlier attempt, whose disk failed behind it, may have got this far.
    if (!made.ok() && !(member.starts > 0 && absl::IsAlreadyExists(made))) {
      ++member.starts;
      return made;
    }
    member.initialised = true;
  }
  node::NodeSeams seams;
  seams.files = &member.disk;
  seams.clock = &member.clock;
  seams.transport = network_.transport(i);
  seams.open_store = StoresOn(&member.disk, member.config.data_dir, write_buffer_bytes_);
  seams.log = [this, i](node::LogLevel level, absl::string_view, absl::string_view text) {
    if (log_tap_) log_tap_(i, level, text);
  };
  seams.on_joined = [&member] { member.joined = true; };
  seams.on_behind = [&member] { member.behind = true; };
  seams.on_epoch_ended = [&member] { member.epoch_ended = true; };
  seams.start_seed = (seed_ * 1'000'003 + i) * 1'000'003 + ++member.starts;
  const absl::StatusOr<Standing> standing = StandingOf(i);
  if (!standing.ok()) return standing.status();
  member.config.self = standing->self;
  member.config.removed = standing->removed;
  const absl::Status keys = OpenKeyring(i, *standing);
  if (!keys.ok()) return keys;
  absl::StatusOr<std::unique_ptr<node::Node>> opened =
      node::Node::Open(standing->genesis, member.config, seams);
  if (!opened.ok()) return opened.status();
  member.node = *std::move(opened);
  node::Node* node = member.node.get();
  network_.Attach(
      i, node, [node](ValidatorIndex to) { return node->Hello(to, Hash()); }, SeatOf(*standing));
  return absl::OkStatus();
}

void SimCluster::Crash(uint32_t i, ledger::CrashMode mode) {
  Member& member = *members_[i];
  network_.Detach(i);
  // The disk first: what the dying node might still want to write must not count.
  member.disk.Crash(mode);
  member.node.reset();
  member.paused = false;
}

void SimCluster::FailDiskSoon(uint32_t i) {
  ledger::FaultyFileSystem& disk = members_[i]->disk;
  disk.CrashAt(disk.operation_count() + random_.Below(12));
}

// Whoever takes part keeps up its connections, over which a new epoch is told. Before the first
// change there is nothing to tell.
void SimCluster::Greet() {
  if (clock_.MonotonicMicros() < greet_micros_) return;
  greet_micros_ = clock_.MonotonicMicros() + kGreetMicros;
  for (uint32_t i = 0; i < size(); ++i) {
    const Member& member = *members_[i];
    if (member.node == nullptr || member.paused || !member.config.removed.empty()) continue;
    if (member.node->genesis().epoch > Epoch(1)) network_.Greet(i);
  }
}

void SimCluster::StepOnce() {
  clock_.AdvanceMicros(1 + static_cast<int64_t>(random_.Below(kStepMicrosMax)));
  Greet();
  network_.Deliver();
  node::StepRunner runner(random_.Next());
  for (const auto& member : members_) {
    if (member->node == nullptr || member->paused) continue;
    for (node::Actor* actor : member->node->actors()) {
      if (actor->name() != member->frozen) runner.Add(actor);
    }
  }
  if (hurried_ && random_.Chance(500)) {
    runner.RunUntilIdle(1 + random_.Below(12));
    ReopenJoined();
    return;
  }
  const size_t steps = runner.RunUntilIdle(kStepsPerTickMax);
  VIGIL_CHECK(steps < kStepsPerTickMax, "actors never come to rest");
  ReopenJoined();
}

// What node/app does with a validator that has joined, or must join anew, or whose epoch has ended.
void SimCluster::ReopenJoined() {
  for (uint32_t i = 0; i < size(); ++i) {
    Member& member = *members_[i];
    const bool behind = std::exchange(member.behind, false);
    const bool joined = std::exchange(member.joined, false);
    const bool epoch_ended = std::exchange(member.epoch_ended, false);
    if ((!joined && !behind && !epoch_ended) || member.node == nullptr) continue;
    network_.Detach(i);
    member.node->Stop();
    member.node.reset();
    absl::Status status;
    if (behind) status = Rejoin(i, /*even_if_sound=*/true).status();
    if (status.ok()) status = Start(i);
    // Its disk may fail just now: then it is down.
    if (!status.ok()) member.disk.Crash(ledger::CrashMode::kLoseUnsynced);
  }
}

void SimCluster::RunFor(int64_t micros, const std::function<void()>& each_step) {
  RunUntil([] { return false; }, micros, each_step);
}

bool SimCluster::RunUntil(const std::function<bool()>& done, int64_t micros_max,
                          const std::function<void()>& each_step) {
  const int64_t end = clock_.MonotonicMicros() + micros_max;
  while (!done()) {
    if (clock_.MonotonicMicros() >= end) return false;
    StepOnce();
    if (each_step) each_step();
  }
  return true;
}

node::Node* SimCluster::leader() {
  node::Node* best = nullptr;
  View best_view;
  for (const auto& member : members_) {
    if (member->node == nullptr) continue;
    const consensus::CoreStatus status = member->node->Status().core;
    if (status.role != consensus::CoreRole::kLeader || status.view < best_view) continue;
    best = member->node.get();
    best_view = status.view;
  }
  return best;
}

Hash SimCluster::Digest() {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.I64(clock_.MonotonicMicros()).U64(network_.delivered());
  for (const auto& member : members_) {
    writer.U64(member->disk.trace_digest()).U64(member->disk.operation_count());
    if (member->node == nullptr) continue;
    writer.Fixed(member->node->core_digest());
    const absl::StatusOr<ledger::Tip> tip = member->node->Snapshot()->GetTip();
    VIGIL_CHECK(tip.ok(), tip.status().message());
    writer.U64(tip->height.value()).Fixed(tip->state_digest).Fixed(tip->tree.Root());
  }
  return ledger::Sha256(AsBytes(bytes));
}

}  // namespace vigil::sim
