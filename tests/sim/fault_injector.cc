#include "tests/sim/fault_injector.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vigil::sim {
namespace {

using ledger::CrashMode;
using ledger::DiskCall;
using ledger::DiskFault;

constexpr int64_t kRestartMicros = 300'000;  // Of the supervisor.
constexpr int64_t kOffMicrosMax = 500'000;   // A process on a dead disk.
constexpr int kFailedStartsMax = 6;
constexpr int kDeathsMax = 6;  // Of one node after healing.

void ListBelow(const ledger::FaultyFileSystem& disk, const std::string& folder,
               absl::string_view place, std::vector<std::string>* paths) {
  const auto names = disk.List(folder);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    const std::string path = absl::StrCat(folder, "/", name);
    if (!disk.Size(path).ok()) {
      ListBelow(disk, path, place, paths);
    } else if (absl::StrContains(path, place)) {
      paths->push_back(path);
    }
  }
}

bool Damages(const FaultEvent& event) {
  if (event.kind == FaultKind::kBitFlip) return true;
  return event.kind == FaultKind::kDiskFault && event.call == DiskCall::kWrite &&
         (event.fault == DiskFault::kBitFlip || event.fault == DiskFault::kMisdirected ||
          event.fault == DiskFault::kLostWrite);
}

}  // namespace

FaultInjector::FaultInjector(SimCluster* cluster, const Schedule* schedule, NoteFunction note)
    : cluster_(cluster),
      schedule_(schedule),
      note_(std::move(note)),
      nodes_(cluster->size()),
      dying_(cluster->size(), false),
      excused_(cluster->size(), false) {
  const size_t validators = cluster->test_network().genesis().validators.size();
  sets_.emplace_back();
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    if (i < validators) {
      sets_.back().push_back(i);
    } else {
      nodes_[i].spare = nodes_[i].down = true;
    }
  }
}

std::string FaultInjector::Step() {
  EndWhatIsOver();
  const std::vector<FaultEvent>& events = schedule_->events;
  while (!healed_ && next_event_ < events.size() && events[next_event_].at_micros <= now()) {
    Apply(events[next_event_++]);
  }
  std::string wrong;
  for (uint32_t i = 0; i < nodes_.size() && wrong.empty(); ++i) wrong = Supervise(i);
  UpdateFlags();
  return wrong;
}

void FaultInjector::UpdateFlags() {
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const NodeState& state = nodes_[i];
    const node::Node* node = cluster_->node(i);
    excused_[i] = state.struck || state.damaged;
    if (state.newcomer && !state.voted && node != nullptr) {
      const node::NodeStatus status = node->Status();
      nodes_[i].voted = !status.refusing && status.core.role != consensus::CoreRole::kNonVoter;
    }
    dying_[i] = node != nullptr && (!node->fatal().ok() || cluster_->disk(i).is_off());
  }
}

// Notices what became of an armed rule.
void FaultInjector::NoteFired(uint32_t i) {
  NodeState& state = nodes_[i];
  if (!state.armed || cluster_->disk(i).fired().empty()) return;
  state.armed = false;
  state.struck = true;
  Count(absl::StrCat("disk-fault ", DiskCallName(state.rule.call), " ",
                     DiskFaultName(state.rule.fault)));
  Note(i, absl::StrCat("node ", i, ": ", DiskFaultName(state.rule.fault), ": ",
                       cluster_->disk(i).fired()));
}

