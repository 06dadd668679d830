// A network with real keys and a chain of blocks on it, for the tests of state and of all above it.
//
// Everything is a pure function of what the test asks for; time advances by one second per block.
// Needs vigil_ledger_state. Mistakes of a test abort.
#ifndef VIGIL_TESTS_SUPPORT_TEST_CHAIN_H_
#define VIGIL_TESTS_SUPPORT_TEST_CHAIN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/merkle.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/governance.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/memory_store.h"

namespace vigil::ledger {

inline constexpr uint64_t kTestTimeMillis = 1'700'000'000'000;

inline Hash TestHash(uint8_t byte) {
  Hash hash;
  hash.bytes.fill(byte);
  return hash;
}

// A canonical event of about 60 bytes; `number` decides salt, time and source port.
inline std::string TestEvent(uint64_t number) {
  std::string event("\x08\x01\x12\x10", 4);  // schema 1, salt of 16 bytes.
  ByteWriter(&event).U64(number).U64(~number);
  event.push_back('\x19');  // time_unix_nano, little-endian as in protobuf.
  const uint64_t time = kTestTimeMillis * 1'000'000 + number;
  for (int shift = 0; shift < 64; shift += 8) event.push_back(static_cast<char>(time >> shift));
  event += std::string("\x20\xea\xb5\x18", 4);  // type_uid 400106.
  event += std::string("\x4a\x09zeek.conn");    // source.
  return event;
}

// Validators "<org>/v<i>", organisations acme and globex in turn; sensors acme/fw-1, acme/fw-2 and
// globex/ids-1; admins acme/root and globex/root; auditor acme/eve;
// analysts acme/ann, acme/amir and globex/gina.
class TestNetwork {
 public:
  explicit TestNetwork(uint32_t validator_count = 3, uint32_t snapshot_interval_blocks = 2048,
                       const std::string& detector_rules = "") {
    Genesis genesis;
    genesis.detector_rules = detector_rules;
    genesis.snapshot_interval_blocks = snapshot_interval_blocks;
    genesis.network = "test.vigil";
    genesis.time_unix_millis = kTestTimeMillis;
    genesis.mode = "raft";
    genesis.organisations = {{"acme", "Acme Corporation"}, {"globex", "Globex"}};
    for (uint32_t i = 0; i < validator_count; ++i) AddValidator(i, &genesis);
    AddIdentity("acme", "fw-1", Role::kSensor, &genesis);
    AddIdentity("acme", "fw-2", Role::kSensor, &genesis);
    AddIdentity("globex", "ids-1", Role::kSensor, &genesis);
    AddIdentity("acme", "root", Role::kAdmin, &genesis);
    AddIdentity("globex", "root", Role::kAdmin, &genesis);
    AddIdentity("acme", "eve", Role::kAuditor, &genesis);
    AddIdentity("acme", "ann", Role::kAnalyst, &genesis);
    AddIdentity("acme", "amir", Role::kAnalyst, &genesis);
    AddIdentity("globex", "gina", Role::kAnalyst, &genesis);
    absl::StatusOr<Genesis> parsed = ParseGenesis(WriteGenesis(genesis));
    VIGIL_CHECK(parsed.ok(), parsed.status().message());
    genesis_ = *std::move(parsed);
  }

  const Genesis& genesis() const { return genesis_; }
  // Record key of an identity "org/name", validators included.
  const SigningKey& key(const std::string& identity) const { return keys_.at(identity); }
  const SigningKey& consensus_key(uint32_t validator) const {
    return keys_.at(absl::StrCat("consensus/", validator));
  }
  // A validator that genesis does not name, with keys of its own; `index` as it might have had.
  GenesisValidator MakeNewcomer(uint32_t index) {
    Genesis apart;
    AddValidator(index, &apart);
    return apart.validators[0];
  }
  std::string validator(uint32_t index) const { return genesis_.validators[index].identity(); }
  Record Sign(const RecordBody& body, const std::string& identity) const {
    return {SignRecord(body, genesis_.chain_id, key(identity)), ""};
  }

 private:
  PublicKey AddKey(const std::string& name) {
    std::array<uint8_t, 32> seed{};
    const size_t number = keys_.size() + 1;
    seed[0] = static_cast<uint8_t>(number);
    seed[1] = static_cast<uint8_t>(number >> 8);
    return keys_.emplace(name, SigningKey::FromSeed(seed)).first->second.public_key();
  }
  void AddValidator(uint32_t index, Genesis* genesis) {
    GenesisValidator validator;
    validator.name = absl::StrCat("v", index);
    validator.org = index % 2 == 0 ? "acme" : "globex";
    validator.consensus_key = AddKey(absl::StrCat("consensus/", index));
    validator.log_key = AddKey(absl::StrCat("log/", index));
    validator.cosigner_key = AddKey(absl::StrCat("cosigner/", index));
    validator.record_key = AddKey(validator.identity());
    validator.reveal_anchor = TestHash(static_cast<uint8_t>(0xA0 + index));
    validator.reveal_length = 1000;
    validator.journal_id.bytes.fill(static_cast<uint8_t>(0xB0 + index));
    genesis->validators.push_back(validator);
  }
  void AddIdentity(const std::string& org, const std::string& name, Role role, Genesis* genesis) {
    GenesisIdentity identity;
    identity.name = name;
    identity.org = org;
    identity.roles = static_cast<uint32_t>(role);
    identity.key = AddKey(identity.identity());
    genesis->identities.push_back(identity);
  }

