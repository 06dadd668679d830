// A record of an evidence file, proven, with the events of it that the file shows.
#ifndef VIGIL_LEDGER_EVIDENCE_SHOWN_RECORD_H_
#define VIGIL_LEDGER_EVIDENCE_SHOWN_RECORD_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/base/event_view.h"
#include "ledger/chain/record.h"
#include "ledger/proof/verify_proof.h"

namespace vigil::ledger {

struct ShownEvent {
  EventRef ref;
  Hash leaf_hash;
  absl::string_view bytes;  // Into the file.

  // REQUIRES: the event was verified.
  EventView Fields() const;
};

struct ShownRecord {
  ProofReport report;  // VERIFIED, of a record.
  std::string leaf;
  std::vector<ShownEvent> events;

  RecordIndex index() const { return report.record->index; }
  const std::string& signer() const { return report.result->signer; }
  // Views into `leaf`.
  RecordView Body() const;
};

// nullptr when `index` is not among them. REQUIRES: `records` ascend.
const ShownRecord* FindShown(const std::vector<ShownRecord>& records, RecordIndex index);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_SHOWN_RECORD_H_
