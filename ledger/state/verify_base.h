// What lies beside a journal, for VerifyLedger: is the base where the log's files say it is, and is
// the log the one of which a quorum cosigned a checkpoint?
#ifndef VIGIL_LEDGER_STATE_VERIFY_BASE_H_
#define VIGIL_LEDGER_STATE_VERIFY_BASE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/policy.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/log_folder.h"
#include "ledger/state/verify_journal.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/state/verify_report.h"

namespace vigil::ledger {

// Holds one base frame against what is known of its block from elsewhere.
class BaseCheck {
 public:
  // All must outlive the object.
  BaseCheck(const JournalBase* base, FindingSink* sink) : base_(*base), sink_(*sink) {}

  // Nothing that the base stands for lies where the journal goes on above it, and the journal has
  // what it says that it has.
  void AgainstJournal(const JournalReader& journal, const JournalIndex& index) const;
  // Root, seal and block, from the leaves and tiles of the log.
  void AgainstLog(const LogFolder& log, BaseJudgement* judgement) const;
  void AgainstStore(const ChainReader& store, absl::string_view whose) const;
  // `whose` tip says the same of that height.
  void AgainstTip(const Tip& tip, absl::string_view whose) const;
  void Report(std::string what) const;

 private:
  void Compare(absl::string_view what, absl::string_view got, absl::string_view expected,
               absl::string_view whose) const;
  void CompareSeal(ByteSpan leaf, absl::string_view whose) const;

  const JournalBase& base_;
  FindingSink& sink_;
};

// The tip of a chain that stands at `base`; its tree is empty.
Tip TipAtBase(const BaseFrame& base);

// Follows the tree past the size of the checkpoint that lies in the log's folder or, where there is
// none, in an archive.
class CheckpointWatch {
 public:
  // All must outlive the object. `log` may be null.
  CheckpointWatch(const Genesis* genesis, const LogFolder* log, const VerifyOptions* options,
                  VerifyReport* report, FindingSink* sink)
      : genesis_(*genesis), log_(log), options_(*options), report_(*report), sink_(*sink) {}

  // Reads the checkpoint and who signed it.
  void Open();
  // The tree of `tip` is known, and what is below it is not followed.
  void Begin(const Tip& tip);
  // The tree goes on up to `tip`.
  void Advance(const Tip& tip);
  // The committed chain ends here. `goes_on`: the journal holds more blocks than are committed.
  void End(const Tip& tip, bool goes_on);

 private:
  absl::StatusOr<CheckpointVerdict> CheckNewestEpoch(const std::string& note);
  bool Pending() const;
  void Judge(const Hash& root);
  void ProveContinued(const Tip& tip);
  void Report(FindingType type, std::string what);

  const Genesis& genesis_;
  Height end_;  // Of the epoch whose validators signed it; 0: none known.
  const LogFolder* const log_;
  const VerifyOptions& options_;
  std::string name_;
  bool is_archived_ = false;
  VerifyReport& report_;
  FindingSink& sink_;
  Height height_;  // The last one that was followed.
  uint64_t size_ = 0;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VERIFY_BASE_H_