  Genesis genesis_;
  std::map<std::string, SigningKey> keys_;
};

// Writes the records of one stream, each on the one before.
class TestStream {
 public:
  TestStream(const TestNetwork* network, std::string identity, std::string stream)
      : network_(network), identity_(std::move(identity)), stream_(std::move(stream)) {}

  Record Batch(uint32_t event_count) { return Advance(MakeBatch(event_count)); }
  Record Heartbeat() {
    HeartbeatBody body;
    body.stream = stream_;
    body.sequence = sequence_ + 1;
    body.previous = previous_;
    body.time_unix_nano = kTestTimeMillis * 1'000'000;
    return Advance(network_->Sign(body, identity_));
  }
  Record Gap(uint64_t lost) {
    GapBody body;
    body.stream = stream_;
    body.sequence = sequence_ + 1;
    body.previous = previous_;
    body.lost_count = lost;
    body.reason = "spool full";
    return Advance(network_->Sign(body, identity_));
  }
  // The next batch without taking its place in the stream; every call gives other events.
  Record MakeBatch(uint32_t event_count) {
    std::vector<std::string> events;
    const uint64_t first = next_event_;
    for (uint32_t i = 0; i < event_count; ++i) events.push_back(TestEvent(next_event_++));
    Record record;
    record.payload = EncodePayload(events);
    std::vector<ByteSpan> spans;
    for (const std::string& event : events) spans.push_back(AsBytes(event));
    EventBatchBody body;
    body.stream = stream_;
    body.sequence = sequence_ + 1;
    body.previous = previous_;
    body.item_count = event_count;
    body.items_root = ItemsRoot(spans);
    body.first_time_unix_nano = kTestTimeMillis * 1'000'000 + first;
    body.last_time_unix_nano = kTestTimeMillis * 1'000'000 + next_event_ - 1;
    body.payload_bytes = static_cast<uint32_t>(record.payload.size());
    record.leaf = network_->Sign(body, identity_).leaf;
    return record;
  }
  // What a reset or a test may decide: where the stream goes on.
  void Seek(uint64_t sequence, const Hash& previous) {
    sequence_ = sequence;
    previous_ = previous;
  }
  // The next event has this number: other numbers, other bytes.
  void NumberEventsFrom(uint64_t number) { next_event_ = number; }
  uint64_t sequence() const { return sequence_; }
  const Hash& previous() const { return previous_; }

 private:
  Record Advance(Record record) {
    ++sequence_;
    previous_ = LeafHash(AsBytes(record.leaf));
    return record;
  }

  const TestNetwork* network_;
  std::string identity_;
  std::string stream_;
  uint64_t sequence_ = 0;
  Hash previous_;
  uint64_t next_event_ = 1;
};

// Journal frames in memory; offsets are 1,000 per frame and mean nothing else. Frames may be
// edited, as by somebody who also repairs checksums.
class MemoryJournal final : public JournalReader {
 public:
  JournalPosition Append(JournalType type, std::string body) {
    const JournalPosition position{frames_.size() * 1000};
    frames_.push_back({.type = type,
                       .position = position,
                       .next = {position.offset + 1000},
                       .body = std::move(body)});
    return position;
  }
  JournalPosition AppendCommit(const Block& block) {
    std::string mark;
    ByteWriter(&mark)
        .U64(1)
        .U64(block.header().view.value())
        .U64(block.height().value())
        .Fixed(block.hash());
    return Append(JournalType::kCommit, std::move(mark));
  }
  void Replace(JournalPosition position, JournalType type, std::string body) {
    frames_[position.offset / 1000].type = type;
    frames_[position.offset / 1000].body = std::move(body);
  }
  std::string* body(JournalPosition position) { return &frames_[position.offset / 1000].body; }
  void Remove(JournalPosition position) {
    frames_[position.offset / 1000].type = JournalType::kVote;
    frames_[position.offset / 1000].body.clear();
  }
  // Reading the frame fails as a wrong checksum does.
  void Break(JournalPosition position) { broken_[position.offset] = true; }

  absl::StatusOr<Frame> Read(JournalPosition position) const override {
    if (position.offset / 1000 >= frames_.size()) return absl::OutOfRangeError("past the end");
    if (broken_.contains(position.offset)) {
      return absl::DataLossError(absl::StrCat("segment 0: frame at ", position.offset, ": CRC"));
    }
    return frames_[position.offset / 1000];
  }
  absl::Status ForEach(JournalPosition from,
                       const std::function<bool(const Frame&)>& visit) const override {
    for (JournalPosition at = from; at.offset < end().offset; at.offset += 1000) {
      absl::StatusOr<Frame> frame = Read(at);
      if (!frame.ok()) return frame.status();
      if (!visit(*frame)) break;
    }
    return absl::OkStatus();
  }
  JournalPosition begin() const override { return {0}; }
  JournalPosition end() const override { return {frames_.size() * 1000}; }

