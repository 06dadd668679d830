#include "ledger/proof/two_notes.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"

namespace vigil::ledger {

std::string EncodeTwoNotes(const TwoNotes& notes) {
  std::string text = absl::StrCat(notes.first, "\n", notes.second);
  const absl::StatusOr<TwoNotes> decoded = DecodeTwoNotes(text);
  VIGIL_CHECK(decoded.ok() && *decoded == notes, "wrote bad notes: ", decoded.status().ToString());
  return text;
}

absl::StatusOr<TwoNotes> DecodeTwoNotes(absl::string_view text) {
  // The first empty line is inside the first note, the second one ends it.
  const size_t inside = text.find("\n\n");
  const size_t end = inside == absl::string_view::npos ? inside : text.find("\n\n", inside + 2);
  if (end == absl::string_view::npos) {
    return absl::InvalidArgumentError("not two signed checkpoints with an empty line between");
  }
  TwoNotes notes{.first = std::string(text.substr(0, end + 1)),
                 .second = std::string(text.substr(end + 2))};
  const absl::Status first = DecodeSignedCheckpoint(notes.first).status();
  if (!first.ok()) return Annotate(first, "first checkpoint");
  const absl::Status second = DecodeSignedCheckpoint(notes.second).status();
  if (!second.ok()) return Annotate(second, "second checkpoint");
  return notes;
}

}  // namespace vigil::ledger
