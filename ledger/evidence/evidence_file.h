// The evidence file: proofs of records and the events in them, all under one checkpoint
// (docs/formats/evidence.md).
//
// Pure layout: nothing here is checked against anything; VerifyEvidence() does that.
#ifndef VIGIL_LEDGER_EVIDENCE_EVIDENCE_FILE_H_
#define VIGIL_LEDGER_EVIDENCE_EVIDENCE_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/record.h"

namespace vigil::ledger {

inline constexpr size_t kEvidenceBytesMax = size_t{1} << 30;
inline constexpr uint32_t kEvidencePartsMax = 1 << 20;
inline constexpr size_t kEvidenceModelBytesMax = size_t{16} << 20;

// What a file is about. Stored: never renumber.
enum class EvidenceSubject : uint8_t { kEvent = 1, kAlert = 2, kSpan = 3 };

struct EvidenceQuestion {
  EvidenceSubject subject = EvidenceSubject::kEvent;
  EventRef event;               // kEvent.
  RecordIndex alert;            // kAlert.
  uint64_t from_unix_nano = 0;  // kSpan: times of events, from inclusive to exclusive.
  uint64_t to_unix_nano = 0;
  bool operator==(const EvidenceQuestion&) const = default;
};

// An event of the batch that its part proves. All views point into the file.
struct EvidenceEvent {
  ItemIndex item;
  absl::string_view bytes;
  std::vector<Hash> path;  // To the items root; empty when the part shows every event of the batch.
  bool operator==(const EvidenceEvent&) const = default;
};

// A record and, of an event batch, the events that are shown.
struct EvidencePart {
  // A record's proof file (docs/formats/proof.md) without its checkpoint: up to and including the
  // empty line.
  absl::string_view proof;
  std::vector<EvidenceEvent> events;  // Ascending by item.
  bool operator==(const EvidencePart&) const = default;
};

struct Evidence {
  EvidenceQuestion question;
  absl::string_view checkpoint;     // Signed note.
  absl::string_view genesis;        // The genesis file; empty: left out.
  std::vector<EvidencePart> parts;  // Ascending by record index, which verifying sees to.
  absl::string_view model;          // Of the alert in question, or its rule file; empty: left out.
  absl::string_view epochs;         // The epoch chain up to the checkpoint's; empty: left out.
  bool operator==(const Evidence&) const = default;
};

// REQUIRES: DecodeEvidence() gives it back.
std::string EncodeEvidence(const Evidence& evidence);
// Views into `bytes`. Errors: kInvalidArgument, with the part's number, on anything that
// EncodeEvidence() would not make, or over the limits.
absl::StatusOr<Evidence> DecodeEvidence(absl::string_view bytes);
// Whether a file claims to be one, from its first bytes.
bool LooksLikeEvidence(absl::string_view bytes);

// A standard proof file from a part: its proof followed by the checkpoint.
std::string WholeProof(const Evidence& evidence, const EvidencePart& part);
// The other way round. Errors: kInvalidArgument when `file` has no empty line.
absl::StatusOr<absl::string_view> ProofWithoutCheckpoint(absl::string_view file);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_EVIDENCE_FILE_H_
