#include "node/driver/cosigner_key_actor.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/cosigner_keys.h"
#include "ledger/state/tables.h"

namespace vigil::node {
namespace {

constexpr int64_t kPauseMicros = 50'000;
constexpr int64_t kRetryMicros = 10'000'000;  // After an error of the disk.
constexpr int64_t kAnswerMicros = 5'000'000;  // A submission without an answer is made again.

}  // namespace

CosignerKeyActor::CosignerKeyActor(Ports ports)
    : ports_(std::move(ports)), has_old_(ports_.keyring->has_old()) {}

void CosignerKeyActor::Warn(absl::string_view what) {
  (*ports_.log)(LogLevel::kWarning, "cosigner-key", what);
}

absl::Status CosignerKeyActor::DestroyOld() {
  // The block that the epoch stands on is the old set's; a later one is final by the new set's
  // keys.
  if (!has_old_ || ports_.final_height() <= ports_.genesis->epoch_base) return absl::OkStatus();
  RETURN_IF_ERROR(ports_.keyring->DestroyOld());
  has_old_ = false;
  (*ports_.log)(LogLevel::kInfo, "cosigner-key",
                absl::StrCat("the cosigner key of the epoch before epoch ",
                             ports_.genesis->epoch.value(), " is destroyed"));
  return absl::OkStatus();
}

bool CosignerKeyActor::Step() {
  const int64_t now = ports_.clock->MonotonicMicros();
  if (now < next_micros_) return false;
  next_micros_ = now + kPauseMicros;
  const bool had_old = has_old_;
  absl::Status status = DestroyOld();
  absl::StatusOr<bool> announced = false;
  // The name that the next key's file needs is taken while there is an old one.
  if (status.ok() && !has_old_) {
    announced = Announce(now);
    status = announced.status();
  }
  if (status.ok()) return *announced || had_old != has_old_;
  Warn(absl::StrCat(status.message(), "; tried again in ", kRetryMicros / 1'000'000, " s"));
  next_micros_ = now + kRetryMicros;
  return false;
}

absl::StatusOr<bool> CosignerKeyActor::Announce(int64_t now) {
  if (answered_->exchange(false)) submitted_micros_ = 0;
  if (submitted_micros_ != 0 && now < submitted_micros_ + kAnswerMicros) return false;
  const ChainAccess::View view = ports_.chain->CurrentView();
  if (view.tip.height == looked_at_) return false;
  const ledger::StateBase& state = view.reader->state();
  ASSIGN_OR_RETURN(const bool wanted, ledger::WantsCosignerKeys(*ports_.genesis, state));
  if (!wanted) {
    looked_at_ = view.tip.height;
    return false;
  }
  const std::string identity = ports_.genesis->validators[ports_.self.value()].identity();
  ASSIGN_OR_RETURN(
      const std::optional<ledger::CosignerKeyRow> last,
      ledger::ReadRow<ledger::CosignerKeyRow>(state, ledger::CosignerKeyKey(identity)));
  ASSIGN_OR_RETURN(const ledger::SigningKey* const key, ports_.keyring->Next());
  const bool is_said = last.has_value() && last->key == key->public_key();
  const uint32_t number = last.has_value() ? last->number + 1 : 1;
  if (is_said || number > ledger::kCosignerKeyAnnouncementsMax) {
    looked_at_ = view.tip.height;
    return false;
  }
  Submit(number, *key, now);
  return true;
}

void CosignerKeyActor::Submit(uint32_t number, const ledger::SigningKey& key, int64_t now) {
  ledger::CosignerKeyBody body;
  body.epoch = ports_.genesis->epoch.value();
  body.number = number;
  body.cosigner_key = key.public_key();
  body.proof = key.Sign(AsBytes(ledger::CosignerKeyMessage(ports_.genesis->chain_id, body.epoch,
                                                           number, ports_.record_key->id())));
  submitted_micros_ = now;
  ledger::Record record{
      .leaf = ledger::SignRecord(body, ports_.genesis->chain_id, *ports_.record_key),
      .payload = ""};
  ports_.submit(std::move(record), [answered = answered_](const SubmitOutcome& /*outcome*/) {
    *answered = true;  // Whatever it says: the state tells what is to be done.
  });
}

}  // namespace vigil::node
