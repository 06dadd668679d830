// The final checkpoints of late, each with what witnesses outside the network added to it, so that
// whoever wants one that certain witnesses cosigned can have it: a witness answers while newer
// checkpoints come, so the newest seldom bears its line.
//
// Pure; belongs to one thread. Holds at most 2 * kNotesKeptMax notes.
#ifndef VIGIL_NODE_LOG_WITNESSED_NOTES_H_
#define VIGIL_NODE_LOG_WITNESSED_NOTES_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/log/note.h"
#include "node/log/witness_feed.h"

namespace vigil::node {

// Of the newest, and of those that bear an outside line.
inline constexpr size_t kNotesKeptMax = 64;

class WitnessedNotes {
 public:
  // A final checkpoint of `size` with its validators' lines; again when it has more of them.
  void PutFinal(uint64_t size, absl::string_view note);
  // A verified cosignature; one of a size that is not kept changes nothing.
  void PutLine(const WitnessedCheckpoint& witnessed);

  // The newest note that every one of the key names `witnesses` cosigned, with its outside lines.
  // Errors: kUnavailable naming who has cosigned any at all; kInvalidArgument when none is asked
  // for.
  absl::StatusOr<std::string> CosignedBy(std::span<const std::string> witnesses) const;
  size_t size() const { return kept_.size(); }

 private:
  struct Kept {
    std::string note;                                    // The validators'.
    std::map<std::string, ledger::NoteSignature> lines;  // By key name.
  };
  void Trim();

  std::map<uint64_t, Kept> kept_;  // By size.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_WITNESSED_NOTES_H_
