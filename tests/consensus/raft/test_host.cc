#include "tests/consensus/raft/test_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/base/check.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/sha256.h"

namespace vigil::consensus {

using ledger::BlockHeader;
using ledger::BlockId;
using ledger::BlockPtr;

Hash BlockMaker::GenesisHash() { return ledger::Sha256(AsBytes("genesis of raft tests")); }

ledger::SigningKey BlockMaker::KeyOf(ValidatorIndex validator) {
  std::array<uint8_t, 32> seed{};
  seed[0] = static_cast<uint8_t>(validator.value() + 1);
  return ledger::SigningKey::FromSeed(seed);
}

BlockMaker::BlockMaker(uint32_t validator_count) {
  for (uint32_t i = 0; i < validator_count; ++i) keys_.push_back(KeyOf(ValidatorIndex(i)));
}

Hash BlockMaker::SetOf(Epoch epoch) {
  return ledger::Sha256(AsBytes(absl::StrCat("set of epoch ", epoch.value())));
}

BlockPtr BlockMaker::Make(const BlockId& parent, View view, ValidatorIndex proposer,
                          uint32_t size) {
  return MakeIn(Epoch(1), /*seals=*/false, parent, view, proposer, size);
}

BlockPtr BlockMaker::MakeIn(Epoch epoch, bool seals, const BlockId& parent, View view,
                            ValidatorIndex proposer, uint32_t size) {
  BlockHeader header;
  header.epoch = epoch;
  header.validator_set_hash = SetOf(epoch);
  header.next_validator_set_hash = SetOf(seals ? Epoch(epoch.value() + 1) : epoch);
  header.view = view;
  header.height = parent.height.Next();
  header.parent_hash = parent.hash;
  header.parent_view = parent.view;
  header.executed_height = parent.height;
  header.time_unix_millis = ++made_;
  header.proposer = proposer;
  if (size == 0) return ledger::Block::Make(header, {}, keys_[proposer.value()]);
  const ledger::Record record{"a leaf of no meaning", std::string(size, 'x')};
  return ledger::Block::Make(header, {&record}, keys_[proposer.value()]);
}

namespace {

// Cuts what closes an epoch that is over; notes what seals `epoch`.
void ReadEpochs(const std::vector<BlockHeader>& headers, Epoch epoch, Recovered* recovered) {
  std::optional<Epoch> sealed;
  for (size_t i = 0; i < headers.size(); ++i) {
    const BlockHeader& header = headers[i];
    if (sealed == header.epoch && header.epoch < epoch) {
      recovered->chain.resize(i);
      recovered->chain_sizes.resize(i);
      return;
    }
    if (sealed == header.epoch || !ledger::Seals(header)) continue;
    sealed = header.epoch;
    if (header.epoch != epoch) continue;
    recovered->sealing = header.height;
    recovered->sealing_set = header.validator_set_hash;
    recovered->sealing_next_set = header.next_validator_set_hash;
  }
}

}  // namespace

Recovered RecoverFrom(const std::vector<JournalAppend>& records, const BlockId& base, Epoch epoch) {
  std::vector<BlockHeader> headers;
  Recovered recovered;
  recovered.base = base;
  recovered.committed = base.height;
  for (const JournalAppend& record : records) {
    switch (record.kind) {
      case JournalAppend::Kind::kVote:
        recovered.vote = record.body;
        break;
      case JournalAppend::Kind::kCommit: {
        const auto mark = DecodeRaftCommitRecord(record.body);
        VIGIL_CHECK(mark.ok());
        recovered.committed = std::max(mark->block.height, base.height);
        break;
      }
      case JournalAppend::Kind::kBlock: {
        const uint64_t below = record.block->height().value() - 1 - base.height.value();
        VIGIL_CHECK(below <= recovered.chain.size(), "hole below ", below + 1);
        VIGIL_CHECK(below == 0 ||
                    recovered.chain[below - 1].hash == record.block->header().parent_hash);
        recovered.chain.resize(below);
        recovered.chain_sizes.resize(below);
        headers.resize(below);
        headers.push_back(record.block->header());
        recovered.chain.push_back(record.block->id());
        recovered.chain_sizes.push_back(static_cast<uint32_t>(record.block->frame().size()));
        break;
      }
    }
  }
  ReadEpochs(headers, epoch, &recovered);
  return recovered;
}

Recovered TestHost::OnDisk() const { return RecoverFrom(SyncedRecords(), base_, config_.epoch); }

void TestHost::EndEpoch(const RaftConfig& next, size_t surviving) {
  Crash(surviving);
  config_ = next;
}

void TestHost::Graft(const std::vector<BlockPtr>& chain) {
  VIGIL_CHECK(!up() && !chain.empty());
  const Recovered own = OnDisk();
  for (size_t i = 0; i < chain.size(); ++i) {
    blocks_[chain[i]->hash()] = chain[i];
    if (i < own.chain.size() && own.chain[i] == chain[i]->id()) continue;
    journal_.push_back(JournalAppend{JournalAppend::Kind::kBlock, chain[i], ""});
  }
  const std::string mark = EncodeRaftCommitRecord({config_.epoch, chain.back()->id()});
  journal_.push_back(JournalAppend{JournalAppend::Kind::kCommit, nullptr, mark});
  synced_count_ = journal_.size();
  group_ends_.push_back(synced_count_);
}

void TestHost::Start(uint64_t seed) {
  VIGIL_CHECK(!up());
  Recovered recovered = RecoverFrom(journal_, base_, config_.epoch);
  recovered.may_vote = !lost_promises_;
  recovered.view_min = guard_view_;
  recovered.forgot_votes = lost_guard_ && guard_view_ == View(0);
  config_.seed = seed;
  sequence_ = 0;
  core_ = MakeRaft(config_, recovered);
}

void TestHost::Crash(size_t surviving) {
  const size_t kept = std::min(journal_.size(), synced_count_ + surviving);
  journal_.resize(kept);
  // What was read back after a crash counts as synced: recovery syncs it.
  synced_count_ = kept;
  if (group_ends_.empty() || group_ends_.back() != kept) group_ends_.push_back(kept);
  promises_.clear();
  ask_ = std::nullopt;
  core_ = nullptr;
}

void TestHost::CrashLosingLastGroup() {
  if (!group_ends_.empty()) group_ends_.pop_back();
  synced_count_ = group_ends_.empty() ? 0 : group_ends_.back();
  journal_.resize(synced_count_);
  lost_promises_ = true;
  Crash(0);
}

void TestHost::CrashLosingAll(const BlockId& base, bool keeps_guard) {
  if (!keeps_guard) guard_view_ = View(0);
  lost_guard_ = !keeps_guard;
  group_ends_.clear();
  synced_count_ = 0;
  journal_.clear();
  base_ = base;
  lost_promises_ = true;
  Crash(0);
}

Output TestHost::Step(const Input& input) {
  Output output = core_->Step(input);
  VIGIL_CHECK(output.append.empty() == (output.sequence == 0));
  if (output.sequence != 0) {
    VIGIL_CHECK(output.sequence == sequence_ + 1);
    sequence_ = output.sequence;
  }
  for (const JournalAppend& record : output.append) {
    if (record.block != nullptr) blocks_[record.block->hash()] = record.block;
    if (record.kind == JournalAppend::Kind::kVote) {
      guard_view_ = std::max(guard_view_, DecodeRaftVoteRecord(record.body)->term);
    }
    journal_.push_back(record);
  }
  for (const Message& message : output.send_when_durable) promises_.push_back(message);
  for (const Ask& ask : output.asks) {
    if (const auto* build = std::get_if<AskBuild>(&ask)) {
      ask_ = *build;
    } else if (std::holds_alternative<AskCancelBuild>(ask)) {
      ask_ = std::nullopt;
    }
  }
  if (const auto* built = std::get_if<BlockBuilt>(&input)) {
    if (ask_.has_value() && ask_->parent.hash == built->block->header().parent_hash) {
      ask_ = std::nullopt;
    }
  }
  return output;
}

std::vector<Message> TestHost::TakeSynced() {
  synced_count_ = journal_.size();
  group_ends_.push_back(synced_count_);
  // The core's own record of being a non-voter is on disk: the next start reads it there.
  lost_promises_ = false;
  return std::exchange(promises_, {});
}

std::vector<BlockPtr> TestHost::Bodies(const Message& message) const {
  std::vector<BlockPtr> bodies;
  for (const BlockId& id : message.bodies) bodies.push_back(blocks_.at(id.hash));
  return bodies;
}

std::vector<JournalAppend> TestHost::SyncedRecords() const {
  return {journal_.begin(), journal_.begin() + static_cast<std::ptrdiff_t>(synced_count_)};
}

}  // namespace vigil::consensus