std::string FaultInjector::Supervise(uint32_t i) {
  NodeState& state = nodes_[i];
  if (state.spare) return "";
  NoteFired(i);
  const node::Node* node = cluster_->node(i);
  if (node == nullptr) {
    if (!state.down) {  // It could not be opened anew after it joined.
      state.down = true;
      state.up_at = now() + kRestartMicros;
    }
    return now() >= state.up_at ? StartAgain(i) : "";
  }
  if (cluster_->disk(i).is_off() && state.off_at == 0) state.off_at = now() + kOffMicrosMax;
  const bool off_for_long = state.off_at != 0 && now() >= state.off_at;
  if (node->fatal().ok() && !off_for_long) return "";
  if (!state.struck && !state.damaged) {
    return absl::StrCat("node ", i, " died of itself: ", node->fatal().ToString());
  }
  Count("ended by its disk");
  Note(i, absl::StrCat("node ", i, " ended by its disk: ", node->fatal().message()));
  if (healed_ && ++state.deaths > kDeathsMax) {
    return absl::StrCat("node ", i, " dies again and again: ", node->fatal().ToString());
  }
  const int64_t down = state.last_strike.for_micros;
  Crash(i, state.struck ? state.last_strike.mode : CrashMode::kProcessOnly,
        down > 0 ? down : kRestartMicros);
  return "";
}

std::string FaultInjector::StartAgain(uint32_t i) {
  NodeState& state = nodes_[i];
  if (state.rejoining && !Rejoin(i)) {
    state.up_at = now() + kRestartMicros;
    return ++state.failed_starts > kFailedStartsMax && healed_ ? "cannot join anew" : "";
  }
  const absl::Status status = cluster_->Start(i);
  NoteFired(i);
  const bool excused = state.struck || state.damaged;
  if (!status.ok()) {
    Note(i, absl::StrCat("node ", i, " does not start: ", status.message()));
    cluster_->Crash(i, CrashMode::kProcessOnly);
    state.armed = false;
    state.up_at = now() + kRestartMicros;
    Count("starts that failed");
    if (!excused) return absl::StrCat("node ", i, " does not start: ", status.ToString());
    if (healed_ && ++state.failed_starts > kFailedStartsMax) {
      return absl::StrCat("node ", i, " never starts: ", status.ToString());
    }
    return "";
  }
  state.down = false;
  state.failed_starts = 0;
  state.off_at = 0;
  if (state.full_until == 0 && !state.armed && !cluster_->disk(i).is_off()) state.struck = false;
  const node::NodeStatus now_status = cluster_->node(i)->Status();
  Note(i, absl::StrCat(
              "node ", i, " starts at height ", now_status.executed.value(),
              now_status.refusing ? absl::StrCat("; refuses: ", now_status.refusing_reason) : ""));
  if (now_status.refusing && !now_status.join.active) {
    Count("starts that refuse");
    if (!excused && !cluster_->IsRemoved(i)) {
      return absl::StrCat("node ", i, " refuses with a sound disk: ", now_status.refusing_reason);
    }
  }
  return "";
}

void FaultInjector::Crash(uint32_t i, CrashMode mode, int64_t for_micros) {
  NodeState& state = nodes_[i];
  NoteFired(i);
  cluster_->Crash(i, mode);
  state.armed = false;
  state.paused_until = 0;
  state.stalled_until = 0;
  state.off_at = 0;
  cluster_->SetFrozen(i, "");
  state.down = true;
  state.up_at = now() + for_micros;
}

void FaultInjector::EndWhatIsOver() {
  const auto over = [&](int64_t* until) {
    if (*until == 0 || (now() < *until && !healed_)) return false;
    *until = 0;
    return true;
  };
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    NodeState& state = nodes_[i];
    if (over(&state.paused_until)) cluster_->SetPaused(i, false);
    if (over(&state.stalled_until)) cluster_->SetFrozen(i, "");
    if (over(&state.full_until)) cluster_->disk(i).SetFull(false);
    if (over(&state.slow_until)) cluster_->network().SetSlow(i, 0);
  }
  for (auto it = cut_until_.begin(); it != cut_until_.end();) {
    if (!over(&it->second)) {
      ++it;
      continue;
    }
    cluster_->network().SetCut(it->first.first, it->first.second, false);
    it = cut_until_.erase(it);
  }
  const size_t before = network_.size();
  std::erase_if(network_, [&](const auto& entry) {
    return healed_ || now() >= entry.second.at_micros + entry.second.for_micros;
  });
  if (network_.size() != before) SetNetwork();
}

