#include "detector/model/model.h"

#include <algorithm>
#include <utility>

#include "detector/features/codec.h"
#include "detector/features/event_schema.h"
#include "detector/model/encoded.h"

namespace vigil::detector {
namespace {

constexpr std::string_view kMagic = "vigil-model";
constexpr uint16_t kFormat = 3;
constexpr uint8_t kComponents = 3;
constexpr uint8_t kComponentsCold = 1;
// What LODA and the surprisal must have beyond the forest: lg of the ratio of the weights.
constexpr uint32_t kSecondViewBitsQ8 = 256;

// The kReasonsMax largest credits, scaled so that all credits together make `score_q8`.
std::vector<Reason> ReasonsFrom(std::span<const int64_t> credits, uint32_t score_q8) {
  int64_t total = 0;
  for (const int64_t credit : credits) total += credit;
  if (total == 0) return {};
  std::vector<Reason> reasons;
  for (size_t f = 0; f < credits.size(); ++f) {
    const auto bits = static_cast<uint32_t>(credits[f] * score_q8 / total);
    if (bits > 0) reasons.push_back({static_cast<uint16_t>(f), bits});
  }
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.bits_q8 > b.bits_q8; });
  if (reasons.size() > kReasonsMax) reasons.resize(kReasonsMax);
  return reasons;
}

// `write` fills the body of component `id`.
template <typename Write>
void PutComponent(LittleEndianWriter* writer, Component id, const Write& write) {
  LittleEndianWriter body;
  write(&body);
  writer->U8(static_cast<uint8_t>(id)).U32(static_cast<uint32_t>(body.bytes().size()));
  writer->Raw(body.bytes());
}

// A reader of the body of component `id`; a failed one when another comes next.
LittleEndianReader ComponentReader(LittleEndianReader* reader, Component id) {
  if (reader->U8() != static_cast<uint8_t>(id)) reader->Fail();
  const uint32_t size = reader->U32();
  LittleEndianReader body(reader->Raw(size));
  if (!reader->ok()) body.Fail();
  return body;
}

}  // namespace

Digest Model::DigestOf(std::span<const uint8_t> bytes, Hash32 hash) {
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/model/v1").Raw(bytes);
  return hash(writer.bytes());
}

Model::Encoded Model::Encode(RawRow row) const {
  Encoded encoded;
  encoder_.Encode(row, encoded.split.data(), encoded.surprisal.data());
  for (size_t f = 0; f < schema_.feature_count(); ++f) {
    encoded.surprisal_sum += encoded.surprisal[f];
  }
  if (cold()) return encoded;
  encoded.strangeness_q16 = scorers_->forest.StrangenessQ16(encoded.split.data());
  encoded.loda_q8 = scorers_->loda.SurprisalQ8(encoded.split.data());
  return encoded;
}

Score Model::Judge(const Encoded& encoded) const {
  const uint32_t surprisal = surprisal_bits_.BitsQ8(encoded.surprisal_sum);
  if (cold()) return {surprisal, Component::kSurprisal, {}};
  Score score{scorers_->forest_bits.BitsQ8(encoded.strangeness_q16), Component::kForest, {}};
  const uint32_t loda = scorers_->loda_bits.BitsQ8(encoded.loda_q8);
  if (loda > score.score_q8 + kSecondViewBitsQ8) {
    score = {loda - kSecondViewBitsQ8, Component::kLoda, {}};
  }
  if (surprisal > score.score_q8 + kSecondViewBitsQ8) {
    score = {surprisal - kSecondViewBitsQ8, Component::kSurprisal, {}};
  }
  return score;
}

Score Model::ScoreRow(RawRow row) const { return Judge(Encode(row)); }

Score Model::ExplainRow(RawRow row) const {
  const Encoded encoded = Encode(row);
  Score score = Judge(encoded);
  std::vector<int64_t> credits(schema_.feature_count(), 0);
  if (score.component == Component::kForest) {
    scorers_->forest.AddCredit(encoded.split.data(), credits);
  } else if (score.component == Component::kLoda) {
    scorers_->loda.AddCredit(encoded.split.data(), credits);
  } else {
    for (size_t f = 0; f < credits.size(); ++f) {
      credits[f] = std::max(0, encoded.surprisal[f] - mean_surprisal_q8_[f]);
    }
  }
  score.reasons = ReasonsFrom(credits, score.score_q8);
  return score;
}

