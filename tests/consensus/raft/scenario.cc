#include "tests/consensus/raft/scenario.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "tests/consensus/raft/narrate.h"

namespace vigil::consensus {
namespace {

constexpr size_t kDeliveriesMax = 10'000;

uint64_t Number(const std::string& word) {
  uint64_t value = 0;
  VIGIL_CHECK(absl::SimpleAtoi(word, &value), "not a number: ", word);
  return value;
}

ValidatorIndex Node(const std::string& word) {
  return ValidatorIndex(static_cast<uint32_t>(Number(word)));
}

}  // namespace

std::string Scenario::Play(absl::string_view script) {
  Scenario scenario;
  for (absl::string_view line : absl::StrSplit(script, '\n')) {
    if (absl::StartsWith(line, "----")) break;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (!line.empty()) scenario.Run(line);
  }
  return scenario.transcript_;
}

void Scenario::Run(absl::string_view line) {
  absl::StrAppend(&transcript_, "> ", line, "\n");
  const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  const std::string& command = words[0];
  if (command == "set") {
    Set(words.at(1), Number(words.at(2)));
  } else if (command == "nodes") {
    StartNodes(static_cast<uint32_t>(Number(words.at(1))));
  } else if (command == "campaign") {
    Campaign(Node(words.at(1)));
  } else if (command == "tick") {
    for (uint64_t i = 0; i < Number(words.at(1)); ++i) {
      for (uint32_t node = 0; node < hosts_.size(); ++node) {
        if (words.size() < 3 || Node(words[2]).value() == node) TickNode(ValidatorIndex(node));
      }
    }
  } else if (command == "propose") {
    Propose(Node(words.at(1)), words.size() > 2 ? static_cast<uint32_t>(Number(words[2])) : 100);
  } else if (command == "read") {
    StepNode(Node(words.at(1)), ReadRequest{Number(words.at(2))});
  } else if (command == "transfer") {
    StepNode(Node(words.at(1)), Transfer{Node(words.at(2))});
  } else if (command == "status") {
    ShowStatus();
  } else if (command == "quiet" || command == "loud") {
    quiet_ = command == "quiet";
  } else {
    VIGIL_CHECK(RunOnNetwork(words) || RunOnDisk(words) || RunOnEpoch(words) || RunForgery(words),
                "unknown command: ", line);
  }
}

bool Scenario::RunOnNetwork(const Words& words) {
  const std::string& command = words[0];
  if (command == "heal") {
    cut_.clear();
  } else if (command == "partition") {
    Partition(words);
  } else if (command == "deliver" && words.size() == 1) {
    DeliverAll();
  } else if (command == "deliver") {
    DeliverLink(Node(words.at(1)), Node(words.at(2)),
                words.size() > 3 ? Number(words[3]) : kDeliveriesMax);
  } else if (command == "drop" || command == "save") {
    const ValidatorIndex from = Node(words.at(1)), to = Node(words.at(2));
    std::deque<Envelope> kept;
    for (const Envelope& envelope : queue_) {
      const bool on_link = envelope.from == from && envelope.to == to;
      if (on_link && command == "save") saved_[{from, to}].push_back(envelope);
      if (!on_link || command == "save") kept.push_back(envelope);
    }
    queue_ = kept;
  } else if (command == "replay") {
    for (const Envelope& envelope : saved_[{Node(words.at(1)), Node(words.at(2))}]) {
      queue_.push_back(envelope);
    }
  } else {
    return false;
  }
  return true;
}

bool Scenario::RunOnDisk(const Words& words) {
  const std::string& command = words[0];
  if (command != "manual" && command != "auto" && command != "sync" && command != "crash" &&
      command != "restart" && command != "archive") {
    return false;
  }
  const ValidatorIndex node = Node(words.at(1));
  if (command == "archive") {
    const Recovered own = Host(node).OnDisk();
    StepNode(node, LogBegins{own.chain.at(Number(words.at(2)) - own.base.height.value() - 1)});
  } else if (command == "manual") {
    manual_.insert(node);
  } else if (command == "auto") {
    manual_.erase(node);
    Sync(node);
  } else if (command == "sync") {
    Sync(node);
  } else if (command == "crash") {
    if (words.size() > 4 && words[2] == "above") {
      const Recovered other = Host(Node(words[3])).OnDisk();
      Host(node).CrashLosingAll(other.chain.at(Number(words[4]) - other.base.height.value() - 1),
                                /*keeps_guard=*/true);
    } else if (words.size() > 2 && words[2] == "lost-group") {
      Host(node).CrashLosingLastGroup();
    } else {
      Host(node).Crash(0);
    }
  } else {
    Host(node).Start(++starts_);
    Say(absl::StrCat(node.value(), " starts: ", DescribeStatus(Host(node).core().Status())));
  }
  return true;
}

bool Scenario::RunOnEpoch(const Words& words) {
  const std::string& command = words[0];
  if (command == "seal") {
    Propose(Node(words.at(1)), /*size=*/100, /*seals=*/true);
  } else if (command == "epoch") {
    DefineEpoch(Epoch(Number(words.at(1))), static_cast<uint32_t>(Number(words.at(2))),
                Node(words.at(3)));
  } else if (command == "enter") {
    for (size_t i = 1; i < words.size(); ++i) Enter(Node(words[i]));
  } else if (command == "fetch") {
    Fetch(Node(words.at(1)), Node(words.at(2)));
  } else {
    return false;
  }
  return true;
}

void Scenario::DefineEpoch(Epoch epoch, uint32_t count, ValidatorIndex sealed) {
  config_.epoch = epoch;
  config_.epoch_base = *Host(sealed).core().Status().sealing;
  config_.validator_count = count;
  for (uint32_t node = static_cast<uint32_t>(hosts_.size()); node < count; ++node) {
    config_.self = ValidatorIndex(node);
    hosts_.push_back(std::make_unique<TestHost>(config_));
  }
  Say(absl::StrCat("epoch ", epoch.value(), " begins above ", DescribeBlock(config_.epoch_base)));
}

void Scenario::Enter(ValidatorIndex node) {
  config_.self = node;
  Host(node).EndEpoch(config_, Host(node).unsynced_count());
  Host(node).Start(++starts_);
  Say(absl::StrCat(node.value(), " enters: ", DescribeStatus(Host(node).core().Status())));
}

void Scenario::Fetch(ValidatorIndex node, ValidatorIndex from) {
  std::vector<ledger::BlockPtr> chain;
  for (const BlockId& block : Host(from).OnDisk().chain) {
    if (block.height <= config_.epoch_base.height) chain.push_back(Host(from).Body(block.hash));
  }
  Host(node).Crash(0);
  Host(node).Graft(chain);
  Host(node).Start(++starts_);
  Say(absl::StrCat(node.value(), " starts: ", DescribeStatus(Host(node).core().Status())));
}

bool Scenario::RunForgery(const Words& words) {
  const std::string& command = words[0];
  if (command != "claim" && command != "forge" && command != "conflict" && command != "garbage" &&
      command != "above") {
    return false;
  }
  const ValidatorIndex from = Node(words.at(1)), to = Node(words.at(2));
  const CoreStatus status = Host(to).core().Status();
  if (command == "claim") {
    Claim(from, to, words.size() > 3 ? View(Number(words[3])) : status.view);
  } else if (command == "forge") {
    Forge(from, to, status.last.height);
  } else if (command == "conflict") {
    Forge(from, to, status.committed.height);
  } else if (command == "above") {
    ForgeAbove(from, to, words.at(3));
  } else {
    queue_.push_back(Envelope{from, to, PeerMessage{from, "no message", {}}});
  }
  return true;
}

void Scenario::Set(const std::string& key, uint64_t value) {
  const uint32_t small = static_cast<uint32_t>(value);
  if (key == "blocks-in-flight") {
    config_.blocks_in_flight_max = small;
  } else if (key == "bytes-in-flight") {
    config_.bytes_in_flight_max = value;
  } else if (key == "peer-bytes") {
    config_.peer_bytes_in_flight_max = value;
  } else if (key == "peer-messages") {
    config_.peer_messages_in_flight_max = small;
  } else if (key == "message-bytes") {
    config_.message_bytes_max = value;
  } else if (key == "message-blocks") {
    config_.message_blocks_max = small;
  } else if (key == "election-delay") {
    config_.election_delay_ticks = small;
  } else if (key == "reads-outstanding") {
    config_.reads_outstanding_max = small;
  } else {
    VIGIL_CHECK(false, "unknown setting ", key);
  }
}

void Scenario::StartNodes(uint32_t count) {
  config_.genesis_hash = BlockMaker::GenesisHash();
  config_.validator_count = count;
  maker_ = std::make_unique<BlockMaker>(kRaftValidatorsMax);
  for (uint32_t node = 0; node < count; ++node) {
    config_.self = ValidatorIndex(node);
    hosts_.push_back(std::make_unique<TestHost>(config_));
    hosts_.back()->Start(++starts_);
  }
}

void Scenario::Campaign(ValidatorIndex node) {
  const uint32_t ticks_max = config_.election_timeout_ticks_max + config_.election_delay_ticks + 1;
  for (uint32_t i = 0; i < ticks_max; ++i) {
    const CoreStatus before = Host(node).core().Status();
    TickNode(node);
    const CoreStatus after = Host(node).core().Status();
    if (after.role != before.role || after.view != before.view) return;
  }
  Say(absl::StrCat(node.value(), " does not campaign"));
}

void Scenario::TickNode(ValidatorIndex node) {
  if (Host(node).up()) StepNode(node, Tick{});
}

void Scenario::Propose(ValidatorIndex node, uint32_t size, bool seals) {
  const std::optional<AskBuild> ask = Host(node).ask();
  if (!ask.has_value()) {
    Say(absl::StrCat(node.value(), " asks for no block"));
    return;
  }
  const Epoch epoch = Host(node).config().epoch;
  StepNode(node, BlockBuilt{maker_->MakeIn(epoch, seals || ask->closing, ask->parent, ask->view,
                                           node, ask->empty ? 0 : size)});
}

void Scenario::DeliverAll() {
  size_t delivered = 0;
  while (!queue_.empty()) {
    VIGIL_CHECK(++delivered < kDeliveriesMax, "messages without end");
    const Envelope envelope = queue_.front();
    queue_.pop_front();
    Deliver(envelope);
  }
}

void Scenario::DeliverLink(ValidatorIndex from, ValidatorIndex to, size_t count) {
  std::vector<Envelope> due;
  std::deque<Envelope> kept;
  for (const Envelope& envelope : queue_) {
    const bool on_link = envelope.from == from && envelope.to == to;
    if (on_link && due.size() < count) {
      due.push_back(envelope);
    } else {
      kept.push_back(envelope);
    }
  }
  queue_ = kept;
  for (const Envelope& envelope : due) Deliver(envelope);
}

void Scenario::Deliver(const Envelope& envelope) {
  const std::string what =
      absl::StrCat(envelope.from.value(), " -> ", envelope.to.value(), " ",
                   DescribeMessage(envelope.message.header, envelope.message.blocks.size()));
  if (!Host(envelope.to).up() || cut_.count({envelope.from, envelope.to}) > 0) {
    Say(absl::StrCat(what, " (lost)"));
    return;
  }
  Say(what);
  StepNode(envelope.to, envelope.message);
}

void Scenario::Partition(const Words& words) {
  std::set<ValidatorIndex> left, right;
  bool behind_bar = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "|") {
      behind_bar = true;
    } else {
      (behind_bar ? right : left).insert(Node(words[i]));
    }
  }
  for (const ValidatorIndex a : left) {
    for (const ValidatorIndex b : right) {
      cut_.insert({a, b});
      cut_.insert({b, a});
    }
  }
}

