#include "tests/consensus/raft/oracle.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/chain/epoch.h"
#include "tests/consensus/raft/narrate.h"

namespace vigil::consensus {

Oracle::Oracle(uint32_t validator_count, uint32_t node_count) : nodes_(node_count) {
  sets_.emplace_back();
  for (uint32_t i = 0; i < validator_count; ++i) sets_.back().push_back(i);
}

void Oracle::OnEpoch(const std::vector<uint32_t>& members) { sets_.push_back(members); }

void Oracle::Fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
}

void Oracle::OnStart(ValidatorIndex node, const Recovered& recovered) {
  Node& state = nodes_[node.value()];
  state.committed = recovered.committed;
  state.disk.assign(committed_.begin(), committed_.begin() + recovered.base.height.value());
  for (const BlockId& block : recovered.chain) {
    state.disk.push_back(block.hash);
    state.ever_on_disk.insert(block.hash);
  }
}

// Log matching: a height and a term name one block, and so, by parent hashes, one prefix.
void Oracle::OnAppended(ValidatorIndex node, const JournalAppend& record) {
  if (record.kind != JournalAppend::Kind::kBlock) return;
  const BlockId& id = record.block->id();
  const ledger::BlockHeader& header = record.block->header();
  const auto [found, inserted] = blocks_.insert({{header.epoch, id.height, id.view}, id.hash});
  if (!inserted && found->second != id.hash) {
    Fail(absl::StrCat("validator ", node.value(), ": two blocks ", DescribeBlock(id)));
  }
  headers_[id.hash] =
      Header{header.parent_hash, header.parent_view, header.epoch, ledger::Seals(header)};
}

void Oracle::OnSynced(ValidatorIndex node, const std::vector<JournalAppend>& records) {
  Node& state = nodes_[node.value()];
  for (const JournalAppend& record : records) {
    if (record.kind != JournalAppend::Kind::kBlock) continue;
    const size_t below = record.block->height().value() - 1;
    if (below > state.disk.size()) {
      Fail(absl::StrCat("validator ", node.value(), ": hole on disk below ", below + 1));
      return;
    }
    if (below > 0 && state.disk[below - 1] != record.block->header().parent_hash) {
      Fail(absl::StrCat("validator ", node.value(), ": no parent on disk of ", below + 1));
    }
    if (below < state.committed.value() && committed_[below] != record.block->hash()) {
      Fail(absl::StrCat("validator ", node.value(), ": rewrites committed ", below + 1));
    }
    state.disk.resize(below);
    state.disk.push_back(record.block->hash());
    state.ever_on_disk.insert(record.block->hash());
  }
}

void Oracle::OnVote(ValidatorIndex node, Epoch epoch, View term, ValidatorIndex candidate) {
  Node& state = nodes_[node.value()];
  for (const auto& [earlier, seen] : state.seen) {
    if (earlier < epoch && seen >= term) {
      Fail(absl::StrCat("validator ", node.value(), " votes in term ", term.value(), " of epoch ",
                        epoch.value(), " and was in term ", seen.value(), " of epoch ",
                        earlier.value()));
    }
  }
  const auto [found, inserted] = state.votes.insert({{epoch, term}, candidate});
  if (!inserted && found->second != candidate) {
    Fail(absl::StrCat("validator ", node.value(), " voted for ", found->second.value(), " and ",
                      candidate.value(), " in term ", term.value()));
  }
}

void Oracle::OnSent(ValidatorIndex node, const Message& message) {
  const auto decoded = DecodeRaftMessage(message.header);
  if (!decoded.ok()) {
    Fail(absl::StrCat("validator ", node.value(), " sends what cannot be decoded"));
    return;
  }
  if (const auto* vote = std::get_if<RaftVote>(&decoded->body)) {
    if (!vote->pre) OnVote(node, decoded->epoch, vote->campaign, node);
  } else if (const auto* reply = std::get_if<RaftVoteReply>(&decoded->body)) {
    if (!reply->pre && reply->granted) OnVote(node, decoded->epoch, reply->campaign, message.to);
  } else if (const auto* reply = std::get_if<RaftAppendReply>(&decoded->body)) {
    const size_t on_disk = nodes_[node.value()].disk.size();
    if (reply->match.value() > on_disk) {
      Fail(absl::StrCat("validator ", node.value(), " acknowledges ", reply->match.value(),
                        " with ", on_disk, " on disk"));
    }
  }
}