Score ScoreEvent(const Model& model, const EventView& event, Hash32 hash) {
  RowBuffer row;
  return model.ExplainRow(ReadRow(event, TypeOf(event), hash, &row));
}

std::vector<uint8_t> Model::Serialize() const {
  LittleEndianWriter writer;
  writer.Tag(kMagic).U16(kFormat).U32(profile_).U32(schema_.type());
  writer.Raw(schema_hash_).Raw(seed_);
  writer.U32(row_count_).U32(held_out_count_).U32(threshold_q8_);
  encoder_.Write(&writer);
  for (const int32_t mean : mean_surprisal_q8_) writer.U16(static_cast<uint16_t>(mean));
  writer.U8(cold() ? kComponentsCold : kComponents);
  if (!cold()) {
    PutComponent(&writer, Component::kForest, [&](LittleEndianWriter* body) {
      scorers_->forest.Write(body);
      scorers_->forest_bits.Write(body);
    });
    PutComponent(&writer, Component::kLoda, [&](LittleEndianWriter* body) {
      scorers_->loda.Write(body);
      scorers_->loda_bits.Write(body);
    });
  }
  PutComponent(&writer, Component::kSurprisal,
               [&](LittleEndianWriter* body) { surprisal_bits_.Write(body); });
  return writer.Take();
}

bool Model::ReadComponents(LittleEndianReader* reader, size_t features,
                           std::optional<Scorers>* scorers,
                           std::optional<Calibration>* surprisal_bits) {
  const uint8_t count = reader->U8();
  if (count != kComponents && count != kComponentsCold) return false;
  if (count == kComponents) {
    LittleEndianReader first = ComponentReader(reader, Component::kForest);
    std::optional<Forest> forest = Forest::Read(&first);
    if (!forest || forest->feature_count() != features) return false;
    std::optional<Calibration> forest_bits = Calibration::Read(&first);
    LittleEndianReader second = ComponentReader(reader, Component::kLoda);
    std::optional<Loda> loda = Loda::Read(&second);
    if (!loda || loda->feature_count() != features) return false;
    std::optional<Calibration> loda_bits = Calibration::Read(&second);
    if (!forest_bits || !loda_bits || !first.AtEnd() || !second.AtEnd()) return false;
    scorers->emplace(Scorers{std::move(*forest), std::move(*loda), std::move(*forest_bits),
                             std::move(*loda_bits)});
  }
  LittleEndianReader third = ComponentReader(reader, Component::kSurprisal);
  *surprisal_bits = Calibration::Read(&third);
  return surprisal_bits->has_value() && third.AtEnd() && reader->AtEnd();
}

std::optional<Model> Model::Parse(std::span<const uint8_t> bytes, const Schema& schema,
                                  Hash32 hash) {
  if (bytes.size() > kModelBytesMax) return std::nullopt;
  LittleEndianReader reader(bytes);
  if (!reader.SkipTag(kMagic) || reader.U16() != kFormat || reader.U32() != 1 ||
      reader.U32() != schema.type() || reader.ReadDigest() != schema.HashWith(hash)) {
    return std::nullopt;
  }
  const Digest seed = reader.ReadDigest();
  const uint32_t row_count = reader.U32();
  const uint32_t held_out_count = reader.U32();
  const uint32_t threshold_q8 = reader.U32();
  if (row_count > kRowsCountMax || held_out_count >= row_count) return std::nullopt;
  std::optional<Encoder> encoder = Encoder::Read(&reader, schema);
  if (!encoder) return std::nullopt;
  std::vector<int32_t> means;
  for (size_t f = 0; f < schema.feature_count(); ++f) {
    means.push_back(reader.U16());
    if (means.back() > kEncodedMax) return std::nullopt;
  }
  std::optional<Scorers> scorers;
  std::optional<Calibration> surprisal_bits;
  if (!ReadComponents(&reader, schema.feature_count(), &scorers, &surprisal_bits)) {
    return std::nullopt;
  }
  Model model(schema, std::move(*encoder), std::move(scorers), std::move(*surprisal_bits));
  model.schema_hash_ = schema.HashWith(hash);
  model.seed_ = seed;
  model.row_count_ = row_count;
  model.held_out_count_ = held_out_count;
  model.threshold_q8_ = threshold_q8;
  model.mean_surprisal_q8_ = std::move(means);
  model.digest_ = DigestOf(bytes, hash);
  return model;
}

}  // namespace vigil::detector