 private:
  std::vector<Frame> frames_;
  std::map<uint64_t, bool> broken_;
};

// Builds, journals and executes blocks.
class TestChain {
 public:
  // `network` must outlive the chain. `store` null: a memory store of its own.
  explicit TestChain(const TestNetwork* network, Store* store = nullptr)
      : network_(network), store_(store == nullptr ? &own_store_ : store) {
    absl::StatusOr<std::unique_ptr<ChainState>> state =
        ChainState::Open(store_, &network->genesis());
    VIGIL_CHECK(state.ok(), state.status().message());
    state_ = *std::move(state);
  }

  // A header on the tip with E `lag` below the block (as far as the chain has it).
  BlockHeader NextHeader(uint64_t lag = 1) const {
    const Tip& tip = state_->tip();
    BlockHeader header;
    header.chain_id = network_->genesis().chain_id;
    header.height = tip.height.Next();
    header.view = View(1) > tip.view ? View(1) : tip.view;
    header.parent_hash = tip.block_hash;
    header.parent_view = tip.view;
    const Height wanted(header.height.value() > lag ? header.height.value() - lag : 0);
    header.executed_height = wanted > tip.executed_in_header ? wanted : tip.executed_in_header;
    const ChainReader now = reader();
    header.state_digest = now.StateDigest(header.executed_height).value();
    header.results_root = now.ResultsRoot(tip.executed_in_header, header.executed_height).value();
    header.snapshot_height = network_->genesis().SnapshotHeightAt(header.height);
    if (header.snapshot_height != Height(0)) header.snapshot_digest = snapshot_.digest;
    const Genesis& genesis = state_->genesis();
    header.epoch = genesis.epoch;
    header.validator_set_hash = genesis.validator_set_hash;
    header.next_validator_set_hash =
        NextSetHash(genesis, now.state(), header.height, header.executed_height).value();
    header.time_unix_millis = tip.time_unix_millis + 1000;
    return header;
  }
  BlockPtr Make(const BlockHeader& header, const std::vector<Record>& records) const {
    std::vector<const Record*> pointers;
    for (const Record& record : records) pointers.push_back(&record);
    return Block::Make(header, pointers, network_->consensus_key(header.proposer.value()));
  }
  BlockPtr Next(const std::vector<Record>& records, uint64_t lag = 1) const {
    return Make(NextHeader(lag), records);
  }
  // Journals the block with its commit mark and executes it.
  absl::StatusOr<ExecutedBlock> Add(const BlockPtr& block) {
    const JournalPosition position = journal_.Append(JournalType::kBlock, block->frame());
    journal_.AppendCommit(*block);
    absl::StatusOr<ExecutedBlock> executed = state_->Execute(block, position);
    if (executed.ok()) {
      blocks_.push_back(block);
      positions_.push_back(position);
      if (network_->genesis().HasSnapshot(block->height())) TakeSnapshot();
    }
    return executed;
  }
  ExecutedBlock Commit(const std::vector<Record>& records, uint64_t lag = 1) {
    absl::StatusOr<ExecutedBlock> executed = Add(Next(records, lag));
    VIGIL_CHECK(executed.ok(), executed.status().message());
    return *std::move(executed);
  }
  // Commits one record alone in a block.
  RecordResult CommitOne(const Record& record) { return Commit({record}).results.at(0); }

  // Reads the live store.
  ChainReader reader() const {
    return ChainReader(std::shared_ptr<const StoreReader>(store_, [](const StoreReader*) {}));
  }
  const TestNetwork& network() const { return *network_; }
  ChainState* state() { return state_.get(); }
  const Genesis& genesis() const { return state_->genesis(); }
  const Tip& tip() const { return state_->tip(); }
  // The last snapshot that the chain passed.
  const SnapshotMark& snapshot() const { return snapshot_; }
  Store* store() { return store_; }
  MemoryJournal* journal() { return &journal_; }
  const std::vector<BlockPtr>& blocks() const { return blocks_; }
  // Of the block at `height`.
  JournalPosition position(uint64_t height) const { return positions_.at(height - 1); }

 private:
  void TakeSnapshot() {
    const absl::StatusOr<SnapshotMark> mark = ComputeSnapshotMark(
        std::shared_ptr<const StoreReader>(store_, [](const StoreReader*) {}), network_->genesis());
    VIGIL_CHECK(mark.ok(), mark.status().message());
    snapshot_ = *mark;
    state_->KnowSnapshot(snapshot_);
  }

  const TestNetwork* network_;
  MemoryStore own_store_;
  Store* store_;
  std::unique_ptr<ChainState> state_;
  MemoryJournal journal_;
  std::vector<BlockPtr> blocks_;
  std::vector<JournalPosition> positions_;
  SnapshotMark snapshot_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_SUPPORT_TEST_CHAIN_H_
