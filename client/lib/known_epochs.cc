#include "client/lib/known_epochs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {

KnownEpochs::KnownEpochs(ledger::Policy pinned) : pinned_(pinned), policies_(std::move(pinned)) {}

absl::StatusOr<uint64_t> KnownEpochs::Append(absl::string_view part) {
  absl::StatusOr<std::vector<ledger::EpochAnchor>> more = ledger::DecodeEpochChain(AsBytes(part));
  if (!more.ok()) return absl::DataLossError(more.status().message());
  const uint64_t count = more->size();
  if (count == 0) return 0;
  std::vector<ledger::EpochAnchor> anchors = anchors_;
  for (ledger::EpochAnchor& anchor : *more) anchors.push_back(std::move(anchor));
  absl::StatusOr<ledger::PolicyChain> policies =
      ledger::PolicyChain::Walk(pinned_, AsBytes(ledger::EncodeEpochChain(anchors)));
  if (!policies.ok()) return absl::DataLossError(policies.status().message());
  anchors_ = std::move(anchors);
  policies_ = *std::move(policies);
  return count;
}

absl::Status KnownEpochs::Load(absl::string_view file) {
  KnownEpochs loaded(pinned_);
  RETURN_IF_ERROR(loaded.Append(file).status());
  // Cosignatures of one end may differ from file to file; what follows from them may not.
  const auto& old = policies_.epochs();
  const auto& now = loaded.policies_.epochs();
  for (size_t i = 1; i < std::min(old.size(), now.size()); ++i) {
    const bool same =
        old[i].policy == now[i].policy && old[i - 1].final_size == now[i - 1].final_size;
    if (same) continue;
    return absl::DataLossError(absl::StrCat(
        "two ends of epoch ", old[i - 1].number,
        " are signed by its quorum: keep both epoch chains, they are evidence of a fork"));
  }
  if (loaded.anchors_.size() <= anchors_.size()) return absl::OkStatus();
  anchors_ = std::move(loaded.anchors_);
  policies_ = std::move(loaded.policies_);
  return absl::OkStatus();
}

absl::Status KnownEpochs::Fetch(Client* client) {
  while (true) {
    v1::GetEpochChainRequest request;
    request.set_after_epoch(end_count());
    ASSIGN_OR_RETURN(const v1::EpochChain answer, client->GetEpochChain(request));
    ASSIGN_OR_RETURN(const uint64_t count, Append(answer.file()));
    if (count == 0) return absl::OkStatus();
  }
}

absl::StatusOr<CheckedProof> CheckProofFetching(Client* client, KnownEpochs* known,
                                                const v1::GetProofRequest& request,
                                                absl::string_view file) {
  absl::StatusOr<CheckedProof> checked = CheckProof(known->policies(), request, file);
  if (!absl::IsOutOfRange(checked.status())) return checked;
  RETURN_IF_ERROR(known->Fetch(client));
  return CheckProof(known->policies(), request, file);
}

}  // namespace vigil::client