void FaultInjector::SetNetwork() {
  const auto amount = [&](FaultKind kind) {
    const auto found = network_.find(kind);
    return found == network_.end() ? 0 : found->second.amount;
  };
  NetworkFaults faults;
  faults.loss_permille = static_cast<uint32_t>(amount(FaultKind::kLoss));
  faults.repeat_permille = static_cast<uint32_t>(amount(FaultKind::kRepeat));
  faults.replay_permille = static_cast<uint32_t>(amount(FaultKind::kReplay));
  faults.delay_micros_max = std::max(faults.delay_micros_max, amount(FaultKind::kDelay));
  faults.reorder = network_.contains(FaultKind::kReorder);
  cluster_->network().SetFaults(faults);
}

void FaultInjector::Apply(const FaultEvent& event) {
  switch (event.kind) {
    case FaultKind::kLoss:
    case FaultKind::kRepeat:
    case FaultKind::kReplay:
    case FaultKind::kDelay:
    case FaultKind::kReorder:
    case FaultKind::kCut:
      return ApplyToNetwork(event);
    case FaultKind::kTearWrite:
    case FaultKind::kDiskFault:
    case FaultKind::kDiskFull:
      return Strike(event);
    case FaultKind::kBitFlip:
      return FlipBit(event);
    case FaultKind::kChangeSet:
      if (change_set_) change_set_(event);
      return;
    case FaultKind::kCrash:
    case FaultKind::kPowerLoss:
    case FaultKind::kPause:
    case FaultKind::kStall:
    case FaultKind::kSkew:
    case FaultKind::kSlow:
    case FaultKind::kRejoin:
      return ApplyToNode(event);
  }
}

void FaultInjector::ApplyToNetwork(const FaultEvent& event) {
  Count(std::string(FaultKindName(event.kind)));
  Note(kAll, WriteFaultEvent(event));
  if (event.kind == FaultKind::kCut) {
    if (event.node == event.to) return;
    int64_t& until = cut_until_[{event.node, event.to}];
    until = std::max(until, now() + event.for_micros);
    cluster_->network().SetCut(event.node, event.to, true);
    return;
  }
  FaultEvent begun = event;
  begun.at_micros = now();
  network_[event.kind] = begun;
  SetNetwork();
}

void FaultInjector::ApplyToNode(const FaultEvent& event) {
  const uint32_t i = event.node;
  NodeState& state = nodes_[i];
  if (state.spare && event.kind != FaultKind::kPowerLoss) return;
  if (event.kind == FaultKind::kPowerLoss) {
    for (uint32_t each = 0; each < nodes_.size(); ++each) {
      if (!nodes_[each].down) Crash(each, event.mode, event.for_micros);
    }
  } else if (event.kind == FaultKind::kSkew) {
    cluster_->clock_of(i).SetSkewMillis(event.amount);
  } else if (event.kind == FaultKind::kSlow) {
    cluster_->network().SetSlow(i, event.amount);
    state.slow_until = now() + event.for_micros;
  } else if (state.down) {
    return;
  } else if (event.kind == FaultKind::kCrash) {
    Crash(i, event.mode, event.for_micros);
  } else if (event.kind == FaultKind::kPause) {
    cluster_->SetPaused(i, true);
    state.paused_until = now() + event.for_micros;
  } else if (event.kind == FaultKind::kStall) {
    cluster_->SetFrozen(i, event.place);
    state.stalled_until = now() + event.for_micros;
  } else if (event.kind == FaultKind::kRejoin) {
    if (nodes_.size() == 1 || !MayDamage(i)) return;
    Crash(i, CrashMode::kProcessOnly, 0);
    state.rejoining = true;
  }
  Count(std::string(FaultKindName(event.kind)));
  Note(event.kind == FaultKind::kPowerLoss ? kAll : i, WriteFaultEvent(event));
}