// Durability on a quorum of the block's own epoch before anything counts as committed.
void Oracle::CheckHolders(ValidatorIndex node, const BlockId& block, Epoch epoch) {
  const std::vector<uint32_t>& set = sets_[epoch.value() - 1];
  size_t holders = 0;
  for (const uint32_t member : set) holders += nodes_[member].ever_on_disk.count(block.hash);
  if (holders >= set.size() / 2 + 1) return;
  Fail(absl::StrCat("validator ", node.value(), " commits ", DescribeBlock(block), ", which ",
                    holders, " of ", set.size(), " had on disk"));
}

// A sealing block is the last one of its epoch, and terms go on in the next.
void Oracle::CheckEpoch(ValidatorIndex node, const BlockId& block, const Header& header) {
  const Epoch epoch(sealing_blocks_.size() + 1);
  const bool begins =
      !sealing_blocks_.empty() && sealing_blocks_.back().height.Next() == block.height;
  if (header.epoch != epoch || header.epoch.value() > sets_.size()) {
    Fail(absl::StrCat("validator ", node.value(), " commits ", DescribeBlock(block), " of epoch ",
                      header.epoch.value(), " in epoch ", epoch.value()));
  } else if (begins && block.view <= header.parent_view) {
    Fail(absl::StrCat("epoch ", epoch.value(), " begins with ", DescribeBlock(block),
                      " above term ", header.parent_view.value()));
  }
  if (header.seals) sealing_blocks_.push_back(block);
}

// State machine safety.
void Oracle::OnCommitted(ValidatorIndex node, const BlockId& block) {
  Node& state = nodes_[node.value()];
  if (block.height != state.committed.Next()) {
    Fail(absl::StrCat("validator ", node.value(), " commits ", block.height.value(), " after ",
                      state.committed.value()));
  }
  state.committed = block.height;
  if (block.height <= highest_committed()) {
    if (committed_[block.height.value() - 1] != block.hash) {
      Fail(absl::StrCat("validator ", node.value(), " commits another block ",
                        DescribeBlock(block)));
    }
    return;
  }
  if (block.height != highest_committed().Next()) {
    Fail(absl::StrCat("validator ", node.value(), " commits ", block.height.value(),
                      " before anyone committed below"));
    return;
  }
  const Header& header = headers_[block.hash];
  CheckEpoch(node, block, header);
  if (!failure_.empty()) return;
  CheckHolders(node, block, header.epoch);
  if (!committed_.empty() && header.parent != committed_.back()) {
    Fail(absl::StrCat("committed ", DescribeBlock(block), " is on another branch"));
  }
  committed_.push_back(block.hash);
}

void Oracle::OnStatus(ValidatorIndex node, const CoreStatus& status) {
  View& seen = nodes_[node.value()].seen[status.epoch];
  seen = std::max(seen, status.view);
  if (status.role != CoreRole::kLeader) return;
  const auto [found, inserted] = leaders_.insert({{status.epoch, status.view}, node});
  if (!inserted && found->second != node) {
    Fail(absl::StrCat("validators ", found->second.value(), " and ", node.value(),
                      " both led term ", status.view.value()));
  }
}

void Oracle::OnFinalChain(ValidatorIndex node, const Recovered& recovered, Height height_min) {
  const uint64_t base = recovered.base.height.value();
  if (base + recovered.chain.size() < height_min.value()) {
    Fail(absl::StrCat("validator ", node.value(), " ends at ", base + recovered.chain.size(),
                      " below ", height_min.value()));
    return;
  }
  for (size_t i = base; i < height_min.value(); ++i) {
    if (recovered.chain[i - base].hash != committed_[i]) {
      Fail(absl::StrCat("validator ", node.value(), " lost committed ", i + 1));
    }
  }
}

}  // namespace vigil::consensus