void Scenario::Sync(ValidatorIndex node) {
  if (!Host(node).up() || !Host(node).has_unsynced()) return;
  Send(node, Host(node).TakeSynced());
  StepNode(node, DurableUpTo{Host(node).sequence()});
}

void Scenario::Claim(ValidatorIndex from, ValidatorIndex to, View term) {
  RaftAppend append;
  append.round = 1;
  append.previous = Host(to).core().Status().committed;
  append.committed = append.previous.height;
  Inject(from, to, term, append, {});
}

void Scenario::Forge(ValidatorIndex from, ValidatorIndex to, Height height) {
  const Recovered recovered = RecoverFrom(Host(to).SyncedRecords());
  BlockId parent{Height(0), View(0), config_.genesis_hash};
  if (height > Height(1)) parent = recovered.chain[height.value() - 2];
  const BlockId target = recovered.chain[height.value() - 1];
  RaftAppend append;
  append.round = 1;
  append.previous = parent;
  append.committed = parent.height;
  append.block_count = 1;
  Inject(from, to, Host(to).core().Status().view, append,
         {maker_->Make(parent, target.view, from, /*size=*/1)});
}

void Scenario::ForgeAbove(ValidatorIndex from, ValidatorIndex to, const std::string& what) {
  const CoreStatus status = Host(to).core().Status();
  const Epoch epoch(status.epoch.value() + (what == "next" ? 1 : 0));
  const bool seals = what == "closing" || what == "records";
  VIGIL_CHECK(seals || what == "plain" || what == "next", "unknown block ", what);
  RaftAppend append;
  append.round = 1;
  append.previous = status.last;
  append.committed = status.committed.height;
  append.block_count = 1;
  Inject(from, to, status.view, append,
         {maker_->MakeIn(epoch, seals, status.last, status.view, from, what == "records" ? 1 : 0)});
}

