#include "client/alert/explanation.h"

#include "absl/strings/str_cat.h"
#include "client/alert/field_text.h"
#include "detector/features/event_schema.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::client {
namespace {

using detector::FeatureKind;
using detector::FeatureSpec;
using detector::NumericColumn;

std::string ValueText(const detector::Schema& schema, const EventView& event,
                      const FeatureSpec& feature, detector::RawRow row) {
  std::string text;
  for (uint16_t i = 0; i < feature.field_count; ++i) {
    const uint16_t field = feature.fields[i];
    absl::StrAppend(&text, i == 0 ? "" : " + ",
                    FieldText(event, schema.fields()[field], row[field]));
  }
  return text;
}

WindowRange RangeOf(FeatureKind kind, const NumericColumn& column) {
  const auto at = [&](uint32_t quarters) {
    return detector::RawOf(kind, column.ViewAtShare(quarters, 4));
  };
  return {at(0), at(1), at(2), at(3), at(4)};
}

std::string NumberWords(const ExplainedReason& reason, bool missing) {
  const uint32_t present = reason.window_rows - reason.window_same;
  if (missing) {
    return absl::StrCat(reason.feature, " is not given; ", present, " of ", reason.window_rows,
                        " rows of the window have it");
  }
  if (!reason.range.has_value()) {
    return absl::StrCat(reason.feature, " is ", reason.value, "; no row of the window has it");
  }
  const WindowRange& range = *reason.range;
  return absl::StrCat(reason.feature, " is ", reason.value, "; in the window ", range.least, " to ",
                      range.most, ", half of it ", range.quarter, " to ", range.three_quarters,
                      ", median ", range.median);
}

std::string CategoryWords(const ExplainedReason& reason) {
  const std::string times =
      reason.window_same == 0 ? "never" : absl::StrCat("in ", reason.window_same);
  return absl::StrCat(reason.feature, " is ", reason.value, "; seen ", times, " of ",
                      reason.window_rows, " rows of the window");
}

}  // namespace

std::vector<ExplainedReason> Explain(const detector::Model& model, const EventView& event,
                                     std::span<const detector::Reason> reasons) {
  detector::RowBuffer buffer;
  const detector::RawRow row =
      detector::ReadRow(event, detector::TypeOf(event), &ledger::Sha256Bytes, &buffer);
  const detector::Schema& schema = model.schema();
  std::vector<ExplainedReason> explained;
  for (const detector::Reason& reason : reasons) {
    if (reason.feature >= schema.feature_count()) continue;
    const FeatureSpec& feature = schema.features()[reason.feature];
    ExplainedReason& out = explained.emplace_back();
    out.feature = feature.name;
    out.bits_q8 = reason.bits_q8;
    out.value = ValueText(schema, event, feature, row);
    if (const NumericColumn* const numbers = model.encoder().NumericOf(reason.feature)) {
      out.window_rows = numbers->present() + numbers->missing();
      out.window_same = numbers->missing();
      if (numbers->present() > 0) out.range = RangeOf(feature.kind, *numbers);
      const int64_t value = row[feature.fields[0]];
      out.words = NumberWords(out, value < 0);
    } else {
      const detector::CategoryColumn& values = *model.encoder().CategoryOf(reason.feature);
      out.window_rows = values.total();
      out.window_same = values.CountOf(model.encoder().KeyIn(reason.feature, row));
      out.words = CategoryWords(out);
    }
  }
  return explained;
}

std::string ComponentWords(uint32_t component) {
  switch (static_cast<detector::Component>(component)) {
    case detector::Component::kForest:
      return "the isolation forest: few splits part it from the rows of the window";
    case detector::Component::kLoda:
      return "LODA: it falls into rare bins of random projections of the window";
    case detector::Component::kSurprisal:
      return "the sum of surprisals: its single values are rare in the window";
    case detector::Component::kNone:
      break;
  }
  return absl::StrCat("component ", component, ", which this version does not know");
}

}  // namespace vigil::client
