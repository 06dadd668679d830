// What a report says, as lines "name: value" that people and scripts read (docs/formats/proof.md,
// Facts). Both verifiers print these.
#ifndef VIGIL_LEDGER_PROOF_FACTS_H_
#define VIGIL_LEDGER_PROOF_FACTS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/proof/verify_proof.h"

namespace vigil::ledger {

using ProofFact = std::pair<std::string, std::string>;

// In the order in which they are proven; "witness" comes once for each. Hashes are hexadecimal, and
// bytes of others' text that are not visible ASCII are written \xNN.
std::vector<ProofFact> ProofFacts(const ProofReport& report);

// Text of others as it stands in a fact: it neither steers a terminal nor breaks a line.
std::string EscapedFact(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_FACTS_H_
