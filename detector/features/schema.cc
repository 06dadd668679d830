#include "detector/features/schema.h"

#include <utility>

#include "detector/features/codec.h"
#include "detector/features/require.h"

namespace vigil::detector {
namespace {

// Raised whenever the reading of any event field, or the log tables, change meaning.
constexpr uint32_t kReadersVersion = 2;

uint16_t IndexOf(const std::vector<FieldSpec>& fields, const std::string& name) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == name) return static_cast<uint16_t>(i);
  }
  Require(false, "combination of an unknown field", name.c_str());
  return 0;
}

}  // namespace

Schema::Schema(uint32_t type, std::vector<FieldSpec> fields,
               std::vector<CombinationSpec> combinations)
    : type_(type), fields_(std::move(fields)) {
  Require(!fields_.empty() && fields_.size() <= kFieldsMax, "number of fields");
  Require(fields_.size() + combinations.size() <= kFeaturesMax, "number of features");
  for (size_t i = 0; i < fields_.size(); ++i) {
    const FieldSpec& field = fields_[i];
    Require(field.kind != FeatureKind::kCombination, "a field is no combination",
            field.name.c_str());
    features_.push_back({field.name, field.kind, {static_cast<uint16_t>(i), 0, 0}, 1});
  }
  for (const CombinationSpec& combination : combinations) {
    FeatureSpec feature{combination.name, FeatureKind::kCombination, {}, 0};
    Require(combination.fields.size() == 2 || combination.fields.size() == 3,
            "a combination has two or three fields", combination.name.c_str());
    for (const std::string& name : combination.fields) {
      const uint16_t index = IndexOf(fields_, name);
      Require(fields_[index].kind == FeatureKind::kCategory, "combination of a number",
              name.c_str());
      feature.fields[feature.field_count++] = index;
    }
    features_.push_back(std::move(feature));
  }
  for (size_t i = 0; i < features_.size(); ++i) {
    Require(!features_[i].name.empty() && features_[i].name.size() <= 64, "length of a name",
            features_[i].name.c_str());
    for (size_t j = 0; j < i; ++j) {
      Require(features_[i].name != features_[j].name, "two features of one name",
              features_[i].name.c_str());
    }
  }
}

Digest Schema::HashWith(Hash32 hash) const {
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/schema/v1").U32(kReadersVersion).U32(type_);
  writer.U16(static_cast<uint16_t>(fields_.size())).U16(static_cast<uint16_t>(features_.size()));
  for (const FeatureSpec& feature : features_) {
    writer.Text(feature.name).U8(static_cast<uint8_t>(feature.kind)).U16(feature.field_count);
    for (uint16_t i = 0; i < feature.field_count; ++i) writer.U16(feature.fields[i]);
  }
  return hash(writer.bytes());
}

}  // namespace vigil::detector
