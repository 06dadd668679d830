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
#include "ledger/state/base_frame.h"
#include "ledger/state/chain_reader.h"
#include "ledger/storage/joined_reader.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

enum class FindingType : uint8_t {
  kJournalDamaged,     // A frame cannot be read: its checksum differs, or it ends early.
  kFrameMalformed,     // A sound frame does not hold a block header or commit mark.
  kMarkConflict,       // A commit mark names another block than the chain holds.
  kBlockMissing,       // No block with the hash that its child, mark or store entry names.
  kBlockAltered,       // A block that is not what its proposer signed.
  kBlockConflict,      // A second block of a committed height, in its view or after the commit.
  kBlockOutOfOrder,    // A block lies before its parent.
  kBlockInvalid,       // The header breaks a rule by itself, or the frame does.
  kBlockLink,          // The header does not continue its parent.
  kLeafAltered,        // The leaves are not those that the header commits to.
  kRecordInvalid,      // A record that is not canonical.
  kRecordSignature,    // A record that its author did not sign.
  kRecordKeyUnknown,   // A record by a key that is not enrolled.
  kPayloadAltered,     // A payload that is not what its batch commits to.
  kEventInvalid,       // An event that is not canonical.
  kStateDivergence,    // A header's state digest or results root is not what execution gives.
  kSnapshotDiffers,    // A header's snapshot digest is not that of the state at its height.
  kNotExecuted,        // From here on nothing could be executed again.
  kStoreUnreadable,    // The store gave an error or an undecodable value.
  kStoreMissing,       // The store lacks a key.
  kStoreExtra,         // The store has a key too many.
  kStoreDiffers,       // The store holds another value than execution gives.
  kStoreAhead,         // The store goes on where the journal ends.
  kBaseDiffers,        // The journal's base frame is not what lies beside it.
  kCheckpointDiffers,  // The folder's checkpoint is not of this log, or no quorum cosigned it.
  kArchiveDiffers,     // An archive is not what its manifest says.
  kEndMissing,         // The ledger ends before what is known of it from elsewhere.
  kPinDiffers,         // Another block stands where one is known from elsewhere.
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

// Heights, both included.
struct HeightRange {
  Height first;
  Height last;
  bool operator==(const HeightRange&) const = default;
};

// What was found of the journal's last base frame; differences are findings.
struct BaseJudgement {
  BaseFrame frame;
  // Its block, seal and root were read from the files of the log; else why not.
  bool in_log = false;
  std::string not_in_log_reason;
  bool digest_in_snapshot = false;  // The snapshot that was begun at tells of its state digest.
  Height digest_signed_by;  // Lowest block above whose header carries its state digest; 0: none.
};

// The snapshot at which execution began.
struct SnapshotStart {
  Height height;
  Height carried_by;  // The block whose header carries its digest; 0: the base frame alone does.
};

// The checkpoint that lies beside the journal, which a quorum cosigned.
struct CheckpointJudgement {
  enum class State : uint8_t {
    kMatches,      // Its root is that of the leaves that were read.
    kContinues,    // It is proven to continue the log that was read, as an archive's manifest says.
    kBelowBase,    // The log's files prove that the base's tree continues it.
    kBeyondEnd,    // Its size lies in blocks of which the journal does not say they are committed.
    kNotCompared,  // The tree that it is of is not known here.
  };
  uint64_t size = 0;
  Hash root;
  std::vector<std::string> witnesses;  // Validators that cosigned, "org/name".
  State state = State::kNotCompared;
};
// "matches".
absl::string_view CheckpointStateName(CheckpointJudgement::State state);

// Offsets of the journal that are in none of the folders.
struct MissingOffsets {
  OffsetRange range;
  std::vector<std::string> files;  // Where a manifest says that they lie; may be empty.
  bool operator==(const MissingOffsets&) const = default;
};

// From the strongest to the weakest.
enum class VerifyVerdict : uint8_t {
  kVerified,          // Everything from genesis on.
  kVerifiedFromBase,  // Everything above a base; nothing below it is here.
  kVerifiedPartly,    // Everything that is here, and below the base more than one piece is missing.
  kDamaged,           // There are findings.
};
// "VERIFIED_FROM_BASE".
absl::string_view VerdictName(VerifyVerdict verdict);

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
  std::map<std::string, uint64_t> proposed;
  // Lawfully not here, because a base frame stands for them or an archive's manifest says where
  // they are; ascending.
  std::vector<HeightRange> missing;
  std::vector<MissingOffsets> missing_offsets;
  Height from_base;  // Nothing but the heights up to this base is missing; 0: another case.
  // Read and held against each other, not executed again: no snapshot at or below; ascending.
  std::vector<HeightRange> not_executed;
  std::optional<BaseJudgement> base;
  std::optional<SnapshotStart> snapshot;  // The last one, when there were several.
  std::optional<CheckpointJudgement> checkpoint;
  Height executed_height;   // Of the last block that was executed again; 0: none.
  bool tree_known = false;  // Whether tip.tree is the log's.
  bool end_pinned = false;  // Something from elsewhere says that nothing was cut off the end.
  // After the last block that was read, as far as known: its state digest and counts are those
  // after block `executed_height`.
  Tip tip;
  bool store_compared = false;  // Every state key and value of the store was compared.
  bool stopped_early = false;   // At a finding, as asked.

  std::vector<VerifyFinding> findings;  // The first `findings_max`.
  uint64_t finding_count = 0;
  std::map<FindingType, uint64_t> counts;

  bool ok() const { return finding_count == 0; }
  VerifyVerdict verdict() const;
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
