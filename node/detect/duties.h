// What this validator still owes the chain: alerts to propose, alerts to judge, models to commit.
//
// A duty is kept until the chain shows it done, so nothing is lost over a restart and nothing is
// done twice: whoever goes on first asks the chain. Pure; belongs to one thread.
#ifndef VIGIL_NODE_DETECT_DUTIES_H_
#define VIGIL_NODE_DETECT_DUTIES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/record.h"

namespace vigil::node {

// Heights that the next validator in order waits before it proposes an alert that is not there.
inline constexpr uint64_t kProposerPatienceHeights = 4;
// Heights after which an alert whose model never came is not judged any more.
inline constexpr uint64_t kJudgePatienceHeights = 256;
// While this many proposals are due, or judgements wait, no further block is taken: the detector
// falls behind and catches up, and no duty is dropped.
inline constexpr size_t kDutiesMax = 4096;

// This validator's place in the order of proposers of an alert: validators sorted by
// SHA-256(block hash | u64 record | u32 item | u32 validator).
uint32_t ProposerRank(const Hash& block_hash, const ledger::EventRef& event, ValidatorIndex self,
                      uint32_t validator_count);

// When something may be tried; not stored.
struct Attempt {
  bool under_way = false;
  int64_t not_before_micros = 0;
};

struct ProposeDuty {
  Height height;  // Of the block with the event.
  Height due;     // Propose when this is executed and no alert stands.
  uint32_t event_type = 0;
  uint64_t period = 0;
  uint32_t rule = 0;  // 0: a model found it.
  Attempt attempt;
};
struct ProposeKey {
  ledger::EventRef event;
  Hash model_digest;  // Or the rule's digest.
  auto operator<=>(const ProposeKey&) const = default;
};
struct JudgeDuty {
  Height height;  // Of the block with the alert, or with which its epoch began, if that is later.
  Attempt attempt;
};
// To record what is wrong with a contested alert.
struct AccuseDuty {
  Height height;  // Of the block that contested it.
  Height due;     // Record it when this is executed and nobody did.
  Attempt attempt;
};
struct CommitDuty {
  Height window_end;
  Hash model_digest;
  Hash window_digest;
  uint32_t row_count = 0;
  uint32_t threshold_q8 = 0;
  uint64_t event_count = 0;
  uint64_t drift_period = 0;
  std::vector<ledger::DriftedFeature> drifted;
  Attempt attempt;
};
struct CommitKey {
  uint64_t period = 0;
  uint32_t event_type = 0;
  auto operator<=>(const CommitKey&) const = default;
};

struct Duties {
  std::map<ProposeKey, ProposeDuty> proposals;
  std::map<RecordIndex, JudgeDuty> judgements;  // By index of the alert.
  std::map<CommitKey, CommitDuty> commitments;
  std::map<RecordIndex, AccuseDuty> accusations;  // By index of the alert.

  size_t size() const {
    return proposals.size() + judgements.size() + commitments.size() + accusations.size();
  }

  // Whether kDutiesMax is reached for a validator that took the blocks up to `height`.
  bool IsFull(Height height) const;
  // u16 format | per sort: u32 count | entries, numbers big-endian.
  std::string Encode() const;
  // Nothing for bytes that Encode() does not make.
  static std::optional<Duties> Decode(absl::string_view bytes);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_DUTIES_H_