// Whether one more node may lose what it synced; marks it.
bool FaultInjector::MayDamage(uint32_t i) {
  if (nodes_[i].damaged) return true;
  nodes_[i].damaged = true;
  for (const std::vector<uint32_t>& set : sets_) {
    if (!HoldsFor(set)) nodes_[i].damaged = false;
  }
  return nodes_[i].damaged;
}

bool FaultInjector::HoldsFor(const std::vector<uint32_t>& set) const {
  size_t lost = 0;
  size_t whole = 0;
  for (const uint32_t i : set) {
    const NodeState& state = nodes_[i];
    const bool new_here = state.spare || state.newcomer;
    lost += state.damaged || (new_here && !state.voted) ? 1 : 0;
    whole += state.damaged || new_here ? 0 : 1;
  }
  return lost <= (set.size() - 1) / 2 && whole > 0;
}

bool FaultInjector::MayBecome(const std::vector<uint32_t>& set) {
  if (!HoldsFor(set)) return false;
  sets_.push_back(set);
  return true;
}

bool FaultInjector::SetUp(uint32_t i, uint32_t from) {
  if (!cluster_->CopyEpochs(from, i).ok()) return false;
  cluster_->SetBeginning(i, node::Beginning::kJoin);
  NodeState& state = nodes_[i];
  state.spare = false;
  state.newcomer = true;
  state.up_at = now();
  Note(i, absl::StrCat("node ", i, " is set up with the epochs that node ", from, " knows"));
  return true;
}

void FaultInjector::Strike(const FaultEvent& event) {
  const uint32_t i = event.node;
  NodeState& state = nodes_[i];
  if (state.spare) return;
  ledger::FaultyFileSystem& disk = cluster_->disk(i);
  if (event.kind == FaultKind::kDiskFull) {
    Count("disk-full");
    disk.SetFull(true);
    state.full_until = now() + event.for_micros;
    state.struck = true;
    state.last_strike = event;
    state.last_strike.for_micros = 0;
    Note(i, WriteFaultEvent(event));
    return;
  }
  // While the process is down a rule waits for its next start.
  if (disk.is_off() || (state.down && event.kind == FaultKind::kTearWrite)) return;
  if (Damages(event) && !MayDamage(i)) return;
  NoteFired(i);
  state.last_strike = event;
  state.struck = true;
  if (event.kind == FaultKind::kTearWrite) {
    Count("tear-write");
    disk.CrashAt(disk.operation_count() + static_cast<uint64_t>(event.amount));
  } else {
    state.armed = true;
    state.rule = event;
    disk.FailWhen(
        {.call = event.call,
         .matches = [place = event.place](
                        const std::string& path) { return absl::StrContains(path, place); },
         .skip = static_cast<uint64_t>(event.amount),
         .fault = event.fault});
  }
  Note(i, WriteFaultEvent(event));
}

void FaultInjector::FlipBit(const FaultEvent& event) {
  ledger::FaultyFileSystem& disk = cluster_->disk(event.node);
  std::vector<std::string> paths;
  if (nodes_[event.node].spare) return;
  ListBelow(disk, "/vigil", event.place, &paths);
  uint64_t total = 0;
  for (const std::string& path : paths) total += disk.Size(path).value_or(0);
  if (total == 0 || !MayDamage(event.node)) return;
  uint64_t at = total * event.at_permille / 1000;
  for (const std::string& path : paths) {
    const uint64_t size = disk.Size(path).value_or(0);
    if (at >= size) {
      at -= size;
      continue;
    }
    if (!disk.FlipBit(path, at, static_cast<int>(event.amount)).ok()) return;
    Count("bit-flip");
    Note(event.node, absl::StrCat("node ", event.node, ": bit ", event.amount, " of ", path, " at ",
                                  at, " turned over"));
    return;
  }
}

