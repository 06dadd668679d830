// A chain with an alert on it, and evidence about it.
#ifndef VIGIL_TESTS_LEDGER_EVIDENCE_EVIDENCE_SAMPLE_H_
#define VIGIL_TESTS_LEDGER_EVIDENCE_EVIDENCE_SAMPLE_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ledger/evidence/evidence_writer.h"
#include "ledger/evidence/verify_evidence.h"
#include "tests/ledger/proof/proof_sample.h"

namespace vigil::ledger {

class EvidenceSample {
 public:
  EvidenceSample();

  const ProofSample& chain() const { return chain_; }
  const Policy& policy() const { return chain_.policy(); }
  std::string genesis_file() const { return WriteGenesis(chain_.network().genesis()); }

  // Records of the alert's case, in order of the log.
  RecordIndex activation;              // The commitment that made the model active.
  RecordIndex alert;                   // Of event 0 of ProofSample::kBatch.
  RecordIndex alert_of_other_leaf;     // Names event 0 and the leaf hash of event 1.
  RecordIndex first_word;              // An attestation; one is not enough.
  RecordIndex confirmation;            // The attestation that confirmed the alert.
  std::vector<RecordIndex> of_alert;   // All that evidence of the alert has, its batch included.
  std::vector<RecordIndex> of_stream;  // acme/fw-1 conn, every record.

  EvidenceWriter Writer(const EvidenceQuestion& question) const;
  void Add(RecordIndex record, const std::set<uint32_t>& items, EvidenceWriter* writer) const;
  // Every event of the batch.
  void AddWhole(RecordIndex record, EvidenceWriter* writer) const;

  std::string EventFile() const;
  std::string AlertFile() const;
  // Without these records, of the alert's case.
  std::string AlertFileWithout(const std::set<RecordIndex>& left_out) const;
  std::string StreamFile() const;

 private:
  RecordIndex NextIndex() const { return RecordIndex(chain_.leaves().size()); }
  RecordIndex CommitOne(const Record& record);

  ProofSample chain_;
};

const EvidenceSample& TheEvidence();

// Verdict and all facts in one line.
std::string OneLine(const EvidenceReport& report);

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_EVIDENCE_EVIDENCE_SAMPLE_H_
