#include "ledger/proof/head.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "ledger/log/note.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

std::optional<uint64_t> EpochOfName(absl::string_view origin, absl::string_view name) {
  if (!absl::ConsumePrefix(&name, origin) || !absl::ConsumePrefix(&name, "/v/")) {
    return std::nullopt;
  }
  const size_t slash = name.rfind('/');
  if (slash == absl::string_view::npos) return std::nullopt;
  const absl::StatusOr<uint64_t> epoch =
      DecodeDecimal(name.substr(slash + 1), std::numeric_limits<uint64_t>::max());
  if (!epoch.ok()) return std::nullopt;
  return *epoch;
}

// An epoch that the note's lines name and the policy does not list. It only explains a missing
// quorum: such a line is of a key that nobody here can check.
std::optional<uint64_t> UnlistedEpoch(const Policy& policy, const Checkpoint& checkpoint,
                                      absl::string_view note) {
  const std::set<uint64_t> listed = PolicyEpochs(policy, checkpoint.origin);
  const absl::StatusOr<SignedNote> decoded = DecodeNote(note);
  if (listed.empty() || !decoded.ok()) return std::nullopt;
  for (const NoteSignature& signature : decoded->signatures) {
    const std::optional<uint64_t> epoch = EpochOfName(checkpoint.origin, signature.name);
    if (epoch.has_value() && !listed.contains(*epoch)) return epoch;
  }
  return std::nullopt;
}

Refusal ShortOfQuorum(const Policy& policy, const CheckpointVerdict& checked,
                      absl::string_view note) {
  const std::optional<uint64_t> epoch = UnlistedEpoch(policy, checked.checkpoint, note);
  if (!epoch.has_value()) {
    return {ProofVerdict::kQuorumShort,
            absl::StrCat("checkpoint of ", checked.checkpoint.size, " leaves: ", checked.missing,
                         ". Get a proof whose checkpoint is final")};
  }
  return {ProofVerdict::kUnknownEpoch,
          absl::StrCat("checkpoint of ", checked.checkpoint.size, " leaves is cosigned in epoch ",
                       *epoch, ", the policy lists ",
                       absl::StrJoin(PolicyEpochs(policy, checked.checkpoint.origin), ", "),
                       ". Get the policy of that epoch from somebody you trust")};
}

}  // namespace

std::optional<Refusal> CheckHead(const Policy& policy, absl::string_view note, ProvenHead* head) {
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
  if (!checked->quorum) return ShortOfQuorum(policy, *checked, note);
  head->checkpoint = checked->checkpoint;
  for (const std::string& name : checked->witnesses) {
    head->witnesses.push_back({.name = name, .unix_seconds = checked->times.at(name)});
  }
  return std::nullopt;
}

std::set<uint64_t> PolicyEpochs(const Policy& policy, absl::string_view origin) {
  std::set<uint64_t> epochs;
  for (const PolicyWitness& witness : policy.witnesses) {
    const std::optional<uint64_t> epoch = EpochOfName(origin, witness.key.name);
    if (epoch.has_value()) epochs.insert(*epoch);
  }
  return epochs;
}

}  // namespace vigil::ledger