void Scenario::Inject(ValidatorIndex from, ValidatorIndex to, View term, const RaftAppend& append,
                      const std::vector<ledger::BlockPtr>& blocks) {
  RaftMessage message;
  message.epoch = Host(to).config().epoch;
  message.term = term;
  message.body = append;
  queue_.push_back(Envelope{from, to, PeerMessage{from, EncodeRaftMessage(message), blocks}});
}

void Scenario::ShowStatus() {
  for (uint32_t i = 0; i < hosts_.size(); ++i) {
    const std::string text = hosts_[i]->up() ? DescribeStatus(hosts_[i]->core().Status()) : "down";
    absl::StrAppend(&transcript_, "  ", i, " is ", text, "\n");
  }
}

void Scenario::StepNode(ValidatorIndex node, const Input& input) {
  TestHost& host = Host(node);
  const CoreStatus before = host.core().Status();
  const Output output = host.Step(input);
  Narrate(node, output, before);
  Send(node, output.send_now);
  if (manual_.count(node) == 0 && output.must_sync) Sync(node);
  // The empty block at the start of a term is built at once.
  if (host.ask().has_value() && host.ask()->empty) Propose(node, 0);
}

void Scenario::Send(ValidatorIndex from, const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    queue_.push_back(
        Envelope{from, message.to, PeerMessage{from, message.header, Host(from).Bodies(message)}});
  }
}

