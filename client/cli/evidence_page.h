// The page that a person prints: what evidence shows, who vouches for it, and what it does not
// show.
#ifndef VIGIL_CLIENT_CLI_EVIDENCE_PAGE_H_
#define VIGIL_CLIENT_CLI_EVIDENCE_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "ledger/evidence/verify_evidence.h"

namespace vigil::client {

// Events that the page lists; it says how many more are in the file.
inline constexpr size_t kPageEventsMax = 1'000;

// One HTML document without scripts and without anything from elsewhere; the same for the same
// file and policy. Text of others is escaped. REQUIRES: the report is verified and of `file`.
std::string EvidencePage(const ledger::EvidenceReport& report, absl::string_view file,
                         absl::string_view policy);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_EVIDENCE_PAGE_H_
