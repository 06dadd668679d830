#include "node/log/witnessed_notes.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/check.h"

namespace vigil::node {

void WitnessedNotes::PutFinal(uint64_t size, absl::string_view note) {
  kept_[size].note = std::string(note);
  Trim();
}

void WitnessedNotes::PutLine(const WitnessedCheckpoint& witnessed) {
  const auto kept = kept_.find(witnessed.size);
  if (kept == kept_.end()) return;
  kept->second.lines[witnessed.line.name] = witnessed.line;
  Trim();
}

void WitnessedNotes::Trim() {
  size_t newest = 0;
  size_t witnessed = 0;
  for (auto kept = kept_.end(); kept != kept_.begin();) {
    --kept;
    const bool is_new = newest++ < kNotesKeptMax;
    const bool bears = !kept->second.lines.empty() && witnessed++ < kNotesKeptMax;
    if (!is_new && !bears) kept = kept_.erase(kept);
  }
}

absl::StatusOr<std::string> WitnessedNotes::CosignedBy(
    std::span<const std::string> witnesses) const {
  if (witnesses.empty()) return absl::InvalidArgumentError("no witness is named");
  std::set<std::string> seen;
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
    const auto& lines = kept->second.lines;
    for (const auto& [name, line] : lines) seen.insert(name);
    if (!std::all_of(witnesses.begin(), witnesses.end(),
                     [&lines](const std::string& name) { return lines.contains(name); })) {
      continue;
    }
    absl::StatusOr<ledger::SignedNote> note = ledger::DecodeNote(kept->second.note);
    VIGIL_CHECK(note.ok(), "a final checkpoint: ", note.status().message());
    for (const auto& [name, line] : lines) {
      if (note->signatures.size() < ledger::kNoteSignaturesMax) note->signatures.push_back(line);
    }
    return ledger::EncodeNote(*note);
  }
  return absl::UnavailableError(absl::StrCat(
      "no checkpoint of late was cosigned by ", absl::StrJoin(witnesses, " and "), "; ",
      seen.empty() ? "no outside witness cosigned any"
                   : absl::StrCat("these cosigned some: ", absl::StrJoin(seen, " "))));
}

}  // namespace vigil::node
