// Two signed checkpoints in one text, with an empty line between them.
//
// A note ends with its signature lines and has one empty line above them, so two notes of
// checkpoints come apart in one way only. Pure.
#ifndef VIGIL_LEDGER_PROOF_TWO_NOTES_H_
#define VIGIL_LEDGER_PROOF_TWO_NOTES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vigil::ledger {

struct TwoNotes {
  std::string first;
  std::string second;
  bool operator==(const TwoNotes&) const = default;
};

// REQUIRES: DecodeTwoNotes() gives them back.
std::string EncodeTwoNotes(const TwoNotes& notes);
// Errors: kInvalidArgument when not exactly two signed checkpoints.
absl::StatusOr<TwoNotes> DecodeTwoNotes(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_TWO_NOTES_H_
