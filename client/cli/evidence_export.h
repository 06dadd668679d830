// `vigil evidence export`: everything about an event, an alert or a span of time in one file
// (docs/formats/evidence.md), gathered from a validator and verified before it is written.
#ifndef VIGIL_CLIENT_CLI_EVIDENCE_EXPORT_H_
#define VIGIL_CLIENT_CLI_EVIDENCE_EXPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/event_commands.h"
#include "client/cli/session.h"
#include "ledger/evidence/evidence_file.h"

namespace vigil::client {

struct EvidenceExportOptions {
  std::string ref;             // Event: "record.item". Alert: record index.
  EventFilter filter;          // Span: which events; since and until are required.
  bool only_matching = false;  // Span: of each batch only the events that match.
  std::string file;
  std::vector<std::string> witnesses;  // Key names of outside witnesses that must have cosigned.
  uint32_t wait_seconds = 10;          // Until a checkpoint reaches far enough.
};

// Errors: kInvalidArgument naming the option; as the service; kNotFound when the span has no event;
// kDataLoss when what the validator gave does not verify: then FILE.refused is written instead.
absl::Status RunEvidenceExport(const Session& session, ledger::EvidenceSubject subject,
                               const EvidenceExportOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_EVIDENCE_EXPORT_H_
