#include "ledger/proof/head.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/log/note.h"

namespace vigil::ledger {
namespace {

using Outcome = std::optional<Refusal>;

// Epochs that the note's lines name. It only says where to look: nothing here checks a line.
std::set<uint64_t> NamedEpochs(const Checkpoint& checkpoint, absl::string_view note) {
  std::set<uint64_t> named;
  const absl::StatusOr<SignedNote> decoded = DecodeNote(note);
  if (!decoded.ok()) return named;
  for (const NoteSignature& signature : decoded->signatures) {
    const std::optional<uint64_t> epoch = EpochOfCosigner(checkpoint.origin, signature.name);
    if (epoch.has_value()) named.insert(*epoch);
  }
  return named;
}

Refusal UnknownEpoch(uint64_t size, uint64_t epoch, absl::string_view known,
                     absl::string_view remedy) {
  return {ProofVerdict::kUnknownEpoch,
          absl::StrCat("checkpoint of ", size, " leaves is cosigned in epoch ", epoch, ", ", known,
                       ". ", remedy)};
}

Refusal ShortOfQuorum(const CheckpointVerdict& checked) {
  return {ProofVerdict::kQuorumShort,
          absl::StrCat("checkpoint of ", checked.checkpoint.size, " leaves: ", checked.missing,
                       ". Get a proof whose checkpoint is final")};
}

// By the policy of one epoch, or a policy alone.
Outcome CheckByPolicy(const Policy& policy, absl::string_view note, ProvenHead* head) {
  const absl::StatusOr<CheckpointVerdict> checked = CheckCheckpoint(policy, note);
  if (absl::IsInvalidArgument(checked.status())) {
    return Refusal{ProofVerdict::kMalformed,
                   absl::StrCat("checkpoint: ", checked.status().message(), ". Get the file anew")};
  }
  if (!checked.ok()) {
    return Refusal{
        ProofVerdict::kQuorumShort,
        absl::StrCat("checkpoint: ", checked.status().message(),
                     ". Do not trust this file, or check that the policy is of its log")};
  }
  if (!checked->quorum) return ShortOfQuorum(*checked);
  head->checkpoint = checked->checkpoint;
  for (const std::string& name : checked->witnesses) {
    head->witnesses.push_back({.name = name, .unix_seconds = checked->times.at(name)});
  }
  return std::nullopt;
}

// A policy alone: that a line names an epoch which it does not list explains why neither a log nor
// a quorum of it signed. A line of a listed key that does not verify explains itself.
Outcome CheckAlone(const Policy& policy, absl::string_view note, ProvenHead* head) {
  Outcome refusal = CheckByPolicy(policy, note, head);
  const absl::StatusOr<SignedCheckpoint> decoded = DecodeSignedCheckpoint(note);
  if (!refusal.has_value() || !decoded.ok()) return refusal;
  const Checkpoint& checkpoint = decoded->checkpoint;
  const std::set<uint64_t> listed = PolicyEpochs(policy, checkpoint.origin);
  if (listed.empty() || absl::IsDataLoss(CheckCheckpoint(policy, note).status())) return refusal;
  for (const uint64_t epoch : NamedEpochs(checkpoint, note)) {
    if (listed.contains(epoch)) continue;
    return UnknownEpoch(checkpoint.size, epoch,
                        absl::StrCat("the policy lists ", absl::StrJoin(listed, ", ")),
                        "Get the epoch chain, or the policy of that epoch from somebody you trust");
  }
  return refusal;
}

Refusal BeyondTheEnd(const PolicyEpoch& epoch, uint64_t size) {
  return {ProofVerdict::kKeyRevoked,
          absl::StrCat("checkpoint of ", size, " leaves is cosigned by the validators of epoch ",
                       epoch.number, ", which ended at ", *epoch.final_size,
                       ": their word does not count from there on. Do not trust this file, and "
                       "keep it: somebody uses keys of a replaced set")};
}

Outcome CheckByEpochs(const PolicyChain& policies, absl::string_view note, ProvenHead* head) {
  const absl::StatusOr<SignedCheckpoint> decoded = DecodeSignedCheckpoint(note);
  if (!decoded.ok()) return CheckByPolicy(policies.newest(), note, head);
  const Checkpoint& checkpoint = decoded->checkpoint;
  const std::set<uint64_t> named = NamedEpochs(checkpoint, note);
  Outcome short_of_quorum;
  Outcome unknown;
  Outcome beyond;
  for (auto number = named.rbegin(); number != named.rend(); ++number) {
    const PolicyEpoch* const epoch = policies.Find(*number);
    if (epoch == nullptr) {
      if (!unknown.has_value()) {
        unknown = UnknownEpoch(checkpoint.size, *number,
                               absl::StrCat("known are ", policies.NumbersText()),
                               "Get a newer epoch chain (`vigil log epochs`)");
      }
      continue;
    }
    ProvenHead proven;
    Outcome refusal = CheckByPolicy(epoch->policy, note, &proven);
    if (refusal.has_value()) {
      if (!short_of_quorum.has_value()) short_of_quorum = std::move(refusal);
      continue;
    }
    if (!epoch->final_size.has_value() || checkpoint.size <= *epoch->final_size) {
      *head = std::move(proven);
      head->epoch = epoch->number;
      return std::nullopt;
    }
    if (!beyond.has_value()) beyond = BeyondTheEnd(*epoch, checkpoint.size);
  }
  if (beyond.has_value()) return beyond;
  if (unknown.has_value()) return unknown;
  if (short_of_quorum.has_value()) return short_of_quorum;
  Outcome refusal = CheckByPolicy(policies.newest(), note, head);
  if (refusal.has_value()) return refusal;
  head->epoch = policies.epochs().back().number;
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> CheckHead(const PolicyChain& policies, absl::string_view note,
                                 ProvenHead* head) {
  if (policies.is_alone()) return CheckAlone(policies.newest(), note, head);
  return CheckByEpochs(policies, note, head);
}

const Policy& PolicyOfHead(const PolicyChain& policies, const ProvenHead& head) {
  const PolicyEpoch* const epoch = policies.Find(head.epoch);
  return epoch == nullptr ? policies.newest() : epoch->policy;
}

}  // namespace vigil::ledger
