#include "detector/features/encoder.h"

#include <array>
#include <utility>

namespace vigil::detector {
namespace {

CategoryKey KeyOf(const FeatureSpec& spec, const int64_t* row) {
  CategoryKey key{};
  for (uint16_t i = 0; i < spec.field_count; ++i)
    key[i] = static_cast<uint64_t>(row[spec.fields[i]]);
  return key;
}

}  // namespace

Encoder::Encoder(const Schema& schema) : field_count_(schema.field_count()) {
  uint16_t numeric = 0, category = 0;
  for (const FeatureSpec& spec : schema.features()) {
    features_.push_back({spec, IsNumeric(spec.kind) ? numeric++ : category++, {}});
  }
}

int32_t Encoder::ViewIn(const Feature& feature, const int64_t* row) const {
  const int64_t raw = row[feature.spec.fields[0]];
  return feature.spec.kind == FeatureKind::kMeasure ? feature.scale.View(raw)
                                                    : ViewOf(feature.spec.kind, raw);
}

Encoder Encoder::Fit(const Schema& schema, const RawTable& table,
                     std::span<const uint32_t> chosen) {
  Encoder encoder(schema);
  for (Feature& feature : encoder.features_) {
    const FeatureSpec& spec = feature.spec;
    if (spec.kind == FeatureKind::kMeasure) {
      std::vector<int64_t> raws;
      raws.reserve(chosen.size());
      for (const uint32_t row : chosen) raws.push_back(table(row, spec.fields[0]));
      feature.scale = MeasureScale(std::move(raws));
    }
    if (IsNumeric(spec.kind)) {
      std::vector<int32_t> views;
      views.reserve(chosen.size());
      for (const uint32_t row : chosen) {
        views.push_back(encoder.ViewIn(feature, table.row(row).data()));
      }
      encoder.numeric_.emplace_back(std::move(views));
    } else {
      std::vector<CategoryKey> keys;
      keys.reserve(chosen.size());
      for (const uint32_t row : chosen) keys.push_back(KeyOf(spec, table.row(row).data()));
      encoder.category_.emplace_back(std::move(keys), spec.field_count);
    }
  }
  return encoder;
}

void Encoder::Encode(RawRow row, int32_t* split, int32_t* surprisal) const {
  for (size_t i = 0; i < features_.size(); ++i) {
    const Feature& feature = features_[i];
    if (IsNumeric(feature.spec.kind)) {
      const NumericColumn& column = numeric_[feature.column];
      const int32_t view = ViewIn(feature, row.data());
      split[i] = column.PlaceOf(view);
      surprisal[i] = column.SurprisalQ8(view);
    } else {
      surprisal[i] = category_[feature.column].SurprisalQ8(KeyOf(feature.spec, row.data()));
      split[i] = surprisal[i];
    }
  }
}

FeatureMatrix Encoder::SplitView(const RawTable& table, std::span<const uint32_t> chosen) const {
  FeatureMatrix split(static_cast<Eigen::Index>(chosen.size()),
                      static_cast<Eigen::Index>(features_.size()));
  for (size_t f = 0; f < features_.size(); ++f) {
    const Feature& feature = features_[f];
    for (size_t i = 0; i < chosen.size(); ++i) {
      const int64_t* row = table.row(chosen[i]).data();
      split(i, f) = IsNumeric(feature.spec.kind)
                        ? numeric_[feature.column].PlaceOf(ViewIn(feature, row))
                        : category_[feature.column].SurprisalQ8(KeyOf(feature.spec, row));
    }
  }
  return split;
}

int32_t Encoder::MidRank(size_t feature, RawRow row) const {
  return numeric_[features_[feature].column].MidRank(ViewIn(features_[feature], row.data()));
}

const NumericColumn* Encoder::NumericOf(size_t feature) const {
  const Feature& found = features_[feature];
  return IsNumeric(found.spec.kind) ? &numeric_[found.column] : nullptr;
}

const CategoryColumn* Encoder::CategoryOf(size_t feature) const {
  const Feature& found = features_[feature];
  return IsNumeric(found.spec.kind) ? nullptr : &category_[found.column];
}

CategoryKey Encoder::KeyIn(size_t feature, RawRow row) const {
  return KeyOf(features_[feature].spec, row.data());
}

void Encoder::Write(LittleEndianWriter* writer) const {
  writer->U16(static_cast<uint16_t>(features_.size()));
  for (const Feature& feature : features_) {
    writer->U8(static_cast<uint8_t>(feature.spec.kind));
    if (feature.spec.kind == FeatureKind::kMeasure) feature.scale.Write(writer);
    if (IsNumeric(feature.spec.kind)) {
      numeric_[feature.column].Write(writer);
    } else {
      category_[feature.column].Write(writer);
    }
  }
}

std::optional<Encoder> Encoder::Read(LittleEndianReader* reader, const Schema& schema) {
  Encoder encoder(schema);
  if (reader->U16() != encoder.features_.size()) return std::nullopt;
  for (Feature& feature : encoder.features_) {
    const FeatureSpec& spec = feature.spec;
    if (reader->U8() != static_cast<uint8_t>(spec.kind)) return std::nullopt;
    if (spec.kind == FeatureKind::kMeasure) {
      const std::optional<MeasureScale> scale = MeasureScale::Read(reader);
      if (!scale) return std::nullopt;
      feature.scale = *scale;
    }
    if (IsNumeric(spec.kind)) {
      std::optional<NumericColumn> column = NumericColumn::Read(reader);
      if (!column) return std::nullopt;
      encoder.numeric_.push_back(std::move(*column));
    } else {
      std::optional<CategoryColumn> column = CategoryColumn::Read(reader, spec.field_count);
      if (!column) return std::nullopt;
      encoder.category_.push_back(std::move(*column));
    }
  }
  return encoder;
}

}  // namespace vigil::detector
