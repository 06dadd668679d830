#include "tests/sim/oracle.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/chain/header.h"
#include "ledger/log/tiles.h"
#include "tests/sim/plain_hash.h"

namespace vigil::sim {
namespace {

using ledger::BlockPtr;
using ledger::ResultCode;

// Where the oracle found a record that the state machine accepted.
struct Place {
  uint64_t index = 0;
  uint64_t height = 0;
  Hash block_hash;
  std::string leaf;
  std::string payload;
  bool pruned = false;  // The payload was dropped lawfully.
};
struct StreamRecord {
  uint64_t sequence = 0;
  Hash previous;
  Hash leaf_hash;
};

// What the oracle makes of one node's chain.
struct Chain {
  std::map<Hash, std::vector<Place>> accepted;
  std::map<std::string, std::vector<StreamRecord>> streams;  // "author key/stream"
  std::vector<Hash> leaves;                                  // Records and seals.
  std::vector<Hash> states;
};

void AddToStream(const ledger::RecordView& view, const Hash& leaf_hash, Chain* chain) {
  const auto add = [&](const auto& body) {
    chain->streams[absl::StrCat(view.author.ToHex(), "/", body.stream)].push_back(
        {.sequence = body.sequence, .previous = body.previous, .leaf_hash = leaf_hash});
  };
  if (const auto* batch = std::get_if<ledger::EventBatchBody>(&view.body)) add(*batch);
  if (const auto* beat = std::get_if<ledger::HeartbeatBody>(&view.body)) add(*beat);
  if (const auto* gap = std::get_if<ledger::GapBody>(&view.body)) add(*gap);
}

std::string ReadBlock(const node::Node& node, Height height, Hash* parent, Hash* seal,
                      Chain* chain) {
  const auto block = node.LoadBlock(height);
  if (!block.ok()) return absl::StrCat("block ", height.value(), ": ", block.status().ToString());
  const BlockPtr& b = *block;
  if (b->height() != height || b->header().parent_hash != *parent) {
    return absl::StrCat("block ", height.value(), " does not follow its parent");
  }
  const auto results = node.Snapshot()->GetResults(height);
  if (!results.ok() || results->size() != b->records().size()) {
    return absl::StrCat("block ", height.value(), ": wrong results");
  }
  const uint64_t first = chain->leaves.size();
  for (size_t i = 0; i < b->records().size(); ++i) {
    const ledger::Block::Entry& entry = b->records()[i];
    const Hash leaf_hash = PlainLeafHash(ToString(entry.leaf));
    const uint64_t index = chain->leaves.size();
    if ((*results)[i].index.value() != index) return absl::StrCat("record index ", index);
    chain->leaves.push_back(leaf_hash);
    const auto kind = static_cast<ledger::RecordKind>(entry.leaf[1]);
    if ((*results)[i].code != ResultCode::kOk) {
      if (kind > ledger::RecordKind::kGap) continue;  // Detectors may say a thing twice.
      return absl::StrCat("record ", index, " of a stream is ",
                          ledger::ResultCodeName((*results)[i].code));
    }
    chain->accepted[leaf_hash].push_back({.index = index,
                                          .height = height.value(),
                                          .block_hash = b->hash(),
                                          .leaf = ToString(entry.leaf),
                                          .payload = ToString(entry.payload),
                                          .pruned = b->pruned()});
    const auto view = ledger::DecodeRecord(entry.leaf);
    if (!view.ok()) return absl::StrCat("record ", index, ": ", view.status().message());
    AddToStream(*view, leaf_hash, chain);
  }
  const std::string seal_leaf = ledger::EncodeSealLeaf(b->header_bytes(), *seal, RecordIndex(first),
                                                       static_cast<uint32_t>(b->records().size()));
  *seal = PlainLeafHash(seal_leaf);
  chain->leaves.push_back(*seal);
  *parent = b->hash();
  const auto digest = node.Snapshot()->StateDigest(height);
  if (!digest.ok()) return absl::StrCat("state digest ", height.value());
  chain->states.push_back(*digest);
  return "";
}

std::string ReadChain(const node::Node& node, Height tip, Chain* chain) {
  Hash parent = node.genesis().genesis_hash;
  Hash seal;
  for (uint64_t height = 1; height <= tip.value(); ++height) {
    std::string wrong = ReadBlock(node, Height(height), &parent, &seal, chain);
    if (!wrong.empty()) return wrong;
  }
  const auto stored = node.Snapshot()->GetTip();
  if (!stored.ok()) return "no tip";
  if (stored->tree.size() != chain->leaves.size() ||
      stored->tree.Root() != PlainTreeHash(chain->leaves)) {
    return absl::StrCat("tree of size ", stored->tree.size(), " is not that of the ",
                        chain->leaves.size(), " leaves");
  }
  return "";
}

std::string CheckStreams(const Chain& chain) {
  for (const auto& [name, records] : chain.streams) {
    Hash head;
    uint64_t sequence = 0;
    for (const StreamRecord& record : records) {
      if (record.sequence != ++sequence) {
        return absl::StrCat("stream ", name, ": ", record.sequence, " where ", sequence,
                            " belongs");
      }
      if (record.previous != head) return absl::StrCat("stream ", name, ": broken at ", sequence);
      head = record.leaf_hash;
    }
  }
  return "";
}

std::string CheckClient(const SimClient& client, const Chain& chain) {
  if (!client.failure().empty()) return client.failure();
  for (const auto& [sequence, acknowledged] : client.acknowledged()) {
    const std::string what = absl::StrCat(client.identity(), "/", client.stream(), " ", sequence);
    const Hash leaf_hash = PlainLeafHash(acknowledged.record.leaf);
    const auto found = chain.accepted.find(leaf_hash);
    if (found == chain.accepted.end()) return absl::StrCat(what, " was acknowledged and is lost");
    if (found->second.size() != 1) return absl::StrCat(what, " is there more than once");
    const Place& place = found->second.front();
    const node::SubmitReceipt& receipt = acknowledged.receipt;
    if (place.index != receipt.record_index.value() || place.height != receipt.height.value() ||
        place.block_hash != receipt.block_hash) {
      return absl::StrCat(what, " lies at ", place.index, ", its receipt says ",
                          receipt.record_index.value());
    }
    if (place.leaf != acknowledged.record.leaf ||
        (!place.pruned && place.payload != acknowledged.record.payload)) {
      return absl::StrCat(what, " was altered");
    }
  }
  return "";
}

// What a node that was damaged and is back may lack is bodies; what it has must be the chain.
std::string CheckDamaged(const node::Node& node, const Chain& chain) {
  const auto reader = node.Snapshot();
  const auto tip = reader->GetTip();
  if (!tip.ok()) return tip.status().ToString();
  if (tip->tree.Root() != PlainTreeHash(chain.leaves)) return "another tree";
  for (uint64_t height = 1; height <= tip->height.value(); ++height) {
    const auto info = reader->GetBlock(Height(height));
    if (!info.ok()) return absl::StrCat("block ", height, ": ", info.status().ToString());
    if (info->state_digest != chain.states[height - 1]) {
      return absl::StrCat("another state at ", height);
    }
    const auto block = node.LoadBlock(Height(height));
    if (block.ok() && (*block)->hash() != info->hash) return absl::StrCat("another block ", height);
  }
  return "";
}

}  // namespace

std::string AgreementWatch::Check(const std::vector<bool>& dying,
                                  const std::vector<bool>& excused) {
  for (uint32_t i = 0; i < cluster_->size(); ++i) {
    node::Node* node = cluster_->node(i);
    if (node == nullptr || dying[i]) continue;
    std::string wrong;
    const absl::Status read = node->fatal().ok() ? CheckNode(i, *node, &wrong) : node->fatal();
    if (!wrong.empty()) return wrong;
    if (!read.ok() && (excused.empty() || !excused[i])) {
      return absl::StrCat("node ", i, ": ", read.ToString());
    }
  }
  return "";
}

absl::Status AgreementWatch::CheckNode(uint32_t i, const node::Node& node, std::string* wrong) {
  const auto reader = node.Snapshot();
  const auto tip = reader->GetTip();
  if (!tip.ok()) return tip.status();
  uint64_t& checked = checked_[i];
  if (tip->height.value() < checked) checked = tip->height.value();  // It lost unsynced state.
  while (checked < tip->height.value()) {
    const auto block = reader->GetBlock(Height(checked + 1));
    if (!block.ok()) return block.status();
    ++checked;
    const auto [seen, is_new] =
        seen_.emplace(checked, Seen{.block = block->hash, .state = block->state_digest});
    if (is_new) {
      if (on_executed_) {
        *wrong = on_executed_(Height(checked), block->hash,
                              block->first_index.value() + block->record_count + 1);
      }
      if (!wrong->empty()) return absl::OkStatus();
      continue;
    }
    if (seen->second.block != block->hash || seen->second.state != block->state_digest) {
      *wrong = absl::StrCat("node ", i, " executed another block at height ", checked);
    }
  }
  return absl::OkStatus();
}

std::string CheckChains(SimCluster* cluster, const std::vector<std::unique_ptr<SimClient>>& clients,
                        const std::vector<bool>& damaged) {
  std::optional<Chain> first;
  for (uint32_t i = 0; i < cluster->size(); ++i) {
    node::Node* node = cluster->node(i);
    if (node == nullptr || (!damaged.empty() && damaged[i])) continue;
    Chain chain;
    const Height tip = node->Status().executed;
    std::string wrong = ReadChain(*node, tip, &chain);
    if (wrong.empty()) wrong = CheckStreams(chain);
    for (const auto& client : clients) {
      if (wrong.empty()) wrong = CheckClient(*client, chain);
    }
    if (wrong.empty() && first.has_value() &&
        (chain.leaves != first->leaves || chain.states != first->states)) {
      wrong = "another chain than the first node's";
    }
    if (!wrong.empty()) return absl::StrCat("node ", i, ": ", wrong);
    if (!first.has_value()) first = std::move(chain);
  }
  for (uint32_t i = 0; i < damaged.size(); ++i) {
    if (!damaged[i] || cluster->node(i) == nullptr) continue;
    const std::string wrong = CheckDamaged(*cluster->node(i), *first);
    if (!wrong.empty()) return absl::StrCat("node ", i, ", struck before: ", wrong);
  }
  return "";
}

namespace {

// All leaves of a chain up to its executed height, seals among them.
std::string ReadLeaves(const node::Node& node, std::vector<std::string>* leaves) {
  Hash seal;
  for (Height height(1); height <= node.Status().executed; height = height.Next()) {
    const auto block = node.LoadBlock(height);
    if (!block.ok()) return block.status().ToString();
    const RecordIndex first(leaves->size());
    for (const ledger::Block::Entry& entry : (*block)->records()) {
      leaves->push_back(ToString(entry.leaf));
    }
    leaves->push_back(ledger::EncodeSealLeaf((*block)->header_bytes(), seal, first,
                                             static_cast<uint32_t>((*block)->records().size())));
    seal = PlainLeafHash(leaves->back());
  }
  return "";
}

// Every full tile and bundle of the two lowest levels.
std::string CheckLogFiles(const node::Node& served, const std::vector<std::string>& leaves) {
  std::vector<Hash> roots;
  for (uint64_t index = 0; (index + 1) * ledger::kTileWidth <= leaves.size(); ++index) {
    std::vector<ByteSpan> bundle;
    std::vector<Hash> hashes;
    for (uint64_t i = index * ledger::kTileWidth; i < (index + 1) * ledger::kTileWidth; ++i) {
      bundle.push_back(AsBytes(leaves[i]));
      hashes.push_back(PlainLeafHash(ToString(bundle.back())));
    }
    const auto differs = [&](const std::string& name, const std::string& expected) {
      const auto file = served.ReadLogFile(name);
      return file.ok() && *file != expected;
    };
    const std::string bundle_name =
        ledger::BundlePath({.index = index, .width = ledger::kTileWidth});
    if (differs(bundle_name, ledger::EncodeBundle(bundle))) return bundle_name;
    const std::string tile_name =
        ledger::TilePath({.level = 0, .index = index, .width = ledger::kTileWidth});
    if (differs(tile_name, ledger::EncodeTile(hashes))) return tile_name;
  }
  return "";
}

}  // namespace

std::string CheckServed(const node::Node& served, const node::Node& sound) {
  const auto theirs = served.Snapshot();
  const auto ours = sound.Snapshot();
  for (Height height(1); height <= sound.Status().executed; height = height.Next()) {
    const auto block = served.LoadBlock(height);
    const auto expected = sound.LoadBlock(height);
    if (!expected.ok()) return expected.status().ToString();
    if (block.ok() && (*block)->frame() != (*expected)->frame()) {
      return absl::StrCat("serves another block ", height.value());
    }
    const auto digest = theirs->StateDigest(height);
    if (digest.ok() && *digest != *ours->StateDigest(height)) {
      return absl::StrCat("serves another state digest at ", height.value());
    }
  }
  std::vector<std::string> leaves;
  std::string wrong = ReadLeaves(sound, &leaves);
  if (!wrong.empty()) return wrong;
  wrong = CheckLogFiles(served, leaves);
  return wrong.empty() ? "" : absl::StrCat("serves a wrong ", wrong);
}

namespace {

std::string CheckModels(const node::Node& node, size_t quorum, uint64_t* active_models) {
  const auto models = node.Snapshot()->ListModels(1000);
  if (!models.ok()) return models.status().ToString();
  std::map<std::pair<uint64_t, uint32_t>, Hash> said;
  for (const ledger::ModelInfo& model : *models) {
    const auto [first, is_new] =
        said.emplace(std::pair(model.period, model.event_type), model.digest);
    if (!is_new && first->second != model.digest) {
      return absl::StrCat("period ", model.period, " type ", model.event_type,
                          ": two validators trained different models");
    }
    if (!model.active) continue;
    ++*active_models;
    if (model.committed_by.size() < quorum) {
      return absl::StrCat("period ", model.period, " is active with ", model.committed_by.size());
    }
  }
  return "";
}

std::string CheckAlert(const node::Node& node, const ledger::AlertInfo& alert, size_t quorum) {
  const std::string what = absl::StrCat("alert ", alert.index.value());
  if (alert.state != ledger::AlertState::kConfirmed) {
    return absl::StrCat(what, " is ", ledger::AlertStateName(alert.state));
  }
  size_t confirmed = 0;
  for (const ledger::AlertVerdict& verdict : alert.verdicts) {
    if (verdict.verdict != 1) return absl::StrCat(what, " is disputed by ", verdict.validator);
    ++confirmed;
  }
  if (confirmed < quorum) return absl::StrCat(what, " has ", confirmed, " verdicts");
  const auto block = node.Snapshot()->BlockOfRecord(alert.event.record_index);
  if (!block.ok() || block->height >= alert.height) return absl::StrCat(what, ": no such event");
  return "";
}

}  // namespace

DetectionFindings CheckDetection(SimCluster* cluster, size_t quorum,
                                 const std::vector<bool>& damaged) {
  DetectionFindings findings;
  uint32_t first_up = 0;
  while (cluster->node(first_up) == nullptr) ++first_up;
  const node::Node& first = *cluster->node(first_up);
  findings.wrong = CheckModels(first, quorum, &findings.active_models);
  const auto alerts =
      first.Snapshot()->ListAlerts(RecordIndex(0), /*ascending=*/true, 100'000, std::nullopt);
  if (!alerts.ok()) findings.wrong = alerts.status().ToString();
  if (!findings.wrong.empty()) return findings;
  std::map<std::pair<ledger::EventRef, Hash>, RecordIndex> stands;
  for (const ledger::AlertInfo& alert : *alerts) {
    ++findings.alerts;
    if (!stands.emplace(std::pair(alert.event, alert.model_digest), alert.index).second) {
      findings.wrong = absl::StrCat("alert ", alert.index.value(), " stands twice");
    }
    if (findings.wrong.empty()) findings.wrong = CheckAlert(first, alert, quorum);
  }
  const auto is_damaged = [&](uint32_t i) { return !damaged.empty() && damaged[i]; };
  for (uint32_t i = first_up + 1; i < cluster->size() && findings.wrong.empty(); ++i) {
    if (cluster->node(i) == nullptr || is_damaged(first_up) || is_damaged(i)) continue;
    const auto own = cluster->node(i)->Status().models;
    const auto other = first.Status().models;
    for (size_t m = 0; m < std::min(own.size(), other.size()); ++m) {
      if (own[m].period == other[m].period && own[m].digest != other[m].digest) {
        findings.wrong = absl::StrCat("node ", i, " trained another model");
      }
    }
    if (own.size() != other.size()) findings.wrong = absl::StrCat("node ", i, " lacks models");
  }
  return findings;
}

}  // namespace vigil::sim
