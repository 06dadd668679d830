// A trained model of one event type: a pure function of a window, a seed and parameters.
//
// Three components, each calibrated to bits by the held-out part of the window. A model of few rows
// is cold: it has the surprisal alone, whose bits are then the score. The score of a row
// is the largest of the forest's bits, LODA's bits less one and the surprisal's bits less one, and
// names which decided: the weighted Bonferroni rule (Genovese, Roeder and Wasserman, Biometrika 93,
// 2006) with weights 1/2, 1/4 and 1/4. Immutable; thread-safe.
//
// File (little-endian; the digest is hash("vigil/detector/model/v1" 00 | file)):
//   "vigil-model" 00 | u16 format = 3 | u32 profile | u32 event type | schema hash 32 | seed 32 |
//   u32 row count | u32 held-out count | u32 threshold | encoder | u16 per feature: mean surprisal
//   | u8 components | per component, ascending id: u8 id | u32 size | body
// Bodies: 1 forest, calibration; 2 LODA, calibration; 3 calibration. All three, or of a cold model
// the last.
#ifndef VIGIL_DETECTOR_MODEL_MODEL_H_
#define VIGIL_DETECTOR_MODEL_MODEL_H_

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "detector/features/encoder.h"
#include "detector/features/hash.h"
#include "detector/features/schema.h"
#include "detector/forest/calibration.h"
#include "detector/forest/forest.h"
#include "detector/forest/loda.h"
#include "detector/model/parameters.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

// Stored: never renumber (AlertBody.component).
enum class Component : uint8_t {
  kNone = 0,
  kForest = 1,     // Isolation forest on the split view.
  kLoda = 2,       // Random projections of the split view.
  kSurprisal = 3,  // Sum of the marginal surprisals.
};

// What a threshold may differ by from the one of the model that was active before: one bit, which
// is a factor of two in how many events reach it.
inline constexpr uint32_t kThresholdStepQ8 = 256;
// A window of the chain with fewer rows is not trained on; below window_rows_min the model is cold.
inline constexpr uint32_t kColdRowsMin = 64;
inline constexpr size_t kReasonsMax = 5;
// No model file is larger.
inline constexpr size_t kModelBytesMax = 16 * 1024 * 1024;

// One feature's share of a score.
struct Reason {
  uint16_t feature = 0;  // Index into Schema::features().
  uint32_t bits_q8 = 0;  // Above 0.

  bool operator==(const Reason&) const = default;
};

struct Score {
  uint32_t score_q8 = 0;  // Bits: an equally strange row is one of 2^bits of the window.
  Component component = Component::kNone;
  std::vector<Reason> reasons;  // Largest first, ties by feature; together at most score_q8.

  bool operator==(const Score&) const = default;
};

class Model {
 public:
  // Trains on `window`, oldest row first:
  //   1. leave out rows whose mark says so; keep at most identical_rows_max rows of one encoding,
  //      the oldest; cap the share of one reporter (window_guard.h);
  //   2. hold out a fifth of them, drawn from the seed;
  //   3. fit the encoder and, unless fewer than window_rows_min rows are left, the forest and LODA
  //   on
  //      the others;
  //   4. calibrate all components and set the threshold on the held-out rows, within
  //      kThresholdStepQ8 of `previous_threshold_q8` and never below the floor.
  //
  // Args:
  //   window: shape (rows, schema.field_count()), or kRowMarks columns more (row_marks.h).
  //   previous_threshold_q8: of the model active before; 0: there is none.
  // Returns nothing when fewer than kRowsMin rows are left after step 1.
  // REQUIRES: IsValid(parameters).
  static std::optional<Model> Train(const Schema& schema, const RawTable& window,
                                    const Digest& seed, const Parameters& parameters, Hash32 hash,
                                    uint32_t previous_threshold_q8 = 0);
  static constexpr size_t kRowsMin = 10;

  // The digest of a model file.
  static Digest DigestOf(std::span<const uint8_t> bytes, Hash32 hash);
  // Nothing unless the bytes are a model of this schema, well-formed and within every limit; then
  // Serialize() gives the same bytes again.
  static std::optional<Model> Parse(std::span<const uint8_t> bytes, const Schema& schema,
                                    Hash32 hash);
  std::vector<uint8_t> Serialize() const;

  // The score without its reasons. REQUIRES: row has schema().field_count() values.
  Score ScoreRow(RawRow row) const;
  // The score with its reasons: exact integers, the same wherever they are computed.
  //   surprisal: what each feature adds above its mean on held-out rows, the Shapley value of a
  //              sum; scaled to the score.
  //   forest:    Forest::AddCredit(), scaled to the score.
  //   LODA:      Loda::AddCredit(), scaled to the score.
  Score ExplainRow(RawRow row) const;

  const Schema& schema() const { return schema_; }
  const Digest& digest() const { return digest_; }
  const Digest& seed() const { return seed_; }
  // Whether the surprisal alone decides.
  bool cold() const { return !scorers_.has_value(); }
  // REQUIRES: not cold.
  const Forest& forest() const { return scorers_->forest; }
  const Loda& loda() const { return scorers_->loda; }
  const Encoder& encoder() const { return encoder_; }
  // Rows kept of the window, held-out ones included.
  uint32_t row_count() const { return row_count_; }
  // A score of at least this is an alert.
  uint32_t threshold_q8() const { return threshold_q8_; }

 private:
  struct Encoded;
  // What a cold model does not have.
  struct Scorers {
    Forest forest;
    Loda loda;
    Calibration forest_bits;
    Calibration loda_bits;
  };
  Model(const Schema& schema, Encoder encoder, std::optional<Scorers> scorers,
        Calibration surprisal_bits)
      : schema_(schema),
        encoder_(std::move(encoder)),
        scorers_(std::move(scorers)),
        surprisal_bits_(std::move(surprisal_bits)) {}

  // False: malformed. Nothing in `scorers` for a cold model.
  static bool ReadComponents(LittleEndianReader* reader, size_t features,
                             std::optional<Scorers>* scorers,
                             std::optional<Calibration>* surprisal_bits);

  Encoded Encode(RawRow row) const;
  Score Judge(const Encoded& encoded) const;
  // Fills the means, the calibrations and the threshold.
  void CalibrateOn(const RawTable& window, std::span<const uint32_t> held_out,
                   const Parameters& parameters, uint32_t previous_threshold_q8);
  Schema schema_;
  uint32_t profile_ = 1;
  Digest schema_hash_{};
  Digest seed_{};
  uint32_t row_count_ = 0;
  uint32_t held_out_count_ = 0;
  uint32_t threshold_q8_ = 0;
  Encoder encoder_;
  std::vector<int32_t> mean_surprisal_q8_;
  std::optional<Scorers> scorers_;
  Calibration surprisal_bits_;
  Digest digest_{};
};

// The score of an event, with reasons. REQUIRES: model is of EventSchema(TypeOf(event)).
Score ScoreEvent(const Model& model, const EventView& event, Hash32 hash);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_MODEL_H_
