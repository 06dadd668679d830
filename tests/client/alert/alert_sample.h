// A chain on which validators committed a model that was really trained, and evidence about alerts
// that cite it, rightly or not.
#ifndef VIGIL_TESTS_CLIENT_ALERT_ALERT_SAMPLE_H_
#define VIGIL_TESTS_CLIENT_ALERT_ALERT_SAMPLE_H_

#include <string>
#include <vector>

#include "client/alert/alert_case_report.h"
#include "ledger/evidence/evidence_writer.h"
#include "tests/ledger/proof/proof_sample.h"

namespace vigil::client {

// A model of flows, trained on ordinary ones.
const detector::Model& FlowModel();
std::string FlowModelFile();

class AlertSample {
 public:
  // The model of period 2 is `model_file`, stated with `threshold_q8`.
  explicit AlertSample(const std::string& model_file = FlowModelFile(),
                       uint32_t threshold_q8 = FlowModel().threshold_q8());

  // What FlowModel() gives for event 0 of ProofSample::kBatch.
  ledger::AlertBody RightAlert() const;
  // Puts the alert on the chain. REQUIRES: the chain takes it.
  RecordIndex Raise(const ledger::AlertBody& body, const std::string& validator = "globex/v1") {
    return chain_.CommitAlert(body, validator);
  }
  RecordIndex Commit(const ledger::RecordBody& body, const std::string& validator) {
    return chain_.CommitBody(body, validator);
  }
  // The alert's case with its event and these records; empty `model`: without one.
  std::string File(RecordIndex alert, const std::string& model,
                   const std::vector<RecordIndex>& others = {}, bool with_event = true);

  const ledger::ProofSample& chain() const { return chain_; }
  const ledger::Policy& policy() const { return chain_.policy(); }

 private:
  ledger::ProofSample chain_;
  RecordIndex activation_;
};

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_ALERT_ALERT_SAMPLE_H_
