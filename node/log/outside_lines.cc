#include "node/log/outside_lines.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "ledger/base/check.h"
#include "ledger/log/note.h"

namespace vigil::node {
namespace {

bool IsOneOf(const ledger::NoteSignature& line, const std::vector<ledger::NoteKey>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const ledger::NoteKey& key) {
    return key.name == line.name && key.KeyHash() == line.key_hash;
  });
}

}  // namespace

void OutsideLines::Put(const WitnessedCheckpoint& witnessed) {
  WitnessedCheckpoint& newest = newest_[{witnessed.line.name, witnessed.line.key_hash}];
  if (witnessed.size >= newest.size) newest = witnessed;
}

bool OutsideLines::Has(uint64_t size) const {
  return std::any_of(newest_.begin(), newest_.end(),
                     [&](const auto& entry) { return entry.second.size == size; });
}

std::string OutsideLines::AddTo(absl::string_view note, uint64_t size) const {
  if (!Has(size)) return std::string(note);
  absl::StatusOr<ledger::SignedNote> decoded = ledger::DecodeNote(note);
  VIGIL_CHECK(decoded.ok(), "the served checkpoint: ", decoded.status().message());
  for (const auto& [key, witnessed] : newest_) {
    if (witnessed.size == size && decoded->signatures.size() < ledger::kNoteSignaturesMax)
      decoded->signatures.push_back(witnessed.line);
  }
  return ledger::EncodeNote(*decoded);
}

std::string WithoutOutsideLines(const ledger::LogKeys& keys, absl::string_view note) {
  absl::StatusOr<ledger::SignedNote> decoded = ledger::DecodeNote(note);
  if (!decoded.ok()) return std::string(note);
  std::erase_if(decoded->signatures, [&](const ledger::NoteSignature& line) {
    return !IsOneOf(line, keys.logs) && !IsOneOf(line, keys.cosigners);
  });
  return decoded->signatures.empty() ? std::string(note) : ledger::EncodeNote(*decoded);
}

}  // namespace vigil::node
