// What an offline verification of a ledger found, and where.
#ifndef VIGIL_LEDGER_STATE_VERIFY_REPORT_H_
#define VIGIL_LEDGER_STATE_VERIFY_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/state/chain_reader.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

enum class FindingType : uint8_t {
  kJournalDamaged,    // A frame cannot be read: its checksum differs, or it ends early.
  kFrameMalformed,    // A sound frame does not hold a block header or commit mark.
  kMarkConflict,      // A commit mark names another block than the chain holds.
  kBlockMissing,      // No block with the hash that its child, mark or store entry names.
  kBlockAltered,      // A block that is not what its proposer signed.
  kBlockConflict,     // A second block of a committed height, in its view or after the commit.
  kBlockOutOfOrder,   // A block lies before its parent.
  kBlockInvalid,      // The header breaks a rule by itself, or the frame does.
  kBlockLink,         // The header does not continue its parent.
  kLeafAltered,       // The leaves are not those that the header commits to.
  kRecordInvalid,     // A record that is not canonical.
  kRecordSignature,   // A record that its author did not sign.
  kRecordKeyUnknown,  // A record by a key that is not enrolled.
  kPayloadAltered,    // A payload that is not what its batch commits to.
  kEventInvalid,      // An event that is not canonical.
  kStateDivergence,   // A header's state digest or results root is not what execution gives.
  kSnapshotDiffers,   // A header's snapshot digest is not that of the state at its height.
  kNotExecuted,       // From here on nothing could be executed again.
  kStoreUnreadable,   // The store gave an error or an undecodable value.
  kStoreMissing,      // The store lacks a key.
  kStoreExtra,        // The store has a key too many.
  kStoreDiffers,      // The store holds another value than execution gives.
  kStoreAhead,        // The store goes on where the journal ends.
  kEndMissing,        // The ledger ends before what is known of it from elsewhere.
  kPinDiffers,        // Another block stands where one is known from elsewhere.
};
// "block_missing".
absl::string_view FindingTypeName(FindingType type);

struct VerifyFinding {
  FindingType type = FindingType::kJournalDamaged;
  Height height;                            // 0: not known.
  Height last_height;                       // Of a range; otherwise equal to `height`.
  std::optional<RecordIndex> record;        // In the log.
  std::optional<ItemIndex> item;            // In the record's payload.
  std::optional<JournalPosition> position;  // Of the frame.
  std::string what;
};
// "block_missing at height 7, record 12, item 3, journal offset 4711: ..."
std::string DescribeFinding(const VerifyFinding& finding);

// Payloads of committed blocks that were pruned: not damage, and nothing is known of their bytes
// but that each event's hash is what its author signed.
struct PrunedPayloads {
  uint64_t payload_count = 0;
  uint64_t event_count = 0;
  uint64_t payload_bytes = 0;  // That they had, as their batches say.
  Height first_height;         // 0: none.
  Height last_height;
};

struct VerifyReport {
  uint64_t frame_count = 0;        // In the journal.
  uint64_t block_count = 0;        // Committed and read back.
  uint64_t superseded_count = 0;   // At committed heights, not committed.
  uint64_t uncommitted_count = 0;  // Above the committed height.
  uint64_t record_count = 0;
  uint64_t event_count = 0;
  uint64_t payload_bytes = 0;
  PrunedPayloads pruned;
  uint64_t signature_count = 0;  // Of records and proposers, verified.
  uint64_t store_key_count = 0;  // Compared.
  Height committed_height;       // As the journal's marks and the store's tip say.
  // Committed blocks by proposer: each is one validator's signature.
  std::map<ValidatorIndex, uint64_t> proposed;
  bool end_pinned = false;      // Something from elsewhere says that nothing was cut off the end.
  Tip tip;                      // After the last block that was executed again.
  bool store_compared = false;  // Every state key and value of the store was compared.
  bool stopped_early = false;   // At a finding, as asked.

  std::vector<VerifyFinding> findings;  // The first `findings_max`.
  uint64_t finding_count = 0;
  std::map<FindingType, uint64_t> counts;

  bool ok() const { return finding_count == 0; }
};

// Collects findings into a report, up to the caller's limits.
class FindingSink {
 public:
  // `report` must outlive the sink.
  FindingSink(VerifyReport* report, size_t findings_max, bool stop_at_first)
      : report_(report), findings_max_(findings_max), stop_at_first_(stop_at_first) {}

  void Add(VerifyFinding finding);
  // Whether to look no further.
  bool stop() const { return report_->stopped_early; }

 private:
  VerifyReport* const report_;
  const size_t findings_max_;
  const bool stop_at_first_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VERIFY_REPORT_H_
