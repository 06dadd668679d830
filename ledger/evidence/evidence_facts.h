// What a report on evidence says, as lines "name: value" that people and scripts read
// (docs/formats/evidence.md, Facts).
#ifndef VIGIL_LEDGER_EVIDENCE_EVIDENCE_FACTS_H_
#define VIGIL_LEDGER_EVIDENCE_EVIDENCE_FACTS_H_

#include <vector>

#include "ledger/evidence/verify_evidence.h"
#include "ledger/proof/facts.h"

namespace vigil::ledger {

// In the order in which they are proven. Bytes of others' text that are not visible ASCII are
// written \xNN.
std::vector<ProofFact> EvidenceFacts(const EvidenceReport& report);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_EVIDENCE_FACTS_H_