void Scenario::Narrate(ValidatorIndex node, const Output& output, const CoreStatus& before) {
  const std::string self = absl::StrCat(node.value());
  const CoreStatus after = Host(node).core().Status();
  if (after.role != before.role || after.view != before.view) {
    Say(absl::StrCat(self, " is ", CoreRoleName(after.role), " in term ", after.view.value()));
  }
  if (after.transfer_to != before.transfer_to && after.role == CoreRole::kLeader) {
    Say(after.transfer_to.has_value()
            ? absl::StrCat(self, " hands over to ", after.transfer_to->value())
            : absl::StrCat(self, " gives up handing over"));
  }
  if (!output.append.empty()) {
    Say(absl::StrCat(self, output.must_sync ? " syncs " : " writes ",
                     DescribeAppends(output.append)));
  }
  if (manual_.count(node) > 0) {
    for (const Message& message : output.send_when_durable) {
      Say(absl::StrCat(self, " holds back for ", message.to.value(), ": ",
                       DescribeMessage(message.header, message.bodies.size())));
    }
  }
  for (const Committed& committed : output.committed) {
    Say(absl::StrCat(self, " commits ", DescribeBlock(committed.block)));
  }
  for (const Ask& ask : output.asks) {
    if (const auto* build = std::get_if<AskBuild>(&ask)) {
      const absl::string_view kind = build->closing ? "a closing block"
                                     : build->empty ? "an empty block"
                                                    : "a block";
      Say(absl::StrCat(self, " asks for ", kind, " on ", DescribeBlock(build->parent), " in term ",
                       build->view.value()));
    } else if (const auto* install = std::get_if<AskInstallSnapshot>(&ask)) {
      Say(absl::StrCat(self, " asks to join anew by a snapshot of ", install->height.value(),
                       " or above"));
    } else {
      Say(absl::StrCat(self, " asks for no block any more"));
    }
  }
  for (const ReadReady& read : output.reads_ready) {
    Say(read.height == Height(0) ? absl::StrCat(self, " must ask read ", read.read_id, " again")
                                 : absl::StrCat(self, " may answer read ", read.read_id,
                                                " from height ", read.height.value()));
  }
  for (const FaultProof& fault : output.fault_proofs) {
    Say(absl::StrCat(self, " ALARM: ", fault.what));
  }
}

void Scenario::Say(const std::string& line) {
  if (!quiet_) absl::StrAppend(&transcript_, "  ", line, "\n");
}

}  // namespace vigil::consensus
