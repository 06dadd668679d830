#include "tests/sim/set_changes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/chain/genesis.h"

namespace vigil::sim {
namespace {

constexpr int64_t kPatienceMicros = 3'000'000;    // With one node.
constexpr int64_t kGiveUpMicros = 90'000'000;     // Altogether.
constexpr uint64_t kBallotMicrosMax = 1'500'000;  // Until an admin looks at a proposal.
constexpr uint64_t kSetUpMicrosMax = 3'000'000;   // Until a newcomer is set up.
constexpr size_t kSetSizeMin = 2;

}  // namespace

SetChanges::SetChanges(SimCluster* cluster, FaultInjector* injector, SetWatch* watch, uint64_t seed,
                       FaultInjector::NoteFunction note)
    : cluster_(cluster),
      injector_(injector),
      watch_(watch),
      note_(std::move(note)),
      random_(seed) {}

std::optional<SetChanges::Present> SetChanges::FindPresent() const {
  std::optional<Present> present;
  for (uint32_t i = 0; i < cluster_->size(); ++i) {
    const node::Node* node = cluster_->node(i);
    if (node == nullptr || cluster_->IsRemoved(i)) continue;
    const ledger::Genesis& genesis = node->genesis();
    if (present.has_value() && genesis.epoch <= present->epoch) continue;
    present = Present{.epoch = genesis.epoch, .node = i, .set = {}};
    present->set.members = genesis.validators;
  }
  if (!present.has_value()) return present;
  for (const ledger::GenesisValidator& member : present->set.members) {
    present->set.nodes.push_back(cluster_->NodeOf(member));
  }
  return present;
}

std::optional<uint32_t> SetChanges::FindSpare() const {
  for (uint32_t i = 0; i < cluster_->size(); ++i) {
    if (injector_->spare(i) && !set_up_at_.contains(i)) return i;
  }
  return std::nullopt;
}

// What the event asks for; nullopt: it cannot be.
std::optional<SetWatch::Set> SetChanges::NextSet(const Present& present,
                                                 const FaultEvent& event) const {
  SetWatch::Set next = present.set;
  const size_t place = event.node % next.nodes.size();
  const auto offset = static_cast<ptrdiff_t>(place);
  if (event.place == "remove") {
    if (next.nodes.size() <= kSetSizeMin) return std::nullopt;
    next.members.erase(next.members.begin() + offset);
    next.nodes.erase(next.nodes.begin() + offset);
    return next;
  }
  const std::optional<uint32_t> spare = FindSpare();
  if (!spare.has_value()) return std::nullopt;
  ledger::GenesisValidator entry = cluster_->test_network().entry(*spare);
  if (event.place == "replace") {
    entry.name = next.members[place].name;
    entry.org = next.members[place].org;
    next.members[place] = entry;
    next.nodes[place] = *spare;
    return next;
  }
  if (next.nodes.size() >= ledger::kRaftValidatorsMax) return std::nullopt;
  // Anywhere, so that the others' numbers change, too.
  next.members.insert(next.members.begin() + offset, entry);
  next.nodes.insert(next.nodes.begin() + offset, *spare);
  return next;
}

void SetChanges::Propose(const FaultEvent& event) {
  const std::optional<Present> present = FindPresent();
  if (!present.has_value() || present->set.nodes.size() < kSetSizeMin) return;
  const std::optional<SetWatch::Set> next = NextSet(*present, event);
  if (!next.has_value() || !injector_->MayBecome(next->nodes)) {
    ++counts_["changes that may not be"];
    return;
  }
  const ledger::GenesisValidator& proposer =
      present->set.members[random_.Below(present->set.members.size())];
  Errand errand;
  errand.epoch = present->epoch;
  errand.against = static_cast<uint32_t>(event.amount);
  const auto& organisations = cluster_->test_network().genesis().organisations;
  for (uint32_t i = 0; i < organisations.size(); ++i) {
    if (organisations[i].id == proposer.org) errand.organisation = i;
  }
  errand.until_micros = now() + kGiveUpMicros;
  errand.record = cluster_->test_network().Propose(
      errand.organisation, present->epoch, next->members, absl::StrCat("change ", ++proposals_));
  watch_->OnProposal(errand.record.leaf, present->epoch.value(), *next, proposer.org);
  errands_.push_back(std::move(errand));
  ++counts_[absl::StrCat("sets proposed: ", event.place)];
  if (note_) {
    note_(FaultInjector::kAll, absl::StrCat(proposer.org, " proposes for epoch ",
                                            present->epoch.value(), ": ", WriteFaultEvent(event)));
  }
}

void SetChanges::Step() {
  NoteEpoch();
  SetUpNewcomers();
  std::vector<Errand> more;
  // What was meant for an epoch that is over has lapsed.
  std::erase_if(errands_, [&](Errand& errand) {
    return errand.epoch < newest_ || now() >= errand.until_micros || Run(&errand, &more);
  });
  for (Errand& errand : more) errands_.push_back(std::move(errand));
}

void SetChanges::NoteEpoch() {
  Epoch newest = newest_;
  for (uint32_t i = 0; i < cluster_->size(); ++i) {
    const node::Node* node = cluster_->node(i);
    if (node != nullptr && !cluster_->IsRemoved(i))
      newest = std::max(newest, node->genesis().epoch);
  }
  if (newest == newest_) return;
  newest_ = newest;
  const std::optional<Present> present = FindPresent();
  for (const uint32_t i : present->set.nodes) {
    if (!injector_->spare(i) || set_up_at_.contains(i)) continue;
    set_up_at_[i] = now() + static_cast<int64_t>(random_.Below(kSetUpMicrosMax));
  }
  if (note_) note_(FaultInjector::kAll, absl::StrCat("epoch ", newest_.value(), " has begun"));
}

// A newcomer is given what the node in the newest epoch has.
void SetChanges::SetUpNewcomers() {
  for (auto it = set_up_at_.begin(); it != set_up_at_.end();) {
    const bool due = now() >= it->second;
    const std::optional<Present> present = due ? FindPresent() : std::nullopt;
    if (!present.has_value() || present->epoch < newest_ ||
        !injector_->SetUp(it->first, present->node)) {
      ++it;
      continue;
    }
    ++counts_["newcomers set up"];
    it = set_up_at_.erase(it);
  }
}

bool SetChanges::Run(Errand* errand, std::vector<Errand>* more) {
  if (errand->answer != nullptr && errand->answer->has_value()) {
    const node::SubmitOutcome outcome = **errand->answer;
    errand->answer = nullptr;
    if (outcome.error.ok()) {
      const ledger::ResultCode result = outcome.receipt.result;
      if (result == ledger::ResultCode::kOk || result == ledger::ResultCode::kDuplicate) {
        OnAccepted(*errand, outcome.receipt.record_index, more);
      } else {
        ++counts_[absl::StrCat(errand->is_ballot ? "ballots: " : "proposals: ",
                               ledger::ResultCodeName(result))];
      }
      return true;
    }
    if (outcome.error.retry_after_millis == 0) {
      ++counts_[absl::StrCat(errand->is_ballot ? "ballots refused: " : "proposals refused: ",
                             outcome.error.code)];
      return true;
    }
    errand->next_try_micros =
        now() + int64_t{std::max<uint32_t>(outcome.error.retry_after_millis, 50)} * 1000;
  }
  if (now() < errand->next_try_micros) return false;
  const auto at = static_cast<uint32_t>(random_.Below(cluster_->size()));
  node::Node* node = cluster_->node(at);
  if (node == nullptr) {
    errand->next_try_micros = now() + 20'000;
    return false;
  }
  errand->answer = std::make_shared<std::optional<node::SubmitOutcome>>();
  errand->next_try_micros = now() + kPatienceMicros;
  node->Submit(errand->record, [answer = errand->answer](const node::SubmitOutcome& outcome) {
    *answer = outcome;
  });
  return false;
}

// The other organisations vote when they have heard of it.
void SetChanges::OnAccepted(const Errand& errand, RecordIndex index, std::vector<Errand>* more) {
  ++counts_[errand.is_ballot ? "ballots accepted" : "proposals accepted"];
  if (errand.is_ballot) return;
  const auto& organisations = cluster_->test_network().genesis().organisations;
  const std::optional<Present> present = FindPresent();
  if (!present.has_value() || present->epoch != errand.epoch) return;
  std::set<std::string> entitled;
  for (const ledger::GenesisValidator& member : present->set.members) entitled.insert(member.org);
  uint32_t against = errand.against;
  for (uint32_t i = 0; i < organisations.size(); ++i) {
    if (i == errand.organisation || !entitled.contains(organisations[i].id)) continue;
    const bool approves = against == 0;
    if (!approves) --against;
    Errand ballot;
    ballot.epoch = errand.epoch;
    ballot.is_ballot = true;
    ballot.organisation = i;
    ballot.next_try_micros = now() + static_cast<int64_t>(random_.Below(kBallotMicrosMax));
    ballot.until_micros = now() + kGiveUpMicros;
    ballot.record = cluster_->test_network().Ballot(i, index, approves);
    watch_->OnBallot(errand.record.leaf, organisations[i].id, approves);
    more->push_back(std::move(ballot));
  }
}

}  // namespace vigil::sim