std::string FaultInjector::Heal() {
  healed_ = true;
  Note(kAll, "everything is healed");
  EndWhatIsOver();
  cluster_->SetHurried(false);
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    NodeState& state = nodes_[i];
    if (state.spare) continue;
    NoteFired(i);
    const bool struck = state.struck || state.damaged || cluster_->disk(i).is_off();
    cluster_->disk(i).Disarm();
    state.last_strike.for_micros = 0;
    if (!state.down && struck) Crash(i, state.last_strike.mode, 0);
    state.up_at = now();
    std::string wrong = state.down ? StartAgain(i) : "";
    if (!wrong.empty()) return wrong;
  }
  UpdateFlags();
  return "";
}

std::string FaultInjector::AcceptTornTails(const std::vector<uint32_t>& members) {
  const auto cannot_vote = [&](uint32_t i) {
    node::Node* node = cluster_->node(i);
    return node == nullptr || node->Status().refusing ||
           node->Status().core.role == consensus::CoreRole::kNonVoter;
  };
  const size_t quorum = members.size() / 2 + 1;
  size_t voters = 0;
  for (const uint32_t i : members) voters += cannot_vote(i) ? 0 : 1;
  for (const uint32_t i : members) {
    if (voters >= quorum) break;
    if (nodes_[i].damaged || cluster_->node(i) == nullptr || !cannot_vote(i)) continue;
    if (nodes_[i].newcomer && !nodes_[i].voted) continue;
    Note(i, absl::StrCat("node ", i, " is told that its torn tail is no damage"));
    Count("torn tails accepted");
    Crash(i, CrashMode::kProcessOnly, 0);
    cluster_->config(i).accept_torn_tail = true;
    std::string wrong = StartAgain(i);
    cluster_->config(i).accept_torn_tail = false;
    if (!wrong.empty()) return wrong;
    ++voters;
  }
  return "";
}

bool FaultInjector::Rejoin(uint32_t i) {
  NodeState& state = nodes_[i];
  // An operator who wants it does not ask whether it is needed.
  const absl::StatusOr<std::string> kept = cluster_->Rejoin(i, /*even_if_sound=*/true);
  Note(i, absl::StrCat("node ", i, " joins anew: ", kept.ok() ? *kept : kept.status().ToString()));
  state.rejoining = !kept.ok();
  return kept.ok();
}

std::string FaultInjector::RejoinRefusing() {
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    node::Node* node = cluster_->node(i);
    if (node == nullptr || !node->fatal().ok() || cluster_->IsRemoved(i)) continue;
    const node::NodeStatus status = node->Status();
    if (!status.refusing || status.join.active) continue;
    if (!absl::StrContains(status.refusing_reason, ": vigild ")) {
      return absl::StrCat("node ", i, " refuses and names no command: ", status.refusing_reason);
    }
    Crash(i, CrashMode::kProcessOnly, 0);
    if (nodes_[i].damaged) {
      Count("refusing nodes brought back");
      nodes_[i].rejoining = true;
      continue;
    }
    // A read went wrong when it started; the command finds the journal sound and says so.
    Count("refusing nodes with sound journals");
    const absl::StatusOr<std::string> kept = cluster_->Rejoin(i, /*even_if_sound=*/false);
    if (!absl::IsFailedPrecondition(kept.status())) {
      return absl::StrCat("node ", i, " could give up its journal, which nobody damaged");
    }
  }
  return "";
}

std::map<std::string, uint64_t> FaultInjector::Counts() const {
  std::map<std::string, uint64_t> counts = counts_;
  const NetworkCounts network = cluster_->network().counts();
  counts["frames lost"] = network.lost;
  counts["frames repeated"] = network.repeated;
  counts["frames replayed"] = network.replayed;
  counts["frames overtaken"] = network.overtaken;
  counts["frames cut"] = network.cut;
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    counts["calls without space"] += cluster_->disk(i).refused_for_space();
  }
  return counts;
}

}  // namespace vigil::sim
