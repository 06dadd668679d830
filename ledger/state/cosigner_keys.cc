#include "ledger/state/cosigner_keys.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {
namespace {

uint32_t LastNumber(const StateView& view, absl::string_view identity) {
  const auto last = ReadRow<CosignerKeyRow>(view, CosignerKeyKey(identity));
  return last.has_value() ? last->number : 0;
}

// Another validator than `identity` announced it, or one of its ids.
bool IsAnothers(const StateView& view, absl::string_view identity, const PublicKey& key) {
  return std::ranges::any_of(AnnouncedIn(view), [&](const auto& announced) {
    return announced.first != identity && KeyIdOf(announced.second) == KeyIdOf(key);
  });
}

// Who signs `proof` has the private half.
bool IsProven(const Genesis& genesis, const KeyRow& signer, const CosignerKeyBody& body) {
  const std::string message =
      CosignerKeyMessage(genesis.chain_id, body.epoch, body.number, KeyIdOf(signer.key));
  return IsValidPublicKey(body.cosigner_key) &&
         VerifySignature(body.cosigner_key, AsBytes(message), body.proof);
}

}  // namespace

ResultCode ApplyCosignerKey(const RecordContext& context, const CosignerKeyBody& body) {
  StateView* const view = context.view;
  const Genesis& genesis = *context.genesis;
  const std::string& identity = context.signer->identity;
  if (body.epoch != genesis.epoch.value() || view->Get(ApprovedSetKey()).has_value()) {
    return ResultCode::kStale;
  }
  if (body.number != LastNumber(*view, identity) + 1) return ResultCode::kStale;
  if (!IsProven(genesis, *context.signer, body)) return ResultCode::kInvalid;
  if (!CheckFreshKey(genesis, body.cosigner_key).ok() ||
      IsAnothers(*view, identity, body.cosigner_key)) {
    return ResultCode::kConflict;
  }
  WriteRow(view, CosignerKeyKey(identity),
           CosignerKeyRow{
               .number = body.number, .key = body.cosigner_key, .record_index = context.index});
  return ResultCode::kOk;
}

absl::Status CheckCosignerKeyAdmissible(const Genesis& genesis, const StateView& view,
                                        const KeyRow& signer, const CosignerKeyBody& body) {
  if (body.epoch != genesis.epoch.value()) {
    return absl::AlreadyExistsError(absl::StrCat("the cosigner key was announced in epoch ",
                                                 body.epoch, ", the present one is ",
                                                 genesis.epoch.value()));
  }
  if (view.Get(ApprovedSetKey()).has_value()) {
    return absl::AlreadyExistsError("a set of validators is approved, and its cosigner keys are");
  }
  const uint32_t last = LastNumber(view, signer.identity);
  if (body.number <= last) {
    return absl::AlreadyExistsError(absl::StrCat(signer.identity, ": announcement ", body.number,
                                                 " of a cosigner key, the last one is ", last));
  }
  if (!IsProven(genesis, signer, body)) {
    return absl::InvalidArgumentError(absl::StrCat("cosigner key ", body.cosigner_key.ToHex(),
                                                   ": the proof is not by its private half"));
  }
  RETURN_IF_ERROR(CheckFreshKey(genesis, body.cosigner_key));
  if (!IsAnothers(view, signer.identity, body.cosigner_key)) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("cosigner key ", body.cosigner_key.ToHex(),
                                               " is announced by another validator"));
}

AnnouncedKeys AnnouncedIn(const StateView& view) {
  AnnouncedKeys announced;
  const std::string prefix = TablePrefix(Table::kCosignerKey);
  view.Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<std::string> identity = IdentityAtEnd(key, prefix.size());
    const absl::StatusOr<CosignerKeyRow> row = DecodeRow<CosignerKeyRow>(value);
    const absl::Status sound = identity.ok() ? row.status() : identity.status();
    if (sound.ok()) {
      announced.emplace(*std::move(identity), row->key);
    } else {
      view.Fail(sound);
    }
    return sound.ok();
  });
  return announced;
}

absl::StatusOr<bool> WantsCosignerKeys(const Genesis& genesis, const StateBase& state) {
  const StateView view(&state);
  bool wanted = genesis.validators.size() > 1 &&
                std::ranges::all_of(genesis.validators, [&](const GenesisValidator& validator) {
                  return validator.org == genesis.validators.front().org;
                });
  view.Scan(TablePrefix(Table::kOpenProposal), [&](absl::string_view, absl::string_view value) {
    const absl::StatusOr<IndexRow> open = DecodeRow<IndexRow>(value);
    if (!open.ok()) {
      view.Fail(open.status());
      return false;
    }
    const auto proposal = ReadRow<ProposalRow>(view, ProposalKey(open->index));
    wanted = wanted || (proposal.has_value() && !proposal->next_set.empty());
    return true;
  });
  const bool approved = view.Get(ApprovedSetKey()).has_value();
  RETURN_IF_ERROR(view.status());
  return wanted && !approved;
}

void ForgetAnnouncedKeys(StateView* view) {
  for (const auto& [identity, key] : AnnouncedIn(*view)) view->Delete(CosignerKeyKey(identity));
}

}  // namespace vigil::ledger
