// Puts an evidence file together from proof files and payloads, as they come.
#ifndef VIGIL_LEDGER_EVIDENCE_EVIDENCE_WRITER_H_
#define VIGIL_LEDGER_EVIDENCE_EVIDENCE_WRITER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/evidence/evidence_file.h"

namespace vigil::ledger {

class EvidenceWriter {
 public:
  // `checkpoint`: the signed note under which every proof is made. `genesis`: the genesis file.
  // `bytes_max`: of the file; at most kEvidenceBytesMax.
  EvidenceWriter(EvidenceQuestion question, std::string checkpoint, std::string genesis,
                 size_t bytes_max = kEvidenceBytesMax);

  bool Has(RecordIndex index) const { return parts_.contains(index); }
  // `file`: the proof file of the record. Errors: kInvalidArgument when it hangs off another
  // checkpoint or is of another record; kResourceExhausted above the limits of a file.
  absl::Status AddRecord(RecordIndex index, absl::string_view file);
  // Shows these items of the batch `index`, whose payload this is; together with those shown
  // before. REQUIRES: Has(index).
  // Errors: kInvalidArgument on a payload that is none; kNotFound for an item beyond it;
  // kResourceExhausted as above. After an error nothing of it is shown.
  absl::Status AddEvents(RecordIndex index, ByteSpan payload, const std::set<uint32_t>& items);
  // The model that the alert rests on, or the file of its rule. Errors: kInvalidArgument: no bytes;
  // kResourceExhausted.
  absl::Status AddModel(std::string model);
  // The epoch chain up to the checkpoint's epoch. Errors: as above.
  absl::Status AddEpochs(std::string epochs);
  // Size of the file that Finish() makes.
  size_t bytes() const { return bytes_; }

  std::string Finish() const;

 private:
  struct Part {
    std::string proof;
    std::map<uint32_t, std::string> events;
    std::vector<Hash> leaves;  // Of all events of the batch; empty before AddEvents().
    size_t event_bytes = 0;    // That `events` and their paths take of the file.

    bool shows_all() const { return events.size() == leaves.size(); }
  };

  // Whether a file of `bytes` bytes and `parts` records is one.
  absl::Status CheckLimits(size_t bytes, size_t parts) const;

  const EvidenceQuestion question_;
  const std::string checkpoint_;
  const std::string genesis_;
  const size_t bytes_max_;
  std::map<RecordIndex, Part> parts_;
  std::string model_;
  std::string epochs_;
  size_t bytes_ = 0;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_EVIDENCE_WRITER_H_
