// Puts proof files together from what a node stores (docs/formats/proof.md).
//
// Pure over ProofSource. Index, size, path and head of one proof hang off one checkpoint, and every
// path is checked against its root before the proof is given out: parts of different moments make
// an error here, never a bad file.
#ifndef VIGIL_LEDGER_PROOF_PROOF_BUILDER_H_
#define VIGIL_LEDGER_PROOF_PROOF_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/result.h"
#include "ledger/log/tiles.h"

namespace vigil::ledger {

// Everything that a proof is made of. The caller answers from one snapshot that reaches at least to
// the checkpoint. Errors: kNotFound naming the thing; others are passed on.
class ProofSource {
 public:
  struct BlockRange {
    Height height;
    RecordIndex first;
    uint32_t record_count = 0;  // Without the seal, which comes right after.
    RecordIndex seal_index() const { return first + record_count; }
  };

  virtual ~ProofSource() = default;

  virtual absl::StatusOr<BlockRange> BlockAt(Height height) const = 0;
  // The block that holds the record or seal at `index`.
  virtual absl::StatusOr<BlockRange> BlockOf(RecordIndex index) const = 0;
  // The bytes of a record or seal.
  virtual absl::StatusOr<std::string> Leaf(RecordIndex index) const = 0;
  // The event leaf hashes of a batch, 32 bytes each, when its payload was pruned; else empty.
  virtual absl::StatusOr<std::string> PrunedEventLeaves(RecordIndex index) const {
    (void)index;
    return std::string();
  }
  // The payload of an event batch that was not pruned.
  virtual absl::StatusOr<std::string> Payload(RecordIndex index) const = 0;
  // Results of the records of a block, in order.
  virtual absl::StatusOr<std::vector<RecordResult>> Results(Height height) const = 0;
  virtual absl::StatusOr<PublicKey> AuthorKey(const KeyId& id) const = 0;
  // The tiles of the log.
  virtual const TileSource& tiles() const = 0;
};

// Whether the file shows the event or only that it is there.
enum class EventBytes { kInclude, kWithhold };

// Each returns the text of the file. `checkpoint` is a signed note, whose signatures are not looked
// at. A record whose result is not OK gets its proof too: it shows how the chain judged it.
//
// Errors:
//   kNotFound:        no such record, item or block; or, for an event, the record is no batch.
//   kUnavailable:     the checkpoint does not reach the thing yet, or the seal that commits to the
//                     record's result. Later checkpoints will.
//   kInvalidArgument: `checkpoint` is none.
//   kDataLoss:        the parts do not fit together.
// An event whose payload was pruned gets its proof without the event's bytes.
absl::StatusOr<std::string> BuildEventProof(const ProofSource& source, absl::string_view checkpoint,
                                            RecordIndex index, ItemIndex item, EventBytes bytes);
absl::StatusOr<std::string> BuildRecordProof(const ProofSource& source,
                                             absl::string_view checkpoint, RecordIndex index);
absl::StatusOr<std::string> BuildBlockProof(const ProofSource& source, absl::string_view checkpoint,
                                            Height height);

// The consistency file of two signed notes of one log, the older one first.
// Errors: as above; kInvalidArgument also when they are of two logs, or the older one is larger or
// of size 0.
absl::StatusOr<std::string> BuildConsistencyProof(const TileSource& tiles, absl::string_view older,
                                                  absl::string_view newer);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_PROOF_BUILDER_H_
